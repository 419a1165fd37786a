//! What automatic mode does next: by what was just found, what is in the journal, and how often indexes were used. Pure; not how it is done.
//!
//! Invariant: only what this very look has found is carried out, and of that only kinds that take nothing away; only what a run in its name has made is taken back; nothing new is
//! begun as long as something has to be taken back, or an index has yet to show what it does.

use howdah_advisor::{Impact, Kind, Recommendation};
use howdah_ops::Usage;
use howdah_ops::apply::{made, way_back};
use howdah_ops::journal::{Direction, Entry, Run, State};

/// Whose yes it was.
pub(super) const WHO: &str = "Howdah, by advice.mode = \"automatic\"";
/// Less sure advice is left to people.
const SURE: f64 = 0.7;
/// Milliseconds of a day.
const DAY: i64 = 86_400_000;
/// An index is waited for so long to show what it does, before the next one is made.
const TRIAL: i64 = DAY;
/// An index that nothing has used for so long is of no use.
const UNUSED: i64 = 7 * DAY;
/// What has failed so often in [`FAILING`] is left alone until that is over.
const FAILURES: usize = 3;
const FAILING: i64 = 7 * DAY;
/// What may be done without a person: it takes nothing away. And what is advised again although it was done, after how long it is done again: statistics grow old, an index that is gone is
/// one that somebody did not want.
const KINDS: [(Kind, i64); 3] =
    [(Kind::CreateIndex, i64::MAX), (Kind::Analyze, DAY), (Kind::RebuildIndex, 30 * DAY)];

/// One piece of advice of the journal, and what was done for it.
#[derive(Debug)]
pub(super) struct Known {
    pub(super) entry: Entry,
    pub(super) runs: Vec<Run>,
}

/// What to do, the first first: if it cannot even be begun, the one behind it.
#[derive(Debug, PartialEq)]
pub(super) enum Next<'a> {
    /// One of these is taken back, and why.
    TakeBack(Vec<(&'a Recommendation, &'static str)>),
    /// One of these is carried out.
    CarryOut(Vec<&'a Recommendation>),
}

/// `found` is what was just found, and `from` how much it has to matter.
pub(super) fn next<'a>(
    known: &'a [Known],
    (found, usage): (&'a [Recommendation], &Usage),
    (from, now): (Impact, i64),
) -> Next<'a> {
    let back: Vec<_> = known
        .iter()
        .filter_map(|one| Some((&one.entry.advice, superfluous(one, usage, now)?)))
        .collect();
    if !back.is_empty() {
        return Next::TakeBack(back);
    }
    if known.iter().any(|one| is_on_trial(&one.entry, now)) {
        return Next::CarryOut(Vec::new());
    }
    let of = |advice: &Recommendation| known.iter().find(|one| one.entry.advice.id == advice.id);
    let may = |advice: &&Recommendation| {
        suits(advice, from) && of(advice).is_none_or(|known| may_be_done(known, now))
    };
    let mut wanted: Vec<_> = found.iter().filter(may).collect();
    wanted.sort_by(|a, b| b.saves.unwrap_or(0.0).total_cmp(&a.saves.unwrap_or(0.0)));
    Next::CarryOut(wanted)
}

/// Why it has to go; `None`: it may stay.
fn superfluous(known: &Known, usage: &Usage, now: i64) -> Option<&'static str> {
    let (entry, runs) = (&known.entry, &known.runs);
    let last = runs.iter().rfind(|run| run.direction == Direction::Apply)?;
    // What a person wanted, a person takes back; and some things have no way back.
    if last.who != WHO || !entry.state.is_applied() || way_back(runs).is_empty() {
        return None;
    }
    // What promised nothing to statements that are counted cannot be judged by them.
    let promised = entry.advice.saves.is_some();
    [
        (entry.state == State::Regressed, "it made statements slower"),
        (entry.state == State::Neutral && promised, "it made no difference"),
        (is_unused(last, usage, now), "nothing has used it for a week"),
    ]
    .into_iter()
    .find_map(|(is, why)| is.then_some(why))
}

fn is_unused(run: &Run, usage: &Usage, now: i64) -> bool {
    let old = run.ended_ms.is_some_and(|ended| now.saturating_sub(ended) >= UNUSED);
    let counted = usage.seconds.is_some_and(|seconds| seconds * 1_000.0 >= UNUSED as f64);
    let made = made(std::slice::from_ref(run));
    let mut here = usage.indexes.iter().filter(|used| made.contains(&used.index)).peekable();
    old && counted && here.peek().is_some() && here.all(|used| used.scans == 0)
}

/// Somebody has carried it out not long ago, and what it does is not known yet.
fn is_on_trial(entry: &Entry, now: i64) -> bool {
    let recent = now.saturating_sub(entry.changed_ms) < TRIAL;
    recent && entry.state == State::Applied && entry.advice.kind == Kind::CreateIndex
}

fn suits(advice: &Recommendation, from: Impact) -> bool {
    KINDS.iter().any(|(kind, _)| *kind == advice.kind)
        && advice.impact >= from
        && advice.confidence >= SURE
        && !advice.apply.is_empty()
}

