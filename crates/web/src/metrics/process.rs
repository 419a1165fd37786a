//! What the process itself uses, as Linux counts it in `/proc/self`, under the names that all programs have for it.
//!
//! Invariant: what cannot be read is left out, never guessed.

use std::fs;

use rustix::param::{clock_ticks_per_second, page_size};

/// Numbers of the process.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub(super) struct Process {
    /// Time on processors, in seconds.
    pub(super) cpu_s: Option<f64>,
    /// Memory that is not swapped out, in bytes.
    pub(super) resident: Option<f64>,
    /// Open files and sockets.
    pub(super) files: Option<f64>,
}

/// Reads them.
pub(super) fn process() -> Process {
    let text = |name: &str| fs::read_to_string(format!("/proc/self/{name}")).ok();
    let files = fs::read_dir("/proc/self/fd").ok();
    Process {
        cpu_s: text("stat").and_then(|stat| cpu(&stat)),
        resident: text("statm").and_then(|statm| resident(&statm)),
        // The directory that is being read is one of them.
        files: files.map(|files| files.count().saturating_sub(1) as f64),
    }
}

/// `utime` and `stime` of `/proc/[pid]/stat` (proc(5)); the name of the program in front of them may have spaces.
fn cpu(stat: &str) -> Option<f64> {
    let (_, fields) = stat.rsplit_once(')')?;
    let mut fields = fields.split_whitespace().skip(11);
    let mut ticks = || fields.next()?.parse::<f64>().ok();
    Some((ticks()? + ticks()?) / clock_ticks_per_second() as f64)
}

fn resident(statm: &str) -> Option<f64> {
    let pages = statm.split_whitespace().nth(1)?.parse::<f64>().ok()?;
    Some(pages * page_size() as f64)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_and_memory_are_read_where_linux_has_them() {
        let stat = "42 (a (b) c) S 1 1 1 0 -1 4 9 0 0 0 250 125 7 8 20 0 3 0 99 1 2";
        assert_eq!(cpu(stat), Some(375.0 / clock_ticks_per_second() as f64));
        assert_eq!(cpu("42 (cut"), None);
        assert_eq!(resident("1000 250 30 1 0 2 0"), Some(250.0 * page_size() as f64));
        assert_eq!(resident(""), None);
        let now = process();
        assert!(now.resident.is_some_and(|bytes| bytes > 1e5), "{now:?}");
        assert!(now.cpu_s.is_some() && now.files.is_some_and(|files| files >= 3.0), "{now:?}");
    }
}
