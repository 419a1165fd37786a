//! What occurs anywhere in a parse tree: functions, data-modifying parts, row locks, temporary names.
//! Not the meaning of it: that is `classify`.
//!
//! Invariant: complete. The tree is walked through its own serialisation, so a part that a newer grammar adds is walked
//! too, and a function call cannot hide where a hand-written walk forgot to look.
//!
//! Length: one walk, and the serialiser that it is.

use std::fmt;

use serde::ser::{self, Impossible, Serialize};

use crate::cacheable::{is_clock_type, is_plain, tells_time};
use crate::functions::{BuiltIn, built_in};
use crate::parse::tree;
use crate::{Function, MAX_NAMES, MAX_TABLES, Table, Uses};

/// What was seen in one tree.
#[derive(Debug, Default)]
pub(crate) struct Facts {
    /// Names other than those of tables.
    pub(crate) uses: Names,
    /// `INSERT`, `UPDATE`, `DELETE` or `MERGE`, at the top or in a `WITH`.
    pub(crate) modifies: bool,
    /// `FOR UPDATE`, `FOR SHARE`, …
    pub(crate) locks_rows: bool,
    /// `SELECT … INTO`.
    pub(crate) into: bool,
    /// A relation is marked temporary, or a name begins with `pg_temp`.
    pub(crate) temporary: bool,
    /// `OPERATOR(schema.name)` with a schema other than `pg_catalog`.
    pub(crate) foreign_operator: bool,
    /// Tables (and views, and names of `WITH` queries) that are named, without repetition; [`MAX_TABLES`] at most.
    pub(crate) tables: Vec<Table>,
    /// There are more.
    pub(crate) more_tables: bool,
    /// An `UPDATE` or `DELETE` whose condition is missing, or can be true without a look at any column.
    pub(crate) unbounded: bool,
    /// Relations that are named, as often as they are.
    pub(crate) relations: usize,
    /// A part that is not among the usual ones of a query.
    pub(crate) unusual: Option<&'static str>,
    /// A string in it may be read as the present moment.
    pub(crate) says_now: bool,
    /// Numbers of parameters, as often as they are used.
    pub(crate) parameters: Vec<i32>,
    /// Columns that are cast to a date or time.
    pub(crate) clock_casts: Vec<Box<str>>,
    /// Something else than a column or a value is.
    pub(crate) clock_cast_of_unknown: bool,
}

/// Names that were met, in parts as they are written; [`MAX_NAMES`] of each kind but functions.
#[derive(Debug, Default)]
pub(crate) struct Names {
    /// Functions that are called, as often as they are.
    pub(crate) functions: Vec<Vec<String>>,
    operators: Vec<Box<str>>,
    types: Vec<Box<str>>,
    fields: Vec<Box<str>>,
    queries: Vec<Box<str>>,
    more: bool,
}

impl Names {
    /// As they are told.
    pub(crate) fn into_uses(self) -> Uses {
        let mut functions = Vec::new();
        let mut more = self.more;
        for path in self.functions {
            let mut path = path.into_iter().rev();
            let name = path.next().unwrap_or_default().into();
            let function = Function { schema: path.next().map(Into::into), name };
            if functions.contains(&function) {
                continue;
            }
            if functions.len() < MAX_NAMES {
                functions.push(function);
            } else {
                more = true;
            }
        }
        Uses {
            functions: functions.into(),
            operators: self.operators.into(),
            types: self.types.into(),
            fields: self.fields.into(),
            queries: self.queries.into(),
            more,
        }
    }

    /// A name behind a dot. What calls a function that has an effect is a call, also if it may be a column.
    fn field(&mut self, name: String) {
        if built_in(&name) == Some(BuiltIn::Effect) {
            self.functions.push(vec![name]);
        } else {
            put(&mut self.fields, &mut self.more, &name);
        }
    }
}

/// One more name of a kind.
fn put(names: &mut Vec<Box<str>>, more: &mut bool, name: &str) {
    if names.iter().any(|known| **known == *name) {
        return;
    }
    if names.len() < MAX_NAMES {
        names.push(name.into());
    } else {
        *more = true;
    }
}

impl Facts {
    /// Walks a tree; `None` when it cannot be walked to its end, so that nothing may be concluded from it.
    pub(crate) fn of(tree: &impl Serialize) -> Option<Self> {
        let mut walk = Walk::default();
        tree.serialize(&mut walk).ok()?;
        Some(walk.facts)
    }

