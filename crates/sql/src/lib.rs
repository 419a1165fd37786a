//! What a SQL statement is: normal form, fingerprint, class, and what it does to its session.
//!
//! Not a catalog: names are not resolved, so nothing is known here about user functions, triggers, views or rules.
//! Not a rewriter either: the text that runs is always the client's own.
//!
//! Invariant: pure (no I/O, no clock, no shared state), bounded (texts over [`MAX_ANALYSED`] bytes are not looked at),
//! and in doubt always the careful answer: [`Class::Other`] is not a read, [`Effect::Unknown`] may be anything.
//!
//! All texts are read as a server with `standard_conforming_strings = on` reads them (the default since PostgreSQL 9.1,
//! reported to every client as a parameter status). For a session that has turned it off, a text with a backslash in it
//! must be treated as [`Analysis::unknown`].

mod acts;
mod analyses;
mod analysis;
mod cacheable;
mod classify;
mod facts;
mod functions;
#[cfg(fuzzing)]
mod fuzzing;
mod injection;
mod lead;
mod lex;
mod names;
mod normal;
mod operand;
mod outline;
mod parse;
mod prepared_name;
mod readable;
pub mod rewrite;
mod route;
mod scopes;
mod settings;
mod split;
mod uses;

pub use acts::Act;
pub use analyses::Analyses;
pub use analysis::{
    Analysis, Class, Details, Effect, Example, Fingerprint, Function, Statement, Table,
};
pub use cacheable::{
    Equality, Given, Masked, Operand, Output, Reading, Shape, Unkept, says_now, shape,
};
pub use functions::{BuiltIn, built_in};
#[cfg(fuzzing)]
pub use fuzzing::fuzz;
pub use injection::{Signal, injection_signals};
pub use lead::led_by;
pub use names::{
    ChannelChange, PreparedChange, TransactionChange, channel_changes, prepared_names,
    transaction_changes,
};
pub use normal::normalize;
pub use operand::is_keyword;
pub use prepared_name::{PreparedName, prepared_name};
pub use readable::{NormalText, normal_text, redact};
pub use route::route;
pub use scopes::{Case, Condition, MAX_SCOPES, Name, Order, Scope, Search, Source, Test, scopes};
pub use settings::{SettingChange, setting_changes};
pub use split::split;
pub use uses::Uses;

/// Texts of more bytes are not analysed: [`Analysis::unknown`].
pub const MAX_ANALYSED: usize = 1024 * 1024;

/// Tables of one text that are remembered: [`Details::tables`].
pub const MAX_TABLES: usize = 256;

/// Names of one kind in one text that are remembered: [`Uses`].
pub const MAX_NAMES: usize = 256;
