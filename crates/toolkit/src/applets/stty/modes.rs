//! The settings of termios(3) by their names in POSIX and GNU's stty.

use rustix::termios::{
    ControlModes, InputModes, LocalModes, OutputModes, SpecialCodeIndex, Termios,
};

/// A word of the settings.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Field {
    Control,
    Input,
    Output,
    Local,
}

impl Field {
    pub(super) fn get(self, termios: &Termios) -> u32 {
        match self {
            Self::Control => termios.control_modes.bits(),
            Self::Input => termios.input_modes.bits(),
            Self::Output => termios.output_modes.bits(),
            Self::Local => termios.local_modes.bits(),
        }
    }

    pub(super) fn set(self, termios: &mut Termios, bits: u32) {
        match self {
            Self::Control => termios.control_modes = ControlModes::from_bits_retain(bits),
            Self::Input => termios.input_modes = InputModes::from_bits_retain(bits),
            Self::Output => termios.output_modes = OutputModes::from_bits_retain(bits),
            Self::Local => termios.local_modes = LocalModes::from_bits_retain(bits),
        }
    }
}

/// What `sane` makes of a mode.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Sane {
    On,
    Off,
    AsItIs,
}

/// A mode by its name.
pub(super) struct Mode {
    pub(super) name: &'static str,
    pub(super) field: Field,
    /// The bits it stands for.
    pub(super) bits: u32,
    /// Those it is one value of, for modes that are numbers; else 0, and `-NAME` turns it off.
    pub(super) mask: u32,
    pub(super) sane: Sane,
    /// Another name of the one before; not printed.
    pub(super) is_alias: bool,
}

impl Mode {
    pub(super) fn is_on(&self, termios: &Termios) -> bool {
        let mask = if self.mask == 0 { self.bits } else { self.mask };
        self.field.get(termios) & mask == self.bits
    }

    pub(super) fn turn(&self, termios: &mut Termios, on: bool) {
        let rest = self.field.get(termios) & !self.mask & !self.bits;
        self.field.set(termios, if on { rest | self.bits } else { rest });
    }
}

const fn flag(name: &'static str, field: Field, bits: u32, sane: Sane) -> Mode {
    Mode { name, field, bits, mask: 0, sane, is_alias: false }
}

const fn alias(name: &'static str, field: Field, bits: u32) -> Mode {
    Mode { name, field, bits, mask: 0, sane: Sane::AsItIs, is_alias: true }
}

const fn number(name: &'static str, field: Field, bits: u32, mask: u32, sane: Sane) -> Mode {
    Mode { name, field, bits, mask, sane, is_alias: false }
}

use Field::{Control, Input, Local, Output};
use Sane::{AsItIs, Off, On};

type C = ControlModes;
type I = InputModes;
type O = OutputModes;
type L = LocalModes;

