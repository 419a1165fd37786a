//! Relations of a query, level by level, with the equalities that restrict each: `column = value`, `column IN (…)`,
//! `column = ANY ($n)`, closed over `column = column`. Not complete: what is not met here is for the caller to add.
//!
//! Invariant: an equality is given to a relation only if a row of it that does not satisfy the equality cannot change the answer. So a
//! condition of an outer join is used for its nullable side alone, and what is said there says nothing about the other side.

use super::{Equality, Given, Operand, Reading};
use crate::Table;
use crate::parse::{NodeEnum, tree};

/// Values of an `IN` list that are kept; a longer one restricts nothing.
const MAX_VALUES: usize = 64;
/// Scopes that may be inside each other.
const MAX_DEPTH: usize = 64;

/// The readings of a query.
pub(super) fn readings(select: &tree::SelectStmt) -> Vec<Reading> {
    let mut walk = Walk::default();
    walk.select(select, 0);
    walk.readings
}

#[derive(Default)]
struct Walk {
    readings: Vec<Reading>,
}

/// A column of a reading.
type Column = (usize, Box<str>);

/// What holds in a part of a `FROM`, besides what holds around it.
#[derive(Default)]
struct Scope {
    around: Option<usize>,
    readings: Vec<usize>,
    same: Vec<(Column, Column)>,
    values: Vec<(Column, Vec<Operand>)>,
}

/// One `SELECT`.
#[derive(Default)]
struct Level {
    /// By the name under which its columns are asked for.
    named: Vec<(Box<str>, usize)>,
    /// Other things in its `FROM`.
    others: bool,
    scopes: Vec<Scope>,
    /// Conditions with their scope, to be looked at when all names are known.
    conditions: Vec<(usize, tree::Node)>,
}

impl Walk {
    fn select(&mut self, select: &tree::SelectStmt, depth: usize) {
        if depth > MAX_DEPTH {
            return;
        }
        for query in select.with_clause.iter().flat_map(|with| &with.ctes) {
            if let Some(NodeEnum::CommonTableExpr(query)) = &query.node {
                self.nested(query.ctequery.as_deref(), depth);
            }
        }
        for side in [&select.larg, &select.rarg].into_iter().flatten() {
            self.select(side, depth + 1);
        }
        let mut level = Level { scopes: vec![Scope::default()], ..Level::default() };
        for item in &select.from_clause {
            self.from(item, &mut level, 0, depth);
        }
        if let Some(condition) = &select.where_clause {
            level.conditions.push((0, (**condition).clone()));
        }
        level.close(&mut self.readings);
        self.nested(select.where_clause.as_deref(), depth);
        self.nested(select.having_clause.as_deref(), depth);
        for target in &select.target_list {
            self.nested(Some(target), depth);
        }
    }

