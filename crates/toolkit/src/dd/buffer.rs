//! Memory for a record, where O_DIRECT can use it.

/// Page size: what O_DIRECT asks of a buffer is never more.
const ALIGNMENT: usize = 4096;

/// So many bytes from the beginning of a page on.
#[derive(Debug)]
pub(crate) struct Buffer {
    memory: Vec<u8>,
    start: usize,
    size: usize,
}

/// There is not so much memory.
#[derive(Debug, thiserror::Error)]
#[error("memory exhausted by a record of {0} bytes: use a smaller bs=")]
pub(crate) struct Exhausted(usize);

impl Buffer {
    /// # Errors
    /// When there is not so much memory.
    pub(crate) fn new(size: usize) -> Result<Self, Exhausted> {
        let whole = size.checked_add(ALIGNMENT).ok_or(Exhausted(size))?;
        // Asked first, since what follows ends the program when it fails; it takes pages only when they are written to.
        Vec::<u8>::new().try_reserve_exact(whole).map_err(|_| Exhausted(size))?;
        let memory = vec![0; whole];
        let start = memory.as_ptr().align_offset(ALIGNMENT).min(ALIGNMENT);
        Ok(Self { memory, start, size })
    }

    pub(crate) fn bytes(&mut self) -> &mut [u8] {
        self.memory.get_mut(self.start..).and_then(|m| m.get_mut(..self.size)).unwrap_or_default()
    }
}
