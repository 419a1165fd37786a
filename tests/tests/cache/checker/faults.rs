//! What happens to the stream, the log and the nodes while everybody goes on: one thing after the other, again and again, each until the
//! cache answers again.
//!
//! Invariant: after a fault everything is as it was before, but for the stream, which may be another one.

use std::time::{Duration, Instant};

use howdah_tests::raw::Connection;
use rustix::process::{Pid, Signal, kill_process};

use super::{BOUND, Run};
use crate::bed::eventually;

/// Longer than the bound, so that what is not told is missed.
const LONG: Duration = BOUND.saturating_mul(3);
/// Hits after which the cache is said to answer again.
const ALIVE: u64 = 500;
/// So many times as long as all of them took, nothing happens.
const CALM: u32 = 2;
/// Rounds of new definitions in a storm.
const STORM: usize = 12;

/// A thing that happens.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Fault {
    /// Who tells of changes is stopped for longer than the bound.
    SenderFrozen,
    /// It is killed while a prepared transaction is open, for which the next one waits.
    SenderKilled,
    /// The log that its slot needs is taken away, so that the slot is lost.
    SlotLost,
    /// Half a million rows in one transaction.
    MuchWritten,
    /// Commits wait for a standby that does not answer: they are told, and nobody sees them.
    StandbyStalled,
    /// Definitions change without a pause.
    Redefined,
    /// The replica that answers reads stays behind.
    ReplayPaused,
}

/// All but the last. The bed needs a standby.
pub(crate) const ALL: &[Fault] = &[
    Fault::SenderFrozen,
    Fault::SenderKilled,
    Fault::SlotLost,
    Fault::MuchWritten,
    Fault::StandbyStalled,
    Fault::Redefined,
];

/// Clients of the primary which bring it about.
struct Hands {
    direct: Connection,
    other: Connection,
}

impl Run<'_> {
    /// Brings one after the other until the end.
    pub(super) fn bring(&self, faults: &[Fault]) {
        let mut hands = Hands { direct: self.bed.direct(), other: self.bed.direct() };
        while self.goes_on() && !faults.is_empty() {
            let round = Instant::now();
            for fault in faults {
                let (begun, reads, hits) = (Instant::now(), self.reads(), self.hits());
                self.bring_one(*fault, &mut hands);
                let (took, during) = (begun.elapsed(), self.hits());
                eventually("the cache answers again", || {
                    self.hits() > during + ALIVE || !self.goes_on()
                });
                println!(
                    "{fault:?}: {took:.1?}, {} reads and {} hits in it; answered again {:.1?} later",
                    self.reads() - reads,
                    during - hits,
                    begun.elapsed() - took
                );
                if !self.goes_on() {
                    return;
                }
            }
            self.on_round();
            let (begun, calm) = (Instant::now(), round.elapsed() * CALM);
            while self.goes_on() && begun.elapsed() < calm {
                std::thread::sleep(Duration::from_millis(20));
            }
        }
    }

    fn bring_one(&self, fault: Fault, hands: &mut Hands) {
        match fault {
            Fault::SenderFrozen => {
                for _ in 0..3 {
                    self.frozen(&mut hands.direct, |_| std::thread::sleep(LONG));
                    std::thread::sleep(LONG);
                }
            }
            Fault::SenderKilled => self.killed(hands),
            Fault::SlotLost => self.lost(hands),
            Fault::MuchWritten => self.write_much(&mut hands.direct),
            Fault::StandbyStalled => self.stalled(&mut hands.direct),
            Fault::ReplayPaused => {
                let replica = &self.bed.cluster.replicas()[0];
                for _ in 0..4 {
                    replica.pause_replay().expect("it is a replica");
                    std::thread::sleep(LONG);
                    replica.resume_replay().expect("it is a replica");
                    std::thread::sleep(LONG);
                }
            }
            Fault::Redefined => (0..STORM).for_each(|_| self.redefine(&mut hands.direct)),
        }
    }

    /// While this is done nobody tells of changes.
    fn frozen(&self, direct: &mut Connection, meanwhile: impl FnOnce(&mut Connection)) {
        let sender = sender(direct);
        kill_process(sender, Signal::STOP).expect("it is there");
        meanwhile(direct);
        kill_process(sender, Signal::CONT).expect("it is there");
    }

    fn killed(&self, Hands { direct, .. }: &mut Hands) {
        let before = self.streams();
        for sql in ["BEGIN", "UPDATE fixed SET id = id WHERE id = 0", "PREPARE TRANSACTION 'held'"]
        {
            direct.run(sql);
        }
        let sender = sender(direct).as_raw_nonzero();
        direct.run(&format!("SELECT pg_terminate_backend({sender})"));
        std::thread::sleep(LONG);
        direct.run("COMMIT PREPARED 'held'");
        eventually("there is another stream", || self.streams() > before);
    }

    /// A temporary slot that somebody uses cannot be dropped by others. PostgreSQL itself does it when the log becomes too long.
    fn lost(&self, Hands { direct, other }: &mut Hands) {
        let (before, primary) = (self.streams(), self.bed.cluster.primary());
        primary.set("max_slot_wal_keep_size", "1MB").expect("a setting");
        primary.reload().expect("it reads it");
        self.frozen(direct, |direct| {
            for _ in 0..2 {
                direct.run("SELECT pg_switch_wal(), pg_logical_emit_message(false, 'test', '')");
            }
            let written = direct.value("SELECT pg_current_wal_lsn()");
            // That of the standby has to be kept.
            let others = format!("SELECT count(*) FROM pg_replication_slots WHERE NOT temporary AND restart_lsn < '{written}'");
            eventually("the standby has it", || direct.value(&others) == "0");
            // It waits for the sender, which is told to end.
            let checkpoint = howdah_tests::raw::Frames::new().query("CHECKPOINT");
            other.send(&checkpoint).expect("it is sent");
            std::thread::sleep(LONG);
        });
        other.until(b'Z', 1).expect("an answer");
        eventually("there is another stream", || self.streams() > before);
        primary.set("max_slot_wal_keep_size", "-1").expect("a setting");
        primary.reload().expect("it reads it");
    }

    fn stalled(&self, direct: &mut Connection) {
        let (primary, standby) = (self.bed.cluster.primary(), &self.bed.cluster.replicas()[0]);
        let wait_for = |names: &str| {
            primary.set("synchronous_standby_names", names).expect("a setting");
            primary.reload().expect("it reads it");
        };
        wait_for(standby.name());
        let waits = "SELECT count(*) FROM pg_stat_replication WHERE sync_state = 'sync'";
        eventually("commits wait for the standby", || direct.value(waits) == "1");
        for _ in 0..4 {
            standby.freeze().expect("it runs");
            std::thread::sleep(LONG);
            standby.thaw().expect("it was frozen");
            std::thread::sleep(BOUND);
        }
        wait_for("");
    }

    /// Streams that were begun.
    fn streams(&self) -> u64 {
        self.bed.report().stream.counters.streams
    }
}

/// The process that tells Howdah of changes.
fn sender(direct: &mut Connection) -> Pid {
    let pids = "SELECT pid FROM pg_stat_activity WHERE backend_type = 'walsender' AND application_name = 'howdah (cache)'";
    let mut pid = None;
    eventually("changes are told", || {
        pid = direct.run(pids).values().first().and_then(|pid| pid.parse().ok());
        pid.is_some()
    });
    Pid::from_raw(pid.expect("a number")).expect("a process")
}
