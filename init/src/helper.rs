//! The kernel's helper: `/init -q -- NAME` loads a module (`/proc/sys/kernel/modprobe` names us), and
//! `/init poweroff` or `/init reboot`, or a link of that name, asks PID 1 (Hyper-V's shutdown request,
//! an overheated processor).

use crate::{command_line::CommandLine, keeper, paths};
use rustix::process::{Pid, kill_process};
use std::process::ExitCode;
use xenoboot_sys::{
    Kernel,
    kmod::{LoadError, Modules},
    power::End,
};

pub(crate) fn run(arguments: Vec<String>) -> ExitCode {
    let name = arguments.first().and_then(|a| a.rsplit('/').next()).unwrap_or_default();
    let rest: Vec<&str> = arguments.iter().skip(1).map(String::as_str).collect();
    let end = match (name, rest.as_slice()) {
        ("reboot", _) | (_, ["reboot"]) => End::Reboot,
        ("poweroff", _) | (_, ["poweroff"]) => End::PowerOff,
        (_, [options @ .., module]) if options.iter().all(|o| o.starts_with('-')) => {
            return load(module);
        }
        _ => {
            eprintln!("usage: init [-q] [--] MODULE | init reboot | init poweroff");
            return ExitCode::from(2);
        }
    };
    match kill_process(Pid::INIT, keeper::request(end)) {
        Ok(()) => ExitCode::SUCCESS,
        Err(e) => {
            eprintln!("cannot ask PID 1: {e}");
            ExitCode::FAILURE
        }
    }
}

/// The kernel asks for many names that nobody has, such as `net-pf-16-proto-9`: no word about those.
fn load(module: &str) -> ExitCode {
    let words = CommandLine::read().words;
    let opened = Modules::open(&paths::modules());
    let opened = opened.map(|m| m.with_command_line(words.iter().map(String::as_str)));
    match opened.map(|modules| modules.load(&Kernel, module)) {
        Ok(Ok(_)) => ExitCode::SUCCESS,
        Ok(Err(LoadError::Unknown(_))) => ExitCode::FAILURE,
        Ok(Err(e)) => {
            eprintln!("{e}");
            ExitCode::FAILURE
        }
        Err(e) => {
            eprintln!("{e}");
            ExitCode::FAILURE
        }
    }
}
