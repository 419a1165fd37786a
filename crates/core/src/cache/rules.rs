//! What the configuration says of the cache about single tables and forms of statements: `[[cache.rule]]`. Not what it says about whole
//! databases: that is [`Wish`].
//!
//! Invariant: where several rules select a statement, what each of them forbids is forbidden.

use std::fmt;
use std::hash::BuildHasher;
use std::sync::Arc;
use std::time::Duration;

use foldhash::quality::FixedState;
use howdah_sql::Fingerprint;

use super::asked::Tags;
use super::declared::Declared;
use super::tag::Oid;
use super::wish::{Level, Mode, Wish};
use crate::route::class::Name;
use crate::rules::TableName;

/// What a rule is about.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Subject {
    /// Statements that read one of these, by themselves or through a view.
    Tables(Vec<TableName>),
    /// Statements of one of these forms.
    Fingerprints(Vec<Fingerprint>),
}

/// One rule.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Rule {
    /// Its name, unique.
    pub name: String,
    /// Which statements it selects.
    pub subject: Subject,
    /// Instead of the mode of the database.
    pub mode: Option<Mode>,
    /// Instead of the level of the database.
    pub level: Option<Level>,
    /// Instead of the bound of the database.
    pub max_staleness: Option<Duration>,
    /// For how long an answer counts at most; also where nobody tells of changes.
    pub ttl: Option<Duration>,
    /// Names by which answers can be forgotten together.
    pub tags: Vec<String>,
}

/// All of them.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Rules {
    rules: Vec<Rule>,
    functions: Vec<Declared>,
    number: u64,
}

/// What the rules say that select one statement.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Chosen {
    /// Their names.
    pub names: Box<[Box<str>]>,
    /// The least that one of them allows.
    pub mode: Option<Mode>,
    /// The most that one of them asks for.
    pub level: Option<Level>,
    /// The smallest bound.
    pub max_staleness: Option<Duration>,
    /// The shortest time.
    pub ttl: Option<Duration>,
    /// All tags, also those of sessions.
    pub tags: Box<[Box<str>]>,
}

/// What is known of the statement of an answer, beside what the answer depends on.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct About {
    /// Its form.
    pub fingerprint: Fingerprint,
    /// What it reads: tables and views.
    pub relations: Box<[(Oid, Name)]>,
    /// By which rules it was judged: [`Rules::number`].
    pub rules: u64,
    /// What they say.
    pub chosen: Option<Chosen>,
}

/// A part of all answers, to be forgotten.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Part {
    /// Of statements that read a table or view of this name.
    Table(TableName),
    /// Of statements that a rule with this tag selects.
    Tag(String),
    /// Of statements of this form.
    Form(Fingerprint),
}

impl fmt::Display for Subject {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (word, items): (_, Vec<String>) = match self {
            Self::Tables(names) => ("table", names.iter().map(ToString::to_string).collect()),
            Self::Fingerprints(forms) => {
                ("fingerprint", forms.iter().map(|form| format!("{:016x}", form.0)).collect())
            }
        };
        write!(f, "{word}={}", items.join(","))
    }
}

impl Rule {
    fn selects(&self, about: &About) -> bool {
        match &self.subject {
            Subject::Tables(names) => {
                let is_read = |table: &TableName| about.reads(table);
                names.iter().any(is_read)
            }
            Subject::Fingerprints(forms) => forms.contains(&about.fingerprint),
        }
    }
}

impl Rules {
    /// These rules, with nothing about functions.
    #[must_use]
    pub fn new(rules: Vec<Rule>) -> Self {
        Self { rules, ..Self::default() }.numbered()
    }

    /// With what is said of functions.
    #[must_use]
    pub fn with_functions(self, functions: Vec<Declared>) -> Self {
        Self { functions, ..self }.numbered()
    }

    fn numbered(self) -> Self {
        let Self { rules, functions, .. } = self;
        let number = match (rules.as_slice(), functions.as_slice()) {
            ([], []) => 0,
            all => FixedState::default().hash_one(format!("{all:?}")).max(1),
        };
        Self { rules, functions, number }
    }

    /// A number that other rules do not have; 0: there are none.
    #[must_use]
    pub const fn number(&self) -> u64 {
        self.number
    }

    /// In the order of the configuration.
    pub fn iter(&self) -> impl Iterator<Item = &Rule> {
        self.rules.iter()
    }

    /// What is said of functions, in the order of the configuration.
    pub fn functions(&self) -> impl Iterator<Item = &Declared> {
        self.functions.iter()
    }

    /// What is said of this one.
    pub(super) fn function(&self, name: &Name) -> Option<&Declared> {
        self.functions().find(|declared| declared.name == *name)
    }

