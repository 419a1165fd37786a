//! What administrators hold back: paused and disabled databases. Pure; who obeys is the pool and the login.
//!
//! Invariant: resuming everything leaves nothing paused.

use std::collections::BTreeSet;

/// Which databases a command is for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Scope {
    /// All of them.
    All,
    /// The one clients call so.
    Database(String),
}

impl Scope {
    /// Whether a database is meant.
    pub(crate) fn includes(&self, database: &str) -> bool {
        match self {
            Self::All => true,
            Self::Database(name) => name == database,
        }
    }
}

/// Why nothing can be resumed.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum NotPaused {
    /// Nothing is.
    #[error("pooler is not paused/suspended")]
    Nothing,
    /// This database is not.
    #[error("database {0} is not paused")]
    Database(String),
    /// Everything is: one database alone cannot go on.
    #[error("database {0} is paused with all others")]
    Everything(String),
}

/// What is held back.
#[derive(Debug, Clone, Default)]
pub(crate) struct Holds {
    everything: bool,
    paused: BTreeSet<String>,
    disabled: BTreeSet<String>,
}

impl Holds {
    /// Everything is paused, not just one database or another.
    pub(crate) const fn is_all_paused(&self) -> bool {
        self.everything
    }

    pub(crate) fn is_paused(&self, database: &str) -> bool {
        self.everything || self.paused.contains(database)
    }

    /// Whether new clients are refused.
    pub(crate) fn is_disabled(&self, database: &str) -> bool {
        self.disabled.contains(database)
    }

    /// Nothing is paused or disabled.
    pub(crate) fn is_empty(&self) -> bool {
        !self.everything && self.paused.is_empty() && self.disabled.is_empty()
    }

    pub(crate) fn pause(&mut self, scope: &Scope) {
        match scope {
            Scope::All => self.everything = true,
            Scope::Database(name) => drop(self.paused.insert(name.clone())),
        }
    }

    pub(crate) fn resume(&mut self, scope: &Scope) -> Result<(), NotPaused> {
        match scope {
            Scope::All if !self.everything && self.paused.is_empty() => Err(NotPaused::Nothing),
            Scope::All => {
                self.everything = false;
                self.paused.clear();
                Ok(())
            }
            Scope::Database(name) if self.everything => Err(NotPaused::Everything(name.clone())),
            Scope::Database(name) if self.paused.remove(name) => Ok(()),
            Scope::Database(name) => Err(NotPaused::Database(name.clone())),
        }
    }

    pub(crate) fn set_disabled(&mut self, database: &str, disabled: bool) {
        if disabled {
            self.disabled.insert(database.to_owned());
        } else {
            self.disabled.remove(database);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn one() -> Scope {
        Scope::Database("one".to_owned())
    }

    #[test]
    fn one_database_is_paused_without_the_others() {
        let mut holds = Holds::default();
        holds.pause(&one());
        assert!(holds.is_paused("one") && !holds.is_paused("two") && !holds.is_all_paused());
        assert_eq!(holds.resume(&one()), Ok(()));
        assert!(!holds.is_paused("one"));
        assert_eq!(holds.resume(&one()), Err(NotPaused::Database("one".to_owned())));
    }

    #[test]
    fn resuming_everything_resumes_each() {
        let mut holds = Holds::default();
        holds.pause(&one());
        holds.pause(&Scope::All);
        assert!(holds.is_paused("two"));
        assert_eq!(holds.resume(&one()), Err(NotPaused::Everything("one".to_owned())));
        assert_eq!(holds.resume(&Scope::All), Ok(()));
        assert!(!holds.is_paused("one") && !holds.is_paused("two"));
        assert_eq!(holds.resume(&Scope::All), Err(NotPaused::Nothing));
    }
}