/// Nobody has decided otherwise, and it is not done in vain again and again.
fn may_be_done(known: &Known, now: i64) -> bool {
    let since = |run: &Run| now.saturating_sub(run.begun_ms);
    let ours = |run: &&Run| run.direction == Direction::Apply && run.who == WHO;
    // Interrupted: the next run finds what is left, and goes on.
    let interrupted = known.runs.last().is_some_and(|run| ours(&run) && run.ended_ms.is_none());
    let state = known.entry.state;
    let undecided = state == State::Open || (state == State::Applying && interrupted);
    let of = |done: bool| {
        let runs = known.runs.iter().filter(|run| run.direction == Direction::Apply);
        runs.filter(move |run| {
            run.ended_ms.is_some() && run.statements.iter().any(|one| one.done) == done
        })
    };
    let failed = of(false).filter(ours).filter(|run| since(run) < FAILING).count();
    let again = KINDS.iter().find(|(kind, _)| *kind == known.entry.advice.kind);
    let done = of(true).any(|run| again.is_none_or(|(_, after)| since(run) < *after));
    undecided && failed < FAILURES && !done
}

#[cfg(test)]
mod tests {
    use howdah_advisor::Costs;
    use howdah_ops::Used;
    use howdah_ops::apply::Name;
    use howdah_ops::journal::{Place, Purpose, Statement};

    use super::*;

    const NOW: i64 = 100 * DAY;

    fn advice(id: &str, saves: f64) -> Recommendation {
        Recommendation {
            id: id.to_owned(),
            kind: Kind::CreateIndex,
            subject: "public.t".to_owned(),
            title: id.to_owned(),
            why: String::new(),
            evidence: Vec::new(),
            impact: Impact::High,
            confidence: 0.8,
            saves: Some(saves),
            costs: Costs::default(),
            apply: vec![format!("CREATE INDEX CONCURRENTLY {id} ON public.t (a)")],
            undo: Vec::new(),
            statements: Vec::new(),
            cautions: Vec::new(),
        }
    }

    fn name(name: &str) -> Name {
        Name { schema: "public".to_owned(), name: name.to_owned() }
    }

    /// A run that ended so many days ago.
    fn run(who: &str, days: i64, done: bool) -> Run {
        let action = howdah_ops::apply::Action::CreateIndex { index: name("i"), table: name("t") };
        let statement = Statement {
            id: 1,
            purpose: Purpose::Step,
            sql: "CREATE INDEX CONCURRENTLY i ON public.t (a)".to_owned(),
            object: serde_json::to_string(&action).unwrap(),
            before: String::new(),
            back: vec!["DROP INDEX CONCURRENTLY public.i".to_owned()],
            sent_ms: NOW - days * DAY,
            ended_ms: Some(NOW - days * DAY),
            done,
            outcome: String::new(),
        };
        Run {
            id: 1,
            advice: "a".to_owned(),
            direction: Direction::Apply,
            who: who.to_owned(),
            begun_ms: NOW - days * DAY,
            ended_ms: Some(NOW - days * DAY),
            outcome: String::new(),
            statements: vec![statement],
        }
    }

    fn known(advice: Recommendation, state: State, runs: Vec<Run>) -> Known {
        let place = Place { key: "1/d".to_owned(), name: "d".to_owned() };
        let changed_ms = runs.last().and_then(|run| run.ended_ms).unwrap_or(NOW);
        Known { entry: Entry { place, state, first_ms: 0, changed_ms, advice }, runs }
    }

    fn carried_out(known: &[Known], found: &[Recommendation], from: Impact) -> Vec<String> {
        match next(known, (found, &Usage::default()), (from, NOW)) {
            Next::CarryOut(wanted) => wanted.iter().map(|one| one.id.clone()).collect(),
            Next::TakeBack(back) => panic!("{back:?}"),
        }
    }

