//! The Bind message: decoded whole, or only its two names while the rest still arrives.
//!
//! Not here: the meaning of parameters.
//!
//! Invariant: renaming the statement keeps portal, formats and parameters byte for byte, and the
//! new length is exact even when only the names have arrived.

use crate::frame::{self, Header, Reader};
use crate::list::{Formats, Values};
use crate::{Error, put};

use super::tag;

/// The longest name of a statement or portal in Bind, in bytes. PostgreSQL uses the first 63; a
/// peer that sends more than this without an end wants memory, not a statement.
pub const MAX_NAME_LEN: usize = 10_000;

/// A complete Bind message.
#[derive(Copy, Clone, Debug, PartialEq, Eq)]
pub struct Bind<'a> {
    /// The new portal's name; empty is the unnamed one.
    pub portal: &'a [u8],
    /// The statement's name; empty is the unnamed one.
    pub statement: &'a [u8],
    /// Formats of the parameters: none for text, one for all, or one for each.
    pub parameter_formats: Formats<'a>,
    /// The parameters.
    pub parameters: Values<'a>,
    /// Formats of the result columns: none for text, one for all, or one for each.
    pub result_formats: Formats<'a>,
}

impl Bind<'_> {
    pub(super) fn encode(&self, out: &mut Vec<u8>) {
        put::frame(out, tag::BIND, |out| {
            put::cstr(out, self.portal);
            put::cstr(out, self.statement);
            self.parameter_formats.encode(out);
            self.parameters.encode(out);
            self.result_formats.encode(out);
        });
    }
}

/// The names at the start of a Bind body.
#[derive(Copy, Clone, Debug, PartialEq, Eq)]
pub struct BindNames<'a> {
    /// The new portal's name; empty is the unnamed one.
    pub portal: &'a [u8],
    /// The statement's name; empty is the unnamed one.
    pub statement: &'a [u8],
    /// Where in the body the formats and parameters begin.
    pub rest_at: usize,
}

fn malformed(what: &'static str) -> Error {
    Error::Malformed { message: "Bind", what }
}

/// Reads the names of a Bind body of which perhaps only the beginning has arrived; `None` when more
/// bytes are needed.
///
/// # Errors
/// [`Error::Malformed`] when a name is longer than [`MAX_NAME_LEN`].
#[inline]
pub fn bind_names(body_so_far: &[u8]) -> Result<Option<BindNames<'_>>, Error> {
    let mut reader = Reader::new(body_so_far);
    let Some(portal) = name(&mut reader)? else {
        return Ok(None);
    };
    let Some(statement) = name(&mut reader)? else {
        return Ok(None);
    };
    Ok(Some(BindNames { portal, statement, rest_at: body_so_far.len() - reader.remaining() }))
}

#[inline]
fn name<'a>(reader: &mut Reader<'a>) -> Result<Option<&'a [u8]>, Error> {
    let available = reader.remaining();
    match reader.cstr() {
        Some(name) if name.len() <= MAX_NAME_LEN => Ok(Some(name)),
        None if available <= MAX_NAME_LEN => Ok(None),
        _ => Err(malformed("a name is too long")),
    }
}

/// Decodes a complete Bind body.
pub(super) fn bind(body: &[u8]) -> Result<Bind<'_>, Error> {
    let names = bind_names(body)?.ok_or_else(|| malformed("a name does not end"))?;
    let mut reader = Reader::new(body.get(names.rest_at..).unwrap_or_default());
    let parameter_formats =
        Formats::read(&mut reader).ok_or_else(|| malformed("parameter formats are missing"))?;
    let parameters =
        Values::read(&mut reader).ok_or_else(|| malformed("parameters are missing"))?;
    if parameter_formats.len() > 1 && parameter_formats.len() != parameters.len() {
        return Err(malformed("the numbers of parameters and of their formats differ"));
    }
    let result_formats =
        Formats::read(&mut reader).ok_or_else(|| malformed("result formats are missing"))?;
    if !reader.is_empty() {
        return Err(malformed("something follows the result formats"));
    }
    Ok(Bind {
        portal: names.portal,
        statement: names.statement,
        parameter_formats,
        parameters,
        result_formats,
    })
}

/// Appends a Bind for another statement name: the header, the portal's name, `statement`, and
/// `rest`, the part after the names that has arrived. The length is that of the whole new message,
/// so the remainder can be passed on as it arrives.
///
/// `original` is the header of the client's message and `names` what [`bind_names`] read from it.
/// Returns the new header.
///
/// # Errors
/// [`Error::FrameLength`] when the message would be longer than PostgreSQL takes,
/// [`Error::Malformed`] when the names end after the message; nothing is appended then.
pub fn bind_renamed(
    out: &mut Vec<u8>,
    original: Header,
    names: &BindNames<'_>,
    statement: &[u8],
    rest: &[u8],
) -> Result<Header, Error> {
    let rest_len = original
        .body_len()
        .checked_sub(names.rest_at)
        .ok_or_else(|| malformed("a name does not end"))?;
    if rest.len() > rest_len {
        return Err(malformed("more than the message has arrived"));
    }
    let names_len = names.portal.len() + statement.len() + 2;
    let length = u32::try_from(4 + names_len + rest_len).unwrap_or(u32::MAX);
    if length > frame::MAX_LENGTH {
        return Err(Error::FrameLength { tag: tag::BIND, length });
    }
    out.reserve(frame::HEADER_LEN + names_len + rest.len());
    out.push(tag::BIND);
    out.extend_from_slice(&length.to_be_bytes());
    out.extend_from_slice(names.portal);
    out.push(0);
    out.extend_from_slice(statement);
    out.push(0);
    out.extend_from_slice(rest);
    Ok(Header { tag: tag::BIND, length })
}
