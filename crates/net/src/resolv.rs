//! `/etc/resolv.conf`, for programs that scripts run.

use std::{fs, net::IpAddr, path::Path};

/// What the C library reads.
const MAX_SERVERS: usize = 3;

/// A server as the C library writes it: a link-local address (RFC 4291, section 2.5.6) with its link.
pub(crate) fn server(address: IpAddr, link: &str) -> String {
    match address {
        IpAddr::V6(local) if local.is_unicast_link_local() => format!("{local}%{link}"),
        other => other.to_string(),
    }
}

/// Writes the servers, best first. A folder that cannot be written is no failure of the network.
pub(crate) fn write(servers: &[String]) {
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
