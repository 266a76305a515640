//! POSIX regular expressions (XBD chapter 9, with GNU's additions) in the syntax of the `regex` crate.

mod faults;

pub(crate) use faults::{bare_class, bracket_end, fault};

/// Which of the two POSIX syntaxes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Syntax {
    /// `\(a\|b\)\{2\}`
    Basic,
    /// `(a|b){2}`
    Extended,
    /// The same as `grep -E` reads it: what stands in no place for an operator is text or left out, not a fault.
    Lenient,
}

/// An expression in the other syntax.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Translated {
    /// The expression.
    pub(crate) text: String,
    /// It refers back to a group, which only the `fancy-regex` crate understands.
    pub(crate) refers_back: bool,
    /// How many groups it has.
    pub(crate) groups: usize,
}

impl Translated {
    /// The expression as an alternative behind others that have `groups` groups together.
    pub(crate) fn behind(self, groups: usize) -> String {
        if groups == 0 || !self.refers_back {
            return self.text;
        }
        let mut out = String::new();
        let mut chars = self.text.chars();
        while let Some(c) = chars.next() {
            let escaped = if c == '\\' { chars.next() } else { None };
            match (escaped, escaped.and_then(|c| c.to_digit(10))) {
                // What follows a reference may be a digit, too.
                (_, Some(number)) => {
                    out.push_str(&format!("(?:\\{})", groups.saturating_add(number as usize)));
                }
                (Some(escaped), None) => out.extend(['\\', escaped]),
                (None, _) => out.push(c),
            }
        }
        out
    }
}

/// Translates an expression. What is not valid stays so and is refused by the `regex` crate.
pub(crate) fn translate(pattern: &str, syntax: Syntax) -> Translated {
    let mut translator = Translator { start: true, ..Translator::default() };
    let mut rest = pattern;
    while let Some(c) = rest.chars().next() {
        rest = translator.next(c, rest.get(c.len_utf8()..).unwrap_or(""), syntax);
    }
    let Translator { out: text, refers_back, opened: groups, .. } = translator;
    Translated { text, refers_back, groups }
}

/// The same for an expression of bytes: each that is not ASCII as `\xNN`.
pub(crate) fn translate_bytes(pattern: &[u8], syntax: Syntax) -> Translated {
    // Characters without a meaning stand for them on the way.
    const FIRST: u32 = 0xe000;
    let wide = |byte: &u8| match byte.is_ascii() {
        true => char::from(*byte),
        false => char::from_u32(FIRST + u32::from(*byte)).unwrap_or('?'),
    };
    let translated = translate(&pattern.iter().map(wide).collect::<String>(), syntax);
    let mut text = String::new();
    for c in translated.text.chars() {
        match u32::from(c).checked_sub(FIRST).filter(|byte| (0x80..0x100).contains(byte)) {
            Some(byte) => text.push_str(&format!("\\x{byte:02x}")),
            None => text.push(c),
        }
    }
    Translated { text, ..translated }
}

/// Whether an expression is of bytes: it is no text, or the environment says that no text has characters of several.
pub(crate) fn bytes(pattern: &[u8]) -> bool {
    let locale = ["LC_ALL", "LC_CTYPE", "LANG"]
        .iter()
        .find_map(|name| std::env::var_os(name).filter(|value| !value.is_empty()));
    locale.is_some_and(|locale| locale == "C" || locale == "POSIX")
        || std::str::from_utf8(pattern).is_err()
}

#[derive(Default)]
struct Translator {
    out: String,
    refers_back: bool,
    /// Where in `out` the last atom begins.
    atom: usize,
    /// The same of each group that is open.
    groups: Vec<usize>,
    /// How many groups there have been.
    opened: usize,
    /// The last atom has been repeated.
    repeated: bool,
    /// Between the braces of an interval.
    interval: bool,
    /// At the start of an expression, a group or an alternative, where `*` is an ordinary character
    /// and `^` is not.
    start: bool,
}

