//! SQLSTATE codes as five bytes.
//!
//! Not here: the whole catalogue of PostgreSQL; a constant exists for each code that the program
//! compares with or sends.
//!
//! Invariant: a value is always five ASCII digits or upper-case letters.

use std::fmt;

/// A five-character SQLSTATE.
#[derive(Copy, Clone, PartialEq, Eq, Hash)]
pub struct SqlState([u8; 5]);

macro_rules! states {
    ($($(#[$doc:meta])* $name:ident = $code:literal;)*) => {
        impl SqlState {
            $($(#[$doc])* pub const $name: Self = Self(*$code);)*
        }

        #[cfg(test)]
        const NAMED: &[SqlState] = &[$(SqlState::$name),*];
    };
}

states! {
    /// 00000
    SUCCESSFUL_COMPLETION = b"00000";
    /// 08001: a connection to a server could not be opened.
    SQLCLIENT_UNABLE_TO_ESTABLISH = b"08001";
    /// 08003: there is no such connection.
    CONNECTION_DOES_NOT_EXIST = b"08003";
    /// 08004: the connection is refused.
    CONNECTION_REJECTED = b"08004";
    /// 08006: the connection broke.
    CONNECTION_FAILURE = b"08006";
    /// 08007: whether the transaction was committed is not known.
    UNKNOWN_OUTCOME = b"08007";
    /// 08P01: the bytes do not follow the protocol.
    PROTOCOL_VIOLATION = b"08P01";
    /// 0A000
    FEATURE_NOT_SUPPORTED = b"0A000";
    /// 22023
    INVALID_PARAMETER_VALUE = b"22023";
    /// 25001: a transaction block is open where none may be.
    ACTIVE_TRANSACTION = b"25001";
    /// 25006: a write in a read-only transaction, also: on a replica.
    READ_ONLY_TRANSACTION = b"25006";
    /// 25P01: no transaction block is open where one must be.
    NO_ACTIVE_TRANSACTION = b"25P01";
    /// 25P02: commands are ignored until the failed transaction ends.
    IN_FAILED_TRANSACTION = b"25P02";
    /// 25P03
    IDLE_IN_TRANSACTION_TIMEOUT = b"25P03";
    /// 25P04
    TRANSACTION_TIMEOUT = b"25P04";
    /// 26000: there is no such prepared statement.
    INVALID_STATEMENT_NAME = b"26000";
    /// 28000
    INVALID_AUTHORIZATION = b"28000";
    /// 28P01
    INVALID_PASSWORD = b"28P01";
    /// 34000: there is no such portal.
    INVALID_CURSOR_NAME = b"34000";
    /// 3D000: there is no such database.
    INVALID_CATALOG_NAME = b"3D000";
    /// 40001: the transaction may be tried again.
    SERIALIZATION_FAILURE = b"40001";
    /// 42501
    INSUFFICIENT_PRIVILEGE = b"42501";
    /// 42601
    SYNTAX_ERROR = b"42601";
    /// 42704
    UNDEFINED_OBJECT = b"42704";
    /// 42P03: a portal of this name exists.
    DUPLICATE_CURSOR = b"42P03";
    /// 42P05: a prepared statement of this name exists.
    DUPLICATE_STATEMENT = b"42P05";
    /// 53300
    TOO_MANY_CONNECTIONS = b"53300";
    /// 53400
    CONFIGURATION_LIMIT = b"53400";
    /// 54000
    PROGRAM_LIMIT = b"54000";
    /// 55000: it is not in the state for that.
    OBJECT_NOT_IN_PREREQUISITE_STATE = b"55000";
    /// 55P03
    LOCK_NOT_AVAILABLE = b"55P03";
    /// 57014
    QUERY_CANCELED = b"57014";
    /// 57P01
    ADMIN_SHUTDOWN = b"57P01";
    /// 57P02
    CRASH_SHUTDOWN = b"57P02";
    /// 57P03: starting up, shutting down or in recovery.
    CANNOT_CONNECT_NOW = b"57P03";
    /// 57P05
    IDLE_SESSION_TIMEOUT = b"57P05";
    /// XX000
    INTERNAL = b"XX000";
}

impl SqlState {
    /// The code in `bytes`, if they are five ASCII digits or upper-case letters.
    pub fn from_bytes(bytes: &[u8]) -> Option<Self> {
        let code: [u8; 5] = bytes.try_into().ok()?;
        code.iter()
            .all(|byte| byte.is_ascii_digit() || byte.is_ascii_uppercase())
            .then_some(Self(code))
    }

    /// The code's five characters.
    pub fn as_str(&self) -> &str {
        // Never the default: the bytes are ASCII.
        std::str::from_utf8(&self.0).unwrap_or_default()
    }

    /// The code's five bytes.
    pub fn as_bytes(&self) -> &[u8; 5] {
        &self.0
    }

    /// The class: the first two characters.
    pub fn class(&self) -> [u8; 2] {
        let [first, second, ..] = self.0;
        [first, second]
    }
}

impl fmt::Display for SqlState {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(self.as_str())
    }
}

impl fmt::Debug for SqlState {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "SqlState({self})")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_named_code_is_a_valid_code_and_named_once() {
        let mut seen = std::collections::HashSet::new();
        for state in NAMED {
            assert_eq!(SqlState::from_bytes(state.as_bytes()), Some(*state));
            assert_eq!(state.to_string().as_bytes(), state.as_bytes());
            assert!(seen.insert(*state), "{state} is named twice");
        }
    }

    #[test]
    fn other_lengths_and_other_characters_are_no_code() {
        for bytes in [&b""[..], b"0800", b"080011", b"08p01", b"08 01", b"08\xff01", b"0800\0"] {
            assert_eq!(SqlState::from_bytes(bytes), None, "{bytes:?}");
        }
        assert_eq!(SqlState::from_bytes(b"ZZ999").map(|state| state.class()), Some(*b"ZZ"));
    }
}
