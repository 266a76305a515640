//! `ntpdate`: asks time servers, and sets the clock.

use crate::{
    applet::{Applet, Args, Opt, usage_error},
    http::options::{family, seconds},
    resolver,
    sntp::{self, Answer},
};
use anyhow::Context as _;
use rustix::time::{ClockId, Timespec, clock_settime};
use std::{
    net::SocketAddr,
    time::{Duration, SystemTime, UNIX_EPOCH},
};

const fn flag(short: char, long: &'static str, help: &'static str) -> Opt {
    Opt { short, long, value: "", help }
}

const fn opt(short: char, long: &'static str, value: &'static str, help: &'static str) -> Opt {
    Opt { short, long, value, help }
}

pub(crate) static APPLET: Applet = Applet {
    name: "ntpdate",
    summary: "Asks time servers, and sets the clock by the one that is quickest to answer.",
    usage: "[OPTION]... SERVER...",
    options: &[
        flag('q', "query", "set nothing"),
        opt('t', "timeout", "SECONDS", "for an answer; 2 if not given"),
        opt('p', "samples", "NUMBER", "ask each so often; 4 if not given"),
        flag('b', "step", "ignored: always so"),
        flag('u', "unprivileged", "ignored: always so"),
        flag('4', "ipv4", "IPv4 only"),
        flag('6', "ipv6", "IPv6 only"),
    ],
    notes: "Time servers are not authenticated: anybody on the way can give any time. Exit status 1 when no\n\
            server can be used.",
    example: "ntpdate -q 192.0.2.123",
    run,
};

fn run(args: &Args) -> anyhow::Result<u8> {
    let words = args.words()?;
    if words.is_empty() {
        return usage_error("which SERVER?");
    }
    let patience = seconds(args, "timeout")?.unwrap_or(Duration::from_secs(2));
    let samples: u32 = args.number("samples")?.unwrap_or(4);
    if !(1..=8).contains(&samples) {
        return usage_error("1 to 8 samples");
    }
    let mut best: Option<(SocketAddr, Answer)> = None;
    for word in words {
        let found = match resolver::lookup(word, sntp::PORT, family(args)?, None) {
            Ok(found) => found,
            Err(error) => {
                eprintln!("ntpdate: {word}: {error}");
                continue;
            }
        };
        for server in found {
            let Some(answer) = sample(server, samples, patience) else { continue };
            println!(
                "server {}, stratum {}, offset {:+.6}, delay {:.5}",
                server.ip(),
                answer.stratum,
                answer.offset,
                answer.delay
            );
            if best.is_none_or(|(_, best)| answer.delay < best.delay) {
                best = Some((server, answer));
            }
        }
    }
    let Some((server, answer)) = best else {
        eprintln!("ntpdate: no server suitable for synchronization found");
        return Ok(1);
    };
    if !args.has("query") {
        set(answer.offset)?;
        println!("step time server {} offset {:+.6} sec", server.ip(), answer.offset);
    }
    Ok(0)
}

/// The answer that was on its way for the shortest time: its offset is the surest.
fn sample(server: SocketAddr, samples: u32, patience: Duration) -> Option<Answer> {
    let mut best: Option<Answer> = None;
    for _ in 0..samples {
        match sntp::ask(server, patience) {
            Ok(answer) if best.is_none_or(|best| answer.delay < best.delay) => best = Some(answer),
            Ok(_) => {}
            Err(error) => {
                eprintln!("ntpdate: {}: {error}", server.ip());
                break;
            }
        }
    }
    best
}

fn set(offset: f64) -> anyhow::Result<()> {
    let now = SystemTime::now();
    let by = Duration::try_from_secs_f64(offset.abs())?;
    let then = if offset < 0.0 { now.checked_sub(by) } else { now.checked_add(by) };
    let since = then.context("a time out of bounds")?.duration_since(UNIX_EPOCH)?;
    let time =
        Timespec { tv_sec: since.as_secs().try_into()?, tv_nsec: since.subsec_nanos().into() };
    clock_settime(ClockId::Realtime, time).context("cannot set the clock")
}
