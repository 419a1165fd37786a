//! What a server says, as values that can be compared: written by the model server, expected and read by the model client.

use howdah_wire::backend::{self, Message, TransactionStatus};
use howdah_wire::frame::Frame;
use howdah_wire::sqlstate::SqlState;

/// One message of a server.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Reply {
    /// `ParseComplete`
    ParseComplete,
    /// `BindComplete`
    BindComplete,
    /// `CloseComplete`
    CloseComplete,
    /// `NoData`
    NoData,
    /// `ParameterDescription`: how many.
    Parameters(usize),
    /// `RowDescription`: how many.
    Columns(usize),
    /// `DataRow`
    Row(Vec<String>),
    /// `PortalSuspended`
    Suspended,
    /// `CommandComplete`
    Complete(String),
    /// `EmptyQueryResponse`
    Empty,
    /// `CopyInResponse`
    CopyIn,
    /// `CopyOutResponse`
    CopyOut,
    /// `CopyData`
    CopyData(String),
    /// `CopyDone`
    CopyDone,
    /// `ErrorResponse`
    Error {
        /// The connection ends with it.
        fatal: bool,
        /// SQLSTATE.
        code: String,
        /// The sentence.
        message: String,
    },
    /// ReadyForQuery
    Ready(u8),
    /// `ParameterStatus`
    Status(String, String),
    /// `NoticeResponse`
    Notice(String),
    /// `NotificationResponse`: channel and payload.
    Notification(String, String),
    /// `BackendKeyData`
    Key(u32, Vec<u8>),
    /// `AuthenticationOk`
    LoggedIn,
    /// Something that the models do not use.
    Other(u8),
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

impl Reply {
    /// An error of a statement.
    pub(crate) fn error(code: &str, message: impl Into<String>) -> Self {
        Self::Error { fatal: false, code: code.to_owned(), message: message.into() }
    }

    /// An error that ends the connection.
    pub(crate) fn fatal(code: &str, message: &str) -> Self {
        Self::Error { fatal: true, code: code.to_owned(), message: message.to_owned() }
    }

    /// Appends it as a frame.
    pub(crate) fn encode(&self, out: &mut Vec<u8>) {
        let frame = |out: &mut Vec<u8>, tag: u8, body: &[u8]| {
            out.push(tag);
            out.extend_from_slice(&u32::try_from(body.len() + 4).unwrap().to_be_bytes());
            out.extend_from_slice(body);
        };
        match self {
            Self::ParseComplete => backend::parse_complete(out),
            Self::BindComplete => backend::bind_complete(out),
            Self::CloseComplete => backend::close_complete(out),
            Self::NoData => backend::no_data(out),
            Self::Parameters(count) => {
                let mut body = u16::try_from(*count).unwrap().to_be_bytes().to_vec();
                body.extend([0, 0, 0, 25].repeat(*count));
                frame(out, backend::tag::PARAMETER_DESCRIPTION, &body);
            }
            Self::Columns(count) => {
                let names = ["token", "proof", "hidden", "filling"];
                backend::row_description_text(out, &names[..*count]);
            }
            Self::Row(values) => {
                let values: Vec<Option<&str>> =
                    values.iter().map(|value| Some(value.as_str())).collect();
                backend::data_row_text(out, &values);
            }
            Self::Suspended => frame(out, backend::tag::PORTAL_SUSPENDED, &[]),
            Self::Complete(tag) => backend::command_complete(out, tag),
            Self::Empty => backend::empty_query(out),
            Self::CopyIn => frame(out, backend::tag::COPY_IN, &[0, 0, 0]),
            Self::CopyOut => frame(out, backend::tag::COPY_OUT, &[0, 0, 0]),
            Self::CopyData(line) => frame(out, backend::tag::COPY_DATA, line.as_bytes()),
            Self::CopyDone => frame(out, backend::tag::COPY_DONE, &[]),
            Self::Error { fatal, code, message } => {
                let severity = if *fatal { "FATAL" } else { "ERROR" };
                let code = SqlState::from_bytes(code.as_bytes()).unwrap();
                backend::error(out, severity, code, message, None, None);
            }
            Self::Ready(status) => {
                let status = TransactionStatus::from_byte(*status).unwrap();
                backend::ready_for_query(out, status);
            }
            Self::Status(name, value) => {
                backend::parameter_status_message(out, name.as_bytes(), value.as_bytes());
            }
            Self::Notice(message) => {
                backend::notice(out, "NOTICE", SqlState::INTERNAL, message, None, None);
            }
            Self::Notification(channel, payload) => Message::Notification {
                process_id: 1,
                channel: channel.as_bytes(),
                payload: payload.as_bytes(),
            }
            .encode(out),
            Self::Key(process_id, secret) => backend::backend_key_data(out, *process_id, secret),
            Self::LoggedIn => backend::authentication_ok(out),
            Self::Other(tag) => frame(out, *tag, &[]),
        }
    }

    /// Reads a frame; `None` when it is malformed.
    pub(crate) fn decode(frame: Frame<'_>) -> Option<Self> {
        Some(match backend::decode(frame).ok()? {
            Message::ParseComplete => Self::ParseComplete,
            Message::BindComplete => Self::BindComplete,
            Message::CloseComplete => Self::CloseComplete,
            Message::NoData => Self::NoData,
            Message::ParameterDescription(types) => Self::Parameters(types.len()),
            Message::RowDescription(columns) => Self::Columns(columns.len()),
            Message::DataRow(values) => {
                Self::Row(values.iter().map(|value| value.map(text).unwrap_or_default()).collect())
            }
            Message::PortalSuspended => Self::Suspended,
            Message::CommandComplete { tag } => Self::Complete(text(tag)),
            Message::EmptyQuery => Self::Empty,
            Message::CopyIn(_) => Self::CopyIn,
            Message::CopyOut(_) => Self::CopyOut,
            Message::CopyData(data) => Self::CopyData(text(data)),
            Message::CopyDone => Self::CopyDone,
            Message::Error(fields) => Self::Error {
                fatal: fields.is_fatal(),
                code: fields.code.as_str().to_owned(),
                message: text(fields.message),
            },
            Message::ReadyForQuery(status) => Self::Ready(status.as_byte()),
            Message::ParameterStatus { name, value } => Self::Status(text(name), text(value)),
            Message::Notice(fields) => Self::Notice(text(fields.message)),
            Message::Notification { channel, payload, .. } => {
                Self::Notification(text(channel), text(payload))
            }
            Message::BackendKeyData { process_id, secret } => {
                Self::Key(process_id, secret.to_vec())
            }
            Message::Authentication(backend::Authentication::Ok) => Self::LoggedIn,
            _ => Self::Other(frame.tag),
        })
    }

    /// It for a log: without fillings.
    pub(crate) fn brief(&self) -> String {
        let mut brief = format!("{self:?}");
        if let Some((at, _)) = brief.char_indices().nth(160) {
            brief.truncate(at);
            brief.push('…');
        }
        brief
    }
}
