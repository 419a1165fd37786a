//! `howdah up`: start the engine, say how to use it, follow the signals until the end. The work itself is the library's.
//!
//! Invariant: a configuration with mistakes never replaces one that runs.

use std::path::Path;
use std::time::Duration;

use anyhow::{Context as _, anyhow};
use howdah::config::settings::{Database, Settings};
use howdah::config::{Config, Loaded};
use howdah::web::{DASHBOARD, Listening};
use howdah::{Engine, ListenAddress, Request, Scope};
use tokio::task::LocalSet;

use crate::configuration::{self, Sources};
use crate::ending::{self, Ending};
use crate::exit::{Exit, Failure, Outcome};
use crate::logging::{self, Level};
use crate::probe::{self, Login};
use crate::signals::{Asked, Signals};
use crate::takeover;
use crate::terminal::Talk;

/// Arguments of `howdah up`.
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    #[command(flatten)]
    sources: Sources,
    /// Where to listen, instead of listen.address and listen.port
    #[arg(long, value_name = "ADDRESS:PORT", value_parser = address)]
    listen: Option<(String, String)>,
    /// How long transactions may go on after the first SIGTERM or Ctrl-C [default: 30s]; with --takeover also how long the process
    /// before this one keeps clients that cannot move [default: 60s]
    #[arg(long, value_name = "TIME", value_parser = howdah::config::parse_duration)]
    grace: Option<Duration>,
    /// Take over from the running process: its sockets, and its clients, who notice nothing
    #[arg(long)]
    takeover: bool,
}

/// How long transactions may go on after a stop.
const GRACE: Duration = Duration::from_secs(30);

/// How long clients that cannot move may stay with the process before this one.
const TAKEOVER_GRACE: Duration = Duration::from_secs(60);

fn address(text: &str) -> Result<(String, String), String> {
    let fix = || "not ADDRESS:PORT, for example 127.0.0.1:6432 or [::1]:6432".to_owned();
    let (address, port) = text.rsplit_once(':').ok_or_else(fix)?;
    port.parse::<u16>().map_err(|_| fix())?;
    Ok((address.to_owned(), port.to_owned()))
}

impl Args {
    fn overrides(&self) -> Vec<(String, String)> {
        let listen = self.listen.iter();
        listen
            .flat_map(|(address, port)| [("listen.address", address), ("listen.port", port)])
            .map(|(key, value)| (key.to_owned(), value.clone()))
            .collect()
    }
}

/// Runs until it is told to stop.
pub(crate) fn run(args: &Args) -> Outcome {
    let loaded = configuration::load(args.sources.options(args.overrides()), false)?;
    let level = logging::start(loaded.config.log());
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .context("cannot start the runtime")?;
    LocalSet::new().block_on(&runtime, serve(args, loaded, &level))
}

async fn serve(args: &Args, loaded: Loaded, level: &Level) -> Outcome {
    let talk = Talk::beside(loaded.config.log());
    let mut signals = Signals::listen().context("cannot take over signals")?;
    talk.good("configuration", &configuration::sources(&loaded));
    for notice in &loaded.notices {
        talk.warn("configuration", &notice.to_string());
    }
    let settings = loaded.config.settings(0);
    descriptors(talk, &settings);
    let socket = takeover::socket(&settings.listen);
    let engine = start(args, &loaded.config, socket.as_deref()).await?;
    say_listening(talk, &engine.addresses(), &settings);
    say_dashboard(talk, &engine);
    // Looking at the nodes must not keep anybody waiting: neither clients nor signals.
    let probing = tokio::task::spawn_local(say_nodes(talk, loaded.config));
    if let Some(socket) = &socket {
        offer(&engine, socket, talk).await;
    }
    takeover::tell_systemd();
    let mut running = Running { args, engine: &engine, signals: &mut signals, level, talk };
    let ending = tokio::select! {
        ending = running.follow() => Some(ending),
        () = engine.superseded() => None,
    };
    probing.abort();
    let Some(ending) = ending else {
        engine.stop(Duration::ZERO).await;
        talk.line("stopped: another process has taken over");
        return Ok(Exit::Done);
    };
    let exit = tokio::select! {
        () = ending.wait(&engine, talk) => Exit::Done,
        exit = ending::asked_again(&engine, &mut signals) => exit,
    };
    engine.stop(Duration::ZERO).await;
    talk.line(if exit == Exit::Done { "stopped" } else { "stopped at once" });
    Ok(exit)
}

