//! What is asked for: `KEY=VALUE`, read as GNU's `dd` reads it.

use super::conversion::{Case, Charset, Records};
use rustix::fs::OFlags;
use std::{
    ffi::OsString,
    os::unix::ffi::{OsStrExt as _, OsStringExt as _},
};

/// A wrong operand.
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
pub(crate) enum Wrong {
    #[error("unrecognized operand '{0}'")]
    Operand(String),
    #[error("invalid number: '{0}'")]
    Number(String),
    #[error("invalid number: '{0}': Value too large for defined data type")]
    Large(String),
    #[error("invalid conversion: '{0}'")]
    Conversion(String),
    #[error("invalid input flag: '{0}'")]
    InputFlag(String),
    #[error("invalid output flag: '{0}'")]
    OutputFlag(String),
    #[error("invalid status level: '{0}'")]
    Level(String),
    #[error("cannot combine {0}")]
    Combined(&'static str),
}

/// How much is said.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum Level {
    /// Nothing but errors.
    None,
    /// Records only.
    NoTransfer,
    #[default]
    Default,
    /// While it goes on, too.
    Progress,
}

/// So many records, and then so many bytes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Length {
    pub(crate) records: u64,
    pub(crate) bytes: usize,
}

impl Length {
    pub(crate) fn is_zero(self) -> bool {
        self == Self::default()
    }

    /// In bytes, when that can be an offset.
    pub(crate) fn total(self, record: usize) -> Option<u64> {
        let total = self.records.checked_mul(record as u64)?.checked_add(self.bytes as u64)?;
        (total <= i64::MAX.cast_unsigned()).then_some(total)
    }
}

/// Flags of one side, as for open(2).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Flags {
    pub(crate) open: OFlags,
    pub(crate) nocache: bool,
    pub(crate) nolinks: bool,
    fullblock: bool,
    /// What these count is bytes: `skip=` or `seek=`, and `count=`.
    in_bytes: [bool; 2],
}

impl Flags {
    const NONE: Self = Self {
        open: OFlags::empty(),
        nocache: false,
        nolinks: false,
        fullblock: false,
        in_bytes: [false; 2],
    };
}

#[derive(Clone, Debug)]
#[expect(clippy::struct_excessive_bools, reason = "each is a word of its own in conv=")]
pub(crate) struct Settings {
    pub(crate) input: Option<OsString>,
    pub(crate) output: Option<OsString>,
    /// Sizes of records in bytes; never zero.
    pub(crate) ibs: usize,
    pub(crate) obs: usize,
    /// Of a line's record for [`Records`].
    pub(crate) cbs: usize,
    pub(crate) skip: Length,
    pub(crate) seek: Length,
    pub(crate) count: Option<Length>,
    pub(crate) iflag: Flags,
    pub(crate) oflag: Flags,
    pub(crate) fullblock: bool,
    pub(crate) level: Level,
    pub(crate) charset: Option<Charset>,
    pub(crate) lines: Option<Records>,
    pub(crate) case: Option<Case>,
    pub(crate) swab: bool,
    pub(crate) sync: bool,
    pub(crate) noerror: bool,
    pub(crate) sparse: bool,
    pub(crate) nocreat: bool,
    pub(crate) excl: bool,
    pub(crate) notrunc: bool,
    pub(crate) fdatasync: bool,
    pub(crate) fsync: bool,
    /// What is read is collected to records of `obs`; otherwise each that is read is written by itself.
    pub(crate) reblock: bool,
    /// Operands that mean something else than one may think.
    pub(crate) warnings: Vec<String>,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            input: None,
            output: None,
            ibs: 512,
            obs: 512,
            cbs: 0,
            skip: Length::default(),
            seek: Length::default(),
            count: None,
            iflag: Flags::NONE,
            oflag: Flags::NONE,
            fullblock: false,
            level: Level::default(),
            charset: None,
            lines: None,
            case: None,
            swab: false,
            sync: false,
            noerror: false,
            sparse: false,
            nocreat: false,
            excl: false,
            notrunc: false,
            fdatasync: false,
            fsync: false,
            reblock: true,
            warnings: Vec::new(),
        }
    }
}

/// A number, and whether it counts bytes where records would be counted: with a `B` at its end.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct Number {
    value: u64,
    in_bytes: bool,
}

