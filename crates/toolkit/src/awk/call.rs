//! The functions that the language has.

use super::{
    ast::{Builtin, Expr},
    run::{Machine, RLENGTH, RSTART, Result, Stop, count, whole},
    text::Re,
    value::{Value, hex, number_prefix},
};
use std::{
    rc::Rc,
    time::{SystemTime, UNIX_EPOCH},
};

impl<'a> Machine<'a> {
    pub(super) fn builtin(&mut self, builtin: Builtin, args: &'a [Expr]) -> Result<Value> {
        let number = match (builtin, args) {
            (Builtin::Length, []) => count(self.record().len()),
            (Builtin::Length, [arg, ..]) => self.length(arg)?,
            (Builtin::Substr, [text, rest @ ..]) => return self.substr(text, rest),
            (Builtin::Index, [text, part]) => {
                let (text, part) = (self.string(text)?, self.string(part)?);
                let found = if part.is_empty() {
                    Some(0)
                } else {
                    text.windows(part.len()).position(|w| w == &*part)
                };
                found.map_or(0.0, |at| count(at) + 1.0)
            }
            (Builtin::Split, [text, Expr::Var(var), rest @ ..]) => {
                let text = self.string(text)?;
                let parts: Vec<Value> = match rest.first() {
                    Some(Expr::Regex(re)) if !re.is_empty() => parts(re, &text),
                    by => {
                        let by = match by {
                            // Every character is a part.
                            Some(Expr::Regex(_)) => [].into(),
                            Some(by) => self.string(by)?,
                            None => self.global(super::run::FS).bytes(b"%.6g"),
                        };
                        self.split_text(&text, &by, false)?.into_iter().map(Value::input).collect()
                    }
                };
                return self.fill(*var, parts);
            }
            (Builtin::Sub | Builtin::Gsub, [re, by, rest @ ..]) => {
                self.substitute(re, by, rest.first(), builtin == Builtin::Gsub)?
            }
            (Builtin::Gensub, [re, by, how, rest @ ..]) => {
                return self.gensub(re, by, how, rest.first());
            }
            (Builtin::Match, [text, re, rest @ ..]) => self.find(text, re, rest.first())?,
            (Builtin::Sprintf, args) => return Ok(Value::text(self.formatted(args)?)),
            (Builtin::Tolower, [text]) => {
                return Ok(Value::text(self.string(text)?.to_ascii_lowercase()));
            }
            (Builtin::Toupper, [text]) => {
                return Ok(Value::text(self.string(text)?.to_ascii_uppercase()));
            }
            (Builtin::System, [command]) => {
                let command = self.string(command)?;
                self.streams.system(&command)?
            }
            (Builtin::Close, [name, ..]) => {
                let name = self.string(name)?;
                self.streams.close(&name)
            }
            (Builtin::Fflush, _) => {
                self.streams.flush()?;
                0.0
            }
            (Builtin::Asort | Builtin::Asorti, [Expr::Var(from), rest @ ..]) => {
                let to = match rest.first() {
                    Some(Expr::Var(to)) => *to,
                    _ => *from,
                };
                let pairs = self.array(*from)?.borrow().pairs();
                let keys = builtin == Builtin::Asorti;
                let mut values: Vec<Value> = pairs
                    .into_iter()
                    .map(|(key, value)| if keys { Value::Str(key) } else { value })
                    .collect();
                values.sort_by(|a, b| a.compare(b, b"%.6g"));
                return self.fill(to, values);
            }
            (Builtin::Srand, args) => {
                let old = self.seed;
                self.seed = match args.first() {
                    Some(seed) => self.number(seed)?,
                    None => now(),
                };
                self.random = self.seed.to_bits();
                old
            }
            (Builtin::Rand, _) => self.rand(),
            (Builtin::Systime, _) => now(),
            (Builtin::Mktime, [text, utc @ ..]) => {
                let text = self.string(text)?;
                let utc = utc.first().map_or(Ok(false), |utc| self.truth(utc))?;
                super::time::mktime(&text, utc)
            }
            (Builtin::Strftime, args) => return self.strftime(args),
            (Builtin::Strtonum, [text]) => self.strtonum(text)?,
            (builtin, args) => {
                let numbers =
                    args.iter().map(|arg| self.number(arg)).collect::<Result<Vec<_>>>()?;
                arithmetic(builtin, &numbers)
            }
        };
        Ok(Value::Num(number))
    }

    /// A date in words: of the moment given, or of now.
    fn strftime(&mut self, args: &'a [Expr]) -> Result<Value> {
        let format = match args.first() {
            Some(format) => self.string(format)?,
            None => b"%a %b %e %H:%M:%S %Z %Y"[..].into(),
        };
        let moment = args.get(1).map_or(Ok(now()), |moment| self.number(moment))?;
        let utc = args.get(2).map_or(Ok(false), |utc| self.truth(utc))?;
        super::time::strftime(&format, moment, utc).map(Value::text).map_err(Stop::Fail)
    }

