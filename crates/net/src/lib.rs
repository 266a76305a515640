//! Links, addresses, DHCP, DNS.
#![forbid(unsafe_code)]
