//! What the output plugin `pgoutput` tells, protocol 1 and 2: transactions, their rows, relations, messages.
//!
//! Not here: what a relation's columns are called when a row comes; whoever reads keeps what [`Message::Relation`] has told.
//!
//! Invariant: every byte of a message is accounted for; what is told between two messages of a block is read as belonging to it
//! ([`Decoder`]).

use crate::Error;
use crate::frame::Reader;

/// One message. `xid` is `None` but for what belongs to a transaction that is told before it has ended.
#[derive(Copy, Clone, Debug, PartialEq, Eq)]
pub enum Message<'a> {
    /// A transaction that has committed follows.
    Begin {
        /// Where its commit is in the log.
        final_lsn: u64,
        /// Microseconds since 2000-01-01.
        committed: i64,
        /// Its number.
        xid: u32,
    },
    /// The end of what began last.
    Commit(Commit),
    /// The transaction came from elsewhere.
    Origin {
        /// Where it was committed there.
        lsn: u64,
        /// From where.
        name: &'a [u8],
    },
    /// What rows that follow are rows of.
    Relation(Relation<'a>),
    /// A type that rows use.
    Type {
        /// In which transaction.
        xid: Option<u32>,
        /// Its number.
        oid: u32,
        /// Its schema.
        namespace: &'a [u8],
        /// Its name.
        name: &'a [u8],
    },
    /// A row was inserted.
    Insert {
        /// In which transaction.
        xid: Option<u32>,
        /// Of which relation.
        relation: u32,
        /// What it is.
        new: Tuple<'a>,
    },
    /// A row was updated.
    Update {
        /// In which transaction.
        xid: Option<u32>,
        /// Of which relation.
        relation: u32,
        /// What it was, as far as that is told.
        old: Option<Old<'a>>,
        /// What it is.
        new: Tuple<'a>,
    },
    /// A row was deleted.
    Delete {
        /// In which transaction.
        xid: Option<u32>,
        /// Of which relation.
        relation: u32,
        /// What it was, as far as that is told.
        old: Old<'a>,
    },
    /// Relations were emptied.
    Truncate {
        /// In which transaction.
        xid: Option<u32>,
        /// 1: those that refer to them, too; 2: their sequences begin anew.
        options: u8,
        /// Which.
        relations: Relations<'a>,
    },
    /// Of `pg_logical_emit_message`.
    Message {
        /// In which transaction.
        xid: Option<u32>,
        /// Whether it is told with its transaction, or at once.
        transactional: bool,
        /// Where it is in the log.
        lsn: u64,
        /// For whom.
        prefix: &'a [u8],
        /// What.
        content: &'a [u8],
    },
    /// A block of a transaction that has not ended follows.
    StreamStart {
        /// Of which.
        xid: u32,
        /// Nothing of it was told before.
        first: bool,
    },
    /// The end of the block.
    StreamStop,
    /// A transaction that was told in blocks has committed.
    StreamCommit {
        /// Which.
        xid: u32,
        /// Where and when.
        commit: Commit,
    },
    /// A transaction that was told in blocks, or a part of it, was rolled back.
    StreamAbort {
        /// Which.
        xid: u32,
        /// Which part; the same number: all of it.
        subxid: u32,
    },
}

/// Where and when a transaction has committed.
#[derive(Copy, Clone, Debug, PartialEq, Eq)]
pub struct Commit {
    /// Where its record begins.
    pub lsn: u64,
    /// Where its record ends.
    pub end_lsn: u64,
    /// Microseconds since 2000-01-01.
    pub committed: i64,
}

/// What rows are rows of.
#[derive(Copy, Clone, Debug, PartialEq, Eq)]
pub struct Relation<'a> {
    /// In which transaction.
    pub xid: Option<u32>,
    /// Its number.
    pub oid: u32,
    /// Its schema; empty: `pg_catalog`.
    pub namespace: &'a [u8],
    /// Its name.
    pub name: &'a [u8],
    /// `d` the primary key, `n` nothing, `f` all columns, `i` an index: what is told of old rows.
    pub identity: u8,
    count: u16,
    raw: &'a [u8],
}

/// A column of a relation.
#[derive(Copy, Clone, Debug, PartialEq, Eq)]
pub struct Column<'a> {
    /// Whether it is told of old rows.
    pub identity: bool,
    /// Its name.
    pub name: &'a [u8],
    /// Its type's number.
    pub type_oid: u32,
    /// Its type's modifier.
    pub type_modifier: i32,
}

