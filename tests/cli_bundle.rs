//! `xenoboot fleet`, `keygen` and `bundle`, as a person or a script uses them.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test that panics has failed, which is what it is for"
)]

use serde_json::Value;
use std::{
    fs,
    io::Write,
    os::unix::fs::{PermissionsExt, symlink},
    path::{Path, PathBuf},
    process::{Command, Stdio},
};
use xenoboot_bundle::{
    SigningKey,
    sealed::{Label, OpeningKey, open},
};

/// A folder to work in, with a fleet of one unencrypted signer and a bundle's folder.
struct Desk(tempfile::TempDir);

/// What a command said.
struct Said {
    code: i32,
    out: String,
    err: String,
}

impl Said {
    fn json(&self) -> Value {
        assert_eq!(self.code, 0, "{}", self.err);
        serde_json::from_str(&self.out).unwrap()
    }

    fn ok(self) -> Self {
        assert_eq!(self.code, 0, "{}", self.err);
        self
    }

    /// It failed, and said each of `words` on standard error.
    fn failed(self, words: &[&str]) {
        assert_eq!(self.code, 1, "{}{}", self.out, self.err);
        assert!(self.err.starts_with("xenoboot: "), "{}", self.err);
        for word in words {
            assert!(self.err.contains(word), "no `{word}` in: {}", self.err);
        }
    }
}

impl Desk {
    fn empty() -> Self {
        Self(tempfile::tempdir().unwrap())
    }

    fn new() -> Self {
        let desk = Self::empty();
        desk.run("fleet new example --signer alice --no-passphrase").ok();
        desk.write("repair/bundle.toml", "name = \"repair\"\nany = true\nentry = \"run.sh\"\n");
        desk.write("repair/files/run.sh", "#!/bin/sh\necho hello\n");
        desk
    }

    fn path(&self, name: &str) -> PathBuf {
        self.0.path().join(name)
    }

    fn write(&self, name: &str, text: &str) {
        let path = self.path(name);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, text).unwrap();
    }

    fn recipe(&self, more: &str) {
        self.write("repair/bundle.toml", &format!("name = \"repair\"\nentry = \"run.sh\"\n{more}"));
    }

    fn run(&self, line: &str) -> Said {
        self.run_with(line, "")
    }

    /// Runs `xenoboot` with the words of `line`, in this folder and an empty environment.
    fn run_with(&self, line: &str, input: &str) -> Said {
        let mut child = Command::new(env!("CARGO_BIN_EXE_xenoboot"))
            .args(line.split_whitespace())
            .current_dir(self.0.path())
            .env_clear()
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        // A command that does not read its input may be gone already.
        let _ = child.stdin.take().unwrap().write_all(input.as_bytes());
        let output = child.wait_with_output().unwrap();
        let text = |bytes: Vec<u8>| String::from_utf8(bytes).unwrap();
        Said {
            code: output.status.code().unwrap(),
            out: text(output.stdout),
            err: text(output.stderr),
        }
    }

    fn build_signed(&self) -> Said {
        self.run("bundle build repair -o r.bundle --fleet example --key example/signers/alice.key")
    }
}

fn mode(path: &Path) -> u32 {
    fs::metadata(path).unwrap().permissions().mode() & 0o7777
}

#[test]
fn from_nothing_to_a_bundle_that_may_run() {
    let desk = Desk::new();
    let built = desk.build_signed();
    assert_eq!(built.err, "");
    assert!(built.ok().out.contains("signatures  1"));
    let verified = desk.run("bundle verify r.bundle --fleet example").ok();
    assert!(verified.out.starts_with("good: repair serial"), "{}", verified.out);
    assert!(verified.out.contains("signed by   alice (1 needed)"), "{}", verified.out);
    let inspected = desk.run("bundle inspect r.bundle").ok();
    assert!(inspected.out.starts_with("NOT VERIFIED"), "{}", inspected.out);
    let json = desk.run("bundle inspect r.bundle --json").json();
    assert_eq!((&json["name"], &json["entry"]), (&"repair".into(), &"run.sh".into()));
    assert_eq!(json["files"][0]["mode"], "0755", "the entry is made executable");
    assert_eq!(json["verified"], false);
    assert_eq!(desk.run("bundle verify r.bundle --fleet example --json").json()["verified"], true);
}

