//! What a bundle says in confidence: opened with the machine's key when its script asks.

use crate::identity::Identity;
use std::{
    fs::File,
    io::{self, Read as _},
    path::Path,
};
use xenoboot_bundle::{
    limits,
    sealed::{FOLDER, Label, OpeningKey, open},
};
use xenoboot_wire::FleetId;
use zeroize::Zeroizing;

/// Opens secrets.
#[derive(Debug)]
pub struct Secrets {
    key: OpeningKey,
    fleet: FleetId,
}

impl Secrets {
    /// With the machine's key, for its fleet.
    ///
    /// # Errors
    /// When the key is of a kind that nothing can be sealed for.
    pub fn new(identity: &Identity, fleet: FleetId) -> anyhow::Result<Self> {
        Ok(Self { key: identity.opening_key()?, fleet })
    }

    /// The secret `name` of the bundle that was unpacked into `bundle`.
    ///
    /// # Errors
    /// In words for the script's log: there is no such secret, it is for other machines, it was changed.
    pub fn open(&self, bundle: &Path, name: &str) -> Result<Zeroizing<Vec<u8>>, String> {
        let label = Label::new(self.fleet, name).map_err(|e| e.to_string())?;
        let folder = bundle.join(FOLDER);
        let sealed = read(&folder.join(name)).map_err(|e| match e.kind() {
            io::ErrorKind::NotFound => {
                format!("this bundle has no secret {name:?}; it has {}", names(&folder))
            }
            _ => format!("the secret {name:?} cannot be read: {e}"),
        })?;
        open(label, &sealed, &self.key).map_err(|e| format!("the secret {name:?}: {e}"))
    }
}

fn read(path: &Path) -> io::Result<Vec<u8>> {
    let mut bytes = Vec::new();
    let read = File::open(path)?.take(limits::SEALED as u64 + 1).read_to_end(&mut bytes)?;
    if read > limits::SEALED {
        return Err(io::Error::other(format!("it has more than {} bytes", limits::SEALED)));
    }
    Ok(bytes)
}

/// The secrets that there are, for a message.
fn names(folder: &Path) -> String {
    let entries = std::fs::read_dir(folder).into_iter().flatten().flatten();
    let mut names: Vec<_> =
        entries.filter_map(|e| e.file_name().into_string().ok()).take(limits::FILES).collect();
    names.sort_unstable();
    if names.is_empty() { "none".to_owned() } else { names.join(", ") }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::layout::Layout;
    use xenoboot_bundle::sealed::seal;

    #[test]
    fn a_script_gets_the_secrets_of_its_bundle() {
        let dir = tempfile::tempdir().unwrap();
        let layout = Layout::new(Some(dir.path().into()));
        layout.prepare().unwrap();
        let identity = Identity::load(&layout).unwrap();
        let fleet = FleetId([9; 16]);
        let secrets = Secrets::new(&identity, fleet).unwrap();
        let bundle = dir.path().join("bundle");
        let missing = secrets.open(&bundle, "luks").unwrap_err();
        assert!(missing.ends_with("it has none"), "{missing}");

        std::fs::create_dir_all(bundle.join("secrets")).unwrap();
        let put = |name: &str, machine| {
            let label = Label::new(fleet, name).unwrap();
            let sealed = seal(label, b"open sesame\n", &[machine]).unwrap();
            std::fs::write(bundle.join("secrets").join(name), sealed).unwrap();
        };
        put("luks", identity.machine);
        assert_eq!(secrets.open(&bundle, "luks").unwrap()[..], b"open sesame\n"[..]);
        let missing = secrets.open(&bundle, "root").unwrap_err();
        assert!(missing.ends_with("it has luks"), "{missing}");
        assert!(secrets.open(&bundle, "../machine.key").unwrap_err().contains("name has"));

        let layout = Layout::new(Some(dir.path().join("other").into()));
        layout.prepare().unwrap();
        put("others", Identity::load(&layout).unwrap().machine);
        let others = secrets.open(&bundle, "others").unwrap_err();
        assert!(others.contains("not sealed for this machine"), "{others}");
        std::fs::write(bundle.join("secrets/luks"), b"junk").unwrap();
        assert!(secrets.open(&bundle, "luks").unwrap_err().contains("not a sealed secret"));
    }
}
