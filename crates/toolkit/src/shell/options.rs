//! The shell's command line, as bash has it.

use std::io::IsTerminal as _;

/// What the shell calls itself before it has a name.
pub(crate) const NAME: &str = "sh";

/// What `--version` prints.
pub(crate) const VERSION: &str = concat!("Xenoboot ", env!("CARGO_PKG_VERSION"), " shell (brush)");

const HELP: &str = "\
Usage: sh [OPTION]... [SCRIPT [ARGUMENT]...]
       sh [OPTION]... -c COMMANDS [NAME [ARGUMENT]...]

Runs a script, commands, or what is typed; the language is that of bash.

Options:
  -c                run COMMANDS; NAME becomes $0
  -s                read commands from standard input
  -i                be interactive
  -l, --login       read the profile first
  -e -u -x -n -f -v -C -a
                    as with the command `set`
  -o NAME, +o NAME  turn an option of `set -o` on, off
  -O NAME, +O NAME  turn an option of `shopt` on, off
      --norc        an interactive shell reads no startup file
      --noprofile   a login shell reads no profile
      --rcfile FILE an interactive shell reads FILE first
      --posix       as `-o posix`
      --version     print the version
      --help        print this

Example:
  sh -euo pipefail -c 'dmesg | tail -n 3'
";

/// Where the commands come from.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Input {
    /// `-c`.
    Command(String),
    /// A file and its arguments.
    Script(String, Vec<String>),
    /// Standard input, typed or not.
    Stdin,
}

/// A parsed command line.
#[derive(Debug)]
pub(crate) struct Options {
    /// Where the commands come from.
    pub(crate) input: Input,
    /// `$0` before a script changes it.
    pub(crate) name: String,
    /// Positional parameters, for commands that are not a script file.
    pub(crate) args: Vec<String>,
    /// Options of `set -o` to turn on.
    pub(crate) set: Vec<String>,
    /// Options of `set -o` to turn off.
    pub(crate) unset: Vec<String>,
    /// Options of `shopt` to turn on.
    pub(crate) shopt_set: Vec<String>,
    /// Options of `shopt` to turn off.
    pub(crate) shopt_unset: Vec<String>,
    /// A login shell.
    pub(crate) login: bool,
    /// Someone types.
    pub(crate) interactive: bool,
    /// Profile and rc files may be read.
    pub(crate) startup_files: bool,
    /// In place of the default rc file.
    pub(crate) rc_file: Option<String>,
    /// Print this and do nothing else.
    pub(crate) print: Option<String>,
}

impl Options {
    /// Whether an option of `set -o` is to be on.
    pub(crate) fn has(&self, name: &str) -> bool {
        self.set.iter().any(|n| n == name)
    }
}

/// A wrong command line.
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
pub(crate) enum OptionsError {
    /// No such option.
    #[error("{0}: invalid option")]
    Unknown(String),
    /// An option's value is missing.
    #[error("{0}: option requires an argument")]
    NoValue(String),
}

/// The name under `set -o` of a letter of `set`.
fn set_name(letter: char) -> Option<&'static str> {
    Some(match letter {
        'a' => "allexport",
        'b' => "notify",
        'B' => "braceexpand",
        'C' => "noclobber",
        'e' => "errexit",
        'E' => "errtrace",
        'f' => "noglob",
        'h' => "hashall",
        'm' => "monitor",
        'n' => "noexec",
        'p' => "privileged",
        'P' => "physical",
        't' => "onecmd",
        'T' => "functrace",
        'u' => "nounset",
        'v' => "verbose",
        'x' => "xtrace",
        _ => return None,
    })
}

/// What the letters gathered before it is known where the commands come from.
#[derive(Default)]
struct Found {
    command: bool,
    stdin: bool,
    interactive: bool,
    login: bool,
    no_files: bool,
    rc_file: Option<String>,
    print: Option<String>,
    set: Vec<String>,
    unset: Vec<String>,
    shopt_set: Vec<String>,
    shopt_unset: Vec<String>,
}

/// Parses the command line `args`, argument 0 included.
pub(crate) fn parse(args: &[String]) -> Result<Options, OptionsError> {
    let arg0 = args.first().map_or(NAME, String::as_str);
    let mut found = Found { login: arg0.starts_with('-'), ..Found::default() };
    let mut rest = args.iter().skip(1).map(String::as_str).peekable();
    while let Some(arg) = rest.next_if(|a| a.starts_with(['-', '+']) && a.len() > 1 || *a == "-") {
        match arg {
            "-" | "--" => break,
            long if long.starts_with("--") => found.long(long, &mut rest)?,
            letters => found.letters(letters, &mut rest)?,
        }
    }
    let operands: Vec<String> = rest.map(str::to_owned).collect();
    found.finish(arg0, operands)
}

