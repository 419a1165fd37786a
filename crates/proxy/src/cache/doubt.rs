//! Whether functions that are not built in may have left something in a session that nobody has seen: then what holds there is not known
//! to the last setting, and nothing is looked up for it.
//!
//! Invariant: while the catalog cannot tell what was called, the session is in doubt; it is never cleared by forgetting.

use std::sync::Arc;

use howdah_core::cache::declared::Verdict;
use howdah_sql::Analysis;

use super::place::LocalPlace;
use crate::session::Session;

/// Texts that wait for the catalog at most; with more the doubt stays.
const OPEN: usize = 8;

/// See the head of this file.
#[derive(Debug, Default)]
pub(crate) enum Doubt {
    #[default]
    None,
    /// It has run these, which only read if the catalog says so, once it is known.
    Open(Vec<Arc<Analysis>>),
    /// Until the session ends.
    Lasting,
}

impl Doubt {
    fn on_run(&mut self, analysis: &Arc<Analysis>, verdict: Verdict) {
        match (self, verdict) {
            (_, Verdict::OnlyReads) | (Self::Lasting, _) => {}
            (this @ Self::None, Verdict::NotYet) => *this = Self::Open(vec![Arc::clone(analysis)]),
            (Self::Open(open), Verdict::NotYet) if open.iter().any(|known| known == analysis) => {}
            (Self::Open(open), Verdict::NotYet) if open.len() < OPEN => {
                open.push(Arc::clone(analysis));
            }
            (this, _) => *this = Self::Lasting,
        }
    }

    /// Whether there is one, now that the catalog may be known.
    pub(super) fn remains(&mut self, place: &LocalPlace) -> bool {
        let Self::Open(open) = self else { return matches!(self, Self::Lasting) };
        let mut plans = place.plans.borrow_mut();
        let verdicts = open.iter().map(|analysis| plans.verdict(&place.watched, analysis));
        match verdicts.max() {
            Some(Verdict::NotYet) => true,
            Some(Verdict::Unknown) => {
                *self = Self::Lasting;
                true
            }
            Some(Verdict::OnlyReads) | None => {
                *self = Self::None;
                false
            }
        }
    }
}

impl Session {
    /// A text is sent that calls functions which are not built in. Whether it may leave something behind.
    pub(crate) fn doubts(&mut self, analysis: &Arc<Analysis>) -> bool {
        let verdict = self.verdict(analysis);
        self.caching.doubt.on_run(analysis, verdict);
        verdict != Verdict::OnlyReads
    }

    /// Whether a text that calls functions which are not built in only reads, because the configuration says so of them.
    pub(crate) fn only_reads(&self, analysis: &Analysis) -> bool {
        analysis.reads_through_functions && self.verdict(analysis) == Verdict::OnlyReads
    }

    fn verdict(&self, analysis: &Analysis) -> Verdict {
        let place = self.caching.known.as_ref().and_then(|known| Some(&known.at.as_ref()?.1));
        place.map_or(Verdict::Unknown, |place| {
            place.plans.borrow_mut().verdict(&place.watched, analysis)
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_not_known_yet_stays_in_doubt_and_what_is_unknown_for_good() {
        let mut analyses = howdah_sql::Analyses::new(1000);
        let mut text = |number: u8| analyses.analyse(format!("SELECT f{number}()").as_bytes());
        let mut doubt = Doubt::default();
        doubt.on_run(&text(0), Verdict::OnlyReads);
        assert!(matches!(doubt, Doubt::None));
        for _ in 0..100 {
            doubt.on_run(&text(1), Verdict::NotYet);
            doubt.on_run(&text(2), Verdict::OnlyReads);
        }
        assert!(matches!(&doubt, Doubt::Open(open) if open.len() == 1));
        let mut many = Doubt::default();
        (0..100).for_each(|number| many.on_run(&text(number), Verdict::NotYet));
        assert!(matches!(many, Doubt::Lasting));
        doubt.on_run(&text(2), Verdict::Unknown);
        doubt.on_run(&text(1), Verdict::OnlyReads);
        assert!(matches!(doubt, Doubt::Lasting));
    }
}
