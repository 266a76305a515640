//! Kernel interfaces behind small traits; the one crate with unsafe code.
//!
//! Each trait has one implementation that calls the kernel, [`Kernel`], and one that only records or
//! answers what a test told it, in [`fake`]; so the logic above them is tested without a kernel.
#![expect(unsafe_code, reason = "fork, pre-exec hooks and ioctls have no safe interface")]
#![cfg_attr(
    test,
    allow(
        clippy::unwrap_used,
        clippy::expect_used,
        clippy::panic,
        clippy::indexing_slicing,
        reason = "a test that cannot go on shall panic"
    )
)]

pub mod arp;
pub mod block;
pub mod blockdev;
pub mod cgroup;
pub mod clock;
pub mod dm;
pub mod ethtool;
pub mod fake;
pub mod hops;
pub mod icmp6;
pub mod inherit;
pub mod kexec;
pub mod klog;
pub mod kmod;
pub mod link;
pub mod loopdev;
pub mod mount;
pub mod packet;
pub mod power;
pub mod process;
pub mod signal;
pub mod swap;
pub mod task;
pub mod uevent;
pub mod watchdog;

/// The running kernel: implements every trait of this crate by system calls.
#[derive(Clone, Copy, Debug, Default)]
pub struct Kernel;