impl Found {
    fn long<'a>(
        &mut self,
        arg: &str,
        rest: &mut impl Iterator<Item = &'a str>,
    ) -> Result<(), OptionsError> {
        match arg {
            "--login" => self.login = true,
            "--norc" | "--noprofile" => self.no_files = true,
            "--noediting" => {}
            "--posix" => self.set.push("posix".into()),
            "--rcfile" | "--init-file" => {
                let file = rest.next().ok_or_else(|| OptionsError::NoValue(arg.into()))?;
                self.rc_file = Some(file.into());
            }
            "--version" => self.print = Some(format!("{VERSION}\n")),
            "--help" => self.print = Some(HELP.into()),
            _ => return Err(OptionsError::Unknown(arg.into())),
        }
        Ok(())
    }

    fn letters<'a>(
        &mut self,
        arg: &str,
        rest: &mut impl Iterator<Item = &'a str>,
    ) -> Result<(), OptionsError> {
        let on = arg.starts_with('-');
        for letter in arg.chars().skip(1) {
            let mut value = || {
                let sign = if on { '-' } else { '+' };
                rest.next()
                    .map(str::to_owned)
                    .ok_or_else(|| OptionsError::NoValue(format!("{sign}{letter}")))
            };
            match (letter, on) {
                ('c', true) => self.command = true,
                ('s', true) => self.stdin = true,
                ('i', _) => self.interactive = on,
                ('l', true) => self.login = true,
                ('o', true) => self.set.push(value()?),
                ('o', false) => self.unset.push(value()?),
                ('O', true) => self.shopt_set.push(value()?),
                ('O', false) => self.shopt_unset.push(value()?),
                _ => {
                    let name = set_name(letter).ok_or_else(|| OptionsError::Unknown(arg.into()))?;
                    if on { &mut self.set } else { &mut self.unset }.push(name.into());
                }
            }
        }
        Ok(())
    }

    fn finish(self, arg0: &str, mut operands: Vec<String>) -> Result<Options, OptionsError> {
        let mut name = arg0.to_owned();
        let mut args = Vec::new();
        let mut set = self.set;
        // By this name bash, too, keeps to POSIX where that and bash differ.
        let called = arg0.rsplit('/').next().unwrap_or(arg0);
        if called.trim_start_matches('-') == "sh" && !self.unset.iter().any(|name| name == "posix")
        {
            set.push("posix".into());
        }
        let input = if self.print.is_some() {
            Input::Stdin
        } else if self.command {
            if operands.is_empty() {
                return Err(OptionsError::NoValue("-c".into()));
            }
            let command = operands.remove(0);
            if !operands.is_empty() {
                name = operands.remove(0);
            }
            args = operands;
            Input::Command(command)
        } else if self.stdin || operands.is_empty() {
            args = operands;
            Input::Stdin
        } else {
            let script = operands.remove(0);
            name.clone_from(&script);
            Input::Script(script, operands)
        };
        let typed = || std::io::stdin().is_terminal() && std::io::stderr().is_terminal();
        Ok(Options {
            interactive: self.interactive || (input == Input::Stdin && typed()),
            input,
            name,
            args,
            set,
            unset: self.unset,
            shopt_set: self.shopt_set,
            shopt_unset: self.shopt_unset,
            login: self.login,
            startup_files: !self.no_files,
            rc_file: self.rc_file,
            print: self.print,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn options(line: &str) -> Result<Options, OptionsError> {
        parse(&line.split(' ').map(str::to_owned).collect::<Vec<_>>())
    }

    #[test]
    fn letters_combine_and_take_values() {
        let o = options("sh -euo pipefail -c CMD name a b").unwrap();
        assert_eq!(o.set, ["errexit", "nounset", "pipefail", "posix"]);
        assert_eq!(o.input, Input::Command("CMD".into()));
        assert_eq!((o.name.as_str(), o.args.len()), ("name", 2));
        assert_eq!(options("sh +e x").unwrap().unset, ["errexit"]);
    }

    #[test]
    fn what_follows_the_script_is_the_scripts() {
        let o = options("-sh -x run.sh -c --help").unwrap();
        assert!(o.login && o.has("xtrace"));
        assert_eq!(o.input, Input::Script("run.sh".into(), vec!["-c".into(), "--help".into()]));
    }

    #[test]
    fn wrong_lines_are_refused() {
        assert_eq!(options("sh -c").unwrap_err(), OptionsError::NoValue("-c".into()));
        assert_eq!(options("sh -o").unwrap_err(), OptionsError::NoValue("-o".into()));
        assert_eq!(options("sh -q").unwrap_err(), OptionsError::Unknown("-q".into()));
        assert_eq!(options("sh --wrong").unwrap_err(), OptionsError::Unknown("--wrong".into()));
    }
}
