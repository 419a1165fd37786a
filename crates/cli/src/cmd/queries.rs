//! `howdah queries`: what the statements of a running Howdah do, by form: which take the time, one of them closely, and those that took
//! long lately.

use anyhow::anyhow;
use serde_json::json;

use crate::cmd::pools::millis;
use crate::console::{self, LIMIT, Row, cell, number};
use crate::exit::{Exit, Failure, Outcome};
use crate::table::Table;
use crate::terminal;

/// Characters of a statement in the list.
const SHOWN: usize = 80;

/// Arguments of `howdah queries`.
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    #[command(subcommand)]
    verb: Verb,
}

/// What about them.
#[derive(Debug, clap::Subcommand)]
enum Verb {
    /// The forms that matter most, one a line
    Top(Top),
    /// From which applications, addresses and routes they come
    From {
        #[command(flatten)]
        console: console::Args,
    },
    /// Those that took long lately, each with its plan
    Slow(Slow),
    /// All that is known of one form
    Show {
        /// As `howdah queries top` shows it
        fingerprint: String,
        #[command(flatten)]
        console: console::Args,
    },
}

/// Arguments of `howdah queries top`.
#[derive(Debug, clap::Args)]
struct Top {
    /// What matters
    #[arg(long, value_enum, default_value_t = By::Time)]
    by: By,
    /// Lines at most
    #[arg(long, default_value_t = 20)]
    limit: usize,
    #[command(flatten)]
    console: console::Args,
}

/// Arguments of `howdah queries slow`.
#[derive(Debug, clap::Args)]
struct Slow {
    /// Of this form alone
    #[arg(long)]
    fingerprint: Option<String>,
    /// Statements at most
    #[arg(long, default_value_t = 10)]
    limit: usize,
    #[command(flatten)]
    console: console::Args,
}

/// What the list is ordered by.
#[derive(Debug, Clone, Copy, clap::ValueEnum)]
enum By {
    /// Time of all calls
    Time,
    /// How often
    Calls,
    /// The slowest hundredth
    P99,
    /// Errors
    Errors,
    /// Time spent waiting for a server
    Wait,
    /// Rows
    Rows,
}

impl By {
    const fn column(self) -> &'static str {
        match self {
            Self::Time => "total_us",
            Self::Calls => "calls",
            Self::P99 => "p99_us",
            Self::Errors => "errors",
            Self::Wait => "wait_us",
            Self::Rows => "rows",
        }
    }
}

/// Prints them.
pub(crate) fn run(args: &Args) -> Outcome {
    match &args.verb {
        Verb::Top(args) => top(args),
        Verb::From { console } => from(console),
        Verb::Slow(args) => slow(args),
        Verb::Show { fingerprint, console } => show(fingerprint, console),
    }
}

fn statements(args: &console::Args) -> Result<Vec<Row>, Failure> {
    console::ask(args, async |console| console.rows("SHOW STATEMENTS", Some(LIMIT)).await)
}

fn top(args: &Top) -> Outcome {
    let mut rows = statements(&args.console)?;
    let all: u64 = rows.iter().map(|row| number(row, "total_us")).sum();
    rows.sort_by_key(|row| std::cmp::Reverse(number(row, args.by.column())));
    rows.truncate(args.limit);
    if args.console.json {
        terminal::json(&json!({ "schema": "howdah.queries/1", "queries": rows }))?;
        return Ok(Exit::Done);
    }
    if rows.is_empty() {
        terminal::data(
            "no statements yet: they appear a second after the first one was answered\n",
        )?;
        return Ok(Exit::Done);
    }
    let mut table = Table::new(&[
        "share",
        "calls",
        "p50",
        "p99",
        "errors",
        "rows",
        "fingerprint",
        "database",
        "user",
        "statement",
    ]);
    for row in &rows {
        let share = 100.0 * number(row, "total_us") as f64 / (all.max(1) as f64);
        table.row(vec![
            format!("{share:.1} %"),
            cell(row, "calls"),
            millis(number(row, "p50_us")),
            millis(number(row, "p99_us")),
            cell(row, "errors"),
            cell(row, "rows"),
            fingerprint(row),
            cell(row, "database"),
            cell(row, "user"),
            brief(row),
        ]);
    }
    terminal::data(&table.render())?;
    Ok(Exit::Done)
}

fn from(args: &console::Args) -> Outcome {
    let rows = console::ask(args, async |console| console.rows("SHOW ORIGINS", Some(LIMIT)).await)?;
    if args.json {
        terminal::json(&json!({ "schema": "howdah.origins/1", "origins": rows }))?;
        return Ok(Exit::Done);
    }
    let mut text = String::new();
    for (facet, none) in
        [("application", "(without a name)"), ("address", "?"), ("route", "(says none)")]
    {
        let of = || rows.iter().filter(|row| row.get("facet").is_some_and(|is| is == facet));
        let all: u64 = of().map(|row| number(row, "total_us")).sum();
        let mut table = Table::new(&["share", "calls", "time", facet]);
        for row in of() {
            let share = 100.0 * number(row, "total_us") as f64 / (all.max(1) as f64);
            let name = match cell(row, "name").as_str() {
                "" => none.to_owned(),
                "*" => "(others)".to_owned(),
                name => name.to_owned(),
            };
            let time = millis(number(row, "total_us"));
            table.row(vec![format!("{share:.1} %"), cell(row, "calls"), time, name]);
        }
        text.push_str(&table.render());
        text.push('\n');
    }
    terminal::data(&text)?;
    Ok(Exit::Done)
}

