//! The connection that asks a node, the question, and what its answer means. Not when it is asked.
//!
//! Invariant: one question is one statement in one round trip, any role may ask it, and it changes nothing.

use std::time::Instant;

use howdah_core::topology::{Failure, Lsn, Observation, Role, Transactions};
use howdah_wire::backend::tag;
use howdah_wire::sqlstate::SqlState;
use howdah_wire::{frame, frontend};

use crate::buffer::Shelf;
use crate::clock;
use crate::connect::{self, Login, OpenError};
use crate::inquiry::{self, Broken, Inquiry, Row, Unanswered};

/// Shown in `pg_stat_activity`.
const APPLICATION: (&str, &str) = ("application_name", "howdah (topology)");

/// Role, position, timeline, system, segment size, and whether it is connected to what it follows. Whether it is in recovery is asked
/// once, for a promotion may come in between. Only `received_tli` needs a right (`pg_read_all_stats`, in `pg_monitor`): without it a
/// replica tells its new timeline only with its next restart point.
const QUESTION: &str = "SELECT r, CASE WHEN r THEN pg_catalog.pg_last_wal_replay_lsn() ELSE pg_catalog.pg_current_wal_insert_lsn() END, \
    CASE WHEN r THEN greatest((SELECT timeline_id FROM pg_catalog.pg_control_checkpoint()), \
        (SELECT min_recovery_end_timeline FROM pg_catalog.pg_control_recovery()), \
        (SELECT received_tli FROM pg_catalog.pg_stat_wal_receiver))::text \
    ELSE pg_catalog.pg_walfile_name(pg_catalog.pg_current_wal_insert_lsn()) END, \
    (SELECT system_identifier FROM pg_catalog.pg_control_system()), \
    pg_catalog.pg_size_bytes(pg_catalog.current_setting('wal_segment_size')), \
    EXISTS (SELECT FROM pg_catalog.pg_stat_wal_receiver) \
    FROM (SELECT pg_catalog.pg_is_in_recovery() AS r OFFSET 0) AS asked";

/// The same for a node whose administrator has forbidden the functions about the control file.
const QUESTION_WITHOUT_CONTROL: &str = "SELECT r, CASE WHEN r THEN pg_catalog.pg_last_wal_replay_lsn() ELSE pg_catalog.pg_current_wal_insert_lsn() END, \
    CASE WHEN r THEN (SELECT received_tli FROM pg_catalog.pg_stat_wal_receiver)::text \
    ELSE pg_catalog.pg_walfile_name(pg_catalog.pg_current_wal_insert_lsn()) END, \
    NULL, \
    pg_catalog.pg_size_bytes(pg_catalog.current_setting('wal_segment_size')), \
    EXISTS (SELECT FROM pg_catalog.pg_stat_wal_receiver) \
    FROM (SELECT pg_catalog.pg_is_in_recovery() AS r OFFSET 0) AS asked";

/// Who follows a primary; addresses need the right to see them.
const FOLLOWERS: &str = "SELECT DISTINCT pg_catalog.host(client_addr) FROM pg_catalog.pg_stat_replication \
    AS follower WHERE client_addr IS NOT NULL AND application_name NOT IN ('pg_basebackup', 'pg_receivewal') AND NOT EXISTS \
    (SELECT FROM pg_catalog.pg_replication_slots WHERE active_pid = follower.pid AND slot_type = 'logical') ORDER BY 1";

/// Which transactions are under way on a primary, the number that comes next, and what is on its disk.
const TRANSACTIONS: &str = "SELECT pg_catalog.txid_current_snapshot(), pg_catalog.age('3'::pg_catalog.xid), \
    CASE WHEN NOT pg_catalog.pg_is_in_recovery() THEN pg_catalog.pg_current_wal_flush_lsn() END";

/// Which of some transactions a replica has seen committed. Those from `xmax` on it has not; asking for them is an error.
const COMMITTED: &str = "SELECT pg_catalog.string_agg(xid::pg_catalog.text, ',') \
    FROM pg_catalog.unnest(pg_catalog.string_to_array($1, ',')::pg_catalog.int8[]) AS asked (xid) \
    WHERE CASE WHEN xid < pg_catalog.txid_snapshot_xmax(pg_catalog.txid_current_snapshot()) \
        THEN pg_catalog.txid_status(xid) = 'committed' END";

/// Names of the prepared questions.
const NAME: &[u8] = b"topology";
const NAME_TRANSACTIONS: &[u8] = b"transactions";
const NAME_COMMITTED: &[u8] = b"committed";

/// What is asked besides, by what the node was last.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Also {
    /// Nothing.
    Nothing,
    /// A primary: its transactions.
    Transactions,
    /// A replica: which of these it has seen committed; those of this moment.
    Committed(Instant, Vec<u64>),
}

