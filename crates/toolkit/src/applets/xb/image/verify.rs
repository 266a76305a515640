//! `xb image verify`.

use super::{Common, must_fit, shown, target};
use crate::{
    applet::{Args, usage_error},
    imaging::{
        compare::{self, Range},
        progress::Progress,
    },
    json::Json,
};
use std::path::Path;

pub(super) fn run(args: &Args, sources: &[&str]) -> anyhow::Result<u8> {
    let common = Common::of(args, sources)?;
    if common.stream()?.is_some() {
        return usage_error("verify is for packed images; cmp compares a raw one");
    }
    let (index, _) = common.index()?;
    let target = target(args, false)?;
    must_fit(&index, &target)?;
    let progress = Progress::new(index.data * index.chunk);
    let wrong = shown(&progress, "verifying", args, || {
        compare::differences(&index, &common.mirrors, &target, &progress)
    })?;
    print(&wrong, args.has("json"), &target.path);
    Ok(u8::from(!wrong.is_empty()))
}

/// The ranges that differ, bytes; the second is behind the last.
pub(super) fn print(wrong: &[Range], json: bool, path: &Path) {
    if json {
        let pair = |range: &Range| Json::List(vec![Json::Number(range.0), Json::Number(range.1)]);
        let mut object = Json::object();
        object.put("disk", Json::text(path.to_string_lossy()));
        object.put("differs", Json::List(wrong.iter().map(pair).collect()));
        println!("{object}");
        return;
    }
    for (from, to) in wrong {
        println!("{} differs from byte {from} to {to}", path.display());
    }
    if wrong.is_empty() {
        println!("{} is as the image has it", path.display());
    }
}