#[test]
fn two_of_two_signers_with_passphrases() {
    let desk = Desk::new();
    desk.write("pass", "correct horse battery\n");
    desk.run("fleet new two --signer a --signer b --threshold 2 --passphrase-file pass").ok();
    for key in ["two/signers/a.key", "two/signers/b.key"] {
        let pem = fs::read_to_string(desk.path(key)).unwrap();
        assert!(pem.starts_with("-----BEGIN ENCRYPTED PRIVATE KEY-----\n"), "{pem}");
        assert_eq!(mode(&desk.path(key)), 0o600);
    }
    assert_eq!(mode(&desk.path("two/signers")), 0o700);
    desk.run("bundle build repair -o r.bundle --fleet two").ok();
    desk.run("bundle verify r.bundle --fleet two").failed(&["XB-BUN-03", "hint: ", "bundle sign"]);
    desk.run("bundle sign r.bundle --key two/signers/a.key --passphrase-file pass").ok();
    desk.run("bundle verify r.bundle --fleet two").failed(&["signed by 1", "2 are needed"]);
    // Standard input serves as the file too.
    let line = "bundle sign r.bundle --key two/signers/b.key --passphrase-file -";
    desk.run_with(line, "correct horse battery\n").ok();
    desk.run("bundle verify r.bundle --fleet two").ok();
    desk.run_with(line, "wrong\n").failed(&["b.key", "wrong passphrase"]);
    desk.run("bundle sign r.bundle --key two/signers/b.key")
        .failed(&["no terminal", "hint: use --passphrase-file"]);
}

#[test]
fn openssl_reads_the_keys() {
    let desk = Desk::empty();
    desk.write("pass", "correct horse battery\n");
    let signer = desk.run("keygen signer -o s.key --passphrase-file pass --json").json();
    let machine = desk.run("keygen machine -o m.key --json").json();
    for (file, raw_hex) in [("s.key", None), ("m.key", machine["machine"].as_str())] {
        let openssl = Command::new("openssl")
            .args(["pkey", "-in", file, "-passin", "file:pass", "-pubout", "-outform", "DER"])
            .current_dir(desk.0.path())
            .output()
            .expect("openssl is installed");
        assert!(openssl.status.success(), "{}", String::from_utf8_lossy(&openssl.stderr));
        // SubjectPublicKeyInfo of Ed25519 (RFC 8410): the raw key is its last 32 bytes.
        let raw: [u8; 32] = openssl.stdout[openssl.stdout.len() - 32..].try_into().unwrap();
        match raw_hex {
            Some(hex) => assert_eq!(xenoboot_wire::MachineKey(raw).to_string(), hex),
            None => assert_eq!(xenoboot_site::show_key(raw), signer["public_key"]),
        }
        assert_eq!(mode(&desk.path(file)), 0o600);
    }
}

#[test]
fn keys_that_openssl_made_can_sign() {
    let desk = Desk::new();
    desk.write("pass", "correct horse battery\n");
    for (args, passphrase) in [
        (&["genpkey", "-algorithm", "ed25519", "-out", "o.key"][..], ""),
        (&["pkcs8", "-topk8", "-in", "o.key", "-out", "e.key", "-passout", "file:pass"], "pass"),
    ] {
        let made = Command::new("openssl").args(args).current_dir(desk.0.path()).output();
        assert!(made.expect("openssl is installed").status.success());
        desk.build_signed().ok();
        let key = args[if passphrase.is_empty() { 4 } else { 5 }];
        let option = if passphrase.is_empty() { "" } else { "--passphrase-file pass" };
        let signed = desk.run(&format!("bundle sign r.bundle --key {key} {option} --json")).json();
        assert_eq!(signed["signatures"], 2);
    }
}

#[test]
fn a_key_file_is_never_overwritten() {
    let desk = Desk::empty();
    desk.run("keygen machine -o m.key").ok();
    let before = fs::read(desk.path("m.key")).unwrap();
    desk.run("keygen machine -o m.key").failed(&["cannot make the key file m.key", "hint: "]);
    assert_eq!(fs::read(desk.path("m.key")).unwrap(), before);
    symlink(desk.path("m.key"), desk.path("link")).unwrap();
    desk.run("keygen machine -o link").failed(&["cannot make"]);
    desk.run("keygen signer -o s.key").failed(&["no terminal"]);
    assert!(!desk.path("s.key").exists());
    desk.run_with("keygen signer -o s.key --passphrase-file -", "\n").failed(&["is empty"]);
}

