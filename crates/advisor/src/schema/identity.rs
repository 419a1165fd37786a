//! `REPLICA IDENTITY` of tables that are published, for a result cache or for other subscribers: what PostgreSQL tells of a row that was changed decides which answers have to go, and whether
//! rows can be changed at all. Not whether a cache is worth having.
//!
//! Invariant: nothing is said without logical decoding; what more it writes to the log is said with it.

use crate::catalog::{Catalog, Index, Table, TableKind};
use crate::hygiene::{bytes, qualified, quoted};
use crate::{Impact, Kind, Recommendation};

use super::{advice, evidence};

/// Answers a day that go although their rows did not change, below which nobody has to care.
const MANY: f64 = 10_000.0;

/// What PostgreSQL tells of a row before it was changed (`pg_class.relreplident`).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Identity {
    /// Its primary key, if there is one.
    Default,
    /// The columns of an index.
    Index,
    /// All of it.
    Full,
    /// Nothing.
    Nothing,
}

/// A table that answers are kept of.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Cached {
    /// `pg_class.oid`.
    pub table: u32,
    /// What is told of its rows.
    pub identity: Identity,
    /// Changes of it are published: `UPDATE` and `DELETE` fail there when rows have no identity.
    pub published: bool,
    /// Answers a day that had to go because it was not told whether their rows were changed.
    pub lost_per_day: f64,
}

/// What should be told of rows. `logical`: `wal_level` is that, so that anything is told at all.
#[must_use]
pub fn identities(catalog: &Catalog, cached: &[Cached], logical: bool) -> Vec<Recommendation> {
    if !logical {
        return Vec::new();
    }
    let known = cached.iter().filter_map(|one| Some((catalog.table(one.table)?, one)));
    let known = known.filter(|(table, _)| table.kind == TableKind::Table);
    known.filter_map(|(table, one)| identity(catalog, table, one)).collect()
}

fn identity(catalog: &Catalog, table: &Table, cached: &Cached) -> Option<Recommendation> {
    let usable = |index: &&Index| {
        let whole = |number: Option<i16>| {
            table.columns.iter().any(|column| Some(column.number) == number && column.not_null)
        };
        index.unique
            && index.valid
            && !index.deferrable
            && index.predicate.is_none()
            && index.keys.iter().all(|key| whole(key.column))
    };
    let has_key = catalog.indexes_of(table.oid).any(|index| index.primary);
    let named = match cached.identity {
        Identity::Full | Identity::Index => true,
        Identity::Default => has_key,
        Identity::Nothing => false,
    };
    if !named {
        let index = catalog.indexes_of(table.oid).find(usable);
        return Some(missing(table, cached, index, has_key));
    }
    let partly = cached.identity != Identity::Full && cached.lost_per_day >= MANY;
    partly.then(|| partial(catalog, table, cached))
}

/// Rows that cannot be told apart in the log.
fn missing(table: &Table, cached: &Cached, index: Option<&Index>, has_key: bool) -> Recommendation {
    let name = qualified(&table.schema, &table.name);
    let then = match (has_key, index) {
        (true, _) => "DEFAULT".to_owned(),
        (false, Some(index)) => format!("USING INDEX {}", quoted(&index.name)),
        (false, None) => "FULL".to_owned(),
    };
    let title = format!("say which rows of {name} were changed");
    let why = if cached.published {
        "Its changes are published, and nothing says which row was changed: PostgreSQL refuses every UPDATE and DELETE of the table."
    } else {
        "PostgreSQL writes nothing to the log that says which row was changed, so that every answer from the table has to go with every change of it."
    };
    let mut found = advice(Kind::Schema, name.clone(), "identity", title, why.to_owned());
    if cached.published {
        found.impact = Impact::High;
        found.cautions.push(
            "another way: a publication that publishes neither updates nor deletes of it"
                .to_owned(),
        );
    }
    found.evidence = vec![change(table, &name, &then)];
    found.cautions.push(locks());
    if then == "FULL" {
        found.cautions.push("a primary key is the better way: without one a subscriber looks through the whole table for each row".to_owned());
    }
    found
}

