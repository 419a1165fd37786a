//! Looking at a PostgreSQL server directly: can this user log in, which version, which role, how many connections. Changes nothing.

use std::fmt;
use std::time::{Duration, Instant};

pub(crate) use howdah::login::{Login, Refused, connect, text};

/// What a server says about itself.
#[derive(Debug, Clone, serde::Serialize)]
pub(crate) struct Facts {
    /// For people: `15.8`.
    pub(crate) version: String,
    /// For comparing: 150008.
    pub(crate) version_number: u32,
    /// Whether it is a replica now.
    pub(crate) replica: bool,
    /// `max_connections`.
    pub(crate) max_connections: u32,
    /// Of these, kept for superusers.
    pub(crate) reserved: u32,
    /// Connections of clients now, ours not counted.
    pub(crate) used: u32,
    /// `wal_level`.
    pub(crate) wal_level: String,
    /// What the connection is encrypted with, as `TLSv1.3/TLS_AES_256_GCM_SHA384`.
    pub(crate) tls: Option<String>,
    /// One round trip, in microseconds.
    pub(crate) round_trip_us: u64,
}

impl fmt::Display for Facts {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let role = if self.replica { "replica" } else { "primary" };
        let away = Duration::from_micros(self.round_trip_us).as_secs_f64() * 1_000.0;
        write!(
            f,
            "PostgreSQL {}, {role}, {away:.2} ms away, {}; {} of {} connections in use",
            self.version,
            self.tls.as_deref().unwrap_or("not encrypted"),
            self.used,
            self.max_connections
        )
    }
}

/// Logs in and asks.
pub(crate) async fn facts(login: &Login, limit: Duration) -> Result<Facts, Refused> {
    const ASK: &str = "SELECT current_setting('server_version'), current_setting('server_version_num')::int, \
        pg_is_in_recovery(), current_setting('max_connections')::int, \
        current_setting('superuser_reserved_connections')::int, \
        (SELECT count(*)::int FROM pg_stat_activity WHERE backend_type = 'client backend' AND pid <> pg_backend_pid()), \
        current_setting('wal_level')";
    let (client, tls) = connect(login, limit).await?;
    let ask = async {
        let row = client.query_one(ASK, &[]).await?;
        let begin = Instant::now();
        client.simple_query("").await?;
        Ok((row, begin.elapsed()))
    };
    let late = |_| Refused {
        reason: format!("logged in, but no answer within {} s", limit.as_secs()),
        fix: "look at the load of the server".to_owned(),
        unreachable: true,
    };
    let asked: Result<_, tokio_postgres::Error> =
        tokio::time::timeout(limit, ask).await.map_err(late)?;
    let (row, round_trip) = asked?;
    let count = |at: usize| u32::try_from(row.get::<_, i32>(at)).unwrap_or(0);
    let version: String = row.get(0);
    Ok(Facts {
        version: version.split(' ').next().unwrap_or_default().to_owned(),
        version_number: count(1),
        replica: row.get(2),
        max_connections: count(3),
        reserved: count(4),
        used: count(5),
        wal_level: row.get(6),
        tls,
        round_trip_us: u64::try_from(round_trip.as_micros()).unwrap_or(u64::MAX),
    })
}
