//! The stream editor (POSIX XCU `sed`, with GNU's additions): script to commands to result.

mod parse;
mod pattern;
mod replacement;
mod run;
mod script;
mod streams;
mod text;
mod transform;

pub(crate) use parse::{Refused, parse};
pub(crate) use run::{Machine, NoPrevious};
pub(crate) use script::{Origin, Piece, Settings};
pub(crate) use transform::{Target, Transform};

#[cfg(test)]
mod tests {
    use super::{Origin, Piece, Settings, parse};
    use proptest::prelude::*;

    fn refusal(script: &str) -> (String, u8) {
        let refused = parse(&[piece(script)], &Settings::default()).err().unwrap();
        (refused.text, refused.status)
    }

    fn piece(script: &str) -> Piece {
        Piece { origin: Origin::Expression(1), text: script.as_bytes().to_vec() }
    }

    #[test]
    fn refusals_say_what_is_wrong() {
        assert_eq!(refusal("b nowhere"), ("can't find label for jump to `nowhere'".into(), 4));
        assert_eq!(
            refusal("s/a"),
            ("-e expression #1, char 3: unterminated `s' command".into(), 1)
        );
        assert_eq!(refusal("1,2{p"), ("-e expression #1, char 0: unmatched `{'".into(), 1));
        assert_eq!(refusal("k"), ("-e expression #1, char 1: unknown command: `k'".into(), 1));
        assert_eq!(
            refusal("0p"),
            ("-e expression #1, char 2: invalid usage of line address 0".into(), 1)
        );
        assert_eq!(
            refusal("s/a/\\1/"),
            ("-e expression #1, char 7: invalid reference \\1 on `s' command's RHS".into(), 1)
        );
    }

    proptest! {
        #[test]
        fn any_script_is_taken_or_refused(
            script in "([0-9$/a,~+!{}; \n]|s/|y/|\\\\|[a-zA-Z:=#]|\\[|\\]|\\(|\\*|.){0,24}",
            extended: bool,
            nul: bool,
        ) {
            let _ = parse(&[piece(&script)], &Settings { extended, nul, ..Settings::default() });
        }
    }
}
