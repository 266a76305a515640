//! Which network card a `[[network.link]]` entry is about.

use serde::Deserialize;
use std::{fmt, str::FromStr};

/// An Ethernet address (EUI-48) of one card: neither a group address nor all zero.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Deserialize)]
#[serde(try_from = "String")]
pub struct Mac(pub [u8; 6]);

impl fmt::Display for Mac {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let [a, b, c, d, e, g] = self.0;
        write!(f, "{a:02x}:{b:02x}:{c:02x}:{d:02x}:{e:02x}:{g:02x}")
    }
}

impl fmt::Debug for Mac {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Mac({self})")
    }
}

impl FromStr for Mac {
    type Err = String;
    fn from_str(text: &str) -> Result<Self, String> {
        let octet = |part: &str| {
            let plain = part.len() == 2 && part.bytes().all(|b| b.is_ascii_hexdigit());
            u8::from_str_radix(part, 16).ok().filter(|_| plain)
        };
        let octets: Option<Vec<u8>> = text.split(':').map(octet).collect();
        let mac: Option<[u8; 6]> = octets.and_then(|o| o.try_into().ok());
        match mac {
            Some([first, ..]) if first & 1 == 1 => {
                Err(format!("{text} is a group address, expected the MAC address of a card"))
            }
            Some(mac) if mac != [0; 6] => Ok(Self(mac)),
            _ => Err(format!(
                "`{}` is not a MAC address, expected six pairs of hexadecimal digits like \
                 52:54:00:12:34:56",
                text.escape_debug()
            )),
        }
    }
}

impl TryFrom<String> for Mac {
    type Error = String;
    fn try_from(text: String) -> Result<Self, String> {
        text.parse()
    }
}

/// A pattern for interface names: `*` stands for any characters, `?` for one.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(try_from = "String")]
pub struct Glob(String);

impl Glob {
    /// The pattern as it was written.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// Whether the whole of `name` fits.
    #[must_use]
    pub fn matches(&self, name: &str) -> bool {
        // A name without wildcards is a pattern that only it fits.
        overlap(self.0.as_bytes(), name.as_bytes(), false)
    }

    /// Whether some name fits both patterns.
    #[must_use]
    pub fn overlaps(&self, other: &Self) -> bool {
        overlap(self.0.as_bytes(), other.0.as_bytes(), true)
    }
}

/// Whether some text fits both patterns. `other_is_pattern` says whether `b`'s wildcards count.
///
/// A table over the positions in both: quadratic in at most 15 characters each.
fn overlap(a: &[u8], b: &[u8], other_is_pattern: bool) -> bool {
    let star_b = |c: u8| other_is_pattern && c == b'*';
    let fits = |x: u8, y: u8| {
        x == y || x == b'?' && y != b'*' || other_is_pattern && y == b'?' && x != b'*'
    };
    // Row i tells for each j whether a[i..] and b[j..] overlap; rows are made from the last one up.
    let mut below: Vec<bool> = Vec::new();
    for i in (0..=a.len()).rev() {
        let mut row = vec![false; b.len() + 1];
        for j in (0..=b.len()).rev() {
            let get = |row: &[bool], j: usize| row.get(j).copied().unwrap_or(false);
            let here = match (a.get(i), b.get(j)) {
                (None, None) => true,
                (Some(b'*'), _) if get(&below, j) => true,
                (Some(b'*'), Some(_)) if get(&row, j + 1) => true,
                (_, Some(&y)) if star_b(y) && (get(&row, j + 1) || get(&below, j)) => true,
                (Some(&x), Some(&y)) => x != b'*' && fits(x, y) && get(&below, j + 1),
                _ => false,
            };
            if let Some(slot) = row.get_mut(j) {
                *slot = here;
            }
        }
        below = row;
    }
    below.first().copied().unwrap_or(false)
}

impl fmt::Display for Glob {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl TryFrom<String> for Glob {
    type Error = String;
    fn try_from(text: String) -> Result<Self, String> {
        let plain = |b: u8| {
            b.is_ascii_alphanumeric() || matches!(b, b'*' | b'?' | b'-' | b'_' | b'.' | b'@')
        };
        // IFNAMSIZ is 16 with the terminating zero.
        if (1..=15).contains(&text.len()) && text.bytes().all(plain) {
            Ok(Self(text))
        } else {
            Err(format!(
                "`{}` is not an interface name, expected 1 to 15 letters, digits, `-`, `_`, `.` or \
                 `@`, with `*` and `?` as wildcards",
                text.escape_debug()
            ))
        }
    }
}

/// Which cards an entry is about.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Select {
    /// The card with this permanent address.
    Mac(Mac),
    /// Cards whose interface name fits.
    Name(Glob),
    /// Cards that this kernel driver runs, such as `e1000`.
    Driver(String),
}

