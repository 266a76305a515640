//! Checksums: CRC-32/ISO-HDLC, those of 32 bits that take the highest bit first, and CRC-64/NVME.

/// A checksum by its name in the catalogue of parametrised CRC algorithms.
#[derive(Clone, Copy, Debug)]
pub enum CrcAlgorithm {
    /// Of IEEE 802.3, gzip and others.
    Crc32IsoHdlc,
    /// Of NVM Express, and of S3.
    Crc64Nvme,
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
    Nvme { table: Box<[u64; 256]>, value: u64 },
}

impl Digest {
    /// Of no data yet.
    #[must_use]
    pub fn new(algorithm: CrcAlgorithm) -> Self {
        match algorithm {
            CrcAlgorithm::Crc32IsoHdlc => Self(State::IsoHdlc(crc32fast::Hasher::new())),
            CrcAlgorithm::Crc64Nvme => Self(State::Nvme { table: nvme(), value: u64::MAX }),
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
            State::Nvme { table, value } => {
                let next = |value: u64, byte| value >> 8 ^ table[usize::from(value as u8 ^ byte)];
                *value = data.iter().fold(*value, |value, byte| next(value, *byte));
            }
        }
    }

    /// The checksum, in the low bits.
    #[must_use]
    pub fn finalize(&self) -> u64 {
        match &self.0 {
            State::IsoHdlc(hasher) => hasher.clone().finalize().into(),
            State::HighFirst { params, value, .. } => (value ^ params.mask).into(),
            State::Nvme { value, .. } => !value,
        }
    }

    /// Forgets the data.
    pub fn reset(&mut self) {
        match &mut self.0 {
            State::IsoHdlc(hasher) => hasher.reset(),
            State::HighFirst { params, value, .. } => *value = params.initial,
            State::Nvme { value, .. } => *value = u64::MAX,
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

/// What a byte adds, the lowest bit first.
fn nvme() -> Box<[u64; 256]> {
    let shift = |value: u64| value >> 1 ^ if value & 1 == 1 { 0x9a6c_9329_ac4b_c9b5 } else { 0 };
    let mut table = Box::new([0; 256]);
    for (byte, entry) in (0_u64..).zip(table.iter_mut()) {
        *entry = (0..8).fold(byte, |value, _| shift(value));
    }
    table
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
