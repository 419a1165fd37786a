//! Attacks on poolers that happened, and others of their kind: refused early, without memory.
#![allow(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::panic,
    clippy::cast_possible_truncation,
    reason = "tests"
)]

use howdah_wire::frame::{self, Frame, Header, MAX_LENGTH};
use howdah_wire::scram::{Client, MAX_MESSAGE_LEN, Server, Verifier};
use howdah_wire::startup::{self, First, MAX_STARTUP_LEN};
use howdah_wire::{Error, SqlState, backend, frontend};

fn decode_client(tag: u8, body: &[u8]) -> Result<frontend::Message<'_>, Error> {
    frontend::decode(Frame { tag, body, bytes: body })
}

fn decode_server(tag: u8, body: &[u8]) -> Result<backend::Message<'_>, Error> {
    backend::decode(Frame { tag, body, bytes: body })
}

fn packet(code: u32, body: &[u8]) -> Vec<u8> {
    let mut out = (body.len() as u32 + 8).to_be_bytes().to_vec();
    out.extend(code.to_be_bytes());
    out.extend(body);
    out
}

#[test]
fn a_length_that_overflows_before_login_is_refused_at_its_fourth_byte() {
    // CVE-2026-6664: an integer overflow in the length check of packets before authentication.
    for length in [
        0,
        1,
        4,
        7,
        MAX_STARTUP_LEN + 5,
        0x7fff_fffc,
        0x7fff_ffff,
        0x8000_0000,
        0xffff_fffc,
        u32::MAX,
    ] {
        assert_eq!(startup::first(&length.to_be_bytes()), Err(Error::StartupLength(length)));
    }
    assert_eq!(startup::first(&0x7fff_ffff_u32.to_be_bytes()[..3]), Ok(None));
    assert_eq!(startup::first(&(MAX_STARTUP_LEN + 4).to_be_bytes()), Ok(None));
    assert_eq!(Error::StartupLength(0).sqlstate(), SqlState::PROTOCOL_VIOLATION);
}

#[test]
fn a_frame_length_out_of_range_is_refused_at_its_fifth_byte() {
    for length in [0, 1, 3, MAX_LENGTH + 1, 0x7fff_ffff, 0x8000_0000, 0xffff_fffb, u32::MAX] {
        let mut bytes = vec![b'Q'];
        bytes.extend(length.to_be_bytes());
        let refused = Error::FrameLength { tag: b'Q', length };
        assert_eq!(frame::header(&bytes), Err(refused));
        assert_eq!(frame::split(&bytes), Err(refused));
        assert_eq!(frontend::header(&bytes), Err(refused));
        assert_eq!(frame::header(&bytes[..4]), Ok(None));
    }
    let empty = Header { tag: b'S', length: 4 };
    assert_eq!(frame::header(b"S\0\0\0\x04"), Ok(Some(empty)));
    assert_eq!((empty.frame_len(), empty.body_len()), (5, 0));
}

#[test]
fn a_message_that_carries_only_a_name_may_not_announce_a_gigabyte() {
    for tag in *b"CDEHSXcf" {
        let mut bytes = vec![tag];
        bytes.extend(10_001_u32.to_be_bytes());
        assert_eq!(frontend::header(&bytes), Err(Error::FrameLength { tag, length: 10_001 }));
        bytes[1..5].copy_from_slice(&10_000_u32.to_be_bytes());
        assert!(frontend::header(&bytes).unwrap().is_some());
    }
    for tag in *b"QPBFd" {
        let mut bytes = vec![tag];
        bytes.extend(MAX_LENGTH.to_be_bytes());
        assert!(frontend::header(&bytes).unwrap().is_some());
    }
    let mut bytes = vec![b'p'];
    bytes.extend(65_536_u32.to_be_bytes());
    assert!(frontend::header(&bytes).is_err());
}

#[test]
fn an_unknown_message_type_is_refused_at_its_first_byte() {
    for tag in 0..=255_u8 {
        let known = b"BCDEFHPQSXcdfp".contains(&tag);
        assert_eq!(
            frontend::header(&[tag]),
            if known { Ok(None) } else { Err(Error::UnknownTag(tag)) }
        );
        assert_eq!(decode_client(tag, b"") == Err(Error::UnknownTag(tag)), !known);
    }
}

#[test]
fn a_name_in_bind_without_an_end_is_refused_before_the_message_has_arrived() {
    let endless = vec![b'x'; frontend::MAX_NAME_LEN + 1];
    assert_eq!(frontend::bind_names(&endless[1..]), Ok(None));
    assert!(frontend::bind_names(&endless).is_err());
    let mut second = vec![0];
    second.extend(&endless);
    assert!(frontend::bind_names(&second).is_err());
}

