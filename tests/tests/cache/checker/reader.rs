//! Clients that read, in every form of the protocol, and judge each answer.
//!
//! Invariant: an answer is placed between the moment before it was asked for and the moment after it came.

use std::time::{Duration, Instant};

use howdah_tests::raw::{Connection, Frames, Transcript};

use super::places::{Place, ROWS, TOGETHER};
use super::{BOUND, Dice, Run};
use crate::bed::{Bed, eventually};

/// What a reader is promised.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Promise {
    Bounded,
    Session,
    Strict,
}

/// One client that reads.
pub(super) struct Reader {
    client: Connection,
    promise: Promise,
    /// What it has seen last of each row of each place.
    latest: Vec<[u64; Place::ALL.len()]>,
}

/// What it has asked for.
#[derive(Debug, Clone, Copy)]
pub(super) struct Asked {
    row: usize,
    what: What,
    began: Instant,
}

#[derive(Debug, Clone, Copy)]
enum What {
    Version(Place, Form),
    Together(usize),
}

/// Of the protocol.
#[derive(Debug, Clone, Copy)]
enum Form {
    Simple,
    Extended,
    Prepared,
}

impl Reader {
    pub(super) fn new(bed: &Bed, promise: Promise) -> Self {
        let mut client = bed.client();
        match promise {
            Promise::Bounded => client.run("SET howdah.cache_level = bounded"),
            Promise::Session => client.run("SET howdah.cache_level = session"),
            Promise::Strict => client.run("SET howdah.cache_level = strict"),
        };
        let made = Place::ALL.into_iter().fold(Frames::new(), |made, place| {
            let [_, read] = place.reads();
            made.parse(&format!("{place:?}"), read)
        });
        let made = made.sync();
        eventually("statements are prepared", || client.answer(&made, 1).errors().is_empty());
        Self { client, promise, latest: vec![[0; Place::ALL.len()]; ROWS] }
    }

    pub(super) fn ask(&mut self, dice: &mut Dice) -> Asked {
        self.try_ask(dice).expect("it is sent")
    }

    /// `None`: the connection is gone.
    pub(super) fn try_ask(&mut self, dice: &mut Dice) -> Option<Asked> {
        let (row, kind) = (dice.below(ROWS), dice.below(TOGETHER.len() + 3 * Place::ALL.len()));
        if let Some((read, is_by_row, _)) = TOGETHER.get(kind) {
            let row = row | 1;
            let sql = if *is_by_row { format!("{read}{row}") } else { (*read).to_owned() };
            return self.send(&Frames::new().query(&sql), row, What::Together(kind));
        }
        let kind = kind - TOGETHER.len();
        let place = Place::ALL[kind / 3];
        let (key, [text, statement]) = (row.to_string(), place.reads());
        let (frames, form) = match kind % 3 {
            0 => (Frames::new().query(&format!("{text}{row}")), Form::Simple),
            1 => (Frames::new().extended(statement, &[&key]).sync(), Form::Extended),
            _ => {
                let bound = Frames::new().bind("", &format!("{place:?}"), &[&key]);
                (bound.execute("", 0).sync(), Form::Prepared)
            }
        };
        self.send(&frames, row, What::Version(place, form))
    }

    fn send(&mut self, frames: &Frames, row: usize, what: What) -> Option<Asked> {
        let began = Instant::now();
        self.client.send(frames).ok()?;
        Some(Asked { row, what, began })
    }

    /// Reads the answer, and judges it.
    pub(super) fn look(&mut self, run: &Run<'_>, asked: Asked) {
        let answer = self.client.until(b'Z', 1).expect("an answer");
        let ended = Instant::now();
        if let Some(error) = answer.errors().first() {
            return run.check(false, || format!("an error: {asked:?}: {error:?}"));
        }
        self.judge(run, asked, &answer, ended);
    }

    /// The same where requests may fail; whether the connection is still there.
    pub(super) fn try_look(&mut self, run: &Run<'_>, asked: Asked) -> bool {
        let answer = self.client.until(b'Z', 1);
        let ended = Instant::now();
        match &answer {
            Ok(answer) if answer.errors().is_empty() => self.judge(run, asked, answer, ended),
            _ => run.on_trouble(),
        }
        answer.is_ok()
    }

    fn judge(&mut self, run: &Run<'_>, asked: Asked, answer: &Transcript, ended: Instant) {
        run.on_read();
        match asked.what {
            What::Version(place, form) => {
                self.judge_version(run, asked, (place, form), (answer, ended));
            }
            What::Together(kind) => {
                let (found, (read, _, expected)) = (answer.values().concat(), TOGETHER[kind]);
                run.check(found == expected, || format!("{read}{}: {found}", asked.row));
            }
        }
    }

    fn judge_version(
        &mut self,
        run: &Run<'_>,
        Asked { row, began, .. }: Asked,
        (place, form): (Place, Form),
        (answer, ended): (&Transcript, Instant),
    ) {
        let (found, promise) = (answer.values().concat(), self.promise);
        let Ok(seen) = found.parse::<u64>() else {
            return run
                .check(false, || format!("{place:?} {row} was read as {found:?} ({form:?})"));
        };
        let history = run.history(place, row);
        let lag = if promise == Promise::Strict { Duration::ZERO } else { BOUND };
        let (due, possible) = (history.due(began - lag), history.possible(ended));
        run.check(run.is_routed || seen >= due, || {
            format!("{promise:?}: {place:?} {row} was {due} more than {lag:?} ago, and was read as {seen} ({form:?})")
        });
        run.check(seen <= possible, || format!("{place:?} {row} was never {seen}"));
        let (place_at, row_at) = place.history(row);
        let before = &mut self.latest[row_at][place_at];
        run.check(promise == Promise::Bounded || seen >= *before, || {
            format!(
                "{promise:?}: {place:?} {row} was read as {before}, and then as {seen} ({form:?})"
            )
        });
        *before = seen;
    }
}
