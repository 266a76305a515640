//! Signed bundles: build, sign, verify.
#![forbid(unsafe_code)]
