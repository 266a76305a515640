//! What the image says: site, trust, machine and image files, parsed once.

use crate::{identity::Identity, layout::Layout, phase::contact::KnownServer, tls};
use anyhow::{Context as _, anyhow};
use rustls::pki_types::ServerName;
use std::{fs, path::Path, sync::Arc};
use xenoboot_bundle::TrustedSigners;
use xenoboot_site::{Host, Machine, Server, Site, Trust};
use xenoboot_wire::{Version, boot::ImageInfo};

/// Largest file that is read, bytes.
const MAX_FILE: u64 = xenoboot_site::MAX_FILE as u64;

/// The site file.
///
/// # Errors
/// When it cannot be read or is not valid.
pub fn site(layout: &Layout) -> anyhow::Result<Site> {
    let path = layout.site("site.toml");
    Site::parse(&read(&path)?).with_context(|| path.display().to_string())
}

/// The trust file.
///
/// # Errors
/// When it cannot be read or is not valid.
pub fn trust_file(layout: &Layout) -> anyhow::Result<Trust> {
    let path = layout.site("trust.toml");
    Trust::parse(&read(&path)?).with_context(|| path.display().to_string())
}

/// Whose bundles run here.
///
/// # Errors
/// When the trust file cannot be read or is not valid.
pub fn trust(layout: &Layout) -> anyhow::Result<TrustedSigners> {
    let Trust { fleet, threshold, signers, .. } = trust_file(layout)?;
    Ok(TrustedSigners { fleet, threshold, keys: signers.into_iter().map(|s| s.key).collect() })
}

/// Name and groups; there need be no such file.
///
/// # Errors
/// When there is one and it is not valid.
pub fn machine(layout: &Layout) -> anyhow::Result<Machine> {
    let path = layout.site("machine.toml");
    let text = if path.exists() { read(&path)? } else { String::new() };
    Machine::parse(&text).with_context(|| path.display().to_string())
}

/// What the image is. An image that does not say has the agent's own version.
#[must_use]
pub fn image(layout: &Layout) -> ImageInfo {
    let text = read(&layout.image()).unwrap_or_default();
    let value = |key: &str| {
        let line =
            text.lines().take_while(|l| !l.starts_with('[')).find_map(|l| l.strip_prefix(key));
        line.and_then(|l| {
            l.trim_start().strip_prefix('=')?.trim().strip_prefix('"')?.strip_suffix('"')
        })
    };
    let built = value("version").and_then(|v| v.parse().ok());
    let own = env!("CARGO_PKG_VERSION").parse().unwrap_or(Version { major: 0, minor: 0, patch: 0 });
    ImageInfo {
        version: built.unwrap_or(own),
        recipe: crate::text::cut(value("recipe").unwrap_or_default(), 128),
        kernel: rustix::system::uname().release().to_string_lossy().into_owned(),
    }
}

/// A server of the site file, ready to be shaken hands with.
///
/// # Errors
/// When the machine's key cannot be used, or the name is none.
pub fn known_server(server: &Server, identity: &Identity) -> anyhow::Result<KnownServer> {
    let name = match &server.url.host {
        Host::Address(address) => ServerName::IpAddress((*address).into()),
        Host::Name(name) => {
            ServerName::try_from(name.clone()).map_err(|e| anyhow!("{name}: {e}"))?
        }
    };
    let tls = tls::client_config(identity, &server.pins).context("TLS cannot be set up")?;
    let authority = format!("{}:{}", server.url.host, server.url.port);
    Ok(KnownServer { url: server.url.clone(), authority, name, tls: Arc::new(tls) })
}

fn read(path: &Path) -> anyhow::Result<String> {
    let size = fs::metadata(path).with_context(|| path.display().to_string())?.len();
    if size > MAX_FILE {
        return Err(anyhow!("{} is larger than {MAX_FILE} bytes", path.display()));
    }
    fs::read_to_string(path).with_context(|| path.display().to_string())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_image_file_is_read() {
        let dir = tempfile::tempdir().unwrap();
        let layout = Layout::new(Some(dir.path().into()));
        assert_eq!(image(&layout).version.to_string(), env!("CARGO_PKG_VERSION"));
        fs::create_dir_all(layout.image().parent().unwrap()).unwrap();
        fs::write(
            layout.image(),
            "# made\nversion = \"3.2.1\"\nrecipe = \"abc\"\n[kernel]\nversion = \"6\"\n",
        )
        .unwrap();
        let seen = image(&layout);
        assert_eq!((seen.version.to_string().as_str(), seen.recipe.as_str()), ("3.2.1", "abc"));
        assert!(!seen.kernel.is_empty());
    }
}
