//! Disk images: written over the network, gone on with after a power cut, brought up to date; disks that are refused.

use anyhow::{Context, Result, ensure};
use qemu_tests::{
    Bundle, Nic, Operator, Scenario, Vm, Web,
    wait::{BOOT, RETRY, SOON, wait_until},
};
use std::{
    fs::{self, File},
    path::{Path, PathBuf},
    process::Command,
};

const MIB: usize = 1 << 20;

/// How large the image is; every third MiB of it is empty.
const SIZE: usize = 48;

#[test]
fn an_image_survives_a_power_cut_and_is_brought_up_to_date() -> Result<()> {
    Scenario::run("image-written", |at| {
        let operator = Operator::start(at)?;
        let (raw, www) = (at.path("raw"), at.path("www"));
        let mut image = content();
        fs::write(&raw, &image)?;
        let digest = pack(&operator, &raw, &www)?;
        let web = Web::start(&www)?;
        let disk = |name: &str, mb| disk(&at.path(name), mb);
        let disks =
            [disk("target", 64)?, disk("swap", 64)?, disk("small", 40)?, disk("locked", 64)?];
        mke2fs(&disks[2])?;
        let target = &disks[0];
        operator.approve_key(&operator.new_machine("cupboard")?, "cupboard")?;
        let medium = operator.image_of("cupboard")?;
        let start = |name: &str| -> Result<Vm> {
            let vm = Vm::new(at, name).cd(&medium).nic(Nic::User);
            disks.iter().fold(vm, |vm, disk| vm.disk(disk)).start()
        };
        let from_disk = |name: &str| Vm::new(at, name).disk(target).from_disk().start();

        // The power goes when a third of the chunks have been given, and some of them have reached the disk.
        web.hold_after(17);
        let url = web.url("image.xbi");
        let source = |digest: &str| format!("--sha256 {digest} {url}");
        let script = format!("{}{}", refusals(&source(&digest)), write(&source(&digest), "virtio"));
        operator.order(&Bundle::new("first", &script))?;
        let mut vm = start("first")?;
        for (disk, words) in REFUSED {
            vm.expect(&format!("{disk} is {words}"), BOOT)?;
            vm.expect("script: refused", SOON)?;
        }
        let some = || Ok((web.asked() > 17 && some_of(target, &image)?).then_some(()));
        wait_until("chunks are on the disk", BOOT, some)?;
        drop(vm);
        from_disk("unfinished")?.expect_screen(&["No bootable device"])?;
        web.hold_after(usize::MAX);

        let script = write(&source(&digest), "by-id/virtio-disk0");
        operator.order(&Bundle::new("second", &script))?;
        let mut vm = start("second")?;
        let line = vm.expect("script: {\"disk\":\"/dev/vda\"", BOOT)?;
        ensure!(line.contains("\"resumed\":true") && line.contains("\"verified\":true"), "{line}");
        ensure!(number(&line, "kept")? > 0, "nothing was kept: {line}");
        ensure!(same(target, &image)?, "the disk is not the image");

        // A later state of the same system: what has not changed is not fetched.
        for byte in image.iter_mut().skip(20 * MIB).take(MIB) {
            *byte ^= 0xff;
        }
        fs::write(&raw, &image)?;
        let digest = pack(&operator, &raw, &www)?;
        let script = write(&source(&digest), "'smallest>=50M,serial=disk0'");
        operator.order(&Bundle::new("third", &script))?;
        let line = vm.expect("script: {\"disk\":\"/dev/vda\"", RETRY)?;
        ensure!(number(&line, "written")? <= 4 * MIB, "too much was written: {line}");
        ensure!(same(target, &image)?, "the disk is not the new image");
        drop(vm);
        from_disk("finished")?.expect(BOOTED, BOOT)?;
        Ok(())
    })
}

/// What is refused in the machine, and why; in this order.
const REFUSED: [(&str, &str); 5] = [
    ("/dev/sr0", "not written: it is the medium that this system was booted from"),
    ("/dev/vdb", "not written: /dev/vdb is swap space in use"),
    ("/dev/vdc", "not written: /dev/vdc is mounted on /run/small"),
    ("/dev/vdd", "not written: it is read-only"),
    ("/dev/vdc", "smaller than the image"),
];

