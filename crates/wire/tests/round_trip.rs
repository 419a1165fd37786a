//! What is written is read back as it was, for all messages and all contents.
#![allow(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::panic,
    clippy::cast_possible_truncation,
    reason = "tests"
)]

use howdah_wire::frame::{self, Frame, HEADER_LEN};
use howdah_wire::frontend::{self, Kind, Parse};
use howdah_wire::startup::{self, First};
use howdah_wire::{Error, SqlState, backend};
use proptest::collection::vec;
use proptest::prelude::*;

fn only_frame(bytes: &[u8]) -> Frame<'_> {
    let (frame, rest) = frame::split(bytes).unwrap().unwrap();
    assert!(rest.is_empty());
    frame
}

fn string() -> impl Strategy<Value = Vec<u8>> {
    vec(1_u8..=255, 0..40)
}

fn data() -> impl Strategy<Value = Vec<u8>> {
    vec(any::<u8>(), 0..200)
}

fn kind() -> impl Strategy<Value = Kind> {
    prop_oneof![Just(Kind::Statement), Just(Kind::Portal)]
}

fn values() -> impl Strategy<Value = Vec<Option<Vec<u8>>>> {
    vec(proptest::option::of(data()), 0..8)
}

fn put_values(out: &mut Vec<u8>, values: &[Option<Vec<u8>>]) {
    out.extend((values.len() as u16).to_be_bytes());
    for value in values {
        match value {
            None => out.extend((-1_i32).to_be_bytes()),
            Some(value) => {
                out.extend((value.len() as u32).to_be_bytes());
                out.extend(value);
            }
        }
    }
}

