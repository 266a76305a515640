//! The command `s` by itself, as `tar --transform` has it.

use super::{
    Origin, Piece, Settings, parse,
    pattern::{Groups, Pattern},
    replacement::replace,
    script::{Action, Command, Substitute},
};

/// Some commands `s`, one after the other.
pub(crate) struct Transform(Vec<Substitute>);

impl Transform {
    /// Reads `s/REGEX/TEXT/FLAGS`, or several with `;` between them; nothing in them runs or writes anything.
    pub(crate) fn parse(text: &[u8]) -> Result<Self, String> {
        let piece = Piece { origin: Origin::Expression(1), text: text.to_vec() };
        let settings = Settings { sandbox: true, ..Settings::default() };
        let script = parse(&[piece], &settings).map_err(|refused| refused.text)?;
        let only = |command: Command| match command {
            Command { start: None, end: None, negated: false, action: Action::Substitute(s) }
                if s.pattern.is_some() =>
            {
                Ok(*s)
            }
            _ => Err("it is not s/REGEX/TEXT/".to_owned()),
        };
        script.commands.into_iter().map(only).collect::<Result<_, _>>().map(Self)
    }

    pub(crate) fn apply(&self, text: &[u8]) -> Vec<u8> {
        let mut text = text.to_vec();
        for s in &self.0 {
            if let Some(new) = s.pattern.as_ref().and_then(|pattern| replaced(s, pattern, &text)) {
                text = new;
            }
        }
        text
    }
}

/// What becomes of a text, unless there are too few matches in it.
pub(super) fn replaced(s: &Substitute, pattern: &Pattern, text: &[u8]) -> Option<Vec<u8>> {
    let limit = if s.global { usize::MAX } else { s.nth };
    let matches: Vec<Groups> = pattern.all(text, limit);
    if matches.len() < s.nth {
        return None;
    }
    let (mut new, mut done) = (Vec::new(), 0);
    for groups in matches.iter().skip(s.nth - 1) {
        let Some(Some((start, end))) = groups.first() else { continue };
        new.extend(text.get(done..*start).unwrap_or_default());
        replace(&s.parts, groups, text, &mut new);
        done = *end;
    }
    new.extend(text.get(done..).unwrap_or_default());
    Some(new)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_s_is_taken() {
        let transform = Transform::parse(b"s,^a/,b/,;s/x/y/g").unwrap();
        assert_eq!(transform.apply(b"a/xx"), b"b/yy");
        assert_eq!(transform.apply(b"c"), b"c");
        for refused in ["p", "s/a/b/w f", "s/a/b/e", "1s/a/b/", "s//b/", "s/a"] {
            assert!(Transform::parse(refused.as_bytes()).is_err(), "{refused}");
        }
    }
}
