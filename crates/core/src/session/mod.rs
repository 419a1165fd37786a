//! What a client's session is, apart from its sockets: the settings it carries from server to server ([`Settings`]), its
//! prepared statements ([`Statements`]), the channels it listens to ([`Channels`]), why it may hold a server beyond a transaction
//! ([`PinReason`]), and what moves with it to another process ([`Snapshot`]).

mod align;
mod channels;
mod date_style;
mod pin;
mod settings;
mod snapshot;
mod statements;

pub use align::{Alignment, align};
pub use channels::{Channels, Epoch, HandOver};
pub use pin::PinReason;
pub use settings::{Context, Settings};
pub use snapshot::{SNAPSHOT_VERSION, Snapshot, SnapshotError, SnapshotStatement};
pub use statements::{BySql, Prepared, Statements, TooManyStatements, Unnamed};
