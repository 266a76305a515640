//! Round trips of the network from link-up to the script: with frames delayed by the lab, the time grows by the
//! number of round trips that wait for each other.

use crate::{
    ours::Ours,
    stamps::{self, COMMAND_LINE},
};
use anyhow::{Context, Result};
use qemu_tests::{
    figure::{Figure, Limit, median},
    lab::{Lab, SERVER},
};
use std::{fs, path::Path, time::Duration};

/// With DHCP (two round trips), the ARP of the router, TCP, TLS and the request.
const LIMIT: f64 = 7.0;

/// Delays of a frame in each direction, milliseconds.
const DELAYS: [u64; 2] = [40, 340];

const RUNS: usize = 3;

pub(crate) fn measure(folder: &Path, ours: &Ours) -> Result<Figure> {
    let site = ours.operator.site(&[&format!("https://{SERVER}")]);
    let iso = ours.operator.stamp_as("trips", &site, "bench")?;
    println!(
        "\nMilliseconds to the script's first line when each frame takes this long in each direction:"
    );
    println!("| {} ms | {} ms | round trips |\n|---|---|---|", DELAYS[0], DELAYS[1]);
    let mut trips = Vec::new();
    for run in 1..=RUNS {
        let mut times = [0.0; DELAYS.len()];
        for (time, delay) in times.iter_mut().zip(DELAYS) {
            *time = once(folder, ours, &iso, delay, run)?;
        }
        let [short, long] = times;
        let round_trips = (long - short) / (2 * (DELAYS[1] - DELAYS[0])) as f64;
        println!("| {short:.0} | {long:.0} | {round_trips:.2} |");
        trips.push(round_trips);
    }
    let value = median(trips).context("nothing was measured")?;
    Ok(Figure { name: "round-trips", value, unit: "round-trips", limit: Limit::Most(LIMIT) })
}

fn once(folder: &Path, ours: &Ours, iso: &Path, delay: u64, run: usize) -> Result<f64> {
    let name = format!("trips-{delay}-{run}");
    let place = folder.join(&name);
    fs::create_dir_all(&place)?;
    let lab = Lab::start(&place, 1, ours.operator.server.address)?;
    lab.change(|lab| lab.delay = Duration::from_millis(delay));
    let machine = ours.direct(&name, iso, COMMAND_LINE)?.nic(&lab);
    stamps::wait(&mut machine.start()?)
}
