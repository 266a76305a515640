use super::*;

fn packet(kind: u8, fields: &[&[u8]]) -> Vec<u8> {
    let body = fields.concat();
    let length = (body.len() as u32 + 1).to_be_bytes();
    [&length[..], &[kind], &body].concat()
}

fn string(bytes: &[u8]) -> Vec<u8> {
    [&(bytes.len() as u32).to_be_bytes()[..], bytes].concat()
}

fn ask(packets: &[Vec<u8>]) -> Vec<Vec<u8>> {
    let mut out = Vec::new();
    serve(&mut &packets.concat()[..], &mut out).unwrap();
    let mut answers = Vec::new();
    let mut rest = &out[..];
    while !rest.is_empty() {
        let length = u32::from_be_bytes(rest[..4].try_into().unwrap()) as usize;
        answers.push(rest[4..4 + length].to_vec());
        rest = &rest[4 + length..];
    }
    answers
}

#[test]
fn a_file_is_written_and_read_back() {
    let dir = tempfile::tempdir().unwrap();
    let path = string(dir.path().join("x").to_str().unwrap().as_bytes());
    let (id, none, handle) = ([0, 0, 0, 9], [0; 4], string(&[0, 0, 0, 1]));
    let flags = (3u32 | 8 | 16).to_be_bytes();
    let read = |offset: u64| {
        packet(kind::READ, &[&id, &handle, &offset.to_be_bytes(), &10u32.to_be_bytes()])
    };
    let answers = ask(&[
        packet(kind::INIT, &[&3u32.to_be_bytes()]),
        packet(kind::OPEN, &[&id, &path, &flags, &none]),
        packet(kind::WRITE, &[&id, &handle, &[0; 8], &string(b"hello")]),
        read(1),
        read(5),
        packet(kind::CLOSE, &[&id, &handle]),
        read(0),
        packet(kind::RENAME, &[&id, &path, &path]),
        packet(99, &[&id]),
    ]);
    assert_eq!(answers[0][..5], [kind::VERSION, 0, 0, 0, 3]);
    assert_eq!(answers[1], [&[kind::HANDLE, 0, 0, 0, 9][..], &handle].concat());
    let code = |answer: &[u8]| (answer[0], u32::from_be_bytes(answer[5..9].try_into().unwrap()));
    assert_eq!(code(&answers[2]), (kind::STATUS, 0));
    assert_eq!(answers[3][5..], string(b"ello"));
    assert_eq!(code(&answers[4]), (kind::STATUS, 1));
    assert_eq!(code(&answers[5]), (kind::STATUS, 0));
    assert_eq!(code(&answers[6]), (kind::STATUS, 4));
    assert_eq!(code(&answers[7]), (kind::STATUS, 4), "nothing is replaced");
    assert_eq!(code(&answers[8]), (kind::STATUS, 8));
}

#[test]
fn what_is_no_packet_ends_it() {
    let mut out = Vec::new();
    assert!(serve(&mut &[0xff; 8][..], &mut out).is_err());
    assert!(serve(&mut &[0, 0, 0, 1, 3][..], &mut out).is_err());
    // Cut short, it is nobody's fault.
    assert!(serve(&mut &[0, 0, 0, 9, 3][..], &mut out).is_ok());
}

proptest::proptest! {
    #[test]
    fn no_request_does_harm(kind in 3u8..8, body in proptest::collection::vec(0u8..4, 0..64)) {
        // Kinds that change nothing, and paths that exist nowhere.
        let mut out = Vec::new();
        let _ = serve(&mut &packet(kind, &[&[0; 4], &body])[..], &mut out);
    }
}
