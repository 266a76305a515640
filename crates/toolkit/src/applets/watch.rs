//! `watch`: a command again and again, full screen.

use crate::{
    applet::{Applet, Args, Opt, usage_error},
    dates::date,
    terminal::{Event, Key, Size, Terminal, print},
    text_cells::{Cell, Style, cells, write_cells},
};
use anyhow::Context as _;
use std::{
    ffi::OsString,
    io::Read as _,
    os::unix::process::ExitStatusExt as _,
    process::{Command, Stdio},
    time::{Duration, Instant, SystemTime, UNIX_EPOCH},
};
use xenoboot_sys::process::{Setup, prepare};

const fn flag(short: char, long: &'static str, help: &'static str) -> Opt {
    Opt { short, long, value: "", help }
}

pub(crate) static APPLET: Applet = Applet {
    name: "watch",
    summary: "Runs a command again and again and shows what it prints.",
    usage: "[OPTION]... COMMAND [ARGUMENT]...",
    options: &[
        Opt { short: 'n', long: "interval", value: "SECONDS", help: "between two; 2 if not given" },
        Opt {
            short: 'd',
            long: "differences",
            value: "[permanent]",
            help: "show what has changed; since the first with permanent",
        },
        flag('t', "no-title", "no line at the top"),
        flag('g', "chgexit", "end when what it prints changes"),
        flag('e', "errexit", "end when it fails, after a key"),
        flag('b', "beep", "beep when it fails"),
        flag('c', "color", "show its colours"),
        flag('p', "precise", "count the time it takes as part of the interval"),
        flag('x', "exec", "run it without a shell"),
    ],
    notes: "Ends by q or Ctrl-C; blank: now. Status 0; with -e 8 when the command failed.",
    example: "watch -n 1 -d 'cat /proc/mdstat'",
    run,
};

/// Not more of what a command prints is kept, bytes: no screen has room for it.
const KEPT: u64 = 1 << 20;
/// What procps' `watch` ends with when the command failed.
const FAILED: u8 = 8;

/// What a command did.
struct Look {
    text: Vec<u8>,
    failed: bool,
}

fn run(args: &Args) -> anyhow::Result<u8> {
    if args.operands.is_empty() {
        return usage_error("which command?");
    }
    let interval = match args.text("interval")?.map(|text| text.replace(',', ".").parse::<f64>()) {
        None => 2.0,
        // The least and the most that procps' takes.
        Some(Ok(seconds)) if seconds.is_finite() => seconds.clamp(0.1, 31.0 * 86400.0),
        Some(_) => return usage_error("the interval is not a number of seconds"),
    };
    let mut terminal = Terminal::take(true).context("needs a terminal")?;
    let mut first: Option<Vec<u8>> = None;
    let mut before: Option<Vec<Vec<Cell>>> = None;
    loop {
        let begun = Instant::now();
        let look = look(args)?;
        if first.as_ref().is_some_and(|first| *first != look.text) && args.has("chgexit") {
            return Ok(0);
        }
        first.get_or_insert_with(|| look.text.clone());
        let screen = draw(args, terminal.size(), interval, &look, before.as_ref())?;
        let permanent = args.value("differences").is_some_and(|value| !value.is_empty());
        if before.is_none() || !permanent {
            before = Some(screen);
        }
        if look.failed {
            if args.has("beep") {
                print(b"\x07")?;
            }
            if args.has("errexit") {
                print(
                    format!(
                        "\x1b[{};1H\x1b[Kcommand exit with a non-zero status, press a key to exit",
                        terminal.size().rows
                    )
                    .as_bytes(),
                )?;
                while !matches!(terminal.next(None, None)?, Event::Key(_) | Event::Closed) {}
                return Ok(FAILED);
            }
        }
        let due = if args.has("precise") { begun } else { Instant::now() }
            + Duration::from_secs_f64(interval);
        if !wait(args, &mut terminal, due, interval, &look, before.as_ref())? {
            return Ok(0);
        }
    }
}

/// Waits until the next look is due; false when it is to end.
fn wait(
    args: &Args,
    terminal: &mut Terminal,
    due: Instant,
    interval: f64,
    look: &Look,
    before: Option<&Vec<Vec<Cell>>>,
) -> anyhow::Result<bool> {
    loop {
        let left = due.saturating_duration_since(Instant::now());
        match terminal.next(Some(left), None)? {
            Event::Key(Key::Char('q') | Key::Ctrl('c')) | Event::Closed => return Ok(false),
            Event::Key(Key::Char(' ')) | Event::Timeout => return Ok(true),
            Event::Redraw => {
                draw(args, terminal.size(), interval, look, before)?;
            }
            Event::Key(_) | Event::Ready => {}
        }
    }
}

