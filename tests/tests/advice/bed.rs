//! A database with a table, a journal in a file, and runs in this process that are watched.

use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use howdah::advisor::{Costs, Impact, Kind, Recommendation};
use howdah::ops::apply::{self, Connect, Connecting, Error, Event, Finished, Job, Limits};
use howdah::ops::journal::{Entry, Journal, Place, Run, State};
use howdah::ops::verify::Verdict;
use howdah_tests::raw::Connection;
use howdah_tests::{Servers, eventually};
use parking_lot::Mutex;
use tokio::sync::watch;
use tokio_postgres::NoTls;

/// The table of every test: 20000 rows, `b` with duplicates.
const TABLE: &str =
    "CREATE TABLE t AS SELECT g AS a, g % 100 AS b, 'x' || g AS c FROM generate_series(1, 20000) g";

/// Connections as one role to one database.
pub(crate) struct Url(pub(crate) String);

impl Connect for Url {
    fn connect(&self) -> Connecting<'_> {
        Box::pin(async {
            let (client, connection) =
                tokio_postgres::connect(&self.0, NoTls).await.map_err(|error| error.to_string())?;
            tokio::spawn(connection);
            Ok(client)
        })
    }
}

/// All of it; the files are gone with it.
pub(crate) struct Bed {
    pub(crate) servers: Arc<Servers>,
    pub(crate) database: String,
    pub(crate) directory: PathBuf,
    pub(crate) limits: Limits,
    pub(crate) samples: Vec<String>,
}

impl Bed {
    /// On the servers of all tests.
    pub(crate) fn new() -> Self {
        Self::on(Servers::shared())
    }

    /// On servers that a test may break.
    pub(crate) fn on(servers: Arc<Servers>) -> Self {
        static BEDS: AtomicU32 = AtomicU32::new(0);
        let number = BEDS.fetch_add(1, Ordering::Relaxed);
        let name = format!("howdah-advice-{}-{number}", std::process::id());
        let directory = std::env::temp_dir().join(name);
        std::fs::create_dir_all(&directory).unwrap();
        let database = servers.create_database();
        let bed = Self { servers, database, directory, limits: quick(), samples: Vec::new() };
        bed.sql(TABLE);
        bed.sql("ALTER TABLE t OWNER TO app");
        bed
    }

    pub(crate) fn admin(&self) -> Connection {
        self.servers.superuser(&self.database)
    }

    pub(crate) fn sql(&self, sql: &str) {
        let mut admin = self.admin();
        admin.run(sql);
        admin.close();
    }

    pub(crate) fn value(&self, sql: &str) -> String {
        let mut admin = self.admin();
        let value = admin.value(sql);
        admin.close();
        value
    }

    /// A session that holds a snapshot, for which every build has to wait.
    pub(crate) fn snapshot(&self) -> Connection {
        let mut holder = self
            .servers
            .superuser_target(&self.database)
            .parameter("application_name", "a long report")
            .client();
        holder.run("BEGIN ISOLATION LEVEL REPEATABLE READ");
        holder.run("SELECT count(*) FROM pg_class");
        holder
    }

    pub(crate) fn url(&self, user: &str) -> String {
        self.servers.primary().url(&self.database, user)
    }

    pub(crate) fn journal_file(&self) -> PathBuf {
        self.directory.join("advice.db")
    }

    pub(crate) fn journal(&self) -> Journal {
        Journal::open(&self.journal_file()).unwrap()
    }

    /// Invalid indexes of the database.
    pub(crate) fn invalid(&self) -> String {
        self.value("SELECT count(*) FROM pg_index WHERE NOT indisvalid OR NOT indisready")
    }

    pub(crate) fn place(&self) -> Place {
        runtime().block_on(async {
            let client = Url(self.url("howdah")).connect().await.unwrap();
            apply::place_of(&client).await.unwrap()
        })
    }

    pub(crate) fn entry(&self, advice: &Recommendation) -> Entry {
        self.journal().entry(&self.place().key, &advice.id).unwrap().expect("it is known")
    }

    pub(crate) fn state(&self, advice: &Recommendation) -> State {
        self.entry(advice).state
    }

    pub(crate) fn runs(&self, advice: &Recommendation) -> Vec<Run> {
        self.journal().runs(&self.place().key, &advice.id).unwrap()
    }