#[test]
fn signers_come_to_a_fleet() {
    let desk = Desk::new();
    let key = desk.run("keygen signer -o bob.key --no-passphrase --json").json();
    let public = key["public_key"].as_str().unwrap();
    let add = format!("fleet add-signer bob --dir example --public-key {public}");
    desk.run(&format!("{add} --threshold 2")).ok();
    desk.run(&add).failed(&["has a signer bob already"]);
    desk.run(&add.replace(" bob ", " bobby ")).failed(&["its key is there already"]);
    desk.run("fleet add-signer eve --dir example --public-key AAAA").failed(&["is not a key"]);
    desk.run("fleet add-signer eve --dir example --threshold 4 --no-passphrase").failed(&["4"]);
    desk.run("fleet add-signer carol --dir example --no-passphrase").ok();
    let fleet = desk.run("fleet show example --json").json();
    assert_eq!(
        (fleet["threshold"].as_u64(), fleet["signers"].as_array().unwrap().len()),
        (Some(2), 3)
    );
    assert_eq!(fleet["signers"][1]["public_key"], public);
    desk.build_signed().ok();
    desk.run("bundle verify r.bundle --fleet example").failed(&["XB-BUN-03"]);
    desk.run("bundle sign r.bundle --key bob.key").ok();
    desk.run("bundle verify r.bundle --fleet example/trust.toml").ok();
}

#[test]
fn fleets_are_made_once_and_well() {
    let desk = Desk::new();
    let trust = fs::read(desk.path("example/trust.toml")).unwrap();
    desk.run("fleet new example --no-passphrase").failed(&["a fleet in example already"]);
    assert_eq!(fs::read(desk.path("example/trust.toml")).unwrap(), trust);
    desk.run("fleet new ../x --no-passphrase").failed(&["`../x` cannot be a name"]);
    desk.run("fleet new y --threshold 2 --no-passphrase").failed(&["2", "hint: name each"]);
    assert!(!desk.path("y").exists());
    desk.run("fleet show nowhere").failed(&["nowhere", "hint: "]);
    desk.write("bad/trust.toml", "fleet = 7\n");
    desk.run("fleet show bad").failed(&["bad/trust.toml is not valid", "line 1, column 9"]);
}

#[test]
fn every_refusal_names_its_code() {
    let desk = Desk::new();
    desk.run("fleet new other --no-passphrase").ok();
    let at = "--created 2027-01-01T00:00:00Z";
    let sign = "--key example/signers/alice.key";
    desk.recipe("groups = [\"web\"]\nvalid-for = \"1d\"\nmin-image = \"0.2.0\"\n");
    desk.run(&format!("bundle build repair -o r.bundle --fleet example {sign} {at}")).ok();
    let verify = |more: &str| desk.run(&format!("bundle verify r.bundle {more}"));
    let good = "--fleet example --image 0.2.0 --at 2027-01-01T12:00:00Z";
    verify(good).ok();
    verify("--fleet other").failed(&["XB-BUN-06", "another fleet", "hint: "]);
    verify(&good.replace("T12", "T00").replace("01-01", "01-03")).failed(&["XB-BUN-05"]);
    verify(&good.replace("2027-01-01", "2026-12-31")).failed(&["XB-BUN-11"]);
    verify(&good.replace("0.2.0", "0.1.9")).failed(&["XB-BUN-08", "0.2.0"]);
    verify(&format!("{good} --group db")).failed(&["XB-BUN-07"]);
    verify(&format!("{good} --group db --group web")).ok();
    verify(&format!("{good} --machine {}", "ab".repeat(32))).failed(&["XB-BUN-07"]);
    let mut bytes = fs::read(desk.path("r.bundle")).unwrap();
    let script = bytes.windows(5).position(|w| w == b"hello").unwrap();
    bytes[script] ^= 1;
    fs::write(desk.path("r.bundle"), &bytes).unwrap();
    verify(good).failed(&["XB-BUN-02", "wrong", "hint: "]);
    // What is inspected is only read: but this is no longer a manifest, since its file is not what it says.
    desk.run("bundle inspect r.bundle").failed(&["r.bundle is not valid", "inline file"]);
    fs::write(desk.path("r.bundle"), b"hello").unwrap();
    verify(good).failed(&["XB-BUN-01"]);
    verify("--fleet example --at tomorrow").usage();
}

impl Said {
    /// Wrong usage: exit status 2.
    fn usage(self) {
        assert_eq!(self.code, 2, "{}{}", self.out, self.err);
    }
}

