//! One member as it is written, in each of the formats (GNU tar manual, "Controlling the Archive Format"; POSIX.1, pax).

use super::{
    checkpoint::Checkpoints,
    holes::{self, Map},
};
use crate::applet::{Args, usage_error};
use std::{
    ffi::{OsStr, OsString},
    io::{self, Read, Write},
    os::unix::ffi::OsStrExt as _,
    path::Path,
};
use tar::{EntryType, Header};

/// How members are written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Layout {
    /// Before POSIX: short names, no owners' names.
    V7,
    Gnu,
    Ustar,
    /// ustar with records for what does not fit, and times with fractions.
    Pax,
}

impl Layout {
    pub(super) fn of(args: &Args) -> anyhow::Result<Self> {
        let named = match args.text("format")? {
            None => None,
            Some("v7") => Some(Self::V7),
            Some("gnu" | "oldgnu") => Some(Self::Gnu),
            Some("ustar") => Some(Self::Ustar),
            Some("pax" | "posix") => Some(Self::Pax),
            Some(other) => {
                return usage_error(format!(
                    "Unknown archive format {other:?}; there are v7, oldgnu, gnu, ustar, posix, pax"
                ));
            }
        };
        let short = [("old-archive", Self::V7), ("portability", Self::V7), ("posix", Self::Pax)];
        let short = short.into_iter().find(|(option, _)| args.has(option)).map(|(_, it)| it);
        // -o is for extracting, and this when there is nothing to extract.
        let old = args.has("no-same-owner").then_some(Self::V7);
        let records = args.has("pax-option").then_some(Self::Pax);
        let layout = named.or(short).or(records).or(old).unwrap_or(Self::Gnu);
        if records.is_some_and(|records| records != layout) {
            return usage_error("--pax-option can be used only on POSIX archives");
        }
        Ok(layout)
    }
}

/// A moment: seconds since 1970 and nanoseconds.
pub(super) type Moment = (i64, u32);

/// What is written of a file besides its name and data.
pub(super) struct Fields {
    pub(super) kind: EntryType,
    pub(super) mode: u32,
    pub(super) uid: u64,
    pub(super) gid: u64,
    /// Empty where only the number counts.
    pub(super) user: String,
    pub(super) group: String,
    pub(super) size: u64,
    pub(super) modified: Moment,
    /// Used and changed, where the format has them.
    pub(super) others: Option<[Moment; 2]>,
    pub(super) device: Option<(u32, u32)>,
    /// Where the data is, of a file that is written without its holes.
    pub(super) map: Option<Map>,
}

/// A member that the format has no way to write: the others still can be.
#[derive(Debug, thiserror::Error)]
#[error("{0}")]
pub(super) struct Unfit(pub(super) String);

/// Writes a member; `link` is what it leads to, or the first name of the same file.
pub(super) fn write<W: Write>(
    archive: &mut tar::Builder<W>,
    layout: Layout,
    fields: &Fields,
    name: &OsStr,
    link: Option<&OsStr>,
    data: impl Read,
) -> anyhow::Result<()> {
    let mut header = match layout {
        Layout::V7 => Header::new_old(),
        Layout::Gnu => Header::new_gnu(),
        Layout::Ustar | Layout::Pax => Header::new_ustar(),
    };
    let mut records = Records::default();
    let (mut before, mut size, mut stored) = (Vec::new(), fields.size, name.to_owned());
    if let Some(map) = &fields.map {
        size = map.iter().map(|(_, length)| length).sum();
        if layout == Layout::Pax {
            before = holes::table(map);
            size += before.len() as u64;
            stored = records.sparse(name, fields.size);
        } else {
            before = sparse(&mut header, map, fields.size);
        }
    }
    let mut numbers = Numbers { layout, records: &mut records };
    let old = header.as_old_mut();
    numbers.put("mode", &mut old.mode, i64::from(fields.mode))?;
    numbers.put("uid", &mut old.uid, i64::try_from(fields.uid)?)?;
    numbers.put("gid", &mut old.gid, i64::try_from(fields.gid)?)?;
    numbers.put("size", &mut old.size, i64::try_from(size)?)?;
    numbers.put("mtime", &mut old.mtime, fields.modified.0)?;
    let holes = fields.map.is_some() && layout != Layout::Pax;
    header.set_entry_type(if holes { EntryType::GNUSparse } else { fields.kind });
    if layout == Layout::V7 && fields.kind == EntryType::Regular {
        header.as_old_mut().linkflag = [0];
    }
    if layout != Layout::V7 {
        // A name that does not fit is left out, or a record: the number says who it is.
        let fits = [header.set_username(&fields.user), header.set_groupname(&fields.group)];
        if layout == Layout::Pax {
            let names = [("uname", &fields.user), ("gname", &fields.group)];
            for (fit, (key, name)) in fits.iter().zip(names) {
                if fit.is_err() || !name.is_ascii() {
                    records.add(key, name.as_bytes());
                }
            }
        }
    }
    if layout != Layout::Gnu || fields.device.is_some() {
        let (major, minor) = fields.device.unwrap_or_default();
        device(&mut header, major, minor);
    }
    if layout == Layout::Pax {
        if fields.modified.1 != 0 || !(0..1 << 33).contains(&fields.modified.0) {
            records.time("mtime", fields.modified);
        }
        if let Some([used, changed]) = fields.others {
            records.time("atime", used);
            records.time("ctime", changed);
        }
    }
    let named = named(&mut header, layout, &mut records, &stored)?;
    let linked = match link {
        Some(link) => linked(&mut header, layout, &mut records, link)?,
        None => true,
    };
    if let Some(link) = link.filter(|_| !linked) {
        long(archive, b'K', link)?;
    }
    if !named {
        long(archive, b'L', name)?;
    }
    records.write(archive, name, fields.modified.0)?;
    seal(&mut header);
    Ok(archive.append(&header, before.chain(data))?)
}

