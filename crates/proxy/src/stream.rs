//! One byte stream to a client or a server: a TCP or Unix socket, or memory (the in-process door), in clear or encrypted. What
//! encryption is: `tls`.

use std::io;
use std::net::SocketAddr;
use std::os::fd::{AsFd, OwnedFd};
use std::path::Path;
use std::pin::{Pin, pin};
use std::task::{Context, Poll, Waker, ready};
use std::time::Duration;

use howdah_wire::frontend;
use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWrite, DuplexStream, ReadBuf};
use tokio::net::{TcpStream, UnixStream};

use crate::tls::{Channel, DetachedEncrypted, Encrypted, TlsInfo};

/// A server that has been silent for so long is probed,
const KEEPALIVE_IDLE: Duration = Duration::from_secs(30);
/// every so often,
const KEEPALIVE_INTERVAL: Duration = Duration::from_secs(5);
/// so many times, before it counts as gone.
const KEEPALIVE_PROBES: u32 = 3;

/// Something connected.
#[derive(Debug)]
pub(crate) enum Socket {
    Tcp(TcpStream),
    Unix(UnixStream),
    Memory(DuplexStream),
}

/// A socket between two event loops.
#[derive(Debug)]
pub(crate) enum DetachedSocket {
    Tcp(std::net::TcpStream),
    Unix(std::os::unix::net::UnixStream),
    Memory(DuplexStream),
}

impl DetachedSocket {
    /// Puts the socket into this thread's event loop.
    pub(crate) fn attach(self) -> io::Result<Socket> {
        Ok(match self {
            Self::Tcp(stream) => Socket::Tcp(TcpStream::from_std(stream)?),
            Self::Unix(stream) => Socket::Unix(UnixStream::from_std(stream)?),
            Self::Memory(stream) => Socket::Memory(stream),
        })
    }
}

/// A connected stream.
#[derive(Debug)]
pub(crate) enum Stream {
    Clear(Socket),
    Encrypted(Box<Encrypted>),
}

/// A stream between two event loops.
#[derive(Debug)]
pub(crate) enum Detached {
    Clear(DetachedSocket),
    Encrypted(Box<DetachedEncrypted>),
}

impl Detached {
    /// Puts the stream into this thread's event loop.
    pub(crate) fn attach(self) -> io::Result<Stream> {
        Ok(match self {
            Self::Clear(socket) => Stream::Clear(socket.attach()?),
            Self::Encrypted(stream) => Stream::Encrypted(Box::new(stream.attach()?)),
        })
    }
}

/// Who is at the other end.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Peer {
    Tcp(SocketAddr),
    Unix,
    Memory,
}

impl Peer {
    /// The machine: its address without the port.
    pub(crate) fn host(self) -> String {
        match self {
            Self::Tcp(address) => address.ip().to_canonical().to_string(),
            Self::Unix | Self::Memory => self.to_string(),
        }
    }

    /// Whether it is on this machine.
    pub(crate) fn is_local(self) -> bool {
        match self {
            Self::Tcp(address) => address.ip().to_canonical().is_loopback(),
            Self::Unix | Self::Memory => true,
        }
    }
}

impl std::fmt::Display for Peer {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Tcp(address) => address.fmt(f),
            Self::Unix => f.write_str("unix"),
            Self::Memory => f.write_str("memory"),
        }
    }
}

impl Socket {
    pub(crate) async fn connect_tcp(host: &str, port: u16) -> io::Result<Self> {
        let stream = TcpStream::connect((host, port)).await?;
        stream.set_nodelay(true)?;
        // A machine that is gone without a word is noticed, also while nothing is sent.
        rustix::net::sockopt::set_socket_keepalive(&stream, true)?;
        rustix::net::sockopt::set_tcp_keepidle(&stream, KEEPALIVE_IDLE)?;
        rustix::net::sockopt::set_tcp_keepintvl(&stream, KEEPALIVE_INTERVAL)?;
        rustix::net::sockopt::set_tcp_keepcnt(&stream, KEEPALIVE_PROBES)?;
        Ok(Self::Tcp(stream))
    }

    pub(crate) async fn connect_unix(path: &Path) -> io::Result<Self> {
        Ok(Self::Unix(UnixStream::connect(path).await?))
    }

    /// Our end of a TCP connection.
    fn local(&self) -> Option<SocketAddr> {
        match self {
            Self::Tcp(stream) => stream.local_addr().ok(),
            Self::Unix(_) | Self::Memory(_) => None,
        }
    }

    fn poll_read(&mut self, cx: &mut Context<'_>, into: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        match self {
            Self::Tcp(stream) => Pin::new(stream).poll_read(cx, into),
            Self::Unix(stream) => Pin::new(stream).poll_read(cx, into),
            Self::Memory(stream) => Pin::new(stream).poll_read(cx, into),
        }
    }

    /// Reads behind what is in `into`, at most `room` bytes; takes memory only when there is something to read. `Ready(0)`: the
    /// end.
    pub(crate) fn poll_read_more(
        &mut self,
        cx: &mut Context<'_>,
        into: &mut Vec<u8>,
        room: usize,
    ) -> Poll<io::Result<usize>> {
        loop {
            let result = match self {
                Self::Tcp(stream) => {
                    ready!(stream.poll_read_ready(cx))?;
                    into.reserve(room);
                    stream.try_read_buf(into)
                }
                Self::Unix(stream) => {
                    ready!(stream.poll_read_ready(cx))?;
                    into.reserve(room);
                    stream.try_read_buf(into)
                }
                Self::Memory(stream) => {
                    into.reserve(room);
                    ready!(pin!(stream.read_buf(into)).poll(cx))
                }
            };
            match result {
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
                result => return Poll::Ready(result),
            }
        }
    }

    pub(crate) fn poll_write(
        &mut self,
        cx: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        match self {
            Self::Tcp(stream) => Pin::new(stream).poll_write(cx, bytes),
            Self::Unix(stream) => Pin::new(stream).poll_write(cx, bytes),
            Self::Memory(stream) => Pin::new(stream).poll_write(cx, bytes),
        }
    }

    pub(crate) fn poll_shutdown(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        match self {
            Self::Tcp(stream) => Pin::new(stream).poll_shutdown(cx),
            Self::Unix(stream) => Pin::new(stream).poll_shutdown(cx),
            Self::Memory(stream) => Pin::new(stream).poll_shutdown(cx),
        }
    }

    /// Takes the socket out of this thread's event loop.
    pub(crate) fn detach(self) -> io::Result<DetachedSocket> {
        Ok(match self {
            Self::Tcp(stream) => DetachedSocket::Tcp(stream.into_std()?),
            Self::Unix(stream) => DetachedSocket::Unix(stream.into_std()?),
            Self::Memory(stream) => DetachedSocket::Memory(stream),
        })
    }
}

