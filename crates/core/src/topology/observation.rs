//! What a node says of itself, what it counts as because of that, and the words for both. Not how it is asked.

use std::time::Instant;

use super::Lsn;

/// A node: its place in the settings' list of nodes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct NodeId(pub usize);

/// What a node says it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Role {
    /// It takes writes.
    Primary,
    /// It is in recovery: it replays what a primary writes.
    Replica,
    /// It has not said it.
    #[default]
    Unknown,
}

impl Role {
    /// The word used in reports.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Primary => "primary",
            Self::Replica => "replica",
            Self::Unknown => "unknown",
        }
    }
}

/// What a node has answered.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Observation {
    /// Read before the question was sent.
    pub asked: Instant,
    /// What it says it is.
    pub role: Role,
    /// The timeline that it writes or follows; `None`: it does not tell this user.
    pub timeline: Option<u32>,
    /// Which database cluster it is a copy of; `None`: it does not tell this user.
    pub system_id: Option<u64>,
    /// Where its last record ends ([`Lsn::end_of_records`]), for a replica: of those it has replayed.
    pub lsn: Lsn,
    /// Whether a replica is connected to the node that it follows.
    pub receiving: bool,
}

/// Why there is no answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Failure {
    /// Nobody listens at its address, or it says that it is starting or stopping. Believed at once.
    Refused,
    /// No answer in time, or the connection broke. A replica is suspected at once, a primary is believed to be busy for some time.
    Silent,
    /// It is there and does not let this user in, or answers something else. Says nothing about its role.
    Barred,
}

/// What somebody else than the prober has seen of a node.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Hint {
    /// It has refused a write because it is in recovery (25006).
    ReadOnly,
    /// It has ended a session or refused one because it stops, has crashed, or starts (57P01, 57P02, 57P03).
    ShuttingDown,
    /// Nobody listens at its address.
    Refused,
}

/// What a node counts as.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Standing {
    /// Nothing is known of it yet.
    #[default]
    Unheard,
    /// The one that takes writes.
    Primary,
    /// It follows the primary's history: reads may go there as far as it is fresh enough.
    Replica,
    /// In recovery, but not known to be on the primary's timeline: its positions say nothing, it serves nothing.
    Detached,
    /// It takes writes on an older timeline than the primary's: it was the primary once. It serves nothing.
    Fenced,
    /// It takes writes, and another node does on the same timeline: nobody can tell which is right. Neither serves anything.
    Rival,
    /// A copy of another database cluster. It serves nothing.
    Stranger,
    /// Something was seen that contradicts what it was, and it has not been asked since. It serves nothing until then.
    Suspect,
    /// It does not answer.
    Down,
}

impl Standing {
    /// The word used in reports.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Unheard => "unheard",
            Self::Primary => "primary",
            Self::Replica => "replica",
            Self::Detached => "detached",
            Self::Fenced => "fenced",
            Self::Rival => "rival",
            Self::Stranger => "stranger",
            Self::Suspect => "suspect",
            Self::Down => "down",
        }
    }
}

/// A node counts as something else now.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Change {
    /// Which one.
    pub node: NodeId,
    /// What it counted as.
    pub was: Standing,
    /// What it counts as.
    pub is: Standing,
}
