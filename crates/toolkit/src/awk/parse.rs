//! Words to a tree, by recursive descent over the grammar of POSIX.

mod expr;

use super::{
    ast::{Expr, Function, Pattern, Program, Redirect, RedirectKind, Rule, Stmt, Var},
    lex::{Lexer, Token},
    run::SPECIAL,
};
use std::collections::HashMap;

type Result<T> = std::result::Result<T, String>;

/// Parses a program. The error says the line.
pub(crate) fn parse(source: &[u8]) -> Result<Program> {
    let mut parser = Parser {
        lexer: Lexer::new(source),
        token: Token::Newline,
        program: Program::default(),
        names: HashMap::new(),
        functions: HashMap::new(),
        defined: Vec::new(),
        locals: Vec::new(),
        plain_in: true,
        plain_gt: true,
        depth: 0,
    };
    for name in SPECIAL {
        parser.global(name);
    }
    parser.all().map_err(|text| format!("line {}: {text}", parser.lexer.line))?;
    let missing = parser.functions.iter().find(|(_, at)| !parser.defined.contains(at));
    match missing {
        Some((name, _)) => Err(format!("function `{name}' not defined")),
        None => Ok(parser.program),
    }
}

struct Parser<'a> {
    lexer: Lexer<'a>,
    token: Token,
    program: Program,
    names: HashMap<String, usize>,
    functions: HashMap<String, usize>,
    defined: Vec<usize>,
    locals: Vec<String>,
    /// `in` is an operator here, `>` a comparison.
    plain_in: bool,
    plain_gt: bool,
    depth: usize,
}

/// Deeper than anyone writes, and not deeper than the stack.
const DEEPEST: usize = 200;

