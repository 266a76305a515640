//! The binary indices that `depmod` writes: a trie over keys, big-endian, version 2.1 (libkmod's
//! `libkmod-index.h` describes it).
//!
//! ```text
//! file  = magic:u32 version:u32 root:offset nodes
//! node  = [prefix NUL]  [first:u8 last:u8 offset{last-first+1}]  [count:u32 {priority:u32 value NUL}]
//! ```
//! The upper four bits of an offset say which of the three parts the node at that place has. An offset
//! of 0 is no node. Children are written before their parents, which we insist on: a file with a
//! cycle is refused.

use super::pattern;

const MAGIC: u32 = 0xb007_f457;
const VERSION: u32 = 0x0002_0001;
const HAS_PREFIX: u32 = 0x8000_0000;
const HAS_VALUES: u32 = 0x4000_0000;
const HAS_CHILDREN: u32 = 0x2000_0000;
const PLACE: u32 = 0x0fff_ffff;

/// Keys longer than this are not looked up: the kernel's modalias files are a page at most.
const MAX_KEY: usize = 4096;

/// Longest alias in an index.
const MAX_PATTERN: usize = 1024;

/// Nodes visited in one search, at most; the largest index of a distribution has some 50,000.
const MAX_VISITS: u32 = 1 << 20;

/// Why an index cannot be used.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum IndexError {
    /// It does not start as an index does.
    #[error("not an index of modules")]
    Magic,
    /// A version that we do not know.
    #[error("version {0:#x} of the index is not known")]
    Version(u32),
    /// It ends in the middle of a node, or a text in it is not UTF-8.
    #[error("the index is cut short or not valid at byte {0}")]
    Damaged(u32),
    /// A node points to one written after it.
    #[error("the index has a cycle at byte {0}")]
    Cycle(u32),
    /// A search would take too long.
    #[error("the index is too deep")]
    Deep,
}

/// An index in memory.
#[derive(Clone, Debug)]
pub struct Index {
    bytes: Vec<u8>,
    root: u32,
}

/// A node, its parts not yet looked at.
struct Node<'a> {
    offset: u32,
    prefix: &'a [u8],
    first: u8,
    /// Four bytes each.
    children: &'a [u8],
    /// What follows: the count and the values.
    values: Option<Reader<'a>>,
}

/// A value and its priority: the lower one is preferred.
type Value<'a> = (u32, &'a str);

/// One search.
struct Search<'a> {
    found: Vec<Value<'a>>,
    visits: u32,
    pattern: Vec<u8>,
}

impl Index {
    /// Checks the header of an index.
    ///
    /// # Errors
    /// When it is not an index of the known version. The rest is checked where it is looked at.
    pub fn parse(bytes: Vec<u8>) -> Result<Self, IndexError> {
        let mut reader = Reader { bytes: &bytes, at: 0 };
        if reader.u32().map_err(|_| IndexError::Magic)? != MAGIC {
            return Err(IndexError::Magic);
        }
        let version = reader.u32()?;
        if version != VERSION {
            return Err(IndexError::Version(version));
        }
        let root = reader.u32()?;
        Ok(Self { bytes, root })
    }

    /// The values of exactly `key`, the preferred first.
    ///
    /// # Errors
    /// When the index is damaged.
    pub fn exact(&self, key: &str) -> Result<Vec<&str>, IndexError> {
        let mut search = Search::new();
        self.walk(key.as_bytes(), &mut search, false)?;
        Ok(search.values())
    }

    /// The values of every key that, as a pattern, matches `text`, the preferred first.
    ///
    /// # Errors
    /// When the index is damaged.
    pub fn matching(&self, text: &str) -> Result<Vec<&str>, IndexError> {
        let mut search = Search::new();
        self.walk(text.as_bytes(), &mut search, true)?;
        Ok(search.values())
    }

