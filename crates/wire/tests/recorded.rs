//! Every byte that real drivers and PostgreSQL 15 said in the transcripts, decoded and written
//! again.
#![allow(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::panic,
    clippy::disallowed_methods,
    reason = "tests"
)]

mod transcripts;

use std::collections::BTreeSet;
use std::path::Path;

use howdah_wire::startup::First;
use howdah_wire::{backend, frame, frontend, startup};
use transcripts::Connection;

fn all() -> Vec<(String, Vec<Connection>)> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/transcripts");
    let mut found = Vec::new();
    for entry in folder.read_dir().unwrap() {
        let path = entry.unwrap().path();
        if path.extension().is_some_and(|extension| extension == "txt") {
            let name = path.file_stem().unwrap().to_string_lossy().into_owned();
            found.push((name, transcripts::read(&std::fs::read_to_string(path).unwrap()).unwrap()));
        }
    }
    assert!(found.len() >= 18, "only {} transcripts", found.len());
    found
}

#[test]
fn every_recorded_frame_decodes_and_encodes_to_the_same_bytes() {
    let (mut from_clients, mut from_servers) = (BTreeSet::new(), BTreeSet::new());
    for (name, connections) in all() {
        for connection in &connections {
            let parts = connection.parts().unwrap();
            for &frame in &parts.frontend {
                let message = frontend::decode(frame)
                    .unwrap_or_else(|error| panic!("{name}: {error}: {frame:?}"));
                let mut again = Vec::new();
                message.encode(&mut again);
                assert_eq!(again, frame.bytes, "{name}: {message:?}");
                assert!(frontend::header(frame.bytes).unwrap().is_some());
                from_clients.insert(char::from(frame.tag));
            }
            for &frame in &parts.backend {
                let message = backend::decode(frame)
                    .unwrap_or_else(|error| panic!("{name}: {error}: {frame:?}"));
                let mut again = Vec::new();
                message.encode(&mut again);
                assert_eq!(again, frame.bytes, "{name}: {message:?}");
                from_servers.insert(char::from(frame.tag));
            }
        }
    }
    // The recordings are worth something only if they have these kinds of messages.
    assert_eq!(from_clients.iter().collect::<String>(), "BCDEFHPQSXcdfp");
    assert_eq!(from_servers.iter().collect::<String>(), "123ACDEGHIKNRSTVZcdnst");
}

#[test]
fn every_recorded_first_packet_is_written_again_byte_for_byte() {
    let (mut startups, mut cancels, mut questions) = (0, 0, 0);
    for (name, connections) in all() {
        for packet in connections.iter().flat_map(|connection| connection.parts().unwrap().packets)
        {
            let mut again = Vec::new();
            match startup::first(packet).unwrap().unwrap() {
                (First::Ssl, 8) => {
                    questions += 1;
                    startup::ssl_request(&mut again);
                }
                (First::Cancel { process_id, secret }, 16) => {
                    cancels += 1;
                    startup::cancel(&mut again, process_id, secret);
                }
                (First::Startup(first), _) => {
                    startups += 1;
                    let text = |bytes| std::str::from_utf8(bytes).unwrap();
                    let parameters: Vec<_> =
                        first.parameters().map(|(name, value)| (text(name), text(value))).collect();
                    startup::startup(&mut again, first.minor, &parameters);
                    assert!(first.user().is_some() && first.database().is_some(), "{name}");
                }
                other => panic!("{name}: {other:?}"),
            }
            assert_eq!(again, packet, "{name}");
        }
    }
    assert!(startups >= 18 && cancels >= 1 && questions >= 1, "{startups} {cancels} {questions}");
}

#[test]
fn a_recorded_stream_cut_anywhere_needs_more_bytes_and_is_never_an_error() {
    for (name, connections) in all() {
        for connection in &connections {
            let parts = connection.parts().unwrap();
            for packet in &parts.packets {
                for cut in 0..packet.len() {
                    assert_eq!(startup::first(&packet[..cut]), Ok(None), "{name} at {cut}");
                }
            }
            for frame in parts.frontend.iter().chain(&parts.backend) {
                for cut in 0..frame.bytes.len() {
                    assert_eq!(frame::split(&frame.bytes[..cut]), Ok(None), "{name} at {cut}");
                }
            }
        }
    }
}

#[test]
fn the_names_of_a_recorded_bind_are_read_as_soon_as_they_are_there() {
    let mut seen = 0;
    for (_, connections) in all() {
        for connection in &connections {
            let parts = connection.parts().unwrap();
            for frame in parts.frontend.iter().filter(|frame| frame.tag == frontend::tag::BIND) {
                seen += 1;
                let whole = frontend::bind_names(frame.body).unwrap().unwrap();
                for cut in 0..frame.body.len() {
                    let names = frontend::bind_names(&frame.body[..cut]).unwrap();
                    assert_eq!(names, (cut >= whole.rest_at).then_some(whole));
                }
            }
        }
    }
    assert!(seen > 20, "only {seen} Bind messages");
}
