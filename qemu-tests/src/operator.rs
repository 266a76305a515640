//! The operator: fleet and keys, images, bundles and assignments, all by the real command line.

use crate::{
    Scenario,
    bundle::Bundle,
    paths,
    server::Server,
    wait::{self, wait_until},
};
use anyhow::{Context, Result, bail};
use serde_json::Value;
use std::{
    cell::Cell,
    fs,
    path::{Path, PathBuf},
    process::{Command, Output, Stdio},
};

/// A machine's key that was made for it.
#[derive(Clone, Debug)]
pub struct NewKey {
    /// The public key, hexadecimal.
    pub public: String,
    /// What a person compares.
    pub fingerprint: String,
}

/// What is stamped into an image.
pub struct Stamp<'a> {
    /// `site.toml`.
    pub site: String,
    /// The folder of the fleet that the machine believes.
    pub fleet: &'a Path,
    /// The machine's name, and its key file.
    pub machine: Option<(&'a str, &'a Path)>,
}

/// An operator with a server and a fleet.
pub struct Operator {
    folder: PathBuf,
    /// The server; it runs until it is killed.
    pub server: Server,
    serial: Cell<u64>,
}

impl Operator {
    /// Starts a server and makes a fleet of one signer, `signer`.
    pub fn start(scenario: &Scenario) -> Result<Self> {
        Self::in_folder(scenario.folder())
    }

    /// The same, with everything in `folder`.
    pub fn in_folder(folder: &Path) -> Result<Self> {
        let server = Server::start(&folder.join("server"))?;
        let operator = Self { folder: folder.to_path_buf(), server, serial: Cell::new(1) };
        operator.new_fleet("fleet", &["signer"], 1)?;
        Ok(operator)
    }

    /// Makes a fleet, in a folder of its name.
    pub fn new_fleet(&self, name: &str, signers: &[&str], threshold: usize) -> Result<PathBuf> {
        let threshold = threshold.to_string();
        let mut words = vec!["fleet", "new", name, "--threshold", &threshold, "--no-passphrase"];
        words.extend(signers.iter().flat_map(|signer| ["--signer", *signer]));
        self.run(&words)?;
        Ok(self.folder.join(name))
    }

    /// The folder of the fleet that machines are stamped with.
    #[must_use]
    pub fn fleet(&self) -> PathBuf {
        self.folder.join("fleet")
    }

    /// The operator's folder.
    #[must_use]
    pub fn folder(&self) -> &Path {
        &self.folder
    }

    /// A signer's key file in the fleet's folder.
    #[must_use]
    pub fn key(fleet: &Path, signer: &str) -> PathBuf {
        fleet.join("signers").join(format!("{signer}.key"))
    }

    /// A site file that names this operator's server at each of `urls`.
    #[must_use]
    pub fn site(&self, urls: &[&str]) -> String {
        let pin = &self.server.pin;
        urls.iter()
            .map(|url| format!("[[server]]\nurl = \"{url}\"\npins = [\"{pin}\"]\n"))
            .collect()
    }

    /// A site file for a machine on QEMU's own network, which has the host's loopback at 10.0.2.2.
    #[must_use]
    pub fn site_by_host(&self, port: u16) -> String {
        self.site(&[&format!("https://10.0.2.2:{port}")])
    }

    /// Stamps the image under test for this server on QEMU's own network.
    pub fn image(&self) -> Result<PathBuf> {
        self.stamp("image", &self.site_by_host(self.server.address.port()))
    }

    /// Makes a key for a machine, to be stamped into its image; returns the fingerprint.
    pub fn new_machine(&self, machine: &str) -> Result<String> {
        Ok(self.new_key(machine)?.fingerprint)
    }

    /// Makes a key for a machine, to be stamped into its image.
    pub fn new_key(&self, machine: &str) -> Result<NewKey> {
        let key = self.machine_key(machine);
        let output = succeed(self.command(&["keygen", "machine"])?.arg("--output").arg(key))?;
        let said: Value = serde_json::from_slice(&output.stdout).context("xenoboot keygen")?;
        let field = |name| {
            let text = said.get(name).and_then(Value::as_str).map(str::to_owned);
            text.with_context(|| format!("keygen said no {name}"))
        };
        Ok(NewKey { public: field("machine")?, fingerprint: field("fingerprint")? })
    }

