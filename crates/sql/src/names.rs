//! The names that transaction control, channels and SQL-level prepared statements carry. Not whether they exist: the session knows.
//!
//! Invariant: indices count the statements of a text as [`crate::Analysis::statements`] does.

use crate::parse::{NodeEnum, parse, tree};

/// What a transaction-control statement does, with its name.
#[derive(Clone, Eq, PartialEq, Debug)]
pub enum TransactionChange {
    /// `BEGIN`, `START TRANSACTION`.
    Begin,
    /// `COMMIT`, `END`.
    Commit {
        /// `AND CHAIN`: a new transaction has begun at once.
        chain: bool,
    },
    /// `ROLLBACK`, `ABORT`.
    Rollback {
        /// `AND CHAIN`: a new transaction has begun at once.
        chain: bool,
    },
    /// `SAVEPOINT name`; the name as PostgreSQL compares it (folded unless quoted).
    Savepoint(String),
    /// `RELEASE SAVEPOINT name`.
    Release(String),
    /// `ROLLBACK TO SAVEPOINT name`.
    RollbackTo(String),
    /// `PREPARE TRANSACTION`: the session is out of the transaction.
    PrepareTransaction,
}

/// What a statement does to the SQL-level prepared statements of its session.
#[derive(Clone, Eq, PartialEq, Debug)]
pub enum PreparedChange {
    /// `PREPARE name`.
    Prepare(String),
    /// `EXECUTE name`, also inside `EXPLAIN` and `CREATE TABLE … AS`.
    Execute(String),
    /// `DEALLOCATE name`, or `DEALLOCATE ALL` without a name.
    Deallocate(Option<String>),
}

/// What a statement does to the channels that its session listens to. Names as PostgreSQL compares them.
#[derive(Clone, Eq, PartialEq, Debug)]
pub enum ChannelChange {
    /// `LISTEN name`.
    Listen(String),
    /// `UNLISTEN name`, or `UNLISTEN *` without a name.
    Unlisten(Option<String>),
}

/// The `LISTEN` and `UNLISTEN` statements of a text by statement index. Empty when the text does not parse.
#[must_use]
pub fn channel_changes(sql: &[u8]) -> Vec<(usize, ChannelChange)> {
    select(sql, channel_change)
}

#[allow(clippy::wildcard_enum_match_arm, reason = "all other statements")]
fn channel_change(node: NodeEnum) -> Option<ChannelChange> {
    match node {
        NodeEnum::ListenStmt(statement) => Some(ChannelChange::Listen(statement.conditionname)),
        NodeEnum::UnlistenStmt(statement) => {
            let name = (!statement.conditionname.is_empty()).then_some(statement.conditionname);
            Some(ChannelChange::Unlisten(name))
        }
        _ => None,
    }
}

/// The transaction-control statements of a text by statement index. Empty when the text does not parse.
#[must_use]
pub fn transaction_changes(sql: &[u8]) -> Vec<(usize, TransactionChange)> {
    select(sql, |node| {
        let NodeEnum::TransactionStmt(statement) = node else { return None };
        transaction_change(statement)
    })
}

/// The SQL-level prepared statements that a text makes, runs or forgets, by statement index. Empty when the text does not
/// parse.
#[must_use]
pub fn prepared_names(sql: &[u8]) -> Vec<(usize, PreparedChange)> {
    select(sql, prepared_change)
}

/// What `pick` finds in the statements of a text, by statement index.
fn select<T>(sql: &[u8], pick: impl Fn(NodeEnum) -> Option<T>) -> Vec<(usize, T)> {
    let statements = std::str::from_utf8(sql).ok().and_then(parse).unwrap_or_default();
    let numbered = statements.into_iter().enumerate();
    numbered.filter_map(|(index, node)| Some((index, pick(node)?))).collect()
}

fn transaction_change(statement: tree::TransactionStmt) -> Option<TransactionChange> {
    use tree::TransactionStmtKind as Kind;
    let (name, chain) = (statement.savepoint_name, statement.chain);
    match Kind::try_from(statement.kind).ok()? {
        Kind::TransStmtBegin | Kind::TransStmtStart => Some(TransactionChange::Begin),
        Kind::TransStmtCommit => Some(TransactionChange::Commit { chain }),
        Kind::TransStmtRollback => Some(TransactionChange::Rollback { chain }),
        Kind::TransStmtSavepoint => Some(TransactionChange::Savepoint(name)),
        Kind::TransStmtRelease => Some(TransactionChange::Release(name)),
        Kind::TransStmtRollbackTo => Some(TransactionChange::RollbackTo(name)),
        Kind::TransStmtPrepare => Some(TransactionChange::PrepareTransaction),
        Kind::TransStmtCommitPrepared | Kind::TransStmtRollbackPrepared | Kind::Undefined => None,
    }
}

