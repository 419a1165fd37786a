//! Clients that log in and then do nothing, to see what each costs in memory. Not a driver: it speaks just enough of the
//! protocol, through `howdah-wire`.
//!
//! Invariant: memory is read while every client is logged in and none waits for an answer.

use std::io::{Read, Write};
use std::net::TcpStream;
use std::os::unix::net::UnixStream;
use std::path::Path;
use std::thread;
use std::time::Duration;

use anyhow::{Context as _, Result, bail};
use howdah_wire::{backend, frame, frontend, startup};

use crate::bed::{Bed, DATABASE, USER};
use crate::cpu::Snapshot;
use crate::peers::{PeerSet, Pooling};
use crate::pgbench::Address;
use crate::plan::{Cell, Peer, Protocol, Workload};
use crate::results::IdleReading;

/// How many are idle at once.
const CLIENTS: u32 = 1000;
/// How many when each of them has a server.
const CLIENTS_WITH_SERVERS: u32 = 100;
/// After the last answer, before memory is read: buffers may be given back a little later.
const SETTLE: Duration = Duration::from_millis(500);
/// No answer of a working proxy takes longer.
const ANSWER_LIMIT: Duration = Duration::from_secs(10);

trait Stream: Read + Write {}
impl<T: Read + Write> Stream for T {}

/// One logged-in client.
struct Client(Box<dyn Stream>);

impl Client {
    fn login(address: &Address) -> Result<Self> {
        let stream: Box<dyn Stream> = if address.host.starts_with('/') {
            let path = Path::new(&address.host).join(format!(".s.PGSQL.{}", address.port));
            let stream = UnixStream::connect(path)?;
            stream.set_read_timeout(Some(ANSWER_LIMIT))?;
            Box::new(stream)
        } else {
            let stream = TcpStream::connect((address.host.as_str(), address.port))?;
            stream.set_read_timeout(Some(ANSWER_LIMIT))?;
            Box::new(stream)
        };
        let mut client = Self(stream);
        let mut message = Vec::new();
        startup::startup(&mut message, 0, &[("user", USER), ("database", DATABASE)]);
        client.exchange(&message).context("login of an idle client")?;
        Ok(client)
    }

    fn query(&mut self) -> Result<()> {
        let mut message = Vec::new();
        frontend::query(&mut message, b"SELECT 1");
        self.exchange(&message).context("statement of an idle client")
    }

    /// Sends a message and reads to the next `ReadyForQuery`.
    fn exchange(&mut self, message: &[u8]) -> Result<()> {
        self.0.write_all(message)?;
        let mut received = Vec::new();
        let mut chunk = [0; 4096];
        loop {
            let count = self.0.read(&mut chunk)?;
            if count == 0 {
                bail!("the connection was closed");
            }
            received.extend_from_slice(chunk.get(..count).unwrap_or_default());
            if is_ready(&received)? {
                return Ok(());
            }
        }
    }
}

/// Whether the frames so far end with `ReadyForQuery`.
fn is_ready(mut received: &[u8]) -> Result<bool> {
    let mut ready = false;
    while let Some((frame, rest)) = frame::split(received)? {
        if frame.tag == backend::tag::ERROR {
            bail!("{}", String::from_utf8_lossy(frame.body));
        }
        ready = frame.tag == backend::tag::READY_FOR_QUERY;
        received = rest;
    }
    Ok(ready && received.is_empty())
}

/// Memory of a process and all below it. One that ends meanwhile has none.
fn family_kib(pid: u32) -> Result<u64> {
    let own = howdah_local::pss_kib(pid)?;
    let snapshot = Snapshot::take()?;
    let others = snapshot.family(pid).filter(|&other| other != pid);
    Ok(own + others.filter_map(|other| howdah_local::pss_kib(other).ok()).sum::<u64>())
}

/// Starts a fresh peer, warms it up, and reads how it grows with idle clients.
pub(crate) fn measure(bed: &Bed, peer: Peer, round: usize) -> Result<IdleReading> {
    // Memory that an earlier round left free would hide the growth: hence a new process.
    let peers = PeerSet::start(bed, &[peer], Pooling::of(peer, Protocol::Simple, bed.pgbouncer()))?;
    let address = peers.address(peer)?;
    let cell = Cell { workload: Workload::Select, protocol: Protocol::Simple, clients: 32 };
    bed.pgbench().run(&address, cell, 1, None)?;
    // A direct client's memory is that of its server.
    let pid = peers.pid(peer).map_or_else(|| bed.server_pid(), Ok)?;
    let memory = || {
        thread::sleep(SETTLE);
        family_kib(pid).with_context(|| format!("cannot read the memory of {}", peer.name()))
    };
    let count = if peer.shares_servers() { CLIENTS } else { CLIENTS_WITH_SERVERS };
    let before = memory()?;
    let clients: Result<Vec<Client>> = (0..count).map(|_| Client::login(&address)).collect();
    let mut clients = clients?;
    let login = memory()?;
    clients.iter_mut().try_for_each(Client::query)?;
    let query = memory()?;
    let growth = |now: u64| (now as f64 - before as f64) / f64::from(count);
    Ok(IdleReading {
        peer,
        round,
        clients: count,
        before_kib: before,
        login_kib: growth(login),
        query_kib: growth(query),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ready() -> Vec<u8> {
        let mut bytes = Vec::new();
        backend::parameter_status_message(&mut bytes, b"a", b"b");
        backend::ready_for_query(&mut bytes, backend::TransactionStatus::Idle);
        bytes
    }

    #[test]
    fn an_answer_ends_with_its_whole_ready_for_query() {
        let bytes = ready();
        assert!(is_ready(&bytes).unwrap());
        for end in 0..bytes.len() {
            assert!(!is_ready(&bytes[..end]).unwrap());
        }
    }

    #[test]
    fn an_error_ends_the_measurement() {
        let mut bytes = Vec::new();
        let code = howdah_wire::SqlState::TOO_MANY_CONNECTIONS;
        backend::error(&mut bytes, "FATAL", code, "sorry", None, None);
        assert!(is_ready(&bytes).unwrap_err().to_string().contains("sorry"));
    }
}