/// # Errors
/// The first operand that is wrong, and then what cannot go together.
pub(crate) fn parse(operands: &[OsString]) -> Result<Settings, Wrong> {
    let mut set = Settings::default();
    let (mut bs, mut skip, mut seek, mut count) = (None, None, None, None);
    for operand in operands {
        let shown = operand.to_string_lossy().into_owned();
        let bytes = operand.as_bytes();
        let Some(at) = bytes.iter().position(|b| *b == b'=') else {
            return Err(Wrong::Operand(shown));
        };
        let (key, value) = bytes.split_at(at);
        let value = value.get(1..).unwrap_or_default();
        let text = String::from_utf8_lossy(value).into_owned();
        let mut number = || number(&text, &mut set.warnings);
        match key {
            b"if" => set.input = Some(OsString::from_vec(value.to_vec())),
            b"of" => set.output = Some(OsString::from_vec(value.to_vec())),
            b"bs" => bs = Some(size(&text, number()?)?),
            b"ibs" => set.ibs = size(&text, number()?)?,
            b"obs" => set.obs = size(&text, number()?)?,
            b"cbs" => set.cbs = size(&text, number()?)?,
            b"skip" | b"iseek" => skip = Some(number()?),
            b"seek" | b"oseek" => seek = Some(number()?),
            b"count" => count = Some(number()?),
            b"conv" => text.split(',').try_for_each(|word| set.convert(word))?,
            b"iflag" => text.split(',').try_for_each(|word| set.iflag.input(word))?,
            b"oflag" => text.split(',').try_for_each(|word| set.oflag.output(word))?,
            b"status" => set.level = level(&text)?,
            _ => return Err(Wrong::Operand(shown)),
        }
    }
    if let Some(bs) = bs {
        (set.ibs, set.obs) = (bs, bs);
    }
    let [skip_bytes, count_bytes] = set.iflag.in_bytes;
    set.skip = length(skip.unwrap_or_default(), skip_bytes, set.ibs);
    set.seek = length(seek.unwrap_or_default(), set.oflag.in_bytes[0], set.obs);
    set.count = count.map(|count| length(count, count_bytes, set.ibs));
    set.fullblock = set.iflag.fullblock;
    set.settle(bs.is_some())?;
    Ok(set)
}

impl Settings {
    fn convert(&mut self, word: &str) -> Result<(), Wrong> {
        let charset = |set: &mut Self, charset: Charset| match set.charset.replace(charset) {
            Some(other) if other != charset => {
                Err(Wrong::Combined("any two of {ascii,ebcdic,ibm}"))
            }
            _ => Ok(()),
        };
        let lines = |set: &mut Self, lines: Records| match set.lines.replace(lines) {
            Some(other) if other != lines => Err(Wrong::Combined("block and unblock")),
            _ => Ok(()),
        };
        let case = |set: &mut Self, case: Case| match set.case.replace(case) {
            Some(other) if other != case => Err(Wrong::Combined("lcase and ucase")),
            _ => Ok(()),
        };
        match word {
            "ascii" => {
                charset(self, Charset::Ascii).and_then(|()| lines(self, Records::Unblock))?
            }
            "ebcdic" => {
                charset(self, Charset::Ebcdic).and_then(|()| lines(self, Records::Block))?
            }
            "ibm" => charset(self, Charset::Ibm).and_then(|()| lines(self, Records::Block))?,
            "block" => lines(self, Records::Block)?,
            "unblock" => lines(self, Records::Unblock)?,
            "lcase" => case(self, Case::Lower)?,
            "ucase" => case(self, Case::Upper)?,
            "swab" => self.swab = true,
            "sync" => self.sync = true,
            "noerror" => self.noerror = true,
            "sparse" => self.sparse = true,
            "nocreat" => self.nocreat = true,
            "excl" => self.excl = true,
            "notrunc" => self.notrunc = true,
            "fdatasync" => self.fdatasync = true,
            "fsync" => self.fsync = true,
            _ => return Err(Wrong::Conversion(word.to_owned())),
        }
        Ok(())
    }

    /// What follows from several operands.
    fn settle(&mut self, bs: bool) -> Result<(), Wrong> {
        if self.excl && self.nocreat {
            return Err(Wrong::Combined("excl and nocreat"));
        }
        let direct = OFlags::DIRECT;
        if [self.iflag, self.oflag].iter().any(|side| side.nocache && side.open.contains(direct)) {
            return Err(Wrong::Combined("direct and nocache"));
        }
        let converts = self.charset.is_some() || self.lines.is_some() || self.case.is_some();
        self.reblock = !bs || converts || self.swab;
        if self.cbs == 0 {
            self.lines = None;
        }
        Ok(())
    }
}

impl Flags {
    fn input(&mut self, word: &str) -> Result<(), Wrong> {
        match word {
            "fullblock" => self.fullblock = true,
            "skip_bytes" => self.in_bytes[0] = true,
            "count_bytes" => self.in_bytes[1] = true,
            _ => return self.common(word).ok_or_else(|| Wrong::InputFlag(word.to_owned())),
        }
        Ok(())
    }

