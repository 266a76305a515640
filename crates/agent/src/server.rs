//! The connection to whichever server answers: made, watched, made again.

use crate::http::Connection;
use std::sync::Arc;
use tokio::sync::watch;
use xenoboot_wire::boot::Order;

/// Where to find the connection that is in use now; clones find the same.
#[derive(Clone, Debug)]
pub struct Server {
    current: watch::Receiver<Option<Arc<Connection>>>,
    /// False once a server has said that it does not know this machine: what a machine that waits for
    /// approval has to tell is not taken, and kept until then.
    approved: Arc<watch::Sender<bool>>,
}

/// The side that makes connections.
pub type Slot = watch::Sender<Option<Arc<Connection>>>;

impl Server {
    /// A server without a connection yet, and where to put one.
    #[must_use]
    pub fn new() -> (Slot, Self) {
        let (slot, current) = watch::channel(None);
        (slot, Self { current, approved: Arc::new(watch::channel(true).0) })
    }

    /// The connection; waits until there is one.
    pub async fn connected(&self) -> Arc<Connection> {
        let mut current = self.current.clone();
        match current.wait_for(Option::is_some).await.map(|c| c.clone()) {
            Ok(Some(connection)) => connection,
            // The side that makes connections has ended: so has the agent.
            Ok(None) | Err(_) => std::future::pending().await,
        }
    }

    /// Remembers what the server's order says of whether it knows the machine.
    pub fn heard(&self, order: &Order) {
        self.approved.send_replace(!matches!(order, Order::Pending | Order::Refused));
    }

    /// The connection; waits until there is one with a server that may know this machine.
    pub async fn approved(&self) -> Arc<Connection> {
        // The sender is ours: it does not end before us.
        let _ = self.approved.subscribe().wait_for(|approved| *approved).await;
        self.connected().await
    }
}
