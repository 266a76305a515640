//! SNTP (RFC 4330): one question to a time server, and its answer, strictly read.

use std::{
    io,
    net::{IpAddr, SocketAddr, UdpSocket},
    time::{Duration, Instant, SystemTime, UNIX_EPOCH},
};

/// Where time servers listen.
pub(crate) const PORT: u16 = 123;

/// Seconds from 1900, where NTP begins, to 1970.
const TO_1970: u64 = 2_208_988_800;

const LENGTH: usize = 48;

/// Why there is no time.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Error {
    /// Nobody answered in time.
    #[error("no answer")]
    Silent,
    /// The answer cannot be used.
    #[error("{0}")]
    Wrong(&'static str),
    /// The server cannot be asked.
    #[error("{}", crate::applet::reason(.0))]
    Io(#[from] io::Error),
}

/// What a server says.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Answer {
    /// How far it is from a clock: 1 has one.
    pub(crate) stratum: u8,
    /// What must be added to our time, seconds.
    pub(crate) offset: f64,
    /// How long the packets were on their way, seconds.
    pub(crate) delay: f64,
}

/// A time of NTP: seconds since 1900 and their fraction, 32 bits each.
fn stamp(time: SystemTime) -> u64 {
    let since = time.duration_since(UNIX_EPOCH).unwrap_or_default();
    let seconds = since.as_secs().wrapping_add(TO_1970) & 0xffff_ffff;
    let fraction = (u64::from(since.subsec_nanos()) << 32) / 1_000_000_000;
    seconds << 32 | fraction
}

/// The way from one time to another, seconds. Right for times within 68 years (RFC 5905, section 6).
fn between(from: u64, to: u64) -> f64 {
    to.wrapping_sub(from).cast_signed() as f64 / 4_294_967_296.0
}

/// Asks a server once.
pub(crate) fn ask(server: SocketAddr, patience: Duration) -> Result<Answer, Error> {
    let any = if server.is_ipv4() { IpAddr::from([0; 4]) } else { IpAddr::from([0; 16]) };
    // A port of its own, and only packets from this server.
    let socket = UdpSocket::bind((any, 0))?;
    socket.connect(server)?;
    // Version 4, client; nothing else until the time at the end.
    let mut request = vec![4 << 3 | 3];
    request.resize(LENGTH - 8, 0);
    let sent = stamp(SystemTime::now());
    request.extend(sent.to_be_bytes());
    let clock = Instant::now();
    let end = clock + patience;
    socket.send(&request)?;
    let mut buffer = [0; 512];
    loop {
        let left = end.saturating_duration_since(Instant::now());
        if left.is_zero() {
            return Err(Error::Silent);
        }
        socket.set_read_timeout(Some(left))?;
        let length = match socket.recv(&mut buffer) {
            Ok(length) => length,
            Err(error)
                if matches!(error.kind(), io::ErrorKind::WouldBlock | io::ErrorKind::TimedOut) =>
            {
                continue;
            }
            Err(error) => return Err(error.into()),
        };
        // Our clock may be set meanwhile; this one not.
        let took = clock.elapsed();
        let arrived = sent
            .wrapping_add((u64::from(took.subsec_nanos()) << 32) / 1_000_000_000)
            .wrapping_add(took.as_secs() << 32);
        match read(buffer.get(..length).unwrap_or_default(), sent, arrived) {
            // Not an answer to this question.
            Err(Error::Silent) => {}
            other => return other,
        }
    }
}

/// Reads an answer to the question of time `sent` that came at time `arrived`.
fn read(bytes: &[u8], sent: u64, arrived: u64) -> Result<Answer, Error> {
    let time = |at: usize| -> Option<u64> {
        Some(u64::from_be_bytes(bytes.get(at..at + 8)?.try_into().ok()?))
    };
    let [first, stratum, ..] = *bytes else { return Err(Error::Silent) };
    // RFC 4330, section 5: what a client shall look at.
    let (Some(original), Some(received), Some(left)) = (time(24), time(32), time(40)) else {
        return Err(Error::Silent);
    };
    if original != sent || first & 7 != 4 {
        return Err(Error::Silent);
    }
    match (first >> 6, stratum) {
        (_, 0) => return Err(Error::Wrong("the server refuses (kiss of death)")),
        (3, _) => return Err(Error::Wrong("the server's clock is not set")),
        (_, 16..) => return Err(Error::Wrong("the server has no time")),
        _ if !matches!(first >> 3 & 7, 1..=4) => {
            return Err(Error::Wrong("an unknown version of NTP"));
        }
        _ if received == 0 || left == 0 => return Err(Error::Wrong("an answer without a time")),
        _ => {}
    }
    let held = between(received, left);
    let delay = between(sent, arrived) - held;
    if held < 0.0 || delay < -0.001 {
        return Err(Error::Wrong("the server's times contradict each other"));
    }
    let offset = (between(sent, received) + between(arrived, left)) / 2.0;
    Ok(Answer { stratum, offset, delay: delay.max(0.0) })
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn answer(sent: u64, received: u64, left: u64) -> Vec<u8> {
        let mut bytes = vec![4 << 3 | 4, 2];
        bytes.resize(24, 0);
        for time in [sent, received, left] {
            bytes.extend(time.to_be_bytes());
        }
        bytes
    }

    const SECOND: u64 = 1 << 32;

    #[test]
    fn an_answer_is_read() {
        // 10 s ahead; 1 s there, held 2 s, 1 s back.
        let bytes = answer(100 * SECOND, 111 * SECOND, 113 * SECOND);
        let found = read(&bytes, 100 * SECOND, 104 * SECOND).unwrap();
        assert_eq!(found, Answer { stratum: 2, offset: 10.0, delay: 2.0 });
        // Across the end of NTP's first era in 2036.
        let bytes = answer(u64::MAX - SECOND, SECOND, SECOND);
        let found = read(&bytes, u64::MAX - SECOND, u64::MAX - SECOND).unwrap();
        assert!((found.offset - 2.0).abs() < 0.001, "{found:?}");
    }

    #[test]
    fn answers_that_cannot_be_trusted_are_refused() {
        let good = answer(100 * SECOND, 111 * SECOND, 113 * SECOND);
        let with = |at: usize, byte: u8| {
            let mut bytes = good.clone();
            bytes[at] = byte;
            read(&bytes, 100 * SECOND, 104 * SECOND)
        };
        assert!(matches!(with(1, 0), Err(Error::Wrong(_))));
        assert!(matches!(with(1, 16), Err(Error::Wrong(_))));
        assert!(matches!(with(0, 3 << 6 | 4 << 3 | 4), Err(Error::Wrong(_))));
        assert!(matches!(with(0, 4 << 3 | 3), Err(Error::Silent)));
        assert!(matches!(with(27, 9), Err(Error::Silent)));
        assert!(matches!(read(&good, 100 * SECOND, 101 * SECOND), Err(Error::Wrong(_))));
        assert!(matches!(read(&good[..47], 100 * SECOND, 104 * SECOND), Err(Error::Silent)));
    }

    proptest! {
        #[test]
        fn any_answer_is_read(bytes: Vec<u8>, received: u64, left: u64, took in 0..SECOND) {
            let _ = read(&bytes, 1, 2);
            if let Ok(answer) = read(&answer(7, received, left), 7, 7 + took) {
                prop_assert!(answer.delay >= 0.0 && answer.offset.is_finite());
            }
        }
    }
}
