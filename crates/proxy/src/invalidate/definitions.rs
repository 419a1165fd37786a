//! What the catalog says of relations whose changes are told, and whether definitions have changed: read over a connection of its
//! own, when it is asked for and at an interval. Not what follows from a change.
//!
//! Invariant: nothing is changed in the database, and what is read is one state of it.

use std::cell::Cell;
use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use howdah_core::cache::shapes::{Kind, Relation, Shapes};
use howdah_core::cache::tag::Oid;
use tokio::sync::{Notify, mpsc};

use super::trouble::Trouble;
use crate::buffer::Shelf;
use crate::clock;
use crate::connect::{self, Login};
use crate::inquiry::{Inquiry, Row};

/// With this path no name of ours means anything of a user's.
const SETTINGS: &[(&str, &str)] = &[
    ("search_path", "pg_catalog"),
    ("client_encoding", "UTF8"),
    ("application_name", "howdah (cache)"),
    ("default_transaction_isolation", "repeatable read"),
    ("default_transaction_read_only", "on"),
    ("statement_timeout", "30000"),
];

/// Reading takes one part in so many of the time: in a database with very many relations it is read less often.
const SHARE: u32 = 20;

/// A number that is another one when a definition is that answers may depend on. Of `pg_class` the columns that matter are looked
/// at, for the rest of its rows changes with vacuum and truncation; of the others who has written a row.
const FINGERPRINT: &str = "\
WITH kept AS (SELECT c.* FROM pg_class c WHERE relpersistence <> 't' AND relnamespace <> 'pg_toast'::regnamespace), \
written(kind, what) AS (\
 SELECT 1, hashtextextended(concat_ws(',', oid, relname, relnamespace, relkind, relpersistence, relrowsecurity, \
  relforcerowsecurity, relowner, relacl, relreplident, relispartition, relam), 1) FROM kept WHERE relkind IN ('r','p','v','m','f') UNION ALL \
 SELECT 2, a.xmin::text::int8 FROM pg_attribute a JOIN kept ON attrelid = kept.oid WHERE attnum > 0 AND relkind IN ('r','p','v','m','f') UNION ALL \
 SELECT 3, xmin::text::int8 FROM pg_proc UNION ALL \
 SELECT 4, xmin::text::int8 FROM pg_rewrite UNION ALL \
 SELECT 5, xmin::text::int8 FROM pg_inherits UNION ALL \
 SELECT 6, xmin::text::int8 FROM pg_policy UNION ALL \
 SELECT 7, xmin::text::int8 FROM pg_operator UNION ALL \
 SELECT 8, xmin::text::int8 FROM pg_cast UNION ALL \
 SELECT 9, xmin::text::int8 FROM pg_type WHERE typtype IN ('d','e','r') UNION ALL \
 SELECT 10, xmin::text::int8 FROM pg_constraint WHERE contype IN ('p','u') OR contypid <> 0 UNION ALL \
 SELECT 11, xmin::text::int8 FROM pg_namespace WHERE nspname !~ '^pg_(toast_)?temp_' UNION ALL \
 SELECT 12, xmin::text::int8 FROM pg_enum UNION ALL \
 SELECT 13, xmin::text::int8 FROM pg_publication UNION ALL \
 SELECT 14, xmin::text::int8 FROM pg_publication_rel UNION ALL \
 SELECT 15, xmin::text::int8 FROM pg_auth_members UNION ALL \
 SELECT 16, xmin::text::int8 FROM pg_db_role_setting UNION ALL \
 SELECT 17, hashtextextended(concat_ws(',', oid, rolname, rolsuper, rolinherit, rolbypassrls), 1) FROM pg_roles UNION ALL \
 SELECT 18, xmin::text::int8 FROM pg_collation UNION ALL \
 SELECT 19, xmin::text::int8 FROM pg_aggregate) \
SELECT concat_ws(',', count(*), sum(hashint8extended(what, kind))), \
 concat_ws(',', count(*) FILTER (WHERE kind IN (13, 14)), sum(what) FILTER (WHERE kind IN (13, 14))) FROM written";

/// Relations, whether the publication tells of them, and whether only in part.
const RELATIONS: &str = "\
SELECT c.oid, CASE WHEN relkind = 'p' THEN 'p' WHEN relkind = 'r' AND relpersistence = 'p' THEN 'r' ELSE '-' END, \
 c.oid IN (SELECT relid FROM pg_get_publication_tables({publication})), \
 EXISTS (SELECT FROM pg_publication_rel r JOIN pg_publication p ON p.oid = r.prpubid WHERE p.pubname = {publication} AND \
  (to_jsonb(r)->>'prqual' IS NOT NULL OR to_jsonb(r)->>'prattrs' IS NOT NULL) AND \
  (r.prrelid = c.oid OR EXISTS (SELECT FROM pg_partition_ancestors(c.oid) a(relid) WHERE a.relid = r.prrelid))) \
FROM pg_class c WHERE relkind IN ('r','p','f','m') AND relpersistence <> 't' AND c.oid >= 16384 AND relnamespace <> 'pg_toast'::regnamespace";

const COLUMNS: &str = "\
SELECT attrelid, attnum, attname FROM pg_attribute a JOIN pg_class c ON c.oid = attrelid WHERE attnum > 0 AND NOT attisdropped \
 AND relkind IN ('r','p') AND relpersistence <> 't' AND c.oid >= 16384";

