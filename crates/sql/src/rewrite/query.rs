//! A query's parts for the rules: which tables its columns are of, its conditions one by one, and pieces of it as text that are put together to another query.
//! Not a rule.
//!
//! Invariant: a column is said to be of a table only if no other table of the query could have it, and the table's rows are not made up with nulls by an outer join.

use serde::Serialize;

use crate::parse::{NodeEnum, parse, tree, write};

/// A table as a query names it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Relation {
    /// Its schema, if the query says it.
    pub schema: Option<String>,
    /// Its name.
    pub name: String,
}

/// A table of `FROM`.
#[derive(Debug, Clone)]
pub(super) struct Source {
    /// What columns are qualified with.
    pub(super) called: String,
    pub(super) relation: Relation,
}

/// A column of a table.
#[derive(Debug, Clone)]
pub(super) struct Column {
    pub(super) source: Source,
    pub(super) name: String,
}

impl Column {
    /// With its table in front.
    pub(super) fn text(&self) -> String {
        format!("{}.{}", quoted(&self.source.called), quoted(&self.name))
    }
}

/// A name that means itself.
pub(super) fn quoted(name: &str) -> String {
    format!("\"{}\"", name.replace('"', "\"\""))
}

/// One level without set operations, whose rows are those that `FROM` and `WHERE` leave: not grouped, limited, locked or numbered.
pub(super) fn is_plain(select: &tree::SelectStmt) -> bool {
    is_plain_but_aggregates(select) && !has_aggregate(&select.target_list)
}

/// The same with outputs of any kind.
pub(super) fn is_plain_but_aggregates(select: &tree::SelectStmt) -> bool {
    is_one_level(select)
        && select.distinct_clause.is_empty()
        && select.limit_count.is_none()
        && select.limit_offset.is_none()
        && select.sort_clause.is_empty()
        && select.with_clause.is_none()
}

/// One level that is not grouped or locked; it may be sorted, limited, and made distinct.
pub(super) fn is_one_level(select: &tree::SelectStmt) -> bool {
    select.op() == tree::SetOperation::SetopNone
        && select.values_lists.is_empty()
        && select.group_clause.is_empty()
        && select.having_clause.is_none()
        && select.window_clause.is_empty()
        && select.locking_clause.is_empty()
        && select.into_clause.is_none()
}

/// A call of a function among the outputs: it may be an aggregate, give several rows, or another value each time.
pub(super) fn has_aggregate(targets: &[tree::Node]) -> bool {
    targets.iter().any(|target| {
        let mut call = false;
        each(target, &mut |node| {
            call |= matches!(node, NodeEnum::FuncCall(_) | NodeEnum::SubLink(_))
        });
        call
    })
}

/// The tables of `FROM`; `None` when there is something else, or an outer join.
pub(super) fn sources(select: &tree::SelectStmt) -> Option<Vec<Source>> {
    let mut found = Vec::new();
    for item in &select.from_clause {
        sources_of(item, &mut found)?;
    }
    Some(found)
}

fn sources_of(item: &tree::Node, found: &mut Vec<Source>) -> Option<()> {
    match item.node.as_ref()? {
        NodeEnum::RangeVar(range) => {
            let schema = Some(range.schemaname.clone()).filter(|schema| !schema.is_empty());
            let called =
                range.alias.as_ref().map_or(&range.relname, |alias| &alias.aliasname).clone();
            // Columns that are called differently have other names than the catalog says.
            if range.alias.as_ref().is_some_and(|alias| !alias.colnames.is_empty()) {
                return None;
            }
            found.push(Source {
                called,
                relation: Relation { schema, name: range.relname.clone() },
            });
            Some(())
        }
        NodeEnum::JoinExpr(join)
            if join.jointype() == tree::JoinType::JoinInner
                && !join.is_natural
                && join.using_clause.is_empty()
                && join.alias.is_none() =>
        {
            sources_of(join.larg.as_deref()?, found)?;
            sources_of(join.rarg.as_deref()?, found)
        }
        _ => None,
    }
}

/// What a node names as a column: the qualifier, and the name.
pub(super) fn column_name(node: &tree::Node) -> Option<(Option<String>, String)> {
    let NodeEnum::ColumnRef(reference) = node.node.as_ref()? else { return None };
    match reference.fields.as_slice() {
        [name] => Some((None, string(name)?)),
        [qualifier, name] => Some((Some(string(qualifier)?), string(name)?)),
        _ => None,
    }
}

