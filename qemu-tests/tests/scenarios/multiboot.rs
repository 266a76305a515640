//! Kernels by the Multiboot Specification: one of our own that checks what it is told, and Debian's Xen with a domain 0.

use anyhow::{Context, Result, ensure};
use qemu_tests::{
    Bare, Bundle, Nic, Operator, Scenario, Vm, debian,
    wait::{BOOT, SOON},
};
use std::{
    fs,
    path::{Path, PathBuf},
    process::Command,
};
use xenoboot_image::cpio::Archive;

/// Compiles one of this folder's programs.
fn compile(at: &Scenario, name: &str, flags: &[&str]) -> Result<PathBuf> {
    let sources = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/scenarios/multiboot");
    let out = at.path(name);
    let mut cc = Command::new("cc");
    cc.args(["-Os", "-ffreestanding", "-fno-pic", "-fno-stack-protector", "-nostdlib", "-static"]);
    cc.args(["-Wl,--build-id=none", "-Wl,--no-warn-rwx-segments"]).args(flags);
    cc.arg("-o").arg(&out).arg(format!("{name}.c")).current_dir(sources);
    ensure!(cc.status().context("cc")?.success(), "{name}.c cannot be compiled");
    Ok(out)
}

fn kernel(at: &Scenario) -> Result<PathBuf> {
    compile(at, "kernel", &["-m32", "-mno-sse", "-Wl,-T,kernel.ld"])
}

/// An initial RAM disk whose init says `text`, and waits for ever.
pub(crate) fn initrd(at: &Scenario, text: &str) -> Result<Vec<u8>> {
    let mut archive = Archive::new();
    let init = compile(at, "init", &[&format!("-DTEXT=\"{text}\"")])?;
    archive.file("init", 0o755, &fs::read(init)?);
    Ok(archive.finish())
}

#[test]
fn a_multiboot_kernel_is_told_what_is_true() -> Result<()> {
    Scenario::run("multiboot", |at| {
        for (uefi, version) in [(false, "1"), (true, "2")] {
            let script = format!(
                "kexec -l --multiboot={version} --module '/one with  words' --module /two --append 'a b' /kernel && kexec -e -f"
            );
            let files = Bare::new(&script).with("one", b"first").with("two", b"the second");
            let vm = files.copy("kernel", &kernel(at)?)?.machine(at, &format!("vm{version}"))?;
            let mut vm = if uefi { vm.uefi() } else { vm.memory(256) }.start()?;
            vm.expect("told: state right", BOOT)?;
            vm.expect(&format!("told: version {version}"), SOON)?;
            vm.expect("told: all", SOON)?;
            let text = vm.console.text();
            let told = |what: &str| ensure_told(&text, what);
            told("line /kernel a b")?;
            told("loader Xenoboot ")?;
            told("module of 5 at 0, /one with  words: first")?;
            told("module of 10 at 0, /two: the second")?;
            told("tables by BIOS right")?;
            if uefi {
                told("tables right")?;
            } else {
                told("low KiB 639")?;
                told("high MiB 254")?;
                told("RAM MiB 255")?;
                told("picture 2")?;
            }
        }
        Ok(())
    })
}

fn ensure_told(text: &str, what: &str) -> Result<()> {
    let told = text.lines().filter(|line| line.starts_with("told: "));
    let all: Vec<_> = told.collect();
    let found = all.iter().any(|line| line.contains(what));
    ensure!(found, "{what:?} is not among what it was told:\n{}", all.join("\n"));
    Ok(())
}

/// Quiet, on the first serial port, and with memory for little more than a domain 0. Emulators before QEMU 9.1 check an IRET
/// from user mode to user mode, where Xen has the kernel, by the rules of SMAP for the kernel's own accesses.
const XEN: &str = "console=com1 com1=115200,8n1 loglvl=warning dom0_mem=192M smap=0";

#[test]
fn debians_xen_boots_a_domain_0_to_its_own_init() -> Result<()> {
    Scenario::run("xen", |at| {
        let xen = debian::unpacked(debian::BEFORE, "xen-hypervisor-4.17-amd64")?;
        let xen = debian::file_in(&xen.join("boot"), "xen-4.17-amd64.gz")?;
        let disk = at.path("initrd");
        fs::write(&disk, initrd(at, "dom0: its own init runs")?)?;

        let operator = Operator::start(at)?;
        operator.approve_key(&operator.new_machine("cupboard")?, "cupboard")?;
        let script = format!(
            "xb kexec --module 'dom0 console=hvc0' --module initrd --append '{XEN}' xen.gz"
        );
        let bundle = Bundle::new("xen", &script).file("xen.gz", &xen).file("initrd", &disk);
        let bundle = bundle.file("dom0", &debian::kernel(debian::BEFORE)?);
        operator.order(&bundle)?;
        let vm = Vm::new(at, "bios").cd(operator.image_of("cupboard")?).nic(Nic::User);
        let mut vm = vm.start()?;
        vm.expect("the loaded kernel is started", BOOT)?;
        vm.expect("dom0: its own init runs", BOOT)?;
        ensure!(vm.qmp.events("RESET") == 0, "the machine went through its firmware");
        Ok(())
    })
}

#[test]
fn debians_xen_boots_a_domain_0_after_uefi() -> Result<()> {
    Scenario::run("xen-uefi", |at| {
        let xen = debian::unpacked(debian::BEFORE, "xen-hypervisor-4.17-amd64")?;
        let xen = debian::file_in(&xen.join("boot"), "xen-4.17-amd64.gz")?;
        // Without `no-real-mode` it calls a BIOS that is not there. Without the second, Linux gives its clock the interrupt that
        // it has given to the console, and says nothing more.
        let script = format!(
            "kexec -l --module '/dom0 console=hvc0 initcall_blacklist=cmos_init' --module /initrd --append '{XEN} no-real-mode' /xen && kexec -e -f"
        );
        let initrd = initrd(at, "dom0: its own init runs")?;
        let files = Bare::new(&script).copy("xen", &xen)?.with("initrd", &initrd);
        let files = files.copy("dom0", &debian::kernel(debian::BEFORE)?)?;
        let mut vm = files.machine(at, "vm")?.uefi().start()?;
        vm.expect("modules: 2", BOOT)?;
        vm.expect("dom0: its own init runs", BOOT)?;
        Ok(())
    })
}
