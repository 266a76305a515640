//! File systems of all kinds, damaged and repaired with the toolbox's programs: the table in docs/REPAIR.md.

use anyhow::{Context, Result, ensure};
use qemu_tests::{
    Bundle, Nic, Operator, Scenario, Vm,
    wait::{BOOT, RETRY},
};
use std::{
    collections::BTreeSet,
    fs::{self, File},
    path::{Path, PathBuf},
    time::Duration,
};

const SCRIPT: &str = include_str!("scripts/repair.sh");

/// All rounds, without hardware virtualisation.
const LIMIT: Duration = Duration::from_secs(3600);

/// A part of the script's output that stands in the documentation as a row.
const ROW: &str = "script: table: ";

#[test]
fn what_can_be_repaired_is_what_the_documentation_says() -> Result<()> {
    Scenario::run("repair", |at| {
        let operator = Operator::start(at)?;
        let vm = Vm::new(at, "vm").cd(operator.image_with_toolbox()?).nic(Nic::User).memory(1024);
        // As small as XFS may be, which is the largest of all.
        let vm = vm.disk(disk(&at.path("a"), 340)?).disk(disk(&at.path("b"), 320)?);
        let mut vm = vm.disk(disk(&at.path("c"), 320)?).disk(disk(&at.path("d"), 320)?).start()?;
        operator.approve("cupboard")?;
        vm.expect("phase wait", BOOT)?;
        operator.order(&Bundle::new("repair", SCRIPT).set("needs", "[\"toolbox\"]"))?;
        vm.expect("the toolbox is there", RETRY)?;
        vm.expect("script: all rounds are over", LIMIT)?;
        let console = fs::read_to_string(at.path("vm.serial"))?;
        let rows = console.lines().filter_map(|line| line.split_once(ROW));
        let found: BTreeSet<String> = rows.map(|(_, row)| format!("| {} |", row.trim())).collect();
        let page = Path::new(env!("CARGO_MANIFEST_DIR")).join("../docs/REPAIR.md");
        let page = fs::read_to_string(&page).with_context(|| page.display().to_string())?;
        let told: BTreeSet<String> = page
            .lines()
            .filter(|line| line.ends_with(" files |") || line.ends_with("not repaired |"))
            .map(str::to_owned)
            .collect();
        ensure!(!told.is_empty(), "the page has no table");
        ensure!(found == told, "docs/REPAIR.md has another table. Found:\n{}", lines(&found));
        Ok(())
    })
}

fn lines(rows: &BTreeSet<String>) -> String {
    rows.iter().map(|row| format!("{row}\n")).collect()
}

fn disk(path: &Path, mb: u64) -> Result<PathBuf> {
    File::create(path)?.set_len(mb << 20)?;
    Ok(path.to_path_buf())
}
