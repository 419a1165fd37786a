//! When one index can stand in for another one: keys with all that belongs to them, conditions, stored columns. Not when it should.
//!
//! Invariant: in doubt they differ.

use crate::catalog::{Index, IndexKey};

use super::statements::quoted;

/// How far the keys of a shorter index stand at the beginning of those of a longer one.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Order {
    /// As they are.
    Same,
    /// Each the other way round, which a scan backwards gives.
    Reversed,
}

/// The keys of `short` are the first ones of `long`.
pub(super) fn prefix(short: &Index, long: &Index) -> Option<Order> {
    if short.keys.len() > long.keys.len() {
        return None;
    }
    let all = |equal: fn(&IndexKey, &IndexKey) -> bool| {
        short.keys.iter().zip(&long.keys).all(|(short, long)| equal(short, long))
    };
    if all(|a, b| a == b) {
        Some(Order::Same)
    } else if all(|a, b| *a == reversed(b)) {
        Some(Order::Reversed)
    } else {
        None
    }
}

fn reversed(key: &IndexKey) -> IndexKey {
    IndexKey { descending: !key.descending, nulls_first: !key.nulls_first, ..key.clone() }
}

/// All columns that the one stores beside its keys are in the other one.
pub(super) fn stores_all_of(long: &Index, short: &Index) -> bool {
    short.included.iter().all(|column| {
        long.included.contains(column) || long.keys.iter().any(|key| key.column == Some(*column))
    })
}

/// Both are of one method, and where that is not a B-tree they are written alike after their names: operator classes may have parameters there.
pub(super) fn one_method(a: &Index, b: &Index) -> bool {
    a.method == b.method
        && (a.method == "btree" || (after_name(a).is_some() && after_name(a) == after_name(b)))
}

fn after_name(index: &Index) -> Option<&str> {
    let rest = index.definition.strip_prefix("CREATE INDEX ")?;
    let bare = rest.strip_prefix(index.name.as_str());
    let rest = rest.strip_prefix(quoted(&index.name).as_str()).or(bare)?;
    rest.strip_prefix(" ON ")
}

/// What one enforces, the other one enforces, too, and as soon.
pub(super) fn enforces_all_of(keeper: &Index, other: &Index) -> bool {
    !other.unique
        || (keeper.unique
            && keeper.keys.len() == other.keys.len()
            && keeper.nulls_not_distinct == other.nulls_not_distinct
            && (!keeper.deferrable || other.deferrable))
}
