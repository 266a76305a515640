//! How long a full image and a re-install take, as shares of the other side's time.

use crate::{
    content::{Content, Image},
    machine::Machine,
};
use anyhow::{Context, Result, ensure};
use qemu_tests::figure::{Figure, Limit, median};

/// Not over these shares of the other side's time.
const FULL: f64 = 1.0;
const AGAIN: f64 = 0.25;

/// Each pair is a machine with two empty disks: one for us, one for the other side.
pub(crate) fn measure(machine: &Machine, content: &Content, pairs: usize) -> Result<Vec<Figure>> {
    println!("\nSeconds for a whole image, and for the one after an upgrade:\n");
    println!("| pair | ours | theirs | ratio | again, ours | again, theirs | ratio |");
    println!("|---|---|---|---|---|---|---|");
    let (mut full, mut again) = (Vec::new(), Vec::new());
    for pair in 1..=pairs {
        let name = format!("pair-{pair}");
        let disks = [machine.disk("ours", content.size)?, machine.disk("theirs", content.size)?];
        let [ours, theirs] = disks;
        let vm = machine.builder(&name).scratch(&ours, None).scratch(&theirs, None);
        let said = machine.run(&name, vm, &script(machine, content, pair % 2 == 0))?;
        for image in [&content.first, &content.second] {
            let digest = said.after(&format!("script: sum of {} ", image.raw))?;
            ensure!(digest == image.raw_digest, "the other side wrote something else");
        }
        let seconds = |what: &str| said.between(&format!("{what}-begin"), &format!("{what}-end"));
        let [a, b, c, d] =
            ["first-ours", "first-theirs", "second-ours", "second-theirs"].map(seconds);
        let (a, b, c, d) = (a?, b?, c?, d?);
        println!("| {pair} | {a:.2} | {b:.2} | {:.3} | {c:.2} | {d:.2} | {:.3} |", a / b, c / d);
        full.push(a / b);
        again.push(c / d);
    }
    let figure = |name, values, limit| {
        let value = median(values).context("nothing was measured")?;
        anyhow::Ok(Figure { name, value, unit: "ratio", limit: Limit::Most(limit) })
    };
    Ok(vec![figure("image-full", full, FULL)?, figure("image-again", again, AGAIN)?])
}

/// Both images by both sides, who begin in turns.
fn script(machine: &Machine, content: &Content, they_first: bool) -> String {
    let mut lines = String::new();
    for (name, image) in [("first", &content.first), ("second", &content.second)] {
        let mut both = [ours(machine, name, image), theirs(machine, name, image)];
        if they_first {
            both.reverse();
        }
        lines.extend(both);
    }
    lines
}

fn ours(machine: &Machine, name: &str, image: &Image) -> String {
    let (digest, url) = (&image.digest, machine.web.url(&image.index));
    format!(
        "stamp {name}-ours-begin
xb image write -q --sha256 {digest} {url} --disk /dev/vda
stamp {name}-ours-end\n"
    )
}

fn theirs(machine: &Machine, name: &str, image: &Image) -> String {
    let (raw, url) = (&image.raw, machine.web.url(&image.raw));
    format!(
        "stamp {name}-theirs-begin
peer curl -sS {url} | peer zstd -dc | peer dd of=/dev/vdb bs=1M iflag=fullblock oflag=direct conv=fsync 2> /dev/null
echo sum of {raw} $(peer sha256sum /dev/vdb)
stamp {name}-theirs-end\n"
    )
}
