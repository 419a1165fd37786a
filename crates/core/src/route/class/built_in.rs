//! Built-in functions and system tables that are not for replicas, by their names. What is not here is judged by `howdah_sql` (has it
//! an effect?) and by the catalog.
//!
//! Invariant: every built-in function that a standby refuses, or that answers for one node or one session, is here or has an effect.

use howdah_sql::BuiltIn;

use super::UnsafeReason;

/// Where PostgreSQL's own functions and tables are.
pub(super) const SCHEMA: &str = "pg_catalog";

/// Whether a schema comes with PostgreSQL.
pub(super) fn is_system(schema: &str) -> bool {
    matches!(schema, SCHEMA | "information_schema")
}

/// Whether what is in a schema belongs to one session.
pub(super) fn is_temporary(schema: &str) -> bool {
    schema.starts_with("pg_temp")
}

/// Why a built-in function of this name is for the primary; `None`: it is not, or there is none.
pub(super) fn function(name: &str) -> Option<UnsafeReason> {
    let starts = |prefixes: &[&str]| prefixes.iter().any(|prefix| name.starts_with(prefix));
    let reason = match name {
        "nextval"
        | "setval"
        | "currval"
        | "lastval"
        | "pg_sequence_last_value"
        | "pg_get_sequence_data" => UnsafeReason::Sequence,
        "loread" | "lowrite" => UnsafeReason::LargeObject,
        "pg_notify" => UnsafeReason::Notification,
        "txid_current" | "pg_current_xact_id" | "pg_export_snapshot" => UnsafeReason::TransactionId,
        "set_config"
        | "setseed"
        | "pg_listening_channels"
        | "pg_my_temp_schema"
        | "pg_is_other_temp_schema"
        | "pg_prepared_statement"
        | "pg_cursor"
        | "current_query" => UnsafeReason::Session,
        // They run a text, or read tables that the statement does not name as such.
        "query_to_xml"
        | "query_to_xmlschema"
        | "query_to_xml_and_xmlschema"
        | "cursor_to_xml"
        | "cursor_to_xmlschema"
        | "ts_stat"
        | "ts_rewrite" => UnsafeReason::Procedure,
        "table_to_xml"
        | "table_to_xmlschema"
        | "table_to_xml_and_xmlschema"
        | "schema_to_xml"
        | "schema_to_xmlschema"
        | "schema_to_xml_and_xmlschema"
        | "database_to_xml"
        | "database_to_xmlschema"
        | "database_to_xml_and_xmlschema" => UnsafeReason::UnknownTable,
        _ if starts(&["lo_"]) => UnsafeReason::LargeObject,
        _ if starts(&["pg_advisory_", "pg_try_advisory_"]) => UnsafeReason::AdvisoryLock,
        _ if answers_for_node(name) => UnsafeReason::Node,
        _ if howdah_sql::built_in(name) == Some(BuiltIn::Effect) => UnsafeReason::SideEffect,
        _ => return None,
    };
    Some(reason)
}

/// Whether a function tells of the node, its processes, files, log or statistics.
fn answers_for_node(name: &str) -> bool {
    const PREFIXES: [&str; 13] = [
        "inet_client_",
        "inet_server_",
        "pg_control_",
        "pg_current_wal_",
        "pg_get_wal_",
        "pg_last_",
        "pg_ls_",
        "pg_read_",
        "pg_show_",
        "pg_stat_get_",
        "pg_walfile_",
        "pg_xact_commit_timestamp",
        "pg_get_replication_slot",
    ];
    matches!(
        name,
        "pg_is_in_recovery"
            | "pg_is_wal_replay_paused"
            | "pg_backend_pid"
            | "pg_blocking_pids"
            | "pg_safe_snapshot_blocking_pids"
            | "pg_conf_load_time"
            | "pg_config"
            | "pg_current_logfile"
            | "pg_get_backend_memory_contexts"
            | "pg_get_shmem_allocations"
            | "pg_get_aios"
            | "pg_hba_file_rules"
            | "pg_ident_file_mappings"
            | "pg_isolation_test_session_is_blocked"
            | "pg_jit_available"
            | "pg_lock_status"
            | "pg_notification_queue_usage"
            | "pg_postmaster_start_time"
            | "pg_prepared_xact"
            | "pg_relation_filepath"
            | "pg_stat_file"
            | "pg_stat_have_stats"
            | "pg_tablespace_location"
    ) || PREFIXES.iter().any(|prefix| name.starts_with(prefix))
}

/// Whether a system table or view tells of the node, its processes, settings or statistics, or of the session.
pub(super) fn is_of_node(table: &str) -> bool {
    const PREFIXES: [&str; 4] = ["pg_stat_", "pg_statio_", "pg_replication_", "pg_shmem_"];
    matches!(
        table,
        "pg_aios"
            | "pg_backend_memory_contexts"
            | "pg_config"
            | "pg_cursors"
            | "pg_file_settings"
            | "pg_hba_file_rules"
            | "pg_ident_file_mappings"
            | "pg_locks"
            | "pg_prepared_statements"
            | "pg_prepared_xacts"
            | "pg_sequences"
            | "pg_settings"
            | "pg_wait_events"
    ) || PREFIXES.iter().any(|prefix| table.starts_with(prefix))
}
