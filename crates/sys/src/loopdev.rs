//! Loop devices: a file as a block device (`loop(4)`).

use rustix::{
    fs::{Mode, OFlags},
    io,
    ioctl::{self, Ioctl, IoctlOutput, Opcode},
};
use std::{
    ffi::c_void,
    fs::File,
    os::fd::{AsFd, AsRawFd as _},
    path::PathBuf,
};

// linux/loop.h
const LOOP_CONFIGURE: Opcode = 0x4C0A;
const LOOP_CLR_FD: Opcode = 0x4C01;
const LOOP_CTL_GET_FREE: Opcode = 0x4C82;
const LO_FLAGS_READ_ONLY: u32 = 1;
const LO_FLAGS_AUTOCLEAR: u32 = 4;
const LO_FLAGS_PARTSCAN: u32 = 8;
const LO_FLAGS_DIRECT_IO: u32 = 16;

/// How a file is attached.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Attach {
    /// The device refuses writes.
    pub read_only: bool,
    /// The kernel frees the device when its last user is gone.
    pub auto_clear: bool,
    /// The kernel looks for partitions on it.
    pub partitions: bool,
    /// What is read is not kept in memory a second time for the file, where its file system can do that.
    pub direct: bool,
    /// Where in the file the device begins, bytes.
    pub offset: u64,
}

/// `struct loop_info64` of linux/loop.h.
#[repr(C)]
struct Info {
    device: u64,
    inode: u64,
    rdevice: u64,
    offset: u64,
    size_limit: u64,
    number: u32,
    encrypt_type: u32,
    encrypt_key_size: u32,
    flags: u32,
    file_name: [u8; 64],
    crypt_name: [u8; 64],
    encrypt_key: [u8; 32],
    init: [u64; 2],
}

/// `struct loop_config` of linux/loop.h.
#[repr(C)]
struct Config {
    fd: u32,
    block_size: u32,
    info: Info,
    reserved: [u64; 8],
}

/// An ioctl that takes no pointer and returns a number.
struct Plain<const OPCODE: Opcode>;

// SAFETY: these requests read no memory of ours: their argument is not used.
unsafe impl<const OPCODE: Opcode> Ioctl for Plain<OPCODE> {
    type Output = IoctlOutput;
    const IS_MUTATING: bool = false;
    fn opcode(&self) -> Opcode {
        OPCODE
    }
    fn as_ptr(&mut self) -> *mut c_void {
        std::ptr::null_mut()
    }
    unsafe fn output_from_ptr(out: IoctlOutput, _: *mut c_void) -> io::Result<IoctlOutput> {
        Ok(out)
    }
}

/// Attaches `file` to a free loop device and returns it, open, with its path.
///
/// # Errors
/// When there is no loop driver (`ENOENT`), no free device, or the kernel refuses the file.
pub fn attach(file: &File, how: Attach) -> io::Result<(File, PathBuf)> {
    let control = open("/dev/loop-control", false)?;
    loop {
        // SAFETY: LOOP_CTL_GET_FREE takes no argument and returns a number.
        let number = unsafe { ioctl::ioctl(&control, Plain::<LOOP_CTL_GET_FREE>)? };
        let path = PathBuf::from(format!("/dev/loop{number}"));
        let device = open(&path, how.read_only)?;
        match configure(&device, file, how) {
            // Somebody else was quicker.
            Err(io::Errno::BUSY) => {}
            Err(error) => return Err(error),
            Ok(()) => return Ok((device, path)),
        }
    }
}

/// Detaches a loop device from its file; if it is in use, as soon as it no longer is.
///
/// # Errors
/// When `device` is not an attached loop device (`ENXIO`, `ENOTTY`).
pub fn detach(device: impl AsFd) -> io::Result<()> {
    // SAFETY: LOOP_CLR_FD takes no argument.
    unsafe { ioctl::ioctl(device, Plain::<LOOP_CLR_FD>) }.map(drop)
}

fn open(path: impl rustix::path::Arg, read_only: bool) -> io::Result<File> {
    let access = if read_only { OFlags::RDONLY } else { OFlags::RDWR };
    Ok(File::from(rustix::fs::open(path, access | OFlags::CLOEXEC, Mode::empty())?))
}

fn configure(device: &File, file: &File, how: Attach) -> io::Result<()> {
    let flag = |on, bit| if on { bit } else { 0 };
    let config = Config {
        fd: file.as_raw_fd().cast_unsigned(),
        block_size: 0,
        info: Info {
            device: 0,
            inode: 0,
            rdevice: 0,
            offset: how.offset,
            size_limit: 0,
            number: 0,
            encrypt_type: 0,
            encrypt_key_size: 0,
            flags: flag(how.read_only, LO_FLAGS_READ_ONLY)
                | flag(how.auto_clear, LO_FLAGS_AUTOCLEAR)
                | flag(how.partitions, LO_FLAGS_PARTSCAN)
                | flag(how.direct, LO_FLAGS_DIRECT_IO),
            file_name: [0; 64],
            crypt_name: [0; 64],
            encrypt_key: [0; 32],
            init: [0; 2],
        },
        reserved: [0; 8],
    };
    // SAFETY: LOOP_CONFIGURE reads one `struct loop_config`, which `Config` is laid out as.
    unsafe { ioctl::ioctl(device, ioctl::Setter::<LOOP_CONFIGURE, Config>::new(config)) }
}
