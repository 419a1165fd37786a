//! Reading the catalog of one database: a connection of its own, a few statements in one snapshot, their rows into a
//! `howdah_core::route::class::Builder`. Not when to read: that is the parent's.
//!
//! Invariant: nothing is changed in the database, and what is read is one state of it.

use howdah_core::cache::definitions as cache;
use howdah_core::limits;
use howdah_core::route::class::{Builder, Kind, Name};
use howdah_wire::backend::{self, Message, tag};
use howdah_wire::frontend;
use tokio::time::Duration;

use super::definitions;
use crate::buffer::Shelf;
use crate::connect::{self, Login, OpenError};
use crate::inquiry::{Broken, Inquiry};
use crate::worker::Worker;

/// Settings of the connection. With this path no name of ours means anything of a user's.
pub(super) const SETTINGS: &[(&str, &str)] = &[
    ("search_path", "pg_catalog"),
    ("client_encoding", "UTF8"),
    ("application_name", "howdah (catalog)"),
    ("default_transaction_isolation", "repeatable read"),
    ("default_transaction_read_only", "on"),
    ("statement_timeout", "30000"),
];

/// What was read.
#[derive(Debug)]
pub(super) struct Loaded {
    pub(super) builder: Builder,
    /// For the result cache; `None`: that was not asked for.
    pub(super) definitions: Option<cache::Builder>,
    /// Another one when the catalog is another.
    pub(super) digest: String,
}

