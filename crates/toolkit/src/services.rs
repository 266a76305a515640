//! Names of ports: `/etc/services` (services(5)), if there is one.

use std::fs;

fn find<T>(pick: impl Fn(&str, u16, &str) -> Option<T>) -> Option<T> {
    let text = fs::read_to_string("/etc/services").ok()?;
    text.lines().find_map(|line| {
        let mut words = line.split('#').next()?.split_whitespace();
        let (name, place) = (words.next()?, words.next()?);
        let (port, protocol) = place.split_once('/')?;
        pick(name, port.parse().ok()?, protocol)
    })
}

/// The port of a service of `tcp` or `udp`.
pub(crate) fn port(service: &str, of: &str) -> Option<u16> {
    find(|name, port, protocol| (name == service && protocol == of).then_some(port))
}

/// The service of a port.
pub(crate) fn name(of_port: u16, of: &str) -> Option<String> {
    find(|name, port, protocol| (port == of_port && protocol == of).then(|| name.to_owned()))
}
