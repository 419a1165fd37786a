//! The settings a session has made, through transactions, savepoints and rollbacks, so that any server can be given them.
//! Not the SQL that does it: that is [`super::align()`].
//!
//! Invariant: [`Settings::context`] is what PostgreSQL itself would hold for this session after the same statements, for
//! all settings that outlive a transaction.

use std::collections::BTreeMap;
use std::sync::Arc;

use howdah_sql::SettingChange;

use super::{PinReason, date_style};
use crate::limits;

/// Settings by name, each with the SQL statement (for `DateStyle` perhaps several) that makes it. Equal contexts on one server mean nothing has to be sent.
#[derive(Debug, Clone, Default, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Context(BTreeMap<Box<str>, Box<str>>);

impl Context {
    /// Settings that a client asked for in its startup message, as `(name, value)`.
    #[must_use]
    pub fn from_startup<'a>(parameters: impl IntoIterator<Item = (&'a str, &'a str)>) -> Self {
        let entry = |(name, value): (&str, &str)| {
            let name = name.to_ascii_lowercase();
            let mut replay =
                format!("SELECT pg_catalog.set_config({}, {}, false)", quote(&name), quote(value));
            if name == date_style::NAME {
                replay = date_style::replay(None, &replay);
            }
            (name.into_boxed_str(), replay.into_boxed_str())
        };
        Self(parameters.into_iter().map(entry).collect())
    }

    /// Settings with the statements that make them, as [`Self::iter`] gave them.
    #[must_use]
    pub fn from_replays(settings: Vec<(String, String)>) -> Self {
        let boxed = |(name, replay): (String, String)| (name.into(), replay.into());
        Self(settings.into_iter().map(boxed).collect())
    }

    /// Names and the statements that make the settings, ordered by name.
    pub fn iter(&self) -> impl Iterator<Item = (&str, &str)> {
        self.0.iter().map(|(name, replay)| (&**name, &**replay))
    }

    /// The statement that makes a setting.
    #[must_use]
    pub fn get(&self, name: &str) -> Option<&str> {
        self.0.get(name).map(|replay| &**replay)
    }

    /// A session that becomes another user (`SET SESSION AUTHORIZATION`, or back) has no role any more.
    fn forget_role_of(&mut self, changed: &str) {
        if changed == "session_authorization" {
            self.0.remove("role");
        }
    }

    /// Whether it holds nothing: what a new server has.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

/// A string constant that is safe whatever `standard_conforming_strings` says.
fn quote(text: &str) -> String {
    let quoted = text.replace('\'', "''");
    if quoted.contains('\\') {
        format!(" E'{}'", quoted.replace('\\', "\\\\"))
    } else {
        format!("'{quoted}'")
    }
}

/// State since the beginning of the open transaction.
#[derive(Debug)]
struct Transaction {
    current: Arc<Context>,
    savepoints: Vec<(Box<str>, Arc<Context>)>,
}

/// Settings of one session.
#[derive(Debug)]
pub struct Settings {
    /// What the startup message asked for: `RESET` goes back to it.
    startup: Arc<Context>,
    committed: Arc<Context>,
    /// Only while a setting or savepoint was made in an open transaction.
    transaction: Option<Box<Transaction>>,
}

impl Settings {
    /// A session that has just logged in.
    #[must_use]
    pub fn new(startup: Arc<Context>) -> Self {
        Self { committed: Arc::clone(&startup), startup, transaction: None }
    }

    /// A session that another process has served: what its startup message asked for, and what is in force.
    #[must_use]
    pub const fn restore(startup: Arc<Context>, committed: Arc<Context>) -> Self {
        Self { startup, committed, transaction: None }
    }

    /// What a server must have before it serves this session.
    #[must_use]
    pub fn context(&self) -> &Arc<Context> {
        self.transaction.as_ref().map_or(&self.committed, |transaction| &transaction.current)
    }

    /// These are the settings now, whatever they were.
    pub fn assume(&mut self, context: Arc<Context>) {
        self.committed = context;
        self.transaction = None;
    }

    /// The settings were brought to `context` inside the open transaction, and go with it if it is rolled back.
    pub fn adopt(&mut self, context: Arc<Context>) {
        self.transaction().current = context;
    }

    /// Outside a transaction: replaces the context by an equal one that others have, too, so that comparing contexts is
    /// comparing addresses.
    pub fn share(&mut self, shared: &Arc<Context>) {
        if self.transaction.is_none() && *self.committed == **shared {
            self.committed = Arc::clone(shared);
        }
    }

    /// What the startup message asked for.
    #[must_use]
    pub fn startup(&self) -> &Context {
        &self.startup
    }

