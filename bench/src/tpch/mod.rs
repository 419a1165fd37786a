//! The advice on indexes against TPC-H: 19 of its queries (all but 2, 17 and 20), primary keys only, each of weight 1. What is advised within
//! a budget is really built, and the planner's cost with it is set against that without.
//!
//! Invariant: what is printed was measured with real indexes on the same statistics as the baseline; a budget that the real indexes
//! overshoot, or a ratio above the target, is a missed number.

mod data;

use std::path::PathBuf;
use std::sync::Arc;
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, anyhow};
use howdah_ops::{Advice, Connect, Connecting, Limits, Source, advise_indexes};
use tokio_postgres::{Client, NoTls, SimpleQueryMessage};

use crate::{Options, Outcome};

const QUERIES: &str = include_str!("queries.sql");
/// Budgets in bytes with the ratio that must be reached.
const TARGETS: [(u64, f64); 2] = [(250_000_000, 0.75), (500_000_000, 0.70)];

/// What `tpch` is asked to do.
#[derive(Debug, Clone, clap::Args)]
pub(crate) struct Arguments {
    /// TPC-H's scale factor; 1 is about 1.7 GB.
    #[arg(long, default_value_t = 1.0)]
    scale: f64,
    /// Budgets of true megabytes (10^6) for scale 1; smaller scales have a share of them.
    #[arg(long, value_delimiter = ',', default_values_t = [250, 500])]
    budgets: Vec<u64>,
    /// Seconds that a search may take.
    #[arg(long, default_value_t = 60)]
    time: u64,
    /// Times that each query is run with and without the indexes, in turns; 0: only planned.
    #[arg(long, default_value_t = 0)]
    runs: u32,
    /// A database that has TPC-H with primary keys only, in place of a server of its own; indexes are made and dropped there.
    #[arg(long)]
    url: Option<String>,
    /// Where the data are generated and kept [default: tpch below the target directory].
    #[arg(long)]
    directory: Option<PathBuf>,
}

/// Prints a table, and the indexes of each line.
pub(crate) fn run(arguments: &Arguments, options: &Options) -> Result<Outcome> {
    let (url, _server) = match &arguments.url {
        Some(url) => (url.clone(), None),
        None => {
            let server = data::start(arguments.scale, arguments.directory.as_deref(), options)?;
            (server.url.clone(), Some(server))
        }
    };
    let runtime =
        tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build()?;
    runtime.block_on(measure(arguments, url, options))
}

async fn measure(arguments: &Arguments, url: String, options: &Options) -> Result<Outcome> {
    let connect = connector(url);
    let client = connect().await.map_err(|error| anyhow!(error))?;
    println!(
        "| budget, MB | predicted ratio | real ratio | n | predicted MB | real MB | worst size error | seconds | plans | needed |\n|---|---|---|---|---|---|---|---|---|---|"
    );
    let mut right = true;
    let mut details = String::new();
    for megabytes in &arguments.budgets {
        let bytes = (*megabytes as f64 * 1e6 * arguments.scale.min(1.0)).round();
        let budget = format!("{bytes}").parse()?;
        let limits = Limits {
            bytes: Some(budget),
            time: Duration::from_secs(arguments.time),
            ..Limits::default()
        };
        let source = Source::Text(QUERIES.to_owned());
        let advice =
            advise_indexes(connect.clone(), source, limits, |text| options.say(text)).await?;
        let line = judge(&client, &advice, arguments.runs, options).await?;
        println!(
            "| {megabytes} | {:.3} | {:.3} | {} | {:.1} | {:.1} | {:+.1} % | {:.1} | {} | {} |",
            advice.choice.ratio(&advice.workload),
            line.ratio,
            advice.recommendations.len(),
            advice.choice.bytes() as f64 / 1e6,
            line.bytes as f64 / 1e6,
            line.worst * 100.0,
            advice.time.as_secs_f64(),
            advice.choice.calls,
            advice.choice.requests,
        );
        let target = TARGETS.iter().find(|(bytes, _)| *bytes == megabytes * 1_000_000);
        right &= line.bytes <= budget;
        right &= target.is_none_or(|(_, most)| line.ratio <= *most || arguments.scale < 1.0);
        details.push_str(&line.details);
    }
    println!("{details}");
    Ok(if right { Outcome::Done } else { Outcome::Missed })
}

