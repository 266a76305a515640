//! A URL by which the system that a script starts says that it is up.

use crate::{http::STALL, server::Server};
use std::time::Duration;
use tokio::time::timeout;
use xenoboot_site::Site;
use xenoboot_wire::{
    BootId, RunId,
    confirm::{ConfirmReply, ConfirmRequest, MAX_TOKEN},
    script::Response,
};

const PATH: &str = "/machine/v1/confirmation";

/// For a connection to be there; less than a script waits for the agent.
const CONNECTED: Duration = Duration::from_secs(5);

/// Asks the server for tokens.
#[derive(Clone, Debug)]
pub struct Confirmations {
    server: Server,
    boot: BootId,
    /// Each server's `HOST:PORT`, and its pins as curl takes them.
    pins: Vec<(String, String)>,
}

impl Confirmations {
    /// For the servers of the site file.
    #[must_use]
    pub fn new(server: Server, boot: BootId, site: &Site) -> Self {
        let pins = site.servers.iter().map(|server| {
            let pins: Vec<String> = server.pins.iter().map(ToString::to_string).collect();
            (format!("{}:{}", server.url.host, server.url.port), pins.join(";"))
        });
        Self { server, boot, pins: pins.collect() }
    }

    /// A URL for the system that `run` starts, or the reason why there is none.
    pub async fn url(&self, run: RunId) -> Response {
        let Ok(connection) = timeout(CONNECTED, self.server.approved()).await else {
            return Response::Refused("there is no connection to the server now".to_owned());
        };
        let request = ConfirmRequest { boot: self.boot, run };
        let reply: ConfirmReply = match connection.post(PATH, &request, STALL).await {
            Ok(reply) => reply,
            Err(failure) => return Response::Refused(failure.to_string()),
        };
        let plain = reply.token.bytes().all(|b| b.is_ascii_alphanumeric());
        if !plain || !(1..=MAX_TOKEN).contains(&reply.token.len()) {
            return Response::Refused("the server's token is not one".to_owned());
        }
        let authority = connection.authority();
        let pins = self.pins.iter().find(|(known, _)| known == authority);
        let pins = pins.map(|(_, pins)| pins.clone()).unwrap_or_default();
        Response::ConfirmUrl { url: format!("https://{authority}/confirm/{}", reply.token), pins }
    }
}
