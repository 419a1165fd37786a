//! `howdah advise indexes`: which indexes to make, with the statements that make and drop them, and the numbers behind. Makes nothing.

use std::fmt::Write as _;
use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::{Context as _, anyhow};
use howdah::advisor::Verified;
use howdah::ops::{Advice, AdviceError, Limits, Source, advise_indexes};
use serde_json::json;

use crate::cmd::recommendations::card;
use crate::cmd::recommendations::reach::Reach;
use crate::exit::{Exit, Failure, Outcome};
use crate::table::Table;
use crate::terminal::{self, Talk};

/// Characters of a statement that are shown.
const SHOWN: usize = 100;

/// Arguments of `howdah advise indexes`.
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    #[command(flatten)]
    reach: Reach,
    /// Statements with semicolons between them, each as important as its cost [default: what
    /// `pg_stat_statements` has counted, by time]
    #[arg(long, value_name = "FILE")]
    workload: Option<PathBuf>,
    /// Bytes that all new indexes may have together: 500MB, 2GB [default: half of what the tables have]
    #[arg(long, value_name = "SIZE", value_parser = size)]
    budget: Option<u64>,
    /// Seconds that the search may take
    #[arg(long, value_name = "SECONDS", default_value_t = 60)]
    time: u64,
    /// For programs
    #[arg(long)]
    json: bool,
}

/// Powers of 1,000, as disks are sold.
fn size(text: &str) -> Result<u64, String> {
    let digits = text.trim_end_matches(|it: char| it.is_ascii_alphabetic());
    let number: u64 =
        digits.trim().parse().map_err(|_| "not a size, for example 500MB".to_owned())?;
    let factor = match text.get(digits.len()..).unwrap_or_default().to_ascii_uppercase().as_str() {
        "" | "B" => 1,
        "KB" => 1_000,
        "MB" => 1_000_000,
        "GB" => 1_000_000_000,
        "TB" => 1_000_000_000_000,
        _ => return Err("the unit is not KB, MB, GB or TB".to_owned()),
    };
    number.checked_mul(factor).ok_or_else(|| "too large".to_owned())
}

/// Advises.
pub(crate) fn run(args: &Args) -> Outcome {
    let source = match &args.workload {
        Some(path) => Source::Text(read(path)?),
        None => Source::Statistics,
    };
    let limits =
        Limits { bytes: args.budget, time: Duration::from_secs(args.time), ..Limits::default() };
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(2)
        .enable_all()
        .build()
        .context("cannot start the runtime")?;
    let talk = Talk::new();
    let advice = runtime.block_on(async {
        let connect = args.reach.door().await?.lanes();
        let told = move |text: &str| talk.hint("indexes", text);
        Ok::<_, Failure>(advise_indexes(connect, source, limits, told).await)
    })?;
    let advice = advice.map_err(|error| {
        let unreached = matches!(error, AdviceError::Connection(_));
        Failure::new(if unreached { Exit::Unreachable } else { Exit::Failed }, anyhow!("{error}"))
    })?;
    for text in &advice.missing {
        talk.warn("missing", text);
    }
    if args.json {
        terminal::json(&value(&advice))?;
    } else {
        terminal::data(&page(&advice))?;
    }
    Ok(Exit::Done)
}

fn read(path: &Path) -> anyhow::Result<String> {
    std::fs::read_to_string(path).with_context(|| format!("{}: cannot be read", path.display()))
}

fn value(advice: &Advice) -> serde_json::Value {
    let statements: Vec<_> = advice
        .workload
        .statements
        .iter()
        .zip(advice.choice.before.iter().zip(&advice.choice.after))
        .map(|(it, (before, after))| {
            json!({"fingerprint": it.fingerprint, "sql": it.sql, "weight": it.weight, "before": before, "after": after})
        })
        .collect();
    json!({
        "schema": "howdah.advice.indexes/1",
        "recommendations": advice.recommendations,
        "statements": statements,
        "cost_ratio": advice.choice.ratio(&advice.workload),
        "bytes": advice.choice.bytes(),
        "verified": advice.verified == Verified::Planner,
        "plans": advice.choice.calls,
        "seconds": advice.time.as_secs_f64(),
        "missing": advice.missing,
    })
}

fn page(advice: &Advice) -> String {
    let mut text = String::new();
    if advice.recommendations.is_empty() {
        text.push_str("No index would make these statements believably cheaper.\n");
        return text;
    }
    for recommendation in &advice.recommendations {
        card::brief(&mut text, recommendation);
    }
    statements(&mut text, advice);
    let by = match advice.verified {
        Verified::Planner => "PostgreSQL's planner says",
        Verified::Model => "Howdah estimates, unverified",
    };
    let _ = writeln!(
        text,
        "\nAll together: {:.1} MB, and the statements cost {:.0} % of what they cost now, {by} ({} plans, {:.1} s{}).",
        megabytes(advice.choice.bytes()),
        advice.choice.ratio(&advice.workload) * 100.0,
        advice.choice.calls,
        advice.time.as_secs_f64(),
        if advice.choice.stopped { ", stopped by the limit of time" } else { "" },
    );
    text
}

fn statements(text: &mut String, advice: &Advice) {
    let mut table = Table::new(&["before", "after", "statement", "text"]);
    let costs = advice.choice.before.iter().zip(&advice.choice.after);
    for (asked, (before, after)) in advice.workload.statements.iter().zip(costs) {
        let cost = |it: &Option<f64>| it.map_or_else(|| "–".to_owned(), |it| format!("{it:.0}"));
        let line: Vec<&str> = asked.sql.split_whitespace().collect();
        let short: String = line.join(" ").chars().take(SHOWN).collect();
        table.row(vec![cost(before), cost(after), asked.fingerprint.clone(), short]);
    }
    text.push_str(&table.render());
}

fn megabytes(bytes: u64) -> f64 {
    bytes as f64 / 1e6
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes_have_decimal_units() {
        assert_eq!(size("500MB"), Ok(500_000_000));
        assert_eq!(size("2gb"), Ok(2_000_000_000));
        assert_eq!(size("8192"), Ok(8192));
        assert!(size("5 apples").is_err() && size("MB").is_err());
    }
}
