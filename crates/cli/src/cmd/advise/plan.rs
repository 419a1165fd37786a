//! `howdah advise plan FILE`: what is wrong with a plan, from what `EXPLAIN (ANALYZE, BUFFERS, FORMAT JSON)` has written, and how it differs from an earlier one. Asks no
//! server unless told to (`--catalog`).

use std::fmt::Write as _;
use std::io::Read as _;
use std::path::{Path, PathBuf};

use anyhow::Context as _;
use howdah::advisor::plans::{Comparison, Finding, Plan, compare, look, shape};
use serde_json::json;

use crate::cmd::recommendations::reach::Reach;
use crate::exit::{Exit, Outcome};
use crate::terminal;

/// Arguments of `howdah advise plan`.
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// A plan in JSON; - is standard input
    #[arg(value_name = "FILE")]
    file: PathBuf,
    /// An earlier plan of the same statement, to compare with
    #[arg(long, value_name = "FILE")]
    before: Option<PathBuf>,
    /// Look at the database, too: at the age of its statistics, the sizes of its tables
    #[arg(long)]
    catalog: bool,
    #[command(flatten)]
    reach: Reach,
    /// For programs
    #[arg(long)]
    json: bool,
}

/// Reads and prints.
pub(crate) fn run(args: &Args) -> Outcome {
    let plan = read(&args.file)?;
    let before = args.before.as_deref().map(read).transpose()?;
    let comparison = before.map(|before| compare(&before, &plan));
    let catalog = if args.catalog { Some(args.reach.catalog()?) } else { None };
    let found = look(&plan, catalog.as_ref());
    if args.json {
        let compared = comparison.map(|it| json!({"same_shape": it.same_shape, "cost": it.cost, "time": it.time, "blocks": it.blocks, "differences": it.differences}));
        terminal::json(
            &json!({"shape": format!("{:016x}", shape(&plan)), "findings": found, "comparison": compared}),
        )?;
    } else {
        terminal::data(&page(&found, comparison.as_ref()))?;
    }
    Ok(Exit::Done)
}

fn read(path: &Path) -> anyhow::Result<Plan> {
    let mut text = String::new();
    if path == Path::new("-") {
        std::io::stdin().read_to_string(&mut text).context("standard input cannot be read")?;
    } else {
        text = std::fs::read_to_string(path)
            .with_context(|| format!("{}: cannot be read", path.display()))?;
    }
    Plan::parse(&text).with_context(|| path.display().to_string())
}

fn page(found: &[Finding], comparison: Option<&Comparison>) -> String {
    let mut text = String::new();
    if let Some(comparison) = comparison {
        let shape = if comparison.same_shape {
            "The same steps as before"
        } else {
            "Other steps than before"
        };
        let _ = writeln!(text, "{shape}");
        for difference in &comparison.differences {
            let _ = writeln!(text, "  {difference}");
        }
        text.push('\n');
    }
    if found.is_empty() {
        text.push_str("Nothing is wrong with this plan, as far as it shows.\n");
    }
    for finding in found {
        let share = finding
            .share
            .map_or_else(String::new, |share| format!("  [{:.0} % of the time]", share * 100.0));
        let _ =
            writeln!(text, "{}{share}\n  {}\n  → {}", finding.node, finding.why, finding.advice);
        for statement in &finding.statements {
            let _ = writeln!(text, "  {statement};");
        }
        for statement in &finding.undo {
            let _ = writeln!(text, "  take it back:  {statement};");
        }
        text.push('\n');
    }
    text
}
