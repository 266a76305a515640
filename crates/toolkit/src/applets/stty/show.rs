//! Settings as GNU's stty prints them.

use super::modes::{CHARACTERS, Field, MODES, Mode, PLACES, Sane};
use rustix::termios::{LocalModes, SpecialCodeIndex, Termios, Winsize, tcgetwinsize};
use std::fmt::Write as _;

/// The bits of the control modes that hold the speed (termios(3), CBAUD), and those of the input's.
const SPEED: u32 = 0o10_017;
pub(super) const INPUT_SPEED: u32 = SPEED << 16;
/// The kernel's array of characters, with places nobody uses (NCCS of glibc).
const CODES: usize = 32;

/// Lines of words that are wrapped at the right edge.
struct Lines {
    text: String,
    column: usize,
    width: usize,
}

impl Lines {
    fn new(width: usize) -> Self {
        Self { text: String::new(), column: 0, width }
    }

    fn word(&mut self, word: &str) {
        let gap = usize::from(self.column > 0);
        if self.column > 0 && self.column + gap + word.len() > self.width {
            self.end();
        } else if gap > 0 {
            self.text.push(' ');
            self.column += 1;
        }
        self.text.push_str(word);
        self.column += word.len();
    }

    fn end(&mut self) {
        self.text.push('\n');
        self.column = 0;
    }

    fn end_if_begun(&mut self) {
        if self.column > 0 {
            self.end();
        }
    }
}

/// How wide lines may be: as the terminal they are printed on, or as the environment says.
pub(super) fn width() -> usize {
    let asked = tcgetwinsize(std::io::stdout()).ok().map(|size| usize::from(size.ws_col));
    let said = || std::env::var("COLUMNS").ok()?.parse().ok().filter(|width| *width > 0);
    asked.filter(|width| *width > 0).or_else(said).unwrap_or(80)
}

/// `-g`.
pub(super) fn save(termios: &Termios) -> String {
    let fields = [Field::Input, Field::Output, Field::Control, Field::Local];
    let words = fields.iter().map(|field| format!("{:x}", field.get(termios)));
    let codes = PLACES.iter().map(|place| format!("{:x}", termios.special_codes[*place]));
    let unused = std::iter::repeat_n("0".to_owned(), CODES - PLACES.len());
    let all: Vec<String> = words.chain(codes).chain(unused).collect();
    format!("{}\n", all.join(":"))
}

/// `-a`.
pub(super) fn all(termios: &Termios, size: Option<Winsize>, width: usize) -> String {
    let mut lines = Lines::new(width);
    lines.word(&speed(termios, true));
    if let Some(size) = size {
        lines.word(&format!("rows {}; columns {};", size.ws_row, size.ws_col));
    }
    lines.word(&format!("line = {};", termios.line_discipline));
    lines.end();
    for (name, code) in characters(termios) {
        lines.word(&format!("{name} = {};", visible(code)));
    }
    lines.word(&min_time(termios));
    lines.end();
    let mut field = None;
    for mode in MODES.iter().filter(|mode| !mode.is_alias) {
        if field.replace(mode.field).is_some_and(|before| before != mode.field) {
            lines.end();
        }
        if mode.is_on(termios) {
            lines.word(mode.name);
        } else if mode.mask == 0 {
            lines.word(&format!("-{}", mode.name));
        }
    }
    lines.end();
    lines.text
}

/// Without options: what is not as `sane` would have it.
pub(super) fn changed(termios: &Termios, width: usize) -> String {
    let mut lines = Lines::new(width);
    lines.word(&speed(termios, true));
    lines.word(&format!("line = {};", termios.line_discipline));
    lines.end();
    let sane =
        |name: &str| CHARACTERS.iter().find(|(known, ..)| *known == name).map(|known| known.2);
    for (name, code) in characters(termios).filter(|(name, code)| sane(name) != Some(*code)) {
        lines.word(&format!("{name} = {};", visible(code)));
    }
    if !termios.local_modes.contains(LocalModes::ICANON) {
        lines.word(&min_time(termios));
        lines.end();
    }
    lines.end_if_begun();
    let mut field = None;
    for mode in MODES.iter().filter(|mode| !mode.is_alias) {
        if field.replace(mode.field).is_some_and(|before| before != mode.field) {
            lines.end_if_begun();
        }
        if let Some(word) = deviation(mode, termios) {
            lines.word(&word);
        }
    }
    lines.end_if_begun();
    lines.text
}

fn deviation(mode: &Mode, termios: &Termios) -> Option<String> {
    match (mode.is_on(termios), mode.sane) {
        (true, Sane::Off) => Some(mode.name.to_owned()),
        (false, Sane::On) if mode.mask == 0 => Some(format!("-{}", mode.name)),
        _ => None,
    }
}

/// The control characters without `min` and `time`.
fn characters(termios: &Termios) -> impl Iterator<Item = (&'static str, u8)> {
    let all = CHARACTERS.iter().filter(|(name, ..)| !matches!(*name, "min" | "time"));
    all.map(|(name, place, _)| (*name, termios.special_codes[*place]))
}

fn min_time(termios: &Termios) -> String {
    let of = |place| termios.special_codes[place];
    let (min, time) = (of(SpecialCodeIndex::VMIN), of(SpecialCodeIndex::VTIME));
    format!("min = {min}; time = {time};")
}

/// The speed; that of input too where it is another.
pub(super) fn speed(termios: &Termios, long: bool) -> String {
    let (input, output) = (termios.input_speed(), termios.output_speed());
    match (input == 0 || input == output, long) {
        (true, true) => format!("speed {output} baud;"),
        (true, false) => output.to_string(),
        (false, true) => format!("ispeed {input} baud; ospeed {output} baud;"),
        (false, false) => format!("{input} {output}"),
    }
}

/// The speed that the bits of the control modes stand for.
pub(super) fn encoded_speed(control: u32) -> Option<u32> {
    let code = control & SPEED;
    // B57600 and up have the extension's bit, and 0o10000 itself means: another number.
    let at = if code < 16 { code } else { (code & 0o17) + 15 };
    super::SPEEDS.get(usize::try_from(at).ok()?).copied().filter(|_| code != 0o10_000)
}

/// A character as `^C`, `M-x`, or `<undef>`.
fn visible(code: u8) -> String {
    let mut text = String::new();
    let low = code & 0x7f;
    if code == 0 {
        return "<undef>".into();
    }
    if code >= 0x80 {
        text.push_str("M-");
    }
    let _ = match low {
        0..0x20 => write!(text, "^{}", char::from(low + 0x40)),
        0x7f => write!(text, "^?"),
        _ => write!(text, "{}", char::from(low)),
    };
    text
}
