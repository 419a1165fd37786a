//! Operations whose effect lives in one server until the session ends.

use super::session::{Session, Trouble};
use crate::raw::Frames;

/// A temporary table; all clients use the same name.
pub(crate) fn temporary_table(session: &mut Session) -> Result<(), Trouble> {
    session.pin()?;
    let token = session.token();
    if session.model.temporary.is_some() {
        session.command("DISCARD TEMP")?;
        session.model.temporary = None;
        return session.check_state();
    }
    let sql = format!(
        "CREATE TEMP TABLE own_rows AS SELECT '{token}'::text AS token; GRANT ALL ON own_rows TO PUBLIC"
    );
    session.simple(&sql, "C C Z(I)", &[])?;
    session.model.temporary = Some(token);
    use_pinned(session)
}

/// A cursor that outlives its transaction; all clients use the same name.
pub(crate) fn held_cursor(session: &mut Session) -> Result<(), Trouble> {
    session.pin()?;
    if session.model.held.is_some() {
        session.command("CLOSE held")?;
        session.model.held = None;
        return session.check_state();
    }
    let token = session.token();
    let sql = format!("DECLARE held SCROLL CURSOR WITH HOLD FOR SELECT '{token}'");
    session.command(&sql)?;
    session.model.held = Some(token);
    use_pinned(session)
}

/// A session-level lock, and its release.
pub(crate) fn advisory_lock(session: &mut Session) -> Result<(), Trouble> {
    session.pin()?;
    let key = session.id * 10 + session.random.below(3);
    if session.model.locks.remove(&key) {
        session.simple(&format!("SELECT pg_advisory_unlock({key})"), "T D C Z(I)", &["t"])?;
    } else {
        // Nobody else uses the key: a session of this client that is gone may be about to lose it.
        session.simple(&format!("SELECT pg_advisory_lock({key})"), "T D C Z(I)", &[""])?;
        session.model.locks.insert(key);
    }
    session.check_state()
}

/// `LISTEN` and `UNLISTEN`
pub(crate) fn listen(session: &mut Session) -> Result<(), Trouble> {
    let channel = session.channel();
    if session.model.listening {
        session.command(&format!("UNLISTEN {channel}"))?;
    } else {
        session.command(&format!("LISTEN {channel}"))?;
    }
    session.model.listening ^= true;
    session.check_state()
}

/// SQL-level `PREPARE`; all clients use the same name.
pub(crate) fn sql_prepare(session: &mut Session) -> Result<(), Trouble> {
    if session.model.sql_statement.is_some() {
        session.command("DEALLOCATE by_sql")?;
        session.model.sql_statement = None;
        return session.check_state();
    }
    let token = session.token();
    session.command(&format!("PREPARE by_sql (text) AS SELECT '{token}' || $1"))?;
    session.model.sql_statement = Some(token);
    use_pinned(session)
}

/// Everything that was made is still there and answers with this client's tokens.
pub(crate) fn use_pinned(session: &mut Session) -> Result<(), Trouble> {
    let model = session.model.clone();
    let mut used = false;
    if let Some(token) = &model.temporary {
        session.simple("SELECT token FROM pg_temp.own_rows", "T D C Z(I)", &[token])?;
        used = true;
    }
    if let Some(token) = &model.held {
        session.simple("FETCH FIRST FROM held", "T D C Z(I)", &[token])?;
        used = true;
    }
    if let Some(token) = &model.sql_statement {
        let other = session.token();
        let value = format!("{token}{other}");
        session.simple(&format!("EXECUTE by_sql('{other}')"), "T D C Z(I)", &[&value])?;
        used = true;
    }
    if model.listening {
        notification_while_idle(session)?;
        used = true;
    }
    if used { session.check_state() } else { Err(Trouble::Skipped) }
}

/// A notification from another session arrives without a request of this one.
fn notification_while_idle(session: &mut Session) -> Result<(), Trouble> {
    let (channel, token) = (session.channel(), session.token());
    let target = session.shared.plan.target.clone();
    let other = target.connect().and_then(|mut other| {
        let sent = other.query(&format!("NOTIFY {channel}, '{token}'"));
        other.close();
        sent
    });
    other.map_err(|failure| session.violation(&format!("notify: {failure}")))?;
    let seen = session.exchange_until(&Frames::new(), b'A', 0)?;
    session.expect("before a notification", &seen, "", &[])?;
    loop {
        let reply = session.connection()?.reply();
        let reply =
            reply.map_err(|failure| session.violation(&format!("notification: {failure}")))?;
        match reply.notification() {
            Some((from, payload)) if from == channel && payload == token => return Ok(()),
            Some(_) => return Err(session.violation(&format!("foreign notification: {reply:?}"))),
            None if reply.tag == b'S' => {}
            None => return Err(session.violation(&format!("unasked: {reply:?}"))),
        }
    }
}
