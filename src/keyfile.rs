//! Private keys in files: Ed25519 (RFC 8410) as PKCS#8 (RFC 5958) in PEM, mode 0600.
//!
//! Signing keys are encrypted with a passphrase by PBES2 (RFC 8018): scrypt (RFC 7914) and AES-256-CBC, as
//! `openssl pkcs8 -topk8 -scrypt` does; OpenSSL reads them. Machine keys are not encrypted, because
//! a machine boots unattended.

use crate::ui::WithHint;
use anyhow::{Context, bail};
use pkcs8::{
    EncryptedPrivateKeyInfoRef, LineEnding, ObjectIdentifier, PrivateKeyInfoRef, SecretDocument,
    der::{Decode, Encode, asn1::OctetStringRef},
    pkcs5::{pbes2, scrypt},
    spki::AlgorithmIdentifierRef,
};
use ring::rand::{SecureRandom, SystemRandom};
use std::{
    fs,
    io::{self, IsTerminal, Read, Write},
    os::unix::fs::OpenOptionsExt,
    path::{Path, PathBuf},
};
use xenoboot_bundle::SigningKey;
use zeroize::Zeroizing;

/// id-Ed25519 (RFC 8410, section 3).
const ED25519: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.3.101.112");
/// PEM labels (RFC 7468, sections 10 and 11).
const PLAIN: &str = "PRIVATE KEY";
const ENCRYPTED: &str = "ENCRYPTED PRIVATE KEY";
/// scrypt's cost: the most that OpenSSL reads with its default limit of 32 MiB.
const SCRYPT_LOG_N: u8 = 14;
/// Largest key file that is read, bytes.
const MAX_FILE: u64 = 16 << 10;

/// How the passphrase of a new key is given.
#[derive(clap::Args)]
pub(crate) struct NewPassphrase {
    /// Read the passphrase from the first line of FILE instead of the terminal (`-`: standard input)
    #[arg(long, value_name = "FILE")]
    passphrase_file: Option<PathBuf>,
    /// Do not encrypt the key: whoever reads the file can sign
    #[arg(long, conflicts_with = "passphrase_file")]
    no_passphrase: bool,
}

impl NewPassphrase {
    /// The passphrase for the key called `name`: from the file, or asked for twice. `None`: do not encrypt.
    pub(crate) fn get(&self, name: &str) -> anyhow::Result<Option<Zeroizing<String>>> {
        if self.no_passphrase {
            return Ok(None);
        }
        let passphrase = match &self.passphrase_file {
            Some(file) => first_line(file)?,
            None => {
                let first = ask(&format!("New passphrase for {name}: "))?;
                if *first != *ask("Again: ")? {
                    bail!("the two passphrases differ");
                }
                first
            }
        };
        if passphrase.is_empty() {
            return Err(anyhow::anyhow!("the passphrase is empty"))
                .hint("for a key that is not encrypted, say --no-passphrase");
        }
        Ok(Some(passphrase))
    }
}

/// How the passphrases of existing keys are given.
#[derive(clap::Args)]
pub(crate) struct Passphrases {
    /// Read the keys' passphrase from the first line of FILE (`-`: standard input); may be given
    /// several times, each is tried on each key
    #[arg(long = "passphrase-file", value_name = "FILE")]
    files: Vec<PathBuf>,
}

impl Passphrases {
    /// Reads and decrypts the keys; asks at the terminal where no file was given.
    pub(crate) fn open(&self, keys: &[PathBuf]) -> anyhow::Result<Vec<SigningKey>> {
        let given = self.files.iter().map(|f| first_line(f)).collect::<anyhow::Result<Vec<_>>>()?;
        keys.iter().map(|path| open_signing_key(path, &given)).collect()
    }
}

/// A new private key, not yet in a file.
pub(crate) struct NewKey(Zeroizing<[u8; 32]>);

impl NewKey {
    /// Makes one from the system's randomness.
    pub(crate) fn generate() -> anyhow::Result<Self> {
        let mut seed = Zeroizing::new([0; 32]);
        random(seed.as_mut())?;
        Ok(Self(seed))
    }

    /// The raw public key.
    pub(crate) fn public(&self) -> anyhow::Result<[u8; 32]> {
        Ok(SigningKey::from_seed(&self.0)?.public())
    }

    /// Writes it to a new file, encrypted unless there is no passphrase.
    pub(crate) fn write(&self, path: &Path, passphrase: Option<&str>) -> anyhow::Result<()> {
        let pem = match passphrase {
            Some(passphrase) => self.encrypted(passphrase)?.to_pem(ENCRYPTED, LineEnding::LF)?,
            None => self.plain()?.to_pem(PLAIN, LineEnding::LF)?,
        };
        let mut file = fs::OpenOptions::new()
            .write(true)
            .create_new(true)
            .mode(0o600)
            .open(path)
            .with_context(|| format!("cannot make the key file {}", path.display()))
            .hint("a key file is never overwritten: name another, or move the old one away")?;
        file.write_all(pem.as_bytes())
            .and_then(|()| file.sync_all())
            .with_context(|| format!("cannot write {}", path.display()))
    }

    /// The private key as an OCTET STRING, which stands inside another (RFC 8410, section 7).
    fn inner(&self) -> anyhow::Result<Zeroizing<Vec<u8>>> {
        Ok(Zeroizing::new(OctetStringRef::new(self.0.as_ref())?.to_der()?))
    }

