//! Fields of the manifest that break a rule.

use super::{changed, listed};
use crate::build::{Case, MACHINE, NOW, int, set, text};
use ciborium::Value;

pub(super) fn fields() -> Vec<Case> {
    let case = |name: &str, description: &str, expect: &str, key: i64, value: Value| {
        Case::new(
            &format!("field-{name}"),
            description,
            &format!("Manifest.{expect}"),
            changed(|m| set(m, key, value)),
        )
    };
    let remove = |key: u64| changed(|m| m.retain(|(k, _)| *k != int(key)));
    let long = Value::Array(vec![text(&"a".repeat(4097))]);
    let memory = Case::new(
        "field-memory-limit",
        "A memory limit under 1 MiB.",
        "Manifest.Memory",
        changed(|m| m.insert(11, (int(12), int(1024)))),
    );
    let texts = |items: &[&str]| Value::Array(items.iter().map(|i| text(i)).collect());
    let codes = |items: &[u64]| Value::Array(items.iter().map(|i| int(*i)).collect());
    vec![
        case("format", "Format 2.", "Format", 1, int(2)),
        case("unknown", "An unknown field that must not be ignored.", "UnknownField", 16, int(0)),
        case("needs-unknown", "A need that is not known.", "Need", 17, texts(&["moon"])),
        case("needs-none", "A list of needs that is empty.", "Need", 17, texts(&[])),
        case("needs-twice", "A need twice.", "Need", 17, texts(&["toolbox", "toolbox"])),
        Case::new("field-missing-expiry", "No expiry.", "Manifest.Missing", remove(5)),
        Case::new(
            "field-missing-machines",
            "It does not say for which machines.",
            "Manifest.Missing",
            remove(7),
        ),
        case("name-path", "A name with slashes.", "Name", 2, text("../x")),
        case("name-empty", "An empty name.", "Name", 2, text("")),
        case("name-long", "A name of 65 letters.", "Name", 2, text(&"a".repeat(65))),
        case("serial-negative", "A negative serial.", "Cbor.Type", 3, Value::Integer((-7).into())),
        case("expiry-before-making", "It expires before it was made.", "Times", 5, int(NOW - 61)),
        case(
            "expiry-year-10000",
            "It expires after the year 9999.",
            "Times",
            5,
            int(253_402_300_800),
        ),
        case("fleet-short", "A fleet id of 15 bytes.", "Length", 6, Value::Bytes(vec![0xf1; 15])),
        case("machines-word", "Machines by another word than `any`.", "Machines", 7, text("all")),
        case("machines-none", "No machine.", "Machines", 7, Value::Map(vec![])),
        case(
            "machines-empty-list",
            "A list without machines.",
            "Machines",
            7,
            Value::Map(vec![(int(1), Value::Array(vec![]))]),
        ),
        case(
            "machines-order",
            "Machine keys out of order.",
            "MachineOrder",
            7,
            listed(&[MACHINE, [1; 32]], &[]),
        ),
        case(
            "machines-twice",
            "A machine key twice.",
            "MachineOrder",
            7,
            listed(&[MACHINE, MACHINE], &[]),
        ),
        case(
            "groups-order",
            "Groups out of order.",
            "MachineOrder",
            7,
            listed(&[], &["web", "db"]),
        ),
        case("min-image-text", "The lowest image as a text.", "Cbor.Type", 8, text("0.1.0")),
        case(
            "min-image-large",
            "A version number above 65535.",
            "Length",
            8,
            codes(&[0, 65_536, 0]),
        ),
        case("args-long", "An argument of 4097 bytes.", "Argument", 10, long),
        case(
            "args-zero",
            "An argument with a zero byte.",
            "Argument",
            10,
            Value::Array(vec![text("a\0b")]),
        ),
        case("args-many", "65 arguments.", "TooMany", 10, Value::Array(vec![text("a"); 65])),
        case("time-limit-zero", "No time to run.", "Duration", 11, int(0)),
        case("time-limit-long", "A time limit above 30 days.", "Duration", 11, int(2_592_001)),
        memory,
        case("then-unknown", "An unknown action.", "Then", 13, codes(&[5])),
        case("then-extra", "A reboot with a delay.", "Then", 13, codes(&[1, 5])),
        case("then-at-once", "Running again without delay.", "Duration", 14, codes(&[3, 0])),
    ]
}
