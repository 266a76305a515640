//! Files and commands that a program reads and writes.

use super::text::Re;
use std::{
    collections::HashMap,
    fs::{File, OpenOptions},
    io::{self, BufWriter, Read, Write},
    os::unix::process::ExitStatusExt as _,
    process::{Child, Command, ExitStatus, Stdio},
};

use super::ast::RedirectKind;

/// How records are told apart.
pub(crate) enum Separator {
    Byte(u8),
    /// Empty lines.
    Paragraph,
    Regex(std::rc::Rc<Re>),
}

/// Records of one source.
pub(crate) struct Records {
    from: Box<dyn Read>,
    buffer: Vec<u8>,
    start: usize,
    ended: bool,
    child: Option<Child>,
}

impl Records {
    pub(crate) fn new(from: Box<dyn Read>) -> Self {
        Self { from, buffer: Vec::new(), start: 0, ended: false, child: None }
    }

    fn rest(&self) -> &[u8] {
        self.buffer.get(self.start..).unwrap_or_default()
    }

    /// Reads more; nothing more to come is remembered.
    fn fill(&mut self) -> io::Result<()> {
        // A byte before the record stays: `^` is the beginning of the input alone.
        let before = usize::from(self.start > 0);
        self.buffer.drain(..self.start - before);
        self.start = before;
        let old = self.buffer.len();
        let size = old.clamp(1 << 16, 1 << 24);
        self.buffer.resize(old + size, 0);
        let read = loop {
            match self.from.read(self.buffer.get_mut(old..).unwrap_or_default()) {
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                read => break read,
            }
        };
        self.buffer.truncate(old + *read.as_ref().unwrap_or(&0));
        self.ended = matches!(read, Ok(0));
        read.map(|_| ())
    }

    /// The next record.
    pub(crate) fn next(&mut self, separator: &Separator) -> io::Result<Option<Vec<u8>>> {
        let mut searched = 0;
        loop {
            if matches!(separator, Separator::Paragraph) {
                let blank = self.rest().iter().take_while(|b| **b == b'\n').count();
                self.start += blank;
            }
            let rest = self.rest();
            let found = match separator {
                Separator::Byte(byte) => {
                    let fresh = rest.get(searched..).unwrap_or_default();
                    fresh
                        .iter()
                        .position(|b| b == byte)
                        .map(|at| (searched + at, searched + at + 1))
                }
                Separator::Paragraph => {
                    rest.windows(2).position(|pair| pair == b"\n\n").map(|at| (at, at + 2))
                }
                Separator::Regex(re) => re
                    .find(&self.buffer, self.start)
                    .filter(|(from, to)| to > from && (*to < self.buffer.len() || self.ended))
                    .map(|(from, to)| (from - self.start, to - self.start)),
            };
            if let Some((end, next)) = found {
                let record = rest.get(..end).unwrap_or_default().to_vec();
                self.start += next;
                return Ok(Some(record));
            }
            if self.ended {
                let mut record = rest.to_vec();
                self.start = self.buffer.len();
                if matches!(separator, Separator::Paragraph) && record.last() == Some(&b'\n') {
                    record.pop();
                }
                return Ok(if record.is_empty() { None } else { Some(record) });
            }
            searched = rest.len();
            self.fill()?;
        }
    }
}

enum Output {
    File(BufWriter<File>),
    Pipe(Child),
    Stderr,
}

/// Everything open.
pub(crate) struct Streams {
    pub(crate) stdout: BufWriter<io::Stdout>,
    outputs: HashMap<Vec<u8>, Output>,
    inputs: HashMap<(bool, Vec<u8>), Records>,
}

fn shell(command: &[u8]) -> Command {
    use std::os::unix::ffi::OsStrExt as _;
    let mut shell = Command::new("sh");
    shell.arg("-c").arg(std::ffi::OsStr::from_bytes(command));
    shell
}

fn path(name: &[u8]) -> &std::path::Path {
    use std::os::unix::ffi::OsStrExt as _;
    std::path::Path::new(std::ffi::OsStr::from_bytes(name))
}

impl Streams {
    pub(crate) fn new() -> Self {
        let stdout = BufWriter::with_capacity(1 << 16, io::stdout());
        Self { stdout, outputs: HashMap::new(), inputs: HashMap::new() }
    }

