//! What we ask of the kernel by rtnetlink(7), and what it tells.

use crate::config::{Mac, Select};
use futures_util::TryStreamExt;
use netlink_packet_route::{
    AddressFamily,
    address::{AddressAttribute, AddressHeaderFlags, AddressMessage},
    link::{LinkAttribute, LinkFlags, LinkLayerType, LinkMessage},
    route::{RouteAddress, RouteAttribute, RouteMessage, RouteType},
};
use rtnetlink::{AddressMessageBuilder, Error, Handle, LinkUnspec, LinkVlan, RouteMessageBuilder};
use std::{
    fs,
    net::{IpAddr, Ipv4Addr, Ipv6Addr},
    path::Path,
};

/// EEXIST, negated as netlink has it.
const EXISTS: i32 = -17;

/// A card or VLAN as the kernel describes it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Card {
    pub(crate) index: u32,
    pub(crate) name: String,
    pub(crate) mac: Mac,
    pub(crate) driver: String,
    pub(crate) carrier: bool,
    /// Whether it stands for hardware (or a virtual machine's), rather than for something made of links.
    pub(crate) physical: bool,
}

impl Card {
    /// `None` for what is no Ethernet.
    pub(crate) fn of(message: &LinkMessage) -> Option<Self> {
        let header = &message.header;
        if header.link_layer_type != LinkLayerType::Ether {
            return None;
        }
        let mut card = Self {
            index: header.index,
            name: String::new(),
            mac: Mac::default(),
            driver: String::new(),
            carrier: header.flags.contains(LinkFlags::LowerUp),
            physical: false,
        };
        let mut permanent = None;
        for attribute in &message.attributes {
            match attribute {
                LinkAttribute::IfName(name) => card.name.clone_from(name),
                LinkAttribute::Address(mac) => {
                    card.mac = Mac(mac.as_slice().try_into().unwrap_or_default())
                }
                LinkAttribute::PermAddress(mac) => {
                    permanent = mac.as_slice().try_into().ok().map(Mac)
                }
                _ => {}
            }
        }
        // Bonds and bridges lend their address to their cards; the card keeps its own.
        card.mac = permanent.filter(|mac| *mac != Mac::default()).unwrap_or(card.mac);
        let folder = Path::new("/sys/class/net").join(&card.name);
        card.physical = folder.join("device").exists();
        let driver = fs::read_link(folder.join("device/driver")).ok();
        let driver = driver.as_deref().and_then(Path::file_name);
        card.driver = driver.map(|name| name.to_string_lossy().into_owned()).unwrap_or_default();
        (!card.name.is_empty()).then_some(card)
    }

    /// Whether it is meant. What is made of links shares its card's MAC address, and a pattern may fit
    /// both names: it is meant only by its very name.
    pub(crate) fn selected(&self, select: &Select) -> bool {
        let named = select.name.as_ref() == Some(&self.name);
        (self.physical || named) && select.fits(&self.name, self.mac, &self.driver)
    }
}

/// An address that can be used (not tentative, not deprecated), with its link and prefix length.
pub(crate) fn address(message: &AddressMessage) -> Option<(u32, IpAddr, u8)> {
    let unusable = AddressHeaderFlags::Tentative | AddressHeaderFlags::Dadfailed;
    let found = message.attributes.iter().find_map(|attribute| match attribute {
        AddressAttribute::Local(address) => Some(*address),
        _ => None,
    });
    let found = found.or_else(|| {
        message.attributes.iter().find_map(|attribute| match attribute {
            AddressAttribute::Address(address) => Some(*address),
            _ => None,
        })
    });
    let header = &message.header;
    let usable = !header.flags.intersects(unusable);
    found.filter(|_| usable).map(|address| (header.index, address, header.prefix_len))
}

/// A default route.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct DefaultRoute {
    pub(crate) link: u32,
    pub(crate) router: IpAddr,
    pub(crate) metric: u32,
}

/// `None` when it is not a default route by a router.
pub(crate) fn default_route(message: &RouteMessage) -> Option<DefaultRoute> {
    if message.header.destination_prefix_length != 0 || message.header.kind != RouteType::Unicast {
        return None;
    }
    let (mut link, mut router, mut metric) = (None, None, 0);
    for attribute in &message.attributes {
        match attribute {
            RouteAttribute::Oif(index) => link = Some(*index),
            RouteAttribute::Priority(given) => metric = *given,
            RouteAttribute::Gateway(RouteAddress::Inet(address)) => {
                router = Some(IpAddr::V4(*address))
            }
            RouteAttribute::Gateway(RouteAddress::Inet6(address)) => {
                router = Some(IpAddr::V6(*address))
            }
            _ => {}
        }
    }
    Some(DefaultRoute { link: link?, router: router?, metric })
}

