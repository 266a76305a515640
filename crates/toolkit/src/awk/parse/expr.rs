//! Expressions, from what binds least to what binds most.

use super::{DEEPEST, Parser, Result};
use crate::awk::{
    ast::{Binary, Builtin, Compare, Expr, Source},
    lex::Token,
    text::Re,
};
use std::rc::Rc;

impl Parser<'_> {
    pub(super) fn expr(&mut self) -> Result<Expr> {
        self.depth += 1;
        if self.depth > DEEPEST {
            return self.wrong("nested too deeply");
        }
        let made = self.assignment();
        self.depth -= 1;
        made
    }

    fn assignment(&mut self) -> Result<Expr> {
        let left = self.ternary()?;
        let op = match self.token {
            Token::Op("=") => None,
            Token::Op("+=") => Some(Binary::Add),
            Token::Op("-=") => Some(Binary::Sub),
            Token::Op("*=") => Some(Binary::Mul),
            Token::Op("/=") => Some(Binary::Div),
            Token::Op("%=") => Some(Binary::Mod),
            Token::Op("^=") => Some(Binary::Pow),
            _ => return Ok(left),
        };
        // `1 == x = 2` and `a && b = 1` assign to what stands right before the sign.
        self.advance()?;
        self.newlines()?;
        let right = self.expr()?;
        assign(left, op, right).or_else(|()| self.wrong("this cannot be assigned to"))
    }

    fn ternary(&mut self) -> Result<Expr> {
        let cond = self.or()?;
        if !self.take("?")? {
            return Ok(cond);
        }
        self.newlines()?;
        let yes = self.expr()?;
        self.newlines()?;
        self.need(":")?;
        self.newlines()?;
        let no = self.expr()?;
        Ok(Expr::Cond(cond.into(), yes.into(), no.into()))
    }

    fn or(&mut self) -> Result<Expr> {
        let mut left = self.and()?;
        while self.take("||")? {
            self.newlines()?;
            left = Expr::Or(left.into(), self.and()?.into());
        }
        Ok(left)
    }

    fn and(&mut self) -> Result<Expr> {
        let mut left = self.membership()?;
        while self.take("&&")? {
            self.newlines()?;
            left = Expr::And(left.into(), self.membership()?.into());
        }
        Ok(left)
    }

    fn membership(&mut self) -> Result<Expr> {
        let mut left = self.matching()?;
        while self.plain_in && self.take("in")? {
            let Token::Name(name) = self.advance()? else { return self.wrong("in what?") };
            left = Expr::In(vec![left], self.var(&name));
        }
        Ok(left)
    }

    fn matching(&mut self) -> Result<Expr> {
        let mut left = self.comparison()?;
        loop {
            let yes = match self.token {
                Token::Op("~") => true,
                Token::Op("!~") => false,
                _ => return Ok(left),
            };
            self.advance()?;
            left = Expr::Match(yes, left.into(), self.comparison()?.into());
        }
    }

    fn comparison(&mut self) -> Result<Expr> {
        let left = self.concat()?;
        let compare = match self.token {
            Token::Op("<") => Compare::Lt,
            Token::Op("<=") => Compare::Le,
            Token::Op("==") => Compare::Eq,
            Token::Op("!=") => Compare::Ne,
            Token::Op(">") if self.plain_gt => Compare::Gt,
            Token::Op(">=") => Compare::Ge,
            _ => return Ok(left),
        };
        self.advance()?;
        Ok(Expr::Compare(compare, left.into(), self.concat()?.into()))
    }

    pub(super) fn concat(&mut self) -> Result<Expr> {
        let mut left = self.additive()?;
        loop {
            let more = match &self.token {
                Token::Num(_) | Token::Str(_) | Token::Name(_) | Token::Func(_) => true,
                Token::Op(op) => matches!(*op, "$" | "!" | "(" | "-" | "+" | "++" | "--"),
                _ => false,
            };
            if more {
                left = Expr::Concat(left.into(), self.additive()?.into());
            } else if self.is("|") && self.lexer.at_getline() {
                self.advance()?;
                self.advance()?;
                let target = self.optional_target()?;
                let read = Expr::Getline(Source::Command(left.into()), target);
                // What was read is an operand of what follows.
                let read = self.multiplied(read)?;
                left = self.added(read)?;
            } else {
                return Ok(left);
            }
        }
    }

    fn additive(&mut self) -> Result<Expr> {
        let left = self.multiplicative()?;
        self.added(left)
    }

    fn added(&mut self, mut left: Expr) -> Result<Expr> {
        loop {
            let op = match self.token {
                Token::Op("+") => Binary::Add,
                Token::Op("-") => Binary::Sub,
                _ => return Ok(left),
            };
            self.advance()?;
            left = Expr::Binary(op, left.into(), self.multiplicative()?.into());
        }
    }

    fn multiplicative(&mut self) -> Result<Expr> {
        let left = self.unary()?;
        self.multiplied(left)
    }

    fn multiplied(&mut self, mut left: Expr) -> Result<Expr> {
        loop {
            let op = match self.token {
                Token::Op("*") => Binary::Mul,
                Token::Op("/") => Binary::Div,
                Token::Op("%") => Binary::Mod,
                _ => return Ok(left),
            };
            self.advance()?;
            left = Expr::Binary(op, left.into(), self.unary()?.into());
        }
    }

    fn unary(&mut self) -> Result<Expr> {
        self.depth += 1;
        if self.depth > DEEPEST {
            return self.wrong("nested too deeply");
        }
        let made = if self.take("!")? {
            Expr::Not(self.unary()?.into())
        } else if self.take("-")? {
            Expr::Neg(self.unary()?.into())
        } else if self.take("+")? {
            Expr::Plus(self.unary()?.into())
        } else {
            self.power()?
        };
        self.depth -= 1;
        Ok(made)
    }

    fn power(&mut self) -> Result<Expr> {
        let base = self.postfix()?;
        if !self.take("^")? {
            return Ok(base);
        }
        // To the right first, and a sign binds tighter there: 2^-1.
        let exponent = self.unary()?;
        Ok(Expr::Binary(Binary::Pow, base.into(), exponent.into()))
    }

    fn postfix(&mut self) -> Result<Expr> {
        let expr = self.primary()?;
        let by = match self.token {
            Token::Op("++") => 1.0,
            Token::Op("--") => -1.0,
            _ => return Ok(expr),
        };
        if !matches!(expr, Expr::Var(_) | Expr::Index(..) | Expr::Field(_)) {
            return Ok(expr);
        }
        self.advance()?;
        Ok(Expr::Step { target: expr.into(), by, before: false })
    }

    fn primary(&mut self) -> Result<Expr> {
        if self.is("/") || self.is("/=") {
            let mut source = if self.is("/=") { b"=".to_vec() } else { Vec::new() };
            source.extend(self.lexer.regex()?);
            self.advance()?;
            return Ok(Expr::Regex(Rc::new(Re::new(&source)?)));
        }
        match self.advance()? {
            Token::Num(number) => Ok(Expr::Num(number)),
            Token::Str(text) => Ok(Expr::Str(text.into())),
            Token::Name(name) => self.name(&name),
            Token::Func(name) => self.call(&name),
            Token::Word("getline") => {
                let target = self.optional_target()?;
                if !self.take("<")? {
                    return Ok(Expr::Getline(Source::Input, target));
                }
                let file = self.postfix()?;
                Ok(Expr::Getline(Source::File(file.into()), target))
            }
            Token::Op("$") => {
                let at = if self.take("++")? {
                    step(self.primary()?, 1.0)
                } else if self.take("--")? {
                    step(self.primary()?, -1.0)
                } else if self.is("+") || self.is("-") || self.is("!") {
                    self.unary()?
                } else if self.is("$") {
                    // `$$a++++` is `$($a++)++`.
                    self.postfix()?
                } else {
                    self.primary()?
                };
                Ok(Expr::Field(at.into()))
            }
            Token::Op("++") => Ok(step(self.primary()?, 1.0)),
            Token::Op("--") => Ok(step(self.primary()?, -1.0)),
            Token::Op("(") => {
                let mut list = self.list(")")?;
                if list.len() == 1 && !self.word("in") {
                    return Ok(Expr::Group(list.remove(0).into()));
                }
                self.need("in")?;
                let Token::Name(name) = self.advance()? else { return self.wrong("in what?") };
                Ok(Expr::In(list, self.var(&name)))
            }
            Token::Op("-") => Ok(Expr::Neg(self.primary()?.into())),
            token => {
                self.token = token;
                self.wrong("an expression is missing")
            }
        }
    }

    fn optional_target(&mut self) -> Result<Option<Box<Expr>>> {
        let there = matches!(self.token, Token::Name(_)) || self.is("$");
        if there { Ok(Some(Box::new(self.primary()?))) } else { Ok(None) }
    }

    fn name(&mut self, name: &str) -> Result<Expr> {
        if name == "length" {
            return Ok(Expr::Builtin(Builtin::Length, Vec::new()));
        }
        let var = self.var(name);
        if self.take("[")? {
            return Ok(Expr::Index(var, self.list("]")?));
        }
        Ok(Expr::Var(var))
    }

    fn call(&mut self, name: &str) -> Result<Expr> {
        self.need("(")?;
        let args = self.list(")")?;
        let Some((builtin, least, most)) = Builtin::named(name) else {
            return Ok(Expr::Call(self.function(name), args));
        };
        if args.len() < least || args.len() > most {
            return self.wrong(&format!("{name} has another number of arguments"));
        }
        Ok(Expr::Builtin(builtin, args))
    }
}

fn step(target: Expr, by: f64) -> Expr {
    Expr::Step { target: target.into(), by, before: true }
}

/// Makes an assignment. What stands left of the sign may be the right end of something larger.
fn assign(left: Expr, op: Option<Binary>, right: Expr) -> std::result::Result<Expr, ()> {
    match left {
        Expr::Var(_) | Expr::Index(..) | Expr::Field(_) => {
            Ok(Expr::Assign(left.into(), op, right.into()))
        }
        Expr::And(a, b) => Ok(Expr::And(a, assign(*b, op, right)?.into())),
        Expr::Or(a, b) => Ok(Expr::Or(a, assign(*b, op, right)?.into())),
        Expr::Not(a) => Ok(Expr::Not(assign(*a, op, right)?.into())),
        Expr::Compare(c, a, b) => Ok(Expr::Compare(c, a, assign(*b, op, right)?.into())),
        Expr::Cond(a, b, c) => Ok(Expr::Cond(a, b, assign(*c, op, right)?.into())),
        _ => Err(()),
    }
}
