//! What GRUB's language means, in small programs.

use crate::{
    Device, Entry, Firmware, Kind, Table,
    files::{Files as _, Place},
    grub, lilo,
    memory::Memory,
    scan, syslinux, uki,
};
use proptest::prelude::*;

fn disk() -> Memory {
    let part = |number, name: &str, uuid: &str| Device {
        name: name.into(),
        disk: Some(0),
        part: Some((Table::Gpt, number)),
        kind: "ext4".into(),
        uuid: uuid.into(),
        label: format!("label-{name}"),
        ..Device::default()
    };
    Memory::new()
        .device(part(1, "sda1", "AAAA-0001"))
        .file("/EFI/debian/grub.cfg", "")
        .device(part(2, "sda2", "0b2c"))
        .file("/vmlinuz", "k")
        .file("/initrd.img", "i")
        .file("/boot/vmlinuz-1", "k")
        .file("/boot/vmlinuz-2", "k")
        .file("/empty", "")
}

/// The entries of a configuration on `sda2`.
fn run(text: &str) -> crate::Menu {
    let files = disk().file("/boot/grub/grub.cfg", text);
    let config = Place::new(1, "/boot/grub/grub.cfg");
    grub::evaluate(&files, &config, Firmware::Bios)
}

/// What the words of the only entry's command line are, after the commands.
fn said(commands: &str, words: &str) -> String {
    let menu = run(&format!("{commands}\nmenuentry x {{\nlinux /vmlinuz {words}\n}}\n"));
    assert_eq!(menu.faults, [], "{commands}");
    assert_eq!(menu.entries.len(), 1, "{commands}");
    menu.entries[0].command_line.clone()
}

fn titles(menu: &crate::Menu) -> Vec<&str> {
    menu.entries.iter().map(|entry| entry.title.as_str()).collect()
}

#[test]
fn words_and_quotes() {
    for (commands, words, expected) in [
        ("a=1", "$a ${a}2 \"$a\" '$a' \\$a", "1 12 1 $a $a"),
        ("set a='x y'", "$a", "x y"),
        ("set a='x y'", "\"$a\"", "\"x y\""),
        ("set a=", "b $a \"\" c", "b  c"),
        ("a=1 # a remark", "b#c # another", "b#c"),
        ("a=\"q\\\"r\\$s\\x\"", "$a", "q\"r$s\\x"),
        ("a=b\\\nc", "$a", "bc"),
        ("a='b\nc'", "\"$a\"", "b\nc"),
        ("a=1; unset a", "x${a}y", "xy"),
        ("a=root=/dev/sda1", "$a $", "root=/dev/sda1 $"),
        ("", "/boot/vmlinuz-*", "/boot/vmlinuz-1 /boot/vmlinuz-2"),
        ("", "'/boot/vmlinuz-*' /boot/none*", "/boot/vmlinuz-* /boot/none*"),
        ("", "($root)/boot/vmlinuz-?", "(sda2)/boot/vmlinuz-1 (sda2)/boot/vmlinuz-2"),
        ("true; a=$?", "$a", "0"),
        ("false; a=$?", "$a", "1"),
        ("nonesuch; a=$?", "$a", "1"),
        ("insmod nonesuch; a=$?", "$a", "0"),
        ("if ! false; then a=1; fi", "$a", "1"),
    ] {
        assert_eq!(said(commands, words), expected, "{commands} / {words}");
    }
}

#[test]
fn conditions() {
    for (condition, expected) in [
        ("[ a = a ]", true),
        ("[ a == b ]", false),
        ("[ \"$none\" ]", false),
        ("[ -z \"$none\" -a -n b ]", true),
        ("[ x$feature_menuentry_id = xy ]", true),
        ("[ -f /vmlinuz -a ! -d /vmlinuz ]", true),
        ("[ -d /boot ]", true),
        ("[ -s /empty ]", false),
        ("[ -e (sda1)/EFI ]", true),
        ("[ 2 -lt 10 ]", true),
        ("[ 2 < 10 ]", false),
        ("[ ! ( a = b -o a = a ) ]", false),
        ("[ a = b -o c = c ]", true),
        ("[ ab9 -pgt ab10 ]", false),
        ("[ a = a", false),
        ("test a != b", true),
        ("search --no-floppy --fs-uuid --set=here aaaa-0001", true),
        ("search -u nonesuch --set=here", false),
        ("regexp '^a(.)c$' abc", true),
        ("[ $grub_platform = pc ]", true),
        ("true; false", false),
    ] {
        // A `<` has to be quoted for the lexer.
        let condition = condition.replace('<', "'<'");
        let text = format!("if {condition}; then r=yes; else r=no; fi");
        assert_eq!(said(&text, "$r"), if expected { "yes" } else { "no" }, "{condition}");
    }
}

