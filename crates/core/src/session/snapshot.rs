//! All that one Howdah process has to tell the next about an idle session, so that the client cannot tell the difference:
//! as bytes with a version. Not the socket, which travels beside it, and not what sessions share (analyses, pools), which the next
//! process makes anew.
//!
//! Invariant: only a session without a server, a transaction and a pin has a snapshot, so nothing of it is on a server.

use core::net::SocketAddr;

use serde::{Deserialize, Serialize};

/// Version of the format that is written, and the only one that is read. Grows with every change of [`Snapshot`]; a process that meets
/// another version leaves the session where it is.
pub const SNAPSHOT_VERSION: u16 = 2;

/// An idle session.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Snapshot {
    /// Database as the client named it.
    pub database: String,
    /// User that the client logged in as.
    pub user: String,
    /// Process id that the client sends in cancel requests.
    pub process_id: u32,
    /// Secret that the client sends in cancel requests.
    pub secret: Vec<u8>,
    /// Address of the client; `None` for a Unix socket.
    pub peer: Option<SocketAddr>,
    /// Settings of the startup message: names, and the SQL that makes them.
    pub startup: Vec<(String, String)>,
    /// Settings in force: names, and the SQL that makes them.
    pub settings: Vec<(String, String)>,
    /// Named prepared statements.
    pub statements: Vec<SnapshotStatement>,
    /// The Parse frame of the unnamed statement, and a hash of the row description that the client was given.
    pub unnamed: Option<(Vec<u8>, Option<u64>)>,
    /// Parameter statuses that the client was told since its login.
    pub told: Vec<(Vec<u8>, Vec<u8>)>,
    /// Bytes that were read from the client and not looked at yet.
    pub unread: Vec<u8>,
    /// Requests answered so far.
    pub requests: u64,
    /// Time since the login, in milliseconds.
    pub age_ms: u64,
}

/// A prepared statement of a [`Snapshot`].
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct SnapshotStatement {
    /// The client's name for it.
    pub name: Vec<u8>,
    /// Its text.
    pub sql: Vec<u8>,
    /// Parameter types as in the Parse message: count and type oids.
    pub parameter_types: Vec<u8>,
    /// Hash of the row description that the client was given, if it was given one.
    pub told: Option<u64>,
    /// For a SQL-level `PREPARE` without its name: where the name goes, and where the prepared text begins.
    pub by_sql: Option<(usize, usize)>,
}

/// Bytes that are no snapshot.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SnapshotError {
    /// Written by a Howdah whose sessions are described in another way.
    Version(u16),
    /// Not what [`Snapshot::encode`] writes.
    Malformed,
}

impl std::fmt::Display for SnapshotError {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Version(version) => {
                write!(f, "session format {version} instead of {SNAPSHOT_VERSION}")
            }
            Self::Malformed => f.write_str("a malformed session"),
        }
    }
}

impl std::error::Error for SnapshotError {}

impl Snapshot {
    /// Version and content as bytes.
    ///
    /// # Errors
    /// None that a value of this type can cause; the encoder's signature allows for it.
    pub fn encode(&self) -> Result<Vec<u8>, SnapshotError> {
        let version = SNAPSHOT_VERSION.to_be_bytes().to_vec();
        postcard::to_extend(self, version).map_err(|_| SnapshotError::Malformed)
    }

    /// What [`Self::encode`] wrote.
    ///
    /// # Errors
    /// Another version, or not a snapshot.
    pub fn decode(bytes: &[u8]) -> Result<Self, SnapshotError> {
        let Some((version, content)) = bytes.split_first_chunk() else {
            return Err(SnapshotError::Malformed);
        };
        match u16::from_be_bytes(*version) {
            SNAPSHOT_VERSION => {}
            other => return Err(SnapshotError::Version(other)),
        }
        match postcard::take_from_bytes(content) {
            Ok((snapshot, [])) => Ok(snapshot),
            Ok(_) | Err(_) => Err(SnapshotError::Malformed),
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::collection::vec;
    use proptest::prelude::*;

    use super::*;

    fn bytes() -> impl Strategy<Value = Vec<u8>> {
        vec(any::<u8>(), 0..40)
    }

    fn pairs() -> impl Strategy<Value = Vec<(String, String)>> {
        vec((any::<String>(), any::<String>()), 0..4)
    }

    fn statement() -> impl Strategy<Value = SnapshotStatement> {
        let by_sql = proptest::option::of((any::<usize>(), any::<usize>()));
        (bytes(), bytes(), bytes(), any::<Option<u64>>(), by_sql).prop_map(
            |(name, sql, parameter_types, told, by_sql)| SnapshotStatement {
                name,
                sql,
                parameter_types,
                told,
                by_sql,
            },
        )
    }

    fn snapshot() -> impl Strategy<Value = Snapshot> {
        let who = (any::<String>(), any::<String>(), any::<u32>(), bytes());
        let peer = proptest::option::of((any::<[u8; 4]>(), any::<u16>()));
        let state = (
            pairs(),
            pairs(),
            vec(statement(), 0..4),
            proptest::option::of((bytes(), any::<Option<u64>>())),
        );
        let rest = (vec((bytes(), bytes()), 0..3), bytes(), any::<u64>(), any::<u64>());
        (who, peer, state, rest).prop_map(|(who, peer, state, rest)| Snapshot {
            database: who.0,
            user: who.1,
            process_id: who.2,
            secret: who.3,
            peer: peer.map(SocketAddr::from),
            startup: state.0,
            settings: state.1,
            statements: state.2,
            unnamed: state.3,
            told: rest.0,
            unread: rest.1,
            requests: rest.2,
            age_ms: rest.3,
        })
    }

    proptest! {
        #[test]
        fn what_is_written_is_read(snapshot in snapshot()) {
            let bytes = snapshot.encode().expect("it can be written");
            prop_assert_eq!(Snapshot::decode(&bytes), Ok(snapshot));
        }

        #[test]
        fn a_part_of_a_snapshot_is_none(snapshot in snapshot(), cut in 1..20usize) {
            let bytes = snapshot.encode().expect("it can be written");
            let part = &bytes[..bytes.len().saturating_sub(cut)];
            prop_assert!(Snapshot::decode(part).is_err());
        }

        #[test]
        fn no_bytes_panic(mut bytes in vec(any::<u8>(), 0..200)) {
            let _ = Snapshot::decode(&bytes);
            bytes.splice(0..0, SNAPSHOT_VERSION.to_be_bytes());
            let _ = Snapshot::decode(&bytes);
        }
    }

    #[test]
    fn another_version_is_told_apart_from_nonsense() {
        let mut bytes = Snapshot::default().encode().expect("it can be written");
        bytes[1] = 200;
        assert_eq!(Snapshot::decode(&bytes), Err(SnapshotError::Version(200)));
        assert_eq!(Snapshot::decode(&[0]), Err(SnapshotError::Malformed));
    }
}
