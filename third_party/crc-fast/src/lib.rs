//! Checksums of 32 bits: CRC-32/ISO-HDLC, and those that take the highest bit first.

/// A checksum by its name in the catalogue of parametrised CRC algorithms.
#[derive(Clone, Copy, Debug)]
pub enum CrcAlgorithm {
    /// Of IEEE 802.3, gzip and others.
    Crc32IsoHdlc,
}

/// A checksum by its parameters.
#[derive(Clone, Copy, Debug)]
pub struct CrcParams {
    polynomial: u32,
    initial: u32,
    mask: u32,
}

impl CrcParams {
    /// Of 32 bits, the highest first; name and check value are taken for the reader's sake.
    ///
    /// # Panics
    /// For another width or order.
    #[must_use]
    pub fn new(_: &'static str, width: u8, poly: u64, init: u64, reflected: bool, xorout: u64, _: u64) -> Self {
        assert!(width == 32 && !reflected, "only 32 bits, the highest first");
        let low = |value: u64| (value & 0xffff_ffff) as u32;
        Self { polynomial: low(poly), initial: low(init), mask: low(xorout) }
    }
}

/// A checksum that is being computed.
#[derive(Clone)]
pub struct Digest(State);

#[derive(Clone)]
enum State {
    IsoHdlc(crc32fast::Hasher),
    HighFirst { params: CrcParams, tables: Box<[[u32; 256]; 8]>, value: u32 },
}

impl Digest {
    /// Of no data yet.
    #[must_use]
    pub fn new(algorithm: CrcAlgorithm) -> Self {
        match algorithm {
            CrcAlgorithm::Crc32IsoHdlc => Self(State::IsoHdlc(crc32fast::Hasher::new())),
        }
    }

    /// Of no data yet.
    #[must_use]
    pub fn new_with_params(params: CrcParams) -> Self {
        Self(State::HighFirst { params, tables: tables(params.polynomial), value: params.initial })
    }

    /// Takes more data.
    pub fn update(&mut self, data: &[u8]) {
        match &mut self.0 {
            State::IsoHdlc(hasher) => hasher.update(data),
            State::HighFirst { tables, value, .. } => *value = high_first(tables, *value, data),
        }
    }

    /// The checksum, in the low bits.
    #[must_use]
    pub fn finalize(&self) -> u64 {
        match &self.0 {
            State::IsoHdlc(hasher) => hasher.clone().finalize().into(),
            State::HighFirst { params, value, .. } => (value ^ params.mask).into(),
        }
    }

    /// Forgets the data.
    pub fn reset(&mut self) {
        match &mut self.0 {
            State::IsoHdlc(hasher) => hasher.reset(),
            State::HighFirst { params, value, .. } => *value = params.initial,
        }
    }
}

/// What a byte adds, with 0 to 7 bytes behind it.
fn tables(polynomial: u32) -> Box<[[u32; 256]; 8]> {
    let shift = |value: u32| value << 1 ^ if value >> 31 == 1 { polynomial } else { 0 };
    let mut tables = Box::new([[0; 256]; 8]);
    for (byte, entry) in (0_u32..).zip(&mut tables[0]) {
        *entry = (0..8).fold(byte << 24, |value, _| shift(value));
    }
    for behind in 1..8 {
        for byte in 0..256 {
            let before = tables[behind - 1][byte];
            tables[behind][byte] = before << 8 ^ tables[0][(before >> 24) as usize];
        }
    }
    tables
}

/// Eight bytes at once.
fn high_first(tables: &[[u32; 256]; 8], mut value: u32, data: &[u8]) -> u32 {
    let (eights, rest) = data.as_chunks::<8>();
    for eight in eights {
        let head = value.to_be_bytes();
        value = 0;
        for (at, byte) in eight.iter().enumerate() {
            let byte = byte ^ head.get(at).copied().unwrap_or(0);
            value ^= tables[7 - at][usize::from(byte)];
        }
    }
    rest.iter().fold(value, |value, byte| {
        value << 8 ^ tables[0][usize::from((value >> 24) as u8 ^ byte)]
    })
}