/// In the order in which `-a` prints them.
#[rustfmt::skip]
pub(super) static MODES: &[Mode] = &[
    flag("parenb", Control, C::PARENB.bits(), AsItIs),
    flag("parodd", Control, C::PARODD.bits(), AsItIs),
    flag("cmspar", Control, C::CMSPAR.bits(), AsItIs),
    number("cs5", Control, C::CS5.bits(), C::CSIZE.bits(), AsItIs),
    number("cs6", Control, C::CS6.bits(), C::CSIZE.bits(), AsItIs),
    number("cs7", Control, C::CS7.bits(), C::CSIZE.bits(), AsItIs),
    number("cs8", Control, C::CS8.bits(), C::CSIZE.bits(), AsItIs),
    flag("hupcl", Control, C::HUPCL.bits(), AsItIs),
    alias("hup", Control, C::HUPCL.bits()),
    flag("cstopb", Control, C::CSTOPB.bits(), AsItIs),
    flag("cread", Control, C::CREAD.bits(), On),
    flag("clocal", Control, C::CLOCAL.bits(), AsItIs),
    flag("crtscts", Control, C::CRTSCTS.bits(), AsItIs),
    flag("ignbrk", Input, I::IGNBRK.bits(), Off),
    flag("brkint", Input, I::BRKINT.bits(), On),
    flag("ignpar", Input, I::IGNPAR.bits(), AsItIs),
    flag("parmrk", Input, I::PARMRK.bits(), AsItIs),
    flag("inpck", Input, I::INPCK.bits(), AsItIs),
    flag("istrip", Input, I::ISTRIP.bits(), AsItIs),
    flag("inlcr", Input, I::INLCR.bits(), Off),
    flag("igncr", Input, I::IGNCR.bits(), Off),
    flag("icrnl", Input, I::ICRNL.bits(), On),
    flag("ixon", Input, I::IXON.bits(), AsItIs),
    flag("ixoff", Input, I::IXOFF.bits(), Off),
    alias("tandem", Input, I::IXOFF.bits()),
    flag("iuclc", Input, I::IUCLC.bits(), Off),
    flag("ixany", Input, I::IXANY.bits(), Off),
    flag("imaxbel", Input, I::IMAXBEL.bits(), On),
    flag("iutf8", Input, I::IUTF8.bits(), Off),
    flag("opost", Output, O::OPOST.bits(), On),
    flag("olcuc", Output, O::OLCUC.bits(), Off),
    flag("ocrnl", Output, O::OCRNL.bits(), Off),
    flag("onlcr", Output, O::ONLCR.bits(), On),
    flag("onocr", Output, O::ONOCR.bits(), Off),
    flag("onlret", Output, O::ONLRET.bits(), Off),
    flag("ofill", Output, O::OFILL.bits(), Off),
    flag("ofdel", Output, O::OFDEL.bits(), Off),
    number("nl1", Output, O::NL1.bits(), O::NLDLY.bits(), Off),
    number("nl0", Output, O::NL0.bits(), O::NLDLY.bits(), On),
    number("cr3", Output, O::CR3.bits(), O::CRDLY.bits(), Off),
    number("cr2", Output, O::CR2.bits(), O::CRDLY.bits(), Off),
    number("cr1", Output, O::CR1.bits(), O::CRDLY.bits(), Off),
    number("cr0", Output, O::CR0.bits(), O::CRDLY.bits(), On),
    number("tab3", Output, O::TAB3.bits(), O::TABDLY.bits(), Off),
    number("tab2", Output, O::TAB2.bits(), O::TABDLY.bits(), Off),
    number("tab1", Output, O::TAB1.bits(), O::TABDLY.bits(), Off),
    number("tab0", Output, O::TAB0.bits(), O::TABDLY.bits(), On),
    number("bs1", Output, O::BS1.bits(), O::BSDLY.bits(), Off),
    number("bs0", Output, O::BS0.bits(), O::BSDLY.bits(), On),
    number("vt1", Output, O::VT1.bits(), O::VTDLY.bits(), Off),
    number("vt0", Output, O::VT0.bits(), O::VTDLY.bits(), On),
    number("ff1", Output, O::FF1.bits(), O::FFDLY.bits(), Off),
    number("ff0", Output, O::FF0.bits(), O::FFDLY.bits(), On),
    flag("isig", Local, L::ISIG.bits(), On),
    flag("icanon", Local, L::ICANON.bits(), On),
    flag("iexten", Local, L::IEXTEN.bits(), On),
    flag("echo", Local, L::ECHO.bits(), On),
    flag("echoe", Local, L::ECHOE.bits(), On),
    alias("crterase", Local, L::ECHOE.bits()),
    flag("echok", Local, L::ECHOK.bits(), On),
    flag("echonl", Local, L::ECHONL.bits(), Off),
    flag("noflsh", Local, L::NOFLSH.bits(), Off),
    flag("xcase", Local, L::XCASE.bits(), Off),
    flag("tostop", Local, L::TOSTOP.bits(), Off),
    flag("echoprt", Local, L::ECHOPRT.bits(), Off),
    alias("prterase", Local, L::ECHOPRT.bits()),
    flag("echoctl", Local, L::ECHOCTL.bits(), On),
    alias("ctlecho", Local, L::ECHOCTL.bits()),
    flag("echoke", Local, L::ECHOKE.bits(), On),
    alias("crtkill", Local, L::ECHOKE.bits()),
    flag("flusho", Local, L::FLUSHO.bits(), Off),
    flag("extproc", Local, L::EXTPROC.bits(), Off),
];

