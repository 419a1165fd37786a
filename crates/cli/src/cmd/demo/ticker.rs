//! A line per second about a running engine, from the differences of its reports, and the summary at the end.
//!
//! Invariant: lines are data on standard output, the summary is talk.

use std::io;
use std::time::{Duration, Instant};

use howdah::{Engine, Report};
use tokio::time::MissedTickBehavior;

use super::load::Trouble;
use crate::terminal::{self, Paint, Talk};

/// Lines between two headings.
const HEADING_EVERY: u32 = 20;
/// A P99 above this is worth a colour, in microseconds.
const LONG_US: u64 = 50_000;

/// What was seen so far.
pub(super) struct Ticker {
    first: Report,
    last: Report,
    lines: u32,
    paint: Paint,
}

impl Ticker {
    /// Begins with a report.
    pub(super) fn new(report: Report) -> Self {
        Self {
            first: report.clone(),
            last: report,
            lines: 0,
            paint: Paint::for_stream(&io::stdout()),
        }
    }

    /// Prints a line per second, for so long or until dropped. Cancel safe.
    pub(super) async fn run(
        &mut self,
        engine: &Engine,
        duration: Option<Duration>,
    ) -> io::Result<()> {
        let begin = Instant::now();
        let mut seconds = tokio::time::interval(Duration::from_secs(1));
        seconds.set_missed_tick_behavior(MissedTickBehavior::Delay);
        seconds.tick().await;
        while duration.is_none_or(|duration| begin.elapsed() < duration) {
            seconds.tick().await;
            let report = engine.report().await;
            self.line(begin.elapsed(), report)?;
        }
        Ok(())
    }

    fn line(&mut self, elapsed: Duration, report: Report) -> io::Result<()> {
        if self.lines.is_multiple_of(HEADING_EVERY) {
            let heading =
                "  time  statements/s   p50 ms   p99 ms  clients  busy/open/max  waiting  errors";
            terminal::data(&format!("{}\n", self.paint.dim(heading)))?;
        }
        self.lines += 1;
        let span = report.uptime.saturating_sub(self.last.uptime);
        let times = Times::between(&self.last, &report);
        let errors = report.totals.errors.saturating_sub(self.last.totals.errors);
        let pools = &report.pools;
        let busy: usize = pools.iter().map(|pool| pool.servers_active).sum();
        let idle: usize = pools.iter().map(|pool| pool.servers_idle + pool.servers_opening).sum();
        let max: u32 = pools.iter().map(|pool| pool.max_size).sum();
        let waiting: usize = pools.iter().map(|pool| pool.clients_waiting).sum();
        let rate = format!("{:>12}", times.rate(span));
        let p99 = format!("{:>7}", millis(times.p99_us));
        let p99 = if times.p99_us > LONG_US { self.paint.yellow(&p99) } else { p99 };
        let errors = match errors {
            0 => format!("{errors:>6}"),
            _ => self.paint.red(&format!("{errors:>6}")),
        };
        let use_of_pools = format!("{busy}/{}/{max}", busy + idle);
        let text = format!(
            "{:>5}s  {}  {:>7}  {p99}  {:>7}  {use_of_pools:>13}  {waiting:>7}  {errors}\n",
            elapsed.as_secs(),
            self.paint.bold(&rate),
            millis(times.p50_us),
            report.clients,
        );
        self.last = report;
        terminal::data(&text)
    }

    /// Says what the whole run was like.
    pub(super) fn summarise(&self, talk: Talk, report: &Report, trouble: Option<Trouble>) {
        let span = report.uptime.saturating_sub(self.first.uptime);
        let times = Times::between(&self.first, report);
        talk.good(
            "summary",
            &format!(
                "{} statements in {:.1} s, {} per second; P50 {} ms, P99 {} ms; {} errors",
                times.statements,
                span.as_secs_f64(),
                times.rate(span),
                millis(times.p50_us),
                millis(times.p99_us),
                report.totals.errors.saturating_sub(self.first.totals.errors),
            ),
        );
        talk.good(
            "pooling",
            &format!(
                "{} clients were served by {} servers",
                report.totals.connections, report.totals.servers_opened
            ),
        );
        if let Some(trouble) = trouble {
            talk.bad(
                "clients",
                &format!(
                    "{} times something went wrong, first: {}",
                    trouble.failures, trouble.first
                ),
            );
        }
    }
}

/// Requests between two reports.
struct Times {
    statements: u64,
    p50_us: u64,
    p99_us: u64,
}

impl Times {
    fn between(old: &Report, new: &Report) -> Self {
        let mut times = new.totals.request_us.clone();
        let (p50_us, p99_us) = match times.subtract(&old.totals.request_us) {
            Ok(()) => (times.value_at_quantile(0.5), times.value_at_quantile(0.99)),
            // Only when the earlier report is not of the same engine; then there is nothing to compare.
            Err(_) => (0, 0),
        };
        Self { statements: new.totals.requests.saturating_sub(old.totals.requests), p50_us, p99_us }
    }

    fn rate(&self, span: Duration) -> u64 {
        let millis = u64::try_from(span.as_millis()).unwrap_or(u64::MAX).max(1);
        self.statements.saturating_mul(1_000) / millis
    }
}

/// Microseconds as milliseconds for people.
fn millis(us: u64) -> String {
    format!("{:.2}", Duration::from_micros(us).as_secs_f64() * 1_000.0)
}