    /// Queries inside expressions, where they are usual.
    #[allow(
        clippy::wildcard_enum_match_arm,
        reason = "what is not met is added by the caller without restriction"
    )]
    fn nested(&mut self, node: Option<&tree::Node>, depth: usize) {
        let Some(node) = node.and_then(|node| node.node.as_ref()).filter(|_| depth < MAX_DEPTH)
        else {
            return;
        };
        match node {
            NodeEnum::SelectStmt(select) => self.select(select, depth + 1),
            NodeEnum::SubLink(link) => {
                self.nested(link.testexpr.as_deref(), depth + 1);
                self.nested(link.subselect.as_deref(), depth + 1);
            }
            NodeEnum::ResTarget(target) => self.nested(target.val.as_deref(), depth + 1),
            NodeEnum::BoolExpr(all) => {
                all.args.iter().for_each(|one| self.nested(Some(one), depth + 1));
            }
            NodeEnum::AExpr(expression) => {
                self.nested(expression.lexpr.as_deref(), depth + 1);
                self.nested(expression.rexpr.as_deref(), depth + 1);
            }
            _ => {}
        }
    }

    #[allow(
        clippy::wildcard_enum_match_arm,
        reason = "what is not met is added by the caller without restriction"
    )]
    fn from(&mut self, item: &tree::Node, level: &mut Level, scope: usize, depth: usize) {
        if depth > MAX_DEPTH {
            level.others = true;
            return;
        }
        match &item.node {
            Some(NodeEnum::RangeVar(range)) => self.relation(range, level, scope),
            Some(NodeEnum::RangeSubselect(part)) => {
                level.others = true;
                self.nested(part.subquery.as_deref(), depth);
            }
            Some(NodeEnum::JoinExpr(join)) => self.join(join, level, scope, depth),
            _ => level.others = true,
        }
    }

    fn relation(&mut self, range: &tree::RangeVar, level: &mut Level, scope: usize) {
        let schema = (!range.schemaname.is_empty()).then(|| range.schemaname.as_str().into());
        let index = self.readings.len();
        self.readings.push(Reading {
            table: Table { schema, name: range.relname.as_str().into() },
            may_be_query: false,
            equalities: Box::default(),
        });
        // Columns with other names are not followed.
        match &range.alias {
            Some(alias) if !alias.colnames.is_empty() => level.others = true,
            Some(alias) => level.named.push((alias.aliasname.as_str().into(), index)),
            None => level.named.push((range.relname.as_str().into(), index)),
        }
        if let Some(scope) = level.scopes.get_mut(scope) {
            scope.readings.push(index);
        }
    }

    fn join(&mut self, join: &tree::JoinExpr, level: &mut Level, scope: usize, depth: usize) {
        use tree::JoinType;
        let kind = JoinType::try_from(join.jointype);
        let mut inner = |around: Option<usize>| {
            level.scopes.push(Scope { around, ..Scope::default() });
            level.scopes.len() - 1
        };
        // The scopes of both sides, and of the condition.
        let (left, right, condition) = match kind {
            Ok(JoinType::JoinInner) => (scope, scope, Some(scope)),
            Ok(JoinType::JoinLeft) => {
                let nullable = inner(Some(scope));
                (scope, nullable, Some(nullable))
            }
            Ok(JoinType::JoinRight) => {
                let nullable = inner(Some(scope));
                (nullable, scope, Some(nullable))
            }
            _ => (inner(None), inner(None), None),
        };
        for (side, scope) in [(&join.larg, left), (&join.rarg, right)] {
            if let Some(side) = side {
                self.from(side, level, scope, depth + 1);
            }
        }
        // An alias of the whole hides those inside.
        level.others |= join.alias.is_some() || join.join_using_alias.is_some();
        if let (Some(scope), Some(condition)) = (condition, &join.quals) {
            level.conditions.push((scope, (**condition).clone()));
        }
        self.nested(join.quals.as_deref(), depth);
    }
}

impl Level {
    /// Gives each reading the equalities that hold for it.
    fn close(&mut self, readings: &mut [Reading]) {
        for (scope, condition) in std::mem::take(&mut self.conditions) {
            self.condition(scope, &condition);
        }
        for scope in &self.scopes {
            // What holds here, and around.
            let mut all = vec![scope];
            while let Some(around) = all.last().and_then(|scope| self.scopes.get(scope.around?)) {
                all.push(around);
            }
            for index in &scope.readings {
                if let Some(reading) = readings.get_mut(*index) {
                    reading.equalities = equalities(*index, &all);
                }
            }
        }
    }

    #[allow(
        clippy::wildcard_enum_match_arm,
        reason = "any other condition may restrict more, which is not needed"
    )]
    fn condition(&mut self, scope: usize, node: &tree::Node) {
        match &node.node {
            Some(NodeEnum::BoolExpr(all)) if all.boolop == tree::BoolExprType::AndExpr as i32 => {
                all.args.iter().for_each(|one| self.condition(scope, one));
            }
            Some(NodeEnum::AExpr(expression)) => self.equality(scope, expression),
            _ => {}
        }
    }

    fn equality(&mut self, scope: usize, expression: &tree::AExpr) {
        use tree::AExprKind;
        let [name] = expression.name.as_slice() else { return };
        if !matches!(&name.node, Some(NodeEnum::String(name)) if name.sval == "=") {
            return;
        }
        let (Some(left), Some(right)) = (&expression.lexpr, &expression.rexpr) else { return };
        let (one, other) = (self.column(left), self.column(right));
        let values = match AExprKind::try_from(expression.kind) {
            Ok(AExprKind::AexprOp) => match (&one, &other) {
                (Some(_), None) => operand(right).map(|value| vec![value]),
                (None, Some(_)) => operand(left).map(|value| vec![value]),
                _ => None,
            },
            Ok(AExprKind::AexprIn) if other.is_none() => list(right),
            Ok(AExprKind::AexprOpAny) if other.is_none() => any(right),
            _ => return,
        };
        let plain = expression.kind == AExprKind::AexprOp as i32;
        let Some(scope) = self.scopes.get_mut(scope) else { return };
        match (one, other, values) {
            (Some(one), Some(other), None) if plain => scope.same.push((one, other)),
            (Some(column), None, Some(values)) => scope.values.push((column, values)),
            (None, Some(column), Some(values)) if plain => scope.values.push((column, values)),
            _ => {}
        }
    }

    /// The column of this level that an expression is.
    fn column(&self, node: &tree::Node) -> Option<Column> {
        let Some(NodeEnum::ColumnRef(column)) = &node.node else { return None };
        match column.fields.as_slice() {
            // Without a second thing in FROM it can be of no other, if there is such a column.
            [name] => match self.named.as_slice() {
                [(_, index)] if !self.others => Some((*index, string(name)?.into())),
                _ => None,
            },
            [of, name] => {
                let of = string(of)?;
                let mut found = self.named.iter().filter(|(alias, _)| **alias == *of);
                let (_, index) = found.next()?;
                found.next().is_none().then(|| Some((*index, string(name)?.into())))?
            }
            _ => None,
        }
    }
}

