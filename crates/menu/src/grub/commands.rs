//! GRUB's commands.

use super::{
    blscfg, condition, environment, loading,
    parse::{self, List},
    run::{Flow, Item, Machine, STEPS_OF_FILE},
    search,
};
use crate::files::{self, MAX_SMALL_TEXT};
use std::rc::Rc;

/// Commands that change what is shown, or a device, and nothing that counts here. They succeed.
const WITHOUT_EFFECT: &[&str] = &[
    "acpi",
    "background_color",
    "background_image",
    "badram",
    "btrfs-get-default-subvol",
    "btrfs-list-subvols",
    "btrfs-mount-subvol",
    "cat",
    "clear",
    "cryptomount",
    "cutmem",
    "drivemap",
    "echo",
    "gdbstub",
    "hdparm",
    "help",
    "insmod",
    "keymap",
    "list_env",
    "loadfont",
    "loopback",
    "ls",
    "lsmod",
    "lspci",
    "nativedisk",
    "normal_exit",
    "outb",
    "outl",
    "outw",
    "parttool",
    "password",
    "password_pbkdf2",
    "play",
    "rmmod",
    "save_env",
    "serial",
    "sleep",
    "terminal_input",
    "terminal_output",
    "terminfo",
    "tpm_record_pcrs",
    "videoinfo",
    "verify_detached",
    "write_byte",
    "write_dword",
    "write_word",
];

/// Runs one command with its arguments; the last may be a block.
pub(super) fn run(machine: &mut Machine<'_>, words: Vec<String>, block: Option<&Rc<List>>) -> Flow {
    let negations = words.iter().take_while(|word| *word == "!").count();
    let mut words = words.into_iter().skip(negations);
    let flow = match words.next() {
        Some(name) => named(machine, &name, words.collect(), block),
        None => {
            machine.status = true;
            Flow::Next
        }
    };
    machine.status ^= negations % 2 == 1;
    flow
}

fn named(
    machine: &mut Machine<'_>,
    name: &str,
    arguments: Vec<String>,
    block: Option<&Rc<List>>,
) -> Flow {
    if let Some(body) = machine.functions.get(name) {
        let body = Rc::clone(body);
        return machine.call(&body, arguments);
    }
    if let Some(flow) = loading::run(machine, name, &arguments) {
        return flow;
    }
    if let Some(flow) = control(machine, name, &arguments) {
        return flow;
    }
    machine.status = match name {
        "menuentry" | "submenu" => add(machine, name == "submenu", &arguments, block),
        name if WITHOUT_EFFECT.contains(&name) => true,
        name => match plain(machine, name, &arguments) {
            Some(status) => status,
            None => assign(machine, name),
        },
    };
    Flow::Next
}

/// Commands that decide what comes next.
fn control(machine: &mut Machine<'_>, name: &str, arguments: &[String]) -> Option<Flow> {
    let number = || arguments.first().and_then(|n| n.parse().ok()).unwrap_or(1);
    Some(match name {
        "break" => Flow::Break(number()),
        "continue" => Flow::Continue(number()),
        "return" => {
            machine.status = arguments.first().is_none_or(|status| status == "0");
            Flow::Return
        }
        "eval" => {
            let (list, faults) = parse::parse(&arguments.join(" "));
            faults.into_iter().for_each(|fault| machine.fault(format!("eval: {}", fault.what)));
            machine.list(&list)
        }
        // They leave GRUB: what would have followed is never reached.
        "boot" | "exit" | "halt" | "reboot" => Flow::Stop,
        "fwsetup" => {
            machine.status = true;
            if arguments.is_empty() { Flow::Stop } else { Flow::Next }
        }
        _ => return None,
    })
}

