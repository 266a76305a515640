//! `clear`: an empty screen.

use crate::applet::{Applet, Args};
use std::io::Write as _;

pub(crate) static APPLET: Applet = Applet {
    name: "clear",
    summary: "Clears the terminal's screen.",
    usage: "",
    options: &[],
    notes: "",
    example: "clear                     empties the screen and goes to its top left corner",
    run,
};

fn run(args: &Args) -> anyhow::Result<u8> {
    args.no_operands()?;
    // ECMA-48: cursor home (CUP), erase the display (ED 2); and xterm's ED 3 for what scrolled off.
    std::io::stdout().write_all(b"\x1b[H\x1b[2J\x1b[3J")?;
    Ok(0)
}