/// What the answer to that is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Visible {
    /// Nothing was asked, or it does not tell.
    Untold,
    /// The transactions under way on a primary, and up to where its log is on disk.
    Primary(Lsn, Transactions),
    /// Those that a replica has seen committed of the ones that were under way on the primary at a moment.
    Replica(Instant, Vec<u64>),
}

/// Why there is no answer.
#[derive(Debug, thiserror::Error)]
pub(super) enum AskError {
    /// There is no connection.
    #[error(transparent)]
    Open(#[from] OpenError),
    /// It took too long.
    #[error("it did not answer in time")]
    Late,
    /// The connection has ended, with these last words.
    #[error("the connection was lost{}", .0.as_deref().map(|words| format!(": {words}")).unwrap_or_default())]
    Lost(Option<String>),
    /// PostgreSQL refuses the question.
    #[error("it refuses the question: {message} (SQLSTATE {code})")]
    Refused {
        /// SQLSTATE.
        code: SqlState,
        /// Message.
        message: String,
    },
    /// The answer is not what it has to be.
    #[error("its answer cannot be understood")]
    Odd,
}

impl From<Broken> for AskError {
    fn from(broken: Broken) -> Self {
        match broken {
            Broken::Lost => Self::Lost(None),
            Broken::Garbled | Broken::Long => Self::Odd,
        }
    }
}

impl From<Unanswered> for AskError {
    fn from(unanswered: Unanswered) -> Self {
        match unanswered {
            Unanswered::Broken(broken) => broken.into(),
            Unanswered::Refused { code, message } => Self::Refused { code, message },
            Unanswered::Odd => Self::Odd,
        }
    }
}

impl AskError {
    /// What it says about the node.
    pub(super) fn failure(&self) -> Failure {
        match self {
            Self::Open(error) => error.failure(),
            Self::Late | Self::Lost(_) => Failure::Silent,
            Self::Refused { .. } | Self::Odd => Failure::Barred,
        }
    }
}

/// A connection that asks.
#[derive(Debug)]
pub(super) struct Connection(Inquiry);

impl Connection {
    /// Logs in and prepares the question. Dropping the future closes the socket.
    pub(super) async fn open(login: &Login<'_>, shelf: &Shelf) -> Result<Self, AskError> {
        let login = Login { settings: &[APPLICATION], ..*login };
        let opened = connect::open(&login, shelf).await?;
        let mut connection = Self(Inquiry::new(opened.stream));
        match connection.prepare(shelf, QUESTION).await {
            // Functions may not be called: that is known when one is, so the question is tried out.
            Err(AskError::Refused { .. }) => {
                connection.prepare(shelf, QUESTION_WITHOUT_CONTROL).await?;
            }
            other => drop(other?),
        }
        Ok(connection)
    }

    async fn prepare(&mut self, shelf: &Shelf, question: &str) -> Result<Vec<Row>, AskError> {
        let mut out = Vec::with_capacity(2048);
        frontend::parse_message(&mut out, NAME, question.as_bytes(), &[0, 0]);
        frontend::parse_message(&mut out, NAME_TRANSACTIONS, TRANSACTIONS.as_bytes(), &[0, 0]);
        frontend::parse_message(&mut out, NAME_COMMITTED, COMMITTED.as_bytes(), &[0, 0]);
        execute(&mut out, NAME, &[]);
        frontend::sync(&mut out);
        self.exchange(shelf, &out).await
    }

    /// Asks, in one round trip. When the future is dropped, so must the connection be.
    pub(super) async fn ask(
        &mut self,
        shelf: &Shelf,
        also: Also,
    ) -> Result<(Observation, Visible), AskError> {
        let asked = clock::now();
        let mut out = Vec::with_capacity(256);
        execute(&mut out, NAME, &[]);
        // Behind the position, so that what is told of transactions is as of that position or later.
        match &also {
            Also::Nothing => {}
            Also::Transactions => execute(&mut out, NAME_TRANSACTIONS, &[]),
            Also::Committed(_, xids) => {
                let list: Vec<_> = xids.iter().map(u64::to_string).collect();
                execute(&mut out, NAME_COMMITTED, &[Some(list.join(",").as_bytes())]);
            }
        }
        frontend::sync(&mut out);
        let rows = self.exchange(shelf, &out).await?;
        let (row, more) = rows.split_first().ok_or(AskError::Odd)?;
        let observation = observation(row, asked).ok_or(AskError::Odd)?;
        let visible = more.first().and_then(|row| visible(row, also)).unwrap_or(Visible::Untold);
        Ok((observation, visible))
    }

    /// Addresses of those who follow this node, as far as it tells. When the future is dropped, so must the connection be.
    pub(super) async fn followers(&mut self, shelf: &Shelf) -> Result<Vec<String>, AskError> {
        let mut out = Vec::with_capacity(512);
        frontend::parse_message(&mut out, b"", FOLLOWERS.as_bytes(), &[0, 0]);
        execute(&mut out, b"", &[]);
        frontend::sync(&mut out);
        let rows = self.exchange(shelf, &out).await?;
        Ok(rows.into_iter().filter_map(|row| row.into_iter().next()?).collect())
    }