/// The equalities of one reading that follow from what holds in some scopes.
fn equalities(reading: usize, scopes: &[&Scope]) -> Box<[Equality]> {
    let mut found: Vec<Equality> = Vec::new();
    for (start, values) in scopes.iter().flat_map(|scope| &scope.values) {
        let mut class = vec![start.clone()];
        let mut at = 0;
        while let Some(column) = class.get(at).cloned() {
            at += 1;
            for (one, other) in scopes.iter().flat_map(|scope| &scope.same) {
                let next = match (*one == column, *other == column) {
                    (true, false) => other,
                    (false, true) => one,
                    _ => continue,
                };
                if !class.contains(next) {
                    class.push(next.clone());
                }
            }
        }
        for (of, column) in &class {
            let known = found.iter().any(|known| known.column == *column);
            if *of == reading && !known {
                found.push(Equality {
                    column: column.clone(),
                    values: values.clone().into(),
                    through: class.clone().into(),
                });
            }
        }
    }
    found.into()
}

fn string(node: &tree::Node) -> Option<&str> {
    match &node.node {
        Some(NodeEnum::String(text)) => Some(&text.sval),
        _ => None,
    }
}

/// A value that is given as such.
#[allow(clippy::wildcard_enum_match_arm, reason = "nothing else is a value that is given")]
fn operand(node: &tree::Node) -> Option<Operand> {
    use tree::a_const::Val;
    let plain = |given| Some(Operand { given, cast: None });
    match node.node.as_ref()? {
        NodeEnum::ParamRef(parameter) => {
            plain(Given::Parameter(u16::try_from(parameter.number).ok().filter(|n| *n > 0)?))
        }
        NodeEnum::AConst(constant) => match constant.val.as_ref()? {
            Val::Ival(number) => plain(Given::Number(number.ival.to_string().into())),
            Val::Fval(number) => plain(Given::Number(number.fval.as_str().into())),
            Val::Boolval(truth) => plain(Given::Boolean(truth.boolval)),
            Val::Sval(text) => plain(Given::Text(text.sval.as_str().into())),
            Val::Bsval(_) => None,
        },
        NodeEnum::TypeCast(cast) => {
            let name = cast.type_name.as_ref()?;
            let simple = name.typmods.is_empty() && name.array_bounds.is_empty() && !name.setof;
            let inner = operand(cast.arg.as_deref()?)?;
            let last = string(name.names.last()?)?;
            (simple && inner.cast.is_none())
                .then(|| Operand { given: inner.given, cast: Some(last.into()) })
        }
        _ => None,
    }
}

/// The values of an `IN` list.
fn list(node: &tree::Node) -> Option<Vec<Operand>> {
    let Some(NodeEnum::List(list)) = &node.node else { return None };
    let within = list.items.len() <= MAX_VALUES;
    within.then(|| list.items.iter().map(operand).collect::<Option<Vec<_>>>())?
}

/// The values of `ANY (…)`.
#[allow(clippy::wildcard_enum_match_arm, reason = "nothing else is an array that is given")]
fn any(node: &tree::Node) -> Option<Vec<Operand>> {
    match node.node.as_ref()? {
        NodeEnum::ParamRef(parameter) => {
            let number = u16::try_from(parameter.number).ok().filter(|n| *n > 0)?;
            Some(vec![Operand { given: Given::Elements(number), cast: None }])
        }
        NodeEnum::AArrayExpr(array) if array.elements.len() <= MAX_VALUES => {
            array.elements.iter().map(operand).collect()
        }
        _ => None,
    }
}
