//! What a database is asked: statements with their weight, and what each wants of each table, with names resolved against the catalog. Not
//! where statements come from, and not what they cost.
//!
//! Invariant: a name that the catalog does not know is passed over; nothing is assumed about it.

use howdah_sql::{Case, Condition, Name, Scope, Search, Test};

use crate::candidate::{Holds, Predicate};
use crate::catalog::{Catalog, Comparison, Table, TableKind};

/// One statement of a workload.
#[derive(Debug, Clone, PartialEq)]
pub struct Asked {
    /// Its text, with constants if they are known.
    pub sql: String,
    /// Its identity, to be told to people and compared.
    pub fingerprint: String,
    /// What one unit of its cost counts: how often it runs, or its share of the time over its cost.
    pub weight: f64,
    /// How often it runs, where that is known; 0: not.
    pub calls: f64,
}

/// What a database is asked.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Workload {
    /// The statements.
    pub statements: Vec<Asked>,
    /// What one unit of the planner's cost weighs when it is spent on a write, if weights are of the time that the catalog's counts of
    /// writes cover; `None`: reads and writes cannot be set off against each other.
    pub unit: Option<f64>,
    /// What was left out, and why, in words.
    pub missing: Vec<String>,
}

/// What one statement wants of one occurrence of a table. Columns by number.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Access {
    /// Place of the statement in the workload.
    pub statement: usize,
    /// The table's oid.
    pub table: u32,
    /// Compared with a value by `=`, `IN` or `IS NULL`.
    pub equal: Vec<i16>,
    /// Compared by `<`, `BETWEEN`, `LIKE 'x%'`.
    pub range: Vec<i16>,
    /// Equal to a column of something else.
    pub joined: Vec<i16>,
    /// Compared in one arm of an `OR`.
    pub alternative: Vec<i16>,
    /// Wanted order: column, largest first.
    pub order: Vec<(i16, bool)>,
    /// Grouped by.
    pub group: Vec<i16>,
    /// Every column that is used.
    pub columns: Vec<i16>,
    /// Those of them that an index has to have even if it is of just the rows of which [`certain`](Self::certain) comparisons of columns hold.
    pub needed: Vec<i16>,
    /// Compared with a value in small or in capital letters.
    pub cased: Vec<(i16, Case)>,
    /// Searched for what is in them.
    pub searched: Vec<(i16, Search)>,
    /// What the statement's text itself says of columns, without parameters.
    pub certain: Vec<Predicate>,
    /// Columns that the statement sets.
    pub sets: Vec<i16>,
    /// The statement changes this table.
    pub changed: bool,
}

impl Access {
    /// One more comparison of columns with each other: all of them hold at once.
    fn note_comparison(&mut self, one: Comparison) {
        let known = self.certain.iter_mut().find_map(|it| match it {
            Predicate::Compared(all) => Some(all),
            Predicate::Of(..) => None,
        });
        match known {
            Some(all) if all.contains(&one) => {}
            Some(all) => {
                all.push(one);
                all.sort_unstable();
            }
            None => self.certain.push(Predicate::Compared(vec![one])),
        }
    }

    /// What is said of a column that holds for every row that is wanted.
    fn note_certain(&mut self, column: i16, condition: &Condition) {
        let holds = match (&condition.test, &condition.value) {
            (Test::Cased(case), _) => {
                self.cased.push((column, *case));
                return;
            }
            (Test::Searched(search), _) => {
                put(&mut self.searched, (column, *search));
                return;
            }
            (Test::Null, _) => Holds::Null,
            (Test::NotNull, _) => Holds::NotNull,
            (Test::Equal, Some(value)) => Holds::Equal(value.to_string()),
            _ => return,
        };
        self.certain.push(Predicate::Of(column, holds));
    }
}

/// What every statement wants of every table.
#[must_use]
pub fn accesses(catalog: &Catalog, workload: &Workload) -> Vec<Access> {
    let mut all = Vec::new();
    for (statement, asked) in workload.statements.iter().enumerate() {
        let scopes = howdah_sql::scopes(&asked.sql).unwrap_or_default();
        all.extend(Names { catalog, scopes: &scopes }.accesses(statement));
    }
    // A form that was counted is told by one example: its constants are not those of every call.
    if workload.unit.is_some() {
        let in_every_call = |it: &Predicate| !matches!(it, Predicate::Of(_, Holds::Equal(_)));
        all.iter_mut().for_each(|access| access.certain.retain(in_every_call));
    }
    all
}

struct Names<'a> {
    catalog: &'a Catalog,
    scopes: &'a [Scope],
}

/// Scope and source of a column, and its number.
type Place = (usize, usize, i16);