/// The control characters: name, place, what `sane` makes of it; in the order of `-a`.
pub(super) static CHARACTERS: &[(&str, SpecialCodeIndex, u8)] = &[
    ("intr", SpecialCodeIndex::VINTR, 3),
    ("quit", SpecialCodeIndex::VQUIT, 0x1c),
    ("erase", SpecialCodeIndex::VERASE, 0x7f),
    ("kill", SpecialCodeIndex::VKILL, 0x15),
    ("eof", SpecialCodeIndex::VEOF, 4),
    ("eol", SpecialCodeIndex::VEOL, 0),
    ("eol2", SpecialCodeIndex::VEOL2, 0),
    ("swtch", SpecialCodeIndex::VSWTC, 0),
    ("start", SpecialCodeIndex::VSTART, 0x11),
    ("stop", SpecialCodeIndex::VSTOP, 0x13),
    ("susp", SpecialCodeIndex::VSUSP, 0x1a),
    ("rprnt", SpecialCodeIndex::VREPRINT, 0x12),
    ("werase", SpecialCodeIndex::VWERASE, 0x17),
    ("lnext", SpecialCodeIndex::VLNEXT, 0x16),
    ("discard", SpecialCodeIndex::VDISCARD, 0x0f),
    ("min", SpecialCodeIndex::VMIN, 1),
    ("time", SpecialCodeIndex::VTIME, 0),
];

/// The characters in the order of the kernel's array, which `-g` prints.
pub(super) static PLACES: [SpecialCodeIndex; 17] = [
    SpecialCodeIndex::VINTR,
    SpecialCodeIndex::VQUIT,
    SpecialCodeIndex::VERASE,
    SpecialCodeIndex::VKILL,
    SpecialCodeIndex::VEOF,
    SpecialCodeIndex::VTIME,
    SpecialCodeIndex::VMIN,
    SpecialCodeIndex::VSWTC,
    SpecialCodeIndex::VSTART,
    SpecialCodeIndex::VSTOP,
    SpecialCodeIndex::VSUSP,
    SpecialCodeIndex::VEOL,
    SpecialCodeIndex::VREPRINT,
    SpecialCodeIndex::VDISCARD,
    SpecialCodeIndex::VWERASE,
    SpecialCodeIndex::VLNEXT,
    SpecialCodeIndex::VEOL2,
];

/// The names that stand for several: what else they are made of, without and with `-`. `None`: there
/// is no such setting. Those of the list are words of [`MODES`] and [`CHARACTERS`].
pub(super) fn combination(name: &str, off: bool) -> Option<&'static str> {
    Some(match (name, off) {
        ("evenp" | "parity", false) => "parenb -parodd cs7",
        ("oddp", false) => "parenb parodd cs7",
        ("evenp" | "parity" | "oddp", true) => "-parenb cs8",
        ("nl", false) => "-icrnl -onlcr",
        ("nl", true) => "icrnl -inlcr -igncr onlcr -ocrnl -onlret",
        ("ek", false) => "erase ^? kill ^U",
        ("cbreak", false) => "-icanon",
        ("cbreak", true) => "icanon",
        ("pass8", false) => "-parenb cs8 -istrip",
        ("pass8", true) => "parenb cs7 istrip",
        ("litout", false) => "-parenb cs8 -istrip -opost",
        ("litout", true) => "parenb cs7 istrip opost",
        ("raw", false) | ("cooked", true) => {
            "-ignbrk -brkint -ignpar -parmrk -inpck -istrip -inlcr -igncr -icrnl -ixon -ixoff \
             -iuclc -ixany -imaxbel -iutf8 -opost -isig -icanon -xcase min 1 time 0"
        }
        ("cooked", false) | ("raw", true) => "brkint ignpar istrip icrnl ixon opost isig icanon",
        ("decctlq", false) => "-ixany",
        ("decctlq", true) => "ixany",
        ("tabs", false) => "tab0",
        ("tabs", true) => "tab3",
        ("lcase" | "LCASE", false) => "xcase iuclc olcuc",
        ("lcase" | "LCASE", true) => "-xcase -iuclc -olcuc",
        ("crt", false) => "echoe echoctl echoke",
        ("dec", false) => "echoe echoctl echoke -ixany intr ^C erase ^? kill ^U",
        _ => return None,
    })
}
