//! One server process with its descendants: started, watched until ready, stopped, frozen, killed.
//!
//! Knows nothing about PostgreSQL, Redis or `PgBouncer`: they say which command to run and when it is
//! ready. Invariant: the child is waited for, so a long test run collects no zombies.

use std::fs::{self, OpenOptions};
use std::path::{Path, PathBuf};
use std::process::{Child, Command};
use std::sync::Arc;
use std::time::{Duration, Instant};

use parking_lot::Mutex;
use rustix::process::Signal;

use crate::directory::Directory;
use crate::port::free_port;
use crate::{Error, Result, process};

/// Covers crash recovery of a test's data on a busy machine.
const START_LIMIT: Duration = Duration::from_secs(60);
const STOP_LIMIT: Duration = Duration::from_secs(60);
/// The kernel stops and kills at once, except for processes that wait for a disk.
const SIGNAL_LIMIT: Duration = Duration::from_secs(20);
const POLL: Duration = Duration::from_millis(5);
const PORT_ATTEMPTS: u32 = 8;
const LOG_LINES: usize = 25;

/// A server process and the place it works in.
#[derive(Debug)]
pub(crate) struct Daemon {
    name: String,
    home: PathBuf,
    directory: Arc<Directory>,
    child: Mutex<Option<Child>>,
}

impl Daemon {
    /// A daemon that does not run yet, with a home directory of its own.
    pub(crate) fn new(directory: &Arc<Directory>, name: &str) -> Result<Self> {
        let home = directory.subdirectory(name)?;
        let directory = Arc::clone(directory);
        Ok(Self { name: name.to_owned(), home, directory, child: Mutex::new(None) })
    }

    pub(crate) fn name(&self) -> &str {
        &self.name
    }

    pub(crate) fn home(&self) -> &Path {
        &self.home
    }

    pub(crate) fn directory(&self) -> &Arc<Directory> {
        &self.directory
    }

    /// A command for this daemon or about it.
    pub(crate) fn command(&self, program: &Path) -> Command {
        self.directory.command(program, &self.home)
    }

    /// The number of the process, while it runs.
    pub(crate) fn pid(&self) -> Option<u32> {
        let mut slot = self.child.lock();
        let child = slot.as_mut()?;
        match child.try_wait() {
            Ok(None) => Some(child.id()),
            Ok(Some(_)) | Err(_) => None,
        }
    }

    /// The number of the process, which must run.
    pub(crate) fn running(&self) -> Result<u32> {
        self.pid().ok_or_else(|| Error::NotRunning { name: self.name.clone() })
    }

    /// Everything the server has written to its standard output and error.
    pub(crate) fn log(&self) -> String {
        let bytes = fs::read(self.log_path()).unwrap_or_default();
        String::from_utf8_lossy(&bytes).into_owned()
    }

    fn log_path(&self) -> PathBuf {
        self.home.join("log")
    }

    /// Starts the process and waits until `ready` says so, given its number and its log so far.
    pub(crate) fn start(
        &self,
        mut command: Command,
        mut ready: impl FnMut(u32, &str) -> bool,
    ) -> Result<()> {
        if self.pid().is_some() {
            return Err(Error::Running { name: self.name.clone() });
        }
        let path = self.log_path();
        let mut options = OpenOptions::new();
        let log =
            options.append(true).create(true).open(&path).map_err(Error::io("open", &path))?;
        let earlier = self.log().len();
        let errors = log.try_clone().map_err(Error::io("open", &path))?;
        command.stdout(log).stderr(errors);
        let child = command.spawn().map_err(Error::io("run", Path::new(command.get_program())))?;
        let pid = child.id();
        *self.child.lock() = Some(child);
        let deadline = Instant::now() + START_LIMIT;
        loop {
            let log = self.log();
            let log = log.get(earlier..).unwrap_or_default();
            if ready(pid, log) {
                return Ok(());
            }
            let reason = match self.pid() {
                None => "it ended".to_owned(),
                Some(_) if Instant::now() < deadline => {
                    std::thread::sleep(POLL);
                    continue;
                }
                Some(_) => format!("not ready after {} s", START_LIMIT.as_secs()),
            };
            self.kill()?;
            let log = self.log();
            let log = last_lines(log.get(earlier..).unwrap_or_default());
            return Err(Error::Start { name: self.name.clone(), reason, log });
        }
    }

    /// Starts the process on a free port; takes another one if somebody was faster.
    pub(crate) fn start_on_free_port(
        &self,
        mut start: impl FnMut(u16) -> Result<()>,
    ) -> Result<u16> {
        let mut attempt = 1;
        loop {
            let port = free_port()?;
            match start(port) {
                Ok(()) => return Ok(port),
                Err(Error::Start { log, .. })
                    if log.contains("Address already in use") && attempt < PORT_ATTEMPTS =>
                {
                    attempt += 1;
                }
                Err(error) => return Err(error),
            }
        }
    }

    /// Sends a signal to the process alone, and waits until it has ended.
    pub(crate) fn stop(&self, signal: Signal) -> Result<()> {
        let pid = self.running()?;
        process::signal(pid, signal);
        self.wait_end(STOP_LIMIT)
    }

    fn wait_end(&self, limit: Duration) -> Result<()> {
        let deadline = Instant::now() + limit;
        while self.pid().is_some() {
            if Instant::now() >= deadline {
                return Err(Error::Timeout { name: self.name.clone(), event: "the end", limit });
            }
            std::thread::sleep(POLL);
        }
        Ok(())
    }

    /// Kills the process and all its descendants (SIGKILL), and waits until none is left. A process
    /// that does not run stays so.
    pub(crate) fn kill(&self) -> Result<()> {
        let Some(pid) = self.pid() else { return Ok(()) };
        // Frozen first, so that nobody starts a child between being listed and being killed.
        let members = process::freeze(pid, SIGNAL_LIMIT).ok_or_else(|| self.slow("the freeze"))?;
        for member in &members {
            process::signal(*member, Signal::KILL);
        }
        if !process::wait_gone(&members, SIGNAL_LIMIT) {
            return Err(self.slow("the end"));
        }
        // A process with threads can look dead while one of them still holds its sockets; it has
        // ended when it can be waited for.
        self.wait_end(SIGNAL_LIMIT)
    }

    /// Stops the process and all its descendants in place (SIGSTOP): connections stay open and silent.
    pub(crate) fn freeze(&self) -> Result<()> {
        let pid = self.running()?;
        process::freeze(pid, SIGNAL_LIMIT).map(drop).ok_or_else(|| self.slow("the freeze"))
    }

    /// Lets a frozen process and its descendants run again.
    pub(crate) fn thaw(&self) -> Result<()> {
        process::thaw(self.running()?);
        Ok(())
    }

    fn slow(&self, event: &'static str) -> Error {
        Error::Timeout { name: self.name.clone(), event, limit: SIGNAL_LIMIT }
    }
}

impl Drop for Daemon {
    fn drop(&mut self) {
        // What does not die now is the watchdog's.
        let _late = self.kill();
    }
}

fn last_lines(log: &str) -> String {
    let lines: Vec<&str> = log.lines().collect();
    lines.get(lines.len().saturating_sub(LOG_LINES)..).unwrap_or_default().join("\n")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_end_of_a_long_log_is_told() {
        let log: String = (0..100).map(|line| format!("line {line}\n")).collect();
        let told = last_lines(&log);
        assert!(told.starts_with("line 75\n") && told.ends_with("\nline 99"), "{told}");
        assert_eq!(last_lines("one\n"), "one");
    }
}
