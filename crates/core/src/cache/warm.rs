//! What is worth asking again when answers are lost: requests whose answers were given often and were dear, most valuable first, and the
//! text in which they outlive a process. Not their answers: no record of what was kept can tell whether it still holds.
//!
//! Invariant: a text that is not whole, or of another version, is no list; no list is longer than its bounds.

mod text;

use std::cmp::Reverse;
use std::collections::HashSet;
use std::sync::Arc;

use super::key::{self, Request};
use crate::limits;
use crate::session::Context;

pub use text::Damaged;

/// As whom something was asked, and where.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Asker {
    /// As clients name it.
    pub database: Box<str>,
    /// As clients name it.
    pub user: Box<str>,
    /// Settings that change answers, by name.
    pub settings: Box<[(Box<str>, Box<str>)]>,
}

/// One request.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Question {
    /// As whom.
    pub asker: Arc<Asker>,
    /// The text of the statement.
    pub sql: Box<str>,
    /// As [`Request::types`].
    pub types: Box<[u8]>,
    /// As [`Request::bound`].
    pub bound: Box<[u8]>,
    /// Microseconds that PostgreSQL would have worked without the answer.
    pub value: u64,
}

/// Questions, most valuable first.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct List(Vec<Question>);

impl Asker {
    /// Who a session with these settings is. `None`: a session that names all of them when it begins would not have the same, or one of
    /// them makes it somebody else. `value` reads what a statement that makes a setting says.
    #[must_use]
    pub fn of(
        database: &str,
        user: &str,
        context: &Context,
        value: impl Fn(&str) -> String,
    ) -> Option<Self> {
        let named = |(name, replay): (&str, &str)| (name.into(), value(replay).into());
        let settings: Box<[(Box<str>, Box<str>)]> = key::telling(context).map(named).collect();
        let is_other = |name: &str| matches!(name, "role" | "session_authorization");
        let asker = Self { database: database.into(), user: user.into(), settings };
        let same = asker.context_text() == key::settings(context);
        (same && !asker.settings.iter().any(|(name, _)| is_other(name))).then_some(asker)
    }

    /// The [`key::settings`] of a session that names all of its settings when it begins.
    #[must_use]
    pub fn context_text(&self) -> String {
        let settings = self.settings.iter().map(|(name, value)| (&**name, &**value));
        key::settings(&Context::from_startup(settings))
    }

    fn len(&self) -> usize {
        let settings = self.settings.iter().map(|(name, value)| name.len() + value.len());
        self.database.len() + self.user.len() + settings.sum::<usize>()
    }
}

impl Question {
    /// What a key asks for; `None`: its text is not UTF-8, something was asked of its answer besides, or it is not a key.
    #[must_use]
    pub fn of(asker: &Arc<Asker>, key: &[u8], value: u64) -> Option<Self> {
        let Request { sql, types, asked: [], bound, .. } = Request::read(key)? else { return None };
        let sql = std::str::from_utf8(sql).ok()?.into();
        let asker = Arc::clone(asker);
        Some(Self { asker, sql, types: types.into(), bound: bound.into(), value })
    }

    /// What has to be sent, so that it is the same request.
    pub fn write(&self, out: &mut Vec<u8>) {
        use howdah_wire::frontend::{self, Kind};
        if self.bound.is_empty() {
            return frontend::query(out, self.sql.as_bytes());
        }
        out.push(frontend::tag::PARSE);
        frame(out, &[b"\0", self.sql.as_bytes(), b"\0", &self.types]);
        out.push(frontend::tag::BIND);
        frame(out, &[b"\0\0", &self.bound]);
        frontend::describe(out, Kind::Portal, b"");
        frontend::execute(out, b"", 0);
        frontend::sync(out);
    }

    /// Its key, with numbers of this process.
    pub fn key(&self, place: u32, context: u32, out: &mut Vec<u8>) {
        let (sql, types, bound) = (self.sql.as_bytes(), &*self.types, &*self.bound);
        Request { place, context, sql, types, asked: b"", bound }.write(out);
    }

    fn len(&self) -> usize {
        /// Of what is around the parts.
        const OVERHEAD: usize = 128;
        OVERHEAD + self.asker.len() + self.sql.len() + self.types.len() + self.bound.len()
    }

    /// All but its value.
    fn identity(&self) -> (&Asker, &str, &[u8], &[u8]) {
        (&self.asker, &self.sql, &self.types, &self.bound)
    }
}

/// The rest of a frame: its length, and these parts.
fn frame(out: &mut Vec<u8>, parts: &[&[u8]]) {
    let length = 4 + parts.iter().map(|part| part.len()).sum::<usize>();
    out.extend_from_slice(&u32::try_from(length).unwrap_or(u32::MAX).to_be_bytes());
    parts.iter().for_each(|part| out.extend_from_slice(part));
}

impl List {
    /// The most valuable of these, `most` of them at most.
    #[must_use]
    pub fn new(mut questions: Vec<Question>, most: usize) -> Self {
        questions.retain(|question| question.value > 0);
        questions.sort_by_key(|question| Reverse(question.value));
        let mut seen = HashSet::new();
        let first: Vec<bool> =
            questions.iter().map(|question| seen.insert(question.identity())).collect();
        drop(seen);
        let mut bytes = 0;
        let kept = questions.into_iter().zip(first).filter(|(_, first)| *first);
        let kept = kept.map(|(question, _)| question).take(most);
        Self(
            kept.take_while(|question| {
                bytes += question.len();
                bytes <= limits::WARM_LIST
            })
            .collect(),
        )
    }

    /// With what was known before: it counts half.
    #[must_use]
    pub fn with_older(mut self, older: &Self, most: usize) -> Self {
        let half = |question: &Question| Question { value: question.value / 2, ..question.clone() };
        self.0.extend(older.0.iter().map(half));
        Self::new(self.0, most)
    }

    /// Those that are asked for by some.
    #[must_use]
    pub fn of(&self, mut asker: impl FnMut(&Asker) -> bool) -> Vec<Question> {
        self.0.iter().filter(|question| asker(&question.asker)).cloned().collect()
    }

    /// How many there are.
    #[must_use]
    pub const fn len(&self) -> usize {
        self.0.len()
    }

    /// Whether there are none.
    #[must_use]
    pub const fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

#[cfg(test)]
mod tests;
