//! Answers to look-ups by what identifies a row, made anew from the row as a change has left it: so that a hot row is not asked for again
//! after every write of it. Not where rows are kept ([`super::images`]), nor whether the change is visible (`Freshness`).
//!
//! Invariant: a patched answer is, byte for byte, what PostgreSQL would answer with the row as it is told; where that cannot be said
//! (a value that is not told, a type whose text depends on settings, an encoding), there is none.

use std::sync::Arc;

use howdah_wire::backend::{self, Message};
use howdah_wire::frame;

use super::answer::Answer;
use super::definitions::{Column, Holds};
use super::images::{Image, Key};
use super::tag::{Oid, Tag};

/// A form of statements whose answers can be patched: `SELECT columns FROM table WHERE identity = …`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Form {
    relation: Oid,
    /// Of the answer, in its order.
    columns: Box<[Column]>,
}

/// How one answer can be patched.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Patch {
    form: Arc<Form>,
    /// The row that it shows.
    key: Key,
    /// Which of its columns are in binary form; one: all of them; none: none is.
    binary: Box<[bool]>,
}

impl Form {
    /// `None`: a column whose text depends on settings.
    pub(super) fn new(relation: Oid, columns: Vec<Column>) -> Option<Self> {
        let steady = !columns.is_empty() && columns.iter().all(|column| column.steady);
        steady.then(|| Self { relation, columns: columns.into() })
    }
}

impl Patch {
    pub(super) const fn new(form: Arc<Form>, key: Key, binary: Box<[bool]>) -> Self {
        Self { form, key, binary }
    }

    /// The tag of the row.
    #[must_use]
    pub fn tag(&self) -> Tag {
        Tag::row(self.form.relation, self.key.iter().map(|(attnum, value)| (*attnum, &**value)))
    }

    /// Bytes that it takes.
    #[must_use]
    pub fn len(&self) -> usize {
        size_of::<Self>() + self.key.iter().map(|(_, value)| 32 + value.len()).sum::<usize>()
    }

    /// Never.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.key.is_empty()
    }

    /// The answer with the row as the image has it, if that can be said. `old`: an earlier answer to the same request.
    #[must_use]
    pub fn apply(&self, old: &Answer, image: &Image) -> Option<Answer> {
        if *image.key != *self.key {
            return None;
        }
        let mut rows = Vec::with_capacity(old.rows.len());
        if let Some(row) = &image.row {
            let before = first_row(old);
            let columns = self.form.columns.iter().enumerate();
            let value = |(at, column): (usize, &Column)| {
                let text = row.value(column.attnum)?;
                let Some(text) = text else { return Some(None) };
                let width = before.as_ref().and_then(|row| row.get(at)?.map(<[u8]>::len));
                self.written(at, *column, text, width).map(Some)
            };
            let values: Option<Vec<_>> = columns.map(value).collect();
            backend::data_row(&mut rows, &values?);
        }
        let count = u8::from(image.row.is_some());
        backend::command_complete(&mut rows, &format!("SELECT {count}"));
        Some(Answer { description: old.description.clone(), rows: rows.into() })
    }

    /// A value as the answer has it. `width`: bytes of the value that was there.
    fn written(
        &self,
        at: usize,
        column: Column,
        text: &[u8],
        width: Option<usize>,
    ) -> Option<Vec<u8>> {
        // Others may be written in another encoding than the stream's.
        if !text.is_ascii() {
            return None;
        }
        let binary = match &*self.binary {
            [] => false,
            [all] => *all,
            each => *each.get(at)?,
        };
        if !binary {
            return Some(text.to_vec());
        }
        match column.holds {
            Holds::Text | Holds::Label => Some(text.to_vec()),
            Holds::Boolean => Some(vec![u8::from(text == b"t")]),
            // How wide the type is tells the value that was there.
            Holds::Integer => {
                let number: i64 = std::str::from_utf8(text).ok()?.parse().ok()?;
                match width? {
                    2 => Some(i16::try_from(number).ok()?.to_be_bytes().to_vec()),
                    4 => Some(i32::try_from(number).ok()?.to_be_bytes().to_vec()),
                    8 => Some(number.to_be_bytes().to_vec()),
                    _ => None,
                }
            }
            Holds::Uuid | Holds::Time | Holds::Other => None,
        }
    }
}

