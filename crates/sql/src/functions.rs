//! What is known about PostgreSQL's built-in functions by their names. Not a catalog: a function that a user put in front of
//! a built-in one is taken for it, and every other function is [`Role::Foreign`].
//!
//! Invariant: a name is [`Role::Pure`] only if every built-in function of that name is free of side effects.

/// Names of which all built-in functions are immutable or stable and change nothing, or are volatile only in their result.
/// Sorted by bytes, one a line.
const PURE: &str = include_str!("pure_functions.txt");

/// What is known of a built-in function by its name.
#[derive(Copy, Clone, Eq, PartialEq, Debug)]
pub enum BuiltIn {
    /// It does nothing beyond its result, which may be another one every time.
    Pure,
    /// It changes data, the session or the server, or takes locks.
    Effect,
}

/// What is known of the built-in function of this name, without schema and as PostgreSQL stores it; `None`: not built in, or not
/// known.
#[must_use]
pub fn built_in(name: &str) -> Option<BuiltIn> {
    match role_of_built_in(name) {
        Role::Pure => Some(BuiltIn::Pure),
        Role::Foreign => None,
        Role::Writes
        | Role::Sequences
        | Role::Settings
        | Role::AdvisoryLock
        | Role::AdvisoryUnlock
        | Role::KeepsState => Some(BuiltIn::Effect),
    }
}

/// What a call does beyond its result.
#[derive(Copy, Clone, Eq, PartialEq, Debug)]
pub(crate) enum Role {
    /// Nothing.
    Pure,
    /// Changes data, locks until the end of the transaction, or touches the server; nothing stays in the session.
    Writes,
    /// Reads or changes what a session remembers of sequences.
    Sequences,
    /// `set_config`.
    Settings,
    /// Takes an advisory lock that outlives the transaction.
    AdvisoryLock,
    /// Gives such locks back.
    AdvisoryUnlock,
    /// Keeps something else in the session.
    KeepsState,
    /// Not built in, or not known.
    Foreign,
}

/// The role of a function by its name as written: with or without schema.
pub(crate) fn role(name: &[String]) -> Role {
    match name {
        [name] => role_of_built_in(name),
        [schema, name] if schema == "pg_catalog" => role_of_built_in(name),
        _ => Role::Foreign,
    }
}

fn role_of_built_in(name: &str) -> Role {
    match name {
        "nextval" | "setval" | "currval" | "lastval" => Role::Sequences,
        "set_config" => Role::Settings,
        "pg_advisory_lock"
        | "pg_advisory_lock_shared"
        | "pg_try_advisory_lock"
        | "pg_try_advisory_lock_shared" => Role::AdvisoryLock,
        "pg_advisory_unlock" | "pg_advisory_unlock_shared" | "pg_advisory_unlock_all" => {
            Role::AdvisoryUnlock
        }
        "setseed"
        | "dblink_connect"
        | "dblink_connect_u"
        | "dblink_disconnect"
        | "dblink_open"
        | "dblink_close"
        | "dblink_send_query"
        | "pg_start_backup"
        | "pg_stop_backup"
        | "pg_backup_start"
        | "pg_backup_stop"
        | "pg_replication_origin_session_setup"
        | "pg_replication_origin_session_reset"
        | "query_to_xml"
        | "query_to_xml_and_xmlschema"
        | "cursor_to_xml"
        | "ts_stat" => Role::KeepsState,
        _ if writes(name) => Role::Writes,
        _ if is_pure(name) => Role::Pure,
        _ => Role::Foreign,
    }
}

/// Built-in functions that change something but leave nothing in the session.
fn writes(name: &str) -> bool {
    const PREFIXES: [&str; 7] = [
        "lo_",
        "pg_logical_",
        "pg_stat_reset",
        "pg_advisory_xact_",
        "pg_try_advisory_xact_",
        "pg_replication_origin_",
        "brin_",
    ];
    matches!(
        name,
        "lowrite"
            | "loread"
            | "pg_notify"
            | "txid_current"
            | "pg_current_xact_id"
            | "pg_export_snapshot"
            | "pg_cancel_backend"
            | "pg_terminate_backend"
            | "pg_reload_conf"
            | "pg_rotate_logfile"
            | "pg_switch_wal"
            | "pg_create_restore_point"
            | "pg_promote"
            | "pg_wal_replay_pause"
            | "pg_wal_replay_resume"
            | "pg_create_physical_replication_slot"
            | "pg_create_logical_replication_slot"
            | "pg_copy_physical_replication_slot"
            | "pg_copy_logical_replication_slot"
            | "pg_drop_replication_slot"
            | "pg_replication_slot_advance"
            | "pg_log_backend_memory_contexts"
            | "pg_import_system_collations"
            | "pg_extension_config_dump"
            | "gin_clean_pending_list"
            | "pg_stat_clear_snapshot"
            | "pg_stat_force_next_flush"
            | "pg_file_write"
            | "pg_file_unlink"
    ) || PREFIXES.iter().any(|prefix| name.starts_with(prefix))
}

/// Binary search in the sorted lines of [`PURE`].
fn is_pure(name: &str) -> bool {
    let mut rest = PURE.as_bytes();
    while !rest.is_empty() {
        let (before, after) = rest.split_at(rest.len() / 2);
        let start = before.iter().rposition(|byte| *byte == b'\n').map_or(0, |at| at + 1);
        let end =
            after.iter().position(|byte| *byte == b'\n').map_or(rest.len(), |at| before.len() + at);
        match rest.get(start..end).unwrap_or_default().cmp(name.as_bytes()) {
            std::cmp::Ordering::Equal => return true,
            std::cmp::Ordering::Greater => rest = rest.get(..start).unwrap_or_default(),
            std::cmp::Ordering::Less => rest = rest.get(end + 1..).unwrap_or_default(),
        }
    }
    false
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_list_of_pure_functions_is_sorted_and_every_line_is_found() {
        let names: Vec<_> = PURE.lines().collect();
        assert!(names.len() > 500, "{}", names.len());
        assert!(names.is_sorted() && names.windows(2).all(|pair| pair[0] != pair[1]));
        for name in names {
            assert!(is_pure(name), "{name}");
            assert_eq!(role_of_built_in(name), Role::Pure, "{name} has two roles");
        }
        for name in ["", "a", "zzzz", "nextval", "set_config", "low", "lower1"] {
            assert!(!is_pure(name), "{name}");
        }
    }

    #[test]
    fn only_the_catalog_schema_is_trusted() {
        let role = |name: &[&str]| role(&name.iter().map(|&part| part.into()).collect::<Vec<_>>());
        assert_eq!(role(&["lower"]), Role::Pure);
        assert_eq!(role(&["pg_catalog", "lower"]), Role::Pure);
        assert_eq!(role(&["app", "lower"]), Role::Foreign);
        assert_eq!(role(&["db", "pg_catalog", "lower"]), Role::Foreign);
        assert_eq!(role(&["my_function"]), Role::Foreign);
    }
}
