//! What a client's session is, apart from its sockets: the settings it carries from server to server ([`Settings`]), its
//! prepared statements ([`Statements`]), and why it may hold a server beyond a transaction ([`PinReason`]).

mod align;
mod pin;
mod settings;
mod statements;

pub use align::{Alignment, align};
pub use pin::PinReason;
pub use settings::{Context, Settings};
pub use statements::{Prepared, Statements, TooManyStatements, Unnamed};
