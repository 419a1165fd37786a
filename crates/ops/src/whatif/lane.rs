//! One connection that plans statements with hypothetical indexes. It remembers which ones exist there, and makes only the difference.
//!
//! Invariant: nothing of a statement is run. A lost connection is replaced once per question, and knows nothing then.

use std::collections::HashMap;
use std::sync::Arc;

use howdah_advisor::catalog::Table;
use howdah_advisor::{Candidate, Plan, Set};
use tokio_postgres::{Client, SimpleQueryMessage};

use super::{Connect, Error};
use crate::trial::parameters;

/// A statement that takes longer to plan is left out.
const SESSION: &str = "SET statement_timeout = '20s'; SET lock_timeout = '2s'; \
    SET default_transaction_read_only = on; SET application_name = 'howdah advise'";

/// What every connection needs.
pub(super) struct Settings {
    pub(super) connect: Connect,
    pub(super) schema: String,
    /// Definitions of the twins of existing indexes.
    pub(super) twins: Vec<String>,
    pub(super) statements: Vec<Statement>,
    pub(super) tables: Vec<Table>,
}

/// A statement, and how it is planned.
pub(super) struct Statement {
    sql: String,
    version: u32,
}

impl Statement {
    pub(super) fn of(sql: &str, version: u32) -> Self {
        Self { sql: sql.to_owned(), version }
    }

    /// What asks for its plan, with a table in front of the others; `None` if that cannot be, or would change nothing.
    ///
    /// hypopg knows what is said of the rows of an index, and expressions, of the first table of a level alone (it leaves the columns' table
    /// numbered 1: seen with hypopg 1.3.1). So that an index of another table is seen, that one is put in front.
    fn led_by(&self, table: &Table) -> Option<String> {
        let name = howdah_sql::Table {
            schema: Some(table.schema.as_str().into()),
            name: table.name.as_str().into(),
        };
        Some(question(&howdah_sql::led_by(&self.sql, &name)?, self.version))
    }
}

/// What asks for the plan of a text. With parameters it is planned as for any value of them.
fn question(sql: &str, version: u32) -> String {
    let parameters = parameters(sql);
    if parameters == 0 {
        return format!("EXPLAIN {sql}");
    }
    if version >= 160_000 {
        return format!("EXPLAIN (GENERIC_PLAN) {sql}");
    }
    let nulls = vec!["NULL"; parameters].join(", ");
    format!(
        "SET plan_cache_mode = force_generic_plan; PREPARE howdah_advise AS {sql}; EXPLAIN EXECUTE howdah_advise ({nulls}); DEALLOCATE howdah_advise"
    )
}

/// One connection.
pub(super) struct Lane {
    settings: Arc<Settings>,
    client: Client,
    /// Hypothetical indexes that exist here, by their oid.
    existing: HashMap<Candidate, u32>,
    /// Candidates that hypopg refuses.
    refused: Vec<Candidate>,
    /// What asks for the plan of a statement with a table in front, or as it is.
    questions: HashMap<(usize, Option<u32>), String>,
}

impl Lane {
    pub(super) async fn open(settings: Arc<Settings>) -> Result<Self, Error> {
        let client = (settings.connect)().await.map_err(Error::Connection)?;
        client.batch_execute(SESSION).await?;
        let lane = Self {
            settings,
            client,
            existing: HashMap::new(),
            refused: Vec::new(),
            questions: HashMap::new(),
        };
        lane.make_twins().await?;
        Ok(lane)
    }

    /// Forgets all hypothetical indexes but the twins.
    async fn make_twins(&self) -> Result<(), Error> {
        let schema = &self.settings.schema;
        self.client.batch_execute(&format!("SELECT {}.hypopg_reset()", quoted(schema))).await?;
        for twin in &self.settings.twins {
            let sql =
                format!("SELECT 1 FROM {}.hypopg_create_index({})", quoted(schema), literal(twin));
            match self.client.batch_execute(&sql).await {
                // An index of a kind that hypopg does not know has no twin, and no candidate is like it.
                Err(error) if error.as_db_error().is_none() => return Err(error.into()),
                _ => {}
            }
        }
        Ok(())
    }

