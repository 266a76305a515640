//! Disk images: written over the network, gone on with after a power cut, brought up to date; disks that are refused.

use anyhow::{Context, Result, ensure};
use qemu_tests::{
    Bundle, Nic, Operator, Scenario, Vm, Web,
    wait::{BOOT, RETRY, SOON, wait_until},
};
use std::{
    fs::{self, File},
    path::{Path, PathBuf},
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
        let (target, other) = (disk(&at.path("target"), 64)?, disk(&at.path("other"), 64)?);
        operator.approve_key(&operator.new_machine("cupboard")?, "cupboard")?;
        let medium = operator.image_of("cupboard")?;
        let start = |name: &str| -> Result<Vm> {
            let vm = Vm::new(at, name).cd(&medium).nic(Nic::User);
            vm.disk(&target).disk(&other).start()
        };

        // The power goes when a third of the chunks have been given, and some of them have reached the disk.
        web.hold_after(12);
        operator.order(&write("first", web.port(), &digest))?;
        let mut vm = start("first")?;
        vm.expect("script: refused /dev/sr0", BOOT)?;
        vm.expect("script: refused /dev/vdb", SOON)?;
        let some = || Ok((web.asked() > 12 && some_of(&target, &image)?).then_some(()));
        wait_until("chunks are on the disk", BOOT, some)?;
        drop(vm);
        ensure!(!boots(&target)?, "a disk that is not finished looks like one that boots");
        web.hold_after(usize::MAX);

        operator.order(&write("second", web.port(), &digest))?;
        let mut vm = start("second")?;
        let line = vm.expect("script: {\"disk\":\"/dev/vda\"", BOOT)?;
        ensure!(line.contains("\"resumed\":true") && line.contains("\"verified\":true"), "{line}");
        ensure!(number(&line, "kept")? > 0, "nothing was kept: {line}");
        ensure!(same(&target, &image)?, "the disk is not the image");
        ensure!(boots(&target)?, "the boot sector was not given back");

        // A later state of the same system: what has not changed is not fetched.
        for byte in image.iter_mut().skip(20 * MIB).take(MIB) {
            *byte ^= 0xff;
        }
        fs::write(&raw, &image)?;
        let digest = pack(&operator, &raw, &www)?;
        operator.order(&write("third", web.port(), &digest))?;
        let line = vm.expect("script: {\"disk\":\"/dev/vda\"", RETRY)?;
        ensure!(number(&line, "written")? <= 4 * MIB, "too much was written: {line}");
        ensure!(same(&target, &image)?, "the disk is not the new image");
        Ok(())
    })
}

/// Asks for what must be refused, then writes the image to the only disk that is left.
fn write(name: &str, port: u16, digest: &str) -> Bundle {
    let source = format!("--sha256 {digest} http://10.0.2.2:{port}/image.xbi");
    let script = format!(
        "xb settle /dev/vda /dev/vdb
mkswap /dev/vdb > /dev/null && swapon /dev/vdb
for disk in /dev/sr0 /dev/vdb; do
  if xb image write {source} --disk $disk; then
    echo written: $disk
  elif [ $? -eq 3 ]; then
    echo refused $disk
  fi
done
xb image write -q --json --verify {source} --disk virtio"
    );
    Bundle::new(name, &script)
}

/// Data that does not compress, with a boot sector's signature.
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

fn boots(disk: &Path) -> Result<bool> {
    Ok(fs::read(disk)?[510..512] == [0x55, 0xaa])
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
