//! How names are written.

/// A file's name in a header: as a string of C when it could be taken for something else.
pub(crate) fn for_header(name: &[u8]) -> Vec<u8> {
    let plain = |byte: &u8| (0x21..0x80).contains(byte) && !matches!(byte, b'"' | b'\\');
    if name.iter().all(plain) {
        return name.to_vec();
    }
    let mut text = vec![b'"'];
    for byte in name {
        let letter = match byte {
            b'"' | b'\\' => *byte,
            0x07 => b'a',
            0x08 => b'b',
            b'\t' => b't',
            b'\n' => b'n',
            0x0b => b'v',
            0x0c => b'f',
            b'\r' => b'r',
            byte if plain(byte) || *byte == b' ' => {
                text.push(*byte);
                continue;
            }
            byte => {
                text.extend(format!("\\{byte:03o}").bytes());
                continue;
            }
        };
        text.extend([b'\\', letter]);
    }
    text.push(b'"');
    text
}

/// A word as the shell reads it.
pub(crate) fn for_shell(word: &[u8]) -> Vec<u8> {
    let plain =
        |byte: &u8| byte.is_ascii_alphanumeric() || *byte >= 0x80 || b"%+,-./:@_{}]".contains(byte);
    if !word.is_empty() && word.iter().all(plain) {
        return word.to_vec();
    }
    let mut text = vec![b'\''];
    for byte in word {
        match byte {
            b'\'' => text.extend(br"'\''"),
            byte => text.push(*byte),
        }
    }
    text.push(b'\'');
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_that_mislead_are_strings_of_c() {
        for (name, shown) in [
            (&b"a/b-c.d"[..], &b"a/b-c.d"[..]),
            (b"a b", b"\"a b\""),
            (b"a\"\\\n\x01\x80", b"\"a\\\"\\\\\\n\\001\\200\""),
        ] {
            assert_eq!(for_header(name), shown);
        }
    }

    #[test]
    fn words_are_what_the_shell_reads() {
        assert_eq!(for_shell(b"-rU3"), b"-rU3");
        assert_eq!(for_shell(b"--label=x"), b"'--label=x'");
        assert_eq!(for_shell(b"o*"), b"'o*'");
        assert_eq!(for_shell(b"it's"), br"'it'\''s'");
        assert_eq!(for_shell(b""), b"''");
    }
}
