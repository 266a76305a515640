//! What several tests need.

use crate::{
    console::Consoles,
    events::spool::{Bounds, Spool},
    report::Reporter,
    status::Status,
};
use std::path::Path;
use xenoboot_wire::BootId;

/// A reporter whose events are kept below `dir`, with no consoles.
pub(crate) fn reporter(dir: &Path) -> Reporter {
    let spool = Spool::open(&dir.join("spool"), &BootId([1; 16]), Bounds::DEFAULT).unwrap();
    Reporter::new(spool, Consoles::default(), Status::default())
}
