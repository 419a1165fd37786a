//! What is looked at before anything is sent: is this the primary, may this role do it, would it wait for somebody, is there room.
//!
//! Invariant: a refusal says what stands against it and what to do about that.

use std::path::Path;
use std::str::FromStr;

use tokio_postgres::{Client, Row};

use super::recover::is_ours;
use super::session::Sessions;
use super::statement::{Action, Name, Step, quoted};
use super::{Error, Event, Limits, Picture};

/// A replica that is only so many bytes behind is not held against a build: its times are those of the last message.
const NEAR: f64 = 16.0 * 1024.0 * 1024.0;
/// Space is needed for the index, for what sorting spills, and for the log of it.
const SPACE: u64 = 3;
/// Partitions that a recipe names.
const PARTITIONS: i64 = 12;

/// What a check means for the run.
#[derive(Debug, Clone, Copy, PartialEq, Eq, serde::Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Weight {
    /// As it should be.
    Good,
    /// Worth knowing.
    Noted,
    /// The run must not begin.
    Refused,
}

/// Something that was looked at.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize)]
pub struct Check {
    /// What, in a word.
    pub name: &'static str,
    /// What it means.
    pub weight: Weight,
    /// What was found, and what to do about it.
    pub text: String,
}

impl Check {
    fn good(name: &'static str, text: impl Into<String>) -> Self {
        Self { name, weight: Weight::Good, text: text.into() }
    }

    fn noted(name: &'static str, text: impl Into<String>) -> Self {
        Self { name, weight: Weight::Noted, text: text.into() }
    }

    fn refused(name: &'static str, text: impl Into<String>) -> Self {
        Self { name, weight: Weight::Refused, text: text.into() }
    }
}

/// A time of the day, every day, in the server's time zone.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Window {
    /// Minutes after midnight.
    from: u16,
    /// Minutes after midnight, the first outside; before `from`: on the next day.
    to: u16,
}

impl Window {
    const fn holds(self, minute: u16) -> bool {
        if self.from <= self.to {
            self.from <= minute && minute < self.to
        } else {
            minute >= self.from || minute < self.to
        }
    }

    /// Whether it is time, by the clock of this server.
    ///
    /// # Errors
    /// PostgreSQL does not answer.
    pub async fn is_open(self, client: &Client) -> Result<bool, tokio_postgres::Error> {
        Ok(self.holds(minute_of(client).await?.0))
    }
}

impl std::fmt::Display for Window {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let Self { from, to } = self;
        write!(f, "{:02}:{:02}-{:02}:{:02}", from / 60, from % 60, to / 60, to % 60)
    }
}

impl FromStr for Window {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let time = |text: &str| {
            let (hours, minutes) = text.trim().split_once(':')?;
            let (hours, minutes): (u16, u16) = (hours.parse().ok()?, minutes.parse().ok()?);
            (hours < 24 && minutes < 60).then_some(hours * 60 + minutes)
        };
        let both = text.split_once('-').and_then(|(from, to)| Some((time(from)?, time(to)?)));
        let (from, to) = both.ok_or("not a time of the day, for example 01:00-05:30")?;
        Ok(Self { from, to })
    }
}

/// How much space the advice expects to take, and the limits.
#[derive(Debug, Clone, Copy)]
pub(super) struct Room<'a> {
    pub(super) bytes: u64,
    pub(super) limits: &'a Limits,
}

/// Looks, tells, and refuses.
pub(super) async fn pass(
    sessions: &Sessions<'_>,
    steps: &[Step],
    room: Room<'_>,
) -> Result<(), Error> {
    let checks = look(sessions, steps, room).await?;
    for check in &checks {
        (sessions.job.tell)(Event::Checked(check.clone()));
    }
    let refused = checks.iter().any(|check| check.weight == Weight::Refused);
    if refused { Err(Error::Refused(checks)) } else { Ok(()) }
}