fn slow(args: &Slow) -> Outcome {
    let mut rows =
        console::ask(&args.console, async |console| console.rows("SHOW SLOW", Some(LIMIT)).await)?;
    if let Some(wanted) = &args.fingerprint {
        let wanted = wanted.to_ascii_lowercase();
        rows.retain(|row| row.get("fingerprint").is_some_and(|is| *is == wanted));
    }
    rows.truncate(args.limit);
    if args.console.json {
        terminal::json(&json!({ "schema": "howdah.slow/1", "slow": rows }))?;
        return Ok(Exit::Done);
    }
    if rows.is_empty() {
        terminal::data("no statement took long lately: pool.slow_threshold says from when on\n")?;
        return Ok(Exit::Done);
    }
    let text: Vec<String> = rows.iter().map(one_slow).collect();
    terminal::data(&text.join("\n"))?;
    Ok(Exit::Done)
}

/// A statement that took long, in lines.
fn one_slow(row: &Row) -> String {
    let of = |column: &str| cell(row, column);
    let time = |column| millis(number(row, column));
    let said = |column: &str| row.get(column).filter(|text| !text.is_empty());
    let error = said("error").map(|code| format!(", error {code}")).unwrap_or_default();
    let mut text = format!(
        "{} ago: {}, of it {} waiting for a server; {} rows{error}\n  {} on {} ({}), {}, at {}\n  {}  {}\n",
        millis(number(row, "ago_ms").saturating_mul(1_000)),
        time("time_us"),
        time("wait_us"),
        of("rows"),
        of("user"),
        of("database"),
        of("address"),
        said("application").map_or("no application_name", String::as_str),
        of("node"),
        fingerprint(row),
        brief(row),
    );
    if let Some(remark) = said("remark") {
        text.push_str(&format!("  plan: {remark}\n"));
    }
    for line in said("plan").into_iter().flat_map(|plan| plan.lines()) {
        text.push_str(&format!("    {line}\n"));
    }
    text
}

fn show(wanted: &str, args: &console::Args) -> Outcome {
    let mut rows = statements(args)?;
    let wanted = wanted.to_ascii_lowercase();
    rows.retain(|row| row.get("fingerprint").is_some_and(|is| *is == wanted));
    if rows.is_empty() {
        let text = format!(
            "no statement {wanted:?} has run\n    howdah queries top lists those that have, with their fingerprints"
        );
        return Err(Failure::new(Exit::Failed, anyhow!(text)));
    }
    if args.json {
        terminal::json(&json!({ "schema": "howdah.query/1", "fingerprint": wanted, "by": rows }))?;
        return Ok(Exit::Done);
    }
    let mut text = String::new();
    if let Some(row) = rows.first() {
        text.push_str(&format!("{}\n", cell(row, "statement")));
    }
    for row in &rows {
        text.push_str(&told(row));
    }
    terminal::data(&text)?;
    Ok(Exit::Done)
}

/// All that is known of a form on one database, in lines.
fn told(row: &Row) -> String {
    let of = |column: &str| cell(row, column);
    let calls = number(row, "calls").max(1);
    let each = |column| millis(number(row, column) / calls);
    let time = |column| millis(number(row, column));
    let rows = number(row, "rows") as f64 / calls as f64;
    format!(
        "\n{} on {}, {}\n  calls   {}, {} on replicas, {} shared a server, {} from the cache\n  rows    {}, {rows:.1} per call\n  \
         errors  {}: {} of the statement, {} of the server, {} worth another try, {} cancelled\n  \
         time    P50 {}  P95 {}  P99 {}  P99.9 {}  longest {}\n  \
         of it   {} waiting for a server, {} with one, on average\n  \
         Howdah  P50 {}  P99 {} of its own, where it is measured\n  in all  {}\n",
        of("user"),
        of("database"),
        of("kind"),
        of("calls"),
        of("on_replica"),
        of("shared"),
        of("cached"),
        of("rows"),
        of("errors"),
        of("errors_client"),
        of("errors_server"),
        of("errors_retryable"),
        of("errors_canceled"),
        time("p50_us"),
        time("p95_us"),
        time("p99_us"),
        time("p999_us"),
        time("longest_us"),
        each("wait_us"),
        each("server_us"),
        time("overhead_p50_us"),
        time("overhead_p99_us"),
        time("total_us"),
    )
}

fn fingerprint(row: &Row) -> String {
    let known = row.get("fingerprint").filter(|fingerprint| !fingerprint.is_empty());
    known.cloned().unwrap_or_else(|| "other".to_owned())
}

/// A statement as far as it fits on a line.
fn brief(row: &Row) -> String {
    let text = cell(row, "statement").replace(['\n', '\r', '\t'], " ");
    if text.is_empty() {
        let known = row.get("fingerprint").is_some_and(|fingerprint| !fingerprint.is_empty());
        return if known { "(not looked at)" } else { "(forms without a line of their own)" }
            .to_owned();
    }
    if text.chars().count() <= SHOWN {
        return text;
    }
    text.chars().take(SHOWN - 1).chain(['…']).collect()
}
