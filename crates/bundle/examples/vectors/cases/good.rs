//! Bundles that may run, and those that may not here or now.

use super::{changed, listed, payload, signed};
use crate::build::{Case, FLEET, MACHINE, NOW, Parts, SCRIPT, blob, file, int, set, text};
use ciborium::Value;

pub(super) fn good() -> Vec<Case> {
    let two = Parts::signed(&payload(), &FLEET, &[1, 2]).bytes();
    let everything = changed(|m| {
        m.insert(11, (int(12), int(256 << 20)));
        set(m, 10, Value::Array(vec![text("--fast"), text("")]));
        set(m, 13, Value::Array(vec![int(3), int(600)]));
        set(m, 14, Value::Array(vec![int(1)]));
        let files = vec![
            blob("bin/tool", 1 << 20, 0xbb),
            blob("data/image", 5 << 30, 0xcc),
            file("run", 0o700, SCRIPT),
        ];
        set(m, 15, Value::Array(files));
    });
    let mut last_second = Case::new(
        "ok-last-second",
        "It is valid in the second of its expiry.",
        "ok",
        signed(&payload()),
    );
    last_second.now = NOW + 86_400;
    let mut ahead = Case::new(
        "ok-clock-leeway",
        "It was made one hour ahead of the server's clock.",
        "ok",
        signed(&payload()),
    );
    ahead.now = NOW - 60 - 3600;
    let mut again =
        Case::new("ok-same-serial", "The same serial ran before.", "ok", signed(&payload()));
    again.last_serial = Some(7);
    vec![
        Case::new("ok-one-signature", "One pinned signer, threshold 1.", "ok", signed(&payload())),
        Case::new(
            "ok-two-of-three",
            "Two of three pinned signers, threshold 2.",
            "ok",
            two.clone(),
        )
        .trust(2, &[1, 2, 3]),
        Case::new(
            "ok-unpinned-beside",
            "A signature by a key that is not pinned, beside enough that are.",
            "ok",
            two,
        ),
        Case::new(
            "ok-machine-listed",
            "The machine is listed by key.",
            "ok",
            changed(|m| set(m, 7, listed(&[[1; 32], MACHINE], &[]))),
        ),
        Case::new(
            "ok-group-listed",
            "One of the machine's groups is listed.",
            "ok",
            changed(|m| set(m, 7, listed(&[[1; 32]], &["db", "web"]))),
        ),
        Case::new(
            "ok-every-field",
            "Every optional field, blobs among the files.",
            "ok",
            everything,
        ),
        Case::new(
            "ok-needs",
            "What the machine must have: the toolbox.",
            "ok",
            changed(|m| set(m, 17, Value::Array(vec![text("toolbox")]))),
        ),
        Case::new(
            "ok-extension",
            "Unknown fields under negative keys are passed over.",
            "ok",
            changed(|m| {
                set(m, -1, text("a note"));
                set(m, -2, Value::Map(vec![(int(1), Value::Bool(true)), (text("x"), Value::Null)]));
            }),
        ),
        last_second,
        ahead,
        again,
    ]
}

pub(super) fn subjects() -> Vec<Case> {
    let mut early = Case::new(
        "not-yet",
        "It was made an hour and a second ahead of the clock.",
        "NotYet",
        signed(&payload()),
    );
    early.now = NOW - 60 - 3601;
    let mut epoch = Case::new("not-yet-1980", "The clock says 1980.", "NotYet", signed(&payload()));
    epoch.now = 315_532_800;
    let mut late = Case::new("expired", "It expired a second ago.", "Expired", signed(&payload()));
    late.now = NOW + 86_401;
    let mut far = Case::new("expired-2080", "The clock says 2080.", "Expired", signed(&payload()));
    far.now = 3_471_292_800;
    let mut image = Case::new(
        "image-older",
        "It needs image 0.10.0, this is 0.9.9.",
        "Image",
        changed(|m| set(m, 8, Value::Array(vec![int(0), int(10), int(0)]))),
    );
    image.image = "0.9.9".to_owned();
    let mut serial =
        Case::new("serial-lower", "Serial 8 ran before.", "Serial", signed(&payload()));
    serial.last_serial = Some(8);
    let mut both = Case::new(
        "machine-before-expiry",
        "For another machine and expired: the machine is named first.",
        "Machine",
        changed(|m| set(m, 7, listed(&[[1; 32]], &[]))),
    );
    both.now = NOW * 2;
    vec![
        Case::new(
            "machine-other",
            "It names another machine.",
            "Machine",
            changed(|m| set(m, 7, listed(&[[1; 32]], &[]))),
        ),
        Case::new(
            "machine-other-group",
            "It names another group.",
            "Machine",
            changed(|m| set(m, 7, listed(&[], &["db"]))),
        ),
        early,
        epoch,
        late,
        far,
        image,
        serial,
        both,
    ]
}
