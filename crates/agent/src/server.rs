//! The connection to whichever server answers: made, watched, made again.

use crate::http::Connection;
use std::sync::Arc;
use tokio::sync::watch;

/// Where to find the connection that is in use now; clones find the same.
#[derive(Clone, Debug)]
pub struct Server(watch::Receiver<Option<Arc<Connection>>>);

/// The side that makes connections.
pub type Slot = watch::Sender<Option<Arc<Connection>>>;

impl Server {
    /// A server without a connection yet, and where to put one.
    #[must_use]
    pub fn new() -> (Slot, Self) {
        let (slot, current) = watch::channel(None);
        (slot, Self(current))
    }

    /// The connection; waits until there is one.
    pub async fn connected(&self) -> Arc<Connection> {
        let mut current = self.0.clone();
        match current.wait_for(Option::is_some).await.map(|c| c.clone()) {
            Ok(Some(connection)) => connection,
            // The side that makes connections has ended: so has the agent.
            Ok(None) | Err(_) => std::future::pending().await,
        }
    }
}
