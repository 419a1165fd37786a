//! Traces of which it is known whether they are N+1: what is found is counted against that.
//!
//! Length: a table of traces.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use howdah_sql::Class;

use super::super::chains::{Sightings, Sureness, Suspects};
use super::super::values::{Asked, Given};
use super::{Heard, Recent};

const PARENT: u64 = 1;
const CHILD: u64 = 2;
const OTHER: u64 = 3;

/// A call, as it was recorded. Values are hashes.
#[derive(Debug, Clone, Default)]
struct Call {
    session: u64,
    database: u64,
    form: u64,
    reads: bool,
    asked: Vec<u64>,
    /// The values of its answer, where they are known.
    given: Vec<u64>,
    rows: u64,
    /// Microseconds: when it came, how long it took.
    at: u64,
    took: u64,
}

/// Writes a trace call by call.
#[derive(Default)]
struct Trace {
    calls: Vec<Call>,
    now: u64,
    session: u64,
    database: u64,
    pause: u64,
}

impl Trace {
    fn new() -> Self {
        Self { pause: 300, ..Self::default() }
    }

    fn pausing(pause: u64) -> Self {
        Self { pause, ..Self::default() }
    }

    /// Another unit of this session.
    fn unit(&mut self, session: u64) -> &mut Self {
        self.session = session;
        self.now += 1_000_000;
        self
    }

    fn push(&mut self, form: u64, asked: &[u64], given: Vec<u64>, rows: u64) -> &mut Self {
        self.now += self.pause;
        let call = Call {
            session: self.session,
            database: self.database,
            form,
            reads: true,
            asked: asked.to_vec(),
            given,
            rows,
            at: self.now,
            took: 200,
        };
        self.now += 200;
        self.calls.push(call);
        self
    }

    /// The list of rows, with their keys or without.
    fn list(&mut self, keys: std::ops::Range<u64>, told: bool) -> &mut Self {
        let rows = keys.end - keys.start;
        self.push(
            PARENT,
            &[7],
            if told { keys.flat_map(|key| [key, key + 9_000]).collect() } else { Vec::new() },
            rows,
        )
    }

    fn children(&mut self, keys: impl IntoIterator<Item = u64>) -> &mut Self {
        for key in keys {
            self.push(CHILD, &[key], vec![key], 1);
        }
        self
    }

    fn done(&mut self) -> Vec<Call> {
        std::mem::take(&mut self.calls)
    }

    fn change(&mut self, change: impl Fn(&mut Call)) -> Vec<Call> {
        self.calls.iter_mut().for_each(change);
        self.done()
    }
}

