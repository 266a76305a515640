//! How machines are switched on and off.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// By what a machine is switched.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
#[serde(tag = "driver", rename_all = "snake_case", deny_unknown_fields)]
pub enum PowerDriver {
    /// A management controller that speaks Redfish.
    Redfish {
        /// `https://HOST`, without a path.
        url: String,
        /// Its user.
        user: String,
        /// The user's password.
        password: String,
        /// Which of its systems, by id; needed when it has several.
        system: Option<String>,
        /// Its key, `sha256//…`; without it a certificate of a public authority.
        pin: Option<String>,
    },
    /// A management controller that speaks IPMI 2.0 (`lanplus`).
    Ipmi {
        /// Its name or address.
        host: String,
        /// Its port; 623.
        port: Option<u16>,
        /// Its user.
        user: String,
        /// The user's password.
        password: String,
        /// The cipher suite (IPMI 2.0, table 22-20): 3, 8, 12 or 17, which authenticate and encrypt; else the controller is
        /// asked for its best, which some do not answer.
        cipher_suite: Option<u8>,
    },
    /// An outlet that is switched by HTTP.
    Outlet {
        /// What is asked for to switch it on.
        on: String,
        /// What is asked for to switch it off.
        off: String,
        /// What is asked for to see whether it is on.
        status: Option<String>,
        /// What the answer to that has in it when it is on.
        is_on: Option<String>,
        /// Who asks, for outlets that want to know (HTTP Basic).
        user: Option<String>,
        /// And with which password.
        password: Option<String>,
        /// The outlet's key, `sha256//…`; without it a certificate of a public authority, if it is `https`.
        pin: Option<String>,
    },
    /// An outlet that is switched by SNMP.
    Snmp(SnmpOutlet),
    /// A program in the folder `power.d` of the server's.
    Command {
        /// Its name.
        program: String,
    },
}

/// An outlet that is switched by SNMP: an integer is set. By version 2c with a community, which goes over the network in
/// the clear, or by version 3 with a user and passwords (`authPriv`).
#[derive(Clone, Debug, Default, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct SnmpOutlet {
    /// Its name or address.
    pub host: String,
    /// Its port; 161.
    pub port: Option<u16>,
    /// What is set, `1.3.6.…`, with the outlet's number.
    pub oid: String,
    /// The value that switches it on.
    pub on: i32,
    /// The value that switches it off.
    pub off: i32,
    /// The value that switches it off and on; without one both are set, with 5 s between.
    pub cycle: Option<i32>,
    /// What is read to see whether it is on; what is set.
    pub status_oid: Option<String>,
    /// What that is when it is on; the value that switches it on.
    pub is_on: Option<i32>,
    /// Version 2c.
    pub community: Option<String>,
    /// Version 3: the user.
    pub user: Option<String>,
    /// How requests are authenticated: `SHA`, `SHA-256`, `SHA-512` or `MD5`; `SHA`.
    pub auth: Option<String>,
    /// With which password, of at least 8 characters.
    pub auth_password: Option<String>,
    /// With which they are encrypted, by AES.
    pub privacy_password: Option<String>,
}

/// `PUT machines/REF/power`.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct NewPower {
    /// By what.
    pub by: PowerDriver,
    /// A machine that promised to come back and did not is switched off and on so often; zero: never.
    #[serde(default = "two")]
    pub attempts: u32,
    /// For so many seconds it is waited between.
    #[serde(default = "five_minutes")]
    pub wait_s: u32,
}

fn two() -> u32 {
    2
}

fn five_minutes() -> u32 {
    300
}

/// `GET machines/REF/power`: how a machine is switched, without secrets.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
pub struct Power {
    /// The driver.
    pub driver: String,
    /// Where it reaches.
    pub address: String,
    /// How often a machine that does not come back is switched off and on.
    pub attempts: i64,
    /// For how many seconds it is waited between.
    pub wait_s: i64,
    /// How often that was done since it was heard of.
    pub cycles: i64,
}

/// What to do.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum PowerAct {
    /// Switch it on.
    On,
    /// Switch it off, at once.
    Off,
    /// Switch it off and on.
    Cycle,
    /// Only look.
    Status,
}

impl PowerAct {
    /// The word for it.
    #[must_use]
    pub fn word(self) -> &'static str {
        match self {
            Self::On => "on",
            Self::Off => "off",
            Self::Cycle => "cycle",
            Self::Status => "status",
        }
    }
}

/// `POST machines/REF/power`.
#[derive(Clone, Copy, Debug, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct Switch {
    /// What to do.
    pub act: PowerAct,
}

/// The answer to [`Switch`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Switched {
    /// Whether the power is on; `None` when the driver cannot tell, or what was asked for is under way.
    pub on: Option<bool>,
}
