//! What travels in `CopyData` while a server tells of its log: pieces of the log, keepalives, and the client's position.
//!
//! Not here: what is in a piece.
//!
//! Invariant: a message is read as a whole or not at all.

use crate::Error;
use crate::frame::Reader;

/// What a server tells.
#[derive(Copy, Clone, Debug, PartialEq, Eq)]
pub enum Told<'a> {
    /// A piece of the log: with logical replication, one message of the output plugin.
    Data {
        /// Where it begins in the log.
        start: u64,
        /// How far the server had got in the log.
        end: u64,
        /// Microseconds since 2000-01-01, by the server's clock.
        sent: i64,
        /// What it is.
        payload: &'a [u8],
    },
    /// That it is there.
    Keepalive {
        /// How far it has got in the log: every commit before was told.
        end: u64,
        /// Microseconds since 2000-01-01, by the server's clock.
        sent: i64,
        /// The client has to tell its position, or is taken for dead.
        reply: bool,
    },
}

/// Reads the body of a `CopyData`.
///
/// # Errors
/// [`Error::Malformed`], [`Error::UnknownTag`].
pub fn told(body: &[u8]) -> Result<Told<'_>, Error> {
    let mut reader = Reader::new(body);
    match reader.u8() {
        Some(b'w') => data(reader).ok_or(Error::Malformed { message: "XLogData", what: "it ends" }),
        Some(b'k') => keepalive(reader)
            .ok_or(Error::Malformed { message: "PrimaryKeepalive", what: "its length" }),
        Some(tag) => Err(Error::UnknownTag(tag)),
        None => Err(Error::Malformed { message: "CopyData", what: "it is empty" }),
    }
}

fn data(mut reader: Reader<'_>) -> Option<Told<'_>> {
    let (start, end) = (reader.u64()?, reader.u64()?);
    Some(Told::Data { start, end, sent: reader.i64()?, payload: reader.rest() })
}

fn keepalive(mut reader: Reader<'_>) -> Option<Told<'_>> {
    let (end, sent, reply) = (reader.u64()?, reader.i64()?, reader.u8()? != 0);
    reader.is_empty().then_some(Told::Keepalive { end, sent, reply })
}

/// Appends a `CopyData` that tells the client's position: everything up to here was written, flushed and applied, and is not wanted
/// again. `sent`: microseconds since 2000-01-01, which servers show to people.
pub fn standby_status(out: &mut Vec<u8>, position: u64, sent: i64) {
    crate::put::frame(out, crate::frontend::tag::COPY_DATA, |out| {
        out.push(b'r');
        for _ in 0..3 {
            out.extend_from_slice(&position.to_be_bytes());
        }
        out.extend_from_slice(&sent.to_be_bytes());
        out.push(0);
    });
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pieces_and_keepalives_are_read_as_a_whole_or_not_at_all() {
        let numbers = |count: u64| (1..=count).flat_map(u64::to_be_bytes).collect::<Vec<u8>>();
        let data = [b"w", &numbers(3)[..], b"abc"].concat();
        let expected = Told::Data { start: 1, end: 2, sent: 3, payload: b"abc" };
        assert_eq!(told(&data), Ok(expected));
        let alive = [b"k", &numbers(2)[..], &[1]].concat();
        assert_eq!(told(&alive), Ok(Told::Keepalive { end: 1, sent: 2, reply: true }));
        for bad in [&b""[..], b"x", &data[..20], &alive[..17], &[&alive[..], b"x"].concat()] {
            assert!(told(bad).is_err(), "{bad:?}");
        }
    }

    #[test]
    fn a_position_is_told_three_times() {
        let mut out = Vec::new();
        standby_status(&mut out, 0x0102, 3);
        assert_eq!(out.len(), 1 + 4 + 1 + 4 * 8 + 1);
        assert_eq!(out[..6], [b'd', 0, 0, 0, 38, b'r']);
        for at in [6, 14, 22] {
            assert_eq!(out[at..at + 8], [0, 0, 0, 0, 0, 0, 1, 2]);
        }
    }
}
