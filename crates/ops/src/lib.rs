//! What Howdah does to a database beside its traffic: looking at it for advice (`howdah-advisor`), asking what indexes would cost,
//! applying advice and taking it back. Over connections of its own, handed in by the caller; nothing is changed without a yes.
//!
//! Not here: what to advise (pure, in `howdah-advisor`), and traffic (`howdah-proxy`).

pub mod apply;
pub mod catalog;
mod findings;
pub mod journal;
mod look;
mod published;
mod settings;
pub mod trial;
pub mod verify;
mod whatif;

pub use findings::findings;
pub use look::{Look, Subject, Usage, Used, by_gain, look};
pub use settings::settings;
pub use whatif::{
    Advice, Connect, Connecting, Counted, Error as AdviceError, Limits, Source, advise_indexes,
};

/// The statements of a text, without the empty ones.
#[must_use]
pub fn statements_in(text: &str) -> Vec<String> {
    let found = howdah_sql::split(text).into_iter().filter_map(|range| text.get(range));
    let trimmed = found.map(|sql| sql.trim().trim_end_matches(';').trim());
    trimmed.filter(|sql| !sql.is_empty()).map(str::to_owned).collect()
}
