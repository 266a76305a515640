//! Times in `-printf`: with ten digits behind the second where GNU's have them.

use crate::dates;

/// `Sat Nov 27 18:43:01.1234567890 2026`
pub(crate) fn plain((seconds, nanoseconds): (i64, u32)) -> Vec<u8> {
    let date = dates::date(seconds);
    let (weekday, month, day, time) = (date.weekday, date.month, date.day, &date.time);
    format!("{weekday} {month} {day:2} {time}.{nanoseconds:09}0 {:04}", date.year).into_bytes()
}

/// As one of strftime(3)'s letters, `@` or `+` says.
pub(crate) fn by_letter(letter: u8, (seconds, nanoseconds): (i64, u32)) -> Vec<u8> {
    let fraction = format!(".{nanoseconds:09}0");
    let format = match letter {
        b'@' => return format!("{seconds}{fraction}").into_bytes(),
        b'+' => format!("%Y-%m-%d+%H:%M:%S{fraction}"),
        b'S' => format!("%S{fraction}"),
        b'T' | b'X' => format!("%H:%M:%S{fraction}"),
        b'r' => "%I:%M:%S %p".to_owned(),
        b'c' => "%a %b %e %H:%M:%S %Y".to_owned(),
        b'x' => "%m/%d/%y".to_owned(),
        letter => format!("%{}", char::from(letter)),
    };
    dates::formatted(format.as_bytes(), seconds, false)
        .unwrap_or_else(|_| seconds.to_string().into_bytes())
}
