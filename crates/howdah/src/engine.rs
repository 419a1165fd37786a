//! The running engine: assembles the data plane from a configuration and is the handle to it.
//!
//! Invariant: no state outside the engine: two engines in one process know nothing of each other.

use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use howdah_alerts::{Alerts, Memory, Undecided};
use howdah_core::cache::Freshness;
use howdah_history::{Handle, History};
use howdah_proxy::holds::{NotPaused, Scope};
use howdah_proxy::host::Request;
use howdah_proxy::observe::Observer;
use howdah_proxy::{Proxy, StartError};
use howdah_web::{Listening, Web};
use tokio_postgres::NoTls;

use crate::advice::{self, Advice};
use crate::config::{self, Change, Config};
use crate::handles::Connected;
use crate::open_advice::OpenAdvice;
use crate::{ListenAddress, Report};

/// What can go wrong with an engine.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// It cannot start.
    #[error(transparent)]
    Start(#[from] StartError),
    /// The in-process door was refused: the message is PostgreSQL's or Howdah's own.
    #[error("cannot connect through the engine: {0}")]
    Connect(#[from] tokio_postgres::Error),
}

/// A running Howdah: what `howdah up` runs, for programs that embed it.
///
/// ```no_run
/// # async fn example() -> Result<(), Box<dyn std::error::Error>> {
/// use std::time::Duration;
///
/// let config = howdah::Config::from_url("postgres://app:secret@db.example/app")?;
/// let engine = howdah::Engine::start(config).await?;
///
/// // The in-process door: an ordinary client, pooled by the engine, without a socket in between.
/// let (client, connection) = engine.connect("app", "app").await?;
/// tokio::spawn(connection);
/// let row = client.query_one("SELECT 6 * 7", &[]).await?;
/// assert_eq!(row.get::<_, i32>(0), 42);
///
/// engine.stop(Duration::from_secs(5)).await;
/// # Ok(())
/// # }
/// ```
#[derive(Debug)]
pub struct Engine {
    proxy: Proxy,
    web: parking_lot::Mutex<Option<Web>>,
    history: Option<History>,
    /// `None`: nothing would be written down, nobody wants it, or no thread could be started for it.
    advice: Option<Advice>,
    /// `None`: no thread could be started for it.
    alerts: Option<Alerts>,
    config: parking_lot::Mutex<Config>,
    revision: AtomicU64,
}

impl Engine {
    /// Listens and starts the workers. Nothing is asked of PostgreSQL before the first client comes, and nothing in the
    /// database is changed.
    ///
    /// # Errors
    /// An address cannot be listened on, or a thread cannot be started.
    #[expect(
        clippy::unused_async,
        reason = "starting will wait for what later parts of the engine need"
    )]
    pub async fn start(config: Config) -> Result<Self, Error> {
        let proxy = Proxy::start(config.settings(1))?;
        Ok(Self::assemble(proxy, config))
    }

    /// Takes over from another process of the same user, which keeps a door at `path` ([`Self::offer_takeover`]): its listening sockets
    /// at once, and its clients, who notice nothing, as they become idle. The other process keeps for `grace` those who cannot
    /// move.
    ///
    /// Cancel safe: the other process goes on serving.
    ///
    /// # Errors
    /// There is nobody to take over from, or it refuses; and what [`Self::start`] may fail with. The other process goes on serving.
    pub async fn take_over(config: Config, path: &Path, grace: Duration) -> Result<Self, Error> {
        let proxy = Proxy::take_over(config.settings(1), path, grace).await?;
        Ok(Self::assemble(proxy, config))
    }

    fn assemble(proxy: Proxy, config: Config) -> Self {
        let history = config.history().and_then(|options| {
            let started = History::start(proxy.observer(), options.clone());
            // The past is no reason not to serve clients.
            started.inspect_err(|error| tracing::warn!(%error, "nothing is remembered")).ok()
        });
        let advice = advice(&proxy, &config);
        let memory = history.as_ref().map(|history| {
            let kept: Box<dyn Memory> = Box::new(Fired(history.handle()));
            kept
        });
        let open = OpenAdvice::of(&config).map(|journal| Arc::new(journal) as Arc<dyn Undecided>);
        let alerts = Alerts::start(proxy.observer(), config.alerts().clone(), memory, open);
        Self {
            proxy,
            alerts: alerts.inspect_err(|error| tracing::error!(%error, "there are no alerts")).ok(),
            web: parking_lot::Mutex::new(None),
            history,
            advice,
            config: parking_lot::Mutex::new(config),
            revision: AtomicU64::new(1),
        }
    }

    /// Lets another process of the same user take over: it knocks at the Unix socket `path`. Nobody else should be able to write to
    /// the directory. Cancel safe: the door may be open.
    ///
    /// # Errors
    /// The socket cannot be made.
    pub async fn offer_takeover(&self, path: &Path) -> std::io::Result<()> {
        self.proxy.offer_takeover(path).await
    }

    /// Resolves when another process has taken over, and has all clients or as many as could move: time to [`Self::stop`]. Cancel
    /// safe.
    pub async fn superseded(&self) {
        self.proxy.superseded().await;
    }

    /// Where it listens; a port 0 of the configuration is a real one here.
    #[must_use]
    pub fn addresses(&self) -> Vec<ListenAddress> {
        self.proxy.addresses()
    }

    /// The in-process door: a client of the given database and user, without a password (whoever holds the engine is in
    /// already). The connection must be spawned, as with [`tokio_postgres::connect`].
    ///
    /// Cancel safe: a connection that was begun is closed.
    ///
    /// # Errors
    /// Unknown database or user, too many clients, or PostgreSQL cannot be reached.
    pub async fn connect(&self, database: &str, user: &str) -> Result<Connected, Error> {
        self.open(database, user, "").await
    }

    /// The same with what PostgreSQL calls the options of a connection.
    pub(crate) async fn open(
        &self,
        database: &str,
        user: &str,
        options: &str,
    ) -> Result<Connected, Error> {
        let mut config = tokio_postgres::Config::new();
        config.dbname(database).user(user).application_name("howdah").options(options);
        Ok(config.connect_raw(self.proxy.connect().await, NoTls).await?)
    }

    /// Serves metrics and the dashboard where the configuration says, from now until the engine ends; `None`: it says nowhere.
    ///
    /// # Errors
    /// No thread can be started for it. An address that cannot be listened on is tried again every second.
    pub fn serve_web(&self) -> Option<std::io::Result<Listening>> {
        let config::Web { address, credentials } = self.config.lock().web()?.clone();
        let past = self.history.as_ref().map(History::handle);
        Some(Web::start(self.proxy.observer(), past, (address, credentials)).map(
            |(web, listening)| {
                *self.web.lock() = Some(web);
                listening
            },
        ))
    }

    /// A way to look at it from elsewhere.
    #[must_use]
    pub fn observer(&self) -> Observer {
        self.proxy.observer()
    }

    /// What is remembered of the past; `None`: nothing is.
    #[must_use]
    pub fn history(&self) -> Option<Handle> {
        self.history.as_ref().map(History::handle)
    }

    /// Marks this moment in the history: `kind` is a word.
    ///
    /// # Errors
    /// Nothing is remembered, or too much waits to be written.
    pub fn mark(&self, kind: &str, text: &str) -> Result<(), String> {
        let history = self.history();
        let history = history.ok_or("nothing is remembered: [history] path says where to")?;
        match history.mark(kind, text) {
            true => Ok(()),
            false => Err("too many marks wait to be written".to_owned()),
        }
    }

    fn tell_web_of_the_end(&self) {
        if let Some(web) = &*self.web.lock() {
            web.drain();
        }
    }

    /// What is known of changes in a database that clients name so. `None`: they are not followed. Another one after a reload that
    /// changes how.
    #[must_use]
    pub fn freshness(&self, database: &str) -> Option<Arc<Freshness>> {
        self.proxy.freshness(database)
    }

    /// What it looks like now. Cancel safe.
    pub async fn report(&self) -> Report {
        self.proxy.report().await
    }

    /// Holds back the clients of one database or of all: requests wait, and servers are closed as they come free. Returns at
    /// once. Cancel safe.
    pub async fn pause(&self, scope: &Scope) {
        self.proxy.pause(scope).await;
    }

    /// Lets clients go on. Cancel safe.
    ///
    /// # Errors
    /// It was not paused.
    pub async fn resume(&self, scope: &Scope) -> Result<(), NotPaused> {
        self.proxy.resume(scope).await
    }

    /// What an administrator asks on the console that only the program around can do: reload, end. A program that does not call
    /// this within the first seconds has a console that refuses such commands. Cancel safe.
    pub async fn request(&self) -> Request {
        self.proxy.request().await
    }

    /// Takes no new clients and returns when all have left by themselves. Cancel safe.
    pub async fn until_clients_have_left(&self) {
        self.tell_web_of_the_end();
        self.proxy.until_clients_have_left().await;
    }

    /// Takes no new clients and ends those without a transaction; returns when all have gone, or after `grace`. Cancel safe:
    /// the draining goes on.
    pub async fn drain(&self, grace: Duration) {
        self.tell_web_of_the_end();
        self.proxy.drain(grace).await;
    }

    /// The configuration in force.
    #[must_use]
    pub fn config(&self) -> Config {
        self.config.lock().clone()
    }

    /// Puts another configuration in force and says what has changed. What needs a restart stays as it was.
    ///
    /// Cancel safe: whoever connects after it has returned is served by the new configuration, which may be in force before.
    pub async fn reload(&self, config: Config) -> Vec<Change> {
        let changes = Config::diff(&self.config.lock(), &config);
        let revision = self.revision.fetch_add(1, Ordering::Relaxed) + 1;
        let settings = config.settings(revision);
        if let Some(alerts) = &self.alerts {
            alerts.reload(config.alerts().clone());
        }
        *self.config.lock() = config;
        self.proxy.reload(settings).await;
        if let Some(history) = &self.history
            && !changes.is_empty()
        {
            let keys: Vec<&str> = changes.iter().map(|change| change.key.as_str()).collect();
            history.handle().mark("reload", &keys.join(", "));
        }
        changes
    }

    /// A new configuration was refused because of its mistakes: alerts tell of it.
    pub fn on_refused_reload(&self) {
        if let Some(alerts) = &self.alerts {
            alerts.on_refused_reload();
        }
    }

    /// Stops: no new clients; those without a transaction are told goodbye, the others have `grace` to end theirs.
    pub async fn stop(self, grace: Duration) {
        self.tell_web_of_the_end();
        self.proxy.stop(grace).await;
        // The history writes what is left, which may take as long as the disk takes; after the last word of the alerts.
        let (advice, alerts, history) = (self.advice, self.alerts, self.history);
        let end = move || {
            drop(advice);
            drop(alerts);
            drop(history);
        };
        let _ = tokio::task::spawn_blocking(end).await;
    }
}

/// Begins to look for advice, if it can be written down.
fn advice(proxy: &Proxy, config: &Config) -> Option<Advice> {
    let options = config.advice().clone();
    let path = config.history().filter(|_| options.enabled)?.path.with_file_name(advice::FILE);
    let started = Advice::start(proxy.observer(), path, options);
    started.inspect_err(|error| tracing::warn!(%error, "there is no advice")).ok()
}

/// What fires is kept in the file of the history.
struct Fired(Handle);

impl Fired {
    const NAME: &str = "alerts";
}

impl Memory for Fired {
    fn recall(&self) -> Option<(String, Duration)> {
        self.0.kept(Self::NAME)
    }

    fn keep(&self, text: String) {
        self.0.keep(Self::NAME, text);
    }
}
