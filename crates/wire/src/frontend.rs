//! Messages from a client to a server: decoding whole messages, and reading only the names the
//! proxy needs.
//!
//! Not here: the packets before the first frame (`startup`) and what a statement means.
//!
//! Invariant: what PostgreSQL refuses as a malformed message is refused here, so that a message
//! that passes ends where its frame ends.

mod bind;
mod encode;

pub use bind::{Bind, BindNames, MAX_NAME_LEN, bind_names, bind_renamed};
pub use encode::{
    bind_message, close, copy_data, copy_done, copy_fail, describe, execute, flush, parse_message,
    password, query, sasl_initial, sasl_response, sync, terminate,
};

use crate::Error;
use crate::frame::{self, Frame, Header, Reader};

/// Message type bytes.
pub mod tag {
    /// Bind
    pub const BIND: u8 = b'B';
    /// Close
    pub const CLOSE: u8 = b'C';
    /// `CopyData`
    pub const COPY_DATA: u8 = b'd';
    /// `CopyDone`
    pub const COPY_DONE: u8 = b'c';
    /// `CopyFail`
    pub const COPY_FAIL: u8 = b'f';
    /// Describe
    pub const DESCRIBE: u8 = b'D';
    /// Execute
    pub const EXECUTE: u8 = b'E';
    /// Flush
    pub const FLUSH: u8 = b'H';
    /// `FunctionCall`
    pub const FUNCTION_CALL: u8 = b'F';
    /// Parse
    pub const PARSE: u8 = b'P';
    /// `PasswordMessage`, `SASLInitialResponse`, `SASLResponse`, `GSSResponse`
    pub const PASSWORD: u8 = b'p';
    /// Query
    pub const QUERY: u8 = b'Q';
    /// Sync
    pub const SYNC: u8 = b'S';
    /// Terminate
    pub const TERMINATE: u8 = b'X';
}

/// The largest length field of messages that carry a name or nothing, as in PostgreSQL
/// (`PQ_SMALL_MESSAGE_LIMIT`).
pub const MAX_SMALL_LENGTH: u32 = 10_000;

/// The largest length field of a message during login, as in PostgreSQL
/// (`PG_MAX_AUTH_TOKEN_LENGTH`).
pub const MAX_LOGIN_LENGTH: u32 = 65_535;

/// The largest value PostgreSQL accepts as the length field of a client's message of this type;
/// `None` for an unknown type.
#[inline]
pub fn max_length(tag: u8) -> Option<u32> {
    match tag {
        tag::QUERY | tag::PARSE | tag::BIND | tag::FUNCTION_CALL | tag::COPY_DATA => {
            Some(frame::MAX_LENGTH)
        }
        tag::PASSWORD => Some(MAX_LOGIN_LENGTH),
        tag::CLOSE
        | tag::DESCRIBE
        | tag::EXECUTE
        | tag::FLUSH
        | tag::SYNC
        | tag::TERMINATE
        | tag::COPY_DONE
        | tag::COPY_FAIL => Some(MAX_SMALL_LENGTH),
        _ => None,
    }
}

/// Reads the header of a client's message, with the type known and the length checked against that
/// type's limit; `None` while fewer than five bytes are there.
///
/// # Errors
/// [`Error::UnknownTag`], [`Error::FrameLength`].
#[inline]
pub fn header(buf: &[u8]) -> Result<Option<Header>, Error> {
    // The type first: after a stray byte the length means nothing.
    let Some(&tag) = buf.first() else {
        return Ok(None);
    };
    let limit = max_length(tag).ok_or(Error::UnknownTag(tag))?;
    match frame::header(buf)? {
        Some(header) if header.length > limit => {
            Err(Error::FrameLength { tag, length: header.length })
        }
        header => Ok(header),
    }
}

/// What Describe and Close name.
#[derive(Copy, Clone, Debug, PartialEq, Eq, Hash)]
pub enum Kind {
    /// A prepared statement.
    Statement,
    /// A portal.
    Portal,
}

