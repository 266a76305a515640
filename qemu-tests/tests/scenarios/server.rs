//! Servers that are not what they should be, behind one address: down, another's key, plain text, TLS 1.2,
//! stalling; then the right one.

use anyhow::{Result, ensure};
use qemu_tests::{
    Bundle, Nic, Operator, Scenario, Vm,
    relay::Relay,
    server::Server,
    tls12::Tls12,
    wait::{BOOT, RETRY},
};
use std::{
    io::{Read, Write},
    net::{SocketAddr, TcpListener},
    thread,
};

#[test]
fn wrong_servers_then_the_right_one() -> Result<()> {
    Scenario::run("servers", |at| {
        let operator = Operator::start(at)?;
        operator.order(&Bundle::new("hello", "echo hello"))?;
        let stranger = Server::start(&at.path("stranger"))?;
        let old = Tls12::start(at.folder(), 0)?;
        // A port that nothing listens on, until the relay takes it.
        let port = TcpListener::bind("127.0.0.1:0")?.local_addr()?.port();
        let image = operator.stamp("image", &operator.site_by_host(port))?;
        let mut vm = Vm::new(at, "vm").cd(image).nic(Nic::User).start()?;
        shows(&mut vm, "XB-NET-08")?;

        let relay = Relay::start_at(port, stranger.address)?;
        let line = shows(&mut vm, "XB-SRV-01")?;
        ensure!(line.contains(&stranger.pin), "it does not say which key it met: {line}");
        relay.lead_to(plain_text()?);
        shows(&mut vm, "XB-SRV-02")?;
        relay.lead_to(SocketAddr::from(([127, 0, 0, 1], old.port())));
        shows(&mut vm, "XB-SRV-02")?;
        relay.lead_to(operator.server.address);
        relay.stall_after(600);
        shows(&mut vm, "XB-SRV-03")?;

        relay.heal();
        operator.approve("cupboard")?;
        vm.expect("script: hello", RETRY)?;
        Ok(())
    })
}

/// A server that knows nothing of TLS.
fn plain_text() -> Result<SocketAddr> {
    let listener = TcpListener::bind("127.0.0.1:0")?;
    let address = listener.local_addr()?;
    thread::spawn(move || {
        for mut stream in listener.incoming().flatten() {
            let _ = stream.read(&mut [0; 4096]);
            let _ = stream.write_all(b"HTTP/1.1 400 Bad Request\r\ncontent-length: 0\r\n\r\n");
        }
    });
    Ok(address)
}

/// Each code is waited for once what came before is past.
fn shows(vm: &mut Vm, code: &str) -> Result<String> {
    vm.console.skip();
    let line = vm.expect(code, BOOT)?;
    ensure!(line.contains("trying again"), "it does not say what happens next: {line}");
    Ok(line)
}
