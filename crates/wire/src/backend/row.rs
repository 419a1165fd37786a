//! `RowDescription`: the columns of a result.
//!
//! Not here: the rows, which are [`crate::list::Values`].
//!
//! Invariant: checked when read, so the iterator yields exactly the announced columns.

use crate::frame::Reader;

/// One column of a result.
#[derive(Copy, Clone, Debug, PartialEq, Eq)]
pub struct Column<'a> {
    /// The column's name.
    pub name: &'a [u8],
    /// The table's number, 0 if the column is not one of a table.
    pub table: u32,
    /// The column's number in that table, 0 if it is not one of a table.
    pub number: i16,
    /// The type's number.
    pub type_oid: u32,
    /// The type's size in bytes; negative for types of varying size.
    pub type_size: i16,
    /// The type's modifier.
    pub type_modifier: i32,
    /// 0 for text, 1 for binary.
    pub format: i16,
}

impl<'a> Column<'a> {
    fn read(reader: &mut Reader<'a>) -> Option<Self> {
        Some(Self {
            name: reader.cstr()?,
            table: reader.u32()?,
            number: reader.i16()?,
            type_oid: reader.u32()?,
            type_size: reader.i16()?,
            type_modifier: reader.i32()?,
            format: reader.i16()?,
        })
    }
}

/// The columns of a result.
#[derive(Copy, Clone, Debug, PartialEq, Eq)]
pub struct RowDescription<'a> {
    count: u16,
    raw: &'a [u8],
}

impl<'a> RowDescription<'a> {
    pub(super) fn read(reader: &mut Reader<'a>) -> Option<Self> {
        let count = reader.u16()?;
        let start = reader.clone();
        for _ in 0..count {
            Column::read(reader)?;
        }
        Some(Self { count, raw: reader.since(&start) })
    }

    /// Number of columns.
    pub fn len(&self) -> usize {
        usize::from(self.count)
    }

    /// True when the rows have no column.
    pub fn is_empty(&self) -> bool {
        self.count == 0
    }

    /// The columns in order.
    pub fn columns(&self) -> impl Iterator<Item = Column<'a>> + use<'a> {
        let mut reader = Reader::new(self.raw);
        std::iter::from_fn(move || Column::read(&mut reader))
    }

    pub(super) fn encode(&self, out: &mut Vec<u8>) {
        out.extend_from_slice(&self.count.to_be_bytes());
        out.extend_from_slice(self.raw);
    }
}
