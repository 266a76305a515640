//! Which disk is meant.

use super::{identity::Identity, refuse};
use crate::{
    block::{self, Block},
    sizes::{self, Style, human},
};
use anyhow::{Context as _, bail};
use std::{
    fs,
    path::{Path, PathBuf},
};

const CLASS: &str = "/sys/class/block";
const BY_ID: &str = "/dev/disk/by-id/";

/// A disk that could be meant.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Candidate {
    /// Its node.
    pub(crate) path: PathBuf,
    /// Its size, bytes.
    pub(crate) size: u64,
    /// What it is called.
    pub(crate) identity: Identity,
    /// `nvme`, `sata` and so on.
    pub(crate) transport: String,
    /// Whether it turns.
    pub(crate) turns: bool,
    /// Why it must not be written.
    pub(crate) trouble: Option<String>,
}

impl Candidate {
    /// One line for people.
    pub(crate) fn line(&self) -> String {
        let size = human(self.size, Style::Long);
        let Identity { model, serial, .. } = &self.identity;
        let facts = [&self.transport, model, serial].map(String::as_str);
        let facts = facts.into_iter().filter(|fact| !fact.is_empty());
        let facts: Vec<&str> = std::iter::once(size.as_str()).chain(facts).collect();
        format!("{}: {}", self.path.display(), facts.join(", "))
    }
}

/// Every whole disk.
pub(crate) fn all() -> anyhow::Result<Vec<Candidate>> {
    let blocks = block::all(Path::new(CLASS)).context("cannot read /sys/class/block")?;
    let made = ["ram", "zram", "loop", "nbd", "fd"];
    let is_disk = |block: &&Block| {
        block.kind() == "disk"
            && block.size > 0
            && !made.iter().any(|name| block.name.starts_with(name))
    };
    Ok(blocks.iter().filter(is_disk).map(|block| candidate(block, &blocks)).collect())
}

fn candidate(block: &Block, blocks: &[Block]) -> Candidate {
    Candidate {
        path: block.path(),
        size: block.size,
        identity: Identity::of(block),
        transport: block.transport().to_owned(),
        turns: block.queue("rotational") == "1",
        trouble: refuse::trouble(block, blocks),
    }
}

/// One word of a selector.
#[derive(Debug, PartialEq, Eq)]
enum Term {
    Largest,
    Smallest,
    AtLeast(u64),
    AtMost(u64),
    Transport(String),
    Turns(bool),
    Serial(String),
    Model(String),
    Wwn(String),
    Id(String),
}

impl Term {
    fn parse(word: &str) -> anyhow::Result<Vec<Self>> {
        let (name, limit) = match word.find(['<', '>']) {
            Some(at) => word.split_at_checked(at).unwrap_or((word, "")),
            None => (word, ""),
        };
        let mut terms = match name {
            "" if !limit.is_empty() => Vec::new(),
            "" => bail!("an empty word in the selector of a disk"),
            "largest" => vec![Self::Largest],
            "smallest" => vec![Self::Smallest],
            "nvme" | "sata" | "sas" | "usb" | "virtio" => vec![Self::Transport(name.to_owned())],
            "ssd" => vec![Self::Turns(false)],
            "hdd" => vec![Self::Turns(true)],
            _ => vec![match name.split_once('=') {
                Some(("serial", value)) => Self::Serial(value.to_owned()),
                Some(("model", value)) => Self::Model(value.to_owned()),
                Some(("wwn", value)) => Self::Wwn(value.to_owned()),
                Some((other, _)) => bail!("{other}= is no selector of disks"),
                None => Self::Id(name.strip_prefix("by-id/").unwrap_or(name).to_owned()),
            }],
        };
        let size = |text: &str| {
            sizes::parse(text).with_context(|| format!("{text:?} in {word:?} is no size"))
        };
        match (limit.strip_prefix(">="), limit.strip_prefix("<=")) {
            (Some(text), _) => terms.push(Self::AtLeast(size(text)?)),
            (_, Some(text)) => terms.push(Self::AtMost(size(text)?)),
            _ if limit.is_empty() => {}
            _ => bail!("{limit:?} in {word:?} is neither >=SIZE nor <=SIZE"),
        }
        Ok(terms)
    }

    fn fits(&self, disk: &Candidate) -> bool {
        match self {
            Self::Largest | Self::Smallest => true,
            Self::AtLeast(size) => disk.size >= *size,
            Self::AtMost(size) => disk.size <= *size,
            Self::Transport(name) => disk.transport == *name,
            Self::Turns(turns) => disk.turns == *turns,
            Self::Serial(serial) => disk.identity.serial == *serial,
            Self::Model(model) => disk.identity.model == *model,
            Self::Wwn(wwn) => disk.identity.wwn == *wwn,
            Self::Id(id) => disk.identity.ids.contains(id),
        }
    }
}

