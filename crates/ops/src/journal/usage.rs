//! How often indexes were used, day by day. PostgreSQL counts since its statistics were reset; kept is what was added from one look to the next.
//!
//! Invariant: what is kept is what some look has seen added; uses between the last look before a reset and the reset are lost, never made up.

use rusqlite::{OptionalExtension as _, params};
use serde::Serialize;

use super::{Error, Journal, Place, know};
use crate::look::Used;

/// Made where it is missing: files of earlier versions have no such table.
pub(super) const TABLE: &str = "CREATE TABLE IF NOT EXISTS used (place TEXT NOT NULL, name TEXT NOT NULL, day INTEGER NOT NULL, relation TEXT NOT NULL, \
    bytes INTEGER NOT NULL, counted INTEGER NOT NULL, scans INTEGER NOT NULL, PRIMARY KEY (place, name, day)) WITHOUT ROWID;";

/// Milliseconds.
const DAY: i64 = 86_400_000;
/// Days that are kept.
const KEPT: i64 = 92;

/// How often an index was used.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct IndexHistory {
    /// In which database.
    pub place: Place,
    /// Its table, with its schema.
    pub table: String,
    /// Its name, with its schema.
    pub index: String,
    /// Bytes on disk, when it was last looked at.
    pub bytes: i64,
    /// From the first day that it was looked at, without days on which nobody looked.
    pub days: Vec<Day>,
}

/// A day, in UTC.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub struct Day {
    /// Its beginning, in milliseconds since 1970.
    pub at_ms: i64,
    /// Scans of the index, on all nodes.
    pub scans: i64,
}

impl Journal {
    /// Notes what was counted until now, on all nodes together.
    ///
    /// # Errors
    /// The file cannot be written.
    pub fn used(&self, place: &Place, all: &[Used], now: i64) -> Result<(), Error> {
        let day = now.div_euclid(DAY);
        self.with(|file| {
            know(file, place)?;
            let sql = "SELECT EXISTS (SELECT 1 FROM used WHERE place = ?1)";
            let watched: bool = file.query_row(sql, [&place.key], |row| row.get(0))?;
            for one in all {
                let name = format!("{}.{}", one.index.schema, one.index.name);
                let table = format!("{}.{}", one.table.schema, one.table.name);
                let counted = i64::try_from(one.scans).unwrap_or(i64::MAX);
                let bytes = i64::try_from(one.bytes).unwrap_or(i64::MAX);
                let last: Option<i64> = file
                    .query_row(
                        "SELECT counted FROM used WHERE place = ?1 AND name = ?2 ORDER BY day DESC LIMIT 1",
                        params![place.key, name],
                        |row| row.get(0),
                    )
                    .optional()?;
                file.execute(
                    "INSERT INTO used VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7) ON CONFLICT DO UPDATE SET \
                     relation = excluded.relation, bytes = excluded.bytes, counted = excluded.counted, scans = scans + excluded.scans",
                    params![place.key, name, day, table, bytes, counted, added(watched, last, counted)],
                )?;
            }
            file.execute("DELETE FROM used WHERE day < ?1", [day.saturating_sub(KEPT)]).map(drop)
        })
    }

    /// How often the indexes of the last day that was looked at were used, of one database or of all.
    ///
    /// # Errors
    /// The file cannot be read.
    pub fn index_histories(&self, place: Option<&str>) -> Result<Vec<IndexHistory>, Error> {
        let sql = "SELECT used.place, place.name, relation, used.name, bytes, day, scans FROM used JOIN place USING (place) \
             WHERE (?1 IS NULL OR used.place = ?1) \
             AND EXISTS (SELECT 1 FROM used AS last WHERE last.place = used.place AND last.name = used.name \
                 AND last.day = (SELECT max(newest.day) FROM used AS newest WHERE newest.place = used.place)) \
             ORDER BY place.name, used.place, used.name, day";
        let rows = self.read(sql, [place], |row| {
            let at_ms = row.get::<_, i64>(5)?.saturating_mul(DAY);
            Ok(IndexHistory {
                place: Place { key: row.get(0)?, name: row.get(1)? },
                table: row.get(2)?,
                index: row.get(3)?,
                bytes: row.get(4)?,
                days: vec![Day { at_ms, scans: row.get(6)? }],
            })
        })?;
        let mut all: Vec<IndexHistory> = Vec::new();
        for row in rows {
            match all.last_mut() {
                Some(last) if last.place.key == row.place.key && last.index == row.index => {
                    last.days.extend(row.days);
                    (last.bytes, last.table) = (row.bytes, row.table);
                }
                _ => all.push(row),
            }
        }
        Ok(all)
    }
}