#[test]
fn flow() {
    for (commands, expected) in [
        ("for i in 1 2 3; do a=$a$i; done", "123"),
        ("for i in 1 2 3; do if [ $i = 2 ]; then continue; fi; a=$a$i; done", "13"),
        (
            "for i in 1 2; do for j in a b; do if [ $j = b ]; then break 2; fi; a=$a$i$j; done; done",
            "1a",
        ),
        ("while [ x$a != xaaa ]; do a=${a}a; done", "aaa"),
        ("until [ x$a = xaa ]; do a=${a}a; done", "aa"),
        ("function f { a=\"$2$1$#\"; return 1; a=no; }\nf x 'y z'; a=\"$a$?\"", "y zx21"),
        ("function f { for i in \"$@\"; do a=\"$a[$i]\"; done }\nf 'x y' z", "[x y][z]"),
        ("function f {\n shift\n a=$1\n}\nf x y", "y"),
        ("if false; then a=1; elif true; then a=2; else a=3; fi", "2"),
        ("if false\nthen a=1\nelse a=3\nfi", "3"),
        ("n=9; increment n; a=$n", "10"),
        ("eval 'a=1; b=2'; a=$a$b", "12"),
        ("regexp --set=1:a --set 2:b '(.)-(.)' x-y; a=$b$a", "yx"),
        ("probe --set=a --fs-uuid $root", "0b2c"),
        ("setparams p q; a=$2", "q"),
        ("search.fs_uuid AAAA-0001 here hd0,gpt1; a=$here", "sda1"),
        ("search --label label-sda1 --set here; a=$here", "sda1"),
        ("search -f /EFI/debian/grub.cfg; a=$root; root=sda2", "sda1"),
        ("a=$prefix", "(sda2)/boot/grub"),
    ] {
        assert_eq!(said(commands, "$a"), expected, "{commands}");
    }
}

#[test]
fn entries_in_all_their_forms() {
    let menu = run("menuentry 'a' {linux /vmlinuz}\n\
        menuentry \"b\" --class x --id=bee --unrestricted {\n linux /vmlinuz root=$1\n initrd /initrd.img /initrd.img\n}\n\
        menuentry c {linux /vmlinuz ;}\n\
        function common { linux (hd0,gpt2)/boot/vmlinuz-$1 ro; }\n\
        menuentry d --hotkey d { common 1 }\n\
        menuentry 'no kernel' { true; }\n\
        hidden=1 menuentry\n\
        menuentry e { multiboot2 /boot/vmlinuz-1 placeholder dom0_mem=1G\nmodule2 /boot/vmlinuz-2 x ro\nmodule2 --nounzip /initrd.img\n}\n\
        menuentry f { chainloader +1 }\n\
        menuentry g { search --set=root --fs-uuid AAAA-0001; chainloader /EFI/Microsoft/Boot/bootmgfw.efi }\n");
    assert_eq!(titles(&menu), ["a", "b", "c", "d", "e", "f", "g"]);
    let [a, b, _, d, e, f, g] = menu.entries.as_slice() else { panic!() };
    assert_eq!((a.kind, a.line, a.default), (Kind::Linux, 1, true));
    assert_eq!((b.id.as_str(), b.command_line.as_str(), b.initrds.len()), ("bee", "root=b", 2));
    assert_eq!((d.kernel.path.as_str(), d.trouble.as_ref()), ("/boot/vmlinuz-1", None));
    assert_eq!((e.kind, e.modules.len()), (Kind::Multiboot2, 2));
    assert_eq!(e.modules[0].command_line, "x ro");
    assert_eq!((f.kind, f.kernel.device), (Kind::Chain, 1));
    assert_eq!((g.kind, g.kernel.device), (Kind::Efi, 0));
    assert!(g.trouble.as_ref().unwrap().contains("bootmgfw"), "{g:?}");
}

