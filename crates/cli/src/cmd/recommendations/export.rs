//! Advice as statements for a migration: plain SQL, or files as Flyway wants them. Values to text, nothing else.

use howdah::ops::journal::Entry;

/// What it is written as.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
pub(super) enum Format {
    /// For psql
    Sql,
    /// For one file of a Flyway migration, which must not run in a transaction
    Flyway,
}

/// The statements, with what they are for.
pub(super) fn text(entries: &[Entry], format: Format) -> String {
    let mut text = String::new();
    if format == Format::Flyway {
        text.push_str("-- flyway: executeInTransaction=false\n");
    }
    let mut database = "";
    for Entry { advice, place, .. } in entries.iter().filter(|it| !it.advice.apply.is_empty()) {
        if place.name != database {
            database = &place.name;
            text.push_str(&format!("-- {}\n", comment(database)));
        }
        text.push_str(&format!("\n-- {} {}\n", advice.id, comment(&advice.title)));
        for caution in &advice.cautions {
            text.push_str(&format!("-- caution: {}\n", comment(caution)));
        }
        for sql in &advice.apply {
            text.push_str(&format!("{};\n", sql.trim_end_matches(';')));
        }
        for sql in &advice.undo {
            text.push_str(&format!("-- way back: {};\n", comment(sql.trim_end_matches(';'))));
        }
    }
    text
}

/// On one line: the rest would not be a comment.
fn comment(text: &str) -> String {
    text.split_whitespace().collect::<Vec<_>>().join(" ")
}
