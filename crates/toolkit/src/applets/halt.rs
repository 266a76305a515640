//! `halt`: as `poweroff`, for scripts that say so.

use super::reboot::request;
use crate::applet::{Applet, Opt};
use rustix::process::Signal;
use xenoboot_sys::power::End;

pub(crate) static APPLET: Applet = Applet {
    name: "halt",
    summary: "Ends the machine's work: init ends the services, unmounts and powers off.",
    usage: "[-f] [-p]",
    options: &[
        Opt { short: 'f', long: "force", value: "", help: "at once, without init" },
        Opt { short: 'p', long: "poweroff", value: "", help: "power off, as always" },
    ],
    notes: "A machine that stands still with its power on could not be reached again: it is powered off.",
    example: "halt",
    run: |args| request(args, Signal::USR2, End::PowerOff),
};
