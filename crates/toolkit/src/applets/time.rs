//! `time`: how long a command takes.

use crate::applet::{Applet, Args, Opt, reason, usage_error};
use std::{
    fs::File,
    io::{self, Write},
    os::unix::process::ExitStatusExt as _,
    process::Command,
    time::Instant,
};

pub(crate) static APPLET: Applet = Applet {
    name: "time",
    summary: "Runs a command and prints the seconds that it took; its status is the command's.",
    usage: "[OPTION]... COMMAND [ARGUMENT]...",
    options: &[
        Opt { short: 'p', long: "portability", value: "", help: "as POSIX has it (so always)" },
        Opt { short: 'o', long: "output", value: "FILE", help: "write the times to FILE" },
    ],
    notes: "",
    example: "time -p dd if=/dev/sda of=/dev/null bs=1M count=1000",
    run,
};

fn run(args: &Args) -> anyhow::Result<u8> {
    let Some((program, rest)) = args.operands.split_first() else {
        return usage_error("which COMMAND?");
    };
    let start = Instant::now();
    let status = match Command::new(program).args(rest).status() {
        Ok(status) => status.code().or(status.signal().map(|signal| 128 + signal)).unwrap_or(1),
        Err(error) => {
            eprintln!("time: {}: {}", program.display(), reason(&error));
            if error.kind() == io::ErrorKind::NotFound { 127 } else { 126 }
        }
    };
    let real = start.elapsed().as_secs_f64();
    let (user, system) = children()?;
    let text = format!("real {real:.2}\nuser {user:.2}\nsys {system:.2}\n");
    match args.value("output") {
        Some(file) => File::create(file)?.write_all(text.as_bytes())?,
        None => io::stderr().write_all(text.as_bytes())?,
    }
    Ok(u8::try_from(status).unwrap_or(1))
}

/// Seconds of the processor that children have used: proc(5), `stat`, fields 16 and 17.
fn children() -> anyhow::Result<(f64, f64)> {
    let text = std::fs::read_to_string("/proc/self/stat")?;
    let after = text.rsplit_once(')').map_or("", |(_, after)| after);
    let mut fields = after.split_whitespace().skip(13);
    let mut ticks = || fields.next().and_then(|field| field.parse::<f64>().ok()).unwrap_or(0.0);
    #[expect(clippy::cast_precision_loss, reason = "it is 100")]
    let second = rustix::param::clock_ticks_per_second() as f64;
    Ok((ticks() / second, ticks() / second))
}