/// The one disk that a selector means, and why.
pub(crate) fn choose(selector: &str, disks: &[Candidate]) -> anyhow::Result<(Candidate, String)> {
    let terms: Vec<Term> = selector
        .split(',')
        .map(Term::parse)
        .collect::<anyhow::Result<Vec<_>>>()?
        .into_iter()
        .flatten()
        .collect();
    let by_size = terms.iter().find(|term| matches!(term, Term::Largest | Term::Smallest));
    let fits = |disk: &&Candidate| terms.iter().all(|term| term.fits(disk));
    let fitting: Vec<&Candidate> = disks.iter().filter(fits).collect();
    let (out, mut left): (Vec<_>, Vec<_>) =
        fitting.iter().copied().partition(|disk| disk.trouble.is_some());
    let best = match by_size {
        Some(Term::Largest) => left.iter().map(|disk| disk.size).max(),
        Some(_) => left.iter().map(|disk| disk.size).min(),
        None => None,
    };
    left.retain(|disk| best.is_none_or(|best| disk.size == best));
    let lines = |disks: &[&Candidate]| {
        let line = |disk: &&Candidate| match &disk.trouble {
            Some(trouble) => format!("\n  {} ({trouble})", disk.line()),
            None => format!("\n  {}", disk.line()),
        };
        disks.iter().map(line).collect::<String>()
    };
    match left.as_slice() {
        [disk] => {
            let others = fitting.len() - out.len() - 1;
            let why = format!(
                "{selector}: of {} disks {} fit, {} of these cannot be written{}",
                disks.len(),
                fitting.len(),
                out.len(),
                if others > 0 { ", and it is the one of that size" } else { "" }
            );
            Ok(((*disk).clone(), why))
        }
        [] if !out.is_empty() => bail!("no disk is left for {selector:?}:{}", lines(&out)),
        [] => bail!(
            "no disk fits {selector:?}; there are:{}",
            lines(&disks.iter().collect::<Vec<_>>())
        ),
        several => {
            bail!("{} disks fit {selector:?}, say which one:{}", several.len(), lines(several))
        }
    }
}

/// The disk that `--disk` means, and why it was chosen. With `write` it is one that may be written.
pub(crate) fn find(selector: &str, write: bool) -> anyhow::Result<(PathBuf, String)> {
    let name = selector.strip_prefix(BY_ID).filter(|_| !Path::new(selector).exists());
    let selector = name.unwrap_or(selector);
    let is_path = selector.contains('/') && !selector.starts_with("by-id/");
    if is_path || Path::new(selector).is_file() {
        let path = PathBuf::from(selector);
        let blocks = block::all(Path::new(CLASS)).unwrap_or_default();
        fs::metadata(&path).with_context(|| format!("no disk {selector}"))?;
        if write
            && let Some(trouble) =
                refuse::block(&path, &blocks).and_then(|block| refuse::trouble(block, &blocks))
        {
            bail!("{selector} is not written: {trouble}");
        }
        return Ok((path, "named".into()));
    }
    let mut disks = all()?;
    if !write {
        disks.iter_mut().for_each(|disk| disk.trouble = None);
    }
    let (disk, why) = choose(selector, &disks)?;
    Ok((disk.path, why))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn disk(name: &str, gib: u64, transport: &str) -> Candidate {
        Candidate {
            path: Path::new("/dev").join(name),
            size: gib << 30,
            identity: Identity {
                serial: format!("S-{name}"),
                ids: vec![format!("ata-{name}")],
                ..Identity::default()
            },
            transport: transport.into(),
            turns: transport == "sata",
            ..Candidate::default()
        }
    }

    fn disks() -> Vec<Candidate> {
        let mut disks = vec![
            disk("sda", 100, "sata"),
            disk("sdb", 100, "sata"),
            disk("nvme0n1", 50, "nvme"),
            disk("sdc", 8, "usb"),
            disk("vda", 10, "virtio"),
        ];
        disks[3].trouble = Some("it is the medium that this system was booted from".into());
        disks
    }

    #[test]
    fn a_selector_means_one_disk_or_says_why_not() {
        let chosen = |selector: &str| match choose(selector, &disks()) {
            Ok((disk, _)) => disk.path.file_name().unwrap().to_str().unwrap().to_owned(),
            Err(error) => error.to_string(),
        };
        assert_eq!(chosen("nvme"), "nvme0n1");
        assert_eq!(chosen("smallest"), "vda");
        assert_eq!(chosen("smallest>=20G"), "nvme0n1");
        assert_eq!(chosen("largest<=60G"), "nvme0n1");
        assert_eq!(chosen("hdd,serial=S-sdb"), "sdb");
        assert_eq!(chosen("ata-sda"), "sda");
        assert_eq!(chosen("by-id/ata-sda"), "sda");
        assert_eq!(chosen("ssd,>=40G"), "nvme0n1");
        for (selector, words) in [
            (
                "largest",
                "2 disks fit \"largest\", say which one:\n  /dev/sda: 100 GiB, sata, S-sda",
            ),
            (
                "usb",
                "no disk is left for \"usb\":\n  /dev/sdc: 8 GiB, usb, S-sdc (it is the medium",
            ),
            ("smallest>=1T", "no disk fits"),
            ("size=3", "size= is no selector"),
            ("smallest>3", "neither >=SIZE nor <=SIZE"),
            ("smallest>=x", "is no size"),
            ("nvme,", "an empty word"),
        ] {
            let said = chosen(selector);
            assert!(said.contains(words), "{selector}: {said}");
        }
    }

    proptest! {
        #[test]
        fn any_selector_is_answered(selector in "[a-z=<>0-9,/-]{0,20}") {
            if let Ok((disk, _)) = choose(&selector, &disks()) {
                prop_assert!(disk.trouble.is_none());
            }
        }
    }
}
