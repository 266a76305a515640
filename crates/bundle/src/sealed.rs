//! Secrets that travel in a bundle: sealed, so that the machines named can open them and nobody else.
//!
//! A secret is an ordinary file of the bundle, `secrets/NAME`, so the signatures say who put it there. Its
//! content holds the secret once for each machine, encrypted by HPKE in base mode (RFC 9180) with
//! DHKEM(X25519, HKDF-SHA256), HKDF-SHA256 and ChaCha20-Poly1305. The X25519 key is the machine's
//! Ed25519 key on the birationally equivalent curve (RFC 7748, section 4.1). `docs/PROTOCOL.md` specifies the bytes.

use crate::{
    cbor::{CborError, Reader, Writer},
    limits,
    path::FilePath,
};
use curve25519_dalek::edwards::CompressedEdwardsY;
use hpke::{
    Deserializable as _, HpkeError, Kem, OpModeR, OpModeS, Serializable as _,
    aead::ChaCha20Poly1305, kdf::HkdfSha256, kem::X25519HkdfSha256,
};
use pkcs8::PrivateKeyInfoRef;
use ring::digest::{SHA512, digest};
use std::fmt;
use xenoboot_wire::{FleetId, MachineKey};
use zeroize::Zeroizing;

/// The version of the format that this module reads and writes.
const FORMAT: u64 = 1;
/// Separates these encryptions from every other use of the key.
const DOMAIN: &[u8] = b"xenoboot secret";
/// An X25519 public key, bytes.
const ENCAPSULATED: usize = 32;

type PrivateKey = <X25519HkdfSha256 as Kem>::PrivateKey;
type PublicKey = <X25519HkdfSha256 as Kem>::PublicKey;
type Encapsulated = <X25519HkdfSha256 as Kem>::EncappedKey;

/// What a secret is called: in its fleet, and in its bundle.
#[derive(Clone, Copy, Debug)]
pub struct Label<'a> {
    fleet: FleetId,
    name: &'a str,
}

/// A name that no secret can have.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "a secret's name has 1 to {} letters, digits, '-', '_' and '.', a letter or digit first",
    limits::NAME
)]
pub struct NameError;

impl<'a> Label<'a> {
    /// The secret `name` of `fleet`.
    ///
    /// # Errors
    /// When `name` is not 1 to 64 letters, digits, `-`, `_` and `.`, a letter or digit first.
    pub fn new(fleet: FleetId, name: &'a str) -> Result<Self, NameError> {
        let good = |b: u8| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'_' | b'.');
        let first = name.bytes().next().is_some_and(|b| b.is_ascii_alphanumeric());
        if first && name.len() <= limits::NAME && name.bytes().all(good) {
            Ok(Self { fleet, name })
        } else {
            Err(NameError)
        }
    }

    /// Where the secret is in its bundle.
    ///
    /// # Errors
    /// Never: what may be in a name may be in a path.
    pub fn path(&self) -> Result<FilePath, crate::PathError> {
        format!("{FOLDER}/{}", self.name).parse()
    }

    /// What HPKE calls `info`.
    fn info(&self) -> Vec<u8> {
        [DOMAIN, self.fleet.as_bytes(), self.name.as_bytes()].concat()
    }
}

/// The folder of a bundle's secrets.
pub const FOLDER: &str = "secrets";

/// A secret could not be sealed.
#[derive(Debug, thiserror::Error)]
pub enum SealError {
    /// It has no bytes, or too many.
    #[error("a secret has 1 to {most} bytes, this one has {0}", most = limits::SECRET)]
    Size(usize),
    /// It is for nobody, or for too many.
    #[error("a secret is for 1 to {most} machines, this one for {0}", most = limits::MACHINES)]
    Machines(usize),
    /// A machine's key that no machine can have.
    #[error("{0} is not the key of a machine")]
    Key(MachineKey),
    /// Too long for so many machines.
    #[error("sealed for {machines} machines it has {size} bytes, at most {most} are allowed: give it to fewer, or make it shorter", most = limits::SEALED)]
    Sealed {
        /// How many machines.
        machines: usize,
        /// How many bytes.
        size: usize,
    },
    /// The cryptographic library refused.
    #[error("the encryption failed: {0}")]
    Hpke(HpkeError),
}

