//! `xb image write`.

use super::{Common, must_fit, shown, target, verify};
use crate::{
    applet::{Args, usage_error},
    imaging::{
        compare, grow, mirrors::Place, progress::Progress, remote, stream::Stream, target::Target,
        write::Job,
    },
    json::Json,
    sizes::{Style, human},
};
use anyhow::{Context as _, bail};
use std::{
    path::Path,
    sync::{Arc, atomic::Ordering},
    time::Instant,
};
use xenoboot_pack::Index;
use xenoboot_wire::Digest;

/// What came of it.
struct Result {
    written: u64,
    kept: u64,
    fetched: u64,
    resumed: bool,
}

pub(super) fn run(args: &Args, sources: &[&str]) -> anyhow::Result<u8> {
    let common = Common::of(args, sources)?;
    let stream = common.stream()?;
    if stream.is_some() && common.digest.is_none() {
        return usage_error("a raw image needs its --sha256");
    }
    if stream.is_some() && args.has("verify") {
        return usage_error("--verify is for packed images");
    }
    let packed = if stream.is_none() { Some(common.index()?) } else { None };
    let target = target(args, true)?;
    if let Some((index, _)) = &packed {
        must_fit(index, &target)?;
    }
    if args.has("dry-run") {
        dry(packed.as_ref(), &target);
        return Ok(0);
    }
    let began = Instant::now();
    let path = target.path.clone();
    let done = match (&packed, stream) {
        (Some(packed), _) => write_packed(args, &common, packed, &target),
        (None, Some(place)) => write_stream(args, &common, place, &target),
        (None, None) => bail!("no image"),
    };
    let grown = done.and_then(|done| {
        target.sync()?;
        let said = if args.has("grow") { Some(grow::grow(&path)?) } else { None };
        target.close()?;
        Ok((done, said))
    });
    match grown {
        Ok((done, grown)) => {
            report(args, &path, &done, grown.as_deref(), began);
            Ok(0)
        }
        Err(error) => {
            eprintln!("xb image: {error:#}");
            eprintln!("xb image: {} is not finished; the same command goes on", path.display());
            Ok(1)
        }
    }
}

fn dry(packed: Option<&(Index, Digest)>, target: &Target) {
    let shown = target.path.display();
    match packed {
        Some((index, digest)) => println!(
            "would write image {digest} of {} ({} chunks with data, {} packed) to {shown}",
            human(index.size, Style::Long),
            index.data,
            human(index.packed, Style::Long)
        ),
        None => println!("would write the image to {shown}"),
    }
}

fn write_packed(
    args: &Args,
    common: &Common,
    (index, digest): &(Index, Digest),
    target: &Target,
) -> anyhow::Result<Result> {
    let mirrors = &common.mirrors;
    let whole = index.data * index.chunk;
    let job = Job { index, digest: *digest, mirrors, target, fresh: args.has("fresh") };
    let progress = Progress::new(whole);
    let done = shown(&progress, "writing", args, || job.run(&progress))?;
    if args.has("verify") {
        let progress = Progress::new(whole);
        let wrong = shown(&progress, "verifying", args, || {
            compare::differences(index, mirrors, target, &progress)
        })?;
        if !wrong.is_empty() {
            verify::print(&wrong, false, &target.path);
            bail!("{} does not keep what is written to it", target.path.display());
        }
    }
    Ok(Result {
        written: done.written.load(Ordering::Relaxed) * index.chunk,
        kept: done.kept.load(Ordering::Relaxed) * index.chunk,
        fetched: mirrors.fetched.load(Ordering::Relaxed),
        resumed: done.resumed,
    })
}

fn write_stream(
    args: &Args,
    common: &Common,
    place: &Place,
    target: &Target,
) -> anyhow::Result<Result> {
    let wanted = common.digest.context("no digest")?;
    let (from, length) = remote::open(place, &common.way, 0, common.rounds)?;
    let progress = Arc::new(Progress::new(length));
    let stream = Stream { from, length, wanted, target, progress: Arc::clone(&progress) };
    let written = shown(&progress, "writing", args, || stream.write())?;
    Ok(Result { written, kept: 0, fetched: length, resumed: false })
}

fn report(args: &Args, path: &Path, done: &Result, grown: Option<&str>, began: Instant) {
    let took = began.elapsed();
    if args.has("json") {
        let mut object = Json::object();
        object.put("disk", Json::text(path.to_string_lossy()));
        object.put("written", Json::Number(done.written));
        object.put("kept", Json::Number(done.kept));
        object.put("fetched", Json::Number(done.fetched));
        object.put("resumed", Json::Flag(done.resumed));
        object.put("verified", Json::Flag(args.has("verify")));
        object.put("grown", grown.map_or(Json::Null, Json::text));
        object.put("milliseconds", Json::Number(u64::try_from(took.as_millis()).unwrap_or(0)));
        println!("{object}");
        return;
    }
    println!(
        "wrote {} to {}, {} were right already, fetched {}, in {}.{} s",
        human(done.written, Style::Long),
        path.display(),
        human(done.kept, Style::Long),
        human(done.fetched, Style::Long),
        took.as_secs(),
        took.subsec_millis() / 100
    );
    if let Some(grown) = grown {
        println!("{grown}");
    }
}
