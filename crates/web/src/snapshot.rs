//! Everything that is known at one moment. Not how it came about: `history`.

use std::sync::Arc;

use howdah_core::statements::{ChainTotal, ChattyTotal, Entry, Histogram, Overheads, Sums, Total};
use howdah_proxy::observe::{Look, Observer};
use howdah_proxy::report::{Report, SessionReport};

/// All statements of one kind on one database.
#[derive(Debug, Clone)]
pub(crate) struct KindTotal {
    pub(crate) database: String,
    pub(crate) kind: &'static str,
    pub(crate) total: Total,
}

/// Errors of one class on one database.
#[derive(Debug, Clone)]
pub(crate) struct ErrorTotal {
    pub(crate) database: String,
    pub(crate) class: String,
    pub(crate) count: u64,
}

/// The data plane at one moment.
#[derive(Debug)]
pub(crate) struct Snapshot {
    pub(crate) look: Arc<Look>,
    pub(crate) totals: Vec<KindTotal>,
    pub(crate) errors: Vec<ErrorTotal>,
    /// Statements that ran once for every row of others.
    pub(crate) chains: Vec<ChainTotal>,
    /// Transactions of many round trips.
    pub(crate) chatty: Vec<ChattyTotal>,
    /// Lines of the statement book, and how many had to make way.
    pub(crate) forms: usize,
    pub(crate) forgotten: u64,
    pub(crate) max_clients: usize,
}

impl Snapshot {
    /// Looks. Cancel safe.
    pub(crate) async fn take(observer: &Observer) -> Self {
        let (report, sessions) = observer.look().await;
        Self::of(observer, Arc::new(Look { report, sessions }))
    }

    /// Looks with others who look all the time. Cancel safe.
    pub(crate) async fn take_with_others(observer: &Observer) -> Self {
        Self::of(observer, observer.shared_look().await)
    }

    fn of(observer: &Observer, look: Arc<Look>) -> Self {
        let max_clients = observer.settings().max_clients;
        observer.statements(|book| Self {
            look,
            totals: book
                .totals()
                .map(|(database, kind, total)| KindTotal {
                    database: database.to_owned(),
                    kind,
                    total: total.clone(),
                })
                .collect(),
            errors: book
                .errors()
                .map(|(database, class, count)| ErrorTotal {
                    database: database.to_owned(),
                    class: String::from_utf8_lossy(&class).into_owned(),
                    count,
                })
                .collect(),
            chains: book.chains().cloned().collect(),
            chatty: book.chatty().cloned().collect(),
            forms: book.entries().count(),
            forgotten: book.forgotten(),
            max_clients,
        })
    }

    /// All statements together.
    pub(crate) fn all(&self) -> (Sums, Histogram) {
        let (mut sums, mut times) = (Sums::default(), Histogram::default());
        for one in &self.totals {
            sums.add(&one.total.sums);
            times.add(&one.total.times);
        }
        (sums, times)
    }

    /// What Howdah itself took over all of them.
    pub(crate) fn overheads(&self) -> Overheads {
        let mut overheads = Overheads::default();
        self.totals.iter().for_each(|one| overheads.add(&one.total.overheads));
        overheads
    }

    /// Everything but the sessions.
    pub(crate) fn report(&self) -> &Report {
        &self.look.report
    }

    /// Sessions of applications.
    pub(crate) fn clients(&self) -> impl Iterator<Item = &SessionReport> {
        self.look.sessions.iter().filter(|session| !session.is_console)
    }
}

/// A copy of the lines of the statement book that `wanted` wants.
pub(crate) fn entries(observer: &Observer, wanted: impl Fn(&Entry) -> bool) -> Vec<Entry> {
    observer.statements(|book| book.entries().filter(|entry| wanted(entry)).cloned().collect())
}
