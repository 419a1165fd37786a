//! What is measured: the cells of a run and the order of its peers. Not how.
//!
//! Invariant: over as many rounds as there are peers, each peer is first, second, … equally often in every cell.

use clap::ValueEnum;
use serde::Serialize;

/// What answers the clients of a cell.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, ValueEnum, Serialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Peer {
    /// PostgreSQL itself.
    Direct,
    /// Howdah in transaction mode, a server for each request.
    Howdah,
    /// The same, and waiting reads of several clients share a flight (`pool.share`).
    Flights,
    /// The same as it comes: that, and a server on this machine is reached by its Unix socket (`[[cluster.node]] socket`).
    Defaults,
    /// Howdah, a server for each request, with two workers.
    Howdah2,
    /// Howdah, a server for each request, with two replicas that reads go to.
    Replicas,
    /// The same nodes, and everything goes to the primary.
    Primary,
    /// Howdah, a server for each request, with everything that sees: statements counted, dashboard, history, alerts.
    Seeing,
    /// The same, and nothing is counted, kept or shown.
    Blind,
    /// Like the former, and advice is looked for every three seconds, which otherwise is once an hour.
    Advised,
    /// Howdah, a server for each request, and answers come from the cache; PostgreSQL has to tell of changes (`zipf`).
    #[value(skip)]
    Caching,
    /// `PgBouncer`, in transaction mode where it can.
    #[value(name = "pgbouncer")]
    PgBouncer,
    /// The same with the server's Unix socket in its configuration.
    #[value(name = "pgbouncer-socket")]
    PgBouncerSocket,
    /// `pgpool-II`, which keeps a server for each client.
    #[value(name = "pgpool")]
    PgPool,
    /// `HAProxy`, which passes bytes on, with a server for each client.
    #[value(name = "haproxy")]
    HaProxy,
}

impl Peer {
    /// Its name in tables.
    pub(crate) const fn name(self) -> &'static str {
        match self {
            Self::Direct => "direct",
            Self::Howdah => "Howdah",
            Self::Flights => "Howdah, flights",
            Self::Defaults => "Howdah, defaults",
            Self::Howdah2 => "Howdah, 2 workers",
            Self::Replicas => "Howdah, replicas",
            Self::Primary => "Howdah, primary of three",
            Self::Seeing => "Howdah, telemetry",
            Self::Blind => "Howdah, no telemetry",
            Self::Advised => "Howdah, advice every 3 s",
            Self::Caching => "Howdah, cache",
            Self::PgBouncer => "PgBouncer",
            Self::PgBouncerSocket => "PgBouncer, socket",
            Self::PgPool => "pgpool-II",
            Self::HaProxy => "HAProxy",
        }
    }

    /// How Howdah is set for it; `None`: somebody else.
    pub(crate) const fn howdah(self) -> Option<Variant> {
        match self {
            Self::Howdah => Some(Variant::PLAIN),
            Self::Flights => Some(Variant { share: "reads", ..Variant::PLAIN }),
            Self::Defaults => Some(Variant { share: "reads", socket: "auto", ..Variant::PLAIN }),
            Self::Howdah2 => Some(Variant { workers: 2, ..Variant::PLAIN }),
            Self::Replicas => Some(Variant { policy: Some("prefer_replica"), ..Variant::PLAIN }),
            Self::Primary => Some(Variant { policy: Some("primary"), ..Variant::PLAIN }),
            Self::Seeing => Some(Variant { telemetry: Some(Sight::All), ..Variant::PLAIN }),
            Self::Blind => Some(Variant { telemetry: Some(Sight::Nothing), ..Variant::PLAIN }),
            Self::Advised => Some(Variant { telemetry: Some(Sight::Advice), ..Variant::PLAIN }),
            Self::Caching => Some(Variant { cache: true, share: "reads", ..Variant::PLAIN }),
            Self::Direct
            | Self::PgBouncer
            | Self::PgBouncerSocket
            | Self::PgPool
            | Self::HaProxy => None,
        }
    }

    /// Whether it is `PgBouncer`, and then whether that reaches the server by its Unix socket.
    pub(crate) const fn pgbouncer(self) -> Option<bool> {
        match self {
            Self::PgBouncer => Some(false),
            Self::PgBouncerSocket => Some(true),
            Self::Direct
            | Self::Howdah
            | Self::Flights
            | Self::Defaults
            | Self::Howdah2
            | Self::Replicas
            | Self::Primary
            | Self::Seeing
            | Self::Blind
            | Self::Advised
            | Self::Caching
            | Self::PgPool
            | Self::HaProxy => None,
        }
    }

    /// Whether several clients can take turns on one server: what a pool is for.
    pub(crate) const fn shares_servers(self) -> bool {
        self.howdah().is_some() || self.pgbouncer().is_some()
    }
}