#[test]
fn counts_in_bind_are_unsigned_and_never_trusted() {
    // portal, statement, one parameter format, then a count of -1 without data.
    assert!(decode_client(b'B', b"\0\0\0\0\xff\xff\0\0").is_err());
    assert!(decode_client(b'B', b"\0\0\xff\xff\0\0\0\0").is_err());
    assert!(decode_client(b'B', b"\0\0\0\0\0\0\xff\xff").is_err());
    // A count of 65535 is what PostgreSQL allows at most, and stands for itself.
    let mut body = b"\0\0\0\0\xff\xff".to_vec();
    body.extend([0xff; 4].repeat(65_535));
    body.extend([0, 0]);
    let Ok(frontend::Message::Bind(bind)) = decode_client(b'B', &body) else { panic!() };
    assert_eq!((bind.parameters.len(), bind.parameters.iter().count()), (65_535, 65_535));
}

#[test]
fn lengths_of_values_below_minus_one_or_past_the_message_are_refused() {
    for length in [-2, i32::MIN, i32::MAX, 3] {
        let mut row = vec![0, 1];
        row.extend(i32::to_be_bytes(length));
        row.extend(b"ab");
        assert!(decode_server(b'D', &row).is_err(), "{length}");
        let mut bind = b"\0\0\0\0".to_vec();
        bind.extend(&row);
        bind.extend([0, 0]);
        assert!(decode_client(b'B', &bind).is_err(), "{length}");
    }
}

#[test]
fn two_formats_for_three_parameters_are_refused_as_postgresql_does() {
    let nulls = [0xff; 12];
    for (formats, accepted) in [(0_u8, true), (1, true), (2, false), (3, true), (4, false)] {
        let mut body = vec![0, 0, 0, formats];
        body.extend(vec![0; 2 * usize::from(formats)]);
        body.extend([0, 3]);
        body.extend(nulls);
        body.extend([0, 0]);
        assert_eq!(decode_client(b'B', &body).is_ok(), accepted, "{formats}");
    }
}

#[test]
fn bytes_after_the_content_are_refused_where_postgresql_refuses_them() {
    let refused: [(u8, &[u8]); 9] = [
        (b'Q', b"select 1\0select 2\0"),
        (b'P', b"\0select 1\0\0\0x"),
        (b'B', b"\0\0\0\0\0\0\0\0x"),
        (b'D', b"Sname\0x"),
        (b'C', b"Pname\0x"),
        (b'E', b"\0\0\0\0\0x"),
        (b'S', b"x"),
        (b'H', b"x"),
        (b'Q', b""),
    ];
    for (tag, body) in refused {
        let error = decode_client(tag, body).unwrap_err();
        assert_eq!(error.sqlstate(), SqlState::PROTOCOL_VIOLATION, "{}", char::from(tag));
        let shorter = body.len().saturating_sub(if tag == b'Q' { 9 } else { 1 });
        assert!(
            body.is_empty() || decode_client(tag, &body[..shorter]).is_ok(),
            "{}",
            char::from(tag)
        );
    }
    for (tag, accepted) in [(b'X', true), (b'c', true), (b'f', false)] {
        assert_eq!(decode_client(tag, b"x").is_ok(), accepted, "{}", char::from(tag));
    }
}

#[test]
fn describe_of_neither_statement_nor_portal_is_refused() {
    assert!(frontend::target(b"").is_err());
    assert!(frontend::target(b"Xname\0").is_err());
    assert!(frontend::target(b"Sname").is_err());
    assert_eq!(frontend::target(b"Sname\0"), Ok((frontend::Kind::Statement, &b"name"[..])));
    assert_eq!(frontend::target(b"P\0"), Ok((frontend::Kind::Portal, &b""[..])));
}

#[test]
fn an_error_without_sqlstate_is_an_internal_error_and_nothing_worse() {
    // CVE-2026-6666: a server's ErrorResponse without the field C.
    for body in
        [&b"SERROR\0Mno code\0\0"[..], b"\0", b"C\0Mno code\0\0", b"Cxyz\0\0", b"C12345678\0\0"]
    {
        let fields = backend::error_fields(body).unwrap();
        assert_eq!(fields.code, SqlState::INTERNAL, "{body:?}");
    }
    for broken in [&b""[..], b"S", b"SERROR", b"SERROR\0", b"SERROR\0\0x", b"could not fork\n\0"] {
        assert!(backend::error_fields(broken).is_err(), "{broken:?}");
    }
}

#[test]
fn a_scram_message_or_nonce_of_any_length_overflows_nothing() {
    // CVE-2026-6665: a server's nonce longer than the client's buffer.
    let mut client = Client::new("clientnonce".into());
    let (long, short) = ("x".repeat(MAX_MESSAGE_LEN), "x".repeat(900));
    let first = format!("r=clientnonce{long},s=c2FsdA==,i=4096");
    assert_eq!(client.on_server_first(first.as_bytes()), Err(Error::Scram("it is too long")));
    let fits = format!("r=clientnonce{short},s=c2FsdA==,i=4096");
    assert_eq!(client.on_server_first(fits.as_bytes()).unwrap().iterations, 4096);
    let mut server = Server::new(Verifier::mock(b"app", b"secret"), "servernonce".into());
    let first = format!("n,,n=,r={long}");
    assert_eq!(server.on_client_first(first.as_bytes()), Err(Error::Scram("it is too long")));
}

