//! All short texts over small sets of tokens, and statements of the corpus with tokens put in, taken out or doubled: equal
//! normal forms never have different facts.
#![allow(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::string_slice,
    clippy::cast_sign_loss,
    clippy::disallowed_methods,
    reason = "tests"
)]

use std::collections::HashMap;

use howdah_sql::{Analyses, Class, Fingerprint, Statement, normalize, split};

/// What must be the same for all texts of one normal form.
type Facts = (Fingerprint, Class, Box<[Statement]>, bool);

/// The facts of the first text of every form, and a map that has seen all texts.
struct Seen {
    first: HashMap<Vec<u8>, (String, Facts)>,
    compared: usize,
    together: Analyses,
}

impl Default for Seen {
    fn default() -> Self {
        Self { first: HashMap::new(), compared: 0, together: Analyses::new(1 << 20) }
    }
}

impl Seen {
    fn check(&mut self, sql: String) {
        let form = form(sql.as_bytes());
        assert_eq!(self::form(&form), form, "a normal form is its own normal form: {sql}");
        let analysis = Analyses::new(1).analyse(sql.as_bytes());
        let together = self.together.analyse(sql.as_bytes());
        if !analysis.parsed {
            return;
        }
        assert_eq!(together, analysis, "what was seen before does not matter: {sql}");
        assert_eq!(split(&sql).len(), analysis.statements.len(), "{sql}");
        let statements = analysis.statements.clone();
        let facts =
            (analysis.fingerprint, analysis.class, statements, analysis.calls_unknown_functions);
        if let Some((other, expected)) = self.first.get(&form) {
            self.compared += 1;
            assert_eq!(&facts, expected, "\n{sql}\n{other}\n{}", String::from_utf8_lossy(&form));
        } else {
            self.first.insert(form, (sql, facts));
        }
    }
}

fn form(sql: &[u8]) -> Vec<u8> {
    let mut form = Vec::new();
    normalize(sql, &mut form);
    form
}

/// Whether brackets are closed as they are opened; no other text parses.
fn is_balanced(sql: &str) -> bool {
    let mut open = Vec::new();
    sql.chars().all(|c| match c {
        '(' | '[' => {
            open.push(c);
            true
        }
        ')' => open.pop() == Some('('),
        ']' => open.pop() == Some('['),
        _ => true,
    }) && open.is_empty()
}

/// All texts of up to `longest` tokens; at least so many comparisons must have come of it.
fn all_of(prefix: &str, tokens: &[&str], longest: u32, at_least: usize) {
    let mut seen = Seen::default();
    for length in 1..=longest {
        for number in 0..tokens.len().pow(length) {
            let mut rest = number;
            let mut sql = prefix.to_owned();
            for _ in 0..length {
                sql = sql + " " + tokens[rest % tokens.len()];
                rest /= tokens.len();
            }
            if is_balanced(&sql) {
                seen.check(sql);
            }
        }
    }
    assert!(seen.compared >= at_least, "{} comparisons", seen.compared);
}

#[test]
fn short_expressions() {
    all_of("select", &["-", "(", ")", "1", "'x'", "a", "::int", ",", "null"], 5, 500);
}

#[test]
fn short_expressions_with_signs() {
    let tokens = ["-", "+", "1.5", "'x'", "value", "t.*", "t.", "limit", "select", "(", ")"];
    all_of("select", &tokens, 4, 200);
}

/// Quotes, comments and what looks like them, with nothing between the tokens: contents of strings that are none must not be
/// taken for literals.
#[test]
fn short_texts_with_quotes() {
    let tokens = [
        "'", "''", "'a'", "12", "x", "\"", " ", "\n", "--", "/*", "*/", "\\", "$", "E", "U&", ",",
        "-",
    ];
    let mut seen = Seen::default();
    for number in 0..tokens.len().pow(4) {
        let mut rest = number;
        let mut middle = String::new();
        for _ in 0..4 {
            middle += tokens[rest % tokens.len()];
            rest /= tokens.len();
        }
        seen.check(format!("SELECT 'b'{middle}"));
        for between in [" ", ", 12", ", x"] {
            seen.check(format!("SELECT 1 {middle}{between} {middle}"));
        }
    }
    assert!(seen.compared >= 2_000, "only {} comparisons", seen.compared);
}

#[test]
fn short_lists() {
    let tokens = ["-", "(", ")", "1", "$1", ",", "b", "array[", "]", "in"];
    all_of("select a in", &tokens, 5, 50);
}

#[test]
fn short_rows() {
    let tokens =
        ["(1)", "(1, 2)", "('x')", "(a)", "((1))", ",", "union", "values", "(values (1), (2))"];
    all_of("values", &tokens, 5, 100);
}

#[test]
fn short_types() {
    let tokens = ["::", "float", "(1)", "(30)", "[", "]", "1", "2", "array", "int", "'y'"];
    all_of("select x", &tokens, 4, 20);
}

#[test]
fn short_positions() {
    let tokens = ["position", "(", ")", "in", "1", ",", "'x'", "values", "a."];
    all_of("select", &tokens, 5, 20);
}

/// What is put into statements.
const POOL: [&str; 40] = [
    "-",
    "+",
    "(",
    ")",
    "in",
    "values",
    ",",
    "null",
    "[",
    "]",
    "::int",
    "1",
    "'x'",
    "$1",
    ".",
    "array",
    "float",
    "position",
    "true",
    "2.5",
    "not",
    "select",
    "with",
    "(1)",
    "- 1",
    "in (1, 1)",
    ";",
    "E'a'",
    "as x",
    "and",
    "limit 1",
    "current_time(1)",
    "x'ff'",
    "n'q'",
    "interval",
    "date '2020-01-01'",
    "*",
    "||",
    "is null",
    "= 5",
];

#[test]
fn changed_statements_of_the_corpus() {
    let directory = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/corpus");
    let mut files: Vec<_> =
        std::fs::read_dir(directory).unwrap().map(|entry| entry.unwrap().path()).collect();
    files.sort();
    let texts: Vec<_> = files.iter().map(|path| std::fs::read_to_string(path).unwrap()).collect();
    let corpus: Vec<_> = texts.iter().flat_map(|text| text.split("\n\n")).map(str::trim).collect();
    let mut seed = 1_u64;
    let mut roll = |sides: usize| {
        seed = seed.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        usize::try_from(seed >> 33).unwrap() % sides
    };
    let mut seen = Seen::default();
    for _ in 0..150_000 {
        let sql = corpus[roll(corpus.len())];
        if sql.len() > 300 {
            continue;
        }
        let scanned = pg_query::scan(sql).unwrap().tokens;
        let slice = |start: i32, end: i32| sql[start as usize..end as usize].to_owned();
        let mut tokens: Vec<_> = scanned
            .iter()
            .map(|token| slice(token.start, token.end))
            .filter(|one| !one.starts_with("--"))
            .collect();
        for _ in 0..=roll(3) {
            let at = roll(tokens.len());
            match roll(4) {
                0 => tokens.insert(at, POOL[roll(POOL.len())].to_owned()),
                1 => tokens[at] = POOL[roll(POOL.len())].to_owned(),
                2 if tokens.len() > 1 => drop(tokens.remove(at)),
                _ => tokens.insert(at, tokens[at].clone()),
            }
        }
        seen.check(tokens.join(" "));
    }
    assert!(seen.compared > 1000, "{}", seen.compared);
}
