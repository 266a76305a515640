//! `cd` (POSIX, XCU cd).

use super::{Context, complain};
use brush_core::{Error, ExecutionResult};
use std::{
    io::Write as _,
    path::{Path, PathBuf},
};

/// What the options ask for.
struct Options {
    /// Symbolic links are followed before `..` is (`-P`).
    physical: bool,
}

pub(super) fn cd(context: Context<'_>, words: &[String]) -> Result<ExecutionResult, Error> {
    let mut options =
        Options { physical: context.shell.options().do_not_resolve_symlinks_when_changing_dir };
    let mut words = words;
    while let [option, rest @ ..] = words
        && option.len() > 1
        && let Some(letters) = option.strip_prefix('-')
    {
        words = rest;
        if option == "--" {
            break;
        }
        for letter in letters.chars() {
            match letter {
                'L' => options.physical = false,
                'P' => options.physical = true,
                // Only says what is to happen when the folder's path cannot be found out; it always can.
                'e' => {}
                _ => return Ok(complain(&context, format!("-{letter}: invalid option"), 2)),
            }
        }
    }
    let variable = |name: &str| context.shell.env_str(name).map(|value| value.to_string());
    let (wanted, printed) = match words {
        [] => match variable("HOME") {
            Some(home) => (home, false),
            None => return Ok(complain(&context, "HOME not set", 1)),
        },
        [dash] if dash == "-" => match variable("OLDPWD") {
            Some(old) => (old, true),
            None => return Ok(complain(&context, "OLDPWD not set", 1)),
        },
        [folder] => (folder.clone(), false),
        [..] => return Ok(complain(&context, "too many arguments", 1)),
    };
    if wanted.is_empty() && (options.physical || context.shell.options().posix_mode) {
        return Ok(complain(&context, ": No such file or directory", 1));
    }
    // Else an empty name is the folder that one is in.
    let wanted = if wanted.is_empty() { ".".to_owned() } else { wanted };
    let found = search(&context, Path::new(&wanted), variable("CDPATH").as_deref());
    let printed = printed || found.is_some();
    change(context, &wanted, found.unwrap_or_else(|| wanted.clone().into()), &options, printed)
}

/// Where `CDPATH` says the folder is, other than below the one that one is in.
fn search(context: &Context<'_>, wanted: &Path, places: Option<&str>) -> Option<PathBuf> {
    let first = wanted.components().next()?.as_os_str();
    if wanted.is_absolute() || first == "." || first == ".." {
        return None;
    }
    for place in places?.split(':') {
        let path = Path::new(place).join(wanted);
        if context.shell.absolute_path(&path).is_dir() {
            return (!place.is_empty()).then_some(path);
        }
    }
    None
}

fn change(
    context: Context<'_>,
    wanted: &str,
    folder: PathBuf,
    options: &Options,
    printed: bool,
) -> Result<ExecutionResult, Error> {
    let absolute = context.shell.absolute_path(&folder);
    let entered = || Ok(rustix::fs::access(&absolute, rustix::fs::Access::EXEC_OK)?);
    let why = match std::fs::metadata(&absolute) {
        Ok(meta) if !meta.is_dir() => Some("Not a directory".to_owned()),
        Ok(_) => entered().err().map(|e: std::io::Error| crate::applet::reason(&e)),
        Err(e) => Some(crate::applet::reason(&e)),
    };
    if let Some(why) = why {
        return Ok(complain(&context, format!("{wanted}: {why}"), 1));
    }
    let target = if options.physical { absolute.canonicalize()? } else { absolute };
    context.shell.set_working_dir(&target)?;
    if printed {
        writeln!(context.stdout(), "{}", context.shell.working_dir().display())?;
    }
    Ok(ExecutionResult::success())
}
