//! The walk through a statement, level by level. Not what a condition says: that is `conditions`.

use super::conditions::{column_name, compared, conditions, string};
use super::{Condition, MAX_SCOPES, Name, Order, Scope, Source, Test, put};
use crate::Table;
use crate::parse::{NodeEnum, tree};

/// Expressions and queries that may be inside each other.
const MAX_DEPTH: usize = 96;

/// The levels of a statement.
pub(super) fn scopes(node: &NodeEnum) -> Vec<Scope> {
    let mut walk = Walk::default();
    walk.statement(node, None, 0);
    walk.scopes
}

#[derive(Default)]
struct Walk {
    scopes: Vec<Scope>,
    /// Names of `WITH` queries around.
    queries: Vec<String>,
}

impl Walk {
    /// The level of a statement, if it has one of its own.
    #[allow(
        clippy::wildcard_enum_match_arm,
        reason = "other statements read nothing by conditions"
    )]
    fn statement(&mut self, node: &NodeEnum, around: Option<usize>, depth: usize) -> Option<usize> {
        if depth > MAX_DEPTH || self.scopes.len() >= MAX_SCOPES {
            return None;
        }
        let queries = self.queries.len();
        let level = match node {
            NodeEnum::SelectStmt(select) => self.select(select, around, depth),
            NodeEnum::UpdateStmt(update) => self.update(update, around, depth),
            NodeEnum::DeleteStmt(delete) => self.delete(delete, around, depth),
            NodeEnum::InsertStmt(insert) => {
                self.with(insert.with_clause.as_ref(), around, depth);
                let select = insert.select_stmt.as_ref().and_then(|it| it.node.as_ref());
                select.and_then(|select| self.statement(select, around, depth + 1))
            }
            NodeEnum::ExplainStmt(explain) => {
                let inner = explain.query.as_ref().and_then(|it| it.node.as_ref());
                inner.and_then(|inner| self.statement(inner, around, depth + 1))
            }
            NodeEnum::DeclareCursorStmt(cursor) => {
                let inner = cursor.query.as_ref().and_then(|it| it.node.as_ref());
                inner.and_then(|inner| self.statement(inner, around, depth + 1))
            }
            NodeEnum::CreateTableAsStmt(create) => {
                let inner = create.query.as_ref().and_then(|it| it.node.as_ref());
                inner.and_then(|inner| self.statement(inner, around, depth + 1))
            }
            _ => None,
        };
        self.queries.truncate(queries);
        level
    }

    fn level(&mut self, around: Option<usize>) -> usize {
        self.scopes.push(Scope { around, ..Scope::default() });
        self.scopes.len() - 1
    }

    fn with(&mut self, with: Option<&tree::WithClause>, around: Option<usize>, depth: usize) {
        for query in with.iter().flat_map(|with| &with.ctes) {
            let Some(NodeEnum::CommonTableExpr(query)) = &query.node else { continue };
            // Known before its own text when it is recursive; a table of the same name is then not met, which costs little.
            self.queries.push(query.ctename.clone());
            if let Some(inner) = query.ctequery.as_ref().and_then(|it| it.node.as_ref()) {
                self.statement(inner, around, depth + 1);
            }
        }
    }

    fn select(
        &mut self,
        select: &tree::SelectStmt,
        around: Option<usize>,
        depth: usize,
    ) -> Option<usize> {
        self.with(select.with_clause.as_ref(), around, depth);
        if select.larg.is_some() || select.rarg.is_some() {
            for side in [&select.larg, &select.rarg].into_iter().flatten() {
                if depth < MAX_DEPTH && self.scopes.len() < MAX_SCOPES {
                    self.select(side, around, depth + 1);
                }
            }
            return None;
        }
        let scope = self.level(around);
        for item in &select.from_clause {
            self.from(item, scope, depth + 1);
        }
        self.condition(select.where_clause.as_deref(), scope, depth);
        for list in [
            &select.target_list,
            &select.group_clause,
            &select.sort_clause,
            &select.distinct_clause,
            &select.window_clause,
        ] {
            for node in list {
                self.expression(node, scope, depth + 1);
            }
        }
        if let Some(having) = &select.having_clause {
            self.expression(having, scope, depth + 1);
        }
        let order = order(select);
        let group = group(select);
        if let Some(level) = self.scopes.get_mut(scope) {
            (level.order, level.group) = (order, group);
            level.limited = select.limit_count.is_some();
        }
        Some(scope)
    }

    fn update(
        &mut self,
        update: &tree::UpdateStmt,
        around: Option<usize>,
        depth: usize,
    ) -> Option<usize> {
        self.with(update.with_clause.as_ref(), around, depth);
        let scope = self.level(around);
        self.relation(update.relation.as_ref()?, scope, true);
        for item in &update.from_clause {
            self.from(item, scope, depth + 1);
        }
        for target in &update.target_list {
            if let (Some(NodeEnum::ResTarget(target)), Some(level)) =
                (&target.node, self.scopes.get_mut(scope))
            {
                put(&mut level.sets, target.name.as_str().into());
            }
            self.expression(target, scope, depth + 1);
        }
        self.condition(update.where_clause.as_deref(), scope, depth);
        Some(scope)
    }

    fn delete(
        &mut self,
        delete: &tree::DeleteStmt,
        around: Option<usize>,
        depth: usize,
    ) -> Option<usize> {
        self.with(delete.with_clause.as_ref(), around, depth);
        let scope = self.level(around);
        self.relation(delete.relation.as_ref()?, scope, true);
        for item in &delete.using_clause {
            self.from(item, scope, depth + 1);
        }
        self.condition(delete.where_clause.as_deref(), scope, depth);
        Some(scope)
    }

    fn relation(&mut self, range: &tree::RangeVar, scope: usize, changed: bool) {
        let query = range.schemaname.is_empty() && self.queries.contains(&range.relname);
        let schema = (!range.schemaname.is_empty()).then(|| range.schemaname.as_str().into());
        let table = Table { schema, name: range.relname.as_str().into() };
        let alias = range.alias.as_ref().map_or(&range.relname, |alias| &alias.aliasname);
        self.source(scope, (!query || changed).then_some(table), alias, changed);
    }

    fn source(&mut self, scope: usize, table: Option<Table>, alias: &str, changed: bool) {
        if let Some(level) = self.scopes.get_mut(scope) {
            put(&mut level.sources, Source { table, alias: alias.into(), changed });
        }
    }

    #[allow(clippy::wildcard_enum_match_arm, reason = "what else can be in a FROM has no indexes")]
    fn from(&mut self, item: &tree::Node, scope: usize, depth: usize) {
        if depth > MAX_DEPTH {
            return;
        }
        match &item.node {
            Some(NodeEnum::RangeVar(range)) => self.relation(range, scope, false),
            Some(NodeEnum::RangeSubselect(part)) => {
                let alias = part.alias.as_ref().map_or("", |alias| &alias.aliasname);
                self.source(scope, None, alias, false);
                if let Some(inner) = part.subquery.as_ref().and_then(|it| it.node.as_ref()) {
                    self.statement(inner, Some(scope), depth + 1);
                }
            }
            Some(NodeEnum::RangeFunction(part)) => {
                let alias = part.alias.as_ref().map_or("", |alias| &alias.aliasname);
                self.source(scope, None, alias, false);
                for function in &part.functions {
                    self.expression(function, scope, depth + 1);
                }
            }
            Some(NodeEnum::RangeTableSample(sample)) => {
                if let Some(inner) = &sample.relation {
                    self.from(inner, scope, depth + 1);
                }
            }
            Some(NodeEnum::JoinExpr(join)) => {
                for side in [&join.larg, &join.rarg].into_iter().flatten() {
                    self.from(side, scope, depth + 1);
                }
                self.condition(join.quals.as_deref(), scope, depth);
                for column in join.using_clause.iter().filter_map(string) {
                    let name = Name { of: None, column: column.into() };
                    self.put_condition(scope, name, Test::Joined(None));
                }
            }
            _ => {}
        }
    }

    fn put_condition(&mut self, scope: usize, column: Name, test: Test) {
        if let Some(level) = self.scopes.get_mut(scope) {
            put(&mut level.columns, column.clone());
            put(&mut level.needed, column.clone());
            put(&mut level.conditions, Condition { column, test, value: None, alternative: false });
        }
    }

    /// A condition: what it says, and what is in it.
    fn condition(&mut self, node: Option<&tree::Node>, scope: usize, depth: usize) {
        let Some(node) = node else { return };
        let mut found = Vec::new();
        conditions(node, &mut found, depth);
        if let Some(level) = self.scopes.get_mut(scope) {
            for condition in found {
                put(&mut level.conditions, condition);
            }
        }
        self.restriction(node, scope, depth + 1);
    }

    /// Columns and inner queries of a condition that must hold: what is just compared with another column is needed for nothing else.
    fn restriction(&mut self, node: &tree::Node, scope: usize, depth: usize) {
        if let Some(NodeEnum::BoolExpr(all)) = &node.node
            && all.boolop == tree::BoolExprType::AndExpr as i32
            && depth <= MAX_DEPTH
        {
            all.args.iter().for_each(|one| self.restriction(one, scope, depth + 1));
        } else if let Some([small, large]) = compared(node)
            && let Some(level) = self.scopes.get_mut(scope)
        {
            put(&mut level.columns, small);
            put(&mut level.columns, large);
        } else {
            self.expression(node, scope, depth);
        }
    }

    /// Columns and inner queries of an expression.
    #[allow(clippy::wildcard_enum_match_arm, reason = "what is not looked into costs a column")]
    fn expression(&mut self, node: &tree::Node, scope: usize, depth: usize) {
        let Some(inner) = node.node.as_ref().filter(|_| depth <= MAX_DEPTH) else { return };
        match inner {
            NodeEnum::ColumnRef(reference) => self.reference(reference, scope),
            NodeEnum::SubLink(link) => self.link(link, scope, depth),
            NodeEnum::WindowDef(window) => {
                for one in window.partition_clause.iter().chain(&window.order_clause) {
                    self.expression(one, scope, depth + 1);
                }
            }
            _ => {
                for part in parts(inner) {
                    self.expression(part, scope, depth + 1);
                }
            }
        }
    }

    fn reference(&mut self, reference: &tree::ColumnRef, scope: usize) {
        let Some(level) = self.scopes.get_mut(scope) else { return };
        if let Some(name) = column_name(reference) {
            put(&mut level.columns, name.clone());
            put(&mut level.needed, name);
            return;
        }
        // `*` and `t.*`
        let of = reference.fields.iter().rev().nth(1).and_then(string).map(Into::into);
        put(&mut level.everything, of);
    }

    fn link(&mut self, link: &tree::SubLink, scope: usize, depth: usize) {
        if let Some(test) = &link.testexpr {
            self.expression(test, scope, depth + 1);
        }
        let Some(inner) = link.subselect.as_ref().and_then(|it| it.node.as_ref()) else { return };
        let level = self.statement(inner, Some(scope), depth + 1);
        if link.sub_link_type == tree::SubLinkType::ExistsSublink as i32
            && let Some(level) = level.and_then(|at| self.scopes.get_mut(at))
        {
            // Nothing of what it selects is looked at.
            level.everything.clear();
        }
        let compares = link.sub_link_type == tree::SubLinkType::AnySublink as i32;
        if let (Some(level), true, NodeEnum::SelectStmt(select)) = (level, compares, inner) {
            let first = select.target_list.first().and_then(output);
            if let Some(column) = first {
                self.put_condition(level, column, Test::Joined(None));
            }
        }
    }
}