    /// Resolves when PostgreSQL ends the connection, which it does not while all is well. Cancel safe.
    pub(super) async fn ended(&mut self, shelf: &Shelf) -> AskError {
        loop {
            match self.0.frame(shelf).await {
                Ok(bytes) => {
                    if let Ok(Some((found, _))) = frame::split(&bytes)
                        && found.tag == tag::ERROR
                    {
                        let last = AskError::from(inquiry::refused(found.body));
                        return AskError::Lost(Some(last.to_string()));
                    }
                }
                Err(broken) => return broken.into(),
            }
        }
    }

    /// Sends and gathers rows up to ReadyForQuery.
    async fn exchange(&mut self, shelf: &Shelf, bytes: &[u8]) -> Result<Vec<Row>, AskError> {
        self.0.send(bytes).await?;
        Ok(self.0.answer(shelf).await?)
    }
}

fn execute(out: &mut Vec<u8>, name: &[u8], values: &[Option<&[u8]>]) {
    frontend::bind_message(out, b"", name, values);
    frontend::execute(out, b"", 0);
}

/// What an answer says of transactions; `None`: nothing, because the node is not what it was.
fn visible(row: &[Option<String>], also: Also) -> Option<Visible> {
    match (also, row) {
        (Also::Transactions, [Some(snapshot), Some(age), Some(flushed)]) => {
            let transactions = Transactions::parse(snapshot, age)?;
            Some(Visible::Primary(flushed.parse().ok()?, transactions))
        }
        (Also::Committed(about, _), [committed]) => {
            let list = committed.iter().flat_map(|list| list.split(','));
            let xids = list.map(|xid| xid.parse().ok()).collect::<Option<Vec<u64>>>()?;
            Some(Visible::Replica(about, xids))
        }
        _ => None,
    }
}

/// What an answer means; `None`: it is not one.
fn observation(row: &[Option<String>], asked: Instant) -> Option<Observation> {
    let [role, lsn, timeline, system_id, segment, receiving] = row else { return None };
    let role = match role.as_deref()? {
        "t" => Role::Replica,
        "f" => Role::Primary,
        _ => return None,
    };
    let lsn: Lsn = lsn.as_deref().unwrap_or("0/0").parse().ok()?;
    let (timeline, lsn) = if role == Role::Primary {
        // The name of a segment begins with its timeline.
        let digits = timeline.as_deref()?.get(..8)?;
        let segment = segment.as_deref()?.parse().ok()?;
        (Some(u32::from_str_radix(digits, 16).ok()?), lsn.end_of_records(segment))
    } else {
        (timeline.as_deref().and_then(|text| text.parse().ok()), lsn)
    };
    // PostgreSQL shows its unsigned number as a signed one.
    let system_id = system_id.as_deref().and_then(|text| text.parse::<i64>().ok());
    let receiving = receiving.as_deref() == Some("t");
    let system_id = system_id.map(i64::cast_unsigned);
    Some(Observation { asked, role, timeline, system_id, lsn, receiving })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn row(values: [Option<&str>; 6]) -> Row {
        values.iter().map(|value| value.map(str::to_owned)).collect()
    }

    #[test]
    fn a_primary_tells_its_timeline_with_the_name_of_its_segment() {
        let asked = clock::now();
        let answer = row([
            Some("f"),
            Some("0/3000028"),
            Some("0000001A0000000000000002"),
            Some("-1"),
            Some("16777216"),
            Some("f"),
        ]);
        let expected = Observation {
            asked,
            role: Role::Primary,
            timeline: Some(26),
            system_id: Some(u64::MAX),
            lsn: Lsn(0x300_0000),
            receiving: false,
        };
        assert_eq!(observation(&answer, asked), Some(expected));
    }

    #[test]
    fn a_replica_may_leave_out_what_the_role_may_not_see() {
        let asked = clock::now();
        let answer = row([Some("t"), Some("0/3000028"), None, None, Some("16777216"), Some("t")]);
        let expected = Observation {
            asked,
            role: Role::Replica,
            timeline: None,
            system_id: None,
            lsn: Lsn(0x300_0028),
            receiving: true,
        };
        assert_eq!(observation(&answer, asked), Some(expected));
    }

    #[test]
    fn what_is_no_answer_is_none() {
        let asked = clock::now();
        for answer in [
            row([None, None, None, None, None, None]),
            row([Some("x"), Some("0/1"), None, None, None, None]),
            row([Some("f"), Some("0/1"), Some("short"), None, Some("16777216"), None]),
            row([Some("t"), Some("nonsense"), None, None, None, None]),
        ] {
            assert_eq!(observation(&answer, asked), None, "{answer:?}");
        }
        assert_eq!(observation(&[], asked), None);
    }
}
