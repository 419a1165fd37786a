//! Writing a client's messages: every decoded one, and those the proxy sends to a server on its own
//! account.
//!
//! Not here: the startup packets.
//!
//! Invariant: `decode` of what is written gives back what was written. Texts are written up to
//! their first NUL.

use crate::put;

use super::{Kind, Message, Parse, tag};

impl Message<'_> {
    /// Appends this message as a frame.
    pub fn encode(&self, out: &mut Vec<u8>) {
        match *self {
            Self::Query { sql } => query(out, sql),
            Self::Parse(Parse { name, sql, parameter_types }) => {
                parse_message(out, name, sql, parameter_types)
            }
            Self::Bind(bind) => bind.encode(out),
            Self::Describe { kind, name } => describe(out, kind, name),
            Self::Execute { portal, max_rows } => execute(out, portal, max_rows),
            Self::Close { kind, name } => close(out, kind, name),
            Self::Sync => sync(out),
            Self::Flush => flush(out),
            Self::Terminate => terminate(out),
            Self::CopyData(data) => copy_data(out, data),
            Self::CopyDone => copy_done(out),
            Self::CopyFail { reason } => copy_fail(out, reason),
            Self::FunctionCall(body) => {
                put::frame(out, tag::FUNCTION_CALL, |out| out.extend_from_slice(body))
            }
            Self::Password(body) => {
                put::frame(out, tag::PASSWORD, |out| out.extend_from_slice(body))
            }
        }
    }
}

/// Appends a Query.
pub fn query(out: &mut Vec<u8>, sql: &[u8]) {
    put::frame(out, tag::QUERY, |out| put::cstr(out, sql));
}

/// Appends a Parse. `parameter_types` is a count of two bytes and that many type numbers, as in
/// [`Parse`]; `[0, 0]` for none.
pub fn parse_message(out: &mut Vec<u8>, name: &[u8], sql: &[u8], parameter_types: &[u8]) {
    put::frame(out, tag::PARSE, |out| {
        put::cstr(out, name);
        put::cstr(out, sql);
        out.extend_from_slice(parameter_types);
    });
}

/// Appends a Bind with parameters in text format and results in text format.
pub fn bind_message(
    out: &mut Vec<u8>,
    portal: &[u8],
    statement: &[u8],
    parameters: &[Option<&[u8]>],
) {
    put::frame(out, tag::BIND, |out| {
        put::cstr(out, portal);
        put::cstr(out, statement);
        put::count(out, 0);
        put::count(out, parameters.len());
        for parameter in parameters {
            put::value(out, *parameter);
        }
        put::count(out, 0);
    });
}

/// Appends a Describe.
pub fn describe(out: &mut Vec<u8>, kind: Kind, name: &[u8]) {
    target(out, tag::DESCRIBE, kind, name);
}

/// Appends a Close.
pub fn close(out: &mut Vec<u8>, kind: Kind, name: &[u8]) {
    target(out, tag::CLOSE, kind, name);
}

fn target(out: &mut Vec<u8>, tag: u8, kind: Kind, name: &[u8]) {
    put::frame(out, tag, |out| {
        out.push(kind.as_byte());
        put::cstr(out, name);
    });
}

/// Appends an Execute; no more than `max_rows` rows, all if it is 0.
pub fn execute(out: &mut Vec<u8>, portal: &[u8], max_rows: i32) {
    put::frame(out, tag::EXECUTE, |out| {
        put::cstr(out, portal);
        out.extend_from_slice(&max_rows.to_be_bytes());
    });
}

/// Appends a Sync.
pub fn sync(out: &mut Vec<u8>) {
    put::frame(out, tag::SYNC, |_| ());
}

/// Appends a Flush.
pub fn flush(out: &mut Vec<u8>) {
    put::frame(out, tag::FLUSH, |_| ());
}

/// Appends a Terminate.
pub fn terminate(out: &mut Vec<u8>) {
    put::frame(out, tag::TERMINATE, |_| ());
}

/// Appends a `CopyData`.
pub fn copy_data(out: &mut Vec<u8>, data: &[u8]) {
    put::frame(out, tag::COPY_DATA, |out| out.extend_from_slice(data));
}

/// Appends a `CopyDone`.
pub fn copy_done(out: &mut Vec<u8>) {
    put::frame(out, tag::COPY_DONE, |_| ());
}

/// Appends a `CopyFail`.
pub fn copy_fail(out: &mut Vec<u8>, reason: &[u8]) {
    put::frame(out, tag::COPY_FAIL, |out| put::cstr(out, reason));
}

/// Appends a `PasswordMessage`: the password itself, or the answer to an MD5 request.
pub fn password(out: &mut Vec<u8>, text: &[u8]) {
    put::frame(out, tag::PASSWORD, |out| put::cstr(out, text));
}

/// Appends a `SASLInitialResponse`.
pub fn sasl_initial(out: &mut Vec<u8>, mechanism: &str, data: &[u8]) {
    put::frame(out, tag::PASSWORD, |out| {
        put::cstr(out, mechanism.as_bytes());
        put::value(out, Some(data));
    });
}

/// Appends a `SASLResponse`.
pub fn sasl_response(out: &mut Vec<u8>, data: &[u8]) {
    put::frame(out, tag::PASSWORD, |out| out.extend_from_slice(data));
}
