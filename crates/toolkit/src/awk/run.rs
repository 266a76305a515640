//! Runs a program.

mod eval;
mod state;

use super::{
    ast::{Binary, Compare, Expr, Pattern, Program, Redirect, Source, Stmt, Var},
    io::{Records, Separator, Streams},
    printf::sprintf,
    text::Re,
    value::{Array, ArrayRef, Value},
};
use std::{cell::RefCell, cmp::Ordering, collections::HashMap, fs::File, rc::Rc};

/// Variables that mean something, in the first slots.
pub(crate) const SPECIAL: [&str; 16] = [
    "NF", "NR", "FNR", "FS", "OFS", "ORS", "RS", "SUBSEP", "CONVFMT", "OFMT", "RSTART", "RLENGTH",
    "FILENAME", "ENVIRON", "ARGC", "ARGV",
];
pub(super) const NF: usize = 0;
pub(super) const NR: usize = 1;
pub(super) const FNR: usize = 2;
pub(super) const FS: usize = 3;
pub(super) const OFS: usize = 4;
pub(super) const ORS: usize = 5;
pub(super) const RS: usize = 6;
pub(super) const SUBSEP: usize = 7;
pub(super) const CONVFMT: usize = 8;
pub(super) const OFMT: usize = 9;
pub(super) const RSTART: usize = 10;
pub(super) const RLENGTH: usize = 11;
const FILENAME: usize = 12;
const ENVIRON: usize = 13;
const ARGC: usize = 14;
const ARGV: usize = 15;

/// What ends a statement early.
#[derive(Debug)]
pub(crate) enum Stop {
    Break,
    Continue,
    Next,
    NextFile,
    Exit,
    Return(Value),
    Fail(String),
}

impl From<std::io::Error> for Stop {
    fn from(error: std::io::Error) -> Self {
        Self::Fail(crate::applet::reason(&error))
    }
}

pub(super) type Result<T> = std::result::Result<T, Stop>;

/// A variable's content.
#[derive(Clone, Debug)]
enum Cell {
    Scalar(Value),
    Array(ArrayRef),
    /// Nothing yet, handed to a function: an array if it becomes one there.
    Either(ArrayRef),
}

/// A program that runs.
pub(crate) struct Machine<'a> {
    program: &'a Program,
    globals: Vec<Cell>,
    locals: Vec<Cell>,
    /// Where the running function's variables begin.
    frame: usize,
    depth: usize,
    record: Rc<[u8]>,
    fields: Vec<Value>,
    /// `fields` are those of `record`.
    split: bool,
    /// `record` is made of `fields` again before it is read.
    joined: bool,
    /// The record is a text that the program assigned.
    assigned: bool,
    pub(super) streams: Streams,
    input: Option<Records>,
    next_arg: usize,
    seen_file: bool,
    ranges: Vec<bool>,
    regexes: HashMap<Rc<[u8]>, Rc<Re>>,
    status: u8,
    pub(super) random: u64,
    pub(super) seed: f64,
}

/// Functions may call each other so deeply.
const DEEPEST: usize = 1000;

impl<'a> Machine<'a> {
    pub(crate) fn new(program: &'a Program, args: &[Vec<u8>]) -> Self {
        let globals = vec![Cell::Scalar(Value::Nothing); program.globals.len()];
        let mut machine = Self {
            program,
            globals,
            locals: Vec::new(),
            frame: 0,
            depth: 0,
            record: Rc::from(&b""[..]),
            fields: Vec::new(),
            split: true,
            joined: true,
            assigned: false,
            streams: Streams::new(),
            input: None,
            next_arg: 1,
            seen_file: false,
            ranges: vec![false; program.rules.len()],
            regexes: HashMap::new(),
            status: 0,
            random: 0,
            seed: 0.0,
        };
        let defaults: [(usize, &[u8]); 7] = [
            (FS, b" "),
            (OFS, b" "),
            (ORS, b"\n"),
            (RS, b"\n"),
            (SUBSEP, b"\x1c"),
            (CONVFMT, b"%.6g"),
            (OFMT, b"%.6g"),
        ];
        for (slot, text) in defaults {
            machine.set_global(slot, Value::text(text));
        }
        machine.set_global(RLENGTH, Value::Num(-1.0));
        for slot in [NF, NR, FNR, RSTART] {
            machine.set_global(slot, Value::Num(0.0));
        }
        let mut environ = Array::default();
        for (name, value) in std::env::vars_os() {
            use std::os::unix::ffi::OsStringExt as _;
            environ.set(name.into_vec().into(), Value::input(value.into_vec()));
        }
        machine.put(Var::Global(ENVIRON), Cell::Array(Rc::new(RefCell::new(environ))));
        let mut argv = Array::default();
        for (at, arg) in args.iter().enumerate() {
            argv.set(at.to_string().into_bytes().into(), Value::input(arg.as_slice()));
        }
        machine.set_global(ARGC, Value::Num(count(args.len())));
        machine.put(Var::Global(ARGV), Cell::Array(Rc::new(RefCell::new(argv))));
        machine
    }