/// Only whether changes can be made here at all.
pub(super) async fn primary(sessions: &Sessions<'_>) -> Result<(), Error> {
    let check = is_primary(&sessions.observer).await?;
    if check.weight == Weight::Refused { Err(Error::Refused(vec![check])) } else { Ok(()) }
}

/// Looks at everything.
pub(super) async fn look(
    sessions: &Sessions<'_>,
    steps: &[Step],
    room: Room<'_>,
) -> Result<Vec<Check>, Error> {
    let client = &sessions.observer;
    let mut checks = vec![is_primary(client).await?];
    for step in steps {
        checks.extend(object(sessions, step).await?);
    }
    if steps.iter().any(|step| step.action.is_concurrent()) {
        checks.push(transactions(client, room.limits).await?);
    }
    if steps.iter().any(|step| step.action.builds()) {
        checks.extend(lag(client, room.limits).await?);
        checks.push(space(client, steps, room.bytes).await?);
        if let Some(window) = room.limits.window {
            checks.push(in_window(client, window).await?);
        }
    }
    Ok(checks)
}

async fn is_primary(client: &Client) -> Result<Check, Error> {
    const ASK: &str = "SELECT pg_is_in_recovery(), current_setting('transaction_read_only') = 'on'";
    let row = client.query_one(ASK, &[]).await?;
    Ok(match (row.get(0), row.get(1)) {
        (true, _) => Check::refused(
            "primary",
            "this server is a replica: changes are made on the primary, which replicates them",
        ),
        (false, true) => Check::refused(
            "primary",
            "transactions are read-only here: default_transaction_read_only of the role, the database or the server says so",
        ),
        (false, false) => Check::good("primary", "changes can be made here"),
    })
}

const TABLE: &str = "\
SELECT c.relkind::text, c.relpersistence::text, pg_get_userbyid(c.relowner)::text, current_user::text, \
  pg_has_role(current_user, c.relowner, 'USAGE'), has_schema_privilege(current_user, c.relnamespace, 'CREATE'), \
  pg_has_role(current_user, (SELECT datdba FROM pg_database WHERE datname = current_database()), 'USAGE'), \
  (SELECT p.pid FROM pg_stat_progress_create_index p WHERE p.relid = c.oid LIMIT 1), c.oid \
FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace WHERE n.nspname = $1 AND c.relname = $2";

/// What the statement is about: is it there, is it of the right kind, may this role change it, is it being built on.
async fn object(sessions: &Sessions<'_>, step: &Step) -> Result<Vec<Check>, Error> {
    let client = &sessions.observer;
    let (table, index) = match &step.action {
        Action::CreateIndex { index, table } => (table.clone(), Some(index)),
        Action::DropIndex { index } | Action::Reindex { index } => {
            let Picture::Index(found) = Picture::of(client, &step.action).await? else {
                return Ok(vec![Check::noted("index", format!("there is no index {index}"))]);
            };
            (found.table, Some(index))
        }
        Action::Analyze { table }
        | Action::CreateStatistics { table, .. }
        | Action::Options { table, .. } => (table.clone(), None),
        Action::DropStatistics { .. } | Action::Attribute | Action::Session => {
            return Ok(Vec::new());
        }
    };
    let Some(row) = client.query_opt(TABLE, &[&table.schema, &table.name]).await? else {
        return Ok(vec![Check::refused("table", format!("there is no table {table}"))]);
    };
    let mut checks = vec![rights(&row, &table, &step.action)];
    checks.extend(kind(client, &row, (step, &table)).await?);
    if let Some(pid) = row.get::<_, Option<i32>>(7)
        && step.action.is_concurrent()
    {
        let text = format!("process {pid} builds an index of {table} now: wait until it has ended");
        checks.push(Check::refused("building", text));
    }
    if let Some(index) = index {
        checks.extend(of_index(sessions, (&step.action, index), &table).await?);
    }
    Ok(checks)
}

