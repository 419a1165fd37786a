//! Settings of a PostgreSQL server for its machine and for what was measured of it: each with what it is, what it should be, why, and where that is written.
//! Not what single tables set for themselves (`schema`), and not who reads these numbers.
//!
//! Invariant: nothing is lowered that somebody has raised on purpose unless it endangers the server, and nothing is said of what was not measured or told.

mod memory;
mod planner;
mod upkeep;
mod wal;

use serde::Serialize;

/// Bytes.
const KB: u64 = 1024;
const MB: u64 = 1024 * KB;
const GB: u64 = 1024 * MB;

/// The machine that the server has for itself.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub struct Machine {
    /// Bytes of memory.
    pub memory: u64,
    /// Processors.
    pub cores: u32,
    /// What the data is on; `None`: not known.
    pub disk: Option<Disk>,
}

/// What data is on.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Disk {
    /// Without moving parts.
    Ssd,
    /// Turning.
    Hdd,
}

/// A row of `pg_settings`.
#[derive(Debug, Clone, PartialEq)]
pub struct Setting {
    /// Its name.
    pub name: String,
    /// As `current_setting` says it: `128MB`, `on`.
    pub shown: String,
    /// Its number in its base unit, where it is one.
    pub number: Option<f64>,
    /// `8kB`, `kB`, `MB`, `ms`, `s`, `min`; empty.
    pub unit: String,
    /// It takes a restart.
    pub restart: bool,
    /// The words it may be; empty: it is no word.
    pub words: Vec<String>,
}

/// What was measured of a server.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Measured {
    /// `server_version_num`.
    pub version: u32,
    /// What is in force.
    pub settings: Vec<Setting>,
    /// Seconds since counts of checkpoints were last reset; `None`: not to be seen.
    pub counted_for: Option<f64>,
    /// Checkpoints by time, and because there was too much WAL.
    pub checkpoints: (u64, u64),
    /// Bytes of WAL per second, since its counts were reset.
    pub wal_rate: Option<f64>,
    /// Bytes of temporary files of all databases since statistics were reset.
    pub temporary_bytes: u64,
    /// Share of the time of statements that compiling them takes (`pg_stat_statements`, PostgreSQL 15 and later).
    pub compiling: Option<f64>,
    /// Rows of the largest table of this database.
    pub largest_rows: f64,
    /// Standbys that follow, and slots that keep WAL.
    pub replicas: u32,
    /// Replication slots.
    pub slots: u32,
    /// Connections that are opened at most, by poolers and others; `None`: as many as the server admits.
    pub connections: Option<u32>,
}

impl Measured {
    fn setting(&self, name: &str) -> Option<&Setting> {
        self.settings.iter().find(|setting| setting.name == name)
    }

    fn number(&self, name: &str) -> Option<f64> {
        self.setting(name)?.number
    }

    /// A size in bytes, or a time in seconds.
    fn amount(&self, name: &str) -> Option<f64> {
        let setting = self.setting(name)?;
        let unit = match setting.unit.as_str() {
            "8kB" => 8_192.0,
            "kB" => 1_024.0,
            "MB" => 1_048_576.0,
            "ms" => 0.001,
            "min" => 60.0,
            _ => 1.0,
        };
        Some(setting.number? * unit)
    }

    /// Connections that there may be at the same time.
    fn connections(&self) -> f64 {
        let most = self.number("max_connections").unwrap_or(100.0);
        self.connections.map_or(most, |told| f64::from(told).min(most)).max(1.0)
    }
}

/// A setting that should be another one.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Change {
    /// Its name.
    pub name: String,
    /// As it is.
    pub now: String,
    /// As it should be.
    pub then: String,
    /// Why, with the arithmetic.
    pub why: String,
    /// Where PostgreSQL's documentation says so.
    pub source: String,
    /// It takes a restart; else a reload is enough.
    pub restart: bool,
}

impl Change {
    /// The statement that makes it so, from the next restart or reload on.
    #[must_use]
    pub fn statement(&self) -> String {
        format!("ALTER SYSTEM SET {} = '{}'", self.name, self.then.replace('\'', "''"))
    }

    /// The statement that takes it back to what configuration files say.
    #[must_use]
    pub fn way_back(&self) -> String {
        format!("ALTER SYSTEM RESET {}", self.name)
    }
}

/// What a rule sees.
struct Look<'a> {
    machine: Machine,
    measured: &'a Measured,
}

impl Look<'_> {
    /// A change, if the server has such a setting and it is not that already.
    fn change(&self, name: &str, then: String, why: String, source: &str) -> Option<Change> {
        let setting = self.measured.setting(name)?;
        (setting.shown != then).then(|| Change {
            name: name.to_owned(),
            now: setting.shown.clone(),
            then,
            why,
            source: source.to_owned(),
            restart: setting.restart,
        })
    }

    /// A switch that is off and should be on, or the other way round.
    fn switch(&self, name: &str, then: &str, why: &str, source: &str) -> Option<Change> {
        self.change(name, then.to_owned(), why.to_owned(), source)
    }
}

/// Everything that should be different, in the order in which PostgreSQL's documentation speaks of it.
#[must_use]
pub fn tune(machine: Machine, measured: &Measured) -> Vec<Change> {
    let look = Look { machine, measured };
    let mut found = memory::find(&look);
    found.extend(wal::find(&look));
    found.extend(planner::find(&look));
    found.extend(upkeep::find(&look));
    found
}

/// A size as PostgreSQL writes it, rounded down to what a person would write.
fn size(bytes: f64) -> String {
    let whole = crate::size::whole(bytes);
    match whole {
        0..MB => format!("{}kB", (whole / KB).max(64)),
        MB..GB => format!("{}MB", whole / MB),
        _ if whole.is_multiple_of(GB) => format!("{}GB", whole / GB),
        _ => format!("{}MB", whole / (64 * MB) * 64),
    }
}

/// Seconds as PostgreSQL writes them.
fn minutes(seconds: f64) -> String {
    format!("{}min", crate::size::whole(seconds / 60.0).max(1))
}

#[cfg(test)]
mod tests;
