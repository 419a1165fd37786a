//! What Howdah does to a database beside its traffic: looking at it for advice (`howdah-advisor`), asking what indexes would cost,
//! applying advice and taking it back. Over connections of its own, handed in by the caller; nothing is changed without a yes.
//!
//! Not here: what to advise (pure, in `howdah-advisor`), and traffic (`howdah-proxy`).

pub mod apply;
pub mod catalog;
mod findings;
pub mod journal;

pub use findings::findings;
