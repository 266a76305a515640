//! What the options say.

use super::{Fatal, Form, header::Terms, quote::Style};
use crate::applet::{Args, usage_error};
use jiff::tz::TimeZone;
use std::{
    ffi::OsString,
    path::{Path, PathBuf},
};

/// How a file that may not be written to is taken.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum ReadOnly {
    Ignore,
    #[default]
    Warn,
    Fail,
}

/// How backups are called that no prefix or suffix was given for.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum Versions {
    Simple,
    Numbered,
    /// Numbered where there are numbered ones.
    #[default]
    Existing,
}

/// How much is said.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Voice {
    Silent,
    #[default]
    Normal,
    Verbose,
}

#[expect(clippy::struct_excessive_bools, reason = "each is an option of its own")]
pub(crate) struct Settings {
    pub(crate) strip: Option<usize>,
    pub(crate) fuzz: usize,
    pub(crate) form: Option<Form>,
    pub(crate) reverse: bool,
    pub(crate) forward: bool,
    pub(crate) force: bool,
    pub(crate) batch: bool,
    pub(crate) posix: bool,
    pub(crate) binary: bool,
    pub(crate) blanks: bool,
    pub(crate) dry_run: bool,
    pub(crate) remove_empty: bool,
    pub(crate) follow: bool,
    pub(crate) voice: Voice,
    pub(crate) quoting: Style,
    pub(crate) backup: bool,
    pub(crate) backup_if_mismatch: bool,
    pub(crate) versions: Versions,
    pub(crate) prefix: Option<OsString>,
    pub(crate) base_prefix: Option<OsString>,
    pub(crate) suffix: Option<OsString>,
    /// The suffix where none was given.
    pub(crate) simple_suffix: OsString,
    pub(crate) output: Option<PathBuf>,
    pub(crate) rejects: Option<PathBuf>,
    pub(crate) reject_form: Option<Form>,
    pub(crate) read_only: ReadOnly,
    pub(crate) ifdef: Option<String>,
    /// Set times of files, those of the patch being of this zone.
    pub(crate) set_times: bool,
    pub(crate) zone: TimeZone,
    /// The file to be patched and the patch, as given.
    pub(crate) file: Option<PathBuf>,
    pub(crate) patch: Option<PathBuf>,
}

impl Settings {
    pub(crate) fn new(args: &Args) -> anyhow::Result<Self> {
        let strict = std::env::var_os("POSIXLY_CORRECT").is_some();
        let (file, second) = match args.operands.as_slice() {
            [] => (None, None),
            [file] => (Some(file), None),
            [file, patch] => (Some(file), Some(patch.as_os_str())),
            [_, _, extra, ..] => {
                return usage_error(format!("{}: extra operand", extra.display()));
            }
        };
        let form = args.all().filter_map(|(name, _)| match name {
            "unified" => Some(Form::Unified),
            "context" => Some(Form::Context),
            "normal" => Some(Form::Normal),
            "ed" => Some(Form::Ed),
            _ => None,
        });
        let mismatch = args.all().filter_map(|(name, _)| match name {
            "backup-if-mismatch" => Some(true),
            "no-backup-if-mismatch" => Some(false),
            _ => None,
        });
        let voice = args.all().filter_map(|(name, _)| match name {
            "quiet" | "silent" => Some(Voice::Silent),
            "verbose" => Some(Voice::Verbose),
            _ => None,
        });
        let zone = if args.has("set-utc") { TimeZone::UTC } else { TimeZone::system() };
        let path = |option: &str| args.value(option).map(PathBuf::from);
        Ok(Self {
            strip: number(args, "strip", "strip count")?,
            fuzz: number(args, "fuzz", "fuzz factor")?.unwrap_or(2),
            form: form.last(),
            reverse: args.has("reverse"),
            forward: args.has("forward"),
            force: args.has("force"),
            batch: args.has("batch"),
            posix: strict || args.has("posix"),
            binary: args.has("binary"),
            blanks: args.has("ignore-whitespace"),
            dry_run: args.has("dry-run"),
            remove_empty: args.has("remove-empty-files"),
            follow: args.has("follow-symlinks"),
            voice: voice.last().unwrap_or_default(),
            quoting: quoting(args)?,
            backup: args.has("backup"),
            backup_if_mismatch: mismatch.last().unwrap_or(!strict),
            versions: versions(args)?,
            prefix: filled(args, "prefix", "backup prefix")?,
            base_prefix: filled(args, "basename-prefix", "backup basename prefix")?,
            suffix: filled(args, "suffix", "backup suffix")?,
            simple_suffix: std::env::var_os("SIMPLE_BACKUP_SUFFIX")
                .filter(|suffix| !suffix.is_empty())
                .unwrap_or_else(|| ".orig".into()),
            output: path("output"),
            rejects: path("reject-file"),
            reject_form: match args.text("reject-format")? {
                None => None,
                Some("context") => Some(Form::Context),
                Some("unified") => Some(Form::Unified),
                Some(other) => return usage_error(format!("no form of rejects: {other}")),
            },
            read_only: match args.text("read-only")? {
                None | Some("warn") => ReadOnly::Warn,
                Some("ignore") => ReadOnly::Ignore,
                Some("fail") => ReadOnly::Fail,
                Some(other) => {
                    return usage_error(format!("no way to take read-only files: {other}"));
                }
            },
            ifdef: args.text("ifdef")?.map(str::to_owned),
            set_times: args.has("set-time") || args.has("set-utc"),
            zone,
            file: file.map(PathBuf::from),
            patch: args.value("input").or(second).filter(|name| *name != "-").map(PathBuf::from),
        })
    }

