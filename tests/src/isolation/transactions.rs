//! Operations inside transactions.

use super::session::{Session, Trouble};
use super::settings::choice;
use crate::raw::Frames;

/// A setting that is kept by COMMIT and undone by ROLLBACK.
pub(crate) fn set_in_transaction(session: &mut Session) -> Result<(), Trouble> {
    let before = session.model.state.clone();
    session.simple("BEGIN", "C Z(T)", &[])?;
    for _ in 0..1 + session.random.below(3) {
        let (name, written, shown) = choice(session);
        session.simple(&format!("SET {name} = {written}"), "C Z(T)", &[])?;
        session.simple(&format!("SELECT current_setting('{name}')"), "T D C Z(T)", &[&shown])?;
        session.model.state.settings.insert(name, shown);
    }
    if session.random.once_in(3) {
        session.simple("SET ROLE role_b", "C Z(T)", &[])?;
        session.model.state.role = "role_b".to_owned();
    }
    if session.random.once_in(2) {
        session.command("COMMIT")?;
    } else {
        session.command("ROLLBACK")?;
        session.model.state = before;
    }
    session.check_state()
}

/// Settings of a savepoint that is rolled back to, or released.
pub(crate) fn savepoint(session: &mut Session) -> Result<(), Trouble> {
    session.simple("BEGIN", "C Z(T)", &[])?;
    let (name, written, shown) = choice(session);
    session.simple(&format!("SET {name} = {written}"), "C Z(T)", &[])?;
    session.model.state.settings.insert(name, shown);
    let outer = session.model.state.clone();
    session.simple("SAVEPOINT here", "C Z(T)", &[])?;
    let (name, written, shown) = choice(session);
    session.simple(&format!("SET {name} = {written}"), "C Z(T)", &[])?;
    session.model.state.settings.insert(name, shown);
    match session.random.below(3) {
        0 => session.simple("RELEASE here", "C Z(T)", &[])?,
        1 => {
            session.simple("ROLLBACK TO here", "C Z(T)", &[])?;
            session.model.state = outer;
        }
        _ => {
            session.simple("SELECT 1 / 0", "E(22012) Z(E)", &[])?;
            session.simple("ROLLBACK TO SAVEPOINT here", "C Z(T)", &[])?;
            session.model.state = outer;
        }
    }
    session.command("COMMIT")?;
    session.check_state()
}

/// `SET LOCAL` ends with its transaction.
pub(crate) fn set_local(session: &mut Session) -> Result<(), Trouble> {
    session.simple("BEGIN", "C Z(T)", &[])?;
    let (name, written, shown) = choice(session);
    session.simple(&format!("SET LOCAL {name} = {written}"), "C Z(T)", &[])?;
    session.simple(&format!("SELECT current_setting('{name}')"), "T D C Z(T)", &[&shown])?;
    let end = *session.random.pick(&["COMMIT", "ROLLBACK", "END"]);
    session.command(end)?;
    session.check_state()
}

/// Rows written in a transaction are there for it alone, and gone after ROLLBACK.
pub(crate) fn transaction(session: &mut Session) -> Result<(), Trouble> {
    let (id, token) = (session.id, session.token());
    session.simple("BEGIN", "C Z(T)", &[])?;
    session.simple("SELECT pg_backend_pid() = pg_backend_pid()", "T D C Z(T)", &["t"])?;
    let insert = format!("INSERT INTO public.inbox VALUES ({id}, $1)");
    let seen = session.exchange(&Frames::new().extended(&insert, &[&token]).sync(), 1)?;
    session.expect("insert", &seen, "1 2 n C Z(T)", &[])?;
    let count = format!("SELECT count(*) FROM public.inbox WHERE token = '{token}'");
    session.simple(&count, "T D C Z(T)", &["1"])?;
    session.command("ROLLBACK")?;
    session.simple(&count, "T D C Z(I)", &["0"])
}

/// A transaction that failed refuses everything up to its end.
pub(crate) fn failed_transaction(session: &mut Session) -> Result<(), Trouble> {
    let token = session.token();
    session.simple("BEGIN", "C Z(T)", &[])?;
    session.simple("SET work_mem = '99MB'", "C Z(T)", &[])?;
    session.simple("SELECT 1 / 0", "E(22012) Z(E)", &[])?;
    session.simple(&format!("SELECT '{token}'"), "E(25P02) Z(E)", &[])?;
    let seen = session.exchange(&Frames::new().extended("SELECT $1::text", &[&token]).sync(), 1)?;
    session.expect("in a failed transaction", &seen, "E(25P02) Z(E)", &[])?;
    let end = *session.random.pick(&["COMMIT", "ROLLBACK"]);
    session.command(end)?;
    session.check_state()
}

/// A portal fetched in parts, with Flush and with Sync.
pub(crate) fn suspended_portal(session: &mut Session) -> Result<(), Trouble> {
    let token = session.token();
    let sql = "SELECT $1::text || n FROM generate_series(1, 5) AS n";
    let value = |n: u32| format!("{token}{n}");
    let frames = Frames::new()
        .query("BEGIN")
        .parse("", sql)
        .bind("part", "", &[&token])
        .execute("part", 2)
        .flush();
    let seen = session.exchange_until(&frames, b's', 1)?;
    session.expect("first part", &seen, "C Z(T) 1 2 D D s", &[&value(1), &value(2)])?;
    let seen = session.exchange(&Frames::new().execute("part", 2).sync(), 1)?;
    session.expect("second part", &seen, "D D s Z(T)", &[&value(3), &value(4)])?;
    let seen =
        session.exchange(&Frames::new().execute("part", 2).close_portal("part").sync(), 1)?;
    session.expect("last part", &seen, "D C 3 Z(T)", &[&value(5)])?;
    session.command("COMMIT")
}

/// A cursor that ends with its transaction.
pub(crate) fn cursor(session: &mut Session) -> Result<(), Trouble> {
    let token = session.token();
    session.simple("BEGIN", "C Z(T)", &[])?;
    let declare = format!("DECLARE c CURSOR FOR SELECT '{token}' FROM generate_series(1, 3)");
    session.simple(&declare, "C Z(T)", &[])?;
    session.simple("FETCH 2 FROM c", "T D D C Z(T)", &[&token, &token])?;
    session.simple("FETCH 2 FROM c", "T D C Z(T)", &[&token])?;
    session.command("COMMIT")?;
    session.simple("FETCH 1 FROM c", "E(34000) Z(I)", &[])
}

/// A lock that ends with its transaction.
pub(crate) fn lock(session: &mut Session) -> Result<(), Trouble> {
    let key = 1_000_000 + session.id;
    session.simple("BEGIN", "C Z(T)", &[])?;
    session.simple(&format!("SELECT pg_try_advisory_xact_lock({key})"), "T D C Z(T)", &["t"])?;
    session.command("COMMIT")?;
    session.check_state()
}
