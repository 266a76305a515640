//! Commands that load something: a kernel and what goes with it.

use super::run::{Flow, Machine};
use crate::{
    entry::{Kind, Module},
    files::{Place, is_file},
};

/// What an entry has loaded when it is through.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Loaded {
    pub(super) kernel: Option<(Kind, Place)>,
    pub(super) command_line: String,
    pub(super) initrds: Vec<Place>,
    pub(super) modules: Vec<Module>,
    pub(super) device_tree: Option<Place>,
    /// What went wrong first.
    pub(super) trouble: Option<String>,
}

impl Loaded {
    fn refuse(&mut self, trouble: String) {
        self.trouble.get_or_insert(trouble);
    }
}

/// Does it if `name` is such a command; `None` if it is not.
pub(super) fn run(machine: &mut Machine<'_>, name: &str, arguments: &[String]) -> Option<Flow> {
    let done = match name {
        "linux" | "linux16" | "linuxefi" => kernel(machine, Kind::Linux, arguments),
        "multiboot" | "xen_hypervisor" => kernel(machine, Kind::Multiboot, arguments),
        "multiboot2" => kernel(machine, Kind::Multiboot2, arguments),
        "chainloader" => chain(machine, arguments),
        "initrd" | "initrd16" | "initrdefi" => initrds(machine, arguments),
        "module" | "module2" | "xen_module" => module(machine, arguments),
        "devicetree" | "dtb" => device_tree(machine, arguments),
        _ => return None,
    };
    machine.status = match done {
        Ok(()) => true,
        Err(trouble) => {
            machine.loaded.refuse(trouble);
            false
        }
    };
    Some(Flow::Next)
}

/// What begins with `--` before the file is the command's own.
fn operands(arguments: &[String]) -> &[String] {
    let options = arguments.iter().take_while(|argument| argument.starts_with("--")).count();
    arguments.get(options..).unwrap_or_default()
}

fn kernel(machine: &mut Machine<'_>, kind: Kind, arguments: &[String]) -> Result<(), String> {
    let [path, rest @ ..] = operands(arguments) else {
        return Err("a kernel is loaded, but none is named".to_owned());
    };
    let place = machine.place(path)?;
    let is_there = is_file(machine.files, &place);
    let command_line = joined(rest);
    let trouble = machine.loaded.trouble.take();
    machine.loaded =
        Loaded { kernel: Some((kind, place)), command_line, trouble, ..Loaded::default() };
    if is_there { Ok(()) } else { Err(format!("there is no {path}")) }
}

/// Arguments as a command line. A kernel takes apart what has no quotes at its blanks.
fn joined(arguments: &[String]) -> String {
    let quoted = arguments.iter().map(|argument| {
        if argument.contains(' ') { format!("\"{argument}\"") } else { argument.clone() }
    });
    quoted.collect::<Vec<_>>().join(" ").trim().to_owned()
}

fn initrds(machine: &mut Machine<'_>, arguments: &[String]) -> Result<(), String> {
    let mut places = Vec::new();
    let mut missing = Vec::new();
    for path in arguments {
        // `newc:name:file` puts a file into an archive of its own.
        if path.starts_with("newc:") {
            return Err(format!("{path}: files in place of an archive are not joined"));
        }
        let place = machine.place(path)?;
        if !is_file(machine.files, &place) {
            missing.push(path.as_str());
        }
        places.push(place);
    }
    // A second command replaces what the first one loaded.
    machine.loaded.initrds = places;
    if missing.is_empty() { Ok(()) } else { Err(format!("there is no {}", missing.join(", no "))) }
}

fn module(machine: &mut Machine<'_>, arguments: &[String]) -> Result<(), String> {
    let [path, rest @ ..] = operands(arguments) else {
        return Err("a module is loaded, but none is named".to_owned());
    };
    let place = machine.place(path)?;
    let is_there = is_file(machine.files, &place);
    machine.loaded.modules.push(Module { place, command_line: joined(rest) });
    if is_there { Ok(()) } else { Err(format!("there is no {path}")) }
}

fn chain(machine: &mut Machine<'_>, arguments: &[String]) -> Result<(), String> {
    let [path, rest @ ..] = operands(arguments) else {
        return Err("a loader is started, but none is named".to_owned());
    };
    // `+1` is the device's first sector.
    let (device, file) = super::device::split(path).unwrap_or((None, path));
    let sectors = file.starts_with('+') || file.is_empty();
    let place = match (sectors, machine.device(device)) {
        (true, Some(device)) => Place { device, path: "/".to_owned() },
        _ => machine.place(path)?,
    };
    let is_there = sectors || is_file(machine.files, &place);
    let lower = file.to_ascii_lowercase();
    let kind = if lower.ends_with(".efi") { Kind::Efi } else { Kind::Chain };
    let trouble = machine.loaded.trouble.take();
    let command_line = joined(rest);
    machine.loaded =
        Loaded { kernel: Some((kind, place)), command_line, trouble, ..Loaded::default() };
    if is_there { Ok(()) } else { Err(format!("there is no {path}")) }
}

fn device_tree(machine: &mut Machine<'_>, arguments: &[String]) -> Result<(), String> {
    let [path, ..] = operands(arguments) else {
        return Err("a device tree is loaded, but none is named".to_owned());
    };
    let place = machine.place(path)?;
    let is_there = is_file(machine.files, &place);
    machine.loaded.device_tree = Some(place);
    if is_there { Ok(()) } else { Err(format!("there is no {path}")) }
}