    fn names(&mut self, schema: Option<&String>, name: &str) {
        let table = Table { schema: schema.map(|name| name.as_str().into()), name: name.into() };
        if self.tables.contains(&table) {
            return;
        }
        if self.tables.len() < MAX_TABLES {
            self.tables.push(table)
        } else {
            self.more_tables = true
        }
    }
}

/// The walk: a serialiser that writes nothing.
#[derive(Default)]
struct Walk {
    facts: Facts,
    /// Strings met since collecting began.
    collected: Option<Vec<String>>,
    /// Schema of the relation that is being walked.
    schema: Option<String>,
    /// In a list of names of objects that are dropped or commented on.
    objects: bool,
    /// What was walked since this was cleared depends on a column (or a cursor): it does not hold for every row, as far as can
    /// be told.
    restricts: bool,
    /// The number that was met last: which of `AND`, `OR` and `NOT` an expression is.
    number: i32,
    /// The next list are the arms of an `OR`.
    arms: bool,
    /// In what stands behind an expression: subscripts and names.
    indirection: bool,
    /// The next node is what a cast is of.
    casting: bool,
    /// What the casts around are of.
    casts: Vec<&'static str>,
    /// The column and the type that were met last.
    column: Box<str>,
    type_name: Box<str>,
}

impl Walk {
    fn enter(&mut self, structure: &'static str) {
        if !is_plain(structure) {
            self.facts.unusual.get_or_insert(structure);
        }
        match structure {
            "RangeVar" => self.facts.relations += 1,
            "InsertStmt" | "UpdateStmt" | "DeleteStmt" | "MergeStmt" => self.facts.modifies = true,
            "LockingClause" => self.facts.locks_rows = true,
            "IntoClause" => self.facts.into = true,
            "ColumnRef" | "CurrentOfExpr" => self.restricts = true,
            _ => {}
        }
    }

    /// The cast that was begun last is to the type that was met last.
    fn cast(&mut self) {
        let of = self.casts.pop().unwrap_or_default();
        if !is_clock_type(&self.type_name) {
            return;
        }
        match of {
            "AConst" | "ParamRef" => {}
            "ColumnRef" => self.facts.clock_casts.push(self.column.clone()),
            _ => self.facts.clock_cast_of_unknown = true,
        }
    }

    fn collect(&mut self, value: &(impl Serialize + ?Sized)) -> Result<Vec<String>, Unwalkable> {
        let outer = self.collected.replace(Vec::new());
        let result = value.serialize(&mut *self);
        let strings = std::mem::replace(&mut self.collected, outer).unwrap_or_default();
        result.map(|()| strings)
    }

    /// A field of what is given as a value, or of a cast.
    fn value(
        &mut self,
        structure: &str,
        key: &str,
        value: &(impl Serialize + ?Sized),
    ) -> Result<(), Unwalkable> {
        self.casting |= structure == "TypeCast" && key == "arg";
        if key == "val" {
            let texts = self.collect(value)?;
            self.facts.says_now |= texts.iter().any(|text| tells_time(text.as_bytes()));
            return Ok(());
        }
        value.serialize(&mut *self)?;
        match (structure, key) {
            ("TypeCast", "type_name") => self.cast(),
            ("ParamRef", "number") => self.facts.parameters.push(self.number),
            _ => {}
        }
        Ok(())
    }

