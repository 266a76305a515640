//! Variables, the record and its fields.

use super::*;

impl<'a> Machine<'a> {
    pub(super) fn cell(&self, var: Var) -> Option<&Cell> {
        match var {
            Var::Global(slot) => self.globals.get(slot),
            Var::Local(slot) => self.locals.get(self.frame + slot),
        }
    }

    pub(super) fn put(&mut self, var: Var, cell: Cell) {
        let place = match var {
            Var::Global(slot) => self.globals.get_mut(slot),
            Var::Local(slot) => self.locals.get_mut(self.frame + slot),
        };
        if let Some(place) = place {
            *place = cell;
        }
    }

    pub(in crate::awk) fn global(&self, slot: usize) -> Value {
        match self.globals.get(slot) {
            Some(Cell::Scalar(value)) => value.clone(),
            _ => Value::Nothing,
        }
    }

    pub(in crate::awk) fn set_global(&mut self, slot: usize, value: Value) {
        self.put(Var::Global(slot), Cell::Scalar(value));
    }

    pub(super) fn get_var(&mut self, var: Var) -> Result<Value> {
        if var == Var::Global(NF) {
            self.split_record()?;
        }
        match self.cell(var) {
            Some(Cell::Scalar(value)) => Ok(value.clone()),
            Some(Cell::Array(_)) => Err(Stop::Fail("an array is used as a value".into())),
            _ => Ok(Value::Nothing),
        }
    }

    pub(super) fn set_var(&mut self, var: Var, value: Value) -> Result<()> {
        if matches!(self.cell(var), Some(Cell::Array(_))) {
            return Err(Stop::Fail("a value is given to an array".into()));
        }
        if matches!(var, Var::Global(FS | RS)) {
            // The fields of this record are divided by what was so when it was read.
            self.split_record()?;
        }
        if var == Var::Global(OFS) {
            // What has been changed is joined by what was so then.
            self.record();
        }
        if var == Var::Global(NF) {
            self.split_record()?;
            let length = whole(value.number());
            if value.number() < 0.0 {
                return Err(Stop::Fail("NF set to negative value".into()));
            }
            if length > MOST_FIELDS {
                return Err(Stop::Fail("NF is too large".into()));
            }
            self.fields.resize(length, Value::Nothing);
            self.joined = false;
        }
        self.put(var, Cell::Scalar(value));
        Ok(())
    }

    pub(in crate::awk) fn array(&mut self, var: Var) -> Result<ArrayRef> {
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
    pub(in crate::awk) fn array_length(&self, var: Var) -> Option<usize> {
        match self.cell(var) {
            Some(Cell::Array(array) | Cell::Either(array)) => Some(array.borrow().len()),
            _ => None,
        }
    }

    /// Gives $0 another text.
    pub(in crate::awk) fn set_whole(&mut self, text: Vec<u8>) {
        self.set_record(text.into());
    }

    pub(in crate::awk) fn convfmt(&self) -> Rc<[u8]> {
        self.global(CONVFMT).bytes(b"%.6g")
    }

    /// Text of a value.
    pub(in crate::awk) fn bytes(&self, value: &Value) -> Rc<[u8]> {
        match value {
            Value::Num(_) => value.bytes(&self.convfmt()),
            value => value.bytes(b""),
        }
    }

    // The record and its fields.

    pub(super) fn set_record(&mut self, record: Rc<[u8]>) {
        self.record = record;
        (self.split, self.joined, self.assigned) = (false, true, false);
    }

    pub(in crate::awk) fn record(&mut self) -> Rc<[u8]> {
        if !self.joined {
            let separator = self.global(OFS).bytes(b"%.6g");
            let parts: Vec<Rc<[u8]>> = self.fields.iter().map(|field| self.bytes(field)).collect();
            self.record = parts.join(&*separator).into();
            self.joined = true;
        }
        Rc::clone(&self.record)
    }

    pub(super) fn split_record(&mut self) -> Result<()> {
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
    pub(in crate::awk) fn split_text<'t>(
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

    pub(super) fn get_field(&mut self, at: f64) -> Result<Value> {
        if at < 0.0 {
            return Err(Stop::Fail("a field's number is negative".into()));
        }
        match whole(at) {
            // A text that was assigned is no number, whatever it looks like.
            0 if self.assigned => Ok(Value::text(&*self.record())),
            0 => Ok(Value::input(self.record())),
            at => {
                self.split_record()?;
                // One that is not there is a text without characters, and not the number 0.
                Ok(self.fields.get(at - 1).cloned().unwrap_or_else(|| Value::input(&b""[..])))
            }
        }
    }

    pub(super) fn set_field(&mut self, at: f64, value: Value) -> Result<()> {
        let at = whole(at);
        if at > MOST_FIELDS {
            return Err(Stop::Fail("a field's number is too large".into()));
        }
        if at == 0 {
            let text = self.bytes(&value);
            self.set_record(text);
            self.assigned = matches!(value, Value::Str(_));
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
}
