//! What two Howdah processes say to each other while one takes over from the other, as frames: a length of four bytes, then the
//! message. Not the socket that they say it over, and not the sockets that some messages carry beside their bytes.
//!
//! The *old* process serves, the *new* one asks: `Hello`, answered by `Welcome` and one `Listener` for each socket; when the new
//! process could serve, `Ready`, answered by `Begin`. From then on the new one accepts, and sessions move one by one:
//! `Session`, `Held`, `Go`. Before `Go` a session is the old process's, whatever becomes of the new one.
//!
//! Invariant: decoding never panics and never allocates more than has arrived.

use core::net::SocketAddr;

use serde::{Deserialize, Serialize};

/// Version of this conversation.
pub const PROTOCOL_VERSION: u16 = 1;

/// Longest frame; a session that needs more stays where it is. Bytes.
pub const LONGEST_FRAME: usize = 64 * 1024 * 1024;

const LENGTH: usize = 4;

/// What a listening socket listens on.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum ListenerName {
    /// TCP.
    Tcp(SocketAddr),
    /// Path of the socket file.
    Unix(String),
}

/// Servers of one pool that a process holds open.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct OpenServers {
    /// Database as clients name it.
    pub database: String,
    /// User that clients log in as.
    pub user: String,
    /// Servers, over all workers.
    pub count: u32,
}

/// What clients of a pool are told at login, so that a login in the new process needs no server either.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Greeting {
    /// Database as clients name it.
    pub database: String,
    /// User that clients log in as.
    pub user: String,
    /// Where the servers of the pool are, and as whom: it is not for a pool elsewhere.
    pub server: String,
    /// Settings of the startup message that it is for: names, and the SQL that makes them.
    pub startup: Vec<(String, String)>,
    /// Names and values of parameter statuses.
    pub parameters: Vec<(Vec<u8>, Vec<u8>)>,
}

/// One message of either side.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum Message {
    /// New: I want to take over.
    Hello {
        /// The sender's [`PROTOCOL_VERSION`].
        version: u16,
    },
    /// Old: you may; `listeners` sockets follow.
    Welcome {
        /// How many processes there were before this one.
        generation: u32,
        /// The sender's hash of nothing: row descriptions are hashed in the same way if the receiver's is equal.
        probe: u64,
        /// [`Self::Listener`] messages that follow.
        listeners: u32,
    },
    /// Old: you may not.
    Refused {
        /// Why, for people.
        reason: String,
    },
    /// Old: a listening socket, which is beside the message.
    Listener {
        /// What it listens on.
        name: ListenerName,
    },
    /// New: I could serve.
    Ready {
        /// How long the old process shall keep the clients that cannot move, in milliseconds.
        grace_ms: u64,
    },
    /// Old: an answer to logins.
    Greeting(Greeting),
    /// Old: I have stopped accepting; accept.
    Begin,
    /// Old: servers that I hold, instead of those said before.
    Servers {
        /// By pool.
        open: Vec<OpenServers>,
    },
    /// Old: a session; the client's socket is beside the message.
    Session {
        /// Number for the answer.
        id: u64,
        /// A [`Snapshot`](crate::session::Snapshot), encoded.
        state: Vec<u8>,
    },
    /// New: I have it, and wait for your word.
    Held {
        /// Number of the session.
        id: u64,
    },
    /// New: I cannot serve it; keep it.
    Declined {
        /// Number of the session.
        id: u64,
        /// Why, for people.
        reason: String,
    },
    /// Old: the session is yours.
    Go {
        /// Number of the session.
        id: u64,
    },
    /// Either: a cancel request for a client that may be yours.
    Cancel {
        /// Number for the answer.
        id: u64,
        /// Process id of the client.
        process_id: u32,
        /// Secret of the client.
        secret: Vec<u8>,
    },
    /// Either: the cancel request has been delivered, or was for nobody.
    Delivered {
        /// Number of the cancel request.
        id: u64,
    },
    /// Old: I end.
    Farewell,
}

/// Bytes that are no message.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Malformed;

impl std::fmt::Display for Malformed {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("a malformed message between two Howdah processes")
    }
}

impl std::error::Error for Malformed {}

