//! What is started in the ways of a BIOS loader: memtest86+, iPXE, and a disk's boot sector by GRUB.

use anyhow::{Context, Result, ensure};
use qemu_tests::{
    Bare, Scenario, debian,
    wait::{BOOT, wait_until},
};
use std::{fs, path::PathBuf, process::Command};

#[test]
fn memtest_runs_after_bios_and_uefi() -> Result<()> {
    Scenario::run("memtest", |at| {
        let memtest = debian::unpacked(debian::NOW, "memtest86+")?;
        let memtest = debian::file_in(&memtest.join("boot"), "memtest86+x64.bin")?;
        for uefi in [false, true] {
            // The consoles of the running kernel are handed on: memtest86+ knows console= too.
            let script = "kexec -l /memtest && kexec -e -f";
            let name = if uefi { "uefi" } else { "bios" };
            let vm = Bare::new(script).copy("memtest", &memtest)?.machine(at, name)?;
            let vm = if uefi { vm.uefi() } else { vm.memory(256) }.start()?;
            // It draws a screen and ends no line.
            let drawn = ["Memtest86+ v", "[Address test, walking ones"];
            wait_until("memory to be tested", BOOT, || {
                Ok(drawn.iter().all(|text| vm.console.has(text)).then_some(()))
            })?;
        }
        Ok(())
    })
}

#[test]
fn ipxe_comes_to_its_prompt() -> Result<()> {
    Scenario::run("ipxe", |at| {
        let ipxe = debian::unpacked(debian::NOW, "ipxe")?.join("usr/lib/ipxe/ipxe.lkrn");
        let script = "kexec -l --append shell /ipxe && kexec -e -f";
        let vm = Bare::new(script).copy("ipxe", &ipxe)?.machine(at, "vm")?;
        let mut vm = vm.memory(256).start()?;
        vm.expect("command line: shell", BOOT)?;
        vm.expect_screen(&["iPXE>"])?;
        Ok(())
    })
}

/// A boot sector that prints a line on the first serial port and stops.
const SECTOR: &[u8] = &[
    0xfa, // cli
    0xfc, // cld
    0x31, 0xc0, // xor ax, ax
    0x8e, 0xd8, // mov ds, ax
    0xbe, 0x1e, 0x7c, // mov si, 0x7c1e: the text
    0xba, 0xfd, 0x03, // wait: mov dx, 0x3fd
    0xec, // in al, dx
    0xa8, 0x20, // test al, 0x20: the port takes a byte
    0x74, 0xf8, // jz wait
    0xac, // lodsb
    0x08, 0xc0, // or al, al
    0x74, 0x06, // jz end
    0xba, 0xf8, 0x03, // mov dx, 0x3f8
    0xee, // out dx, al
    0xeb, 0xed, // jmp wait
    0xf4, // end: hlt
];
const TEXT: &[u8] = b"the disk's boot sector runs\r\n\0";

#[test]
fn grub_starts_a_disks_boot_sector() -> Result<()> {
    Scenario::run("chain", |at| {
        let disk = at.path("disk");
        let mut sector = SECTOR.to_vec();
        sector.resize(0x1e, 0xf4);
        sector.extend_from_slice(TEXT);
        sector.resize(510, 0);
        sector.extend_from_slice(&[0x55, 0xaa]);
        sector.resize(1 << 20, 0);
        fs::write(&disk, sector)?;

        let script = "kexec -l /grub && kexec -e -f";
        let vm = Bare::new(script).copy("grub", &grub(at)?)?.machine(at, "vm")?;
        let mut vm = vm.memory(256).ide(disk).start()?;
        vm.expect("the disk's boot sector runs", BOOT)?;
        Ok(())
    })
}

/// GRUB as an image that is started as Linux is, and starts the first disk's boot sector.
fn grub(at: &Scenario) -> Result<PathBuf> {
    let (config, core, image) = (at.path("grub.cfg"), at.path("core.img"), at.path("grub.img"));
    fs::write(&config, "chainloader (hd0)+1\nboot\n")?;
    let mut make = Command::new("grub-mkimage");
    make.args(["-O", "i386-pc", "-p", "/", "-c"]).arg(&config).arg("-o").arg(&core);
    make.args(["biosdisk", "chain", "boot"]);
    ensure!(make.status().context("grub-mkimage")?.success(), "grub-mkimage failed");
    let mut all = fs::read("/usr/lib/grub/i386-pc/lnxboot.img").context("lnxboot.img")?;
    all.extend(fs::read(core)?);
    fs::write(&image, all)?;
    Ok(image)
}
