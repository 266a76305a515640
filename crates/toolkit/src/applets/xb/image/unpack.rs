//! `xb image unpack`.

use super::{Common, shown};
use crate::{
    applet::{Args, usage_error},
    imaging::{
        progress::Progress,
        spool::Wanted,
        unpack::{Place, Report},
    },
    json::Json,
    sizes::{Style, human},
};
use std::{path::Path, time::Instant};

pub(super) fn run(args: &Args, sources: &[&str], folder: &str) -> anyhow::Result<u8> {
    let mut others = ["disk", "verify", "grow", "fresh"].into_iter();
    if let Some(option) = others.find(|option| args.has(option)) {
        return usage_error(format!("--{option} is not for unpack"));
    }
    let common = Common::of(args, sources)?;
    let Some(digest) = common.digest else {
        return usage_error("an archive needs its --sha256");
    };
    let place = Place::find(Path::new(folder), digest)?;
    if args.has("dry-run") {
        println!("would unpack the archive {digest} into {folder}");
        return Ok(0);
    }
    let (sources, way, tries) = (&common.sources, &common.way, common.rounds);
    let wanted = Wanted { sources, way, tries, digest };
    let began = Instant::now();
    match fetched_and_unpacked(args, &place, &wanted) {
        Ok((fetched, done)) => {
            report(args, folder, &place, fetched, &done, began);
            Ok(0)
        }
        Err(error) => {
            eprintln!("xb image: {error:#}");
            eprintln!("xb image: {folder} is not finished; the same command goes on");
            Ok(1)
        }
    }
}

fn fetched_and_unpacked(
    args: &Args,
    place: &Place,
    wanted: &Wanted<'_>,
) -> anyhow::Result<(u64, Report)> {
    let progress = Progress::new(0);
    let (archive, fetched) = shown(&progress, "fetching", args, || place.fetch(wanted, &progress))?;
    let progress = Progress::new(archive.metadata()?.len());
    let done = shown(&progress, "unpacking", args, || place.fill(archive, &progress))?;
    Ok((fetched, done))
}

fn report(args: &Args, folder: &str, place: &Place, fetched: u64, done: &Report, began: Instant) {
    let took = began.elapsed();
    if done.lists > 0 {
        eprintln!("xb image: access control lists of {} members were left out", done.lists);
    }
    if args.has("json") {
        let mut object = Json::object();
        object.put("folder", Json::text(folder));
        object.put("members", Json::Number(done.members));
        object.put("written", Json::Number(done.written));
        object.put("fetched", Json::Number(fetched));
        object.put("resumed", Json::Flag(place.resumed));
        object.put("milliseconds", Json::Number(u64::try_from(took.as_millis()).unwrap_or(0)));
        println!("{object}");
        return;
    }
    println!(
        "unpacked {} members of {} into {folder}, fetched {}, in {}.{} s",
        done.members,
        human(done.written, Style::Long),
        human(fetched, Style::Long),
        took.as_secs(),
        took.subsec_millis() / 100
    );
}
