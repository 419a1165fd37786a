//! Tags of the rows that an answer shows, by what identifies them: a row that is not shown does not change the answer by leaving the values
//! that were asked for. Not which statements show their rows: that is told by their shape.
//!
//! Invariant: all rows of the answer are tagged, or none.

use howdah_wire::backend::{self, Message, tag};
use howdah_wire::frame;

use super::definitions::Holds;
use super::faults::{Fault, is_planted};
use super::tag::Oid;
use super::value::{self, Said};
use super::{ColumnSet, Tag};

/// Rows of an answer that are tagged; one with more depends on all rows with the values that were asked for.
const ROWS: usize = 64;

/// Where an answer shows what identifies its rows.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Shown {
    relation: Oid,
    /// Columns of the answer.
    width: usize,
    /// Ascending by number.
    columns: Box<[Place]>,
    /// Raised when a row may have left the values, and nobody is told which they were: [`Tag::columns`] of what was asked for.
    instead_of: Tag,
}

/// One column of what identifies a row.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Place {
    pub(super) attnum: i16,
    pub(super) holds: Holds,
    /// Which column of the answer it is.
    pub(super) at: usize,
}

impl Shown {
    pub(super) fn new(
        relation: Oid,
        asked: &ColumnSet,
        width: usize,
        mut columns: Vec<Place>,
    ) -> Self {
        columns.sort_by_key(|place| place.attnum);
        let instead_of = Tag::columns(relation, asked.attnums());
        Self { relation, width, columns: columns.into(), instead_of }
    }

    /// What has to be followed.
    #[must_use]
    pub fn set(&self) -> ColumnSet {
        let attnums: Vec<i16> = self.columns.iter().map(|place| place.attnum).collect();
        ColumnSet::new(self.relation, &attnums)
    }

    /// The tags of an answer with the rows of this one instead of all rows with the values that were asked for. `rows`: frames;
    /// `binary`: of each column, or of all if there is one; none: text. `None`: it has to keep its own.
    #[must_use]
    pub fn tags(&self, own: &[Tag], rows: &[u8], binary: &[bool]) -> Option<Vec<Tag>> {
        if !own.contains(&self.instead_of) {
            return None;
        }
        let mut tags: Vec<Tag> = own.iter().copied().filter(|it| *it != self.instead_of).collect();
        let mut rest = rows;
        let mut count = 0;
        while let Ok(Some((found, after))) = frame::split(rest) {
            rest = after;
            if found.tag != tag::DATA_ROW {
                break;
            }
            count += 1;
            let Ok(Message::DataRow(values)) = backend::decode(found) else { return None };
            if count > ROWS || values.len() != self.width {
                return None;
            }
            let values: Vec<Option<&[u8]>> = values.iter().collect();
            let each = self.columns.iter().map(|place| {
                let value = values.get(place.at).copied().flatten()?;
                let in_binary = match binary {
                    [] => false,
                    [all] => *all,
                    each => *each.get(place.at)?,
                };
                let written = if in_binary {
                    value::of_binary(place.holds, Said::Nothing, value)?
                } else {
                    value::of_text(place.holds, Said::Nothing, value)?
                };
                Some((place.attnum, written))
            });
            let row: Option<Vec<_>> = each.collect();
            let row = row?;
            if is_planted(Fault::ForgetShown) {
                continue;
            }
            tags.push(Tag::row(
                self.relation,
                row.iter().map(|(attnum, value)| (*attnum, &**value)),
            ));
        }
        tags.sort_unstable();
        tags.dedup();
        Some(tags)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rows(values: &[&[Option<&[u8]>]]) -> Vec<u8> {
        let mut out = Vec::new();
        for row in values {
            let row: Vec<_> = row.iter().map(|value| value.map(<[u8]>::to_vec)).collect();
            backend::data_row(&mut out, &row);
        }
        backend::command_complete(&mut out, "SELECT 1");
        out
    }

    #[test]
    fn rows_that_are_shown_take_the_place_of_all_that_were_asked_for() {
        let place = |attnum, at| Place { attnum, holds: Holds::Integer, at };
        let asked = ColumnSet::new(7, &[3]);
        let shown = Shown::new(7, &asked, 3, vec![place(2, 0), place(1, 2)]);
        assert_eq!(shown.set(), ColumnSet::new(7, &[1, 2]));
        let (whole, instead_of) = (Tag::whole(7), Tag::columns(7, &[3]));
        let own = [whole, instead_of];
        let row = |one: &[u8], two: &[u8]| Tag::row(7, [(1, one), (2, two)]);
        let sorted = |mut tags: Vec<Tag>| {
            tags.sort_unstable();
            Some(tags)
        };
        let text = rows(&[&[Some(b"5"), None, Some(b"6")], &[Some(b"7"), Some(b"x"), Some(b"8")]]);
        let expected = sorted(vec![whole, row(b"6", b"5"), row(b"8", b"7")]);
        assert_eq!(shown.tags(&own, &text, &[]), expected);
        assert_eq!(shown.tags(&own, &text, &[false]), expected);
        let binary = rows(&[&[Some(&[0, 5]), None, Some(b"6")]]);
        let expected = sorted(vec![whole, row(b"6", b"5")]);
        assert_eq!(shown.tags(&own, &binary, &[true, true, false]), expected);
        assert_eq!(shown.tags(&own, &rows(&[]), &[]), Some(vec![whole]));
        assert_eq!(shown.tags(&[whole], &text, &[]), None, "it depends on the whole table");
        for other in [
            rows(&[&[Some(b"5"), Some(b"6")]]),
            rows(&[&[Some(b"5"), None, None]]),
            rows(&[&[Some(b"5"), None, Some(b"x")]]),
            rows(&vec![[Some(b"5".as_slice()), None, Some(b"6")].as_slice(); ROWS + 1]),
        ] {
            assert_eq!(shown.tags(&own, &other, &[]), None);
        }
    }
}
