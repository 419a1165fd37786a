//! Prints the time per statement of the normal form and of an analysis that is a hit.
#![allow(clippy::print_stdout, clippy::disallowed_methods, reason = "prints measurements")]

use std::hint::black_box;
use std::time::Instant;

use howdah_sql::{Analyses, normalize};

const STATEMENTS: [(&str, &str); 5] = [
    ("pgbench select", "SELECT abalance FROM pgbench_accounts WHERE aid = 8573612;"),
    ("prepared select", "SELECT abalance FROM pgbench_accounts WHERE aid = $1;"),
    (
        "pgbench update",
        "UPDATE pgbench_accounts SET abalance = abalance + -3187 WHERE aid = 8573612;",
    ),
    (
        "orm select",
        "SELECT \"users\".\"id\", \"users\".\"email\", \"users\".\"created_at\" FROM \"users\" \
         INNER JOIN \"orders\" ON \"orders\".\"user_id\" = \"users\".\"id\" WHERE \"users\".\"active\" = TRUE AND \
         \"orders\".\"state\" IN ('paid', 'sent', 'closed') ORDER BY \"users\".\"id\" DESC LIMIT 25",
    ),
    (
        "insert of 3 rows",
        "INSERT INTO events (id, kind, payload) VALUES (1, 'a', '{\"x\": 1}'), (2, 'b', NULL), (3, 'c', '{}')",
    ),
];

fn main() {
    const ROUNDS: u32 = 400_000;
    let mut form = Vec::new();
    let mut analyses = Analyses::new(1024);
    for (name, sql) in STATEMENTS {
        let sql = sql.as_bytes();
        let per = |start: Instant| start.elapsed().as_nanos() / u128::from(ROUNDS);
        let mut best = (u128::MAX, u128::MAX);
        for _ in 0..7 {
            let start = Instant::now();
            for _ in 0..ROUNDS {
                normalize(black_box(sql), &mut form);
                black_box(&form);
            }
            best.0 = best.0.min(per(start));
            let start = Instant::now();
            for _ in 0..ROUNDS {
                black_box(analyses.analyse(black_box(sql)));
            }
            best.1 = best.1.min(per(start));
        }
        println!("{name:18} {:4} bytes  form {:4} ns  hit {:4} ns", sql.len(), best.0, best.1);
        println!("    {}", analyses.analyse(sql).text);
    }
}
