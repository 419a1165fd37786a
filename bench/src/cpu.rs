//! CPU time from /proc: of process trees, and of the whole machine. Not of threads, and no clock of its own.
//!
//! Invariant: the time of a tree never falls while its root lives, because children that were waited for are counted.

use std::collections::{HashMap, HashSet};
use std::fs;
use std::ops::Sub;

use anyhow::{Context as _, Result};
use serde::Serialize;

/// CPU time in seconds.
#[derive(Debug, Clone, Copy, Default, PartialEq, Serialize)]
pub(crate) struct Cpu {
    /// In user mode.
    pub(crate) user: f64,
    /// In the kernel.
    pub(crate) system: f64,
}

impl Cpu {
    /// Both.
    pub(crate) fn total(self) -> f64 {
        self.user + self.system
    }
}

impl Sub for Cpu {
    type Output = Self;

    fn sub(self, earlier: Self) -> Self {
        Self { user: self.user - earlier.user, system: self.system - earlier.system }
    }
}

/// One process as /proc/PID/stat has it; times in ticks.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Stat {
    name: String,
    /// Not ended (an ended process that nobody has waited for yet is still listed).
    runs: bool,
    parent: u32,
    user: u64,
    system: u64,
    reaped_user: u64,
    reaped_system: u64,
}

fn parse_stat(text: &str) -> Option<Stat> {
    let (before, after) = text.rsplit_once(')')?;
    let name = before.split_once('(')?.1.to_owned();
    // The first field after the name is number 3 of proc(5).
    let fields: Vec<&str> = after.split_whitespace().collect();
    let number = |field: usize| fields.get(field - 3)?.parse::<u64>().ok();
    Some(Stat {
        name,
        runs: !matches!(fields.first(), Some(&("Z" | "X"))),
        parent: u32::try_from(number(4)?).ok()?,
        user: number(14)?,
        system: number(15)?,
        reaped_user: number(16)?,
        reaped_system: number(17)?,
    })
}

fn seconds(ticks: u64) -> f64 {
    ticks as f64 / rustix::param::clock_ticks_per_second() as f64
}

/// All processes at one moment.
#[derive(Debug)]
pub(crate) struct Snapshot(HashMap<u32, Stat>);

impl Snapshot {
    /// Reads /proc.
    pub(crate) fn take() -> Result<Self> {
        let entries = fs::read_dir("/proc").context("cannot read /proc")?;
        let processes = entries.flatten().filter_map(|entry| {
            let pid: u32 = entry.file_name().to_str()?.parse().ok()?;
            // A process that ended meanwhile has no file any more.
            let text = fs::read_to_string(entry.path().join("stat")).ok()?;
            Some((pid, parse_stat(&text)?))
        });
        Ok(Self(processes.collect()))
    }

    /// Whether a process has not ended.
    pub(crate) fn runs(&self, pid: u32) -> bool {
        self.0.get(&pid).is_some_and(|stat| stat.runs)
    }

    /// The roots and everything below them.
    fn tree(&self, roots: &[u32]) -> HashSet<u32> {
        let mut children: HashMap<u32, Vec<u32>> = HashMap::new();
        for (&pid, stat) in &self.0 {
            children.entry(stat.parent).or_default().push(pid);
        }
        let mut found = HashSet::new();
        let mut next: Vec<u32> = roots.to_vec();
        while let Some(pid) = next.pop() {
            if self.0.contains_key(&pid) && found.insert(pid) {
                next.extend(children.get(&pid).into_iter().flatten());
            }
        }
        found
    }

    /// The process and everything below it.
    pub(crate) fn family(&self, pid: u32) -> impl Iterator<Item = u32> {
        self.tree(&[pid]).into_iter()
    }

    /// Time of the processes below `roots` and of those of their children that have ended.
    pub(crate) fn cpu(&self, roots: &[u32]) -> Cpu {
        let tree = self.tree(roots);
        let stats = tree.iter().filter_map(|pid| self.0.get(pid));
        let (user, system) = stats.fold((0, 0), |(user, system), stat| {
            (user + stat.user + stat.reaped_user, system + stat.system + stat.reaped_system)
        });
        Cpu { user: seconds(user), system: seconds(system) }
    }