/// Only the key is told: answers by other columns cannot be told apart.
fn partial(catalog: &Catalog, table: &Table, cached: &Cached) -> Recommendation {
    let name = qualified(&table.schema, &table.name);
    let title = format!("tell the cache all of a row of {name} that is changed");
    let why = "Of a row that was changed PostgreSQL tells the key alone: answers that were asked for by other columns go, whether the row was in them or not.";
    let mut found = advice(Kind::Schema, name.clone(), "identity", title, why.to_owned());
    found.impact = Impact::Low;
    found.confidence = 0.6;
    found.evidence = vec![
        change(table, &name, "FULL"),
        evidence(
            "answers a day that went for no reason, perhaps",
            format!("{:.0}", cached.lost_per_day),
            String::new(),
        ),
    ];
    if let Some(more) = log_per_day(catalog, table) {
        found.evidence.push(evidence("more bytes of log a day, about", bytes(more), String::new()));
    }
    found.cautions = vec![
        locks(),
        "each UPDATE and DELETE writes the old row to the log, with values that are stored apart (TOAST) as a whole, and everything that follows the log carries it".to_owned(),
        "back: REPLICA IDENTITY DEFAULT".to_owned(),
    ];
    found
}

fn change(table: &Table, name: &str, then: &str) -> crate::Evidence {
    let check = format!("SELECT relreplident FROM pg_class WHERE oid = {}", table.oid);
    let mut fact = evidence("what to do", String::new(), check);
    fact.then = format!("ALTER TABLE {name} REPLICA IDENTITY {then}");
    fact
}

fn locks() -> String {
    "ALTER TABLE waits for everybody who uses the table, and everybody waits behind it: SET lock_timeout = '2s' first".to_owned()
}

/// Bytes that old rows would take in the log.
fn log_per_day(catalog: &Catalog, table: &Table) -> Option<u64> {
    let age = catalog.statistics_age.filter(|age| *age >= 3_600.0)?;
    let rows = table.rows.filter(|rows| *rows >= 1.0)?;
    let changed = table.activity.updated as f64 + table.activity.deleted as f64;
    Some(crate::size::whole(changed / age * 86_400.0 * (table.bytes as f64 / rows)))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::catalog::{Activity, Column, IndexKey};

    fn catalog(primary: bool, unique: bool) -> Catalog {
        let id = Column { number: 1, name: "id".into(), not_null: true, ..Column::default() };
        let activity = Activity { updated: 1_000, ..Activity::default() };
        let table = Table {
            oid: 7,
            schema: "public".into(),
            name: "t".into(),
            kind: TableKind::Table,
            parent: None,
            pages: 10,
            rows: Some(1_000.0),
            all_visible_pages: 0,
            bytes: 100_000,
            columns: vec![id],
            compared: Vec::new(),
            activity,
        };
        let key = IndexKey {
            column: Some(1),
            expression: None,
            class: "pg_catalog.int4_ops".into(),
            collation: String::new(),
            descending: false,
            nulls_first: false,
        };
        let index = Index {
            keys: vec![key],
            unique: primary || unique,
            primary,
            ..crate::testing::index(7, "t_id")
        };
        Catalog {
            statistics_age: Some(86_400.0),
            tables: vec![table],
            indexes: vec![index],
            ..Catalog::default()
        }
    }

    fn cached(identity: Identity, lost_per_day: f64) -> [Cached; 1] {
        [Cached { table: 7, identity, published: true, lost_per_day }]
    }

    #[test]
    fn rows_without_an_identity_get_the_best_that_there_is() {
        for (primary, unique, identity, then) in [
            (false, true, Identity::Default, "USING INDEX t_id"),
            (false, false, Identity::Default, "FULL"),
            (true, true, Identity::Nothing, "DEFAULT"),
        ] {
            let found = identities(&catalog(primary, unique), &cached(identity, 0.0), true);
            assert_eq!(
                found[0].evidence[0].then,
                format!("ALTER TABLE public.t REPLICA IDENTITY {then}")
            );
            assert_eq!(found[0].impact, Impact::High);
            assert!(found[0].apply.is_empty(), "a person chooses when");
        }
    }

    #[test]
    fn the_whole_row_is_told_only_where_many_answers_go_for_want_of_it() {
        let keyed = catalog(true, true);
        assert_eq!(identities(&keyed, &cached(Identity::Default, 100.0), true), []);
        let found = identities(&keyed, &cached(Identity::Default, 50_000.0), true);
        assert!(found[0].evidence[0].then.ends_with("REPLICA IDENTITY FULL"));
        // A thousand rows of a hundred bytes.
        assert_eq!(found[0].evidence[2].now, "98 kB");
        assert_eq!(identities(&keyed, &cached(Identity::Full, 50_000.0), true), []);
        assert_eq!(
            identities(&keyed, &cached(Identity::Nothing, 0.0), false),
            [],
            "nothing is decoded"
        );
    }
}
