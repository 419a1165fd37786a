//! An encrypted stream: a socket, and the state of TLS above it, which owns no memory for bytes while none are on their way. It is
//! used as the socket below is (`stream`), and may move to another event loop.
//!
//! Invariant: bytes count as written when all of their ciphertext was taken by the socket. Until then the writer offers the same
//! bytes again, as an outbox does; so nobody ever has to flush.
//!
//! Invariant: TLS sees the bytes that were read and not processed whenever it is asked anything; it may remember positions in them.

use std::io;
use std::sync::Arc;
use std::task::{Context, Poll, ready};

use rustls::Error;
use rustls::client::UnbufferedClientConnection;
use rustls::pki_types::CertificateDer;
use rustls::server::UnbufferedServerConnection;
use rustls::unbuffered::{ConnectionState, EncodeError, EncryptError, UnbufferedStatus};
use tokio::io::ReadBuf;

use super::{PROTOCOL, TlsInfo, certificate};
use crate::stream::{DetachedSocket, Socket};

/// Ciphertext that is read at once: a record at least, and some small ones.
const READ: usize = 32 * 1024;
/// Ciphertext that may wait for the rest of a message of the handshake, such as a long chain of certificates.
const READ_MOST: usize = 128 * 1024;
/// Bytes that are encrypted at once.
const WRITE: usize = 64 * 1024;
/// Most bytes of a record, and what encryption adds to them at most.
const RECORD: usize = 16 * 1024;
const RECORD_OVERHEAD: usize = 64;

/// Which end of TLS is ours.
enum Session {
    Client(Box<UnbufferedClientConnection>),
    Server(Box<UnbufferedServerConnection>),
}

/// The state of TLS of one connection.
pub(crate) struct Channel {
    session: Session,
    /// Hash of our own certificate, when we showed one that can be bound to.
    own_end_point: Option<Arc<[u8]>>,
    /// Ciphertext that was read and not processed.
    raw: Vec<u8>,
    /// Bytes that were decrypted and had no room.
    plain: Vec<u8>,
    taken: usize,
    /// Ciphertext to be written.
    out: Vec<u8>,
    sent: usize,
    /// Bytes of the writer that are in `out` and that the writer does not know to be written.
    owed: usize,
    /// The other side has ended.
    ended: bool,
    /// Our own end was said.
    said_goodbye: bool,
}

impl std::fmt::Debug for Channel {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Channel").field("info", &self.info()).finish_non_exhaustive()
    }
}

/// What TLS waits for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Step {
    /// Nothing: it has to be asked again.
    Again,
    /// More ciphertext.
    Blocked,
    /// Nothing; bytes can be sent.
    Open,
    /// The other side has ended; this one may go on.
    HalfEnded,
    /// Both sides have ended.
    Ended,
}

/// What goes in and out of TLS in one step.
struct Bytes<'a, 'b> {
    /// Room of the reader.
    into: Option<&'a mut ReadBuf<'b>>,
    /// What the reader has no room for.
    plain: &'a mut Vec<u8>,
    out: &'a mut Vec<u8>,
    /// What is to be sent; taken as a whole when TLS is open.
    text: &'a [u8],
}

impl Channel {
    fn new(session: Session, own_end_point: Option<Arc<[u8]>>, raw: Vec<u8>) -> Self {
        Self {
            session,
            own_end_point,
            raw,
            plain: Vec::new(),
            taken: 0,
            out: Vec::new(),
            sent: 0,
            owed: 0,
            ended: false,
            said_goodbye: false,
        }
    }

    /// Our side of a client's connection. `read` was read from it already.
    pub(super) fn of_client(
        session: UnbufferedServerConnection,
        own_end_point: Option<Arc<[u8]>>,
        read: Vec<u8>,
    ) -> Self {
        Self::new(Session::Server(Box::new(session)), own_end_point, read)
    }

    /// Our side of a connection to a server.
    pub(super) fn of_server(session: UnbufferedClientConnection) -> Self {
        Self::new(Session::Client(Box::new(session)), None, Vec::new())
    }

    fn state(&self) -> &rustls::CommonState {
        match &self.session {
            Session::Client(session) => session,
            Session::Server(session) => session,
        }
    }

