//! Another kernel is started from the running one, by BIOS and by UEFI; one that is unfit is refused with
//! nothing lost, and one that hangs brings the machine back to the CD.

use anyhow::{Result, ensure};
use qemu_tests::{
    Bundle, Nic, Operator, Scenario, Vm,
    wait::{BOOT, RETRY, SOON},
};

/// The image's own kernel and initial RAM disks, once more. What it finds on its command line tells which it is.
const AGAIN: &str = "if grep -q second=1 /proc/cmdline; then echo this is the second kernel; exit; fi\n\
    xb settle /run/xenoboot/medium.d/boot/kernel && cd /run/xenoboot/medium.d/boot || exit\n\
    xb kexec --initrd base.img --initrd site.img --reuse-cmdline --append second=1 kernel";

/// What is refused, and why; then a kernel that panics for want of a root file system and stays so.
const UNFIT: &str = "xb settle /run/xenoboot/medium.d/boot/kernel && cd /run/xenoboot/medium.d/boot || exit\n\
    head -c 3000000 kernel > /tmp/short; truncate -s 1900M /tmp/large\n\
    xb kexec /tmp/short && exit 1\n\
    xb kexec --initrd /tmp/large kernel && exit 1\n\
    xb kexec --append \"$(printf 'x%.0s' $(seq 2500))\" kernel && exit 1\n\
    kexec -S && exit 1\n\
    kexec -e && exit 1\n\
    kexec -l kernel && kexec -S && kexec -u && { kexec -S; [ $? = 1 ]; } || exit\n\
    xb kexec --watchdog 15 --append 'loglevel=7' kernel";

#[test]
fn the_same_system_by_another_kernel_of_bios_and_uefi() -> Result<()> {
    Scenario::run("kexec", |at| {
        let operator = Operator::start(at)?;
        operator.approve_key(&operator.new_machine("cupboard")?, "cupboard")?;
        let image = operator.image_of("cupboard")?;
        operator.order(&Bundle::new("again", AGAIN))?;
        for uefi in [false, true] {
            let name = if uefi { "uefi" } else { "bios" };
            let vm = Vm::new(at, name).cd(&image).nic(Nic::User);
            let mut vm = if uefi { vm.uefi() } else { vm }.start()?;
            vm.expect("the loaded kernel is started", BOOT)?;
            vm.expect("script: this is the second kernel", BOOT)?;
            vm.expect("phase wait", SOON)?;
            ensure!(vm.qmp.events("RESET") == 0, "the machine went through its firmware");
        }
        let runs = operator.run(&["run", "list"])?;
        let states: Vec<_> =
            runs.as_array().into_iter().flatten().map(|run| &run["state"]).collect();
        ensure!(states.len() == 4 && states.iter().all(|s| *s == "succeeded"), "{runs}");
        Ok(())
    })
}

#[test]
fn an_unfit_kernel_is_refused_and_one_that_hangs_comes_back() -> Result<()> {
    Scenario::run("kexec-unfit", |at| {
        let operator = Operator::start(at)?;
        operator.approve_key(&operator.new_machine("cupboard")?, "cupboard")?;
        let image = operator.image_of("cupboard")?;
        let mut vm = Vm::new(at, "vm").cd(image).nic(Nic::User).watchdog().start()?;
        operator.order(&Bundle::new("unfit", UNFIT))?;
        vm.expect("the kernel was cut short: it has 3000000 bytes of", BOOT)?;
        vm.expect("not enough memory: to load kernel", SOON)?;
        vm.expect("the command line has", SOON)?;
        vm.expect("no kernel is loaded", SOON)?;
        vm.expect("the loaded kernel is started", SOON)?;
        operator.order(&Bundle::new("back", "echo back on the CD"))?;
        vm.expect("Kernel panic", BOOT)?;
        vm.expect_event("WATCHDOG", 1, RETRY)?;
        vm.expect("script: back on the CD", BOOT)?;
        Ok(())
    })
}
