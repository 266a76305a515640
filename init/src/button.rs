//! The power button: whoever is at the machine and presses it asks for an orderly power-off.

use rustix::{
    fs::{Mode, OFlags},
    io::Errno,
};
use std::{
    fs,
    os::fd::{AsFd, BorrowedFd, OwnedFd},
    path::Path,
};

/// `struct input_event` of 64-bit Linux: two words of time, type, code, value (linux/input.h).
const EVENT: usize = 24;
const EV_KEY: u16 = 1;
const KEY_POWER: u16 = 116;
const PRESSED: i32 = 1;

/// Machines have one or two.
const MOST_BUTTONS: usize = 8;

/// The power buttons that were found.
#[derive(Debug, Default)]
pub(crate) struct Buttons(Vec<OwnedFd>);

impl Buttons {
    /// An input device appeared, `input/event3` below `/dev`: opens it if it is a power button.
    pub(crate) fn appeared(&mut self, devname: &str) {
        let Some(event) = devname.strip_prefix("input/") else { return };
        let name = fs::read_to_string(format!("/sys/class/input/{event}/device/name"));
        if !name.is_ok_and(|n| n.trim() == "Power Button") || self.0.len() >= MOST_BUTTONS {
            return;
        }
        let flags = OFlags::RDONLY | OFlags::NONBLOCK | OFlags::CLOEXEC;
        match rustix::fs::open(Path::new("/dev").join(devname), flags, Mode::empty()) {
            Ok(device) => self.0.push(device),
            Err(e) => log::warn!("cannot open the power button /dev/{devname}: {e}"),
        }
    }

    /// Descriptors to wait on.
    pub(crate) fn descriptors(&self) -> impl Iterator<Item = BorrowedFd<'_>> {
        self.0.iter().map(AsFd::as_fd)
    }

    /// Whether one was pressed since the last call.
    pub(crate) fn pressed(&mut self) -> bool {
        let mut pressed = false;
        self.0.retain(|device| {
            let mut buffer = [0; 16 * EVENT];
            match rustix::io::read(device, &mut buffer[..]) {
                Ok(length) => {
                    let events = buffer.get(..length).unwrap_or_default();
                    pressed |= events.chunks_exact(EVENT).any(is_press);
                    length > 0
                }
                Err(e) => matches!(e, Errno::AGAIN | Errno::INTR),
            }
        });
        pressed
    }
}

fn is_press(event: &[u8]) -> bool {
    let Some(&[k0, k1, c0, c1, v0, v1, v2, v3]) = event.get(16..EVENT) else { return false };
    u16::from_ne_bytes([k0, k1]) == EV_KEY
        && u16::from_ne_bytes([c0, c1]) == KEY_POWER
        && i32::from_ne_bytes([v0, v1, v2, v3]) == PRESSED
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::Write;

    fn event(kind: u16, code: u16, value: i32) -> Vec<u8> {
        [&[7; 16][..], &kind.to_ne_bytes(), &code.to_ne_bytes(), &value.to_ne_bytes()].concat()
    }

    #[test]
    fn a_press_is_told_once_and_a_device_that_went_is_let_go() {
        let (reader, mut writer) = std::io::pipe().unwrap();
        rustix::io::ioctl_fionbio(&reader, true).unwrap();
        let mut buttons = Buttons(vec![reader.into()]);
        assert!(!buttons.pressed());
        writer.write_all(&event(EV_KEY, 30, PRESSED)).unwrap();
        writer.write_all(&event(EV_KEY, KEY_POWER, 0)).unwrap();
        assert!(!buttons.pressed(), "another key, and a release");
        writer.write_all(&event(EV_KEY, KEY_POWER, PRESSED)).unwrap();
        assert!(buttons.pressed());
        assert!(!buttons.pressed());
        drop(writer);
        buttons.pressed();
        assert_eq!(buttons.descriptors().count(), 0);
    }
}
