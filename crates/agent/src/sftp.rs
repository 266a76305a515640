//! SFTP, version 3 (draft-ietf-secsh-filexfer-02), with what OpenSSH's `sftp`, `scp` and file managers expect beyond it:
//! a process of its own on a session's standard input and output, that may do what root may.

mod attributes;
mod files;
mod packet;

use attributes::Attributes;
use files::Files;
use packet::{Malformed, Reader, Writer};
use std::{
    io::{self, Read as _, Write as _},
    process::ExitCode,
};

/// The agent's first argument when it is to serve files.
pub const WORD: &str = "sftp";

/// Largest packet that is taken, bytes; a client writes at most 256 KiB at once.
const MAX_PACKET: usize = (256 << 10) + 1024;
const VERSION: u32 = 3;
/// What is known beyond version 3.
const EXTENSIONS: [&str; 4] = [RENAME, LINK, SYNC, LSETSTAT];
const RENAME: &str = "posix-rename@openssh.com";
const LINK: &str = "hardlink@openssh.com";
const SYNC: &str = "fsync@openssh.com";
const LSETSTAT: &str = "lsetstat@openssh.com";

/// Kinds of packets.
mod kind {
    pub(super) const INIT: u8 = 1;
    pub(super) const VERSION: u8 = 2;
    pub(super) const OPEN: u8 = 3;
    pub(super) const CLOSE: u8 = 4;
    pub(super) const READ: u8 = 5;
    pub(super) const WRITE: u8 = 6;
    pub(super) const LSTAT: u8 = 7;
    pub(super) const FSTAT: u8 = 8;
    pub(super) const SETSTAT: u8 = 9;
    pub(super) const FSETSTAT: u8 = 10;
    pub(super) const OPENDIR: u8 = 11;
    pub(super) const READDIR: u8 = 12;
    pub(super) const REMOVE: u8 = 13;
    pub(super) const MKDIR: u8 = 14;
    pub(super) const RMDIR: u8 = 15;
    pub(super) const REALPATH: u8 = 16;
    pub(super) const STAT: u8 = 17;
    pub(super) const RENAME: u8 = 18;
    pub(super) const READLINK: u8 = 19;
    pub(super) const SYMLINK: u8 = 20;
    pub(super) const STATUS: u8 = 101;
    pub(super) const HANDLE: u8 = 102;
    pub(super) const DATA: u8 = 103;
    pub(super) const NAME: u8 = 104;
    pub(super) const ATTRS: u8 = 105;
    pub(super) const EXTENDED: u8 = 200;
}

/// What is answered.
enum Answer {
    Done,
    Handle(u32),
    Data(Vec<u8>),
    /// Names with what `ls -l` shows of them.
    Names(Vec<(Vec<u8>, String, Attributes)>),
    Attributes(Attributes),
}

/// Why a request failed.
enum Failure {
    End,
    System(io::Error),
    Malformed,
    Unknown,
}

impl From<io::Error> for Failure {
    fn from(error: io::Error) -> Self {
        Self::System(error)
    }
}

impl From<Malformed> for Failure {
    fn from(_: Malformed) -> Self {
        Self::Malformed
    }
}

/// Serves until standard input ends.
#[must_use]
pub fn main() -> ExitCode {
    match serve(&mut io::stdin().lock(), &mut io::stdout().lock()) {
        Ok(()) => ExitCode::SUCCESS,
        Err(e) => {
            // Standard error is a client's, or nobody's.
            let _ = writeln!(io::stderr(), "sftp: {e}");
            ExitCode::FAILURE
        }
    }
}

/// Serves a client.
fn serve(from: &mut impl io::Read, to: &mut impl io::Write) -> io::Result<()> {
    let mut files = Files::default();
    let mut packet = Vec::new();
    while next(from, &mut packet)? {
        let mut reader = Reader::new(&packet);
        let answer = match reader.byte() {
            Ok(kind::INIT) => hello(),
            Ok(kind) => {
                let Ok(id) = reader.number() else { return Err(malformed()) };
                let answer = answer(&mut files, kind, &mut reader);
                written(id, answer)
            }
            Err(Malformed) => return Err(malformed()),
        };
        to.write_all(&answer)?;
        to.flush()?;
    }
    Ok(())
}

fn malformed() -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, "the client does not speak SFTP")
}

/// The next packet; false at the end.
fn next(from: &mut impl io::Read, packet: &mut Vec<u8>) -> io::Result<bool> {
    let mut length = [0; 4];
    match from.read_exact(&mut length) {
        Err(e) if e.kind() == io::ErrorKind::UnexpectedEof => return Ok(false),
        other => other?,
    }
    let length = u32::from_be_bytes(length) as usize;
    if length > MAX_PACKET {
        return Err(malformed());
    }
    packet.clear();
    from.take(length as u64).read_to_end(packet)?;
    Ok(packet.len() == length)
}

fn hello() -> Vec<u8> {
    let mut out = Writer::new(kind::VERSION);
    out.number(VERSION);
    for extension in EXTENSIONS {
        out.string(extension.as_bytes());
        out.string(b"1");
    }
    out.finish()
}

