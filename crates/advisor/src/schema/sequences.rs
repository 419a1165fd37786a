//! Sequences that near their end, or the end of the column that they are for. Not those that begin again.
//!
//! Invariant: the nearer of both ends counts.

use crate::hygiene::qualified;
use crate::{Impact, Kind, Recommendation};

use super::{Sequence, Upkeep, advice, evidence};

/// Share of the values from which on it is time, and from which on it is late.
const SOON: f64 = 0.7;
const LATE: f64 = 0.9;

pub(super) fn find(upkeep: &Upkeep) -> Vec<Recommendation> {
    upkeep.sequences.iter().filter_map(near_its_end).collect()
}

/// The largest value of a type.
fn largest(type_name: &str) -> Option<i64> {
    match type_name {
        "smallint" => Some(i64::from(i16::MAX)),
        "integer" => Some(i64::from(i32::MAX)),
        "bigint" => Some(i64::MAX),
        _ => None,
    }
}

#[allow(clippy::cast_precision_loss, reason = "a share of a few digits")]
fn near_its_end(sequence: &Sequence) -> Option<Recommendation> {
    let last = sequence.last.filter(|_| !sequence.cycles && sequence.increment > 0)?;
    let column_end = sequence.column.as_ref().and_then(|(_, _, kind)| largest(kind));
    let end = column_end.map_or(sequence.end, |end| end.min(sequence.end));
    let share = last as f64 / end as f64;
    if share < SOON {
        return None;
    }
    let name = qualified(&sequence.schema, &sequence.name);
    let title = format!("{name} has given {:.0} % of its numbers", (share * 100.0).floor());
    let why = format!(
        "After {end} every insert fails that needs a number. {} are left.",
        end.saturating_sub(last) / sequence.increment
    );
    let mut found = advice(Kind::Schema, name.clone(), "sequence", title, why);
    found.impact = if share >= LATE { Impact::High } else { Impact::Medium };
    found.confidence = 0.98;
    found.evidence.push(evidence(
        "last number, of",
        format!("{last} of {end}"),
        format!("SELECT last_value FROM {name}"),
    ));
    let column_is_wider = column_end.is_some_and(|end| end > sequence.end);
    match &sequence.column {
        Some((table, column, kind)) if !column_is_wider => {
            found.cautions.push(format!(
                "{table}.{column} is {kind}: ALTER TABLE {table} ALTER COLUMN {column} TYPE bigint writes the whole table anew while nobody may use it. Without a pause: a second column, filled \
                 by a trigger and in portions, then exchanged. Columns that refer to it need the same"
            ));
        }
        _ if sequence.type_name != "bigint"
            && largest(&sequence.type_name) == Some(sequence.end) =>
        {
            found.cautions.push(format!(
                "the sequence is {}, what it numbers has room: ALTER SEQUENCE {name} AS bigint, which takes a moment",
                sequence.type_name
            ));
        }
        _ => found.cautions.push(format!(
            "ALTER SEQUENCE {name} MAXVALUE …, or NO MAXVALUE, if what it numbers has room"
        )),
    }
    Some(found)
}