/// What came to a count since the last look: all of it, if it began anew or the index was not there then.
const fn added(watched: bool, last: Option<i64>, counted: i64) -> i64 {
    match last {
        Some(last) if last <= counted => counted - last,
        None if !watched => 0,
        Some(_) | None => counted,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::apply::Name;
    use crate::journal::tests::{File, place};

    const NOON: i64 = 20_000 * DAY + DAY / 2;

    fn used(index: &str, scans: u64) -> Used {
        let name = |name: &str| Name { schema: "public".to_owned(), name: name.to_owned() };
        Used { index: name(index), table: name("t"), bytes: 8192, scans }
    }

    fn scans(journal: &Journal, index: &str) -> Vec<i64> {
        let all = journal.index_histories(None).unwrap();
        let found = all.into_iter().find(|it| it.index == format!("public.{index}"));
        found.map_or_else(Vec::new, |it| it.days.iter().map(|day| day.scans).collect())
    }

    #[test]
    fn uses_are_added_up_by_day_also_when_postgresql_begins_to_count_anew() {
        let file = File::new("usage");
        let journal = Journal::open(&file.0).unwrap();
        let note = |counts: &[(&str, u64)], now: i64| {
            let all: Vec<Used> = counts.iter().map(|&(name, scans)| used(name, scans)).collect();
            journal.used(&place(), &all, now).unwrap();
        };
        note(&[("a", 1_000), ("b", 0)], NOON);
        note(&[("a", 1_010), ("b", 0)], NOON + 1);
        note(&[("a", 1_030), ("b", 0)], NOON + 2);
        assert_eq!((scans(&journal, "a"), scans(&journal, "b")), (vec![30], vec![0]));
        // Reset, and five more; then a day on which nobody looked.
        note(&[("a", 5), ("b", 0)], NOON + DAY);
        note(&[("a", 8), ("b", 2)], NOON + 3 * DAY);
        assert_eq!((scans(&journal, "a"), scans(&journal, "b")), (vec![30, 5, 3], vec![0, 0, 2]));
        let first = &journal.index_histories(Some(&place().key)).unwrap()[0];
        assert_eq!((first.table.as_str(), first.bytes), ("public.t", 8192));
        assert_eq!(first.days[0].at_ms, 20_000 * DAY);
        assert!(journal.index_histories(Some("elsewhere")).unwrap().is_empty());
        // One that was made since has all of its uses since then.
        note(&[("a", 8), ("b", 2), ("c", 4)], NOON + 3 * DAY + 1);
        assert_eq!(scans(&journal, "c"), [4]);
        // An index that is gone is not shown, and old days are forgotten.
        note(&[("a", 9)], NOON + 4 * DAY);
        assert_eq!((scans(&journal, "a"), scans(&journal, "b")), (vec![30, 5, 3, 1], vec![]));
        note(&[("a", 10)], NOON + 94 * DAY);
        assert_eq!(scans(&journal, "a"), [3, 1, 1]);
    }

    #[test]
    fn a_file_of_an_earlier_version_gets_the_table() {
        let file = File::new("usage-earlier");
        drop(Journal::open(&file.0).unwrap());
        rusqlite::Connection::open(&file.0).unwrap().execute_batch("DROP TABLE used").unwrap();
        let journal = Journal::open(&file.0).unwrap();
        journal.used(&place(), &[used("a", 1)], NOON).unwrap();
        assert_eq!(scans(&journal, "a"), [0]);
    }
}
