//! Another kernel is started from the running one, by BIOS and by UEFI; one that is unfit is refused with
//! nothing lost, and one that hangs brings the machine back to the CD.

use anyhow::{Context, Result, ensure};
use qemu_tests::{
    Bare, Bundle, Nic, Operator, Scenario, Vm,
    bare::on_image,
    debian,
    wait::{BOOT, RETRY, SOON},
};
use std::{
    fs::{self, File},
    path::{Path, PathBuf},
    process::Command,
};

/// The image's own kernel and initial RAM disks, once more. What it finds on its command line tells which it is.
const AGAIN: &str = "if grep -q second=1 /proc/cmdline; then echo this is the second kernel; exit; fi\n\
    xb settle /run/xenoboot/medium.d/boot/kernel && cd /run/xenoboot/medium.d/boot || exit\n\
    xb kexec --initrd base.img --initrd site.img --reuse-cmdline --append second=1 kernel";

/// From the image's kernel to Debian's 6.1, from that to itself, and to the image's again, as a vmlinux. Each makes the
/// next one's initial RAM disks, two of them, of those of its own files that are needed later.
const HOPS: &str = r#"
hop=$(sed -n 's/.*hop=\([0-9]\).*/\1/p' /proc/cmdline)
echo "hop ${hop:=0}: $(uname -r), $(cat /second/file 2>/dev/null)"
next=$((hop + 1))
case $hop in
0) kernel=k61; later='k61 vmlinux.zst' ;;
1) kernel=k61; later=vmlinux.zst ;;
2) kernel=vmlinux.zst; later= ;;
*) echo the last hop; sleep 1000 ;;
esac
cd /
{ printf '%s\n' usr usr/lib usr/lib/xenoboot usr/lib/xenoboot/toolkit $later; find script usr/bin bin; } | cpio -o -H newc >/tmp/one
mkdir -p /second; echo "joined for $next" >/second/file; find second | cpio -o -H newc >/tmp/two
rm -rf /second
kexec -l --sha256 /tmp/two=$(sha256sum </tmp/two | cut -d ' ' -f 1) --initrd /tmp/one --initrd /tmp/two \
    --append "rdinit=/script loglevel=4 panic=-1 no_timer_check hop=$next" $kernel && kexec -e -f
"#;

/// What is refused, and why; then a kernel that panics for want of a root file system and stays so. It knows nothing of this
/// machine's watchdog, whose driver would stop it.
const UNFIT: &str = "xb settle /run/xenoboot/medium.d/boot/kernel && cd /run/xenoboot/medium.d/boot || exit\n\
    head -c 3000000 kernel > /tmp/short; truncate -s 1900M /tmp/large\n\
    xb kexec /tmp/short && exit 1\n\
    xb kexec --initrd /tmp/large kernel && exit 1\n\
    xb kexec --sha256 $(printf '0%.0s' $(seq 64)) kernel && exit 1\n\
    printf '\\002\\260\\255\\033\\0\\0\\0\\0\\0\\0\\0\\0' > /tmp/multiboot; head -c 8192 /dev/zero >> /tmp/multiboot\n\
    xb kexec /tmp/multiboot && exit 1\n\
    xb kexec --module /tmp/short kernel && exit 1\n\
    xb kexec --append \"$(printf 'x%.0s' $(seq 2500))\" kernel && exit 1\n\
    kexec -S && exit 1\n\
    kexec -e && exit 1\n\
    kexec -l kernel && kexec -S && kexec -u && { kexec -S; [ $? = 1 ]; } || exit\n\
    xb kexec --watchdog 40 --append 'loglevel=7 panic=0 initcall_blacklist=esb_driver_init' kernel";

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
        vm.expect("its SHA-256 is", SOON)?;
        vm.expect("Multiboot 1 header at byte 0 has a wrong checksum", SOON)?;
        vm.expect("--module is for Multiboot kernels", SOON)?;
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

#[test]
fn debians_kernels_start_each_other_and_themselves() -> Result<()> {
    Scenario::run("kexec-hops", |at| {
        let before = debian::kernel(debian::BEFORE)?;
        let files = Bare::new(HOPS).copy("k61", &before)?.copy("vmlinux.zst", &vmlinux(at)?)?;
        let mut vm = files.machine(at, "vm")?.memory(1024).start()?;
        vm.expect("hop 0: 6.12", BOOT)?;
        vm.expect("hop 1: 6.1.", BOOT)?;
        let line = vm.expect("hop 2: 6.1.", BOOT)?;
        ensure!(line.contains("joined for 2"), "{line}");
        let line = vm.expect("hop 3: 6.12", BOOT)?;
        ensure!(line.contains("joined for 3"), "{line}");
        ensure!(vm.qmp.events("RESET") == 0, "the machine went through its firmware");
        Ok(())
    })
}