/// Seals `secret` for each of `machines`. Each time the bytes are others.
///
/// # Errors
/// When the secret is empty or too long, there are no machines or too many, or one of the keys is none.
pub fn seal(
    label: Label<'_>,
    secret: &[u8],
    machines: &[MachineKey],
) -> Result<Vec<u8>, SealError> {
    if !(1..=limits::SECRET).contains(&secret.len()) {
        return Err(SealError::Size(secret.len()));
    }
    let mut machines = machines.to_vec();
    machines.sort_unstable();
    machines.dedup();
    if !(1..=limits::MACHINES).contains(&machines.len()) {
        return Err(SealError::Machines(machines.len()));
    }
    // A head of its own, and for each machine the key, HPKE's key and tag, and CBOR's heads.
    let size = 16 + machines.len() * (secret.len() + 32 + ENCAPSULATED + 16 + 10);
    if size > limits::SEALED {
        return Err(SealError::Sealed { machines: machines.len(), size });
    }
    let info = label.info();
    let mut out = Writer::default();
    out.array(2).uint(FORMAT).array(machines.len());
    for machine in &machines {
        let public = public_key(machine)?;
        let (encapsulated, text) = hpke::single_shot_seal::<
            ChaCha20Poly1305,
            HkdfSha256,
            X25519HkdfSha256,
        >(
            &OpModeS::Base, &public, &info, secret, machine.as_bytes()
        )
        .map_err(SealError::Hpke)?;
        out.array(3).bytes(machine.as_bytes()).bytes(&encapsulated.to_bytes()).bytes(&text);
    }
    Ok(out.0)
}

fn public_key(machine: &MachineKey) -> Result<PublicKey, SealError> {
    let wrong = || SealError::Key(*machine);
    let point = CompressedEdwardsY(machine.0).decompress().ok_or_else(wrong)?;
    // A point of small order would let anybody open it.
    if point.is_small_order() {
        return Err(wrong());
    }
    PublicKey::from_bytes(point.to_montgomery().as_bytes()).map_err(|_| wrong())
}

/// A machine's private key, for opening what was sealed for it. It is never shown.
pub struct OpeningKey {
    private: PrivateKey,
    machine: MachineKey,
}

/// Bytes are not the machine's private key.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("not the machine's Ed25519 key in PKCS#8")]
pub struct OpeningKeyError;

impl OpeningKey {
    /// Reads the PKCS#8 document (RFC 8410, DER) of the key that `machine` is the public half of.
    ///
    /// # Errors
    /// When it is something else, or another machine's.
    pub fn from_pkcs8(der: &[u8], machine: MachineKey) -> Result<Self, OpeningKeyError> {
        let info = PrivateKeyInfoRef::try_from(der).map_err(|_| OpeningKeyError)?;
        // CurvePrivateKey: an OCTET STRING of 32 bytes inside the OCTET STRING.
        let seed = match info.private_key.as_bytes() {
            [0x04, 0x20, seed @ ..] if seed.len() == 32 => seed,
            _ => return Err(OpeningKeyError),
        };
        let pair = ring::signature::Ed25519KeyPair::from_seed_and_public_key(seed, &machine.0);
        if pair.is_err() {
            return Err(OpeningKeyError);
        }
        // RFC 8032, section 5.1.5: the scalar is the first half of the seed's SHA-512, clamped, which X25519 does.
        let hash = Zeroizing::new(
            <[u8; 64]>::try_from(digest(&SHA512, seed).as_ref()).map_err(|_| OpeningKeyError)?,
        );
        let scalar = hash.first_chunk::<32>().ok_or(OpeningKeyError)?;
        let private = PrivateKey::from_bytes(scalar).map_err(|_| OpeningKeyError)?;
        Ok(Self { private, machine })
    }
}

impl fmt::Debug for OpeningKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "OpeningKey({})", self.machine)
    }
}