impl Translator {
    /// Takes one character; returns what is left after it.
    fn next<'a>(&mut self, c: char, after: &'a str, syntax: Syntax) -> &'a str {
        let basic = syntax == Syntax::Basic;
        let was_start = std::mem::replace(&mut self.start, false);
        if syntax == Syntax::Lenient
            && let Some(rest) = self.lenient(c, after, was_start)
        {
            return rest;
        }
        self.follow(c, after, basic, was_start);
        match c {
            '\\' => return self.escape(after, syntax, was_start),
            '[' => return self.bracket(after),
            '^' if basic && !was_start => self.literal('^'),
            '^' => {
                self.start = true;
                self.out.push('^');
            }
            '$' if basic
                && !(after.is_empty() || after.starts_with("\\)") || after.starts_with("\\|")) =>
            {
                self.literal('$');
            }
            '*' if was_start => self.literal('*'),
            '(' | ')' | '{' | '}' | '|' | '+' | '?' if basic => self.literal(c),
            '{' if !after.starts_with(|d: char| d.is_ascii_digit() || d == ',') => {
                self.literal('{')
            }
            '(' | '|' => {
                self.start = true;
                self.out.push(c);
            }
            '{' => self.brace(after),
            '.' | '$' | '*' | ')' | '}' | '+' | '?' => self.out.push(c),
            _ => self.literal(c),
        }
        after
    }

    /// What `grep -E` takes otherwise; what is left after it.
    fn lenient<'a>(&mut self, c: char, after: &'a str, at_start: bool) -> Option<&'a str> {
        let (text, rest) = match (c, interval(after)) {
            // The repetition of nothing.
            ('*' | '+' | '?', _) if at_start => (false, after),
            ('{', Some(length)) if at_start => (false, after.get(length..).unwrap_or("")),
            ('{', None) => (true, after),
            (')', _) if self.groups.is_empty() => (true, after),
            _ => return None,
        };
        if text {
            (self.atom, self.repeated) = (self.out.len(), false);
            self.literal(c);
        } else {
            self.start = true;
        }
        Some(rest)
    }

    /// The beginning of an interval: `{,2}` is from 0.
    fn brace(&mut self, after: &str) {
        self.out.push_str(if after.starts_with(',') { "{0" } else { "{" });
    }

    /// Knows where the atom begins that a repetition is of. A repetition of a repetition, such as `a+?`, means
    /// something else to the `regex` crate: what is repeated becomes a group of its own.
    fn follow(&mut self, c: char, after: &str, basic: bool, at_start: bool) {
        let escaped = after.chars().next().filter(|_| c == '\\');
        let operator = match (basic, c) {
            (true, '*') => Some('*'),
            (true, _) => escaped,
            (false, c) => Some(c).filter(|c| *c != '\\'),
        };
        let counts = |c: char| c.is_ascii_digit() || c == ',';
        match operator {
            Some('}') if self.interval => self.interval = false,
            _ if self.interval => {}
            Some('*') if at_start => self.repeated = false,
            Some('+' | '?' | '{') if at_start && basic => {
                (self.atom, self.repeated) = (self.out.len(), false);
            }
            Some('*' | '+' | '?') => self.repeat(),
            Some('{') if basic || after.starts_with(counts) => {
                self.repeat();
                self.interval = true;
            }
            Some('(') => {
                self.groups.push(self.out.len());
                self.opened += 1;
            }
            Some(')') => {
                self.atom = self.groups.pop().unwrap_or(self.out.len());
                self.repeated = false;
            }
            _ => {
                self.atom = self.out.len();
                self.repeated = false;
            }
        }
    }

    fn repeat(&mut self) {
        if std::mem::replace(&mut self.repeated, true) {
            self.out.insert_str(self.atom, "(?:");
            self.out.push(')');
        }
    }

    fn literal(&mut self, c: char) {
        self.out.push_str(&regex::escape(c.encode_utf8(&mut [0; 4])));
    }

    fn escape<'a>(&mut self, after: &'a str, syntax: Syntax, at_start: bool) -> &'a str {
        let Some(c) = after.chars().next() else {
            self.out.push('\\');
            return after;
        };
        match c {
            '(' | '|' if syntax == Syntax::Basic => {
                self.start = true;
                self.out.push(c);
            }
            '+' | '?' | '{' if syntax == Syntax::Basic && at_start => self.literal(c),
            '{' if syntax == Syntax::Basic => self.brace(after.get(1..).unwrap_or("")),
            ')' | '}' | '+' | '?' if syntax == Syntax::Basic => self.out.push(c),
            '1'..='9' => {
                self.refers_back = true;
                self.out.extend(['\\', c]);
            }
            '<' => self.out.push_str("\\b{start}"),
            '>' => self.out.push_str("\\b{end}"),
            '`' => self.out.push_str("\\A"),
            '\'' => self.out.push_str("\\z"),
            'w' | 'W' | 's' | 'S' | 'b' | 'B' => self.out.extend(['\\', c]),
            _ => self.literal(c),
        }
        after.get(c.len_utf8()..).unwrap_or("")
    }

    /// A bracket expression: in POSIX nothing is escaped in one, and `]` may come first.
    fn bracket<'a>(&mut self, after: &'a str) -> &'a str {
        self.out.push('[');
        let mut rest = after;
        if let Some(negated) = rest.strip_prefix('^') {
            self.out.push('^');
            rest = negated;
        }
        let mut first = true;
        while let Some(c) = rest.chars().next() {
            let class = rest.strip_prefix("[:").and_then(|inner| inner.split_once(":]"));
            if let Some((name, behind)) = class {
                // No class of that name: an expression that the crate refuses.
                let known = faults::CLASSES.contains(&name.as_bytes());
                self.out.push_str(&if known { format!("[:{name}:]") } else { "z-a".into() });
                rest = behind;
            } else if c == ']' && !first {
                self.out.push(']');
                return rest.get(1..).unwrap_or("");
            } else {
                let Some((from, behind)) = element(rest) else { return "" };
                bracketed(&mut self.out, from);
                rest = behind;
                // Before the closing bracket it is a character.
                let to = rest.strip_prefix('-').filter(|to| !to.starts_with(']')).and_then(element);
                if let Some((to, behind)) = to {
                    self.out.push('-');
                    bracketed(&mut self.out, to);
                    rest = behind;
                }
            }
            first = false;
        }
        rest
    }
}

