//! Answers that count for a time: those of statements that a rule with a `ttl` selects. Where changes are followed it is one more bound;
//! where they are not, it is the only one.
//!
//! Invariant: an answer that rests on its age alone is never older than its `ttl`, than what its session allows, or than what its session
//! wrote last; and what is known to have changed is not given, however young it is.

use std::time::{Duration, Instant};

use super::freshness::Refusal;

/// What is known of the age of an answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Timed {
    /// When its statement was sent.
    pub sent: Instant,
    /// For how long it counts.
    pub ttl: Duration,
    /// Changes of something that it reads were not followed.
    pub blind: bool,
    /// Rules let all that it reads rest on its age.
    pub covered: bool,
    /// The catalog that it was made by.
    pub catalog: u64,
}

/// Who asks for it.
#[derive(Debug, Clone, Copy)]
pub struct Asker {
    /// Now.
    pub now: Instant,
    /// When it wrote last.
    pub wrote: Option<Instant>,
    /// How old an answer may be that nothing else vouches for; `None`: none may.
    pub bound: Option<Duration>,
    /// The catalog that holds now.
    pub catalog: u64,
}

/// Why an answer is not given that would be otherwise.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Late {
    /// As of any answer.
    Refused(Refusal),
    /// It is too old.
    Age,
}

impl Timed {
    /// Whether it may be given, after what is known of changes has been asked: the inner value says whether that vouches for it.
    ///
    /// # Errors
    /// Why not.
    pub fn verdict(&self, known: Result<(), Refusal>, asker: Asker) -> Result<bool, Late> {
        let age = asker.now.saturating_duration_since(self.sent);
        if age >= self.ttl {
            return Err(Late::Age);
        }
        if known.is_ok() && !self.blind {
            return Ok(true);
        }
        match known {
            Err(refusal @ (Refusal::Changed | Refusal::InDoubt)) => {
                return Err(Late::Refused(refusal));
            }
            Err(refusal) if !self.covered => return Err(Late::Refused(refusal)),
            Ok(()) | Err(_) => {}
        }
        if self.catalog != asker.catalog {
            return Err(Late::Refused(Refusal::Definitions));
        }
        let is_mine = asker.wrote.is_none_or(|wrote| wrote < self.sent);
        let is_young = asker.bound.is_some_and(|bound| age < bound);
        if is_mine && is_young { Ok(known.is_ok()) } else { Err(Late::Age) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const S: fn(u64) -> Duration = Duration::from_secs;

    #[test]
    fn its_age_vouches_for_an_answer_where_nothing_else_does() {
        let sent = Instant::now();
        let of = |blind, covered| Timed { sent, ttl: S(30), blind, covered, catalog: 1 };
        let at = |seconds| Asker {
            now: sent + S(seconds),
            wrote: None,
            bound: Some(Duration::MAX),
            catalog: 1,
        };
        let wrote = |asker: Asker, seconds| Asker { wrote: Some(sent + S(seconds)), ..asker };
        let late = |refusal| Err(Late::Refused(refusal));
        let (followed, blind, mixed) = (of(false, true), of(true, true), of(true, false));
        for (timed, known, asker, verdict) in [
            (followed, Ok(()), at(29), Ok(true)),
            (followed, Ok(()), at(30), Err(Late::Age)),
            // The stream knows of its own writes.
            (followed, Ok(()), wrote(at(5), 4), Ok(true)),
            (followed, Err(Refusal::Lease), at(5), Ok(false)),
            (followed, Err(Refusal::NoStream), at(5), Ok(false)),
            (followed, Err(Refusal::Lease), wrote(at(5), 4), Err(Late::Age)),
            (followed, Err(Refusal::Changed), at(5), late(Refusal::Changed)),
            (blind, Ok(()), at(5), Ok(true)),
            (blind, Ok(()), wrote(at(5), 0), Err(Late::Age)),
            (blind, Ok(()), Asker { bound: None, ..at(5) }, Err(Late::Age)),
            (blind, Ok(()), Asker { bound: Some(S(5)), ..at(5) }, Err(Late::Age)),
            (blind, Ok(()), Asker { catalog: 2, ..at(5) }, late(Refusal::Definitions)),
            (blind, Err(Refusal::Floor), at(5), Ok(false)),
            (mixed, Ok(()), at(5), Ok(true)),
            (mixed, Err(Refusal::Lease), at(5), late(Refusal::Lease)),
        ] {
            assert_eq!(timed.verdict(known, asker), verdict, "{timed:?} {known:?} {asker:?}");
        }
    }
}