proptest! {
    #[test]
    fn a_client_message_survives_encoding_and_decoding(
        name in string(), text in string(), raw in data(), kind in kind(), rows in any::<i32>(),
        oids in vec(any::<u32>(), 0..9),
    ) {
        let mut types = (oids.len() as u16).to_be_bytes().to_vec();
        types.extend(oids.iter().flat_map(|oid| oid.to_be_bytes()));
        let messages = [
            frontend::Message::Query { sql: &text },
            frontend::Message::Parse(Parse { name: &name, sql: &text, parameter_types: &types }),
            frontend::Message::Describe { kind, name: &name },
            frontend::Message::Execute { portal: &name, max_rows: rows },
            frontend::Message::Close { kind, name: &name },
            frontend::Message::Sync,
            frontend::Message::Flush,
            frontend::Message::Terminate,
            frontend::Message::CopyData(&raw),
            frontend::Message::CopyDone,
            frontend::Message::CopyFail { reason: &text },
            frontend::Message::FunctionCall(&raw),
            frontend::Message::Password(&raw),
        ];
        let mut stream = Vec::new();
        for message in &messages {
            message.encode(&mut stream);
        }
        let mut rest = &stream[..];
        for message in messages {
            let (frame, after) = frame::split(rest).unwrap().unwrap();
            prop_assert_eq!(frontend::decode(frame), Ok(message));
            rest = after;
        }
        prop_assert!(rest.is_empty());
    }

    #[test]
    fn a_bind_survives_and_its_statement_can_be_renamed_while_it_arrives(
        portal in string(), statement in string(), renamed in string(), parameters in values(),
        result_formats in vec(any::<i16>(), 0..5), cut in any::<prop::sample::Index>(),
    ) {
        let mut out = vec![b'B', 0, 0, 0, 0];
        for name in [&portal, &statement] {
            out.extend(name);
            out.push(0);
        }
        out.extend([0, 1, 0, 1]);
        put_values(&mut out, &parameters);
        out.extend((result_formats.len() as u16).to_be_bytes());
        out.extend(result_formats.iter().flat_map(|format| format.to_be_bytes()));
        let length = (out.len() - 1) as u32;
        out[1..5].copy_from_slice(&length.to_be_bytes());

        let frame = only_frame(&out);
        let frontend::Message::Bind(bind) = frontend::decode(frame).unwrap() else { panic!() };
        prop_assert_eq!(bind.portal, &portal[..]);
        prop_assert_eq!(bind.statement, &statement[..]);
        prop_assert_eq!(bind.parameter_formats.iter().collect::<Vec<_>>(), [1]);
        let read: Vec<_> = bind.parameters.iter().map(|value| value.map(<[u8]>::to_vec)).collect();
        prop_assert_eq!(&read, &parameters);
        prop_assert_eq!(bind.result_formats.iter().collect::<Vec<_>>(), result_formats);
        let mut again = Vec::new();
        frontend::Message::Bind(bind).encode(&mut again);
        prop_assert_eq!(&again, &out);

        // The names and a part of the rest have arrived; the remainder follows unchanged.
        let header = frame::header(&out).unwrap().unwrap();
        let names = frontend::bind_names(frame.body).unwrap().unwrap();
        let rest = &frame.body[names.rest_at..];
        let (arrived, remainder) = rest.split_at(cut.index(rest.len()));
        let mut streamed = Vec::new();
        let new = frontend::bind_renamed(&mut streamed, header, &names, &renamed, arrived).unwrap();
        streamed.extend(remainder);
        prop_assert_eq!(new.frame_len(), streamed.len());
        let frontend::Message::Bind(after) = frontend::decode(only_frame(&streamed)).unwrap() else { panic!() };
        prop_assert_eq!(after, frontend::Bind { statement: &renamed, ..bind });
    }

    #[test]
    fn an_error_report_keeps_its_texts(message in "[^\0]*", detail in "[^\0]*", hint in "[^\0]*") {
        let mut out = Vec::new();
        backend::error(&mut out, "FATAL", SqlState::CANNOT_CONNECT_NOW, &message, Some(&detail), Some(&hint));
        let backend::Message::Error(fields) = backend::decode(only_frame(&out)).unwrap() else { panic!() };
        prop_assert_eq!(fields.code, SqlState::CANNOT_CONNECT_NOW);
        prop_assert_eq!(fields.message, message.as_bytes());
        prop_assert_eq!(fields.detail, Some(detail.as_bytes()));
        prop_assert_eq!(fields.hint, Some(hint.as_bytes()));
        prop_assert!(fields.is_fatal());
        prop_assert_eq!(fields.fields().map(|(kind, _)| kind).collect::<Vec<_>>(), b"SVCMDH");
    }

    #[test]
    fn a_startup_packet_survives_and_cut_short_it_needs_more(
        minor in any::<u16>(), parameters in vec(("[a-z_.]{1,20}", "[^\0]{0,30}"), 0..9), after in data(),
    ) {
        let given: Vec<_> = parameters.iter().map(|(name, value)| (name.as_str(), value.as_str())).collect();
        let mut out = Vec::new();
        startup::startup(&mut out, minor, &given);
        for cut in 0..out.len() {
            prop_assert_eq!(startup::first(&out[..cut]), Ok(None));
        }
        let length = out.len();
        out.extend(after);
        let Ok(Some((First::Startup(first), consumed))) = startup::first(&out) else { panic!() };
        prop_assert_eq!(consumed, length);
        prop_assert_eq!(first.minor, minor);
        let read: Vec<_> = first.parameters().collect();
        let given: Vec<_> = given.iter().map(|(name, value)| (name.as_bytes(), value.as_bytes())).collect();
        prop_assert_eq!(read, given);
    }

    #[test]
    fn no_bytes_make_a_decoder_panic_and_what_it_accepts_it_writes_again(tag in any::<u8>(), body in data()) {
        let mut bytes = vec![tag];
        bytes.extend((body.len() as u32 + 4).to_be_bytes());
        bytes.extend(&body);
        let frame = only_frame(&bytes);
        if let Ok(message) = backend::decode(frame) {
            let mut again = Vec::new();
            message.encode(&mut again);
            // Only an unknown authentication method may lose what follows its number.
            prop_assert!(again == bytes || tag == b'R' && bytes.starts_with(&again[..1]), "{message:?}");
        }
        if let Ok(message) = frontend::decode(frame) {
            let mut again = Vec::new();
            message.encode(&mut again);
            // Only the bodies PostgreSQL does not look at may be lost.
            prop_assert!(again == bytes || b"Xcf".contains(&tag), "{message:?}");
        }
    }
}