/// How much of Howdah looks.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Sight {
    /// Nothing.
    Nothing,
    /// Everything, but for advice, whose first look comes after the run.
    All,
    /// Everything, and advice all the time.
    Advice,
}

/// What a run changes in Howdah's configuration.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Variant {
    /// `listen.workers`.
    pub(crate) workers: u32,
    /// `pool.share`.
    pub(crate) share: &'static str,
    /// `socket` of the node.
    pub(crate) socket: &'static str,
    /// `route.policy`, with two replicas; `None`: there is one node.
    pub(crate) policy: Option<&'static str>,
    /// What sees; `None`: as it comes, without a file for the past.
    pub(crate) telemetry: Option<Sight>,
    /// `cache.mode`, with a publication of this name in the database: `howdah`.
    pub(crate) cache: bool,
}

impl Variant {
    /// A server for each request, by TCP, of one node.
    const PLAIN: Self = Self {
        workers: 1,
        share: "off",
        socket: "off",
        policy: None,
        telemetry: None,
        cache: false,
    };
}

/// A group of cells.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, ValueEnum, Serialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Workload {
    /// `pgbench -S`: one point read per transaction.
    Select,
    /// `pgbench` as it comes: three updates, a read and an insert in a transaction.
    Tpcb,
    /// `pgbench -S -C`: a new connection for every read.
    Storm,
    /// 1,000 clients that do nothing.
    Idle,
    /// Point reads, among them 5 % statements of 20 ms and 1 % of 500 ms.
    Mixed,
    /// The same in one form: how long a statement runs is in its parameter.
    Alike,
    /// As mixed, and every second a statement of 20 ms in a form that nobody has seen before.
    Unseen,
}

impl Workload {
    /// Heading of its table.
    pub(crate) const fn title(self) -> &'static str {
        match self {
            Self::Select => "Point reads (`pgbench -S`)",
            Self::Tpcb => "Read-write transactions (TPC-B)",
            Self::Storm => "Connection storm (`pgbench -S -C`: a new connection for every read)",
            Self::Idle => "Idle clients",
            Self::Mixed => {
                "Point reads among slow statements (5 % of 20 ms, 1 % of 500 ms); latencies are those of the point reads"
            }
            Self::Alike => "The same, all in one form: how long a statement runs is its parameter",
            Self::Unseen => {
                "The first, and every second a slow statement in a form never seen before"
            }
        }
    }

    /// What its CPU column is per.
    pub(crate) const fn unit(self) -> &'static str {
        match self {
            Self::Select | Self::Mixed | Self::Alike | Self::Unseen => "query",
            Self::Tpcb => "transaction",
            Self::Storm => "connection",
            Self::Idle => "client",
        }
    }

    /// Whether slow statements are among the short ones.
    pub(crate) const fn has_slow_statements(self) -> bool {
        matches!(self, Self::Mixed | Self::Alike | Self::Unseen)
    }
}

/// How statements are sent: `pgbench -M`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, ValueEnum, Serialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Protocol {
    /// Query messages with literals.
    Simple,
    /// Parse, Bind, Describe, Execute, Sync every time.
    Extended,
    /// Parsed once per connection.
    Prepared,
}

impl Protocol {
    /// Its name for `pgbench -M` and in tables.
    pub(crate) const fn name(self) -> &'static str {
        match self {
            Self::Simple => "simple",
            Self::Extended => "extended",
            Self::Prepared => "prepared",
        }
    }
}

/// One line of a table: what every peer does in every round.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize)]
pub(crate) struct Cell {
    /// What the clients do.
    pub(crate) workload: Workload,
    /// How they say it.
    pub(crate) protocol: Protocol,
    /// How many they are.
    pub(crate) clients: u32,
}

impl Cell {
    /// Threads of pgbench. Two, as everywhere, unless that would hang: pgbench prepares statements with a call that blocks its
    /// whole thread, and behind a pool with fewer servers than clients it blocks the very clients whose open transactions hold
    /// the servers.
    pub(crate) const fn threads(self) -> u32 {
        match (self.workload, self.protocol) {
            (Workload::Tpcb, Protocol::Prepared) => self.clients,
            _ if self.clients == 1 => 1,
            _ => 2,
        }
    }

