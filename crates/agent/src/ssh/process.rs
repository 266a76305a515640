//! Programs that operators run: with a terminal or without, until they end or the operator does.

use super::{
    inbox::{self, Inbox},
    pty::{self, Size, Terminal, Wanted},
};
use crate::sftp;
use bytes::Bytes;
use russh::{
    ChannelWriteHalf, Sig,
    server::{Handle, Msg},
};
use rustix::process::{Pid, Signal, kill_process_group};
use std::{
    collections::BTreeSet,
    ffi::OsString,
    io,
    os::unix::{ffi::OsStringExt as _, process::ExitStatusExt as _},
    process::{ExitStatus, Stdio},
    sync::Arc,
    time::Duration,
};
use tokio::{
    io::{AsyncRead, AsyncReadExt as _, AsyncWriteExt as _},
    process::{Child, ChildStdin, Command},
    sync::{mpsc, watch},
    time::timeout,
};
use xenoboot_sys::process::{Setup, prepare};

/// What is read of a program at once, bytes.
const PIECE: usize = 16 << 10;
/// When a program on a terminal has ended: for what it wrote last to arrive.
const LAST: Duration = Duration::from_millis(100);
/// For programs to end whose client has gone; less than the agent waits for the session's process.
const MOMENT: Duration = Duration::from_secs(2);

/// What is to be run.
#[derive(Clone, Debug)]
pub(super) enum Program {
    Shell,
    Command(Vec<u8>),
    Sftp,
}

/// What a program gets.
#[derive(Debug, Default)]
pub(super) struct Surroundings {
    pub(super) variables: Vec<(String, String)>,
    pub(super) terminal: Option<Wanted>,
}

/// What the client wants of a program that runs.
#[derive(Debug)]
pub(super) enum Control {
    Resize(Size),
    Signal(Signal),
}

/// The process groups of a session, to be told when it ends.
#[derive(Clone, Debug, Default)]
pub(super) struct Children(Arc<watch::Sender<BTreeSet<i32>>>);

impl Children {
    fn change(&self, change: impl FnOnce(&mut BTreeSet<i32>)) {
        self.0.send_modify(change);
    }

    /// Tells all of them that nobody is there any more, and gives them a moment in which their output is still taken: a
    /// shell tells its standard error of a program that was hung up, and before its own trap a pipe without a reader would
    /// end it. Who ignores all that (`nohup`) goes on.
    pub(super) async fn hang_up(&self) {
        self.0.borrow().iter().filter_map(|pid| Pid::from_raw(*pid)).for_each(hang_up);
        let mut groups = self.0.subscribe();
        // The sender is ours.
        let _ = timeout(MOMENT, groups.wait_for(BTreeSet::is_empty)).await;
    }
}

fn hang_up(group: Pid) {
    // It may have ended just now.
    let _ = kill_process_group(group, Signal::HUP);
}

/// A program that runs.
#[derive(Debug)]
pub(super) struct Running {
    child: Child,
    group: Pid,
    terminal: Option<Arc<Terminal>>,
}

/// Starts a program in a session of its own.
pub(super) fn start(
    program: &Program,
    with: &Surroundings,
    children: &Children,
) -> io::Result<Running> {
    let mut command = command(program);
    command.envs(with.variables.iter().map(|(name, value)| (name, value)));
    command.env("USER", "root").env("LOGNAME", "root").env("SHELL", "/bin/sh").current_dir("/");
    let mut terminal = None;
    if let Some(wanted) = &with.terminal {
        let (ours, theirs, path) = pty::open(wanted.size)?;
        command.env("TERM", &wanted.term).env("SSH_TTY", path);
        command.stdin(theirs.try_clone()?).stdout(theirs.try_clone()?).stderr(theirs);
        terminal = Some(Arc::new(ours));
    } else {
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    }
    let setup =
        Setup { new_session: true, controlling_terminal: terminal.is_some(), ..Setup::default() };
    prepare(&mut command, setup)?;
    let child = Command::from(command).spawn()?;
    let pid = child.id().and_then(|id| Pid::from_raw(i32::try_from(id).ok()?));
    let group = pid.ok_or(io::ErrorKind::NotFound)?;
    children.change(|groups| {
        groups.insert(group.as_raw_nonzero().get());
    });
    Ok(Running { child, group, terminal })
}

fn command(program: &Program) -> std::process::Command {
    let mut command = std::process::Command::new("/bin/sh");
    match program {
        Program::Shell => {}
        Program::Command(line) => {
            command.arg("-c").arg(OsString::from_vec(line.clone()));
        }
        Program::Sftp => {
            command = std::process::Command::new("/proc/self/exe");
            command.arg(sftp::WORD);
        }
    }
    command
}

/// Carries bytes until the program has ended and all that it wrote is sent; says how it ended, and closes the channel.
pub(super) async fn drive(
    mut running: Running,
    channel: ChannelWriteHalf<Msg>,
    handle: Handle,
    inbox: Inbox,
    mut controls: mpsc::Receiver<Control>,
    children: Children,
) {
    let (group, id, channel) = (running.group, channel.id(), Arc::new(channel));
    let (exited, has_exited) = watch::channel(false);
    let mut outputs = Vec::new();
    let input = if let Some(terminal) = running.terminal.clone() {
        outputs.push(tokio::spawn(show(Arc::clone(&terminal), Arc::clone(&channel), has_exited)));
        tokio::spawn(type_in(terminal, inbox.clone(), handle.clone(), id, group))
    } else {
        outputs.extend(
            running.child.stdout.take().map(|o| tokio::spawn(read(o, Arc::clone(&channel), None))),
        );
        outputs.extend(
            running
                .child
                .stderr
                .take()
                .map(|e| tokio::spawn(read(e, Arc::clone(&channel), Some(1)))),
        );
        tokio::spawn(feed(running.child.stdin.take(), inbox.clone(), handle.clone(), id, group))
    };
    let status = loop {
        tokio::select! {
            status = running.child.wait() => break status,
            Some(control) = controls.recv() => running.control(&control),
        }
    };
    children.change(|groups| {
        groups.remove(&group.as_raw_nonzero().get());
    });
    exited.send_replace(true);
    for output in outputs {
        // A task that reads a pipe ends with the pipe.
        let _ = output.await;
    }
    say_end(&handle, id, status).await;
    input.abort();
    inbox.close();
}

