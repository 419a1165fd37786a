//! The advice on indexes against TPC-H: 19 of its queries (all but 2, 17 and 20), primary keys only, each of weight 1. What is advised within
//! a budget is really built, and the planner's cost with it is set against that without. With runs, the queries are run as well, without and with
//! the indexes in turns: one that takes more time and more blocks with them is a regression, and the index to blame is found and dropped.
//!
//! Invariant: what is printed was measured with real indexes on the same statistics as the baseline; a budget that the real indexes
//! overshoot, or a ratio above the target, is a missed number.

mod data;
mod measure;

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context as _, Result, anyhow};
use howdah_ops::{Advice, Connect, Connecting, Limits, Source, advise_indexes};
use tokio_postgres::{Client, NoTls};

use crate::{Options, Outcome};
use measure::{Pair, Query, Taken, limit, queries};

const QUERIES: &str = include_str!("queries.sql");
/// Budgets in bytes with the ratio that must be reached.
const TARGETS: [(u64, f64); 2] = [(250_000_000, 0.75), (500_000_000, 0.70)];
/// So much more at smaller scales, where what ANALYZE happens to sample counts for more.
const SMALL: f64 = 0.05;
/// The most that half of the predicted sizes may be wrong by, and all of them.
const SIZES: (f64, f64) = (0.05, 0.3);

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
    /// Times that each query is run without and with the indexes, in turns; 0: only planned.
    #[arg(long, default_value_t = 0)]
    runs: u32,
    /// A database that has TPC-H with primary keys only, in place of a server of its own; indexes are made and dropped there.
    #[arg(long)]
    url: Option<String>,
    /// Where the data are generated and kept [default: tpch below the target directory].
    #[arg(long)]
    directory: Option<PathBuf>,
    /// A file for what is printed, as Markdown.
    #[arg(long)]
    output: Option<PathBuf>,
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
    limit(&client).await?;
    let mut page = format!("# The advice on indexes on TPC-H, scale {}\n\n", arguments.scale);
    page.push_str("| budget, MB | predicted ratio | real ratio | n | predicted MB | real MB | median size error | worst | seconds | plans | needed |\n|---|---|---|---|---|---|---|---|---|---|---|\n");
    let before = costs_now(&client).await?;
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
        let line = judge(&client, &advice, &before, arguments.runs, options).await?;
        page.push_str(&format!(
            "| {megabytes} | {:.3} | {:.3} | {} | {:.1} | {:.1} | {:.1} % | {:+.1} % | {:.1} | {} | {} |\n",
            advice.choice.ratio(&advice.workload),
            line.ratio,
            advice.recommendations.len(),
            advice.choice.bytes() as f64 / 1e6,
            line.bytes as f64 / 1e6,
            line.median * 100.0,
            line.worst * 100.0,
            advice.time.as_secs_f64(),
            advice.choice.calls,
            advice.choice.requests,
        ));
        let target = TARGETS.iter().find(|(bytes, _)| *bytes == megabytes * 1_000_000);
        let more = if arguments.scale < 1.0 { SMALL } else { 0.0 };
        right &= line.bytes <= budget && line.regressions == 0;
        right &= line.median <= SIZES.0 && line.worst.abs() <= SIZES.1;
        right &= target.is_none_or(|(_, most)| line.ratio <= *most + more);
        details.push_str(&format!("\n## {megabytes} MB\n\n{}", line.details));
    }
    page.push_str(&details);
    println!("{page}");
    if let Some(file) = &arguments.output {
        std::fs::write(file, &page).with_context(|| file.display().to_string())?;
    }
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

/// What the planner says that each query costs now.
async fn costs_now(client: &Client) -> Result<Vec<f64>> {
    let mut costs = Vec::new();
    for query in queries() {
        costs.push(query.cost(client).await?);
    }
    Ok(costs)
}

/// What became of one piece of advice.
struct Line {
    ratio: f64,
    bytes: u64,
    /// Errors of predicted sizes, over the real ones: what half of them stay below, without a sign, and the largest.
    median: f64,
    worst: f64,
    /// Queries that are still worse than before.
    regressions: usize,
    details: String,
}