    /// A statement that changes settings has succeeded.
    ///
    /// # Errors
    /// The reason why the session must be pinned: the new value is known to the server only, or there are too many.
    pub fn on_change(&mut self, change: &SettingChange) -> Result<(), PinReason> {
        match change {
            SettingChange::Set { name, replay } => {
                if self.context().0.len() >= limits::SETTINGS_PER_SESSION {
                    return Err(PinReason::TooMuchState);
                }
                self.edit(|context, _| {
                    let replay = if name == date_style::NAME {
                        date_style::replay(context.get(name), replay).into()
                    } else {
                        replay.as_str().into()
                    };
                    context.forget_role_of(name);
                    context.0.insert(name.as_str().into(), replay);
                });
                Ok(())
            }
            SettingChange::Reset { name } => {
                self.edit(|context, startup| {
                    context.forget_role_of(name);
                    match startup.0.get(name.as_str()) {
                        Some(replay) => {
                            context.0.insert(name.as_str().into(), replay.clone());
                        }
                        None => {
                            context.0.remove(name.as_str());
                        }
                    }
                });
                Ok(())
            }
            SettingChange::ResetAll => {
                self.reset_all();
                Ok(())
            }
            SettingChange::SetLocal { .. } | SettingChange::Transaction => Ok(()),
            SettingChange::Opaque => Err(PinReason::OpaqueSetting),
        }
    }

    /// `RESET ALL`: everything but the role goes back to what the startup message asked for.
    fn reset_all(&mut self) {
        self.edit(|context, startup| {
            let keep: Vec<_> = ["role", "session_authorization"]
                .into_iter()
                .filter_map(|name| context.0.remove_entry(name))
                .collect();
            *context = startup.clone();
            context.0.extend(keep);
        });
    }

    /// `DISCARD ALL` has succeeded (it cannot run in a transaction).
    pub fn on_discard_all(&mut self) {
        self.committed = Arc::clone(&self.startup);
        self.transaction = None;
    }

    /// Changes the context of the open transaction; [`Self::on_commit`] makes it last.
    fn edit(&mut self, change: impl FnOnce(&mut Context, &Context)) {
        let mut context = Context::clone(self.context());
        change(&mut context, &self.startup);
        self.transaction().current = Arc::new(context);
    }

    fn transaction(&mut self) -> &mut Transaction {
        let committed = &self.committed;
        self.transaction.get_or_insert_with(|| {
            Box::new(Transaction { current: Arc::clone(committed), savepoints: Vec::new() })
        })
    }

    /// The transaction, explicit or implicit, was committed.
    pub fn on_commit(&mut self) {
        if let Some(transaction) = self.transaction.take() {
            self.committed = transaction.current;
        }
    }

    /// The transaction, explicit or implicit, was rolled back.
    pub fn on_rollback(&mut self) {
        self.transaction = None;
    }

    /// `SAVEPOINT name` has succeeded.
    ///
    /// # Errors
    /// The reason why the session must be pinned: too many savepoints.
    pub fn on_savepoint(&mut self, name: &str) -> Result<(), PinReason> {
        let transaction = self.transaction();
        if transaction.savepoints.len() >= limits::SAVEPOINTS {
            return Err(PinReason::TooMuchState);
        }
        let current = Arc::clone(&transaction.current);
        transaction.savepoints.push((name.into(), current));
        Ok(())
    }

    /// `RELEASE name` has succeeded: the savepoint and those after it are gone, the settings stay.
    pub fn on_release(&mut self, name: &str) {
        if let Some(transaction) = &mut self.transaction
            && let Some(at) = transaction.savepoints.iter().rposition(|(of, _)| **of == *name)
        {
            transaction.savepoints.truncate(at);
        }
    }

