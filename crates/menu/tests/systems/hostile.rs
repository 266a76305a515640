//! Systems whose configurations are damaged, or made to keep their reader busy: every evaluation ends soon, takes little
//! memory, and gives entries that make sense.
//!
//! `PROPTEST_CASES=100000` before the test's command tries more.

use crate::corpus::{System, systems};
use proptest::{prelude::*, sample::Index, test_runner::Config};
use std::{fs, sync::LazyLock};
use xenoboot_menu::{Entry, Firmware, Found, Place, memory::Memory, scan};

static SYSTEMS: LazyLock<Vec<System>> = LazyLock::new(systems);

/// Of the processor's time, seconds. The slowest takes about a tenth.
const MAX_SECONDS: f64 = 20.0;

/// What the entries of all menus may take together, bytes.
const MAX_BYTES: usize = 48 << 20;

/// Memory that an evaluation may take, KiB.
const MAX_MEMORY: u64 = 400 << 10;

/// What configurations are made of.
const TOKENS: &[&str] = &[
    "\n",
    ";",
    " ",
    "{",
    "}",
    "'",
    "\"",
    "\\",
    "$",
    "#",
    "!",
    "|",
    "&",
    "<",
    "\0",
    "\u{fffd}",
    "menuentry ",
    "menuentry x {\n",
    "submenu y {\n",
    "if ",
    "[ ",
    " ]",
    "[ ! ",
    " -a ",
    " -o ",
    "; then\n",
    "elif ",
    "else\n",
    "fi\n",
    "for x in ",
    "while true; do\n",
    "until false; do\n",
    "do\n",
    "done\n",
    "function f {\n",
    "f\n",
    "f x y\n",
    "$@",
    "$*",
    "\"$@\"",
    "$1",
    "$x",
    "${x}",
    "${",
    "set x=$x$x\n",
    "x=\"$x$x\"\n",
    "unset x\n",
    "export x\n",
    "shift\n",
    "setparams a b\n",
    "return\n",
    "break 9\n",
    "continue\n",
    "eval \"$x\"\n",
    "eval f\n",
    "load_env\n",
    "blscfg\n",
    "source /boot/grub/grub.cfg\n",
    "configfile $config_file\n",
    "normal\n",
    "increment x\n",
    "regexp --set=1:x '(.*)' $x\n",
    "search --set=root -f /vmlinuz\n",
    "probe -u $root -s x\n",
    "linux /vmlinuz $x\n",
    "initrd /initrd.img\n",
    "chainloader +1\n",
    "multiboot2 /x\n",
    "/*",
    "/*/*",
    "default=",
    "--id ",
    "(hd0,gpt1)",
    "($root)",
    "LABEL a\n",
    "KERNEL /vmlinuz\n",
    "APPEND initrd=/a,/b x\n",
    "INCLUDE extlinux.conf\n",
    "MENU BEGIN\n",
    "MENU END\n",
    "TEXT HELP\n",
    "mboot.c32 ",
    " --- ",
    "image=/vmlinuz\n",
    "label=a\n",
    "linux\n",
    "options a\n",
    "title a\n",
    "# GRUB Environment Block\n",
    "saved_entry=",
    "version 1.2~3^4-5\n",
];

/// Where configurations are looked for: what stood elsewhere may come to stand here.
const PLACES: &[&str] = &[
    "/boot/grub/grub.cfg",
    "/boot/grub2/grub.cfg",
    "/boot/grub/grubenv",
    "/EFI/debian/grub.cfg",
    "/loader/entries/a+3-1.conf",
    "/boot/loader/entries/b.conf",
    "/loader/loader.conf",
    "/EFI/Linux/a.efi",
    "/boot/extlinux/extlinux.conf",
    "/isolinux/isolinux.cfg",
    "/etc/lilo.conf",
    "/etc/fstab",
    "/boot/vmlinuz-1",
];

/// One thing that is done to a file.
#[derive(Clone, Debug)]
enum Damage {
    Insert(Index, Index),
    /// So many times one behind another, and one within another.
    Repeat(Index, Index, usize),
    Cut(Index, usize),
    Truncate(Index),
    Flip(Index, u8),
    /// A part of it comes again, so many times.
    Double(Index, usize, usize),
    /// A part of another system's file comes in.
    Splice(Index, Index, Index, usize),
    /// It stands elsewhere as well.
    Copy(Index),
}

fn damage() -> impl Strategy<Value = Damage> {
    let at = any::<Index>;
    prop_oneof![
        4 => (at(), at()).prop_map(|(at, token)| Damage::Insert(at, token)),
        2 => (at(), at(), 1..3000_usize).prop_map(|(at, token, n)| Damage::Repeat(at, token, n)),
        2 => (at(), 0..300_usize).prop_map(|(at, length)| Damage::Cut(at, length)),
        1 => at().prop_map(Damage::Truncate),
        2 => (at(), any::<u8>()).prop_map(|(at, byte)| Damage::Flip(at, byte)),
        2 => (at(), 1..600_usize, 1..200_usize).prop_map(|(at, length, n)| Damage::Double(at, length, n)),
        2 => (at(), at(), at(), 1..2000_usize).prop_map(|(at, s, f, n)| Damage::Splice(at, s, f, n)),
        1 => at().prop_map(Damage::Copy),
    ]
}