/// A sealed secret could not be opened.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum OpenError {
    /// The bytes are not those of a sealed secret.
    #[error("not a sealed secret: {0}")]
    Malformed(#[from] CborError),
    /// A format of a later version.
    #[error("a sealed secret of format {0}, this image knows {FORMAT}")]
    Format(u64),
    /// More machines, or longer than allowed.
    #[error("not a sealed secret: it is larger than one can be")]
    Size,
    /// It is for others.
    #[error("it was not sealed for this machine, whose key is {0}")]
    NotForThis(MachineKey),
    /// It was changed, or sealed for another fleet or as another secret.
    #[error("it was changed, or sealed for another fleet or under another name")]
    Broken,
}

/// Opens what [`seal`] made, with the key of one of its machines.
///
/// # Errors
/// When the bytes are something else, are for other machines, or were changed.
pub fn open(
    label: Label<'_>,
    sealed: &[u8],
    key: &OpeningKey,
) -> Result<Zeroizing<Vec<u8>>, OpenError> {
    let (encapsulated, text) = find(sealed, key.machine)?;
    let encapsulated = Encapsulated::from_bytes(encapsulated).map_err(|_| OpenError::Broken)?;
    hpke::single_shot_open::<ChaCha20Poly1305, HkdfSha256, X25519HkdfSha256>(
        &OpModeR::Base,
        &key.private,
        &encapsulated,
        &label.info(),
        text,
        key.machine.as_bytes(),
    )
    .map(Zeroizing::new)
    .map_err(|_| OpenError::Broken)
}

