//! Parsing for shell instances.

use std::io::Read;

use crate::{Shell, extensions, trace_categories};

impl<SE: extensions::ShellExtensions> Shell<SE> {
    /// Parses the given reader as a shell program, returning the resulting Abstract Syntax Tree
    /// for the program.
    pub fn parse<R: Read>(
        &self,
        reader: R,
    ) -> Result<brush_parser::ast::Program, brush_parser::ParseError> {
        let mut parser = create_parser(reader, &self.parser_options());

        tracing::debug!(target: trace_categories::PARSE, "Parsing reader as program...");
        parser.parse_program()
    }

    /// Parses the given string as a shell program, returning the resulting Abstract Syntax Tree
    /// for the program.
    ///
    /// # Arguments
    ///
    /// * `s` - The string to parse as a program.
    pub fn parse_string<S: Into<String>>(
        &self,
        s: S,
    ) -> Result<brush_parser::ast::Program, brush_parser::ParseError> {
        parse_string_impl(s.into(), self.parser_options())
    }

    /// Whether aliases can stand in a text of this shell.
    pub(crate) fn minds_aliases(&self, text: &str) -> bool {
        (self.options.expand_aliases || self.options.posix_mode || text.contains("expand_aliases"))
            && (!self.aliases.is_empty() || text.contains("alias"))
    }

    /// The text of a program with the texts of aliases in it.
    ///
    /// # Arguments
    ///
    /// * `text` - Whole lines.
    pub fn expand_aliases<'a>(&self, text: &'a str) -> std::borrow::Cow<'a, str> {
        if self.aliases.is_empty() || !(self.options.expand_aliases || self.options.posix_mode) {
            return text.into();
        }
        let lookup = |name: &str| self.aliases.get(name).map(String::as_str);
        let options = self.parser_options().tokenizer_options();
        brush_parser::aliases::expand(text, &options, lookup).into()
    }

    /// Whether a program that was parsed from some lines needs another line.
    ///
    /// # Arguments
    ///
    /// * `parsed` - What parsing them came to.
    /// * `text` - The lines.
    pub fn wants_more(
        parsed: &Result<brush_parser::ast::Program, brush_parser::ParseError>,
        text: &str,
    ) -> bool {
        match parsed {
            Err(brush_parser::ParseError::Tokenizing { inner, .. }) => inner.is_incomplete(),
            Err(brush_parser::ParseError::ParsingAtEndOfInput) => true,
            Ok(_) | Err(_) => text.ends_with("\\\n"),
        }
    }

    /// Returns the options that should be used for parsing shell programs; reflects
    /// the current configuration state of the shell and may change over time.
    pub const fn parser_options(&self) -> brush_parser::ParserOptions {
        brush_parser::ParserOptions {
            // A script that sets `extglob` is parsed before it does.
            enable_extended_globbing: true,
            posix_mode: self.options.posix_mode,
            sh_mode: self.options.sh_mode,
            tilde_expansion_at_word_start: true,
            tilde_expansion_after_colon: false,
            tilde_expansion_after_equals: false,
            parser_impl: self.parser_impl,
        }
    }
}

#[cached::proc_macro::cached(size = 64, result = true)]
fn parse_string_impl(
    s: String,
    parser_options: brush_parser::ParserOptions,
) -> Result<brush_parser::ast::Program, brush_parser::ParseError> {
    let mut parser = create_parser(s.as_bytes(), &parser_options);

    tracing::debug!(target: trace_categories::PARSE, "Parsing string as program...");
    parser.parse_program()
}

pub(super) fn create_parser<R: Read>(
    r: R,
    parser_options: &brush_parser::ParserOptions,
) -> brush_parser::Parser<std::io::BufReader<R>> {
    let reader = std::io::BufReader::new(r);
    brush_parser::Parser::new(reader, parser_options)
}
