//! SQL-level `PREPARE`, `EXECUTE` and `DEALLOCATE`: PostgreSQL has one space of names for these and the statements of the
//! protocol, and so has the session. In a text of one statement the client's name is replaced by the one that servers know; what
//! cannot be rewritten safely is given the client's own names on a server that it keeps.
//!
//! Invariant: a text is sent with a name in it only when the server has, or will have been sent, what this session means by it.

use std::sync::Arc;

use howdah_core::limits;
use howdah_core::reply::{Disposition, Kind, Serial};
use howdah_core::session::{BySql, PinReason, Prepared};
use howdah_sql::{Analysis, Effect, PreparedChange, PreparedName};
use howdah_wire::frontend;

use crate::prepared::{NO_STATEMENT, Presence, STATEMENT_PREFIX, Unready};
use crate::server::Server;
use crate::session::Session;

/// A query with another name in it.
#[derive(Debug)]
pub(crate) struct Renamed {
    pub(crate) text: Vec<u8>,
    shift: Shift,
    /// What the statement does when it is not what the text says: what a prepared statement does.
    effects: Option<(Arc<Analysis>, Box<[u8]>)>,
    made: Option<Made>,
    /// Messages of Howdah's own go before it, without a Sync.
    preceded: bool,
}

/// What a `PREPARE` makes when it succeeds.
pub(crate) type Made = (Box<[u8]>, Arc<Prepared>);

/// How positions in a query that was sent are those of the client's text.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Shift {
    pub(crate) serial: Serial,
    /// Characters before the name.
    before: usize,
    /// Characters of the name that was sent, and of the client's.
    sent: usize,
    own: usize,
}

impl Session {
    /// Puts the names that servers know into a query.
    ///
    /// # Errors
    /// Which they are is not known before this message is answered.
    pub(crate) fn rename(
        &mut self,
        server: &mut Server,
        analysis: &Analysis,
        sql: &[u8],
    ) -> Result<Option<Renamed>, Serial> {
        if !analysis.has_effects || !self.renames() || !may_name(analysis) {
            return Ok(None);
        }
        if let Some(serial) = self.deallocation() {
            return Err(serial);
        }
        let alone = analysis.statements.len() == 1 && analysis.parsed;
        let Some(found) = howdah_sql::prepared_name(sql).filter(|_| alone) else {
            self.make_native(server, sql);
            return Ok(None);
        };
        match &found.change {
            PreparedChange::Prepare(name) => self.rename_prepare(server, sql, name, &found),
            PreparedChange::Execute(name) => self.rename_execute(server, sql, name, &found),
            PreparedChange::Deallocate(Some(name)) => {
                let prepared = self.statements.get(name.as_bytes()).cloned();
                let Some(prepared) = prepared.filter(|_| !self.native.contains(name)) else {
                    return Ok(Renamed::unknown(sql, &found, name));
                };
                let (server_name, preceded) =
                    match server.prepared.touch(prepared.id, &server.queue) {
                        Presence::Undecided(serial) => return Err(serial),
                        Presence::Here { name, .. } => (name, false),
                        // Whatever it is, it goes at once.
                        Presence::Absent => {
                            (server.make_empty(self.entry.id, &self.worker.shelf), true)
                        }
                    };
                Ok(Some(Renamed::new(sql, &found, &server_name, preceded)))
            }
            PreparedChange::Deallocate(None) => Ok(None),
        }
    }

    fn rename_execute(
        &mut self,
        server: &mut Server,
        sql: &[u8],
        name: &str,
        found: &PreparedName,
    ) -> Result<Option<Renamed>, Serial> {
        let prepared = self.statements.get(name.as_bytes()).cloned();
        let Some(prepared) = prepared.filter(|_| !self.native.contains(name)) else {
            return Ok(Renamed::unknown(sql, found, name));
        };
        let (server_name, preceded) = self.ensure(server, &prepared)?;
        let mut renamed = Renamed::new(sql, found, &server_name, preceded);
        self.taint_by(server, &prepared.analysis);
        if prepared.analysis.has_effects {
            renamed.effects = Some(if found.plain {
                (Arc::clone(&prepared.analysis), prepared.body().into())
            } else {
                // Whether EXPLAIN runs it is not looked at.
                (Arc::new(Analysis::unknown()), sql.into())
            });
        }
        Ok(Some(renamed))
    }

