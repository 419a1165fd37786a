//! `howdah status`: asks the console of a running Howdah and prints what matters. Everything else is in the console itself.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::time::Duration;

use anyhow::{Context as _, anyhow};
use howdah::config::Config;
use howdah::config::settings::{Login as ClientLogin, NodeAddress, Secret, Settings};
use serde_json::json;
use tokio_postgres::{Client, SimpleQueryMessage};

use crate::configuration::Sources;
use crate::exit::{Exit, Failure, Outcome};
use crate::probe::{self, Login};
use crate::table::Table;
use crate::terminal;

/// Arguments of `howdah status`.
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    #[command(flatten)]
    sources: Sources,
    /// Where Howdah listens, a host or the directory of its socket [default: from the configuration, else 127.0.0.1:6432]
    #[arg(long, value_name = "HOST:PORT")]
    address: Option<String>,
    /// Name for the console [default: the first administrator of the configuration]
    #[arg(long, short = 'U')]
    user: Option<String>,
    /// Print JSON
    #[arg(long)]
    json: bool,
}

/// How long the console may take: it answers from memory.
const LIMIT: Duration = Duration::from_secs(5);
/// Where Howdah listens when nothing says otherwise.
const HOST: &str = "127.0.0.1";
const PORT: u16 = 6432;
/// Database of the console.
const CONSOLE: &str = "howdah";

type Row = BTreeMap<String, String>;

/// What was asked, by name.
struct Answers {
    version: String,
    pools: Vec<Row>,
    stats: Vec<Row>,
}

/// Prints the state.
pub(crate) fn run(args: &Args) -> Outcome {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .context("cannot start the runtime")?;
    let login = login(args)?;
    let answers = runtime.block_on(ask(&login))?;
    if args.json {
        terminal::json(&json!({
            "schema": "howdah.status/1",
            "address": login.address.to_string(),
            "version": answers.version,
            "pools": answers.pools,
            "stats": answers.stats,
        }))?;
    } else {
        terminal::data(&render(&login, &answers))?;
    }
    Ok(Exit::Done)
}

/// Whom to ask, and as whom. A configuration with mistakes is no reason not to ask: a sound one may be running.
fn login(args: &Args) -> Result<Login, Failure> {
    let options = args.sources.options(Vec::new());
    let environment = options.env.clone();
    let settings = match Config::load(options) {
        Ok(loaded) => Some(loaded.config.settings(0)),
        Err(_) => None,
    };
    let address = match &args.address {
        Some(text) => parse(text)?,
        None => settings.as_ref().map_or_else(default_address, own_address),
    };
    let admin = settings.as_ref().and_then(|settings| settings.admin_users.first().cloned());
    let user = args
        .user
        .clone()
        .or(admin)
        .or_else(|| environment.get("USER").cloned())
        .unwrap_or_else(|| CONSOLE.to_owned());
    let password = environment
        .get("PGPASSWORD")
        .cloned()
        .or_else(|| settings.as_ref().and_then(|settings| password(settings, &user)));
    Ok(Login { address, database: CONSOLE.to_owned(), user, password })
}

fn password(settings: &Settings, user: &str) -> Option<String> {
    let user = settings.users.iter().find(|one| one.name == user)?;
    match &user.login {
        ClientLogin::Password(secret) | ClientLogin::Md5(secret) | ClientLogin::Scram(secret) => {
            match secret {
                Secret::Plain(password) => Some(password.clone()),
                Secret::Md5(_) | Secret::ScramVerifier(_) => None,
            }
        }
        ClientLogin::Trust
        | ClientLogin::NoPassword
        | ClientLogin::PassThrough
        | ClientLogin::Certificate(_) => None,
    }
}

fn default_address() -> NodeAddress {
    NodeAddress::Tcp { host: HOST.to_owned(), port: PORT }
}

fn own_address(settings: &Settings) -> NodeAddress {
    if let Some(address) = settings.listen.tcp.first() {
        let host = match address.ip() {
            ip if ip.is_unspecified() => HOST.to_owned(),
            ip => ip.to_string(),
        };
        return NodeAddress::Tcp { host, port: address.port() };
    }
    settings.listen.unix.first().map_or_else(default_address, |unix| NodeAddress::Unix {
        directory: unix.directory.clone(),
        port: unix.port,
    })
}

fn parse(text: &str) -> Result<NodeAddress, Failure> {
    let (host, port) = match text.rsplit_once(':') {
        Some((host, port)) => {
            let port = port.parse().map_err(|_| {
                let error =
                    anyhow!("--address {text}: {port:?} is not a port; for example {HOST}:{PORT}");
                Failure::new(Exit::Usage, error)
            })?;
            (host, port)
        }
        None => (text, PORT),
    };
    Ok(if host.starts_with('/') {
        NodeAddress::Unix { directory: PathBuf::from(host), port }
    } else {
        NodeAddress::Tcp { host: host.trim_matches(['[', ']']).to_owned(), port }
    })
}

