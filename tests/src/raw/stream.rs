//! The bytes of a connection, by TCP or Unix socket, in clear or by TLS.

use std::io::{Read, Write};
use std::net::{Shutdown, TcpStream};
use std::os::unix::net::UnixStream;
use std::time::Duration;

use howdah_wire::startup;
use rustls::{ClientConnection, StreamOwned};

use super::{Address, Tls};

#[derive(Debug)]
pub(super) enum Stream {
    Tcp(TcpStream),
    Unix(UnixStream),
    Tls(Box<StreamOwned<ClientConnection, Wire>>),
}

/// A socket that sends in pieces.
#[derive(Debug)]
pub(super) struct Wire {
    pub(super) socket: TcpStream,
    /// Bytes of a piece at most.
    piece: usize,
}

impl Read for Wire {
    fn read(&mut self, buffer: &mut [u8]) -> std::io::Result<usize> {
        self.socket.read(buffer)
    }
}

impl Write for Wire {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        self.socket.write(&bytes[..bytes.len().min(self.piece)])
    }

    fn flush(&mut self) -> std::io::Result<()> {
        self.socket.flush()
    }
}

impl Stream {
    pub(super) fn open(address: &Address, timeout: Duration) -> std::io::Result<Self> {
        match address {
            Address::Tcp(address) => {
                let stream = TcpStream::connect_timeout(address, timeout)?;
                stream.set_nodelay(true)?;
                Ok(Self::Tcp(stream))
            }
            Address::Unix(path) => UnixStream::connect(path).map(Self::Unix),
        }
    }

    /// The same with TLS above it, asked for unless `tls` begins with it at once.
    pub(super) fn encrypt(self, tls: &Tls) -> std::io::Result<Self> {
        let Self::Tcp(mut socket) = self else {
            return Err(std::io::Error::other("TLS is for TCP"));
        };
        if !tls.direct {
            let mut out = Vec::new();
            startup::ssl_request(&mut out);
            socket.write_all(&out)?;
            let mut answer = [0];
            socket.read_exact(&mut answer)?;
            if answer != *b"S" {
                return Err(std::io::Error::other("no TLS"));
            }
        }
        let name = "localhost".try_into().map_err(std::io::Error::other)?;
        let client = ClientConnection::new(tls.config.clone(), name);
        let client = client.map_err(std::io::Error::other)?;
        let wire = Wire { socket, piece: tls.piece };
        Ok(Self::Tls(Box::new(StreamOwned::new(client, wire))))
    }

    pub(super) fn set_timeout(&self, timeout: Duration) -> std::io::Result<()> {
        let timeout = Some(timeout.max(Duration::from_millis(1)));
        match self {
            Self::Tcp(stream) => stream.set_read_timeout(timeout),
            Self::Unix(stream) => stream.set_read_timeout(timeout),
            Self::Tls(stream) => stream.sock.socket.set_read_timeout(timeout),
        }
    }

    pub(super) fn read(&mut self, buffer: &mut [u8]) -> std::io::Result<usize> {
        match self {
            Self::Tcp(stream) => stream.read(buffer),
            Self::Unix(stream) => stream.read(buffer),
            Self::Tls(stream) => stream.read(buffer),
        }
    }

    pub(super) fn write_all(&mut self, bytes: &[u8]) -> std::io::Result<()> {
        match self {
            Self::Tcp(stream) => stream.write_all(bytes),
            Self::Unix(stream) => stream.write_all(bytes),
            Self::Tls(stream) => stream.write_all(bytes),
        }
    }

    pub(super) fn shutdown(&self, how: Shutdown) -> std::io::Result<()> {
        match self {
            Self::Tcp(stream) => stream.shutdown(how),
            Self::Unix(stream) => stream.shutdown(how),
            Self::Tls(stream) => stream.sock.socket.shutdown(how),
        }
    }
}