/// The column that a node is, among these tables.
pub(super) fn column(node: &tree::Node, sources: &[Source]) -> Option<Column> {
    let (qualifier, name) = column_name(node)?;
    let source = match qualifier {
        Some(called) => sources.iter().find(|source| source.called == called)?,
        None => match sources {
            [only] => only,
            _ => return None,
        },
    };
    Some(Column { source: source.clone(), name })
}

/// The text of a name's part.
pub(super) fn string(node: &tree::Node) -> Option<String> {
    match node.node.as_ref()? {
        NodeEnum::String(text) => Some(text.sval.clone()),
        _ => None,
    }
}

/// The conditions that all have to be true.
pub(super) fn conditions(select: &tree::SelectStmt) -> Vec<&tree::Node> {
    let mut found = Vec::new();
    if let Some(condition) = select.where_clause.as_deref() {
        split(condition, &mut found);
    }
    found
}

fn split<'a>(node: &'a tree::Node, found: &mut Vec<&'a tree::Node>) {
    match &node.node {
        Some(NodeEnum::BoolExpr(all)) if all.boolop() == tree::BoolExprType::AndExpr => {
            for part in &all.args {
                split(part, found);
            }
        }
        _ => found.push(node),
    }
}

/// An expression as text.
pub(super) fn text_of(node: &tree::Node) -> Option<String> {
    let target =
        tree::ResTarget { val: Some(Box::new(node.clone())), ..tree::ResTarget::default() };
    let select = tree::SelectStmt {
        target_list: vec![of(NodeEnum::ResTarget(Box::new(target)))],
        ..empty()
    };
    Some(write(&NodeEnum::SelectStmt(Box::new(select)))?.strip_prefix("SELECT ")?.to_owned())
}

/// Items of `FROM` as text.
pub(super) fn from_text(items: &[tree::Node]) -> Option<String> {
    let select = tree::SelectStmt { from_clause: items.to_vec(), ..empty() };
    let text = write(&NodeEnum::SelectStmt(Box::new(select)))?;
    Some(text.split_once("FROM ")?.1.to_owned())
}

fn empty() -> tree::SelectStmt {
    let none = i32::from(tree::SetOperation::SetopNone);
    let option = i32::from(tree::LimitOption::Default);
    tree::SelectStmt { op: none, limit_option: option, ..tree::SelectStmt::default() }
}

pub(super) const fn of(node: NodeEnum) -> tree::Node {
    tree::Node { node: Some(node) }
}

/// A text as an expression.
pub(super) fn expression(text: &str) -> Option<tree::Node> {
    let select = query(&format!("SELECT {text}"))?;
    let NodeEnum::ResTarget(target) = select.target_list.into_iter().next()?.node? else {
        return None;
    };
    target.val.map(|value| *value)
}

/// A text as a query.
pub(super) fn query(text: &str) -> Option<tree::SelectStmt> {
    match parse(text)?.into_iter().next()? {
        NodeEnum::SelectStmt(select) => Some(*select),
        _ => None,
    }
}

/// The query with other conditions, as text.
pub(super) fn with_conditions(select: &tree::SelectStmt, conditions: &[String]) -> Option<String> {
    let mut select = select.clone();
    select.where_clause = match conditions {
        [] => None,
        all => {
            let joined: Vec<String> = all.iter().map(|one| format!("({one})")).collect();
            Some(Box::new(expression(&joined.join(" AND "))?))
        }
    };
    write(&NodeEnum::SelectStmt(Box::new(select)))
}

/// The query with its condition at one place replaced.
pub(super) fn with_condition(select: &tree::SelectStmt, at: usize, text: &str) -> Option<String> {
    let mut texts = Vec::new();
    for (number, condition) in conditions(select).into_iter().enumerate() {
        texts.push(if number == at { text.to_owned() } else { text_of(condition)? });
    }
    with_conditions(select, &texts)
}

