//! What `/proc` says about a process and its descendants, and signals to all of them.
//!
//! Not a process supervisor: nothing is remembered between calls. Invariant: only files that every
//! user may read decide who belongs to a tree, because root in a container may lack the right to look
//! into processes of other users. (Memory, in [`pss_kib`], does need that right.)

use std::collections::HashMap;
use std::fs;
use std::io;
use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal, kill_process};

const POLL: Duration = Duration::from_millis(2);

/// The fields of `/proc/<pid>/stat` that matter here.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Stat {
    pid: u32,
    parent: u32,
    state: char,
    /// User and system time in clock ticks, own and of descendants that have been waited for.
    ticks: u64,
}

impl Stat {
    fn parse(line: &str) -> Option<Self> {
        // The name in parentheses may contain anything, so the rest begins at the last one.
        let (head, rest) = line.rsplit_once(')')?;
        let pid = head.split_whitespace().next()?.parse().ok()?;
        let mut fields = rest.split_whitespace();
        let state = fields.next()?.chars().next()?;
        let parent = fields.next()?.parse().ok()?;
        let times: Vec<u64> =
            fields.skip(9).take(4).map_while(|field| field.parse().ok()).collect();
        (times.len() == 4).then(|| Self { pid, parent, state, ticks: times.iter().sum() })
    }

    fn of(pid: u32) -> Option<Self> {
        Self::parse(&fs::read_to_string(format!("/proc/{pid}/stat")).ok()?)
    }

    /// Dead, perhaps not yet waited for.
    fn is_gone(self) -> bool {
        matches!(self.state, 'Z' | 'X')
    }

    /// Makes no move until told to.
    fn is_still(self) -> bool {
        matches!(self.state, 'T' | 't') || self.is_gone()
    }
}

/// CPU time of a process and its descendants since they began, in seconds of user and system time
/// with the resolution of the clock tick (10 ms). Descendants that ended count with their parent.
///
/// # Errors
///
/// The process does not exist.
pub fn cpu_seconds(pid: u32) -> io::Result<f64> {
    let tree = tree(pid);
    if tree.is_empty() {
        return Err(io::Error::new(io::ErrorKind::NotFound, format!("no process {pid}")));
    }
    let ticks: u64 = tree.iter().map(|stat| stat.ticks).sum();
    Ok(ticks as f64 / rustix::param::clock_ticks_per_second() as f64)
}

/// Memory of a process and its descendants in KiB, shared pages counted by their share (PSS).
///
/// # Errors
///
/// The process does not exist, or belongs to somebody else.
pub fn pss_kib(pid: u32) -> io::Result<u64> {
    let rollup = |pid: u32| fs::read_to_string(format!("/proc/{pid}/smaps_rollup"));
    let own = rollup(pid)?;
    // A descendant may end between being listed and being read: it then holds nothing.
    let others = tree(pid).into_iter().filter(|stat| stat.pid != pid);
    let others = others.filter_map(|stat| rollup(stat.pid).ok());
    Ok(std::iter::once(own).chain(others).filter_map(|text| pss_line(&text)).sum())
}

fn pss_line(rollup: &str) -> Option<u64> {
    let line = rollup.lines().find_map(|line| line.strip_prefix("Pss:"))?;
    line.split_whitespace().next()?.parse().ok()
}

/// A process and all its descendants, parents before children. Empty when it does not exist. The
/// dead that nobody has waited for yet belong to it: their time is not yet in their parent's.
fn tree(pid: u32) -> Vec<Stat> {
    let mut children: HashMap<u32, Vec<Stat>> = HashMap::new();
    let entries = fs::read_dir("/proc").into_iter().flatten().flatten();
    let pids = entries.filter_map(|entry| entry.file_name().to_str()?.parse::<u32>().ok());
    for stat in pids.filter_map(Stat::of) {
        children.entry(stat.parent).or_default().push(stat);
    }
    let mut found: Vec<Stat> = Stat::of(pid).into_iter().collect();
    let mut next = 0;
    while let Some(parent) = found.get(next).map(|stat| stat.pid) {
        found.extend(children.remove(&parent).unwrap_or_default());
        next += 1;
    }
    found
}

/// Sends a signal to one process; a process that is gone is no error to anybody here.
pub(crate) fn signal(pid: u32, signal: Signal) {
    if let Some(pid) = i32::try_from(pid).ok().and_then(Pid::from_raw) {
        let _gone = kill_process(pid, signal);
    }
}

/// Stops a tree (SIGSTOP) and returns its members once none of them runs, or `None` at the limit.
///
/// A stopped process makes no children, so the answer is complete.
pub(crate) fn freeze(pid: u32, limit: Duration) -> Option<Vec<u32>> {
    let deadline = Instant::now() + limit;
    while Instant::now() < deadline {
        let members = tree(pid);
        if members.iter().all(|stat| stat.is_still()) {
            return Some(members.iter().map(|stat| stat.pid).collect());
        }
        for member in members.iter().filter(|stat| !stat.is_still()) {
            signal(member.pid, Signal::STOP);
        }
        std::thread::sleep(POLL);
    }
    None
}

/// Lets a frozen tree run again, children first: a parent must find them as it left them.
pub(crate) fn thaw(pid: u32) {
    for member in tree(pid).iter().rev() {
        signal(member.pid, Signal::CONT);
    }
}

/// Whether all of `pids` are dead within the limit. Zombies are dead.
pub(crate) fn wait_gone(pids: &[u32], limit: Duration) -> bool {
    let deadline = Instant::now() + limit;
    loop {
        if pids.iter().all(|pid| Stat::of(*pid).is_none_or(Stat::is_gone)) {
            return true;
        }
        if Instant::now() >= deadline {
            return false;
        }
        std::thread::sleep(POLL);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_stat_line_survives_a_name_with_parentheses_and_spaces() {
        let line = "42 (a) R (b) S 7 42 42 0 -1 4 9 9 9 9 10 20 3 4 20 0 1 0 5 6 7";
        let stat = Stat::parse(line).unwrap();
        assert_eq!(stat, Stat { pid: 42, parent: 7, state: 'S', ticks: 37 });
        assert_eq!(Stat::parse("42 (a) S 7"), None);
    }

    #[test]
    fn the_proportional_set_size_is_read_and_not_its_parts() {
        let text = "5581 [rollup]\nRss:  900 kB\nPss:   123 kB\nPss_Anon:  77 kB\n";
        assert_eq!(pss_line(text), Some(123));
    }

    #[test]
    fn this_process_has_used_processor_and_memory() {
        let pid = std::process::id();
        assert!(cpu_seconds(pid).unwrap() >= 0.0);
        assert!(pss_kib(pid).unwrap() > 100);
        assert!(cpu_seconds(u32::MAX).is_err());
    }
}