/// Starts to serve, in place of the running process if that is asked for.
async fn start(args: &Args, config: &Config, socket: Option<&Path>) -> Result<Engine, Failure> {
    if !args.takeover {
        return Ok(Engine::start(config.clone()).await?);
    }
    let socket = socket.ok_or_else(|| {
        let fix = "set it, or give listen.port a number";
        anyhow!("nowhere to take over from: listen.takeover_socket is off or unknown; {fix}")
    })?;
    let grace = args.grace.unwrap_or(TAKEOVER_GRACE);
    Ok(Engine::take_over(config.clone(), socket, grace).await?)
}

/// Lets the next process take over. Without that, a restart interrupts clients, which is no reason not to serve them.
async fn offer(engine: &Engine, socket: &Path, talk: Talk) {
    let offered = match takeover::prepare(socket) {
        Ok(()) => engine.offer_takeover(socket).await.map_err(anyhow::Error::from),
        Err(error) => Err(error),
    };
    if let Err(error) = offered {
        let path = socket.display();
        talk.warn("restart", &format!("will interrupt clients: {path} cannot be used: {error:#}"));
    }
}

/// A run, as long as it is not asked to end.
struct Running<'a> {
    args: &'a Args,
    engine: &'a Engine,
    signals: &'a mut Signals,
    level: &'a Level,
    talk: Talk,
}

impl Running<'_> {
    /// Reloads and pauses as often as asked; returns when asked to end. Cancel safe, except that a reload may be lost.
    async fn follow(&mut self) -> Ending {
        loop {
            // Both are cancel safe.
            let asked = tokio::select! {
                asked = self.signals.next() => asked,
                request = self.engine.request() => match request {
                    Request::Shutdown(when) => return Ending::of(when),
                    Request::Mark(text, answer) => {
                        answer.give(self.engine.mark("mark", &text));
                        continue;
                    }
                    Request::Reload(answer) => {
                        answer.give(self.reload().await);
                        continue;
                    }
                },
            };
            match asked {
                // What is wrong with it was said.
                Asked::Reload => drop(self.reload().await),
                Asked::Pause => {
                    self.engine.pause(&Scope::All).await;
                    self.talk
                        .good("paused", "requests wait; SIGUSR2 or howdah resume lets them go on");
                }
                Asked::Resume => match self.engine.resume(&Scope::All).await {
                    Ok(()) => self.talk.good("resumed", "requests go on"),
                    Err(error) => self.talk.bad("resumed", &error.to_string()),
                },
                Asked::Stop | Asked::Interrupt => {
                    return Ending::Draining(self.args.grace.unwrap_or(GRACE));
                }
                Asked::Quit => return Ending::Draining(Duration::ZERO),
            }
        }
    }

    /// Takes over a new configuration, or says why it was not fit and nothing has changed.
    async fn reload(&self) -> Result<(), String> {
        let options = self.args.sources.options(self.args.overrides());
        let loaded = match tokio::task::spawn_blocking(move || Config::load(options)).await {
            Ok(Ok(loaded)) => loaded,
            Ok(Err(errors)) => return Err(self.not_reloaded(&errors)),
            Err(error) => return Err(self.not_reloaded(&error)),
        };
        self.level.set(loaded.config.log());
        for notice in &loaded.notices {
            self.talk.warn("configuration", &notice.to_string());
        }
        let changes = self.engine.reload(loaded.config).await;
        if changes.is_empty() {
            self.talk.good("reload", "the configuration is the same");
        }
        for change in &changes {
            self.talk.good("reload", &change.to_string());
        }
        Ok(())
    }

    fn not_reloaded(&self, why: &dyn std::fmt::Display) -> String {
        self.engine.on_refused_reload();
        let text = format!("nothing has changed: {why}");
        self.talk.bad("reload", &text);
        text
    }
}

/// Descriptors for things other than clients and servers: listeners, logs, the runtime.
const SPARE_DESCRIPTORS: u64 = 64;

