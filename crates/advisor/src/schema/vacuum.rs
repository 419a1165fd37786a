//! Tables in which dead rows pile up: too large for the share at which autovacuum comes, or without it. Not about a server on which it is switched off.
//!
//! Invariant: a setting is advised for the table alone, with the way back.

use crate::catalog::{Catalog, Table, TableKind};
use crate::hygiene::qualified;
use crate::{Kind, Recommendation};

use super::{Maintenance, Upkeep, advice, evidence};

/// Dead rows, and the share of the live ones, that are worth a word.
const DEAD: u64 = 50_000;
/// Rows from which on the default share is much.
const LARGE: u64 = 10_000_000;

pub(super) fn find(catalog: &Catalog, upkeep: &Upkeep) -> Vec<Recommendation> {
    let mut found = Vec::new();
    for upkept in &upkeep.tables {
        let Some(table) = catalog.table(upkept.oid).filter(|table| table.kind == TableKind::Table)
        else {
            continue;
        };
        let set = |name: &str| {
            upkept.options.iter().find_map(|option| option.strip_prefix(name)?.strip_prefix('='))
        };
        let off = set("autovacuum_enabled")
            .is_some_and(|value| matches!(value, "false" | "off" | "no" | "0"));
        if off && table.activity.dead >= DEAD {
            found.push(switched_off(table));
        } else if !off && set("autovacuum_vacuum_scale_factor").is_none() {
            found.extend(too_late(table, upkept, upkeep));
        }
    }
    found
}

fn dead(table: &Table) -> crate::Evidence {
    let name = qualified(&table.schema, &table.name);
    evidence(
        "dead rows, beside live ones",
        format!("{} beside {}", table.activity.dead, table.activity.live),
        format!(
            "SELECT n_dead_tup, n_live_tup, last_autovacuum FROM pg_stat_all_tables WHERE relid = {}::regclass",
            crate::hygiene::text(&name)
        ),
    )
}

fn switched_off(table: &Table) -> Recommendation {
    let name = qualified(&table.schema, &table.name);
    let title = format!("let autovacuum clean up {name} again");
    let why = format!(
        "Autovacuum is switched off for {name}, and dead rows pile up: it grows, and every scan reads them."
    );
    let mut found = advice(Kind::Setting, name.clone(), "autovacuum", title, why);
    found.evidence.push(dead(table));
    found.apply.push(format!("ALTER TABLE {name} SET (autovacuum_enabled = true)"));
    found.undo.push(format!("ALTER TABLE {name} SET (autovacuum_enabled = false)"));
    found.cautions.push("somebody switched it off: perhaps for a load that is over, perhaps for one that cleans up by itself".to_owned());
    found
}

fn too_late(table: &Table, upkept: &Maintenance, upkeep: &Upkeep) -> Option<Recommendation> {
    let large = table.activity.live >= LARGE && upkeep.vacuum_scale_factor > 0.1;
    let much =
        table.activity.dead >= DEAD && table.activity.dead.saturating_mul(20) > table.activity.live;
    if !upkeep.autovacuum || !large || !much || upkept.age == 0 {
        return None;
    }
    let name = qualified(&table.schema, &table.name);
    let title = format!("clean up {name} more often");
    let why = format!(
        "Autovacuum comes when {:.0} % of the rows are dead. Of {} rows that is late: until then every scan reads dead ones, and cleaning up takes long.",
        upkeep.vacuum_scale_factor * 100.0,
        table.activity.live
    );
    let mut found = advice(Kind::Setting, name.clone(), "autovacuum", title, why);
    found.evidence.push(dead(table));
    found.apply.push(format!("ALTER TABLE {name} SET (autovacuum_vacuum_scale_factor = 0.02)"));
    found.undo.push(format!("ALTER TABLE {name} RESET (autovacuum_vacuum_scale_factor)"));
    found.cautions.push("more runs, each shorter; reads and writes stay possible".to_owned());
    Some(found)
}
