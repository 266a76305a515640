//! `cargo xtask test`: every test there is.

use crate::{
    api, clippy,
    guest::{self, Background},
    image, kernel, lint,
    postgres::Postgres,
    python,
    run::{cargo, check, linting_cargo, target, watch},
    s3::S3,
    setup,
    steps::{Count, Steps},
};
use anyhow::{Result, anyhow, ensure};
use std::{
    path::{Path, PathBuf},
    process::{Command, Stdio},
    thread,
};

#[derive(clap::Args)]
pub(crate) struct Args {
    /// Only these
    #[arg(value_enum)]
    only: Option<Part>,
    /// Only tests whose name contains this
    filter: Option<String>,
}

#[derive(Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
enum Part {
    /// Style, lints and the rules of the source tree
    Lint,
    /// Tests that need no virtual machine
    Unit,
    /// The bundle format's vectors, by a second implementation
    Vectors,
    /// The operator's API against its own description, by schemathesis; alone, with more examples
    Api,
    /// Scenarios in virtual machines
    Vm,
    /// The kernel that is made for this one purpose: built, and in the same scenarios; not in a run of all
    Kernel,
}

/// Runs the parts that were asked for. Errors when anything failed.
pub(crate) fn run(root: &Path, args: &Args) -> Result<()> {
    let wants = |part| args.only.is_none_or(|only| only == part);
    let filter = args.filter.as_deref();
    let mut steps = Steps::default();
    steps.check("packages", setup::run);
    // Alone, each shows how it gets on.
    let guest = (args.only.is_none()).then(|| Background::start(root));
    if wants(Part::Lint) {
        lints(root, &mut steps);
    }
    let images = guest.map(|guest| {
        let root = root.to_path_buf();
        thread::spawn(move || guest.and_then(Background::finish).and_then(|()| images(&root)))
    });
    if wants(Part::Unit) {
        steps.check("sushy-tools", || sushy(root));
        steps.check("aiosmtpd", || smtp(root));
        steps.check("pysnmp", || snmp(root));
        steps.check("oidc-provider-mock", || oidc(root));
        steps.run("tests", || tests(root, Kind::Unit, filter));
        stored_elsewhere(root, &mut steps, filter);
        if filter.is_none() {
            steps.run("documentation tests", || doc_tests(root));
        }
    }
    if wants(Part::Vectors) {
        steps.check("vectors by pycose", || vectors(root));
    }
    if wants(Part::Api) {
        // Those of the first number take half a minute.
        let examples = if args.only.is_some() { 100 } else { 10 };
        steps.check("API by schemathesis", || api::run(root, examples));
    }
    if args.only == Some(Part::Kernel) {
        purpose(root, &mut steps, filter);
    }
    if wants(Part::Vm) {
        let images = || match images {
            Some(thread) => thread.join().map_err(|_| anyhow!("their making panicked"))?,
            None => guest::build(root).and_then(|()| self::images(root)),
        };
        scenarios(root, &mut steps, images, filter);
    }
    let tests = steps.tests;
    let Count { passed, failed, skipped } = steps.finish();
    println!("\n{passed} passed, {failed} failed, {skipped} skipped");
    ensure!(failed == 0, "{failed} failed");
    if let Some(filter) = filter {
        ensure!(tests > 0, "no test has {filter:?} in its name");
    }
    Ok(())
}

fn lints(root: &Path, steps: &mut Steps) {
    steps.check("format", || check(&mut cargo(root, &["fmt", "--all", "--check"])));
    steps.check("rules of the source tree", || lint::run(root));
    steps.check("kernel configuration", || kernel::check(root));
    steps.check("build with clippy", || clippy::run(root));
}

fn scenarios(
    root: &Path,
    steps: &mut Steps,
    images: impl FnOnce() -> Result<Images>,
    filter: Option<&str>,
) {
    let mut made = None;
    steps.check("guest programs and images", || {
        made = Some(images()?);
        Ok(())
    });
    if let Some(images) = made {
        steps.run("scenarios", || tests(root, Kind::Scenario(&images), filter));
    }
}

/// The kernel that is made for this one purpose, in place of the default one.
fn purpose(root: &Path, steps: &mut Steps, filter: Option<&str>) {
    let built = steps.check("kernel configuration", || kernel::check(root))
        && steps.check("kernel", || kernel::build(root, &[]).map(drop));
    let images = || {
        guest::build(root)?;
        let iso = image::of_kind(root, image::Kind::Purpose)?;
        Ok(Images { iso, whole: image::of_kind(root, image::Kind::PurposeWhole)? })
    };
    if built {
        scenarios(root, steps, images, filter);
    }
}