/// The values of the first row of an answer.
fn first_row(answer: &Answer) -> Option<Vec<Option<&[u8]>>> {
    let (found, _) = frame::split(&answer.rows).ok()??;
    match backend::decode(found) {
        Ok(Message::DataRow(values)) => Some(values.iter().collect()),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::super::images::Row;
    use super::*;

    type Told<'a> = &'a [(i16, Option<&'a [u8]>)];

    fn column(attnum: i16, holds: Holds) -> Column {
        Column { attnum, holds, steady: holds != Holds::Time }
    }

    fn patch(columns: Vec<Column>, binary: &[bool]) -> Patch {
        let form = Arc::new(Form::new(7, columns).unwrap());
        Patch::new(form, [(1, b"5".as_slice().into())].into(), binary.into())
    }

    fn image(key: &[u8], row: Option<Told<'_>>) -> Image {
        let row = row.map(|values| Row::new(values.iter().copied()));
        Image { key: [(1, key.into())].into(), row }
    }

    fn answer(row: &[Option<&[u8]>]) -> Answer {
        let mut rows = Vec::new();
        let row: Vec<_> = row.iter().map(|value| value.map(<[u8]>::to_vec)).collect();
        backend::data_row(&mut rows, &row);
        backend::command_complete(&mut rows, "SELECT 1");
        Answer { description: Some((*b"described").into()), rows: rows.into() }
    }

    #[test]
    fn an_answer_shows_the_row_as_it_is_told() {
        let holds = [column(1, Holds::Integer), column(3, Holds::Text), column(2, Holds::Other)];
        let row: Told<'_> = &[(1, Some(b"5")), (2, None), (3, Some(b"new"))];
        let old = answer(&[Some(b"5"), Some(b"old"), Some(b"1.50")]);
        let new = patch(holds.to_vec(), &[]).apply(&old, &image(b"5", Some(row)));
        assert_eq!(new, Some(answer(&[Some(b"5"), Some(b"new"), None])));
        let gone = patch(holds.to_vec(), &[]).apply(&old, &image(b"5", None)).unwrap();
        assert_eq!((gone.row_count(), gone.description), (0, old.description));
        assert!(!gone.rows.starts_with(b"D"));
    }

    #[test]
    fn numbers_in_binary_form_keep_their_width() {
        let holds = [column(1, Holds::Integer), column(2, Holds::Boolean)];
        let row: Told<'_> = &[(1, Some(b"-2")), (2, Some(b"t"))];
        let old = answer(&[Some(&[0, 0, 0, 9]), Some(&[0])]);
        let new = patch(holds.to_vec(), &[true]).apply(&old, &image(b"5", Some(row)));
        assert_eq!(new, Some(answer(&[Some(&[0xff, 0xff, 0xff, 0xfe]), Some(&[1])])));
        let narrow = answer(&[Some(&[0, 9]), Some(&[0])]);
        let large: Told<'_> = &[(1, Some(b"70000")), (2, Some(b"t"))];
        let patch = patch(holds.to_vec(), &[true]);
        assert_eq!(patch.apply(&narrow, &image(b"5", Some(large))), None, "it is no smallint");
        let empty = answer(&[None, Some(&[0])]);
        assert_eq!(patch.apply(&empty, &image(b"5", Some(row))), None, "how wide is not known");
    }

    #[test]
    fn what_cannot_be_said_is_not_said() {
        let old = answer(&[Some(b"x")]);
        let text = patch(vec![column(2, Holds::Text)], &[]);
        let with = |value: Option<&[u8]>| image(b"5", Some(&[(2, value)]));
        assert!(text.apply(&old, &with(Some(b"y"))).is_some());
        assert_eq!(text.apply(&old, &image(b"6", Some(&[(2, Some(b"y"))]))), None, "another row");
        assert_eq!(text.apply(&old, &with(Some("ä".as_bytes()))), None, "an encoding");
        assert_eq!(text.apply(&old, &image(b"5", Some(&[(3, Some(b"y"))]))), None, "not told");
        let numeric = patch(vec![column(2, Holds::Other)], &[true]);
        assert_eq!(numeric.apply(&old, &with(Some(b"1"))), None, "binary");
        assert_eq!(Form::new(7, vec![column(2, Holds::Time)]), None);
        assert_eq!(Form::new(7, Vec::new()), None);
    }
}
