//! The socket between two processes: messages of `howdah_core::takeover`, some with a socket beside them (`SCM_RIGHTS`). Not what is
//! said when.
//!
//! Invariant: sockets are matched with messages by their order; the kernel delivers a socket no later than the first byte of the
//! message it was sent with.

use std::collections::VecDeque;
use std::io::{self, IoSlice, IoSliceMut};
use std::mem::MaybeUninit;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::path::Path;

use howdah_core::takeover::Message;
use rustix::net::{
    RecvAncillaryBuffer, RecvAncillaryMessage, RecvFlags, SendAncillaryBuffer,
    SendAncillaryMessage, SendFlags, recvmsg, sendmsg,
};
use tokio::io::Interest;
use tokio::net::UnixStream;

use super::PATIENCE;

/// Bytes read at once.
const READ: usize = 64 * 1024;

/// Sockets that one read may bring; the other side sends one with a message.
const SOCKETS: usize = 32;

/// A message that was received, with the socket beside it.
pub(super) type Received = (Message, Option<OwnedFd>);

/// One end of the conversation.
#[derive(Debug)]
pub(super) struct Line {
    stream: UnixStream,
    input: Vec<u8>,
    sockets: VecDeque<OwnedFd>,
}

/// A [`Line`] between two event loops.
#[derive(Debug)]
pub(crate) struct DetachedLine {
    stream: std::os::unix::net::UnixStream,
    input: Vec<u8>,
    sockets: VecDeque<OwnedFd>,
}

impl DetachedLine {
    /// Into this thread's event loop.
    pub(super) fn attach(self) -> io::Result<Line> {
        let stream = UnixStream::from_std(self.stream)?;
        Ok(Line { stream, input: self.input, sockets: self.sockets })
    }
}

impl Line {
    pub(super) const fn new(stream: UnixStream) -> Self {
        Self { stream, input: Vec::new(), sockets: VecDeque::new() }
    }

    /// Out of this thread's event loop.
    pub(super) fn detach(self) -> io::Result<DetachedLine> {
        let stream = self.stream.into_std()?;
        Ok(DetachedLine { stream, input: self.input, sockets: self.sockets })
    }

    pub(super) async fn connect(path: &Path) -> io::Result<Self> {
        Ok(Self::new(UnixStream::connect(path).await?))
    }

    /// Whether the other process may have our clients and we its: it runs as the same user, or as root.
    pub(super) fn is_trusted(&self) -> io::Result<bool> {
        let peer = self.stream.peer_cred()?.uid();
        Ok(peer == 0 || peer == rustix::process::geteuid().as_raw())
    }

    /// Process id of the other side.
    pub(super) fn process_id(&self) -> Option<i32> {
        self.stream.peer_cred().ok()?.pid()
    }

    /// Sends a message, with a socket if it is of a kind that has one beside it.
    ///
    /// Not cancel safe: a part of the message may have been sent.
    pub(super) async fn send(
        &self,
        message: &Message,
        socket: Option<BorrowedFd<'_>>,
    ) -> io::Result<()> {
        let frame = message.encode().map_err(io::Error::other)?;
        let sent = tokio::time::timeout(PATIENCE, self.send_frame(&frame, socket)).await;
        sent.unwrap_or_else(|_| Err(io::ErrorKind::TimedOut.into()))
    }

    async fn send_frame(&self, frame: &[u8], mut socket: Option<BorrowedFd<'_>>) -> io::Result<()> {
        let mut at = 0;
        while let Some(rest) = frame.get(at..).filter(|rest| !rest.is_empty()) {
            let count = self
                .stream
                .async_io(Interest::WRITABLE, || send_once(self.stream.as_fd(), rest, socket))
                .await?;
            // It went with the first bytes.
            socket = None;
            at += count;
        }
        Ok(())
    }