type Named = (&'static str, Vec<Call>);

fn units(count: u64, sessions: u64, mut unit: impl FnMut(&mut Trace, u64)) -> Vec<Call> {
    let mut trace = Trace::new();
    for number in 0..count {
        trace.unit(number % sessions);
        unit(&mut trace, number);
    }
    trace.done()
}

#[allow(clippy::too_many_lines, reason = "a table of traces")]
fn positive() -> Vec<Named> {
    vec![
        (
            "values match, once",
            units(1, 1, |t, _| {
                t.list(10..20, true).children(10..20);
            }),
        ),
        (
            "values match, often",
            units(6, 3, |t, _| {
                t.list(10..30, true).children(10..30);
            }),
        ),
        (
            "values unknown, different counts",
            units(4, 2, |t, n| {
                t.list(0..6 + n, false).children(0..6 + n);
            }),
        ),
        (
            "values unknown, same count, several sessions",
            units(4, 2, |t, _| {
                t.list(0..25, false).children(100..125);
            }),
        ),
        (
            "in another order",
            units(2, 1, |t, _| {
                t.list(10..20, true).children((10..20).rev());
            }),
        ),
        (
            "some rows have no child to ask for",
            units(3, 1, |t, _| {
                t.list(10..20, true).children(10..19);
            }),
        ),
        (
            "one key asked twice",
            units(3, 1, |t, _| {
                t.list(10..20, true).children((10..20).chain([12]));
            }),
        ),
        (
            "two children alternate",
            units(2, 1, |t, _| {
                t.list(10..20, true);
                for key in 10..20 {
                    t.push(CHILD, &[key], vec![], 1).push(OTHER, &[key], vec![], 1);
                }
            }),
        ),
        (
            "a query of its own in between",
            units(2, 1, |t, _| {
                t.list(10..20, true).push(9, &[], vec![], 1).children(10..20);
            }),
        ),
        (
            "a second parameter stays the same",
            units(2, 1, |t, _| {
                t.list(10..20, true);
                for key in 10..20 {
                    t.push(CHILD, &[55, key], vec![], 1);
                }
            }),
        ),
        (
            "children with several rows",
            units(2, 1, |t, _| {
                t.list(10..20, true);
                for key in 10..20 {
                    t.push(CHILD, &[key], vec![], 6);
                }
            }),
        ),
        (
            "children without rows",
            units(2, 1, |t, _| {
                t.list(10..20, true);
                for key in 10..20 {
                    t.push(CHILD, &[key], vec![], 0);
                }
            }),
        ),
        (
            "five rows",
            units(3, 1, |t, _| {
                t.list(10..15, true).children(10..15);
            }),
        ),
        (
            "a thousand rows",
            units(1, 1, |t, _| {
                t.list(0..1_000, true).children(0..1_000);
            }),
        ),
        (
            "no parent, in several sessions",
            units(5, 3, |t, n| {
                t.children(100 * n..100 * n + 12 + n);
            }),
        ),
        ("a slow application", {
            let mut t = Trace::pausing(12_000);
            t.unit(1).list(10..20, true).children(10..20);
            t.unit(2).list(10..20, true).children(10..20);
            t.done()
        }),
        (
            "one long think in the middle",
            units(1, 1, |t, _| {
                t.list(10..20, true).children(10..15);
                t.now += 400_000;
                t.children(15..20);
            }),
        ),
        (
            "another list before",
            units(2, 1, |t, _| {
                t.push(8, &[], vec![1, 2, 3], 3).list(10..20, true).children(10..20);
            }),
        ),
        (
            "three quarters of the values match",
            units(2, 1, |t, _| {
                t.list(10..20, true).children((10..18).chain([900, 901]));
            }),
        ),
        (
            "the list is asked for twice",
            units(2, 1, |t, _| {
                t.list(10..20, true).list(10..20, true).children(10..20);
            }),
        ),
        (
            "two lists with their children",
            units(1, 1, |t, _| {
                t.list(10..20, true).children(10..20).push(8, &[], (50..60).collect(), 10);
                for key in 50..60 {
                    t.push(OTHER, &[key], vec![], 1);
                }
            }),
        ),
        (
            "grandchildren",
            units(2, 1, |t, _| {
                t.list(10..20, true);
                for key in 10..20 {
                    t.push(CHILD, &[key], vec![key + 500], 1);
                }
                for key in 510..520 {
                    t.push(OTHER, &[key], vec![], 1);
                }
            }),
        ),
    ]
}

#[allow(clippy::too_many_lines, reason = "a table of traces")]
fn negative() -> Vec<Named> {
    vec![
        (
            "one call",
            units(1, 1, |t, _| {
                t.list(10..20, true).children(10..11);
            }),
        ),
        (
            "four calls",
            units(5, 2, |t, _| {
                t.list(10..14, true).children(10..14);
            }),
        ),
        (
            "the same value again and again",
            units(4, 2, |t, _| {
                t.list(10..30, true).children(std::iter::repeat_n(10, 20));
            }),
        ),
        (
            "few values again and again",
            units(4, 2, |t, _| {
                t.list(10..30, true).children((0..20).map(|n| 10 + n % 4));
            }),
        ),
        ("inserts", {
            let mut t = Trace::new();
            t.unit(1).list(10..30, true).children(10..30);
            t.change(|call| call.reads = call.form == PARENT)
        }),
        ("updates in several sessions", {
            let mut t = Trace::new();
            for s in 0..4 {
                t.unit(s).list(10..30, true).children(10..30);
            }
            t.change(|call| call.reads = call.form == PARENT)
        }),
        ("rows that are locked one by one", {
            let mut t = Trace::new();
            t.unit(1).children(10..40);
            t.change(|call| call.reads = false)
        }),
        ("sent without waiting", {
            let mut t = Trace::new();
            for s in 0..3 {
                t.unit(s).list(10..30, true).children(10..30);
            }
            let start = t.now;
            t.change(|call| {
                if call.form == CHILD {
                    call.at = start;
                    call.took = 9_000_000;
                }
            })
        }),
        ("a person clicks", {
            let mut t = Trace::pausing(900_000);
            for s in 0..3 {
                t.unit(s).list(10..30, true).children(10..30);
            }
            t.done()
        }),
        ("each in a transaction of its own", {
            let mut t = Trace::new();
            for key in 0..40 {
                t.unit(1).children([key]);
            }
            t.done()
        }),
        (
            "other values than were given",
            units(4, 2, |t, _| {
                t.list(10..30, true).children(500..520);
            }),
        ),
        (
            "a third of the values were given",
            units(4, 2, |t, _| {
                t.list(10..40, true).children((10..20).chain(500..520));
            }),
        ),
        (
            "counts agree by chance, once",
            units(1, 1, |t, _| {
                t.list(10..16, false).children(500..506);
            }),
        ),
        (
            "many more calls than rows",
            units(4, 2, |t, _| {
                t.list(0..5, false).children(100..109);
            }),
        ),
        (
            "far fewer calls than rows",
            units(4, 2, |t, _| {
                t.list(0..100, false).children(100..109);
            }),
        ),
        (
            "two parameters vary",
            units(4, 2, |t, _| {
                t.list(10..30, true);
                for key in 10..30 {
                    t.push(CHILD, &[key, key * 3], vec![], 1);
                }
            }),
        ),
        (
            "no parameters",
            units(4, 2, |t, _| {
                t.list(10..30, true);
                for _ in 0..20 {
                    t.push(CHILD, &[], vec![], 1);
                }
            }),
        ),
        (
            "a page of rows for each",
            units(4, 2, |t, _| {
                t.list(10..30, true);
                for key in 10..30 {
                    t.push(CHILD, &[key], vec![], 500);
                }
            }),
        ),
        (
            "the list comes afterwards",
            units(1, 1, |t, _| {
                t.children(10..19).list(10..19, true);
            }),
        ),
        (
            "a batch job of one session",
            units(30, 1, |t, n| {
                t.children(100 * n..100 * n + 10);
            }),
        ),
        ("keys from two databases", {
            let mut t = Trace::new();
            t.unit(1).list(10..20, true);
            t.database = 1;
            t.children(10..19);
            t.done()
        }),
        (
            "lists, each with another filter",
            units(3, 2, |t, n| {
                for page in 0..4 {
                    t.push(PARENT, &[page + n], vec![], 50);
                }
            }),
        ),
        (
            "health checks",
            units(50, 5, |t, _| {
                t.push(9, &[], vec![], 1);
            }),
        ),
    ]
}

type Pair = (Option<u64>, u64);

/// What is found of a trace when it is traffic: values are looked at, and answers listened to, only when the detector asks for it.
fn live(calls: &[Call]) -> BTreeMap<Pair, Sightings> {
    let start = Instant::now();
    let (mut sessions, mut suspects) = (BTreeMap::<(u64, u64), Recent>::new(), Suspects::default());
    let mut found = BTreeMap::<Pair, Sightings>::new();
    let hashes = |values: &[u64]| -> Vec<u32> {
        values.iter().map(|it| u32::try_from(*it).unwrap() * 2 + 1).collect()
    };
    for call in calls {
        let who = (call.database, call.session);
        let recent = sessions.entry(who).or_default();
        let mut asked = Asked::NONE;
        if recent.wants(call.form) {
            hashes(&call.asked).into_iter().for_each(|hash| asked.add(hash));
        }
        let listened = call.reads && suspects.listen(call.form) && !call.given.is_empty();
        let given = listened.then(|| Box::new(Given::of_hashes(hashes(&call.given))));
        let at = start + Duration::from_micros(call.at);
        let heard = Heard {
            form: call.form,
            class: if call.reads { Class::Read } else { Class::Write },
            rows: call.rows,
            asked,
            given,
            times: (at, at + Duration::from_micros(call.took)),
            origin: Default::default(),
        };
        recent.on_call(heard, &mut |chain| note(&mut found, &mut suspects, who, &chain));
    }
    for (who, mut recent) in sessions {
        recent.end(&mut |chain| note(&mut found, &mut suspects, who, &chain));
    }
    found
}

fn note(
    found: &mut BTreeMap<Pair, Sightings>,
    suspects: &mut Suspects,
    (database, session): (u64, u64),
    chain: &super::Chain,
) {
    suspects.on_chain(chain);
    let seen = found.entry((chain.parent, chain.child)).or_default();
    seen.see(chain, database * 32 + session);
}

fn told(calls: &[Call]) -> BTreeMap<Pair, Sightings> {
    let mut found = live(calls);
    found.retain(|_, seen| seen.sureness() >= Sureness::Likely);
    found
}

#[test]
fn known_traces_are_told_apart_as_they_pass() {
    let (positive, negative) = (positive(), negative());
    assert!(positive.len() >= 20 && negative.len() >= 20);
    let missed: Vec<&str> = positive
        .iter()
        .filter(|(_, calls)| told(calls).is_empty())
        .map(|(name, _)| *name)
        .collect();
    let wrong: Vec<&str> = negative
        .iter()
        .filter(|(_, calls)| !told(calls).is_empty())
        .map(|(name, _)| *name)
        .collect();
    let hits = positive.len() - missed.len();
    println!("{} of {} found, {} of {} wrong", hits, positive.len(), wrong.len(), negative.len());
    assert!(wrong.len() * 20 <= hits + wrong.len(), "precision: {wrong:?}");
    assert!(missed.len() * 10 <= positive.len(), "recall: {missed:?}");
}

#[test]
fn values_that_match_again_and_again_leave_no_doubt() {
    let calls = units(18, 3, |t, _| {
        t.list(10..30, true).children(10..30);
    });
    let all = told(&calls);
    assert_eq!(all.len(), 1);
    let seen = all[&(Some(PARENT), CHILD)];
    assert_eq!((seen.times, seen.calls, seen.varying, seen.sessions()), (18, 360, 1, 3));
    assert_eq!(seen.sureness(), Sureness::Certain);
    // 19 of 20 calls in each unit: 200 µs of work, and 300 µs on the way.
    assert_eq!(seen.wasted_us, 18 * 19 * 485);
}

#[test]
fn lists_that_follow_each_other_without_a_pause_are_told_apart() {
    let calls = units(1, 1, |t, _| {
        for n in 1..4 {
            t.list(10 * n..10 * n + 7, true).children(10 * n..10 * n + 7);
        }
        t.list(0..7, true);
    });
    let seen = told(&calls)[&(Some(PARENT), CHILD)];
    assert_eq!((seen.times, seen.calls), (3, 21));
}

#[test]
fn a_suspicion_is_dropped_when_the_values_are_others() {
    let once = units(1, 1, |t, _| {
        t.list(10..30, true).children(500..520);
    });
    assert_eq!(live(&once)[&(Some(PARENT), CHILD)].sureness(), Sureness::Likely);
    // Units are looked at when the session goes on, answers are listened to from then on.
    let again = units(6, 2, |t, _| {
        t.list(10..30, true).children(500..520);
    });
    assert_eq!(live(&again)[&(Some(PARENT), CHILD)].sureness(), Sureness::Refuted);
}

#[test]
fn after_a_few_calls_of_a_run_their_values_are_not_wanted_any_more() {
    let mut recent = Recent::default();
    let now = Instant::now();
    let mut wanted = 0;
    for at in 0..10_000_u32 {
        let mut asked = Asked::NONE;
        if recent.wants(7) {
            wanted += 1;
            asked.add(at * 2 + 1);
        }
        let began = now + Duration::from_micros(u64::from(at) * 10 + 1);
        let times = (began, began + Duration::from_micros(5));
        let heard = Heard {
            form: 7,
            class: Class::Read,
            rows: 1,
            asked,
            given: None,
            times,
            origin: Default::default(),
        };
        recent.on_call(heard, &mut |_| panic!("not over yet"));
    }
    assert_eq!(wanted, 32);
    recent.end(&mut |chain| panic!("a loop without an end is something else: {chain:?}"));
}
