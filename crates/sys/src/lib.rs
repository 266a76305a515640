//! Kernel interfaces behind small traits; the one crate with unsafe code.
