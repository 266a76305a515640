//! Makes brush run what bash runs at the same time at the same time.
//!
//! brush 0.5 runs the stages of a pipeline one after the other when they are loops, groups or
//! functions: `f | cat` prints nothing until `f` has ended, and stops for ever when `f` writes more
//! than a pipe holds. It also knows no process number for what runs in the background. Both end
//! when the stage, or the background command, is a builtin, for brush starts those on a thread of
//! their own. So a parsed program is changed before it runs:
//!
//! - a stage that is not a plain command becomes `__stage N`,
//! - `command &` becomes `__background command`, and any other list `& ` becomes `__task N`,
//! - `$!` becomes the variable that those set,
//! - a command substitution in which anything changed becomes `$(__stage N)`,
//!
//! where N numbers a program that is kept in [`Stash`]. What has none of these runs as it is.

use brush_core::parser::ast;
use brush_parser::{
    ParserOptions,
    word::{Parameter, ParameterExpr, SpecialParameter, WordPiece, WordPieceWithSource},
};
use std::{
    collections::HashSet,
    sync::{Mutex, PoisonError},
};

/// The builtin that runs a kept program as a subshell's.
pub(crate) const STAGE: &str = "__stage";
/// The builtin that starts a plain command in the background.
pub(crate) const BACKGROUND: &str = "__background";
/// The builtin that starts a kept program in the background.
pub(crate) const TASK: &str = "__task";
/// The variable behind `$!`.
pub(crate) const LAST: &str = "__last_background";

/// Programs by number. They live as long as the process: a number may stand in a function's body.
pub(crate) struct Stash(Mutex<Vec<ast::Program>>);

/// The only one.
pub(crate) static STASH: Stash = Stash(Mutex::new(Vec::new()));

impl Stash {
    fn put(&self, program: ast::Program) -> usize {
        let mut programs = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        programs.push(program);
        programs.len() - 1
    }

    /// The program with a number.
    pub(crate) fn get(&self, number: usize) -> Option<ast::Program> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).get(number).cloned()
    }
}

/// Changes programs.
pub(crate) struct Rewriter<'a> {
    options: ParserOptions,
    /// What may be a function: a plain command of that name is a stage to be changed.
    functions: HashSet<String>,
    is_builtin: &'a dyn Fn(&str) -> bool,
    changes: usize,
}

impl<'a> Rewriter<'a> {
    /// For a shell with these parser options, builtins and functions.
    pub(crate) fn new(
        options: ParserOptions,
        is_builtin: &'a dyn Fn(&str) -> bool,
        functions: impl Iterator<Item = String>,
    ) -> Self {
        Self { options, functions: functions.collect(), is_builtin, changes: 0 }
    }

    /// The changed program; `None` when nothing needs to be changed, or the text is not a program,
    /// which whoever runs it will say.
    pub(crate) fn text(&mut self, text: &str) -> Option<ast::Program> {
        // Most scripts have nothing of the kind: they need not be parsed twice.
        if !text.contains(['|', '&']) {
            return None;
        }
        self.functions.extend(defined_in(text));
        let mut program = parse(text, &self.options)?;
        self.program(&mut program).then_some(program)
    }

    /// Changes a function's body. True when anything was changed.
    pub(crate) fn function(&mut self, body: &mut ast::FunctionBody) -> bool {
        let before = self.changes;
        self.compound(&mut body.0);
        self.changes > before
    }

    fn program(&mut self, program: &mut ast::Program) -> bool {
        let before = self.changes;
        program.complete_commands.iter_mut().for_each(|list| self.list(list));
        self.changes > before
    }

    fn list(&mut self, list: &mut ast::CompoundList) {
        for ast::CompoundListItem(and_or, separator) in &mut list.0 {
            self.and_or(and_or);
            if matches!(separator, ast::SeparatorOperator::Async) {
                self.background(and_or);
                *separator = ast::SeparatorOperator::Sequence;
            }
        }
    }

    fn and_or(&mut self, and_or: &mut ast::AndOrList) {
        self.pipeline(&mut and_or.first);
        for next in &mut and_or.additional {
            let (ast::AndOr::And(pipeline) | ast::AndOr::Or(pipeline)) = next;
            self.pipeline(pipeline);
        }
    }

    fn pipeline(&mut self, pipeline: &mut ast::Pipeline) {
        pipeline.seq.iter_mut().for_each(|command| self.command(command));
        if pipeline.seq.len() > 1 {
            pipeline.seq.iter_mut().for_each(|command| self.stage(command));
        }
    }

    fn stage(&mut self, command: &mut ast::Command) {
        let sequential = match command {
            ast::Command::Compound(..) => true,
            ast::Command::Simple(simple) => {
                literal_name(simple).is_some_and(|name| self.functions.contains(name))
            }
            ast::Command::Function(_) | ast::Command::ExtendedTest(..) => false,
        };
        if sequential {
            let kept = STASH.put(program_of(and_or_of(command.clone())));
            *command = ast::Command::Simple(call(STAGE, kept));
            self.changes += 1;
        }
    }