/// Builds what is advised, looks, and drops it again.
async fn judge(
    client: &Client,
    advice: &Advice,
    before: &[f64],
    runs: u32,
    options: &Options,
) -> Result<Line> {
    let mut details = String::new();
    let (mut bytes, mut errors) = (0, Vec::new());
    for sql in advice.recommendations.iter().flat_map(|it| &it.apply) {
        options.say(sql);
        client.batch_execute(sql).await.with_context(|| sql.clone())?;
    }
    let mut names = Vec::new();
    for it in &advice.recommendations {
        let name = it.undo.first().and_then(|sql| sql.rsplit('.').next()).context("no name")?;
        names.push(name.to_owned());
        let row = client.query_one("SELECT pg_relation_size($1::text::regclass)", &[&name]).await?;
        let real: i64 = row.get(0);
        bytes += u64::try_from(real)?;
        errors.push(it.costs.bytes as f64 / real as f64 - 1.0);
        details.push_str(&format!(
            "- {} (`{name}`): saves {:.1} %, {:.1} MB predicted, {:.1} MB real\n",
            it.title,
            it.saves.unwrap_or_default() * 100.0,
            it.costs.bytes as f64 / 1e6,
            real as f64 / 1e6
        ));
    }
    let after = costs_now(client).await?;
    let pairs = if runs > 0 { pairs(client, &names, runs).await? } else { Vec::new() };
    options.say("the queries were measured");
    details.push_str(&format!("\nAs advised:\n\n{}", table(before, &after, &pairs)));
    let mut regressions = 0;
    if runs > 0 {
        let (pairs, text) = validate(client, before, pairs, &mut names, runs).await?;
        regressions = pairs.iter().filter(|it| it.is_worse()).count();
        details.push_str(&text);
    }
    for name in names {
        client.batch_execute(&format!("DROP INDEX {name}")).await?;
    }
    errors.sort_by(|a, b| a.abs().total_cmp(&b.abs()));
    let median = errors.get(errors.len() / 2).map_or(0.0, |it| it.abs());
    let worst = errors.last().copied().unwrap_or(0.0);
    Ok(Line { ratio: sum(&after) / sum(before), bytes, median, worst, regressions, details })
}

async fn pairs(client: &Client, names: &[String], runs: u32) -> Result<Vec<Pair>> {
    let mut all = Vec::new();
    for query in queries() {
        all.push(query.pair(client, names, runs).await?);
    }
    Ok(all)
}

/// Drops the indexes that regressions are due to; what is left then, and what was done, in words.
async fn validate(
    client: &Client,
    before: &[f64],
    mut now: Vec<Pair>,
    names: &mut Vec<String>,
    runs: u32,
) -> Result<(Vec<Pair>, String)> {
    let mut text = String::new();
    let mut given_up = Vec::new();
    loop {
        let worse = queries().enumerate().find_map(|(at, query)| {
            let pair = now.get(at)?;
            let open = !given_up.contains(&at) && pair.is_worse();
            open.then(|| (at, query, pair.clone()))
        });
        let Some((at, query, pair)) = worse else { break };
        let Some(blamed) = blamed(client, &query, &pair.with, names, runs).await? else {
            given_up.push(at);
            text.push_str(&format!("- {} is worse, and no index alone is to blame\n", query.name));
            continue;
        };
        client.batch_execute(&format!("DROP INDEX {blamed}")).await?;
        names.retain(|name| *name != blamed);
        text.push_str(&format!(
            "- `{blamed}` was dropped: {} took {:.0} ms with all and {:.0} ms without any\n",
            query.name, pair.with.time, pair.without.time
        ));
        for (at, query) in queries().enumerate() {
            let uses = |it: &&mut Pair| it.with.indexes.contains(&blamed);
            if let Some(place) = now.get_mut(at).filter(uses) {
                *place = query.pair(client, names, runs).await?;
            }
        }
    }
    let costs = costs_now(client).await?;
    let told = format!(
        "\nAfter validation, ratio of cost {:.3}:\n\n{text}\n{}",
        sum(&costs) / sum(before),
        table(before, &costs, &now)
    );
    Ok((now, told))
}

/// The index without which a query takes the least time, if that is less than with all of them.
async fn blamed(
    client: &Client,
    query: &Query,
    taken: &Taken,
    names: &[String],
    runs: u32,
) -> Result<Option<String>> {
    let mut best: Option<(f64, String)> = None;
    for name in names.iter().filter(|name| taken.indexes.contains(name)) {
        let pair = query.pair(client, std::slice::from_ref(name), runs).await?;
        let share = pair.without.time / pair.with.time;
        if share < 1.0 / 1.1 && best.as_ref().is_none_or(|(least, _)| share < *least) {
            best = Some((share, name.clone()));
        }
    }
    Ok(best.map(|(_, name)| name))
}

fn sum(costs: &[f64]) -> f64 {
    costs.iter().sum()
}

/// Without and with the indexes, one line for each query.
fn table(before: &[f64], after: &[f64], pairs: &[Pair]) -> String {
    let mut text = String::from(
        "| query | cost without | with | ms without | with | blocks without | with |\n|---|---|---|---|---|---|---|\n",
    );
    let number = |value: Option<f64>| value.map_or_else(|| "–".to_owned(), |it| format!("{it:.0}"));
    for (at, query) in queries().enumerate() {
        let pair = pairs.get(at);
        let taken = [pair.map(|it| &it.without), pair.map(|it| &it.with)];
        let cells = [
            number(before.get(at).copied()),
            number(after.get(at).copied()),
            number(taken[0].map(|it| it.time)),
            number(taken[1].map(|it| it.time)),
            number(taken[0].and_then(|it| it.blocks)),
            number(taken[1].and_then(|it| it.blocks)),
        ];
        text.push_str(&format!("| {} | {} |\n", query.name, cells.join(" | ")));
    }
    let times = |of: fn(&Pair) -> f64| pairs.iter().map(of).sum::<f64>();
    text.push_str(&format!(
        "| all | {:.0} | {:.0} | {:.0} | {:.0} | | |\n",
        sum(before),
        sum(after),
        times(|it| it.without.time),
        times(|it| it.with.time)
    ));
    text
}
