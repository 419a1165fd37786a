//! Opens a connection to PostgreSQL: socket, encryption, startup, login by whatever method the server asks for, up to its first
//! ReadyForQuery. Not whether one should be opened: that is the ledger's decision.

use std::collections::BTreeMap;
use std::io;

use howdah_core::topology::{Failure, Hint};
use howdah_wire::backend::{self, Message, TransactionStatus, tag};
use howdah_wire::sqlstate::SqlState;
use howdah_wire::{frame, frontend, startup};
use tokio::io::ReadBuf;

use crate::buffer::{Inbox, Shelf};
use crate::error::Refusal;
use crate::keys::Keys;
use crate::settings::NodeAddress;
use crate::stream::{Socket, Stream};
use crate::tls::{self, Connector, Encrypted, NodeMode};

pub(crate) use proof::Proof;

mod proof;

/// Where and as whom to log in.
#[derive(Debug)]
pub(crate) struct Login<'a> {
    pub(crate) address: &'a NodeAddress,
    pub(crate) connector: Option<&'a Connector>,
    pub(crate) database: &'a str,
    pub(crate) user: &'a str,
    /// Settings of the startup message.
    pub(crate) settings: &'a [(&'a str, &'a str)],
    pub(crate) keys: &'a Keys,
    /// The only proof that the server may ask for; `None`: any.
    pub(crate) only: Option<Proof>,
    /// A query that it answers with one row before anybody uses it.
    pub(crate) question: Option<&'static str>,
}

/// A server that said it is ready.
#[derive(Debug)]
pub(crate) struct Opened {
    pub(crate) stream: Stream,
    pub(crate) greeting: Greeting,
    /// What the server has asked for.
    pub(crate) proof: Proof,
    /// The answer to the question; empty if it had none.
    pub(crate) answer: Vec<Option<String>>,
}

/// What a server says between the login and its first ReadyForQuery.
#[derive(Debug, Default)]
pub(crate) struct Greeting {
    pub(crate) parameters: BTreeMap<Box<[u8]>, Box<[u8]>>,
    pub(crate) process_id: u32,
    pub(crate) secret: Vec<u8>,
}

/// Why a server could not be opened.
#[derive(Debug, Clone, thiserror::Error)]
pub(crate) enum OpenError {
    /// The socket.
    #[error("cannot reach PostgreSQL at {address}: {reason}")]
    Unreachable { address: String, kind: io::ErrorKind, reason: String },
    /// It took longer than `pool.connect_timeout`.
    #[error("PostgreSQL at {address} did not answer in time")]
    Timeout { address: String },
    /// It cannot be encrypted as it has to be.
    #[error("TLS with PostgreSQL at {address}: {reason}")]
    Tls { address: String, reason: String },
    /// PostgreSQL said no.
    #[error("PostgreSQL at {address} refused the login: {message} (SQLSTATE {code})")]
    Refused { address: String, code: SqlState, message: String },
    /// PostgreSQL wants something that Howdah does not have or cannot do.
    #[error("cannot log in to PostgreSQL at {address}: {reason}")]
    Login { address: String, reason: String },
}

impl OpenError {
    /// Whether it says something about the node, and not only about this database and user.
    pub(crate) fn is_of_node(&self) -> bool {
        match self {
            Self::Unreachable { .. } | Self::Timeout { .. } => true,
            // Insufficient resources, and starting or stopping.
            Self::Refused { code, .. } => {
                code.as_str().starts_with("53") || code.as_str().starts_with("57P0")
            }
            // What is wrong with certificates is so for each attempt, and nothing recovers by being left alone.
            Self::Login { .. } | Self::Tls { .. } => false,
        }
    }

    /// Whether waiting does not help: clients are told at once.
    pub(crate) fn is_final(&self) -> bool {
        match self {
            Self::Refused { code, .. } => {
                !(*code == SqlState::CANNOT_CONNECT_NOW || *code == SqlState::TOO_MANY_CONNECTIONS)
            }
            Self::Login { .. } | Self::Tls { .. } => true,
            Self::Unreachable { .. } | Self::Timeout { .. } => false,
        }
    }

