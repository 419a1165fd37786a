//! Parameters of a PostgreSQL session that drivers ask for: the console has them with the values that it tells at login.

use super::table::{Columns, Kind};

/// The console's version: PgBouncer's, whose columns it has, and Howdah's own.
const VERSION: &str = concat!("1.25.0/howdah ", env!("CARGO_PKG_VERSION"));

/// A parameter.
pub(super) struct Parameter {
    /// The column in which it is shown.
    column: [(&'static str, Kind); 1],
    pub(super) value: &'static str,
    /// It is told at login.
    pub(super) told: bool,
}

impl Parameter {
    const fn told(name: &'static str, value: &'static str) -> Self {
        Self { column: [(name, Kind::Text)], value, told: true }
    }

    const fn silent(name: &'static str, value: &'static str) -> Self {
        Self { column: [(name, Kind::Text)], value, told: false }
    }

    pub(super) const fn name(&self) -> &'static str {
        let [(name, _)] = self.column;
        name
    }
}

/// All of them.
pub(super) static ALL: &[Parameter] = &[
    Parameter::told("server_version", VERSION),
    Parameter::told("client_encoding", "UTF8"),
    Parameter::told("server_encoding", "UTF8"),
    Parameter::told("standard_conforming_strings", "on"),
    Parameter::told("DateStyle", "ISO, MDY"),
    Parameter::told("TimeZone", "UTC"),
    Parameter::told("integer_datetimes", "on"),
    Parameter::silent("default_transaction_isolation", "read committed"),
    Parameter::silent("transaction_isolation", "read committed"),
    Parameter::silent("transaction_isolation_level", "read committed"),
    Parameter::silent("default_transaction_read_only", "off"),
    Parameter::silent("transaction_read_only", "off"),
    Parameter::silent("in_hot_standby", "off"),
    Parameter::silent("extra_float_digits", "1"),
    Parameter::silent("IntervalStyle", "postgres"),
    Parameter::silent("max_identifier_length", "63"),
    Parameter::silent("search_path", ""),
    Parameter::silent("application_name", ""),
    Parameter::silent("time_zone", "UTC"),
];

/// Where a parameter is, by its name in any case.
pub(super) fn position(name: &str) -> Option<usize> {
    ALL.iter().position(|known| known.name().eq_ignore_ascii_case(name))
}

/// The column in which it is shown.
pub(super) fn columns(at: usize) -> Option<Columns> {
    ALL.get(at).map(|parameter| parameter.column.as_slice())
}
