//! The `options` of a startup message: settings in the form of `postgres` command-line switches. Other switches are refused.
//!
//! Source: `process_postgres_switches` in PostgreSQL's `src/backend/tcop/postgres.c`, `pg_split_opts` in
//! `src/backend/utils/init/postinit.c`.

use howdah_wire::sqlstate::SqlState;

use crate::error::Refusal;

/// Settings in `options`, as `(name, value)`.
///
/// # Errors
/// A switch that is not `-c name=value` or `--name=value`.
pub(crate) fn parse(options: &str) -> Result<Vec<(String, String)>, Refusal> {
    let words = split(options);
    let mut words = words.iter();
    let mut settings = Vec::new();
    while let Some(word) = words.next() {
        let setting = if word == "-c" {
            words.next().map(String::as_str)
        } else {
            word.strip_prefix("--").or_else(|| word.strip_prefix("-c"))
        };
        let Some((name, value)) = setting.and_then(|setting| setting.split_once('=')) else {
            return Err(Refusal::new(
                SqlState::FEATURE_NOT_SUPPORTED,
                format!("startup option {word:?} does not go through Howdah"),
            )
            .hint("Settings do, as -c name=value or --name=value."));
        };
        settings.push((name.trim().replace('-', "_"), value.to_owned()));
    }
    Ok(settings)
}

/// Words separated by white space; a backslash takes the next character as it is.
fn split(options: &str) -> Vec<String> {
    let (mut words, mut word, mut inside) = (Vec::new(), String::new(), false);
    let mut characters = options.chars();
    while let Some(character) = characters.next() {
        if character.is_ascii_whitespace() {
            if inside {
                words.push(std::mem::take(&mut word));
            }
            inside = false;
            continue;
        }
        inside = true;
        match character {
            '\\' => word.extend(characters.next()),
            other => word.push(other),
        }
    }
    if inside {
        words.push(word);
    }
    words
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(options: &str, expected: &[(&str, &str)]) {
        let found = parse(options).expect("options are accepted");
        let found: Vec<(&str, &str)> =
            found.iter().map(|(n, v)| (n.as_str(), v.as_str())).collect();
        assert_eq!(found, expected);
    }

    #[test]
    fn settings_are_read_in_all_spellings() {
        check("", &[]);
        check("-c work_mem=1MB", &[("work_mem", "1MB")]);
        check(" -cgeqo=off  --search-path=a,b ", &[("geqo", "off"), ("search_path", "a,b")]);
        check(r"-c search_path=a\ b\\c", &[("search_path", r"a b\c")]);
        check("-c my.x=a=b", &[("my.x", "a=b")]);
    }

    #[test]
    fn other_switches_are_refused() {
        for options in ["-B 100", "-c", "-c work_mem", "--single", "x=1"] {
            assert!(parse(options).is_err(), "{options}");
        }
    }
}
