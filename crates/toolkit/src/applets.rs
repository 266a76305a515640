//! The commands of ours, one file each; `table.rs` has the rows.

pub(crate) mod blkid;
pub(crate) mod clear;
pub(crate) mod dmesg;
pub(crate) mod free;
pub(crate) mod grep;
pub(crate) mod hostname;
pub(crate) mod insmod;
pub(crate) mod losetup;
pub(crate) mod lsmod;
pub(crate) mod modprobe;
pub(crate) mod mount;
pub(crate) mod mountpoint;
pub(crate) mod pgrep;
pub(crate) mod pidof;
pub(crate) mod pkill;
pub(crate) mod poweroff;
pub(crate) mod ps;
pub(crate) mod reboot;
pub(crate) mod rmmod;
pub(crate) mod sysctl;
pub(crate) mod umount;
pub(crate) mod xb;