/// Lets the process have as many files as it may, and says when that is too few for the clients.
fn descriptors(talk: Talk, settings: &Settings) {
    use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
    let limit = getrlimit(Resource::Nofile);
    let raised = Rlimit { current: limit.maximum, maximum: limit.maximum };
    let now = match setrlimit(Resource::Nofile, raised) {
        Ok(()) => limit.maximum,
        Err(_) => limit.current,
    };
    let clients = u64::try_from(settings.max_clients).unwrap_or(u64::MAX);
    if let Some(most) = now.filter(|most| *most < clients.saturating_add(SPARE_DESCRIPTORS)) {
        talk.warn(
            "descriptors",
            &format!("this process may open {most} files, fewer than listen.max_clients = {clients}\nraise it (ulimit -n, LimitNOFILE=) or lower listen.max_clients"),
        );
    }
}

fn say_listening(talk: Talk, addresses: &[ListenAddress], settings: &Settings) {
    for address in addresses {
        talk.good("listening", &address.to_string());
    }
    let user = settings.users.iter().find(|user| user.name != "*");
    let user = user.map_or("USER", |user| user.name.as_str());
    let database = settings.databases.iter().find(|one| one.name != "*");
    let database = database.map_or("DATABASE", |database| database.name.as_str());
    let Some((host, port)) = addresses.first().map(endpoint) else {
        return;
    };
    let names = |names: Vec<&str>| names.join(", ");
    talk.hint(
        "serving",
        &format!(
            "databases {}; users {}; {} servers at most for each pair",
            names(settings.databases.iter().map(|one| one.name.as_str()).collect()),
            names(settings.users.iter().map(|one| one.name.as_str()).collect()),
            settings.databases.first().map_or(0, |one| one.pool.max_size),
        ),
    );
    talk.hint(
        "connect",
        &talk.paint.bold(&format!("psql -h {host} -p {port} -U {user} {database}")),
    );
    talk.hint("next", "howdah status · kill -HUP reloads · Ctrl-C stops");
}

/// Serves metrics and the dashboard, if they are wanted, and says where.
fn say_dashboard(talk: Talk, engine: &Engine) {
    match engine.serve_web() {
        None => {}
        Some(Ok(Listening::At(address))) => {
            let url = format!("http://{address}{DASHBOARD}");
            talk.hint("dashboard", &format!("{} · /metrics · /healthz · /readyz", talk.paint.bold(&url)));
        }
        Some(Ok(Listening::Later(error)) | Err(error)) => talk.warn(
            "dashboard",
            &format!("not served yet: {error}; tried again every second; [web] listen names another address"),
        ),
    }
}

/// Host and port for psql.
fn endpoint(address: &ListenAddress) -> (String, String) {
    match address {
        ListenAddress::Tcp(address) if address.ip().is_unspecified() => {
            ("127.0.0.1".to_owned(), address.port().to_string())
        }
        ListenAddress::Tcp(address) => (address.ip().to_string(), address.port().to_string()),
        ListenAddress::Unix(path) => (
            path.parent().map(|path| path.display().to_string()).unwrap_or_default(),
            path.extension().map(|port| port.to_string_lossy().into_owned()).unwrap_or_default(),
        ),
    }
}

/// Logs in once to every node and says what it is, or why not.
async fn say_nodes(talk: Talk, config: Config) {
    let settings = config.settings(0);
    let Some(user) = settings.users.iter().find(|user| user.name != "*") else {
        return;
    };
    for cluster in config.clusters() {
        let here = |database: &&Database| database.primary == cluster.primary;
        let Some(database) = settings.databases.iter().find(here) else {
            continue;
        };
        for node in cluster.nodes.clone().filter_map(|at| settings.nodes.get(at)) {
            let login = Login::of(node, database, user);
            match probe::facts(&login, database.pool.connect_timeout).await {
                Ok(facts) => talk.good("node", &format!("{}: {facts}", node.name)),
                Err(refused) => talk.bad(
                    "node",
                    &format!(
                        "{}: {} ({login})\n→ {}\nHowdah keeps running and tries again for every client; howdah check looks closer",
                        node.name, refused.reason, refused.fix,
                    ),
                ),
            }
        }
    }
}
