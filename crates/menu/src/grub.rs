//! GRUB 2: its configuration is a program, and it is run.
//!
//! In the order of reading: [`lex`] and [`parse`] make a tree of the text, [`expand`] makes arguments of words,
//! [`run`] runs commands, which are in [`commands`], and [`menu`] makes entries of what they left behind.
//! What is done is what GRUB 2.12 and the distributions' versions of it do; the manual is silent on much of it.

mod blscfg;
mod commands;
mod condition;
mod device;
mod environment;
mod expand;
mod lex;
mod loading;
mod menu;
mod parse;
mod run;
mod search;

use crate::{
    entry::Menu,
    files::{Files, Place},
    scan::Firmware,
};

/// Evaluates a configuration as GRUB would that was installed beside it.
pub(crate) fn evaluate(files: &dyn Files, config: &Place, firmware: Firmware) -> Menu {
    let mut machine = run::Machine::new(files, config, firmware);
    machine.main(config);
    menu::entries(machine)
}
