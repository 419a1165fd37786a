//! A report as Markdown.

use super::{Line, Report, date, grouped, millis, table};

/// Characters of a statement on a line.
const SHOWN: usize = 160;

/// The text.
pub(super) fn text(report: &Report) -> String {
    let mut text = format!(
        "# Howdah, {} to {} UTC\n\n**{}**\n\n| | this {word} | the one before |\n|---|---:|---:|\n",
        date(report.from),
        date(report.to),
        report.verdict,
        word = report.period.word(),
    );
    for [name, now, before] in table(report) {
        text.push_str(&format!("| {name} | {now} | {before} |\n"));
    }
    list(&mut text, "Statements that took the most time", &report.top);
    list(&mut text, "Slower than before", &report.slower);
    list(&mut text, "New", &report.new);
    if !report.marks.is_empty() {
        text.push_str("\n## What changed\n\n");
        for mark in &report.marks {
            text.push_str(&format!(
                "- {} {}: {}\n",
                date(mark.at_ms / 1_000),
                mark.kind,
                escaped(&mark.text)
            ));
        }
    }
    if !report.missing.is_empty() {
        text.push_str("\n## Not known\n\n");
        for one in &report.missing {
            text.push_str(&format!("- {one}\n"));
        }
    }
    text
}

fn list(text: &mut String, title: &str, lines: &[Line]) {
    if lines.is_empty() {
        return;
    }
    text.push_str(&format!(
        "\n## {title}\n\n| time | calls | failed | P95 | before | user on database | statement |\n|---:|---:|---:|---:|---:|---|---|\n"
    ));
    for line in lines {
        let statement: String = line.statement.chars().take(SHOWN).collect();
        text.push_str(&format!(
            "| {:.1} % | {} | {} | {} | {} | {} on {} | {} |\n",
            100.0 * line.share,
            grouped(line.calls),
            grouped(line.errors),
            millis(line.p95_ms),
            millis(line.p95_before_ms),
            escaped(&line.user),
            escaped(&line.database),
            escaped(&statement),
        ));
    }
}

/// What people have written must not become a table, a link or a tag.
fn escaped(text: &str) -> String {
    let mut safe = String::with_capacity(text.len());
    for char in text.chars() {
        match char {
            '\n' | '\r' | '\t' => safe.push(' '),
            '\\' | '|' | '*' | '_' | '`' | '[' | ']' | '#' | '~' => {
                safe.push('\\');
                safe.push(char);
            }
            '<' => safe.push_str("&lt;"),
            '&' => safe.push_str("&amp;"),
            _ => safe.push(char),
        }
    }
    safe
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_people_write_stays_text() {
        assert_eq!(escaped("a|b\n<i>[x](y)`"), "a\\|b &lt;i>\\[x\\](y)\\`");
    }
}