#[test]
fn large_files_travel_beside_the_bundle() {
    let desk = Desk::new();
    let large = vec![7u8; 100_000];
    fs::write(desk.path("tool"), &large).unwrap();
    fs::write(desk.path("repair/files/data"), &large).unwrap();
    desk.recipe(
        "any = true\non-success = \"run-again 10m\"\non-failure = \"power-off\"\nmemory-limit = \"64M\"\n\
         time-limit = \"90s\"\nargs = [\"-x\"]\nserial = 3\n\
         [[file]]\npath = \"bin/tool\"\nfrom = \"../tool\"\nmode = \"0750\"\n",
    );
    desk.build_signed().ok();
    let json = desk.run("bundle verify r.bundle --fleet example --json").json();
    assert_eq!(json["files"][0]["path"], "bin/tool");
    assert_eq!(
        (&json["files"][0]["mode"], &json["files"][0]["inline"]),
        (&"0750".into(), &false.into())
    );
    assert_eq!((json["serial"].as_u64(), json["time_limit_s"].as_u64()), (Some(3), Some(90)));
    assert_eq!(json["on_success"], "run again after 600 s");
    // One content, one blob, by its digest.
    let blobs: Vec<_> =
        fs::read_dir(desk.path("r.blobs")).unwrap().map(|e| e.unwrap().path()).collect();
    assert_eq!(blobs.len(), 1);
    assert_eq!(blobs[0].file_name().unwrap().to_str(), json["files"][0]["digest"].as_str());
    assert_eq!(fs::read(&blobs[0]).unwrap(), large);
    fs::write(&blobs[0], b"other").unwrap();
    desk.run("bundle verify r.bundle --fleet example").failed(&["was changed since"]);
    fs::remove_file(&blobs[0]).unwrap();
    desk.run("bundle verify r.bundle --fleet example").failed(&["not readable", "hint: "]);
}

#[test]
fn the_same_files_make_the_same_bundle() {
    let desk = Desk::new();
    let build = |name: &str| {
        let line = format!(
            "bundle build repair -o {name}.bundle --fleet example --created 1800000000 --key example/signers/alice.key"
        );
        desk.run(&line).ok();
        fs::read(desk.path(&format!("{name}.bundle"))).unwrap()
    };
    let first = build("a");
    // Neither the files' dates nor the umask under which they were made matter.
    fs::write(desk.path("repair/files/run.sh"), "#!/bin/sh\necho hello\n").unwrap();
    let stricter = fs::Permissions::from_mode(0o600);
    fs::set_permissions(desk.path("repair/files/run.sh"), stricter).unwrap();
    assert_eq!(first, build("b"));
}

#[test]
fn mistakes_in_bundle_toml_are_named() {
    let desk = Desk::new();
    for (more, words) in [
        ("", &["which machines", "hint: add `machines"][..]),
        ("any = true\ngroups = [\"web\"]\n", &["any = true"]),
        ("any = true\nfoo = 1\n", &["unknown field `foo`", "line 4, column 1"]),
        ("any = true\nvalid-for = \"30\"\n", &["30d", "line 4, column 13"]),
        ("any = true\nvalid-for = \"1d\"\nnot-after = \"2030-01-01\"\n", &["both"]),
        ("any = true\nnot-after = \"2020-01-01\"\n", &["times are not in order"]),
        ("any = true\non-success = \"halt\"\n", &["\"run-again 10m\""]),
        ("any = true\nmin-image = \"1\"\n", &["MAJOR.MINOR.PATCH"]),
        ("machines = [\"ab\"]\n", &["a machine key"]),
        ("any = true\n[[file]]\npath = \"../x\"\nfrom = \"files/run.sh\"\n", &["\"../x\"", "`..`"]),
        ("any = true\n[[file]]\npath = \"run.sh\"\nfrom = \"files/run.sh\"\n", &["twice"]),
        ("any = true\n[[file]]\npath = \"a\"\nfrom = \"nowhere\"\n", &["nowhere"]),
        ("any = true\n[[file]]\npath = \"a\"\nfrom = \"files\"\n", &["not a regular file"]),
    ] {
        desk.recipe(more);
        desk.build_signed().failed(words);
        assert!(!desk.path("r.bundle").exists(), "{more}");
    }
    desk.recipe("any = true\n");
    fs::rename(desk.path("repair/files/run.sh"), desk.path("repair/files/go.sh")).unwrap();
    desk.build_signed().failed(&["entry `run.sh`", "hint: "]);
    symlink("go.sh", desk.path("repair/files/run.sh")).unwrap();
    desk.build_signed().failed(&["not a regular file", "hint: "]);
    desk.run("bundle build nowhere --fleet example").failed(&["nowhere is not a folder"]);
    desk.run("bundle build example --fleet example").failed(&["bundle.toml", "hint: "]);
}