    fn length(&mut self, arg: &'a Expr) -> Result<f64> {
        if let Expr::Var(var) = arg
            && let Some(length) = self.array_length(*var)
        {
            return Ok(count(length));
        }
        Ok(count(self.string(arg)?.len()))
    }

    /// As GNU's: numbers are cut to whole ones, and what begins before the text begins with it.
    fn substr(&mut self, text: &'a Expr, rest: &'a [Expr]) -> Result<Value> {
        let text = self.string(text)?;
        let from = rest.first().map_or(Ok(1.0), |from| self.number(from))?.trunc().max(1.0);
        let length = rest.get(1).map_or(Ok(f64::INFINITY), |length| self.number(length))?.trunc();
        let start = whole(from - 1.0).min(text.len());
        let end = start.saturating_add(whole(length)).min(text.len());
        Ok(Value::text(text.get(start..end).unwrap_or_default()))
    }

    fn fill(&mut self, var: super::ast::Var, values: Vec<Value>) -> Result<Value> {
        let array = self.array(var)?;
        let mut array = array.borrow_mut();
        array.clear();
        let total = values.len();
        for (at, value) in values.into_iter().enumerate() {
            array.set((at + 1).to_string().into_bytes().into(), value);
        }
        Ok(Value::Num(count(total)))
    }

    fn substitute(
        &mut self,
        re: &'a Expr,
        by: &'a Expr,
        target: Option<&'a Expr>,
        all: bool,
    ) -> Result<f64> {
        let re = self.regex(re)?;
        let by = self.string(by)?;
        let place = target.map(|target| self.place(target)).transpose()?;
        let text = match &place {
            Some(place) => {
                let value = self.load(place)?;
                self.bytes(&value)
            }
            None => self.record(),
        };
        let mut made = Vec::new();
        let done = replace(
            &re,
            &text,
            &mut made,
            |_| all,
            |out, groups| {
                let found = groups
                    .first()
                    .copied()
                    .flatten()
                    .and_then(|(a, b)| text.get(a..b))
                    .unwrap_or_default();
                insert(out, &by, found);
            },
        );
        if done > 0 {
            match place {
                Some(place) => self.save(place, Value::text(made))?,
                None => self.set_whole(made),
            }
        }
        Ok(count(done))
    }

    fn gensub(
        &mut self,
        re: &'a Expr,
        by: &'a Expr,
        how: &'a Expr,
        target: Option<&'a Expr>,
    ) -> Result<Value> {
        let re = self.regex(re)?;
        let (by, how) = (self.string(by)?, self.string(how)?);
        let text = match target {
            Some(target) => self.string(target)?,
            None => self.record(),
        };
        let all = matches!(how.first(), Some(b'g' | b'G'));
        let nth = whole(number_prefix(&how).0.max(1.0));
        let (mut made, mut seen) = (Vec::new(), 0);
        replace(
            &re,
            &text,
            &mut made,
            |_| true,
            |out, groups| {
                seen += 1;
                let group = |at: usize| {
                    groups
                        .get(at)
                        .copied()
                        .flatten()
                        .and_then(|(a, b)| text.get(a..b))
                        .unwrap_or_default()
                };
                if !all && seen != nth {
                    return out.extend_from_slice(group(0));
                }
                let mut rest = &*by;
                while let [byte, after @ ..] = rest {
                    rest = after;
                    match (byte, after) {
                        (b'&', _) => out.extend_from_slice(group(0)),
                        (b'\\', [digit @ b'0'..=b'9', after @ ..]) => {
                            out.extend_from_slice(group(usize::from(digit - b'0')));
                            rest = after;
                        }
                        (b'\\', [next, after @ ..]) => {
                            out.push(*next);
                            rest = after;
                        }
                        _ => out.push(*byte),
                    }
                }
            },
        );
        Ok(Value::text(made))
    }

    fn find(&mut self, text: &'a Expr, re: &'a Expr, array: Option<&'a Expr>) -> Result<f64> {
        let text = self.string(text)?;
        let re = self.regex(re)?;
        let groups = re.groups(&text, 0);
        if let Some(Expr::Var(var)) = array {
            let array = self.array(*var)?;
            let mut array = array.borrow_mut();
            array.clear();
            for (at, group) in groups.iter().flatten().enumerate() {
                if let Some((from, to)) = group {
                    let key = at.to_string().into_bytes();
                    array.set(key.into(), Value::input(text.get(*from..*to).unwrap_or_default()));
                }
            }
        }
        let whole = groups.and_then(|groups| groups.first().copied().flatten());
        let (start, length) =
            whole.map_or((0.0, -1.0), |(from, to)| (count(from) + 1.0, count(to - from)));
        self.set_global(RSTART, Value::Num(start));
        self.set_global(RLENGTH, Value::Num(length));
        Ok(start)
    }

