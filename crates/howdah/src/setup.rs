//! What has to be made in a database so that its changes can be followed, as SQL for people to read and run. Not the running.
//!
//! Invariant: a table enters the publication only if an `UPDATE` of it goes on working; nothing that is there is taken away.

/// How the event triggers, their function and its schema are made: they tell of changed definitions in the order of commits. Can be
/// run again. Temporary objects are not told of. The schema has a name that no role has: one that is called like a role is where that
/// role's tables go.
pub const EVENT_TRIGGERS: &[&str] = &[
    "CREATE SCHEMA IF NOT EXISTS _howdah",
    "CREATE OR REPLACE FUNCTION _howdah.tell_definitions() RETURNS event_trigger LANGUAGE plpgsql SET search_path = pg_catalog AS $$\n\
     DECLARE matters boolean;\n\
     BEGIN\n\
     \x20 IF tg_event = 'sql_drop' THEN\n\
     \x20   SELECT bool_or(NOT is_temporary) INTO matters FROM pg_event_trigger_dropped_objects();\n\
     \x20 ELSE\n\
     \x20   SELECT bool_or(schema_name IS DISTINCT FROM 'pg_temp') INTO matters FROM pg_event_trigger_ddl_commands();\n\
     \x20 END IF;\n\
     \x20 IF matters AND tg_tag <> 'REFRESH MATERIALIZED VIEW' THEN\n\
     \x20   PERFORM pg_logical_emit_message(true, 'howdah', 'ddl ' || tg_tag);\n\
     \x20 END IF;\n\
     END $$",
    "DROP EVENT TRIGGER IF EXISTS howdah_definitions",
    "CREATE EVENT TRIGGER howdah_definitions ON ddl_command_end EXECUTE FUNCTION _howdah.tell_definitions()",
    "DROP EVENT TRIGGER IF EXISTS howdah_drops",
    "CREATE EVENT TRIGGER howdah_drops ON sql_drop EXECUTE FUNCTION _howdah.tell_definitions()",
];

/// Which tables there are, whether they are in the publication `$1`, and whether an `UPDATE` of them goes on working when they are:
/// name, published, usable.
pub const TABLES: &str = "\
SELECT format('%I.%I', n.nspname, c.relname), \
 c.oid IN (SELECT told.relid FROM pg_publication p, pg_get_publication_tables(p.pubname::text) told WHERE p.pubname = $1), \
 c.relreplident = 'f' OR EXISTS (SELECT FROM pg_index i WHERE i.indrelid = c.oid AND i.indisvalid AND i.indimmediate \
  AND CASE c.relreplident WHEN 'd' THEN i.indisprimary WHEN 'i' THEN i.indisreplident ELSE false END) \
FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace \
WHERE c.relkind = 'r' AND c.relpersistence = 'p' AND n.nspname <> 'information_schema' AND n.nspname !~ '^pg_' AND n.nspname <> '_howdah' \
ORDER BY 1";

/// What else there is of it in a database: `wal_level`; whether the role `$2` is there, and may replicate; whether the publication
/// `$1` is there, and tells everything; whether the event triggers are there; whether who asks is a superuser.
pub const FACTS: &str = "\
SELECT current_setting('wal_level'), \
 (SELECT rolreplication OR rolsuper FROM pg_roles WHERE rolname = $2), \
 (SELECT pubinsert AND pubupdate AND pubdelete AND pubtruncate AND NOT pubviaroot FROM pg_publication WHERE pubname = $1), \
 (SELECT count(*) = 2 FROM pg_event_trigger WHERE evtname IN ('howdah_definitions', 'howdah_drops') AND evtenabled <> 'D'), \
 (SELECT rolsuper FROM pg_roles WHERE rolname = current_user)";

/// A table as [`TABLES`] tells of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Table {
    /// With its schema, quoted.
    pub name: String,
    /// It is in the publication.
    pub published: bool,
    /// What its rows were can be told by a key.
    pub usable: bool,
}

/// What there is, as [`FACTS`] and [`TABLES`] tell it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Found {
    /// Of the server.
    pub wal_level: String,
    /// `None`: there is no such role; whether it may replicate.
    pub role: Option<bool>,
    /// `None`: there is no such publication; whether it tells everything.
    pub publication: Option<bool>,
    /// The event triggers are there.
    pub triggers: bool,
    /// Tables that are logged.
    pub tables: Vec<Table>,
}

