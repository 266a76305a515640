//! The site and trust files: strict parsing.
#![forbid(unsafe_code)]