impl<'a> Relation<'a> {
    /// Its columns that are told, in order.
    pub fn columns(&self) -> impl Iterator<Item = Column<'a>> + use<'a> {
        let mut reader = Reader::new(self.raw);
        std::iter::from_fn(move || column(&mut reader))
    }

    /// How many they are.
    #[must_use]
    pub fn len(&self) -> usize {
        usize::from(self.count)
    }

    /// There are none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.count == 0
    }
}

/// What a row was.
#[derive(Copy, Clone, Debug, PartialEq, Eq)]
pub enum Old<'a> {
    /// The columns of its identity; all others look like NULL and are not known.
    Key(Tuple<'a>),
    /// All of it.
    Full(Tuple<'a>),
}

/// A row.
#[derive(Copy, Clone, Debug, PartialEq, Eq)]
pub struct Tuple<'a> {
    count: u16,
    raw: &'a [u8],
}

/// A value in a row.
#[derive(Copy, Clone, Debug, PartialEq, Eq)]
pub enum Datum<'a> {
    /// NULL.
    Null,
    /// A large value that has not changed, and is not told.
    Unchanged,
    /// As text.
    Text(&'a [u8]),
    /// As its type sends it.
    Binary(&'a [u8]),
}

impl<'a> Tuple<'a> {
    /// Its values, in the order of the relation's columns.
    pub fn values(&self) -> impl Iterator<Item = Datum<'a>> + use<'a> {
        let mut reader = Reader::new(self.raw);
        std::iter::from_fn(move || datum(&mut reader))
    }

    /// How many they are.
    #[must_use]
    pub fn len(&self) -> usize {
        usize::from(self.count)
    }

    /// There are none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.count == 0
    }
}

/// Numbers of relations.
#[derive(Copy, Clone, Debug, PartialEq, Eq)]
pub struct Relations<'a> {
    raw: &'a [u8],
}

impl<'a> Relations<'a> {
    /// The numbers in order.
    pub fn iter(&self) -> impl Iterator<Item = u32> + use<'a> {
        let mut reader = Reader::new(self.raw);
        std::iter::from_fn(move || reader.u32())
    }
}

/// Reads messages one after the other: inside a block they look different.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Decoder {
    in_block: bool,
}

