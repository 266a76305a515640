//! Alias substitution (POSIX, XCU 2.3.1): the text of a command with the text of aliases in it.

use crate::{Token, TokenizerOptions, uncached_tokenize_str};

/// So many substitutions are made in one text; each makes the next one possible.
const LIMIT: usize = 1000;

/// Where the text of an alias was put: places of characters.
struct Origin {
    start: usize,
    end: usize,
    name: String,
    /// Its text ends in a blank: the next word may be an alias too.
    ends_in_blank: bool,
}

/// Puts aliases' texts in the place of their names, where a command's name can stand.
///
/// # Arguments
///
/// * `text` - Whole lines of a program.
/// * `options` - How the text is divided into tokens.
/// * `lookup` - The text of an alias of that name.
pub fn expand<'a>(
    text: &str,
    options: &TokenizerOptions,
    lookup: impl Fn(&str) -> Option<&'a str>,
) -> String {
    let mut text: Vec<char> = text.chars().collect();
    let mut origins: Vec<Origin> = vec![];
    for _ in 0..LIMIT {
        let current: String = text.iter().collect();
        let Ok(tokens) = uncached_tokenize_str(&current, options) else {
            break;
        };
        let candidate = |word: &str, start: usize, end: usize| {
            let within = |o: &Origin| o.name == word && o.start <= start && end <= o.end;
            if origins.iter().any(within) {
                return None;
            }
            lookup(word)
        };
        let follows_blank = |start: usize| {
            origins.iter().any(|o| {
                o.ends_in_blank
                    && o.end <= start
                    && text[o.end..start].iter().all(|c| matches!(c, ' ' | '\t' | '\\' | '\n'))
                    && !ends_line(&text[o.end..start])
            })
        };
        let mut place = Place::default();
        let found = tokens.iter().find_map(|token| {
            let location = token.location();
            let (start, end) = (location.start.index, location.end.index);
            let before = place.stand;
            let may_be = place.next(token, tokens_touch(&text, end));
            let Token::Word(word, _) = token else {
                return None;
            };
            if before.reserves(word) {
                return None;
            }
            // Not the word of a here document, whose place is not its own.
            if start >= end || end > text.len() || !is_written(&text[start..end], word) {
                return None;
            }
            let value = (may_be || follows_blank(start)).then(|| candidate(word, start, end))??;
            Some((start, end, word.clone(), value))
        });
        let Some((start, end, name, value)) = found else {
            break;
        };
        let new: Vec<char> = value.chars().collect();
        let length = new.len();
        let ends_in_blank = new.last().is_some_and(|c| matches!(c, ' ' | '\t'));
        text.splice(start..end, new);
        for origin in &mut origins {
            if origin.start >= end {
                origin.start = origin.start - (end - start) + length;
            }
            if origin.end >= end {
                origin.end = origin.end - (end - start) + length;
            }
        }
        origins.push(Origin {
            start,
            end: start + length,
            name,
            ends_in_blank,
        });
    }
    text.into_iter().collect()
}

/// Whether a text is this word, lines' ends with a backslash aside.
fn is_written(text: &[char], word: &str) -> bool {
    let joined = text.iter().collect::<String>().replace("\\\n", "");
    joined == word
}

/// Whether there is a line's end that no backslash stands before.
fn ends_line(blank: &[char]) -> bool {
    blank
        .iter()
        .enumerate()
        .any(|(at, c)| *c == '\n' && !(at > 0 && blank[at - 1] == '\\'))
}

/// Whether a redirection follows a token without a space in between.
fn tokens_touch(text: &[char], end: usize) -> bool {
    matches!(text.get(end), Some('<' | '>'))
}

/// What the words at a place of a program are.
#[derive(Clone, Copy, Default, PartialEq)]
enum Stand {
    /// The name of a command.
    #[default]
    Command,
    /// The arguments of one.
    Arguments,
    /// So many words that belong to a redirection; then what was before.
    Redirection(u8),
    /// The word of `case`, and the `in` behind it.
    CaseWord,
    CaseIn,
    /// The patterns of `case`.
    Pattern,
    /// The variable of `for`, and what may follow it.
    ForName,
    ForIn,
}

