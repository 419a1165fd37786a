//! `[advice]`: whether Howdah looks for what would make the databases better, and what it may do about it. Not what that is: `howdah_advisor`.
//!
//! Invariant: nothing is carried out unless the configuration says `automatic`.

use std::time::Duration;

use howdah_advisor::Impact;
use howdah_ops::apply::Window;

use super::document::Table;
use super::error::Mistake;
use super::keys::ADVICE;
use super::read::{Findings, Reader};

const MIB: u64 = 1 << 20;

/// What is looked for, and what is done about it.
#[derive(Debug, Clone, PartialEq)]
pub struct Advice {
    /// It is looked for.
    pub enabled: bool,
    /// What matters so much is carried out; `None`: nothing is.
    pub automatic: Option<Impact>,
    /// How often it is looked for.
    pub every: Duration,
    /// Bytes of new indexes; `None`: half of what tables have.
    pub budget: Option<u64>,
    /// How old statistics have to be before an index without use is called unused.
    pub unused_after: Duration,
    /// When something may be carried out; `None`: always.
    pub window: Option<Window>,
    /// Literals of statements are used for planning them.
    pub examples: bool,
}

/// Reads it.
pub(crate) fn read(root: &Table, findings: &mut Findings) -> Advice {
    let mut reader = Reader::new(ADVICE.keys, root.single("advice"), "advice", findings);
    let mode = reader.word("mode");
    let every = reader.duration("every").unwrap_or_default();
    let budget: Option<u64> = reader.integer("budget");
    let unused_after = reader.duration("unused_after").unwrap_or_default();
    let window = reader.text("window").and_then(|text| match text.parse() {
        Ok(window) => Some(window),
        Err(reason) => {
            reader.fail(Mistake::Value, "window", reason, "for example \"01:00-05:00\"");
            None
        }
    });
    let from = if reader.word("automatic_impact") == Some("medium") {
        Impact::Medium
    } else {
        Impact::High
    };
    let examples = reader.word("examples") == Some("on");
    Advice {
        enabled: mode != Some("off"),
        automatic: (mode == Some("automatic")).then_some(from),
        every,
        budget: budget.map(|mib| mib.saturating_mul(MIB)),
        unused_after,
        window,
        examples,
    }
}
