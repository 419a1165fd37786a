//! `howdah setup`: what has to be made in PostgreSQL so that changes can be followed, shown as SQL, and run after a yes. The SQL itself is
//! the library's (`howdah::setup`).
//!
//! Invariant: nothing is changed in a database before the yes, and `--print` changes nothing at all.

use std::io::{BufRead as _, IsTerminal as _};
use std::time::Duration;

use anyhow::{Context as _, anyhow};
use howdah::config::Config;
use howdah::setup::{FACTS, Found, Steps, TABLES, Table};
use tokio_postgres::Client;

use crate::configuration::Sources;
use crate::exit::{Exit, Failure, Outcome};
use crate::probe::{self, Login};
use crate::terminal::{self, Talk};

/// Names that are used where the configuration has none.
const PUBLICATION: &str = "howdah";
const ROLE: &str = "howdah_cache";
/// A login may take this long.
const LIMIT: Duration = Duration::from_secs(10);

/// Arguments of `howdah setup`.
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    #[command(flatten)]
    sources: Sources,
    /// Print the SQL, for somebody with the rights to run it, and change nothing
    #[arg(long)]
    print: bool,
    /// Do not ask
    #[arg(long, conflicts_with = "print")]
    yes: bool,
    /// Role that looks at the databases and makes what is missing; its password is in PGPASSWORD [default: the first user who can log in
    /// without a client]
    #[arg(long, value_name = "ROLE")]
    user: Option<String>,
}

/// A database and what is missing in it.
struct Place {
    login: Login,
    client: Client,
    steps: Steps,
}

/// Does it.
pub(crate) fn run(args: &Args) -> Outcome {
    let loaded = args.sources.load(false)?;
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .context("cannot start the runtime")?;
    runtime.block_on(set_up(args, &loaded.config))
}

async fn set_up(args: &Args, config: &Config) -> Outcome {
    let talk = Talk::new();
    let mut places = Vec::new();
    for login in logins(args, config)? {
        places.push(look(login, config).await?);
    }
    if places.is_empty() {
        let error = anyhow!(
            "no database has a name: changes are followed in each [[database]] that has one"
        );
        return Err(Failure::new(Exit::Configuration, error));
    }
    let text = script(&places);
    if text.is_empty() {
        talk.good("setup", "nothing is missing");
    } else {
        terminal::data(&text).context("cannot write")?;
    }
    for place in &places {
        for table in &place.steps.left_out {
            let text = format!(
                "{}: {table} stays out: it has no primary key, and UPDATE would fail\n→ ALTER TABLE {table} REPLICA IDENTITY FULL, then howdah setup again",
                place.login.database
            );
            talk.warn("left out", &text);
        }
    }
    if !text.is_empty() && !args.print {
        if !args.yes {
            confirm()?;
        }
        for place in &places {
            make(place).await?;
        }
        talk.good("done", "what was missing is there");
    }
    tell_rest(talk, config, &places);
    Ok(Exit::Done)
}

/// What people still have to do.
fn tell_rest(talk: Talk, config: &Config, places: &[Place]) {
    if places.iter().any(|place| place.steps.restart) {
        talk.hint("restart", "wal_level counts after a restart of PostgreSQL");
    }
    if places.iter().any(|place| place.steps.password) {
        let role = role(config);
        talk.hint(
            "password",
            &format!(
                "\\password {role} in psql, and a line for it in pg_hba.conf if there is none"
            ),
        );
    }
    if config.settings(0).changes.is_none() {
        let text = format!(
            "publication = \"{PUBLICATION}\" and user = \"{ROLE}\" in [cache] of howdah.toml"
        );
        talk.hint("configuration", &text);
    }
}

/// One login per database with a name, on the primary of its cluster.
fn logins(args: &Args, config: &Config) -> Result<Vec<Login>, Failure> {
    let settings = config.settings(0);
    let mut logins: Vec<Login> = Vec::new();
    for database in settings.databases.iter().filter(|database| database.name != "*") {
        let Some(node) = settings.nodes.get(database.primary) else { continue };
        let own = settings.users.iter().find(|user| user.logs_in_alone());
        let login = match (&args.user, own) {
            (Some(user), _) => Login {
                address: node.address.clone(),
                tls: node.tls.clone(),
                database: database.server_database.clone().unwrap_or_else(|| database.name.clone()),
                user: user.clone(),
                password: std::env::var("PGPASSWORD").ok(),
            },
            (None, Some(user)) => Login::of(node, database, user),
            (None, None) => {
                let error = anyhow!("nobody is known who can log in without a client: --user ROLE");
                return Err(Failure::new(Exit::Usage, error));
            }
        };
        if !logins.iter().any(|it| it.address == login.address && it.database == login.database) {
            logins.push(login);
        }
    }
    Ok(logins)
}