    fn background(&mut self, and_or: &mut ast::AndOrList) {
        self.changes += 1;
        if let ([ast::Command::Simple(simple)], []) =
            (and_or.first.seq.as_mut_slice(), and_or.additional.as_slice())
            && let Some(name) = literal_name(simple)
            && !self.functions.contains(name)
            && !(self.is_builtin)(name)
        {
            let name = simple.word_or_name.replace(ast::Word::new(BACKGROUND));
            let words = simple.suffix.get_or_insert_with(|| ast::CommandSuffix(Vec::new()));
            words.0.splice(0..0, name.map(ast::CommandPrefixOrSuffixItem::Word));
            return;
        }
        let kept = STASH.put(program_of(and_or.clone()));
        *and_or = and_or_of(ast::Command::Simple(call(TASK, kept)));
    }

    fn command(&mut self, command: &mut ast::Command) {
        match command {
            ast::Command::Simple(simple) => self.simple(simple),
            ast::Command::Compound(compound, redirects) => {
                self.compound(compound);
                self.redirects(redirects);
            }
            ast::Command::Function(function) => self.compound(&mut function.body.0),
            ast::Command::ExtendedTest(..) => {}
        }
    }

    fn simple(&mut self, simple: &mut ast::SimpleCommand) {
        if let Some(prefix) = &mut simple.prefix {
            prefix.0.iter_mut().for_each(|item| self.item(item));
        }
        if let Some(name) = &mut simple.word_or_name {
            self.word(name);
        }
        if let Some(suffix) = &mut simple.suffix {
            suffix.0.iter_mut().for_each(|item| self.item(item));
        }
    }

    fn item(&mut self, item: &mut ast::CommandPrefixOrSuffixItem) {
        match item {
            ast::CommandPrefixOrSuffixItem::IoRedirect(redirect) => self.redirect(redirect),
            ast::CommandPrefixOrSuffixItem::Word(word) => self.word(word),
            ast::CommandPrefixOrSuffixItem::AssignmentWord(assignment, word) => {
                self.word(word);
                match &mut assignment.value {
                    ast::AssignmentValue::Scalar(word) => self.word(word),
                    ast::AssignmentValue::Array(words) => {
                        words.iter_mut().for_each(|(_, word)| self.word(word));
                    }
                }
            }
            ast::CommandPrefixOrSuffixItem::ProcessSubstitution(_, subshell) => {
                self.list(&mut subshell.list);
            }
        }
    }

    fn redirects(&mut self, redirects: &mut Option<ast::RedirectList>) {
        if let Some(redirects) = redirects {
            redirects.0.iter_mut().for_each(|redirect| self.redirect(redirect));
        }
    }

    fn redirect(&mut self, redirect: &mut ast::IoRedirect) {
        use ast::IoFileRedirectTarget as Target;
        match redirect {
            ast::IoRedirect::File(_, _, Target::Filename(word) | Target::Duplicate(word))
            | ast::IoRedirect::HereString(_, word)
            | ast::IoRedirect::OutputAndError(word, _) => self.word(word),
            ast::IoRedirect::File(_, _, Target::ProcessSubstitution(_, subshell)) => {
                self.list(&mut subshell.list);
            }
            ast::IoRedirect::File(_, _, Target::Fd(_)) | ast::IoRedirect::HereDocument(..) => {}
        }
    }

    fn compound(&mut self, compound: &mut ast::CompoundCommand) {
        use ast::CompoundCommand as C;
        match compound {
            C::Arithmetic(_) => {}
            C::ArithmeticForClause(command) => self.list(&mut command.body.list),
            C::BraceGroup(command) => self.list(&mut command.list),
            C::Subshell(command) => self.list(&mut command.list),
            C::ForClause(command) => {
                command.values.iter_mut().flatten().for_each(|word| self.word(word));
                self.list(&mut command.body.list);
            }
            C::CaseClause(command) => {
                self.word(&mut command.value);
                command.cases.iter_mut().filter_map(|c| c.cmd.as_mut()).for_each(|c| self.list(c));
            }
            C::IfClause(command) => {
                self.list(&mut command.condition);
                self.list(&mut command.then);
                for branch in command.elses.iter_mut().flatten() {
                    branch.condition.iter_mut().for_each(|list| self.list(list));
                    self.list(&mut branch.body);
                }
            }
            C::WhileClause(command) | C::UntilClause(command) => {
                self.list(&mut command.0);
                self.list(&mut command.1.list);
            }
            C::Coprocess(command) => self.command(&mut command.body),
        }
    }

    /// Changes a word's command substitutions and `$!`.
    fn word(&mut self, word: &mut ast::Word) {
        if !["$(", "`", "$!"].iter().any(|mark| word.value.contains(mark)) {
            return;
        }
        let Ok(pieces) = brush_parser::word::parse(&word.value, &self.options) else { return };
        let mut replacements = Vec::new();
        self.pieces(&pieces, &mut replacements);
        // From the back, so that the places in front stay where they are.
        for (start, end, text) in replacements.into_iter().rev() {
            if word.value.is_char_boundary(start) && word.value.is_char_boundary(end) {
                word.value.replace_range(start..end, &text);
            }
        }
    }