    /// `-v NAME=VALUE` and `NAME=VALUE` among the files. Whether it has that form.
    pub(crate) fn assign(&mut self, text: &[u8]) -> bool {
        let Some(at) = text.iter().position(|byte| *byte == b'=') else { return false };
        let (name, value) =
            (text.get(..at).unwrap_or_default(), text.get(at + 1..).unwrap_or_default());
        let valid = name.first().is_some_and(|b| b.is_ascii_alphabetic() || *b == b'_')
            && name.iter().all(|b| b.is_ascii_alphanumeric() || *b == b'_');
        if !valid {
            return false;
        }
        let (mut out, mut rest) = (Vec::new(), value);
        while let [byte, after @ ..] = rest {
            if *byte == b'\\' {
                let (bytes, length) = super::lex::escape(after);
                out.extend(bytes);
                rest = after.get(length..).unwrap_or_default();
            } else {
                out.push(*byte);
                rest = after;
            }
        }
        if let Some(slot) = self.program.globals.iter().position(|global| global.as_bytes() == name)
        {
            // A name that the program does not use needs no value.
            let _ = self.set_var(Var::Global(slot), Value::input(out));
        }
        true
    }

    /// Runs everything; the exit status.
    pub(crate) fn run(&mut self) -> std::result::Result<u8, String> {
        let mut done = self.block(&self.program.begin);
        if done.is_ok() && !(self.program.rules.is_empty() && self.program.end.is_empty()) {
            done = self.records();
        }
        // `exit` goes to END.
        if matches!(done, Ok(()) | Err(Stop::Exit)) {
            done = self.block(&self.program.end);
        }
        let closed = self.streams.close_all();
        match done {
            Ok(()) | Err(Stop::Exit) => {
                closed.map(|()| self.status).map_err(|e| crate::applet::reason(&e))
            }
            Err(Stop::Fail(text)) => Err(text),
            Err(_) => Err("next, break, continue or return where it cannot stand".into()),
        }
    }

    fn records(&mut self) -> Result<()> {
        while self.next_record()? {
            for (at, rule) in self.program.rules.iter().enumerate() {
                if !self.applies(at, &rule.pattern)? {
                    continue;
                }
                match self.block(&rule.body) {
                    Ok(()) => {}
                    Err(Stop::Next) => break,
                    Err(Stop::NextFile) => {
                        self.input = None;
                        break;
                    }
                    stop => return stop,
                }
            }
        }
        Ok(())
    }

    fn applies(&mut self, at: usize, pattern: &'a Pattern) -> Result<bool> {
        match pattern {
            Pattern::Always => Ok(true),
            Pattern::When(expr) => self.truth(expr),
            Pattern::Range(from, to) => {
                let inside = self.ranges.get(at).copied().unwrap_or(false);
                if !inside && !self.truth(from)? {
                    return Ok(false);
                }
                let last = self.truth(to)?;
                if let Some(range) = self.ranges.get_mut(at) {
                    *range = !last;
                }
                Ok(true)
            }
        }
    }

    /// Reads the next record of the input into $0.
    fn next_record(&mut self) -> Result<bool> {
        match self.main_input()? {
            None => Ok(false),
            Some(record) => {
                self.count_record();
                self.set_record(record.into());
                Ok(true)
            }
        }
    }