#[test]
fn a_server_cannot_make_a_client_hash_for_hours() {
    let mut client = Client::new("abc".into());
    for iterations in ["0", "-1", "1000001", "4294967296", "99999999999999999999", "4096x", ""] {
        let message = format!("r=abcdef,s=c2FsdA==,i={iterations}");
        assert!(client.on_server_first(message.as_bytes()).is_err(), "{iterations}");
    }
    assert!(client.on_server_first(b"r=abcdef,s=c2FsdA==,i=1000000").is_ok());
}

#[test]
fn a_startup_of_protocol_3_2_with_a_long_name_is_read_and_with_a_longer_one_refused() {
    let mut body = vec![b'k'; 9_900];
    body.extend(b"\0value\0user\0app\0\0");
    let bytes = packet(0x0003_0002, &body);
    let Ok(Some((First::Startup(first), consumed))) = startup::first(&bytes) else { panic!() };
    assert_eq!((first.minor, consumed, first.user()), (2, bytes.len(), Some(&b"app"[..])));
    assert_eq!(first.get(&body[..9_900]), Some(&b"value"[..]));
    let long = packet(0x0003_0002, &vec![b'k'; 10_000]);
    assert_eq!(startup::first(&long[..4]), Err(Error::StartupLength(10_008)));
}

#[test]
fn cancel_secrets_have_4_to_256_bytes() {
    for (length, accepted) in
        [(0, false), (3, false), (4, true), (32, true), (256, true), (257, false)]
    {
        let mut bytes = Vec::new();
        startup::cancel(&mut bytes, 1, &vec![7; length]);
        let read = startup::first(&bytes);
        assert_eq!(read.is_ok(), accepted, "{length}");
        if accepted {
            let secret = &vec![7; length][..];
            assert_eq!(read, Ok(Some((First::Cancel { process_id: 1, secret }, 12 + length))));
        } else {
            assert!(startup::first(&bytes[..8]).is_err(), "refused before the secret arrives");
        }
        let mut key = vec![0, 0, 0, 1];
        key.extend(vec![7; length]);
        assert_eq!(backend::key_data(&key).is_ok(), accepted, "{length}");
    }
}

#[test]
fn a_startup_packet_is_laid_out_as_postgresql_wants_it() {
    for (body, accepted) in [
        (&b"user\0app\0\0"[..], true),
        (b"\0", true),
        (b"user\0\0\0", true),
        (b"", false),
        (b"user\0app\0", false),
        (b"user\0app", false),
        (b"user\0", false),
        (b"user", false),
        (b"user\0app\0\0\0", false),
        (b"\0user\0app\0\0", false),
    ] {
        assert_eq!(startup::first(&packet(0x0003_0000, body)).is_ok(), accepted, "{body:?}");
    }
    let repeated = packet(0x0003_0000, b"user\0a\0user\0b\0database\0\0_pq_.x\0on\0\0");
    let Ok(Some((First::Startup(first), _))) = startup::first(&repeated) else { panic!() };
    assert_eq!((first.user(), first.database()), (Some(&b"b"[..]), Some(&b"b"[..])));
    assert_eq!(first.protocol_options().collect::<Vec<_>>(), [b"_pq_.x"]);
}

#[test]
fn other_major_versions_are_refused_at_the_eighth_byte() {
    for version in [0x0002_0000_u32, 0x0004_0000, 0x4745_5420, 0] {
        let [a, b, c, d] = version.to_be_bytes();
        let unsupported = Error::UnsupportedVersion {
            major: u16::from_be_bytes([a, b]),
            minor: u16::from_be_bytes([c, d]),
        };
        assert_eq!(startup::first(&packet(version, b"user\0x\0\0")[..8]), Err(unsupported));
        assert_eq!(unsupported.sqlstate(), SqlState::FEATURE_NOT_SUPPORTED);
    }
    let browser = startup::first(b"GET / HTTP/1.1\r\n\r\n");
    assert_eq!(browser, Err(Error::StartupLength(0x4745_5420)));
}

#[test]
fn a_question_for_encryption_carries_nothing() {
    let mut bytes = Vec::new();
    startup::ssl_request(&mut bytes);
    assert_eq!(startup::first(&bytes), Ok(Some((First::Ssl, 8))));
    bytes.clear();
    startup::gss_request(&mut bytes);
    assert_eq!(startup::first(&bytes), Ok(Some((First::Gss, 8))));
    assert!(startup::first(&packet(80_877_103, b"x")[..8]).is_err());
    assert!(startup::first(&packet(80_877_104, b"x")[..8]).is_err());
}

#[test]
fn a_server_with_a_broken_ready_status_is_refused() {
    for body in [&b""[..], b"X", b"II", b"\0"] {
        assert!(backend::ready_status(body).is_err(), "{body:?}");
    }
    for byte in *b"ITE" {
        assert_eq!(backend::ready_status(&[byte]).unwrap().as_byte(), byte);
    }
}
