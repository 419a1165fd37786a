//! What the catalog says of the one thing that a statement makes, changes or removes: kept before it is sent, so that the way back is exact, and
//! compared afterwards, so that "taken back" is a fact.
//!
//! Invariant: two pictures are equal exactly if the thing is defined equally; sizes, counters and numbers of objects are not in them.

use serde::{Deserialize, Serialize};
use tokio_postgres::Client;

use super::statement::{Action, Name, quoted};

/// What there is. Definitions are those of a session whose search path is `pg_catalog`: every name has its schema.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Picture {
    /// No such thing.
    Absent,
    /// An index.
    Index(Box<Index>),
    /// Statistics on several columns.
    Statistics {
        /// Creates them again.
        definition: String,
    },
    /// Parameters of a table, as `pg_class.reloptions` has them.
    Options(Vec<String>),
    /// Nothing that could be compared: ANALYZE leaves only numbers.
    Nothing,
}

/// An index, with all that is lost when it is dropped.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Index {
    /// `pg_get_indexdef`.
    pub definition: String,
    /// The table.
    pub table: Name,
    /// Statements may use it.
    pub valid: bool,
    /// Of a partitioned table.
    pub partitioned: bool,
    /// What it belongs to, in words: a constraint, the replica identity; empty: nothing.
    pub serves: String,
    /// Not the database's default.
    pub tablespace: Option<String>,
    /// `COMMENT ON INDEX`.
    pub comment: Option<String>,
    /// The table was clustered by it.
    pub clustered: bool,
    /// Columns of expressions whose statistics have a target of their own.
    pub targets: Vec<(i16, i16)>,
}

const INDEX: &str = "\
SELECT pg_get_indexdef(c.oid), tn.nspname::text, t.relname::text, i.indisvalid, c.relkind = 'I', \
  CASE WHEN i.indisprimary THEN 'the primary key' WHEN k.conname IS NOT NULL THEN 'the constraint ' || k.conname WHEN i.indisreplident THEN 'the replica identity' \
       WHEN EXISTS (SELECT FROM pg_inherits WHERE inhrelid = c.oid) THEN 'an index of the partitioned table' ELSE '' END, \
  ts.spcname::text, obj_description(c.oid, 'pg_class'), i.indisclustered, \
  (SELECT coalesce(array_agg(a.attnum ORDER BY a.attnum), '{}') FROM pg_attribute a WHERE a.attrelid = c.oid AND a.attstattarget >= 0), \
  (SELECT coalesce(array_agg(a.attstattarget::int2 ORDER BY a.attnum), '{}') FROM pg_attribute a WHERE a.attrelid = c.oid AND a.attstattarget >= 0) \
FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace JOIN pg_index i ON i.indexrelid = c.oid JOIN pg_class t ON t.oid = i.indrelid \
JOIN pg_namespace tn ON tn.oid = t.relnamespace LEFT JOIN pg_tablespace ts ON ts.oid = c.reltablespace \
LEFT JOIN pg_constraint k ON k.conindid = c.oid AND k.contype IN ('p', 'u', 'x') WHERE n.nspname = $1 AND c.relname = $2";

const STATISTICS: &str = "\
SELECT pg_get_statisticsobjdef(s.oid) FROM pg_statistic_ext s JOIN pg_namespace n ON n.oid = s.stxnamespace WHERE n.nspname = $1 AND s.stxname = $2";

const OPTIONS: &str = "\
SELECT coalesce(c.reloptions, '{}') FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace WHERE n.nspname = $1 AND c.relname = $2";

impl Picture {
    /// Looks. The names of the action have schemas.
    ///
    /// # Errors
    /// PostgreSQL does not answer.
    pub async fn of(client: &Client, action: &Action) -> Result<Self, tokio_postgres::Error> {
        match action {
            Action::CreateIndex { index, .. }
            | Action::DropIndex { index }
            | Action::Reindex { index } => index_of(client, index).await,
            Action::CreateStatistics { statistics, .. } | Action::DropStatistics { statistics } => {
                let row =
                    client.query_opt(STATISTICS, &[&statistics.schema, &statistics.name]).await?;
                Ok(row.map_or(Self::Absent, |row| Self::Statistics { definition: row.get(0) }))
            }
            Action::Options { table, .. } => {
                let row = client.query_opt(OPTIONS, &[&table.schema, &table.name]).await?;
                Ok(row.map_or(Self::Absent, |row| {
                    let mut options: Vec<String> = row.get(0);
                    options.sort();
                    Self::Options(options)
                }))
            }
            Action::Analyze { .. } | Action::Attribute | Action::Session => Ok(Self::Nothing),
        }
    }

    /// Statements that make it again after the action, exactly. `self` is what there was before it.
    #[must_use]
    pub fn back(&self, action: &Action) -> Vec<String> {
        match (action, self) {
            (Action::CreateIndex { index, .. }, Self::Absent) => {
                vec![format!("DROP INDEX CONCURRENTLY {}", index.quoted())]
            }
            (Action::DropIndex { index }, Self::Index(was)) => was.again(index),
            (Action::CreateStatistics { statistics, .. }, Self::Absent) => {
                vec![format!("DROP STATISTICS {}", statistics.quoted())]
            }
            (Action::DropStatistics { .. }, Self::Statistics { definition }) => {
                vec![definition.clone()]
            }
            (Action::Options { table, keys }, Self::Options(were)) => options(table, keys, were),
            _ => Vec::new(),
        }
    }

    /// It is there and can be used.
    #[must_use]
    pub fn is_whole(&self) -> bool {
        match self {
            Self::Absent => false,
            Self::Index(index) => index.valid,
            Self::Statistics { .. } | Self::Options(_) | Self::Nothing => true,
        }
    }
}

