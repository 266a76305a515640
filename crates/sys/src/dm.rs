//! Device mapper: block devices made of others (linux/dm-ioctl.h).

use rustix::{
    fs::{Mode, OFlags},
    io,
    ioctl::{self, Ioctl, IoctlOutput, Opcode, opcode},
};
use std::{ffi::c_void, fs::File, path::PathBuf};

const CONTROL: &str = "/dev/mapper/control";

/// `struct dm_ioctl`, bytes.
const HEADER: usize = 312;
/// `struct dm_target_spec`, bytes.
const TARGET: usize = 40;
/// Room for what the kernel answers, bytes.
const ANSWER: usize = 4096;

/// The interface's version that is asked for: all that is used here is older.
const VERSION: [u32; 3] = [4, 0, 0];

const READ_ONLY: u32 = 1;
const DEFERRED_REMOVE: u32 = 1 << 17;

const DEV_CREATE: Opcode = number(3);
const DEV_REMOVE: Opcode = number(4);
const DEV_SUSPEND: Opcode = number(6);
const TABLE_LOAD: Opcode = number(9);
const TABLE_STATUS: Opcode = number(12);

/// `_IOWR(DM_IOCTL, command, struct dm_ioctl)`.
const fn number(command: u8) -> Opcode {
    opcode::read_write::<[u8; HEADER]>(0xfd, command)
}

/// The one target of a read-only device.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Target {
    /// The target's name, `verity`.
    pub kind: &'static str,
    /// The device's size, sectors of 512 bytes.
    pub sectors: u64,
    /// What stands after the name in a table's line.
    pub parameters: String,
}

/// Makes the device `name`, read-only, and returns its path `/dev/dm-N`.
///
/// # Errors
/// `ENOENT` without the driver; `EBUSY` when there is one of this name; `EINVAL` when the target does not
/// take its parameters (the kernel's log says why). Nothing is left then.
pub fn create(name: &str, target: &Target) -> io::Result<PathBuf> {
    let control = control()?;
    let made = Request::new(name, 0)?.run::<DEV_CREATE>(&control)?;
    let loaded = Request::new(name, READ_ONLY)?
        .with_target(target)?
        .run::<TABLE_LOAD>(&control)
        // Not to suspend is to resume.
        .and_then(|_| Request::new(name, READ_ONLY)?.run::<DEV_SUSPEND>(&control));
    if let Err(error) = loaded {
        let _ = Request::new(name, 0)?.run::<DEV_REMOVE>(&control);
        return Err(error);
    }
    Ok(PathBuf::from(format!("/dev/dm-{}", rustix::fs::minor(made.device()))))
}

/// Removes the device as soon as nobody has it open.
///
/// # Errors
/// `ENXIO` when there is none of this name.
pub fn remove_when_unused(name: &str) -> io::Result<()> {
    Request::new(name, DEFERRED_REMOVE)?.run::<DEV_REMOVE>(&control()?).map(drop)
}

/// What the device's target says of itself: of `verity`, `V` while every block that was read had its
/// digest, and `C` from then on when one had not.
///
/// # Errors
/// `ENXIO` when there is none of this name.
pub fn status(name: &str) -> io::Result<String> {
    Request::new(name, 0)?.run::<TABLE_STATUS>(&control()?)?.text().ok_or(io::Errno::PROTO)
}

fn control() -> io::Result<File> {
    let flags = OFlags::RDWR | OFlags::CLOEXEC;
    Ok(File::from(rustix::fs::open(CONTROL, flags, Mode::empty())?))
}

/// A `struct dm_ioctl` with what follows it; the kernel writes its answer over it.
struct Request(Vec<u8>);

impl Request {
    fn new(name: &str, flags: u32) -> io::Result<Self> {
        // 128 bytes, the last of them zero.
        if name.is_empty() || name.len() > 127 || name.contains('\0') {
            return Err(io::Errno::INVAL);
        }
        let mut request = Self(vec![0; HEADER + ANSWER]);
        for (nth, number) in VERSION.iter().enumerate() {
            request.put(4 * nth, &number.to_ne_bytes());
        }
        request.put(16, &(HEADER as u32).to_ne_bytes());
        request.put(28, &flags.to_ne_bytes());
        request.put(48, name.as_bytes());
        Ok(request)
    }

