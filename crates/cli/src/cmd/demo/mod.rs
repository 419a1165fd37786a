//! `howdah demo`: a cluster of its own, sample trading data, Howdah before it, a mixed load, a line per second, and nothing left
//! behind. Not a benchmark: the load, Howdah and PostgreSQL share this machine.
//!
//! Invariant: however it ends, the servers it started are gone; `howdah_local` sees to that even when this process is killed.

mod data;
mod load;
mod ticker;

use std::net::{Ipv4Addr, SocketAddr, TcpListener};
use std::time::{Duration, Instant};

use anyhow::{Context as _, anyhow};
use howdah::advice::FILE as ADVICE;
use howdah::config::Config;
use howdah::web::{DASHBOARD, Listening};
use howdah::{Engine, ListenAddress};
use howdah_local::{Binaries, Cluster};
use tokio::task::JoinError;

use crate::exit::{Exit, Failure, Outcome};
use crate::logging;
use crate::signals::Signals;
use crate::terminal::Talk;
use load::Load;
use ticker::Ticker;

/// Arguments of `howdah demo`.
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// Streaming replicas to start
    #[arg(long, default_value_t = 2, value_parser = clap::value_parser!(u32).range(0..=8))]
    replicas: u32,
    /// Clients that make the load
    #[arg(long, default_value_t = 16, value_parser = clap::value_parser!(u32).range(1..=2_000))]
    clients: u32,
    /// How long, for example 60s [default: until Ctrl-C]
    #[arg(long, value_name = "TIME", value_parser = howdah::config::parse_duration)]
    duration: Option<Duration>,
    /// Port to listen on [default: 6432, or a free one when that is taken]
    #[arg(long)]
    port: Option<u16>,
}

/// Where Howdah listens by default.
const PORT: u16 = 6432;
/// Where the dashboard is by default.
const WEB_PORT: u16 = 9640;
/// Servers for the load: fewer than its clients, so that there is something to see.
const SERVERS: u32 = 8;
/// How long transactions of the load may go on at the end.
const GRACE: Duration = Duration::from_secs(2);
/// Counts statements, so that it can be measured what advice does to them.
const PRELOAD: (&str, &str) = ("shared_preload_libraries", "pg_stat_statements");
/// Database, and user without a password, of the demo.
const NAME: &str = "demo";

/// Runs the demo.
pub(crate) fn run(args: &Args) -> Outcome {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .context("cannot start the runtime")?;
    let outcome = runtime.block_on(interruptible(args));
    // A cluster that is still being started is not waited for: it ends with this process.
    runtime.shutdown_background();
    outcome
}

async fn interruptible(args: &Args) -> Outcome {
    let talk = Talk::new();
    talk.line("howdah demo: a PostgreSQL cluster of its own, sample data, a mixed load. Ctrl-C ends it and removes everything.");
    let mut signals = Signals::listen().context("cannot take over signals")?;
    let begin = Instant::now();
    let demo = tokio::select! {
        demo = Demo::start(args, talk) => demo?,
        _ = signals.stop() => {
            talk.line("interrupted; nothing is left behind");
            return Ok(Exit::Interrupted);
        }
    };
    let took = begin.elapsed().as_secs_f64();
    demo.invite(args, talk, took);
    let load = Load::start(demo.address, NAME, args.clients);
    let mut ticker = Ticker::new(demo.engine.report().await);
    let shown = tokio::select! {
        shown = ticker.run(&demo.engine, args.duration) => shown,
        _ = signals.stop() => Ok(()),
    };
    let last = demo.engine.report().await;
    let trouble = load.stop().await;
    talk.line("");
    ticker.summarise(talk, &last, trouble);
    tokio::select! {
        stopped = demo.stop() => stopped?,
        _ = signals.stop() => {
            talk.line("stopped at once; the servers end with this process");
            return Ok(Exit::Interrupted);
        }
    }
    talk.good("removed", "servers and data");
    shown?;
    Ok(Exit::Done)
}

/// What runs during the demo.
struct Demo {
    cluster: Cluster,
    engine: Engine,
    address: SocketAddr,
    /// Where the dashboard is served.
    web: Option<SocketAddr>,
}

