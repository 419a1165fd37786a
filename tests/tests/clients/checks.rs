//! What drivers' checks are made of: where to connect, which checks passed, how many servers were seen.
//!
//! A check does not know whether PostgreSQL itself or Howdah answers.

use std::fmt::Display;
use std::time::Duration;

/// How long one check may take.
const LIMIT: Duration = Duration::from_secs(30);

/// Where a driver connects, and as whom.
#[derive(Debug, Clone)]
pub(crate) struct Place {
    pub(crate) port: u16,
    pub(crate) user: String,
    pub(crate) password: String,
    pub(crate) database: String,
    /// More of the environment of programs.
    pub(crate) environment: Vec<(&'static str, String)>,
}

impl Place {
    /// The loopback address.
    pub(crate) const HOST: &'static str = "127.0.0.1";
}

/// What became of a driver's checks.
#[derive(Debug, Default)]
pub(crate) struct Outcome {
    pub(crate) passed: Vec<String>,
    pub(crate) failed: Vec<String>,
    /// For each connection that counted: by how many servers it was served.
    pub(crate) servers: Vec<usize>,
}

impl Outcome {
    /// Reads what a program of `tests/clients` has printed.
    pub(crate) fn of_output(output: &str) -> Self {
        let mut outcome = Self::default();
        for line in output.lines() {
            match line.split_once(' ') {
                Some(("ok", name)) => outcome.passed.push(name.to_owned()),
                Some(("FAIL", what)) => outcome.failed.push(what.to_owned()),
                Some(("servers", count)) => outcome.servers.push(count.parse().unwrap()),
                _ => {}
            }
        }
        outcome
    }

    /// Whether a program's last line tells of as many checks.
    pub(crate) fn counts_are(&self, line: &str) -> bool {
        line == format!("{} ok, {} failed", self.passed.len(), self.failed.len())
    }

    /// Runs one check; a panic or too much time fails it.
    pub(crate) async fn run(
        &mut self,
        name: &str,
        check: impl Future<Output = ()> + Send + 'static,
    ) {
        let mut task = tokio::spawn(check);
        let failure = match tokio::time::timeout(LIMIT, &mut task).await {
            Ok(Ok(())) => return self.passed.push(name.to_owned()),
            Ok(Err(panic)) => panic.try_into_panic().map_or_else(|error| error.to_string(), words),
            Err(_) => {
                task.abort();
                format!("no end within {LIMIT:?}")
            }
        };
        self.failed.push(format!("{name}: {failure}"));
    }
}

fn words(panic: Box<dyn std::any::Any + Send>) -> String {
    let text = panic.downcast_ref::<String>().map(String::as_str);
    text.or_else(|| panic.downcast_ref::<&str>().copied()).unwrap_or("a panic").to_owned()
}

/// The error of something that must fail.
#[track_caller]
pub(crate) fn failure<T, E: Display>(result: Result<T, E>) -> E {
    match result {
        Ok(_) => panic!("no error"),
        Err(error) => error,
    }
}

/// A moment in which others get servers and give them back; `n` makes it differ.
pub(crate) async fn pause(n: u64) {
    tokio::time::sleep(Duration::from_micros(n * 7919 % 4000)).await;
}
