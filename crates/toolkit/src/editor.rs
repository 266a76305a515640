//! The editor `vi`.
//!
//! [`model`] is the editor without a terminal: a text ([`text`]), a cursor, and keys that become
//! commands ([`command`]). In the order of reading: [`motion`] and [`words`] go somewhere,
//! [`operate`] does something with the text up to there, [`simple`] is the rest of the keys,
//! [`insert`] and [`visual`] the other two modes. Behind `:` are [`ex`] with [`address`],
//! [`substitute`] and [`set`]. [`files`] reads and writes, [`view`] draws, [`session`] is all that on
//! a terminal.

mod address;
mod chars;
mod command;
mod ex;
mod ex_files;
mod files;
mod history;
mod insert;
mod line;
mod model;
mod motion;
mod operate;
mod outside;
mod pattern;
mod registers;
mod search;
pub(crate) mod session;
mod set;
mod simple;
mod store;
mod substitute;
mod text;
mod view;
mod visual;
mod words;
