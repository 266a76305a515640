//! `time`: how long a command takes.

use crate::applet::{Applet, Args, Opt, reason, usage_error};
use nix::sys::{
    resource::{Usage, UsageWho, getrusage},
    time::TimeValLike as _,
};
use std::{
    ffi::OsString,
    fs::OpenOptions,
    io::{self, Write},
    os::unix::{ffi::OsStrExt as _, process::ExitStatusExt as _},
    process::Command,
    time::{Duration, Instant},
};

pub(crate) static APPLET: Applet = Applet {
    name: "time",
    summary: "Runs a command and prints the seconds that it took; its status is the command's.",
    usage: "[OPTION]... COMMAND [ARGUMENT]...",
    options: &[
        Opt { short: 'p', long: "portability", value: "", help: "as POSIX has it (the default)" },
        Opt { short: 'f', long: "format", value: "FORMAT", help: "as FORMAT says" },
        Opt { short: 'o', long: "output", value: "FILE", help: "write the times to FILE" },
        Opt { short: 'a', long: "append", value: "", help: "to the end of FILE" },
    ],
    notes: "In FORMAT: %e seconds, %E hours:minutes:seconds, %U of them in the program, %S in the kernel, %P of a processor,\n\
            %M largest memory in KiB, %F and %R page faults with and without reading, %I and %O blocks read and written,\n\
            %w and %c times that it waited and was made to, %x its status, %C the command; %%, \\n, \\t, \\\\.",
    example: "time -f '%e s, %M KiB' dd if=/dev/sda of=/dev/null bs=1M count=1000",
    run,
};

/// What a command has done.
struct Done<'a> {
    command: &'a [OsString],
    status: i32,
    real: Duration,
    used: Usage,
}

fn run(args: &Args) -> anyhow::Result<u8> {
    let command = args.operands.as_slice();
    let Some((program, rest)) = command.split_first() else {
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
    let real = start.elapsed();
    let done = Done { command, status, real, used: getrusage(UsageWho::RUSAGE_CHILDREN)? };
    let mut text = match args.value("format") {
        Some(format) if !args.has("portability") => done.text(format.as_bytes()),
        _ => done.text(b"real %e\nuser %U\nsys %S"),
    };
    text.push(b'\n');
    match args.value("output") {
        Some(file) => {
            let mut open = OpenOptions::new();
            open.create(true).write(true).append(args.has("append"));
            open.truncate(!args.has("append")).open(file)?.write_all(&text)?;
        }
        None => io::stderr().write_all(&text)?,
    }
    Ok(u8::try_from(status).unwrap_or(1))
}

impl Done<'_> {
    /// What the format says; what it does not know it shows, with a question mark before it (GNU time).
    fn text(&self, format: &[u8]) -> Vec<u8> {
        let mut text = Vec::new();
        let mut rest = format.iter().copied();
        while let Some(byte) = rest.next() {
            match (byte, rest.clone().next()) {
                (b'%', None) => text.push(b'?'),
                (b'%', Some(letter)) => match self.field(letter) {
                    Some(field) => text.extend(field),
                    None => text.extend([b'?', letter]),
                },
                (b'\\', Some(b'n')) => text.push(b'\n'),
                (b'\\', Some(b't')) => text.push(b'\t'),
                (b'\\', Some(b'\\')) => text.push(b'\\'),
                (b'\\', after) => text.extend(b"?\\".iter().copied().chain(after)),
                _ => {
                    text.push(byte);
                    continue;
                }
            }
            rest.next();
        }
        text
    }

    fn field(&self, letter: u8) -> Option<Vec<u8>> {
        let seconds = |time: nix::sys::time::TimeVal| {
            #[expect(clippy::cast_precision_loss, reason = "two digits are shown")]
            let seconds = time.num_microseconds() as f64 / 1e6;
            seconds
        };
        let (used, real) = (&self.used, self.real.as_secs_f64());
        let (user, system) = (seconds(used.user_time()), seconds(used.system_time()));
        let text = match letter {
            b'%' => "%".into(),
            b'e' => format!("{real:.2}"),
            b'E' => elapsed(self.real),
            b'U' => format!("{user:.2}"),
            b'S' => format!("{system:.2}"),
            b'P' if real > 0.0 => format!("{:.0}%", ((user + system) / real * 100.0).floor()),
            b'P' => "?%".into(),
            b'M' => used.max_rss().to_string(),
            b'F' => used.major_page_faults().to_string(),
            b'R' => used.minor_page_faults().to_string(),
            b'I' => used.block_reads().to_string(),
            b'O' => used.block_writes().to_string(),
            b'w' => used.voluntary_context_switches().to_string(),
            b'c' => used.involuntary_context_switches().to_string(),
            b'x' => self.status.to_string(),
            b'C' => return Some(self.command.join(" ".as_ref()).as_bytes().to_vec()),
            _ => return None,
        };
        Some(text.into_bytes())
    }
}

/// `1:02:03` or `2:03.45`.
fn elapsed(time: Duration) -> String {
    let (seconds, hundredths) = (time.as_secs(), time.subsec_millis() / 10);
    let (hours, minutes) = (seconds / 3600, seconds / 60 % 60);
    match hours {
        0 => format!("{minutes}:{:02}.{hundredths:02}", seconds % 60),
        _ => format!("{hours}:{minutes:02}:{:02}", seconds % 60),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn minutes_and_hours() {
        assert_eq!(elapsed(Duration::from_millis(62_345)), "1:02.34");
        assert_eq!(elapsed(Duration::from_secs(3 * 3600 + 62)), "3:01:02");
    }
}
