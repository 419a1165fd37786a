//! `[statements]`: what is found out about statements. Not from when on one is slow: that is `[pool]`.

use std::time::Duration;

use howdah_proxy::settings::Explain;

use super::document::Table;
use super::keys::STATEMENTS;
use super::read::{Findings, Reader};

/// What `[statements]` says.
#[derive(Debug)]
pub(crate) struct Statements {
    /// They are counted.
    pub(crate) counted: bool,
    /// Whether slow ones are explained.
    pub(crate) explain: Explain,
    /// How often nodes are asked for their statistics; `None`: never.
    pub(crate) server_statistics: Option<Duration>,
}

/// Reads it.
pub(crate) fn read(root: &Table, findings: &mut Findings) -> Statements {
    let given = root.single("statements");
    let mut reader = Reader::new(STATEMENTS.keys, given, "statements", findings);
    let counted = reader.word("count") == Some("on");
    let plans = reader.word("explain") == Some("on");
    let shows_values = reader.word("values") == Some("show");
    let server_statistics = reader.limit("server_statistics").flatten();
    Statements { counted, explain: Explain { plans, shows_values }, server_statistics }
}
