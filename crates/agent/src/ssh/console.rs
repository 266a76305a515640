//! What the machine's consoles have shown, and show from now on: to watch it without disturbing anything.

use super::inbox::Inbox;
use bytes::Bytes;
use russh::{
    Channel, ChannelWriteHalf,
    server::{Handle, Msg},
};
use std::{io, path::PathBuf, time::Duration};
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::UnixStream,
    time::sleep,
};
use xenoboot_wire::{
    decode, encode,
    script::{MAX_FRAME, Request, Response},
};

/// The subsystem's name.
pub(super) const SUBSYSTEM: &str = "console";
/// How often the agent is asked for more.
const PACE: Duration = Duration::from_millis(250);

/// Shows it until the client goes.
pub(super) async fn show(socket: PathBuf, channel: Channel<Msg>, handle: Handle, inbox: Inbox) {
    let id = channel.id();
    let (_, to) = channel.split();
    tokio::select! {
        () = follow(&socket, &to) => {}
        // What is typed has no meaning here.
        () = inbox.closed() => {}
    }
    // Each of these fails only when the session is over.
    let _ = handle.exit_status_request(id, 0).await;
    let _ = to.eof().await;
    let _ = to.close().await;
    inbox.close();
}

async fn follow(socket: &PathBuf, to: &ChannelWriteHalf<Msg>) {
    let mut after = 0;
    loop {
        // An agent that is started again has a new past.
        if let Ok(Response::Console { from, text }) = ask(socket, after).await {
            if from > after && after > 0 {
                let note = format!("[{} bytes were too quick to be shown]\r\n", from - after);
                if to.data_bytes(Bytes::from(note)).await.is_err() {
                    return;
                }
            }
            after = from.saturating_add(text.0.len() as u64);
            let more = !text.0.is_empty();
            if more && to.data_bytes(Bytes::from(text.0)).await.is_err() {
                return;
            }
            if more {
                continue;
            }
        }
        sleep(PACE).await;
    }
}

async fn ask(socket: &PathBuf, after: u64) -> io::Result<Response> {
    let mut stream = UnixStream::connect(socket).await?;
    let request = encode(&Request::Console { after });
    stream.write_u32(u32::try_from(request.len()).unwrap_or(0)).await?;
    stream.write_all(&request).await?;
    let length = stream.read_u32().await? as usize;
    if length > MAX_FRAME {
        return Err(io::ErrorKind::InvalidData.into());
    }
    let mut body = vec![0; length];
    stream.read_exact(&mut body).await?;
    decode(&body).map_err(io::Error::other)
}
