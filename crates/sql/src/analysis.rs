//! The static facts about a text of one or more statements. Not how they are found: that is `classify` and `normal`.
//!
//! Invariant: [`Analysis::unknown`] is the most careful analysis there is; whoever treats it right treats every text safely.

use std::fmt;

use crate::functions::built_in;
use crate::{Act, MAX_TABLES, Uses};

/// 64-bit identity of a statement form, for statistics and for people: `pg_query`'s fingerprint over the parse tree
/// (relations by their full names with schema, aliases of relations ignored), or a hash of the normal form when the text
/// does not parse. Coarser than the normal form; caches are keyed by the normal form, never by this.
#[derive(Copy, Clone, Eq, PartialEq, Ord, PartialOrd, Hash, Debug)]
pub struct Fingerprint(pub u64);

impl Fingerprint {
    /// A stable hash (FNV-1a) for texts without a parse tree.
    pub(crate) fn of_bytes(text: &[u8]) -> Self {
        let step = |hash: u64, byte: &u8| (hash ^ u64::from(*byte)).wrapping_mul(0x0100_0000_01b3);
        Self(text.iter().fold(0xcbf2_9ce4_8422_2325, step))
    }
}

/// What kind of statement it is, for routing and statistics. Ordered: the class of a text is the greatest of its statements'.
#[derive(Copy, Clone, Eq, PartialEq, Ord, PartialOrd, Hash, Debug)]
pub enum Class {
    /// No effect but its result: only built-in functions without side effects, no row locks. May still be volatile.
    Read,
    /// `BEGIN`, `COMMIT`, `SAVEPOINT`, …
    TransactionControl,
    /// `SET`, `PREPARE`, `LISTEN`, `DISCARD`, …: changes the session, not the data.
    SessionState,
    /// Changes data, takes locks, or calls a built-in function that does.
    Write,
    /// `COPY` in any direction.
    Copy,
    /// Changes definitions, or maintains (`VACUUM`, `ANALYZE`, `REINDEX`).
    Ddl,
    /// Anything else, and everything in doubt: cursors, `DO`, `CALL`, `EXECUTE`, functions that are not built in.
    Other,
}

/// What a statement does to its session beyond its result.
#[derive(Copy, Clone, Eq, PartialEq, Hash, Debug)]
pub enum Effect {
    /// Nothing that outlives the transaction, as far as the text can tell.
    None,
    /// `BEGIN`, `START TRANSACTION`.
    Begin,
    /// `COMMIT`, `END`; whether `AND CHAIN` is told by [`crate::transaction_changes`].
    Commit,
    /// `ROLLBACK`, `ABORT`; whether `AND CHAIN` is told by [`crate::transaction_changes`].
    Rollback,
    /// `SAVEPOINT`.
    Savepoint,
    /// `RELEASE SAVEPOINT`.
    Release,
    /// `ROLLBACK TO SAVEPOINT`.
    RollbackTo,
    /// `PREPARE TRANSACTION`.
    PrepareTransaction,
    /// `SET`, `RESET`, `set_config()`: [`crate::setting_changes`] has the details.
    Settings,
    /// SQL `PREPARE`, whatever it prepares: [`crate::prepared_names`].
    Prepare,
    /// SQL `EXECUTE`, whatever it runs: [`crate::prepared_names`].
    Execute,
    /// SQL `DEALLOCATE`: [`crate::prepared_names`].
    Deallocate,
    /// `DISCARD ALL`.
    DiscardAll,
    /// `DISCARD PLANS`, `SEQUENCES` or `TEMP`.
    Discard,
    /// `LISTEN`: [`crate::channel_changes`].
    Listen,
    /// `UNLISTEN`: [`crate::channel_changes`].
    Unlisten,
    /// Something temporary was created: table, view, sequence, or any object in `pg_temp`.
    TemporaryTable,
    /// A session-level advisory lock was asked for.
    AdvisoryLock,
    /// Session-level advisory locks were given back: one, or all.
    AdvisoryUnlock,
    /// `DECLARE … WITH HOLD`.
    HoldCursor,
    /// `LOAD`.
    Load,
    /// Cannot be told: the text does not parse, `DO`, `CALL`, several different effects in one statement, functions
    /// that are known to keep something in the session.
    Unknown,
}

/// One statement of a text.
#[derive(Copy, Clone, Eq, PartialEq, Hash, Debug)]
pub struct Statement {
    /// What kind it is.
    pub class: Class,
    /// What it does to its session.
    pub effect: Effect,
}

/// A table, view or other relation as a statement names it, letter case folded as PostgreSQL does.
#[derive(Clone, Eq, PartialEq, Hash, Debug)]
pub struct Table {
    /// The schema, if it is written.
    pub schema: Option<Box<str>>,
    /// The name.
    pub name: Box<str>,
}

/// A function as a statement names it, letter case folded as PostgreSQL does.
#[derive(Clone, Eq, PartialEq, Hash, Debug)]
pub struct Function {
    /// The schema, if it is written.
    pub schema: Option<Box<str>>,
    /// The name.
    pub name: Box<str>,
}

impl Function {
    /// Whether it is taken for one of PostgreSQL's own.
    fn is_built_in(&self) -> bool {
        self.schema.as_deref().is_none_or(|schema| schema == "pg_catalog")
            && built_in(&self.name).is_some()
    }
}