async fn ask(login: &Login) -> Result<Answers, Failure> {
    let client = probe::connect(login, LIMIT).await.map_err(|refused| {
        let text = if refused.unreachable {
            format!(
                "no Howdah at {}: {}\n    is it running? howdah up; elsewhere: howdah status --address HOST:PORT",
                login.address, refused.reason
            )
        } else {
            format!(
                "Howdah at {} refuses user {:?}: {}\n    --user names another; the password comes from the configuration or PGPASSWORD; admin.users lists who may",
                login.address, login.user, refused.reason
            )
        };
        Failure::new(Exit::Unreachable, anyhow!(text))
    })?;
    let version = rows(&client, "SHOW VERSION").await?;
    let version = version.first().and_then(|row| row.values().next().cloned());
    Ok(Answers {
        version: version.unwrap_or_default(),
        pools: rows(&client, "SHOW POOLS").await?,
        stats: rows(&client, "SHOW STATS").await?,
    })
}

async fn rows(client: &Client, command: &str) -> Result<Vec<Row>, Failure> {
    let answer = tokio::time::timeout(LIMIT, client.simple_query(command))
        .await
        .with_context(|| format!("{command}: no answer within {} s", LIMIT.as_secs()))?
        .map_err(|error| anyhow!("{command}: {}", probe::text(&error)))?;
    let mut rows = Vec::new();
    for message in answer {
        if let SimpleQueryMessage::Row(row) = message {
            let columns = row.columns().iter().enumerate();
            rows.push(
                columns
                    .map(|(at, column)| {
                        (column.name().to_owned(), row.get(at).unwrap_or_default().to_owned())
                    })
                    .collect(),
            );
        }
    }
    Ok(rows)
}

fn cell(row: &Row, name: &str) -> String {
    row.get(name).cloned().unwrap_or_else(|| "-".to_owned())
}

fn number(row: &Row, name: &str) -> u64 {
    let text = row.get(name).and_then(|text| text.parse().ok());
    text.unwrap_or(0)
}

/// Microseconds for people.
fn millis(us: u64) -> String {
    let time = Duration::from_micros(us);
    format!("{:.2} ms", time.as_secs_f64() * 1_000.0)
}

fn render(login: &Login, answers: &Answers) -> String {
    let stats = answers.stats.first().cloned().unwrap_or_default();
    let up = Duration::from_secs(number(&stats, "uptime_s"));
    let up = howdah::config::format_duration(up);
    let mut text = format!("{} at {}, up {up}\n\n", answers.version, login.address);
    text.push_str(&pools(&answers.pools));
    let count = |name| number(&stats, name);
    let lines = [
        format!(
            "statements  {}, of which {} errors; P50 {}, P99 {}",
            count("total_query_count"),
            count("total_errors"),
            millis(count("query_p50_us")),
            millis(count("query_p99_us")),
        ),
        format!(
            "waits       {} for a server; P50 {}, P99 {}",
            count("total_waits"),
            millis(count("wait_p50_us")),
            millis(count("wait_p99_us")),
        ),
        format!(
            "servers     {} opened, {} closed, {} could not be opened",
            count("total_servers_opened"),
            count("total_servers_closed"),
            count("total_open_failures"),
        ),
        format!(
            "clients     {} came, {} were not let in; {} received, {} sent",
            count("total_connections"),
            count("total_failed_logins"),
            bytes(count("total_received")),
            bytes(count("total_sent")),
        ),
    ];
    text.push('\n');
    for line in lines {
        text.push_str(&line);
        text.push('\n');
    }
    text
}

fn pools(rows: &[Row]) -> String {
    if rows.is_empty() {
        let why = "no pools yet: the first client of a database and user makes one\n";
        return why.to_owned();
    }
    let mut table = Table::new(&[
        "database",
        "user",
        "mode",
        "active",
        "waiting",
        "idle",
        "longest wait",
        "busy",
        "free",
        "opening",
        "max",
        "pinned",
    ]);
    let mut errors = String::new();
    for row in rows {
        let seconds = number(row, "maxwait").saturating_mul(1_000_000);
        let mut cells: Vec<_> =
            ["database", "user", "pool_mode", "cl_active", "cl_waiting", "cl_idle"]
                .iter()
                .map(|name| cell(row, name))
                .collect();
        cells.push(millis(seconds.saturating_add(number(row, "maxwait_us"))));
        for name in ["sv_active", "sv_idle", "sv_login", "pool_size", "pinned"] {
            cells.push(cell(row, name));
        }
        table.row(cells);
        if let Some(error) = row.get("last_error").filter(|error| !error.is_empty()) {
            let (database, user) = (cell(row, "database"), cell(row, "user"));
            errors.push_str(&format!("! {user}@{database}: no new servers: {error}\n"));
        }
    }
    let mut text =
        String::from("clients: active, waiting, idle; servers: busy, free, opening, max\n");
    text.push_str(&table.render());
    text.push_str(&errors);
    text
}

/// Bytes for people.
fn bytes(count: u64) -> String {
    const UNITS: [(&str, u64); 3] = [("GiB", 1 << 30), ("MiB", 1 << 20), ("KiB", 1 << 10)];
    for (unit, size) in UNITS {
        if count >= size {
            let tenths = count.saturating_mul(10) / size;
            return format!("{}.{} {unit}", tenths / 10, tenths % 10);
        }
    }
    format!("{count} B")
}
