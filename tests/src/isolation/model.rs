//! What a session must look like from inside, by the statements it has made. Not a model of PostgreSQL: only of what the soak does.

use std::collections::{BTreeMap, BTreeSet};

/// Settings that the soak changes, as `current_setting` names them, with their values on a fresh server.
pub(crate) const SETTINGS: [&str; 6] =
    ["application_name", "work_mem", "search_path", "TimeZone", "statement_timeout", "soak.token"];

/// Settings and role of a session at one point.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct State {
    /// By name; every one of [`SETTINGS`] is there.
    pub(crate) settings: BTreeMap<&'static str, String>,
    /// `current_user`.
    pub(crate) role: String,
}

/// What the session has done that matters later.
#[derive(Debug, Clone)]
pub(crate) struct Model {
    /// What the startup message asked for: `RESET` goes back to it.
    pub(crate) startup: State,
    /// Now.
    pub(crate) state: State,
    /// Protocol-level statements: name to the marker in its text.
    pub(crate) statements: BTreeMap<String, String>,
    /// The row of the temporary table.
    pub(crate) temporary: Option<String>,
    /// The row of the held cursor.
    pub(crate) held: Option<String>,
    /// Keys of session advisory locks.
    pub(crate) locks: BTreeSet<u64>,
    /// Listens on its channel.
    pub(crate) listening: bool,
    /// The marker of the SQL-level statement.
    pub(crate) sql_statement: Option<String>,
}

impl Model {
    /// A session that has just logged in.
    pub(crate) fn new(startup: State) -> Self {
        Self {
            state: startup.clone(),
            startup,
            statements: BTreeMap::new(),
            temporary: None,
            held: None,
            locks: BTreeSet::new(),
            listening: false,
            sql_statement: None,
        }
    }

    /// `DISCARD ALL`
    pub(crate) fn discard_all(&mut self) {
        *self = Self::new(self.startup.clone());
    }

    /// The query that reads all of it. Text column by text column what [`Self::expected`] says.
    pub(crate) fn query(token: &str) -> String {
        let settings: String = SETTINGS
            .iter()
            .map(|name| format!("coalesce(current_setting('{name}', true), ''), "))
            .collect();
        format!(
            "SELECT '{token}', {settings} current_user::text, session_user::text, \
             (SELECT count(*)::text FROM pg_catalog.pg_locks WHERE locktype = 'advisory' AND pid = pg_catalog.pg_backend_pid()), \
             (SELECT count(*)::text FROM pg_catalog.pg_cursors WHERE is_holdable), \
             (SELECT count(*)::text FROM pg_catalog.pg_class WHERE relnamespace = pg_catalog.pg_my_temp_schema() AND relkind = 'r')"
        )
    }

    /// The row that [`Self::query`] must give.
    pub(crate) fn expected(&self, token: &str, user: &str) -> Vec<String> {
        let count = |there: bool| u8::from(there).to_string();
        let mut row = vec![token.to_owned()];
        row.extend(SETTINGS.iter().map(|name| self.state.settings[name].clone()));
        row.push(self.state.role.clone());
        row.push(user.to_owned());
        row.push(self.locks.len().to_string());
        row.push(count(self.held.is_some()));
        row.push(count(self.temporary.is_some()));
        row
    }
}
