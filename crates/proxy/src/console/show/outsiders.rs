//! `SHOW OUTSIDERS`: sessions of PostgreSQL that do not come from Howdah, as of the last look.

use std::time::Duration;

use super::super::table::{Columns, Kind, Row, cell};
use crate::report::{Outsider, OutsiderReport};

use Kind::{Int4, Int8, Text};

pub(super) const OUTSIDERS: Columns = &[
    ("node", Text),
    ("process", Int4),
    ("database", Text),
    ("user", Text),
    ("application", Text),
    ("address", Text),
    ("state", Text),
    ("lasting_ms", Int8),
    ("transaction_ms", Int8),
    ("statement", Text),
    ("missing", Text),
];

pub(super) fn rows(nodes: &[OutsiderReport]) -> Vec<Row> {
    let of = |node: &OutsiderReport| node.sessions.iter().map(|one| row(node, one)).collect();
    nodes.iter().flat_map::<Vec<Row>, _>(of).collect()
}

fn row(node: &OutsiderReport, session: &Outsider) -> Row {
    let millis = |time: Option<Duration>| time.and_then(|time| cell(time.as_millis()));
    vec![
        cell(&node.node),
        cell(session.process_id),
        cell(&session.database),
        cell(&session.user),
        cell(&session.application),
        cell(&session.address),
        cell(&session.state),
        millis(session.lasting),
        millis(session.transaction),
        cell(&session.statement),
        node.missing.as_ref().and_then(cell),
    ]
}