#[test]
fn secrets_are_sealed_for_machines() {
    let desk = Desk::new();
    let machine = |name: &str| {
        let made = desk.run(&format!("keygen machine -o {name}.key --json")).json();
        made["machine"].as_str().unwrap().to_owned()
    };
    let (web, mail) = (machine("web"), machine("mail"));
    desk.write("repair/luks.key", "open sesame");
    let secret = "[secrets]\nluks = \"luks.key\"\n";
    let opened = |key: &str, public: &str| {
        let pem = fs::read_to_string(desk.path(key)).unwrap();
        let der = pkcs8::SecretDocument::from_pem(&pem).unwrap().1;
        let key = OpeningKey::from_pkcs8(der.as_bytes(), public.parse().unwrap()).unwrap();
        let envelope = fs::read(desk.path("r.bundle")).unwrap();
        let manifest = xenoboot_bundle::inspect(&envelope).unwrap().manifest;
        let file = manifest.files.iter().find(|f| f.path.as_str() == "secrets/luks").unwrap();
        assert_eq!(file.mode, 0o600);
        let label = Label::new(manifest.fleet, "luks").unwrap();
        open(label, file.content.as_deref().unwrap(), &key)
    };
    desk.recipe(&format!("machines = [\"{web}\"]\n{secret}"));
    desk.build_signed().ok();
    assert_eq!(opened("web.key", &web).unwrap()[..], b"open sesame"[..]);
    assert!(opened("mail.key", &mail).is_err());
    desk.recipe(&format!("any = true\nseal-for = [\"{web}\", \"{mail}\"]\n{secret}"));
    desk.build_signed().ok();
    assert_eq!(opened("mail.key", &mail).unwrap()[..], b"open sesame"[..]);

    // Sealed for many machines it is too large to travel inside the envelope.
    let many: Vec<_> = (0..700).map(|n| format!("\"{}\"", some_key(n))).collect();
    desk.recipe(&format!("any = true\nseal-for = [{}]\n{secret}", many.join(",")));
    desk.build_signed().ok();
    let verified = desk.run("bundle verify r.bundle --fleet example --json").json();
    assert_eq!(
        (&verified["files"][1]["path"], &verified["files"][1]["inline"]),
        (&"secrets/luks".into(), &false.into())
    );

    fs::remove_file(desk.path("r.bundle")).unwrap();
    for (more, words) in [
        (format!("any = true\n{secret}"), &["who may open its secrets", "hint: "][..]),
        (
            format!("machines = [\"{}\"]\n{secret}", "02".to_owned() + &"0".repeat(62)),
            &["is not the key"],
        ),
        (format!("machines = [\"{web}\"]\n[secrets]\n\"a/b\" = \"luks.key\"\n"), &["name has"]),
        (format!("machines = [\"{web}\"]\n[secrets]\nluks = \"nowhere\"\n"), &["nowhere"]),
        (format!("machines = [\"{web}\"]\n[secrets]\nluks = \"long\"\n"), &["32768 bytes"]),
        (
            format!(
                "machines = [\"{web}\"]\n{secret}[[file]]\npath = \"secrets/luks\"\nfrom = \"luks.key\"\n"
            ),
            &["twice"],
        ),
    ] {
        desk.write("repair/long", &"x".repeat(32769));
        desk.recipe(&more);
        desk.build_signed().failed(words);
        assert!(!desk.path("r.bundle").exists(), "{more}");
    }
}

/// A key that a machine could have.
fn some_key(seed: u16) -> xenoboot_wire::MachineKey {
    let mut bytes = [0; 32];
    bytes[..2].copy_from_slice(&seed.to_be_bytes());
    xenoboot_wire::MachineKey(SigningKey::from_seed(&bytes).unwrap().public())
}

#[test]
fn a_bundle_names_its_fleet() {
    let desk = Desk::new();
    desk.run("bundle build repair -o r.bundle").failed(&["which fleet", "hint: "]);
    let fleet = desk.run("fleet show example --json").json();
    desk.recipe(&format!("any = true\nfleet = {}\n", fleet["fleet"]));
    desk.run("bundle build repair -o r.bundle").ok();
    desk.run("fleet new other --no-passphrase").ok();
    desk.run("bundle build repair -o r.bundle --fleet other").failed(&["bundle.toml is for fleet"]);
}

#[test]
fn help_has_examples() {
    let desk = Desk::empty();
    for verb in [
        "fleet new",
        "fleet show",
        "fleet add-signer",
        "keygen signer",
        "keygen machine",
        "bundle build",
        "bundle sign",
        "bundle verify",
        "bundle inspect",
        "bundle push",
    ] {
        let help = desk.run(&format!("{verb} --help")).ok();
        assert!(help.out.contains(&format!("xenoboot {verb}")), "{verb}: {}", help.out);
        assert!(help.out.contains("Example"), "{verb}");
    }
    desk.run("bundle sign x.bundle").usage();
}
