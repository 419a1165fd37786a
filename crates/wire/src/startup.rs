//! The first packet of a connection: startup, cancel request, or the question whether to encrypt.
//!
//! Not here: what follows the answer to that question, and which parameters are served.
//!
//! Invariant: the length is checked as soon as its four bytes are there, so a peer nobody knows yet
//! can make the program hold [`MAX_STARTUP_LEN`] bytes and no more.

use crate::frame::Reader;
use crate::{Error, put};

/// The most bytes a first packet may have after its length field, as in PostgreSQL
/// (`MAX_STARTUP_PACKET_LENGTH`).
pub const MAX_STARTUP_LEN: u32 = 10_000;

/// The major version served.
const MAJOR: u16 = 3;

const CANCEL_CODE: u32 = 80_877_102;
const SSL_CODE: u32 = 80_877_103;
const GSS_CODE: u32 = 80_877_104;

/// The first packet of a connection, or the one after the answer to [`First::Ssl`] or
/// [`First::Gss`].
#[derive(Copy, Clone, Debug, PartialEq, Eq)]
pub enum First<'a> {
    /// Will the server speak TLS? Answered by one byte: `S` or `N`.
    Ssl,
    /// Will the server encrypt by GSSAPI? Answered by one byte: `G` or `N`.
    Gss,
    /// Cancel what that connection runs; never answered.
    Cancel {
        /// The process number of the connection, from its `BackendKeyData`.
        process_id: u32,
        /// Its secret, 4 to 256 bytes.
        secret: &'a [u8],
    },
    /// A session begins.
    Startup(Startup<'a>),
}

/// A startup packet of protocol 3.
#[derive(Copy, Clone, Debug, PartialEq, Eq)]
pub struct Startup<'a> {
    /// The minor version the client speaks.
    pub minor: u16,
    /// Name and value by turns, each with its NUL.
    raw: &'a [u8],
}

impl<'a> Startup<'a> {
    /// The parameters in order: name and value.
    pub fn parameters(&self) -> impl Iterator<Item = (&'a [u8], &'a [u8])> + use<'a> {
        let mut reader = Reader::new(self.raw);
        std::iter::from_fn(move || Some((reader.cstr()?, reader.cstr()?)))
    }

    /// The value of the parameter of this name, spelled exactly so; the last one if it is there
    /// several times, as in PostgreSQL.
    pub fn get(&self, name: &[u8]) -> Option<&'a [u8]> {
        self.parameters().filter(|(given, _)| *given == name).map(|(_, value)| value).last()
    }

    /// The user; `None` when it is missing or empty, which PostgreSQL refuses with 28000.
    pub fn user(&self) -> Option<&'a [u8]> {
        self.get(b"user").filter(|name| !name.is_empty())
    }

    /// The database; the user's name when it is missing or empty.
    pub fn database(&self) -> Option<&'a [u8]> {
        self.get(b"database").filter(|name| !name.is_empty()).or_else(|| self.user())
    }

    /// The names of protocol options (`_pq_.…`), which are to be named in
    /// `NegotiateProtocolVersion` unless they are served.
    pub fn protocol_options(&self) -> impl Iterator<Item = &'a [u8]> + use<'a> {
        self.parameters().map(|(name, _)| name).filter(|name| name.starts_with(b"_pq_."))
    }
}

