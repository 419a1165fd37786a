//! Which statements Howdah carries out for somebody, and what each makes or changes. Whatever is not recognised here is only shown.
//!
//! Not a parser of SQL: the head of a statement says what it is, PostgreSQL judges the rest. A text is sent in a way in which PostgreSQL admits one
//! statement only.

use serde::{Deserialize, Serialize};

use super::words::{Kind, Word, Words, words};

/// A name as PostgreSQL has it, without quotes.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Name {
    /// Empty: as the search path says.
    pub schema: String,
    /// The name itself.
    pub name: String,
}

impl Name {
    /// For a statement.
    #[must_use]
    pub fn quoted(&self) -> String {
        match self.schema.as_str() {
            "" => quoted(&self.name),
            schema => format!("{}.{}", quoted(schema), quoted(&self.name)),
        }
    }
}

impl std::fmt::Display for Name {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self.schema.as_str() {
            "" => f.write_str(&self.name),
            schema => write!(f, "{schema}.{}", self.name),
        }
    }
}

/// A name in quotes.
#[must_use]
pub fn quoted(name: &str) -> String {
    format!("\"{}\"", name.replace('"', "\"\""))
}

/// What a statement does.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", tag = "action")]
pub enum Action {
    /// `CREATE [UNIQUE] INDEX CONCURRENTLY`
    CreateIndex {
        /// Its name; the schema is the table's.
        index: Name,
        /// The table.
        table: Name,
    },
    /// `DROP INDEX CONCURRENTLY`
    DropIndex {
        /// The index.
        index: Name,
    },
    /// `REINDEX INDEX CONCURRENTLY`
    Reindex {
        /// The index.
        index: Name,
    },
    /// `ANALYZE` of a table, or `VACUUM` without `FULL`
    Analyze {
        /// The table.
        table: Name,
    },
    /// `CREATE STATISTICS`
    CreateStatistics {
        /// Its name.
        statistics: Name,
        /// The table.
        table: Name,
    },
    /// `DROP STATISTICS`
    DropStatistics {
        /// Its name.
        statistics: Name,
    },
    /// `ALTER TABLE … SET (…)` or `RESET (…)`
    Options {
        /// The table.
        table: Name,
        /// Names of the parameters.
        keys: Vec<String>,
    },
    /// What belongs to an index beside its definition, when it is made again: `COMMENT ON INDEX`, `ALTER INDEX … SET STATISTICS`, `ALTER TABLE … CLUSTER ON`
    Attribute,
    /// `SET default_tablespace`, for the statements behind it
    Session,
}

/// A statement that can be carried out.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Step {
    /// As it is sent.
    pub sql: String,
    /// What it does.
    pub action: Action,
}

impl Action {
    /// It builds or removes without stopping reads and writes, and waits for transactions instead.
    #[must_use]
    pub const fn is_concurrent(&self) -> bool {
        matches!(self, Self::CreateIndex { .. } | Self::DropIndex { .. } | Self::Reindex { .. })
    }

    /// It takes space that PostgreSQL did not use before.
    #[must_use]
    pub const fn builds(&self) -> bool {
        matches!(self, Self::CreateIndex { .. } | Self::Reindex { .. })
    }
}

impl Step {
    /// What stands behind the table's name in `CREATE INDEX`: method, keys and the rest.
    #[must_use]
    pub fn tail(&self) -> &str {
        let Ok(words) = words(&self.sql) else { return "" };
        let mut at = Words { words: &words, at: 0 };
        let on = words.iter().position(|word| word.is("on")).map_or(words.len(), |on| on + 1);
        at.at = on;
        let end =
            at.name().ok().and_then(|_| words.get(at.at.checked_sub(1)?)).map(|word| word.end);
        end.and_then(|end| self.sql.get(end..)).unwrap_or_default().trim()
    }

    /// Recognises a statement.
    ///
    /// # Errors
    /// It is none that Howdah carries out; the text says why.
    pub fn of(sql: &str) -> Result<Self, String> {
        let sql = sql.trim().trim_end_matches(';').trim_end();
        let words = words(sql)?;
        let mut at = Words { words: &words, at: 0 };
        let action = action(&mut at)?;
        let mut sql = sql.to_owned();
        // Without it the table could not be written to for as long as the build takes.
        if matches!(action, Action::CreateIndex { .. })
            && let Some(place) = missing_concurrently(&words)
        {
            sql.insert_str(place, " CONCURRENTLY");
        }
        Ok(Self { sql, action })
    }
}

/// Where `CONCURRENTLY` has to be inserted; `None`: it is there.
fn missing_concurrently(words: &[Word]) -> Option<usize> {
    let index = words.iter().position(|word| word.is("index"))?;
    let next = words.get(index + 1)?;
    if next.is("concurrently") { None } else { words.get(index).map(|word| word.end) }
}

