//! Files in memory, for tests.

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

    /// The paths of all files below a folder, from there.
    fn within(&self, folder: &Place) -> impl Iterator<Item = &str> {
        let prefix = format!("{}/", folder.path.trim_end_matches('/'));
        let device = folder.device;
        let files = self.files.range(Place { device, path: prefix.clone() }..);
        files.map_while(move |(place, _)| {
            place.path.strip_prefix(&prefix).filter(|_| place.device == device)
        })
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
        let is_there = place.path == "/" || self.within(place).next().is_some();
        is_there.then_some(What::Folder)
    }

    fn read(&self, place: &Place, offset: u64, most: usize) -> Result<Vec<u8>, ReadError> {
        let content = self.files.get(place).ok_or(ReadError::Missing)?;
        let from = usize::try_from(offset).unwrap_or(usize::MAX).min(content.len());
        Ok(content.iter().skip(from).take(most).copied().collect())
    }

    fn list(&self, folder: &Place) -> Vec<String> {
        let names = self.within(folder).filter_map(|rest| rest.split('/').next());
        let mut names: Vec<String> = names.map(str::to_owned).collect();
        names.sort();
        names.dedup();
        names
    }
}
