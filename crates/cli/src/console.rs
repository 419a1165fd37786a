//! The console of a running Howdah, as a client: where it is, who may ask, asking. What is asked is the verbs' business.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context as _, anyhow};
use howdah::config::Config;
use howdah::config::settings::{Login as ClientLogin, NodeAddress, Secret, Settings};
use howdah::tls::{Connector, NodeMode};
use tokio_postgres::{Client, SimpleQueryMessage};

use crate::configuration::Sources;
use crate::exit::{Exit, Failure};
use crate::probe::{self, Login};

/// Which console to ask, and how to print what it says.
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    #[command(flatten)]
    pub(crate) sources: Sources,
    /// Where Howdah listens, a host or the directory of its socket [default: from the configuration, else 127.0.0.1:6432]
    #[arg(long, value_name = "HOST:PORT")]
    address: Option<String>,
    /// Name for the console [default: the first administrator of the configuration]
    #[arg(long, short = 'U')]
    user: Option<String>,
    /// Print JSON
    #[arg(long)]
    pub(crate) json: bool,
}

/// How long logging in may take, and a command that does not wait for anything: the console answers from memory.
pub(crate) const LIMIT: Duration = Duration::from_secs(5);
/// Where Howdah listens when nothing says otherwise.
const HOST: &str = "127.0.0.1";
const PORT: u16 = 6432;
/// Database of the console.
const CONSOLE: &str = "howdah";

/// A line of an answer, by column.
pub(crate) type Row = BTreeMap<String, String>;

/// A console that was logged in to.
pub(crate) struct Console {
    client: Client,
    /// Where it is.
    pub(crate) address: NodeAddress,
}

/// Runs something that asks the console, on a runtime of its own.
pub(crate) fn ask<T>(
    args: &Args,
    question: impl AsyncFnOnce(Console) -> Result<T, Failure>,
) -> Result<T, Failure> {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .context("cannot start the runtime")?;
    let login = login(args)?;
    runtime.block_on(async { question(connect(&login).await?).await })
}

/// A name as the console reads it whatever is in it.
pub(crate) fn quoted(name: &str) -> String {
    format!("\"{}\"", name.replace('"', "\"\""))
}

/// A text as the console reads it whatever is in it.
pub(crate) fn quoted_text(text: &str) -> String {
    format!("'{}'", text.replace('\'', "''"))
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
    // Howdah may want TLS of everybody. Whether it is Howdah cannot be told from its certificate: nothing says who signs that.
    let tls = Connector::new(NodeMode::Prefer, None, None).context("TLS cannot be used")?;
    Ok(Login { address, database: CONSOLE.to_owned(), user, password, tls: Some(Arc::new(tls)) })
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

async fn connect(login: &Login) -> Result<Console, Failure> {
    let (client, _) = probe::connect(login, LIMIT).await.map_err(|refused| {
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
    Ok(Console { client, address: login.address.clone() })
}

impl Console {
    /// The rows that a command gives.
    ///
    /// # Errors
    /// The console refuses, or does not answer within `limit` (`None`: it may take as long as it takes).
    pub(crate) async fn rows(
        &self,
        command: &str,
        limit: Option<Duration>,
    ) -> Result<Vec<Row>, Failure> {
        let asked = self.client.simple_query(command);
        let answer = match limit {
            Some(limit) => tokio::time::timeout(limit, asked)
                .await
                .with_context(|| format!("{command}: no answer within {} s", limit.as_secs()))?,
            None => asked.await,
        };
        let answer = answer.map_err(|error| anyhow!("{command}: {}", probe::text(&error)))?;
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
}

/// A value, or a dash.
pub(crate) fn cell(row: &Row, name: &str) -> String {
    row.get(name).cloned().unwrap_or_else(|| "-".to_owned())
}

/// A value as a number; 0 when it is none.
pub(crate) fn number(row: &Row, name: &str) -> u64 {
    let text = row.get(name).and_then(|text| text.parse().ok());
    text.unwrap_or(0)
}