impl Demo {
    async fn start(args: &Args, talk: Talk) -> Result<Self, Failure> {
        let binaries = Binaries::find(None).map_err(|error| Failure::new(Exit::Failed, error))?;
        let port = port(args.port)?;
        let replicas = args.replicas;
        let clients = args.clients;
        let cluster = blocking(move || {
            let counts = has_statement_counts(&binaries);
            let builder = Cluster::builder().binaries(binaries).replicas(replicas).sql(data::ROLE);
            if counts { builder.setting(PRELOAD.0, PRELOAD.1) } else { builder }.start()
        })
        .await??;
        let with = match replicas {
            0 => String::new(),
            1 => ", a streaming replica".to_owned(),
            _ => format!(", {replicas} streaming replicas"),
        };
        talk.good(
            "PostgreSQL",
            &format!(
                "{}, primary on 127.0.0.1:{}{with}, in {}",
                cluster.primary().binaries().major(),
                cluster.primary().port(),
                cluster.directory().path().display()
            ),
        );
        let (cluster, loaded) = blocking(move || {
            let loaded = cluster.primary().psql_on(NAME, data::TABLES);
            (cluster, loaded)
        })
        .await?;
        loaded?;
        talk.good("data", data::SUMMARY);
        let config = Config::from_toml(&configuration(&cluster, port, clients))?;
        logging::start(config.log());
        let engine = Engine::start(config).await?;
        let mut addresses = engine.addresses().into_iter();
        let address = addresses.find_map(|address| match address {
            ListenAddress::Tcp(address) => Some(address),
            ListenAddress::Unix(_) => None,
        });
        let address = address.context("Howdah listens nowhere")?;
        let web = match engine.serve_web() {
            Some(Ok(Listening::At(address))) => Some(address),
            Some(Ok(Listening::Later(_)) | Err(_)) | None => None,
        };
        Ok(Self { cluster, engine, address, web })
    }

    fn invite(&self, args: &Args, talk: Talk, took: f64) {
        let moved = args.port.is_none() && self.address.port() != PORT;
        let why = if moved { format!(" ({PORT} is taken)") } else { String::new() };
        talk.good(
            "Howdah",
            &format!(
                "listening on {}{why}, {SERVERS} servers for {} clients; ready after {took:.1} s",
                self.address, args.clients
            ),
        );
        let (host, port) = (self.address.ip(), self.address.port());
        let psql = |database: &str| {
            talk.paint.bold(&format!("psql -h {host} -p {port} -U {NAME} {database}"))
        };
        if let Some(web) = self.web {
            let url = format!("http://{web}{DASHBOARD}");
            talk.hint("dashboard", &format!("{}  (live, while this runs)", talk.paint.bold(&url)));
        }
        talk.hint("try it", &psql(NAME));
        talk.hint("console", &format!("{} -c 'SHOW POOLS'", psql("howdah")));
        talk.hint("in the load", data::TROUBLES);
        let advice = format!(
            "howdah recommendations list --known --url {} --journal {}",
            self.cluster.primary().url(NAME, NAME),
            self.cluster.directory().path().join(ADVICE).display()
        );
        talk.hint("what to do", &format!("{}  (after a minute)", talk.paint.bold(&advice)));
        talk.line("");
    }

    async fn stop(self) -> Result<(), Failure> {
        self.engine.stop(GRACE).await;
        blocking(move || drop(self.cluster)).await?;
        Ok(())
    }
}

/// Whether PostgreSQL comes with the library that counts statements: some packages leave it out.
fn has_statement_counts(binaries: &Binaries) -> bool {
    let root = binaries.directory().parent();
    root.is_some_and(|root| root.join(format!("lib/{}.so", PRELOAD.1)).exists())
}

/// Runs something slow beside the runtime.
async fn blocking<T: Send + 'static>(
    work: impl FnOnce() -> T + Send + 'static,
) -> Result<T, JoinError> {
    tokio::task::spawn_blocking(work).await
}

/// The port asked for; else the usual one; else any.
fn port(asked: Option<u16>) -> Result<u16, Failure> {
    let free = |port| TcpListener::bind((Ipv4Addr::LOCALHOST, port));
    match asked {
        Some(port) => match free(port) {
            Ok(_) => Ok(port),
            Err(error) => {
                let error = anyhow!("--port {port}: {error}; without --port a free one is taken");
                Err(Failure::new(Exit::Usage, error))
            }
        },
        None => Ok(free(PORT).map_or(0, |_| PORT)),
    }
}

fn configuration(cluster: &Cluster, port: u16, clients: u32) -> String {
    let node = |port: u16, role: &str| {
        format!("[[cluster.node]]\nhost = \"127.0.0.1\"\nport = {port}\nrole = \"{role}\"\n")
    };
    let mut text = format!(
        "[listen]\nport = {port}\nmax_clients = {}\n[web]\nlisten = \"127.0.0.1:{}\"\n[history]\npath = \"{}\"\n[advice]\nevery = \"15s\"\nunused_after = \"10s\"\n[log]\nlevel = \"warn\"\n[pool]\nmax_size = {SERVERS}\n[[database]]\nname = \"{NAME}\"\n[[user]]\nname = \"{NAME}\"\nauth = \"trust\"\n[[cluster]]\nname = \"{NAME}\"\n",
        clients.saturating_add(100),
        TcpListener::bind((Ipv4Addr::LOCALHOST, WEB_PORT)).map_or(0, |_| WEB_PORT),
        cluster.directory().path().join("history.db").display(),
    );
    text.push_str(&node(cluster.primary().port(), "primary"));
    for replica in cluster.replicas() {
        text.push_str(&node(replica.port(), "replica"));
    }
    text
}