impl Parser<'_> {
    fn advance(&mut self) -> Result<Token> {
        let next = self.lexer.next()?;
        Ok(std::mem::replace(&mut self.token, next))
    }

    fn is(&self, op: &'static str) -> bool {
        self.token == Token::Op(op)
    }

    fn word(&self, word: &'static str) -> bool {
        self.token == Token::Word(word)
    }

    fn take(&mut self, op: &'static str) -> Result<bool> {
        let found = self.is(op) || self.word(op);
        if found {
            self.advance()?;
        }
        Ok(found)
    }

    fn need(&mut self, op: &'static str) -> Result<()> {
        if self.take(op)? { Ok(()) } else { self.wrong(&format!("`{op}' is missing")) }
    }

    fn wrong<T>(&self, text: &str) -> Result<T> {
        let near = match &self.token {
            Token::End => "the end".to_owned(),
            Token::Newline => "the end of the line".to_owned(),
            Token::Op(op) | Token::Word(op) => format!("`{op}'"),
            Token::Name(name) | Token::Func(name) => format!("`{name}'"),
            Token::Num(number) => format!("{number}"),
            Token::Str(text) => format!("{:?}", String::from_utf8_lossy(text)),
        };
        Err(format!("syntax error: {text} near {near}"))
    }

    fn newlines(&mut self) -> Result<()> {
        while self.token == Token::Newline {
            self.advance()?;
        }
        Ok(())
    }

    fn ends(&mut self) -> Result<()> {
        while self.token == Token::Newline || self.is(";") {
            self.advance()?;
        }
        Ok(())
    }

    fn global(&mut self, name: &str) -> usize {
        let next = self.names.len();
        let slot = *self.names.entry(name.to_owned()).or_insert(next);
        if slot == next {
            self.program.globals.push(name.to_owned());
        }
        slot
    }

    fn var(&mut self, name: &str) -> Var {
        match self.locals.iter().position(|local| local == name) {
            Some(at) => Var::Local(at),
            None => Var::Global(self.global(name)),
        }
    }

    fn function(&mut self, name: &str) -> usize {
        let next = self.functions.len();
        let at = *self.functions.entry(name.to_owned()).or_insert(next);
        if at == next {
            self.program.functions.push(Function { params: 0, body: Vec::new() });
        }
        at
    }

    fn all(&mut self) -> Result<()> {
        self.advance()?;
        self.ends()?;
        while self.token != Token::End {
            self.item()?;
            self.ends()?;
        }
        Ok(())
    }

    fn item(&mut self) -> Result<()> {
        if self.take("BEGIN")? {
            let body = self.block()?;
            self.program.begin.extend(body);
        } else if self.take("END")? {
            let body = self.block()?;
            self.program.end.extend(body);
        } else if self.take("function")? {
            self.definition()?;
        } else {
            let pattern = if self.is("{") {
                Pattern::Always
            } else {
                let from = self.expr()?;
                if self.take(",")? {
                    self.newlines()?;
                    Pattern::Range(from, self.expr()?)
                } else {
                    Pattern::When(from)
                }
            };
            let body =
                if self.is("{") { self.block()? } else { vec![Stmt::Print(Vec::new(), None)] };
            self.program.rules.push(Rule { pattern, body });
        }
        Ok(())
    }

    fn definition(&mut self) -> Result<()> {
        let (Token::Name(name) | Token::Func(name)) = self.advance()? else {
            return self.wrong("a function's name is missing");
        };
        self.need("(")?;
        let mut params = Vec::new();
        while let Token::Name(param) = &self.token {
            params.push(param.clone());
            self.advance()?;
            if !self.take(",")? {
                break;
            }
            self.newlines()?;
            if !matches!(self.token, Token::Name(_)) {
                return self.wrong("a parameter is missing after `,'");
            }
        }
        self.need(")")?;
        self.newlines()?;
        let at = self.function(&name);
        if self.defined.contains(&at) {
            return self.wrong(&format!("function {name} is defined twice"));
        }
        self.defined.push(at);
        let count = params.len();
        self.locals = params;
        let body = self.block()?;
        self.locals.clear();
        if let Some(function) = self.program.functions.get_mut(at) {
            (function.params, function.body) = (count, body);
        }
        Ok(())
    }

    fn block(&mut self) -> Result<Vec<Stmt>> {
        self.newlines()?;
        self.need("{")?;
        let mut body = Vec::new();
        self.ends()?;
        while !self.is("}") {
            if self.token == Token::End {
                return self.wrong("`}' is missing");
            }
            self.stmt(&mut body)?;
            self.ends()?;
        }
        self.advance()?;
        Ok(body)
    }

    /// One statement, or a block of them.
    fn body(&mut self) -> Result<Vec<Stmt>> {
        self.newlines()?;
        if self.is("{") {
            return self.block();
        }
        if self.take(";")? {
            return Ok(Vec::new());
        }
        let mut body = Vec::new();
        self.stmt(&mut body)?;
        Ok(body)
    }

    fn stmt(&mut self, out: &mut Vec<Stmt>) -> Result<()> {
        self.depth += 1;
        if self.depth > DEEPEST {
            return self.wrong("nested too deeply");
        }
        let Token::Word(word) = self.token else {
            if self.is("{") {
                out.extend(self.block()?);
            } else {
                out.push(self.simple()?);
                self.end_of_simple()?;
            }
            self.depth -= 1;
            return Ok(());
        };
        let made = match word {
            "if" => self.if_stmt()?,
            "while" => {
                self.advance()?;
                let cond = self.in_parens()?;
                // `while (...);` has an empty body.
                Stmt::While(cond, self.body()?)
            }
            "do" => {
                self.advance()?;
                let body = self.body()?;
                self.ends()?;
                self.need("while")?;
                Stmt::Do(body, self.in_parens()?)
            }
            "for" => self.for_stmt()?,
            _ => {
                let made = self.simple()?;
                self.end_of_simple()?;
                made
            }
        };
        out.push(made);
        self.depth -= 1;
        Ok(())
    }

    fn end_of_simple(&mut self) -> Result<()> {
        match self.token {
            Token::Newline | Token::Op(";") => self.advance().map(|_| ()),
            Token::Op("}") | Token::End => Ok(()),
            _ => self.wrong("a statement does not end"),
        }
    }

    fn in_parens(&mut self) -> Result<Expr> {
        self.need("(")?;
        let expr = self.free(Self::expr)?;
        self.need(")")?;
        Ok(expr)
    }

    /// Parses with `in` and `>` as operators again.
    fn free<T>(&mut self, parse: impl FnOnce(&mut Self) -> Result<T>) -> Result<T> {
        let before = std::mem::replace(&mut self.plain_in, true);
        let gt = std::mem::replace(&mut self.plain_gt, true);
        let parsed = parse(self);
        (self.plain_in, self.plain_gt) = (before, gt);
        parsed
    }

    fn if_stmt(&mut self) -> Result<Stmt> {
        self.advance()?;
        let cond = self.in_parens()?;
        let yes = self.body()?;
        // `else` may stand behind any number of ends; if it does not, they were not ours.
        let (lexer, token) = (self.lexer, self.token.clone());
        self.ends()?;
        if self.take("else")? {
            return Ok(Stmt::If(cond, yes, self.body()?));
        }
        (self.lexer, self.token) = (lexer, token);
        Ok(Stmt::If(cond, yes, Vec::new()))
    }

    fn for_stmt(&mut self) -> Result<Stmt> {
        self.advance()?;
        self.need("(")?;
        let (lexer, token) = (self.lexer, self.token.clone());
        if let Token::Name(key) = self.token.clone() {
            self.advance()?;
            if self.take("in")?
                && let Token::Name(array) = self.token.clone()
            {
                self.advance()?;
                if self.take(")")? {
                    let (key, array) = (self.var(&key), self.var(&array));
                    return Ok(Stmt::ForIn(key, array, self.body()?));
                }
            }
            (self.lexer, self.token) = (lexer, token);
        }
        let start = if self.is(";") { Vec::new() } else { vec![self.simple()?] };
        self.need(";")?;
        self.newlines()?;
        let cond = if self.is(";") { None } else { Some(self.expr()?) };
        self.need(";")?;
        self.newlines()?;
        let step = if self.is(")") { Vec::new() } else { vec![self.simple()?] };
        self.need(")")?;
        Ok(Stmt::For(start, cond, step, self.body()?))
    }

    fn simple(&mut self) -> Result<Stmt> {
        let Token::Word(word) = self.token else { return Ok(Stmt::Expr(self.expr()?)) };
        match word {
            "print" | "printf" => return self.print(word == "printf"),
            "getline" => return Ok(Stmt::Expr(self.expr()?)),
            _ => {
                self.advance()?;
            }
        }
        let ended = matches!(self.token, Token::Newline | Token::End | Token::Op(";" | "}"));
        Ok(match word {
            "next" => Stmt::Next,
            "nextfile" => Stmt::NextFile,
            "break" => Stmt::Break,
            "continue" => Stmt::Continue,
            "exit" => Stmt::Exit(if ended { None } else { Some(self.expr()?) }),
            "return" => Stmt::Return(if ended { None } else { Some(self.expr()?) }),
            "delete" => {
                let Token::Name(name) = self.advance()? else { return self.wrong("delete what?") };
                let var = self.var(&name);
                let index = if self.take("[")? { self.list("]")? } else { Vec::new() };
                Stmt::Delete(var, index)
            }
            _ => return self.wrong("a statement cannot begin so"),
        })
    }

    /// Expressions up to a closing sign, which is taken.
    fn list(&mut self, end: &'static str) -> Result<Vec<Expr>> {
        self.free(|parser| {
            let mut list = Vec::new();
            parser.newlines()?;
            while !parser.is(end) {
                list.push(parser.expr()?);
                parser.newlines()?;
                if !parser.take(",")? {
                    break;
                }
                parser.newlines()?;
            }
            parser.need(end)?;
            Ok(list)
        })
    }

    fn print(&mut self, formatted: bool) -> Result<Stmt> {
        self.advance()?;
        let args = self.print_args()?;
        let kind = match self.token {
            Token::Op(">") => Some(RedirectKind::Write),
            Token::Op(">>") => Some(RedirectKind::Append),
            Token::Op("|") => Some(RedirectKind::Pipe),
            _ => None,
        };
        let redirect = match kind {
            Some(kind) => {
                self.advance()?;
                let before = std::mem::replace(&mut self.plain_gt, false);
                let target = self.concat();
                self.plain_gt = before;
                Some(Redirect { kind, target: target? })
            }
            None => None,
        };
        if formatted && args.is_empty() {
            return self.wrong("printf needs a format");
        }
        Ok(if formatted { Stmt::Printf(args, redirect) } else { Stmt::Print(args, redirect) })
    }

    fn print_args(&mut self) -> Result<Vec<Expr>> {
        let done = |token: &Token| {
            matches!(token, Token::Newline | Token::End | Token::Op(";" | "}" | ">" | ">>" | "|"))
        };
        if done(&self.token) {
            return Ok(Vec::new());
        }
        if self.is("(") {
            let (lexer, token) = (self.lexer, self.token.clone());
            self.advance()?;
            if let Ok(list) = self.list(")")
                && done(&self.token)
                && !list.is_empty()
            {
                return Ok(list);
            }
            (self.lexer, self.token) = (lexer, token);
        }
        let before = std::mem::replace(&mut self.plain_gt, false);
        let mut list = Vec::new();
        let parsed = loop {
            match self.expr() {
                Ok(expr) => list.push(expr),
                Err(error) => break Err(error),
            }
            if !self.is(",") {
                break Ok(());
            }
            self.advance()?;
            self.newlines()?;
        };
        self.plain_gt = before;
        parsed.map(|()| list)
    }
}
