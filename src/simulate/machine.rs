//! A machine's life: contact, verify, fetch, run, report, wait, for ever, as the agent's.

use super::{
    World, backoff,
    connection::{Connection, Trouble},
    keys::Identity,
    random,
    script::{Next, Script},
    spool::Spool,
    tally::Step,
};
use rustls::ClientConfig;
use std::{convert::Infallible, sync::Arc, time::Duration};
use tokio::time::{Instant, sleep, sleep_until};
use xenoboot_bundle::{Manifest, Subject, inspect, limits, verify};
use xenoboot_wire::{
    BootId, Digest, MachineKey, Nonce, PROTOCOL, RunId, Version,
    boot::{
        Assignment, BootReply, BootRequest, ImageInfo, Inventory, Order, WaitReply, WaitRequest,
    },
    timing::{HELD, PACE, SHORT, STALL},
};

/// How long a held question may take to be answered.
const ANSWERED: Duration = HELD.saturating_add(STALL);

/// The version that the machines say their image has.
const IMAGE: Version = Version { major: 0, minor: 1, patch: 0 };

struct Machine {
    world: Arc<World>,
    number: u32,
    key: MachineKey,
    tls: Arc<ClientConfig>,
    boot: BootId,
    begun: Instant,
    spool: Spool,
    script: Option<Script>,
    done: Option<u64>,
}

/// Switches a machine on in a while; it lives until this is dropped.
pub(super) async fn live(world: Arc<World>, identity: Identity, delay: Duration) {
    sleep(delay).await;
    let (Ok(tls), Ok(boot)) = (world.route.tls(&identity), random().map(BootId)) else {
        return world.tally.failed(&Trouble::new("no TLS or no random numbers"));
    };
    let (number, key) = (identity.number, identity.key);
    let (begun, spool) = (Instant::now(), Spool::new(boot));
    let mut machine =
        Machine { world, number, key, tls, boot, begun, spool, script: None, done: None };
    machine.spool.phase("network");
    let mut attempt = 0;
    loop {
        let connected = Instant::now();
        let Err(trouble) = machine.stay_connected(attempt).await;
        machine.world.tally.failed(&trouble);
        attempt = if connected.elapsed() < SHORT { attempt + 1 } else { 1 };
        sleep(backoff(attempt, trouble.retry_after)).await;
    }
}

impl Machine {
    /// Makes a connection and does what there is to do, until the connection breaks.
    async fn stay_connected(&mut self, attempt: u32) -> Result<Infallible, Trouble> {
        let world = Arc::clone(&self.world);
        let connection = world.route.dial(self.number, attempt, &self.tls, &world.tally).await?;
        let _connected = world.tally.connect();
        // A script goes on without the server; when it is over the machine waits, and need not ask.
        let mut order = None;
        if self.script.is_none() {
            self.spool.phase("contact");
            order = Some(self.contact(&connection).await?);
        }
        while matches!(order, Some(Order::Pending | Order::Refused)) {
            order = Some(self.wait(&connection, 0).await?);
        }
        tokio::select! {
            ended = self.work(&connection, order) => ended,
            ended = door(&connection, &world) => ended,
        }
    }

    async fn work(
        &mut self,
        connection: &Connection,
        mut order: Option<Order>,
    ) -> Result<Infallible, Trouble> {
        loop {
            if let Some(Order::Run(assignment)) = order.take()
                && self.done != Some(assignment.generation)
                && self.script.is_none()
            {
                self.begin(connection, &assignment).await?;
            }
            self.run(connection).await?;
            self.flush(connection).await?;
            order = Some(self.wait(connection, self.done.unwrap_or(0)).await?);
        }
    }

    async fn contact(&self, connection: &Connection) -> Result<Order, Trouble> {
        let nonce = nonce()?;
        let request = BootRequest {
            protocol: PROTOCOL,
            nonce,
            boot: self.boot,
            image: ImageInfo { version: IMAGE, recipe: "simulated".into(), kernel: "none".into() },
            name: Some(format!("simulated-{}", self.number)),
            inventory: inventory(self.number),
            last_run: None,
            token: None,
            uptime_ms: self.spool.uptime_ms(),
        };
        let begun = Instant::now();
        let reply: BootReply = connection.post("/machine/v1/boot", &request, STALL).await?;
        self.world.tally.took(Step::Boot, begun.elapsed());
        accept(nonce, reply)
    }

    /// Waits until the server wants something else than `generation`.
    async fn wait(&self, connection: &Connection, generation: u64) -> Result<Order, Trouble> {
        let _waiting = self.world.tally.wait();
        loop {
            let (begun, nonce) = (Instant::now(), nonce()?);
            let request = WaitRequest { nonce, boot: self.boot, generation };
            let reply: WaitReply = connection.post("/machine/v1/wait", &request, ANSWERED).await?;
            if let Some(reply) = reply.changed {
                let order = accept(nonce, reply)?;
                if order.generation() == generation {
                    // Approval changes no generation.
                    sleep_until(begun + PACE).await;
                }
                return Ok(order);
            }
            sleep_until(begun + PACE).await;
        }
    }

