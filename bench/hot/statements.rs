//! Hot functions of `howdah-sql`: the analysis of a statement that is known already. Not the first analysis, which parses.

use std::hint::black_box;

use howdah_sql::Analyses;

/// A point read with its key in the text, another one every time: the lexer makes all of them the same statement.
pub(crate) fn analyse_known_literals(repetitions: u64) -> Option<()> {
    let texts: [&[u8]; 4] = [
        b"SELECT abalance FROM pgbench_accounts WHERE aid = 100001;",
        b"SELECT abalance FROM pgbench_accounts WHERE aid = 735711;",
        b"SELECT abalance FROM pgbench_accounts WHERE aid = 271828;",
        b"SELECT abalance FROM pgbench_accounts WHERE aid = 999999;",
    ];
    analyse(&texts, repetitions)
}

/// The same with a parameter: the text never changes.
pub(crate) fn analyse_known_parameters(repetitions: u64) -> Option<()> {
    analyse(&[b"SELECT abalance FROM pgbench_accounts WHERE aid = $1;"], repetitions)
}

fn analyse(texts: &[&[u8]], repetitions: u64) -> Option<()> {
    let mut analyses = Analyses::new(1000);
    let known = analyses.analyse(texts.first()?);
    for text in texts.iter().cycle().take(usize::try_from(repetitions).ok()?) {
        let analysis = analyses.analyse(black_box(text));
        if analysis.fingerprint != known.fingerprint {
            return None;
        }
        black_box(&analysis);
    }
    known.parsed.then_some(())
}