    /// Stamps the image under test as [`Operator::image`] does, with the key of a machine that has one: it still
    /// has it after a reset.
    pub fn image_of(&self, machine: &str) -> Result<PathBuf> {
        self.stamp_as("image", &self.site_by_host(self.server.address.port()), machine)
    }

    /// The same with the toolbox.
    pub fn image_of_with_toolbox(&self, machine: &str) -> Result<PathBuf> {
        self.image_of_from(&paths::toolbox_iso()?, "image-toolbox", machine)
    }

    /// The same, with more in the site file.
    pub fn image_of_with_toolbox_on(&self, machine: &str, network: &str) -> Result<PathBuf> {
        let (fleet, key) = (self.fleet(), self.machine_key(machine));
        let site = self.site_by_host(self.server.address.port()) + network;
        let stamp = Stamp { site, fleet: &fleet, machine: Some((machine, &key)) };
        self.stamp_of(&paths::toolbox_iso()?, "image-toolbox", &stamp)
    }

    /// Stamps the image `base` for this server on QEMU's own network, with the key of a machine that has one; the file
    /// is called `name`.
    pub fn image_of_from(&self, base: &Path, name: &str, machine: &str) -> Result<PathBuf> {
        let (fleet, key) = (self.fleet(), self.machine_key(machine));
        let site = self.site_by_host(self.server.address.port());
        let stamp = Stamp { site, fleet: &fleet, machine: Some((machine, &key)) };
        self.stamp_of(base, name, &stamp)
    }

    /// Stamps the image under test with `site` and the key of a machine that has one.
    pub fn stamp_as(&self, name: &str, site: &str, machine: &str) -> Result<PathBuf> {
        let (fleet, key) = (self.fleet(), self.machine_key(machine));
        let machine = Some((machine, key.as_path()));
        self.stamp_with(name, &Stamp { site: site.to_owned(), fleet: &fleet, machine })
    }

    fn machine_key(&self, machine: &str) -> PathBuf {
        self.folder.join(format!("{machine}.key"))
    }

    /// Stamps the image under test with `site`; the file is called `name`.
    pub fn stamp(&self, name: &str, site: &str) -> Result<PathBuf> {
        let fleet = self.fleet();
        self.stamp_with(name, &Stamp { site: site.to_owned(), fleet: &fleet, machine: None })
    }

    /// Stamps the image with the toolbox for this server on QEMU's own network.
    pub fn image_with_toolbox(&self) -> Result<PathBuf> {
        self.image_from(&paths::toolbox_iso()?)
    }

    /// Stamps the image `base` for this server on QEMU's own network.
    pub fn image_from(&self, base: &Path) -> Result<PathBuf> {
        let (site, fleet) = (self.site_by_host(self.server.address.port()), self.fleet());
        self.stamp_of(base, "image", &Stamp { site, fleet: &fleet, machine: None })
    }

    /// Stamps the image under test; the file is called `name`.
    pub fn stamp_with(&self, name: &str, stamp: &Stamp<'_>) -> Result<PathBuf> {
        self.stamp_of(&paths::iso()?, name, stamp)
    }

    fn stamp_of(&self, base: &Path, name: &str, stamp: &Stamp<'_>) -> Result<PathBuf> {
        let site = self.folder.join(format!("{name}.site.toml"));
        fs::write(&site, &stamp.site)?;
        let out = self.folder.join(format!("{name}.iso"));
        let mut command = self.command(&["image", "stamp"])?;
        command.arg(base).arg("--site").arg(site).arg("--output").arg(&out);
        command.arg("--trust").arg(stamp.fleet.join("trust.toml"));
        if let Some((name, key)) = stamp.machine {
            command.args(["--machine-name", name]).arg("--machine-key").arg(key);
        }
        succeed(&mut command)?;
        Ok(out)
    }

