//! Runs a program.

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

    // Variables.

    fn cell(&self, var: Var) -> Option<&Cell> {
        match var {
            Var::Global(slot) => self.globals.get(slot),
            Var::Local(slot) => self.locals.get(self.frame + slot),
        }
    }

    fn put(&mut self, var: Var, cell: Cell) {
        let place = match var {
            Var::Global(slot) => self.globals.get_mut(slot),
            Var::Local(slot) => self.locals.get_mut(self.frame + slot),
        };
        if let Some(place) = place {
            *place = cell;
        }
    }

    pub(super) fn global(&self, slot: usize) -> Value {
        match self.globals.get(slot) {
            Some(Cell::Scalar(value)) => value.clone(),
            _ => Value::Nothing,
        }
    }

    pub(super) fn set_global(&mut self, slot: usize, value: Value) {
        self.put(Var::Global(slot), Cell::Scalar(value));
    }

    fn get_var(&mut self, var: Var) -> Result<Value> {
        if var == Var::Global(NF) {
            self.split_record()?;
        }
        match self.cell(var) {
            Some(Cell::Scalar(value)) => Ok(value.clone()),
            Some(Cell::Array(_)) => Err(Stop::Fail("an array is used as a value".into())),
            _ => Ok(Value::Nothing),
        }
    }

    fn set_var(&mut self, var: Var, value: Value) -> Result<()> {
        if matches!(self.cell(var), Some(Cell::Array(_))) {
            return Err(Stop::Fail("a value is given to an array".into()));
        }
        if var == Var::Global(NF) {
            self.split_record()?;
            let length = whole(value.number());
            if length > MOST_FIELDS {
                return Err(Stop::Fail("NF is too large".into()));
            }
            self.fields.resize(length, Value::Nothing);
            self.joined = false;
        }
        self.put(var, Cell::Scalar(value));
        Ok(())
    }

    pub(super) fn array(&mut self, var: Var) -> Result<ArrayRef> {
        match self.cell(var) {
            Some(Cell::Array(array)) => Ok(Rc::clone(array)),
            Some(Cell::Either(array)) => {
                let array = Rc::clone(array);
                self.put(var, Cell::Array(Rc::clone(&array)));
                Ok(array)
            }
            Some(Cell::Scalar(Value::Nothing)) => {
                let array = ArrayRef::default();
                self.put(var, Cell::Array(Rc::clone(&array)));
                Ok(array)
            }
            _ => Err(Stop::Fail("a value is used as an array".into())),
        }
    }

    /// How many elements an array has; `None` if it is no array.
    pub(super) fn array_length(&self, var: Var) -> Option<usize> {
        match self.cell(var) {
            Some(Cell::Array(array) | Cell::Either(array)) => Some(array.borrow().len()),
            _ => None,
        }
    }

    /// Gives $0 another text.
    pub(super) fn set_whole(&mut self, text: Vec<u8>) {
        self.set_record(text.into());
    }

    pub(super) fn convfmt(&self) -> Rc<[u8]> {
        self.global(CONVFMT).bytes(b"%.6g")
    }

    /// Text of a value.
    pub(super) fn bytes(&self, value: &Value) -> Rc<[u8]> {
        match value {
            Value::Num(_) => value.bytes(&self.convfmt()),
            value => value.bytes(b""),
        }
    }

    // The record and its fields.

    fn set_record(&mut self, record: Rc<[u8]>) {
        self.record = record;
        (self.split, self.joined) = (false, true);
    }

    pub(super) fn record(&mut self) -> Rc<[u8]> {
        if !self.joined {
            let separator = self.global(OFS).bytes(b"%.6g");
            let parts: Vec<Rc<[u8]>> = self.fields.iter().map(|field| self.bytes(field)).collect();
            self.record = parts.join(&*separator).into();
            self.joined = true;
        }
        Rc::clone(&self.record)
    }

    fn split_record(&mut self) -> Result<()> {
        if self.split {
            return Ok(());
        }
        self.split = true;
        let (record, separator) = (Rc::clone(&self.record), self.global(FS).bytes(b"%.6g"));
        let paragraph = self.global(RS).bytes(b"").is_empty();
        let parts = self.split_text(&record, &separator, paragraph)?;
        self.fields = parts.into_iter().map(Value::input).collect();
        self.set_global(NF, Value::Num(count(self.fields.len())));
        Ok(())
    }

    /// Divides as FS says; in paragraphs the ends of lines divide too.
    pub(super) fn split_text<'t>(
        &mut self,
        text: &'t [u8],
        by: &[u8],
        lines: bool,
    ) -> Result<Vec<&'t [u8]>> {
        if text.is_empty() {
            return Ok(Vec::new());
        }
        Ok(match by {
            b" " => {
                let blank = |byte: &u8| matches!(byte, b' ' | b'\t' | b'\n');
                text.split(blank).filter(|part| !part.is_empty()).collect()
            }
            [] => text.chunks(1).collect(),
            // One character is itself, whatever it means in an expression.
            [byte] => text.split(|b| b == byte || (lines && *b == b'\n')).collect(),
            _ => {
                let by: Rc<[u8]> =
                    if lines { [b"(", by, b")|\n"].concat().into() } else { by.into() };
                let re = self.regex_of(&by)?;
                split_by(&re, text)
            }
        })
    }

    fn get_field(&mut self, at: f64) -> Result<Value> {
        if at < 0.0 {
            return Err(Stop::Fail("a field's number is negative".into()));
        }
        match whole(at) {
            0 => Ok(Value::input(self.record())),
            at => {
                self.split_record()?;
                Ok(self.fields.get(at - 1).cloned().unwrap_or(Value::Nothing))
            }
        }
    }

    fn set_field(&mut self, at: f64, value: Value) -> Result<()> {
        let at = whole(at);
        if at > MOST_FIELDS {
            return Err(Stop::Fail("a field's number is too large".into()));
        }
        if at == 0 {
            let text = self.bytes(&value);
            self.set_record(text);
            return Ok(());
        }
        self.split_record()?;
        if at > self.fields.len() {
            self.fields.resize(at, Value::Nothing);
            self.set_global(NF, Value::Num(count(at)));
        }
        if let Some(field) = self.fields.get_mut(at - 1) {
            *field = value;
        }
        self.joined = false;
        Ok(())
    }

    // Expressions.

    pub(super) fn regex_of(&mut self, source: &Rc<[u8]>) -> Result<Rc<Re>> {
        if let Some(re) = self.regexes.get(source) {
            return Ok(Rc::clone(re));
        }
        let re = Rc::new(Re::new(source).map_err(Stop::Fail)?);
        if self.regexes.len() > 500 {
            self.regexes.clear();
        }
        self.regexes.insert(Rc::clone(source), Rc::clone(&re));
        Ok(re)
    }

    /// An expression in the place of a regular expression.
    pub(super) fn regex(&mut self, expr: &'a Expr) -> Result<Rc<Re>> {
        if let Expr::Regex(re) = expr {
            return Ok(Rc::clone(re));
        }
        let value = self.eval(expr)?;
        let text = self.bytes(&value);
        self.regex_of(&text)
    }

    fn truth(&mut self, expr: &'a Expr) -> Result<bool> {
        Ok(self.eval(expr)?.truth())
    }

    pub(super) fn number(&mut self, expr: &'a Expr) -> Result<f64> {
        Ok(self.eval(expr)?.number())
    }

    pub(super) fn string(&mut self, expr: &'a Expr) -> Result<Rc<[u8]>> {
        let value = self.eval(expr)?;
        Ok(self.bytes(&value))
    }

    fn key(&mut self, index: &'a [Expr]) -> Result<Rc<[u8]>> {
        if let [only] = index {
            return self.string(only);
        }
        let separator = self.global(SUBSEP).bytes(b"%.6g");
        let parts = index.iter().map(|part| self.string(part)).collect::<Result<Vec<_>>>()?;
        Ok(parts.join(&*separator).into())
    }

    pub(super) fn eval(&mut self, expr: &'a Expr) -> Result<Value> {
        let flag = |yes: bool| Value::Num(f64::from(u8::from(yes)));
        Ok(match expr {
            Expr::Num(number) => Value::Num(*number),
            Expr::Str(text) => Value::Str(Rc::clone(text)),
            Expr::Regex(re) => {
                let record = self.record();
                flag(re.is_match(&record))
            }
            Expr::Var(var) => self.get_var(*var)?,
            Expr::Field(at) => {
                let at = self.number(at)?;
                self.get_field(at)?
            }
            Expr::Index(var, index) => {
                let key = self.key(index)?;
                let array = self.array(*var)?;
                array.borrow_mut().get(&key)
            }
            Expr::Assign(target, op, value) => {
                let value = self.eval(value)?;
                let value = match op {
                    None => value,
                    Some(op) => Value::Num(arithmetic(*op, self.number(target)?, value.number())?),
                };
                self.store(target, value.clone())?;
                value
            }
            Expr::Step { target, by, before } => {
                let old = self.number(target)?;
                self.store(target, Value::Num(old + by))?;
                Value::Num(if *before { old + by } else { old })
            }
            Expr::Cond(cond, yes, no) => {
                let chosen = if self.truth(cond)? { yes } else { no };
                self.eval(chosen)?
            }
            Expr::And(a, b) => flag(self.truth(a)? && self.truth(b)?),
            Expr::Or(a, b) => flag(self.truth(a)? || self.truth(b)?),
            Expr::Not(a) => flag(!self.truth(a)?),
            Expr::Neg(a) => Value::Num(-self.number(a)?),
            Expr::Plus(a) => Value::Num(self.number(a)?),
            Expr::Binary(op, a, b) => {
                let a = self.number(a)?;
                Value::Num(arithmetic(*op, a, self.number(b)?)?)
            }
            Expr::Compare(op, a, b) => {
                let (a, b) = (self.eval(a)?, self.eval(b)?);
                let order = a.compare(&b, &self.convfmt());
                flag(match op {
                    Compare::Lt => order == Ordering::Less,
                    Compare::Le => order != Ordering::Greater,
                    Compare::Eq => order == Ordering::Equal,
                    Compare::Ne => order != Ordering::Equal,
                    Compare::Gt => order == Ordering::Greater,
                    Compare::Ge => order != Ordering::Less,
                })
            }
            Expr::Concat(a, b) => {
                let a = self.string(a)?;
                let b = self.string(b)?;
                Value::text([&*a, &*b].concat())
            }
            Expr::Match(yes, text, re) => {
                let text = self.string(text)?;
                flag(self.regex(re)?.is_match(&text) == *yes)
            }
            Expr::In(index, var) => {
                let key = self.key(index)?;
                let there = self.array(*var)?.borrow().has(&key);
                flag(there)
            }
            Expr::Call(at, args) => self.call(*at, args)?,
            Expr::Builtin(builtin, args) => self.builtin(*builtin, args)?,
            Expr::Getline(source, target) => self.getline(source, target.as_deref())?,
            Expr::Group(inner) => self.eval(inner)?,
        })
    }

    pub(super) fn store(&mut self, target: &'a Expr, value: Value) -> Result<()> {
        match target {
            Expr::Var(var) => self.set_var(*var, value),
            Expr::Field(at) => {
                let at = self.number(at)?;
                self.set_field(at, value)
            }
            Expr::Index(var, index) => {
                let key = self.key(index)?;
                self.array(*var)?.borrow_mut().set(key, value);
                Ok(())
            }
            Expr::Group(inner) => self.store(inner, value),
            // `sub(/a/, "b", "text")`: the result is lost.
            _ => Ok(()),
        }
    }

    fn getline(&mut self, source: &'a Source, target: Option<&'a Expr>) -> Result<Value> {
        let separator = self.separator()?;
        let read = match source {
            Source::Input => self.main_input(),
            Source::File(name) | Source::Command(name) => {
                let name = self.string(name)?;
                let command = matches!(source, Source::Command(_));
                self.streams.read(command, &name, &separator).map_err(Stop::from)
            }
        };
        let record = match read {
            Ok(Some(record)) => record,
            Ok(None) => return Ok(Value::Num(0.0)),
            Err(_) => return Ok(Value::Num(-1.0)),
        };
        match source {
            Source::Input => self.count_record(),
            Source::Command(_) => {
                let number = self.global(NR).number() + 1.0;
                self.set_global(NR, Value::Num(number));
            }
            Source::File(_) => {}
        }
        match target {
            Some(target) => self.store(target, Value::input(record))?,
            None => self.set_record(record.into()),
        }
        Ok(Value::Num(1.0))
    }

    fn call(&mut self, at: usize, args: &'a [Expr]) -> Result<Value> {
        let Some(function) = self.program.functions.get(at) else { return Ok(Value::Nothing) };
        if args.len() > function.params {
            return Err(Stop::Fail(format!(
                "function {} is called with too many arguments",
                function.name
            )));
        }
        let mut cells = Vec::with_capacity(function.params);
        let mut given = Vec::new();
        for arg in args {
            cells.push(match arg {
                Expr::Var(var) => match self.cell(*var) {
                    Some(Cell::Array(array)) => Cell::Array(Rc::clone(array)),
                    Some(Cell::Either(array)) => Cell::Either(Rc::clone(array)),
                    Some(Cell::Scalar(Value::Nothing)) => {
                        let array = ArrayRef::default();
                        given.push((*var, cells.len()));
                        Cell::Either(array)
                    }
                    _ => Cell::Scalar(self.eval(arg)?),
                },
                arg => Cell::Scalar(self.eval(arg)?),
            });
        }
        cells.resize(function.params, Cell::Scalar(Value::Nothing));
        self.depth += 1;
        if self.depth > DEEPEST {
            return Err(Stop::Fail("functions call each other too deeply".into()));
        }
        let (frame, base) = (self.frame, self.locals.len());
        self.locals.extend(cells);
        self.frame = base;
        let done = self.block(&function.body);
        let after = self.locals.split_off(base);
        self.frame = frame;
        self.depth -= 1;
        for (var, slot) in given {
            if let (Some(Cell::Array(array)), Some(Cell::Scalar(Value::Nothing))) =
                (after.get(slot), self.cell(var))
            {
                let array = Rc::clone(array);
                self.put(var, Cell::Array(array));
            }
        }
        match done {
            Ok(()) => Ok(Value::Nothing),
            Err(Stop::Return(value)) => Ok(value),
            Err(stop) => Err(stop),
        }
    }

    // Statements.

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
