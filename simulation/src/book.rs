//! What the model servers really did, by token: whether a statement was executed, and whether its transaction was committed. The
//! truth that clients compare their belief with.
//!
//! Invariant: a token is executed once at most, but for a read that may be sent again.

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::fmt;
use std::rc::Rc;
use std::time::Duration;

use crate::log::{Log, Who};

/// Names one statement of one session, and says what it returns and how long it runs. It stands in the statement's text or among
/// its parameters, as `c<client>.<session>.<serial>` with `/r<rows>`, `/s<bytes per row>` and `/t<milliseconds>` behind it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Token {
    /// Number of the client.
    pub client: u32,
    /// Number of its connection.
    pub session: u32,
    /// Number of the statement in that.
    pub serial: u32,
    /// Rows that it returns.
    pub rows: u32,
    /// Bytes of filling in each row.
    pub size: u32,
    /// Milliseconds that it runs.
    pub run: u32,
}

impl Token {
    /// Whose it is.
    #[must_use]
    pub const fn owner(&self) -> (u32, u32) {
        (self.client, self.session)
    }

    /// How long it runs.
    #[must_use]
    pub fn run_time(&self) -> Duration {
        Duration::from_millis(self.run.into())
    }

    /// From its text.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        let mut parts = text.strip_prefix('c')?.split('/');
        let mut name = parts.next()?.split('.').map(str::parse);
        let mut number = || name.next()?.ok();
        let (client, session, serial) = (number()?, number()?, number()?);
        let mut token = Self { client, session, serial, rows: 1, size: 0, run: 0 };
        for part in parts {
            let (what, value) = part.split_at_checked(1)?;
            let value = value.parse().ok()?;
            match what {
                "r" => token.rows = value,
                "s" => token.size = value,
                "t" => token.run = value,
                _ => return None,
            }
        }
        Some(token)
    }
}

impl fmt::Display for Token {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "c{}.{}.{}", self.client, self.session, self.serial)?;
        for (what, value, usual) in [('r', self.rows, 1), ('s', self.size, 0), ('t', self.run, 0)] {
            if value != usual {
                write!(f, "/{what}{value}")?;
            }
        }
        Ok(())
    }
}

/// What became of a statement.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fate {
    /// It was executed; its transaction is open, or was rolled back.
    Executed,
    /// Its transaction was committed.
    Committed,
}

/// By client, session and serial.
type Fates = BTreeMap<(u32, u32, u32), Fate>;

/// The book of all servers of a run; clones are the same book.
#[derive(Debug, Clone)]
pub struct Book {
    fates: Rc<RefCell<Fates>>,
    log: Log,
}

impl Book {
    /// An empty one.
    #[must_use]
    pub fn new(log: Log) -> Self {
        Self { fates: Rc::default(), log }
    }

    /// A server has executed a statement.
    pub fn on_executed(&self, server: u32, token: Token) {
        let key = (token.client, token.session, token.serial);
        if self.fates.borrow_mut().insert(key, Fate::Executed).is_some() {
            self.log
                .violation(Who::Server(server), format_args!("{token} is executed a second time"));
        }
    }

    /// A server has executed a read: that may happen again, when it was lost with a server or left one that was stuck.
    pub fn on_read(&self, token: Token) {
        let key = (token.client, token.session, token.serial);
        self.fates.borrow_mut().entry(key).or_insert(Fate::Executed);
    }

    /// A server has committed a statement's transaction.
    pub fn on_committed(&self, token: Token) {
        let key = (token.client, token.session, token.serial);
        self.fates.borrow_mut().insert(key, Fate::Committed);
    }

    /// What became of a statement; `None`: no server has seen it.
    #[must_use]
    pub fn fate(&self, token: Token) -> Option<Fate> {
        self.fates.borrow().get(&(token.client, token.session, token.serial)).copied()
    }

    /// A session is over and its statements with it.
    pub fn forget(&self, (client, session): (u32, u32)) {
        let mut fates = self.fates.borrow_mut();
        let of_session = (client, session, 0)..(client, session + 1, 0);
        let keys: Vec<_> = fates.range(of_session).map(|(key, _)| *key).collect();
        for key in keys {
            fates.remove(&key);
        }
    }

    /// Statements in it.
    #[must_use]
    pub fn len(&self) -> usize {
        self.fates.borrow().len()
    }

    /// Whether there are none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.fates.borrow().is_empty()
    }
}