    fn output(&mut self, word: &str) -> Result<(), Wrong> {
        match word {
            "seek_bytes" => self.in_bytes[0] = true,
            _ => return self.common(word).ok_or_else(|| Wrong::OutputFlag(word.to_owned())),
        }
        Ok(())
    }

    fn common(&mut self, word: &str) -> Option<()> {
        self.open |= match word {
            "append" => OFlags::APPEND,
            "direct" => OFlags::DIRECT,
            "directory" => OFlags::DIRECTORY,
            "dsync" => OFlags::DSYNC,
            "noatime" => OFlags::NOATIME,
            "noctty" => OFlags::NOCTTY,
            "nofollow" => OFlags::NOFOLLOW,
            "nonblock" => OFlags::NONBLOCK,
            "sync" => OFlags::SYNC,
            "nocache" => {
                self.nocache = true;
                OFlags::empty()
            }
            "nolinks" => {
                self.nolinks = true;
                OFlags::empty()
            }
            _ => return None,
        };
        Some(())
    }
}

fn level(text: &str) -> Result<Level, Wrong> {
    match text {
        "none" => Ok(Level::None),
        "noxfer" => Ok(Level::NoTransfer),
        "progress" => Ok(Level::Progress),
        _ => Err(Wrong::Level(text.to_owned())),
    }
}

/// The size of a record.
fn size(text: &str, number: Number) -> Result<usize, Wrong> {
    match usize::try_from(number.value) {
        Ok(0) => Err(Wrong::Number(text.to_owned())),
        // What one read can ask for.
        Ok(size) if isize::try_from(size).is_ok() => Ok(size),
        _ => Err(Wrong::Large(text.to_owned())),
    }
}

fn length(number: Number, in_bytes: bool, record: usize) -> Length {
    if !in_bytes && !number.in_bytes {
        return Length { records: number.value, bytes: 0 };
    }
    let rest = number.value % record as u64;
    Length { records: number.value / record as u64, bytes: usize::try_from(rest).unwrap_or(0) }
}

/// A product of numbers with units: `2x1M`, `4k`, `1kB`, `3b`.
fn number(text: &str, warnings: &mut Vec<String>) -> Result<Number, Wrong> {
    let wrong = || Wrong::Number(text.to_owned());
    let large = || Wrong::Large(text.to_owned());
    let mut product: Option<u64> = None;
    let mut in_bytes = false;
    // As strtol(3) allows.
    let stripped = text.trim_ascii_start();
    let mut factors = stripped.strip_prefix('+').unwrap_or(stripped).split('x').peekable();
    while let Some(factor) = factors.next() {
        let digits = factor.find(|c: char| !c.is_ascii_digit()).unwrap_or(factor.len());
        let (digits, unit) = factor.split_at(digits);
        let unit = unit_of(unit).ok_or_else(wrong)?;
        if digits.is_empty() {
            return Err(wrong());
        }
        let count = digits.parse::<u64>().map_err(|_| large())?;
        if product.is_none() && factor == "0" && factors.peek().is_some() {
            warnings
                .push("warning: '0x' is a zero multiplier; use '00x' if that is intended".into());
        }
        let value = u64::try_from(unit.map_or(1, |(size, _)| size)).ok();
        // Zero of a unit beyond all numbers is zero, too.
        let value = if count == 0 { Some(0) } else { value.and_then(|v| v.checked_mul(count)) };
        let value = value.ok_or_else(large)?;
        product = Some(product.unwrap_or(1).checked_mul(value).ok_or_else(large)?);
        in_bytes |= unit.is_some_and(|(_, bytes)| bytes);
    }
    Ok(Number { value: product.ok_or_else(wrong)?, in_bytes })
}

/// How many bytes a unit has, and whether it says bytes: `None` for what is no unit, `Some(None)` for nothing.
fn unit_of(unit: &str) -> Option<Option<(u128, bool)>> {
    let simple = match unit {
        "" => return Some(None),
        "c" => Some((1, false)),
        "w" => Some((2, false)),
        "b" => Some((512, false)),
        "B" => Some((1, true)),
        _ => None,
    };
    if simple.is_some() {
        return Some(simple);
    }
    let letter = unit.chars().next()?;
    let power = match letter {
        'k' | 'K' => 1,
        'M' => 2,
        'G' => 3,
        'T' => 4,
        'P' => 5,
        'E' => 6,
        'Z' => 7,
        'Y' => 8,
        'R' => 9,
        'Q' => 10,
        _ => return None,
    };
    let (base, bytes) = match unit.get(1..)? {
        "" => (1024_u128, false),
        "iB" => (1024, true),
        "B" => (1000, true),
        _ => return None,
    };
    Some(Some((base.pow(power), bytes)))
}