/// What an expression is made of.
#[allow(clippy::wildcard_enum_match_arm, reason = "what is not looked into costs a column")]
pub(super) fn parts(node: &NodeEnum) -> Vec<&tree::Node> {
    match node {
        NodeEnum::AExpr(it) => it.lexpr.iter().chain(&it.rexpr).map(AsRef::as_ref).collect(),
        NodeEnum::BoolExpr(it) => it.args.iter().collect(),
        NodeEnum::FuncCall(it) => {
            let window =
                it.over.iter().flat_map(|w| w.partition_clause.iter().chain(&w.order_clause));
            let filter = it.agg_filter.iter().map(AsRef::as_ref);
            it.args.iter().chain(&it.agg_order).chain(filter).chain(window).collect()
        }
        NodeEnum::TypeCast(it) => it.arg.iter().map(AsRef::as_ref).collect(),
        NodeEnum::CaseExpr(it) => it
            .arg
            .iter()
            .map(AsRef::as_ref)
            .chain(&it.args)
            .chain(it.defresult.as_deref())
            .collect(),
        NodeEnum::CaseWhen(it) => it.expr.iter().chain(&it.result).map(AsRef::as_ref).collect(),
        NodeEnum::CoalesceExpr(it) => it.args.iter().collect(),
        NodeEnum::MinMaxExpr(it) => it.args.iter().collect(),
        NodeEnum::AArrayExpr(it) => it.elements.iter().collect(),
        NodeEnum::RowExpr(it) => it.args.iter().collect(),
        NodeEnum::List(it) => it.items.iter().collect(),
        NodeEnum::NullTest(it) => it.arg.iter().map(AsRef::as_ref).collect(),
        NodeEnum::BooleanTest(it) => it.arg.iter().map(AsRef::as_ref).collect(),
        NodeEnum::CollateClause(it) => it.arg.iter().map(AsRef::as_ref).collect(),
        NodeEnum::AIndirection(it) => it.arg.iter().map(AsRef::as_ref).collect(),
        NodeEnum::GroupingSet(it) => it.content.iter().collect(),
        NodeEnum::NamedArgExpr(it) => it.arg.iter().map(AsRef::as_ref).collect(),
        NodeEnum::ResTarget(it) => it.val.iter().map(AsRef::as_ref).collect(),
        NodeEnum::SortBy(it) => it.node.iter().map(AsRef::as_ref).collect(),
        _ => Vec::new(),
    }
}