impl Decoder {
    /// Reads the next message.
    ///
    /// # Errors
    /// [`Error::UnknownTag`], [`Error::Malformed`]: what follows cannot be read, either.
    pub fn decode<'a>(&mut self, message: &'a [u8]) -> Result<Message<'a>, Error> {
        let mut reader = Reader::new(message);
        let Some(tag) = reader.u8() else {
            return Err(Error::Malformed { message: "pgoutput", what: "it is empty" });
        };
        let Some(name) = name(tag) else { return Err(Error::UnknownTag(tag)) };
        let found = self.body(tag, &mut reader).filter(|_| reader.is_empty());
        let found = found.ok_or(Error::Malformed { message: name, what: "its layout" })?;
        match tag {
            b'S' => self.in_block = true,
            b'E' => self.in_block = false,
            _ => {}
        }
        Ok(found)
    }

    fn body<'a>(&self, tag: u8, reader: &mut Reader<'a>) -> Option<Message<'a>> {
        Some(match tag {
            b'B' => Message::Begin {
                final_lsn: reader.u64()?,
                committed: reader.i64()?,
                xid: reader.u32()?,
            },
            b'C' => Message::Commit(commit(reader)?),
            b'O' => Message::Origin { lsn: reader.u64()?, name: reader.cstr()? },
            b'R' => Message::Relation(self.relation(reader)?),
            b'Y' => Message::Type {
                xid: self.xid(reader)?,
                oid: reader.u32()?,
                namespace: reader.cstr()?,
                name: reader.cstr()?,
            },
            b'I' => Message::Insert {
                xid: self.xid(reader)?,
                relation: reader.u32()?,
                new: new_tuple(reader)?,
            },
            b'U' => self.update(reader)?,
            b'D' => Message::Delete {
                xid: self.xid(reader)?,
                relation: reader.u32()?,
                old: match reader.u8()? {
                    b'K' => Old::Key(tuple(reader)?),
                    b'O' => Old::Full(tuple(reader)?),
                    _ => return None,
                },
            },
            b'T' => self.truncate(reader)?,
            b'M' => self.message(reader)?,
            b'S' => Message::StreamStart { xid: reader.u32()?, first: reader.u8()? != 0 },
            b'E' => Message::StreamStop,
            b'c' => Message::StreamCommit { xid: reader.u32()?, commit: commit(reader)? },
            b'A' => Message::StreamAbort { xid: reader.u32()?, subxid: reader.u32()? },
            _ => return None,
        })
    }

    /// Inside a block each message says whose it is.
    #[expect(clippy::option_option, reason = "the end of the bytes and no number are different")]
    fn xid(&self, reader: &mut Reader<'_>) -> Option<Option<u32>> {
        if self.in_block { reader.u32().map(Some) } else { Some(None) }
    }

    fn relation<'a>(&self, reader: &mut Reader<'a>) -> Option<Relation<'a>> {
        let (xid, oid) = (self.xid(reader)?, reader.u32()?);
        let (namespace, name) = (reader.cstr()?, reader.cstr()?);
        let (identity, count) = (reader.u8()?, reader.u16()?);
        let start = reader.clone();
        for _ in 0..count {
            column(reader)?;
        }
        let raw = reader.since(&start);
        Some(Relation { xid, oid, namespace, name, identity, count, raw })
    }

    fn update<'a>(&self, reader: &mut Reader<'a>) -> Option<Message<'a>> {
        let (xid, relation) = (self.xid(reader)?, reader.u32()?);
        let (old, new) = match reader.u8()? {
            b'K' => (Some(Old::Key(tuple(reader)?)), new_tuple(reader)?),
            b'O' => (Some(Old::Full(tuple(reader)?)), new_tuple(reader)?),
            b'N' => (None, tuple(reader)?),
            _ => return None,
        };
        Some(Message::Update { xid, relation, old, new })
    }

    fn truncate<'a>(&self, reader: &mut Reader<'a>) -> Option<Message<'a>> {
        let (xid, count, options) = (self.xid(reader)?, reader.u32()?, reader.u8()?);
        let raw = reader.bytes(usize::try_from(count).ok()?.checked_mul(4)?)?;
        Some(Message::Truncate { xid, options, relations: Relations { raw } })
    }

    fn message<'a>(&self, reader: &mut Reader<'a>) -> Option<Message<'a>> {
        let (xid, transactional) = (self.xid(reader)?, reader.u8()? & 1 != 0);
        let (lsn, prefix) = (reader.u64()?, reader.cstr()?);
        let length = usize::try_from(reader.u32()?).ok()?;
        Some(Message::Message { xid, transactional, lsn, prefix, content: reader.bytes(length)? })
    }
}

fn name(tag: u8) -> Option<&'static str> {
    Some(match tag {
        b'B' => "Begin",
        b'C' => "Commit",
        b'O' => "Origin",
        b'R' => "Relation",
        b'Y' => "Type",
        b'I' => "Insert",
        b'U' => "Update",
        b'D' => "Delete",
        b'T' => "Truncate",
        b'M' => "Message",
        b'S' => "Stream Start",
        b'E' => "Stream Stop",
        b'c' => "Stream Commit",
        b'A' => "Stream Abort",
        _ => return None,
    })
}

fn commit(reader: &mut Reader<'_>) -> Option<Commit> {
    let _flags = reader.u8()?;
    Some(Commit { lsn: reader.u64()?, end_lsn: reader.u64()?, committed: reader.i64()? })
}

fn column<'a>(reader: &mut Reader<'a>) -> Option<Column<'a>> {
    Some(Column {
        identity: reader.u8()? & 1 != 0,
        name: reader.cstr()?,
        type_oid: reader.u32()?,
        type_modifier: reader.i32()?,
    })
}

fn new_tuple<'a>(reader: &mut Reader<'a>) -> Option<Tuple<'a>> {
    if reader.u8()? == b'N' { tuple(reader) } else { None }
}

fn tuple<'a>(reader: &mut Reader<'a>) -> Option<Tuple<'a>> {
    let count = reader.u16()?;
    let start = reader.clone();
    for _ in 0..count {
        datum(reader)?;
    }
    Some(Tuple { count, raw: reader.since(&start) })
}

fn datum<'a>(reader: &mut Reader<'a>) -> Option<Datum<'a>> {
    let kind = reader.u8()?;
    let mut value = || reader.u32().and_then(|length| reader.bytes(usize::try_from(length).ok()?));
    Some(match kind {
        b'n' => Datum::Null,
        b'u' => Datum::Unchanged,
        b't' => Datum::Text(value()?),
        b'b' => Datum::Binary(value()?),
        _ => return None,
    })
}