    /// Names and CPU seconds since `earlier` of the busiest processes outside `roots`, busiest first.
    pub(crate) fn busiest(&self, earlier: &Self, roots: &[u32]) -> Vec<(String, f64)> {
        let ours = self.tree(roots);
        let mut others: Vec<(String, f64)> = self
            .0
            .iter()
            .filter(|(pid, _)| !ours.contains(pid))
            .filter_map(|(pid, stat)| {
                let before = earlier.0.get(pid).map_or(0, |old| old.user + old.system);
                let used = (stat.user + stat.system).checked_sub(before)?;
                (used > 0).then(|| (stat.name.clone(), seconds(used)))
            })
            .collect();
        others.sort_by(|a, b| b.1.total_cmp(&a.1));
        others
    }
}

/// CPU seconds in which the machine was not idle, summed over its processors.
pub(crate) fn machine_busy() -> Result<f64> {
    let text = fs::read_to_string("/proc/stat").context("cannot read /proc/stat")?;
    parse_machine_busy(&text).map(seconds).context("/proc/stat has no line `cpu`")
}

fn parse_machine_busy(text: &str) -> Option<u64> {
    let line = text.lines().find_map(|line| line.strip_prefix("cpu "))?;
    let fields: Vec<u64> = line.split_whitespace().map_while(|field| field.parse().ok()).collect();
    // user nice system idle iowait irq softirq steal; guest time is part of user time.
    let busy = [0, 1, 2, 5, 6, 7];
    Some(busy.iter().filter_map(|&index| fields.get(index)).sum())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_with_spaces_and_brackets_does_not_shift_the_fields() {
        let stat = parse_stat("7 (a) b (c) S 3 7 7 0 -1 0 1 2 3 4 50 60 70 80 20 0 1 0 9").unwrap();
        assert_eq!(stat.name, "a) b (c");
        assert_eq!(stat.parent, 3);
        assert_eq!((stat.user, stat.system), (50, 60));
        assert_eq!((stat.reaped_user, stat.reaped_system), (70, 80));
    }

    #[test]
    fn a_process_that_has_ended_does_not_run() {
        let mut child = std::process::Command::new("true").spawn().unwrap();
        let pid = child.id();
        while Snapshot::take().unwrap().runs(pid) {
            std::thread::yield_now();
        }
        assert!(child.wait().unwrap().success());
        assert!(!Snapshot::take().unwrap().runs(pid));
        assert!(Snapshot::take().unwrap().runs(std::process::id()));
    }

    #[test]
    fn idle_and_iowait_are_not_busy() {
        let text = "cpu  10 1 20 1000 500 2 3 4 0 0\ncpu0 1 1 1 1\n";
        assert_eq!(parse_machine_busy(text), Some(40));
        assert_eq!(parse_machine_busy("intr 1\n"), None);
    }

    #[test]
    fn a_tree_counts_grandchildren_and_children_that_have_ended() {
        let stat = |parent, user, reaped_user| Stat {
            name: String::new(),
            runs: true,
            parent,
            user,
            system: 0,
            reaped_user,
            reaped_system: 0,
        };
        let processes =
            [(1, stat(0, 1, 0)), (2, stat(1, 200, 50)), (3, stat(2, 100, 0)), (4, stat(1, 900, 0))];
        let snapshot = Snapshot(processes.into_iter().collect());
        assert_eq!(snapshot.cpu(&[2]).user, seconds(350));
        assert_eq!(snapshot.cpu(&[2, 3]).user, seconds(350));
        assert_eq!(snapshot.cpu(&[99]).total(), 0.0);
    }

    #[test]
    fn this_process_is_in_its_own_tree() {
        let snapshot = Snapshot::take().unwrap();
        assert!(snapshot.tree(&[std::process::id()]).contains(&std::process::id()));
    }
}
