//! A replica that shows a commit before its primary does, for as long as somebody wants: with a synchronous replica that never
//! confirms, a commit is in the log, and sent to all replicas, and not over on the primary.

use std::time::Duration;

use crate::eventually;
use crate::farm::Farm;
use crate::raw::{Connection, Frames, Target};

/// A commit that waits for its confirmation, and a session through Howdah that has read it from a replica.
#[derive(Debug)]
pub struct Ahead<'a> {
    farm: &'a Farm,
    writer: Connection,
    session: Connection,
}

/// Asks the primary.
const AT_HOME: &str = "/* howdah: route=primary */ SELECT value FROM ahead";

impl<'a> Ahead<'a> {
    /// Writes 1 over 0 and has a session read the 1 from a replica.
    ///
    /// # Panics
    /// When that cannot be brought about.
    #[must_use]
    pub fn new(farm: &'a Farm) -> Self {
        let mut writer = farm.direct(farm.primary());
        writer.run("CREATE TABLE confirmed (value int); CREATE TABLE ahead (value int); INSERT INTO ahead VALUES (0)");
        farm.wait_for_replay();
        let mut session = farm.client();
        eventually("a replica answers", || session.value("SELECT value FROM ahead") == "0");
        writer.run("ALTER SYSTEM SET synchronous_standby_names = 'nobody'");
        writer.run("SELECT pg_reload_conf()");
        eventually("commits wait", || waits_for_confirmation(farm));
        writer
            .send(&Frames::default().query("UPDATE ahead SET value = 1"))
            .expect("the writer is connected");
        eventually("a replica shows the commit", || {
            session.value("SELECT value FROM ahead") == "1"
        });
        Self { farm, writer, session }
    }

    /// Confirms the commit after so long, if at all, and returns what the same session reads from the primary from now on.
    ///
    /// # Panics
    /// When a statement fails.
    #[must_use]
    pub fn read_at_home(mut self, confirmed_after: Option<Duration>) -> String {
        let farm = self.farm;
        std::thread::scope(|scope| {
            let session = &mut self.session;
            let read = scope.spawn(move || session.value(AT_HOME));
            if let Some(time) = confirmed_after {
                std::thread::sleep(time);
                confirm(farm);
            }
            let value = read.join().expect("the read is answered");
            if confirmed_after.is_none() {
                confirm(farm);
            }
            self.writer.until(b'Z', 1).expect("the commit is over");
            value
        })
    }
}

/// Whether a commit waits: the setting is in force once the checkpointer has read it, too.
fn waits_for_confirmation(farm: &Farm) -> bool {
    let mut other = farm.direct(farm.primary());
    let mut observer = farm.direct(farm.primary());
    let state = format!(
        "SELECT coalesce((SELECT coalesce(wait_event, '') || ' ' || state FROM pg_stat_activity \
         WHERE pid = {} AND query LIKE 'INSERT%'), '')",
        other.backend()
    );
    let commit = Frames::default().query("INSERT INTO confirmed VALUES (1)");
    other.send(&commit).expect("the other is connected");
    let mut seen = String::new();
    eventually("the commit waits or is over", || {
        seen = observer.value(&state);
        seen.starts_with("SyncRep ") || seen.ends_with(" idle")
    });
    seen.starts_with("SyncRep ")
}

fn confirm(farm: &Farm) {
    let primary = Target::port(farm.primary().port(), "howdah", "postgres");
    let mut superuser = primary.client();
    // This must not wait for a confirmation itself.
    superuser.run("SET synchronous_commit = 'local'");
    superuser.run("ALTER SYSTEM RESET synchronous_standby_names");
    superuser.run("SELECT pg_reload_conf()");
}
