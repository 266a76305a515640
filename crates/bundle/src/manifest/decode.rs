//! A manifest from bytes: its shape. What relates one field to another is in `rules`.

use super::{
    Extension, File, Machines, Manifest, ManifestError as Error, Need, Then,
    encode::{ANY, keys},
};
use crate::{
    cbor::{CborError, Reader},
    limits,
    path::FilePath,
};
use xenoboot_wire::{Digest, FleetId, MachineKey, Version};

/// Fields as they are found; each is there once, because keys ascend.
#[derive(Default)]
struct Fields {
    format: Option<u64>,
    name: Option<String>,
    serial: Option<u64>,
    created: Option<u64>,
    not_after: Option<u64>,
    fleet: Option<FleetId>,
    machines: Option<Machines>,
    min_image: Option<Version>,
    entry: Option<FilePath>,
    args: Option<Vec<String>>,
    time_limit_s: Option<u64>,
    memory_limit: Option<u64>,
    on_success: Option<Then>,
    on_failure: Option<Then>,
    files: Option<Vec<File>>,
    needs: Option<Vec<Need>>,
    extensions: Vec<Extension>,
}

/// Decodes exactly one manifest.
pub(super) fn manifest(bytes: &[u8]) -> Result<Manifest, Error> {
    let mut reader = Reader::new(bytes);
    let mut map = reader.map()?;
    let mut fields = Fields::default();
    while let Some(key) = map.key(&mut reader)? {
        fields.read(key, &mut reader)?;
        // The other fields are only known when the format is.
        if fields.format.is_none() {
            return Err(Error::Missing("format"));
        }
    }
    reader.end()?;
    fields.complete()
}

impl Fields {
    fn read(&mut self, key: i64, r: &mut Reader<'_>) -> Result<(), Error> {
        match key {
            keys::FORMAT => self.format = Some(format(r.uint()?)?),
            keys::NAME => self.name = Some(r.text()?.to_owned()),
            keys::SERIAL => self.serial = Some(r.uint()?),
            keys::CREATED => self.created = Some(r.uint()?),
            keys::NOT_AFTER => self.not_after = Some(r.uint()?),
            keys::FLEET => self.fleet = Some(FleetId(fixed(r, "fleet")?)),
            keys::MACHINES => self.machines = Some(machines(r)?),
            keys::MIN_IMAGE => self.min_image = Some(version(r)?),
            keys::ENTRY => self.entry = Some(path(r)?),
            keys::ARGS => {
                self.args = Some(list(r, limits::ARGS, "arguments", |r| Ok(r.text()?.to_owned()))?);
            }
            keys::TIME_LIMIT => self.time_limit_s = Some(r.uint()?),
            keys::MEMORY_LIMIT => self.memory_limit = Some(r.uint()?),
            keys::ON_SUCCESS => self.on_success = Some(then(r)?),
            keys::ON_FAILURE => self.on_failure = Some(then(r)?),
            keys::FILES => self.files = Some(list(r, limits::FILES, "files", file)?),
            keys::NEEDS => self.needs = Some(needs(r)?),
            0.. => return Err(Error::UnknownField(key)),
            _ => self.extensions.push(extension(key, self.extensions.len(), r)?),
        }
        Ok(())
    }

    fn complete(self) -> Result<Manifest, Error> {
        self.format.ok_or(Error::Missing("format"))?;
        Ok(Manifest {
            name: self.name.ok_or(Error::Missing("name"))?,
            serial: self.serial.ok_or(Error::Missing("serial"))?,
            created: self.created.ok_or(Error::Missing("created"))?,
            not_after: self.not_after.ok_or(Error::Missing("not-after"))?,
            fleet: self.fleet.ok_or(Error::Missing("fleet"))?,
            machines: self.machines.ok_or(Error::Missing("machines"))?,
            min_image: self.min_image.ok_or(Error::Missing("min-image"))?,
            entry: self.entry.ok_or(Error::Missing("entry"))?,
            args: self.args.ok_or(Error::Missing("args"))?,
            time_limit_s: self.time_limit_s.ok_or(Error::Missing("time-limit"))?,
            memory_limit: self.memory_limit,
            on_success: self.on_success.ok_or(Error::Missing("on-success"))?,
            on_failure: self.on_failure.ok_or(Error::Missing("on-failure"))?,
            files: self.files.ok_or(Error::Missing("files"))?,
            needs: self.needs.unwrap_or_default(),
            extensions: self.extensions,
        })
    }
}

fn format(format: u64) -> Result<u64, Error> {
    if format == super::FORMAT { Ok(format) } else { Err(Error::Format(format)) }
}