/// Runs the command once, standard output and error together.
fn look(args: &Args) -> anyhow::Result<Look> {
    let mut words = args.operands.iter();
    let mut command = if args.has("exec") {
        let mut command = Command::new(words.next().map(OsString::as_os_str).unwrap_or_default());
        command.args(words);
        command
    } else {
        let line: Vec<_> = args.operands.iter().map(OsString::as_os_str).collect();
        let mut command = Command::new("sh");
        command.arg("-c").arg(line.join(" ".as_ref()));
        command
    };
    let (mut output, writer) = std::io::pipe().context("cannot make a pipe")?;
    command.stdin(Stdio::null()).stdout(writer.try_clone()?).stderr(writer);
    // Signals that wait here for the screen are the child's as always.
    prepare(&mut command, Setup::default())?;
    let mut child = match command.spawn() {
        Ok(child) => child,
        Err(error) => {
            let text = format!("watch: {}\n", crate::applet::reason(&error)).into_bytes();
            return Ok(Look { text, failed: true });
        }
    };
    // The command's copies of the pipe's end must be the only ones.
    drop(command);
    let mut text = Vec::new();
    output.by_ref().take(KEPT).read_to_end(&mut text)?;
    std::io::copy(&mut output, &mut std::io::sink())?;
    let status = child.wait()?;
    Ok(Look { text, failed: status.code() != Some(0) || status.signal().is_some() })
}

/// Draws the screen; what is on it below the title.
fn draw(
    args: &Args,
    size: Size,
    interval: f64,
    look: &Look,
    before: Option<&Vec<Vec<Cell>>>,
) -> anyhow::Result<Vec<Vec<Cell>>> {
    let mut out = b"\x1b[m\x1b[H".to_vec();
    let titles = if args.has("no-title") { 0 } else { 2 };
    if titles > 0 {
        out.extend(title(args, size, interval).bytes());
        out.extend(b"\x1b[K\r\n\x1b[K");
    }
    let rows = size.rows.saturating_sub(titles);
    let mut lines: Vec<Vec<Cell>> = Vec::new();
    for line in look.text.split(|byte| *byte == b'\n') {
        if lines.len() >= rows {
            break;
        }
        let line = cells(line, args.has("color"));
        lines.extend(crate::text_cells::wrap(&line, size.columns).map(<[Cell]>::to_vec));
    }
    lines.truncate(rows);
    for (n, line) in lines.iter().enumerate() {
        if n > 0 || titles > 0 {
            out.extend(b"\r\n");
        }
        let old = before.filter(|_| args.has("differences")).map(|before| before.get(n));
        let shown = line.iter().enumerate().map(|(at, cell)| {
            let changed = old.is_some_and(|old| {
                old.and_then(|old| old.get(at)).is_none_or(|old| old.text != cell.text)
            });
            let style = Style { reverse: cell.style.reverse || changed, ..cell.style.clone() };
            Cell { style, ..cell.clone() }
        });
        write_cells(&mut out, shown);
        if line.iter().map(|cell| cell.width).sum::<usize>() < size.columns {
            out.extend(b"\x1b[K");
        }
    }
    if lines.len() < rows {
        out.extend(b"\x1b[J");
    }
    print(&out)?;
    Ok(lines)
}

/// The interval and the command at the left, the machine and the time at the right.
fn title(args: &Args, size: Size, interval: f64) -> String {
    let command: Vec<_> = args.operands.iter().map(|word| word.to_string_lossy()).collect();
    let host = rustix::system::uname().nodename().to_string_lossy().into_owned();
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    let now = date(i64::try_from(now.as_secs()).unwrap_or(0));
    let right = format!(
        "{host}: {}",
        format_args!("{} {} {:>2} {} {}", now.weekday, now.month, now.day, now.time, now.year)
    );
    let left = format!("Every {interval:.1}s: {}", command.join(" "));
    let safe =
        |text: &str| text.chars().map(|c| if c.is_control() { '?' } else { c }).collect::<String>();
    let (left, right) = (safe(&left), safe(&right));
    let room = size.columns.saturating_sub(right.chars().count() + 1);
    if room < 10 {
        return left.chars().take(size.columns).collect();
    }
    format!("{:<room$} {right}", left.chars().take(room).collect::<String>())
}