    /// What it is encrypted with; `None` before the end of the handshake.
    pub(crate) fn info(&self) -> Option<TlsInfo> {
        let state = self.state();
        let suite = state.negotiated_cipher_suite()?.suite();
        Some(TlsInfo { version: state.protocol_version()?, suite })
    }

    /// The certificate of the other side, which has been checked as far as was asked for.
    pub(crate) fn certificate(&self) -> Option<&CertificateDer<'static>> {
        self.state().peer_certificates()?.first()
    }

    /// Whether both sides have agreed on PostgreSQL's protocol.
    pub(crate) fn is_postgresql(&self) -> bool {
        self.state().alpn_protocol() == Some(PROTOCOL)
    }

    /// Hash of the server's certificate, whichever side that is, for channel binding.
    pub(crate) fn end_point(&self) -> Option<Vec<u8>> {
        match &self.session {
            Session::Server(_) => self.own_end_point.as_deref().map(<[u8]>::to_vec),
            Session::Client(_) => self.certificate().and_then(|der| certificate::end_point(der)),
        }
    }

    /// One step of TLS, with all that was read.
    fn step(&mut self, into: Option<&mut ReadBuf<'_>>, text: &[u8]) -> Result<Step, Error> {
        let bytes = Bytes { into, plain: &mut self.plain, out: &mut self.out, text };
        let (discard, step) = match &mut self.session {
            Session::Client(session) => handle(session.process_tls_records(&mut self.raw), bytes),
            Session::Server(session) => handle(session.process_tls_records(&mut self.raw), bytes),
        };
        if discard >= self.raw.len() {
            self.raw.clear();
        } else {
            self.raw.drain(..discard);
        }
        step
    }

    /// Processes what was read until more is needed or `into` is full; then encrypts `text`.
    fn advance(&mut self, mut into: Option<&mut ReadBuf<'_>>, text: &[u8]) -> io::Result<Step> {
        loop {
            match self.step(into.as_deref_mut(), text) {
                Ok(Step::Again) => {
                    if into.as_ref().is_some_and(|into| into.remaining() == 0) {
                        return Ok(Step::Again);
                    }
                }
                Ok(Step::HalfEnded) => self.ended = true,
                Ok(step) => {
                    self.ended |= step == Step::Ended;
                    return Ok(step);
                }
                Err(error) => {
                    // The alert that tells the other side why, if TLS has made one.
                    let _ = self.step(None, &[]);
                    return Err(io::Error::new(io::ErrorKind::InvalidData, error));
                }
            }
        }
    }

    /// Gives the reader what was decrypted before.
    fn take_plain(&mut self, into: &mut ReadBuf<'_>) {
        let left = self.plain.get(self.taken..).unwrap_or_default();
        let count = left.len().min(into.remaining());
        into.put_slice(left.get(..count).unwrap_or_default());
        self.taken += count;
        if self.taken == self.plain.len() {
            self.plain = Vec::new();
            self.taken = 0;
        }
    }
}

/// Does what TLS asks for; also says how many bytes of the ciphertext are done with.
fn handle<D>(
    status: UnbufferedStatus<'_, '_, D>,
    bytes: Bytes<'_, '_>,
) -> (usize, Result<Step, Error>) {
    let mut discard = status.discard;
    let step = status.state.and_then(|state| on_state(state, bytes, &mut discard));
    (discard, step)
}

