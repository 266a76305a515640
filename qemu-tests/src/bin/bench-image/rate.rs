//! How near the rate of writing an image comes to that of writing zeros to the same disk.

use crate::{content::Content, machine::Machine};
use anyhow::{Context, Result};
use qemu_tests::{
    accel,
    figure::{Figure, Limit, median},
};

/// At least this share of the rate of zeros.
const LIMIT: f64 = 0.85;

/// Where the processor is emulated, a disk is slowed down as well, bytes a second: by as much as a disk of some 200 MB/s
/// would have to be, since the emulated processor does about a fifteenth of the real one's work.
const SLOW: u64 = 12_000_000;

pub(crate) fn measure(machine: &Machine, content: &Content, pairs: usize) -> Result<Figure> {
    let rate = (accel::best() == "tcg").then_some(SLOW);
    let at_most =
        rate.map_or("as it is".to_owned(), |rate| format!("of {} MB/s", rate / 1_000_000));
    println!(
        "\nMB/s to a disk {at_most}, zeros by dd and an image by us:\n\n| run | dd | ours | share |\n|---|---|---|---|"
    );
    let mut shares = Vec::new();
    for run in 1..=pairs {
        let name = format!("rate-{run}");
        let disk = machine.disk("slow", content.size)?;
        let vm = machine.builder(&name).scratch(&disk, rate);
        let said = machine.run(&name, vm, &script(machine, content))?;
        let rate = |bytes: u64, what: &str| {
            let seconds = said.between(&format!("{what}-begin"), &format!("{what}-end"))?;
            #[expect(clippy::cast_precision_loss, reason = "a rate")]
            Ok::<_, anyhow::Error>(bytes as f64 / 1e6 / seconds)
        };
        let zeros = rate(COUNT << 20, "zeros")?;
        let ours = rate(said.number("written")?, "image")?;
        println!("| {run} | {zeros:.1} | {ours:.1} | {:.3} |", ours / zeros);
        shares.push(ours / zeros);
    }
    let value = median(shares).context("nothing was measured")?;
    Ok(Figure { name: "image-rate", value, unit: "share", limit: Limit::Least(LIMIT) })
}

/// How many MiB of zeros.
const COUNT: u64 = 128;

/// Zeros first: the image does not find anything of itself there.
fn script(machine: &Machine, content: &Content) -> String {
    let (digest, url) = (&content.first.digest, machine.web.url(&content.first.index));
    format!(
        "stamp zeros-begin
peer dd if=/dev/zero of=/dev/vda bs=1M count={COUNT} oflag=direct conv=fsync 2> /dev/null
stamp zeros-end
stamp image-begin
xb image write -q --json --sha256 {digest} {url} --disk /dev/vda
stamp image-end"
    )
}
