//! Files in memory, for tests and for fuzzing.

use crate::files::{Device, Files, Place, ReadError, What};
use std::collections::BTreeMap;

/// Devices with files.
#[derive(Clone, Debug, Default)]
pub struct Memory {
    devices: Vec<Device>,
    files: BTreeMap<Place, Vec<u8>>,
}

impl Memory {
    /// Nothing yet.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Adds a device.
    #[must_use]
    pub fn device(mut self, device: Device) -> Self {
        self.devices.push(device);
        self
    }

    /// Adds a file to the device that was added last.
    #[must_use]
    pub fn file(mut self, path: &str, content: impl Into<Vec<u8>>) -> Self {
        let device = self.devices.len().saturating_sub(1);
        self.files.insert(Place::new(device, path), content.into());
        self
    }
}

impl Files for Memory {
    fn devices(&self) -> &[Device] {
        &self.devices
    }

    fn what(&self, place: &Place) -> Option<What> {
        if let Some(content) = self.files.get(place) {
            return Some(What::File(content.len() as u64));
        }
        let is_there = place.path == "/" || !self.list(place).is_empty();
        is_there.then_some(What::Folder)
    }

    fn read(&self, place: &Place, offset: u64, most: usize) -> Result<Vec<u8>, ReadError> {
        let content = self.files.get(place).ok_or(ReadError::Missing)?;
        let from = usize::try_from(offset).unwrap_or(usize::MAX).min(content.len());
        Ok(content.iter().skip(from).take(most).copied().collect())
    }

    fn list(&self, folder: &Place) -> Vec<String> {
        let prefix = format!("{}/", folder.path.trim_end_matches('/'));
        let within = self.files.keys().filter(|place| place.device == folder.device);
        let names = within.filter_map(|place| {
            let rest = place.path.strip_prefix(&prefix)?;
            rest.split('/').next().map(str::to_owned)
        });
        let mut names: Vec<String> = names.collect();
        names.dedup();
        names.sort();
        names.dedup();
        names
    }
}
