//! Addresses, links, routes, neighbours and rules, as `ip` shows and changes them.

pub(crate) mod addr;
pub(crate) mod link;
pub(crate) mod names;
pub(crate) mod neigh;
pub(crate) mod route;
pub(crate) mod rule;

use crate::{
    json::Json,
    netlink::{Attributes, Message, Socket},
};
use anyhow::{Context as _, bail};
use std::{
    io,
    net::{IpAddr, Ipv4Addr, Ipv6Addr},
};

/// IPv4.
pub(crate) const INET: u8 = 2;
/// IPv6.
pub(crate) const INET6: u8 = 10;

/// How things are shown.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Show {
    /// As JSON.
    pub(crate) json: bool,
    /// On one line each.
    pub(crate) oneline: bool,
    /// In few words.
    pub(crate) brief: bool,
    /// With counters.
    pub(crate) statistics: bool,
    /// With what hardly anybody needs.
    pub(crate) details: bool,
    /// Only this family, or 0.
    pub(crate) family: u8,
}

/// An error as iproute2 puts it.
pub(crate) fn answers(error: &io::Error) -> anyhow::Error {
    anyhow::anyhow!("RTNETLINK answers: {}", crate::partitions::plain(error))
}

/// Sends a request whose error is the command's.
pub(crate) fn ask(
    socket: &mut Socket,
    kind: u16,
    flags: u16,
    body: &[u8],
) -> anyhow::Result<Vec<Message>> {
    socket.ask(kind, flags, body).map_err(|error| answers(&error))
}

/// A link, as far as others need it.
#[derive(Clone, Debug)]
pub(crate) struct Device {
    /// Its number.
    pub(crate) index: u32,
    /// Its name.
    pub(crate) name: String,
    /// Its flags (`IFF_UP` and so on).
    pub(crate) flags: u32,
    /// All that the kernel says of it.
    pub(crate) attributes: Attributes,
    /// Its type of hardware (`ARPHRD_ETHER` is 1).
    pub(crate) hardware: u16,
}

/// The links, by number.
#[derive(Clone, Debug)]
pub(crate) struct Devices(pub(crate) Vec<Device>);

const RTM_GETLINK: u16 = 18;

impl Devices {
    /// Asks the kernel.
    pub(crate) fn read(socket: &mut Socket) -> anyhow::Result<Self> {
        let messages = ask(socket, RTM_GETLINK, crate::netlink::DUMP, &[0; 16])?;
        let device = |message: &Message| {
            let attributes = Attributes::parse(&message.body, 16);
            Device {
                index: crate::netlink::u32_at(&message.body, 4),
                name: attributes.text(3).unwrap_or_default(),
                flags: crate::netlink::u32_at(&message.body, 8),
                hardware: u16::from_ne_bytes(crate::netlink::array(&message.body, 2)),
                attributes,
            }
        };
        let mut devices: Vec<Device> = messages.iter().map(device).collect();
        devices.sort_by_key(|device| device.index);
        Ok(Self(devices))
    }

    /// The link of a name.
    pub(crate) fn named(&self, name: &str) -> Option<&Device> {
        self.0.iter().find(|device| device.name == name)
    }

    /// Its number, for requests.
    pub(crate) fn index(&self, name: &str) -> anyhow::Result<u32> {
        let device = self.named(name).with_context(|| format!("Cannot find device \"{name}\""))?;
        Ok(device.index)
    }

    /// The name of a number: `if7` when there is none.
    pub(crate) fn name(&self, index: u32) -> String {
        let device = self.0.iter().find(|device| device.index == index);
        device.map_or_else(|| format!("if{index}"), |device| device.name.clone())
    }
}

/// An address of 4 or 16 bytes.
pub(crate) fn address(bytes: &[u8]) -> Option<IpAddr> {
    match bytes.len() {
        4 => Some(Ipv4Addr::from(crate::netlink::array::<4>(bytes, 0)).into()),
        16 => Some(Ipv6Addr::from(crate::netlink::array::<16>(bytes, 0)).into()),
        _ => None,
    }
}

/// Its bytes.
pub(crate) fn octets(address: IpAddr) -> Vec<u8> {
    match address {
        IpAddr::V4(v4) => v4.octets().to_vec(),
        IpAddr::V6(v6) => v6.octets().to_vec(),
    }
}

/// Its family.
pub(crate) fn family(address: IpAddr) -> u8 {
    if address.is_ipv4() { INET } else { INET6 }
}

/// Its bits.
pub(crate) fn bits(address: IpAddr) -> u8 {
    if address.is_ipv4() { 32 } else { 128 }
}

/// An address as a word.
pub(crate) fn parse_address(text: &str) -> anyhow::Result<IpAddr> {
    match text.parse() {
        Ok(address) => Ok(address),
        Err(_) => bail!("Error: any valid address is expected rather than \"{text}\"."),
    }
}

/// `ADDRESS[/BITS]`.
pub(crate) fn parse_prefix(text: &str) -> anyhow::Result<(IpAddr, u8)> {
    let wrong = || format!("Error: any valid prefix is expected rather than \"{text}\".");
    let (address, length) = text.split_once('/').map_or((text, None), |(a, l)| (a, Some(l)));
    let address: IpAddr = address.parse().ok().with_context(wrong)?;
    let most = bits(address);
    let length = match length {
        None => most,
        Some(length) => length.parse().ok().filter(|l| *l <= most).with_context(wrong)?,
    };
    Ok((address, length))
}

/// Words of a command line, taken one by one.
#[derive(Debug)]
pub(crate) struct Words<'a>(std::iter::Peekable<std::vec::IntoIter<&'a str>>);

impl<'a> Words<'a> {
    /// From the command line.
    pub(crate) fn new(words: &[&'a str]) -> Self {
        Self(Vec::from(words).into_iter().peekable())
    }

    /// The next one, if any.
    pub(crate) fn next(&mut self) -> Option<&'a str> {
        self.0.next()
    }

    /// The next one, left there.
    pub(crate) fn peek(&mut self) -> Option<&'a str> {
        self.0.peek().copied()
    }

    /// The next one, which must be there.
    pub(crate) fn value(&mut self, of: &str) -> anyhow::Result<&'a str> {
        match self.next() {
            Some(word) => Ok(word),
            None => crate::applet::usage_error(format!("\"{of}\" needs a value")),
        }
    }

    /// The next one as a number; with `0x` hexadecimal.
    pub(crate) fn number<T: TryFrom<u64>>(&mut self, of: &str) -> anyhow::Result<T> {
        let text = self.value(of)?;
        let number = match text.strip_prefix("0x") {
            Some(hex) => u64::from_str_radix(hex, 16).ok(),
            None => text.parse().ok(),
        };
        match number.and_then(|number| T::try_from(number).ok()) {
            Some(number) => Ok(number),
            None => bail!("Error: argument \"{text}\" is wrong: Invalid \"{of}\" value"),
        }
    }
}

/// Prints what was collected: a list as JSON, else text.
pub(crate) fn print(show: Show, items: Vec<(String, Json)>) {
    if show.json {
        let list = items.into_iter().map(|(_, json)| json).collect();
        println!("{}", Json::List(list));
    } else {
        items.iter().for_each(|(text, _)| print!("{text}"));
    }
}