impl Names<'_> {
    fn accesses(&self, statement: usize) -> Vec<Access> {
        let mut all: Vec<((usize, usize), Access)> = Vec::new();
        for (level, scope) in self.scopes.iter().enumerate() {
            for (at, source) in scope.sources.iter().enumerate() {
                if let Some(table) = self.table(level, at) {
                    let changed = source.changed;
                    all.push((
                        (level, at),
                        Access { statement, table: table.oid, changed, ..Access::default() },
                    ));
                }
            }
        }
        for (level, scope) in self.scopes.iter().enumerate() {
            self.fill(level, scope, &mut all);
        }
        all.into_iter().map(|(_, access)| access).collect()
    }

    fn fill(&self, level: usize, scope: &Scope, all: &mut [((usize, usize), Access)]) {
        for name in &scope.columns {
            self.note(level, name, all, |access| &mut access.columns);
        }
        for name in &scope.needed {
            self.note(level, name, all, |access| &mut access.needed);
        }
        for of in &scope.everything {
            self.note_everything(level, of.as_deref(), all);
        }
        for condition in &scope.conditions {
            self.note_condition(level, condition, all);
        }
        // An order is of use as long as its columns are of one table.
        let mut first = None;
        for order in &scope.order {
            let Some((of, at, number)) = self.find(level, &order.column) else { break };
            if *first.get_or_insert((of, at)) != (of, at) {
                break;
            }
            if let Some(access) = access(all, (of, at)) {
                access.order.push((number, order.descending));
            }
        }
        let group: Option<Vec<Place>> =
            scope.group.iter().map(|name| self.find(level, name)).collect();
        for (of, at, number) in group.unwrap_or_default() {
            if let Some(access) = access(all, (of, at)) {
                put(&mut access.group, number);
            }
        }
        for set in &scope.sets {
            let name = Name { of: None, column: set.clone() };
            for (at, _) in scope.sources.iter().enumerate().filter(|(_, source)| source.changed) {
                let number = self.table(level, at).and_then(|table| number(table, &name.column));
                if let (Some(number), Some(access)) = (number, access(all, (level, at))) {
                    put(&mut access.sets, number);
                }
            }
        }
    }

    fn note_condition(
        &self,
        level: usize,
        condition: &Condition,
        all: &mut [((usize, usize), Access)],
    ) {
        let place = self.find(level, &condition.column);
        let alternative = condition.alternative;
        if let (Test::Joined(Some(other)) | Test::Below(other, _), Some((of, at, column))) =
            (&condition.test, place)
            && let Some((_, _, other)) =
                self.find(level, other).filter(|other| (other.0, other.1) == (of, at))
        {
            if let (Test::Below(_, or_equal), false) = (&condition.test, alternative)
                && let Some(access) = access(all, (of, at))
            {
                let comparison = Comparison { small: column, large: other, or_equal: *or_equal };
                access.note_comparison(comparison);
            }
            return;
        }
        self.note(level, &condition.column, all, |access| match condition.test {
            Test::Cased(_) | Test::Below(..) | Test::Searched(_) => &mut access.columns,
            _ if alternative => &mut access.alternative,
            Test::Equal | Test::In(_) | Test::Null => &mut access.equal,
            Test::Range | Test::Prefix | Test::NotNull => &mut access.range,
            Test::Joined(_) => &mut access.joined,
        });
        if let (false, Some((of, at, column))) = (alternative, place)
            && let Some(access) = access(all, (of, at))
        {
            access.note_certain(column, condition);
        }
    }

    fn note(
        &self,
        level: usize,
        name: &Name,
        all: &mut [((usize, usize), Access)],
        list: impl Fn(&mut Access) -> &mut Vec<i16>,
    ) {
        if let Some((of, at, number)) = self.find(level, name)
            && let Some(access) = access(all, (of, at))
        {
            put(list(access), number);
        }
    }

    fn note_everything(
        &self,
        level: usize,
        of: Option<&str>,
        all: &mut [((usize, usize), Access)],
    ) {
        let Some(scope) = self.scopes.get(level) else { return };
        for (at, source) in scope.sources.iter().enumerate() {
            if of.is_some_and(|of| *of != *source.alias) {
                continue;
            }
            let Some(table) = self.table(level, at) else { continue };
            if let Some(access) = access(all, (level, at)) {
                for column in &table.columns {
                    put(&mut access.columns, column.number);
                    put(&mut access.needed, column.number);
                }
            }
        }
    }

    /// Where a name of a level comes from: from there or from around it.
    fn find(&self, level: usize, name: &Name) -> Option<Place> {
        let mut level = Some(level);
        for _ in 0..self.scopes.len() {
            let scope = self.scopes.get(level?)?;
            for (at, source) in scope.sources.iter().enumerate() {
                if name.of.as_ref().is_some_and(|of| *of != source.alias) {
                    continue;
                }
                let number = self.table(level?, at).and_then(|table| number(table, &name.column));
                if let Some(number) = number {
                    return Some((level?, at, number));
                }
            }
            level = scope.around;
        }
        None
    }

    /// The table that a source is, if the catalog has it with rows of its own.
    fn table(&self, level: usize, at: usize) -> Option<&Table> {
        let named = self.scopes.get(level)?.sources.get(at)?.table.as_ref()?;
        let same = |table: &&Table| {
            *table.name == *named.name
                && named.schema.as_ref().is_none_or(|schema| **schema == *table.schema)
        };
        let found = self.catalog.tables.iter().filter(same);
        // Without a schema: the usual one first.
        let best = found.min_by_key(|table| table.schema != "public")?;
        (best.kind != TableKind::Partitioned).then_some(best)
    }
}

fn access(all: &mut [((usize, usize), Access)], place: (usize, usize)) -> Option<&mut Access> {
    all.iter_mut().find(|(at, _)| *at == place).map(|(_, access)| access)
}

fn number(table: &Table, name: &str) -> Option<i16> {
    table.columns.iter().find(|column| column.name == *name).map(|column| column.number)
}

fn put<T: PartialEq>(list: &mut Vec<T>, one: T) {
    if !list.contains(&one) {
        list.push(one);
    }
}