fn rights(row: &Row, table: &Name, action: &Action) -> Check {
    let (owner, role): (String, String) = (row.get(2), row.get(3));
    let (owns, creates, owns_database): (bool, bool, bool) = (row.get(4), row.get(5), row.get(6));
    let analyzes = matches!(action, Action::Analyze { .. }) && owns_database;
    if !owns && !analyzes {
        let (owner, role) = (quoted(&owner), quoted(&role));
        let text = format!(
            "{role} may not change {table}, which belongs to {owner}: log in as {owner}, or GRANT {owner} TO {role}"
        );
        return Check::refused("rights", text);
    }
    let makes = matches!(
        action,
        Action::CreateIndex { .. } | Action::Reindex { .. } | Action::CreateStatistics { .. }
    );
    if makes && !creates {
        let (schema, role) = (quoted(&table.schema), quoted(&role));
        let text = format!(
            "{role} may not make anything in schema {schema}: GRANT CREATE ON SCHEMA {schema} TO {role}"
        );
        return Check::refused("rights", text);
    }
    Check::good("rights", format!("{role} may change {table}"))
}

async fn kind(
    client: &Client,
    row: &Row,
    (step, table): (&Step, &Name),
) -> Result<Option<Check>, Error> {
    let (kind, persistence): (String, String) = (row.get(0), row.get(1));
    let action = &step.action;
    Ok(match (kind.as_str(), action) {
        _ if persistence == "t" => {
            Some(Check::refused("table", format!("{table} is a temporary table of a session")))
        }
        ("p", Action::CreateIndex { index, .. }) => {
            Some(Check::refused("table", recipe(client, row.get(8), (step, table), index).await?))
        }
        ("p", Action::DropIndex { .. } | Action::Reindex { .. }) => {
            let text = format!(
                "{table} is partitioned: PostgreSQL rebuilds and drops such an index only with the table locked, or partition by partition"
            );
            Some(Check::refused("table", text))
        }
        ("r" | "m" | "p", _) => None,
        _ => Some(Check::refused("table", format!("{table} is no table"))),
    })
}

/// How to build an index of a partitioned table without stopping it.
async fn recipe(
    client: &Client,
    oid: u32,
    (step, table): (&Step, &Name),
    index: &Name,
) -> Result<String, Error> {
    const LEAVES: &str = "SELECT n.nspname::text, c.relname::text, count(*) OVER () FROM pg_inherits i JOIN pg_class c ON c.oid = i.inhrelid \
        JOIN pg_namespace n ON n.oid = c.relnamespace WHERE i.inhparent = $1 ORDER BY c.relname LIMIT $2";
    let rows = client.query(LEAVES, &[&oid, &PARTITIONS]).await?;
    let (name, tail) = (quoted(&index.name), step.tail());
    let mut text = format!(
        "{table} is partitioned: PostgreSQL cannot build its index without stopping writes, but partition by partition it can:\n  CREATE INDEX {name} ON ONLY {} {tail};",
        table.quoted()
    );
    for row in &rows {
        let part = Name { schema: row.get(0), name: row.get(1) };
        let own: String = format!("{}_{}", index.name, part.name).chars().take(60).collect();
        text.push_str(&format!(
            "\n  CREATE INDEX CONCURRENTLY {} ON {} {tail};\n  ALTER INDEX {} ATTACH PARTITION {};",
            quoted(&own),
            part.quoted(),
            index.quoted(),
            Name { schema: part.schema.clone(), name: own.clone() }.quoted(),
        ));
    }
    let all: i64 = rows.first().map_or(0, |row| row.get(2));
    if all > PARTITIONS {
        text.push_str(&format!("\n  … and so on for {} more partitions", all - PARTITIONS));
    }
    Ok(text)
}

