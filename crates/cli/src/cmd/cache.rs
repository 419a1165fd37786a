//! `howdah cache`: what the result cache of a running Howdah does; turn it on and off, forget its answers or a part of them, ask why
//! answers to a statement are not kept, have them asked for again. Not its configuration: `[cache]`.

use serde_json::json;

use crate::console::{self, LIMIT, cell};
use crate::exit::{Exit, Outcome};
use crate::table::Table;
use crate::terminal::{self, Talk};

/// Arguments of `howdah cache`.
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    #[command(subcommand)]
    verb: Verb,
}

/// What about it.
#[derive(Debug, clap::Subcommand)]
enum Verb {
    /// What it has done, by database or by table
    Stats(Stats),
    /// The rules about tables and forms of statements, and how often each had a part in something
    Rules(console::Args),
    /// Whether answers to a statement are kept, and why not
    Explain(Explain),
    /// Answer from it, whatever the configuration says, until the next start
    On(console::Args),
    /// Let PostgreSQL answer everything, until the next start
    Off(console::Args),
    /// Let PostgreSQL answer everything, and count what would have been answered, until the next start
    Observe(console::Args),
    /// Do again what the configuration says
    Reset(console::Args),
    /// Ask PostgreSQL again for the most valuable answers that are not kept now, which takes up to a minute for each database
    Warm(console::Args),
    /// Forget all answers, or those of a table, a tag or a form of statements
    Flush(Flush),
}

/// Arguments of `howdah cache stats`.
#[derive(Debug, clap::Args)]
struct Stats {
    /// By table: of which tables answers are found, and by which they are lost
    #[arg(long)]
    tables: bool,
    #[command(flatten)]
    console: console::Args,
}

/// Arguments of `howdah cache flush`.
#[derive(Debug, clap::Args)]
struct Flush {
    #[command(flatten)]
    part: Part,
    #[command(flatten)]
    console: console::Args,
}

/// What is forgotten.
#[derive(Debug, clap::Args)]
#[group(multiple = false)]
struct Part {
    /// Of statements that read this table or view, with or without its schema
    #[arg(long)]
    table: Option<String>,
    /// Of statements that rules with this tag select
    #[arg(long)]
    tag: Option<String>,
    /// Of statements of this form, as howdah queries prints it
    #[arg(long)]
    fingerprint: Option<String>,
}

/// Arguments of `howdah cache explain`.
#[derive(Debug, clap::Args)]
struct Explain {
    /// The statement
    sql: String,
    /// In which database
    #[arg(long, short)]
    database: Option<String>,
    #[command(flatten)]
    console: console::Args,
}

const COLUMNS: [&str; 16] = [
    "database",
    "mode",
    "hits",
    "coalesced",
    "shared",
    "would_hit",
    "misses",
    "hit_percent",
    "kept",
    "patched",
    "warmed",
    "saved_ms",
    "age_p50_us",
    "age_p99_us",
    "news_age_ms",
    "trouble",
];

/// Does it.
pub(crate) fn run(args: &Args) -> Outcome {
    match &args.verb {
        Verb::Stats(Stats { tables: false, console }) => stats(console),
        Verb::Stats(Stats { tables: true, console }) => list(console, &TABLES),
        Verb::Rules(console) => list(console, &RULES),
        Verb::Explain(explain) => tell(explain),
        Verb::On(console) => command("ON", "on", "answers come from the cache", console),
        Verb::Off(console) => command("OFF", "off", "PostgreSQL answers everything", console),
        Verb::Observe(console) => {
            command("OBSERVE", "observe", "PostgreSQL answers, and hits are counted", console)
        }
        Verb::Reset(console) => command("RESET", "reset", "the configuration decides", console),
        Verb::Warm(console) => warm(console),
        Verb::Flush(arguments) => flush(arguments),
    }
}

fn stats(args: &console::Args) -> Outcome {
    let rows = console::ask(args, async |console| console.rows("SHOW CACHE", Some(LIMIT)).await)?;
    if args.json {
        terminal::json(&json!({ "schema": "howdah.cache/1", "databases": rows }))?;
        return Ok(Exit::Done);
    }
    if rows.is_empty() {
        terminal::data("no database has asked the cache yet: mode in [cache] turns it on\n")?;
        return Ok(Exit::Done);
    }
    let mut table = Table::new(&COLUMNS);
    for row in &rows {
        table.row(COLUMNS.iter().map(|name| cell(row, name)).collect());
    }
    let mut text = table.render();
    for row in rows.iter().filter(|row| !cell(row, "reasons").is_empty()) {
        text.push_str(&format!("{}: {}\n", cell(row, "database"), cell(row, "reasons")));
    }
    if let Some(shared) = rows.first().map(|row| cell(row, "shared_cache"))
        && !shared.is_empty()
    {
        text.push_str(&format!("shared cache: {shared}\n"));
    }
    terminal::data(&text)?;
    Ok(Exit::Done)
}