/// What is to be made.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Steps {
    /// For the whole server, each statement by itself; the first needs a restart.
    pub server: Vec<String>,
    /// `wal_level` is among them.
    pub restart: bool,
    /// The role is made, and has no password yet.
    pub password: bool,
    /// In the database.
    pub database: Vec<String>,
    /// Tables that stay out, for an `UPDATE` of them would fail.
    pub left_out: Vec<String>,
}

impl Steps {
    /// What is missing of it.
    #[must_use]
    pub fn of(found: &Found, publication: &str, role: &str, database: &str) -> Self {
        let (publication, role, database) = (quoted(publication), quoted(role), quoted(database));
        let mut steps = Self::default();
        if found.wal_level != "logical" {
            steps.restart = true;
            steps.server.push("ALTER SYSTEM SET wal_level = 'logical'".to_owned());
        }
        match found.role {
            None => {
                steps.password = true;
                steps.server.push(format!("CREATE ROLE {role} LOGIN REPLICATION"));
                steps.database.push(format!("GRANT CONNECT ON DATABASE {database} TO {role}"));
            }
            Some(false) => steps.server.push(format!("ALTER ROLE {role} REPLICATION")),
            Some(true) => {}
        }
        let new = found.tables.iter().filter(|table| table.usable && !table.published);
        let new = new.map(|table| format!("ONLY {}", table.name)).collect::<Vec<_>>().join(", ");
        match (found.publication, new.is_empty()) {
            (None, empty) => {
                let tables = if empty { String::new() } else { format!(" FOR TABLE {new}") };
                steps.database.push(format!("CREATE PUBLICATION {publication}{tables}"));
            }
            (Some(complete), empty) => {
                if !complete {
                    steps.database.push(format!(
                        "ALTER PUBLICATION {publication} SET (publish = 'insert, update, delete, truncate', publish_via_partition_root = false)"
                    ));
                }
                if !empty {
                    steps.database.push(format!("ALTER PUBLICATION {publication} ADD TABLE {new}"));
                }
            }
        }
        if !found.triggers {
            steps.database.extend(EVENT_TRIGGERS.iter().map(|sql| (*sql).to_owned()));
        }
        let left_out = found.tables.iter().filter(|table| !table.usable && !table.published);
        steps.left_out = left_out.map(|table| table.name.clone()).collect();
        steps
    }

    /// Nothing is missing.
    #[must_use]
    pub const fn is_empty(&self) -> bool {
        self.server.is_empty() && self.database.is_empty()
    }
}

fn quoted(name: &str) -> String {
    format!("\"{}\"", name.replace('"', "\"\""))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn table(name: &str, published: bool, usable: bool) -> Table {
        Table { name: name.to_owned(), published, usable }
    }

    #[test]
    fn what_is_missing_is_made_and_a_table_without_a_key_stays_out() {
        let found = Found {
            wal_level: "replica".to_owned(),
            role: None,
            publication: None,
            triggers: false,
            tables: vec![table("public.a", false, true), table("public.b", false, false)],
        };
        let steps = Steps::of(&found, "howdah", "we\"ird", "shop");
        assert!(steps.restart && steps.password);
        assert_eq!(
            steps.server,
            [
                "ALTER SYSTEM SET wal_level = 'logical'",
                "CREATE ROLE \"we\"\"ird\" LOGIN REPLICATION"
            ]
        );
        assert_eq!(steps.database[1], "CREATE PUBLICATION \"howdah\" FOR TABLE ONLY public.a");
        assert_eq!(steps.left_out, ["public.b"]);
    }

    #[test]
    fn what_is_there_is_left_alone() {
        let found = Found {
            wal_level: "logical".to_owned(),
            role: Some(true),
            publication: Some(true),
            triggers: true,
            tables: vec![table("public.a", true, true), table("public.b", true, false)],
        };
        let steps = Steps::of(&found, "howdah", "howdah_cache", "shop");
        assert!(steps.is_empty() && steps.left_out.is_empty());
        let more = Found { tables: vec![table("public.c", false, true)], ..found };
        let steps = Steps::of(&more, "howdah", "howdah_cache", "shop");
        assert_eq!(steps.database, ["ALTER PUBLICATION \"howdah\" ADD TABLE ONLY public.c"]);
    }
}