/// Puts the first parts of a file and its real size into the header; the others are what is returned.
fn sparse(header: &mut Header, map: &Map, size: u64) -> Vec<u8> {
    let bytes = header.as_mut_bytes();
    let rest = holes::parts(map, 4, bytes.get_mut(386..482).unwrap_or_default());
    if let Some(place) = bytes.get_mut(482..495) {
        place.copy_from_slice(&[&[u8::from(!rest.is_empty())], &holes::digits(size)[..]].concat());
    }
    holes::more(rest)
}

/// GNU's way: a name that is too long is the data of a member before.
fn long<W: Write>(archive: &mut tar::Builder<W>, kind: u8, name: &OsStr) -> anyhow::Result<()> {
    let mut header = Header::new_gnu();
    let old = header.as_old_mut();
    field(&mut old.name, b"././@LongLink");
    let numbers: [(&mut [u8], &[u8]); 4] = [
        (&mut old.mode, b"0000644"),
        (&mut old.uid, b"0000000"),
        (&mut old.gid, b"0000000"),
        (&mut old.mtime, b"00000000000"),
    ];
    for (place, digits) in numbers {
        field(place, digits);
    }
    let data = [name.as_bytes(), b"\0"].concat();
    field(&mut old.size, format!("{:011o}", data.len()).as_bytes());
    header.set_entry_type(EntryType::new(kind));
    header.set_username("root")?;
    header.set_groupname("root")?;
    seal(&mut header);
    Ok(archive.append(&header, data.as_slice())?)
}

/// A device's numbers, which have their place in all formats, though v7 knows nothing of it.
fn device(header: &mut Header, major: u32, minor: u32) {
    for (at, number) in [(329, major), (337, minor)] {
        let text = format!("{number:07o}\0");
        if let Some(field) = header.as_mut_bytes().get_mut(at..at + 8)
            && let Some(digits) = text.as_bytes().get(..8)
        {
            field.copy_from_slice(digits);
        }
    }
}

/// The checksum, as GNU's writes it: six digits, a zero byte, a space.
fn seal(header: &mut Header) {
    header.set_cksum();
    if let Ok(sum) = header.cksum() {
        header.as_old_mut().cksum.copy_from_slice(format!("{sum:06o}\0 ").as_bytes());
    }
}