fn publication(config: &Config) -> String {
    config.settings(0).changes.map_or_else(|| PUBLICATION.to_owned(), |it| it.publication)
}

fn role(config: &Config) -> String {
    let login = config.settings(0).changes.and_then(|it| it.login);
    login.and_then(|login| login.user).unwrap_or_else(|| ROLE.to_owned())
}

async fn look(login: Login, config: &Config) -> Result<Place, Failure> {
    let (client, _) = probe::connect(&login, LIMIT).await.map_err(|refused| {
        let text = format!("{login} at {}: {}\n    {}", login.address, refused.reason, refused.fix);
        Failure::new(Exit::Unreachable, anyhow!(text))
    })?;
    let (publication, role) = (publication(config), role(config));
    let asked = async {
        let facts = client.query_one(FACTS, &[&publication, &role]).await?;
        let tables = client.query(TABLES, &[&publication]).await?;
        Ok::<_, tokio_postgres::Error>(Found {
            wal_level: facts.get(0),
            role: facts.get(1),
            publication: facts.get(2),
            triggers: facts.get(3),
            tables: tables
                .iter()
                .map(|row| Table { name: row.get(0), published: row.get(1), usable: row.get(2) })
                .collect(),
        })
    };
    let found = asked.await.context("PostgreSQL refuses to tell what there is")?;
    let steps = Steps::of(&found, &publication, &role, &login.database);
    Ok(Place { login, client, steps })
}

/// The SQL of all databases, for psql.
fn script(places: &[Place]) -> String {
    let mut text = String::new();
    let mut server: Vec<&String> = Vec::new();
    for place in places {
        for statement in &place.steps.server {
            if !server.contains(&statement) {
                server.push(statement);
                text.push_str(&format!("{statement};\n"));
            }
        }
    }
    for place in places.iter().filter(|place| !place.steps.database.is_empty()) {
        text.push_str(&format!("\\connect {}\n", place.login.database));
        for statement in &place.steps.database {
            text.push_str(&format!("{statement};\n"));
        }
    }
    text
}

fn confirm() -> Result<(), Failure> {
    let stdin = std::io::stdin();
    if !stdin.is_terminal() {
        let error =
            anyhow!("nobody to ask whether to run this: --yes says it, --print only prints");
        return Err(Failure::new(Exit::Usage, error));
    }
    terminal::ask("Type yes to run this: ");
    let mut line = String::new();
    stdin.lock().read_line(&mut line).context("cannot read the answer")?;
    if line.trim() == "yes" {
        return Ok(());
    }
    Err(Failure::new(Exit::Interrupted, anyhow!("nothing was changed")))
}

/// Runs what is missing: what is for the server by itself, what is in the database as a whole or not at all.
async fn make(place: &Place) -> Result<(), Failure> {
    let refused = |sql: &str, error: &tokio_postgres::Error| {
        let said = error.as_db_error().map_or_else(|| error.to_string(), ToString::to_string);
        let text = format!(
            "{}: {said}\n    {sql}\n    --user ROLE runs it as somebody else, --print prints it",
            place.login
        );
        Failure::new(Exit::Failed, anyhow!(text))
    };
    for statement in &place.steps.server {
        if let Err(error) = place.client.batch_execute(statement).await {
            // Another database of the same server was first.
            let there = error.code() == Some(&tokio_postgres::error::SqlState::DUPLICATE_OBJECT);
            if !there {
                return Err(refused(statement, &error));
            }
        }
    }
    let whole = format!("BEGIN; {}; COMMIT", place.steps.database.join("; "));
    if !place.steps.database.is_empty() {
        place.client.batch_execute(&whole).await.map_err(|error| refused(&whole, &error))?;
    }
    Ok(())
}