    /// The cheapest plan; `None` when PostgreSQL does not plan the statement, or refuses an index.
    pub(super) async fn plan(
        &mut self,
        statement: usize,
        with: &[(usize, Candidate)],
    ) -> Result<Option<Plan>, Error> {
        match self.attempt(statement, with).await {
            Ok(plan) => Ok(plan),
            Err(Error::Postgres(_)) if self.client.is_closed() => {
                self.client = (self.settings.connect)().await.map_err(Error::Connection)?;
                self.client.batch_execute(SESSION).await?;
                self.existing.clear();
                self.make_twins().await?;
                // A statement that ends the server's process must not do so for ever.
                match self.attempt(statement, with).await {
                    Err(Error::Postgres(_)) if self.client.is_closed() => Ok(None),
                    other => other,
                }
            }
            Err(error) => Err(error),
        }
    }

    async fn attempt(
        &mut self,
        statement: usize,
        with: &[(usize, Candidate)],
    ) -> Result<Option<Plan>, Error> {
        if with.iter().any(|(_, it)| self.refused.contains(it)) {
            return Ok(None);
        }
        self.make(with).await?;
        if with.iter().any(|(_, it)| self.refused.contains(it)) {
            return Ok(None);
        }
        let mut best: Option<Plan> = None;
        for sql in self.questions(statement, with) {
            let plan = self.explained(&sql, with).await?;
            best = match (best, plan) {
                (Some(one), Some(other)) if one.cost <= other.cost => Some(one),
                (one, other) => other.or(one),
            };
        }
        Ok(best)
    }

    /// What to ask so that each of these indexes is seen: the statement as it is, or with one table after the other in front.
    fn questions(&mut self, statement: usize, with: &[(usize, Candidate)]) -> Vec<String> {
        let Some(asked) = self.settings.statements.get(statement) else { return Vec::new() };
        let special =
            |it: &Candidate| it.predicate.is_some() || it.keys.iter().any(|key| key.case.is_some());
        let mut tables: Vec<Option<u32>> =
            with.iter().filter(|(_, it)| special(it)).map(|(_, it)| Some(it.table)).collect();
        tables.sort_unstable();
        tables.dedup();
        if tables.is_empty() {
            tables.push(None);
        }
        let mut all: Vec<String> = Vec::new();
        for table in tables {
            let known = self.questions.entry((statement, table));
            let text = known.or_insert_with(|| {
                let first = self.settings.tables.iter().find(|it| Some(it.oid) == table);
                let led = first.and_then(|first| asked.led_by(first));
                led.unwrap_or_else(|| question(&asked.sql, asked.version))
            });
            if !all.contains(text) {
                all.push(text.clone());
            }
        }
        all
    }

    async fn explained(
        &self,
        sql: &str,
        with: &[(usize, Candidate)],
    ) -> Result<Option<Plan>, Error> {
        match self.client.simple_query(sql).await {
            Ok(messages) => Ok(read(&lines(&messages), with, &self.existing)),
            Err(error) if error.as_db_error().is_some() && !self.client.is_closed() => {
                let _ = self.client.batch_execute("DEALLOCATE ALL").await;
                Ok(None)
            }
            Err(error) => Err(error.into()),
        }
    }

    /// Makes exactly these exist.
    async fn make(&mut self, with: &[(usize, Candidate)]) -> Result<(), Error> {
        let schema = quoted(&self.settings.schema);
        let superfluous: Vec<(Candidate, u32)> = self
            .existing
            .iter()
            .filter(|(it, _)| !with.iter().any(|(_, wanted)| wanted == *it))
            .map(|(it, oid)| (it.clone(), *oid))
            .collect();
        let missing: Vec<Candidate> = with
            .iter()
            .map(|(_, it)| it)
            .filter(|it| !self.existing.contains_key(*it))
            .cloned()
            .collect();
        let mut sql: Vec<String> = Vec::new();
        for (candidate, oid) in superfluous {
            sql.push(format!("SELECT {schema}.hypopg_drop_index({oid})"));
            self.existing.remove(&candidate);
        }
        if !sql.is_empty() {
            self.client.batch_execute(&sql.join("; ")).await?;
        }
        if missing.is_empty() {
            return Ok(());
        }
        let definitions: Vec<Option<String>> =
            missing.iter().map(|it| self.definition(it)).collect();
        let calls: Option<Vec<String>> = definitions
            .iter()
            .map(|it| {
                Some(format!(
                    "SELECT indexrelid FROM {schema}.hypopg_create_index({})",
                    literal(it.as_ref()?)
                ))
            })
            .collect();
        let Some(calls) = calls else {
            self.refused.extend(missing);
            return Ok(());
        };
        match self.client.simple_query(&calls.join("; ")).await {
            Ok(messages) => {
                let oids = lines(&messages);
                for (candidate, oid) in missing.into_iter().zip(oids) {
                    if let Ok(oid) = oid.parse() {
                        self.existing.insert(candidate, oid);
                    }
                }
                Ok(())
            }
            Err(error) if error.as_db_error().is_some() && !self.client.is_closed() => {
                self.find_refused(missing).await
            }
            Err(error) => Err(error.into()),
        }
    }

