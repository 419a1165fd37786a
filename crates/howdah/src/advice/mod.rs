//! Advice while Howdah runs: once an hour it looks at each database through connections of its own, with what its clients have asked, and writes what would
//! make them better into the journal, for the dashboard and `howdah recommendations`. What was carried out is measured. What may be carried out
//! without a person is, if the configuration says so.
//!
//! Invariant: a thread of its own, one connection at a time to a primary; nothing is changed unless the mode is `automatic`.

mod automatic;
mod door;
mod next;
mod seen;

use std::io;
use std::path::PathBuf;
use std::thread::JoinHandle;
use std::time::Duration;

use howdah_advisor::hygiene;
use howdah_ops::journal::{Journal, now_ms};
use howdah_proxy::observe::Observer;
use howdah_proxy::settings::Settings;
use tokio::sync::watch;

use automatic::Found;
pub use door::{As, Door, told};
pub use howdah_ops::journal::FILE;
use seen::Seen;

use crate::config::Advice as Options;

/// Time after the start before the first look: clients have to have asked something.
const FIRST: Duration = Duration::from_secs(300);
/// The search for indexes may take so long.
const SEARCH: Duration = Duration::from_secs(30);

/// A running advisor. Dropping it ends its thread; what it is carrying out is cancelled and cleaned up first.
#[derive(Debug)]
pub(crate) struct Advice {
    stop: watch::Sender<bool>,
    thread: Option<JoinHandle<()>>,
}

impl Advice {
    /// Looks from now on, and writes into this journal.
    ///
    /// # Errors
    /// The thread cannot be started.
    pub(crate) fn start(
        observer: Observer,
        journal: PathBuf,
        options: Options,
    ) -> io::Result<Self> {
        let (stop, stopped) = watch::channel(false);
        let thread = std::thread::Builder::new()
            .name("howdah-advice".to_owned())
            .spawn(move || run(&Advisor { observer, journal, options }, stopped))?;
        Ok(Self { stop, thread: Some(thread) })
    }
}

impl Drop for Advice {
    fn drop(&mut self) {
        self.stop.send_replace(true);
        if let Some(thread) = self.thread.take()
            && thread.join().is_err()
        {
            tracing::error!("the thread of advice has panicked");
        }
    }
}

fn run(advisor: &Advisor, mut stopped: watch::Receiver<bool>) {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    let runtime = match runtime {
        Ok(runtime) => runtime,
        Err(error) => return tracing::warn!(%error, "there is no advice"),
    };
    runtime.block_on(async {
        let mut pause = FIRST.min(advisor.options.every);
        loop {
            tokio::select! {
                () = tokio::time::sleep(pause) => {}
                _ = stopped.wait_for(|stop| *stop) => break,
            }
            pause = advisor.options.every;
            // Looking may be left off anywhere; carrying out is told to stop, and cleans up.
            let found = tokio::select! {
                found = advisor.look_at_all() => found,
                _ = stopped.wait_for(|stop| *stop) => break,
            };
            advisor.follow_up_all(found, &stopped).await;
        }
    });
    // A search that goes on ends when its connections are gone.
    runtime.shutdown_timeout(Duration::from_secs(1));
}

struct Advisor {
    observer: Observer,
    journal: PathBuf,
    options: Options,
}

impl Advisor {
    /// The databases that can be looked at.
    fn doors(settings: &Settings) -> Vec<Door> {
        let named = settings.databases.iter().filter(|database| database.name != "*");
        named.filter_map(|database| Door::of(settings, database, &As::Howdah)).collect()
    }

    /// What was found in each; nothing where it could not be looked.
    async fn look_at_all(&self) -> Vec<(Door, Found)> {
        let mut all = Vec::new();
        for door in Self::doors(&self.observer.settings()) {
            let found = self.look_at(&door).await.unwrap_or_else(|why| {
                tracing::warn!(database = door.name(), why, "no advice");
                Found::default()
            });
            all.push((door, found));
        }
        all
    }

    async fn look_at(&self, door: &Door) -> Result<Found, String> {
        // Workers hand in what they have counted.
        drop(self.observer.shared_look().await);
        let seen =
            self.observer.statements(|book| Seen::of(book, door.name(), self.options.examples));
        let place = door.place().await?;
        let options = hygiene::Options {
            unused_for: self.options.unused_after.as_secs_f64(),
            ..hygiene::Options::default()
        };
        let limits = howdah_ops::Limits {
            bytes: self.options.budget,
            time: SEARCH,
            connections: 1,
            ..howdah_ops::Limits::default()
        };
        let statements = (seen.statements.as_slice(), self.observer.uptime().as_secs_f64());
        let look = door.look(Some(statements), (options, limits), |_| ()).await?;
        let (mut found, mut kinds) = (look.found, look.kinds);
        found.extend(seen.patterns);
        kinds.extend(Seen::KINDS);
        for missing in look.missing {
            tracing::debug!(database = door.name(), missing, "advice");
        }
        let journal = self.journal()?;
        let noted = journal.recommended(&place, (&found, &kinds), now_ms());
        noted.map_err(|error| error.to_string())?;
        // Counts of some nodes alone would look as if they had begun anew.
        if look.usage.seconds.is_some() {
            let noted = journal.used(&place, &look.usage.indexes, now_ms());
            noted.map_err(|error| error.to_string())?;
        }
        Ok(Found { advice: found, usage: look.usage })
    }

    fn journal(&self) -> Result<Journal, String> {
        Journal::open(&self.journal).map_err(|error| error.to_string())
    }
}
