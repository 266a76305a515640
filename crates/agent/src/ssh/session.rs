//! One operator's session: who he is, and what he asks for.

use super::{
    console,
    forward::{self, Listeners},
    inbox::Inbox,
    operators::{self, Known},
    process::{self, Children, Control, Program, Surroundings},
    pty::{Size, Wanted},
};
use crate::layout::Layout;
use russh::{
    Channel, ChannelId, ChannelOpenFailure, Error, Pty, Sig,
    keys::Certificate,
    server::{Auth, ChannelOpenHandle, Handler, Msg, PublicKeyOffer, VerifiedPublicKey},
};
use std::collections::HashMap;
use tokio::sync::{mpsc, watch};
use xenoboot_site::Operator;

/// Most channels at once.
const CHANNELS: usize = 32;
/// Most variables of one program, and the longest name and value, bytes.
const VARIABLES: usize = 32;
const NAME: usize = 64;
const VALUE: usize = 4096;
/// What the client wants of a program and the program has not been told yet.
const CONTROLS: usize = 16;

/// A session's state; the library asks it what is allowed, and tells it what comes.
#[derive(Debug)]
pub(super) struct Session {
    operators: Vec<Operator>,
    known: watch::Sender<bool>,
    who: Option<Known>,
    layout: Layout,
    children: Children,
    listeners: Listeners,
    channels: HashMap<ChannelId, Open>,
}

/// A channel.
#[derive(Debug)]
struct Open {
    inbox: Inbox,
    /// Until a program is started on it.
    waiting: Option<(Channel<Msg>, Surroundings)>,
    /// From then on.
    controls: Option<mpsc::Sender<Control>>,
}

impl Session {
    pub(super) fn new(
        operators: Vec<Operator>,
        known: watch::Sender<bool>,
        layout: Layout,
        children: Children,
    ) -> Self {
        let (listeners, channels) = (Listeners::default(), HashMap::new());
        Self { operators, known, who: None, layout, children, listeners, channels }
    }

    fn let_in(&mut self, who: Option<Known>) -> Auth {
        let Some(who) = who else { return Auth::reject() };
        self.who = Some(who);
        Auth::Accept
    }

    /// Whether there are as many channels as there may be; those that we have closed are none any more.
    fn is_full(&mut self) -> bool {
        self.channels.retain(|_, open| !open.inbox.is_closed());
        self.channels.len() >= CHANNELS
    }

    fn may_forward(&self) -> bool {
        self.who.as_ref().is_some_and(|who| who.rights.forwarding)
    }

    /// What a channel gets that has no program yet.
    fn surroundings(&mut self, id: ChannelId) -> Option<&mut Surroundings> {
        self.channels.get_mut(&id)?.waiting.as_mut().map(|(_, with)| with)
    }

    fn take_waiting(&mut self, id: ChannelId) -> Option<(Channel<Msg>, Surroundings, Inbox)> {
        let open = self.channels.get_mut(&id)?;
        let (channel, with) = open.waiting.take()?;
        Some((channel, with, open.inbox.clone()))
    }

    fn start(
        &mut self,
        id: ChannelId,
        program: &Program,
        session: &mut russh::server::Session,
    ) -> Result<(), Error> {
        let Some((channel, with, inbox)) = self.take_waiting(id) else {
            return session.channel_failure(id);
        };
        let running = match process::start(program, &with, &self.children) {
            Ok(running) => running,
            Err(e) => {
                super::say(&format!("failed {program:?}: {e}"));
                return session.channel_failure(id);
            }
        };
        session.channel_success(id)?;
        let (controls, wanted) = mpsc::channel(CONTROLS);
        if let Some(open) = self.channels.get_mut(&id) {
            open.controls = Some(controls);
        }
        let (_, channel) = channel.split();
        let (handle, children) = (session.handle(), self.children.clone());
        tokio::spawn(process::drive(running, channel, handle, inbox, wanted, children));
        Ok(())
    }

    fn control(&self, id: ChannelId, control: Control) {
        if let Some(controls) = self.channels.get(&id).and_then(|open| open.controls.as_ref()) {
            // A program that is told faster than it can be loses some.
            let _ = controls.try_send(control);
        }
    }
}

impl Handler for Session {
    type Error = Error;

    async fn auth_publickey_offered(
        &mut self,
        _user: &str,
        offer: PublicKeyOffer<'_>,
    ) -> Result<Auth, Error> {
        let may = operators::may_be(&self.operators, offer.public_key);
        Ok(if may { Auth::Accept } else { Auth::reject() })
    }

    async fn auth_publickey(
        &mut self,
        _user: &str,
        key: VerifiedPublicKey<'_>,
    ) -> Result<Auth, Error> {
        let who = operators::by_key(&self.operators, key.public_key);
        Ok(self.let_in(who))
    }

    async fn auth_openssh_certificate(
        &mut self,
        _user: &str,
        certificate: &Certificate,
    ) -> Result<Auth, Error> {
        let who = operators::by_certificate(&self.operators, certificate);
        Ok(self.let_in(who))
    }

    async fn auth_succeeded(&mut self, _: &mut russh::server::Session) -> Result<(), Error> {
        if let Some(who) = &self.who {
            super::say(&format!("known {} {}", who.key, who.name));
            self.known.send_replace(true);
        }
        Ok(())
    }

    async fn channel_open_session(
        &mut self,
        channel: Channel<Msg>,
        reply: ChannelOpenHandle,
        _: &mut russh::server::Session,
    ) -> Result<(), Error> {
        if self.is_full() {
            reply.reject(ChannelOpenFailure::ResourceShortage).await;
            return Ok(());
        }
        let id = channel.id();
        let waiting = Some((channel, Surroundings::default()));
        self.channels.insert(id, Open { inbox: Inbox::default(), waiting, controls: None });
        reply.accept().await;
        Ok(())
    }

