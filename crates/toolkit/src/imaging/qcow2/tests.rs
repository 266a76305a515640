use super::*;
use proptest::prelude::*;
use std::{fs, process::Command};

/// A disk with data, zeros, and a short end.
fn disk() -> Vec<u8> {
    let mut state = 7_u32;
    let mut disk: Vec<u8> = (0..(3 << 20) + 1536)
        .map(|at| {
            state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
            if at >> 16 & 3 == 2 { 0 } else { (state >> 28) as u8 }
        })
        .collect();
    disk[2 << 20..2_300_000].fill(9);
    disk
}

fn converted(options: &[&str]) -> Vec<u8> {
    let folder = tempfile::tempdir().unwrap();
    let (raw, qcow2) = (folder.path().join("raw"), folder.path().join("qcow2"));
    fs::write(&raw, disk()).unwrap();
    let mut command = Command::new("qemu-img");
    command.args(["convert", "-f", "raw", "-O", "qcow2"]).args(options).arg(&raw).arg(&qcow2);
    assert!(command.status().unwrap().success());
    fs::read(qcow2).unwrap()
}

fn content(image: &Vec<u8>) -> anyhow::Result<Vec<u8>> {
    let mut content = Vec::new();
    Qcow2::open(image)?.read_to_end(&mut content)?;
    Ok(content)
}

#[test]
fn what_qemu_img_writes_is_read() {
    for options in [
        &[][..],
        &["-o", "compat=0.10"],
        &["-c"],
        &["-c", "-o", "compression_type=zstd"],
        &["-c", "-o", "compat=0.10,cluster_size=512"],
        &["-o", "cluster_size=2M"],
        &["-o", "preallocation=metadata"],
        &["-S", "0"],
    ] {
        assert!(content(&converted(options)).unwrap() == disk(), "{options:?}");
    }
}

#[test]
fn what_is_not_in_the_image_is_refused_by_name() {
    let image = converted(&[]);
    let refused = |at: usize, bytes: &[u8]| {
        let mut image = image.clone();
        image[at..at + bytes.len()].copy_from_slice(bytes);
        content(&image).unwrap_err().to_string()
    };
    for (at, bytes, words) in [
        (0, &b"QFI"[..], ""),
        (7, &[1], "version 1"),
        (15, &[72], "backing file"),
        (35, &[2], "encrypted"),
        (79, &[2], "corrupt"),
        (79, &[4], "external data file"),
        (79, &[16], "not known (0x10)"),
        (79, &[8], "compression is impossible"),
        (23, &[8], "size of clusters is impossible"),
        (24, &[0xff], "size is impossible"),
        (31, &[1], "size is impossible"),
        (39, &[0], "first table is impossible"),
        (41, &[1], "first table is impossible"),
    ] {
        if !words.is_empty() {
            let said = refused(at, bytes);
            assert!(said.contains(words), "{at}: {said}");
        }
    }
    let packed = converted(&["-c"]);
    let cut = packed[..packed.len() / 2].to_vec();
    assert!(content(&cut).is_err());
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]
    #[test]
    fn damage_is_survived(hits in proptest::collection::vec((0_usize..(1 << 20), any::<u8>()), 1..20), packed: bool) {
        use std::sync::OnceLock;
        static IMAGES: OnceLock<[Vec<u8>; 2]> = OnceLock::new();
        let images = IMAGES.get_or_init(|| [converted(&[]), converted(&["-c"])]);
        let mut image = images[usize::from(packed)].clone();
        for (at, byte) in hits {
            // Most of the hits are where the tables are.
            let place = if at % 4 == 0 { at } else { at % 200 + [0, 196_608, 262_144][at % 3] };
            if let Some(place) = image.get_mut(place) {
                *place = byte;
            }
        }
        if let Ok(mut image) = Qcow2::open(&image)
            && image.size() < 1 << 26
        {
            let _ = io::copy(&mut image, &mut io::sink());
        }
    }
}
