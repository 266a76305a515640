//! Files that break a rule.

use super::{changed, with_files};
use crate::build::{Case, SCRIPT, blob, file, int, set};
use ciborium::Value;

pub(super) fn files() -> Vec<Case> {
    let run = || file("run", 0o755, SCRIPT);
    let other = |path: &str| file(path, 0o644, b"x");
    let case = |name: &str, description: &str, expect: &str, files: Vec<Value>| {
        Case::new(
            &format!("files-{name}"),
            description,
            &format!("Manifest.{expect}"),
            with_files(files),
        )
    };
    let with = |key: usize, value: Value| {
        let mut entry = run();
        let Value::Map(map) = &mut entry else { panic!("a file is a map") };
        map[key - 1].1 = value;
        vec![entry]
    };
    let unknown = {
        let mut f = run();
        let Value::Map(map) = &mut f else { panic!("a file is a map") };
        map.push((int(6), int(0)));
        vec![f]
    };
    let many = Value::Array(vec![int(0); 10_001]);
    vec![
        case("absolute", "An absolute path.", "Path.Absolute", vec![other("/etc/shadow"), run()]),
        case("dotdot", "A path that leaves the folder.", "Path.Dots", vec![other("../x"), run()]),
        case(
            "dotdot-inside",
            "A path with `..` in the middle.",
            "Path.Dots",
            vec![other("a/../../x"), run()],
        ),
        case("dot", "A path with `.`.", "Path.Dots", vec![other("./x"), run()]),
        case("empty-path", "An empty path.", "Path.Empty", vec![other(""), run()]),
        case(
            "two-slashes",
            "A path with an empty component.",
            "Path.Empty",
            vec![other("a//b"), run()],
        ),
        case("zero-byte", "A path with a zero byte.", "Path.Control", vec![other("a\0b"), run()]),
        case(
            "long-path",
            "A component of 256 bytes.",
            "Path.Long",
            vec![other(&"a".repeat(256)), run()],
        ),
        case("deep-path", "17 components.", "Path.Long", vec![other(&["a"; 17].join("/")), run()]),
        case("duplicate", "Two files with one path.", "DuplicatePath", vec![run(), run()]),
        case("order", "Paths out of order.", "FileOrder", vec![run(), other("a")]),
        case(
            "file-as-folder",
            "A file in the place of a folder.",
            "FileAsFolder",
            vec![other("a"), other("a-b"), other("a/b"), run()],
        ),
        case("setuid", "A mode with set-user-id.", "Mode", with(2, int(0o4755))),
        case("size", "An inline file with another size.", "Content", with(3, int(5))),
        case(
            "digest",
            "An inline file with another digest.",
            "Content",
            with(4, Value::Bytes(vec![0; 32])),
        ),
        case("digest-short", "A digest of 31 bytes.", "Length", with(4, Value::Bytes(vec![0; 31]))),
        case(
            "unknown-field",
            "An unknown field in a file, such as a link's target.",
            "UnknownField",
            unknown,
        ),
        case("none", "No files.", "EntryMissing", vec![]),
        case("entry-missing", "The entry is none of the files.", "EntryMissing", vec![other("a")]),
        case(
            "entry-mode",
            "The entry is not executable.",
            "EntryMode",
            vec![file("run", 0o644, SCRIPT)],
        ),
        case(
            "total",
            "Files of more than 16 GiB in total.",
            "TooLarge",
            vec![blob("a", 16 << 30, 1), run()],
        ),
        case(
            "total-overflow",
            "Sizes whose sum overflows 64 bits.",
            "TooLarge",
            vec![blob("a", u64::MAX, 1), blob("b", u64::MAX, 2), run()],
        ),
        case(
            "inline-large",
            "An inline file of more than 64 KiB.",
            "TooLarge",
            vec![file("a", 0o644, &vec![0; 65_537]), run()],
        ),
        case(
            "two-sizes",
            "One digest with two sizes.",
            "SizeConflict",
            vec![blob("a", 1, 1), blob("b", 2, 1), run()],
        ),
        Case::new("files-many", "10,001 files.", "Manifest.TooMany", changed(|m| set(m, 15, many))),
    ]
}