    fn with_target(mut self, target: &Target) -> io::Result<Self> {
        let length = TARGET + target.parameters.len() + 1;
        if length > ANSWER || target.kind.len() > 15 || target.parameters.contains('\0') {
            return Err(io::Errno::INVAL);
        }
        self.put(20, &1u32.to_ne_bytes());
        self.put(HEADER + 8, &target.sectors.to_ne_bytes());
        self.put(HEADER + 20, &(length.next_multiple_of(8) as u32).to_ne_bytes());
        self.put(HEADER + 24, target.kind.as_bytes());
        self.put(HEADER + TARGET, target.parameters.as_bytes());
        Ok(self)
    }

    /// Every caller stays within the buffer.
    fn put(&mut self, at: usize, bytes: &[u8]) {
        if let Some(place) = self.0.get_mut(at..at + bytes.len()) {
            place.copy_from_slice(bytes);
        }
    }

    fn run<const OPCODE: Opcode>(mut self, control: &File) -> io::Result<Self> {
        let size = u32::try_from(self.0.len()).map_err(|_| io::Errno::INVAL)?;
        self.put(12, &size.to_ne_bytes());
        // SAFETY: the requests read and write a `struct dm_ioctl` and what follows it, in all as many
        // bytes as its field data_size says, which is the buffer's length.
        unsafe { ioctl::ioctl(control, Buffer::<OPCODE>(&mut self.0)) }?;
        Ok(self)
    }

    /// The device's number, in the kernel's new encoding, which is glibc's for small numbers.
    fn device(&self) -> u64 {
        let bytes = self.0.get(40..48).and_then(|b| b.try_into().ok());
        bytes.map_or(0, u64::from_ne_bytes)
    }

    /// The text after the first target.
    fn text(&self) -> Option<String> {
        let text = self.0.get(HEADER + TARGET..)?;
        let end = text.iter().position(|byte| *byte == 0)?;
        Some(String::from_utf8_lossy(text.get(..end)?).into_owned())
    }
}

/// An ioctl on a buffer that says itself how long it is.
struct Buffer<'a, const OPCODE: Opcode>(&'a mut Vec<u8>);

// SAFETY: the pointer is to the buffer, which lives as long as the request; it is mutated.
unsafe impl<const OPCODE: Opcode> Ioctl for Buffer<'_, OPCODE> {
    type Output = ();
    const IS_MUTATING: bool = true;
    fn opcode(&self) -> Opcode {
        OPCODE
    }
    fn as_ptr(&mut self) -> *mut c_void {
        self.0.as_mut_ptr().cast()
    }
    unsafe fn output_from_ptr(_: IoctlOutput, _: *mut c_void) -> io::Result<()> {
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_requests_numbers_are_the_kernels() {
        // As strace shows them for dmsetup.
        assert_eq!(DEV_CREATE, 0xc138_fd03);
        assert_eq!(TABLE_STATUS, 0xc138_fd0c);
    }

    #[test]
    fn a_table_lies_where_the_kernel_looks() {
        let target = Target { kind: "verity", sectors: 77, parameters: "1 7:0 7:0".into() };
        let request = Request::new("toolbox", READ_ONLY).unwrap().with_target(&target).unwrap();
        assert_eq!(&request.0[48..56], b"toolbox\0");
        assert_eq!(request.0[HEADER + 8], 77);
        assert_eq!(&request.0[HEADER + 24..HEADER + 31], b"verity\0");
        assert_eq!(request.text().as_deref(), Some("1 7:0 7:0"));
    }

    #[test]
    fn names_that_do_not_fit_are_refused() {
        assert!(Request::new("", 0).is_err());
        assert!(Request::new(&"x".repeat(128), 0).is_err());
        let target = Target { kind: "verity", sectors: 1, parameters: "x".repeat(ANSWER) };
        assert!(Request::new("a", 0).unwrap().with_target(&target).is_err());
    }

    #[test]
    fn a_device_that_is_not_there() {
        assert!(status("xenoboot-no-such-device").is_err());
    }
}
