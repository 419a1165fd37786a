//! The names that a text uses: functions, operators, types, fields, queries of `WITH`. Not what they mean: that needs a catalog.
//!
//! Invariant: complete unless [`Uses::more`] is set: whatever else a statement runs, it runs through what is named here, through its
//! tables, or by what its types imply.

use crate::{Function, MAX_NAMES};

/// Names that a text uses, letter case folded as PostgreSQL does, each kind without repetition and at most
/// [`MAX_NAMES`](crate::MAX_NAMES) of it.
#[derive(Clone, Default, Eq, PartialEq, Debug)]
pub struct Uses {
    /// Functions that are called.
    pub functions: Box<[Function]>,
    /// Operators, whatever their schema; words such as `BETWEEN` among them.
    pub operators: Box<[Box<str>]>,
    /// Types that are named, whatever their schema, without those that the grammar itself knows (`integer`).
    pub types: Box<[Box<str>]>,
    /// Names behind a dot, which call a function if there is no such column: `t.f` may mean `f(t)`.
    pub fields: Box<[Box<str>]>,
    /// Names of `WITH` queries.
    pub queries: Box<[Box<str>]>,
    /// There are more of some kind.
    pub more: bool,
}

impl Uses {
    /// The uses of a text with one more statement.
    pub(crate) fn with(self, more: &Self) -> Self {
        let (functions, a) = union(self.functions, &more.functions);
        let (operators, b) = union(self.operators, &more.operators);
        let (types, c) = union(self.types, &more.types);
        let (fields, d) = union(self.fields, &more.fields);
        let (queries, e) = union(self.queries, &more.queries);
        let more = self.more || more.more || a || b || c || d || e;
        Self { functions, operators, types, fields, queries, more }
    }
}

/// Both without repetition, and whether there are too many.
fn union<T: Clone + PartialEq>(some: Box<[T]>, more: &[T]) -> (Box<[T]>, bool) {
    let mut all = some.into_vec();
    for one in more {
        if !all.contains(one) {
            all.push(one.clone());
        }
    }
    let too_many = all.len() > MAX_NAMES;
    all.truncate(MAX_NAMES);
    (all.into(), too_many)
}