/// What is known of the index: does its name stand for something else, does something depend on it.
async fn of_index(
    sessions: &Sessions<'_>,
    (action, index): (&Action, &Name),
    table: &Name,
) -> Result<Option<Check>, Error> {
    const TAKEN: &str = "SELECT 1 FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace WHERE n.nspname = $1 AND c.relname = $2";
    let picture = Picture::of(&sessions.observer, action).await?;
    let creates = matches!(action, Action::CreateIndex { .. });
    Ok(match picture {
        Picture::Index(found) if creates && found.table != *table => Some(Check::refused(
            "index",
            format!("{index} is the name of an index of {}", found.table),
        )),
        Picture::Index(found) if creates && found.valid => {
            Some(Check::noted("index", format!("{index} is there already")))
        }
        Picture::Index(_) if creates && is_ours(sessions, action)? => Some(Check::noted(
            "index",
            format!("{index} was left invalid by a run that was interrupted: it is dropped first"),
        )),
        Picture::Index(_) if creates => Some(Check::refused(
            "index",
            format!(
                "{index} is there and invalid, and Howdah has not made it: DROP INDEX CONCURRENTLY {} if nobody builds it",
                index.quoted()
            ),
        )),
        Picture::Index(found)
            if !found.serves.is_empty() && !matches!(action, Action::Reindex { .. }) =>
        {
            Some(Check::refused("index", format!("{index} is {}: it has to stay", found.serves)))
        }
        Picture::Absent if creates => {
            let taken = sessions.observer.query_opt(TAKEN, &[&index.schema, &index.name]).await?;
            taken.map(|_| Check::refused("index", format!("{index} is the name of something else")))
        }
        Picture::Absent
        | Picture::Index(_)
        | Picture::Statistics { .. }
        | Picture::Options(_)
        | Picture::Nothing => None,
    })
}

async fn transactions(client: &Client, limits: &Limits) -> Result<Check, Error> {
    const OLD: &str = "\
SELECT format('process %s (%s, %s), %s', pid, usename, coalesce(nullif(application_name, ''), 'no application name'), coalesce(state, 'state unknown')), \
  extract(epoch FROM clock_timestamp() - xact_start)::float8 AS age FROM pg_stat_activity \
WHERE datname = current_database() AND backend_type = 'client backend' AND extract(epoch FROM clock_timestamp() - xact_start) > $1::float8 \
UNION ALL SELECT format('the prepared transaction %L of %s', gid, owner), extract(epoch FROM clock_timestamp() - prepared)::float8 FROM pg_prepared_xacts \
WHERE database = current_database() AND extract(epoch FROM clock_timestamp() - prepared) > $1::float8 ORDER BY age DESC LIMIT 3";
    const HIDDEN: &str = "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND query = '<insufficient privilege>'";
    let limit = limits.oldest.as_secs_f64();
    let rows = client.query(OLD, &[&limit]).await?;
    if rows.is_empty() {
        let hidden: i64 = client.query_one(HIDDEN, &[]).await?.get(0);
        return Ok(match hidden {
            0 => Check::good("transactions", format!("none is older than {limit:.0} s")),
            _ => Check::noted(
                "transactions",
                format!(
                    "the age of {hidden} sessions cannot be seen: GRANT pg_read_all_stats to this role"
                ),
            ),
        });
    }
    let each = rows
        .iter()
        .map(|row| format!("{}, open for {:.0} s", row.get::<_, String>(0), row.get::<_, f64>(1)));
    let each = each.collect::<Vec<_>>().join("; ");
    let text = format!("it would wait for transactions that are older than {limit:.0} s: {each}");
    Ok(Check::refused("transactions", text))
}

async fn lag(client: &Client, limits: &Limits) -> Result<Vec<Check>, Error> {
    const LAG: &str = "\
SELECT coalesce(nullif(application_name, ''), 'a replica'), coalesce(extract(epoch FROM replay_lag), 0)::float8, \
  coalesce(pg_wal_lsn_diff(pg_current_wal_lsn(), replay_lsn), 0)::float8 FROM pg_stat_replication WHERE state = 'streaming'";
    let limit = limits.lag.as_secs_f64();
    let rows = client.query(LAG, &[]).await?;
    let far = rows.iter().filter(|row| row.get::<_, f64>(1) > limit && row.get::<_, f64>(2) > NEAR);
    let far: Vec<_> = far
        .map(|row| {
            let (name, seconds, bytes): (String, f64, f64) = (row.get(0), row.get(1), row.get(2));
            let text = format!(
                "{name} is {seconds:.0} s and {:.0} MiB behind; a build would add to that: wait until it has caught up",
                bytes / 1_048_576.0
            );
            Check::refused("replicas", text)
        })
        .collect();
    if !far.is_empty() {
        return Ok(far);
    }
    Ok(match rows.len() {
        0 => Vec::new(),
        count => vec![Check::good("replicas", format!("{count} follow closely"))],
    })
}

