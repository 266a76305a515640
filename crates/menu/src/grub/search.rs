//! `search`: a device by what is on it.

use super::{device, run::Machine};
use crate::files::{Device, Place};

/// What is looked for.
#[derive(Clone, Copy, PartialEq, Eq)]
enum By {
    File,
    Label,
    Uuid,
    PartitionLabel,
    PartitionUuid,
}

/// Options that take a value of their own.
const VALUED: [&str; 7] = [
    "--hint",
    "--hint-bios",
    "--hint-efi",
    "--hint-baremetal",
    "--hint-ieee1275",
    "--hint-arc",
    "--set",
];

/// `search [OPTION]... NAME [HINT]...`; sets a variable to the device's name. True when there is one.
pub(super) fn search(machine: &mut Machine<'_>, arguments: &[String]) -> bool {
    let mut by = By::File;
    let mut variable = None;
    let mut operands = Vec::new();
    let mut rest = arguments.iter();
    while let Some(argument) = rest.next() {
        let (option, value) = match argument.split_once('=') {
            Some((option, value)) if option.starts_with("--") => (option, Some(value)),
            _ => (argument.as_str(), None),
        };
        match option {
            "-f" | "--file" => by = By::File,
            "-l" | "--label" => by = By::Label,
            "-u" | "--fs-uuid" => by = By::Uuid,
            "--part-label" | "--partlabel" => by = By::PartitionLabel,
            "--part-uuid" | "--partuuid" => by = By::PartitionUuid,
            "-s" | "--set" if value.is_some() => variable = value.map(str::to_owned),
            // Its value may be left out: then what is looked for is the only thing that follows.
            "-s" | "--set" => {
                variable = Some("root".to_owned());
                let operand = |word: &&String| !word.starts_with('-');
                if operands.len() + rest.clone().filter(operand).count() > 1
                    && let Some(name) = rest.clone().next().filter(operand)
                {
                    variable = Some(name.clone());
                    rest.next();
                }
            }
            "-n" | "--no-floppy" | "--efidisk-only" | "--cryptodisk-only" => {}
            option if VALUED.contains(&option) => {
                if value.is_none() {
                    rest.next();
                }
            }
            option if option.starts_with('-') && option.len() > 1 => {}
            operand => operands.push(operand),
        }
    }
    let Some(wanted) = operands.first() else { return false };
    look(machine, by, wanted, variable.as_deref().unwrap_or("root"))
}

/// `search.fs_uuid NAME [VARIABLE] [HINT]...`, as small images of GRUB have it.
pub(super) fn short(machine: &mut Machine<'_>, kind: &str, arguments: &[String]) -> bool {
    let by = match kind {
        "fs_uuid" => By::Uuid,
        "fs_label" => By::Label,
        _ => By::File,
    };
    let Some(wanted) = arguments.first() else { return false };
    let variable = arguments.get(1).filter(|name| !name.starts_with('-'));
    look(machine, by, wanted, variable.map_or("root", String::as_str))
}

fn look(machine: &mut Machine<'_>, by: By, wanted: &str, variable: &str) -> bool {
    machine.spend(machine.files.devices().len());
    let field: fn(&Device) -> &String = match by {
        By::File => {
            let devices = 0..machine.files.devices().len();
            // A path may name its device, which then is no question.
            let path = device::split(wanted).map_or(wanted, |(_, path)| path);
            let there = |at: &usize| machine.files.what(&Place::new(*at, path)).is_some();
            let found = devices.clone().find(|at| *at == machine.home && there(at));
            return set(machine, found.or_else(|| devices.clone().find(there)), variable);
        }
        By::Label => |device| &device.label,
        By::Uuid => |device| &device.uuid,
        By::PartitionLabel => |device| &device.part_label,
        By::PartitionUuid => |device| &device.part_uuid,
    };
    let found = device::by(machine.files, field, wanted);
    set(machine, found, variable)
}

fn set(machine: &mut Machine<'_>, found: Option<usize>, variable: &str) -> bool {
    let Some(device) = found.and_then(|at| machine.files.devices().get(at)) else { return false };
    machine.variables.set(variable, &device.name);
    true
}
