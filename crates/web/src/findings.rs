//! What is wrong now, in sentences, with the evidence and what to do first. Not alerts: nobody is told who does not look.
//!
//! Invariant: a function of what is known at one moment, the worst first; each names numbers that can be looked up elsewhere.

use std::collections::BTreeSet;
use std::time::Duration;

use howdah_core::statements::{ChainTotal, ChattyTotal, Entry, Sureness};
use howdah_proxy::observe::Observer;
use howdah_proxy::report::{LockReport, NodeReport, PoolReport, SessionReport};
use serde::Serialize;

use crate::snapshot::Snapshot;

/// Clients that have waited for longer are worth a word.
const WAITED: Duration = Duration::from_secs(1);
/// So are transactions in which nothing has happened for so long.
const IDLE: Duration = Duration::from_secs(10);
/// And statements that have been running for so long.
const LONG: Duration = Duration::from_secs(30);
/// Minutes that statements are looked at over.
pub(crate) const MINUTES: u64 = 5;
/// A form is slow if its calls take so long on average, in microseconds, and all of them one part in so many of the time of all;
const SLOW: (u64, u64) = (50_000, 20);
/// or if they take less, but so many times the average of all statements, and more of the time of all.
const SLOWER: (u64, u64) = (5_000, 10);
const TIMES: u64 = 10;
/// Forms of which so many calls fail, and so many in a hundred, are worth a word.
const FAILED: u64 = 5;
const FAILED_PERCENT: u64 = 5;
/// Chains of statements that were seen so often are a pattern.
const REPEATED: u64 = 3;
/// Findings at most.
const MOST: usize = 8;

/// One thing that is wrong.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub(crate) struct Finding {
    /// `crit`, `warn` or `info`.
    pub(crate) severity: &'static str,
    pub(crate) title: String,
    pub(crate) evidence: String,
    pub(crate) action: String,
    /// The page of the dashboard that shows it.
    pub(crate) link: String,
}

/// All that is wrong. The book of statements is locked meanwhile, and nothing of it is copied: workers wait for it, too.
pub(crate) fn current(observer: &Observer, snapshot: &Snapshot) -> Vec<Finding> {
    let now = snapshot.report().uptime.as_secs();
    observer.statements(|book| findings(snapshot, &book.entries().collect::<Vec<_>>(), now))
}

fn findings(snapshot: &Snapshot, entries: &[&Entry], now: u64) -> Vec<Finding> {
    let mut found: Vec<Finding> = snapshot.report().nodes.iter().filter_map(node).collect();
    found.extend(snapshot.report().pools.iter().filter_map(pool));
    found.extend(blocked(snapshot));
    found.extend(transactions(snapshot));
    found.extend(long(snapshot));
    found.extend(slow(entries, now));
    found.extend(chain(snapshot, entries, now));
    found.extend(chatty(snapshot, entries, now));
    found.extend(failing(entries, now));
    let rank = |finding: &Finding| match finding.severity {
        "crit" => 0,
        "warn" => 1,
        _ => 2,
    };
    found.sort_by_key(rank);
    found.truncate(MOST);
    found
}

/// A time for people.
pub(crate) fn time(time: Duration) -> String {
    match time.as_secs_f64() {
        seconds if seconds >= 90.0 => format!("{:.0} min", seconds / 60.0),
        seconds if seconds >= 1.0 => format!("{seconds:.1} s"),
        seconds => format!("{:.1} ms", seconds * 1_000.0),
    }
}

fn node(node: &NodeReport) -> Option<Finding> {
    if node.breaker != "open" && node.standing != "down" {
        return None;
    }
    let since = node.down_for.map_or_else(String::new, |since| format!(" for {}", time(since)));
    let error = node.last_error.clone().unwrap_or_else(|| "no answer".to_owned());
    Some(Finding {
        severity: if node.role == "replica" { "warn" } else { "crit" },
        title: format!("Node {} has not answered{since}", node.name),
        evidence: format!("{}: {error}", node.address),
        action: "Look whether PostgreSQL runs there and can be reached: howdah check".to_owned(),
        link: "#/nodes".to_owned(),
    })
}

