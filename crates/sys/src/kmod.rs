//! Kernel modules: which one a device or a name asks for, what it needs first, and inserting it.
//!
//! Reads what `depmod` wrote into `/lib/modules/VERSION`: `modules.dep.bin`, `modules.alias.bin`,
//! `modules.softdep` and `modules.builtin` (depmod(8), modprobe.d(5)).

pub mod index;
mod insert;
pub mod pattern;
mod softdep;

pub use index::{Index, IndexError};
pub use insert::Insert;

use rustix::io::Errno;
use softdep::Softdeps;
use std::{
    collections::{HashMap, HashSet},
    fs, io,
    path::{Component, Path, PathBuf},
    sync::{Mutex, OnceLock},
};

/// Soft dependencies nest no deeper than this; a cycle ends here.
const MAX_DEPTH: usize = 8;

/// Why a module was not loaded.
#[derive(Debug, thiserror::Error)]
pub enum LoadError {
    /// No file, alias or built-in module has that name.
    #[error("no module is named {0}")]
    Unknown(String),
    /// An index is damaged.
    #[error("the index of modules is damaged")]
    Index(#[from] IndexError),
    /// A path in the index leads out of the folder.
    #[error("the index names a file outside of its folder: {0}")]
    Outside(String),
    /// The kernel refused.
    #[error("cannot insert {0}")]
    Insert(PathBuf, #[source] io::Error),
    /// Soft dependencies form a cycle.
    #[error("the soft dependencies of {0} are nested too deeply")]
    Cycle(String),
}

/// Why a folder of modules cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum OpenError {
    /// A file is missing.
    #[error("cannot read {0}")]
    Read(PathBuf, #[source] io::Error),
    /// A file is damaged.
    #[error("{0} is damaged")]
    Index(PathBuf, #[source] IndexError),
}

/// The modules of one kernel.
#[derive(Debug)]
pub struct Modules {
    folder: PathBuf,
    files: Index,
    aliases: Index,
    softdeps: Softdeps,
    builtin: OnceLock<HashSet<String>>,
    parameters: HashMap<String, String>,
    /// Names already inserted by us.
    inserted: Mutex<HashSet<String>>,
}

/// A module's file and what must be inserted before it, in that order.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Files {
    /// The module's own file.
    pub file: PathBuf,
    /// Files it needs, first one first.
    pub before: Vec<PathBuf>,
}

impl Modules {
    /// Opens `/lib/modules/VERSION`.
    ///
    /// # Errors
    /// When an index is missing or damaged; `modules.softdep` may be missing.
    pub fn open(folder: &Path) -> Result<Self, OpenError> {
        let index = |name: &str| {
            let path = folder.join(name);
            let bytes = fs::read(&path).map_err(|e| OpenError::Read(path.clone(), e))?;
            Index::parse(bytes).map_err(|e| OpenError::Index(path, e))
        };
        let softdeps = fs::read_to_string(folder.join("modules.softdep")).unwrap_or_default();
        Ok(Self {
            folder: folder.to_owned(),
            files: index("modules.dep.bin")?,
            aliases: index("modules.alias.bin")?,
            softdeps: Softdeps::parse(&softdeps),
            builtin: OnceLock::new(),
            parameters: HashMap::new(),
            inserted: Mutex::default(),
        })
    }

    /// Takes parameters of modules from the kernel's command line: words of the form
    /// `MODULE.NAME=VALUE`.
    #[must_use]
    pub fn with_command_line<'a>(mut self, words: impl Iterator<Item = &'a str>) -> Self {
        for word in words {
            let before_value = word.split('=').next().unwrap_or(word);
            if let (Some((module, _)), Some((_, setting))) =
                (before_value.split_once('.'), word.split_once('.'))
            {
                let all = self.parameters.entry(normal(module)).or_default();
                if !all.is_empty() {
                    all.push(' ');
                }
                all.push_str(setting);
            }
        }
        self
    }

    /// The names of the modules that `name` asks for: itself when it is a module, else those with a
    /// matching alias, the preferred first. `name` may be a device's modalias. Empty when none.
    ///
    /// # Errors
    /// When an index is damaged.
    pub fn resolve(&self, name: &str) -> Result<Vec<String>, IndexError> {
        let name = normal(name);
        if !self.files.exact(&name)?.is_empty() {
            return Ok(vec![name]);
        }
        let mut found: Vec<String> = Vec::new();
        for module in self.aliases.matching(&name)? {
            if !found.iter().any(|f| f == module) {
                found.push(module.to_owned());
            }
        }
        Ok(found)
    }

    /// Whether the kernel has the module built in.
    #[must_use]
    pub fn is_builtin(&self, name: &str) -> bool {
        let read = || {
            let text = fs::read_to_string(self.folder.join("modules.builtin")).unwrap_or_default();
            text.lines().filter_map(module_name).collect()
        };
        self.builtin.get_or_init(read).contains(&normal(name))
    }

    /// The module's file and those it depends on.
    ///
    /// # Errors
    /// When there is no such module, or the index is damaged or leads out of the folder.
    pub fn files(&self, module: &str) -> Result<Files, LoadError> {
        let lines = self.files.exact(&normal(module))?;
        let line = lines.first().ok_or_else(|| LoadError::Unknown(module.to_owned()))?;
        let (file, needs) =
            line.split_once(':').ok_or_else(|| LoadError::Unknown(module.to_owned()))?;
        // What is needed by what is needed stands further to the right.
        let before =
            needs.split_whitespace().rev().map(|f| self.inside(f)).collect::<Result<_, _>>()?;
        Ok(Files { file: self.inside(file)?, before })
    }

    /// Loads everything that `name`, a module or an alias, asks for. Returns the names; empty when
    /// it is built into the kernel. Safe to call from several threads at once.
    ///
    /// # Errors
    /// When nothing has that name, or the last error when none of the modules could be loaded.
    pub fn load(&self, kernel: &impl Insert, name: &str) -> Result<Vec<String>, LoadError> {
        self.load_only(kernel, name, |_| true)
    }

    /// As [`Modules::load`], but only those modules whose file, as a path below the folder
    /// (`kernel/drivers/net/...`), is `wanted`.
    ///
    /// # Errors
    /// As [`Modules::load`]; none when nothing is wanted.
    pub fn load_only(
        &self,
        kernel: &impl Insert,
        name: &str,
        wanted: impl Fn(&Path) -> bool,
    ) -> Result<Vec<String>, LoadError> {
        let modules = self.resolve(name)?;
        if modules.is_empty() {
            let known = self.is_builtin(name);
            return if known { Ok(modules) } else { Err(LoadError::Unknown(name.to_owned())) };
        }
        let (mut loaded, mut failure) = (Vec::new(), None);
        for module in modules {
            let file = self.files(&module)?.file;
            if !file.strip_prefix(&self.folder).is_ok_and(&wanted) {
                continue;
            }
            match self.load_module(kernel, &module, 0) {
                Ok(()) => loaded.push(module),
                Err(e) => failure = Some(e),
            }
        }
        match failure {
            Some(e) if loaded.is_empty() => Err(e),
            _ => Ok(loaded),
        }
    }

    /// Loads one module by its name: first what it softly and firmly depends on, then itself, then
    /// what it wants after it. Soft dependencies that fail do not matter (modprobe.d(5)).
    fn load_module(
        &self,
        kernel: &impl Insert,
        module: &str,
        depth: usize,
    ) -> Result<(), LoadError> {
        if depth > MAX_DEPTH {
            return Err(LoadError::Cycle(module.to_owned()));
        }
        if self.inserted.lock().is_ok_and(|set| set.contains(module)) {
            return Ok(());
        }
        let soft = |names: &[String]| {
            for alias in names {
                for module in self.resolve(alias).unwrap_or_default() {
                    let _ = self.load_module(kernel, &module, depth + 1);
                }
            }
        };
        let files = self.files(module)?;
        soft(self.softdeps.before(module));
        for needed in &files.before {
            if let Some(name) = needed.to_str().and_then(module_name) {
                soft(self.softdeps.before(&name));
            }
            self.insert(kernel, needed)?;
        }
        self.insert(kernel, &files.file)?;
        soft(self.softdeps.after(module));
        Ok(())
    }

    fn insert(&self, kernel: &impl Insert, file: &Path) -> Result<(), LoadError> {
        let name = file.to_str().and_then(module_name).unwrap_or_default();
        if self.inserted.lock().is_ok_and(|set| set.contains(&name)) {
            return Ok(());
        }
        let parameters = self.parameters.get(&name).map_or("", String::as_str);
        match kernel.insert(file, parameters) {
            Err(e) if Errno::from_io_error(&e) != Some(Errno::EXIST) => {
                return Err(LoadError::Insert(file.to_owned(), e));
            }
            _ => {}
        }
        if let Ok(mut set) = self.inserted.lock() {
            set.insert(name);
        }
        Ok(())
    }

    fn inside(&self, file: &str) -> Result<PathBuf, LoadError> {
        let plain = Path::new(file).components().all(|c| matches!(c, Component::Normal(_)));
        if plain { Ok(self.folder.join(file)) } else { Err(LoadError::Outside(file.to_owned())) }
    }
}

/// `kernel/drivers/net/virtio-net.ko.xz` is named `virtio_net`.
fn module_name(path: &str) -> Option<String> {
    let file = path.rsplit('/').next()?;
    let (name, _) = file.split_once(".ko")?;
    Some(normal(name))
}

/// The kernel's and depmod's spelling: `_` for `-`, except inside brackets.
fn normal(name: &str) -> String {
    let mut inside = false;
    let spell = |c| {
        inside = (inside || c == '[') && c != ']';
        if c == '-' && !inside { '_' } else { c }
    };
    name.chars().map(spell).collect()
}

#[cfg(test)]
mod tests;
