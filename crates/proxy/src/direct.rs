//! The question what a node has run for others than Howdah's clients: `pg_stat_statements`, if it is there, over the connection of
//! `server_statistics`. What follows from the answer is `howdah_core::direct`.
//!
//! Invariant: nobody hears of a failure but reports, which say in one sentence what is missing.

use std::collections::{BTreeMap, HashMap};

use howdah_core::direct::{Form, Ran};
use howdah_core::statements::{kind, text};
use howdah_sql::{Analysis, Table};

use crate::inquiry::{Inquiry, Row, Unanswered};
use crate::worker::Worker;

/// Where the extension is in the database that is asked.
const EXTENSION: &str = "SELECT n.nspname, current_database(), current_user FROM (VALUES (1)) AS one \
    LEFT JOIN pg_extension e ON e.extname = 'pg_stat_statements' LEFT JOIN pg_namespace n ON n.oid = e.extnamespace";

/// Why it is not known.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub(crate) enum Missing {
    /// The extension is not in the database.
    #[error("pg_stat_statements is not in database {0:?}: CREATE EXTENSION pg_stat_statements")]
    Extension(String),
    /// Its library is not loaded.
    #[error(
        "pg_stat_statements is not loaded: add it to shared_preload_libraries and restart PostgreSQL"
    )]
    Library,
    /// The role sees statements of its own alone.
    #[error("role {0:?} sees statements of its own alone: GRANT pg_read_all_stats TO {0:?}")]
    Rights(String),
    /// PostgreSQL refuses.
    #[error("PostgreSQL refuses: {0}")]
    Refused(String),
    /// There is no answer.
    #[error("the connection was lost")]
    Lost,
}

impl From<Unanswered> for Missing {
    fn from(unanswered: Unanswered) -> Self {
        match unanswered {
            Unanswered::Refused { code, .. } if code.as_str() == "55000" => Self::Library,
            refused @ Unanswered::Refused { .. } => Self::Refused(refused.to_string()),
            Unanswered::Broken(_) | Unanswered::Odd => Self::Lost,
        }
    }
}

/// Asks for the forms that took the most time in databases of these names, a list of literals.
///
/// # Errors
/// Why they are not known.
pub(crate) async fn ask(
    worker: &Worker,
    connection: &mut Inquiry,
    names: &str,
) -> Result<Vec<(Form, Ran)>, Missing> {
    let found = connection.ask(&worker.shelf, EXTENSION).await?;
    let found = found.into_iter().next().and_then(|row| <[_; 3]>::try_from(row).ok());
    let [schema, database, role] = found.ok_or(Missing::Lost)?.map(Option::unwrap_or_default);
    if schema.is_empty() {
        return Err(Missing::Extension(database));
    }
    let question = format!(
        "SELECT d.datname, s.query, s.calls, s.total_exec_time, s.rows FROM \"{}\".pg_stat_statements s \
         JOIN pg_database d ON d.oid = s.dbid WHERE d.datname IN ({names}) AND length(s.query) < 16384 \
         ORDER BY s.total_exec_time DESC LIMIT 200",
        schema.replace('"', "\"\"")
    );
    let rows = connection.ask(&worker.shelf, &question).await?;
    let hidden =
        |row: &Row| row.get(1).and_then(Option::as_deref) == Some("<insufficient privilege>");
    if rows.iter().any(hidden) {
        return Err(Missing::Rights(role));
    }
    let mut forms = BTreeMap::<Form, Ran>::new();
    for (form, ran) in rows.into_iter().filter_map(|row| line(worker, row)) {
        // Of several roles.
        let known =
            forms.entry(form).or_insert_with(|| Ran { calls: 0, time_ms: 0.0, ..ran.clone() });
        known.calls = known.calls.saturating_add(ran.calls);
        known.time_ms += ran.time_ms;
    }
    Ok(forms.into_iter().collect())
}

/// A row of the answer; `None`: it is no statement that names a table of the database's own.
fn line(worker: &Worker, row: Row) -> Option<(Form, Ran)> {
    let [database, query, calls, time_ms, _] = <[Option<String>; 5]>::try_from(row).ok()?;
    let analysis = worker.analyse(query?.as_bytes());
    if !names_tables(&analysis) {
        return None;
    }
    let ran = Ran {
        text: text(&analysis).to_owned(),
        kind: kind(analysis.class),
        calls: calls?.parse().ok()?,
        time_ms: time_ms?.parse().ok()?,
    };
    Some(((database?.into(), analysis.fingerprint.0), ran))
}

/// Catalogs are read by Howdah itself, and by whoever watches.
fn names_tables(analysis: &Analysis) -> bool {
    let own = |table: &Table| {
        !table.name.starts_with("pg_")
            && !matches!(table.schema.as_deref(), Some("pg_catalog" | "information_schema"))
    };
    let details = analysis.details.as_ref();
    analysis.parsed && details.is_some_and(|details| details.tables.iter().any(own))
}

/// Calls of each form that Howdah has counted since its start, by database on the server.
pub(crate) fn counted(worker: &Worker) -> HashMap<Form, u64> {
    let settings = worker.settings();
    let on_server = |name: &str| {
        let database = settings.database(name).and_then(|it| it.server_database.clone());
        database.unwrap_or_else(|| name.to_owned())
    };
    let mut counted = HashMap::<Form, u64>::new();
    let book = worker.shared.statements.lock();
    for entry in book.entries() {
        if let Some(fingerprint) = entry.fingerprint {
            let form = (on_server(&entry.database).into(), fingerprint);
            *counted.entry(form).or_default() += entry.sums.calls;
        }
    }
    counted
}
