//! One running agent: its process, its socket (descriptor 3 there) and its standard error.

use super::lines::Lines;
use crate::early::PATH;
use rustix::{
    io::Errno,
    net::{AddressFamily, RecvFlags, SendFlags, SocketFlags, SocketType, recv, send, socketpair},
    process::{Pid, Signal, kill_process},
};
use std::{
    io::{self, ErrorKind, PipeReader, Read},
    os::fd::{AsFd, BorrowedFd, OwnedFd},
    process::{Command, Stdio},
    time::{Duration, Instant},
};
use xenoboot_sys::process::{Reaped, Setup, prepare, reap};

/// The agent's end of the socket.
const AGENTS_DESCRIPTOR: i32 = 3;

/// The kernel shall kill it last but init.
const OOM_SCORE: i16 = -900;

/// Messages and chunks read before the loop turns to others.
const MOST_AT_ONCE: usize = 64;

#[derive(Debug)]
pub(super) struct Child {
    pid: Pid,
    /// `None` once the agent closed it.
    socket: Option<OwnedFd>,
    errors: Option<PipeReader>,
    lines: Lines,
    started: Instant,
    last_alive: Option<Instant>,
}

impl Child {
    pub(super) fn start(path: &str, now: Instant) -> io::Result<Self> {
        let flags = SocketFlags::CLOEXEC | SocketFlags::NONBLOCK;
        let kind = SocketType::SEQPACKET;
        let (socket, theirs) = socketpair(AddressFamily::UNIX, kind, flags, None)?;
        // The agent decides for itself whether its end blocks.
        rustix::io::ioctl_fionbio(&theirs, false)?;
        let (errors, their_errors) = io::pipe()?;
        rustix::io::ioctl_fionbio(&errors, true)?;
        let mut command = Command::new(path);
        command.env_clear().envs([("PATH", PATH), ("HOME", "/"), ("TERM", "linux")]);
        command.current_dir("/").stdin(Stdio::null()).stdout(Stdio::null()).stderr(their_errors);
        let setup = Setup {
            new_session: true,
            oom_score_adj: Some(OOM_SCORE),
            // A worker started after a panic starts its own agent: two would fight.
            dies_with_parent: true,
            descriptors: vec![(theirs, AGENTS_DESCRIPTOR)],
            ..Setup::default()
        };
        prepare(&mut command, setup)?;
        let child = command.spawn()?;
        let pid = i32::try_from(child.id()).ok().and_then(Pid::from_raw);
        Ok(Self {
            pid: pid.ok_or(ErrorKind::InvalidData)?,
            socket: Some(socket),
            errors: Some(errors),
            lines: Lines::default(),
            started: now,
            last_alive: None,
        })
    }

    pub(super) fn descriptors(&self) -> impl Iterator<Item = BorrowedFd<'_>> {
        let socket = self.socket.as_ref().map(AsFd::as_fd);
        socket.into_iter().chain(self.errors.as_ref().map(AsFd::as_fd))
    }

    /// Whether it has given a sign of life.
    pub(super) fn proven(&self) -> bool {
        self.last_alive.is_some()
    }

    pub(super) fn lives(&mut self, now: Instant) {
        self.last_alive = Some(now);
    }

    pub(super) fn age(&self, now: Instant) -> Duration {
        now.saturating_duration_since(self.started)
    }

    /// Since its last sign of life, or its start.
    pub(super) fn silent_for(&self, now: Instant) -> Duration {
        now.saturating_duration_since(self.last_alive.unwrap_or(self.started))
    }

    pub(super) fn signal(&self, signal: Signal) {
        if let Err(e) = kill_process(self.pid, signal) {
            log::warn!("cannot signal the agent: {e}");
        }
    }

    pub(super) fn tell_stop(&self) {
        let told = self.socket.as_ref().map(|s| send(s, b"stop", SendFlags::NOSIGNAL));
        if !matches!(told, Some(Ok(_))) {
            self.signal(Signal::TERM);
        }
    }

    pub(super) fn reap(&self) -> io::Result<Reaped> {
        reap(self.pid)
    }

    /// The next message; a short line of ASCII.
    pub(super) fn next_word(&mut self) -> Option<String> {
        let mut buffer = [0; 64];
        match recv(self.socket.as_ref()?, &mut buffer[..], RecvFlags::empty()) {
            Ok((length, _)) if length > 0 => {
                let text = String::from_utf8_lossy(buffer.get(..length).unwrap_or_default());
                Some(text.trim_end().to_owned())
            }
            Err(Errno::AGAIN | Errno::INTR) => None,
            // Closed: it cannot prove that it lives any more.
            _ => {
                self.socket = None;
                None
            }
        }
    }

    /// Takes what it printed.
    pub(super) fn read_errors(&mut self) {
        let mut buffer = [0; 4096];
        for _ in 0..MOST_AT_ONCE {
            let Some(errors) = &mut self.errors else { return };
            match errors.read(&mut buffer) {
                Ok(length) if length > 0 => {
                    self.lines.push(buffer.get(..length).unwrap_or_default());
                }
                Err(e) if e.kind() == ErrorKind::Interrupted => {}
                Err(e) if e.kind() == ErrorKind::WouldBlock => return,
                _ => self.errors = None,
            }
        }
    }

    pub(super) fn last_lines(&mut self) -> Vec<String> {
        self.lines.take()
    }
}
