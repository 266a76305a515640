//! `hostname`: the machine's name.

use crate::applet::{Applet, Args, Opt, usage_error};
use anyhow::Context as _;

pub(crate) static APPLET: Applet = Applet {
    name: "hostname",
    summary: "Prints or sets the machine's name.",
    usage: "[-s] [NAME]",
    options: &[Opt { short: 's', long: "short", value: "", help: "only up to the first dot" }],
    notes: "",
    example: "hostname rescue",
    run,
};

fn run(args: &Args) -> anyhow::Result<u8> {
    match args.words()?.as_slice() {
        [] => {
            let system = rustix::system::uname();
            let name = system.nodename().to_string_lossy();
            let short = name.split('.').next().unwrap_or(&name);
            println!("{}", if args.has("short") { short } else { &name });
        }
        [name] => {
            let good = |b: u8| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'.' | b'_');
            if name.is_empty() || name.len() > 64 || !name.bytes().all(good) {
                return usage_error(format!(
                    "{name:?} is not a name of 1 to 64 letters, digits, - and ."
                ));
            }
            rustix::system::sethostname(name.as_bytes()).context("cannot set the name")?;
        }
        _ => return usage_error("only one NAME can be given"),
    }
    Ok(0)
}