    /// Whether anything is said of a function that may be called so.
    pub(super) fn may_declare(&self, schema: Option<&str>, name: &str) -> bool {
        let is_meant = |known: &Name| {
            *known.name == *name && schema.is_none_or(|schema| schema == &*known.schema)
        };
        self.functions().any(|declared| is_meant(&declared.name))
    }

    /// Whether a statement may be kept in a database where nothing is.
    #[must_use]
    pub fn turn_on(&self) -> bool {
        self.rules.iter().any(|rule| rule.mode.is_some_and(|mode| mode != Mode::Off))
    }

    /// Whether an answer may rest on its age alone.
    #[must_use]
    pub fn keep_by_time(&self) -> bool {
        self.rules.iter().any(|rule| rule.ttl.is_some())
    }

    /// Whether answers of statements of this form may rest on their age as far as they read this.
    #[must_use]
    pub fn cover(&self, form: Fingerprint, relation: &Name) -> bool {
        let mut timed = self.rules.iter().filter(|rule| rule.ttl.is_some());
        timed.any(|rule| match &rule.subject {
            Subject::Tables(tables) => {
                tables.iter().any(|table| table.may_mean(Some(&relation.schema), &relation.name))
            }
            Subject::Fingerprints(forms) => forms.contains(&form),
        })
    }

    /// With what the rules say of it.
    #[must_use]
    pub fn about(&self, fingerprint: Fingerprint, relations: Box<[(Oid, Name)]>) -> About {
        let mut about = About { fingerprint, relations, rules: self.number, chosen: None };
        about.chosen = self.choose(&about);
        about
    }

    fn choose(&self, about: &About) -> Option<Chosen> {
        let selected: Vec<&Rule> = self.rules.iter().filter(|rule| rule.selects(about)).collect();
        if selected.is_empty() {
            return None;
        }
        let all = || selected.iter();
        let mut tags: Vec<Box<str>> =
            all().flat_map(|rule| &rule.tags).map(|tag| tag.as_str().into()).collect();
        tags.sort();
        tags.dedup();
        Some(Chosen {
            names: all().map(|rule| rule.name.as_str().into()).collect(),
            mode: all().filter_map(|rule| rule.mode).min(),
            level: all().filter_map(|rule| rule.level).max(),
            max_staleness: all().filter_map(|rule| rule.max_staleness).min(),
            ttl: all().filter_map(|rule| rule.ttl).min(),
            tags: tags.into(),
        })
    }
}

impl About {
    fn reads(&self, table: &TableName) -> bool {
        let mut relations = self.relations.iter();
        relations.any(|(_, name)| table.may_mean(Some(&name.schema), &name.name))
    }

    /// The same of answers that have these tags, too.
    #[must_use]
    pub fn tagged(self: &Arc<Self>, tags: &Tags) -> Arc<Self> {
        if tags.iter().next().is_none() {
            return Arc::clone(self);
        }
        let mut about = Self::clone(self);
        let chosen = about.chosen.get_or_insert_default();
        let mut all = std::mem::take(&mut chosen.tags).into_vec();
        all.extend(tags.iter().map(Box::from));
        chosen.tags = all.into();
        Arc::new(about)
    }

    /// Whether its answers belong to a part.
    #[must_use]
    pub fn is_in(&self, part: &Part) -> bool {
        match part {
            Part::Table(table) => self.reads(table),
            Part::Tag(tag) => {
                let mut tags = self.chosen.iter().flat_map(|chosen| &chosen.tags);
                tags.any(|known| **known == **tag)
            }
            Part::Form(fingerprint) => self.fingerprint == *fingerprint,
        }
    }

