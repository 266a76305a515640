//! Which names a pattern fits, and what `--exclude` and its like leave out.

use super::lines;
use crate::{applet::Args, glob};
use std::{
    collections::HashSet,
    ffi::OsString,
    fs,
    io::Read as _,
    os::unix::ffi::{OsStrExt as _, OsStringExt as _},
    path::Path,
};

/// How patterns are compared with names. Each option holds for the patterns that come after it.
#[derive(Clone, Copy)]
pub(super) struct Matching {
    wildcards: bool,
    /// From the name's beginning on; else from any of its parts on.
    anchored: bool,
    ignore_case: bool,
    match_slash: bool,
}

impl Matching {
    /// As it is for names to extract, if nothing is said.
    pub(super) const MEMBERS: Self =
        Self { wildcards: false, anchored: true, ignore_case: false, match_slash: true };

    /// The same for `--exclude`.
    const EXCLUDED: Self = Self { wildcards: true, anchored: false, ..Self::MEMBERS };

    /// Takes an option into account, if it is one of these.
    pub(super) fn take(&mut self, option: &str) {
        match option {
            "wildcards" => self.wildcards = true,
            "no-wildcards" => self.wildcards = false,
            "anchored" => self.anchored = true,
            "no-anchored" => self.anchored = false,
            "ignore-case" => self.ignore_case = true,
            "no-ignore-case" => self.ignore_case = false,
            "wildcards-match-slash" => self.match_slash = true,
            "no-wildcards-match-slash" => self.match_slash = false,
            _ => {}
        }
    }

    /// Whether a name fits, or with `below` the name of a folder that it is in.
    pub(super) fn fits(self, pattern: &[u8], name: &[u8], below: bool) -> bool {
        let lower;
        let (pattern, name) = match self.ignore_case {
            true => {
                lower = (pattern.to_lowercase_utf8(), name.to_lowercase_utf8());
                (lower.0.as_slice(), lower.1.as_slice())
            }
            false => (pattern, name),
        };
        let slashes = || name.iter().enumerate().filter(|(_, b)| **b == b'/').map(|(at, _)| at);
        let starts =
            std::iter::once(0).chain(slashes().map(|at| at + 1).filter(|_| !self.anchored));
        starts.into_iter().any(|start| {
            let ends = slashes().filter(|_| below).chain([name.len()]);
            ends.into_iter()
                .any(|end| name.get(start..end).is_some_and(|part| self.is(pattern, part)))
        })
    }

    fn is(self, pattern: &[u8], part: &[u8]) -> bool {
        if !self.wildcards {
            return pattern == part;
        }
        if self.match_slash {
            return glob::matches(pattern, part);
        }
        let split = |text: &'_ [u8]| text.split(|b| *b == b'/').map(<[u8]>::to_vec).collect();
        let (patterns, parts): (Vec<_>, Vec<_>) = (split(pattern), split(part));
        patterns.len() == parts.len()
            && patterns.iter().zip(&parts).all(|(pattern, part)| glob::matches(pattern, part))
    }
}

/// Lower case of what is text.
trait Lower {
    fn to_lowercase_utf8(&self) -> Vec<u8>;
}

impl Lower for [u8] {
    fn to_lowercase_utf8(&self) -> Vec<u8> {
        match std::str::from_utf8(self) {
            Ok(text) => text.to_lowercase().into_bytes(),
            Err(_) => self.to_ascii_lowercase(),
        }
    }
}

/// What version control keeps of its own (GNU tar's manual, "Exclude").
const VERSION_CONTROL: [&str; 20] = [
    "CVS",
    "RCS",
    "SCCS",
    ".git",
    ".gitignore",
    ".gitattributes",
    ".gitmodules",
    ".cvsignore",
    ".svn",
    ".arch-ids",
    "{arch}",
    "=RELEASE-ID",
    "=meta-update",
    "=update",
    ".bzr",
    ".bzrignore",
    ".bzrtags",
    ".hg",
    ".hgignore",
    "_darcs",
];

/// What editors leave behind.
const BACKUPS: [&str; 3] = [".#*", "*~", "#*#"];

/// What --exclude names: the pattern fits the name, or that of a folder that it is in.
pub(super) struct Excludes {
    patterns: Vec<(Vec<u8>, Matching)>,
    /// Those that are plain names, of which there may be many.
    names: HashSet<Vec<u8>>,
    /// Those of them that begin where names do.
    anchored: HashSet<Vec<u8>>,
}