/// What is shown as one table.
struct List {
    command: &'static str,
    schema: &'static str,
    rows: &'static str,
    empty: &'static str,
    columns: &'static [&'static str],
}

const RULES: List = List {
    command: "SHOW CACHE_RULES",
    schema: "howdah.cache_rules/1",
    rows: "rules",
    empty: "there are no rules: [[cache.rule]] in the configuration makes them\n",
    columns: &[
        "name",
        "selects",
        "mode",
        "level",
        "max_staleness_ms",
        "ttl_ms",
        "tags",
        "hits",
        "misses",
        "changed",
    ],
};

const TABLES: List = List {
    command: "SHOW CACHE_TABLES",
    schema: "howdah.cache_tables/1",
    rows: "tables",
    empty: "no statement that can be kept has been looked up yet\n",
    columns: &["database", "table", "hits", "misses", "hit_percent", "changed"],
};

fn list(args: &console::Args, list: &List) -> Outcome {
    let rows = console::ask(args, async |console| console.rows(list.command, Some(LIMIT)).await)?;
    if args.json {
        terminal::json(&json!({ "schema": list.schema, list.rows: rows }))?;
        return Ok(Exit::Done);
    }
    if rows.is_empty() {
        terminal::data(list.empty)?;
        return Ok(Exit::Done);
    }
    let mut table = Table::new(list.columns);
    for row in &rows {
        table.row(list.columns.iter().map(|name| cell(row, name)).collect());
    }
    terminal::data(&table.render())?;
    Ok(Exit::Done)
}

fn flush(Flush { part, console }: &Flush) -> Outcome {
    let said = [("TABLE", &part.table), ("TAG", &part.tag), ("FINGERPRINT", &part.fingerprint)];
    let said = said.into_iter().find_map(|(word, name)| Some((word, name.as_ref()?)));
    match said {
        None => command("FLUSH", "flush", "all answers are forgotten", console),
        Some((word, name)) => {
            let text = format!("answers of {} {name} are forgotten", word.to_lowercase());
            command(
                &format!("FLUSH {word} {}", console::quoted_text(name)),
                "flush",
                &text,
                console,
            )
        }
    }
}

fn warm(args: &console::Args) -> Outcome {
    if !args.json {
        Talk::new()
            .line("asking again what was asked most; this takes up to a minute for each database");
    }
    let rows = console::ask(args, async |console| console.rows("CACHE WARM", None).await)?;
    let row = rows.first().cloned().unwrap_or_default();
    if args.json {
        terminal::json(&json!({ "schema": "howdah.cache_warm/1", "answers": row }))?;
        return Ok(Exit::Done);
    }
    let count = |name| cell(&row, name);
    let text = format!(
        "{} of {} answers are kept since now, {} were kept already, {} failed; {} cannot be asked for again, because of settings of their sessions",
        count("warmed"),
        count("remembered"),
        count("already_kept"),
        count("failed"),
        count("left_out")
    );
    Talk::new().good("warm", &text);
    Ok(Exit::Done)
}

fn tell(args: &Explain) -> Outcome {
    let database = args.database.iter().map(|name| console::quoted(name));
    let words = ["CACHE EXPLAIN".to_owned()].into_iter().chain(database);
    let words = words.chain([console::quoted_text(&args.sql)]);
    let command = words.collect::<Vec<_>>().join(" ");
    let rows =
        console::ask(&args.console, async |console| console.rows(&command, Some(LIMIT)).await)?;
    if args.console.json {
        terminal::json(&json!({ "schema": "howdah.cache_explain/1", "statement": rows }))?;
        return Ok(Exit::Done);
    }
    for row in &rows {
        let kept = if cell(row, "kept") == "yes" { "kept" } else { "not kept" };
        let mut text = format!("{kept}: {}\n", cell(row, "explanation"));
        if kept == "kept" {
            text.push_str(&format!("depends on {}\n", cell(row, "depends_on")));
        }
        terminal::data(&text)?;
    }
    Ok(Exit::Done)
}

fn command(word: &str, done: &str, text: &str, args: &console::Args) -> Outcome {
    let command = format!("CACHE {word}");
    console::ask(args, async |console| console.rows(&command, Some(LIMIT)).await)?;
    if args.json {
        terminal::json(&json!({ "schema": "howdah.done/1", "done": done }))?;
    } else {
        Talk::new().good(done, text);
    }
    Ok(Exit::Done)
}