    /// In words.
    pub(crate) fn describe(self) -> String {
        let workload = match self.workload {
            Workload::Select => "reads",
            Workload::Tpcb => "TPC-B",
            Workload::Storm => "storm",
            Workload::Idle => "idle",
            Workload::Mixed => "mixed",
            Workload::Alike => "alike",
            Workload::Unseen => "unseen",
        };
        let clients = if self.clients == 1 { "client" } else { "clients" };
        format!("{workload} {} {} {clients}", self.protocol.name(), self.clients)
    }

    /// Share of transactions whose latency is logged, so that some 10,000 are: the log must not be the load.
    pub(crate) const fn sampling(self) -> Option<&'static str> {
        match (self.workload, self.clients) {
            (Workload::Tpcb | Workload::Mixed | Workload::Alike | Workload::Unseen, _) => Some("1"),
            (Workload::Select, 1) => Some("0.25"),
            (Workload::Select, _) => Some("0.05"),
            // pgbench starts its clock after the connection is made: that would be the latency of something else.
            (Workload::Storm | Workload::Idle, _) => None,
        }
    }
}

/// Cells of `pgbench` for the workloads of `only` (all but those with slow statements when empty); `quick` leaves out the most
/// clients.
pub(crate) fn cells(only: &[Workload], quick: bool) -> Vec<Cell> {
    let wanted = |workload: Workload| {
        only.contains(&workload) || only.is_empty() && !workload.has_slow_statements()
    };
    let counts: &[u32] = if quick { &[1, 32] } else { &[1, 32, 200] };
    let mut cells = Vec::new();
    if wanted(Workload::Select) {
        for protocol in [Protocol::Simple, Protocol::Extended, Protocol::Prepared] {
            cells.extend(counts.iter().map(|&clients| Cell {
                workload: Workload::Select,
                protocol,
                clients,
            }));
        }
    }
    if wanted(Workload::Tpcb) {
        cells.extend([Protocol::Simple, Protocol::Prepared].map(|protocol| Cell {
            workload: Workload::Tpcb,
            protocol,
            clients: 32,
        }));
    }
    if wanted(Workload::Storm) {
        cells.push(Cell { workload: Workload::Storm, protocol: Protocol::Simple, clients: 32 });
    }
    for (workload, protocol) in [
        (Workload::Mixed, Protocol::Simple),
        (Workload::Alike, Protocol::Extended),
        (Workload::Unseen, Protocol::Simple),
    ] {
        if wanted(workload) {
            let crowds = counts.iter().filter(|&&clients| clients > 1);
            cells.extend(crowds.map(|&clients| Cell { workload, protocol, clients }));
        }
    }
    cells
}

/// The peers in the order of this round and cell.
pub(crate) fn rotated(peers: &[Peer], round: usize, cell: usize) -> Vec<Peer> {
    let mut order = peers.to_vec();
    if !order.is_empty() {
        order.rotate_left((round + cell) % peers.len());
    }
    order
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_peer_is_first_once_in_as_many_rounds_as_peers() {
        let peers = [Peer::Direct, Peer::Howdah, Peer::PgBouncer];
        for cell in 0..4 {
            for peer in peers {
                let first =
                    (0..3).filter(|&round| rotated(&peers, round, cell).first() == Some(&peer));
                assert_eq!(first.count(), 1);
            }
        }
        assert!(rotated(&[], 1, 1).is_empty());
    }

    #[test]
    fn no_thread_of_pgbench_has_two_clients_that_prepare_inside_transactions() {
        for cell in cells(&[], false) {
            let alone = cell.threads() == cell.clients;
            assert!(
                alone || cell.workload != Workload::Tpcb || cell.protocol != Protocol::Prepared
            );
            assert!(cell.threads() <= cell.clients);
        }
    }

    #[test]
    fn a_whole_run_has_every_workload_of_pgbench() {
        let all = cells(&[], false);
        assert_eq!(all.len(), 9 + 2 + 1);
        assert!(cells(&[Workload::Idle], false).is_empty());
        assert_eq!(cells(&[Workload::Mixed, Workload::Unseen], false).len(), 4);
        assert!(cells(&[], true).iter().all(|cell| cell.clients <= 32));
    }
}