    /// Which of several hypopg does not take; starts over with the twins alone.
    async fn find_refused(&mut self, of: Vec<Candidate>) -> Result<(), Error> {
        let schema = quoted(&self.settings.schema);
        for candidate in of {
            let Some(definition) = self.definition(&candidate) else { continue };
            let sql = format!(
                "SELECT indexrelid FROM {schema}.hypopg_create_index({})",
                literal(&definition)
            );
            match self.client.simple_query(&sql).await {
                Ok(_) => {}
                Err(error) if error.as_db_error().is_some() && !self.client.is_closed() => {
                    self.refused.push(candidate);
                }
                Err(error) => return Err(error.into()),
            }
        }
        self.existing.clear();
        self.make_twins().await
    }

    fn definition(&self, candidate: &Candidate) -> Option<String> {
        let table = self.settings.tables.iter().find(|table| table.oid == candidate.table)?;
        candidate.statement(table, "", false)
    }
}

/// The first column of every row.
fn lines(messages: &[SimpleQueryMessage]) -> Vec<&str> {
    let mut all = Vec::new();
    for message in messages {
        if let SimpleQueryMessage::Row(row) = message {
            all.extend(row.get(0));
        }
    }
    all
}

/// Cost and used candidates from the lines of a plan.
fn read(
    lines: &[&str],
    with: &[(usize, Candidate)],
    existing: &HashMap<Candidate, u32>,
) -> Option<Plan> {
    let first = lines.first()?;
    let (_, costs) = first.split_once("(cost=")?;
    let (_, rest) = costs.split_once("..")?;
    let cost = rest.split(' ').next()?.parse().ok()?;
    let mut used = Set::default();
    // hypopg names its indexes <oid>btree_…, and by other methods.
    for behind in lines.iter().flat_map(|line| line.split('<').skip(1)) {
        let Some((oid, _)) = behind.split_once('>') else { continue };
        let Ok(oid) = oid.parse::<u32>() else { continue };
        let found = with.iter().find(|(_, it)| existing.get(it) == Some(&oid));
        used = found.map_or(used, |(at, _)| used.with(*at));
    }
    Some(Plan { cost, used })
}

fn quoted(name: &str) -> String {
    howdah_advisor::quoted(name)
}

/// A string constant.
fn literal(text: &str) -> String {
    format!("'{}'", text.replace('\'', "''"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_plan_says_what_it_costs_and_which_candidates_it_uses() {
        let candidate = |number| Candidate {
            table: 1,
            keys: vec![howdah_advisor::Key::up(number)],
            ..Candidate::default()
        };
        let with = [(4, candidate(1)), (7, candidate(2))];
        let existing = HashMap::from([(candidate(1), 13_000), (candidate(2), 13_001)]);
        let lines = [
            "Sort  (cost=10.50..1234.75 rows=5 width=4)",
            "  ->  Index Scan using \"<13001>btree_t_b\" on t  (cost=0.43..8.45 rows=1 width=4)",
            "  ->  Index Scan using \"<12999>btree_t_pkey\" on t  (cost=0.43..8.45 rows=1 width=4)",
        ];
        let plan = read(&lines, &with, &existing).unwrap();
        assert_eq!(plan, Plan { cost: 1234.75, used: Set::default().with(7) });
    }
}
