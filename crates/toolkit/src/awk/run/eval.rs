//! Expressions.

use super::*;

/// Something that can be changed.
pub(in crate::awk) enum Place {
    Var(Var),
    Field(f64),
    Element(ArrayRef, Rc<[u8]>),
    /// Nothing that keeps a value.
    None(Value),
}

impl<'a> Machine<'a> {
    pub(in crate::awk) fn regex_of(&mut self, source: &Rc<[u8]>) -> Result<Rc<Re>> {
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
    pub(in crate::awk) fn regex(&mut self, expr: &'a Expr) -> Result<Rc<Re>> {
        if let Expr::Regex(re) = expr {
            return Ok(Rc::clone(re));
        }
        let value = self.eval(expr)?;
        let text = self.bytes(&value);
        self.regex_of(&text)
    }

    pub(in crate::awk) fn truth(&mut self, expr: &'a Expr) -> Result<bool> {
        Ok(self.eval(expr)?.truth())
    }

    pub(in crate::awk) fn number(&mut self, expr: &'a Expr) -> Result<f64> {
        Ok(self.eval(expr)?.number())
    }

    pub(in crate::awk) fn string(&mut self, expr: &'a Expr) -> Result<Rc<[u8]>> {
        let value = self.eval(expr)?;
        Ok(self.bytes(&value))
    }

    pub(super) fn key(&mut self, index: &'a [Expr]) -> Result<Rc<[u8]>> {
        if let [only] = index {
            return self.string(only);
        }
        let separator = self.global(SUBSEP).bytes(b"%.6g");
        let parts = index.iter().map(|part| self.string(part)).collect::<Result<Vec<_>>>()?;
        Ok(parts.join(&*separator).into())
    }

    pub(in crate::awk) fn eval(&mut self, expr: &'a Expr) -> Result<Value> {
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
                let place = self.place(target)?;
                let value = match op {
                    None => value,
                    Some(op) => {
                        let old = self.load(&place)?.number();
                        Value::Num(arithmetic(*op, old, value.number())?)
                    }
                };
                self.save(place, value.clone())?;
                value
            }
            Expr::Step { target, by, before } => {
                let place = self.place(target)?;
                let old = self.load(&place)?.number();
                self.save(place, Value::Num(old + by))?;
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

    /// What an expression stands for that is to be changed. What it has of expressions is evaluated here, once.
    pub(in crate::awk) fn place(&mut self, target: &'a Expr) -> Result<Place> {
        Ok(match target {
            Expr::Var(var) => Place::Var(*var),
            Expr::Field(at) => Place::Field(self.number(at)?),
            Expr::Index(var, index) => {
                let key = self.key(index)?;
                Place::Element(self.array(*var)?, key)
            }
            Expr::Group(inner) => self.place(inner)?,
            // `sub(/a/, "b", "text")`: the result is lost.
            other => Place::None(self.eval(other)?),
        })
    }

    pub(in crate::awk) fn load(&mut self, place: &Place) -> Result<Value> {
        match place {
            Place::Var(var) => self.get_var(*var),
            Place::Field(at) => self.get_field(*at),
            Place::Element(array, key) => Ok(array.borrow_mut().get(key)),
            Place::None(value) => Ok(value.clone()),
        }
    }

    pub(in crate::awk) fn save(&mut self, place: Place, value: Value) -> Result<()> {
        match place {
            Place::Var(var) => self.set_var(var, value),
            Place::Field(at) => self.set_field(at, value),
            Place::Element(array, key) => {
                array.borrow_mut().set(key, value);
                Ok(())
            }
            Place::None(_) => Ok(()),
        }
    }

    pub(super) fn getline(
        &mut self,
        source: &'a Source,
        target: Option<&'a Expr>,
    ) -> Result<Value> {
        let separator = self.separator()?;
        let place = target.map(|target| self.place(target)).transpose()?;
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
        match place {
            Some(place) => self.save(place, Value::input(record))?,
            None => self.set_record(record.into()),
        }
        Ok(Value::Num(1.0))
    }

    pub(super) fn call(&mut self, at: usize, args: &'a [Expr]) -> Result<Value> {
        let Some(function) = self.program.functions.get(at) else { return Ok(Value::Nothing) };
        let mut cells = Vec::with_capacity(function.params);
        for arg in args {
            cells.push(match arg {
                Expr::Var(var) => match self.cell(*var) {
                    Some(Cell::Array(array)) => Cell::Array(Rc::clone(array)),
                    Some(Cell::Either(array)) => Cell::Either(Rc::clone(array)),
                    // If either side makes it an array, it is the other's as well.
                    Some(Cell::Scalar(Value::Nothing)) => {
                        let array = ArrayRef::default();
                        self.put(*var, Cell::Either(Rc::clone(&array)));
                        Cell::Either(array)
                    }
                    _ => Cell::Scalar(self.eval(arg)?),
                },
                arg => Cell::Scalar(self.eval(arg)?),
            });
        }
        // What is given beyond the parameters is evaluated for its effects only.
        cells.resize(function.params, Cell::Scalar(Value::Nothing));
        self.depth += 1;
        if self.depth > DEEPEST {
            return Err(Stop::Fail("functions call each other too deeply".into()));
        }
        let (frame, base) = (self.frame, self.locals.len());
        self.locals.extend(cells);
        self.frame = base;
        let done = self.block(&function.body);
        self.locals.truncate(base);
        self.frame = frame;
        self.depth -= 1;
        match done {
            Ok(()) => Ok(Value::Nothing),
            Err(Stop::Return(value)) => Ok(value),
            Err(stop) => Err(stop),
        }
    }
}
