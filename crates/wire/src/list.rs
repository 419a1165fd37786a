//! The repeated parts of messages: values, format codes, type numbers, strings.
//!
//! Not here: copies; a list borrows the message and is walked by an iterator.
//!
//! Invariant: a list was checked when it was read, so its iterator yields exactly the announced
//! number of items.

use crate::frame::Reader;
use crate::put;

/// Values with a length each, -1 meaning NULL: the parameters of Bind, the columns of `DataRow`.
#[derive(Copy, Clone, Debug, PartialEq, Eq)]
pub struct Values<'a> {
    count: u16,
    raw: &'a [u8],
}

impl<'a> Values<'a> {
    /// Reads a count and that many values.
    pub(crate) fn read(reader: &mut Reader<'a>) -> Option<Self> {
        let count = reader.u16()?;
        let start = reader.clone();
        for _ in 0..count {
            value(reader)?;
        }
        Some(Self { count, raw: reader.since(&start) })
    }

    /// Number of values.
    pub fn len(&self) -> usize {
        usize::from(self.count)
    }

    /// True when there is no value.
    pub fn is_empty(&self) -> bool {
        self.count == 0
    }

    /// The values in order; `None` is NULL.
    pub fn iter(&self) -> impl Iterator<Item = Option<&'a [u8]>> + use<'a> {
        let mut reader = Reader::new(self.raw);
        std::iter::from_fn(move || value(&mut reader))
    }

    pub(crate) fn encode(&self, out: &mut Vec<u8>) {
        out.extend_from_slice(&self.count.to_be_bytes());
        out.extend_from_slice(self.raw);
    }
}

/// Reads one value; the outer `None` means that the bytes end, or that the length is below -1.
#[expect(clippy::option_option, reason = "the end of the bytes and NULL are different things")]
pub(crate) fn value<'a>(reader: &mut Reader<'a>) -> Option<Option<&'a [u8]>> {
    match reader.i32()? {
        -1 => Some(None),
        length => reader.bytes(usize::try_from(length).ok()?).map(Some),
    }
}

/// Format codes: 0 is text, 1 is binary.
#[derive(Copy, Clone, Debug, PartialEq, Eq)]
pub struct Formats<'a> {
    raw: &'a [u8],
}

impl<'a> Formats<'a> {
    /// No code: text for all.
    pub const TEXT: Self = Self { raw: &[] };

    /// Reads a count and that many codes.
    pub(crate) fn read(reader: &mut Reader<'a>) -> Option<Self> {
        let count = reader.u16()?;
        Some(Self { raw: reader.bytes(usize::from(count) * 2)? })
    }

    /// Number of codes.
    pub fn len(&self) -> usize {
        self.raw.len() / 2
    }

    /// True when there is no code, which means text for all.
    pub fn is_empty(&self) -> bool {
        self.raw.is_empty()
    }

    /// The codes in order.
    pub fn iter(&self) -> impl Iterator<Item = i16> + use<'a> {
        let mut reader = Reader::new(self.raw);
        std::iter::from_fn(move || reader.i16())
    }

    pub(crate) fn encode(&self, out: &mut Vec<u8>) {
        put::count(out, self.len());
        out.extend_from_slice(self.raw);
    }
}

/// Type numbers (`oid`), as in `ParameterDescription`.
#[derive(Copy, Clone, Debug, PartialEq, Eq)]
pub struct Oids<'a> {
    raw: &'a [u8],
}

impl<'a> Oids<'a> {
    /// Reads a count and that many numbers.
    pub(crate) fn read(reader: &mut Reader<'a>) -> Option<Self> {
        let count = reader.u16()?;
        Some(Self { raw: reader.bytes(usize::from(count) * 4)? })
    }

    /// Number of type numbers.
    pub fn len(&self) -> usize {
        self.raw.len() / 4
    }

    /// True when there is none.
    pub fn is_empty(&self) -> bool {
        self.raw.is_empty()
    }

    /// The type numbers in order.
    pub fn iter(&self) -> impl Iterator<Item = u32> + use<'a> {
        let mut reader = Reader::new(self.raw);
        std::iter::from_fn(move || reader.u32())
    }

    pub(crate) fn encode(&self, out: &mut Vec<u8>) {
        put::count(out, self.len());
        out.extend_from_slice(self.raw);
    }
}

/// Strings that end with a NUL each, such as the SASL mechanisms of a server.
#[derive(Copy, Clone, Debug, PartialEq, Eq)]
pub struct Strings<'a> {
    raw: &'a [u8],
}

impl<'a> Strings<'a> {
    /// Reads `count` strings.
    pub(crate) fn read(reader: &mut Reader<'a>, count: u32) -> Option<Self> {
        let start = reader.clone();
        for _ in 0..count {
            reader.cstr()?;
        }
        Some(Self { raw: reader.since(&start) })
    }

    /// Reads strings up to an empty one, which is consumed and not part of the list.
    pub(crate) fn read_until_empty(reader: &mut Reader<'a>) -> Option<Self> {
        let start = reader.clone();
        loop {
            let raw = reader.since(&start);
            if reader.cstr()?.is_empty() {
                return Some(Self { raw });
            }
        }
    }

    /// The strings in order, without their NUL.
    pub fn iter(&self) -> impl Iterator<Item = &'a [u8]> + use<'a> {
        let mut reader = Reader::new(self.raw);
        std::iter::from_fn(move || reader.cstr())
    }

    pub(crate) fn encode(&self, out: &mut Vec<u8>) {
        out.extend_from_slice(self.raw);
    }
}