    /// What it says about the state of the node.
    pub(crate) fn failure(&self) -> Failure {
        match self {
            // Nobody listens; or nobody has made the socket.
            Self::Unreachable {
                kind: io::ErrorKind::ConnectionRefused | io::ErrorKind::NotFound,
                ..
            } => Failure::Refused,
            Self::Unreachable { .. } | Self::Timeout { .. } => Failure::Silent,
            Self::Refused { code, .. } if code.as_str().starts_with("57P0") => Failure::Refused,
            Self::Refused { .. } | Self::Login { .. } | Self::Tls { .. } => Failure::Barred,
        }
    }

    /// The same for those who have not asked: what contradicts that the node is up.
    pub(crate) fn hint(&self) -> Option<Hint> {
        match (self, self.failure()) {
            (Self::Refused { .. }, Failure::Refused) => Some(Hint::ShuttingDown),
            (_, Failure::Refused) => Some(Hint::Refused),
            (_, Failure::Silent | Failure::Barred) => None,
        }
    }

    /// What a client is told. The reason of a failed login stays in the log: it is the operator's business.
    pub(crate) fn refusal(&self) -> Refusal {
        match self {
            Self::Unreachable { .. } | Self::Timeout { .. } => {
                Refusal::new(SqlState::CONNECTION_FAILURE, self.to_string())
                    .hint("Is the server running, and is the address right? `howdah check` tries it.")
            }
            Self::Refused { code, message, .. } if *code == SqlState::INVALID_CATALOG_NAME => {
                Refusal::new(*code, message.clone())
            }
            Self::Refused { code, message, .. } if !self.is_final() => {
                Refusal::new(*code, format!("PostgreSQL does not accept connections now: {message}"))
            }
            Self::Refused { .. } | Self::Login { .. } | Self::Tls { .. } => Refusal::new(
                SqlState::CONNECTION_REJECTED,
                "Howdah cannot log in to PostgreSQL for this database and user",
            )
            .hint("The reason is in Howdah's log. `howdah check` tries the login and says what is missing."),
        }
    }
}

/// Opens and logs in.
///
/// # Errors
/// [`OpenError`] for everything that keeps the server from being ready. Dropping the future closes the socket.
pub(crate) async fn open(login: &Login<'_>, shelf: &Shelf) -> Result<Opened, OpenError> {
    let stream = reach(login.address, login.connector).await?;
    let encrypted = stream.tls().is_some();
    match greet(stream, login, shelf).await {
        // As libpq: the server may want this one in clear.
        Err(OpenError::Refused { code, .. })
            if encrypted
                && code == SqlState::INVALID_AUTHORIZATION
                && login.connector.is_some_and(|tls| tls.mode() == NodeMode::Prefer) =>
        {
            greet(reach(login.address, None).await?, login, shelf).await
        }
        result => result,
    }
}

async fn greet(stream: Stream, login: &Login<'_>, shelf: &Shelf) -> Result<Opened, OpenError> {
    let address = login.address.to_string();
    let mut opening = Opening { stream, inbox: Inbox::default(), shelf, address: &address };
    let mut out = Vec::with_capacity(128);
    let mut parameters = vec![("user", login.user), ("database", login.database)];
    parameters.extend_from_slice(login.settings);
    startup::startup(&mut out, 0, &parameters);
    opening.send(&out).await?;
    let proof = opening.log_in(login).await?;
    let greeting = opening.until_ready().await?;
    let answer = match login.question {
        Some(question) => opening.ask(question).await?,
        None => Vec::new(),
    };
    Ok(Opened { stream: opening.stream, greeting, proof, answer })
}

