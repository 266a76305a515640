//! Where is printed to: standard output and the files of `-fprint` and its like, each opened once.

use super::messages;
use anyhow::Context as _;
use std::{
    ffi::OsStr,
    fs::File,
    io::{self, BufWriter, Write},
    os::unix::fs::MetadataExt as _,
};

/// One of [`Outputs`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Output(usize);

impl Output {
    pub(crate) const STANDARD: Self = Self(0);
}

struct Sink {
    name: String,
    /// Device and number, for files.
    id: Option<(u64, u64)>,
    to: BufWriter<Box<dyn Write>>,
    /// It is a person's screen.
    terminal: bool,
    failed: bool,
}

pub(crate) struct Outputs(Vec<Sink>);

impl Outputs {
    pub(crate) fn new() -> Self {
        let terminal = messages::on_terminal();
        Self(vec![Sink::new("standard output".into(), None, Box::new(io::stdout()), terminal)])
    }

    /// Opens a file to print to, empty, or gives the one that was opened before.
    pub(crate) fn open(&mut self, path: &OsStr) -> anyhow::Result<Output> {
        let shown = path.to_string_lossy().into_owned();
        match path.to_str() {
            Some("/dev/stdout") => return Ok(Output::STANDARD),
            Some("/dev/stderr") => {
                self.0.push(Sink::new(shown, None, Box::new(io::stderr()), false));
                return Ok(Output(self.0.len() - 1));
            }
            _ => {}
        }
        let file = File::create(path).with_context(|| shown.clone())?;
        let id = file.metadata().ok().map(|metadata| (metadata.dev(), metadata.ino()));
        if let Some(at) = self.0.iter().position(|sink| id.is_some() && sink.id == id) {
            return Ok(Output(at));
        }
        self.0.push(Sink::new(shown, id, Box::new(file), false));
        Ok(Output(self.0.len() - 1))
    }

    pub(crate) fn write(&mut self, output: Output, bytes: &[u8]) {
        if let Some(sink) = self.0.get_mut(output.0) {
            let written = sink.to.write_all(bytes);
            sink.check(written);
        }
    }

    pub(crate) fn is_terminal(&self, output: Output) -> bool {
        self.0.get(output.0).is_some_and(|sink| sink.terminal)
    }

    /// Everything is where it belongs before other programs write there.
    pub(crate) fn flush(&mut self) {
        for sink in &mut self.0 {
            let flushed = sink.to.flush();
            sink.check(flushed);
        }
    }

    /// Whether something could not be written; that was told.
    pub(crate) fn failed(&self) -> bool {
        self.0.iter().any(|sink| sink.failed)
    }
}

impl Sink {
    fn new(name: String, id: Option<(u64, u64)>, to: Box<dyn Write>, terminal: bool) -> Self {
        Self { name, id, to: BufWriter::with_capacity(32 << 10, to), terminal, failed: false }
    }

    fn check(&mut self, written: io::Result<()>) {
        if let Err(error) = written
            && !std::mem::replace(&mut self.failed, true)
        {
            messages::failed(self.name.as_bytes(), error);
        }
    }
}