    /// Checks and fetches what is to be run, and begins.
    async fn begin(&mut self, connection: &Connection, what: &Assignment) -> Result<(), Trouble> {
        self.world.tally.ordered();
        self.spool.phase("verify");
        let begun = Instant::now();
        let envelope = match &what.envelope {
            Some(bytes) => bytes.0.clone(),
            None => self.get(connection, "bundle", &what.bundle, limits::ENVELOPE).await?,
        };
        if Digest::of(&envelope) != what.bundle {
            return Err(Trouble::new("the bundle has another digest than was announced"));
        }
        let manifest = self.verify(&envelope)?;
        self.spool.phase("fetch");
        self.flush(connection).await?;
        for (digest, size) in manifest.blobs() {
            let size = usize::try_from(size).map_err(|_| Trouble::new("a blob is too large"))?;
            let blob = self.get(connection, "blob", &digest, size).await?;
            if Digest::of(&blob) != digest {
                return Err(Trouble::new("a blob has another digest than was announced"));
            }
        }
        self.world.tally.took(Step::Fetch, begun.elapsed());
        if self.done.is_none() {
            self.world.tally.took(Step::ToScript, self.begun.elapsed());
        }
        let run = RunId(random().map_err(|e| Trouble::new(e.to_string()))?);
        self.world.tally.begin_run(self.number, run);
        let (run, bundle) =
            ((run, what.generation), (what.bundle, &*manifest.name, manifest.serial));
        self.script = Some(Script::begin(&mut self.spool, run, bundle, self.world.lines));
        Ok(())
    }

    async fn get(
        &self,
        connection: &Connection,
        kind: &str,
        digest: &Digest,
        most: usize,
    ) -> Result<Vec<u8>, Trouble> {
        let bytes = connection.get(&format!("/machine/v1/{kind}/{digest}"), most).await?;
        self.world.tally.fetched(bytes.len());
        Ok(bytes)
    }

    fn verify(&self, envelope: &[u8]) -> Result<Manifest, Trouble> {
        let bad = |error: &dyn std::error::Error| Trouble::new(format!("the bundle: {error}"));
        let found = inspect(envelope).map_err(|e| bad(&e))?.manifest;
        let Some(trust) = &self.world.trust else { return Ok(found) };
        let now_s = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH);
        let now_s = now_s.unwrap_or_default().as_secs();
        let subject =
            Subject { machine: self.key, groups: &[], image: IMAGE, now_s, last_serial: None };
        verify(envelope, trust, &subject).map_err(|e| bad(&e))?;
        Ok(found)
    }

    /// Brings the script that is under way, if one is, to its end, and that to the server.
    async fn run(&mut self, connection: &Connection) -> Result<(), Trouble> {
        loop {
            self.flush(connection).await?;
            let Some(script) = &mut self.script else { return Ok(()) };
            match script.go_on(&mut self.spool) {
                Next::Works => {
                    self.flush(connection).await?;
                    sleep(self.world.takes).await;
                }
                Next::Speaks => {}
                Next::Over => {
                    self.done = Some(script.generation);
                    self.script = None;
                    self.world.tally.end_run(self.number);
                }
            }
        }
    }

    async fn flush(&mut self, connection: &Connection) -> Result<(), Trouble> {
        self.spool.flush(connection, &self.world.tally, self.number).await
    }
}

/// Leaves a request for an operator, who finds nobody: there is no shell.
async fn door(connection: &Connection, world: &World) -> Result<Infallible, Trouble> {
    loop {
        match connection.leave("/machine/v1/console").await {
            Ok(call) => drop(call),
            Err(trouble) if trouble.retry_after.is_none() => return Err(trouble),
            Err(trouble) => world.tally.failed(&trouble),
        }
        sleep(PACE).await;
    }
}

fn nonce() -> Result<Nonce, Trouble> {
    random().map(Nonce).map_err(|e| Trouble::new(e.to_string()))
}

fn accept(nonce: Nonce, reply: BootReply) -> Result<Order, Trouble> {
    if reply.nonce == nonce {
        Ok(reply.order)
    } else {
        Err(Trouble::new("an answer to another question"))
    }
}

/// About as much as a real machine has to say of itself.
fn inventory(number: u32) -> Inventory {
    let disk = |name: &str| xenoboot_wire::boot::DiskInfo {
        name: name.to_owned(),
        size: 480 << 30,
        model: "Simulated disk".to_owned(),
        serial: format!("{number:08}-{name}"),
        boot_medium: false,
    };
    let [_, a, b, c] = number.to_be_bytes();
    let link = |card: u8| xenoboot_wire::boot::LinkInfo {
        name: format!("eth{card}"),
        mac: format!("52:54:{card:02x}:{a:02x}:{b:02x}:{c:02x}"),
        driver: "virtio_net".to_owned(),
        carrier: true,
        addresses: vec![format!("10.{a}.{b}.{c}/8")],
    };
    Inventory {
        vendor: "Xenoboot".to_owned(),
        product: "Simulated machine".to_owned(),
        serial: number.to_string(),
        cpu: "Simulated processor".to_owned(),
        cpus: 8,
        memory: 16 << 30,
        firmware: "uefi".to_owned(),
        links: vec![link(0), link(1)],
        disks: vec![disk("sda"), disk("sdb")],
    }
}
