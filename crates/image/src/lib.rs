//! Builds, stamps and inspects boot images.
#![forbid(unsafe_code)]