fn on_state<D>(
    state: ConnectionState<'_, '_, D>,
    mut bytes: Bytes<'_, '_>,
    discard: &mut usize,
) -> Result<Step, Error> {
    match state {
        ConnectionState::ReadTraffic(mut traffic) => {
            while let Some(record) = traffic.next_record() {
                let record = record?;
                *discard += record.discard;
                bytes.deliver(record.payload);
            }
            Ok(Step::Again)
        }
        ConnectionState::EncodeTlsData(mut data) => {
            append(bytes.out, RECORD_OVERHEAD, |room| {
                data.encode(room).map_err(|error| match error {
                    EncodeError::InsufficientSize(size) => Some(size.required_size),
                    EncodeError::AlreadyEncoded => None,
                })
            })?;
            Ok(Step::Again)
        }
        ConnectionState::TransmitTlsData(data) => {
            // It is in `out`, and that goes out in order.
            data.done();
            Ok(Step::Again)
        }
        ConnectionState::WriteTraffic(mut traffic) => {
            let text = std::mem::take(&mut bytes.text);
            if !text.is_empty() {
                let records = text.len() / RECORD + 1;
                append(bytes.out, text.len() + records * RECORD_OVERHEAD, |room| {
                    traffic.encrypt(text, room).map_err(|error| match error {
                        EncryptError::InsufficientSize(size) => Some(size.required_size),
                        EncryptError::EncryptExhausted => None,
                    })
                })?;
            }
            Ok(Step::Open)
        }
        ConnectionState::BlockedHandshake => Ok(Step::Blocked),
        ConnectionState::PeerClosed => Ok(Step::HalfEnded),
        ConnectionState::Closed => Ok(Step::Ended),
        ConnectionState::ReadEarlyData(_) => Err(Error::General("early data".to_owned())),
        _ => Err(Error::General("an unknown state of TLS".to_owned())),
    }
}

impl Bytes<'_, '_> {
    fn deliver(&mut self, payload: &[u8]) {
        let room = self.into.as_ref().map_or(0, |into| into.remaining());
        let (fits, rest) = payload.split_at_checked(room).unwrap_or((payload, &[]));
        if let Some(into) = &mut self.into {
            into.put_slice(fits);
        }
        self.plain.extend_from_slice(rest);
    }
}

/// Appends what `write` makes: with room for `guess` bytes, or for as many as it then asks for.
fn append(
    out: &mut Vec<u8>,
    guess: usize,
    mut write: impl FnMut(&mut [u8]) -> Result<usize, Option<usize>>,
) -> Result<(), Error> {
    let before = out.len();
    let mut room = guess;
    loop {
        out.resize(before + room, 0);
        match write(out.get_mut(before..).unwrap_or_default()) {
            Ok(count) => {
                out.truncate(before + count);
                return Ok(());
            }
            Err(Some(needed)) if needed > room => room = needed,
            Err(_) => {
                out.truncate(before);
                return Err(Error::EncryptError);
            }
        }
    }
}

/// A socket with TLS above it.
#[derive(Debug)]
pub(crate) struct Encrypted {
    socket: Socket,
    channel: Channel,
}

/// The same between two event loops.
#[derive(Debug)]
pub(crate) struct DetachedEncrypted {
    socket: DetachedSocket,
    channel: Channel,
}

impl DetachedEncrypted {
    pub(crate) fn attach(self) -> io::Result<Encrypted> {
        Ok(Encrypted { socket: self.socket.attach()?, channel: self.channel })
    }
}

impl Encrypted {
    /// Goes through the handshake.
    ///
    /// # Errors
    /// Those of the socket; those of TLS hold a [`rustls::Error`]. Dropping the future gives the connection up.
    pub(crate) async fn handshake(socket: Socket, channel: Channel) -> io::Result<Self> {
        let mut stream = Self { socket, channel };
        std::future::poll_fn(|cx| stream.poll_handshake(cx)).await?;
        Ok(stream)
    }

    pub(crate) const fn socket(&self) -> &Socket {
        &self.socket
    }

    pub(crate) const fn channel(&self) -> &Channel {
        &self.channel
    }

    pub(crate) fn detach(self) -> io::Result<DetachedEncrypted> {
        Ok(DetachedEncrypted { socket: self.socket.detach()?, channel: self.channel })
    }

    fn poll_handshake(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        loop {
            if let Err(error) = self.channel.advance(None, &[]) {
                // Best effort: the other side is told why.
                let _ = self.poll_out(cx);
                return Poll::Ready(Err(error));
            }
            ready!(self.poll_out(cx))?;
            if self.channel.ended {
                return Poll::Ready(Err(io::ErrorKind::UnexpectedEof.into()));
            }
            if !self.channel.state().is_handshaking() {
                return Poll::Ready(Ok(()));
            }
            if ready!(self.poll_raw(cx))? == 0 {
                return Poll::Ready(Err(io::ErrorKind::UnexpectedEof.into()));
            }
        }
    }

