//! `SHOW SLOW`: the statements that took long, the newest first, with their plans. Never with values of theirs.

use std::time::Instant;

use howdah_core::slow::{Planned, Ring, Slow};

use super::super::table::{Columns, Kind, Row, cell};

use Kind::{Int8, Text};

pub(super) const SLOW: Columns = &[
    ("id", Int8),
    ("ago_ms", Int8),
    ("database", Text),
    ("user", Text),
    ("application", Text),
    ("address", Text),
    ("node", Text),
    ("kind", Text),
    ("fingerprint", Text),
    ("time_us", Int8),
    ("wait_us", Int8),
    ("server_us", Int8),
    ("rows", Int8),
    ("error", Text),
    ("statement", Text),
    ("plan", Text),
    ("remark", Text),
];

pub(super) fn rows(ring: &Ring, now: Instant) -> Vec<Row> {
    ring.all().map(|(number, slow)| row(number, slow, now)).collect()
}

fn row(number: u64, slow: &Slow, now: Instant) -> Row {
    let plan = match &slow.planned {
        Planned::As { root, .. } => Some(root.lines().join("\n")),
        Planned::Awaited | Planned::Not(_) => None,
    };
    vec![
        cell(number),
        cell(now.saturating_duration_since(slow.at).as_millis()),
        cell(&slow.database),
        cell(&slow.user),
        cell(&slow.application),
        cell(&slow.address),
        cell(&slow.node),
        cell(slow.kind),
        cell(format_args!("{:016x}", slow.fingerprint)),
        cell(slow.time_us()),
        cell(slow.wait_us),
        cell(slow.server_us),
        cell(slow.rows),
        slow.error.and_then(cell),
        cell(&slow.text),
        plan,
        slow.planned.remark().and_then(cell),
    ]
}