impl Stream {
    pub(crate) fn poll_read(
        &mut self,
        cx: &mut Context<'_>,
        into: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        match self {
            Self::Clear(socket) => socket.poll_read(cx, into),
            Self::Encrypted(stream) => stream.poll_read(cx, into),
        }
    }

    /// Whoever gets `Pending` offers the same bytes the next time, perhaps with more behind them: some of them may be encrypted
    /// and on their way.
    pub(crate) fn poll_write(
        &mut self,
        cx: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        match self {
            Self::Clear(socket) => socket.poll_write(cx, bytes),
            Self::Encrypted(stream) => stream.poll_write(cx, bytes),
        }
    }

    pub(crate) fn poll_shutdown(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        match self {
            Self::Clear(socket) => socket.poll_shutdown(cx),
            Self::Encrypted(stream) => stream.poll_shutdown(cx),
        }
    }

    /// The state of its encryption.
    pub(crate) fn channel(&self) -> Option<&Channel> {
        match self {
            Self::Clear(_) => None,
            Self::Encrypted(stream) => Some(stream.channel()),
        }
    }

    /// Whether another process could go on with it: the keys of an encrypted one stay here.
    pub(crate) const fn can_move(&self) -> bool {
        matches!(self, Self::Clear(Socket::Tcp(_) | Socket::Unix(_)))
    }

    /// A second handle of the socket, for another process.
    pub(crate) fn duplicate(&self) -> io::Result<OwnedFd> {
        match self {
            Self::Clear(Socket::Tcp(stream)) => stream.as_fd().try_clone_to_owned(),
            Self::Clear(Socket::Unix(stream)) => stream.as_fd().try_clone_to_owned(),
            Self::Clear(Socket::Memory(_)) | Self::Encrypted(_) => {
                Err(io::ErrorKind::Unsupported.into())
            }
        }
    }

    const fn socket(&self) -> &Socket {
        match self {
            Self::Clear(socket) => socket,
            Self::Encrypted(stream) => stream.socket(),
        }
    }

    /// Our end of a TCP connection.
    pub(crate) fn local(&self) -> Option<SocketAddr> {
        self.socket().local()
    }

    /// Whether a Unix socket was opened by a process of the same user of the operating system as this one.
    pub(crate) fn is_of_own_user(&self) -> bool {
        let Socket::Unix(stream) = self.socket() else { return false };
        let own = rustix::process::geteuid().as_raw();
        stream.peer_cred().is_ok_and(|peer| peer.uid() == own)
    }

    /// What it is encrypted with.
    pub(crate) fn tls(&self) -> Option<TlsInfo> {
        self.channel().and_then(Channel::info)
    }

    /// Takes the stream out of this thread's event loop.
    pub(crate) fn detach(self) -> io::Result<Detached> {
        Ok(match self {
            Self::Clear(socket) => Detached::Clear(socket.detach()?),
            Self::Encrypted(stream) => Detached::Encrypted(Box::new(stream.detach()?)),
        })
    }

    /// Writes all of it. When the future is dropped, nobody knows how much was written.
    ///
    /// # Errors
    /// The connection has ended.
    pub(crate) async fn write_all(&mut self, mut bytes: &[u8]) -> io::Result<()> {
        while !bytes.is_empty() {
            let written = std::future::poll_fn(|cx| self.poll_write(cx, bytes)).await?;
            bytes = bytes
                .get(written..)
                .filter(|_| written > 0)
                .ok_or_else(|| io::Error::from(io::ErrorKind::WriteZero))?;
        }
        Ok(())
    }

    /// Tells PostgreSQL that this connection ends, as far as that can be written at once: it logs nothing for one that ends so.
    pub(crate) fn say_goodbye(&mut self) -> io::Result<()> {
        let mut out = Vec::with_capacity(8);
        frontend::terminate(&mut out);
        self.write_now(&out).map(drop)
    }

    /// Writes what the stream takes at once, without waiting: 0 when it takes nothing now.
    pub(crate) fn write_now(&mut self, bytes: &[u8]) -> io::Result<usize> {
        match self.poll_write(&mut Context::from_waker(Waker::noop()), bytes) {
            Poll::Ready(Ok(0)) if !bytes.is_empty() => Err(io::ErrorKind::WriteZero.into()),
            Poll::Ready(result) => result,
            Poll::Pending => Ok(0),
        }
    }

    /// Ends the writing direction.
    pub(crate) async fn shut_down(&mut self) {
        let result = std::future::poll_fn(|cx| self.poll_shutdown(cx)).await;
        // The peer may be gone already; there is nobody left to tell.
        drop(result);
    }
}