    /// Begins to carry advice out, on a thread of its own.
    pub(crate) fn begin(&self, advice: &Recommendation) -> Going {
        self.going(advice, false)
    }

    pub(crate) fn apply(&self, advice: &Recommendation) -> Result<Finished, Error> {
        self.begin(advice).end()
    }

    pub(crate) fn undo(&self, advice: &Recommendation) -> Result<Finished, Error> {
        self.going(advice, true).end()
    }

    pub(crate) fn verify(&self, advice: &Recommendation) -> Result<Verdict, Error> {
        let (_stop, stop) = watch::channel(false);
        let (journal, url) = (self.journal(), Url(self.url("howdah")));
        let job = Job {
            connect: &url,
            journal: &journal,
            who: "a test",
            limits: &self.limits,
            samples: &self.samples,
            tell: &|_| {},
            stop,
        };
        runtime().block_on(apply::verify(&job, advice))
    }

    fn going(&self, advice: &Recommendation, undo: bool) -> Going {
        let (stop, stopped) = watch::channel(false);
        let events = Arc::new(Mutex::new(Vec::new()));
        let (journal, url) = (self.journal(), Url(self.url("howdah")));
        let samples = self.samples.clone();
        let (limits, advice, heard) = (self.limits.clone(), advice.clone(), Arc::clone(&events));
        let thread = std::thread::spawn(move || {
            let tell = move |event: Event| heard.lock().push(event);
            let job = Job {
                connect: &url,
                journal: &journal,
                who: "a test",
                limits: &limits,
                samples: &samples,
                tell: &tell,
                stop: stopped,
            };
            runtime().block_on(async {
                if undo {
                    apply::undo(&job, &advice).await
                } else {
                    apply::apply(&job, &advice).await
                }
            })
        });
        Going { thread, stop, events }
    }
}

impl Drop for Bed {
    fn drop(&mut self) {
        self.servers.drop_database(&self.database);
        let _ = std::fs::remove_dir_all(&self.directory);
    }
}

/// A run that goes on.
pub(crate) struct Going {
    thread: std::thread::JoinHandle<Result<Finished, Error>>,
    pub(crate) stop: watch::Sender<bool>,
    pub(crate) events: Arc<Mutex<Vec<Event>>>,
}

impl Going {
    /// Waits until this has happened.
    pub(crate) fn until(&self, what: &str, is: impl Fn(&Event) -> bool) {
        eventually(what, || self.events.lock().iter().any(&is) || self.thread.is_finished());
        let events = self.events.lock();
        assert!(events.iter().any(&is), "ended without {what}: {events:?}");
    }

    /// Waits until the build waits for somebody.
    pub(crate) fn until_it_waits(&self) {
        self.until("a build that waits", |event| {
            matches!(event, Event::Progress { waits_for, .. } if waits_for.contains("a long report"))
        });
    }

    pub(crate) fn end(self) -> Result<Finished, Error> {
        self.thread.join().expect("the run does not panic")
    }
}

fn runtime() -> tokio::runtime::Runtime {
    tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap()
}

/// Limits for tests: pauses are short, and waiting for a lock is not.
fn quick() -> Limits {
    let seconds = Duration::from_secs;
    Limits {
        concurrent_lock: seconds(60),
        pauses: vec![Duration::from_millis(50); 2],
        wait: seconds(60),
        reconnect: seconds(60),
        ..Limits::default()
    }
}

/// Advice with these statements.
pub(crate) fn advice(kind: Kind, apply: &[&str]) -> Recommendation {
    let texts: Vec<String> = apply.iter().map(|sql| (*sql).to_owned()).collect();
    Recommendation {
        id: Recommendation::id_of(kind, &texts.join(";")),
        kind,
        subject: "public.t".to_owned(),
        title: format!("advice to {}", texts.join("; ")),
        why: "a test".to_owned(),
        evidence: Vec::new(),
        impact: Impact::High,
        confidence: 0.9,
        saves: Some(0.25),
        costs: Costs { bytes: 1 << 20, writes: 0.03 },
        apply: texts,
        undo: Vec::new(),
        statements: Vec::new(),
        cautions: Vec::new(),
    }
}

/// An index on `t (a)`.
pub(crate) fn index() -> Recommendation {
    advice(Kind::CreateIndex, &["CREATE INDEX CONCURRENTLY howdah_t_a ON public.t (a)"])
}
