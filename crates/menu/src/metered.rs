//! Files up to an amount: what is on a disk may be made to keep a reader busy.

use crate::files::{Device, Files, Place, ReadError, What};
use std::cell::Cell;

/// What may be read of all devices together, bytes; an installed system has some hundred thousand.
const MOST: u64 = 64 << 20;

/// What being asked for a file counts besides, bytes.
const LOOK: u64 = 64;

/// Files of another, up to an amount; then there are none.
pub(crate) struct Metered<'a> {
    files: &'a dyn Files,
    left: Cell<u64>,
}

impl<'a> Metered<'a> {
    pub(crate) fn new(files: &'a dyn Files) -> Self {
        Self { files, left: Cell::new(MOST) }
    }

    /// Whether there was more than is looked at.
    pub(crate) fn is_spent(&self) -> bool {
        self.left.get() == 0
    }

    fn spend(&self, bytes: usize) {
        self.left.set(self.left.get().saturating_sub(LOOK + bytes as u64));
    }
}

impl Files for Metered<'_> {
    fn devices(&self) -> &[Device] {
        self.files.devices()
    }

    fn what(&self, place: &Place) -> Option<What> {
        self.spend(0);
        if self.is_spent() { None } else { self.files.what(place) }
    }

    fn read(&self, place: &Place, offset: u64, most: usize) -> Result<Vec<u8>, ReadError> {
        self.spend(0);
        if self.is_spent() {
            return Err(ReadError::Failed("too much was read of the disks before".to_owned()));
        }
        let read = self.files.read(place, offset, most);
        self.spend(read.as_ref().map_or(0, Vec::len));
        read
    }

    fn list(&self, folder: &Place) -> Vec<String> {
        self.spend(0);
        if self.is_spent() {
            return Vec::new();
        }
        let names = self.files.list(folder);
        self.spend(names.iter().map(|name| name.len() + 16).sum());
        names
    }
}