impl Excludes {
    pub(super) fn new(args: &Args) -> anyhow::Result<Self> {
        let mut all =
            Self { patterns: Vec::new(), names: HashSet::new(), anchored: HashSet::new() };
        let mut matching = Matching::EXCLUDED;
        for (option, value) in args.all() {
            matching.take(option);
            let preset =
                |names: &[&str]| names.iter().map(|name| name.as_bytes().to_vec()).collect();
            let (patterns, how): (Vec<Vec<u8>>, _) = match option {
                "exclude" => (vec![value.as_bytes().to_vec()], matching),
                "exclude-from" => {
                    let lines = lines(value, b'\n')?.into_iter();
                    (lines.map(OsString::into_vec).collect(), matching)
                }
                "exclude-vcs" => (preset(&VERSION_CONTROL), Matching::EXCLUDED),
                "exclude-backups" => (preset(&BACKUPS), Matching::EXCLUDED),
                _ => continue,
            };
            for pattern in patterns {
                let plain = !pattern.iter().any(|byte| b"*?[\\".contains(byte));
                if plain && !how.ignore_case {
                    let set = if how.anchored { &mut all.anchored } else { &mut all.names };
                    set.insert(pattern);
                } else {
                    all.patterns.push((pattern, how));
                }
            }
        }
        Ok(all)
    }

    pub(super) fn has(&self, name: &[u8]) -> bool {
        let name = name.strip_suffix(b"/").unwrap_or(name);
        let any = |names: &HashSet<Vec<u8>>, start: usize| {
            let rest = name.get(start..).unwrap_or_default();
            let slashes = rest.iter().enumerate().filter(|(_, b)| **b == b'/').map(|(at, _)| at);
            let mut ends = slashes.chain([rest.len()]);
            ends.any(|end| rest.get(..end).is_some_and(|part| names.contains(part)))
        };
        let behind = |(at, _)| any(&self.names, at + 1);
        let named = !self.names.is_empty()
            && (any(&self.names, 0)
                || name.iter().enumerate().filter(|(_, b)| **b == b'/').any(behind));
        named
            || any(&self.anchored, 0)
            || self.patterns.iter().any(|(pattern, how)| how.fits(pattern, name, true))
    }
}

/// What a file in a folder means for the folder.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Tagged {
    /// Nothing but the folder and that file are archived.
    WithTag,
    /// Nothing but the folder.
    Folder,
    /// Not even that.
    Nothing,
}

/// The names of such files; none is that of cache folders, which has to begin as the standard says.
pub(super) struct Tags(Vec<(OsString, bool, Tagged)>);

impl Tags {
    pub(super) fn new(args: &Args) -> Self {
        let options = [
            ("exclude-tag-all", Tagged::Nothing),
            ("exclude-tag-under", Tagged::Folder),
            ("exclude-tag", Tagged::WithTag),
        ];
        let caches = [
            ("exclude-caches-all", Tagged::Nothing),
            ("exclude-caches-under", Tagged::Folder),
            ("exclude-caches", Tagged::WithTag),
        ];
        let named = |(option, value): (&'static str, &std::ffi::OsStr)| {
            let tag = options.iter().find(|(name, _)| *name == option);
            let cache = caches.iter().find(|(name, _)| *name == option);
            tag.map(|(_, what)| (value.to_owned(), false, *what))
                .or(cache.map(|(_, what)| (OsString::from("CACHEDIR.TAG"), true, *what)))
        };
        Self(args.all().filter_map(named).collect())
    }

    /// What is left out of a folder, and for the sake of which file.
    pub(super) fn of(&self, folder: &Path) -> Option<(&OsString, Tagged)> {
        let found = self.0.iter().find(|(name, cache, _)| {
            let path = folder.join(name);
            if *cache { is_cache_tag(&path) } else { path.symlink_metadata().is_ok() }
        });
        found.map(|(name, _, what)| (name, *what))
    }
}

/// Cache Directory Tagging Specification, bford.info/cachedir.
fn is_cache_tag(path: &Path) -> bool {
    const SIGNATURE: &[u8] = b"Signature: 8a477f597d28d172789f06886806bc55";
    let mut begin = Vec::new();
    let read = fs::File::open(path).map(|file| file.take(43).read_to_end(&mut begin));
    matches!(read, Ok(Ok(_))) && begin == SIGNATURE
}