/// A part of a text that begins anywhere.
fn part<'a>(text: &'a [u8], at: &Index, length: usize) -> &'a [u8] {
    let from = at.index(text.len() + 1);
    &text[from..(from + length).min(text.len())]
}

impl Damage {
    fn apply(&self, system: &mut System, which: &Index) {
        let nth = which.index(system.files.len());
        let (device, _, content) = &mut system.files[nth];
        let mut insert = |at: &Index, more: Vec<u8>| {
            let at = at.index(content.len() + 1);
            content.splice(at..at, more);
        };
        match self {
            Self::Insert(at, token) => insert(at, token.get(TOKENS).as_bytes().to_vec()),
            Self::Repeat(at, token, times) => {
                insert(at, token.get(TOKENS).repeat(*times).into_bytes())
            }
            Self::Double(at, length, times) => {
                let more = part(content, at, *length).repeat(*times);
                let at = at.index(content.len() + 1);
                content.splice(at..at, more);
            }
            Self::Splice(at, other, file, length) => {
                let (.., text) = file.get(&other.get(&SYSTEMS).files);
                insert(at, part(text, file, *length).to_vec());
            }
            Self::Cut(at, length) => {
                let from = at.index(content.len() + 1);
                content.drain(from..(from + length).min(content.len()));
            }
            Self::Truncate(at) => content.truncate(at.index(content.len() + 1)),
            Self::Flip(at, byte) => {
                if !content.is_empty() {
                    let at = at.index(content.len());
                    content[at] ^= byte;
                }
            }
            Self::Copy(to) => {
                let copy = (*device, (*to.get(PLACES)).to_owned(), content.clone());
                system.files.push(copy);
            }
        }
    }
}

/// The processor's time of this thread, seconds.
fn seconds() -> f64 {
    let text = fs::read_to_string("/proc/thread-self/schedstat").unwrap();
    text.split(' ').next().unwrap().parse::<f64>().unwrap() / 1e9
}

/// The most memory that this process has had since [`forget_memory`], KiB.
fn memory() -> u64 {
    let text = fs::read_to_string("/proc/self/status").unwrap();
    let line = text.lines().find_map(|line| line.strip_prefix("VmHWM:")).unwrap();
    line.trim().trim_end_matches(" kB").parse().unwrap()
}

fn forget_memory() {
    // Where the kernel does not let us, it is counted from the start.
    let _ = fs::write("/proc/self/clear_refs", "5");
}

/// Evaluates, and says what is not as it must be.
fn judge(files: &Memory, devices: usize, firmware: Firmware) -> Result<Found, TestCaseError> {
    forget_memory();
    let (before, own) = (seconds(), memory());
    let found = scan(files, firmware);
    let (took, memory) = (seconds() - before, memory().saturating_sub(own));
    prop_assert!(took < MAX_SECONDS, "it took {} s", took);
    prop_assert!(memory < MAX_MEMORY, "it took {} KiB", memory);
    prop_assert!(found.entries.len() <= 5000 && found.faults.len() <= 501);
    prop_assert!(found.entries.iter().map(size).sum::<usize>() < MAX_BYTES);
    if let Some(default) = found.default {
        prop_assert!(found.entries.get(default).is_some_and(|entry| entry.default));
    }
    for entry in &found.entries {
        let modules = entry.modules.iter().map(|module| &module.place);
        let places = entry.initrds.iter().chain([&entry.kernel, &entry.config]).chain(modules);
        for place in places.chain(&entry.device_tree) {
            prop_assert!(place.device < devices, "{:?}", place);
            prop_assert_eq!(place, &Place::new(place.device, &place.path));
        }
    }
    Ok(found)
}

fn size(entry: &Entry) -> usize {
    let modules = entry.modules.iter().map(|m| m.place.path.len() + m.command_line.len());
    let initrds = entry.initrds.iter().map(|place| place.path.len());
    let texts = entry.submenu.iter().chain([&entry.title, &entry.id, &entry.command_line]);
    modules.chain(initrds).chain(texts.map(String::len)).sum()
}

/// So many times what proptest would do, or `$PROPTEST_CASES` says.
fn cases(times: u32) -> Config {
    let usual = Config::default();
    Config { cases: usual.cases.saturating_mul(times), ..usual }
}

proptest! {
    #![proptest_config(cases(1))]

    #[test]
    fn damaged_systems_are_survived(
        which in any::<Index>(),
        damages in prop::collection::vec((any::<Index>(), damage()), 1..8),
    ) {
        let mut system = which.get(&SYSTEMS).clone();
        for (file, damage) in &damages {
            damage.apply(&mut system, file);
        }
        judge(&system.memory(), system.devices.len(), system.firmware)?;
    }

    #[test]
    fn any_words_are_survived(
        place in prop::sample::select(PLACES),
        words in prop::collection::vec(prop::sample::select(TOKENS), 0..200),
    ) {
        let mut system = SYSTEMS[0].clone();
        system.files.push((0, place.to_owned(), words.concat().into_bytes()));
        judge(&system.memory(), system.devices.len(), Firmware::Bios)?;
    }
}

