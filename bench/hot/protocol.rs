//! Hot functions of `howdah-wire`: what is done with the bytes of every query. Not the decoding of whole messages, which the
//! hot path avoids.

use std::hint::black_box;

use howdah_wire::backend::{self, TransactionStatus};
use howdah_wire::{frame, frontend};

/// The frames of the answer to a point read: row description, row, command complete, ready.
pub(crate) fn split_read_reply(repetitions: u64) -> Option<()> {
    let mut reply = Vec::new();
    backend::row_description_text(&mut reply, &["abalance"]);
    backend::data_row_text(&mut reply, &[Some("-4711")]);
    backend::command_complete(&mut reply, "SELECT 1");
    backend::ready_for_query(&mut reply, TransactionStatus::Idle);
    split_all(&reply, 4, repetitions)
}

/// The frames of an extended request: parse, bind, describe, execute, sync.
pub(crate) fn split_extended_request(repetitions: u64) -> Option<()> {
    let mut request = Vec::new();
    frontend::parse_message(
        &mut request,
        b"",
        b"SELECT abalance FROM pgbench_accounts WHERE aid = $1",
        &[0, 0],
    );
    frontend::bind_message(&mut request, b"", b"", &[Some(b"735711")]);
    frontend::describe(&mut request, frontend::Kind::Portal, b"");
    frontend::execute(&mut request, b"", 0);
    frontend::sync(&mut request);
    split_all(&request, 5, repetitions)
}

fn split_all(bytes: &[u8], frames: u64, repetitions: u64) -> Option<()> {
    for _ in 0..repetitions {
        let mut rest = black_box(bytes);
        let mut found = 0;
        while let Some((frame, after)) = frame::split(rest).ok()? {
            black_box((frame.tag, frame.body.len()));
            found += 1;
            rest = after;
        }
        if found != frames || !rest.is_empty() {
            return None;
        }
    }
    Some(())
}

/// A Bind of a named statement, rewritten to the server's name for it.
pub(crate) fn bind_renamed(repetitions: u64) -> Option<()> {
    let mut bind = Vec::new();
    frontend::bind_message(&mut bind, b"", b"P_0", &[Some(b"735711")]);
    let mut out = Vec::new();
    for _ in 0..repetitions {
        let bytes = black_box(bind.as_slice());
        let header = frame::header(bytes).ok()??;
        let body = bytes.get(frame::HEADER_LEN..)?;
        let names = frontend::bind_names(body).ok()??;
        let rest = body.get(names.rest_at..)?;
        out.clear();
        frontend::bind_renamed(&mut out, header, &names, b"howdah_17", rest).ok()?;
        black_box(out.as_slice());
    }
    Some(())
}