    async fn channel_open_direct_tcpip(
        &mut self,
        channel: Channel<Msg>,
        host: &str,
        port: u32,
        _: &str,
        _: u32,
        reply: ChannelOpenHandle,
        session: &mut russh::server::Session,
    ) -> Result<(), Error> {
        if !self.may_forward() {
            reply.reject(ChannelOpenFailure::AdministrativelyProhibited).await;
        } else if self.is_full() {
            reply.reject(ChannelOpenFailure::ResourceShortage).await;
        } else {
            let inbox = Inbox::default();
            let open = Open { inbox: inbox.clone(), waiting: None, controls: None };
            self.channels.insert(channel.id(), open);
            let target = (host.to_owned(), port);
            tokio::spawn(forward::connect(channel, target, reply, session.handle(), inbox));
        }
        Ok(())
    }

    async fn data(
        &mut self,
        id: ChannelId,
        data: &[u8],
        _: &mut russh::server::Session,
    ) -> Result<(), Error> {
        match self.channels.get(&id) {
            Some(open) => open.inbox.push(data),
            None => self.listeners.push(id, data),
        }
        Ok(())
    }

    async fn channel_eof(
        &mut self,
        id: ChannelId,
        _: &mut russh::server::Session,
    ) -> Result<(), Error> {
        match self.channels.get(&id) {
            Some(open) => open.inbox.end(),
            None => self.listeners.end(id),
        }
        Ok(())
    }

    async fn channel_close(
        &mut self,
        id: ChannelId,
        _: &mut russh::server::Session,
    ) -> Result<(), Error> {
        match self.channels.remove(&id) {
            Some(open) => open.inbox.close(),
            None => self.listeners.close(id),
        }
        Ok(())
    }

    async fn pty_request(
        &mut self,
        id: ChannelId,
        term: &str,
        columns: u32,
        rows: u32,
        width: u32,
        height: u32,
        _: &[(Pty, u32)],
        session: &mut russh::server::Session,
    ) -> Result<(), Error> {
        let may = self.who.as_ref().is_some_and(|who| who.rights.terminal);
        let plain = term.len() <= NAME && term.bytes().all(|b| b.is_ascii_graphic());
        match self.surroundings(id).filter(|_| may && plain) {
            Some(with) => {
                let size = Size { columns, rows, width, height };
                with.terminal = Some(Wanted { term: term.to_owned(), size });
                session.channel_success(id)
            }
            None => session.channel_failure(id),
        }
    }

    async fn env_request(
        &mut self,
        id: ChannelId,
        name: &str,
        value: &str,
        session: &mut russh::server::Session,
    ) -> Result<(), Error> {
        let plain = |b: u8| b.is_ascii_alphanumeric() || b == b'_';
        let good = name.len() <= NAME && name.bytes().all(plain) && value.len() <= VALUE;
        let good = good && !name.is_empty() && !value.contains('\0');
        match self.surroundings(id).filter(|with| good && with.variables.len() < VARIABLES) {
            Some(with) => {
                with.variables.push((name.to_owned(), value.to_owned()));
                session.channel_success(id)
            }
            None => session.channel_failure(id),
        }
    }

    async fn shell_request(
        &mut self,
        id: ChannelId,
        session: &mut russh::server::Session,
    ) -> Result<(), Error> {
        self.start(id, &Program::Shell, session)
    }

    async fn exec_request(
        &mut self,
        id: ChannelId,
        line: &[u8],
        session: &mut russh::server::Session,
    ) -> Result<(), Error> {
        if line.contains(&0) {
            return session.channel_failure(id);
        }
        self.start(id, &Program::Command(line.to_vec()), session)
    }

    async fn subsystem_request(
        &mut self,
        id: ChannelId,
        name: &str,
        session: &mut russh::server::Session,
    ) -> Result<(), Error> {
        match name {
            "sftp" => self.start(id, &Program::Sftp, session),
            console::SUBSYSTEM => match self.take_waiting(id) {
                Some((channel, _, inbox)) => {
                    session.channel_success(id)?;
                    let (socket, handle) = (self.layout.socket(), session.handle());
                    tokio::spawn(console::show(socket, channel, handle, inbox));
                    Ok(())
                }
                None => session.channel_failure(id),
            },
            _ => session.channel_failure(id),
        }
    }

    async fn window_change_request(
        &mut self,
        id: ChannelId,
        columns: u32,
        rows: u32,
        width: u32,
        height: u32,
        _: &mut russh::server::Session,
    ) -> Result<(), Error> {
        self.control(id, Control::Resize(Size { columns, rows, width, height }));
        Ok(())
    }

    async fn signal(
        &mut self,
        id: ChannelId,
        name: Sig,
        _: &mut russh::server::Session,
    ) -> Result<(), Error> {
        if let Some(signal) = process::signal_of(&name) {
            self.control(id, Control::Signal(signal));
        }
        Ok(())
    }

    async fn tcpip_forward(
        &mut self,
        address: &str,
        port: &mut u32,
        session: &mut russh::server::Session,
    ) -> Result<bool, Error> {
        Ok(self.may_forward() && self.listeners.listen(address, port, session.handle()).await)
    }

    async fn cancel_tcpip_forward(
        &mut self,
        address: &str,
        port: u32,
        _: &mut russh::server::Session,
    ) -> Result<bool, Error> {
        Ok(self.listeners.cancel(address, port))
    }
}