/// The length of an interval behind its brace, its end included.
fn interval(text: &str) -> Option<usize> {
    let (inside, _) = text.split_once('}')?;
    let (least, most) = inside.split_once(',').unwrap_or((inside, "0"));
    let number = |text: &str| text.bytes().all(|byte| byte.is_ascii_digit());
    let is = number(least) && number(most) && !inside.is_empty();
    is.then_some(inside.len() + 1)
}

/// One character of a bracket expression, and what follows.
fn element(text: &str) -> Option<(char, &str)> {
    named(text)
        .or_else(|| Some((text.chars().next()?, text.get(text.chars().next()?.len_utf8()..)?)))
}

/// `[=a=]` and `[.a.]`: the character, and what follows. In the C locale nothing is equal to another, and no two
/// characters are sorted as one.
fn named(text: &str) -> Option<(char, &str)> {
    ['=', '.'].into_iter().find_map(|kind| {
        let mut rest = text.strip_prefix('[')?.strip_prefix(kind)?.chars();
        let one = rest.next()?;
        Some((one, rest.as_str().strip_prefix(kind)?.strip_prefix(']')?))
    })
}

/// A character in brackets that is nothing but itself.
fn bracketed(out: &mut String, c: char) {
    if matches!(c, '\\' | '[' | ']' | '&' | '~' | '^' | '-') {
        out.push('\\');
    }
    out.push(c);
}

#[cfg(test)]
mod tests {
    use super::*;
    use Syntax::{Basic, Extended, Lenient};

    fn matches(pattern: &str, syntax: Syntax, text: &str) -> bool {
        regex::Regex::new(&translate(pattern, syntax).text).unwrap().is_match(text)
    }