/// The column that an item of a `SELECT` list is.
fn output(target: &tree::Node) -> Option<Name> {
    let Some(NodeEnum::ResTarget(target)) = &target.node else { return None };
    let Some(NodeEnum::ColumnRef(column)) = &target.val.as_ref()?.node else { return None };
    column_name(column)
}

/// The column that an item of `ORDER BY` or `GROUP BY` means: one of a `FROM`, or of the output by its name or number.
fn meant(select: &tree::SelectStmt, node: &tree::Node) -> Option<Name> {
    use tree::a_const::Val;
    if let Some(NodeEnum::AConst(constant)) = &node.node {
        let Some(Val::Ival(number)) = &constant.val else { return None };
        let at = usize::try_from(number.ival).ok()?.checked_sub(1)?;
        return output(select.target_list.get(at)?);
    }
    let Some(NodeEnum::ColumnRef(column)) = &node.node else { return None };
    let name = column_name(column)?;
    let renamed = select.target_list.iter().find(|target| {
        matches!(&target.node, Some(NodeEnum::ResTarget(it)) if name.of.is_none() && *it.name == *name.column)
    });
    match renamed {
        Some(target) => output(target),
        None => Some(name),
    }
}

/// `ORDER BY` up to the first thing that is no column.
fn order(select: &tree::SelectStmt) -> Vec<Order> {
    let one = |node: &tree::Node| {
        let Some(NodeEnum::SortBy(sort)) = &node.node else { return None };
        let descending = sort.sortby_dir == tree::SortByDir::SortbyDesc as i32;
        let nulls_first = match tree::SortByNulls::try_from(sort.sortby_nulls) {
            Ok(tree::SortByNulls::SortbyNullsFirst) => true,
            Ok(tree::SortByNulls::SortbyNullsLast) => false,
            _ => descending,
        };
        Some(Order { column: meant(select, sort.node.as_ref()?)?, descending, nulls_first })
    };
    select.sort_clause.iter().map_while(one).collect()
}

/// `GROUP BY`, or what `DISTINCT` tells apart; empty unless all of it are columns.
fn group(select: &tree::SelectStmt) -> Vec<Name> {
    if !select.group_clause.is_empty() {
        let all = select.group_clause.iter().map(|node| meant(select, node));
        return all.collect::<Option<_>>().unwrap_or_default();
    }
    if select.distinct_clause.is_empty() {
        return Vec::new();
    }
    // A plain DISTINCT is a list with one empty node.
    let on: Vec<_> = select.distinct_clause.iter().filter(|node| node.node.is_some()).collect();
    let all: Option<Vec<_>> = if on.is_empty() {
        select.target_list.iter().map(output).collect()
    } else {
        on.into_iter().map(|node| meant(select, node)).collect()
    };
    all.unwrap_or_default()
}