/// The machine's own part. All of the rest is read as well: a sealed secret is well-formed or it is none.
fn find(sealed: &[u8], machine: MachineKey) -> Result<(&[u8], &[u8]), OpenError> {
    let mut reader = Reader::new(sealed);
    if reader.array()? != 2 {
        return Err(CborError::Type("an array of 2").into());
    }
    match reader.uint()? {
        FORMAT => {}
        other => return Err(OpenError::Format(other)),
    }
    let machines = reader.array()?;
    if machines > limits::MACHINES as u64 {
        return Err(OpenError::Size);
    }
    let (mut found, mut last) = (None, None);
    for _ in 0..machines {
        if reader.array()? != 3 {
            return Err(CborError::Type("an array of 3").into());
        }
        let (whose, encapsulated, text) = (reader.bytes()?, reader.bytes()?, reader.bytes()?);
        if whose.len() != machine.0.len() || encapsulated.len() != ENCAPSULATED {
            return Err(CborError::Type("a key of 32 bytes").into());
        }
        if last.is_some_and(|last| last >= whose) {
            return Err(CborError::KeyOrder(0).into());
        }
        last = Some(whose);
        if whose == machine.as_bytes() {
            found = Some((encapsulated, text));
        }
    }
    reader.end()?;
    found.ok_or(OpenError::NotForThis(machine))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use ring::signature::KeyPair as _;

    const FLEET: FleetId = FleetId([7; 16]);

    /// RFC 8410, section 7: version 1, no attributes, no public key.
    fn pkcs8(seed: &[u8; 32]) -> Vec<u8> {
        let head = [
            0x30, 0x2e, 0x02, 0x01, 0x00, 0x30, 0x05, 0x06, 0x03, 0x2b, 0x65, 0x70, 0x04, 0x22,
            0x04, 0x20,
        ];
        [&head[..], seed].concat()
    }

    fn machine(seed: u8) -> (MachineKey, OpeningKey) {
        let seed = [seed; 32];
        let pair = ring::signature::Ed25519KeyPair::from_seed_unchecked(&seed).unwrap();
        let key = MachineKey::try_from(pair.public_key().as_ref()).unwrap();
        (key, OpeningKey::from_pkcs8(&pkcs8(&seed), key).unwrap())
    }

    fn label(name: &str) -> Label<'_> {
        Label::new(FLEET, name).unwrap()
    }

    #[test]
    fn those_named_can_open_it_and_nobody_else() {
        let (machines, keys): (Vec<_>, Vec<_>) = (1..=3).map(machine).unzip();
        let sealed = seal(label("luks"), b"correct horse", &machines[..2]).unwrap();
        assert!(!sealed.windows(7).any(|w| w == b"correct"));
        for key in &keys[..2] {
            assert_eq!(open(label("luks"), &sealed, key).unwrap()[..], b"correct horse"[..]);
        }
        let other = open(label("luks"), &sealed, &keys[2]);
        assert_eq!(other.unwrap_err(), OpenError::NotForThis(machines[2]));
        let elsewhere = Label::new(FleetId([8; 16]), "luks").unwrap();
        assert_eq!(open(elsewhere, &sealed, &keys[0]).unwrap_err(), OpenError::Broken);
        assert_eq!(open(label("root"), &sealed, &keys[0]).unwrap_err(), OpenError::Broken);
        let again = seal(label("luks"), b"correct horse", &machines[..2]).unwrap();
        assert_ne!(sealed, again, "no two sealings are alike");
    }

    #[test]
    fn another_machines_part_cannot_be_passed_off() {
        let (machines, keys): (Vec<_>, Vec<_>) = (1..=2).map(machine).unzip();
        let sealed = seal(label("x"), b"one", &machines[..1]).unwrap();
        let at = sealed.windows(32).position(|w| w == machines[0].as_bytes()).unwrap();
        let mut passed = sealed.clone();
        passed[at..at + 32].copy_from_slice(machines[1].as_bytes());
        assert_eq!(open(label("x"), &passed, &keys[1]).unwrap_err(), OpenError::Broken);
    }

    #[test]
    fn every_byte_counts() {
        let (whose, key) = machine(1);
        let sealed = seal(label("x"), b"secret", &[whose]).unwrap();
        for at in 0..sealed.len() {
            let mut changed = sealed.clone();
            changed[at] ^= 1;
            assert!(open(label("x"), &changed, &key).is_err(), "byte {at}");
            assert!(open(label("x"), &sealed[..at], &key).is_err(), "cut at {at}");
        }
        assert!(open(label("x"), &[&sealed[..], b"\0"].concat(), &key).is_err());
    }

    #[test]
    fn what_cannot_be_sealed_is_refused() {
        let (whose, _) = machine(1);
        assert!(matches!(seal(label("x"), b"", &[whose]), Err(SealError::Size(0))));
        let long = vec![0; limits::SECRET + 1];
        assert!(matches!(seal(label("x"), &long, &[whose]), Err(SealError::Size(_))));
        assert!(matches!(seal(label("x"), b"y", &[]), Err(SealError::Machines(0))));
        let keys: Vec<_> = (0..600u16)
            .map(|n| MachineKey(std::array::from_fn(|i| n.to_be_bytes()[i % 2])))
            .collect();
        let long = vec![0; limits::SECRET];
        assert!(matches!(
            seal(label("x"), &long, &keys),
            Err(SealError::Sealed { machines: 600, .. })
        ));
        // The identity, and the point of order 2.
        let (mut one, mut minus_one) = ([0; 32], [0xff; 32]);
        (one[0], minus_one[0], minus_one[31]) = (1, 0xec, 0x7f);
        let mut off_the_curve = [0; 32];
        off_the_curve[0] = 2;
        for weak in [one, minus_one, off_the_curve] {
            let weak = MachineKey(weak);
            assert!(matches!(seal(label("x"), b"y", &[weak]), Err(SealError::Key(_))), "{weak}");
        }
        for bad in ["", ".x", "a/b", "a b", "ä", &"x".repeat(65)] {
            assert!(Label::new(FLEET, bad).is_err(), "{bad}");
        }
        assert_eq!(label("a.b-c_1").path().unwrap().as_str(), "secrets/a.b-c_1");
    }

    #[test]
    fn a_key_is_the_machines_or_none() {
        let (whose, _) = machine(1);
        assert!(OpeningKey::from_pkcs8(&pkcs8(&[2; 32]), whose).is_err());
        let good = pkcs8(&[1; 32]);
        for cut in 0..good.len() {
            assert!(OpeningKey::from_pkcs8(&good[..cut], whose).is_err());
        }
    }

    proptest! {
        #[test]
        fn any_secret_comes_back(secret in prop::collection::vec(any::<u8>(), 1..2000), seed: u8) {
            let (whose, key) = machine(seed);
            let sealed = seal(label("x"), &secret, &[whose]).unwrap();
            prop_assert_eq!(&open(label("x"), &sealed, &key).unwrap()[..], &secret[..]);
        }

        #[test]
        fn arbitrary_bytes_do_no_harm(bytes: Vec<u8>) {
            prop_assert!(open(label("x"), &bytes, &machine(1).1).is_err());
        }
    }
}