    fn pieces(&mut self, pieces: &[WordPieceWithSource], out: &mut Vec<(usize, usize, String)>) {
        for WordPieceWithSource { piece, start_index, end_index } in pieces {
            let text = match piece {
                WordPiece::DoubleQuotedSequence(inner)
                | WordPiece::GettextDoubleQuotedSequence(inner) => {
                    self.pieces(inner, out);
                    None
                }
                WordPiece::CommandSubstitution(text)
                | WordPiece::BackquotedCommandSubstitution(text) => {
                    let kept = self.text(text).map(|program| STASH.put(program));
                    kept.map(|kept| format!("$({STAGE} {kept})"))
                }
                WordPiece::ParameterExpansion(ParameterExpr::Parameter {
                    parameter: Parameter::Special(SpecialParameter::LastBackgroundProcessId),
                    indirect: false,
                }) => {
                    self.changes += 1;
                    Some(format!("${{{LAST}-}}"))
                }
                _ => None,
            };
            out.extend(text.map(|text| (*start_index, *end_index, text)));
        }
    }
}

/// A program, or `None` when the text is none.
fn parse(text: &str, options: &ParserOptions) -> Option<ast::Program> {
    brush_parser::Parser::new(text.as_bytes(), options).parse_program().ok()
}

/// The name of a plain command when it is written out.
fn literal_name(simple: &ast::SimpleCommand) -> Option<&str> {
    let name = simple.word_or_name.as_ref()?.value.as_str();
    let plain = |b: u8| b.is_ascii_alphanumeric() || b"_-./+:[".contains(&b);
    name.bytes().all(plain).then_some(name)
}

fn call(builtin: &str, number: usize) -> ast::SimpleCommand {
    let number = ast::Word::new(&number.to_string());
    ast::SimpleCommand {
        prefix: None,
        word_or_name: Some(ast::Word::new(builtin)),
        suffix: Some(ast::CommandSuffix(vec![ast::CommandPrefixOrSuffixItem::Word(number)])),
    }
}

fn and_or_of(command: ast::Command) -> ast::AndOrList {
    let first = ast::Pipeline { timed: None, bang: false, seq: vec![command] };
    ast::AndOrList { first, additional: Vec::new() }
}

fn program_of(and_or: ast::AndOrList) -> ast::Program {
    let item = ast::CompoundListItem(and_or, ast::SeparatorOperator::Sequence);
    ast::Program { complete_commands: vec![ast::CompoundList(vec![item])] }
}

/// The names of functions that the text may define: words before `()` and after `function`. One too
/// many does no harm.
fn defined_in(text: &str) -> impl Iterator<Item = String> {
    let word = |b: char| b.is_alphanumeric() || matches!(b, '_' | '-' | '.' | ':');
    let before = text.match_indices("()").filter_map(move |(at, _)| {
        let front = text.get(..at)?.trim_end_matches([' ', '\t']);
        front.rsplit(|c| !word(c)).next().map(str::to_owned)
    });
    let after = text
        .split("function ")
        .skip(1)
        .filter_map(move |part| part.trim_start().split(|c| !word(c)).next().map(str::to_owned));
    before.chain(after).filter(|name| !name.is_empty()).collect::<Vec<_>>().into_iter()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rewritten(text: &str) -> Option<String> {
        let is_builtin = |name: &str| matches!(name, "echo" | "read");
        let options = ParserOptions::default();
        let program = Rewriter::new(options, &is_builtin, std::iter::empty()).text(text);
        program.map(|program| program.to_string())
    }

    #[test]
    fn plain_commands_stay() {
        for text in ["a | b", "echo $(a | b)", "a && b || c", "if a; then b; fi", "a |"] {
            assert_eq!(rewritten(text), None, "{text}");
        }
    }

    #[test]
    fn loops_and_functions_become_stages() {
        let text = rewritten("a | while read x; do b; done").unwrap();
        assert!(text.starts_with("a |__stage "), "{text}");
        let text = rewritten("f() { a; }\nf x | cat").unwrap();
        assert!(text.contains("__stage"), "{text}");
        let text = rewritten("x=\"$(for i in 1; do a; done | b)\" c").unwrap();
        assert!(text.starts_with("x=\"$(__stage "), "{text}");
    }

    #[test]
    fn the_background_gets_a_number() {
        let text = rewritten("sleep 5 > f & wait $!").unwrap();
        assert!(text.starts_with("__background sleep 5 >"), "{text}");
        assert!(text.contains("wait ${__last_background-}"), "{text}");
        let text = rewritten("echo a & b").unwrap();
        assert!(text.starts_with("__task "), "{text}");
        assert_eq!(
            rewritten("a && b &").unwrap().trim_end_matches(';').split(' ').next(),
            Some("__task")
        );
    }

    #[test]
    fn names_of_functions() {
        let names: Vec<_> = defined_in("f() { :; }; a-b ()\n{ :; }\nfunction g { :; }").collect();
        assert!(["f", "a-b", "g"].iter().all(|n| names.iter().any(|m| m == n)), "{names:?}");
    }
}
