//! Messages from a server to a client: decoding whole messages, and reading only what the proxy
//! acts on.
//!
//! Not here: which message may follow which (the reply queue of a server connection knows that).
//!
//! Invariant: a type byte this module does not know is an error of `decode` only; relaying needs no
//! more than the frame.

mod encode;
mod error_fields;
mod row;

pub use encode::{
    authentication_cleartext, authentication_md5, authentication_ok, authentication_sasl,
    authentication_sasl_continue, authentication_sasl_final, backend_key_data, bind_complete,
    close_complete, command_complete, data_row, data_row_text, empty_query, error,
    error_of_routine, negotiate_version, no_data, no_parameters, notice, parameter_status_message,
    parse_complete, portal_suspended, ready_for_query, row_description, row_description_text,
};
pub use error_fields::{ErrorFields, error_fields};
pub use row::{Column, RowDescription};

use crate::Error;
use crate::frame::{Frame, Reader};
use crate::list::{self, Formats, Oids, Strings, Values};

/// Message type bytes.
pub mod tag {
    /// Every authentication message
    pub const AUTHENTICATION: u8 = b'R';
    /// `BackendKeyData`
    pub const BACKEND_KEY_DATA: u8 = b'K';
    /// `BindComplete`
    pub const BIND_COMPLETE: u8 = b'2';
    /// `CloseComplete`
    pub const CLOSE_COMPLETE: u8 = b'3';
    /// `CommandComplete`
    pub const COMMAND_COMPLETE: u8 = b'C';
    /// `CopyBothResponse`
    pub const COPY_BOTH: u8 = b'W';
    /// `CopyData`
    pub const COPY_DATA: u8 = b'd';
    /// `CopyDone`
    pub const COPY_DONE: u8 = b'c';
    /// `CopyInResponse`
    pub const COPY_IN: u8 = b'G';
    /// `CopyOutResponse`
    pub const COPY_OUT: u8 = b'H';
    /// `DataRow`
    pub const DATA_ROW: u8 = b'D';
    /// `EmptyQueryResponse`
    pub const EMPTY_QUERY: u8 = b'I';
    /// `ErrorResponse`
    pub const ERROR: u8 = b'E';
    /// `FunctionCallResponse`
    pub const FUNCTION_RESULT: u8 = b'V';
    /// `NegotiateProtocolVersion`
    pub const NEGOTIATE_VERSION: u8 = b'v';
    /// `NoData`
    pub const NO_DATA: u8 = b'n';
    /// `NoticeResponse`
    pub const NOTICE: u8 = b'N';
    /// `NotificationResponse`
    pub const NOTIFICATION: u8 = b'A';
    /// `ParameterDescription`
    pub const PARAMETER_DESCRIPTION: u8 = b't';
    /// `ParameterStatus`
    pub const PARAMETER_STATUS: u8 = b'S';
    /// `ParseComplete`
    pub const PARSE_COMPLETE: u8 = b'1';
    /// `PortalSuspended`
    pub const PORTAL_SUSPENDED: u8 = b's';
    /// ReadyForQuery
    pub const READY_FOR_QUERY: u8 = b'Z';
    /// `RowDescription`
    pub const ROW_DESCRIPTION: u8 = b'T';
}

/// The length in bytes a cancel secret may have: 4 in protocol 3.0, up to 256 since 3.2.
pub const SECRET_LEN: std::ops::RangeInclusive<usize> = 4..=256;

/// What ReadyForQuery says about the transaction.
#[derive(Copy, Clone, Debug, PartialEq, Eq, Hash)]
pub enum TransactionStatus {
    /// No transaction block is open.
    Idle,
    /// In a transaction block.
    InTransaction,
    /// In a failed transaction block: only its end is accepted.
    Failed,
}

impl TransactionStatus {
    /// The status of this byte: `I`, `T` or `E`.
    pub fn from_byte(byte: u8) -> Option<Self> {
        match byte {
            b'I' => Some(Self::Idle),
            b'T' => Some(Self::InTransaction),
            b'E' => Some(Self::Failed),
            _ => None,
        }
    }

    /// The byte of this status: `I`, `T` or `E`.
    pub fn as_byte(self) -> u8 {
        match self {
            Self::Idle => b'I',
            Self::InTransaction => b'T',
            Self::Failed => b'E',
        }
    }
}

