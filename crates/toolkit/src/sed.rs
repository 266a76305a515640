//! The stream editor (POSIX XCU `sed`, with GNU's additions): script to commands to result.

mod parse;
mod pattern;
mod replacement;
mod run;
mod script;
mod streams;
mod text;

pub(crate) use parse::{Refused, parse};
pub(crate) use run::{Machine, NoPrevious};
pub(crate) use script::Settings;

#[cfg(test)]
mod tests {
    use super::{Settings, parse};
    use proptest::prelude::*;

    fn refusal(script: &str) -> (String, u8) {
        let refused = parse(script.as_bytes(), &Settings::default()).err().unwrap();
        (refused.text, refused.status)
    }

    #[test]
    fn refusals_say_what_is_wrong() {
        assert_eq!(refusal("b nowhere"), ("can't find label for jump to `nowhere'".into(), 4));
        assert_eq!(refusal("s/a"), ("unterminated `s' command".into(), 1));
        assert_eq!(refusal("1,2{p"), ("unmatched `{'".into(), 1));
        assert_eq!(refusal("k"), ("unknown command: `k'".into(), 1));
        assert_eq!(refusal("0p"), ("invalid usage of line address 0".into(), 1));
        assert_eq!(refusal("s/a/\\1/"), ("invalid reference on `s' command's RHS".into(), 1));
    }

    proptest! {
        #[test]
        fn any_script_is_taken_or_refused(
            script in "([0-9$/a,~+!{}; \n]|s/|y/|\\\\|[a-zA-Z:=#]|\\[|\\]|\\(|\\*|.){0,24}",
            extended: bool,
            nul: bool,
        ) {
            let _ = parse(script.as_bytes(), &Settings { extended, nul, ..Settings::default() });
        }
    }
}