/// Puts the name into the header, or into a record; false where a member before has it.
fn named(
    header: &mut Header,
    layout: Layout,
    records: &mut Records,
    name: &OsStr,
) -> anyhow::Result<bool> {
    let bytes = name.as_bytes();
    if layout == Layout::Pax && !bytes.is_ascii() {
        records.add("path", bytes);
    }
    if field(&mut header.as_old_mut().name, bytes) {
        return Ok(true);
    }
    match layout {
        Layout::Gnu => {
            field(&mut header.as_old_mut().name, bytes.get(..100).unwrap_or(bytes));
            return Ok(false);
        }
        Layout::V7 => {
            anyhow::bail!(Unfit("file name is too long (max 99); not dumped".into()))
        }
        Layout::Ustar => {}
        Layout::Pax => records.add("path", bytes),
    }
    let split = header.as_ustar_mut().is_some_and(|ustar| {
        split(bytes).is_some_and(|(prefix, rest)| {
            field(&mut ustar.prefix, prefix) && field(&mut ustar.name, rest)
        })
    });
    if !split && layout == Layout::Ustar {
        let why = if bytes.len() > 256 {
            "file name is too long (max 256); not dumped"
        } else {
            "file name is too long (cannot be split); not dumped"
        };
        anyhow::bail!(Unfit(why.into()));
    }
    if !split {
        field(&mut header.as_old_mut().name, bytes.get(..100).unwrap_or(bytes));
    }
    Ok(true)
}

fn linked(
    header: &mut Header,
    layout: Layout,
    records: &mut Records,
    link: &OsStr,
) -> anyhow::Result<bool> {
    let bytes = link.as_bytes();
    if layout == Layout::Pax && !bytes.is_ascii() {
        records.add("linkpath", bytes);
    }
    let place = &mut header.as_old_mut().linkname;
    if field(place, bytes) {
        return Ok(true);
    }
    match layout {
        Layout::Gnu => {
            field(place, bytes.get(..100).unwrap_or(bytes));
            Ok(false)
        }
        Layout::Pax => {
            field(place, bytes.get(..100).unwrap_or(bytes));
            records.add("linkpath", bytes);
            Ok(true)
        }
        Layout::V7 | Layout::Ustar => {
            anyhow::bail!(Unfit("link name is too long; not dumped".into()))
        }
    }
}

/// At the last slash that leaves both parts short enough.
fn split(name: &[u8]) -> Option<(&[u8], &[u8])> {
    // A slash at the end is the folder's.
    let most = name.len().saturating_sub(1).min(156);
    let at = name.get(..most)?.iter().rposition(|b| *b == b'/').filter(|at| *at > 0)?;
    let (prefix, rest) = (name.get(..at)?, name.get(at + 1..)?);
    (rest.len() <= 100).then_some((prefix, rest))
}

/// Puts a name into its field, if it fits.
fn field(field: &mut [u8], name: &[u8]) -> bool {
    match field.split_at_mut_checked(name.len()) {
        Some((begin, end)) => {
            begin.copy_from_slice(name);
            end.fill(0);
            true
        }
        None => false,
    }
}

/// Numbers in their fields: octal, and where that is too short as the format has it.
struct Numbers<'a> {
    layout: Layout,
    records: &'a mut Records,
}

impl Numbers<'_> {
    fn put(&mut self, key: &str, field: &mut [u8], value: i64) -> anyhow::Result<()> {
        let digits = field.len() - 1;
        let octal = u64::try_from(value).ok().map(|value| format!("{value:0digits$o}\0"));
        match octal.filter(|octal| octal.len() == field.len()) {
            Some(octal) => field.copy_from_slice(octal.as_bytes()),
            None if self.layout == Layout::Pax => {
                // Of the time there is a record with its fraction.
                if key != "mtime" {
                    self.records.add(key, value.to_string().as_bytes());
                }
                field.fill(b'0');
                if let Some(end) = field.last_mut() {
                    *end = 0;
                }
            }
            None if self.layout == Layout::Gnu => {
                // In base 256, the first bit set.
                field.fill(if value < 0 { 0xff } else { 0 });
                let bytes = value.to_be_bytes();
                let from = bytes.len().saturating_sub(field.len());
                let bytes = bytes.get(from..).unwrap_or_default();
                let at = field.len() - bytes.len();
                field.get_mut(at..).unwrap_or_default().copy_from_slice(bytes);
                if let Some(first) = field.first_mut() {
                    *first |= 0x80;
                }
            }
            None => {
                let most = (1_u64 << (3 * digits)) - 1;
                let range = match key {
                    "size" => "off_t",
                    "mtime" => "time_t",
                    "gid" => "gid_t",
                    _ => "uid_t",
                };
                anyhow::bail!(Unfit(format!("value {value} out of {range} range 0..{most}")));
            }
        }
        Ok(())
    }
}

/// Records of a pax header.
#[derive(Default)]
struct Records(Vec<u8>);