impl Running {
    fn control(&self, control: &Control) {
        match control {
            Control::Resize(size) => {
                if let Some(terminal) = &self.terminal {
                    terminal.resize(*size);
                }
            }
            Control::Signal(signal) => {
                // It may have ended just now.
                let _ = kill_process_group(self.group, *signal);
            }
        }
    }
}

/// From a terminal to the client. What other programs keep open does not keep the session open.
async fn show(
    terminal: Arc<Terminal>,
    channel: Arc<ChannelWriteHalf<Msg>>,
    mut exited: watch::Receiver<bool>,
) {
    let mut buffer = vec![0; PIECE];
    loop {
        let over = *exited.borrow();
        let read = if over {
            match timeout(LAST, terminal.read(&mut buffer)).await {
                Ok(read) => read,
                Err(_) => return,
            }
        } else {
            tokio::select! {
                read = terminal.read(&mut buffer) => read,
                _ = exited.changed() => continue,
            }
        };
        let Ok(count @ 1..) = read else { return };
        let bytes = Bytes::copy_from_slice(buffer.get(..count).unwrap_or_default());
        if channel.data_bytes(bytes).await.is_err() {
            return;
        }
    }
}

/// From a pipe to the client.
async fn read(
    mut pipe: impl AsyncRead + Unpin,
    channel: Arc<ChannelWriteHalf<Msg>>,
    kind: Option<u32>,
) {
    let mut buffer = vec![0; PIECE];
    while let Ok(count @ 1..) = pipe.read(&mut buffer).await {
        let bytes = Bytes::copy_from_slice(buffer.get(..count).unwrap_or_default());
        // Where nobody is to be told any more, the rest is taken all the same: see `Children::hang_up`.
        let _ = match kind {
            None => channel.data_bytes(bytes).await,
            Some(kind) => channel.extended_data_bytes(kind, bytes).await,
        };
    }
}

/// From the client to a terminal.
async fn type_in(
    terminal: Arc<Terminal>,
    inbox: Inbox,
    handle: Handle,
    id: russh::ChannelId,
    group: Pid,
) {
    while let Some(bytes) = inbox.take().await {
        tokio::select! {
            written = terminal.write_all(&bytes) => {
                if written.is_err() {
                    break;
                }
            }
            () = inbox.closed() => break,
        }
        inbox::used(&handle, id, bytes.len()).await;
    }
    inbox.closed().await;
    hang_up(group);
}

/// From the client to a pipe. A program that does not want to read is not an error.
async fn feed(
    stdin: Option<ChildStdin>,
    inbox: Inbox,
    handle: Handle,
    id: russh::ChannelId,
    group: Pid,
) {
    let mut stdin = stdin;
    while let Some(bytes) = inbox.take().await {
        let written = match &mut stdin {
            Some(pipe) => tokio::select! {
                written = pipe.write_all(&bytes) => written,
                () = inbox.closed() => break,
            },
            None => Ok(()),
        };
        if written.is_err() {
            stdin = None;
        }
        inbox::used(&handle, id, bytes.len()).await;
    }
    drop(stdin);
    inbox.closed().await;
    hang_up(group);
}

async fn say_end(handle: &Handle, id: russh::ChannelId, status: io::Result<ExitStatus>) {
    // Each of these fails only when the session is over.
    let _ = match status.map(|s| (s.code(), s.signal(), s.core_dumped())) {
        Ok((Some(code), _, _)) => handle.exit_status_request(id, code.cast_unsigned()).await,
        Ok((None, Some(signal), dumped)) => {
            let (name, none) = (name_of(signal), String::new);
            handle.exit_signal_request(id, name, dumped, none(), none()).await
        }
        _ => handle.exit_status_request(id, 255).await,
    };
    let _ = handle.eof(id).await;
    let _ = handle.close(id).await;
}

/// Signals by their names in the protocol (RFC 4254, section 6.10).
const SIGNALS: [(Signal, &str); 13] = [
    (Signal::ABORT, "ABRT"),
    (Signal::ALARM, "ALRM"),
    (Signal::FPE, "FPE"),
    (Signal::HUP, "HUP"),
    (Signal::ILL, "ILL"),
    (Signal::INT, "INT"),
    (Signal::KILL, "KILL"),
    (Signal::PIPE, "PIPE"),
    (Signal::QUIT, "QUIT"),
    (Signal::SEGV, "SEGV"),
    (Signal::TERM, "TERM"),
    (Signal::USR1, "USR1"),
    (Signal::USR2, "USR2"),
];

fn name_of(signal: i32) -> Sig {
    let known = SIGNALS.iter().find(|(s, _)| s.as_raw() == signal);
    Sig::Custom(known.map_or_else(|| format!("{signal}@xenoboot"), |(_, name)| (*name).to_owned()))
}

/// The signal that a client names.
pub(super) fn signal_of(name: &Sig) -> Option<Signal> {
    let name = match name {
        Sig::Custom(name) => name.clone(),
        // The others are called by their names in the protocol.
        known => format!("{known:?}"),
    };
    SIGNALS.iter().find(|(_, n)| *n == name).map(|(signal, _)| *signal)
}