/// What a server asks for during login.
#[derive(Copy, Clone, Debug, PartialEq, Eq)]
pub enum Authentication<'a> {
    /// The login is accepted.
    Ok,
    /// The password itself.
    CleartextPassword,
    /// The MD5 answer for this salt.
    Md5Password([u8; 4]),
    /// A SASL exchange by one of these mechanisms.
    Sasl(Strings<'a>),
    /// The next message of the SASL exchange.
    SaslContinue(&'a [u8]),
    /// The last message of the SASL exchange.
    SaslFinal(&'a [u8]),
    /// The next message of a GSSAPI or SSPI exchange.
    GssContinue(&'a [u8]),
    /// Another method, by its number: GSSAPI, SSPI, Kerberos, SCM credentials. What follows the
    /// number is not kept; the methods known so far have nothing there.
    Unsupported(i32),
}

/// What `CopyInResponse`, `CopyOutResponse` and `CopyBothResponse` say about the data.
#[derive(Copy, Clone, Debug, PartialEq, Eq)]
pub struct CopyFormat<'a> {
    /// 0 for text, 1 for binary.
    pub overall: u8,
    /// The format of each column.
    pub columns: Formats<'a>,
}

/// A decoded message of a server. Names and texts are without their NUL and in the client's
/// encoding.
#[derive(Copy, Clone, Debug, PartialEq, Eq)]
pub enum Message<'a> {
    /// A step of the login.
    Authentication(Authentication<'a>),
    /// What a cancel request for this connection must carry.
    BackendKeyData {
        /// The process number.
        process_id: u32,
        /// The secret, 4 to 256 bytes.
        secret: &'a [u8],
    },
    /// Answer to Bind.
    BindComplete,
    /// Answer to Close.
    CloseComplete,
    /// A statement ended.
    CommandComplete {
        /// The command tag, such as `INSERT 0 1`.
        tag: &'a [u8],
    },
    /// The server takes COPY data.
    CopyIn(CopyFormat<'a>),
    /// The server sends COPY data.
    CopyOut(CopyFormat<'a>),
    /// COPY data flows both ways.
    CopyBoth(CopyFormat<'a>),
    /// A piece of COPY data.
    CopyData(&'a [u8]),
    /// The COPY data ends.
    CopyDone,
    /// A row.
    DataRow(Values<'a>),
    /// Answer to an empty statement.
    EmptyQuery,
    /// An error.
    Error(ErrorFields<'a>),
    /// Answer to a function call.
    FunctionResult(Option<&'a [u8]>),
    /// The server does not serve all that the startup packet asked for.
    NegotiateVersion {
        /// The newest version the server speaks, as it wrote it: PostgreSQL writes the major
        /// version in the upper 16 bits.
        newest: u32,
        /// Protocol options it does not know.
        unsupported: Strings<'a>,
        /// Number of these.
        count: u32,
    },
    /// The described statement returns no rows.
    NoData,
    /// A notice.
    Notice(ErrorFields<'a>),
    /// A notification for LISTEN.
    Notification {
        /// The notifying process.
        process_id: u32,
        /// The channel.
        channel: &'a [u8],
        /// The payload.
        payload: &'a [u8],
    },
    /// The parameter types of a described statement.
    ParameterDescription(Oids<'a>),
    /// A setting's value.
    ParameterStatus {
        /// The setting.
        name: &'a [u8],
        /// Its value now.
        value: &'a [u8],
    },
    /// Answer to Parse.
    ParseComplete,
    /// Execute stopped at its row limit.
    PortalSuspended,
    /// The request ended.
    ReadyForQuery(TransactionStatus),
    /// The columns of the rows that follow.
    RowDescription(RowDescription<'a>),
}

/// Decodes a complete frame of a server.
///
/// # Errors
/// [`Error::UnknownTag`], [`Error::Malformed`].
pub fn decode(frame: Frame<'_>) -> Result<Message<'_>, Error> {
    let body = frame.body;
    let bare = |message, value| {
        if body.is_empty() {
            Ok(value)
        } else {
            Err(Error::Malformed { message, what: "it has a body" })
        }
    };
    Ok(match frame.tag {
        tag::AUTHENTICATION => Message::Authentication(authentication(body)?),
        tag::BACKEND_KEY_DATA => {
            let (process_id, secret) = key_data(body)?;
            Message::BackendKeyData { process_id, secret }
        }
        tag::BIND_COMPLETE => bare("BindComplete", Message::BindComplete)?,
        tag::CLOSE_COMPLETE => bare("CloseComplete", Message::CloseComplete)?,
        tag::COMMAND_COMPLETE => Message::CommandComplete { tag: command_tag(body)? },
        tag::COPY_IN => Message::CopyIn(whole(body, "CopyInResponse", copy_format)?),
        tag::COPY_OUT => Message::CopyOut(whole(body, "CopyOutResponse", copy_format)?),
        tag::COPY_BOTH => Message::CopyBoth(whole(body, "CopyBothResponse", copy_format)?),
        tag::COPY_DATA => Message::CopyData(body),
        tag::COPY_DONE => bare("CopyDone", Message::CopyDone)?,
        tag::DATA_ROW => Message::DataRow(whole(body, "DataRow", Values::read)?),
        tag::EMPTY_QUERY => bare("EmptyQueryResponse", Message::EmptyQuery)?,
        tag::ERROR => Message::Error(error_fields(body)?),
        tag::FUNCTION_RESULT => {
            Message::FunctionResult(whole(body, "FunctionCallResponse", list::value)?)
        }
        tag::NEGOTIATE_VERSION => whole(body, "NegotiateProtocolVersion", negotiation)?,
        tag::NO_DATA => bare("NoData", Message::NoData)?,
        tag::NOTICE => Message::Notice(error_fields(body)?),
        tag::NOTIFICATION => whole(body, "NotificationResponse", notification)?,
        tag::PARAMETER_DESCRIPTION => {
            Message::ParameterDescription(whole(body, "ParameterDescription", Oids::read)?)
        }
        tag::PARAMETER_STATUS => {
            let (name, value) = parameter_status(body)?;
            Message::ParameterStatus { name, value }
        }
        tag::PARSE_COMPLETE => bare("ParseComplete", Message::ParseComplete)?,
        tag::PORTAL_SUSPENDED => bare("PortalSuspended", Message::PortalSuspended)?,
        tag::READY_FOR_QUERY => Message::ReadyForQuery(ready_status(body)?),
        tag::ROW_DESCRIPTION => {
            Message::RowDescription(whole(body, "RowDescription", RowDescription::read)?)
        }
        other => return Err(Error::UnknownTag(other)),
    })
}

/// Reads a body by `read`, which must take all of it.
fn whole<'a, T>(
    body: &'a [u8],
    message: &'static str,
    read: impl FnOnce(&mut Reader<'a>) -> Option<T>,
) -> Result<T, Error> {
    let mut reader = Reader::new(body);
    let value = read(&mut reader).ok_or(Error::Malformed { message, what: "it ends too early" })?;
    if reader.is_empty() {
        Ok(value)
    } else {
        Err(Error::Malformed { message, what: "something follows its content" })
    }
}

fn copy_format<'a>(reader: &mut Reader<'a>) -> Option<CopyFormat<'a>> {
    Some(CopyFormat { overall: reader.u8()?, columns: Formats::read(reader)? })
}

fn negotiation<'a>(reader: &mut Reader<'a>) -> Option<Message<'a>> {
    let newest = reader.u32()?;
    let count = reader.u32()?;
    Some(Message::NegotiateVersion { newest, unsupported: Strings::read(reader, count)?, count })
}

fn notification<'a>(reader: &mut Reader<'a>) -> Option<Message<'a>> {
    Some(Message::Notification {
        process_id: reader.u32()?,
        channel: reader.cstr()?,
        payload: reader.cstr()?,
    })
}

/// Reads the body of an authentication message.
///
/// # Errors
/// [`Error::Malformed`].
pub fn authentication(body: &[u8]) -> Result<Authentication<'_>, Error> {
    whole(body, "Authentication", |reader| {
        Some(match reader.i32()? {
            0 => Authentication::Ok,
            3 => Authentication::CleartextPassword,
            5 => Authentication::Md5Password(reader.chunk()?),
            10 => Authentication::Sasl(Strings::read_until_empty(reader)?),
            11 => Authentication::SaslContinue(reader.rest()),
            12 => Authentication::SaslFinal(reader.rest()),
            8 => Authentication::GssContinue(reader.rest()),
            method => {
                reader.rest();
                Authentication::Unsupported(method)
            }
        })
    })
}

/// Reads the body of ReadyForQuery.
///
/// # Errors
/// [`Error::Malformed`].
#[inline]
pub fn ready_status(body: &[u8]) -> Result<TransactionStatus, Error> {
    let status = if let &[byte] = body { TransactionStatus::from_byte(byte) } else { None };
    status.ok_or(Error::Malformed { message: "ReadyForQuery", what: "it is not one of I, T, E" })
}

/// Reads the body of `ParameterStatus`: name and value.
///
/// # Errors
/// [`Error::Malformed`].
pub fn parameter_status(body: &[u8]) -> Result<(&[u8], &[u8]), Error> {
    whole(body, "ParameterStatus", |reader| Some((reader.cstr()?, reader.cstr()?)))
}

/// Reads the body of `CommandComplete`: the command tag.
///
/// # Errors
/// [`Error::Malformed`].
#[inline]
pub fn command_tag(body: &[u8]) -> Result<&[u8], Error> {
    whole(body, "CommandComplete", Reader::cstr)
}

/// Reads the body of `BackendKeyData`: process number and secret.
///
/// # Errors
/// [`Error::Malformed`], also when the secret is not 4 to 256 bytes long.
pub fn key_data(body: &[u8]) -> Result<(u32, &[u8]), Error> {
    let (process_id, secret) =
        whole(body, "BackendKeyData", |reader| Some((reader.u32()?, reader.rest())))?;
    if SECRET_LEN.contains(&secret.len()) {
        Ok((process_id, secret))
    } else {
        Err(Error::Malformed {
            message: "BackendKeyData",
            what: "the secret is not 4 to 256 bytes long",
        })
    }
}