    /// Builds, signs and pushes a bundle.
    pub fn push(&self, bundle: &Bundle) -> Result<PathBuf> {
        let file = self.build(bundle)?;
        succeed(self.command(&["bundle", "push"])?.arg(&file))?;
        Ok(file)
    }

    /// Builds and signs a bundle; each has a higher serial than the one before.
    pub fn build(&self, bundle: &Bundle) -> Result<PathBuf> {
        let serial = self.serial.replace(self.serial.get() + 1);
        let folder = bundle.write(&self.folder, serial)?;
        let file = self.folder.join(format!("{}.bundle", bundle.name()));
        let fleet = bundle.fleet().map_or_else(|| self.fleet(), Path::to_path_buf);
        let mut build = self.command(&["bundle", "build"])?;
        build.args(bundle.created_at().map(|time| format!("--created={time}")));
        succeed(build.arg(folder).arg("--fleet").arg(&fleet).arg("--output").arg(&file))?;
        let mut sign = self.command(&["bundle", "sign"])?;
        sign.arg(&file);
        for key in bundle.keys(&fleet) {
            sign.arg("--key").arg(key);
        }
        succeed(&mut sign)?;
        Ok(file)
    }

    /// Pushes a bundle and assigns it to every machine.
    pub fn order(&self, bundle: &Bundle) -> Result<()> {
        self.push(bundle)?;
        self.run(&["assign", bundle.name(), "--default"])?;
        Ok(())
    }

    /// Waits until a machine asks to be approved, approves it as `name`, and returns its fingerprint.
    pub fn approve(&self, name: &str) -> Result<String> {
        let fingerprint =
            wait_until("a machine to ask for approval", wait::BOOT, || self.pending())?;
        self.run(&["machine", "approve", &fingerprint, "--name", name])?;
        Ok(fingerprint)
    }

    /// Approves a machine as `name` that has never been seen.
    pub fn approve_key(&self, fingerprint: &str, name: &str) -> Result<()> {
        self.run(&["machine", "approve", "--key", fingerprint, "--name", name]).map(drop)
    }

    /// The fingerprint of a machine that asks for approval now, if any.
    fn pending(&self) -> Result<Option<String>> {
        let machines = self.run(&["machine", "list"])?;
        let state =
            |machine: &Value| machine.get("state").and_then(Value::as_str) == Some("pending");
        let pending = machines.as_array().into_iter().flatten().find(|machine| state(machine));
        let fingerprint = pending.and_then(|machine| machine.get("fingerprint")?.as_str());
        Ok(fingerprint.map(str::to_owned))
    }

    /// Runs a command of `xenoboot` and returns what it printed as JSON.
    pub fn run(&self, words: &[&str]) -> Result<Value> {
        let output = succeed(&mut self.command(words)?)?;
        let text = String::from_utf8_lossy(&output.stdout);
        if text.trim().is_empty() {
            return Ok(Value::Null);
        }
        serde_json::from_str(&text).with_context(|| format!("xenoboot {}: {text}", words.join(" ")))
    }

    /// Runs a command of `xenoboot` as a person would; returns what it printed.
    pub fn text(&self, words: &[&str]) -> Result<String> {
        let mut command = self.plain(words)?;
        Ok(String::from_utf8_lossy(&succeed(&mut command)?.stdout).into_owned())
    }

    /// A command of `xenoboot` that prints for people, not started.
    pub fn plain(&self, words: &[&str]) -> Result<Command> {
        let mut command = Command::new(paths::cli()?);
        command.args(words).current_dir(&self.folder).stdin(Stdio::null());
        command.env("XENOBOOT_OPERATOR", self.server.operator_file());
        Ok(command)
    }

    fn command(&self, words: &[&str]) -> Result<Command> {
        self.plain(&[&["--json"], words].concat())
    }
}

/// Runs a command; an exit status other than 0 is an error that has what it printed.
fn succeed(command: &mut Command) -> Result<Output> {
    let output = command.output().with_context(|| format!("{command:?}"))?;
    if !output.status.success() {
        bail!("{command:?}: {}", String::from_utf8_lossy(&output.stderr).trim());
    }
    Ok(output)
}