    /// Writes to standard output, or where a redirection goes.
    pub(crate) fn write(
        &mut self,
        to: Option<(RedirectKind, &[u8])>,
        data: &[u8],
    ) -> io::Result<()> {
        let Some((kind, name)) = to else { return self.stdout.write_all(data) };
        if kind != RedirectKind::Pipe && matches!(name, b"/dev/stdout" | b"-") {
            return self.stdout.write_all(data);
        }
        if !self.outputs.contains_key(name) {
            if kind == RedirectKind::Pipe {
                self.flush()?;
            }
            self.outputs.insert(name.to_vec(), open(kind, name)?);
        }
        match self.outputs.get_mut(name) {
            Some(Output::File(file)) => file.write_all(data),
            Some(Output::Pipe(child)) => {
                child.stdin.as_mut().map_or(Ok(()), |pipe| pipe.write_all(data))
            }
            Some(Output::Stderr) => {
                self.stdout.flush()?;
                io::stderr().write_all(data)
            }
            None => Ok(()),
        }
    }

    pub(crate) fn flush(&mut self) -> io::Result<()> {
        self.stdout.flush()?;
        for output in self.outputs.values_mut() {
            if let Output::File(file) = output {
                file.flush()?;
            }
        }
        Ok(())
    }

    /// The next record of a file, or of a command's output.
    pub(crate) fn read(
        &mut self,
        command: bool,
        name: &[u8],
        separator: &Separator,
    ) -> io::Result<Option<Vec<u8>>> {
        let key = (command, name.to_vec());
        if !self.inputs.contains_key(&key) {
            self.flush()?;
            let mut child = None;
            let from: Box<dyn Read> = if command {
                let mut started = shell(name).stdout(Stdio::piped()).spawn()?;
                let pipe = started.stdout.take();
                child = Some(started);
                pipe.map_or(Box::new(io::empty()), |pipe| Box::new(pipe))
            } else if matches!(name, b"-" | b"/dev/stdin") {
                Box::new(io::stdin())
            } else {
                Box::new(File::open(path(name))?)
            };
            let mut records = Records::new(from);
            records.child = child;
            self.inputs.insert(key.clone(), records);
        }
        self.inputs.get_mut(&key).map_or(Ok(None), |records| records.next(separator))
    }

    /// Closes whatever has this name; -1 if nothing has.
    pub(crate) fn close(&mut self, name: &[u8]) -> f64 {
        let mut result = -1.0;
        if let Some(output) = self.outputs.remove(name) {
            result = end(output);
        }
        for command in [false, true] {
            if let Some(records) = self.inputs.remove(&(command, name.to_vec())) {
                drop(records.from);
                result = records.child.map_or(0.0, |mut child| child.wait().map_or(-1.0, status));
            }
        }
        result
    }

    pub(crate) fn close_all(&mut self) -> io::Result<()> {
        self.flush()?;
        self.inputs.clear();
        for (_, output) in self.outputs.drain() {
            end(output);
        }
        Ok(())
    }

    pub(crate) fn system(&mut self, command: &[u8]) -> io::Result<f64> {
        self.flush()?;
        shell(command).status().map(status)
    }
}

fn open(kind: RedirectKind, name: &[u8]) -> io::Result<Output> {
    if kind == RedirectKind::Pipe {
        return Ok(Output::Pipe(shell(name).stdin(Stdio::piped()).spawn()?));
    }
    if name == b"/dev/stderr" {
        return Ok(Output::Stderr);
    }
    let append = kind == RedirectKind::Append;
    let mut options = OpenOptions::new();
    let file =
        options.create(true).write(true).append(append).truncate(!append).open(path(name))?;
    Ok(Output::File(BufWriter::new(file)))
}

fn end(output: Output) -> f64 {
    match output {
        Output::File(mut file) => file.flush().map_or(-1.0, |()| 0.0),
        Output::Pipe(mut child) => {
            drop(child.stdin.take());
            child.wait().map_or(-1.0, status)
        }
        Output::Stderr => 0.0,
    }
}

/// As GNU's: the exit status, or 256 and the signal, or 512 if there is a core dump too.
fn status(status: ExitStatus) -> f64 {
    let killed = if status.core_dumped() { 512 } else { 256 };
    f64::from(status.code().unwrap_or_else(|| killed + status.signal().unwrap_or(0)))
}