    fn count_record(&mut self) {
        for slot in [NR, FNR] {
            let number = self.global(slot).number() + 1.0;
            self.set_global(slot, Value::Num(number));
        }
    }

    fn main_input(&mut self) -> Result<Option<Vec<u8>>> {
        loop {
            if self.input.is_none() && !self.open_next()? {
                return Ok(None);
            }
            let separator = self.separator()?;
            match self.input.as_mut().map_or(Ok(None), |input| input.next(&separator))? {
                Some(record) => return Ok(Some(record)),
                None => self.input = None,
            }
        }
    }

    fn open_next(&mut self) -> Result<bool> {
        loop {
            let at = self.next_arg;
            #[expect(clippy::cast_precision_loss, reason = "few arguments")]
            if at as f64 >= self.global(ARGC).number() {
                if self.seen_file {
                    return Ok(false);
                }
                self.seen_file = true;
                self.input = Some(Records::new(Box::new(std::io::stdin())));
                return Ok(true);
            }
            self.next_arg += 1;
            let key: Rc<[u8]> = at.to_string().into_bytes().into();
            let argv = self.array(Var::Global(ARGV))?;
            let there = argv.borrow().has(&key);
            let name =
                if there { argv.borrow_mut().get(&key).bytes(b"") } else { Rc::from(&b""[..]) };
            if name.is_empty() || self.assign(&name) {
                continue;
            }
            self.seen_file = true;
            self.set_global(FILENAME, Value::input(Rc::clone(&name)));
            self.set_global(FNR, Value::Num(0.0));
            if matches!(&*name, b"-" | b"/dev/stdin") {
                self.input = Some(Records::new(Box::new(std::io::stdin())));
                return Ok(true);
            }
            use std::os::unix::ffi::OsStrExt as _;
            match File::open(std::ffi::OsStr::from_bytes(&name)) {
                Ok(file) => {
                    self.input = Some(Records::new(Box::new(file)));
                    return Ok(true);
                }
                Err(error) => {
                    let (shown, why) =
                        (String::from_utf8_lossy(&name), crate::applet::reason(&error));
                    return Err(Stop::Fail(format!("cannot open {shown}: {why}")));
                }
            }
        }
    }

    fn separator(&mut self) -> Result<Separator> {
        let text = self.global(RS).bytes(b"%.6g");
        Ok(match &*text {
            [] => Separator::Paragraph,
            [byte] => Separator::Byte(*byte),
            _ => Separator::Regex(self.regex_of(&text)?),
        })
    }

    fn block(&mut self, body: &'a [Stmt]) -> Result<()> {
        body.iter().try_for_each(|stmt| self.stmt(stmt))
    }

    /// A loop's body; whether the loop goes on.
    fn turn(&mut self, body: &'a [Stmt]) -> Result<bool> {
        match self.block(body) {
            Ok(()) | Err(Stop::Continue) => Ok(true),
            Err(Stop::Break) => Ok(false),
            Err(stop) => Err(stop),
        }
    }

