//! The virtual-machine harness and its scenarios.