const PARENTS: &str = "SELECT inhrelid, inhparent FROM pg_inherits JOIN pg_class c ON c.oid = inhrelid WHERE relkind IN ('r','p','f')";

/// What was read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Definitions {
    /// It was read after so many readings were asked for.
    pub(super) asked: u64,
    pub(super) fingerprint: String,
    /// The part of it that is about publications.
    pub(super) publications: String,
    pub(super) shapes: Arc<Shapes>,
}

impl Definitions {
    /// Whether it tells of a table from now on that it did not tell of before: from the middle of transactions on. Of a table that is
    /// new nobody has written before.
    pub(super) fn tells_more_than(&self, before: &Self) -> bool {
        let was_there = |oid: &Oid| before.shapes.get(*oid).is_some_and(|it| !it.published);
        self.publications != before.publications
            || self.shapes.published().any(|oid| was_there(&oid))
    }
}

/// Reads definitions as long as it is polled.
#[derive(Debug)]
pub(super) struct Reader {
    asked: Cell<u64>,
    wake: Notify,
}

impl Reader {
    pub(super) fn new() -> Self {
        Self { asked: Cell::new(0), wake: Notify::new() }
    }

    /// Asks for a reading that begins after this, and returns its number.
    pub(super) fn ask(&self) -> u64 {
        self.asked.set(self.asked.get() + 1);
        self.wake.notify_one();
        self.asked.get()
    }

    /// Reads when asked and every `poll`; tells what has changed, and what was asked for.
    pub(super) async fn run(
        &self,
        login: &Login<'_>,
        publication: &str,
        poll: Duration,
        tell: mpsc::Sender<Definitions>,
        shelf: &Shelf,
    ) -> Result<(), Trouble> {
        let login = Login { settings: SETTINGS, ..*login };
        let mut inquiry = Inquiry::new(connect::open(&login, shelf).await?.stream);
        let mut last: Option<Definitions> = None;
        loop {
            let asked = self.asked.get();
            let known = last.as_ref().map(|it| it.fingerprint.as_str());
            let is_wanted = last.as_ref().is_none_or(|it| it.asked < asked);
            let begun = clock::now();
            let read = read(&mut inquiry, publication, known, shelf).await?;
            let took = clock::now().saturating_duration_since(begun);
            let pause = poll.max(took.saturating_mul(SHARE));
            match read {
                Some(read) => last = Some(Definitions { asked, ..read }),
                None if !is_wanted => {
                    let _ = tokio::time::timeout(pause, self.wake.notified()).await;
                    continue;
                }
                None => last.iter_mut().for_each(|it| it.asked = asked),
            }
            let Some(read) = last.clone() else { return Err(Trouble::Odd) };
            if tell.send(read).await.is_err() {
                return Err(Trouble::Lost);
            }
            let _ = tokio::time::timeout(pause, self.wake.notified()).await;
        }
    }
}

/// `None`: nothing has changed.
async fn read(
    inquiry: &mut Inquiry,
    publication: &str,
    known: Option<&str>,
    shelf: &Shelf,
) -> Result<Option<Definitions>, Trouble> {
    inquiry.ask(shelf, "BEGIN").await?;
    let rows = inquiry.ask(shelf, FINGERPRINT).await?;
    let Some([Some(fingerprint), Some(publications)]) = rows.first().map(Vec::as_slice) else {
        return Err(Trouble::Odd);
    };
    if known == Some(fingerprint.as_str()) {
        inquiry.ask(shelf, "COMMIT").await?;
        return Ok(None);
    }
    let name = super::literal(publication);
    let relations = inquiry.ask(shelf, &RELATIONS.replace("{publication}", &name)).await?;
    let columns = inquiry.ask(shelf, COLUMNS).await?;
    let parents = inquiry.ask(shelf, PARENTS).await?;
    inquiry.ask(shelf, "COMMIT").await?;
    let shapes = shapes(&relations, &columns, &parents).ok_or(Trouble::Odd)?;
    let (fingerprint, publications) = (fingerprint.clone(), publications.clone());
    Ok(Some(Definitions { asked: 0, fingerprint, publications, shapes: Arc::new(shapes) }))
}

fn shapes(relations: &[Row], columns: &[Row], parents: &[Row]) -> Option<Shapes> {
    let oid = |text: &Option<String>| text.as_deref()?.parse::<Oid>().ok();
    let mut found = BTreeMap::new();
    for row in relations {
        let [relation, kind, published, filtered] = row.as_slice() else { return None };
        let kind = match kind.as_deref()? {
            "p" => Kind::Partitioned,
            "r" => Kind::Table,
            _ => Kind::Untold,
        };
        let filtered = filtered.as_deref() == Some("t");
        let shape = Relation::new(kind, published.as_deref() == Some("t"));
        found.insert(oid(relation)?, Relation { filtered, ..shape });
    }
    for row in columns {
        let [relation, number, name] = row.as_slice() else { return None };
        let (name, number) = (name.as_deref()?.as_bytes(), number.as_deref()?.parse().ok()?);
        if let Some(shape) = found.get_mut(&oid(relation)?) {
            shape.columns.insert(name.into(), number);
        }
    }
    for row in parents {
        let [relation, parent] = row.as_slice() else { return None };
        if let Some(shape) = found.get_mut(&oid(relation)?) {
            shape.parents.push(oid(parent)?);
        }
    }
    Some(Shapes::new(found))
}
