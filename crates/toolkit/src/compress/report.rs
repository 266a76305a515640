//! What `gzip -l` and `gzip -v` print.

use crate::dates::date;
use std::{
    ffi::OsStr,
    io::{self, Write as _},
    os::unix::ffi::OsStrExt as _,
    path::Path,
};

/// What became of a file.
#[derive(Clone, Debug, Default)]
pub(super) struct Sizes {
    pub(super) packed: u64,
    pub(super) plain: u64,
    /// Of the packed bytes, those that are no data.
    pub(super) head: u64,
}

impl Sizes {
    /// How much was saved, in percent, in six columns.
    #[expect(clippy::cast_precision_loss, reason = "a ratio of three digits")]
    pub(super) fn ratio(&self) -> String {
        let (plain, data) = (self.plain as f64, self.packed as f64 - self.head as f64);
        let ratio = if self.plain == 0 { 0.0 } else { 100.0 * (plain - data) / plain };
        format!("{ratio:>5.1}%")
    }

    fn row(&self) -> String {
        format!("{:>19} {:>19} {}", self.packed, self.plain, self.ratio())
    }
}

/// A file's line.
pub(super) struct Entry<'a> {
    pub(super) method: &'static str,
    /// The checksum of the data, of formats that have one.
    pub(super) crc: Option<u32>,
    /// When it was changed, in seconds since 1970.
    pub(super) changed: i64,
    pub(super) sizes: Sizes,
    pub(super) name: &'a Path,
}

/// The table of `-l`.
#[derive(Debug, Default)]
pub(super) struct Table {
    headings: bool,
    verbose: bool,
    total: Sizes,
    rows: usize,
}

impl Table {
    pub(super) fn new(headings: bool, verbose: bool) -> Self {
        Self { headings, verbose, ..Self::default() }
    }

    pub(super) fn add(&mut self, entry: &Entry<'_>) -> io::Result<()> {
        let mut line = String::new();
        if self.verbose {
            let crc = entry.crc.map_or_else(|| "f".repeat(16), |crc| format!("{crc:08x}"));
            let date = date(entry.changed);
            line = format!(
                "{:5} {crc} {} {:>2} {} ",
                entry.method,
                date.month,
                date.day,
                date.minutes()
            );
        }
        let mut out = io::stdout().lock();
        if self.rows == 0 && self.headings {
            let more = if self.verbose { "method  crc     date  time  " } else { "" };
            writeln!(
                out,
                "{more}         compressed        uncompressed  ratio uncompressed_name"
            )?;
        }
        write!(out, "{line}{} ", entry.sizes.row())?;
        out.write_all(entry.name.as_os_str().as_bytes())?;
        writeln!(out)?;
        self.rows += 1;
        self.total.packed += entry.sizes.packed;
        self.total.plain += entry.sizes.plain;
        self.total.head = entry.sizes.head;
        out.flush()
    }

    /// The sums, where several files were asked for.
    pub(super) fn totals(&self) -> io::Result<()> {
        let indent = if self.verbose { 28 } else { 0 };
        writeln!(io::stdout(), "{:indent$}{} (totals)", "", self.total.row())
    }
}

/// What `-v` says of a file before it is done.
pub(super) fn begin(path: &Path) {
    if path != Path::new("-") {
        let _ = io::stderr().write_all(&[path.as_os_str().as_bytes(), b":\t"].concat());
    }
}

/// And what after that; `target` is the file that was made, if one was.
pub(super) fn end(sizes: &Sizes, target: &Path, kept: bool) {
    let word = if kept { "created" } else { "replaced with" };
    let target = if target == Path::new("-") { OsStr::new("stdout") } else { target.as_os_str() };
    let text = format!("{} -- {word} ", sizes.ratio());
    let _ = io::stderr().write_all(&[text.as_bytes(), target.as_bytes(), b"\n"].concat());
}
