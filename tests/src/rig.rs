//! Howdah in front of real servers, with a database of the test's own behind it.
//!
//! A test names only what it needs; the rest is: transaction mode, a pool of 3, one worker, everybody is trusted, a free port, no questions
//! of Howdah's own about statements (`[statements]`).
//!
//! Length: what a rig can be made of and be asked, in one list.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::{Duration, Instant};

use howdah::web::Listening;
use howdah::{Config, Engine, ListenAddress};
use howdah_local::{PgBouncer, free_port};
use tokio::runtime::Runtime;

use crate::churn::Churn;
use crate::exchange::{End, Same, difference};
use crate::process::HowdahProcess;
use crate::raw::{Connection, Frames, Target};
use crate::script::Script;
use crate::servers::{Login, Servers};

/// How long [`Rig`]s wait for open transactions when they are dropped.
const GRACE: Duration = Duration::from_millis(200);

/// How long a read may take to prove short.
const PROVING: Duration = Duration::from_secs(120);

/// How long the engine may take to stop when a [`Rig`] is dropped.
const STOP: Duration = Duration::from_secs(5);

/// A rig to be.
#[derive(Debug, Clone)]
pub struct Builder {
    servers: Option<Arc<Servers>>,
    pool: Vec<(String, String)>,
    listen: Vec<(String, String)>,
    node: Vec<(String, String)>,
    users: Option<String>,
    more: String,
    toml: Option<String>,
}

impl Builder {
    fn set(list: &mut Vec<(String, String)>, key: &str, value: &str) {
        list.retain(|(other, _)| other != key);
        list.push((key.to_owned(), value.to_owned()));
    }

    /// A key of `[pool]`, its value as TOML.
    #[must_use]
    pub fn pool(mut self, key: &str, value: &str) -> Self {
        Self::set(&mut self.pool, key, value);
        self
    }

    /// Servers of each pool at most.
    #[must_use]
    pub fn pool_size(self, size: u32) -> Self {
        self.pool("max_size", &size.to_string())
    }

    /// `transaction`, `session` or `statement`.
    #[must_use]
    pub fn mode(self, mode: &str) -> Self {
        self.pool("mode", &format!("\"{mode}\""))
    }

    /// A key of `[listen]`, its value as TOML.
    #[must_use]
    pub fn listen(mut self, key: &str, value: &str) -> Self {
        Self::set(&mut self.listen, key, value);
        self
    }

    /// A key of the primary's `[[cluster.node]]`, its value as TOML.
    #[must_use]
    pub fn node(mut self, key: &str, value: &str) -> Self {
        Self::set(&mut self.node, key, value);
        self
    }

    /// The `[[user]]` sections.
    #[must_use]
    pub fn users(mut self, toml: &str) -> Self {
        self.users = Some(toml.to_owned());
        self
    }

    /// `app` only, who has to prove it with this method and [`Login::PASSWORD`].
    #[must_use]
    pub fn login(self, login: Login) -> Self {
        let password = Login::PASSWORD;
        let method = login.method();
        self.users(&format!(
            "[[user]]\nname = \"app\"\nauth = \"{method}\"\npassword = \"{password}\"\n"
        ))
    }

    /// More sections.
    #[must_use]
    pub fn more(mut self, toml: &str) -> Self {
        self.more.push_str(toml);
        self
    }

    /// A whole configuration instead. `{primary_port}`, `{primary_socket}`, `{database}` and `{port}` are replaced.
    #[must_use]
    pub fn toml(mut self, toml: &str) -> Self {
        self.toml = Some(toml.to_owned());
        self
    }

    /// In front of these servers instead of those shared by all tests.
    #[must_use]
    pub fn servers(mut self, servers: Servers) -> Self {
        self.servers = Some(Arc::new(servers));
        self
    }

    /// In front of servers that others use, too.
    #[must_use]
    pub fn servers_shared(mut self, servers: &Arc<Servers>) -> Self {
        self.servers = Some(Arc::clone(servers));
        self
    }

    /// In front of the servers of another rig.
    #[must_use]
    pub fn servers_of(mut self, rig: &Rig) -> Self {
        self.servers = Some(Arc::clone(&rig.servers));
        self
    }