async fn index_of(client: &Client, name: &Name) -> Result<Picture, tokio_postgres::Error> {
    let Some(row) = client.query_opt(INDEX, &[&name.schema, &name.name]).await? else {
        return Ok(Picture::Absent);
    };
    let (columns, targets): (Vec<i16>, Vec<i16>) = (row.get(9), row.get(10));
    Ok(Picture::Index(Box::new(Index {
        definition: row.get(0),
        table: Name { schema: row.get(1), name: row.get(2) },
        valid: row.get(3),
        partitioned: row.get(4),
        serves: row.get(5),
        tablespace: row.get(6),
        comment: row.get(7),
        clustered: row.get(8),
        targets: columns.into_iter().zip(targets).collect(),
    })))
}

impl Index {
    /// Makes it again under its name.
    fn again(&self, name: &Name) -> Vec<String> {
        let mut statements = Vec::new();
        if let Some(tablespace) = &self.tablespace {
            statements.push(format!("SET default_tablespace = {}", quoted(tablespace)));
        }
        statements.push(concurrently(&self.definition));
        if self.tablespace.is_some() {
            statements.push("RESET default_tablespace".to_owned());
        }
        if let Some(comment) = &self.comment {
            statements.push(format!("COMMENT ON INDEX {} IS {}", name.quoted(), literal(comment)));
        }
        for (column, target) in &self.targets {
            let name = name.quoted();
            statements
                .push(format!("ALTER INDEX {name} ALTER COLUMN {column} SET STATISTICS {target}"));
        }
        if self.clustered {
            let table = self.table.quoted();
            statements.push(format!("ALTER TABLE {table} CLUSTER ON {}", quoted(&name.name)));
        }
        statements
    }
}

/// The definition as a build that stops nobody.
fn concurrently(definition: &str) -> String {
    super::statement::Step::of(definition).map_or_else(|_| definition.to_owned(), |step| step.sql)
}

fn literal(text: &str) -> String {
    let quotes = text.replace('\'', "''");
    // Backslashes mean themselves whatever standard_conforming_strings says.
    if quotes.contains('\\') {
        format!("E'{}'", quotes.replace('\\', "\\\\"))
    } else {
        format!("'{quotes}'")
    }
}

/// Sets parameters of a table to what they were.
fn options(table: &Name, keys: &[String], were: &[String]) -> Vec<String> {
    let was = |key: &String| {
        let mut pairs = were.iter().filter_map(|pair| pair.split_once('='));
        pairs.find(|(name, _)| name == key).map(|(_, value)| format!("{key} = {}", literal(value)))
    };
    let set: Vec<String> = keys.iter().filter_map(was).collect();
    let reset: Vec<&str> =
        keys.iter().filter(|key| was(key).is_none()).map(String::as_str).collect();
    let mut statements = Vec::new();
    if !set.is_empty() {
        statements.push(format!("ALTER TABLE {} SET ({})", table.quoted(), set.join(", ")));
    }
    if !reset.is_empty() {
        statements.push(format!("ALTER TABLE {} RESET ({})", table.quoted(), reset.join(", ")));
    }
    statements
}

#[cfg(test)]
mod tests {
    use super::super::statement::Step;
    use super::*;

    #[test]
    fn every_way_back_can_be_carried_out() {
        let name = Name { schema: "public".to_owned(), name: "I".to_owned() };
        let index = Index {
            definition: "CREATE INDEX \"I\" ON public.t USING btree (lower(a)) WITH (fillfactor='70') WHERE (b = 'x'::text)".to_owned(),
            table: Name { schema: "public".to_owned(), name: "t".to_owned() },
            valid: true,
            partitioned: false,
            serves: String::new(),
            tablespace: Some("fast".to_owned()),
            comment: Some("it's \\ one".to_owned()),
            clustered: true,
            targets: vec![(1, 500)],
        };
        let back = Picture::Index(Box::new(index)).back(&Action::DropIndex { index: name });
        assert_eq!(
            back,
            [
                "SET default_tablespace = \"fast\"",
                "CREATE INDEX CONCURRENTLY \"I\" ON public.t USING btree (lower(a)) WITH (fillfactor='70') WHERE (b = 'x'::text)",
                "RESET default_tablespace",
                "COMMENT ON INDEX \"public\".\"I\" IS E'it''s \\\\ one'",
                "ALTER INDEX \"public\".\"I\" ALTER COLUMN 1 SET STATISTICS 500",
                "ALTER TABLE \"public\".\"t\" CLUSTER ON \"I\"",
            ]
        );
        for sql in &back {
            assert!(Step::of(sql).is_ok(), "{sql}: {:?}", Step::of(sql));
        }
    }

    #[test]
    fn parameters_go_back_to_what_they_were() {
        let step =
            Step::of("ALTER TABLE s.t SET (fillfactor = 80, autovacuum_enabled = off)").unwrap();
        let before = Picture::Options(vec!["fillfactor=90".to_owned()]);
        assert_eq!(
            before.back(&step.action),
            [
                "ALTER TABLE \"s\".\"t\" SET (fillfactor = '90')",
                "ALTER TABLE \"s\".\"t\" RESET (autovacuum_enabled)"
            ]
        );
    }

    #[test]
    fn what_was_there_before_is_not_taken_away() {
        let step = Step::of("CREATE STATISTICS s.x ON a, b FROM s.t").unwrap();
        let there = Picture::Statistics { definition: "CREATE STATISTICS".to_owned() };
        assert!(there.back(&step.action).is_empty());
    }
}
