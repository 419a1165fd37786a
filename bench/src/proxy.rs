//! A proxy as a process of its own: started, watched until it listens, ended. Not which proxy it is: `howdah` and `pgbouncer`
//! say that.
//!
//! Invariant: the process works in the bed's workplace, so the watchdog there ends it if we cannot.

use std::fs::{self, File};
use std::net::TcpStream;
use std::path::PathBuf;
use std::process::{Child, Command};
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, bail};
use rustix::process::{Pid, Signal, kill_process};

use crate::bed::{Bed, Transport};
use crate::pgbench::Address;

/// Until it listens; under valgrind a start takes seconds.
const START_LIMIT: Duration = Duration::from_secs(30);
/// From the signal to its end; then SIGKILL.
const STOP_LIMIT: Duration = Duration::from_secs(20);
const POLL: Duration = Duration::from_millis(10);

/// A running proxy; ended when dropped.
#[derive(Debug)]
pub(crate) struct Proxy {
    child: Child,
    address: Address,
    log: PathBuf,
}

impl Proxy {
    /// Runs a command of the bed's workplace that will listen on a loopback port (and, if that is the transport, on a socket in
    /// the workplace) and waits until it does.
    pub(crate) fn start(bed: &Bed, mut command: Command, port: u16) -> Result<Self> {
        let log = bed.directory().join(format!("{port}.log"));
        let output = File::create(&log)?;
        command.stdout(output.try_clone()?).stderr(output);
        let program = command.get_program().to_string_lossy().into_owned();
        let child = command.spawn().with_context(|| format!("cannot run {program}"))?;
        let host = match bed.transport() {
            Transport::Tcp => "127.0.0.1".to_owned(),
            Transport::Unix => bed.directory().display().to_string(),
        };
        let mut proxy = Self { child, address: Address { host, port }, log };
        proxy.wait_until_it_listens().with_context(|| format!("{program} does not start"))?;
        Ok(proxy)
    }

    /// Where clients connect.
    pub(crate) fn address(&self) -> Address {
        self.address.clone()
    }

    /// Number of the process.
    pub(crate) fn pid(&self) -> u32 {
        self.child.id()
    }

    /// Ends it in order, and waits for that.
    pub(crate) fn stop(mut self) -> Result<()> {
        self.end()
    }

    fn wait_until_it_listens(&mut self) -> Result<()> {
        let deadline = Instant::now() + START_LIMIT;
        while TcpStream::connect(("127.0.0.1", self.address.port)).is_err() {
            if let Some(status) = self.child.try_wait()? {
                bail!("it ended ({status}): {}", self.log());
            }
            if Instant::now() > deadline {
                bail!("nobody listens on port {}: {}", self.address.port, self.log());
            }
            thread::sleep(POLL);
        }
        Ok(())
    }

    /// Everything it has written.
    pub(crate) fn log(&self) -> String {
        fs::read_to_string(&self.log).unwrap_or_default()
    }

    fn end(&mut self) -> Result<()> {
        if self.child.try_wait()?.is_some() {
            return Ok(());
        }
        kill_process(Pid::from_child(&self.child), Signal::TERM)?;
        let deadline = Instant::now() + STOP_LIMIT;
        while self.child.try_wait()?.is_none() {
            if Instant::now() > deadline {
                self.child.kill()?;
                self.child.wait()?;
                bail!("process {} did not end within {} s", self.child.id(), STOP_LIMIT.as_secs());
            }
            thread::sleep(POLL);
        }
        Ok(())
    }
}

impl Drop for Proxy {
    fn drop(&mut self) {
        // What does not end now is the watchdog's.
        let _late = self.end();
    }
}