    /// The next message. An error of kind `UnexpectedEof`: the other side is gone.
    ///
    /// Cancel safe: what was read is kept.
    pub(super) async fn recv(&mut self) -> io::Result<Received> {
        loop {
            let decoded = Message::decode(&self.input).map_err(io::Error::other)?;
            if let Some((message, used)) = decoded {
                let socket = if message.carries_socket() {
                    let missing = || io::Error::other("a message without its socket");
                    Some(self.sockets.pop_front().ok_or_else(missing)?)
                } else {
                    None
                };
                self.input.drain(..used);
                return Ok((message, socket));
            }
            let (stream, input, sockets) = (&self.stream, &mut self.input, &mut self.sockets);
            let count = stream
                .async_io(Interest::READABLE, || recv_once(stream.as_fd(), input, sockets))
                .await?;
            if count == 0 {
                return Err(io::ErrorKind::UnexpectedEof.into());
            }
        }
    }

    /// The next message, which must come soon.
    pub(super) async fn recv_soon(&mut self) -> io::Result<Received> {
        let received = tokio::time::timeout(PATIENCE, self.recv()).await;
        received.unwrap_or_else(|_| Err(io::ErrorKind::TimedOut.into()))
    }
}

fn send_once(
    stream: BorrowedFd<'_>,
    bytes: &[u8],
    socket: Option<BorrowedFd<'_>>,
) -> io::Result<usize> {
    let mut space = [MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(1))];
    let mut control = SendAncillaryBuffer::new(&mut space);
    let sockets: Vec<BorrowedFd<'_>> = socket.into_iter().collect();
    if !sockets.is_empty() && !control.push(SendAncillaryMessage::ScmRights(&sockets)) {
        return Err(io::Error::other("no room for a socket"));
    }
    let flags = SendFlags::NOSIGNAL | SendFlags::DONTWAIT;
    Ok(sendmsg(stream, &[IoSlice::new(bytes)], &mut control, flags)?)
}

fn recv_once(
    stream: BorrowedFd<'_>,
    input: &mut Vec<u8>,
    sockets: &mut VecDeque<OwnedFd>,
) -> io::Result<usize> {
    let mut space = [MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(SOCKETS))];
    let mut control = RecvAncillaryBuffer::new(&mut space);
    let mut bytes = vec![0; READ];
    let flags = RecvFlags::CMSG_CLOEXEC | RecvFlags::DONTWAIT;
    let received = recvmsg(stream, &mut [IoSliceMut::new(&mut bytes)], &mut control, flags)?;
    for message in control.drain() {
        if let RecvAncillaryMessage::ScmRights(found) = message {
            sockets.extend(found);
        }
    }
    input.extend_from_slice(bytes.get(..received.bytes).unwrap_or_default());
    Ok(received.bytes)
}

#[cfg(test)]
mod tests {
    use std::io::{Read, Write};
    use std::os::unix::net::UnixStream as StdStream;

    use super::*;

    #[test]
    fn each_socket_comes_with_its_message() {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
        runtime.expect("a runtime").block_on(async {
            let (one, other) = UnixStream::pair().expect("a pair");
            let (one, mut other) = (Line::new(one), Line::new(other));
            let pairs: Vec<_> = (0..40).map(|_| StdStream::pair().expect("a pair")).collect();
            let sending = async {
                for (id, (ours, _)) in (0u64..).zip(&pairs) {
                    let state = vec![7; usize::try_from(id).expect("small") * 5000];
                    let session = Message::Session { id, state };
                    one.send(&session, Some(ours.as_fd())).await.expect("it is sent");
                    one.send(&Message::Go { id }, None).await.expect("it is sent");
                }
            };
            let receiving = async {
                for (id, (_, theirs)) in (0u64..).zip(&pairs) {
                    let (message, socket) = other.recv().await.expect("a session");
                    assert!(matches!(message, Message::Session { id: of, .. } if of == id));
                    let moved = StdStream::from(socket.expect("a socket"));
                    let mark = [u8::try_from(id).expect("small")];
                    (&moved).write_all(&mark).expect("it can be written to");
                    let mut byte = [0];
                    (&*theirs).read_exact(&mut byte).expect("it is the right socket");
                    assert_eq!(u64::from(byte[0]), id);
                    let (message, socket) = other.recv().await.expect("the word");
                    assert_eq!(message, Message::Go { id });
                    assert!(socket.is_none());
                }
            };
            tokio::join!(sending, receiving);
            drop(one);
            let end = other.recv().await.expect_err("the end");
            assert_eq!(end.kind(), io::ErrorKind::UnexpectedEof);
        });
    }
}