/// Brings a link up.
pub(crate) async fn up(handle: &Handle, index: u32) -> Result<(), Error> {
    handle.link().set(LinkUnspec::new_with_index(index).up().build()).execute().await
}

/// Sets the largest packet.
pub(crate) async fn set_mtu(handle: &Handle, index: u32, mtu: u32) -> Result<(), Error> {
    let message = LinkUnspec::new_with_index(index).mtu(mtu).build();
    handle.link().set(message).execute().await
}

/// Makes a VLAN on a card; one that is there already (from an agent before this one) will do.
pub(crate) async fn add_vlan(handle: &Handle, card: u32, name: &str, id: u16) -> Result<(), Error> {
    let made = handle.link().add(LinkVlan::new(name, card, id).build()).execute().await;
    existing_will_do(made)
}

/// Adds an address, or refreshes it.
pub(crate) async fn add_address(
    handle: &Handle,
    index: u32,
    address: IpAddr,
    prefix: u8,
) -> Result<(), Error> {
    let added = handle.address().add(index, address, prefix).replace().execute().await;
    existing_will_do(added)
}

/// Removes an address; one that is gone already is no failure.
pub(crate) async fn remove_address(handle: &Handle, index: u32, address: IpAddr, prefix: u8) {
    if let Err(error) =
        handle.address().del(address_message(index, address, prefix)).execute().await
    {
        log::debug!("removing {address}: {error}");
    }
}

fn address_message(index: u32, address: IpAddr, prefix: u8) -> AddressMessage {
    match address {
        IpAddr::V4(address) => {
            AddressMessageBuilder::<Ipv4Addr>::new().index(index).address(address, prefix).build()
        }
        IpAddr::V6(address) => {
            AddressMessageBuilder::<Ipv6Addr>::new().index(index).address(address, prefix).build()
        }
    }
}

/// Adds a route over a link. A router that is not in the link's network is taken at its word (`onlink`):
/// some hosters' routers are not.
pub(crate) async fn add_route(
    handle: &Handle,
    index: u32,
    (network, prefix): (IpAddr, u8),
    router: Option<IpAddr>,
    metric: u32,
) -> Result<(), Error> {
    let added = handle
        .route()
        .add(route(index, (network, prefix), router, metric))
        .replace()
        .execute()
        .await;
    existing_will_do(added)
}

/// Removes a route; one that is gone already is no failure.
pub(crate) async fn remove_route(
    handle: &Handle,
    index: u32,
    to: (IpAddr, u8),
    router: Option<IpAddr>,
    metric: u32,
) {
    if let Err(error) = handle.route().del(route(index, to, router, metric)).execute().await {
        log::debug!("removing the route to {}/{}: {error}", to.0, to.1);
    }
}

fn route(
    index: u32,
    (network, prefix): (IpAddr, u8),
    router: Option<IpAddr>,
    metric: u32,
) -> RouteMessage {
    match (network, router) {
        (IpAddr::V4(network), router) => {
            let route = RouteMessageBuilder::<Ipv4Addr>::new()
                .destination_prefix(network, prefix)
                .output_interface(index)
                .priority(metric);
            match router {
                Some(IpAddr::V4(router)) => route.gateway(router).onlink().build(),
                _ => route.build(),
            }
        }
        (IpAddr::V6(network), router) => {
            let route = RouteMessageBuilder::<Ipv6Addr>::new()
                .destination_prefix(network, prefix)
                .output_interface(index)
                .priority(metric);
            match router {
                Some(IpAddr::V6(router)) => route.gateway(router).onlink().build(),
                _ => route.build(),
            }
        }
    }
}

/// Every link there is.
pub(crate) async fn links(handle: &Handle) -> Result<Vec<LinkMessage>, Error> {
    handle.link().get().execute().try_collect().await
}

/// Every address there is.
pub(crate) async fn addresses(handle: &Handle) -> Result<Vec<AddressMessage>, Error> {
    handle.address().get().execute().try_collect().await
}

/// Every route of both families.
pub(crate) async fn routes(handle: &Handle) -> Result<Vec<RouteMessage>, Error> {
    let mut all = Vec::new();
    for family in [AddressFamily::Inet, AddressFamily::Inet6] {
        let mut message = RouteMessage::default();
        message.header.address_family = family;
        let found: Vec<_> = handle.route().get(message).execute().try_collect().await?;
        all.extend(found);
    }
    Ok(all)
}

fn existing_will_do(result: Result<(), Error>) -> Result<(), Error> {
    match result {
        Err(Error::NetlinkError(error)) if error.raw_code() == EXISTS => Ok(()),
        other => other,
    }
}