fn pool(pool: &PoolReport) -> Option<Finding> {
    if pool.clients_waiting == 0 || pool.oldest_wait < WAITED {
        return None;
    }
    let advice = match (&pool.last_error, &pool.advice) {
        (Some(error), _) => format!("No server can be opened: {error}"),
        _ if pool.leaks > 0 => {
            "Some clients keep servers in transactions: find them under Sessions".to_owned()
        }
        _ => "Find what keeps servers under Queries; pool.max_size makes more of them".to_owned(),
    };
    Some(Finding {
        severity: "crit",
        title: format!("Clients of {} wait for a server", pool.database),
        evidence: format!(
            "{} wait, the first for {}; {} of {} servers are busy (user {})",
            pool.clients_waiting,
            time(pool.oldest_wait),
            pool.servers_active,
            pool.max_size,
            pool.user
        ),
        action: advice,
        link: "#/pools".to_owned(),
    })
}

/// Who waits for a session, directly or behind others.
fn behind(locks: &[LockReport], holder: u32) -> BTreeSet<u32> {
    let mut found = BTreeSet::new();
    let mut next = vec![holder];
    while let Some(holder) = next.pop() {
        let waiters = locks.iter().filter(|lock| lock.holder == holder).map(|lock| lock.waiter);
        next.extend(waiters.filter(|waiter| found.insert(*waiter)));
    }
    found
}

/// The session that holds back most.
fn blocked(snapshot: &Snapshot) -> Option<Finding> {
    let locks = &snapshot.report().locks;
    // Who waits is not the cause.
    let waits = |pid: u32| locks.iter().any(|lock| lock.waiter == pid);
    let causes = locks.iter().filter(|lock| !waits(lock.holder));
    let of = |lock: &LockReport| behind(locks, lock.holder);
    let lock = causes.max_by_key(|lock| (of(lock).len(), lock.waited))?;
    let held = of(lock);
    let waiting = locks.iter().filter(|lock| held.contains(&lock.waiter));
    let first = waiting.max_by_key(|lock| lock.waited)?;
    let session = snapshot.clients().find(|session| session.server == Some(lock.holder));
    let who = match session {
        Some(session) => format!("{} ({})", name(session), session.address),
        None if lock.holder_application.is_empty() => lock.holder_address.clone(),
        None => lock.holder_application.clone(),
    };
    let open = lock.transaction.map_or_else(String::new, |open| format!(" for {}", time(open)));
    Some(Finding {
        severity: "crit",
        title: match held.len() {
            1 => "A session blocks another: it holds a lock".to_owned(),
            many => format!("A session blocks {many} others: it holds a lock"),
        },
        evidence: format!(
            "{who}, user {} on {}, server process {}, is {}, its transaction open{open}, its last statement: {} — the first has waited for {}: {}",
            lock.holder_user,
            lock.database,
            lock.holder,
            lock.holder_state,
            brief(&lock.last_statement),
            time(first.waited),
            brief(&first.statement)
        ),
        action: match session {
            Some(session) => format!(
                "Sessions can cancel or disconnect it (process {}); then have the application commit sooner",
                session.process_id
            ),
            None => format!(
                "It is not connected through Howdah: SELECT pg_terminate_backend({}) ends it",
                lock.holder
            ),
        },
        link: "#/sessions".to_owned(),
    })
}

fn transactions(snapshot: &Snapshot) -> Option<Finding> {
    let idle = |session: &&SessionReport| {
        session.state == "idle in transaction" && session.requested >= IDLE
    };
    let mut sessions: Vec<&SessionReport> = snapshot.clients().filter(idle).collect();
    sessions.sort_by_key(|session| std::cmp::Reverse(session.requested));
    let first = sessions.first()?;
    Some(Finding {
        severity: "warn",
        title: match sessions.len() {
            1 => "A transaction is open and nobody works in it".to_owned(),
            many => format!("{many} transactions are open and nobody works in them"),
        },
        evidence: format!(
            "{}, user {} on {} from {}: idle for {} with a server that others could use",
            name(first),
            first.user,
            first.database,
            first.address,
            time(first.requested)
        ),
        action:
            "Have the application commit sooner; pool.transaction_timeout ends such transactions"
                .to_owned(),
        link: "#/sessions".to_owned(),
    })
}