    /// Reads ciphertext. `Ready(0)`: the end.
    fn poll_raw(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<usize>> {
        let raw = &mut self.channel.raw;
        if raw.len() >= READ_MOST {
            return Poll::Ready(Err(io::ErrorKind::InvalidData.into()));
        }
        let result = self.socket.poll_read_more(cx, raw, READ);
        if result.is_pending() && raw.is_empty() {
            // Nothing is on its way: no memory for it.
            *raw = Vec::new();
        }
        result
    }

    /// Writes ciphertext until all is written.
    fn poll_out(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let channel = &mut self.channel;
        while let Some(left @ [_, ..]) = channel.out.get(channel.sent..) {
            match ready!(self.socket.poll_write(cx, left))? {
                0 => return Poll::Ready(Err(io::ErrorKind::WriteZero.into())),
                count => channel.sent += count,
            }
        }
        channel.out = Vec::new();
        channel.sent = 0;
        Poll::Ready(Ok(()))
    }

    /// As of a socket: at the end nothing is filled. An end without TLS's own goodbye counts the same: messages carry their length,
    /// so whoever reads them sees that one is cut.
    pub(crate) fn poll_read(
        &mut self,
        cx: &mut Context<'_>,
        into: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let before = into.filled().len();
        loop {
            self.channel.take_plain(into);
            if into.remaining() == 0 || self.channel.ended {
                return Poll::Ready(Ok(()));
            }
            let step = self.channel.advance(Some(into), &[]);
            if self.channel.owed == 0 {
                // What TLS itself has to say. What the writer has to say is the writer's business.
                let _ = self.poll_out(cx);
            }
            step?;
            if into.filled().len() > before {
                return Poll::Ready(Ok(()));
            }
            if self.channel.ended {
                continue;
            }
            self.channel.ended = ready!(self.poll_raw(cx))? == 0;
        }
    }

    /// As of a socket; whoever gets `Pending` offers the same bytes, and perhaps more behind them, the next time.
    pub(crate) fn poll_write(
        &mut self,
        cx: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        if self.channel.owed == 0 && !bytes.is_empty() {
            let text = bytes.get(..WRITE).unwrap_or(bytes);
            match self.channel.advance(None, text)? {
                Step::Open => self.channel.owed = text.len(),
                Step::Again | Step::Blocked | Step::HalfEnded | Step::Ended => {
                    return Poll::Ready(Err(io::ErrorKind::BrokenPipe.into()));
                }
            }
        }
        ready!(self.poll_out(cx))?;
        Poll::Ready(Ok(std::mem::take(&mut self.channel.owed).min(bytes.len())))
    }

    /// Says goodbye, and ends the writing direction.
    pub(crate) fn poll_shutdown(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        if !std::mem::replace(&mut self.channel.said_goodbye, true) {
            self.channel.say_goodbye();
        }
        ready!(self.poll_out(cx))?;
        self.socket.poll_shutdown(cx)
    }
}

impl Channel {
    fn say_goodbye(&mut self) {
        fn encode<D>(status: UnbufferedStatus<'_, '_, D>, out: &mut Vec<u8>) {
            if let Ok(ConnectionState::WriteTraffic(mut traffic)) = status.state {
                // Best effort: a peer that is told nothing sees the end of the socket.
                let _ = append(out, RECORD_OVERHEAD, |room| {
                    traffic.queue_close_notify(room).map_err(|error| match error {
                        EncryptError::InsufficientSize(size) => Some(size.required_size),
                        EncryptError::EncryptExhausted => None,
                    })
                });
            }
        }
        // Up to a state in which something can be said; what was read is of no interest any more.
        if matches!(self.advance(None, &[]), Ok(Step::Open)) {
            match &mut self.session {
                Session::Client(session) => {
                    encode(session.process_tls_records(&mut self.raw), &mut self.out)
                }
                Session::Server(session) => {
                    encode(session.process_tls_records(&mut self.raw), &mut self.out)
                }
            }
        }
    }
}
