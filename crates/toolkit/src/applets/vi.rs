//! `vi`: edits text on the screen.

use crate::{
    applet::{Applet, Args, Opt},
    editor::session,
};

pub(crate) static APPLET: Applet = Applet {
    name: "vi",
    summary: "Edits text on the screen.",
    usage: "[-R] [-c LINE] [+N | +/PATTERN] [FILE]...",
    options: &[
        Opt { short: 'R', long: "readonly", value: "", help: "write only with :w!" },
        Opt { short: 'c', long: "command", value: "LINE", help: "begin with that line behind :" },
        Opt { short: 's', long: "script", value: "FILE", help: "take keys from the file first" },
    ],
    notes: KEYS,
    example: "vi +/PermitRootLogin /etc/ssh/sshd_config",
    run,
};

const KEYS: &str = "Keys (N: a number typed before):\n\
    h j k l w b e 0 ^ $ f t ; , % G gg { } ( ) H M L   go somewhere\n\
    d c y > <     with one of those: cut, change, copy, shift; doubled: the line\n\
    x X D C s S r R J ~ p P \"a     the short ones; p puts what was cut or copied\n\
    i I a A o O   type text, until Escape       u Ctrl-R   undo, redo\n\
    .             the last change again         m ' `      marks\n\
    / ? n N * #   search                        v V        select first\n\
    Ctrl-F B D U E Y  zt zz zb                  move the screen\n\
    :w :q :wq :x :e :r :n :!    files           ZZ ZQ      write and end, end\n\
    :s/OLD/NEW/gc :g/RE/ :d :m :t :set :reg     lines; before them lines such as 1,$ or %\n\
    When the connection or the terminal goes away, the text is saved to FILE.vi-rescue.";

fn run(args: &Args) -> anyhow::Result<u8> {
    session::run(args)
}
