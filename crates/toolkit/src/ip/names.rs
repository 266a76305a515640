//! Names of numbers in routes and addresses, as in iproute2's own tables.

const PROTOCOLS: &[(u32, &str)] = &[
    (0, "unspec"),
    (1, "redirect"),
    (2, "kernel"),
    (3, "boot"),
    (4, "static"),
    (8, "gated"),
    (9, "ra"),
    (10, "mrt"),
    (11, "zebra"),
    (12, "bird"),
    (13, "dnrouted"),
    (14, "xorp"),
    (15, "ntk"),
    (16, "dhcp"),
    (18, "keepalived"),
    (42, "babel"),
    (186, "bgp"),
    (187, "isis"),
    (188, "ospf"),
    (189, "rip"),
    (192, "eigrp"),
];
const TABLES: &[(u32, &str)] = &[(0, "unspec"), (253, "default"), (254, "main"), (255, "local")];
const SCOPES: &[(u32, &str)] =
    &[(0, "global"), (200, "site"), (253, "link"), (254, "host"), (255, "nowhere")];
const TYPES: &[(u32, &str)] = &[
    (0, "none"),
    (1, "unicast"),
    (2, "local"),
    (3, "broadcast"),
    (4, "anycast"),
    (5, "multicast"),
    (6, "blackhole"),
    (7, "unreachable"),
    (8, "prohibit"),
    (9, "throw"),
    (10, "nat"),
];

/// A table of names.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Of {
    /// Who made a route.
    Protocol,
    /// Routing tables.
    Table,
    /// How far an address or route reaches.
    Scope,
    /// What a route does.
    Type,
}

impl Of {
    fn table(self) -> &'static [(u32, &'static str)] {
        match self {
            Self::Protocol => PROTOCOLS,
            Self::Table => TABLES,
            Self::Scope => SCOPES,
            Self::Type => TYPES,
        }
    }

    /// The name, or the number.
    pub(crate) fn name(self, number: u32) -> String {
        let known = self.table().iter().find(|(n, _)| *n == number);
        known.map_or_else(|| number.to_string(), |(_, name)| (*name).to_owned())
    }

    /// The number of a name or number.
    pub(crate) fn number(self, text: &str) -> Option<u32> {
        let known = self.table().iter().find(|(_, name)| *name == text).map(|(n, _)| *n);
        known.or_else(|| text.parse().ok())
    }
}