/// Every node of an expression that rules look into: operators, calls, casts, subqueries' outer parts.
pub(super) fn each(node: &tree::Node, visit: &mut dyn FnMut(&NodeEnum)) {
    let Some(inner) = &node.node else { return };
    visit(inner);
    let mut child = |node: Option<&tree::Node>| {
        if let Some(node) = node {
            each(node, visit);
        }
    };
    match inner {
        NodeEnum::ResTarget(target) => child(target.val.as_deref()),
        NodeEnum::AExpr(operator) => {
            child(operator.lexpr.as_deref());
            child(operator.rexpr.as_deref());
        }
        NodeEnum::TypeCast(cast) => child(cast.arg.as_deref()),
        NodeEnum::NullTest(test) => child(test.arg.as_deref()),
        NodeEnum::BooleanTest(test) => child(test.arg.as_deref()),
        NodeEnum::SubLink(link) => child(link.testexpr.as_deref()),
        NodeEnum::BoolExpr(list) => list.args.iter().for_each(|node| child(Some(node))),
        NodeEnum::FuncCall(call) => call.args.iter().for_each(|node| child(Some(node))),
        NodeEnum::CoalesceExpr(list) => list.args.iter().for_each(|node| child(Some(node))),
        NodeEnum::List(list) => list.items.iter().for_each(|node| child(Some(node))),
        NodeEnum::AArrayExpr(list) => list.elements.iter().for_each(|node| child(Some(node))),
        NodeEnum::CaseExpr(case) => {
            child(case.arg.as_deref());
            case.args.iter().for_each(|node| child(Some(node)));
            child(case.defresult.as_deref());
        }
        NodeEnum::CaseWhen(when) => {
            child(when.expr.as_deref());
            child(when.result.as_deref());
        }
        _ => {}
    }
}

/// Only nodes that [`each`] looks into, or that have nothing below them: then what was not found is not there.
pub(super) fn is_simple(node: &tree::Node) -> bool {
    let mut simple = true;
    each(node, &mut |node| {
        simple &= matches!(
            node,
            NodeEnum::AExpr(_)
                | NodeEnum::TypeCast(_)
                | NodeEnum::NullTest(_)
                | NodeEnum::BooleanTest(_)
                | NodeEnum::BoolExpr(_)
                | NodeEnum::CoalesceExpr(_)
                | NodeEnum::List(_)
                | NodeEnum::AArrayExpr(_)
                | NodeEnum::CaseExpr(_)
                | NodeEnum::CaseWhen(_)
                | NodeEnum::ColumnRef(_)
                | NodeEnum::AConst(_)
                | NodeEnum::ParamRef(_)
                | NodeEnum::ResTarget(_)
                | NodeEnum::String(_)
                | NodeEnum::AStar(_)
        );
    });
    simple
}

/// The columns that an expression names: qualifier and name.
pub(super) fn column_names(node: &tree::Node) -> Vec<(Option<String>, String)> {
    let mut found = Vec::new();
    each(node, &mut |inner| {
        if let NodeEnum::ColumnRef(_) = inner
            && let Some(name) = column_name(&of(inner.clone()))
        {
            found.push(name);
        }
    });
    found
}

/// An operator between two sides.
pub(super) fn operator(node: &tree::Node) -> Option<(String, &tree::Node, &tree::Node)> {
    let NodeEnum::AExpr(expression) = node.node.as_ref()? else { return None };
    if expression.kind() != tree::AExprKind::AexprOp {
        return None;
    }
    let [name] = expression.name.as_slice() else { return None };
    Some((string(name)?, expression.lexpr.as_deref()?, expression.rexpr.as_deref()?))
}

/// A whole number that is written out.
pub(super) fn integer(node: &tree::Node) -> Option<i64> {
    let NodeEnum::AConst(constant) = node.node.as_ref()? else { return None };
    match constant.val.as_ref() {
        Some(tree::a_const::Val::Ival(value)) => Some(i64::from(value.ival)),
        Some(tree::a_const::Val::Fval(value)) => value.fval.parse().ok(),
        None if !constant.isnull => Some(0),
        _ => None,
    }
}

/// A text that is written out, with or without a type.
pub(super) fn literal(node: &tree::Node) -> Option<String> {
    match node.node.as_ref()? {
        NodeEnum::AConst(constant) => match constant.val.as_ref()? {
            tree::a_const::Val::Sval(value) => Some(value.sval.clone()),
            _ => None,
        },
        _ => None,
    }
}

/// The name of a type that something is cast to, without a schema; `None` with modifiers or as an array.
pub(super) fn cast(node: &tree::Node) -> Option<(&tree::Node, String)> {
    let NodeEnum::TypeCast(cast) = node.node.as_ref()? else { return None };
    let kind = cast.type_name.as_ref()?;
    if !kind.typmods.is_empty() || !kind.array_bounds.is_empty() {
        return None;
    }
    Some((cast.arg.as_deref()?, string(kind.names.last()?)?))
}

/// The last part of a function's name, and its arguments, of a plain call.
pub(super) fn call(node: &tree::Node) -> Option<(String, &tree::FuncCall)> {
    let NodeEnum::FuncCall(call) = node.node.as_ref()? else { return None };
    let plain = call.agg_order.is_empty()
        && call.agg_filter.is_none()
        && call.over.is_none()
        && !call.agg_within_group
        && !call.func_variadic;
    if !plain {
        return None;
    }
    Some((string(call.funcname.last()?)?, call))
}