    fn rename_prepare(
        &self,
        server: &mut Server,
        sql: &[u8],
        name: &str,
        found: &PreparedName,
    ) -> Result<Option<Renamed>, Serial> {
        if self.native.contains(name) || self.statements.len() >= limits::STATEMENTS_PER_SESSION {
            return Ok(None);
        }
        if let Some(existing) = self.statements.get(name.as_bytes()).cloned() {
            // The server has to say so, in its own words.
            let (server_name, preceded) = self.ensure(server, &existing)?;
            return Ok(Some(Renamed::new(sql, found, &server_name, preceded)));
        }
        let (before, behind) =
            (sql.get(..found.place.start), sql.get(found.place.end..).unwrap_or_default());
        let before = before.unwrap_or_default();
        let by_sql = BySql {
            name_at: before.len(),
            body_at: found.body.saturating_sub(found.place.end - found.place.start),
        };
        let analysis = self.analyse(sql.get(found.body..).unwrap_or_default());
        let prepared = self.worker.prepare_by_sql(&[before, behind].concat(), analysis, by_sql);
        let (session, max) = (self.entry.id, self.max_prepared());
        match server.prepared.touch(prepared.id, &server.queue) {
            Presence::Undecided(serial) => return Err(serial),
            Presence::Here { name, .. } => {
                server.close_statement(session, &name, &self.worker.shelf)
            }
            Presence::Absent => server.make_room(session, max, &self.worker.shelf),
        }
        let server_name = server.prepared.new_name();
        server.prepared.insert(prepared.id, server.queue.next_serial());
        let mut renamed = Renamed::new(sql, found, &server_name, false);
        renamed.made = Some((name.as_bytes().into(), prepared));
        Ok(Some(renamed))
    }

    /// Puts a statement on the server if it is not there. Returns its name there, and whether that took messages.
    fn ensure(&self, server: &mut Server, prepared: &Prepared) -> Result<(String, bool), Serial> {
        let before = server.queue.next_serial();
        let (max, shelf) = (self.max_prepared(), &self.worker.shelf);
        match server.ensure_prepared(self.entry.id, prepared, None, max, shelf) {
            Ok(name) => Ok((name, server.queue.next_serial() != before)),
            Err(Unready::Wait(serial)) => Err(serial),
            // Only for those who were told its rows.
            Err(Unready::Changed) => Err(before),
        }
    }

    /// Gives the server the statements that a text names, under the client's own names: several statements in one text, or a
    /// text that the extended protocol may run again at any time. The session keeps the server.
    pub(crate) fn make_native(&mut self, server: &mut Server, sql: &[u8]) {
        if self.statements.is_empty() {
            return;
        }
        for (_, change) in howdah_sql::prepared_names(sql) {
            let (PreparedChange::Prepare(name)
            | PreparedChange::Execute(name)
            | PreparedChange::Deallocate(Some(name))) = change
            else {
                continue;
            };
            let prepared = self.statements.get(name.as_bytes()).cloned();
            let Some(prepared) = prepared.filter(|_| !self.native.contains(&name)) else {
                continue;
            };
            let quoted = format!("\"{}\"", name.replace('"', "\"\""));
            let own = (name.as_bytes(), quoted.as_str());
            server.make(self.entry.id, &prepared, own, Disposition::Swallow, &self.worker.shelf);
            self.native.insert(name);
            self.set_pin(PinReason::SqlPrepare);
            self.preceded = true;
        }
    }

    /// [`Self::make_native`] for a statement that the extended protocol is about to parse or run.
    ///
    /// # Errors
    /// Which names there are is not known before this message is answered.
    pub(crate) fn make_native_for(
        &mut self,
        server: &mut Server,
        analysis: &Analysis,
        sql: &[u8],
    ) -> Result<(), Serial> {
        if !analysis.has_effects || !self.renames() || !may_name(analysis) {
            return Ok(());
        }
        if let Some(serial) = self.deallocation() {
            return Err(serial);
        }
        self.make_native(server, sql);
        self.preceded = false;
        Ok(())
    }

    /// A query was sent as message `serial`, perhaps with another name in it.
    pub(crate) fn on_query_sent(
        &mut self,
        serial: Serial,
        renamed: Option<Renamed>,
        analysis: &Arc<Analysis>,
        sql: &[u8],
    ) {
        let mut preceded = std::mem::take(&mut self.preceded);
        let Some(renamed) = renamed else {
            if analysis.has_effects {
                self.expect_effects(serial, analysis, sql, None);
            }
            return self.on_preceded(serial, preceded);
        };
        preceded |= renamed.preceded;
        self.shifts.push_back(Shift { serial, ..renamed.shift });
        match renamed.effects {
            Some((analysis, sql)) => self.expect_effects(serial, &analysis, &sql, None),
            None => self.expect_effects(serial, analysis, sql, renamed.made),
        }
        self.on_preceded(serial, preceded);
    }

