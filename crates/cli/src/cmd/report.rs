//! `howdah report`: a day or a week in one page, from the file in which the past is remembered. Howdah may run or not.

use std::path::PathBuf;

use anyhow::{Context as _, anyhow};
use howdah::config::Config;
use howdah::history::{Period, Reader, Report, now_ms};

use crate::configuration::Sources;
use crate::exit::{Exit, Failure, Outcome};
use crate::terminal;

/// Arguments of `howdah report`.
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// How much time, up to now
    #[arg(value_enum)]
    period: Length,
    /// What it is written as
    #[arg(long, value_enum, default_value_t = Format::Markdown)]
    format: Format,
    /// The file of the past [default: history.path of the configuration]
    #[arg(long, value_name = "FILE")]
    history: Option<PathBuf>,
    #[command(flatten)]
    sources: Sources,
}

/// How much time.
#[derive(Debug, Clone, Copy, clap::ValueEnum)]
enum Length {
    /// 24 hours
    Daily,
    /// Seven days
    Weekly,
}

/// What it is written as.
#[derive(Debug, Clone, Copy, clap::ValueEnum)]
enum Format {
    /// For people, with pictures
    Html,
    /// For people, as text
    Markdown,
    /// For programs
    Json,
}

/// Prints it.
pub(crate) fn run(args: &Args) -> Outcome {
    let path = match &args.history {
        Some(path) => path.clone(),
        None => configured(&args.sources)?,
    };
    let reader =
        Reader::open(&path).with_context(|| format!("{}: nothing can be read", path.display()))?;
    let period = match args.period {
        Length::Daily => Period::Daily,
        Length::Weekly => Period::Weekly,
    };
    let report = Report::make(&reader, period, now_ms() / 1_000)?;
    match args.format {
        Format::Html => terminal::data(&report.html())?,
        Format::Markdown => terminal::data(&report.markdown())?,
        Format::Json => terminal::json(&serde_json::to_value(&report)?)?,
    }
    Ok(Exit::Done)
}

fn configured(sources: &Sources) -> Result<PathBuf, Failure> {
    let loaded = Config::load(sources.options(Vec::new()))
        .map_err(|errors| Failure::new(Exit::Configuration, anyhow!("{errors}")))?;
    loaded.config.history().map(|options| options.path.clone()).ok_or_else(|| {
        let text = "nothing is remembered: [history] path is off\n    --history FILE names a file";
        Failure::new(Exit::Failed, anyhow!(text))
    })
}
