//! The lines that come in and the files that go out.

use std::{
    collections::VecDeque,
    fs::File,
    io::{self, BufRead, BufReader, Write},
};

/// The files that are read, one after the other.
pub(super) struct Input {
    names: VecDeque<String>,
    reader: Option<Box<dyn BufRead>>,
    /// The file that is being read.
    pub(super) name: String,
    /// What `sed` exits with: not 0 if one could not be opened or read.
    pub(super) status: u8,
    delimiter: u8,
    /// No byte is taken that is not needed yet: another process may read on.
    sparing: bool,
}

impl Input {
    pub(super) fn new(names: Vec<String>, delimiter: u8, sparing: bool) -> Self {
        let (names, name) = (names.into(), "-".into());
        Self { names, reader: None, name, status: 0, delimiter, sparing }
    }

    /// Goes on to the next file that has data; false if there is none.
    pub(super) fn ready(&mut self) -> bool {
        loop {
            if let Some(reader) = &mut self.reader {
                match reader.fill_buf() {
                    Ok([]) => {}
                    Ok(_) => return true,
                    Err(error) => self.complain("read error on", &error, 4),
                }
                self.reader = None;
            }
            let Some(name) = self.names.pop_front() else { return false };
            self.name = name;
            if self.name == "-" {
                let Ok(stdin) = rustix::io::dup(rustix::stdio::stdin()) else { continue };
                self.reader = Some(self.buffered(File::from(stdin)));
                continue;
            }
            match File::open(&self.name) {
                Ok(file) => self.reader = Some(self.buffered(file)),
                Err(error) => self.complain("can't read", &error, 2),
            }
        }
    }

    fn buffered(&self, file: File) -> Box<dyn BufRead> {
        let size = if self.sparing { 1 } else { 1 << 16 };
        Box::new(BufReader::with_capacity(size, file))
    }

    fn complain(&mut self, what: &str, error: &io::Error, status: u8) {
        eprintln!("sed: {what} {}: {}", self.name, crate::applet::reason(error));
        self.status = self.status.max(status);
    }

    /// The next line without its end, and whether it had one.
    pub(super) fn line(&mut self) -> io::Result<Option<(Vec<u8>, bool)>> {
        if !self.ready() {
            return Ok(None);
        }
        let Some(reader) = &mut self.reader else { return Ok(None) };
        let mut line = Vec::new();
        reader.read_until(self.delimiter, &mut line)?;
        let ended = line.last() == Some(&self.delimiter);
        if ended {
            line.pop();
        }
        Ok(Some((line, ended)))
    }
}

/// A file that is written to.
pub(super) struct Output {
    pub(super) to: Box<dyn Write>,
    /// The last line has no end yet, and gets one only if something follows.
    missing: Option<u8>,
}

impl Output {
    pub(super) fn new(to: Box<dyn Write>) -> Self {
        Self { to, missing: None }
    }

    pub(super) fn raw(&mut self, text: &[u8]) -> io::Result<()> {
        if let Some(end) = self.missing.take() {
            self.to.write_all(&[end])?;
        }
        self.to.write_all(text)
    }

    pub(super) fn line(&mut self, text: &[u8], delimiter: u8, ended: bool) -> io::Result<()> {
        self.raw(text)?;
        if ended {
            return self.to.write_all(&[delimiter]);
        }
        self.missing = Some(delimiter);
        Ok(())
    }
}
