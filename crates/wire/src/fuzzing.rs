//! What must hold for every input: the bodies of the fuzz targets, one per parser of network bytes.
//!
//! Not here: how they are run (`fuzz/`), and examples (`tests/`). Only compiled with `cfg(fuzzing)`.
//!
//! Invariant: each function may be given any bytes, and panics only on a defect of this crate.

use crate::frame::{self, Frame, Header};
use crate::replication::{pgoutput, stream};
use crate::scram::{ChannelBinding, Client, ClientKeys, Server, Verifier};
use crate::startup::{self, First};
use crate::{backend, frontend};

/// A stream of frames: splitting conserves the bytes, and gives the same whether they arrive at
/// once or in two pieces.
pub fn frame(data: &[u8]) {
    let (cut, stream) =
        data.split_first().map_or((0, data), |(cut, rest)| (usize::from(*cut), rest));
    let (early, _) = stream.split_at_checked(cut).unwrap_or((stream, b""));
    let mut rest = stream;
    let mut taken = 0;
    while let Ok(Some((frame, after))) = frame::split(rest) {
        assert_eq!(frame.bytes.len() + after.len(), rest.len());
        assert_eq!(frame.bytes.first(), Some(&frame.tag));
        assert_eq!(frame.bytes.len(), frame.body.len() + frame::HEADER_LEN);
        if let Some(early) = early.get(taken..) {
            let early = frame::split(early);
            let complete = taken + frame.bytes.len() <= cut;
            assert_eq!(
                early.map(|found| found.map(|(frame, _)| frame)),
                Ok(complete.then_some(frame))
            );
        }
        taken += frame.bytes.len();
        rest = after;
    }
}

/// The first packet: bounded, read only when it is complete, written again as it was.
pub fn startup(data: &[u8]) {
    let Ok(found) = startup::first(data) else {
        return;
    };
    let Some((packet, consumed)) = found else {
        assert!(data.len() < startup::MAX_STARTUP_LEN as usize + 4);
        return;
    };
    let (bytes, _) = data.split_at(consumed);
    for cut in [0, 3, 4, 7, 8, consumed - 1] {
        let early = bytes.get(..cut.min(consumed - 1)).unwrap_or_default();
        assert_eq!(startup::first(early), Ok(None));
    }
    let mut again = Vec::new();
    match packet {
        First::Ssl => startup::ssl_request(&mut again),
        First::Gss => startup::gss_request(&mut again),
        First::Cancel { process_id, secret } => startup::cancel(&mut again, process_id, secret),
        First::Startup(first) => {
            let texts = first.parameters().map(|(name, value)| Some((text(name)?, text(value)?)));
            let Some(parameters) = texts.collect::<Option<Vec<_>>>() else {
                return;
            };
            assert!(first.user().is_none_or(|name| !name.is_empty()));
            assert!(first.user().is_none() || first.database().is_some());
            startup::startup(&mut again, first.minor, &parameters);
        }
    }
    assert_eq!(again, bytes);
}

fn text(bytes: &[u8]) -> Option<&str> {
    std::str::from_utf8(bytes).ok()
}

/// A frame of which `data` is type byte and body.
fn frame_of(data: &[u8]) -> Option<Frame<'_>> {
    let (&tag, body) = data.split_first()?;
    Some(Frame { tag, body, bytes: data })
}

/// The bytes of a frame, without its length field.
fn without_length(frame: &[u8]) -> Vec<u8> {
    let (tag, rest) = frame.split_at(1);
    let (_, body) = rest.split_at(4);
    [tag, body].concat()
}

/// A client's message: what is accepted is written again as it was, and the readers of a part agree
/// with the reader of the whole.
pub fn frontend(data: &[u8]) {
    let Some(frame) = frame_of(data) else {
        return;
    };
    let decoded = frontend::decode(frame);
    if frame.tag == frontend::tag::BIND {
        bind(frame.body, decoded.is_ok());
    }
    if frame.tag == frontend::tag::PASSWORD {
        let _ = frontend::password_text(frame.body);
        let _ = frontend::sasl_initial_response(frame.body);
    }
    let Ok(message) = decoded else {
        return;
    };
    let mut again = Vec::new();
    message.encode(&mut again);
    let bare = matches!(
        frame.tag,
        frontend::tag::TERMINATE | frontend::tag::COPY_DONE | frontend::tag::COPY_FAIL
    );
    assert!(bare || without_length(&again) == data);
}

/// The names of a Bind are found at the same place however much of it is there, and a renamed Bind
/// is as good as the one before.
fn bind(body: &[u8], good: bool) {
    let Ok(Some(names)) = frontend::bind_names(body) else {
        assert!(!good);
        return;
    };
    let (before, rest) = body.split_at(names.rest_at);
    assert_eq!(frontend::bind_names(before), Ok(Some(names)));
    let shorter = before.get(..before.len() - 1).unwrap_or_default();
    assert_eq!(frontend::bind_names(shorter), Ok(None));
    let Ok(length) = u32::try_from(body.len() + 4) else {
        return;
    };
    let mut out = Vec::new();
    let original = Header { tag: frontend::tag::BIND, length };
    let renamed = frontend::bind_renamed(&mut out, original, &names, b"howdah_1", rest);
    assert_eq!(renamed.map(Header::frame_len), Ok(out.len()));
    let split = frame::split(&out).ok().flatten();
    assert_eq!(
        split.is_some_and(|(frame, after)| after.is_empty() && frontend::decode(frame).is_ok()),
        good
    );
}