/// Commands that only succeed or fail; `None` when there is none of this name.
fn plain(machine: &mut Machine<'_>, name: &str, arguments: &[String]) -> Option<bool> {
    Some(match name {
        "true" => true,
        "false" => false,
        "[" => match arguments {
            [words @ .., last] if last == "]" => condition::is_true(machine, words),
            _ => false,
        },
        "test" => condition::is_true(machine, arguments),
        // GRUB keeps the first word; who writes several without quotes means them all.
        "set" => arguments.is_empty() || assign(machine, &arguments.join(" ")),
        "unset" => {
            arguments.iter().for_each(|name| machine.variables.unset(name));
            true
        }
        "export" => {
            arguments.iter().for_each(|name| machine.variables.export(name));
            true
        }
        "setparams" => {
            machine.parameters = arguments.to_vec();
            true
        }
        "shift" => {
            let count = arguments.first().and_then(|n| n.parse().ok()).unwrap_or(1);
            let enough = count <= machine.parameters.len();
            machine.parameters.drain(..count.min(machine.parameters.len()));
            enough
        }
        "search" => search::search(machine, arguments),
        "search.fs_uuid" | "search.fs_label" | "search.file" => {
            search::short(machine, name.trim_start_matches("search."), arguments)
        }
        "load_env" => load(machine, arguments),
        "source" | "." => source(machine, arguments),
        "configfile" | "normal" => configuration(machine, arguments),
        "blscfg" | "bls_import" => blscfg::run(machine, arguments),
        "regexp" => expression(machine, arguments),
        "probe" => probe(machine, arguments),
        "increment" | "decrement" => count(machine, name == "increment", arguments),
        // A machine that this runs on has both.
        "cpuid" => matches!(
            arguments.first().map(String::as_str),
            Some("-l" | "--long-mode" | "-p" | "--pae")
        ),
        _ => return None,
    })
}

/// `name=value`; false when it is something else, which then is no command.
fn assign(machine: &mut Machine<'_>, text: &str) -> bool {
    let Some((name, value)) = text.split_once('=') else { return false };
    let value = value.to_owned();
    machine.variables.set(name, &value);
    true
}

fn add(
    machine: &mut Machine<'_>,
    submenu: bool,
    arguments: &[String],
    block: Option<&Rc<List>>,
) -> bool {
    let (mut title, mut id) = (None, None);
    let mut others = Vec::new();
    let mut rest = arguments.iter();
    while let Some(argument) = rest.next() {
        let (option, value) = match argument.split_once('=') {
            Some((option, value)) if option.starts_with("--") => (option, Some(value.to_owned())),
            _ => (argument.as_str(), None),
        };
        match option {
            "--unrestricted" => {}
            "--id" => id = value.or_else(|| rest.next().cloned()),
            "--class" | "--users" | "--hotkey" | "--source" => {
                if value.is_none() {
                    rest.next();
                }
            }
            _ if title.is_none() => title = Some(argument.clone()),
            _ => others.push(argument.clone()),
        }
    }
    let (Some(title), Some(block)) = (title, block) else {
        machine.fault("an entry needs a title and a block of commands".to_owned());
        return false;
    };
    // In a function `$2` may mean the function's: GRUB knows it no more when the entry is chosen.
    let mut own: Vec<String> = std::iter::once(title.clone()).chain(others).collect();
    own.extend(machine.parameters.iter().skip(own.len()).cloned());
    machine.spend_bytes(own.iter().map(String::len).sum());
    let item = Item {
        id: id.unwrap_or_else(|| title.clone()),
        arguments: own,
        title,
        body: Rc::clone(block),
        submenu,
        config: machine.config.clone(),
        line: machine.line,
    };
    machine.add(item);
    true
}

/// `load_env [--file FILE] [--skip-sig] [NAME]...`
fn load(machine: &mut Machine<'_>, arguments: &[String]) -> bool {
    let mut path = format!("{}/grubenv", machine.variable("prefix"));
    let mut only = Vec::new();
    let mut rest = arguments.iter();
    while let Some(argument) = rest.next() {
        match argument.split_once('=') {
            Some(("--file", file)) => file.clone_into(&mut path),
            _ if matches!(argument.as_str(), "-f" | "--file") => {
                path = rest.next().cloned().unwrap_or_default();
            }
            _ if argument.starts_with('-') => {}
            _ => only.push(argument),
        }
    }
    let Ok(place) = machine.place(&path) else { return false };
    let Ok(text) = files::text(machine.files, &place, MAX_SMALL_TEXT) else { return false };
    if !machine.spend(STEPS_OF_FILE) || !machine.spend_bytes(text.len()) {
        return false;
    }
    let Some(pairs) = environment::block(&text) else {
        machine.fault(format!("{path} is no environment file of GRUB"));
        return false;
    };
    for (name, value) in pairs {
        if only.is_empty() || only.contains(&&name) {
            machine.variables.set(&name, &value);
        }
    }
    true
}