impl Kind {
    /// The kind of this byte: `S` or `P`.
    pub fn from_byte(byte: u8) -> Option<Self> {
        match byte {
            b'S' => Some(Self::Statement),
            b'P' => Some(Self::Portal),
            _ => None,
        }
    }

    /// The byte of this kind: `S` or `P`.
    pub fn as_byte(self) -> u8 {
        match self {
            Self::Statement => b'S',
            Self::Portal => b'P',
        }
    }
}

/// A decoded message of a client. Names and texts are without their NUL and in the client's
/// encoding.
#[derive(Copy, Clone, Debug, PartialEq, Eq)]
pub enum Message<'a> {
    /// A simple query, of one or more statements.
    Query {
        /// The text.
        sql: &'a [u8],
    },
    /// Prepare a statement.
    Parse(Parse<'a>),
    /// Make a portal of a statement and parameters.
    Bind(Bind<'a>),
    /// Ask for parameters and columns.
    Describe {
        /// Statement or portal.
        kind: Kind,
        /// Its name; empty is the unnamed one.
        name: &'a [u8],
    },
    /// Run a portal.
    Execute {
        /// The portal's name; empty is the unnamed one.
        portal: &'a [u8],
        /// Rows to return at most; none or fewer than none means all.
        max_rows: i32,
    },
    /// Forget a statement or a portal.
    Close {
        /// Statement or portal.
        kind: Kind,
        /// Its name; empty is the unnamed one.
        name: &'a [u8],
    },
    /// End of a request of the extended protocol.
    Sync,
    /// Ask for the replies so far.
    Flush,
    /// The client leaves.
    Terminate,
    /// A piece of COPY data.
    CopyData(&'a [u8]),
    /// The COPY data ends.
    CopyDone,
    /// The client breaks off its COPY.
    CopyFail {
        /// Why, for the server's error message.
        reason: &'a [u8],
    },
    /// A function call by number; the body.
    FunctionCall(&'a [u8]),
    /// The body of an answer during login; see [`password_text`] and [`sasl_initial_response`].
    Password(&'a [u8]),
}

/// A Parse message.
#[derive(Copy, Clone, Debug, PartialEq, Eq)]
pub struct Parse<'a> {
    /// The statement's name; empty is the unnamed one.
    pub name: &'a [u8],
    /// The statement's text.
    pub sql: &'a [u8],
    /// The parameter types as in the message: a count of two bytes and that many type numbers.
    /// Checked.
    pub parameter_types: &'a [u8],
}

/// Decodes a complete frame of a client.
///
/// # Errors
/// [`Error::UnknownTag`], [`Error::Malformed`].
pub fn decode(frame: Frame<'_>) -> Result<Message<'_>, Error> {
    let body = frame.body;
    Ok(match frame.tag {
        tag::QUERY => Message::Query { sql: query_text(body)? },
        tag::PARSE => Message::Parse(parse(body)?),
        tag::BIND => Message::Bind(bind::bind(body)?),
        tag::DESCRIBE => {
            let (kind, name) = target(body)?;
            Message::Describe { kind, name }
        }
        tag::EXECUTE => {
            let (portal, max_rows) = execute_portal(body)?;
            Message::Execute { portal, max_rows }
        }
        tag::CLOSE => {
            let (kind, name) = target(body)?;
            Message::Close { kind, name }
        }
        tag::SYNC => empty(body, "Sync", Message::Sync)?,
        tag::FLUSH => empty(body, "Flush", Message::Flush)?,
        // PostgreSQL does not look at what these three carry beyond the reason.
        tag::TERMINATE => Message::Terminate,
        tag::COPY_DONE => Message::CopyDone,
        tag::COPY_FAIL => Message::CopyFail { reason: copy_fail_reason(body)? },
        tag::COPY_DATA => Message::CopyData(body),
        tag::FUNCTION_CALL => Message::FunctionCall(body),
        tag::PASSWORD => Message::Password(body),
        other => return Err(Error::UnknownTag(other)),
    })
}

fn empty<'a>(body: &[u8], message: &'static str, value: Message<'a>) -> Result<Message<'a>, Error> {
    if body.is_empty() {
        Ok(value)
    } else {
        Err(Error::Malformed { message, what: "it has a body" })
    }
}

fn copy_fail_reason(body: &[u8]) -> Result<&[u8], Error> {
    Reader::new(body)
        .cstr()
        .ok_or(Error::Malformed { message: "CopyFail", what: "the reason does not end" })
}

/// The text of a Query body, without its NUL.
///
/// # Errors
/// [`Error::Malformed`] when the text does not end, or something follows it.
#[inline]
pub fn query_text(body: &[u8]) -> Result<&[u8], Error> {
    only_string(body).ok_or(Error::Malformed { message: "Query", what: "it is not one string" })
}

/// The string that is all of `body`.
fn only_string(body: &[u8]) -> Option<&[u8]> {
    let mut reader = Reader::new(body);
    reader.cstr().filter(|_| reader.is_empty())
}

/// Reads a complete Parse body.
///
/// # Errors
/// [`Error::Malformed`].
#[inline]
pub fn parse(body: &[u8]) -> Result<Parse<'_>, Error> {
    let malformed = |what| Error::Malformed { message: "Parse", what };
    let mut reader = Reader::new(body);
    let name = reader.cstr().ok_or_else(|| malformed("the name does not end"))?;
    let sql = reader.cstr().ok_or_else(|| malformed("the text does not end"))?;
    let start = reader.clone();
    let count = reader.u16().ok_or_else(|| malformed("the parameter count is missing"))?;
    reader.bytes(usize::from(count) * 4).ok_or_else(|| malformed("parameter types are missing"))?;
    if !reader.is_empty() {
        return Err(malformed("something follows the parameter types"));
    }
    Ok(Parse { name, sql, parameter_types: reader.since(&start) })
}

/// Reads a complete Describe or Close body.
///
/// # Errors
/// [`Error::Malformed`].
#[inline]
pub fn target(body: &[u8]) -> Result<(Kind, &[u8]), Error> {
    let malformed = |what| Error::Malformed { message: "Describe or Close", what };
    let (&kind, name) = body.split_first().ok_or_else(|| malformed("it is empty"))?;
    let kind = Kind::from_byte(kind).ok_or_else(|| malformed("neither statement nor portal"))?;
    let name = only_string(name).ok_or_else(|| malformed("the name is not one string"))?;
    Ok((kind, name))
}

/// Reads a complete Execute body: the portal's name and the row limit.
///
/// # Errors
/// [`Error::Malformed`].
#[inline]
pub fn execute_portal(body: &[u8]) -> Result<(&[u8], i32), Error> {
    let malformed = |what| Error::Malformed { message: "Execute", what };
    let mut reader = Reader::new(body);
    let portal = reader.cstr().ok_or_else(|| malformed("the portal's name does not end"))?;
    let max_rows = reader.i32().ok_or_else(|| malformed("the row limit is missing"))?;
    if reader.is_empty() {
        Ok((portal, max_rows))
    } else {
        Err(malformed("something follows the row limit"))
    }
}

/// The password in a `PasswordMessage` body, without its NUL. May be empty, which PostgreSQL
/// refuses as a password.
///
/// # Errors
/// [`Error::Malformed`].
pub fn password_text(body: &[u8]) -> Result<&[u8], Error> {
    only_string(body)
        .ok_or(Error::Malformed { message: "PasswordMessage", what: "it is not one string" })
}

/// Reads a complete `SASLInitialResponse` body: the mechanism and the first message, `None` if the
/// client sends none.
///
/// # Errors
/// [`Error::Malformed`].
pub fn sasl_initial_response(body: &[u8]) -> Result<(&[u8], Option<&[u8]>), Error> {
    let malformed = |what| Error::Malformed { message: "SASLInitialResponse", what };
    let mut reader = Reader::new(body);
    let mechanism = reader.cstr().ok_or_else(|| malformed("the mechanism does not end"))?;
    let data =
        crate::list::value(&mut reader).ok_or_else(|| malformed("the data is incomplete"))?;
    if reader.is_empty() {
        Ok((mechanism, data))
    } else {
        Err(malformed("something follows the data"))
    }
}
