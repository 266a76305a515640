//! From file to file by sendfile(2): the kernel copies, and no byte comes through this process.

use super::{failed::Failed, input::Input, operands::Settings, output::Output, status::Status};
use rustix::{fs::fstat, io::Errno};

/// Bytes that are sent at a time; of less it is no quicker than reading and writing.
const PIECE: usize = 1 << 20;

/// Whether nothing is to be seen of the bytes, and nothing asked of how they are read and written.
pub(crate) fn fits(set: &Settings, input: &Input<'_>, output: &Output<'_>) -> bool {
    let as_they_are =
        !set.swab && set.charset.is_none() && set.case.is_none() && set.lines.is_none();
    as_they_are
        && set.ibs == set.obs
        && set.ibs <= PIECE
        && set.iflag.open.is_empty()
        && !set.iflag.nocache
        && input.left().is_some()
        && output.is_plain()
        && !same(input, output)
}

/// A file that is copied onto itself: what a record overwrites is read again by the next one, record by record.
fn same(input: &Input<'_>, output: &Output<'_>) -> bool {
    let id = |stat: rustix::fs::Stat| (stat.st_dev, stat.st_ino);
    match (fstat(input), fstat(output)) {
        (Ok(input), Ok(output)) => id(input) == id(output),
        _ => true,
    }
}

/// Sends a piece of whole records. False when there is no such piece, or not all of it could be sent: what follows is to be
/// read and written, which ends where it must and tells why.
pub(crate) fn send(
    set: &Settings,
    input: &mut Input<'_>,
    output: &mut Output<'_>,
    status: &mut Status,
) -> Result<bool, Failed> {
    let record = set.ibs as u64;
    let allowed =
        set.count.map_or(u64::MAX, |count| count.records.saturating_sub(status.read.all()));
    let records = allowed.min((PIECE / set.ibs) as u64);
    let wanted = records * record;
    if records == 0 || input.left().is_none_or(|left| left < wanted) {
        return Ok(false);
    }
    status.attend();
    let size = usize::try_from(wanted).unwrap_or(PIECE);
    let sent = match rustix::fs::sendfile(&*output, &*input, None, size) {
        Ok(sent) => sent as u64,
        Err(Errno::INTR) => return Ok(true),
        Err(_) => return Ok(false),
    };
    input.taken(sent);
    output.put(sent);
    // A record is read and written as a whole.
    let rest = sent % record;
    if rest > 0 {
        input.back(rest)?;
        output.back(rest)?;
    }
    status.read.full += sent / record;
    status.written.full += sent / record;
    status.bytes = status.bytes.saturating_add(sent - rest);
    Ok(sent == wanted)
}
