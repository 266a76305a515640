//! `poweroff`: ask init for an orderly shutdown.

use super::reboot::request;
use crate::applet::{Applet, Opt};
use rustix::process::Signal;
use xenoboot_sys::power::End;

pub(crate) static APPLET: Applet = Applet {
    name: "poweroff",
    summary: "Powers the machine off: init ends the services, unmounts and powers off.",
    usage: "[-f]",
    options: &[Opt { short: 'f', long: "force", value: "", help: "at once, without init" }],
    notes: "",
    example: "poweroff",
    run: |args| request(args, Signal::USR2, End::PowerOff),
};