    fn taken_back(state: State, runs: Vec<Run>, usage: &Usage) -> Option<&'static str> {
        let (known, found) = ([known(advice("a", 0.5), state, runs)], [advice("b", 0.9)]);
        match next(&known, (&found, usage), (Impact::High, NOW)) {
            Next::TakeBack(back) => Some(back[0].1),
            Next::CarryOut(_) => None,
        }
    }

    #[test]
    fn what_saves_most_comes_first_and_what_matters_too_little_or_takes_away_never() {
        let medium = Recommendation { impact: Impact::Medium, ..advice("medium", 0.1) };
        let unsure = Recommendation { confidence: 0.3, ..advice("unsure", 0.9) };
        let drop = Recommendation { kind: Kind::DropUnusedIndex, ..advice("drop", 0.9) };
        let none = Recommendation { apply: Vec::new(), ..advice("none", 0.9) };
        let found = [advice("b", 0.3), advice("a", 0.6), medium, unsure, drop, none];
        assert_eq!(carried_out(&[], &found, Impact::High), ["a", "b"]);
        assert_eq!(carried_out(&[], &found, Impact::Medium), ["a", "b", "medium"]);
    }

    #[test]
    fn what_is_in_the_journal_and_was_not_found_now_is_not_carried_out() {
        let known = [known(advice("a", 0.6), State::Open, Vec::new())];
        assert_eq!(carried_out(&known, &[advice("b", 0.3)], Impact::High), ["b"]);
    }

    #[test]
    fn an_index_on_trial_keeps_everything_else_waiting_for_a_day() {
        let found = [advice("b", 0.3)];
        let before = |state, days| {
            carried_out(
                &[known(advice("a", 0.6), state, vec![run("ann", days, true)])],
                &found,
                Impact::High,
            )
        };
        assert_eq!(before(State::Applied, 0), [""; 0]);
        assert_eq!(before(State::Applied, 1), ["b"]);
        assert_eq!(before(State::Verified, 0), ["b"]);
    }

    #[test]
    fn what_a_person_has_decided_stays_so() {
        let state = |state, runs| {
            carried_out(&[known(advice("a", 0.6), state, runs)], &[advice("a", 0.6)], Impact::High)
        };
        assert_eq!(state(State::Open, Vec::new()), ["a"]);
        assert_eq!(state(State::Dismissed, Vec::new()), [""; 0]);
        assert_eq!(state(State::Reverted, vec![run(WHO, 1, true)]), [""; 0]);
        assert_eq!(state(State::Open, vec![run(WHO, 40, true)]), [""; 0], "dropped by hand");
        assert_eq!(state(State::Applying, vec![run("ann", 0, false)]), [""; 0]);
        let interrupted = Run { ended_ms: None, ..run(WHO, 0, false) };
        assert_eq!(state(State::Applying, vec![interrupted]), ["a"]);
    }

    #[test]
    fn what_fails_again_and_again_is_left_alone_for_a_week() {
        let after = |runs| {
            carried_out(
                &[known(advice("a", 0.6), State::Open, runs)],
                &[advice("a", 0.6)],
                Impact::High,
            )
        };
        let failures = |days: &[i64]| days.iter().map(|days| run(WHO, *days, false)).collect();
        assert_eq!(after(failures(&[2, 1])), ["a"]);
        assert_eq!(after(failures(&[3, 2, 1])), [""; 0]);
        assert_eq!(after(failures(&[8, 2, 1])), ["a"]);
    }

    #[test]
    fn statistics_are_gathered_again_and_an_index_is_rebuilt_again_but_not_at_every_look() {
        let after = |kind, days| {
            let advice = Recommendation { kind, ..advice("a", 0.0) };
            let before = [known(advice.clone(), State::Open, vec![run(WHO, days, true)])];
            carried_out(&before, &[advice], Impact::High).len()
        };
        assert_eq!((after(Kind::Analyze, 0), after(Kind::Analyze, 1)), (0, 1));
        assert_eq!((after(Kind::RebuildIndex, 29), after(Kind::RebuildIndex, 30)), (0, 1));
    }

    #[test]
    fn only_what_was_made_here_is_taken_back_and_before_anything_new() {
        let back = |who, state| taken_back(state, vec![run(who, 2, true)], &Usage::default());
        assert_eq!(back(WHO, State::Regressed), Some("it made statements slower"));
        assert_eq!(back("ann", State::Regressed), None);
        assert_eq!(back(WHO, State::Neutral), Some("it made no difference"));
        assert_eq!(back(WHO, State::Verified), None);
        assert_eq!(back(WHO, State::Reverted), None);
        let ann = vec![run(WHO, 3, true), run("ann", 2, true)];
        assert_eq!(taken_back(State::Regressed, ann, &Usage::default()), None, "hers now");
        let mut analysed = run(WHO, 2, true);
        analysed.statements[0].back = Vec::new();
        assert_eq!(taken_back(State::Regressed, vec![analysed], &Usage::default()), None);
    }

    #[test]
    fn what_cannot_show_in_statements_is_not_taken_back_because_it_does_not() {
        let foreign_key = Recommendation { saves: None, ..advice("a", 0.0) };
        let known = [known(foreign_key, State::Neutral, vec![run(WHO, 2, true)])];
        assert_eq!(carried_out(&known, &[], Impact::High), [""; 0]);
    }

    #[test]
    fn an_index_is_unused_when_every_node_has_counted_for_a_week_and_none_has_used_it() {
        let unused = |days, counted: Option<f64>, scans| {
            let (index, table) = (name("i"), name("t"));
            let used = Used { index, table, bytes: 8_192, scans };
            let seconds = counted.map(|days| days * 86_400.0);
            let usage = Usage { seconds, indexes: vec![used] };
            taken_back(State::Verified, vec![run(WHO, days, true)], &usage).is_some()
        };
        assert!(unused(7, Some(7.0), 0));
        assert!(!unused(7, Some(7.0), 1), "used");
        assert!(!unused(6, Some(30.0), 0), "young");
        assert!(!unused(30, Some(6.0), 0), "statistics were reset");
        assert!(!unused(30, None, 0), "a replica was not asked");
        let gone = Usage { seconds: Some(1e9), indexes: Vec::new() };
        assert_eq!(taken_back(State::Verified, vec![run(WHO, 30, true)], &gone), None);
    }
}
