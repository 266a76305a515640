//! What sfdisk reads: header lines `name: value` and one line a partition.

use super::{Disk, Guid, Kind, types};
use crate::sizes;
use anyhow::bail;

/// A whole script.
#[derive(Debug, Default)]
pub(crate) struct Script {
    /// `gpt` or `dos`.
    pub(crate) label: Option<String>,
    /// The identifier as it was written.
    pub(crate) id: Option<String>,
    /// The first sector of a GPT that partitions may have.
    pub(crate) first: Option<u64>,
    /// The last one.
    pub(crate) last: Option<u64>,
    /// Room for how many partitions, in a GPT.
    pub(crate) slots: Option<u32>,
    /// The partitions.
    pub(crate) wishes: Vec<Wish>,
    /// How many header lines there were.
    pub(crate) headers: usize,
}

/// How far, of a start or size.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Extent {
    /// So many sectors.
    Sectors(u64),
    /// So many more than it has.
    More(u64),
    /// So many fewer.
    Fewer(u64),
    /// As many as there are.
    All,
}

/// What a line wants.
#[derive(Clone, Debug, Default)]
pub(crate) struct Wish {
    /// Of the name before the colon.
    pub(crate) number: Option<u32>,
    /// Its first sector.
    pub(crate) start: Option<Extent>,
    /// Its size.
    pub(crate) size: Option<Extent>,
    /// Its type as written.
    pub(crate) kind: Option<String>,
    /// Its identifier.
    pub(crate) uuid: Option<Guid>,
    /// Its name.
    pub(crate) name: Option<String>,
    /// Its attributes.
    pub(crate) attributes: Option<u64>,
    /// Whether a BIOS boots from it.
    pub(crate) bootable: Option<bool>,
}

/// More lines than any table has partitions.
const MOST_LINES: usize = 10_000;

impl Script {
    /// Reads a script for a disk.
    pub(crate) fn parse(text: &str, disk: &Disk) -> anyhow::Result<Self> {
        let mut script = Self::default();
        for (n, line) in text.lines().enumerate() {
            if n > MOST_LINES {
                bail!("the script has more than {MOST_LINES} lines");
            }
            let line = line.split('#').next().unwrap_or("").trim();
            if line.is_empty() {
                continue;
            }
            let done = script.header(line)?;
            if done {
                script.headers += 1;
                continue;
            }
            match wish(line, disk.sector) {
                Some(wish) => script.wishes.push(wish),
                None => bail!("line {}: unsupported command", n + 1),
            }
        }
        Ok(script)
    }

    /// Takes a header line; whether it was one.
    fn header(&mut self, line: &str) -> anyhow::Result<bool> {
        let Some((name, value)) = line.split_once(':') else { return Ok(false) };
        let value = value.trim();
        match name.trim() {
            "label" if matches!(value, "gpt" | "dos" | "mbr") => {
                self.label = Some(value.replace("mbr", "dos"));
            }
            "label" => bail!("unsupported label '{value}'"),
            "label-id" => self.id = Some(value.to_owned()),
            "first-lba" => self.first = Some(count(name, value)?),
            "last-lba" => self.last = Some(count(name, value)?),
            "table-length" => self.slots = Some(count(name, value)?),
            "unit" if value == "sectors" => {}
            "unit" => bail!("unsupported unit '{value}'"),
            "device" | "grain" | "sector-size" => {}
            _ => return Ok(false),
        }
        Ok(true)
    }
}

fn count<T: std::str::FromStr>(name: &str, value: &str) -> anyhow::Result<T> {
    value.parse().map_err(|_| anyhow::anyhow!("{name}: '{value}' is not a number"))
}

/// One partition's line.
fn wish(line: &str, sector: u64) -> Option<Wish> {
    let mut wish = Wish::default();
    let mut rest = line;
    // `/dev/sda1 : start=...`: the colon may also be in a value.
    if let Some((name, fields)) = line.split_once(':')
        && !name.contains('=')
        && !name.contains(',')
    {
        let name = name.trim();
        let digits = name.len() - name.trim_end_matches(|c: char| c.is_ascii_digit()).len();
        wish.number = Some(name.get(name.len() - digits..)?.parse().ok().filter(|n| *n > 0)?);
        rest = fields;
    }
    let fields = fields(rest)?;
    let named = fields.iter().any(|f| f.contains('='))
        || matches!(fields.as_slice(), [only] if only == "bootable");
    for (place, field) in fields.iter().enumerate() {
        if named { wish.named(field, sector)? } else { wish.placed(place, field, sector)? }
    }
    Some(wish)
}