/// Connects to a node, and encrypts as far as the node wants it. Over a Unix socket nothing is encrypted, as with libpq.
///
/// # Errors
/// [`OpenError::Unreachable`] and [`OpenError::Tls`]. Dropping the future closes the socket.
pub(crate) async fn reach(
    address: &NodeAddress,
    connector: Option<&Connector>,
) -> Result<Stream, OpenError> {
    let unreachable = |error: io::Error| OpenError::Unreachable {
        address: address.to_string(),
        kind: error.kind(),
        reason: error.to_string(),
    };
    let socket = connect(address).await.map_err(unreachable)?;
    let (NodeAddress::Tcp { host, .. }, Some(connector), Socket::Tcp(_)) =
        (address, connector, &socket)
    else {
        return Ok(Stream::Clear(socket));
    };
    let refused = |reason: String| OpenError::Tls { address: address.to_string(), reason };
    let optional = connector.mode() == NodeMode::Prefer;
    let mut stream = Stream::Clear(socket);
    let answer = ask_for_tls(&mut stream).await.map_err(unreachable)?;
    let Stream::Clear(socket) = stream else { return Ok(stream) };
    match answer {
        b'S' => {}
        b'N' if optional => return Ok(Stream::Clear(socket)),
        b'N' => {
            return Err(refused(format!(
                "it does not speak TLS, and tls = {:?} wants it: ssl = on in postgresql.conf, or tls = \"prefer\" for the node",
                connector.mode().as_str()
            )));
        }
        // A server that is too full for another process says so before anything else; in clear, where nobody can be believed.
        _ => {
            return Err(unreachable(io::Error::other(
                "it answered the question for TLS with an error",
            )));
        }
    }
    let channel = connector.connect(host).map_err(|error| refused(error.to_string()))?;
    match Encrypted::handshake(socket, channel).await {
        Ok(stream) => Ok(Stream::Encrypted(Box::new(stream))),
        Err(_) if optional => connect(address).await.map(Stream::Clear).map_err(unreachable),
        Err(error) => Err(match tls_error(&error) {
            Some(tls) => refused(tls::explain(tls, host)),
            None => unreachable(error),
        }),
    }
}

/// One byte: `S` or `N`. Nothing more is read, so nothing in clear can pass for something encrypted.
async fn ask_for_tls(stream: &mut Stream) -> io::Result<u8> {
    let mut out = Vec::with_capacity(8);
    startup::ssl_request(&mut out);
    write_all(stream, &out).await?;
    let mut byte = [0];
    let mut room = ReadBuf::new(&mut byte);
    std::future::poll_fn(|cx| stream.poll_read(cx, &mut room)).await?;
    room.filled().first().copied().ok_or_else(|| io::ErrorKind::UnexpectedEof.into())
}

async fn write_all(stream: &mut Stream, mut bytes: &[u8]) -> io::Result<()> {
    while !bytes.is_empty() {
        let count = std::future::poll_fn(|cx| stream.poll_write(cx, bytes)).await?;
        bytes = bytes.get(count..).unwrap_or_default();
    }
    Ok(())
}

fn tls_error(error: &io::Error) -> Option<&rustls::Error> {
    error.get_ref()?.downcast_ref()
}

async fn connect(address: &NodeAddress) -> io::Result<Socket> {
    #[cfg(feature = "simulation")]
    if let Some(dialled) = crate::simulation::dial(address) {
        return Ok(Socket::Memory(dialled.await?));
    }
    match address {
        NodeAddress::Tcp { host, port } => Socket::connect_tcp(host, *port).await,
        NodeAddress::Unix { directory, port } => {
            Socket::connect_unix(&directory.join(format!(".s.PGSQL.{port}"))).await
        }
    }
}

/// A connection that is logging in.
struct Opening<'a> {
    stream: Stream,
    inbox: Inbox,
    shelf: &'a Shelf,
    address: &'a str,
}

