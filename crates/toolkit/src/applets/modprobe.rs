//! `modprobe`: put a module, and what it needs, into the kernel. The kernel runs it too, when it
//! wants a module by itself.

use crate::applet::{Applet, Args, Opt, usage_error};
use anyhow::{Context as _, bail};
use std::path::Path;
use xenoboot_sys::{
    Kernel,
    kmod::{Insert as _, Modules},
};

pub(crate) static APPLET: Applet = Applet {
    name: "modprobe",
    summary: "Puts a module, and those it needs, into the kernel.",
    usage: "[-q] [-n] NAME|ALIAS [PARAMETER=VALUE]...\n-a NAME|ALIAS...\n-r NAME...",
    options: &[
        Opt { short: 'a', long: "all", value: "", help: "every argument is a module" },
        Opt { short: 'r', long: "remove", value: "", help: "take out instead" },
        Opt { short: 'q', long: "quiet", value: "", help: "say nothing of an unknown module" },
        Opt { short: 'n', long: "dry-run", value: "", help: "print what would be done" },
        Opt { short: 'v', long: "verbose", value: "", help: "print what was done" },
        Opt { short: 'b', long: "use-blacklist", value: "", help: "understood, without effect" },
    ],
    notes: "",
    example: "modprobe -a ext4 raid1",
    run,
};

fn run(args: &Args) -> anyhow::Result<u8> {
    let words = args.words()?;
    let Some((name, parameters)) = words.split_first() else { return usage_error("which module?") };
    if args.has("remove") {
        words.iter().try_for_each(|name| super::rmmod::remove(name, false))?;
        return Ok(0);
    }
    let system = rustix::system::uname();
    let folder = Path::new("/lib/modules").join(system.release().to_string_lossy().as_ref());
    let modules = Modules::open(&folder).context("the modules of this kernel are not here")?;
    let (names, parameters) = if args.has("all") {
        (words.as_slice(), &[][..])
    } else {
        (std::slice::from_ref(name), parameters)
    };
    let mut failures = 0;
    for name in names {
        if let Err(error) = load(args, &modules, name, parameters) {
            if !args.has("quiet") {
                eprintln!("modprobe: {error:#}");
            }
            failures += 1;
        }
    }
    Ok(u8::from(failures > 0))
}

fn load(args: &Args, modules: &Modules, name: &str, parameters: &[&str]) -> anyhow::Result<()> {
    if modules.is_builtin(name) {
        return Ok(());
    }
    if args.has("dry-run") || !parameters.is_empty() {
        return load_with(args, modules, name, &parameters.join(" "));
    }
    let loaded = modules.load(&Kernel, name)?;
    if args.has("verbose") {
        loaded.iter().for_each(|module| println!("{module}"));
    }
    Ok(())
}

/// Dependencies without, the module itself with parameters.
fn load_with(args: &Args, modules: &Modules, name: &str, parameters: &str) -> anyhow::Result<()> {
    let resolved = modules.resolve(name)?;
    if resolved.is_empty() {
        bail!("no module is named {name}");
    }
    for module in resolved {
        let files = modules.files(&module)?;
        let before = files.before.iter().map(|file| (file.as_path(), ""));
        for (file, parameters) in before.chain([(files.file.as_path(), parameters)]) {
            if args.has("dry-run") {
                println!("insmod {} {parameters}", file.display());
            } else {
                insert(file, parameters)?;
            }
        }
    }
    Ok(())
}

fn insert(file: &Path, parameters: &str) -> anyhow::Result<()> {
    match Kernel.insert(file, parameters) {
        Err(error) if error.kind() == std::io::ErrorKind::AlreadyExists => Ok(()),
        done => done.with_context(|| format!("cannot insert {}", file.display())),
    }
}
