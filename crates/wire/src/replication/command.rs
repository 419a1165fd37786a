//! Commands of a replication connection, as text for a Query message.
//!
//! Not here: the connection, which is asked for with the startup parameter `replication=database`.
//!
//! Invariant: no name or value can end its quotes.

use std::fmt::Write;

/// Asks for system identifier, timeline, position, database.
pub const IDENTIFY_SYSTEM: &str = "IDENTIFY_SYSTEM";

/// Creates a slot that ends with the connection. The answer has its name and the position from which on every commit is told. Waits
/// for transactions that are running.
#[must_use]
pub fn create_temporary_slot(name: &str) -> String {
    format!("CREATE_REPLICATION_SLOT {} TEMPORARY LOGICAL pgoutput NOEXPORT_SNAPSHOT", quoted(name))
}

/// What to be told, and how.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Start<'a> {
    /// A slot with the plugin `pgoutput`.
    pub slot: &'a str,
    /// 1, or 2 for transactions that are told before they have ended.
    pub protocol: u8,
    /// Names of publications.
    pub publications: &'a [&'a str],
    /// Whether messages of `pg_logical_emit_message` are told. Needs PostgreSQL 14.
    pub messages: bool,
    /// Whether large transactions are told before they have ended. Needs protocol 2.
    pub streaming: bool,
}

/// Begins the stream, where the slot is.
#[must_use]
pub fn start(start: &Start<'_>) -> String {
    let names: Vec<_> = start.publications.iter().map(|name| quoted(name)).collect();
    let names = literal(&names.join(","));
    let mut text = format!(
        "START_REPLICATION SLOT {} LOGICAL 0/0 (proto_version '{}', publication_names {names}",
        quoted(start.slot),
        start.protocol,
    );
    for (option, on) in [("messages", start.messages), ("streaming", start.streaming)] {
        if on {
            // Writing to a string cannot fail.
            let _ = write!(text, ", {option} 'on'");
        }
    }
    text.push(')');
    text
}

fn quoted(name: &str) -> String {
    format!("\"{}\"", name.replace('"', "\"\""))
}

fn literal(value: &str) -> String {
    format!("'{}'", value.replace('\'', "''"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_stay_inside_their_quotes() {
        let begun = start(&Start {
            slot: "a\"b",
            protocol: 2,
            publications: &["it's", "x\",\"y"],
            messages: true,
            streaming: true,
        });
        assert_eq!(
            begun,
            "START_REPLICATION SLOT \"a\"\"b\" LOGICAL 0/0 (proto_version '2', publication_names \
             '\"it''s\",\"x\"\",\"\"y\"', messages 'on', streaming 'on')"
        );
        assert_eq!(
            create_temporary_slot("howdah_1"),
            "CREATE_REPLICATION_SLOT \"howdah_1\" TEMPORARY LOGICAL pgoutput NOEXPORT_SNAPSHOT"
        );
    }
}
