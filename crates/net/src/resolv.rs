//! `/etc/resolv.conf`, for programs that scripts run.

use std::{fs, net::IpAddr, path::Path};

/// What the C library reads.
const MAX_SERVERS: usize = 3;

/// Writes the servers, best first. A folder that cannot be written is no failure of the network.
pub(crate) fn write(servers: &[IpAddr]) {
    let lines = servers.iter().take(MAX_SERVERS).map(|server| format!("nameserver {server}\n"));
    let text: String = lines.collect();
    let path = Path::new("/etc/resolv.conf");
    if fs::read_to_string(path).is_ok_and(|before| before == text) {
        return;
    }
    if let Err(error) = fs::write(path, text) {
        log::debug!("{}: {error}", path.display());
    }
}