    /// Says something, where messages go: elsewhere than the patched file, if that is printed.
    pub(crate) fn say(&self, text: &str) {
        if self.to_stdout() {
            eprint!("{text}");
        } else {
            print!("{text}");
        }
    }

    /// Says something unless nothing is to be said.
    pub(crate) fn tell(&self, text: &str) {
        if self.voice > Voice::Silent {
            self.say(text);
        }
    }

    /// Says something only if much is to be said.
    pub(crate) fn explain(&self, text: &str) {
        if self.voice == Voice::Verbose {
            self.say(text);
        }
    }

    /// Whether the patched file is printed.
    pub(crate) fn to_stdout(&self) -> bool {
        self.output.as_deref() == Some(Path::new("-"))
    }

    pub(crate) fn show(&self, name: &Path) -> String {
        self.quoting.show(name)
    }

    /// How headers are to be read.
    pub(crate) fn terms(&self) -> Terms<'_> {
        Terms {
            strip: self.strip,
            zone: &self.zone,
            form: self.form,
            need_name: self.file.is_none() && !self.posix,
            strip_cr: !self.binary,
        }
    }
}

fn number(args: &Args, option: &str, what: &str) -> anyhow::Result<Option<usize>> {
    let Some(text) = args.value(option) else { return Ok(None) };
    let text = text.to_string_lossy();
    match text.parse::<u32>() {
        Ok(number) => Ok(Some(usize::try_from(number).unwrap_or(usize::MAX))),
        Err(_) => Err(Fatal(format!("{what} {text} is not a number")).into()),
    }
}

fn filled(args: &Args, option: &str, what: &str) -> anyhow::Result<Option<OsString>> {
    match args.value(option) {
        Some(value) if value.is_empty() => Err(Fatal(format!("{what} is empty")).into()),
        value => Ok(value.map(ToOwned::to_owned)),
    }
}

fn quoting(args: &Args) -> anyhow::Result<Style> {
    if let Some(name) = args.text("quoting-style")? {
        let unknown = || usage_error(format!("no style of quotes: {name}"));
        return Style::named(name).map_or_else(unknown, Ok);
    }
    let set = std::env::var("QUOTING_STYLE").ok();
    Ok(set.and_then(|name| Style::named(&name)).unwrap_or_default())
}

fn versions(args: &Args) -> anyhow::Result<Versions> {
    let set = ["PATCH_VERSION_CONTROL", "VERSION_CONTROL"];
    let set = set.iter().find_map(|name| std::env::var(name).ok());
    let Some(name) = args.text("version-control")?.map(str::to_owned).or(set) else {
        return Ok(Versions::default());
    };
    Ok(match name.as_str() {
        "none" | "off" | "simple" | "never" => Versions::Simple,
        "numbered" | "t" => Versions::Numbered,
        "existing" | "nil" => Versions::Existing,
        _ => return usage_error(format!("no style of backups: {name}")),
    })
}