/// Why the catalog cannot be read.
#[derive(Debug, thiserror::Error)]
pub(super) enum LoadError {
    /// There is no connection.
    #[error(transparent)]
    Open(#[from] OpenError),
    /// The login took too long.
    #[error("PostgreSQL did not answer in time")]
    Late,
    /// The connection has ended.
    #[error("the connection was lost")]
    Lost,
    /// PostgreSQL refused a statement.
    #[error("{0}")]
    Refused(String),
    /// An answer is not what was asked for.
    #[error("an answer cannot be understood")]
    Answer,
}

impl From<Broken> for LoadError {
    fn from(broken: Broken) -> Self {
        match broken {
            Broken::Lost | Broken::Garbled => Self::Lost,
            Broken::Long => Self::Answer,
        }
    }
}

/// Rows of the catalogs that matter: how many, and a sum of which transactions wrote them.
const DIGEST: &str = "\
WITH written(kind, writer) AS (
 SELECT 1, xmin FROM pg_proc UNION ALL
 SELECT 2, xmin FROM pg_class WHERE relpersistence <> 't' AND relkind IN ('r','p','v','m','f','S') UNION ALL
 SELECT 3, xmin FROM pg_rewrite UNION ALL
 SELECT 4, xmin FROM pg_inherits UNION ALL
 SELECT 5, xmin FROM pg_policy UNION ALL
 SELECT 6, xmin FROM pg_operator UNION ALL
 SELECT 7, xmin FROM pg_cast UNION ALL
 SELECT 8, xmin FROM pg_type WHERE typtype = 'd' UNION ALL
 SELECT 9, xmin FROM pg_constraint WHERE contypid <> 0 UNION ALL
 SELECT 10, xmin FROM pg_namespace WHERE nspname !~ '^pg_(toast_)?temp_' UNION ALL
 SELECT 11, xmin FROM pg_amproc UNION ALL
 SELECT 12, xmin FROM pg_extension UNION ALL
 SELECT 13, xmin FROM pg_aggregate";

/// What is asked about those rows.
const SUM: &str = ")
SELECT concat_ws(',', count(*), sum(hashint8(kind * 4294967296 + writer::text::int8))) FROM written";

/// The statements, each with what becomes of its rows. Object ids below 16384 are PostgreSQL's own.
const READINGS: [(&str, Take); 8] = [
    (
        "SELECT p.oid, n.nspname, p.proname,
 CASE WHEN e.extname IN ('pgcrypto', 'uuid-ossp') OR p.prokind = 'a' AND p.oid < 16384 THEN false
  WHEN p.prokind = 'a' THEN EXISTS (SELECT FROM pg_aggregate a JOIN pg_proc f ON f.oid IN
   (a.aggtransfn, a.aggfinalfn, a.aggcombinefn, a.aggserialfn, a.aggdeserialfn, a.aggmtransfn,
    a.aggminvtransfn, a.aggmfinalfn) WHERE a.aggfnoid = p.oid AND f.provolatile = 'v')
  ELSE p.provolatile = 'v' END,
 p.pronargs > 0 AND p.pronargs - p.pronargdefaults <= 1
 FROM pg_proc p JOIN pg_namespace n ON n.oid = p.pronamespace
 LEFT JOIN pg_depend d ON d.classid = 'pg_proc'::regclass AND d.objid = p.oid AND d.deptype = 'e'
  AND d.refclassid = 'pg_extension'::regclass
 LEFT JOIN pg_extension e ON e.oid = d.refobjid
 WHERE p.prokind <> 'p' AND n.nspname !~ '^pg_temp_'",
        function,
    ),
    (
        "SELECT c.oid, n.nspname, c.relname,
 CASE WHEN c.relpersistence = 'u' THEN 'u' ELSE c.relkind::text END
 FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
 WHERE c.relkind IN ('r','p','v','m','f','S') AND c.relpersistence <> 't' AND n.nspname <> 'pg_toast'",
        relation,
    ),
    (
        "SELECT i.inhparent, i.inhrelid FROM pg_inherits i JOIN pg_class c ON c.oid = i.inhrelid
 WHERE c.relkind IN ('r','p','f') AND c.relpersistence <> 't'",
        reads,
    ),
    (
        "WITH tree(relation, text) AS (
  SELECT ev_class, ev_action::text FROM pg_rewrite WHERE ev_type = '1' AND ev_class >= 16384
  UNION ALL SELECT polrelid, polqual::text FROM pg_policy WHERE polcmd IN ('r','*'))
 SELECT DISTINCT t.relation, m[1] FROM tree t JOIN pg_class c ON c.oid = t.relation
  AND c.relkind IN ('r','p','v','f') AND c.relpersistence <> 't',
 regexp_matches(t.text, ':relid ([1-9][0-9]*)', 'g') m",
        reads,
    ),
    (
        "WITH tree(relation, text) AS (
  SELECT r.ev_class, r.ev_action::text FROM pg_rewrite r JOIN pg_class c ON c.oid = r.ev_class
   WHERE r.ev_type = '1' AND r.ev_class >= 16384 AND c.relkind = 'v'
  UNION ALL SELECT p.polrelid, p.polqual::text FROM pg_policy p JOIN pg_class c ON c.oid = p.polrelid
   WHERE p.polcmd IN ('r','*') AND c.relrowsecurity),
 called AS (SELECT DISTINCT t.relation, m[1]::oid AS function FROM tree t,
  regexp_matches(t.text, ':(?:funcid|opfuncid|aggfnoid|winfnoid) ([1-9][0-9]*)', 'g') m)
 SELECT c.relation, c.function FROM called c JOIN pg_proc p ON p.oid = c.function
 WHERE p.oid >= 16384 OR p.provolatile <> 'i'",
        calls,
    ),
    (
        "SELECT o.oprname, p.oid FROM pg_operator o JOIN pg_proc p ON p.oid = o.oprcode
 WHERE p.provolatile = 'v' AND p.oid >= 16384",
        operator,
    ),
    (
        "WITH RECURSIVE domain(name, id) AS (
  SELECT typname, oid FROM pg_type WHERE typtype = 'd'
  UNION SELECT d.name, t.typbasetype FROM domain d JOIN pg_type t ON t.oid = d.id AND t.typtype = 'd')
 SELECT DISTINCT d.name, p.oid FROM domain d JOIN pg_constraint c ON c.contypid = d.id,
 regexp_matches(c.conbin::text, ':(?:funcid|opfuncid) ([1-9][0-9]*)', 'g') m
 JOIN pg_proc p ON p.oid = m[1]::oid WHERE p.provolatile = 'v' AND p.oid >= 16384",
        type_check,
    ),
    (
        "SELECT p.oid FROM pg_cast c JOIN pg_proc p ON p.oid = c.castfunc
 WHERE p.provolatile = 'v' AND p.oid >= 16384
 UNION SELECT p.oid FROM pg_amproc a JOIN pg_proc p ON p.oid = a.amproc
 WHERE p.provolatile = 'v' AND p.oid >= 16384",
        everywhere,
    ),
];

/// What becomes of a row; `None`: it is not what was asked for.
type Take = fn(&mut Builder, &mut Values<'_>) -> Option<()>;

/// The values of a row, one after the other.
pub(super) struct Values<'a>(Box<dyn Iterator<Item = Option<&'a [u8]>> + 'a>);

impl<'a> Values<'a> {
    pub(super) fn text(&mut self) -> Option<&'a str> {
        std::str::from_utf8(self.0.next()??).ok()
    }

    pub(super) fn id(&mut self) -> Option<u32> {
        self.text()?.parse().ok()
    }

    pub(super) fn name(&mut self) -> Option<Name> {
        let schema = self.text()?;
        Some(Name::new(schema, self.text()?))
    }

    pub(super) fn holds(&mut self) -> Option<bool> {
        Some(self.text()? == "t")
    }
}

fn function(builder: &mut Builder, row: &mut Values<'_>) -> Option<()> {
    let (id, name) = (row.id()?, row.name()?);
    let (volatile, unary) = (row.holds()?, row.holds()?);
    builder.function(id, name, volatile, unary);
    Some(())
}