fn all_messages(mut stream: &[u8]) -> Vec<backend::Message<'_>> {
    let mut messages = Vec::new();
    while let Some((frame, after)) = frame::split(stream).unwrap() {
        messages.push(backend::decode(frame).unwrap());
        stream = after;
    }
    assert!(stream.is_empty());
    messages
}

#[test]
fn what_the_proxy_says_during_login_decodes_to_what_was_meant() {
    use backend::{Authentication, Message};
    let mut out = Vec::new();
    backend::authentication_ok(&mut out);
    backend::authentication_cleartext(&mut out);
    backend::authentication_md5(&mut out, [1, 2, 3, 4]);
    backend::authentication_sasl(&mut out, &["SCRAM-SHA-256-PLUS", "SCRAM-SHA-256"]);
    backend::authentication_sasl_continue(&mut out, b"r=x");
    backend::authentication_sasl_final(&mut out, b"v=x");
    backend::backend_key_data(&mut out, 7, &[9; 256]);
    backend::parameter_status_message(&mut out, b"server_version", b"15.0");
    backend::negotiate_version(&mut out, 2, &["_pq_.x", "_pq_.y"]);
    let [
        Message::Authentication(Authentication::Ok),
        Message::Authentication(Authentication::CleartextPassword),
        Message::Authentication(Authentication::Md5Password([1, 2, 3, 4])),
        Message::Authentication(Authentication::Sasl(mechanisms)),
        Message::Authentication(Authentication::SaslContinue(b"r=x")),
        Message::Authentication(Authentication::SaslFinal(b"v=x")),
        Message::BackendKeyData { process_id: 7, secret },
        Message::ParameterStatus { name: b"server_version", value: b"15.0" },
        Message::NegotiateVersion { newest: 0x0003_0002, unsupported, count: 2 },
    ] = all_messages(&out)[..]
    else {
        panic!("{:?}", all_messages(&out));
    };
    assert_eq!(
        mechanisms.iter().collect::<Vec<_>>(),
        [&b"SCRAM-SHA-256-PLUS"[..], b"SCRAM-SHA-256"]
    );
    assert_eq!(secret, [9; 256]);
    assert_eq!(unsupported.iter().collect::<Vec<_>>(), [b"_pq_.x", b"_pq_.y"]);
}

#[test]
fn what_the_proxy_answers_to_a_statement_decodes_to_what_was_meant() {
    use backend::{Message, TransactionStatus};
    let mut out = Vec::new();
    backend::command_complete(&mut out, "SELECT 1");
    backend::parse_complete(&mut out);
    backend::bind_complete(&mut out);
    backend::close_complete(&mut out);
    backend::no_data(&mut out);
    backend::empty_query(&mut out);
    backend::row_description_text(&mut out, &["database", "pool_mode"]);
    backend::data_row_text(&mut out, &[Some("app"), None]);
    let (code, hint) = (SqlState::SUCCESSFUL_COMPLETION, Some("the gap"));
    backend::notice(&mut out, "WARNING", code, "mind", None, hint);
    backend::ready_for_query(&mut out, TransactionStatus::Idle);
    backend::ready_for_query(&mut out, TransactionStatus::InTransaction);
    backend::ready_for_query(&mut out, TransactionStatus::Failed);
    let [
        Message::CommandComplete { tag: b"SELECT 1" },
        Message::ParseComplete,
        Message::BindComplete,
        Message::CloseComplete,
        Message::NoData,
        Message::EmptyQuery,
        Message::RowDescription(columns),
        Message::DataRow(row),
        Message::Notice(notice),
        Message::ReadyForQuery(TransactionStatus::Idle),
        Message::ReadyForQuery(TransactionStatus::InTransaction),
        Message::ReadyForQuery(TransactionStatus::Failed),
    ] = all_messages(&out)[..]
    else {
        panic!("{:?}", all_messages(&out));
    };
    let columns: Vec<_> =
        columns.columns().map(|column| (column.name, column.type_oid, column.format)).collect();
    assert_eq!(columns, [(&b"database"[..], 25, 0), (b"pool_mode", 25, 0)]);
    assert_eq!(row.iter().collect::<Vec<_>>(), [Some(&b"app"[..]), None]);
    assert_eq!(
        (notice.message, notice.detail, notice.hint),
        (&b"mind"[..], None, Some(&b"the gap"[..]))
    );
}

