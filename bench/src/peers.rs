//! The peers that run at one time, and how each of them pools. Not how they are started.
//!
//! Invariant: a direct connection has a address and no process.

use anyhow::{Context as _, Result};

use crate::bed::Bed;
use crate::pgbench::Address;
use crate::pgbouncer::Program;
use crate::plan::{Peer, Protocol};
use crate::proxy::Proxy;
use crate::{haproxy, howdah, pgpool};

/// When a server goes back to its pool.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Pooling {
    /// At the end of each transaction.
    Transaction,
    /// When the client leaves: one server for each client.
    Session,
}

impl Pooling {
    /// Transactions, unless the peer cannot do the protocol that way.
    pub(crate) fn of(peer: Peer, protocol: Protocol, pgbouncer: Option<&Program>) -> Self {
        let old = pgbouncer.is_some_and(|program| !program.prepares_in_transaction_mode());
        match peer {
            Peer::PgPool | Peer::HaProxy => Self::Session,
            Peer::PgBouncer | Peer::PgBouncerSocket if protocol == Protocol::Prepared && old => {
                Self::Session
            }
            Peer::Direct
            | Peer::Howdah
            | Peer::Flights
            | Peer::Defaults
            | Peer::Howdah2
            | Peer::Replicas
            | Peer::Primary
            | Peer::Seeing
            | Peer::Blind
            | Peer::Advised
            | Peer::Caching
            | Peer::PgBouncer
            | Peer::PgBouncerSocket => Self::Transaction,
        }
    }
}

/// Running peers.
#[derive(Debug)]
pub(crate) struct PeerSet<'a> {
    bed: &'a Bed,
    proxies: Vec<(Peer, Proxy)>,
}

impl<'a> PeerSet<'a> {
    /// Starts those of `peers` that are processes.
    pub(crate) fn start(bed: &'a Bed, peers: &[Peer], pooling: Pooling) -> Result<Self> {
        let mut proxies = Vec::new();
        for &peer in peers {
            if let Some(variant) = peer.howdah() {
                proxies.push((peer, howdah::start(bed, &[], variant)?));
            }
            match peer {
                Peer::Direct
                | Peer::Howdah
                | Peer::Flights
                | Peer::Defaults
                | Peer::Howdah2
                | Peer::Replicas
                | Peer::Primary
                | Peer::Seeing
                | Peer::Blind
                | Peer::Advised
                | Peer::Caching => {}
                Peer::PgPool => proxies.push((peer, pgpool::start(bed)?)),
                Peer::HaProxy => proxies.push((peer, haproxy::start(bed)?)),
                Peer::PgBouncer | Peer::PgBouncerSocket => {
                    let program = bed.pgbouncer().context("PgBouncer was not looked for")?;
                    let by_socket = peer.pgbouncer() == Some(true);
                    proxies.push((peer, program.start(bed, pooling, by_socket)?));
                }
            }
        }
        Ok(Self { bed, proxies })
    }

    /// Where clients of a peer connect.
    pub(crate) fn address(&self, peer: Peer) -> Result<Address> {
        if peer == Peer::Direct {
            return Ok(self.bed.server());
        }
        let proxy = self.proxy(peer).with_context(|| format!("{} does not run", peer.name()))?;
        Ok(proxy.address())
    }

    /// Process of a peer.
    pub(crate) fn pid(&self, peer: Peer) -> Option<u32> {
        self.proxy(peer).map(Proxy::pid)
    }

    /// What a peer has logged.
    pub(crate) fn log(&self, peer: Peer) -> String {
        self.proxy(peer).map(Proxy::log).unwrap_or_default()
    }

    /// Processes of all of them.
    pub(crate) fn pids(&self) -> impl Iterator<Item = u32> {
        self.proxies.iter().map(|(_, proxy)| proxy.pid())
    }

    fn proxy(&self, peer: Peer) -> Option<&Proxy> {
        self.proxies.iter().find(|(known, _)| *known == peer).map(|(_, proxy)| proxy)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_old_pgbouncer_pools_sessions_for_prepared_statements_and_others_always() {
        let (old, new) = (Program::with_version(1, 18), Program::with_version(1, 25));
        let session =
            |peer, protocol, program| Pooling::of(peer, protocol, program) == Pooling::Session;
        assert!(session(Peer::PgBouncer, Protocol::Prepared, Some(&old)));
        assert!(!session(Peer::PgBouncer, Protocol::Prepared, Some(&new)));
        assert!(!session(Peer::PgBouncer, Protocol::Extended, Some(&old)));
        assert!(!session(Peer::Howdah, Protocol::Prepared, Some(&old)));
        assert!(session(Peer::HaProxy, Protocol::Simple, None));
        assert!(session(Peer::PgPool, Protocol::Simple, None));
    }
}