fn relation(builder: &mut Builder, row: &mut Values<'_>) -> Option<()> {
    let (id, name) = (row.id()?, row.name()?);
    let kind = match row.text()? {
        "u" => Kind::Unlogged,
        "S" => Kind::Sequence,
        "f" => Kind::Foreign,
        _ => Kind::Plain,
    };
    builder.relation(id, name, kind);
    Some(())
}

fn reads(builder: &mut Builder, row: &mut Values<'_>) -> Option<()> {
    builder.reads(row.id()?, row.id()?);
    Some(())
}

fn calls(builder: &mut Builder, row: &mut Values<'_>) -> Option<()> {
    builder.calls(row.id()?, row.id()?);
    Some(())
}

fn operator(builder: &mut Builder, row: &mut Values<'_>) -> Option<()> {
    let name = row.text()?;
    builder.operator(name, row.id()?);
    Some(())
}

fn type_check(builder: &mut Builder, row: &mut Values<'_>) -> Option<()> {
    let name = row.text()?;
    builder.type_check(name, row.id()?);
    Some(())
}

fn everywhere(builder: &mut Builder, row: &mut Values<'_>) -> Option<()> {
    builder.everywhere(row.id()?);
    Some(())
}

/// Reads the catalog, and `more` for the result cache; `None`: it is the one of this digest. Dropping the future closes the connection.
///
/// # Errors
/// [`LoadError`] for everything that keeps it from being read in whole.
pub(super) async fn load(
    worker: &Worker,
    login: &Login<'_>,
    limit: Duration,
    known: Option<&str>,
    more: bool,
) -> Result<Option<Loaded>, LoadError> {
    let opened = tokio::time::timeout(limit, connect::open(login, &worker.shelf)).await;
    let opened = opened.map_err(|_| LoadError::Late)??;
    let mut connection = Connection { shelf: &worker.shelf, inquiry: Inquiry::new(opened.stream) };
    connection.ask("BEGIN", &mut |_| None).await?;
    let mut digest = None;
    let mut keep = |row: &mut Values<'_>| {
        digest = Some(row.text()?.to_owned());
        Some(())
    };
    let rest = if more { definitions::DIGEST } else { "" };
    connection.ask(&[DIGEST, rest, SUM].concat(), &mut keep).await?;
    // With more the same rows have another digest, or it is read once too often.
    let digest = format!("{more} {}", digest.ok_or(LoadError::Answer)?);
    if known == Some(digest.as_str()) {
        return Ok(None);
    }
    let mut builder = Builder::default();
    for (sql, take) in READINGS {
        connection.ask(&bounded(sql), &mut |row| take(&mut builder, row)).await?;
    }
    let mut found = cache::Builder::default();
    if more {
        for (sql, take) in definitions::READINGS {
            connection.ask(&bounded(sql), &mut |row| take(&mut found, row)).await?;
        }
    }
    Ok(Some(Loaded { builder, definitions: more.then_some(found), digest }))
}

/// No more rows than one too many.
fn bounded(sql: &str) -> String {
    format!("SELECT * FROM ({sql}) all_rows LIMIT {}", limits::CATALOG_LINKS + 1)
}

/// A connection that asks.
struct Connection<'a> {
    shelf: &'a Shelf,
    inquiry: Inquiry,
}

impl Connection<'_> {
    /// Runs one statement, and hands its rows over.
    async fn ask(
        &mut self,
        sql: &str,
        take: &mut dyn FnMut(&mut Values<'_>) -> Option<()>,
    ) -> Result<(), LoadError> {
        let mut out = Vec::with_capacity(sql.len() + 8);
        frontend::query(&mut out, sql.as_bytes());
        self.inquiry.send(&out).await?;
        let mut refused = None;
        loop {
            let mut consumed = 0;
            let mut ended = false;
            let mut rest = self.inquiry.inbox.unread();
            while let Some((found, after)) =
                howdah_wire::frame::split(rest).map_err(|_| LoadError::Lost)?
            {
                (consumed, rest) = (consumed + found.bytes.len(), after);
                match found.tag {
                    tag::DATA_ROW => {
                        let Ok(Message::DataRow(values)) = backend::decode(found) else {
                            return Err(LoadError::Answer);
                        };
                        take(&mut Values(Box::new(values.iter()))).ok_or(LoadError::Answer)?;
                    }
                    tag::ERROR => {
                        let fields =
                            backend::error_fields(found.body).map_err(|_| LoadError::Lost)?;
                        let message = String::from_utf8_lossy(fields.message);
                        refused = Some(format!("{message} (SQLSTATE {})", fields.code));
                    }
                    tag::READY_FOR_QUERY => {
                        ended = true;
                        break;
                    }
                    _ => {}
                }
            }
            self.inquiry.inbox.consume(consumed);
            if ended {
                return refused.map_or(Ok(()), |message| Err(LoadError::Refused(message)));
            }
            self.inquiry.fill(self.shelf).await?;
        }
    }
}
