//! A connection that looks users up: one statement, one parameter, one row. Not who asks and what is remembered: `lookup`.
//!
//! Invariant: the connection is used again only after a complete and understood answer.

use howdah_wire::backend::{self, Message, TransactionStatus, tag};
use howdah_wire::{frame, frontend};

use crate::connect::{self, Login, OpenError};
use crate::inquiry::{Broken, Inquiry};
use crate::settings::Secret;
use crate::worker::Worker;

/// Why a question has no answer.
#[derive(Debug, thiserror::Error)]
pub(super) enum AskError {
    /// There is no connection.
    #[error(transparent)]
    Open(#[from] OpenError),
    /// It took longer than `pool.connect_timeout`.
    #[error("PostgreSQL did not answer in time")]
    Late,
    /// The connection has ended.
    #[error("the connection was lost")]
    Lost,
    /// PostgreSQL refused the statement.
    #[error("auth_query failed: {0}")]
    Refused(String),
    /// The answer is not what it has to be.
    #[error("auth_query gave {0}; it has to give at most one row, with name and password")]
    Answer(&'static str),
}

impl From<Broken> for AskError {
    fn from(broken: Broken) -> Self {
        match broken {
            Broken::Lost | Broken::Garbled => Self::Lost,
            Broken::Long => Self::Answer("too long a message"),
        }
    }
}

impl AskError {
    /// Whether asking again at once, on another connection, may help.
    pub(super) const fn is_lost(&self) -> bool {
        matches!(self, Self::Lost)
    }

    /// Whether asking again later will not help before somebody changes something.
    pub(super) fn is_final(&self) -> bool {
        match self {
            Self::Open(error) => error.is_final(),
            Self::Refused(_) | Self::Answer(_) => true,
            Self::Late | Self::Lost => false,
        }
    }
}

/// A connection that asks.
#[derive(Debug)]
pub(super) struct Asking(Inquiry);

/// What came of an answer so far.
#[derive(Default)]
struct Row {
    rows: usize,
    found: Option<Secret>,
    broken: Option<&'static str>,
    refused: Option<String>,
}

impl Asking {
    /// Logs in. Dropping the future closes the socket.
    pub(super) async fn open(worker: &Worker, login: &Login<'_>) -> Result<Self, AskError> {
        let opened = connect::open(login, &worker.shelf).await?;
        Ok(Self(Inquiry::new(opened.stream)))
    }

    /// Asks for a user. When the future is dropped, so must the connection be.
    pub(super) async fn ask(
        &mut self,
        worker: &Worker,
        query: &str,
        user: &str,
    ) -> Result<Option<Secret>, AskError> {
        let mut out = Vec::with_capacity(256);
        frontend::parse_message(&mut out, b"", query.as_bytes(), &[0, 0]);
        frontend::bind_message(&mut out, b"", b"", &[Some(user.as_bytes())]);
        frontend::execute(&mut out, b"", 2);
        frontend::sync(&mut out);
        self.0.send(&out).await?;
        let mut row = Row::default();
        loop {
            let bytes = self.0.frame(&worker.shelf).await?;
            let Ok(Some((frame, _))) = frame::split(&bytes) else {
                return Err(AskError::Lost);
            };
            match frame.tag {
                tag::DATA_ROW => row.take(user, backend::decode(frame)),
                tag::ERROR => {
                    let fields = backend::error_fields(frame.body).map_err(|_| AskError::Lost)?;
                    let message = String::from_utf8_lossy(fields.message);
                    row.refused = Some(format!("{message} (SQLSTATE {})", fields.code));
                }
                tag::READY_FOR_QUERY => {
                    return match backend::ready_status(frame.body) {
                        Ok(TransactionStatus::Idle) => row.answer(),
                        Ok(_) | Err(_) => Err(AskError::Lost),
                    };
                }
                _ => {}
            }
        }
    }
}

impl Row {
    fn take(&mut self, user: &str, message: Result<Message<'_>, howdah_wire::Error>) {
        self.rows += 1;
        let Ok(Message::DataRow(values)) = message else {
            self.broken = Some("a row that cannot be read");
            return;
        };
        let mut values = values.iter();
        let (Some(name), Some(stored)) = (values.next(), values.next()) else {
            self.broken = Some("a row without two columns");
            return;
        };
        // PostgreSQL cuts long names: the one that it found may be somebody else's.
        if name != Some(user.as_bytes()) {
            return;
        }
        match stored.map(std::str::from_utf8).transpose() {
            Ok(stored) => {
                self.found = stored.filter(|text| !text.is_empty()).map(Secret::recognise);
            }
            Err(_) => self.broken = Some("a password that is not UTF-8"),
        }
    }

    fn answer(self) -> Result<Option<Secret>, AskError> {
        match self {
            Self { refused: Some(message), .. } => Err(AskError::Refused(message)),
            Self { broken: Some(what), .. } => Err(AskError::Answer(what)),
            Self { rows: 2.., .. } => Err(AskError::Answer("several rows")),
            Self { found, .. } => Ok(found),
        }
    }
}
