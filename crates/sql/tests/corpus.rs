//! Normal form against PostgreSQL's parser, over a corpus of statements and variants of each of them.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::string_slice,
    clippy::panic,
    clippy::cast_sign_loss,
    clippy::disallowed_methods,
    clippy::print_stderr,
    clippy::wildcard_enum_match_arm,
    reason = "tests"
)]

use std::collections::{BTreeMap, BTreeSet};

use howdah_sql::{Analyses, Class, Fingerprint, Statement, normalize};
use pg_query::protobuf::{KeywordKind, Token};

/// What must be the same for all texts of one normal form.
type Facts = (Fingerprint, Class, Box<[Statement]>, bool);

fn corpus() -> Vec<String> {
    let directory = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/corpus");
    let mut files: Vec<_> =
        std::fs::read_dir(directory).unwrap().map(|entry| entry.unwrap().path()).collect();
    files.sort();
    let read = |path| std::fs::read_to_string(path).unwrap();
    let mut statements = BTreeSet::new();
    for text in files.iter().map(read) {
        statements.extend(text.split("\n\n").map(|one| one.trim_end_matches('\n').to_owned()));
    }
    statements.into_iter().collect()
}

fn form(sql: &str) -> String {
    let mut form = Vec::new();
    normalize(sql.as_bytes(), &mut form);
    String::from_utf8(form).unwrap()
}

/// Facts from the text itself, not from another one of its form; `None` if it does not parse.
fn facts(sql: &str) -> Option<Facts> {
    let analysis = Analyses::new(1).analyse(sql.as_bytes());
    analysis.parsed.then(|| {
        let statements = analysis.statements.clone();
        (analysis.fingerprint, analysis.class, statements, analysis.calls_unknown_functions)
    })
}

/// A small generator of numbers, the same in every run.
struct Dice(u64);

impl Dice {
    fn roll(&mut self, sides: usize) -> usize {
        self.0 =
            self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        usize::try_from(self.0 >> 33).unwrap() % sides
    }

    fn pick<'a>(&mut self, from: &[&'a str]) -> &'a str {
        from[self.roll(from.len())]
    }
}

/// The tokens of PostgreSQL's scanner without comments.
fn tokens(sql: &str) -> Vec<(Token, bool, &str)> {
    let scanned = pg_query::scan(sql).unwrap();
    let tokens = scanned.tokens.iter().filter_map(|token| {
        let kind = Token::try_from(token.token).unwrap();
        let is_keyword = token.keyword_kind() != KeywordKind::NoKeyword;
        let text = &sql[token.start as usize..token.end as usize];
        (!matches!(kind, Token::SqlComment | Token::CComment)).then_some((kind, is_keyword, text))
    });
    tokens.collect()
}

/// Whether PostgreSQL's scanner reports the whole of every token: not for continued strings and `N'…'`. Names with Unicode
/// escapes are left out too: a text with one is its own normal form.
fn is_retold(sql: &str) -> bool {
    !["\n", "N'", "n'", "uescape", "U&\""].iter().any(|part| sql.contains(part))
}

/// The same statement in other letters, with other white space and comments.
fn respelled(sql: &str, dice: &mut Dice) -> String {
    const GAPS: [&str; 7] = [
        " ",
        "\n",
        "\t ",
        " /* a ' comment */ ",
        " -- another; \"one\"\n",
        "/**/",
        " /* n /* e */ st */ ",
    ];
    let mut text = String::from(dice.pick(&["", " ", "/* x */", "-- y\n"]));
    for (kind, is_keyword, token) in tokens(sql) {
        if is_keyword || kind == Token::Ident && !token.starts_with('"') {
            let upper = dice.roll(2) == 0;
            let turn =
                |c: char| if upper { c.to_ascii_uppercase() } else { c.to_ascii_lowercase() };
            text.extend(token.chars().map(turn));
        } else {
            text.push_str(token);
        }
        text.push_str(dice.pick(&GAPS));
    }
    text + dice.pick(&["", ";", " ; ;"])
}