#[allow(clippy::wildcard_enum_match_arm, reason = "all other statements")]
fn prepared_change(node: NodeEnum) -> Option<PreparedChange> {
    match node {
        NodeEnum::PrepareStmt(statement) => Some(PreparedChange::Prepare(statement.name)),
        NodeEnum::ExecuteStmt(statement) => Some(PreparedChange::Execute(statement.name)),
        NodeEnum::DeallocateStmt(statement) => {
            let name = (!statement.isall).then_some(statement.name);
            Some(PreparedChange::Deallocate(name))
        }
        NodeEnum::ExplainStmt(statement) => prepared_change(statement.query?.node?),
        NodeEnum::CreateTableAsStmt(statement) => prepared_change(statement.query?.node?),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn transaction_control_is_told_with_names_and_positions() {
        use TransactionChange as T;
        let name = |name: &str| name.to_owned();
        let cases = [
            ("BEGIN", vec![(0, T::Begin)]),
            ("start transaction isolation level serializable", vec![(0, T::Begin)]),
            ("commit and chain", vec![(0, T::Commit { chain: true })]),
            ("END", vec![(0, T::Commit { chain: false })]),
            ("commit and no chain", vec![(0, T::Commit { chain: false })]),
            ("abort", vec![(0, T::Rollback { chain: false })]),
            ("rollback and chain", vec![(0, T::Rollback { chain: true })]),
            ("SAVEPOINT Foo", vec![(0, T::Savepoint(name("foo")))]),
            ("SAVEPOINT \"Foo; bar\"", vec![(0, T::Savepoint(name("Foo; bar")))]),
            ("rollback to a", vec![(0, T::RollbackTo(name("a")))]),
            ("rollback transaction to savepoint \"A\"", vec![(0, T::RollbackTo(name("A")))]),
            ("release a", vec![(0, T::Release(name("a")))]),
            ("prepare transaction 'x'", vec![(0, T::PrepareTransaction)]),
            ("commit prepared 'x'", vec![]),
            (
                ";select 1;; savepoint a; select ';rollback'; release a -- ; commit",
                vec![(1, T::Savepoint(name("a"))), (3, T::Release(name("a")))],
            ),
            ("commit; this is not sql", vec![]),
        ];
        for (sql, expected) in cases {
            assert_eq!(transaction_changes(sql.as_bytes()), expected, "{sql}");
        }
    }

    #[test]
    fn channels_are_told_with_names_and_positions() {
        use ChannelChange as C;
        let cases = [
            ("listen News", vec![(0, C::Listen("news".into()))]),
            ("select 1; LISTEN \"A b\"", vec![(1, C::Listen("A b".into()))]),
            (
                "unlisten a; unlisten *",
                vec![(0, C::Unlisten(Some("a".into()))), (1, C::Unlisten(None))],
            ),
            ("notify a", vec![]),
        ];
        for (sql, expected) in cases {
            assert_eq!(channel_changes(sql.as_bytes()), expected, "{sql}");
        }
    }

    #[test]
    fn prepared_statements_are_told_with_names_and_positions() {
        use PreparedChange as P;
        let name = |name: &str| name.to_owned();
        let cases = [
            ("prepare P as select 1", vec![(0, P::Prepare(name("p")))]),
            ("prepare \"P\"(int, text) as select $1, $2", vec![(0, P::Prepare(name("P")))]),
            ("select 1; execute p(1, 'x')", vec![(1, P::Execute(name("p")))]),
            ("explain (analyze) execute p", vec![(0, P::Execute(name("p")))]),
            ("create table t as execute p", vec![(0, P::Execute(name("p")))]),
            ("explain analyze create table t as execute p", vec![(0, P::Execute(name("p")))]),
            ("deallocate p", vec![(0, P::Deallocate(Some(name("p"))))]),
            ("deallocate prepare \"all\"", vec![(0, P::Deallocate(Some(name("all"))))]),
            ("deallocate all", vec![(0, P::Deallocate(None))]),
            ("discard all", vec![]),
            ("nonsense", vec![]),
        ];
        for (sql, expected) in cases {
            assert_eq!(prepared_names(sql.as_bytes()), expected, "{sql}");
        }
        assert!(prepared_names(b"deallocate \"\xff\"").is_empty());
    }
}