impl Select {
    /// Whether a card with permanent address `mac`, interface name `name` and kernel driver `driver`
    /// is meant.
    #[must_use]
    pub fn matches(&self, mac: Mac, name: &str, driver: &str) -> bool {
        match self {
            Self::Mac(wanted) => *wanted == mac,
            Self::Name(glob) => glob.matches(name),
            Self::Driver(wanted) => wanted == driver,
        }
    }

    /// How specific it is: where several entries fit one card, the least rank wins. Entries of equal
    /// rank never fit the same card; the parser refuses them.
    #[must_use]
    pub fn rank(&self) -> u8 {
        match self {
            Self::Mac(_) => 0,
            Self::Name(_) => 1,
            Self::Driver(_) => 2,
        }
    }

    pub(crate) fn overlaps(&self, other: &Self) -> bool {
        match (self, other) {
            (Self::Mac(a), Self::Mac(b)) => a == b,
            (Self::Name(a), Self::Name(b)) => a.overlaps(b),
            (Self::Driver(a), Self::Driver(b)) => a == b,
            _ => false,
        }
    }
}

impl fmt::Display for Select {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Mac(mac) => write!(f, "mac {mac}"),
            Self::Name(glob) => write!(f, "name {glob}"),
            Self::Driver(driver) => write!(f, "driver {driver}"),
        }
    }
}

/// A kernel driver's name as it is read from a file.
#[derive(Debug, Deserialize)]
#[serde(try_from = "String")]
pub(crate) struct Driver(pub(crate) String);

impl TryFrom<String> for Driver {
    type Error = String;
    fn try_from(text: String) -> Result<Self, String> {
        let plain = |b: u8| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'_');
        if (1..=64).contains(&text.len()) && text.bytes().all(plain) {
            Ok(Self(text))
        } else {
            Err(format!(
                "`{}` is not a driver, expected a kernel module's name like e1000",
                text.escape_debug()
            ))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn glob(text: &str) -> Glob {
        Glob::try_from(text.to_owned()).unwrap()
    }

    #[test]
    fn globs() {
        for (pattern, name, fits) in [
            ("en*", "eno1", true),
            ("en*", "en", true),
            ("en*", "wlan0", false),
            ("eth?", "eth0", true),
            ("eth?", "eth10", false),
            ("*", "", true),
            ("*s?", "enp0s3", true),
            ("a*b*c", "abbc", true),
            ("a*b*c", "acb", false),
            ("eth0", "eth0", true),
            ("eth0", "eth00", false),
        ] {
            assert_eq!(glob(pattern).matches(name), fits, "{pattern} {name}");
        }
        for (a, b, meet) in [
            ("en*", "eno1", true),
            ("en*", "*1", true),
            ("en*", "eth*", false),
            ("e?0", "en*", true),
            ("*a", "*b", false),
            ("*", "*", true),
            ("a*", "*b", true),
            ("?", "??", false),
        ] {
            assert_eq!(glob(a).overlaps(&glob(b)), meet, "{a} {b}");
            assert_eq!(glob(b).overlaps(&glob(a)), meet, "{b} {a}");
        }
    }

    #[test]
    fn macs() {
        assert_eq!("52:54:00:AB:cd:EF".parse::<Mac>().unwrap().to_string(), "52:54:00:ab:cd:ef");
        for bad in [
            "",
            "52:54:00:12:34",
            "52:54:00:12:34:56:78",
            "52-54-00-12-34-56",
            "525400123456",
            "52:54:00:12:34:5g",
            "52:54:0:12:34:56",
            "52:54:00:12:34:+5",
            "01:00:5e:00:00:01",
            "ff:ff:ff:ff:ff:ff",
            "00:00:00:00:00:00",
        ] {
            assert!(bad.parse::<Mac>().is_err(), "{bad}");
        }
    }

    proptest! {
        #[test]
        fn two_patterns_that_fit_a_name_overlap(
            a in "[ab*?]{1,6}", b in "[ab*?]{1,6}", name in "[ab]{0,6}"
        ) {
            let (a, b) = (glob(&a), glob(&b));
            if a.matches(&name) && b.matches(&name) {
                prop_assert!(a.overlaps(&b));
            }
        }

        #[test]
        fn a_pattern_fits_what_a_regular_expression_fits(p in "[ab*?]{1,6}", name in "[ab]{0,6}") {
            // Dynamic check against plain recursion.
            fn fits(p: &[u8], n: &[u8]) -> bool {
                match (p.split_first(), n.split_first()) {
                    (None, None) => true,
                    (Some((b'*', rest)), _) if fits(rest, n) => true,
                    (Some((b'*', _)), Some((_, more))) => fits(p, more),
                    (Some((c, rest)), Some((d, more))) => (*c == b'?' || c == d) && fits(rest, more),
                    _ => false,
                }
            }
            prop_assert_eq!(glob(&p).matches(&name), fits(p.as_bytes(), name.as_bytes()));
        }
    }
}
