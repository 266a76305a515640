//! The way to a machine's console: two requests joined by the server, and the key that an operator's ssh insists on.

use crate::{
    machine::{Machine, Result},
    program::{Server, stderr, wait_until},
};
use bytes::Bytes;
use http_body_util::BodyExt;
use hyper::{
    Request,
    body::{Body, Frame},
};
use std::{
    convert::Infallible,
    fs,
    io::{Read, Write},
    pin::Pin,
    process::Stdio,
    task::{Context, Poll},
};
use tokio::{
    runtime::Runtime,
    sync::mpsc::{self, Receiver},
};

/// What the machine sends.
struct Sent(Receiver<Bytes>);

impl Body for Sent {
    type Data = Bytes;
    type Error = Infallible;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<std::result::Result<Frame<Bytes>, Infallible>>> {
        self.0.poll_recv(cx).map(|bytes| bytes.map(|bytes| Ok(Frame::data(bytes))))
    }
}

/// Leaves a request, and sends back what comes, in capitals, until `end` comes.
pub(crate) async fn answer(machine: &Machine) -> Result<()> {
    let mut sender = machine.connect::<Sent>().await?;
    let (to, queue) = mpsc::channel(4);
    let request = Request::post("https://server/machine/v1/console").body(Sent(queue))?;
    let mut response = sender.send_request(request).await?;
    if response.status() != 200 {
        return Err(response.status().to_string().into());
    }
    while let Some(frame) = response.body_mut().frame().await {
        let Ok(data) = frame?.into_data() else { continue };
        to.send(data.to_ascii_uppercase().into()).await?;
        if data.ends_with(b"end\n") {
            break;
        }
    }
    // An end in good order: the connection stays until the other side has had everything, and goes.
    drop(to);
    while let Some(Ok(_)) = response.body_mut().frame().await {}
    Ok(())
}

#[test]
fn an_operator_and_a_machine_are_joined() {
    let mut server = Server::start();
    let runtime = Runtime::new().unwrap();
    let mut machine = Machine::new(server.address);
    runtime.block_on(machine.boot()).unwrap();
    let fingerprint = machine.key.fingerprint();
    let refused = runtime.block_on(answer(&machine)).unwrap_err().to_string();
    assert!(refused.contains("403"), "a machine that is not approved has no console: {refused}");
    server.text(&["machine", "approve", &fingerprint, "--name", "cupboard"]);
    // The approval is the operator's word that the key is right: ssh insists on it from now on.
    let known = fs::read_to_string(server.folder().join("known_hosts")).unwrap();
    assert!(known.starts_with("cupboard,cupboard.xenoboot ssh-ed25519 AAAA"), "{known}");
    let config = server.text(&["ssh", "--config"]);
    for part in
        ["Host *.xenoboot", "StrictHostKeyChecking yes", "proxy --operator", " %n", "known_hosts"]
    {
        assert!(config.contains(part), "{part}: {config}");
    }
    // Without the note a person must compare, and a program cannot.
    fs::remove_file(server.folder().join("known_hosts")).unwrap();
    let unknown = server.fails(&["ssh", "cupboard"]);
    assert!(unknown.contains(&format!("--fingerprint {fingerprint}")), "{unknown}");
    let wrong = server.fails(&["ssh", "--fingerprint", "AAAA-AAAA", "cupboard"]);
    assert!(wrong.contains(&fingerprint) && wrong.contains("not AAAA-AAAA"), "{wrong}");
    let away = server.fails(&["proxy", "cupboard"]);
    // The server may not have seen yet that the machine's last connection has ended.
    let words = ["cupboard is not connected", "takes no more sessions"];
    assert!(words.iter().any(|words| away.contains(words)), "{away}");

    let echo = runtime.spawn(async move {
        answer(&machine).await.unwrap();
        // The next does not end by itself.
        let _ = answer(&machine).await;
    });
    let begin = || {
        let mut proxy = server.command(&["proxy", "cupboard.xenoboot"]);
        proxy.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap()
    };
    let mut proxy = begin();
    let mut input = proxy.stdin.take().unwrap();
    let large = vec![b'x'; 3_000_000];
    let writer = std::thread::spawn(move || {
        input.write_all(&large).unwrap();
        input.write_all(b"the end\n").unwrap();
        input
    });
    let done = proxy.wait_with_output().unwrap();
    drop(writer.join().unwrap());
    assert!(done.status.success(), "{}", stderr(&done));
    assert!(done.stdout.len() == 3_000_008 && done.stdout.ends_with(b"XXTHE END\n"));

    // A server that goes takes the session with it, and that is said.
    let mut proxy = begin();
    proxy.stdin.as_mut().unwrap().write_all(b"hello").unwrap();
    let mut said = [0; 5];
    proxy.stdout.as_mut().unwrap().read_exact(&mut said).unwrap();
    assert_eq!(&said, b"HELLO");
    server.kill();
    let ended = wait_until(|| proxy.try_wait().unwrap());
    let mut why = String::new();
    proxy.stderr.take().unwrap().read_to_string(&mut why).unwrap();
    assert_eq!(ended.code(), Some(1));
    assert!(
        why.contains("the session has ended: the connection through the server broke"),
        "{why}"
    );
    runtime.block_on(echo).unwrap();
}
