//! Advice as a card for people: why, the numbers, what it costs, the statements, what was done. Values to text, nothing else.

use std::fmt::Write as _;

use howdah::advisor::{Evidence, Impact, Recommendation};
use howdah::ops::journal::{Direction, Entry, Run};

/// In short, for a list.
pub(crate) fn brief(text: &mut String, advice: &Recommendation) {
    // Writing to a string does not fail.
    let _ = writeln!(text, "{}  [{}]\n  {}", advice.title, advice.id, advice.why);
    for fact in &advice.evidence {
        let _ = writeln!(text, "  {}: {}", fact.what, change(fact));
    }
    for (what, statements) in [("do it", &advice.apply), ("take it back", &advice.undo)] {
        for statement in statements {
            let _ = writeln!(text, "  {what}:  {statement};");
        }
    }
    for caution in &advice.cautions {
        let _ = writeln!(text, "  ! {caution}");
    }
    text.push('\n');
}

/// What is, and what would be.
fn change(fact: &Evidence) -> String {
    match (fact.now.as_str(), fact.then.as_str()) {
        (now, "") => now.to_owned(),
        ("", then) => then.to_owned(),
        (now, then) => format!("{now} → {then}"),
    }
}

/// As it is written.
pub(super) const fn impact(impact: Impact) -> &'static str {
    match impact {
        Impact::Low => "low",
        Impact::Medium => "medium",
        Impact::High => "high",
    }
}

/// The card.
pub(super) fn text(entry: &Entry, runs: &[Run]) -> String {
    let Entry { advice, state, place, .. } = entry;
    let mut card = format!(
        "{}  {}\n  {} · impact {} · {:.0} % sure · {}\n",
        advice.id,
        advice.title,
        state.word(),
        impact(advice.impact),
        advice.confidence * 100.0,
        place.name
    );
    line(&mut card, "Why", &advice.why);
    for evidence in &advice.evidence {
        line(&mut card, "Evidence", &format!("{}: {}", evidence.what, change(evidence)));
        if !evidence.check.is_empty() {
            line(&mut card, "", &format!("see: {}", evidence.check));
        }
    }
    if let Some(saves) = advice.saves {
        line(&mut card, "Saves", &format!("{:.1} % of the server's time", saves * 100.0));
    }
    line(&mut card, "Costs", &costs(advice));
    for caution in &advice.cautions {
        line(&mut card, "Caution", caution);
    }
    for sql in &advice.apply {
        line(&mut card, "Does", &format!("{sql};"));
    }
    for sql in &advice.undo {
        line(&mut card, "Way back", &format!("{sql};"));
    }
    for run in runs {
        done(&mut card, run);
    }
    let next = match (advice.apply.is_empty(), state.is_applied()) {
        (_, true) => format!("howdah recommendations undo {}", advice.id),
        (true, false) => "for a person to do".to_owned(),
        (false, false) => format!("howdah recommendations apply {}", advice.id),
    };
    line(&mut card, "Next", &next);
    card
}

fn line(card: &mut String, name: &str, text: &str) {
    let mut name = name;
    for part in text.lines() {
        // Writing to a string does not fail.
        let _ = writeln!(card, "  {name:10} {part}");
        name = "";
    }
}

/// The beginning of a statement, on one line.
pub(super) fn short(sql: &str) -> String {
    const WIDTH: usize = 60;
    let line = sql.split_whitespace().collect::<Vec<_>>().join(" ");
    if line.chars().count() <= WIDTH {
        return line;
    }
    line.chars().take(WIDTH - 1).chain(['…']).collect()
}

fn costs(advice: &Recommendation) -> String {
    let mib = advice.costs.bytes.unsigned_abs().div_ceil(1 << 20);
    let disk = match advice.costs.bytes {
        0 => "no disk".to_owned(),
        1.. => format!("about {mib} MiB of disk"),
        _ => format!("frees about {mib} MiB of disk"),
    };
    let writes = advice.costs.writes * 100.0;
    if writes.abs() < 0.05 {
        return disk;
    }
    format!("{disk}, writes of the table {writes:+.1} %")
}

fn done(card: &mut String, run: &Run) {
    let what = match run.direction {
        Direction::Apply => "Applied",
        Direction::Undo => "Undone",
    };
    let outcome = match run.ended_ms {
        Some(_) => run.outcome.as_str(),
        None => "goes on, or was interrupted",
    };
    line(card, what, &format!("by {}: {outcome}", run.who));
    for statement in &run.statements {
        let took = statement.ended_ms.map(|ended| ended.saturating_sub(statement.sent_ms));
        let took = took
            .map_or_else(|| "?".to_owned(), |ms| format!("{}.{} s", ms / 1_000, ms % 1_000 / 100));
        line(card, "", &format!("{} ({took}, {})", statement.sql, statement.outcome));
    }
}