/// The same statement with other literals: of the same kind, or of any.
fn reliteralled(sql: &str, any: bool, dice: &mut Dice) -> String {
    const NUMBERS: [&str; 6] = ["0", "7", "12345678901234567890", "3.25", ".5", "1e-7"];
    const INTEGERS: [&str; 4] = ["0", "7", "1000", "2147483647"];
    const STRINGS: [&str; 6] = ["''", "'x'", "'it''s; --'", "E'\\'\\n'", "$q$ it's $q$", "'$1'"];
    const OTHERS: [&str; 7] = ["$5", "null", "true", "B'01'", "X'ff'", "-4", "N'n'"];
    let mut text = String::new();
    for (kind, _, token) in tokens(sql) {
        let kind_of_any = any && dice.roll(2) == 0;
        let replacement = match kind {
            Token::Iconst if !kind_of_any => dice.pick(&INTEGERS),
            Token::Fconst if !kind_of_any => dice.pick(&NUMBERS),
            Token::Sconst if !kind_of_any => dice.pick(&STRINGS),
            Token::Iconst | Token::Fconst | Token::Sconst | Token::Param if kind_of_any => {
                match dice.roll(3) {
                    0 => dice.pick(&NUMBERS),
                    1 => dice.pick(&STRINGS),
                    _ => dice.pick(&OTHERS),
                }
            }
            _ => token,
        };
        text.push_str(replacement);
        text.push(' ');
    }
    text
}

#[test]
fn every_statement_of_the_corpus_parses_and_there_are_many() {
    let corpus = corpus();
    assert!(corpus.len() >= 2000, "{}", corpus.len());
    let wrong: Vec<_> = corpus.iter().filter(|sql| facts(sql).is_none()).collect();
    assert!(wrong.is_empty(), "{wrong:#?}");
}

#[test]
fn a_normal_form_is_its_own_normal_form() {
    for sql in corpus() {
        let once = form(&sql);
        assert_eq!(form(&once), once, "{sql}");
    }
}

#[test]
fn spelling_does_not_change_the_normal_form() {
    let mut dice = Dice(1);
    for sql in corpus().iter().filter(|sql| is_retold(sql)) {
        for _ in 0..4 {
            let other = respelled(sql, &mut dice);
            assert_eq!(form(&other), form(sql), "{other}");
        }
    }
}

#[test]
fn equal_normal_forms_have_equal_facts() {
    let mut dice = Dice(2);
    let mut known: BTreeMap<String, (String, Facts)> = BTreeMap::new();
    let (mut shared, mut different) = (0, 0);
    for sql in corpus() {
        let mut variants = vec![sql.clone()];
        if is_retold(&sql) {
            for round in 0..12 {
                variants.push(reliteralled(&sql, round >= 4, &mut dice));
            }
        }
        for text in variants {
            let Some(found) = facts(&text) else { continue };
            match known.get(&form(&text)) {
                None => {
                    different += 1;
                    known.insert(form(&text), (text, found));
                }
                Some((other, expected)) => {
                    shared += 1;
                    assert_eq!(&found, expected, "\n{text}\n{other}\n{}", form(&text));
                }
            }
        }
    }
    assert!(shared > 10_000, "{shared} comparisons, {different} forms");
}

#[test]
fn other_literals_of_the_same_kind_do_not_change_the_normal_form_of_a_query() {
    let mut dice = Dice(3);
    let mut kept = BTreeSet::new();
    let mut compared = 0;
    for sql in corpus().iter().filter(|sql| is_retold(sql)) {
        let first = sql.trim_start_matches(['(', ';', ' ']).split([' ', '(']).next().unwrap();
        let is_query =
            ["select", "insert", "update", "delete", "values", "with", "merge", "execute"];
        if !is_query.contains(&first.to_lowercase().as_str()) {
            continue;
        }
        for _ in 0..4 {
            let other = reliteralled(sql, false, &mut dice);
            if facts(&other).is_some() {
                compared += 1;
                if form(&other) != form(sql) {
                    kept.insert(sql.clone());
                }
            }
        }
    }
    assert!(compared > 5000, "{compared}");
    // Kept: `float(n)`, `current_timestamp(n)` and the like, and subscripts.
    let expected = |sql: &String| {
        let sql = sql.to_lowercase();
        ["float(", "current_time(", "timestamp(", "["].iter().any(|part| sql.contains(part))
    };
    let unexpected: Vec<_> = kept.iter().filter(|sql| !expected(sql)).collect();
    assert!(unexpected.is_empty(), "{unexpected:#?}");
}

