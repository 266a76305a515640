//! Error codes: what a site contact can read out over the telephone.
//!
//! Each is explained in `docs/OPERATING.md`; a test holds the two together.

use serde::{Deserialize, Deserializer, Serialize, Serializer, de};
use std::{fmt, str::FromStr};

macro_rules! codes {
    ($($(#[$doc:meta])* $variant:ident = $id:literal, $title:literal;)*) => {
        /// An error code, shown as `XB-NET-01`.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
        #[expect(missing_docs, reason = "each variant's title is its documentation")]
        pub enum Code { $($(#[$doc])* $variant,)* }

        impl Code {
            /// Every code, in the order of their identifiers.
            pub const ALL: &[Self] = &[$(Self::$variant,)*];

            /// The identifier, `XB-NET-01`.
            #[must_use]
            pub fn id(self) -> &'static str {
                match self { $(Self::$variant => $id,)* }
            }

            /// What failed, in a few words.
            #[must_use]
            pub fn title(self) -> &'static str {
                match self { $(Self::$variant => $title,)* }
            }
        }
    };
}

codes! {
    // init and the machine itself
    AgentDied = "XB-INI-01", "the agent died and was started again";
    AgentSilent = "XB-INI-02", "the agent stopped answering";
    ImageIncomplete = "XB-INI-03", "the image is incomplete in memory";
    MediumMissing = "XB-INI-04", "the boot medium was not found";
    SiteInvalid = "XB-INI-05", "the image's site or trust file is not valid";
    NoRandomness = "XB-INI-06", "the kernel has no randomness yet";

    // network
    NoCard = "XB-NET-01", "no network card";
    CardMissing = "XB-NET-02", "a configured network card is missing";
    NoLink = "XB-NET-03", "no link on any network card";
    NoLease = "XB-NET-04", "no DHCP server answered";
    NoAddress = "XB-NET-05", "no address could be set";
    NameUnresolved = "XB-NET-06", "the server's name does not resolve";
    NoRoute = "XB-NET-07", "the server's address is not reachable";
    ConnectRefused = "XB-NET-08", "the server refused the connection";
    ConnectTimeout = "XB-NET-09", "the server did not answer";
    ProxyFailed = "XB-NET-10", "the proxy did not connect";

    // the server: who it is and what it says
    WrongPin = "XB-SRV-01", "the server has another key than the pinned one";
    TlsFailed = "XB-SRV-02", "the server does not speak TLS 1.3 as required";
    Stalled = "XB-SRV-03", "the server stalled in the middle of an answer";
    ServerError = "XB-SRV-04", "the server answered with an error";
    BadAnswer = "XB-SRV-05", "the server's answer is not valid";
    Pending = "XB-SRV-06", "the machine waits for approval";
    Refused = "XB-SRV-07", "the operator refused this machine";

    // bundles
    BundleMalformed = "XB-BUN-01", "the bundle is malformed";
    BundleSignature = "XB-BUN-02", "a signature of the bundle is wrong";
    BundleThreshold = "XB-BUN-03", "too few of the pinned signers signed the bundle";
    BundleSigner = "XB-BUN-04", "the bundle is signed by a key that is not pinned";
    BundleExpired = "XB-BUN-05", "the bundle has expired";
    BundleFleet = "XB-BUN-06", "the bundle is for another fleet";
    BundleMachine = "XB-BUN-07", "the bundle is for another machine";
    BundleImage = "XB-BUN-08", "the bundle needs a newer image";
    BundleSerial = "XB-BUN-09", "the bundle is older than one that ran before";
    BundleDigest = "XB-BUN-10", "the bundle is not the one that was announced";
    BundleNotYet = "XB-BUN-11", "the bundle is dated in the future";
    BlobShort = "XB-BLB-01", "a file of the bundle was cut short";
    BlobDigest = "XB-BLB-02", "a file of the bundle has the wrong digest";
    BlobMissing = "XB-BLB-03", "a file of the bundle is not on the server";
    NoSpace = "XB-BLB-04", "not enough memory for the bundle's files";

    // runs
    ScriptFailed = "XB-RUN-01", "the script failed";
    ScriptTimeout = "XB-RUN-02", "the script exceeded its time limit";
    ScriptKilled = "XB-RUN-03", "the script was killed by a signal";
    ScriptMemory = "XB-RUN-04", "the script used up its memory";
    ScriptNotStarted = "XB-RUN-05", "the script could not be started";
    AgentLost = "XB-RUN-06", "the agent died while the script ran";

    // the toolbox
    BoxNone = "XB-BOX-01", "the image has no toolbox";
    BoxMissing = "XB-BOX-02", "the toolbox cannot be had";
    BoxDamaged = "XB-BOX-03", "the toolbox is damaged";
}

impl fmt::Display for Code {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.id())
    }
}

/// The text is not the identifier of an error code.
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
#[error("not an error code")]
pub struct UnknownCode;

impl FromStr for Code {
    type Err = UnknownCode;
    fn from_str(text: &str) -> Result<Self, UnknownCode> {
        Self::ALL.iter().copied().find(|c| c.id() == text).ok_or(UnknownCode)
    }
}

impl Serialize for Code {
    fn serialize<S: Serializer>(&self, s: S) -> Result<S::Ok, S::Error> {
        s.serialize_str(self.id())
    }
}

impl<'de> Deserialize<'de> for Code {
    fn deserialize<D: Deserializer<'de>>(d: D) -> Result<Self, D::Error> {
        String::deserialize(d)?.parse().map_err(de::Error::custom)
    }
}
