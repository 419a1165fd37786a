//! Cancels, and every way for a session to end.

use std::time::Duration;

use super::session::{Session, Trouble};
use crate::raw::{Connection, Frames};

fn pause(session: &mut Session) {
    std::thread::sleep(Duration::from_millis(session.random.below(20)));
}

/// A statement that is cancelled while it waits or runs; now and then the request comes too early and it ends well.
pub(crate) fn cancel(session: &mut Session) -> Result<(), Trouble> {
    let token = session.token();
    let sql = format!("SELECT '{token}' FROM (SELECT pg_sleep(2)) AS slept");
    let connection = session.connection()?;
    let sent = connection.send(&Frames::new().query(&sql));
    sent.map_err(|failure| session.violation(&failure.to_string()))?;
    std::thread::sleep(Duration::from_millis(5));
    pause(session);
    session.cancel()?;
    let seen = session.exchange(&Frames::new(), 1)?;
    if seen.values() == [token] {
        return Err(Trouble::Skipped);
    }
    let shapes = ["T E(57014) Z(I)", "E(57014) Z(I)"];
    let summary = seen.summary();
    if !shapes.contains(&summary.as_str()) {
        return Err(session.violation(&format!("cancelled: {summary}")));
    }
    session.check_state()
}

/// A cancel after the end of the statement hits neither this client nor the one that has the server now.
pub(crate) fn stale_cancel(session: &mut Session) -> Result<(), Trouble> {
    super::plain::simple_echo(session)?;
    session.cancel()?;
    super::plain::simple_echo(session)
}

/// A cancel with a wrong secret does nothing.
pub(crate) fn foreign_cancel(session: &mut Session) -> Result<(), Trouble> {
    let token = session.token();
    let sql = format!("SELECT '{token}' FROM (SELECT pg_sleep(0.03)) AS slept");
    let sent = session.connection()?.send(&Frames::new().query(&sql));
    sent.map_err(|failure| session.violation(&failure.to_string()))?;
    let connection = session.connection()?;
    let wrong: Vec<u8> = connection.secret.iter().map(|byte| !byte).collect();
    let taken = connection.try_cancel_with(connection.process_id, &wrong);
    taken.map_err(|failure| session.violation(&format!("cancel request: {failure}")))?;
    let seen = session.exchange(&Frames::new(), 1)?;
    session.expect("a wrong cancel", &seen, "T D C Z(I)", &[&token])
}

/// Terminate.
pub(crate) fn goodbye(session: &mut Session) -> Result<(), Trouble> {
    session.end()?.close();
    Ok(())
}

/// The socket closes without a word.
pub(crate) fn gone_idle(session: &mut Session) -> Result<(), Trouble> {
    drop(session.end()?);
    Ok(())
}

fn send(session: &Session, connection: &mut Connection, frames: &Frames) -> Result<(), Trouble> {
    connection.send(frames).map_err(|failure| session.violation(&failure.to_string()))
}

/// The socket closes in a transaction that has written a row, which must not appear.
pub(crate) fn gone_in_transaction(session: &mut Session) -> Result<(), Trouble> {
    let (id, token) = (session.id, session.token());
    session.simple("BEGIN", "C Z(T)", &[])?;
    session.simple("SET work_mem = '88MB'", "C Z(T)", &[])?;
    session.simple(&format!("INSERT INTO public.inbox VALUES ({id}, '{token}')"), "C Z(T)", &[])?;
    session.lose(token);
    drop(session.end()?);
    Ok(())
}

/// The socket closes in the middle of many rows.
pub(crate) fn gone_in_result(session: &mut Session) -> Result<(), Trouble> {
    let token = session.token();
    let mut connection = session.end()?;
    let sql = format!("SELECT repeat('{token}', 100) FROM generate_series(1, 5000)");
    send(session, &mut connection, &Frames::new().query(&sql))?;
    for _ in 0..1 + session.random.below(50) {
        let reply =
            connection.reply().map_err(|failure| session.violation(&failure.to_string()))?;
        if reply.row().is_some_and(|row| row[0].as_ref() != Some(&token.repeat(100))) {
            return Err(session.violation("a foreign row"));
        }
    }
    drop(connection);
    Ok(())
}

/// The socket closes while rows are copied in, which must not appear.
pub(crate) fn gone_in_copy(session: &mut Session) -> Result<(), Trouble> {
    let (id, token) = (session.id, session.token());
    let mut connection = session.end()?;
    let mut frames = Frames::new().query("COPY public.inbox FROM STDIN");
    for _ in 0..50 {
        frames = frames.copy_data(format!("{id}\t{token}\n").as_bytes());
    }
    send(session, &mut connection, &frames)?;
    if session.random.once_in(2) {
        pause(session);
    }
    session.lose(token);
    drop(connection);
    Ok(())
}

/// The socket closes with replies of a pipeline outstanding.
pub(crate) fn gone_in_pipeline(session: &mut Session) -> Result<(), Trouble> {
    let token = session.token();
    let mut connection = session.end()?;
    let mut frames = Frames::new();
    for _ in 0..20 {
        frames = frames.extended("SELECT $1::text", &[&token]).sync();
    }
    // The last segment has no Sync.
    frames = frames.extended("SELECT $1::text", &[&token]);
    send(session, &mut connection, &frames)?;
    if session.random.once_in(2) {
        pause(session);
    }
    drop(connection);
    Ok(())
}

/// The socket closes in the middle of a frame.
pub(crate) fn gone_in_frame(session: &mut Session) -> Result<(), Trouble> {
    let token = session.token();
    let mut connection = session.end()?;
    let whole = Frames::new().extended("SELECT $1::text", &[&token]).sync();
    let bytes = whole.as_bytes();
    let cut = 1 + usize::try_from(session.random.below(60)).expect("below 60");
    let part = Frames::new().bytes(&bytes[..cut.min(bytes.len() - 1)]);
    send(session, &mut connection, &part)?;
    if session.random.once_in(2) {
        pause(session);
    }
    drop(connection);
    Ok(())
}

/// The socket closes while a statement runs.
pub(crate) fn gone_in_statement(session: &mut Session) -> Result<(), Trouble> {
    let mut connection = session.end()?;
    send(session, &mut connection, &Frames::new().query("SELECT pg_sleep(0.3)"))?;
    pause(session);
    drop(connection);
    Ok(())
}