/// Why two statements of one fingerprint have different normal forms.
fn difference(one: &str, other: &str) -> &'static str {
    let literal = |kind: Token| {
        matches!(
            kind,
            Token::Iconst
                | Token::Fconst
                | Token::Sconst
                | Token::Usconst
                | Token::Bconst
                | Token::Xconst
                | Token::Param
        )
    };
    let reduce = |sql: &str, literals: bool| -> Vec<String> {
        let words = tokens(sql).into_iter().map(|(kind, is_keyword, text)| {
            let is_constant =
                is_keyword && matches!(text.to_lowercase().as_str(), "null" | "true" | "false");
            if literals && (literal(kind) || is_constant) {
                "?".to_owned()
            } else {
                text.trim_matches('"').to_lowercase()
            }
        });
        words.filter(|word| word != ";").collect()
    };
    let set = |words: Vec<String>| words.into_iter().collect::<BTreeSet<_>>();
    if reduce(one, true) == reduce(other, true) {
        return "literals that the normal form keeps, or quotes around a name";
    }
    let (one, other) = (set(reduce(one, true)), set(reduce(other, true)));
    let ignored = ["?", ",", "(", ")", "-", "+", "[", "]"];
    let strip = |words: &BTreeSet<String>| -> BTreeSet<String> {
        words.iter().filter(|word| !ignored.contains(&word.as_str())).cloned().collect()
    };
    if strip(&one) == strip(&other) {
        return "order, number or repetition of items";
    }
    let casts = ["::", "cast", "as", "int", "text", "date", "interval"];
    let uncast = |words: &BTreeSet<String>| -> BTreeSet<String> {
        strip(words).into_iter().filter(|word| !casts.contains(&word.as_str())).collect()
    };
    if uncast(&one) == uncast(&other) {
        return "types of constants";
    }
    "other words that the fingerprint ignores"
}

/// The fingerprint is coarser than the normal form, which has to be exact enough to be the key of a cache. Compared is
/// every form of a fingerprint with one other form of it.
#[test]
fn equal_fingerprints_have_equal_normal_forms_but_for_known_kinds_of_difference() {
    let mut forms: BTreeMap<Fingerprint, BTreeMap<String, String>> = BTreeMap::new();
    let corpus = corpus();
    for sql in &corpus {
        let fingerprint = facts(sql).unwrap().0;
        forms.entry(fingerprint).or_default().entry(form(sql)).or_insert_with(|| sql.clone());
    }
    let mut counts: BTreeMap<&str, usize> = BTreeMap::new();
    for (_, same) in forms.iter().filter(|(_, same)| same.len() > 1) {
        let mut texts = same.values();
        let first = texts.next().unwrap();
        for other in texts {
            let kind = difference(first, other);
            *counts.entry(kind).or_default() += 1;
            if std::env::var_os("SHOW_DIFFERENCES").is_some() {
                eprintln!("{kind}:\n    {}\n    {}", form(first), form(other));
            }
        }
    }
    let expected = [
        ("literals that the normal form keeps, or quotes around a name", 8),
        ("order, number or repetition of items", 34),
        ("types of constants", 82),
        // `LIMIT` and `OFFSET` with constants, the field of `EXTRACT`, `ALL`, the name in `CLOSE`, `IN` for `=`, …
        ("other words that the fingerprint ignores", 70),
    ];
    assert_eq!(
        counts,
        BTreeMap::from(expected),
        "of {} statements, {} fingerprints",
        corpus.len(),
        forms.len()
    );
}