fn long(snapshot: &Snapshot) -> Option<Finding> {
    let runs = |session: &&SessionReport| session.state == "active" && session.requested >= LONG;
    let session = snapshot.clients().filter(runs).max_by_key(|session| session.requested)?;
    Some(Finding {
        severity: "warn",
        title: format!("A statement has been running for {}", time(session.requested)),
        evidence: format!(
            "{}, user {} on {}, server process {}",
            name(session),
            session.user,
            session.database,
            session.server.map_or_else(|| "unknown".to_owned(), |pid| pid.to_string())
        ),
        action: "Sessions shows it and can cancel it".to_owned(),
        link: "#/sessions".to_owned(),
    })
}

fn name(session: &SessionReport) -> String {
    if session.application.is_empty() {
        format!("session {}", session.process_id)
    } else {
        session.application.clone()
    }
}

/// Calls, time and errors of a form within the last minutes.
pub(crate) fn recent(entry: &Entry, now: u64) -> (u64, u64, u64) {
    let since = (now / 60).saturating_sub(MINUTES);
    let minutes = entry.minutes.iter().filter(|minute| minute.number >= since);
    minutes.fold((0, 0, 0), |(calls, time, errors), minute| {
        (calls + minute.calls, time + minute.time_us, errors + minute.errors)
    })
}

/// Calls, and their time in microseconds.
#[derive(Debug, Clone, Copy, Default)]
struct Work {
    calls: u64,
    time_us: u64,
}

impl Work {
    /// Whether this much of the work of all is worth a word.
    fn is_slow(self, all: Self) -> bool {
        let beyond = |(average, part): (u64, u64)| {
            self.time_us >= self.calls * average && self.time_us * part >= all.time_us
        };
        // This average is so many times that of all.
        let slower = u128::from(self.time_us) * u128::from(all.calls)
            >= u128::from(TIMES * all.time_us) * u128::from(self.calls);
        self.calls > 0 && (beyond(SLOW) || slower && beyond(SLOWER))
    }
}

fn slow(entries: &[&Entry], now: u64) -> Option<Finding> {
    let work = |entry: &Entry| {
        let (calls, time_us, _) = recent(entry, now);
        Work { calls, time_us }
    };
    let all = entries.iter().map(|entry| work(entry)).fold(Work::default(), |all, one| Work {
        calls: all.calls + one.calls,
        time_us: all.time_us + one.time_us,
    });
    let known = entries.iter().filter(|entry| entry.fingerprint.is_some());
    let slow = known.map(|entry| (entry, work(entry))).filter(|(_, work)| work.is_slow(all));
    let (entry, Work { calls, time_us }) = slow.max_by_key(|(_, work)| work.time_us)?;
    Some(Finding {
        severity: "warn",
        title: format!(
            "One statement takes {:.0} % of the time of all",
            100.0 * time_us as f64 / all.time_us.max(1) as f64
        ),
        evidence: format!(
            "{} on average, {calls} calls within {MINUTES} minutes: {}",
            time(Duration::from_micros(time_us / calls)),
            brief(&entry.text)
        ),
        action: "EXPLAIN (ANALYZE, BUFFERS) it: an index, or less to read, is the usual cure"
            .to_owned(),
        link: link(entry),
    })
}

fn chain(snapshot: &Snapshot, entries: &[&Entry], now: u64) -> Option<Finding> {
    let fresh = |chain: &&ChainTotal| {
        chain.seen.times >= REPEATED
            && chain.seen.sureness() == Sureness::Certain
            && now.saturating_sub(chain.last) <= 60 * MINUTES
    };
    let chain = snapshot.chains.iter().filter(fresh).max_by_key(|chain| chain.seen.calls)?;
    let text = |fingerprint| text(entries, fingerprint);
    Some(Finding {
        severity: "warn",
        title: "A statement runs once for every row of another (N+1)".to_owned(),
        evidence: format!(
            "{} times, {} calls each, user {} on {}: {} — once for every row of: {}",
            chain.seen.times,
            chain.seen.calls / chain.seen.times.max(1),
            chain.user,
            chain.database,
            text(chain.child),
            chain.parent.map_or_else(|| "something that was not seen".to_owned(), text)
        ),
        action: "Ask once for all of them: WHERE … = ANY($1), or a join".to_owned(),
        link: format!("#/queries/{:016x}", chain.child),
    })
}