#[test]
fn what_a_client_says_during_login_is_read_back() {
    let mut out = Vec::new();
    frontend::password(&mut out, b"pencil");
    assert_eq!(frontend::password_text(only_frame(&out).body), Ok(&b"pencil"[..]));
    out.clear();
    frontend::sasl_initial(&mut out, "SCRAM-SHA-256", b"n,,n=,r=x");
    let read = frontend::sasl_initial_response(only_frame(&out).body);
    assert_eq!(read, Ok((&b"SCRAM-SHA-256"[..], Some(&b"n,,n=,r=x"[..]))));
    assert_eq!(
        frontend::sasl_initial_response(b"SCRAM-SHA-256\0\xff\xff\xff\xff"),
        Ok((&b"SCRAM-SHA-256"[..], None))
    );
    out.clear();
    frontend::sasl_response(&mut out, b"c=biws");
    assert_eq!(only_frame(&out).body, b"c=biws");
}

#[test]
fn a_bind_of_text_parameters_decodes() {
    let mut out = Vec::new();
    frontend::bind_message(&mut out, b"", b"find", &[Some(b"app"), None]);
    let frontend::Message::Bind(bind) = frontend::decode(only_frame(&out)).unwrap() else {
        panic!()
    };
    assert_eq!((bind.portal, bind.statement), (&b""[..], &b"find"[..]));
    assert!(bind.parameter_formats.is_empty() && bind.result_formats.is_empty());
    assert_eq!(bind.parameters.iter().collect::<Vec<_>>(), [Some(&b"app"[..]), None]);
}

#[test]
fn a_text_with_a_nul_ends_there_and_forges_no_field() {
    let mut out = Vec::new();
    backend::error(&mut out, "ERROR", SqlState::INTERNAL, "one\0C00000\0", None, None);
    let fields = backend::error_fields(&out[HEADER_LEN..]).unwrap();
    assert_eq!((fields.message, fields.code), (&b"one"[..], SqlState::INTERNAL));
    out.clear();
    startup::startup(&mut out, 0, &[("user", "a\0user\0postgres")]);
    let Ok(Some((First::Startup(first), _))) = startup::first(&out) else { panic!() };
    assert_eq!(first.parameters().collect::<Vec<_>>(), [(&b"user"[..], &b"a"[..])]);
}

#[test]
fn a_rename_that_makes_a_bind_too_long_is_refused_and_nothing_is_written() {
    let original = frame::Header { tag: b'B', length: frame::MAX_LENGTH };
    let names = frontend::bind_names(b"\0\0\0\0").unwrap().unwrap();
    let mut out = Vec::new();
    let refused = frontend::bind_renamed(&mut out, original, &names, b"x", b"\0\0");
    assert_eq!(refused, Err(Error::FrameLength { tag: b'B', length: frame::MAX_LENGTH + 1 }));
    let short = frame::Header { tag: b'B', length: 5 };
    assert!(frontend::bind_renamed(&mut out, short, &names, b"x", b"").is_err());
    let empty = frame::Header { tag: b'B', length: 6 };
    assert!(frontend::bind_renamed(&mut out, empty, &names, b"x", b"\0\0").is_err());
    assert!(out.is_empty());
}