    fn plain(&self) -> anyhow::Result<SecretDocument> {
        let inner = self.inner()?;
        Ok(SecretDocument::encode_msg(&info(&inner)?)?)
    }

    fn encrypted(&self, passphrase: &str) -> anyhow::Result<SecretDocument> {
        let inner = self.inner()?;
        let (mut salt, mut iv) = ([0; 16], [0; 16]);
        random(&mut salt)?;
        random(&mut iv)?;
        let cost = scrypt::Params::new(SCRYPT_LOG_N, 8, 1)?;
        let parameters = pbes2::Parameters::generate_scrypt_aes256cbc(cost, &salt, iv)
            .map_err(|e| anyhow::anyhow!("cannot encrypt the key: {e}"))?;
        info(&inner)?
            .encrypt_with_params(parameters, passphrase)
            .map_err(|e| anyhow::anyhow!("cannot encrypt the key: {e}"))
    }
}

fn info(inner: &[u8]) -> anyhow::Result<PrivateKeyInfoRef<'_>> {
    let algorithm = AlgorithmIdentifierRef { oid: ED25519, parameters: None };
    Ok(PrivateKeyInfoRef::new(algorithm, OctetStringRef::new(inner)?))
}

fn random(out: &mut [u8]) -> anyhow::Result<()> {
    SystemRandom::new().fill(out).map_err(|_| anyhow::anyhow!("the system gave no random bytes"))
}

/// Reads a machine's key: PKCS#8, in PEM or DER, not encrypted. Returns the DER and the raw public key.
pub(crate) fn read_machine_key(path: &Path) -> anyhow::Result<(Zeroizing<Vec<u8>>, [u8; 32])> {
    let bytes = read(path)?;
    let der = match std::str::from_utf8(&bytes).ok().map(SecretDocument::from_pem) {
        Some(Ok((ENCRYPTED, _))) => {
            return Err(anyhow::anyhow!("{} is encrypted", path.display()))
                .hint("a machine boots unattended: make its key with `xenoboot keygen machine`");
        }
        Some(Ok((_, document))) => document.to_bytes(),
        _ => bytes,
    };
    let public = SigningKey::from_pkcs8(&der)
        .with_context(|| format!("{} is not a machine's key", path.display()))?
        .public();
    Ok((der, public))
}

fn open_signing_key(path: &Path, given: &[Zeroizing<String>]) -> anyhow::Result<SigningKey> {
    let bytes = read(path)?;
    let parse = || -> anyhow::Result<(&str, SecretDocument)> {
        Ok(SecretDocument::from_pem(std::str::from_utf8(&bytes)?)?)
    };
    let (label, document) =
        parse().with_context(|| format!("{} is not a key file in PEM", path.display()))?;
    match label {
        PLAIN => SigningKey::from_pkcs8(document.as_bytes())
            .with_context(|| format!("{} holds another kind of key", path.display())),
        ENCRYPTED => decrypt(path, &document, given),
        _ => bail!("{} holds a {label}, expected a {ENCRYPTED}", path.display()),
    }
}

fn decrypt(
    path: &Path,
    document: &SecretDocument,
    given: &[Zeroizing<String>],
) -> anyhow::Result<SigningKey> {
    let shown = path.display();
    let info = EncryptedPrivateKeyInfoRef::from_der(document.as_bytes())
        .map_err(|e| anyhow::anyhow!("{shown} is not an encrypted key: {e}"))?;
    let asked;
    let candidates = if given.is_empty() {
        asked = [ask(&format!("Passphrase for {shown}: "))?];
        &asked
    } else {
        given
    };
    let decrypted = candidates.iter().find_map(|passphrase| info.decrypt(passphrase.as_str()).ok());
    let der = decrypted.with_context(|| format!("cannot decrypt {shown}: wrong passphrase"))?;
    SigningKey::from_pkcs8(der.as_bytes())
        .with_context(|| format!("{shown} holds another kind of key"))
}

fn read(path: &Path) -> anyhow::Result<Zeroizing<Vec<u8>>> {
    // Room for all of it from the start: a buffer that grows leaves copies behind.
    let mut bytes = Zeroizing::new(Vec::with_capacity(usize::try_from(MAX_FILE)? + 1));
    let file = fs::File::open(path).with_context(|| format!("cannot open {}", path.display()))?;
    file.take(MAX_FILE + 1)
        .read_to_end(&mut bytes)
        .with_context(|| format!("cannot read {}", path.display()))?;
    if bytes.len() as u64 > MAX_FILE {
        bail!("{} is too large for a key", path.display());
    }
    Ok(bytes)
}

fn first_line(path: &Path) -> anyhow::Result<Zeroizing<String>> {
    let from = if path == Path::new("-") { Path::new("/dev/stdin") } else { path };
    let bytes = read(from)?;
    let text = std::str::from_utf8(&bytes)
        .with_context(|| format!("the passphrase in {} is not UTF-8", path.display()))?;
    Ok(Zeroizing::new(text.lines().next().unwrap_or_default().to_owned()))
}

fn ask(prompt: &str) -> anyhow::Result<Zeroizing<String>> {
    if !io::stdin().is_terminal() {
        return Err(anyhow::anyhow!("a passphrase is needed and there is no terminal to ask at"))
            .hint("use --passphrase-file FILE (`-` for standard input)");
    }
    let answer = rpassword::prompt_password(prompt).context("cannot read the passphrase")?;
    Ok(Zeroizing::new(answer))
}