    fn text(&self, port: u16) -> String {
        if let Some(toml) = &self.toml {
            return toml.clone();
        }
        let keys = |list: &[(String, String)]| -> String {
            list.iter().map(|(key, value)| format!("{key} = {value}\n")).collect()
        };
        let (listen, node, pool) = (keys(&self.listen), keys(&self.node), keys(&self.pool));
        let users = self.users.as_deref().unwrap_or("[[user]]\nname = \"*\"\nauth = \"trust\"\n");
        // Connections of Howdah's own would be among those that tests count.
        let quiet = "[statements]\nexplain = \"off\"\nserver_statistics = \"off\"\n";
        let quiet = if self.more.contains("[statements]") { "" } else { quiet };
        let more = format!("{}{quiet}", self.more);
        let node = format!("[[cluster.node]]\nname = \"primary\"\nport = {{primary_port}}\n{node}");
        format!(
            "[listen]\nport = {port}\n{listen}\n[[cluster]]\nname = \"main\"\n{node}\n{users}\n[pool]\n{pool}\n{more}"
        )
    }

    fn prepare(self, port: u16) -> (Arc<Servers>, String, String) {
        let servers = self.servers.clone().unwrap_or_else(Servers::shared);
        let database = servers.create_database();
        let socket = servers.primary().socket_directory().display().to_string();
        let text = self
            .text(port)
            .replace("{primary_port}", &servers.primary().port().to_string())
            .replace("{primary_socket}", &socket)
            .replace("{database}", &database)
            .replace("{port}", &port.to_string());
        (servers, database, text)
    }

    /// Starts Howdah inside this process.
    ///
    /// # Panics
    /// When it does not start.
    #[must_use]
    pub fn in_process(self) -> Rig {
        if let Some(peer) = std::env::var_os("HOWDAH_TESTS_AGAINST") {
            return self.against(&peer.to_string_lossy());
        }
        let (servers, database, text) = self.prepare(0);
        let config = Config::from_toml(&text).unwrap_or_else(|errors| panic!("{errors}\n{text}"));
        let runtime = tokio::runtime::Builder::new_multi_thread()
            .worker_threads(1)
            .enable_all()
            .build()
            .expect("a runtime");
        let engine = match runtime.block_on(Engine::start(config)) {
            Ok(engine) => engine,
            Err(error) => panic!("Howdah does not start: {error}\n{text}"),
        };
        Rig {
            door: Door::Inside { engine: Some(Box::new(engine)), runtime: Some(runtime) },
            servers,
            database,
            text,
        }
    }

    /// Puts another program in Howdah's place, to see which expectations are PostgreSQL's own (`direct`), and that a pooler which
    /// does not keep them is found out (`pgbouncer`).
    fn against(self, peer: &str) -> Rig {
        let size =
            self.pool.iter().find(|(key, _)| key == "max_size").map_or("3", |(_, value)| value);
        let size = size.parse().expect("a number of servers");
        let (servers, database, text) = self.clone().prepare(0);
        let (port, bouncer) = if peer == "direct" {
            (servers.primary().port(), None)
        } else {
            let bouncer = PgBouncer::builder(servers.primary()).pool_size(size);
            let bouncer = bouncer.user("app", "").start().unwrap_or_else(|error| panic!("{error}"));
            (bouncer.port(), Some(bouncer))
        };
        Rig { door: Door::Peer { port, _bouncer: bouncer }, servers, database, text }
    }

    /// Starts the program `howdah`.
    ///
    /// # Panics
    /// When it does not start.
    #[must_use]
    pub fn process(self) -> Rig {
        let port = free_port().expect("a free port");
        let (servers, database, text) = self.prepare(port);
        let process = HowdahProcess::start(&text, port);
        Rig { door: Door::Outside(process), servers, database, text }
    }
}

#[derive(Debug)]
enum Door {
    Inside { engine: Option<Box<Engine>>, runtime: Option<Runtime> },
    Outside(HowdahProcess),
    Peer { port: u16, _bouncer: Option<PgBouncer> },
}

/// A running Howdah, its servers and a database.
#[derive(Debug)]
pub struct Rig {
    door: Door,
    servers: Arc<Servers>,
    database: String,
    text: String,
}

impl Rig {
    /// A rig with the defaults.
    #[must_use]
    pub fn builder() -> Builder {
        let pool = [("max_size", "3"), ("checkout_timeout", "\"15s\"")];
        let listen = [("workers", "1")];
        let owned = |list: &[(&str, &str)]| {
            list.iter().map(|(key, value)| ((*key).to_owned(), (*value).to_owned())).collect()
        };
        Builder {
            servers: None,
            pool: owned(&pool),
            listen: owned(&listen),
            node: owned(&[("host", "\"127.0.0.1\"")]),
            users: None,
            more: String::new(),
            toml: None,
        }
    }

    /// Starts one with the defaults inside this process.
    #[must_use]
    pub fn start() -> Self {
        Self::builder().in_process()
    }