#[test]
fn the_default() {
    let entries = "menuentry one --id 1st {linux /vmlinuz}\nsubmenu 'sub > menu' --id sub {\n\
        menuentry two {linux /vmlinuz 2}\nmenuentry three --id 3rd {linux /vmlinuz 3}\n}\n\
        menuentry four {linux /vmlinuz}\n";
    for (default, expected) in [
        ("", "one"),
        ("0", "one"),
        ("1", "two"),
        ("2", "four"),
        ("9", "one"),
        ("four", "four"),
        ("nonesuch", "one"),
        ("1>1", "three"),
        ("sub>3rd", "three"),
        ("sub >> menu>two", "two"),
        ("1st", "one"),
    ] {
        let menu = run(&format!("set default=\"{default}\"\n{entries}"));
        let chosen: Vec<&Entry> = menu.entries.iter().filter(|entry| entry.default).collect();
        assert_eq!(chosen.len(), 1, "{default}");
        assert_eq!(chosen[0].title, expected, "{default}");
    }
    let menu = run(entries);
    assert_eq!(menu.entries[1].submenu, ["sub > menu"]);
}

#[test]
fn a_menu_within_sees_what_is_exported() {
    let text = "a=1\nb=2\nexport b\nsubmenu s {\nmenuentry x {linux /vmlinuz [$a$b]}\n}\nmenuentry y {linux /vmlinuz [$a$b]}";
    let menu = run(text);
    let lines: Vec<_> = menu.entries.iter().map(|entry| entry.command_line.as_str()).collect();
    assert_eq!(lines, ["[2]", "[12]"]);
}

#[test]
fn saved_entries_are_read_and_never_written() {
    let header = "if [ -s $prefix/grubenv ]; then\n load_env\nfi\nif [ \"${next_entry}\" ]; then\n\
        set default=\"${next_entry}\"\n set next_entry=\n save_env next_entry\nelse\n\
        set default=\"${saved_entry}\"\nfi\n\
        menuentry a {linux /vmlinuz}\nmenuentry b {linux /vmlinuz}\nmenuentry c {linux /vmlinuz}\n";
    let env = |pairs: &str| format!("# GRUB Environment Block\n{pairs}{}", "#".repeat(900));
    for (pairs, expected) in
        [("saved_entry=b\n", "b"), ("saved_entry=b\nnext_entry=c\n", "c"), ("x=1\\\n2\n", "a")]
    {
        let files =
            disk().file("/boot/grub/grub.cfg", header).file("/boot/grub/grubenv", env(pairs));
        let menu = grub::evaluate(&files, &Place::new(1, "/boot/grub/grub.cfg"), Firmware::Bios);
        let chosen = menu.entries.iter().find(|entry| entry.default).unwrap();
        assert_eq!(chosen.title, expected, "{pairs}");
    }
}

#[test]
fn damage_costs_itself_alone() {
    let good = |n: u32| format!("menuentry good{n} {{\n linux /vmlinuz\n}}\n");
    for (damage, line, words) in [
        ("menuentry bad {\n linux /vmlinuz\n", 4, "the file ends"),
        ("menuentry 'bad {\n linux /vmlinuz\n}\n", 4, "a quote is not closed"),
        ("if [ a = a ]; then\n", 4, "the file ends"),
        ("fi\n", 4, "unexpected \"fi\""),
        ("}\n", 4, "unexpected '}'"),
        ("linux /a | cat\n", 4, "must be quoted"),
        ("for x y; do true; done\n", 4, "unexpected \"y\""),
        ("menuentry\n", 4, "needs a title"),
        ("source /none.cfg\n", 4, "there is no such file"),
    ] {
        let menu = run(&format!("{}{damage}{}", good(1), good(2)));
        let faults: Vec<_> = menu.faults.iter().map(|fault| (fault.line, &fault.what)).collect();
        assert_eq!(faults.len(), 1, "{damage}: {faults:?}");
        assert!(faults[0].0 == line && faults[0].1.contains(words), "{damage}: {faults:?}");
        let titles = titles(&menu);
        assert!(titles.contains(&"good1") && titles.contains(&"good2"), "{damage}: {titles:?}");
    }
}