/// The image's kernel as a vmlinux, compressed: what a bzImage unpacks itself to (boot protocol 2.08:
/// `payload_offset`, `payload_length`).
fn vmlinux(at: &Scenario) -> Result<PathBuf> {
    let image = on_image("boot/kernel")?;
    let number = |at: usize| {
        let bytes = image.get(at..at + 4).and_then(|bytes| bytes.try_into().ok());
        bytes.map(u32::from_le_bytes).map(|n| n as usize).context("no bzImage")
    };
    let setup = 512 * (usize::from(image[0x1f1]) + 1);
    let start = setup + number(0x248)?;
    let (packed, file) = (at.path("payload"), at.path("vmlinux.zst"));
    // Behind it are four bytes of its length; the frame knows its own end.
    fs::write(&packed, &image[start..start + number(0x24c)? - 4])?;
    let mut pack = Command::new("sh");
    pack.args(["-c", "zstd -dc \"$1\" | zstd -1 -q -c > \"$2\"", "-"]).arg(&packed).arg(&file);
    ensure!(pack.status().context("zstd")?.success(), "the kernel's payload is not packed by zstd");
    // A pipe's status is that of its end: what it was given must have been a vmlinux, which is no small one.
    ensure!(fs::metadata(&file)?.len() > 8 << 20, "the kernel's payload is not packed by zstd");
    Ok(file)
}

/// What only the firmware can start, an EFI program on a disk of its own; and what it says when the running kernel is locked
/// down, as under Secure Boot.
const FIRMWARE: &str = "xb settle /dev/vda || exit\n\
    xb kexec tool.efi && exit 1\n\
    xb kexec ipxe.lkrn && exit 1\n\
    mount -t securityfs security /sys/kernel/security; echo integrity > /sys/kernel/security/lockdown || exit\n\
    xb kexec memtest && exit 1\n\
    efibootmgr -C -n new -d /dev/vda -p 1 -l /tool.efi -L tool";

#[test]
fn what_kexec_cannot_start_the_firmware_starts_once() -> Result<()> {
    Scenario::run("boot-next", |at| {
        let ipxe = debian::unpacked(debian::NOW, "ipxe")?.join("usr/lib/ipxe");
        let memtest = debian::unpacked(debian::NOW, "memtest86+")?.join("boot");
        let tool = ipxe.join("ipxe-amd64.efi");
        let disk = at.path("disk");
        esp(&disk, &tool)?;
        let operator = Operator::start(at)?;
        operator.approve_key(&operator.new_machine("cupboard")?, "cupboard")?;
        let bundle = Bundle::new("firmware", FIRMWARE).set("on-success", "\"reboot\"");
        let bundle = bundle.file("tool.efi", &tool).file("ipxe.lkrn", ipxe.join("ipxe.lkrn"));
        let memtest = debian::file_in(&memtest, "memtest86+x64.bin")?;
        operator.order(&bundle.file("memtest", memtest))?;
        let vm = Vm::new(at, "vm").cd(operator.image_of("cupboard")?).nic(Nic::User).uefi();
        let mut vm = vm.disk(&disk).start()?;
        vm.expect("an EFI program that is no Linux kernel", BOOT)?;
        vm.expect("it needs a BIOS", SOON)?;
        vm.expect("the running kernel forbids it", SOON)?;
        vm.expect("the machine restarts", SOON)?;
        vm.expect("Open Source Network Boot Firmware", BOOT)?;
        Ok(())
    })
}

/// A disk with a GPT and one FAT, which has one file.
fn esp(disk: &Path, tool: &Path) -> Result<()> {
    const START: u64 = 1 << 20;
    File::create(disk)?.set_len(64 << 20)?;
    let fat = format!("{}@@{START}", disk.display());
    let run = |command: &mut Command| -> Result<()> {
        let status = command.status().with_context(|| format!("{command:?}"))?;
        ensure!(status.success(), "{command:?} failed");
        Ok(())
    };
    run(Command::new("sh")
        .args([
            "-c",
            "printf 'label: gpt\\nstart=1MiB, size=40MiB, type=U\\n' | PATH=$PATH:/usr/sbin:/sbin sfdisk -q \"$1\"",
            "-",
        ])
        .arg(disk))?;
    run(Command::new("mformat").args(["-i", &fat, "-F", "-T", "81920", "::"]))?;
    run(Command::new("mcopy").args(["-i", &fat]).arg(tool).arg("::/tool.efi"))
}