fn fixed<const N: usize>(r: &mut Reader<'_>, what: &'static str) -> Result<[u8; N], Error> {
    r.bytes()?.try_into().map_err(|_| Error::Length(what))
}

/// An array of at most `most` items; nothing is allocated ahead for a count that is only claimed.
fn list<T>(
    r: &mut Reader<'_>,
    most: usize,
    what: &'static str,
    item: impl Fn(&mut Reader<'_>) -> Result<T, Error>,
) -> Result<Vec<T>, Error> {
    let count = r.array()?;
    if count > most as u64 {
        return Err(Error::TooMany { what, most });
    }
    (0..count).map(|_| item(r)).collect()
}

fn path(r: &mut Reader<'_>) -> Result<FilePath, Error> {
    r.text()?.parse().map_err(Error::Path)
}

fn machines(r: &mut Reader<'_>) -> Result<Machines, Error> {
    if r.at_text() {
        return if r.text()? == ANY { Ok(Machines::Any) } else { Err(Error::Machines) };
    }
    let mut map = r.map()?;
    let (mut machine_keys, mut groups) = (None, None);
    while let Some(key) = map.key(r)? {
        match key {
            keys::MACHINE_KEYS => {
                let one = |r: &mut Reader<'_>| Ok(MachineKey(fixed(r, "machine key")?));
                machine_keys = Some(list(r, limits::MACHINES, "machines", one)?);
            }
            keys::MACHINE_GROUPS => {
                let one = |r: &mut Reader<'_>| Ok(r.text()?.to_owned());
                groups = Some(list(r, limits::GROUPS, "groups", one)?);
            }
            _ => return Err(Error::UnknownField(key)),
        }
    }
    // A list that is there is not empty: one set of machines has one encoding.
    if machine_keys.as_ref().is_some_and(Vec::is_empty)
        || groups.as_ref().is_some_and(Vec::is_empty)
    {
        return Err(Error::Machines);
    }
    let (keys, groups) = (machine_keys.unwrap_or_default(), groups.unwrap_or_default());
    Ok(Machines::Listed { keys, groups })
}

fn version(r: &mut Reader<'_>) -> Result<Version, Error> {
    if r.array()? != 3 {
        return Err(Error::Length("min-image"));
    }
    let mut part = || u16::try_from(r.uint()?).map_err(|_| Error::Length("min-image"));
    Ok(Version { major: part()?, minor: part()?, patch: part()? })
}

fn then(r: &mut Reader<'_>) -> Result<Then, Error> {
    let items = r.array()?;
    match (items, r.uint()?) {
        (1, keys::REBOOT) => Ok(Then::Reboot),
        (1, keys::POWER_OFF) => Ok(Then::PowerOff),
        (2, keys::RUN_AGAIN) => Ok(Then::RunAgain { after_s: r.uint()? }),
        (1, keys::WAIT) => Ok(Then::Wait),
        _ => Err(Error::Then),
    }
}

fn file(r: &mut Reader<'_>) -> Result<File, Error> {
    let mut map = r.map()?;
    let (mut at, mut mode, mut size, mut digest, mut content) = (None, None, None, None, None);
    while let Some(key) = map.key(r)? {
        match key {
            keys::PATH => at = Some(path(r)?),
            keys::MODE => mode = Some(u32::try_from(r.uint()?).map_err(|_| Error::Mode)?),
            keys::SIZE => size = Some(r.uint()?),
            keys::DIGEST => digest = Some(Digest(fixed(r, "digest")?)),
            keys::CONTENT => content = Some(r.bytes()?.to_vec()),
            _ => return Err(Error::UnknownField(key)),
        }
    }
    Ok(File {
        path: at.ok_or(Error::Missing("path"))?,
        mode: mode.ok_or(Error::Missing("mode"))?,
        size: size.ok_or(Error::Missing("size"))?,
        digest: digest.ok_or(Error::Missing("digest"))?,
        content,
    })
}

fn needs(r: &mut Reader<'_>) -> Result<Vec<Need>, Error> {
    let needs = list(r, limits::NEEDS, "needs", |r| r.text()?.parse())?;
    // A list that is there is not empty: one set of needs has one encoding.
    if needs.is_empty() { Err(Error::Need) } else { Ok(needs) }
}

fn extension(key: i64, before: usize, r: &mut Reader<'_>) -> Result<Extension, Error> {
    let value = r.any(limits::EXTENSION_DEPTH)?;
    if before >= limits::EXTENSIONS {
        return Err(Error::TooMany { what: "extensions", most: limits::EXTENSIONS });
    }
    Ok(Extension { key, value: value.to_vec() })
}

impl From<CborError> for Error {
    fn from(error: CborError) -> Self {
        Self::Cbor(error)
    }
}
