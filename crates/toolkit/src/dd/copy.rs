//! The copy: a record is read, converted, collected, written.

use super::{
    buffer::Buffer, cache::Forget, conversion::Conversion, input::Input, operands::Settings,
    output::Output, quick, status::Status,
};
use xenoboot_sys::signal;

/// Copies what is asked for; the result is the exit status.
///
/// # Errors
/// What ends it before anything is copied, and what cannot be written.
pub(crate) fn copy(set: &Settings) -> anyhow::Result<u8> {
    watch()?;
    let mut status = Status::new(set.level);
    let mut input = Input::open(set, &mut status)?;
    let mut output = Output::open(set, &mut status)?;
    status.begin();
    let copied = run(set, &mut input, &mut output, &mut status);
    if let Err(error) = &copied {
        status.complain(&error.to_string());
    }
    status.tell();
    Ok(copied.unwrap_or(1))
}

/// From now on SIGUSR1 asks how far it is, and Ctrl-C is told how far it came.
fn watch() -> std::io::Result<()> {
    use rustix::process::Signal;
    let asks: &[Signal] =
        if std::env::var_os("POSIXLY_CORRECT").is_some() { &[] } else { &[Signal::USR1] };
    signal::interrupt_by(&[Signal::INT], asks)
}

fn run(
    set: &Settings,
    input: &mut Input<'_>,
    output: &mut Output<'_>,
    status: &mut Status,
) -> anyhow::Result<u8> {
    if !set.skip.is_zero() {
        input.skip(Buffer::new(set.ibs)?.bytes(), status)?;
    }
    if !set.seek.is_zero() {
        output.seek(Buffer::new(set.obs)?.bytes(), status)?;
    }
    if set.count.is_some_and(|count| count.is_zero()) {
        let forgotten = [
            set.iflag.nocache.then(|| input.forget(Forget::Rest)),
            set.oflag.nocache.then(|| output.forget(Forget::Rest)),
        ];
        forgotten.into_iter().flatten().collect::<Result<(), _>>()?;
        output.finish()?;
        return Ok(0);
    }
    let mut records = Buffer::new(set.ibs)?;
    let mut collector = Collector::new(set)?;
    let mut quick = quick::fits(set, input, output);
    let mut exit = 0;
    while let Some(size) = next_size(set, status) {
        status.progress();
        if quick {
            quick = quick::send(set, input, output, status)?;
            continue;
        }
        let buffer = records.bytes();
        let read = input.read(buffer.get_mut(..size).unwrap_or_default(), status);
        let count = match read {
            Ok(Some(count)) => count,
            Ok(None) => {
                forget_rest(set, input, output);
                break;
            }
            Err(error) => {
                // What was read before it is written all the same.
                status.complain(&error.to_string());
                exit = 1;
                break;
            }
        };
        status.read.add(count, set.ibs);
        if set.iflag.nocache {
            let _ = input.forget(Forget::Some);
        }
        let count = if set.sync { pad(set, buffer, count) } else { count };
        let record = buffer.get_mut(..count).unwrap_or_default();
        match &mut collector {
            Some(collector) => collector.take(record, output, status)?,
            None => output.write(record, status)?,
        }
    }
    if let Some(collector) = &mut collector {
        collector.finish(output, status)?;
    }
    output.finish()?;
    Ok(exit)
}

/// How much is read next; nothing when `count=` is reached.
fn next_size(set: &Settings, status: &Status) -> Option<usize> {
    let Some(count) = set.count else { return Some(set.ibs) };
    let read = status.read.all();
    if read < count.records {
        return Some(set.ibs);
    }
    (read == count.records && count.bytes > 0).then_some(count.bytes)
}

/// `conv=sync`: a record that was read in part gets its full size.
fn pad(set: &Settings, buffer: &mut [u8], count: usize) -> usize {
    let filler = if set.lines.is_some() { b' ' } else { 0 };
    buffer.get_mut(count..).unwrap_or_default().fill(filler);
    set.ibs
}

fn forget_rest(set: &Settings, input: &mut Input<'_>, output: &mut Output<'_>) {
    // It only makes room: that a pipe has no cache is nothing to tell.
    if set.iflag.nocache {
        let _ = input.forget(Forget::Rest);
    }
    if set.oflag.nocache && !set.notrunc {
        let _ = output.forget(Forget::Rest);
    }
}

/// Makes records of `obs` bytes of what is read, after converting it.
struct Collector {
    conversion: Option<Conversion>,
    converted: Vec<u8>,
    record: Buffer,
    /// Bytes of it that are taken.
    filled: usize,
}

impl Collector {
    /// `None` when each record is written as it was read.
    fn new(set: &Settings) -> anyhow::Result<Option<Self>> {
        if !set.reblock {
            return Ok(None);
        }
        let (conversion, record) = (Conversion::new(set), Buffer::new(set.obs)?);
        Ok(Some(Self { conversion, converted: Vec::new(), record, filled: 0 }))
    }

    fn take(
        &mut self,
        bytes: &mut [u8],
        output: &mut Output<'_>,
        status: &mut Status,
    ) -> anyhow::Result<()> {
        let Some(conversion) = &mut self.conversion else {
            return self.collect(bytes, output, status);
        };
        let mut converted = std::mem::take(&mut self.converted);
        conversion.convert(bytes, &mut converted);
        status.truncated = conversion.truncated();
        self.collect(&converted, output, status)?;
        converted.clear();
        self.converted = converted;
        Ok(())
    }

    fn collect(
        &mut self,
        mut bytes: &[u8],
        output: &mut Output<'_>,
        status: &mut Status,
    ) -> anyhow::Result<()> {
        while !bytes.is_empty() {
            let record = self.record.bytes();
            let free = record.get_mut(self.filled..).unwrap_or_default();
            let (now, later) = bytes.split_at(bytes.len().min(free.len()));
            free.get_mut(..now.len()).unwrap_or_default().copy_from_slice(now);
            self.filled += now.len();
            bytes = later;
            if self.filled == record.len() {
                self.filled = 0;
                output.write(record, status)?;
            }
        }
        Ok(())
    }

    /// What is still to come at the end of the input, and the last record.
    fn finish(&mut self, output: &mut Output<'_>, status: &mut Status) -> anyhow::Result<()> {
        if let Some(conversion) = &mut self.conversion {
            let mut converted = Vec::new();
            conversion.finish(&mut converted);
            self.collect(&converted, output, status)?;
        }
        let last = self.record.bytes().get(..self.filled).unwrap_or_default();
        if last.is_empty() { Ok(()) } else { Ok(output.write(last, status)?) }
    }
}