/// Which tests.
#[derive(Clone, Copy)]
enum Kind<'a> {
    Unit,
    /// Those that concern the database, with one at this URL.
    Postgres(&'a str),
    /// Those that concern blobs, with storage that speaks S3 at these URLs.
    S3(&'a str),
    /// Those that concern servers which have both in common.
    Both {
        postgres: &'a str,
        s3: &'a str,
    },
    Scenario(&'a Images),
}

/// What is run with PostgreSQL as well: the store, the server but for what has to do with programs of others, and what becomes
/// of machines when it is killed. Those that are called `postgres` are for it alone.
const ON_POSTGRES: &str = "\
    (package(xenoboot-server) and test(/^store::|^(access|assignments|connections|dashboard|enrolment|events|machines|oidc|states|\
    transfers|upkeep)::/) and not test(ten_thousand) and not test(/^oidc::browser::/)) or (binary(cli_server) and test(/^(killed|simulate)::/)) or \
    test(/(^|::)postgres/)";

/// What is run with blobs in a bucket as well: where blobs and bundles come and go. Those that are called `s3` are for it alone.
const ON_S3: &str = "\
    (package(xenoboot-server) and test(/^(assignments|dashboard|transfers)::/) and not test(ten_thousand)) or test(/(^|::)s3_/)";

/// What is run with both at once. Those that are called `both` are for that alone.
const ON_BOTH: &str = "package(xenoboot-server) and test(/^storage::both_/)";

/// The server's tests with its other database and its other storage, by nextest alone: cargo's own runner has no such choice.
fn stored_elsewhere(root: &Path, steps: &mut Steps, filter: Option<&str>) {
    if !has_nextest(root) {
        steps.run("tests with PostgreSQL and S3", || {
            println!("not run: it needs cargo-nextest (cargo install --locked cargo-nextest)");
            Ok(Count { skipped: 1, ..Count::default() })
        });
        return;
    }
    let (mut postgres, mut s3) = (None, None);
    steps.check("PostgreSQL", || {
        postgres = Some(Postgres::start()?);
        Ok(())
    });
    steps.check("S3 by moto", || {
        let folder = root.join("crates/server/tests");
        let python = python::environment(root, "venv-s3", &folder.join("moto.txt"), "moto.server")?;
        s3 = Some(S3::start(&python, &folder.join("s3.py"))?);
        Ok(())
    });
    if let (Some(postgres), Some(s3)) = (postgres, s3) {
        let (postgres, s3) = (postgres.url(), s3.urls());
        steps.run("tests with PostgreSQL", || tests(root, Kind::Postgres(&postgres), filter));
        steps.run("tests with S3", || tests(root, Kind::S3(s3), filter));
        let both = Kind::Both { postgres: &postgres, s3 };
        steps.run("tests with both", || tests(root, both, filter));
    }
}

/// The images that scenarios boot.
struct Images {
    iso: PathBuf,
    /// With the toolbox.
    whole: PathBuf,
}

/// Makes them, and the command line first.
fn images(root: &Path) -> Result<Images> {
    Ok(Images { iso: image::base(root)?, whole: image::of_kind(root, image::Kind::Whole)? })
}

/// Runs tests by nextest where that is installed, else by cargo's own runner.
fn tests(root: &Path, kind: Kind<'_>, filter: Option<&str>) -> Result<Count> {
    let nextest = has_nextest(root);
    let scenarios = ["--workspace", "--test", "scenarios"];
    let (which, at_a_time): (&[&str], _) = match kind {
        Kind::Unit => (&["--workspace"], None),
        Kind::Postgres(_) => (&["--workspace", "--run-ignored", "all", "-E", ON_POSTGRES], None),
        Kind::S3(_) => (&["--workspace", "--run-ignored", "all", "-E", ON_S3], None),
        Kind::Both { .. } => (&["--workspace", "--run-ignored", "all", "-E", ON_BOTH], None),
        Kind::Scenario(_) => (&scenarios, Some("2")),
    };
    let runner: &[&str] = if nextest { &["nextest", "run"] } else { &["test"] };
    let mut command = linting_cargo(root, runner);
    command.args(which).arg("--no-fail-fast");
    command.args(filter);
    if nextest && filter.is_some() {
        // It may be of another step.
        command.arg("--no-tests=pass");
    }
    if let Kind::Scenario(Images { iso, whole }) = kind {
        command.env("XENOBOOT_ISO", iso).env("XENOBOOT_TOOLBOX_ISO", whole);
        command.env("XENOBOOT_CLI", target(root).join("debug/xenoboot"));
    }
    if let Kind::Postgres(url) | Kind::Both { postgres: url, .. } = kind {
        command.env("XENOBOOT_POSTGRESQL", url);
    }
    if let Kind::S3(urls) | Kind::Both { s3: urls, .. } = kind {
        command.env("XENOBOOT_S3", urls);
    }
    match (at_a_time, nextest) {
        (Some(number), true) => drop(command.args(["-j", number])),
        (Some(number), false) => drop(command.args(["--", "--test-threads", number])),
        (None, _) => {}
    }
    let mut sum = Count::default();
    let succeeded = watch(&mut command, |line| sum += summary(line).unwrap_or_default())?;
    if filter.is_some() {
        // nextest counts those that the filter left out.
        sum.skipped = 0;
    }
    if !succeeded && sum.failed == 0 {
        // It did not come to run the tests, or ended before its summary.
        sum.failed = 1;
    }
    Ok(sum)
}

fn has_nextest(root: &Path) -> bool {
    let mut version = cargo(root, &["nextest", "--version"]);
    check(version.stdout(Stdio::null()).stderr(Stdio::null())).is_ok()
}

/// What a runner's closing line says.
fn summary(line: &str) -> Option<Count> {
    let counts = match line.trim_start().strip_prefix("Summary [") {
        // nextest: `Summary [   1.2s] 3 tests run: 2 passed (1 slow), 1 failed, 4 skipped`
        Some(rest) => rest.split_once("run:")?.1,
        // cargo: `test result: ok. 4 passed; 0 failed; 1 ignored; 0 measured; 3 filtered out; ...`
        None => line.strip_prefix("test result: ")?.split_once(". ")?.1,
    };
    let number = |word: &str| {
        let part = counts.split([',', ';']).find(|part| part.contains(word))?;
        part.split_whitespace().next()?.parse::<usize>().ok()
    };
    let failed = ["failed", "timed out", "exec failed"].into_iter().filter_map(number).max();
    Some(Count {
        passed: number("passed").unwrap_or(0),
        failed: failed.unwrap_or(0),
        skipped: number("ignored").or_else(|| number("skipped")).unwrap_or(0),
    })
}

fn doc_tests(root: &Path) -> Result<Count> {
    let mut sum = Count::default();
    let mut command = linting_cargo(root, &["test", "--workspace", "--doc", "--quiet"]);
    let succeeded = watch(&mut command, |line| sum += summary(line).unwrap_or_default())?;
    ensure!(succeeded || sum.failed > 0, "the documentation tests did not run");
    Ok(sum)
}

/// A relay for mail, for the server's tests: they find it in this place.
fn smtp(root: &Path) -> Result<()> {
    let requirements = root.join("crates/server/tests/aiosmtpd.txt");
    python::environment(root, "venv-smtp", &requirements, "aiosmtpd").map(drop)
}

/// A management controller that speaks Redfish, likewise.
fn sushy(root: &Path) -> Result<()> {
    let requirements = root.join("crates/server/tests/sushy.txt");
    python::environment(root, "venv-sushy", &requirements, "sushy_tools").map(drop)
}

/// An outlet that speaks SNMP, likewise.
fn snmp(root: &Path) -> Result<()> {
    let requirements = root.join("crates/server/tests/pysnmp.txt");
    python::environment(root, "venv-snmp", &requirements, "pysnmp, cryptography").map(drop)
}

/// A provider of OpenID Connect, likewise.
fn oidc(root: &Path) -> Result<()> {
    let requirements = root.join("crates/server/tests/oidc.txt");
    python::environment(root, "venv-oidc", &requirements, "oidc_provider_mock").map(drop)
}

/// The vectors of the bundle format by pycose.
fn vectors(root: &Path) -> Result<()> {
    let folder = root.join("crates/bundle/vectors");
    let requirements = folder.join("requirements.txt");
    let python = python::environment(root, "venv", &requirements, "pycose")?;
    check(Command::new(&python).arg(folder.join("verify.py")))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_closing_lines() {
        let count = |passed, failed, skipped| Some(Count { passed, failed, skipped });
        let nextest =
            "     Summary [   1.234s] 7 tests run: 5 passed (1 slow), 2 failed, 9 skipped";
        assert_eq!(summary(nextest), count(5, 2, 9));
        let one = "     Summary [   0.1s] 1 test run: 1 passed, 0 skipped";
        assert_eq!(summary(one), count(1, 0, 0));
        let slow = "     Summary [   9.1s] 3 tests run: 2 passed, 1 timed out, 0 skipped";
        assert_eq!(summary(slow), count(2, 1, 0));
        let cargo = "test result: FAILED. 4 passed; 1 failed; 2 ignored; 0 measured; 3 filtered out; finished in 0.3s";
        assert_eq!(summary(cargo), count(4, 1, 2));
        assert_eq!(summary("running 4 tests"), None);
    }
}