    fn stmt(&mut self, stmt: &'a Stmt) -> Result<()> {
        match stmt {
            Stmt::Expr(expr) => self.eval(expr).map(drop),
            Stmt::Print(args, redirect) => {
                let line = self.line(args)?;
                self.output(redirect.as_ref(), &line)
            }
            Stmt::Printf(args, redirect) => {
                let text = self.formatted(args)?;
                self.output(redirect.as_ref(), &text)
            }
            Stmt::If(cond, yes, no) => {
                let chosen = if self.truth(cond)? { yes } else { no };
                self.block(chosen)
            }
            Stmt::While(cond, body) => {
                while self.truth(cond)? && self.turn(body)? {}
                Ok(())
            }
            Stmt::Do(body, cond) => {
                while self.turn(body)? && self.truth(cond)? {}
                Ok(())
            }
            Stmt::For(start, cond, step, body) => {
                self.block(start)?;
                while cond.as_ref().map_or(Ok(true), |cond| self.truth(cond))? {
                    if !self.turn(body)? {
                        break;
                    }
                    self.block(step)?;
                }
                Ok(())
            }
            Stmt::ForIn(key, array, body) => {
                let pairs = self.array(*array)?.borrow().pairs();
                for (name, _) in pairs {
                    self.set_var(*key, Value::input(name))?;
                    if !self.turn(body)? {
                        break;
                    }
                }
                Ok(())
            }
            Stmt::Delete(var, index) => {
                let array = self.array(*var)?;
                if index.is_empty() {
                    array.borrow_mut().clear();
                } else {
                    let key = self.key(index)?;
                    array.borrow_mut().remove(&key);
                }
                Ok(())
            }
            Stmt::Next => Err(Stop::Next),
            Stmt::NextFile => Err(Stop::NextFile),
            Stmt::Break => Err(Stop::Break),
            Stmt::Continue => Err(Stop::Continue),
            Stmt::Exit(status) => {
                if let Some(status) = status {
                    let number = self.number(status)?;
                    self.status = u8::try_from(whole(number.rem_euclid(256.0))).unwrap_or(0);
                }
                Err(Stop::Exit)
            }
            Stmt::Return(value) => {
                let value = value.as_ref().map_or(Ok(Value::Nothing), |value| self.eval(value))?;
                Err(Stop::Return(value))
            }
        }
    }

    fn line(&mut self, args: &'a [Expr]) -> Result<Vec<u8>> {
        let mut line = Vec::new();
        if args.is_empty() {
            line.extend_from_slice(&self.record());
        }
        let (separator, format) =
            (self.global(OFS).bytes(b"%.6g"), self.global(OFMT).bytes(b"%.6g"));
        for (at, arg) in args.iter().enumerate() {
            if at > 0 {
                line.extend_from_slice(&separator);
            }
            line.extend_from_slice(&self.eval(arg)?.bytes(&format));
        }
        line.extend_from_slice(&self.global(ORS).bytes(b"%.6g"));
        Ok(line)
    }

    pub(super) fn formatted(&mut self, args: &'a [Expr]) -> Result<Vec<u8>> {
        let Some((format, args)) = args.split_first() else { return Ok(Vec::new()) };
        let format = self.string(format)?;
        let values = args.iter().map(|arg| self.eval(arg)).collect::<Result<Vec<_>>>()?;
        Ok(sprintf(&format, &values, &self.convfmt()))
    }

    fn output(&mut self, redirect: Option<&'a Redirect>, data: &[u8]) -> Result<()> {
        let Some(redirect) = redirect else { return Ok(self.streams.write(None, data)?) };
        let name = self.string(&redirect.target)?;
        let shown = |error| {
            let name = String::from_utf8_lossy(&name).into_owned();
            Stop::Fail(format!("{name}: {}", crate::applet::reason(&error)))
        };
        self.streams.write(Some((redirect.kind, &name)), data).map_err(shown)
    }
}

/// A script's slip must not fill all memory.
const MOST_FIELDS: usize = 10_000_000;

/// A number as a count.
#[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "saturates")]
pub(super) fn whole(number: f64) -> usize {
    number as usize
}

#[expect(clippy::cast_precision_loss, reason = "counts are small")]
pub(super) fn count(number: usize) -> f64 {
    number as f64
}

pub(super) fn split_by<'t>(re: &Re, text: &'t [u8]) -> Vec<&'t [u8]> {
    let (mut parts, mut last, mut from) = (Vec::new(), 0, 0);
    while let Some((start, end)) = re.find(text, from) {
        if end > start {
            parts.push(text.get(last..start).unwrap_or_default());
            last = end;
        }
        from = end.max(start + 1);
        if from > text.len() {
            break;
        }
    }
    parts.push(text.get(last..).unwrap_or_default());
    parts
}

fn arithmetic(op: Binary, a: f64, b: f64) -> Result<f64> {
    Ok(match op {
        Binary::Add => a + b,
        Binary::Sub => a - b,
        Binary::Mul => a * b,
        Binary::Div | Binary::Mod if b == 0.0 => {
            return Err(Stop::Fail("division by zero".into()));
        }
        Binary::Div => a / b,
        Binary::Mod => a % b,
        Binary::Pow => a.powf(b),
    })
}
