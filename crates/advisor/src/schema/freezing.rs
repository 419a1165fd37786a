//! Tables whose old transactions are not frozen although PostgreSQL does so of itself: something keeps it from it. At two thousand million it takes no writes any more.
//!
//! Invariant: an age that autovacuum will see to is not mentioned.

use crate::catalog::Catalog;
use crate::hygiene::qualified;
use crate::{Impact, Kind, Recommendation};

use super::{Upkeep, advice, evidence};

/// Transactions after which there is hardly any time left, of 2,146 million.
const LATE: u64 = 1_000_000_000;

pub(super) fn find(catalog: &Catalog, upkeep: &Upkeep) -> Vec<Recommendation> {
    let mut found = Vec::new();
    for table in &upkeep.tables {
        let age = table.age.max(table.multixact_age);
        // Autovacuum starts at its limit and takes a while.
        let Some(known) = catalog.table(table.oid).filter(|_| {
            upkeep.freeze_max_age > 0 && age > upkeep.freeze_max_age.saturating_mul(5) / 4
        }) else {
            continue;
        };
        let name = qualified(&known.schema, &known.name);
        let title = format!("freeze {name}: {} million transactions old", age / 1_000_000);
        let why = format!(
            "PostgreSQL freezes a table of itself after {} million transactions; this one is a quarter beyond. What keeps it from it is a transaction or replication slot that is very \
             old, or an autovacuum that is cancelled again and again. At 2,100 million it accepts no more writes.",
            upkeep.freeze_max_age / 1_000_000
        );
        let mut one = advice(Kind::Setting, name.clone(), "freeze", title, why);
        one.impact = if age >= LATE { Impact::High } else { Impact::Medium };
        one.evidence.push(evidence(
            "transactions since the oldest that is not frozen",
            age.to_string(),
            format!(
                "SELECT age(relfrozenxid), mxid_age(relminmxid) FROM pg_class WHERE oid = {}",
                table.oid
            ),
        ));
        one.cautions.push(format!(
            "VACUUM (FREEZE, VERBOSE) {name} does it: it reads and writes the whole table, and nobody waits for it. It gets no further than the oldest transaction \
             (pg_stat_activity) and replication slot (pg_replication_slots)"
        ));
        found.push(one);
    }
    found
}