    fn field(
        &mut self,
        structure: &str,
        key: &str,
        value: &(impl Serialize + ?Sized),
    ) -> Result<(), Unwalkable> {
        match (structure, key) {
            ("TypeCast" | "AConst" | "ParamRef", _) => return self.value(structure, key, value),
            ("FuncCall", "funcname") => {
                let name = self.collect(value)?;
                self.facts.uses.functions.push(name);
            }
            ("ColumnRef", "fields") => {
                // Without an alias or table in front it can only be a column.
                let mut path = self.collect(value)?;
                self.column = path.last().map(|name| name.as_str().into()).unwrap_or_default();
                if path.len() > 1 {
                    path.pop().into_iter().for_each(|name| self.facts.uses.field(name));
                }
            }
            ("AIndirection", "indirection") => {
                self.indirection = true;
                value.serialize(&mut *self)?;
                self.indirection = false;
            }
            ("TypeName", "names") => {
                let path = self.collect(value)?;
                self.type_name = path.last().map(|name| name.as_str().into()).unwrap_or_default();
                if let Some(name) = path.last()
                    && path.first().is_none_or(|schema| schema != "pg_catalog")
                {
                    let names = &mut self.facts.uses;
                    put(&mut names.types, &mut names.more, name);
                }
            }
            ("CommonTableExpr", "ctename") => {
                let names = self.collect(value)?;
                let uses = &mut self.facts.uses;
                names.iter().for_each(|name| put(&mut uses.queries, &mut uses.more, name));
            }
            ("AExpr" | "SubLink" | "SortBy", "name" | "oper_name" | "use_op") => {
                let name = self.collect(value)?;
                if let Some(name) = name.last() {
                    let names = &mut self.facts.uses;
                    put(&mut names.operators, &mut names.more, name);
                }
                let schema = name.len().checked_sub(2).and_then(|index| name.get(index));
                self.facts.foreign_operator |= schema.is_some_and(|schema| schema != "pg_catalog");
            }
            ("RangeVar", "relpersistence") => {
                let persistence = self.collect(value)?;
                self.facts.temporary |= persistence.iter().any(|letter| letter == "t");
            }
            ("RangeVar", "schemaname") => self.schema = self.collect(value)?.pop(),
            ("RangeVar", "relname") => {
                let name = self.collect(value)?;
                let schema = self.schema.take().filter(|name| !name.is_empty());
                name.iter().for_each(|name| self.facts.names(schema.as_ref(), name));
            }
            ("DropStmt", "objects") | ("CommentStmt" | "SecLabelStmt", "object") => {
                self.objects = true;
                value.serialize(&mut *self)?;
                self.objects = false;
            }
            ("List", "items") if self.objects => {
                // Of a trigger or policy the name before the last is the table's.
                let path = self.collect(value)?;
                for (at, name) in path.iter().enumerate().skip(path.len().saturating_sub(2)) {
                    self.facts.names(at.checked_sub(1).and_then(|at| path.get(at)), name);
                }
            }
            ("UpdateStmt" | "DeleteStmt", "where_clause") => {
                let outside = std::mem::take(&mut self.restricts);
                value.serialize(&mut *self)?;
                self.facts.unbounded |= !self.restricts;
                self.restricts = outside;
            }
            ("BoolExpr", "args") => {
                self.arms = self.number == tree::BoolExprType::OrExpr as i32;
                value.serialize(self)?;
            }
            _ => value.serialize(self)?,
        }
        Ok(())
    }
}

/// The walk met a type that parse trees do not have.
#[derive(Debug)]
struct Unwalkable;

impl fmt::Display for Unwalkable {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("a parse tree of unknown shape")
    }
}

impl std::error::Error for Unwalkable {}

impl ser::Error for Unwalkable {
    fn custom<T: fmt::Display>(_: T) -> Self {
        Self
    }
}

/// The fields of one structure.
struct Fields<'a> {
    walk: &'a mut Walk,
    structure: &'static str,
}

impl ser::SerializeStruct for Fields<'_> {
    type Ok = ();
    type Error = Unwalkable;

    fn serialize_field<T: Serialize + ?Sized>(
        &mut self,
        key: &'static str,
        value: &T,
    ) -> Result<(), Unwalkable> {
        self.walk.field(self.structure, key, value)
    }

    fn end(self) -> Result<(), Unwalkable> {
        Ok(())
    }
}

/// The items of one list. A list restricts if one item does, the arms of an `OR` only if all do.
struct Items<'a> {
    walk: &'a mut Walk,
    arms: bool,
    outside: bool,
    /// Of the items so far.
    restricts: Option<bool>,
}

impl ser::SerializeSeq for Items<'_> {
    type Ok = ();
    type Error = Unwalkable;

    fn serialize_element<T: Serialize + ?Sized>(&mut self, value: &T) -> Result<(), Unwalkable> {
        self.walk.restricts = false;
        value.serialize(&mut *self.walk)?;
        let item = self.walk.restricts;
        let before = self.restricts.unwrap_or(self.arms);
        self.restricts = Some(if self.arms { before && item } else { before || item });
        Ok(())
    }

    fn end(self) -> Result<(), Unwalkable> {
        self.walk.restricts = self.outside || self.restricts.unwrap_or(false);
        Ok(())
    }
}

