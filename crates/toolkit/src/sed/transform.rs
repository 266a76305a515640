//! The command `s` by itself, as `tar --transform` has it.

use super::{
    Origin, Piece, Settings, parse,
    pattern::{Groups, Pattern},
    replacement::replace,
    script::{Action, Command, Substitute},
};

/// What a name is of.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Target {
    File,
    Hardlink,
    Symlink,
}

/// Some commands `s`, one after the other, each with what it is for.
pub(crate) struct Transform(Vec<(Substitute, Targets)>);

/// Whether files, hard links and symbolic links are meant.
#[derive(Clone, Copy)]
struct Targets([bool; 3]);

impl Targets {
    /// Takes a flag, if it is one of these: a small letter is for one of them, a capital against it.
    fn take(&mut self, flag: u8) -> bool {
        let place = b"rhs".iter().position(|letter| *letter == flag.to_ascii_lowercase());
        let target = place.and_then(|place| self.0.get_mut(place));
        let known = target.is_some();
        target.into_iter().for_each(|target| *target = flag.is_ascii_lowercase());
        known
    }
}

impl Transform {
    /// Reads `s/REGEX/TEXT/FLAGS`, or several with `;` between them, or `flags=FLAGS` for those behind it;
    /// nothing in them runs or writes anything.
    pub(crate) fn parse(text: &[u8]) -> Result<Self, String> {
        let (mut all, mut targets, mut rest) = (Vec::new(), Targets([true; 3]), text);
        while !rest.is_empty() {
            let (command, flags, after) = split(rest)?;
            rest = after;
            if command.is_empty() {
                targets = Targets([false; 3]);
                if let Some(flag) = flags.iter().find(|flag| !targets.take(**flag)) {
                    return Err(format!(
                        "Unknown flag in transform expression: {}",
                        char::from(*flag)
                    ));
                }
                continue;
            }
            let (mut own, mut extended, mut command) = (targets, false, command.to_vec());
            for flag in flags {
                match flag {
                    b'x' => extended = true,
                    _ if own.take(*flag) => {}
                    _ => command.push(*flag),
                }
            }
            all.push((only(&command, extended)?, own));
        }
        Ok(Self(all))
    }

    pub(crate) fn apply(&self, text: &[u8], target: Target) -> Vec<u8> {
        let mut text = text.to_vec();
        for (s, Targets([file, hard, symbolic])) in &self.0 {
            let meant = match target {
                Target::File => file,
                Target::Hardlink => hard,
                Target::Symlink => symbolic,
            };
            if *meant
                && let Some(new) =
                    s.pattern.as_ref().and_then(|pattern| replaced(s, pattern, &text))
            {
                text = new;
            }
        }
        text
    }
}

type Parts<'a> = (&'a [u8], &'a [u8], &'a [u8]);

/// A command up to its flags, these, and what is behind it; `flags=` is no command but flags.
fn split(text: &[u8]) -> Result<Parts<'_>, String> {
    let refused = || "it is not s/REGEX/TEXT/".to_owned();
    let start = match text {
        [b's', delimiter, ..] => {
            let mut at = 2;
            let mut left = 2;
            while left > 0 {
                match text.get(at).ok_or_else(refused)? {
                    b'\\' => at += 1,
                    byte if byte == delimiter => left -= 1,
                    _ => {}
                }
                at += 1;
            }
            at
        }
        _ if text.starts_with(b"flags=") => 6,
        _ => return Err(refused()),
    };
    let (command, rest) = text.split_at_checked(start).ok_or_else(refused)?;
    let end = rest.iter().position(|byte| *byte == b';').unwrap_or(rest.len());
    let (flags, after) = rest.split_at(end);
    let command = if text.starts_with(b"flags=") { b"" } else { command };
    Ok((command, flags, after.strip_prefix(b";").unwrap_or_default()))
}

/// The one command that a text is.
fn only(text: &[u8], extended: bool) -> Result<Substitute, String> {
    let piece = Piece { origin: Origin::Expression(1), text: text.to_vec() };
    let settings = Settings { sandbox: true, extended, ..Settings::default() };
    let script = parse(&[piece], &settings).map_err(|refused| refused.text)?;
    match <[Command; 1]>::try_from(script.commands) {
        Ok([Command { start: None, end: None, negated: false, action: Action::Substitute(s) }])
            if s.pattern.is_some() =>
        {
            Ok(*s)
        }
        _ => Err("it is not s/REGEX/TEXT/".to_owned()),
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
        assert_eq!(transform.apply(b"a/xx", Target::File), b"b/yy");
        assert_eq!(transform.apply(b"c", Target::Symlink), b"c");
        let transform = Transform::parse(b"s/a/b/S;flags=s;s/(x)/[\\1]/xgR;s/y/z/rS").unwrap();
        assert_eq!(transform.apply(b"axxy", Target::File), b"bxxz");
        assert_eq!(transform.apply(b"axxy", Target::Symlink), b"a[x][x]y");
        for refused in
            ["p", "s/a/b/w f", "s/a/b/e", "1s/a/b/", "s//b/", "s/a", "flags=q", "s/a/b/;q"]
        {
            assert!(Transform::parse(refused.as_bytes()).is_err(), "{refused}");
        }
    }
}
