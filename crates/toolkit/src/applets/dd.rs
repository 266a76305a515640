//! `dd`: copies and converts records.

use crate::{
    applet::{Applet, Args},
    dd::{copy::copy, operands},
};

pub(crate) static APPLET: Applet = Applet {
    name: "dd",
    summary: "Copies a file, disk or pipe record by record; tells how many were read and written.",
    usage: "[OPERAND]...",
    options: &[],
    notes: "\
Operands:
  if=FILE, of=FILE     read and write these in place of standard input and output
  bs=BYTES             read and write so much at a time; ibs= and obs= are each its own (512)
  count=N              copy N records of the input, with a B at its end (64kB, 1MiB) so many bytes
  skip=N, seek=N       leave out N records first: of the input, of the output (also iseek=, oseek=)
  status=LEVEL         none, noxfer (records only), progress (also while it goes on)
  conv=WORD,...        noerror   go on behind what cannot be read
                       sync      fill records that were read in part with zeros
                       notrunc   leave what else is in the output
                       sparse    leave records of zeros out as holes
                       nocreat, excl   the output must be there, must not be there
                       fdatasync, fsync   wait at the end until the disk has it
                       swab, lcase, ucase, ascii, ebcdic, ibm
                       block, unblock   lines to records of cbs=BYTES, and back
  iflag=, oflag=       append, direct, directory, dsync, noatime, nocache, noctty, nofollow,
                       nolinks, nonblock, sync; fullblock: read on until a record is full;
                       count_bytes, skip_bytes, seek_bytes: these count bytes

Numbers may have a unit: c 1, w 2, b 512, kB 1000, K or KiB 1024, MB, M, GB, G and so on; 2x512 is a
product. Of SIGUSR1 it tells how far it is. What cannot be read is named with conv=noerror; with
noerror,sync everything behind it stays at its place: use the disk's sector size for bs then.",
    example: "dd if=/dev/sda of=/run/sda.img bs=1M status=progress\n\
              dd if=/dev/sdb of=/dev/sdc bs=4k conv=noerror,sync status=progress",
    run,
};

fn run(args: &Args) -> anyhow::Result<u8> {
    // Of an operand that is wrong the status is 1, as GNU's.
    let set = operands::parse(&args.operands)
        .map_err(|wrong| anyhow::anyhow!("{wrong} (see dd --help)"))?;
    for warning in &set.warnings {
        eprintln!("dd: {warning}");
    }
    copy(&set)
}