#[test]
fn what_never_ends_is_ended() {
    for text in [
        "while true; do a=$a$a$a; done",
        "function f { f; f; }\nf",
        "source /boot/grub/grub.cfg",
        "configfile /boot/grub/grub.cfg",
        "a=x\nwhile true; do a=\"$a$a\"; for i in $a /boot/* /*/*; do b=\"$b$i\"; done; done",
        "submenu a { submenu b { configfile /boot/grub/grub.cfg } }",
        "function f { eval 'f' ; }\nf",
    ] {
        let menu = run(&format!(
            "menuentry first {{linux /vmlinuz}}\n{text}\nmenuentry last {{linux /vmlinuz}}"
        ));
        assert!(menu.entries.len() <= 5000 && titles(&menu).contains(&"first"), "{text}");
    }
    let deep = format!("{}true{}", "if true; then ".repeat(2000), "; fi".repeat(2000));
    assert_eq!(run(&deep).entries, []);
}

#[test]
fn a_path_does_not_leave_its_device() {
    let menu = run(
        "menuentry x {linux /../../../boot/./vmlinuz-1}\nmenuentry y {linux (hd7,gpt9)/vmlinuz}",
    );
    assert_eq!(menu.entries.len(), 1);
    assert_eq!(menu.entries[0].kernel, Place::new(1, "/boot/vmlinuz-1"));
}

/// An EFI program with these sections.
fn image(sections: &[(&str, &[u8])]) -> Vec<u8> {
    let mut head = vec![0; 0x400];
    head[..2].copy_from_slice(b"MZ");
    head[0x3c..0x40].copy_from_slice(&0x80u32.to_le_bytes());
    head[0x80..0x84].copy_from_slice(b"PE\0\0");
    head[0x84..0x86].copy_from_slice(&0x8664u16.to_le_bytes());
    head[0x86..0x88].copy_from_slice(&(sections.len() as u16).to_le_bytes());
    head[0x94..0x96].copy_from_slice(&0xf0u16.to_le_bytes());
    head[0x98..0x9a].copy_from_slice(&0x20bu16.to_le_bytes());
    let mut body = Vec::new();
    for (nth, (name, content)) in sections.iter().enumerate() {
        let at = 0x80 + 24 + 0xf0 + nth * 40;
        head[at..at + name.len()].copy_from_slice(name.as_bytes());
        let padded = content.len().next_multiple_of(512);
        let fields = [content.len(), 0x1000, padded, 0x400 + body.len()];
        for (field, value) in fields.into_iter().enumerate() {
            let at = at + 8 + field * 4;
            head[at..at + 4].copy_from_slice(&(value as u32).to_le_bytes());
        }
        body.extend_from_slice(content);
        body.resize(body.len().next_multiple_of(512), 0);
    }
    head.extend(body);
    head
}

#[test]
fn a_unified_kernel_image_is_taken_apart() {
    let release = b"ID=arch\nPRETTY_NAME=\"Arch Linux\"\n";
    let parts: [(&str, &[u8]); 5] = [
        (".osrel", release),
        (".uname", b"6.12.1-arch1-1"),
        (".cmdline", b"root=UUID=1 rw\n\0"),
        (".initrd", b"ramdisk"),
        (".linux", b"kernel"),
    ];
    let bytes = image(&parts);
    let files = disk()
        .file("/EFI/Linux/arch-6.12+3.efi", bytes.clone())
        .file("/EFI/Linux/arch-6.11+0-3.efi", image(&parts[2..]))
        .file("/EFI/Linux/broken.efi", &bytes[..700]);
    let found = scan(&files, Firmware::Uefi);
    let [new, old, ..] = found.entries.as_slice() else { panic!("{found:?}") };
    assert_eq!((new.id.as_str(), new.title.as_str()), ("arch-6.12", "Arch Linux"));
    assert_eq!(
        (new.kind, new.command_line.as_str(), new.default),
        (Kind::Uki, "root=UUID=1 rw", true)
    );
    assert_eq!((old.id.as_str(), old.default), ("arch-6.11", false));
    assert_eq!(found.faults.len(), 1);
    assert!(found.faults[0].what.contains("beyond its end"), "{:?}", found.faults);
    let place = Place::new(1, "/EFI/Linux/arch-6.12+3.efi");
    let facts = uki::read(bytes.len() as u64, |at, most| files.read(&place, at, most)).unwrap();
    let part = |range: &std::ops::Range<u64>| &bytes[range.start as usize..range.end as usize];
    assert_eq!((part(&facts.linux), part(&facts.initrds[0])), (&b"kernel"[..], &b"ramdisk"[..]));
}