/// Reads the first packet at the start of `buf`, and how many bytes it takes; `None` while it is
/// incomplete.
///
/// # Errors
/// [`Error::StartupLength`] once four bytes are there; [`Error::UnsupportedVersion`] once eight are
/// there; [`Error::Malformed`].
pub fn first(buf: &[u8]) -> Result<Option<(First<'_>, usize)>, Error> {
    let mut reader = Reader::new(buf);
    let Some(length) = reader.u32() else {
        return Ok(None);
    };
    if !(8..=MAX_STARTUP_LEN + 4).contains(&length) {
        return Err(Error::StartupLength(length));
    }
    let Some(code) = reader.u32() else {
        return Ok(None);
    };
    let consumed = length as usize;
    check_code(code, length)?;
    let Some(body) = buf.get(8..consumed) else {
        return Ok(None);
    };
    let packet = match code {
        SSL_CODE => First::Ssl,
        GSS_CODE => First::Gss,
        CANCEL_CODE => {
            let (process_id, secret) =
                crate::backend::key_data(body).map_err(|_| Error::Malformed {
                    message: "CancelRequest",
                    what: "the secret is not 4 to 256 bytes long",
                })?;
            First::Cancel { process_id, secret }
        }
        version => {
            let [_, _, minor @ ..] = version.to_be_bytes();
            First::Startup(Startup { minor: u16::from_be_bytes(minor), raw: parameters(body)? })
        }
    };
    Ok(Some((packet, consumed)))
}

/// Refuses what the second word of a packet, with its length, makes impossible whatever follows.
fn check_code(code: u32, length: u32) -> Result<(), Error> {
    let malformed = |message, what| Err(Error::Malformed { message, what });
    match code {
        SSL_CODE if length != 8 => malformed("SSLRequest", "something follows the request"),
        GSS_CODE if length != 8 => malformed("GSSENCRequest", "something follows the request"),
        CANCEL_CODE if !(16..=268).contains(&length) => {
            malformed("CancelRequest", "the secret is not 4 to 256 bytes long")
        }
        SSL_CODE | GSS_CODE | CANCEL_CODE => Ok(()),
        version => {
            let [major @ .., third, fourth] = version.to_be_bytes();
            let (major, minor) = (u16::from_be_bytes(major), u16::from_be_bytes([third, fourth]));
            if major == MAJOR { Ok(()) } else { Err(Error::UnsupportedVersion { major, minor }) }
        }
    }
}

/// Checks the parameters of a startup packet and returns them without the terminator: names and
/// values up to an empty name, which must be the last byte, as in PostgreSQL.
fn parameters(body: &[u8]) -> Result<&[u8], Error> {
    let malformed = |what| Error::Malformed { message: "StartupMessage", what };
    let mut reader = Reader::new(body);
    let start = reader.clone();
    loop {
        let raw = reader.since(&start);
        let name = reader.cstr().ok_or_else(|| malformed("the terminator is missing"))?;
        if name.is_empty() {
            return if reader.is_empty() {
                Ok(raw)
            } else {
                Err(malformed("something follows the terminator"))
            };
        }
        reader.cstr().ok_or_else(|| malformed("a parameter has no value"))?;
    }
}

/// Appends a startup packet of protocol 3.`minor`. Parameters without a name are left out.
pub fn startup(out: &mut Vec<u8>, minor: u16, parameters: &[(&str, &str)]) {
    put::counted(out, |out| {
        out.extend_from_slice(&MAJOR.to_be_bytes());
        out.extend_from_slice(&minor.to_be_bytes());
        for (name, value) in
            parameters.iter().filter(|(name, _)| !name.is_empty() && !name.starts_with('\0'))
        {
            put::cstr(out, name.as_bytes());
            put::cstr(out, value.as_bytes());
        }
        out.push(0);
    });
}

/// Appends a cancel request.
pub fn cancel(out: &mut Vec<u8>, process_id: u32, secret: &[u8]) {
    put::counted(out, |out| {
        out.extend_from_slice(&CANCEL_CODE.to_be_bytes());
        out.extend_from_slice(&process_id.to_be_bytes());
        out.extend_from_slice(secret);
    });
}

/// Appends the question for TLS.
pub fn ssl_request(out: &mut Vec<u8>) {
    put::counted(out, |out| out.extend_from_slice(&SSL_CODE.to_be_bytes()));
}

/// Appends the question for GSSAPI encryption.
pub fn gss_request(out: &mut Vec<u8>) {
    put::counted(out, |out| out.extend_from_slice(&GSS_CODE.to_be_bytes()));
}