fn connector(url: String) -> Connect {
    Arc::new(move || -> Connecting {
        let url = url.clone();
        Box::pin(async move {
            let (client, connection) =
                tokio_postgres::connect(&url, NoTls).await.map_err(|error| error.to_string())?;
            tokio::spawn(connection);
            Ok(client)
        })
    })
}

/// What became of one piece of advice.
struct Line {
    ratio: f64,
    bytes: u64,
    /// The largest error of a predicted size, over the real one.
    worst: f64,
    details: String,
}

/// Builds what is advised, looks, and drops it again.
async fn judge(client: &Client, advice: &Advice, runs: u32, options: &Options) -> Result<Line> {
    let mut details = String::new();
    let (mut bytes, mut worst) = (0, 0.0_f64);
    for it in &advice.recommendations {
        for sql in &it.apply {
            options.say(sql);
            client.batch_execute(sql).await.with_context(|| sql.clone())?;
        }
    }
    client.batch_execute("VACUUM ANALYZE").await?;
    for it in &advice.recommendations {
        let name = it.undo.first().and_then(|sql| sql.rsplit('.').next()).context("no name")?;
        let row = client.query_one("SELECT pg_relation_size($1::text::regclass)", &[&name]).await?;
        let real: i64 = row.get(0);
        bytes += u64::try_from(real)?;
        let error = it.costs.bytes as f64 / real as f64 - 1.0;
        if error.abs() > worst.abs() {
            worst = error;
        }
        details.push_str(&format!(
            "{}: saves {:.1} %, {:.1} MB predicted, {:.1} MB real\n",
            it.title,
            it.saves.unwrap_or_default() * 100.0,
            it.costs.bytes as f64 / 1e6,
            real as f64 / 1e6
        ));
    }
    let with = costs(client).await?;
    let times_with = times(client, runs).await?;
    for sql in advice.recommendations.iter().flat_map(|it| &it.undo) {
        client.batch_execute(sql).await.with_context(|| sql.clone())?;
    }
    let without = costs(client).await?;
    let times_without = times(client, runs).await?;
    for (at, (name, cost)) in without.iter().enumerate() {
        let then = with.get(at).map_or(0.0, |it| it.1);
        let ran = times_without.get(at).zip(times_with.get(at));
        let ran =
            ran.map(|(now, then)| format!(", {now:.0} ms → {then:.0} ms")).unwrap_or_default();
        details.push_str(&format!("{name}: {cost:.0} → {then:.0}{ran}\n"));
    }
    let sum = |all: &[(String, f64)]| all.iter().map(|it| it.1).sum::<f64>();
    details.push('\n');
    Ok(Line { ratio: sum(&with) / sum(&without), bytes, worst, details })
}

fn queries() -> impl Iterator<Item = (String, &'static str)> {
    QUERIES.split(';').filter(|text| text.contains("/*")).map(|text| {
        let name = text.split("/* ").nth(1).and_then(|it| it.split(' ').next());
        (name.unwrap_or("?").to_owned(), text)
    })
}

/// Cost of each query as the planner estimates it now.
async fn costs(client: &Client) -> Result<Vec<(String, f64)>> {
    let mut all = Vec::new();
    for (name, sql) in queries() {
        let sql =
            sql.split_once("/*").map(|(_, rest)| format!("EXPLAIN /*{rest}")).unwrap_or_default();
        let messages = client.simple_query(&sql).await?;
        let mut cost = None;
        for message in &messages {
            if let SimpleQueryMessage::Row(row) = message {
                cost = cost
                    .or_else(|| row.get(0)?.split_once("..")?.1.split(' ').next()?.parse().ok());
            }
        }
        all.push((name, cost.context("no cost in a plan")?));
    }
    Ok(all)
}

/// Milliseconds of each query, the shortest of some runs.
async fn times(client: &Client, runs: u32) -> Result<Vec<f64>> {
    let mut all = Vec::new();
    if runs == 0 {
        return Ok(all);
    }
    client.batch_execute("SET statement_timeout = '60s'").await?;
    for (_, sql) in queries() {
        let mut least = f64::INFINITY;
        for _ in 0..runs {
            let began = Instant::now();
            // One that takes longer than its limit counts as the limit.
            let _ = client.simple_query(sql).await;
            least = least.min(began.elapsed().as_secs_f64() * 1e3);
        }
        all.push(least);
    }
    client.batch_execute("RESET statement_timeout").await?;
    Ok(all)
}
