//! The language AWK (POSIX XCU `awk`, with what scripts use of GNU's): source text to tree to result.
//!
//! Text is bytes, as in the C locale, the only one there is on the CD.

mod ast;
mod call;
mod io;
mod lex;
mod parse;
mod printf;
mod run;
mod text;
mod time;
mod value;

pub(crate) use parse::parse;
pub(crate) use run::Machine;