impl Opening<'_> {
    fn io(&self, error: &io::Error) -> OpenError {
        let address = self.address.to_owned();
        match tls_error(error) {
            // With TLS 1.3 a server says only now that it does not accept our certificate.
            Some(tls) => OpenError::Tls { reason: tls::explain(tls, &address), address },
            None => {
                OpenError::Unreachable { address, kind: error.kind(), reason: error.to_string() }
            }
        }
    }

    fn cannot(&self, reason: impl Into<String>) -> OpenError {
        OpenError::Login { address: self.address.to_owned(), reason: reason.into() }
    }

    async fn send(&mut self, bytes: &[u8]) -> Result<(), OpenError> {
        write_all(&mut self.stream, bytes).await.map_err(|error| self.io(&error))
    }

    /// The next frame: tag and body. An `ErrorResponse` is an error.
    async fn frame(&mut self) -> Result<(u8, Vec<u8>), OpenError> {
        let bytes = self.whole_frame().await?;
        match frame::split(&bytes) {
            Ok(Some((found, _))) if found.tag == tag::ERROR => Err(self.refused(found.body)),
            Ok(Some((found, _))) => Ok((found.tag, found.body.to_vec())),
            Ok(None) | Err(_) => Err(self.cannot("it sent half a message")),
        }
    }

    /// The bytes of the next frame.
    async fn whole_frame(&mut self) -> Result<Vec<u8>, OpenError> {
        loop {
            match frame::split(self.inbox.unread()) {
                Ok(Some((found, _))) => {
                    let bytes = found.bytes.to_vec();
                    self.inbox.consume(bytes.len());
                    return Ok(bytes);
                }
                Ok(None) if self.inbox.is_full() => {
                    return Err(self.cannot("it sent a message that is too long for a login"));
                }
                Ok(None) => {}
                Err(error) => {
                    return Err(
                        self.cannot(format!("it does not speak PostgreSQL's protocol: {error}"))
                    );
                }
            }
            let (inbox, stream, shelf) = (&mut self.inbox, &mut self.stream, self.shelf);
            let count = std::future::poll_fn(|cx| inbox.poll_fill(stream, shelf, cx)).await;
            match count {
                Ok(0) => {
                    return Err(
                        self.io(&io::Error::other("it closed the connection during the login"))
                    );
                }
                Ok(_) => {}
                Err(error) => return Err(self.io(&error)),
            }
        }
    }

    fn refused(&self, body: &[u8]) -> OpenError {
        let address = self.address.to_owned();
        match backend::error_fields(body) {
            Ok(fields) => OpenError::Refused {
                address,
                code: fields.code,
                message: String::from_utf8_lossy(fields.message).into_owned(),
            },
            Err(error) => OpenError::Login { address, reason: error.to_string() },
        }
    }

    /// The first row of the answer to a query; empty if it fails.
    async fn ask(&mut self, question: &str) -> Result<Vec<Option<String>>, OpenError> {
        let mut out = Vec::with_capacity(512);
        frontend::query(&mut out, question.as_bytes());
        self.send(&out).await?;
        let mut row = Vec::new();
        loop {
            let bytes = self.whole_frame().await?;
            let malformed = || self.cannot("it answers in a way that cannot be read");
            let Ok(Some((found, _))) = frame::split(&bytes) else { return Err(malformed()) };
            let message = backend::decode(found).map_err(|_| malformed())?;
            if let Message::DataRow(values) = message {
                let text = |value: &[u8]| String::from_utf8_lossy(value).into_owned();
                row = values.iter().map(|value| value.map(text)).collect();
            } else if let Message::ReadyForQuery(status) = message {
                let idle = status == TransactionStatus::Idle && self.inbox.is_empty();
                return if idle { Ok(row) } else { Err(malformed()) };
            }
        }
    }

    async fn until_ready(&mut self) -> Result<Greeting, OpenError> {
        let mut greeting = Greeting::default();
        loop {
            let (tag, body) = self.frame().await?;
            let malformed = |error: howdah_wire::Error| self.cannot(error.to_string());
            match tag {
                tag::PARAMETER_STATUS => {
                    let (name, value) = backend::parameter_status(&body).map_err(malformed)?;
                    greeting.parameters.insert(name.into(), value.into());
                }
                tag::BACKEND_KEY_DATA => {
                    let (process_id, secret) = backend::key_data(&body).map_err(malformed)?;
                    greeting.process_id = process_id;
                    greeting.secret = secret.to_vec();
                }
                tag::READY_FOR_QUERY => {
                    let status = backend::ready_status(&body).map_err(malformed)?;
                    if status == TransactionStatus::Idle && self.inbox.is_empty() {
                        return Ok(greeting);
                    }
                    return Err(self.cannot("it is not idle after the login"));
                }
                tag::NOTICE => {}
                other => {
                    return Err(
                        self.cannot(format!("unexpected message {other:#04x} after the login"))
                    );
                }
            }
        }
    }
}
