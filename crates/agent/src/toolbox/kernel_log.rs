//! What the kernel's log says about reading the toolbox: there alone a damaged medium shows with its block.

use std::{
    fs::File,
    io::{ErrorKind, Read as _},
    os::unix::fs::OpenOptionsExt as _,
};

/// A record is no longer (`CONSOLE_EXT_LOG_MAX`), bytes.
const RECORD: usize = 8192;

/// More records than the log holds.
const MOST: usize = 100_000;

/// The last line about trouble with the loop device that the toolbox is read through.
pub(super) fn trouble(device: &str) -> Option<String> {
    let flags = rustix::fs::OFlags::NONBLOCK.bits().cast_signed();
    let mut log = File::options().read(true).custom_flags(flags).open("/dev/kmsg").ok()?;
    let number = std::fs::read_to_string(format!("/sys/block/{device}/dev")).unwrap_or_default();
    let (mut buffer, mut found) = (vec![0; RECORD], None);
    for _ in 0..MOST {
        // Each read gives one record.
        match log.read(&mut buffer) {
            Ok(n) => {
                let record = String::from_utf8_lossy(buffer.get(..n).unwrap_or_default());
                found = about(&record, device, number.trim()).or(found);
            }
            // It was overwritten before it was read: the next is there.
            Err(e) if e.kind() == ErrorKind::BrokenPipe => {}
            Err(_) => break,
        }
    }
    found
}

/// The text of a record `PRIORITY,NUMBER,TIME,FLAGS;TEXT` when it is about the device, by its name or number.
fn about(record: &str, device: &str, number: &str) -> Option<String> {
    let (head, text) = record.split_once(';')?;
    // A line that a process wrote has another facility than the kernel, 0: nobody shall feign a damage.
    if head.split(',').next()?.parse::<u32>().ok()? >> 3 != 0 {
        return None;
    }
    let text = text.lines().next()?;
    let corrupted = text.contains(&format!("verity: {number}: ")) && text.ends_with("is corrupted");
    let unreadable = text.contains("I/O error") && text.contains(&format!("dev {device},"));
    (corrupted || unreadable).then(|| text.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_of_the_kernel_about_the_device_alone() {
        let text = |record: &str| about(record, "loop0", "7:0");
        let bad = "3,770,8123456,-;device-mapper: verity: 7:0: data block 1234 is corrupted\n";
        assert!(text(bad).unwrap().ends_with("data block 1234 is corrupted"));
        let gone = "3,771,8123456,-;I/O error, dev loop0, sector 8 op 0x0:(READ) flags 0x0\n SUBSYSTEM=block\n";
        assert!(text(gone).unwrap().ends_with("flags 0x0"));
        assert_eq!(text(&bad.replace("7:0", "7:1")), None);
        assert_eq!(text(&gone.replace("loop0", "loop01")), None);
        assert_eq!(text(&bad.replace("3,770", "11,770")), None);
        assert_eq!(text("garbage"), None);
    }
}
