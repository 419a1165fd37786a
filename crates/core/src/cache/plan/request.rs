//! What the values of one request make of a plan: the tags of its answer, and how that can be patched.
//!
//! Invariant: a value that cannot be written as the stream writes it makes a coarser tag.

use std::sync::Arc;

use howdah_sql::{Given, Operand};

use super::super::Tag;
use super::super::definitions::Holds;
use super::super::patch::Patch;
use super::super::value::{self, Said};
use super::{Parameters, Plan, ROWS, Read};

/// Values by which a row is met, each with the number of its column.
type KeyOfRow = Vec<(i16, Box<[u8]>)>;

impl Plan {
    /// The tags of the answer for these parameters.
    #[must_use]
    pub fn tags(&self, parameters: Parameters<'_>) -> Arc<[Tag]> {
        let mut tags = Vec::new();
        for read in &self.reads {
            tags.push(Tag::whole(read.relation));
            match self.rows(read, parameters) {
                Some(rows) => {
                    let attnums: Vec<i16> = read.keys.iter().map(|key| key.attnum).collect();
                    tags.push(Tag::columns(read.relation, &attnums));
                    tags.extend(rows);
                }
                None => tags.push(Tag::table(read.relation)),
            }
        }
        tags.sort_unstable();
        tags.dedup();
        tags.into()
    }

    /// How the answer for these parameters can be patched, if it can be. `binary`: which of its columns are in binary form; one: all.
    #[must_use]
    pub fn patch(&self, parameters: Parameters<'_>, binary: &[bool]) -> Option<Patch> {
        let form = self.patch.as_ref()?;
        let [read] = &*self.reads else { return None };
        let mut rows = self.keys_of_rows(read, parameters)?;
        let key = rows.pop().filter(|_| rows.is_empty())?;
        Some(Patch::new(Arc::clone(form), key.into(), binary.into()))
    }

    /// Tags of all rows that one reading may meet; `None`: any.
    fn rows(&self, read: &Read, parameters: Parameters<'_>) -> Option<Vec<Tag>> {
        let rows = self.keys_of_rows(read, parameters)?;
        let tag = |row: &KeyOfRow| {
            Tag::row(read.relation, row.iter().map(|(attnum, value)| (*attnum, &**value)))
        };
        Some(rows.iter().map(tag).collect())
    }

    /// By which values one reading may meet rows; `None`: any.
    fn keys_of_rows(&self, read: &Read, parameters: Parameters<'_>) -> Option<Vec<KeyOfRow>> {
        if read.keys.is_empty() {
            return None;
        }
        let mut rows: Vec<KeyOfRow> = vec![Vec::new()];
        for key in &read.keys {
            let mut values = Vec::new();
            for operand in &key.values {
                values.extend(self.values(key.holds, operand, parameters)?);
            }
            values.sort();
            values.dedup();
            if rows.len() * values.len() > ROWS {
                return None;
            }
            let with = |row: &KeyOfRow| {
                let row = row.clone();
                let each = values.iter().map(move |value| {
                    let mut row = row.clone();
                    row.push((key.attnum, value.clone()));
                    row
                });
                each.collect::<Vec<_>>()
            };
            rows = rows.iter().flat_map(with).collect();
        }
        Some(rows)
    }

    /// The values of one operand as the stream writes them.
    fn values(
        &self,
        holds: Holds,
        operand: &Operand,
        parameters: Parameters<'_>,
    ) -> Option<Vec<Box<[u8]>>> {
        let cast = match &operand.cast {
            Some(name) => value::named_type(name)?,
            None => Said::Nothing,
        };
        // A cast to another type may change the value.
        if !value::fits(holds, cast) {
            return None;
        }
        let one = |found: Option<Box<[u8]>>| found.map(|value| vec![value]);
        match &operand.given {
            Given::Number(_) | Given::NumberAt(_) if holds != Holds::Integer => None,
            Given::Boolean(_) if holds != Holds::Boolean => None,
            Given::Number(text) | Given::Text(text) => {
                one(value::of_text(holds, cast, text.as_bytes()))
            }
            Given::NumberAt(at) | Given::TextAt(at) => {
                one(value::of_text(holds, cast, parameters.literals.get(usize::from(*at))?))
            }
            Given::Boolean(truth) => {
                one(value::of_text(holds, cast, if *truth { b"t" } else { b"f" }))
            }
            Given::Parameter(number) => {
                let (binary, bytes, said) = self.parameter(*number, holds, parameters)?;
                let said = if said == Said::Nothing { cast } else { said };
                one(if binary {
                    value::of_binary(holds, said, bytes)
                } else {
                    value::of_text(holds, said, bytes)
                })
            }
            Given::Elements(number) => {
                let (binary, bytes, _) = self.parameter(*number, holds, parameters)?;
                if binary {
                    let (of, elements) = value::elements_of_binary(bytes)?;
                    let each = elements.into_iter();
                    return each.map(|one| value::of_binary(holds, Said::Oid(of), one)).collect();
                }
                // The type of an array does not tell that of its elements here; texts that are in this form are equal in any.
                let elements = value::elements_of_text(bytes)?;
                let declared = parameters.types.get(usize::from(*number) - 1).copied();
                let alike = matches!(declared, None | Some(0)) || is_array_of(holds, declared?);
                let each = elements.into_iter();
                alike
                    .then(|| each.map(|one| value::of_text(holds, Said::Nothing, one)).collect())?
            }
        }
    }

    /// A parameter that is not NULL: whether it is in binary form, its bytes, and its type.
    fn parameter<'a>(
        &self,
        number: u16,
        holds: Holds,
        parameters: Parameters<'a>,
    ) -> Option<(bool, &'a [u8], Said)> {
        let at = usize::from(number).checked_sub(1)?;
        let (binary, bytes) = *parameters.values.get(at)?;
        let said = match parameters.types.get(at).copied() {
            None | Some(0) => Said::Nothing,
            Some(oid) => Said::Oid(oid),
        };
        // The type that another use of it gives it is not known, and so not how to read its bytes, nor how texts are compared.
        let unknown = said == Said::Nothing && self.repeated.contains(&number);
        let doubtful = unknown && (binary || matches!(holds, Holds::Text | Holds::Label));
        (!doubtful).then_some((binary, bytes?, said))
    }
}

/// Whether this is the type of arrays of what a column holds.
fn is_array_of(holds: Holds, array: u32) -> bool {
    match holds {
        Holds::Integer => matches!(array, 1005 | 1007 | 1016),
        Holds::Text => matches!(array, 1009 | 1015),
        Holds::Uuid => array == 2951,
        Holds::Boolean => array == 1000,
        Holds::Label | Holds::Time | Holds::Other => false,
    }
}