/// Asks for what must be refused, and leaves nothing but the first disk to be written to.
fn refusals(source: &str) -> String {
    let attempt = |disk: &str| {
        format!(
            "if xb image write {source} --disk {disk}; then echo written: {disk}
elif [ $? -eq 3 ]; then echo refused; fi\n"
        )
    };
    let attempts: Vec<String> = REFUSED.iter().map(|(disk, _)| attempt(disk)).collect();
    let (others, last) = (attempts[..4].concat(), &attempts[4]);
    format!(
        "xb settle /dev/vda /dev/vdb /dev/vdc /dev/vdd
mkswap /dev/vdb > /dev/null && swapon /dev/vdb
mkdir /run/small && mount /dev/vdc /run/small
blockdev --setro /dev/vdd
{others}umount /run/small\n{last}mount /dev/vdc /run/small\n"
    )
}

fn write(source: &str, selector: &str) -> String {
    format!("xb settle /dev/vda\nxb image write -q --json --verify {source} --disk {selector}")
}

fn mke2fs(disk: &Path) -> Result<()> {
    let made = Command::new("/usr/sbin/mke2fs").args(["-q", "-F"]).arg(disk).status()?;
    ensure!(made.success(), "mke2fs: {made}");
    Ok(())
}

/// What the image's boot sector writes to the serial port.
const BOOTED: &str = "the image boots";

/// Real mode, at 0x7c00: `mov si, text`; each byte of it to port 0x3f8; `hlt` for ever.
const BOOT_SECTOR: [u8; 21] = [
    0x31, 0xc0, 0x8e, 0xd8, 0xba, 0xf8, 0x03, 0xbe, 0x15, 0x7c, 0xac, 0x84, 0xc0, 0x74, 0x03, 0xee,
    0xeb, 0xf8, 0xf4, 0xeb, 0xfd,
];

/// Data that does not compress, with a boot sector.
fn content() -> Vec<u8> {
    let mut state = 1_u32;
    let mut image: Vec<u8> = (0..SIZE * MIB)
        .map(|at| {
            state ^= state << 13;
            state ^= state >> 17;
            state ^= state << 5;
            if at / MIB % 3 == 2 { 0 } else { state.to_le_bytes()[0] }
        })
        .collect();
    let sector = [&BOOT_SECTOR[..], BOOTED.as_bytes(), b"\r\n\0"].concat();
    image[..sector.len()].copy_from_slice(&sector);
    image[510..512].copy_from_slice(&[0x55, 0xaa]);
    image
}

fn pack(operator: &Operator, raw: &Path, www: &Path) -> Result<String> {
    let packed = operator.run(&["image-pack", &raw.to_string_lossy(), &www.to_string_lossy()])?;
    let digest = packed.get("sha256").and_then(|digest| digest.as_str());
    Ok(digest.with_context(|| format!("no digest in {packed}"))?.to_owned())
}

fn number(line: &str, key: &str) -> Result<usize> {
    let (_, value) = line.split_once(&format!("\"{key}\":")).with_context(|| line.to_owned())?;
    let digits = value.split(|c: char| !c.is_ascii_digit()).next().unwrap_or_default();
    Ok(digits.parse()?)
}

fn same(disk: &Path, image: &[u8]) -> Result<bool> {
    Ok(fs::read(disk)?[..image.len()] == *image)
}

/// Whether any chunk of data is on the disk, its ends apart.
fn some_of(disk: &Path, image: &[u8]) -> Result<bool> {
    let there = fs::read(disk)?;
    let mut chunks = there.chunks(MIB).zip(image.chunks(MIB)).skip(1);
    Ok(chunks.any(|(there, chunk)| there == chunk && chunk.iter().any(|byte| *byte != 0)))
}

fn disk(path: &Path, mb: u64) -> Result<PathBuf> {
    File::create(path)?.set_len(mb << 20)?;
    Ok(path.to_path_buf())
}
