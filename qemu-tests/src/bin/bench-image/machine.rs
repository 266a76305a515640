//! The machine in which both sides work, and what its script prints.

use anyhow::{Context, Result, ensure};
use qemu_tests::{Bundle, Nic, Operator, Vm, VmBuilder, Web, programs, wait};
use std::{
    fs::{self, File},
    path::{Path, PathBuf},
    process::Command,
    time::Duration,
};

/// Debian's programs that the other side consists of.
const PEER: &[&str] = &["curl", "dd", "sha256sum", "zstd"];

/// How long a whole script may take.
const LIMIT: Duration = Duration::from_secs(1800);

/// What every script begins with: `peer PROGRAM...` runs one of Debian's, `stamp NAME` notes a time.
const BEGIN: &str = "set -e
xb settle /dev/vda
mkdir -p /run/peer/dev
curl -sS {peer} | tar -x -C /run/peer
mount --bind /dev /run/peer/dev
peer() { chroot /run/peer \"$@\"; }
stamp() { read up rest < /proc/uptime; echo \"stamp $1 $up\"; }
";

/// A stamped image, and a server of files.
pub(crate) struct Machine {
    pub(crate) operator: Operator,
    pub(crate) web: Web,
    iso: PathBuf,
    folder: PathBuf,
}

impl Machine {
    pub(crate) fn prepare(folder: &Path) -> Result<Self> {
        let operator = Operator::in_folder(folder)?;
        operator.approve_key(&operator.new_machine("bench")?, "bench")?;
        let iso = operator.image_of("bench")?;
        let www = folder.join("www");
        fs::create_dir_all(&www)?;
        let (tree, root) = (folder.join("packages"), folder.join("peer"));
        programs::unpack(&["coreutils", "curl", "zstd"], &tree)?;
        programs::install(&tree, PEER, &root)?;
        let mut tar = Command::new("tar");
        let made =
            tar.arg("-cf").arg(www.join("peer.tar")).arg("-C").arg(&root).arg(".").status()?;
        ensure!(made.success(), "tar of {}", root.display());
        let web = Web::start(&www)?;
        Ok(Self { operator, web, iso, folder: folder.to_path_buf() })
    }

    /// A machine that is not running yet.
    pub(crate) fn builder(&self, name: &str) -> VmBuilder {
        Vm::in_folder(&self.folder, name).cd(&self.iso).nic(Nic::User)
    }

    /// An empty disk of so many bytes.
    pub(crate) fn disk(&self, name: &str, size: u64) -> Result<PathBuf> {
        let path = self.folder.join(name);
        File::create(&path)?.set_len(size)?;
        Ok(path)
    }

    /// Runs a script on a machine; what it said.
    pub(crate) fn run(&self, name: &str, machine: VmBuilder, script: &str) -> Result<Said> {
        let begin = BEGIN.replace("{peer}", &self.web.url("peer.tar"));
        self.operator.order(&Bundle::new(name, &format!("{begin}{script}\necho end of script")))?;
        let mut vm = machine.start()?;
        let ended = vm.console.expect("script: end of script", LIMIT.max(wait::BOOT));
        let text = vm.console.text();
        ended.with_context(|| text.lines().rev().take(20).collect::<Vec<_>>().join("\n"))?;
        Ok(Said(text))
    }
}

/// What a machine's console has.
pub(crate) struct Said(String);

impl Said {
    /// The seconds between two stamps.
    pub(crate) fn between(&self, from: &str, to: &str) -> Result<f64> {
        Ok(self.stamp(to)? - self.stamp(from)?)
    }

    fn stamp(&self, name: &str) -> Result<f64> {
        let after = self.after(&format!("script: stamp {name} "))?;
        after.parse().with_context(|| format!("{after:?} is no time"))
    }

    /// The word that follows a text.
    pub(crate) fn after(&self, text: &str) -> Result<&str> {
        let (_, rest) = self.0.split_once(text).with_context(|| format!("no {text:?}"))?;
        Ok(rest.split_whitespace().next().unwrap_or_default())
    }

    /// A number in the JSON that `xb image write` printed.
    pub(crate) fn number(&self, key: &str) -> Result<u64> {
        let (_, rest) =
            self.0.split_once(&format!("\"{key}\":")).with_context(|| format!("no {key}"))?;
        let digits: String = rest.chars().take_while(char::is_ascii_digit).collect();
        digits.parse().with_context(|| format!("{key} is no number"))
    }
}
