//! Operators, in the trust file and in bundles.
#![allow(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    reason = "a test that panics has failed, which is what it is for"
)]

use proptest::prelude::*;
use xenoboot_site::{Operator, Role, SshKey, Trust, parse_authorized};

/// As `ssh-keygen -t ed25519` made it.
const KEY: &str =
    "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIJdD7y3aLq454yWBdwLWbieU1ebz9/cu7/QEXn9OIeZJ";
const SECOND: &str =
    "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAILM+rvN+ot98qgEN796jTiQfZfG1KaT0PtFDJ/XFSqti";

fn trust(operators: &str) -> Result<Trust, String> {
    Trust::parse(&format!(
        "fleet = \"00112233445566778899aabbccddeeff\"\nname = \"x\"\nthreshold = 1\n[[signer]]\nname = \"a\"\n\
         key = \"11qYAYKxCrfVS/7TyWQHOg7hcvPapiMlrwIaaPcHURo=\"\n{operators}"
    ))
    .map_err(|e| e.to_string())
}

#[test]
fn operators_of_a_trust_file() {
    let text = format!(
        "[[operator]]\nname = \"alice\"\nkey = \"{KEY} alice@example\"\n\
         [[operator]]\nname = \"ca\"\nauthority = \"{SECOND}\"\nprincipals = [\"oncall\", \"root\"]\n"
    );
    let read = trust(&text).unwrap();
    assert_eq!(read.operators[0].key().to_string(), KEY);
    assert!(
        matches!(&read.operators[1].role, Role::Authority { principals, .. } if principals.len() == 2)
    );
    assert_eq!(Trust::parse(&read.to_toml()).unwrap(), read);
    for (from, to, words) in [
        ("ssh-ed25519", "ssh-rsa", "line 9, column 7: `ssh-rsa` is no kind of key that is taken"),
        ("AAAAC3", "AAAAC4", "not the key that `ssh-ed25519` announces"),
        ("key = ", "kez = ", "unknown field `kez`"),
        ("principals = [\"oncall\", \"root\"]", "", "authority ca must say for whom it signs"),
        ("[\"oncall\", \"root\"]", "[]", "authority ca must say for whom it signs"),
        ("\"oncall\"", "\"on call\"", "`on call` is not a name"),
        ("\"ca\"", "\"alice\"", "operator alice or its key is there already"),
        ("authority", "key", "operator ca has `principals`, which go with `authority`"),
        ("key = \"", "authority = \"", "authority alice must say"),
    ] {
        let problem = trust(&text.replacen(from, to, 1)).unwrap_err();
        assert!(problem.contains(words), "{from} -> {to}: {problem}");
    }
    let none = trust("[[operator]]\nname = \"x\"\n").unwrap_err();
    assert!(none.contains("needs either `key` or `authority`"), "{none}");
}

#[test]
fn keys_for_which_anybody_can_sign_are_refused() {
    assert!(SshKey::parse(&SshKey::ed25519(&[0; 32]).to_string()).is_err());
    assert_eq!(SshKey::parse(KEY).unwrap().blob().len(), 51);
    let token = "sk-ssh-ed25519@openssh.com AAAAGnNrLXNzaC1lZDI1NTE5QG9wZW5zc2guY29tAAAAIJdD7y3aLq454yWBdwLWbieU1ebz9/cu7/QEXn9OIeZJAAAABHNzaDo=";
    assert_eq!(SshKey::parse(token).unwrap().to_string(), token);
    assert!(SshKey::parse(&token.replacen("sk-", "", 1)).is_err());
}

#[test]
fn operators_of_a_bundle() {
    let text =
        format!("# who\n\n{KEY} alice@example\ncert-authority,principals=\"a,b\" {SECOND} ca\n");
    let read = parse_authorized(&text).unwrap();
    let names: Vec<_> = read.iter().map(|Operator { name, .. }| name.as_str()).collect();
    assert_eq!(names, ["alice", "ca"]);
    for (text, words) in [
        (KEY.to_owned(), "line 1: after the key the operator's name is expected"),
        (format!("command=\"x\" {KEY} a"), "line 1: after the key"),
        (format!("{KEY} a\n{KEY} b"), "line 2: operator b or its key is there already"),
        (format!("cert-authority,principals=\"\" {KEY} a"), "principals are 1 to"),
        (format!("cert-authority {KEY} a"), "line 1"),
    ] {
        let problem = parse_authorized(&text).unwrap_err();
        assert!(problem.contains(words), "{text}: {problem}");
    }
}

proptest! {
    #[test]
    fn no_text_does_harm(text in any::<String>(), bytes in "[A-Za-z0-9+/=]{0,90}") {
        let _ = (parse_authorized(&text), SshKey::parse(&text));
        let line = format!("ssh-ed25519 {bytes}");
        if let Ok(key) = SshKey::parse(&line) {
            prop_assert_eq!(key.to_string(), line);
        }
    }

    #[test]
    fn a_key_is_read_as_it_is_written(key in any::<[u8; 32]>()) {
        let key = SshKey::ed25519(&key);
        prop_assert_eq!(SshKey::parse(&key.to_string()).ok(), Some(key));
    }
}
