//! Whether the answer to a text could be kept, as far as the text tells, and which rows it depends on: the relations that it reads, each
//! with the equalities that restrict it. Not what its names mean: that needs a catalog.
//!
//! Invariant: every relation that the text names is in [`Shape::readings`], and a row that does not satisfy the equalities of one
//! reading of a relation cannot change what that reading contributes to the answer.

mod constructs;
mod level;
mod mask;
mod outputs;

use std::fmt;

use crate::facts::Facts;
use crate::parse::{NodeEnum, parse};
use crate::{MAX_ANALYSED, Table, Uses};

pub use mask::Masked;
pub use outputs::Output;

pub(crate) use constructs::{is_clock_type, is_plain, tells_time};

/// What the answer to a text depends on.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Shape {
    /// The relations that it reads, as often as it does.
    pub readings: Box<[Reading]>,
    /// The other names in it.
    pub uses: Uses,
    /// Columns that it casts to a date or time. If one holds text it may say `now`.
    pub clock_casts: Box<[Box<str>]>,
    /// Parameters that are used more than once, so that their type may be another one than the place of a use asks for.
    pub repeated: Box<[u16]>,
    /// The columns of the answer, if each of its rows is one row of the only relation that is read, and rows that are not in it do not
    /// change it by leaving.
    pub outputs: Option<Box<[Output]>>,
    /// The answer is every row of the only relation that satisfies its equalities, of which there is one for each column that is
    /// compared, with one value.
    pub exact: bool,
}

/// One occurrence of a relation.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Reading {
    /// The relation as it is named.
    pub table: Table,
    /// The name is also that of a `WITH` query, and may mean that.
    pub may_be_query: bool,
    /// All of them hold for every row that matters.
    pub equalities: Box<[Equality]>,
}

/// A column equals one of some values.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Equality {
    /// The column.
    pub column: Box<str>,
    /// Where its values come from.
    pub values: Box<[Operand]>,
    /// Columns through which this was concluded, by index of their reading: it holds if all of them have types in which equal
    /// values are written alike.
    pub through: Box<[(usize, Box<str>)]>,
}

/// A value that the text gives, or says where to find.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Operand {
    /// What is given.
    pub given: Given,
    /// The type that it is cast to, without schema.
    pub cast: Option<Box<str>>,
}

/// What a text gives as a value.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Given {
    /// The parameter of this number, counted from 1.
    Parameter(u16),
    /// Every element of the parameter of this number, which is an array.
    Elements(u16),
    /// A number, as it is written.
    Number(Box<str>),
    /// A string.
    Text(Box<str>),
    /// The number that is the literal of this index, counted from 0: in [`Masked::shape`] alone.
    NumberAt(u16),
    /// The string that is, likewise.
    TextAt(u16),
    /// `true` or `false`.
    Boolean(bool),
}

/// Why the answer to a text is not kept, as far as the text tells.
#[derive(Copy, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub enum Unkept {
    /// It does not follow PostgreSQL's grammar, is too long, or nested too deeply.
    Unparsed,
    /// It is not exactly one statement.
    Several,
    /// It is not a query.
    NotQuery,
    /// It changes data, locks rows or makes a table.
    Writes,
    /// A part of it is not among those that are known to give the same answer each time.
    Construct(&'static str),
    /// It reads the clock, or a value in it says `now`, `today`, `tomorrow` or `yesterday`.
    Clock,
    /// What it casts to a date or time may be text that says `now`.
    ClockCast,
    /// It uses something temporary.
    Temporary,
    /// It names more than is looked at.
    TooManyNames,
}

impl fmt::Display for Unkept {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Unparsed => {
                "the text does not follow PostgreSQL's grammar, is too long, or is nested too deeply"
            }
            Self::Several => "it is not exactly one statement",
            Self::NotQuery => "it is not a query",
            Self::Writes => "it changes data, locks rows or makes a table",
            Self::Construct(what) => {
                return write!(f, "it uses a construct that is not looked into ({what})");
            }
            Self::Clock => "its answer depends on the time",
            Self::ClockCast => {
                "it casts something to a date or time that may be a text such as 'now'"
            }
            Self::Temporary => "it uses something temporary",
            Self::TooManyNames => "it names more functions or tables than are looked at",
        })
    }
}

/// What the answer to this very text depends on. Parses it: costs tens of microseconds.
///
/// # Errors
/// Why its answer must not be kept.
pub fn shape(sql: &str) -> Result<Shape, Unkept> {
    if sql.len() > MAX_ANALYSED {
        return Err(Unkept::Unparsed);
    }
    let nodes = parse(sql).ok_or(Unkept::Unparsed)?;
    let [node] = nodes.as_slice() else { return Err(Unkept::Several) };
    let NodeEnum::SelectStmt(select) = node else { return Err(Unkept::NotQuery) };
    let facts = Facts::of(node).ok_or(Unkept::Unparsed)?;
    if facts.modifies || facts.locks_rows || facts.into {
        return Err(Unkept::Writes);
    }
    if let Some(what) = facts.unusual {
        let clock = what == constructs::CLOCK;
        return Err(if clock { Unkept::Clock } else { Unkept::Construct(what) });
    }
    if facts.says_now {
        return Err(Unkept::Clock);
    }
    if facts.temporary {
        return Err(Unkept::Temporary);
    }
    if facts.clock_cast_of_unknown {
        return Err(Unkept::ClockCast);
    }
    let mut readings = level::readings(select);
    // What the walk by levels has not met is read without restriction.
    if readings.len() != facts.relations {
        let unmet = facts.tables.iter().map(|table| Reading {
            table: table.clone(),
            may_be_query: false,
            equalities: Box::default(),
        });
        readings.extend(unmet);
    }
    let (tables_cut, clock_casts) = (facts.more_tables, facts.clock_casts.into());
    let uses = facts.uses.into_uses();
    if tables_cut || uses.more {
        return Err(Unkept::TooManyNames);
    }
    for reading in &mut readings {
        let name = &reading.table.name;
        reading.may_be_query =
            reading.table.schema.is_none() && uses.queries.iter().any(|query| query == name);
        if reading.may_be_query {
            reading.equalities = Box::default();
        }
    }
    let mut numbers: Vec<_> = facts.parameters;
    numbers.sort_unstable();
    let twice = numbers.windows(2).filter(|pair| pair.first() == pair.last());
    let mut repeated: Vec<_> =
        twice.filter_map(|pair| u16::try_from(*pair.first()?).ok()).collect();
    repeated.dedup();
    let (outputs, exact) = match readings.as_slice() {
        [reading] => (outputs::outputs(select), outputs::is_exact(select, reading)),
        _ => (None, false),
    };
    let (readings, repeated) = (readings.into(), repeated.into());
    Ok(Shape { readings, uses, clock_casts, repeated, outputs, exact })
}

/// Whether a value, as the protocol sends it, may be read as the present moment by a date or time type.
#[must_use]
pub fn says_now(value: &[u8]) -> bool {
    tells_time(value)
}
