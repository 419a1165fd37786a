//! What is open in the journal of advice, read once a minute beside the looking. Not the journal: whoever assembles brings one.
//!
//! Invariant: the looking never waits for the journal; while it cannot be read, what was read last counts.

use std::sync::Arc;
use std::time::Duration;

use howdah_core::alerts::AdviceSeen;
use parking_lot::Mutex;
use tokio::task::JoinHandle;

/// How often the journal is read.
const EVERY: Duration = Duration::from_secs(60);

/// Where advice is written down.
pub trait Undecided: Send + Sync {
    /// What is open now, by database; `None`: that cannot be told. May take as long as a disk takes.
    fn open(&self) -> Option<Vec<AdviceSeen>>;
}

/// What was read.
#[derive(Default)]
pub(crate) struct Reader {
    source: Option<Arc<dyn Undecided>>,
    /// When it was read last, and who does.
    reading: Option<(Duration, JoinHandle<()>)>,
    known: Arc<Mutex<Vec<AdviceSeen>>>,
}

impl Reader {
    pub(crate) fn new(source: Option<Arc<dyn Undecided>>) -> Self {
        Self { source, ..Self::default() }
    }

    /// What is known, at this age of the process; begins to read anew when it is time. Within a runtime.
    pub(crate) fn look(&mut self, now: Duration) -> Vec<AdviceSeen> {
        let due = |(at, task): &(Duration, JoinHandle<()>)| {
            task.is_finished() && now.saturating_sub(*at) >= EVERY
        };
        if self.reading.as_ref().is_none_or(due)
            && let Some(source) = self.source.clone()
        {
            let known = Arc::clone(&self.known);
            let read = move || {
                if let Some(open) = source.open() {
                    *known.lock() = open;
                }
            };
            self.reading = Some((now, tokio::task::spawn_blocking(read)));
        }
        self.known.lock().clone()
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicU64, Ordering};

    use super::*;

    /// Answers with how often it was asked; the third time it cannot.
    #[derive(Default)]
    struct Asked(AtomicU64);

    impl Undecided for Asked {
        fn open(&self) -> Option<Vec<AdviceSeen>> {
            let times = self.0.fetch_add(1, Ordering::SeqCst) + 1;
            let seen = AdviceSeen { high: times, ..AdviceSeen::default() };
            (times != 3).then(|| vec![seen])
        }
    }

    #[test]
    fn the_journal_is_read_once_a_minute_and_what_was_read_last_counts() {
        let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
        let asked = Arc::new(Asked::default());
        let source: Arc<dyn Undecided> = Arc::clone(&asked) as Arc<dyn Undecided>;
        let mut reader = Reader::new(Some(source));
        runtime.block_on(async {
            let mut known = Vec::new();
            for second in 0..240 {
                let seen = reader.look(Duration::from_secs(second));
                known.push(seen.first().map_or(0, |one| one.high));
                while !reader.reading.as_ref().unwrap().1.is_finished() {
                    tokio::task::yield_now().await;
                }
            }
            assert_eq!(asked.0.load(Ordering::SeqCst), 4);
            assert_eq!((known[1], known[59], known[61], known[121], known[181]), (1, 1, 2, 2, 4));
        });
        assert!(Reader::new(None).look(Duration::ZERO).is_empty(), "nobody to ask");
    }
}