impl Stand {
    /// Whether a word can only be a reserved one here, which no alias takes the place of.
    fn reserves(self, word: &str) -> bool {
        match self {
            Self::CaseIn => word == "in",
            Self::ForIn => matches!(word, "in" | "do"),
            _ => false,
        }
    }
}

/// Follows a program's tokens.
#[derive(Default)]
struct Place {
    stand: Stand,
    before_redirection: Stand,
}

impl Place {
    /// Goes over a token; whether it may be an alias.
    fn next(&mut self, token: &Token, touches_redirection: bool) -> bool {
        match token {
            Token::Operator(operator, _) => {
                self.operator(operator);
                false
            }
            Token::Word(word, _) => self.word(word, touches_redirection),
        }
    }

    fn operator(&mut self, operator: &str) {
        match operator {
            "<" | ">" | ">>" | "<&" | ">&" | "<>" | ">|" | "<<<" | "&>" | "&>>" => {
                self.before_redirection = self.stand;
                self.stand = Stand::Redirection(1);
            }
            "<<" | "<<-" => {
                self.before_redirection = self.stand;
                // Its tag, its text, and the tag again.
                self.stand = Stand::Redirection(3);
            }
            ";;" | ";&" | ";;&" => self.stand = Stand::Pattern,
            "(" if self.stand == Stand::Pattern => {}
            "|" if self.stand == Stand::Pattern => {}
            "\n" if matches!(self.stand, Stand::Pattern | Stand::CaseIn | Stand::ForIn) => {}
            ")" if self.stand == Stand::Pattern => self.stand = Stand::Command,
            _ => self.stand = Stand::Command,
        }
    }

    fn word(&mut self, word: &str, touches_redirection: bool) -> bool {
        match self.stand {
            Stand::Redirection(left) => {
                self.stand = if left > 1 {
                    Stand::Redirection(left - 1)
                } else {
                    self.before_redirection
                };
                false
            }
            Stand::Arguments => false,
            Stand::CaseWord => {
                self.stand = Stand::CaseIn;
                false
            }
            Stand::CaseIn => {
                if word == "in" {
                    self.stand = Stand::Pattern;
                }
                true
            }
            Stand::Pattern => {
                if word == "esac" {
                    self.stand = Stand::Command;
                }
                false
            }
            Stand::ForName => {
                self.stand = Stand::ForIn;
                false
            }
            Stand::ForIn => {
                self.stand = match word {
                    "do" => Stand::Command,
                    _ => Stand::Arguments,
                };
                true
            }
            Stand::Command => self.command_word(word, touches_redirection),
        }
    }

    fn command_word(&mut self, word: &str, touches_redirection: bool) -> bool {
        match word {
            "if" | "then" | "else" | "elif" | "while" | "until" | "do" | "{" | "!" | "fi" | "done"
            | "esac" | "}" | "time" => false,
            "case" => {
                self.stand = Stand::CaseWord;
                false
            }
            "for" | "select" => {
                self.stand = Stand::ForName;
                false
            }
            "function" => {
                self.stand = Stand::Arguments;
                false
            }
            // The number of a file that is redirected.
            _ if touches_redirection && word.chars().all(|c| c.is_ascii_digit()) => false,
            _ if is_assignment(word) => false,
            _ => {
                self.stand = Stand::Arguments;
                true
            }
        }
    }
}

/// Whether a word in front of a command assigns to a variable.
fn is_assignment(word: &str) -> bool {
    word.split_once('=').is_some_and(|(name, _)| {
        let name = name.strip_suffix('+').unwrap_or(name);
        let name = name.split('[').next().unwrap_or(name);
        !name.is_empty()
            && !name.starts_with(|c: char| c.is_ascii_digit())
            && name.chars().all(|c| c.is_ascii_alphanumeric() || c == '_')
    })
}