#[test]
fn damaged_images_are_refused() {
    let refused = |bytes: &[u8]| {
        let read =
            |at: u64, most: usize| Ok(bytes.iter().skip(at as usize).take(most).copied().collect());
        uki::read(bytes.len() as u64, read).unwrap_err()
    };
    assert_eq!(refused(b"MZ"), uki::Error::NotEfi);
    assert_eq!(refused(&image(&[(".cmdline", b"x")])), uki::Error::Lacks(".linux"));
    let mut other = image(&[(".linux", b"x")]);
    other[0x84] = 0x4c;
    assert_eq!(refused(&other), uki::Error::NotEfi);
}

/// Text that has a configuration's words in it.
fn words() -> impl Strategy<Value = String> {
    let word = prop_oneof![
        "[ -~\n]{0,12}",
        prop::sample::select(vec![
            "menuentry",
            "submenu",
            "{",
            "}",
            "'",
            "\"",
            "\n",
            ";",
            "if",
            "then",
            "fi",
            "else",
            "elif",
            "for x in",
            "do",
            "done",
            "while",
            "true",
            "function f",
            "f",
            "linux /vmlinuz",
            "$x",
            "${x}",
            "x=1",
            "[ -f /vmlinuz ]",
            "\\",
            "initrd /initrd.img",
            "source /boot/grub/grub.cfg",
            "$@",
            "*",
            "search --set=root -f /vmlinuz",
            "regexp --set=1:x '(.*)' aa",
            "configfile /boot/grub/grub.cfg",
            "LABEL a",
            "KERNEL /vmlinuz",
            "APPEND x",
            "INCLUDE /boot/grub/grub.cfg",
            "MENU BEGIN",
            "image=/vmlinuz",
            "linux",
            "options",
            "title",
            "blscfg",
            "load_env",
            "eval",
            "break",
            "return",
            "shift",
        ])
        .prop_map(str::to_owned),
    ];
    prop::collection::vec(word, 0..60).prop_map(|words| words.join(" "))
}

proptest! {
    #[test]
    fn any_text_is_survived(text in words()) {
        let files = disk()
            .file("/boot/grub/grub.cfg", text.clone())
            .file("/boot/grub/grubenv", text.clone())
            .file("/boot/loader/entries/a.conf", text.clone())
            .file("/boot/loader/loader.conf", text.clone())
            .file("/boot/extlinux/extlinux.conf", text.clone())
            .file("/etc/fstab", text.clone())
            .file("/etc/lilo.conf", text.clone());
        let found = scan(&files, Firmware::Bios);
        prop_assert!(found.entries.len() <= 8000);
        let config = Place::new(1, "/boot/grub/grub.cfg");
        let _ = syslinux::evaluate(&files, &config);
        let _ = lilo::evaluate(&files, &config);
    }

    #[test]
    fn any_bytes_of_an_image_are_survived(noise in prop::collection::vec(any::<u8>(), 0..200), at in 0usize..0x400) {
        let mut bytes = image(&[(".cmdline", b"a"), (".linux", b"b"), (".osrel", b"ID=x")]);
        for (nth, byte) in noise.into_iter().enumerate() {
            if let Some(place) = bytes.get_mut(at + nth) {
                *place = byte;
            }
        }
        let read = |at: u64, most: usize| Ok(bytes.iter().skip(at as usize).take(most).copied().collect());
        if let Ok(facts) = uki::read(bytes.len() as u64, read) {
            prop_assert!(facts.linux.end <= bytes.len() as u64);
        }
    }
}