    /// The TCP port on which Howdah listens.
    ///
    /// # Panics
    /// When it listens on none.
    #[must_use]
    pub fn port(&self) -> u16 {
        match &self.door {
            Door::Outside(process) => process.port(),
            Door::Peer { port, .. } => *port,
            Door::Inside { .. } => {
                let tcp = self.engine().addresses().into_iter().find_map(|address| match address {
                    ListenAddress::Tcp(address) => Some(address.port()),
                    ListenAddress::Unix(_) => None,
                });
                tcp.expect("a TCP address")
            }
        }
    }

    /// The Unix socket on which Howdah listens.
    #[must_use]
    pub fn socket(&self) -> Option<PathBuf> {
        self.engine().addresses().into_iter().find_map(|address| match address {
            ListenAddress::Unix(path) => Some(path),
            ListenAddress::Tcp(_) => None,
        })
    }

    /// The engine of a rig inside this process.
    ///
    /// # Panics
    /// For a rig that is a process, and after [`Self::stop`].
    #[must_use]
    pub fn engine(&self) -> &Engine {
        match &self.door {
            Door::Inside { engine: Some(engine), .. } => engine,
            _ => panic!("no engine in this process"),
        }
    }

    /// Runs something asynchronous beside the engine.
    ///
    /// # Panics
    /// For a rig that is a process.
    pub fn block_on<F: Future>(&self, future: F) -> F::Output {
        match &self.door {
            Door::Inside { runtime: Some(runtime), .. } => runtime.block_on(future),
            _ => panic!("no engine in this process"),
        }
    }

    /// The process of a rig outside.
    ///
    /// # Panics
    /// For a rig inside this process.
    #[must_use]
    pub fn howdah(&self) -> &HowdahProcess {
        match &self.door {
            Door::Outside(process) => process,
            _ => panic!("Howdah is not a process of its own"),
        }
    }

    /// The process of a rig outside, to put another in its place.
    ///
    /// # Panics
    /// For a rig inside this process.
    pub fn howdah_mut(&mut self) -> &mut HowdahProcess {
        match &mut self.door {
            Door::Outside(process) => process,
            _ => panic!("Howdah is not a process of its own"),
        }
    }

    /// Stops the engine, giving transactions that long, and says what it said.
    ///
    /// # Panics
    /// For a rig that is a process.
    pub fn stop(&mut self, grace: Duration) {
        if let Door::Inside { engine, runtime: Some(runtime) } = &mut self.door
            && let Some(engine) = engine.take()
        {
            runtime.block_on(engine.stop(grace));
        }
    }

    /// Where its dashboard is served; the configuration says `[web]`.
    ///
    /// # Panics
    /// When it is not, and for a rig that is a process.
    #[must_use]
    pub fn web(&self) -> SocketAddr {
        match self.engine().serve_web() {
            Some(Ok(Listening::At(address))) => address,
            other => panic!("it is not served: {other:?}"),
        }
    }

    /// Waits until the program has ended by itself, and says with which code.
    ///
    /// # Panics
    /// For a rig inside this process, and when the program does not end in time.
    pub fn wait(&mut self, limit: Duration) -> Option<i32> {
        match &mut self.door {
            Door::Outside(process) => process.wait(limit),
            _ => panic!("Howdah is not a process of its own"),
        }
    }

    /// Puts another configuration in force, and says which keys have changed.
    ///
    /// # Panics
    /// When it is wrong, and for a rig that is a process.
    pub fn reload(&self, text: &str) -> Vec<String> {
        let config = Config::from_toml(text).unwrap_or_else(|errors| panic!("{errors}\n{text}"));
        let changes = self.block_on(self.engine().reload(config));
        changes.into_iter().map(|change| change.key).collect()
    }

    /// Flights that servers made for shared reads so far.
    ///
    /// # Panics
    /// For a rig that is a process.
    pub fn flights(&self) -> u64 {
        self.block_on(self.engine().report()).pools.iter().map(|pool| pool.flights).sum()
    }

    /// Runs a read until it shares the only server when that comes back from `holder`: until its form has proven to be short, which
    /// takes longer on a busy machine.
    ///
    /// # Panics
    /// When that never happens.
    pub fn until_shared(&self, reader: &mut Connection, holder: &mut Connection, read: &str) {
        let begin = Instant::now();
        while begin.elapsed() < PROVING {
            let before = self.flights();
            for _ in 0..100 {
                reader.run(read);
            }
            holder.run("BEGIN");
            reader.send(&Frames::new().query(read)).expect("the reader is connected");
            let waits = (0..4000).any(|_| {
                std::thread::sleep(Duration::from_millis(5));
                let report = self.block_on(self.engine().report());
                report.pools.iter().any(|pool| pool.clients_waiting > 0)
            });
            assert!(waits, "the reader has a server although the only one is taken");
            holder.run("COMMIT");
            reader.until(b'Z', 1).expect("the answer of the reader");
            if self.flights() > before {
                return;
            }
        }
        let pools = self.block_on(self.engine().report()).pools;
        let reasons: Vec<_> = pools.iter().map(|pool| &pool.unshared).collect();
        panic!("{read} never shares a server; others did not because of {reasons:?}");
    }