/// What can be told of a text whose parse tree was seen, for rules about statements and for routes.
#[derive(Clone, Default, Eq, PartialEq, Debug)]
pub struct Details {
    /// The classes of its statements, without repetition, and of what they hold: the statement that a `PREPARE` prepares, the
    /// query of a cursor or of a `COPY`, and a write for a `COPY … FROM`.
    pub classes: Box<[Class]>,
    /// Tables that it names, wherever, without repetition; names of `WITH` queries among them. [`MAX_TABLES`](crate::MAX_TABLES)
    /// at most.
    pub tables: Box<[Table]>,
    /// There are more tables.
    pub more_tables: bool,
    /// It runs (or prepares) an `UPDATE` or `DELETE` whose `WHERE` is missing or can be true without a look at any column:
    /// `WHERE true`, `WHERE id = 1 OR 1 = 1`.
    pub unbounded: bool,
    /// What its statements do beside calling functions, without repetition; an `EXPLAIN` does what its statement does.
    pub acts: Box<[Act]>,
    /// The other names in it.
    pub uses: Uses,
}

impl Details {
    /// The details of a text with one more statement.
    pub(crate) fn with(self, more: &Self) -> Self {
        let mut classes = self.classes.into_vec();
        classes.extend(&more.classes);
        classes.sort();
        classes.dedup();
        let mut tables = self.tables.into_vec();
        let new = more.tables.iter().filter(|table| !tables.contains(table));
        tables.extend(new.cloned().collect::<Vec<_>>());
        let more_tables = self.more_tables || more.more_tables || tables.len() > MAX_TABLES;
        tables.truncate(MAX_TABLES);
        let mut acts = self.acts.into_vec();
        acts.extend(&more.acts);
        acts.sort();
        acts.dedup();
        Self {
            classes: classes.into(),
            tables: tables.into(),
            more_tables,
            unbounded: self.unbounded || more.unbounded,
            acts: acts.into(),
            uses: self.uses.with(&more.uses),
        }
    }
}

/// All static facts about a text. The same for every text of one normal form, but for the example.
#[derive(Clone, Eq, PartialEq, Debug)]
pub struct Analysis {
    /// Identity of the form.
    pub fingerprint: Fingerprint,
    /// The greatest class of the statements; [`Class::Read`] for an empty text.
    pub class: Class,
    /// In the order of the text, empty ones left out; as [`crate::split`] counts them when `parsed`.
    pub statements: Box<[Statement]>,
    /// Whether the text follows PostgreSQL's grammar. If not there is one statement that stands for all.
    pub parsed: bool,
    /// Whether any effect is other than [`Effect::None`].
    pub has_effects: bool,
    /// Whether functions are called that are neither built in nor otherwise known (or that use sequences, of which a
    /// session remembers the last values): they may do to the session, unseen, what the same text could do openly.
    pub calls_unknown_functions: bool,
    /// Whether it is one query that would be a read, if those of the functions that it names which are not built in had no effect.
    pub reads_through_functions: bool,
    /// The normal form for people, literals as `$1`, `$2`, …; at most [`Analysis::MAX_TEXT`] bytes. Passwords in
    /// statements other than queries are not removed.
    pub text: Box<str>,
    /// What it names, and how it writes; `None`: cannot be told.
    pub details: Option<Details>,
    /// The first text of the form that was seen, where it has literals.
    pub example: Example,
}

/// A text with its literals, as somebody wrote it, to be planned with. It may hold what nobody else should see: it is neither written down nor
/// shown, not even for debugging. All are equal: which text of a form came first makes no difference.
#[derive(Clone, Default)]
pub struct Example(Option<Box<str>>);

impl Example {
    /// Of a query that is not too long to be kept.
    pub(crate) fn of(sql: &str, analysis: &Analysis) -> Self {
        let query = matches!(analysis.class, Class::Read | Class::Write);
        let kept = query && analysis.statements.len() == 1 && sql.len() <= Analysis::MAX_TEXT;
        Self((kept && *sql != *analysis.text).then(|| sql.into()))
    }

    /// The text; `None`: there are no literals in it, it is no query, or it is too long.
    #[must_use]
    pub fn text(&self) -> Option<&str> {
        self.0.as_deref()
    }
}

impl PartialEq for Example {
    fn eq(&self, _: &Self) -> bool {
        true
    }
}

impl Eq for Example {}

impl fmt::Debug for Example {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(if self.0.is_some() { "Example(…)" } else { "Example(none)" })
    }
}

impl Analysis {
    /// Bound of [`Analysis::text`] in bytes.
    pub const MAX_TEXT: usize = 4096;

    /// The analysis of a text that is not looked at: one statement of [`Class::Other`] and [`Effect::Unknown`].
    #[must_use]
    pub fn unknown() -> Self {
        Self::new(Fingerprint(0), vec![Statement { class: Class::Other, effect: Effect::Unknown }])
    }

    /// The analysis of a function call of the protocol, which has no text.
    #[must_use]
    pub fn function_call() -> Self {
        let details = Details {
            classes: [Class::Other].into(),
            acts: [Act::Procedure].into(),
            ..Details::default()
        };
        Self { details: Some(details), ..Self::unknown() }
    }

    /// The functions that are not built in, and stand between the text and a read; `None`: that is not all that does.
    pub fn read_through(&self) -> Option<impl Iterator<Item = &Function>> {
        let uses = self.details.as_ref().map(|details| &details.uses);
        let uses = uses.filter(|uses| self.reads_through_functions && !uses.more)?;
        Some(uses.functions.iter().filter(|function| !function.is_built_in()))
    }

    pub(crate) fn new(fingerprint: Fingerprint, statements: Vec<Statement>) -> Self {
        Self {
            fingerprint,
            class: statements.iter().map(|statement| statement.class).max().unwrap_or(Class::Read),
            has_effects: statements.iter().any(|statement| statement.effect != Effect::None),
            statements: statements.into_boxed_slice(),
            parsed: false,
            calls_unknown_functions: false,
            reads_through_functions: false,
            text: Box::default(),
            details: None,
            example: Example::default(),
        }
    }
}
