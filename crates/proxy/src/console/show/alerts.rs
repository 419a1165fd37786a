//! `SHOW ALERTS`: what is wrong now, or about to be, causes first. Not the rules: `howdah alerts rules` lists those.

use howdah_core::alerts::{Alert, Board};

use super::super::table::{Columns, Kind, Row, cell};

use Kind::{Int4, Int8, Text};

pub(super) const ALERTS: Columns = &[
    ("rule", Text),
    ("severity", Text),
    ("state", Text),
    ("about", Text),
    ("title", Text),
    ("evidence", Text),
    ("since_s", Int8),
    ("cause", Text),
    ("silenced", Int4),
    ("flapping", Int4),
    ("first_step", Text),
];

pub(super) fn rows(board: &Board) -> Vec<Row> {
    board.alerts().iter().map(row).collect()
}

fn row(alert: &Alert) -> Row {
    vec![
        cell(alert.rule.name),
        cell(alert.severity.as_str()),
        cell(alert.state),
        cell(&alert.subject),
        cell(&alert.title),
        cell(&alert.evidence),
        cell(alert.lasting.as_secs()),
        alert.cause.and_then(cell),
        cell(u8::from(alert.silenced)),
        cell(u8::from(alert.flapping)),
        cell(alert.rule.first_step),
    ]
}