    /// Follows `key` down the trie. With `wild`, each subtree that starts with a wildcard is a set of
    /// patterns for the rest of the key.
    fn walk<'a>(
        &'a self,
        mut key: &[u8],
        search: &mut Search<'a>,
        wild: bool,
    ) -> Result<(), IndexError> {
        if key.len() > MAX_KEY {
            return Ok(());
        }
        let mut next = Some((self.root, u32::MAX));
        while let Some((offset, parent)) = next {
            let node = self.node(offset, parent, search)?;
            for (i, byte) in node.prefix.iter().enumerate() {
                if wild && is_wildcard(*byte) {
                    return self.patterns(&node, i, key, search);
                }
                match key.split_first() {
                    Some((first, rest)) if first == byte => key = rest,
                    _ => return Ok(()),
                }
            }
            if wild {
                for start in *b"*?[" {
                    if let Some(child) = node.child(start) {
                        search.pattern.push(start);
                        let child = self.node(child, node.offset, search)?;
                        self.patterns(&child, 0, key, search)?;
                        search.pattern.clear();
                    }
                }
            }
            let Some((first, rest)) = key.split_first() else {
                return search.take(node.values);
            };
            next = node.child(*first).map(|child| (child, node.offset));
            key = rest;
        }
        Ok(())
    }

    /// Adds the values of every key at or below `node` that matches `text`; `search.pattern` holds
    /// the key's bytes before the node, `skip` bytes of its prefix are already used up.
    fn patterns<'a>(
        &'a self,
        node: &Node<'a>,
        skip: usize,
        text: &[u8],
        search: &mut Search<'a>,
    ) -> Result<(), IndexError> {
        let length = search.pattern.len();
        search.pattern.extend_from_slice(node.prefix.get(skip..).unwrap_or_default());
        if search.pattern.len() > MAX_PATTERN {
            return Err(IndexError::Deep);
        }
        if node.values.is_some() && pattern::matches(&search.pattern, text) {
            search.take(node.values)?;
        }
        for (byte, child) in node.each_child() {
            search.pattern.push(byte);
            let child = self.node(child, node.offset, search)?;
            self.patterns(&child, 0, text, search)?;
            search.pattern.pop();
        }
        search.pattern.truncate(length);
        Ok(())
    }

    /// Reads the node at `offset`, which must be written before the one at `parent`.
    fn node<'a>(
        &'a self,
        offset: u32,
        parent: u32,
        search: &mut Search<'a>,
    ) -> Result<Node<'a>, IndexError> {
        search.visits += 1;
        if search.visits > MAX_VISITS {
            return Err(IndexError::Deep);
        }
        let place = offset & PLACE;
        if place >= parent & PLACE {
            return Err(IndexError::Cycle(place));
        }
        let mut reader = Reader { bytes: &self.bytes, at: place };
        let prefix = if offset & HAS_PREFIX == 0 { &[] } else { reader.text()? };
        let (mut first, mut children): (u8, &[u8]) = (0, &[]);
        if offset & HAS_CHILDREN != 0 {
            first = reader.u8()?;
            let last = reader.u8()?;
            let count = last.checked_sub(first).ok_or(IndexError::Damaged(reader.at))?;
            children = reader.take(4 * (u32::from(count) + 1))?;
        }
        let values = (offset & HAS_VALUES != 0).then_some(reader);
        Ok(Node { offset: place, prefix, first, children, values })
    }
}

fn is_wildcard(byte: u8) -> bool {
    matches!(byte, b'*' | b'?' | b'[')
}

impl Node<'_> {
    fn child(&self, byte: u8) -> Option<u32> {
        let index = usize::from(byte.checked_sub(self.first)?);
        let offset = self.children.chunks_exact(4).nth(index)?;
        Some(u32::from_be_bytes(offset.try_into().ok()?)).filter(|o| *o != 0)
    }

    fn each_child(&self) -> impl Iterator<Item = (u8, u32)> {
        (self.first..=u8::MAX)
            .zip(self.children.chunks_exact(4))
            .filter_map(|(byte, offset)| Some((byte, u32::from_be_bytes(offset.try_into().ok()?))))
            .filter(|(_, offset)| *offset != 0)
    }
}

impl<'a> Search<'a> {
    fn new() -> Self {
        Self { found: Vec::new(), visits: 0, pattern: Vec::new() }
    }

    fn take(&mut self, values: Option<Reader<'a>>) -> Result<(), IndexError> {
        let Some(mut reader) = values else { return Ok(()) };
        for _ in 0..reader.u32()? {
            let priority = reader.u32()?;
            let at = reader.at;
            let text = reader.text()?;
            self.found.push((priority, str::from_utf8(text).map_err(|_| IndexError::Damaged(at))?));
        }
        Ok(())
    }

    fn values(mut self) -> Vec<&'a str> {
        self.found.sort_by_key(|(priority, _)| *priority);
        self.found.into_iter().map(|(_, value)| value).collect()
    }
}

/// Reads forward, never past the end.
#[derive(Clone, Copy)]
struct Reader<'a> {
    bytes: &'a [u8],
    at: u32,
}

impl<'a> Reader<'a> {
    fn take(&mut self, count: u32) -> Result<&'a [u8], IndexError> {
        let end = self.at.checked_add(count).ok_or(IndexError::Damaged(self.at))?;
        let range = self.at as usize..end as usize;
        let taken = self.bytes.get(range).ok_or(IndexError::Damaged(self.at))?;
        self.at = end;
        Ok(taken)
    }

    fn u8(&mut self) -> Result<u8, IndexError> {
        let at = self.at;
        self.take(1)?.first().copied().ok_or(IndexError::Damaged(at))
    }

    fn u32(&mut self) -> Result<u32, IndexError> {
        let at = self.at;
        self.take(4)?.try_into().map(u32::from_be_bytes).map_err(|_| IndexError::Damaged(at))
    }

    /// Up to a NUL, which is skipped.
    fn text(&mut self) -> Result<&'a [u8], IndexError> {
        let rest = self.bytes.get(self.at as usize..).ok_or(IndexError::Damaged(self.at))?;
        let length = rest.iter().position(|b| *b == 0).ok_or(IndexError::Damaged(self.at))?;
        let length = u32::try_from(length).map_err(|_| IndexError::Damaged(self.at))?;
        let text = self.take(length)?;
        self.take(1)?;
        Ok(text)
    }
}