/// A server's message: what is accepted is written again as it was.
pub fn backend(data: &[u8]) {
    let Some(frame) = frame_of(data) else {
        return;
    };
    let Ok(message) = backend::decode(frame) else {
        return;
    };
    let mut again = Vec::new();
    message.encode(&mut again);
    // Only an unknown authentication method may lose what follows its number.
    let unsupported = matches!(
        message,
        backend::Message::Authentication(backend::Authentication::Unsupported(_))
    );
    assert!(unsupported || without_length(&again) == data);
    if let backend::Message::DataRow(values) = message {
        assert_eq!(values.iter().count(), values.len());
    }
    if let backend::Message::RowDescription(columns) = message {
        assert_eq!(columns.columns().count(), columns.len());
    }
    if let backend::Message::Error(fields) = message {
        let _ = (fields.is_fatal(), fields.fields().count());
    }
}

/// Changes of a database, one after the other, each with two bytes of length in front: what is accepted has as many values as it says,
/// and no part of it from its beginning is accepted as well.
pub fn replication(data: &[u8]) {
    let _ = stream::told(data);
    let mut decoder = pgoutput::Decoder::default();
    let mut rest = data;
    while let Some((length, after)) = rest.split_first_chunk() {
        let length = usize::from(u16::from_be_bytes(*length)).min(after.len());
        let (message, after) = after.split_at(length);
        rest = after;
        let before = decoder.clone();
        let Ok(found) = decoder.decode(message) else { return };
        let shorter = message.get(..message.len() - 1).unwrap_or_default();
        assert!(before.clone().decode(shorter).is_err());
        let longer = [message, b"x"].concat();
        assert!(before.clone().decode(&longer).is_err());
        let whole = |tuple: pgoutput::Tuple<'_>| assert_eq!(tuple.values().count(), tuple.len());
        match found {
            pgoutput::Message::Relation(relation) => {
                assert_eq!(relation.columns().count(), relation.len());
            }
            pgoutput::Message::Insert { new, .. } => whole(new),
            pgoutput::Message::Update { new, .. } => whole(new),
            pgoutput::Message::Truncate { relations, .. } => drop(relations.iter().count()),
            _ => {}
        }
    }
}

/// The server's side of SCRAM. Up to the first line feed `data` is a client's first message, after
/// it the last; nobody guesses a proof. Then the true last message with one byte changed: it is
/// accepted exactly when the change changes nothing.
pub fn scram_server(data: &[u8]) {
    let (first, last) = halves(data);
    for chosen in [None, Some(false), Some(true)] {
        let server = Server::new(Verifier::mock(b"app", b"secret"), "server".to_owned());
        let mut server = match chosen {
            Some(chosen) => server.offered(vec![7; 32], chosen),
            None => server,
        };
        if server.on_client_first(first).is_ok() {
            assert!(server.on_client_final(last).is_err());
        }
    }
    let _ = text(data).map(Verifier::parse).map(|parsed| {
        parsed.map(|verifier| assert_eq!(Verifier::parse(&verifier.to_string()), Ok(verifier)))
    });

    let mut server =
        Server::new(Verifier::from_password("pencil", b"salt", 1), "server".to_owned())
            .offered(vec![7; 32], true);
    let mut client =
        Client::new("client".to_owned()).binding(ChannelBinding::EndPoint(vec![7; 32]));
    let challenge =
        server.on_client_first(&client.first()).map(|answer| client.on_server_first(&answer));
    assert!(matches!(challenge, Ok(Ok(_))));
    let mut proof = client.respond(&ClientKeys::derive("pencil", b"salt", 1));
    let changed = change(&mut proof, data);
    assert_eq!(server.on_client_final(&proof).is_ok(), !changed);
}

/// The client's side of SCRAM. Up to the first line feed `data` is a server's first message, after
/// it the last; nobody guesses a signature. Then the true last message with one byte changed.
pub fn scram_client(data: &[u8]) {
    let (first, last) = halves(data);
    let mut client = Client::new("client".to_owned());
    let keys = ClientKeys { client_key: [1; 32], server_key: [2; 32] };
    if client.on_server_first(first).is_ok() {
        let _ = client.respond(&keys);
    }
    assert!(client.on_server_final(last).is_err());

    let mut server =
        Server::new(Verifier::from_password("pencil", b"salt", 1), "server".to_owned());
    let mut client = Client::new("client".to_owned());
    let challenge =
        server.on_client_first(&client.first()).map(|answer| client.on_server_first(&answer));
    assert!(matches!(challenge, Ok(Ok(_))));
    let proof = client.respond(&ClientKeys::derive("pencil", b"salt", 1));
    let signature = server.on_client_final(&proof);
    assert!(signature.is_ok());
    let mut signature = signature.unwrap_or_default();
    let changed = change(&mut signature, data);
    assert_eq!(client.on_server_final(&signature).is_ok(), !changed);
}

fn halves(data: &[u8]) -> (&[u8], &[u8]) {
    let mut halves = data.splitn(2, |byte| *byte == b'\n');
    (halves.next().unwrap_or_default(), halves.next().unwrap_or_default())
}

/// Sets the byte at the place the first byte of `data` names to the second; true if that changed it.
fn change(message: &mut [u8], data: &[u8]) -> bool {
    let Some(([place, value], _)) = data.split_first_chunk() else {
        return false;
    };
    match message.get_mut(usize::from(*place)) {
        Some(byte) if byte != value => {
            *byte = *value;
            true
        }
        _ => false,
    }
}
