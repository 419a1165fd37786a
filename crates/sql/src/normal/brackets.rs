//! Brackets of a normal form: lists behind `IN` and rows behind `VALUES` without repetitions. Not literals.
//!
//! Invariant: only what is equal to the byte, and stands side by side where the fingerprint does not count repetitions, is
//! left out.

use super::{Ahead, Form, Last, NOWHERE};
use crate::operand::{Side, before};

/// What is between one pair of brackets.
#[derive(Copy, Clone, Eq, PartialEq)]
pub(super) enum Inside {
    Anything,
    List,
    Row,
    Position,
    Numbers,
}

/// An open bracket. Places are lengths of the form when it was written up to there.
#[derive(Copy, Clone)]
pub(super) struct Bracket {
    pub(super) inside: Inside,
    /// Where the item of a list, or the row, begins.
    pub(super) start: usize,
    /// The item or row that was written last at this level.
    pub(super) previous: (usize, usize),
}

impl Bracket {
    pub(super) const PLAIN: Self = Self { inside: Inside::Anything, start: 0, previous: (0, 0) };
}

/// Lists nested deeper than this are not shortened.
pub(super) const MAX_DEPTH: usize = 16;

impl Form<'_> {
    /// A query in brackets is not a list of expressions.
    pub(super) fn no_list(&mut self) {
        if let Some(bracket) = self.bracket_mut()
            && bracket.inside == Inside::List
        {
            bracket.inside = Inside::Anything;
        }
    }

    #[inline]
    pub(super) fn bracket(&self) -> Option<&Bracket> {
        self.brackets.get(self.depth)
    }

    #[inline]
    pub(super) fn bracket_mut(&mut self) -> Option<&mut Bracket> {
        self.brackets.get_mut(self.depth)
    }

    pub(super) fn comma(&mut self) {
        if self.bracket().is_some_and(|bracket| bracket.inside == Inside::List) {
            self.end_item();
        }
        let next_row = self.announced() == Ahead::NextRow;
        self.out.push(b',');
        self.glued = false;
        self.last = Last::Comma;
        if next_row {
            self.look_ahead(Ahead::Row);
        }
        let length = self.out.len();
        if let Some(bracket) = self.bracket_mut()
            && bracket.inside == Inside::List
        {
            bracket.start = length;
        }
    }

    pub(super) fn open_parenthesis(&mut self) {
        let inside_position =
            self.bracket().is_some_and(|bracket| bracket.inside == Inside::Position);
        let inside = match self.announced() {
            Ahead::List if !inside_position => Inside::List,
            Ahead::Row => Inside::Row,
            Ahead::Position => Inside::Position,
            Ahead::Numbers => Inside::Numbers,
            Ahead::List | Ahead::NextRow | Ahead::Array | Ahead::Nothing => Inside::Anything,
        };
        let signed = self.minus_at == self.out.len();
        self.glued |= self.last == Last::Name;
        self.space();
        let row = self.out.len();
        self.out.push(b'(');
        let item = self.out.len();
        if signed {
            self.minus_at = item;
        }
        self.open(inside, if inside == Inside::Row { row } else { item });
    }

    pub(super) fn open_bracket(&mut self) {
        let is_constructor = match self.last {
            Last::Name => {
                let word = self.out.len().saturating_sub(b"array".len());
                self.announced() == Ahead::Array
                    && before(self.out.get(..word).unwrap_or_default()) == Side::Start
            }
            Last::Open | Last::Comma | Last::Operator => true,
            Last::Literal | Last::Close | Last::Dot | Last::Other => false,
        };
        self.glued |= matches!(self.last, Last::Name | Last::Close | Last::Literal);
        self.space();
        self.out.push(b'[');
        self.bound_at = if is_constructor { NOWHERE } else { self.out.len() };
        self.open(Inside::Anything, self.out.len());
    }

    pub(super) fn open(&mut self, inside: Inside, start: usize) {
        self.glued = true;
        self.last = Last::Open;
        self.depth += 1;
        if let Some(bracket) = self.bracket_mut() {
            *bracket = Bracket { inside, start, ..Bracket::PLAIN };
        }
    }

    pub(super) fn close(&mut self, byte: u8) {
        let closed = self.bracket().copied().unwrap_or(Bracket::PLAIN);
        if closed.inside == Inside::List {
            self.end_item();
        }
        self.out.push(byte);
        self.glued = false;
        self.last = Last::Close;
        self.depth = self.depth.saturating_sub(1);
        if closed.inside == Inside::Row {
            self.drop_repetition(closed.start);
            self.look_ahead(Ahead::NextRow);
        }
    }

    /// An item of a list ends here.
    pub(super) fn end_item(&mut self) {
        let Some(start) = self.bracket().map(|bracket| bracket.start) else { return };
        let space = usize::from(self.out.get(start) == Some(&b' '));
        self.drop_repetition(start + space);
    }

    /// What was written since `start` is dropped, with the comma before it, if it repeats what was there last.
    pub(super) fn drop_repetition(&mut self, start: usize) {
        let end = self.out.len();
        let Some(&(from, to)) = self.bracket().map(|bracket| &bracket.previous) else { return };
        if from < to && self.out.get(from..to) == self.out.get(start..end) {
            self.out.truncate(to);
            // Places in what was dropped mean nothing any more.
            self.ahead_at = NOWHERE;
            self.minus_at = NOWHERE;
            self.signed_at = NOWHERE;
            self.bound_at = NOWHERE;
        } else if let Some(bracket) = self.bracket_mut() {
            bracket.previous = (start, end);
        }
    }
}