impl Records {
    fn add(&mut self, key: &str, value: &[u8]) {
        let rest = key.len() + value.len() + 3;
        let mut length = rest + 1;
        while rest + length.to_string().len() > length {
            length += 1;
        }
        self.0.extend(format!("{length} {key}=").bytes());
        self.0.extend_from_slice(value);
        self.0.push(b'\n');
    }

    /// What says of a file how large it is with its holes; the name that the others have it by.
    fn sparse(&mut self, name: &OsStr, size: u64) -> OsString {
        self.add("GNU.sparse.major", b"1");
        self.add("GNU.sparse.minor", b"0");
        self.add("GNU.sparse.name", name.as_bytes());
        self.add("GNU.sparse.realsize", size.to_string().as_bytes());
        let path = Path::new(name);
        let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty());
        let own = format!("GNUSparseFile.{}", std::process::id());
        let folder = folder.unwrap_or(Path::new(".")).join(own);
        folder.join(path.file_name().unwrap_or_default()).into()
    }

    fn time(&mut self, key: &str, (seconds, nanoseconds): Moment) {
        let text = match (seconds, nanoseconds) {
            (seconds, 0) => seconds.to_string(),
            // A fraction counts away from zero, as the sign does.
            (..0, nanoseconds) => {
                let (whole, part) = (-(seconds + 1), 1_000_000_000 - nanoseconds);
                format!("-{whole}.{part:09}").trim_end_matches('0').to_owned()
            }
            (seconds, nanoseconds) => {
                format!("{seconds}.{nanoseconds:09}").trim_end_matches('0').to_owned()
            }
        };
        self.add(key, text.as_bytes());
    }

    /// Writes them before the member that they are of, if there are any.
    fn write<W: Write>(
        &self,
        archive: &mut tar::Builder<W>,
        name: &OsStr,
        modified: i64,
    ) -> io::Result<()> {
        if self.0.is_empty() {
            return Ok(());
        }
        let mut header = Header::new_ustar();
        let name = name.as_bytes();
        let name = name.strip_suffix(b"/").unwrap_or(name);
        let (folder, base) = match name.iter().rposition(|b| *b == b'/') {
            Some(at) => {
                (name.get(..at).unwrap_or_default(), name.get(at + 1..).unwrap_or_default())
            }
            None => (&b"."[..], name),
        };
        let whole = [folder, b"/PaxHeaders/", base].concat();
        let shown = whole.get(..100).unwrap_or(&whole);
        field(&mut header.as_old_mut().name, shown);
        header.set_entry_type(EntryType::XHeader);
        header.set_mode(0o644);
        header.set_uid(0);
        header.set_gid(0);
        header.set_mtime(u64::try_from(modified).unwrap_or(0));
        header.set_size(self.0.len() as u64);
        seal(&mut header);
        archive.append(&header, self.0.as_slice())
    }
}

/// A writer that knows where it is, and fills the last record up.
pub(super) struct Blocks<W> {
    to: W,
    at: u64,
    pub(super) checkpoints: Option<Checkpoints>,
}

impl<W: Write> Blocks<W> {
    /// `at` is how much is there already, in bytes.
    pub(super) fn new(to: W, at: u64) -> Self {
        Self { to, at, checkpoints: None }
    }

    /// Zeros up to a multiple of `record` bytes.
    pub(super) fn fill(mut self, record: u64) -> io::Result<W> {
        let missing = self.at.next_multiple_of(record) - self.at;
        io::copy(&mut io::repeat(0).take(missing), &mut self)?;
        Ok(self.to)
    }
}

impl<W: Write> Write for Blocks<W> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let count = self.to.write(bytes)?;
        self.at += count as u64;
        if let Some(checkpoints) = &mut self.checkpoints {
            checkpoints.count(count as u64);
        }
        Ok(count)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.to.flush()
    }
}

/// Bytes of a record: `-b` counts blocks of 512.
pub(super) fn record_size(args: &Args) -> anyhow::Result<u64> {
    if let Some(bytes) = args.number::<u64>("record-size")? {
        let blocks = bytes > 0 && bytes % 512 == 0 && bytes <= 512 << 20;
        return if blocks {
            Ok(bytes)
        } else {
            usage_error("Record size must be a multiple of 512.")
        };
    }
    match args.number::<u64>("blocking-factor")? {
        None => Ok(20 * 512),
        Some(blocks @ 1..=0x10_0000) => Ok(blocks * 512),
        Some(_) => usage_error("Invalid blocking factor"),
    }
}