    /// Messages of Howdah's own were sent right before the query `serial`: when they fail, the server skips the query, too, and
    /// waits for a Sync that the client does not know of.
    fn on_preceded(&mut self, serial: Serial, preceded: bool) {
        if preceded {
            self.resync = Some(serial);
            self.careful = true;
        }
    }

    /// Messages from `from` up to, not including, `until` failed: sends the Sync that nobody else will send.
    pub(crate) fn make_in_sync(&mut self, server: &mut Server, from: Serial, until: Serial) {
        if self.resync.take_if(|serial| (from + 1..until).contains(serial)).is_some() {
            frontend::sync(server.outbox.bytes(&self.worker.shelf));
            server.queue.push(self.entry.id, Kind::Sync, Disposition::Forward);
        }
    }

    /// The body of an error to message `serial`, with the position as it is in the client's text.
    pub(crate) fn in_the_clients_place(&self, serial: Serial, body: &[u8]) -> Option<Vec<u8>> {
        let shift = self.shifts.iter().find(|shift| shift.serial == serial)?;
        shift.apply(body)
    }
}

/// Whether a statement in the text may name prepared statements.
fn may_name(analysis: &Analysis) -> bool {
    let names = |effect| {
        matches!(effect, Effect::Prepare | Effect::Execute | Effect::Deallocate | Effect::Unknown)
    };
    analysis.statements.iter().any(|statement| names(statement.effect))
}

impl Renamed {
    /// A name that the session does not know. It is sent as it is, unless it might be another's on the server.
    fn unknown(sql: &[u8], found: &PreparedName, name: &str) -> Option<Self> {
        name.starts_with(STATEMENT_PREFIX).then(|| Self::new(sql, found, NO_STATEMENT, false))
    }

    fn new(sql: &[u8], found: &PreparedName, name: &str, preceded: bool) -> Self {
        let part = |range| sql.get(range).unwrap_or_default();
        let before = part(0..found.place.start);
        let own = part(found.place.clone());
        let behind = sql.get(found.place.end..).unwrap_or_default();
        let characters = |text: &[u8]| String::from_utf8_lossy(text).chars().count();
        let shift =
            Shift { serial: 0, before: characters(before), sent: name.len(), own: characters(own) };
        let text = [before, name.as_bytes(), behind].concat();
        Self { text, shift, effects: None, made: None, preceded }
    }
}

impl Shift {
    /// The body of an error with its position moved; `None`: it stays as it is.
    fn apply(&self, body: &[u8]) -> Option<Vec<u8>> {
        let mut fields = body.split(|byte| *byte == 0);
        let at = fields.find_map(|field| field.strip_prefix(b"P"))?;
        let position: usize = std::str::from_utf8(at).ok()?.parse().ok()?;
        let moved = if position <= self.before {
            return None;
        } else if position <= self.before + self.sent {
            self.before + 1
        } else {
            position + self.own - self.sent
        };
        let start = body.windows(at.len() + 3).position(|window| {
            let inner = window.strip_prefix(b"\0P").and_then(|rest| rest.strip_suffix(b"\0"));
            inner == Some(at)
        })?;
        let (before, rest) = body.split_at_checked(start + 2)?;
        let behind = rest.get(at.len()..)?;
        Some([before, moved.to_string().as_bytes(), behind].concat())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn positions_are_those_of_the_clients_text() {
        let shift = Shift { serial: 0, before: 8, sent: 8, own: 1 };
        let moved = |position: &str| {
            let body = format!("SERROR\0C42P01\0MP1 x\0P{position}\0Fx.c\0\0");
            shift.apply(body.as_bytes()).map(|body| String::from_utf8(body).unwrap())
        };
        assert_eq!(moved("3"), None);
        assert_eq!(moved("12").unwrap(), "SERROR\0C42P01\0MP1 x\0P9\0Fx.c\0\0");
        assert_eq!(moved("17").unwrap(), "SERROR\0C42P01\0MP1 x\0P10\0Fx.c\0\0");
        assert_eq!(moved("30").unwrap(), "SERROR\0C42P01\0MP1 x\0P23\0Fx.c\0\0");
        assert_eq!(shift.apply(b"SERROR\0\0"), None);
    }
}