    /// What is wanted of the cache for this statement where this is wanted for the session.
    #[must_use]
    pub fn wish(&self, wish: Wish) -> Wish {
        self.chosen.as_ref().map_or(wish, |chosen| wish.under(chosen))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const MS: fn(u64) -> Duration = Duration::from_millis;

    fn rule(name: &str, subject: Subject) -> Rule {
        let (mode, level, max_staleness, ttl) = (None, None, None, None);
        Rule { name: name.into(), subject, mode, level, max_staleness, ttl, tags: Vec::new() }
    }

    fn tables(names: &[&str]) -> Subject {
        Subject::Tables(names.iter().map(|name| TableName::parse(name)).collect())
    }

    fn read(names: &[&str]) -> Box<[(Oid, Name)]> {
        names.iter().map(|name| (1, Name::new("app", name))).collect()
    }

    #[test]
    fn a_rule_selects_by_what_is_read_or_by_form() {
        let form = Fingerprint(7);
        let rules = Rules::new(vec![
            rule("a", tables(&["orders"])),
            rule("b", tables(&["app.users", "other.items"])),
            rule("c", Subject::Fingerprints(vec![form])),
        ]);
        for (fingerprint, tables, names) in [
            (Fingerprint(1), &["orders"][..], &["a"][..]),
            (Fingerprint(1), &["items"], &[]),
            (Fingerprint(1), &["users", "orders"], &["a", "b"]),
            (form, &["items"], &["c"]),
        ] {
            let about = rules.about(fingerprint, read(tables));
            let chosen = about.chosen.map(|chosen| chosen.names).unwrap_or_default();
            assert_eq!(chosen.iter().map(|name| &**name).collect::<Vec<_>>(), names, "{tables:?}");
        }
    }

    #[test]
    fn what_one_of_several_rules_forbids_is_forbidden() {
        let rules = Rules::new(vec![
            Rule {
                mode: Some(Mode::On),
                max_staleness: Some(MS(500)),
                tags: vec!["x".into(), "y".into()],
                ..rule("a", tables(&["a"]))
            },
            Rule {
                mode: Some(Mode::Observe),
                level: Some(Level::Strict),
                max_staleness: Some(MS(50)),
                tags: vec!["y".into()],
                ..rule("b", tables(&["b"]))
            },
        ]);
        let base = Wish::default();
        let wish = |names: &[&str]| rules.about(Fingerprint(1), read(names)).wish(base);
        assert_eq!(wish(&["c"]), base);
        assert_eq!((wish(&["a"]).mode, wish(&["a"]).max_staleness), (Mode::On, MS(500)));
        let both = wish(&["a", "b"]);
        assert_eq!((both.mode, both.max_staleness), (Mode::Observe, MS(50)));
        assert_eq!(both.level(false), Level::Strict);
        let about = rules.about(Fingerprint(1), read(&["a", "b"]));
        for (part, inside) in [
            (Part::Tag("x".into()), true),
            (Part::Tag("z".into()), false),
            (Part::Table(TableName::parse("b")), true),
            (Part::Table(TableName::parse("app.b")), true),
            (Part::Table(TableName::parse("other.b")), false),
            (Part::Form(Fingerprint(1)), true),
            (Part::Form(Fingerprint(2)), false),
        ] {
            assert_eq!(about.is_in(&part), inside, "{part:?}");
        }
    }

    #[test]
    fn a_session_can_still_ask_for_less_and_for_fresher() {
        let rules = Rules::new(vec![Rule {
            mode: Some(Mode::On),
            level: Some(Level::Bounded),
            max_staleness: Some(MS(500)),
            ..rule("a", tables(&["a"]))
        }]);
        let about = rules.about(Fingerprint(1), read(&["a"]));
        let mut base = Wish::default();
        base.mode = Mode::Observe;
        assert_eq!(about.wish(base.with("cache", "off")).mode, Mode::Off);
        assert_eq!(about.wish(base.with("cache", "what")).mode, Mode::Off);
        assert_eq!(about.wish(base.with("cache", "on")).mode, Mode::On);
        assert_eq!(about.wish(base.with("max_staleness", "20ms")).max_staleness, MS(20));
        assert_eq!(about.wish(base.with("cache_level", "strict")).level(false), Level::Strict);
        assert_eq!(
            about.wish(base.with_comment(b"/* howdah: cache=observe */ SELECT 1")).mode,
            Mode::Observe
        );
        assert_eq!(about.wish(base.forced(Mode::Off)).mode, Mode::Off);
        assert_eq!(about.wish(base.forced(Mode::On)).mode, Mode::On);
    }

    #[test]
    fn sessions_add_tags_and_change_nothing_else() {
        let rules = Rules::new(vec![Rule {
            max_staleness: Some(MS(500)),
            tags: vec!["x".into()],
            ..rule("a", tables(&["a"]))
        }]);
        let said = Tags::parse("y,z").unwrap_or_default();
        for (table, ruled) in [("a", true), ("b", false)] {
            let plain = Arc::new(rules.about(Fingerprint(1), read(&[table])));
            let about = plain.tagged(&said);
            for (tag, inside) in [("x", ruled), ("y", true), ("z", true), ("q", false)] {
                assert_eq!(about.is_in(&Part::Tag(tag.into())), inside, "{table} {tag}");
            }
            assert_eq!(about.wish(Wish::default()), plain.wish(Wish::default()));
            assert!(Arc::ptr_eq(&plain, &plain.tagged(&Tags::default())));
        }
    }

    #[test]
    fn other_rules_have_another_number() {
        let one = Rules::new(vec![rule("a", tables(&["a"]))]);
        assert_eq!(Rules::new(Vec::new()).number(), 0);
        assert_ne!(one.number(), 0);
        assert_ne!(one.number(), Rules::new(vec![rule("a", tables(&["b"]))]).number());
    }
}