fn action(at: &mut Words<'_>) -> Result<Action, String> {
    if at.take(&["create", "unique", "index"]) || at.take(&["create", "index"]) {
        return create_index(at);
    }
    if at.take(&["drop", "index", "concurrently"]) {
        at.take(&["if", "exists"]);
        let index = at.name()?;
        at.end("one index at a time is dropped, without CASCADE")?;
        return Ok(Action::DropIndex { index });
    }
    if at.take(&["reindex", "index", "concurrently"]) {
        let index = at.name()?;
        at.end("one index at a time is rebuilt")?;
        return Ok(Action::Reindex { index });
    }
    if at.take(&["create", "statistics"]) {
        return create_statistics(at);
    }
    if at.take(&["drop", "statistics"]) {
        at.take(&["if", "exists"]);
        let statistics = at.name()?;
        at.end("one object at a time is dropped")?;
        return Ok(Action::DropStatistics { statistics });
    }
    if at.take(&["alter", "table"]) {
        return alter_table(at);
    }
    if at.take(&["analyze"]) || at.take(&["vacuum"]) {
        return analyze(at);
    }
    let session =
        at.take(&["set", "default_tablespace"]) || at.take(&["reset", "default_tablespace"]);
    if session {
        return Ok(Action::Session);
    }
    if at.take(&["comment", "on", "index"]) && at.name().is_ok() {
        return Ok(Action::Attribute);
    }
    if at.take(&["alter", "index"]) && at.name().is_ok() && at.take(&["alter", "column"]) {
        return Ok(Action::Attribute);
    }
    Err(not_carried_out(at))
}

fn not_carried_out(at: &Words<'_>) -> String {
    let head: Vec<_> = at.words.iter().take(3).map(|word| word.text.to_uppercase()).collect();
    match head.first().map(String::as_str) {
        Some("REINDEX" | "DROP") => {
            format!(
                "{} without CONCURRENTLY stops the table; Howdah does not run that",
                head.join(" ")
            )
        }
        _ => format!("{} … is for a person to run", head.join(" ")),
    }
}

fn create_index(at: &mut Words<'_>) -> Result<Action, String> {
    at.take(&["concurrently"]);
    if at.take(&["if"]) {
        return Err("IF NOT EXISTS would take an invalid index for a good one".to_owned());
    }
    if at.peek("on") {
        return Err("the index needs a name, so that it can be found again".to_owned());
    }
    let mut index = at.name()?;
    if !at.take(&["on"]) {
        return Err("ON is missing behind the name of the index".to_owned());
    }
    if at.take(&["only"]) {
        return Err("ON ONLY makes an index that no statement can use".to_owned());
    }
    let table = at.name()?;
    index.schema.clone_from(&table.schema);
    Ok(Action::CreateIndex { index, table })
}

fn create_statistics(at: &mut Words<'_>) -> Result<Action, String> {
    if at.take(&["if"]) {
        return Err("IF NOT EXISTS hides what is there".to_owned());
    }
    let statistics = at.name()?;
    let from = at.words.iter().rposition(|word| word.is("from"));
    at.at = from.ok_or_else(|| "FROM is missing".to_owned())? + 1;
    let table = at.name()?;
    at.end("one table at a time")?;
    Ok(Action::CreateStatistics { statistics, table })
}

fn alter_table(at: &mut Words<'_>) -> Result<Action, String> {
    at.take(&["only"]);
    let table = at.name()?;
    if at.take(&["cluster", "on"]) {
        return Ok(Action::Attribute);
    }
    let set = at.take(&["set", "("]);
    if !set && !at.take(&["reset", "("]) {
        return Err("of ALTER TABLE only SET (…) and RESET (…) are carried out".to_owned());
    }
    let mut keys = Vec::new();
    loop {
        let key = at.next().filter(|word| word.kind == Kind::Plain);
        let key = key.ok_or_else(|| "a parameter is missing".to_owned())?.text.clone();
        if at.take(&["."]) {
            return Err("parameters of the TOAST table are for a person to set".to_owned());
        }
        keys.push(key);
        while !at.peek(",") && !at.peek(")") {
            at.next().ok_or_else(|| "a parenthesis is open".to_owned())?;
        }
        if at.take(&[")"]) {
            break;
        }
        at.take(&[","]);
    }
    at.end("one change at a time")?;
    Ok(Action::Options { table, keys })
}