    /// `ROLLBACK TO name` has succeeded: the savepoint stays, the settings are those of then.
    pub fn on_rollback_to(&mut self, name: &str) {
        if let Some(transaction) = &mut self.transaction
            && let Some(at) = transaction.savepoints.iter().rposition(|(of, _)| **of == *name)
        {
            transaction.savepoints.truncate(at + 1);
            if let Some((_, then)) = transaction.savepoints.last() {
                transaction.current = Arc::clone(then);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn set(name: &str, value: &str) -> SettingChange {
        SettingChange::Set { name: name.into(), replay: format!("SET {name} TO {value}") }
    }

    fn session() -> Settings {
        Settings::new(Arc::new(Context::from_startup([("TimeZone", "UTC")])))
    }

    fn value<'a>(settings: &'a Settings, name: &str) -> Option<&'a str> {
        settings.context().get(name)
    }

    #[test]
    fn a_setting_outlives_a_commit_and_not_a_rollback() {
        let mut settings = session();
        assert_eq!(settings.on_change(&set("work_mem", "'1MB'")), Ok(()));
        settings.on_commit();
        assert_eq!(settings.on_change(&set("work_mem", "'2MB'")), Ok(()));
        assert_eq!(value(&settings, "work_mem"), Some("SET work_mem TO '2MB'"));
        settings.on_rollback();
        assert_eq!(value(&settings, "work_mem"), Some("SET work_mem TO '1MB'"));
    }

    #[test]
    fn another_user_has_no_role() {
        for change in [
            set("session_authorization", "b"),
            SettingChange::Reset { name: "session_authorization".into() },
        ] {
            let mut settings = session();
            assert_eq!(settings.on_change(&set("session_authorization", "a")), Ok(()));
            assert_eq!(settings.on_change(&set("role", "r")), Ok(()));
            assert_eq!(settings.on_change(&change), Ok(()));
            assert_eq!(value(&settings, "role"), None);
        }
    }

    #[test]
    fn half_a_date_style_is_made_upon_the_other_half() {
        let mut settings = Settings::new(Arc::new(Context::from_startup([("DateStyle", "ISO")])));
        let startup = "RESET \"datestyle\";SELECT pg_catalog.set_config('datestyle', 'ISO', false)";
        assert_eq!(value(&settings, "datestyle"), Some(startup));
        assert_eq!(settings.on_change(&set("datestyle", "ymd")), Ok(()));
        let both = format!("{startup};SET datestyle TO ymd");
        assert_eq!(value(&settings, "datestyle"), Some(&*both));
        assert_eq!(settings.on_change(&set("datestyle", "'SQL, DMY'")), Ok(()));
        assert_eq!(value(&settings, "datestyle"), Some("SET datestyle TO 'SQL, DMY'"));
    }

    #[test]
    fn reset_goes_back_to_the_startup_message() {
        let mut settings = session();
        let startup = value(&settings, "timezone").map(str::to_owned);
        assert_eq!(
            startup.as_deref(),
            Some("SELECT pg_catalog.set_config('timezone', 'UTC', false)")
        );
        assert_eq!(settings.on_change(&set("timezone", "'CET'")), Ok(()));
        assert_eq!(settings.on_change(&set("work_mem", "'1MB'")), Ok(()));
        assert_eq!(settings.on_change(&SettingChange::Reset { name: "timezone".into() }), Ok(()));
        assert_eq!(settings.on_change(&SettingChange::Reset { name: "work_mem".into() }), Ok(()));
        assert_eq!(value(&settings, "timezone"), startup.as_deref());
        assert_eq!(value(&settings, "work_mem"), None);
    }

    #[test]
    fn reset_all_keeps_the_role() {
        let mut settings = session();
        assert_eq!(settings.on_change(&set("role", "'r'")), Ok(()));
        assert_eq!(settings.on_change(&set("work_mem", "'1MB'")), Ok(()));
        assert_eq!(settings.on_change(&SettingChange::ResetAll), Ok(()));
        assert_eq!(value(&settings, "role"), Some("SET role TO 'r'"));
        assert_eq!(value(&settings, "work_mem"), None);
        settings.on_discard_all();
        assert_eq!(value(&settings, "role"), None);
        assert!(value(&settings, "timezone").is_some());
    }

    #[test]
    fn savepoints_bring_settings_back() {
        let mut settings = session();
        assert_eq!(settings.on_change(&set("a.b", "'0'")), Ok(()));
        assert_eq!(settings.on_savepoint("s"), Ok(()));
        assert_eq!(settings.on_change(&set("a.b", "'1'")), Ok(()));
        assert_eq!(settings.on_savepoint("t"), Ok(()));
        assert_eq!(settings.on_change(&set("a.b", "'2'")), Ok(()));
        settings.on_rollback_to("s");
        assert_eq!(value(&settings, "a.b"), Some("SET a.b TO '0'"));
        settings.on_rollback_to("t");
        assert_eq!(value(&settings, "a.b"), Some("SET a.b TO '0'"), "t is gone");
        assert_eq!(settings.on_change(&set("a.b", "'3'")), Ok(()));
        settings.on_release("s");
        settings.on_rollback_to("s");
        assert_eq!(value(&settings, "a.b"), Some("SET a.b TO '3'"));
        settings.on_commit();
        assert_eq!(value(&settings, "a.b"), Some("SET a.b TO '3'"));
    }

    #[test]
    fn what_only_the_server_knows_pins() {
        let mut settings = session();
        assert_eq!(settings.on_change(&SettingChange::Opaque), Err(PinReason::OpaqueSetting));
        for n in 0..limits::SETTINGS_PER_SESSION {
            let _ = settings.on_change(&set(&format!("x.y{n}"), "1"));
        }
        assert_eq!(settings.on_change(&set("one.more", "1")), Err(PinReason::TooMuchState));
    }

    #[test]
    fn startup_values_cannot_break_out_of_their_quotes() {
        let context = Context::from_startup([("a", "x'; DROP TABLE t; --"), ("b", "\\'; DROP")]);
        assert_eq!(
            context.get("a"),
            Some("SELECT pg_catalog.set_config('a', 'x''; DROP TABLE t; --', false)")
        );
        assert_eq!(
            context.get("b"),
            Some("SELECT pg_catalog.set_config('b',  E'\\\\''; DROP', false)")
        );
    }
}