fn source(machine: &mut Machine<'_>, arguments: &[String]) -> bool {
    let Some(path) = arguments.first() else { return false };
    match machine.place(path) {
        Ok(place) => machine.source(&place),
        Err(trouble) => {
            machine.fault(trouble);
            false
        }
    }
}

/// A configuration in place of this one, with variables of its own.
fn configuration(machine: &mut Machine<'_>, arguments: &[String]) -> bool {
    let own = format!("{}/grub.cfg", machine.variable("prefix"));
    let path = arguments.first().cloned().unwrap_or(own);
    let Ok(place) = machine.place(&path) else {
        machine.fault(format!("there is no device of {path}"));
        return false;
    };
    if files::is_file(machine.files, &place) {
        machine.read.push(place.clone());
    }
    machine.enter(&place);
    machine.source(&place)
}

/// `regexp [--set [NUMBER:]VARIABLE]... EXPRESSION TEXT`
fn expression(machine: &mut Machine<'_>, arguments: &[String]) -> bool {
    let mut sets = Vec::new();
    let mut operands = Vec::new();
    let mut rest = arguments.iter();
    while let Some(argument) = rest.next() {
        match argument.strip_prefix("--set=") {
            Some(set) => sets.push(set.to_owned()),
            None if matches!(argument.as_str(), "-s" | "--set") => {
                sets.extend(rest.next().cloned())
            }
            None => operands.push(argument),
        }
    }
    let [pattern, text] = operands.as_slice() else { return false };
    // An expression is tried at each character.
    if !machine.spend(200 + pattern.len() * text.len() / 64) {
        return false;
    }
    let Ok(regex) = regex::RegexBuilder::new(pattern).size_limit(1 << 16).build() else {
        machine.fault(format!("regexp: {pattern:?} is no regular expression"));
        return false;
    };
    let Some(found) = regex.captures(text) else { return false };
    for set in sets {
        let (number, name) = match set.split_once(':') {
            Some((number, name)) => (number.parse().unwrap_or(1), name),
            None => (1, set.as_str()),
        };
        machine.variables.set(name, found.get(number).map_or("", |part| part.as_str()));
    }
    true
}

/// `probe [--set VARIABLE] --fs-uuid|--label|--fs|... DEVICE`
fn probe(machine: &mut Machine<'_>, arguments: &[String]) -> bool {
    let (mut variable, mut what, mut name) = (None, None, None);
    let mut rest = arguments.iter();
    while let Some(argument) = rest.next() {
        match argument.as_str() {
            "-s" | "--set" => variable = rest.next().cloned(),
            option if option.starts_with("--set=") => {
                variable = option.strip_prefix("--set=").map(str::to_owned);
            }
            option if option.starts_with('-') => what = Some(option),
            operand => name = Some(operand),
        }
    }
    let Some(device) = machine.device(name) else { return false };
    let Some(device) = machine.files.devices().get(device) else { return false };
    let value = match what {
        Some("-u" | "--fs-uuid") => &device.uuid,
        Some("-l" | "--label") => &device.label,
        Some("-f" | "--fs") => &device.kind,
        Some("--part-uuid") => &device.part_uuid,
        _ => return false,
    };
    let found = !value.is_empty();
    if let (true, Some(variable)) = (found, variable) {
        machine.variables.set(&variable, value);
    }
    found
}

fn count(machine: &mut Machine<'_>, up: bool, arguments: &[String]) -> bool {
    let Some(name) = arguments.first() else { return false };
    let Ok(number) = machine.variable(name).parse::<i64>() else { return false };
    let number = if up { number.saturating_add(1) } else { number.saturating_sub(1) };
    machine.variables.set(name, &number.to_string());
    true
}