    /// A number in [0, 1): xorshift64*, which no one may use for secrets.
    fn rand(&mut self) -> f64 {
        let mut state = self.random ^ 0x9e37_79b9_7f4a_7c15;
        state ^= state >> 12;
        state ^= state << 25;
        state ^= state >> 27;
        self.random = state ^ 0x9e37_79b9_7f4a_7c15;
        #[expect(clippy::cast_precision_loss, reason = "53 bits fit")]
        let bits = (state.wrapping_mul(0x2545_f491_4f6c_dd1d) >> 11) as f64;
        bits / 9_007_199_254_740_992.0
    }

    fn strtonum(&mut self, text: &'a Expr) -> Result<f64> {
        let text = self.string(text)?;
        Ok(match text.trim_ascii() {
            [b'0', b'x' | b'X', digits @ ..] => {
                let end =
                    digits.iter().position(|b| !b.is_ascii_hexdigit()).unwrap_or(digits.len());
                hex(digits.get(..end).unwrap_or_default())
            }
            [b'0', digits @ ..] if digits.iter().all(|b| (b'0'..=b'7').contains(b)) => {
                digits.iter().fold(0.0, |value, digit| value * 8.0 + f64::from(digit - b'0'))
            }
            text => number_prefix(text).0,
        })
    }
}

fn parts(re: &Rc<Re>, text: &[u8]) -> Vec<Value> {
    if text.is_empty() {
        return Vec::new();
    }
    super::run::split_by(re, text).into_iter().map(Value::input).collect()
}

type Groups = Vec<Option<(usize, usize)>>;

/// Copies `text` with each match replaced; how many there were. An empty match right behind another
/// match is none.
fn replace(
    re: &Re,
    text: &[u8],
    out: &mut Vec<u8>,
    mut more: impl FnMut(usize) -> bool,
    mut by: impl FnMut(&mut Vec<u8>, &Groups),
) -> usize {
    let (mut done, mut copied, mut from) = (0, 0, 0);
    let mut last_end = None;
    while from <= text.len() {
        let Some(groups) = re.groups(text, from) else { break };
        let Some((start, end)) = groups.first().copied().flatten() else { break };
        if start == end && last_end == Some(start) {
            from = end + 1;
            continue;
        }
        out.extend_from_slice(text.get(copied..start).unwrap_or_default());
        by(out, &groups);
        done += 1;
        (copied, last_end) = (end, Some(end));
        from = if end == start { end + 1 } else { end };
        if !more(done) {
            break;
        }
    }
    out.extend_from_slice(text.get(copied..).unwrap_or_default());
    done
}

/// The text of `sub`: `&` is what matched, `\&` is `&`.
fn insert(out: &mut Vec<u8>, by: &[u8], found: &[u8]) {
    let mut rest = by;
    while let [byte, after @ ..] = rest {
        rest = after;
        match (byte, after) {
            (b'\\', [next @ (b'&' | b'\\'), after @ ..]) => {
                out.push(*next);
                rest = after;
            }
            (b'&', _) => out.extend_from_slice(found),
            _ => out.push(*byte),
        }
    }
}

fn now() -> f64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    #[expect(clippy::cast_precision_loss, reason = "seconds fit")]
    let seconds = since.as_secs() as f64;
    seconds
}

#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    clippy::cast_precision_loss,
    reason = "the bits of whole numbers up to 2^53; Rust saturates"
)]
fn arithmetic(builtin: Builtin, numbers: &[f64]) -> f64 {
    let first = numbers.first().copied().unwrap_or(0.0);
    let second = numbers.get(1).copied().unwrap_or(0.0);
    let all =
        |op: fn(u64, u64) -> u64| numbers.iter().map(|n| *n as u64).reduce(op).unwrap_or(0) as f64;
    match builtin {
        Builtin::Int => first.trunc(),
        Builtin::Sqrt => first.sqrt(),
        Builtin::Exp => first.exp(),
        Builtin::Log => first.ln(),
        Builtin::Sin => first.sin(),
        Builtin::Cos => first.cos(),
        Builtin::Atan2 => first.atan2(second),
        Builtin::And => all(|a, b| a & b),
        Builtin::Or => all(|a, b| a | b),
        Builtin::Xor => all(|a, b| a ^ b),
        Builtin::Lshift => (first as u64).checked_shl(second as u32).unwrap_or(0) as f64,
        Builtin::Rshift => (first as u64).checked_shr(second as u32).unwrap_or(0) as f64,
        Builtin::Compl => (!(first as u64) & ((1 << 53) - 1)) as f64,
        _ => 0.0,
    }
}