    /// The text of the configuration it was started with.
    #[must_use]
    pub fn configuration(&self) -> &str {
        &self.text
    }

    /// The servers behind it.
    #[must_use]
    pub fn servers(&self) -> &Servers {
        &self.servers
    }

    /// The database made for this rig.
    #[must_use]
    pub fn database(&self) -> &str {
        &self.database
    }

    /// Connections as `app` through Howdah.
    #[must_use]
    pub fn target(&self) -> Target {
        Target::port(self.port(), "app", &self.database)
    }

    /// Connections as `app` to the primary itself.
    #[must_use]
    pub fn direct(&self) -> Target {
        self.servers.target("app", &self.database)
    }

    /// A client through Howdah.
    #[must_use]
    #[track_caller]
    pub fn client(&self) -> Connection {
        self.target().client()
    }

    /// A superuser's connection to the primary itself.
    #[must_use]
    pub fn observer(&self) -> Connection {
        self.servers.superuser(&self.database)
    }

    /// URL through Howdah for a user; the password is the test roles'.
    #[must_use]
    pub fn url(&self, user: &str) -> String {
        format!("postgres://{user}@127.0.0.1:{}/{}", self.port(), self.database)
    }

    /// URL of the primary itself for a user.
    #[must_use]
    pub fn direct_url(&self, user: &str) -> String {
        format!("postgres://{user}@127.0.0.1:{}/{}", self.servers.primary().port(), self.database)
    }

    /// Other clients of this rig that make servers change; with a pool of 3, one server is always free.
    #[must_use]
    pub fn churn(&self) -> Churn {
        Churn::new(&self.target(), 2)
    }

    /// Process ids of Howdah's servers to this rig's database, without the observer's.
    ///
    /// # Panics
    /// When the primary cannot be asked.
    #[must_use]
    pub fn backends(&self, observer: &mut Connection) -> Vec<u32> {
        let own = observer.process_id;
        let sql = "SELECT pid FROM pg_stat_activity WHERE datname = current_database() \
                   AND backend_type = 'client backend' ORDER BY pid";
        let pids = observer.run(sql).values();
        let pids = pids.iter().map(|pid| pid.parse::<u32>().expect("a process id"));
        pids.filter(|pid| *pid != own).collect()
    }

    /// Holds a conversation directly with PostgreSQL and, while servers change, through Howdah; every reply must be the same
    /// byte for byte (process ids apart). `setup` runs before each.
    ///
    /// # Panics
    /// When a reply differs.
    #[track_caller]
    pub fn same_as_direct(&self, setup: &str, script: &Script) {
        let mut churn = self.churn();
        self.same_with(&mut churn, &[], setup, script);
    }

    /// [`Self::same_as_direct`] with startup parameters and other clients of the caller's choice.
    ///
    /// # Panics
    /// When a reply differs.
    #[track_caller]
    pub fn same_with(
        &self,
        churn: &mut Churn,
        parameters: &[(&str, &str)],
        setup: &str,
        script: &Script,
    ) {
        let with = |target: Target| {
            parameters.iter().fold(target, |target, (name, value)| target.parameter(name, value))
        };
        let prepare = || {
            if !setup.is_empty() {
                let mut owner = self.direct().client();
                owner.run(setup);
                owner.close();
            }
        };
        prepare();
        let mut direct = with(self.direct()).client();
        let expected = script.hear(&mut direct, || {});
        direct.close();
        prepare();
        let mut client = with(self.target()).client();
        let seen = script.hear(&mut client, || churn.turn());
        churn.rest();
        assert!(
            expected.last().is_none_or(|last| last.end != End::Silent),
            "the script is wrong: nobody answers step {}, not even directly",
            expected.len()
        );
        if let Some(difference) = difference(script, &expected, &seen, Same::Bytes) {
            panic!("{difference}");
        }
        client.close();
    }
}

impl Drop for Rig {
    fn drop(&mut self) {
        match &mut self.door {
            Door::Inside { engine, runtime } => {
                if let (Some(engine), Some(runtime)) = (engine.take(), &runtime) {
                    // A broken engine must not keep the test from telling.
                    let _ = runtime
                        .block_on(async { tokio::time::timeout(STOP, engine.stop(GRACE)).await });
                }
                if let Some(runtime) = runtime.take() {
                    runtime.shutdown_background();
                }
            }
            Door::Outside(process) => process.kill(),
            Door::Peer { .. } => {}
        }
        self.servers.drop_database(&self.database);
    }
}