fn answer(files: &mut Files, kind: u8, r: &mut Reader<'_>) -> Result<Answer, Failure> {
    match kind {
        kind::OPEN => {
            let (path, flags) = (r.path()?, r.number()?);
            Ok(Answer::Handle(files.open(&path, flags, &Attributes::read(r)?)?))
        }
        kind::CLOSE => done(files.close(r.handle()?)),
        kind::READ => {
            let (handle, offset, length) = (r.handle()?, r.long()?, r.number()?);
            match files.read(handle, offset, length)? {
                data if data.is_empty() && length > 0 => Err(Failure::End),
                data => Ok(Answer::Data(data)),
            }
        }
        kind::WRITE => done(files.write(r.handle()?, r.long()?, r.string()?)),
        kind::FSTAT => Ok(Answer::Attributes(files.attributes(r.handle()?)?)),
        kind::FSETSTAT => {
            let handle = r.handle()?;
            done(files.set(handle, &Attributes::read(r)?))
        }
        kind::OPENDIR => Ok(Answer::Handle(files.open_folder(&r.path()?)?)),
        kind::READDIR => match files.names(r.handle()?)? {
            names if names.is_empty() => Err(Failure::End),
            names => Ok(Answer::Names(names)),
        },
        kind::EXTENDED => extended(files, r),
        _ => by_path(kind, r),
    }
}

/// Requests that need no open file.
fn by_path(kind: u8, r: &mut Reader<'_>) -> Result<Answer, Failure> {
    use std::fs;
    let path = match kind {
        kind::LSTAT..=kind::SYMLINK => r.path()?,
        _ => return Err(Failure::Unknown),
    };
    match kind {
        kind::STAT => Ok(Answer::Attributes((&fs::metadata(path)?).into())),
        kind::LSTAT => Ok(Answer::Attributes((&fs::symlink_metadata(path)?).into())),
        kind::SETSTAT => done(Attributes::read(r)?.apply(&path, true)),
        kind::REMOVE => done(fs::remove_file(path)),
        kind::MKDIR => done(files::make_folder(&path, &Attributes::read(r)?)),
        kind::RMDIR => done(fs::remove_dir(path)),
        kind::RENAME => done(files::rename_new(&path, &r.path()?)),
        // OpenSSH has the two the other way round than the draft; everybody follows OpenSSH.
        kind::SYMLINK => done(std::os::unix::fs::symlink(path, r.path()?)),
        kind::READLINK => Ok(one_name(files::bytes(&fs::read_link(path)?))),
        kind::REALPATH => Ok(one_name(files::bytes(&files::real(&path)))),
        _ => Err(Failure::Unknown),
    }
}

fn extended(files: &Files, r: &mut Reader<'_>) -> Result<Answer, Failure> {
    match std::str::from_utf8(r.string()?).map_err(|_| Malformed)? {
        RENAME => {
            let from = r.path()?;
            done(std::fs::rename(from, r.path()?))
        }
        LINK => {
            let from = r.path()?;
            done(std::fs::hard_link(from, r.path()?))
        }
        SYNC => done(files.sync(r.handle()?)),
        LSETSTAT => {
            let path = r.path()?;
            done(Attributes::read(r)?.apply(&path, false))
        }
        _ => Err(Failure::Unknown),
    }
}

fn done(result: io::Result<()>) -> Result<Answer, Failure> {
    Ok(result.map(|()| Answer::Done)?)
}

fn one_name(name: Vec<u8>) -> Answer {
    let shown = String::from_utf8_lossy(&name).into_owned();
    Answer::Names(vec![(name, shown, Attributes::default())])
}

/// The packet of an answer.
fn written(id: u32, answer: Result<Answer, Failure>) -> Vec<u8> {
    let begin = |kind| {
        let mut out = Writer::new(kind);
        out.number(id);
        out
    };
    let mut out;
    match answer {
        Ok(Answer::Done) => return status(begin(kind::STATUS), 0, "done"),
        Ok(Answer::Handle(handle)) => {
            out = begin(kind::HANDLE);
            out.string(&handle.to_be_bytes());
        }
        Ok(Answer::Data(data)) => {
            out = begin(kind::DATA);
            out.string(&data);
        }
        Ok(Answer::Attributes(attributes)) => {
            out = begin(kind::ATTRS);
            attributes.write(&mut out);
        }
        Ok(Answer::Names(names)) => {
            out = begin(kind::NAME);
            out.number(u32::try_from(names.len()).unwrap_or(0));
            for (name, long, attributes) in names {
                out.string(&name);
                out.string(long.as_bytes());
                attributes.write(&mut out);
            }
        }
        Err(failure) => {
            let (code, text) = failure.explain();
            return status(begin(kind::STATUS), code, &text);
        }
    }
    out.finish()
}

fn status(mut out: Writer, code: u32, text: &str) -> Vec<u8> {
    out.number(code);
    out.string(text.as_bytes());
    out.string(b"en");
    out.finish()
}

impl Failure {
    fn explain(self) -> (u32, String) {
        match self {
            Self::End => (1, "the end".to_owned()),
            Self::Malformed => (5, "a malformed request".to_owned()),
            Self::Unknown => (8, "a request that is not known".to_owned()),
            Self::System(e) => match e.kind() {
                io::ErrorKind::NotFound => (2, e.to_string()),
                io::ErrorKind::PermissionDenied => (3, e.to_string()),
                _ => (4, e.to_string()),
            },
        }
    }
}

#[cfg(test)]
#[path = "sftp/tests.rs"]
mod tests;
