//! The SQL that gives a server the settings of a session. Not when it is sent: that is the data plane's business.
//!
//! Invariant: after the statements have succeeded, the server's context equals the session's.

use super::Context;

/// Settings that no state of the database can make fail once a server of the same cluster has accepted the value: their
/// statements may travel in the same write as the request. Everything else (roles, paths, limits that only some roles may
/// change) is confirmed by the server before the request is sent, so that a request never runs under the wrong settings.
const CERTAIN: &[&str] = &[
    "application_name",
    "bytea_output",
    "client_encoding",
    "client_min_messages",
    "datestyle",
    "extra_float_digits",
    "idle_in_transaction_session_timeout",
    "intervalstyle",
    "lock_timeout",
    "standard_conforming_strings",
    "statement_timeout",
    "timezone",
];

/// What a server has to be sent.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Alignment {
    /// Statements, each ended by a semicolon.
    pub sql: String,
    /// Whether the statements cannot fail: the request may travel in the same write.
    pub certain: bool,
}

/// The statements that turn a server with context `from` into one with context `to`; `None` when they are equal.
///
/// The role comes first when it is given up and last when it is taken: other settings are made as the login role, as they
/// were when the session made them before `SET ROLE`, and `SET SESSION AUTHORIZATION` resets the role.
#[must_use]
pub fn align(from: &Context, to: &Context) -> Option<Alignment> {
    if from == to {
        return None;
    }
    let mut alignment = Alignment { sql: String::new(), certain: true };
    let changed = |name: &str| from.get(name) != to.get(name);
    let identity_changes = changed("role") || changed("session_authorization");
    if identity_changes {
        alignment.certain = false;
        if from.get("role").is_some() {
            alignment.add("RESET role");
        }
        if from.get("session_authorization").is_some() {
            alignment.add("RESET session_authorization");
        }
    }
    for (name, _) in from.iter().filter(|(name, _)| !is_identity(name)) {
        if to.get(name).is_none() {
            alignment.note(name);
            alignment.add(&format!("RESET {}", quote_name(name)));
        }
    }
    for (name, replay) in to.iter().filter(|(name, _)| !is_identity(name)) {
        if from.get(name) != Some(replay) {
            alignment.note(name);
            alignment.add(replay);
        }
    }
    if identity_changes {
        for name in ["session_authorization", "role"] {
            if let Some(replay) = to.get(name) {
                alignment.add(replay);
            }
        }
    }
    Some(alignment)
}

fn is_identity(name: &str) -> bool {
    name == "role" || name == "session_authorization"
}

/// A possibly dotted setting name with each part quoted.
fn quote_name(name: &str) -> String {
    let part = |part: &str| format!("\"{}\"", part.replace('"', "\"\""));
    name.split('.').map(part).collect::<Vec<_>>().join(".")
}

impl Alignment {
    fn note(&mut self, name: &str) {
        self.certain &= CERTAIN.contains(&name);
    }

    fn add(&mut self, statement: &str) {
        self.sql.push_str(statement);
        self.sql.push(';');
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use howdah_sql::SettingChange;

    use super::*;
    use crate::session::Settings;

    fn context(settings: &[(&str, &str)]) -> Context {
        let mut session = Settings::new(Arc::new(Context::default()));
        for (name, value) in settings {
            let change = SettingChange::Set {
                name: (*name).to_owned(),
                replay: format!("SET {name} TO {value}"),
            };
            assert_eq!(session.on_change(&change), Ok(()));
        }
        Context::clone(session.context())
    }

    #[track_caller]
    fn check(from: &[(&str, &str)], to: &[(&str, &str)], expected: Option<(&str, bool)>) {
        let found = align(&context(from), &context(to));
        let expected = expected.map(|(sql, certain)| Alignment { sql: sql.to_owned(), certain });
        assert_eq!(found, expected);
    }

    #[test]
    fn equal_contexts_need_nothing() {
        check(&[], &[], None);
        check(&[("work_mem", "'1MB'")], &[("work_mem", "'1MB'")], None);
    }

    #[test]
    fn only_what_differs_is_sent() {
        check(
            &[("application_name", "a"), ("timezone", "x"), ("lock_timeout", "1")],
            &[("application_name", "b"), ("timezone", "x")],
            Some(("RESET \"lock_timeout\";SET application_name TO b;", true)),
        );
    }

    #[test]
    fn what_could_fail_is_confirmed_first() {
        check(&[], &[("search_path", "a")], Some(("SET search_path TO a;", false)));
        check(&[("my.x", "1")], &[], Some(("RESET \"my\".\"x\";", false)));
    }

    #[test]
    fn the_role_is_given_up_first_and_taken_last() {
        check(
            &[("role", "a"), ("work_mem", "1")],
            &[("session_authorization", "c"), ("role", "b"), ("work_mem", "2")],
            Some((
                "RESET role;SET work_mem TO 2;SET session_authorization TO c;SET role TO b;",
                false,
            )),
        );
        check(
            &[("session_authorization", "a")],
            &[],
            Some(("RESET session_authorization;", false)),
        );
    }
}