async fn in_window(client: &Client, window: Window) -> Result<Check, Error> {
    let (minute, now) = minute_of(client).await?;
    let text = format!("it is {now} at the server; builds begin within {window}");
    let within = window.holds(minute);
    Ok(if within { Check::good("window", text) } else { Check::refused("window", text) })
}

/// The time of the day at the server: minutes after midnight, and for people.
async fn minute_of(client: &Client) -> Result<(u16, String), tokio_postgres::Error> {
    const NOW: &str = "SELECT (extract(hour FROM localtime) * 60 + extract(minute FROM localtime))::int2, to_char(localtime, 'HH24:MI')";
    let row = client.query_one(NOW, &[]).await?;
    Ok((u16::try_from(row.get::<_, i16>(0)).unwrap_or(0), row.get(1)))
}

async fn space(client: &Client, steps: &[Step], predicted: u64) -> Result<Check, Error> {
    const SIZE: &str = "SELECT pg_relation_size(c.oid) FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace WHERE n.nspname = $1 AND c.relname = $2";
    let mut bytes = predicted;
    for step in steps {
        if let Action::Reindex { index } = &step.action
            && let Some(row) = client.query_opt(SIZE, &[&index.schema, &index.name]).await?
        {
            bytes = bytes.max(u64::try_from(row.get::<_, i64>(0)).unwrap_or(0));
        }
    }
    let needed = bytes.saturating_mul(SPACE);
    let Some(free) = free(client).await else {
        let text = format!(
            "{} may be needed on the server's disk, which cannot be seen from here",
            size(needed)
        );
        return Ok(Check::noted("disk", text));
    };
    let text = format!("{} free, {} may be needed", size(free), size(needed));
    Ok(if free < needed { Check::refused("disk", text) } else { Check::good("disk", text) })
}

/// Free bytes where the data is, if that is a directory of this machine.
async fn free(client: &Client) -> Option<u64> {
    const WHERE: &str = "SELECT current_setting('data_directory'), (SELECT system_identifier FROM pg_control_system())";
    let row = client.query_one(WHERE, &[]).await.ok()?;
    let (directory, system): (String, i64) = (row.get(0), row.get(1));
    let directory = Path::new(&directory);
    // The same path may be somebody else's: the identifier of the system is at the beginning of its control file.
    let control = std::fs::read(directory.join("global/pg_control")).ok()?;
    let own: [u8; 8] = control.get(..8)?.try_into().ok()?;
    if i64::from_ne_bytes(own) != system {
        return None;
    }
    let disk = rustix::fs::statvfs(directory).ok()?;
    Some(disk.f_bavail.saturating_mul(disk.f_frsize))
}

/// Bytes for people.
fn size(bytes: u64) -> String {
    let mib = bytes.div_ceil(1 << 20);
    if mib < 10 * 1024 { format!("{mib} MiB") } else { format!("{} GiB", mib / 1024) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_window_may_go_over_midnight() {
        let night: Window = "22:30-05:00".parse().unwrap();
        assert!(night.holds(23 * 60) && night.holds(0) && night.holds(299));
        assert!(!night.holds(300) && !night.holds(12 * 60));
        let noon: Window = "12:00-13:00".parse().unwrap();
        assert!(noon.holds(720) && !noon.holds(780));
        assert_eq!(night.to_string(), "22:30-05:00");
        for wrong in ["", "1-2", "24:00-01:00", "01:60-02:00", "01:00"] {
            assert!(wrong.parse::<Window>().is_err(), "{wrong}");
        }
    }
}