/// Transactions in which the application talks more than the server works.
fn chatty(snapshot: &Snapshot, entries: &[&Entry], now: u64) -> Option<Finding> {
    let fresh = |total: &&ChattyTotal| {
        total.times >= REPEATED && now.saturating_sub(total.seen) <= 60 * MINUTES
    };
    let idle = |total: &ChattyTotal| total.sum.lasted_us.saturating_sub(total.sum.served_us);
    let total = snapshot.chatty.iter().filter(fresh).max_by_key(|total| idle(total))?;
    let (sum, times) = (&total.sum, total.times.max(1));
    let (form, run) = sum.longest;
    let each = Duration::from_micros(sum.lasted_us / times);
    let alone = run * 2 >= sum.requests / times;
    Some(Finding {
        severity: "warn",
        title: format!(
            "Transactions take {} round trips, and their server mostly waits",
            sum.requests / times
        ),
        evidence: format!(
            "{times} times, {} each, {:.0} % of it nobody works, user {} on {}; the first statement: {}{}",
            time(each),
            100.0 * idle(total) as f64 / sum.lasted_us.max(1) as f64,
            total.user,
            total.database,
            text(entries, sum.first),
            if run > 1 {
                format!("; {run} times in a row: {}", text(entries, form))
            } else {
                String::new()
            },
        ),
        action: if alone {
            format!(
                "One statement for the {run}: WHERE … = ANY($1), INSERT of several rows, or COPY"
            )
        } else {
            "Send what does not depend on answers together (a pipeline), and compute before BEGIN"
                .to_owned()
        },
        link: format!("#/queries/{:016x}", if alone { form } else { sum.first }),
    })
}

/// The text of a form as far as it is known.
fn text(entries: &[&Entry], fingerprint: u64) -> String {
    let entry = entries.iter().find(|entry| entry.fingerprint == Some(fingerprint));
    entry.map_or_else(|| format!("{fingerprint:016x}"), |entry| brief(&entry.text))
}

fn failing(entries: &[&Entry], now: u64) -> Option<Finding> {
    let of = entries.iter().map(|entry| (*entry, recent(entry, now)));
    let failing = |(entry, (calls, _, errors)): &(&Entry, (u64, u64, u64))| {
        entry.fingerprint.is_some() && *errors >= FAILED && errors * 100 >= calls * FAILED_PERCENT
    };
    let (entry, (calls, _, errors)) = of.filter(failing).max_by_key(|(_, (.., errors))| *errors)?;
    Some(Finding {
        severity: "warn",
        title: format!("{errors} of {calls} calls of one statement failed"),
        evidence: format!(
            "within {MINUTES} minutes, user {} on {}: {}",
            entry.user,
            entry.database,
            brief(&entry.text)
        ),
        action:
            "The log of PostgreSQL has the words; the page of the statement says whose fault it is"
                .to_owned(),
        link: link(entry),
    })
}

fn link(entry: &Entry) -> String {
    match entry.fingerprint {
        Some(fingerprint) => format!("#/queries/{fingerprint:016x}"),
        None => "#/queries".to_owned(),
    }
}

/// A form on one line.
fn brief(text: &str) -> String {
    const SHOWN: usize = 160;
    if text.chars().count() <= SHOWN {
        return text.to_owned();
    }
    text.chars().take(SHOWN).chain(['…']).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_takes_much_is_slow_and_what_only_comes_often_is_not() {
        let slow = |calls, time_us, all_calls, all_us| {
            Work { calls, time_us }.is_slow(Work { calls: all_calls, time_us: all_us })
        };
        assert!(slow(2, 100_000, 1_000, 2_000_000), "50 ms each, a twentieth of all");
        assert!(!slow(2, 99_999, 2, 99_999), "less on average, and that of all");
        assert!(!slow(2, 100_000, 1_000, 2_000_001), "less than a twentieth");
        assert!(slow(40, 800_000, 10_000, 8_000_000), "20 ms where others take less than 1");
        assert!(!slow(40, 800_000, 1_000, 8_000_000), "not ten times the others");
        assert!(!slow(39, 780_000, 10_000, 8_000_000), "less than a tenth");
        assert!(!slow(9_000, 900_000, 10_000, 1_000_000), "many short ones");
        assert!(!slow(0, 0, 0, 0));
    }
}