/// A line's fields: separated by commas or, where there are none, by blanks; quotes keep both.
fn fields(text: &str) -> Option<Vec<String>> {
    let mut fields = vec![String::new()];
    let mut quoted = false;
    let commas = {
        let mut quoted = false;
        text.chars().any(|c| {
            quoted ^= c == '"';
            !quoted && matches!(c, ',' | ';')
        })
    };
    for c in text.trim().chars() {
        let separates = !quoted && if commas { matches!(c, ',' | ';') } else { c.is_whitespace() };
        quoted ^= c == '"';
        let empty = fields.last().is_some_and(String::is_empty);
        match fields.last_mut() {
            _ if separates && !commas && empty => {}
            _ if separates => fields.push(String::new()),
            Some(field) if c != '"' => field.push(c),
            _ => {}
        }
    }
    let trimmed = fields.into_iter().map(|field| field.trim().to_owned()).collect();
    (!quoted).then_some(trimmed)
}

impl Wish {
    fn named(&mut self, field: &str, sector: u64) -> Option<()> {
        let (name, value) = match field.split_once('=') {
            Some((name, value)) => (name.trim(), value.trim()),
            None => (field, ""),
        };
        match name {
            "" => {}
            "start" => self.start = extent(value, sector)?,
            "size" => self.size = extent(value, sector)?,
            "type" | "Id" => self.kind = Some(value.to_owned()),
            "uuid" => self.uuid = Some(Guid::parse(value)?),
            "name" => self.name = Some(unescape(value)),
            "attrs" => self.attributes = Some(types::parse_attributes(value)?),
            "bootable" if value.is_empty() => self.bootable = Some(true),
            _ => return None,
        }
        Some(())
    }

    fn placed(&mut self, place: usize, field: &str, sector: u64) -> Option<()> {
        match place {
            0 => self.start = extent(field, sector)?,
            1 => self.size = extent(field, sector)?,
            2 if !matches!(field, "" | "-") => self.kind = Some(field.to_owned()),
            3 if field == "*" => self.bootable = Some(true),
            2 | 3 if matches!(field, "" | "-") => {}
            _ if field.is_empty() => {}
            _ => return None,
        }
        Some(())
    }
}

/// `\x22` in a name, as a dump writes it.
fn unescape(text: &str) -> String {
    let mut out = String::new();
    let mut rest = text;
    while let Some((before, after)) = rest.split_once("\\x") {
        out.push_str(before);
        let code = after.get(..2).and_then(|hex| u8::from_str_radix(hex, 16).ok());
        match code {
            Some(code) => {
                out.push(char::from(code));
                rest = after.get(2..).unwrap_or("");
            }
            None => {
                out.push_str("\\x");
                rest = after;
            }
        }
    }
    out + rest
}

/// A number of sectors, or with a unit of bytes. The outer `None` is an error.
#[expect(clippy::option_option, reason = "left out is not the same as wrong")]
fn extent(text: &str, sector: u64) -> Option<Option<Extent>> {
    let sectors = |text: &str| match text.parse::<u64>() {
        Ok(sectors) => Some(sectors),
        Err(_) if text.starts_with("0x") => sizes::parse(text),
        Err(_) if text.ends_with(|c: char| c.is_ascii_digit()) => None,
        Err(_) => sizes::parse(text.strip_suffix('S').unwrap_or(text)).map(|b| b.div_ceil(sector)),
    };
    let extent = match text {
        "" | "-" => return Some(None),
        "+" => Extent::All,
        text => match (text.strip_prefix('+'), text.strip_prefix('-')) {
            (Some(more), _) => Extent::More(sectors(more)?),
            (_, Some(fewer)) => Extent::Fewer(sectors(fewer)?),
            _ => Extent::Sectors(sectors(text)?),
        },
    };
    Some(Some(extent))
}

/// The type that a wish names.
pub(crate) fn kind(wish: &Wish, gpt: bool) -> anyhow::Result<Option<Kind>> {
    match &wish.kind {
        None => Ok(None),
        Some(text) => match types::parse(text, gpt) {
            Some(kind) => Ok(Some(kind)),
            None => {
                bail!("failed to parse {} partition type '{text}'", if gpt { "GPT" } else { "MBR" })
            }
        },
    }
}