impl Message {
    /// Whether a socket travels beside it.
    #[must_use]
    pub const fn carries_socket(&self) -> bool {
        matches!(self, Self::Listener { .. } | Self::Session { .. })
    }

    /// The frame of this message.
    ///
    /// # Errors
    /// It is longer than [`LONGEST_FRAME`].
    pub fn encode(&self) -> Result<Vec<u8>, Malformed> {
        let mut frame = postcard::to_extend(self, vec![0; LENGTH]).map_err(|_| Malformed)?;
        if frame.len() > LONGEST_FRAME {
            return Err(Malformed);
        }
        let length = u32::try_from(frame.len() - LENGTH).map_err(|_| Malformed)?;
        if let Some(head) = frame.first_chunk_mut() {
            *head = length.to_be_bytes();
        }
        Ok(frame)
    }

    /// The message at the head of some bytes and the length of its frame; `None`: more has to arrive.
    ///
    /// # Errors
    /// Not a frame, or too long.
    pub fn decode(bytes: &[u8]) -> Result<Option<(Self, usize)>, Malformed> {
        let Some((length, rest)) = bytes.split_first_chunk::<LENGTH>() else {
            return Ok(None);
        };
        let length = usize::try_from(u32::from_be_bytes(*length)).map_err(|_| Malformed)?;
        if length > LONGEST_FRAME {
            return Err(Malformed);
        }
        let Some(body) = rest.get(..length) else {
            return Ok(None);
        };
        match postcard::take_from_bytes(body) {
            Ok((message, [])) => Ok(Some((message, LENGTH + length))),
            Ok(_) | Err(_) => Err(Malformed),
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn all() -> Vec<Message> {
        let tcp = ListenerName::Tcp(SocketAddr::from(([127, 0, 0, 1], 6432)));
        let open = OpenServers { database: "d".into(), user: "u".into(), count: 7 };
        vec![
            Message::Hello { version: PROTOCOL_VERSION },
            Message::Welcome { generation: 3, probe: 9, listeners: 2 },
            Message::Refused { reason: "no".into() },
            Message::Listener { name: tcp },
            Message::Listener { name: ListenerName::Unix("/run/x/.s.PGSQL.1".into()) },
            Message::Ready { grace_ms: 60_000 },
            Message::Greeting(Greeting {
                database: "d".into(),
                user: "u".into(),
                server: "here".into(),
                startup: vec![("a".into(), "SET a TO b".into())],
                parameters: vec![(b"TimeZone".to_vec(), b"UTC".to_vec())],
            }),
            Message::Begin,
            Message::Servers { open: vec![open] },
            Message::Session { id: 1, state: vec![1, 2, 3] },
            Message::Held { id: 1 },
            Message::Declined { id: 1, reason: "unknown".into() },
            Message::Go { id: u64::MAX },
            Message::Cancel { id: 2, process_id: 77, secret: vec![0; 32] },
            Message::Delivered { id: 2 },
            Message::Farewell,
        ]
    }

    #[test]
    fn every_message_comes_back_whole_and_one_at_a_time() {
        let mut stream = Vec::new();
        for message in all() {
            stream.extend(message.encode().expect("it fits"));
        }
        let mut rest = &stream[..];
        for message in all() {
            let (found, used) = Message::decode(rest).expect("a message").expect("a whole one");
            assert_eq!(found, message);
            assert_eq!(Message::decode(&rest[..used - 1]), Ok(None), "a part of {message:?}");
            rest = &rest[used..];
        }
        assert!(rest.is_empty());
    }

    #[test]
    fn a_frame_that_is_too_long_is_refused_before_it_arrives() {
        assert_eq!(Message::decode(&u32::MAX.to_be_bytes()), Err(Malformed));
        let session = Message::Session { id: 1, state: vec![0; LONGEST_FRAME] };
        assert_eq!(session.encode(), Err(Malformed));
    }

    proptest! {
        #[test]
        fn no_bytes_panic(body in proptest::collection::vec(any::<u8>(), 0..100)) {
            let _ = Message::decode(&body);
            let mut frame = u32::try_from(body.len()).expect("short").to_be_bytes().to_vec();
            frame.extend(body);
            let _ = Message::decode(&frame);
        }
    }
}