/// Values that carry no names.
macro_rules! nothing {
    ($($method:ident: $type:ty),* $(,)?) => {
        $(fn $method(self, _: $type) -> Result<(), Unwalkable> {
            Ok(())
        })*
    };
}

impl<'a> ser::Serializer for &'a mut Walk {
    type Ok = ();
    type Error = Unwalkable;
    type SerializeSeq = Items<'a>;
    type SerializeTuple = Impossible<(), Unwalkable>;
    type SerializeTupleStruct = Impossible<(), Unwalkable>;
    type SerializeTupleVariant = Impossible<(), Unwalkable>;
    type SerializeMap = Impossible<(), Unwalkable>;
    type SerializeStruct = Fields<'a>;
    type SerializeStructVariant = Impossible<(), Unwalkable>;

    nothing! {
        serialize_bool: bool, serialize_i8: i8, serialize_i16: i16, serialize_i64: i64, serialize_u8: u8,
         serialize_u16: u16, serialize_u32: u32, serialize_u64: u64, serialize_f32: f32,
        serialize_f64: f64, serialize_char: char, serialize_bytes: &[u8], serialize_unit_struct: &'static str,
    }

    fn serialize_i32(self, number: i32) -> Result<(), Unwalkable> {
        self.number = number;
        Ok(())
    }

    fn serialize_str(self, text: &str) -> Result<(), Unwalkable> {
        self.facts.temporary |= text.starts_with("pg_temp");
        if let Some(collected) = &mut self.collected {
            collected.push(text.to_owned());
        }
        Ok(())
    }

    fn serialize_none(self) -> Result<(), Unwalkable> {
        Ok(())
    }

    fn serialize_some<T: Serialize + ?Sized>(self, value: &T) -> Result<(), Unwalkable> {
        value.serialize(self)
    }

    fn serialize_unit(self) -> Result<(), Unwalkable> {
        Ok(())
    }

    fn serialize_unit_variant(
        self,
        _: &'static str,
        _: u32,
        _: &'static str,
    ) -> Result<(), Unwalkable> {
        Ok(())
    }

    fn serialize_newtype_struct<T: Serialize + ?Sized>(
        self,
        _: &'static str,
        value: &T,
    ) -> Result<(), Unwalkable> {
        value.serialize(self)
    }

    fn serialize_newtype_variant<T: Serialize + ?Sized>(
        self,
        _: &'static str,
        _: u32,
        variant: &'static str,
        value: &T,
    ) -> Result<(), Unwalkable> {
        if std::mem::take(&mut self.casting) {
            self.casts.push(variant);
        }
        if !self.indirection {
            return value.serialize(self);
        }
        // A subscript is an expression with literals of its own.
        self.indirection = false;
        if variant == "String" {
            let names = self.collect(value)?;
            names.into_iter().for_each(|name| self.facts.uses.field(name));
        } else {
            value.serialize(&mut *self)?;
        }
        self.indirection = true;
        Ok(())
    }

    fn serialize_seq(self, _: Option<usize>) -> Result<Items<'a>, Unwalkable> {
        let arms = std::mem::take(&mut self.arms);
        let outside = self.restricts;
        Ok(Items { walk: self, arms, outside, restricts: None })
    }

    fn serialize_tuple(self, _: usize) -> Result<Self::SerializeTuple, Unwalkable> {
        Err(Unwalkable)
    }

    fn serialize_tuple_struct(
        self,
        _: &'static str,
        _: usize,
    ) -> Result<Self::SerializeTupleStruct, Unwalkable> {
        Err(Unwalkable)
    }

    fn serialize_tuple_variant(
        self,
        _: &'static str,
        _: u32,
        _: &'static str,
        _: usize,
    ) -> Result<Self::SerializeTupleVariant, Unwalkable> {
        Err(Unwalkable)
    }

    fn serialize_map(self, _: Option<usize>) -> Result<Self::SerializeMap, Unwalkable> {
        Err(Unwalkable)
    }

    fn serialize_struct(self, name: &'static str, _: usize) -> Result<Fields<'a>, Unwalkable> {
        self.enter(name);
        Ok(Fields { walk: self, structure: name })
    }

    fn serialize_struct_variant(
        self,
        _: &'static str,
        _: u32,
        _: &'static str,
        _: usize,
    ) -> Result<Self::SerializeStructVariant, Unwalkable> {
        Err(Unwalkable)
    }
}