    #[test]
    fn a_repetition_can_be_repeated() {
        let found = |pattern, syntax, text| {
            let regex = regex::Regex::new(&translate(pattern, syntax).text).unwrap();
            regex.find(text).map(|found| found.as_str().to_owned())
        };
        let some = |text: &str| Some(text.to_owned());
        assert_eq!(found("a+?", Extended, "aaa"), some("aaa"));
        assert_eq!(found("(ab)*?c", Extended, "ababc"), some("ababc"));
        assert_eq!(found("xa{2}*y", Extended, "xaaaay"), some("xaaaay"));
        assert_eq!(found("xa{2}*y", Extended, "xaaay"), None);
        assert_eq!(found(r"(a(b)?)+?", Extended, "aaba"), some("aaba"));
        assert_eq!(found(r"a\{2\}*", Basic, "aaaaa"), some("aaaa"));
        assert_eq!(found("a**b", Basic, "aaab"), some("aaab"));
        assert_eq!(found("[+]?", Extended, "+"), some("+"));
    }

    #[test]
    fn basic_and_extended_swap_their_operators() {
        assert!(matches(r"^\(a\|b\)\{2\}$", Basic, "ab"));
        assert!(matches("a+b?(c)|d{2}", Basic, "a+b?(c)|d{2}"));
        assert!(matches("^(a|b){2}$", Extended, "ba"));
        assert!(matches(r"a\+\(", Extended, "a+("));
        assert!(matches("*a", Basic, "*a"));
        assert!(matches(r"\(*a\)", Basic, "*a"));
        assert!(matches("a{x", Extended, "a{x"));
        assert!(matches("a^b$c", Basic, "a^b$c"));
    }

    #[test]
    fn what_repeats_nothing_is_text_or_left_out() {
        assert!(matches(r"^\(\+a\|\?b\)$", Basic, "+a") && !matches(r"^\+a", Basic, "a"));
        assert!(matches(r"^\(\{1\}a\)$", Basic, "{1}a"));
        assert!(matches(r"^a\{,2\}$", Basic, "aa") && !matches(r"^a\{,2\}$", Basic, "aaa"));
        assert!(matches("^a{,2}$", Extended, "") && !matches("^a{,2}$", Extended, "aaa"));
        assert!(matches("^(+a|{1}b|*c)$", Lenient, "b") && matches("^*a$", Lenient, "a"));
        assert!(matches("^a)b)$", Lenient, "a)b)") && matches("^(a)$", Lenient, "a"));
        assert!(matches("^a{1$", Lenient, "a{1") && matches("^a{1,*}$", Lenient, "a{1,,}"));
        assert!(matches("^a{2}+$", Lenient, "aaaa"));
    }

    #[test]
    fn brackets_escape_nothing() {
        assert!(matches(r"[\.]x", Basic, r"\x"));
        assert!(matches("[]a]", Basic, "]"));
        assert!(matches("[^]a]", Basic, "b") && !matches("^[^]a]", Basic, "]"));
        assert!(matches("^[[:digit:]x]*$", Basic, "12x"));
        assert!(matches("^[a&&b[]*$", Extended, "a&b["));
        assert!(matches("^[[=a=]b]*$", Basic, "ab") && !matches("[[=a=]b]", Basic, "="));
        assert!(matches("^[a[.-.]z]*$", Basic, "a-z") && !matches("[a[.-.]z]", Basic, "b"));
        assert!(matches("^[[.].]]$", Basic, "]"));
        assert!(matches("^[--/]$", Basic, ".") && matches("^[a-]$", Basic, "-"));
        assert!(matches("^[+--]$", Basic, ",") && matches("^[^-a]$", Basic, "b"));
    }

    #[test]
    fn words_and_references() {
        assert!(matches(r"\<be\>", Basic, "to be.") && !matches(r"\<be\>", Basic, "bee"));
        assert!(translate(r"\(a\)\1", Basic).refers_back);
        assert_eq!(translate(r"a\.b", Extended).text, r"a\.b");
    }

    proptest::proptest! {
        #[test]
        fn any_text_is_translated(pattern in ".{0,40}") {
            // Whatever comes out is a valid expression or is refused; it never panics.
            for syntax in [Basic, Extended, Lenient] {
                let _ = regex::Regex::new(&translate(&pattern, syntax).text);
            }
        }
    }
}
