//! The result cache, as far as it decides: what an answer depends on ([`Tag`]), what has changed and up to where that is known
//! ([`Freshness`]), and with it whether a stored answer may be given. Not the storing, and not the connections that tell of changes.
//!
//! Invariant: an answer is valid only when every transaction that the primary has shown to anybody for longer than the bound is
//! in it. Any doubt is a miss.

pub mod admission;
pub mod answer;
pub mod asked;
pub mod declared;
pub mod definitions;
pub mod faults;
pub mod freshness;
pub mod gather;
pub mod images;
pub mod invalidations;
pub mod key;
pub mod lease;
pub mod patch;
pub mod plan;
pub mod refusal;
pub mod rules;
pub mod shapes;
pub mod shared;
pub mod shown;
pub mod snapshot;
pub mod tag;
pub mod timed;
pub mod value;
pub mod warm;
pub mod watermark;
pub mod wish;

pub use crate::topology::Lsn;
pub use answer::{Answer, Around};
pub use freshness::{Fence, Freshness, Refusal, Seen, Stamp, Unseen};
pub use invalidations::{Invalidations, Slot};
pub use patch::Patch;
pub use plan::{Parameters, Plan, plan};
pub use refusal::{Reason, Uncacheable};
pub use rules::{About, Part};
pub use shown::Shown;
pub use snapshot::{Reader, Snapshot};
pub use tag::{ColumnSet, Tag};
pub use timed::Timed;
pub use watermark::{Commit, Touched, Watermark};
