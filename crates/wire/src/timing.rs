//! How patient a machine is with its server, and how pressing: for the agent, and for whoever plays one.

use std::time::Duration;

/// Longest silence in the middle of something, and before an answer begins.
pub const STALL: Duration = Duration::from_secs(15);

/// A ping goes out after this silence, so that NAT keeps the mapping and a dead path is noticed. With the server's and
/// the answers it is all that a machine that waits sends and gets.
pub const PING: Duration = Duration::from_secs(90);

/// A ping must be answered within this time.
pub const PONG: Duration = Duration::from_secs(10);

/// Flow-control window of one answer, bytes: 50 Mbit/s over 160 ms.
pub const WINDOW: u32 = 1 << 20;

/// The same of all answers together: those that nobody reads at the moment must not keep others from coming.
pub const WINDOWS: u32 = 16 * WINDOW;

/// How long a question may be held by the server.
pub const HELD: Duration = Duration::from_secs(4 * 3600);

/// A server that answers at once, with nothing new, is not asked more often.
pub const PACE: Duration = Duration::from_secs(1);

/// A connection that ends sooner was none: it counts as a failure, so that the back-off grows.
pub const SHORT: Duration = Duration::from_secs(5);

/// The bound of the first delay before another try.
pub const FIRST: Duration = Duration::from_secs(1);

/// No delay is longer.
pub const LONGEST: Duration = Duration::from_secs(60);

/// No delay is shorter: a failure that comes back at once must not become a busy loop.
pub const SHORTEST: Duration = Duration::from_millis(100);

/// How long to wait after failure number `attempt` in a row, counted from 1: uniform between zero and a bound that doubles
/// from [`FIRST`] to [`LONGEST`], so that a thousand machines that lost their server at once do not come back in step.
/// `fraction`, from 0 to 1, is drawn by the caller. What the server asked for (`hint`) is waited at least, as far as
/// [`LONGEST`] allows.
#[must_use]
pub fn delay(attempt: u32, hint: Option<Duration>, fraction: f64) -> Duration {
    let doubled = 2u32.saturating_pow(attempt.saturating_sub(1));
    let jittered = FIRST.saturating_mul(doubled).min(LONGEST).mul_f64(fraction).max(SHORTEST);
    (hint.unwrap_or_default() + jittered).min(LONGEST)
}