/// A disk with one file.
fn with(path: &str, content: impl Into<Vec<u8>>) -> Memory {
    let device =
        xenoboot_menu::Device { name: "sda1".into(), uuid: "77".into(), ..Default::default() };
    Memory::new().device(device).file("/vmlinuz", "k").file(path, content)
}

const GRUB: &str = "/boot/grub/grub.cfg";

/// What each part of the evaluation would do more of than it should, were it not bounded.
#[test]
fn what_is_made_to_take_long_or_much_does_not() {
    let many = |text: &str, bytes: usize| text.repeat(bytes / text.len());
    let large = 1 << 18;
    let long = many("y", 60_000);
    let grub = [
        format!("set x={long}\nmenuentry a {{\nlinux /vmlinuz{}\n}}\n", many(" $x", large)),
        format!("set x={long}\nset y=\"{}\"\nmenuentry a {{\nlinux /vmlinuz $y\n}}\n", many("$x", large)),
        format!("set x='{}'\nfunction f {{\n{}}}\nf $x $x $x $x $x $x\n", many("a ", 60_000), many("menuentry b {\nlinux /vmlinuz\n}\n", large)),
        format!("set x={long}\nsetparams {}\n{}", many("$x ", 90), many("echo \"$*\" \"$*\" \"$*\"\n", large)),
        format!("while true; do\n{} true\ndone", many("! ", 8000)),
        format!("while true; do\n[ {} a ]\ndone", many("! ", 8000)),
        format!("while true; do\n[ {} a ]\ndone", many("( ", 8000)),
        format!("set x={long}\nwhile true; do\nregexp '(y{{1,90}}){{1,90}}z' $x\ndone"),
        "while true; do\nregexp '((a{1,50}){1,50}){1,4}' b\ndone".to_owned(),
        format!("while true; do\nfor i in {}; do\ntrue\ndone\ndone", many("/* ", 4000)),
        format!("for x in {}; do\nexport ${{x}}{long}\ndone\n{}", many("a b c d ", 90_000), many("menuentry c {\nlinux /vmlinuz\n}\n", large / 8)),
        format!("x='eval \"$x\"'\neval \"$x\"\n{}", many("menuentry 'd\n", large)),
        many("menuentry e {\n", large),
        many("submenu g {\nmenuentry h {\nlinux /vmlinuz\n}\nconfigfile /boot/grub/grub.cfg\n}\n", large / 4),
        "while true; do\nsource /boot/grub/grub.cfg\nconfigfile /boot/grub/grub.cfg\nload_env -f /boot/grub/grub.cfg\ndone".to_owned(),
    ];
    let mut disks: Vec<Memory> = grub.into_iter().map(|text| with(GRUB, text)).collect();
    let confs = |count: usize, text: String| {
        let disk = with(GRUB, "while true; do\nblscfg\ndone\n");
        let paths = (0..count).map(|nth| format!("/loader/entries/{nth}.conf"));
        paths.fold(disk, |disk, path| disk.file(&path, text.clone()))
    };
    let syslinux = "/boot/extlinux/extlinux.conf";
    disks.extend([
        confs(100, many("linux\n", 60_000)),
        confs(100, format!("linux /vmlinuz\noptions {}\n", many("a ", 60_000))),
        confs(20, many("linux\n", large)),
        with("/loader/loader.conf", many("a\n", large)),
        with(
            syslinux,
            format!(
                "{}{}",
                many("MENU BEGIN a\n", large),
                many("LABEL a\nKERNEL /vmlinuz\n", large)
            ),
        ),
        with(
            syslinux,
            format!(
                "APPEND {}\n{}",
                many("initrd=/a,/b,/c ", large),
                many("LABEL a\nKERNEL /vmlinuz\n", large)
            ),
        ),
        with(syslinux, many("INCLUDE extlinux.conf\n", large)),
        with(
            "/etc/lilo.conf",
            format!("append={}\n{}", many("a ", 3 * large), many("image=/vmlinuz\n", large / 2)),
        ),
        with("/etc/fstab", many("a / b c\n", large)),
        (0..5_000)
            .fold(with(GRUB, ""), |disk, nth| disk.file(&format!("/boot/vmlinuz-{nth}"), "k")),
        (0..100).fold(with(GRUB, ""), |disk, nth| {
            disk.file(
                &format!("/EFI/{nth}/grub.cfg"),
                many("menuentry a {\nlinux /vmlinuz $x\n}\n", large / 32),
            )
        }),
    ]);
    for (nth, disk) in disks.iter().enumerate() {
        if let Err(wrong) = judge(disk, 1, Firmware::Uefi) {
            panic!("number {nth}: {wrong}");
        }
    }
}
