//! `howdah config`: write a commented file, show what is in force, say what of PostgreSQL's own settings should be different. Not the rules of the configuration, which are
//! the library's.

mod tune;

use std::fs::OpenOptions;
use std::io::{self, Write as _};
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::PathBuf;

use anyhow::{Context as _, anyhow};
use howdah::config::example;
use howdah::config::import::{self, Remark, Verdict};
use serde_json::json;

use crate::configuration::Sources;
use crate::exit::{Exit, Failure, Outcome};
use crate::terminal::{self, Talk};

/// Arguments of `howdah config`.
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    #[command(subcommand)]
    verb: Verb,
}

#[derive(Debug, clap::Subcommand)]
enum Verb {
    /// Write a commented howdah.toml
    Init(Init),
    /// Print every value in force
    Show(Show),
    /// Make a howdah.toml from a pgbouncer.ini, and say what became of every line
    ImportPgbouncer(Import),
    /// Which settings of PostgreSQL its machine and what was measured speak for, and why
    Tune(tune::Args),
}

#[derive(Debug, clap::Args)]
struct Init {
    /// Where to
    #[arg(default_value = "howdah.toml")]
    path: PathBuf,
    /// Replace a file that is there
    #[arg(long)]
    force: bool,
    /// Print it instead
    #[arg(long, conflicts_with_all = ["path", "force"])]
    stdout: bool,
}

#[derive(Debug, clap::Args)]
struct Show {
    #[command(flatten)]
    sources: Sources,
    /// Say where each value comes from
    #[arg(long)]
    origin: bool,
    /// Print JSON
    #[arg(long)]
    json: bool,
}

#[derive(Debug, clap::Args)]
struct Import {
    /// The pgbouncer.ini
    path: PathBuf,
    /// Write the configuration here instead of to standard output; the file must not be there yet
    #[arg(long, short, value_name = "FILE")]
    output: Option<PathBuf>,
    /// Print the account as JSON, the configuration inside it unless --output is given
    #[arg(long)]
    json: bool,
}

/// Runs the verb.
pub(crate) fn run(args: &Args) -> Outcome {
    match &args.verb {
        Verb::Init(args) => init(args),
        Verb::Show(args) => show(args),
        Verb::ImportPgbouncer(args) => import(args),
        Verb::Tune(args) => tune::run(args),
    }
}

fn init(args: &Init) -> Outcome {
    if args.stdout {
        terminal::data(&example())?;
        return Ok(Exit::Done);
    }
    let path = args.path.display();
    let mut options = OpenOptions::new();
    options.write(true);
    if args.force {
        options.create(true).truncate(true);
    } else {
        options.create_new(true);
    }
    let mut file = match options.open(&args.path) {
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {
            let error = anyhow!("{path} is there already; --force replaces it");
            return Err(Failure::new(Exit::Failed, error));
        }
        opened => opened.with_context(|| format!("cannot write {path}"))?,
    };
    file.write_all(example().as_bytes()).with_context(|| format!("cannot write {path}"))?;
    let talk = Talk::new();
    talk.good("written", &path.to_string());
    talk.hint("next", "edit the host and the user, then: howdah check && howdah up");
    Ok(Exit::Done)
}

fn show(args: &Show) -> Outcome {
    let loaded = args.sources.load(args.json)?;
    let talk = Talk::new();
    for notice in &loaded.notices {
        talk.warn("configuration", &notice.to_string());
    }
    let entries = loaded.config.entries();
    if args.json {
        terminal::json(&json!({ "schema": "howdah.config/1", "values": entries }))?;
        return Ok(Exit::Done);
    }
    let lines: Vec<_> =
        entries.iter().map(|entry| format!("{} = {}", entry.key, entry.written())).collect();
    let width = lines.iter().map(|line| line.chars().count()).max().unwrap_or(0);
    let mut text = String::new();
    for (line, entry) in lines.iter().zip(entries) {
        if args.origin {
            text.push_str(&format!("{line:width$}  # {}\n", entry.origin));
        } else {
            text.push_str(line);
            text.push('\n');
        }
    }
    terminal::data(&text)?;
    Ok(Exit::Done)
}

fn import(args: &Import) -> Outcome {
    let imported = import::pgbouncer(&args.path)?;
    if let Some(path) = &args.output {
        // It may hold passwords.
        let file = OpenOptions::new().create_new(true).write(true).mode(0o600).open(path);
        let mut file = file.with_context(|| format!("cannot write {}", path.display()))?;
        file.write_all(imported.toml.as_bytes())
            .with_context(|| format!("cannot write {}", path.display()))?;
    }
    let toml = args.output.is_none().then_some(&imported.toml);
    if args.json {
        let mistakes = imported.mistakes.as_ref();
        terminal::json(&json!({
            "schema": "howdah.import/1",
            "configuration": toml,
            "remarks": imported.remarks,
            "mistakes": mistakes,
        }))?;
    } else {
        if let Some(toml) = toml {
            terminal::data(toml)?;
        }
        say_remarks(&imported.remarks);
    }
    match imported.mistakes {
        None => Ok(Exit::Done),
        Some(mistakes) => Err(Failure::new(Exit::Configuration, mistakes)),
    }
}

fn say_remarks(remarks: &[Remark]) {
    let talk = Talk::new();
    for remark in remarks {
        let Remark { file, line, key, text, .. } = remark;
        let sentence = format!("{key} ({}:{line}): {text}", file.display());
        match remark.verdict {
            Verdict::Dropped => talk.bad("dropped", &sentence),
            Verdict::Changed => talk.warn("changed", &sentence),
            Verdict::Taken => talk.good("taken", &sentence),
            Verdict::Needless => talk.hint("needless", &sentence),
        }
    }
}
