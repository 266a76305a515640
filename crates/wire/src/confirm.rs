//! How a system that a run starts says that it is up, without a key of the machine's: a token, handed to the run,
//! which `POST /confirm/TOKEN` uses up.

use crate::{BootId, RunId};
use serde::{Deserialize, Serialize};

/// `POST /machine/v1/confirmation`: a token for the system that this run starts.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ConfirmRequest {
    /// This power-on.
    pub boot: BootId,
    /// The run that starts the system.
    pub run: RunId,
}

/// The answer to [`ConfirmRequest`].
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ConfirmReply {
    /// Letters and digits, [`MAX_TOKEN`] of them at most; known to nobody but the machine from here on.
    pub token: String,
}

/// Longest token, bytes.
pub const MAX_TOKEN: usize = 64;