fn analyze(at: &mut Words<'_>) -> Result<Action, String> {
    if at.take(&["("]) {
        while let Some(word) = at.next() {
            if word.is("full") {
                return Err("VACUUM FULL stops the table; Howdah does not run that".to_owned());
            }
            if word.is(")") {
                break;
            }
        }
    }
    at.take(&["verbose"]);
    at.take(&["analyze"]);
    if at.peek("full") || at.peek("freeze") {
        return Err("VACUUM FULL and FREEZE are for a person to run".to_owned());
    }
    if at.rest() == 0 {
        return Err("ANALYZE of a whole database is for a person to run".to_owned());
    }
    Ok(Action::Analyze { table: at.name()? })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn name(schema: &str, name: &str) -> Name {
        Name { schema: schema.to_owned(), name: name.to_owned() }
    }

    #[test]
    fn statements_say_what_they_make() {
        let table = || name("public", "orders");
        let cases = [
            (
                "CREATE INDEX CONCURRENTLY howdah_i ON public.orders (a) WHERE b = 'x;''--'",
                Action::CreateIndex { index: name("public", "howdah_i"), table: table() },
            ),
            (
                "create unique index concurrently \"I 1\" on \"public\".orders using btree (a);",
                Action::CreateIndex { index: name("public", "I 1"), table: table() },
            ),
            (
                "DROP INDEX CONCURRENTLY public.\"a\"\"b\"",
                Action::DropIndex { index: name("public", "a\"b") },
            ),
            ("REINDEX INDEX CONCURRENTLY public.i", Action::Reindex { index: name("public", "i") }),
            ("ANALYZE public.orders", Action::Analyze { table: table() }),
            ("ANALYZE (VERBOSE) public.orders (a, b)", Action::Analyze { table: table() }),
            ("VACUUM (ANALYZE) public.orders", Action::Analyze { table: table() }),
            (
                "CREATE STATISTICS public.s (ndistinct) ON a, b FROM public.orders",
                Action::CreateStatistics { statistics: name("public", "s"), table: table() },
            ),
            (
                "ALTER TABLE public.orders SET (autovacuum_analyze_scale_factor = 0.02, fillfactor=90)",
                Action::Options {
                    table: table(),
                    keys: vec![
                        "autovacuum_analyze_scale_factor".to_owned(),
                        "fillfactor".to_owned(),
                    ],
                },
            ),
            ("SET default_tablespace = \"fast\"", Action::Session),
            ("COMMENT ON INDEX public.i IS 'it''s'", Action::Attribute),
        ];
        for (sql, action) in cases {
            assert_eq!(Step::of(sql).map(|step| step.action), Ok(action), "{sql}");
        }
    }

    #[test]
    fn an_index_is_never_built_in_a_way_that_stops_writes() {
        for (sql, sent) in [
            ("CREATE INDEX i ON t (a)", "CREATE INDEX CONCURRENTLY i ON t (a)"),
            (
                "CREATE UNIQUE INDEX \"index\" ON t USING btree (a)",
                "CREATE UNIQUE INDEX CONCURRENTLY \"index\" ON t USING btree (a)",
            ),
            ("CREATE INDEX CONCURRENTLY i ON t (a) ;", "CREATE INDEX CONCURRENTLY i ON t (a)"),
        ] {
            assert_eq!(Step::of(sql).map(|step| step.sql), Ok(sent.to_owned()));
        }
    }

    #[test]
    fn the_tail_of_an_index_is_what_stands_behind_the_table() {
        let step = Step::of("CREATE INDEX CONCURRENTLY \"on\" ON s.\"t\" USING btree (a) WHERE b")
            .unwrap();
        assert_eq!(step.tail(), "USING btree (a) WHERE b");
    }

    #[test]
    fn what_is_not_known_to_be_harmless_is_not_carried_out() {
        for sql in [
            "",
            "SELECT 1",
            "DROP TABLE t",
            "DROP INDEX i",
            "DROP INDEX CONCURRENTLY i, j",
            "DROP INDEX CONCURRENTLY i CASCADE",
            "REINDEX TABLE t",
            "ALTER SYSTEM SET work_mem = '1GB'",
            "ALTER TABLE t ALTER COLUMN a TYPE bigint",
            "ALTER TABLE t SET (a = 1), DROP COLUMN b",
            "ALTER TABLE t SET (toast.autovacuum_enabled = off)",
            "ALTER TABLE t SET LOGGED",
            "CREATE INDEX ON t (a)",
            "CREATE INDEX CONCURRENTLY IF NOT EXISTS i ON t (a)",
            "CREATE INDEX i ON ONLY t (a)",
            "VACUUM FULL t",
            "VACUUM (FULL) t",
            "ANALYZE",
            "ANALYZE t; DROP TABLE t",
            "ANALYZE t -- DROP TABLE t",
            "CREATE INDEX \"i ON t (a)",
            "SET search_path = a",
            "ALTER INDEX i SET TABLESPACE slow",
        ] {
            assert!(Step::of(sql).is_err(), "{sql}");
        }
    }
}
