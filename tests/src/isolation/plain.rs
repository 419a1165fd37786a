//! Operations without a transaction: echoes, prepared statements, pipelines, errors.

use super::session::{Session, Trouble};
use crate::raw::{Frames, Transcript};

/// Names of prepared statements: the same for all clients, with a different text for each.
const NAMES: [&str; 4] = ["s0", "s1", "s2", "a statement with spaces"];
/// One text for all clients.
const SHARED: &str = "SELECT $1::text || current_setting('application_name')";

/// A token through a simple query.
pub(crate) fn simple_echo(session: &mut Session) -> Result<(), Trouble> {
    let token = session.token();
    session.simple(&format!("SELECT '{token}'"), "T D C Z(I)", &[&token])
}

/// A token as a parameter.
pub(crate) fn extended_echo(session: &mut Session) -> Result<(), Trouble> {
    let token = session.token();
    let seen = session.exchange(&Frames::new().extended("SELECT $1::text", &[&token]).sync(), 1)?;
    session.expect("extended echo", &seen, "1 2 T D C Z(I)", &[&token])
}

/// Closes a name and gives it a new text.
pub(crate) fn parse(session: &mut Session) -> Result<(), Trouble> {
    let name = *session.random.pick(&NAMES);
    let marker = session.token();
    let sql = format!("SELECT '{marker}' || ' ' || $1::text");
    let frames =
        Frames::new().close_statement(name).parse(name, &sql).describe_statement(name).sync();
    let seen = session.exchange(&frames, 1)?;
    session.model.statements.remove(name);
    session.expect("parse", &seen, "3 1 t T Z(I)", &[])?;
    session.model.statements.insert(name.to_owned(), marker);
    Ok(())
}

/// Executes a name, whether it exists or not.
pub(crate) fn execute(session: &mut Session) -> Result<(), Trouble> {
    let name = *session.random.pick(&NAMES);
    let token = session.token();
    let seen = session.exchange(&Frames::new().execute_prepared(name, &[&token]).sync(), 1)?;
    match session.model.statements.get(name).cloned() {
        Some(marker) => {
            session.expect("prepared", &seen, "2 D C Z(I)", &[&format!("{marker} {token}")])
        }
        None => session.expect("not prepared", &seen, "E(26000) Z(I)", &[]),
    }
}

/// A text that all clients use, under one name, whose answer depends on the session.
pub(crate) fn execute_shared(session: &mut Session) -> Result<(), Trouble> {
    let token = session.token();
    let value = format!("{token}{}", session.model.state.settings["application_name"]);
    let frames = Frames::new()
        .close_statement("shared")
        .parse("shared", SHARED)
        .execute_prepared("shared", &[&token])
        .sync()
        .execute_prepared("shared", &[&token])
        .close_statement("shared")
        .sync();
    let seen = session.exchange(&frames, 2)?;
    session.expect("shared text", &seen, "3 1 2 D C Z(I) 2 D C 3 Z(I)", &[&value, &value])
}

/// Closes a name.
pub(crate) fn close(session: &mut Session) -> Result<(), Trouble> {
    let name = *session.random.pick(&NAMES);
    let seen = session.exchange(&Frames::new().close_statement(name).sync(), 1)?;
    session.model.statements.remove(name);
    session.expect("close", &seen, "3 Z(I)", &[])
}

/// `DEALLOCATE ALL`, a Parse of the same name right behind it.
pub(crate) fn deallocate_all(session: &mut Session) -> Result<(), Trouble> {
    let marker = session.token();
    let token = session.token();
    let sql = format!("SELECT '{marker}' || ' ' || $1::text");
    let frames = Frames::new()
        .query("DEALLOCATE ALL")
        .parse("s0", &sql)
        .execute_prepared("s0", &[&token])
        .sync();
    let seen = session.exchange(&frames, 2)?;
    session.model.statements.clear();
    session.model.sql_statement = None;
    session.expect(
        "deallocate all",
        &seen,
        "C Z(I) 1 2 D C Z(I)",
        &[&format!("{marker} {token}")],
    )?;
    session.model.statements.insert("s0".to_owned(), marker);
    Ok(())
}

/// Splits what came at each ReadyForQuery.
fn segments(transcript: Transcript) -> Vec<Transcript> {
    let mut all = Vec::new();
    let mut open = Vec::new();
    for reply in transcript.0 {
        let last = reply.tag == b'Z';
        open.push(reply);
        if last {
            all.push(Transcript(std::mem::take(&mut open)));
        }
    }
    all
}

/// Several segments in one write, some of which fail in the middle.
pub(crate) fn pipeline(session: &mut Session) -> Result<(), Trouble> {
    let mut frames = Frames::new();
    let mut expected = Vec::new();
    for _ in 0..2 + session.random.below(8) {
        let token = session.token();
        let known =
            session.model.statements.iter().next().map(|(name, text)| (name.clone(), text.clone()));
        let (more, shape, values) = match (session.random.below(6), known) {
            (0, _) => {
                let failing = Frames::new()
                    .extended("SELECT $1::text", &[&token])
                    .extended("SELECT 1 / 0", &[])
                    .extended("SELECT 'never'", &[])
                    .sync();
                (failing, "1 2 T D C 1 E(22012) Z(I)", vec![token])
            }
            (1, _) => {
                let wrong =
                    Frames::new().parse("", "SELEC 1").bind("", "", &[]).execute("", 0).sync();
                (wrong, "E(42601) Z(I)", vec![])
            }
            (2, _) => {
                (Frames::new().query(&format!("SELECT '{token}'")), "T D C Z(I)", vec![token])
            }
            (3, Some((name, marker))) => {
                let frames = Frames::new().execute_prepared(&name, &[&token]).sync();
                (frames, "2 D C Z(I)", vec![format!("{marker} {token}")])
            }
            (4, _) => {
                let second = format!("{token} again");
                let frames = Frames::new()
                    .extended("SELECT $1::text", &[&token])
                    .flush()
                    .extended("SELECT $1::text", &[&second])
                    .sync();
                (frames, "1 2 T D C 1 2 T D C Z(I)", vec![token, second])
            }
            _ => {
                let frames = Frames::new().extended("SELECT $1::text", &[&token]).sync();
                (frames, "1 2 T D C Z(I)", vec![token])
            }
        };
        frames = frames.then(&more);
        expected.push((shape, values));
    }
    let seen = segments(session.exchange(&frames, expected.len())?);
    for (seen, (shape, values)) in seen.iter().zip(&expected) {
        let values: Vec<_> = values.iter().map(String::as_str).collect();
        session.expect("pipeline", seen, shape, &values)?;
    }
    Ok(())
}

/// Statements that fail, each with a message that carries a token.
pub(crate) fn error(session: &mut Session) -> Result<(), Trouble> {
    let token = session.token();
    let sql = format!("SELECT '{token}'::integer");
    let extended = session.random.once_in(2);
    let frames = Frames::new();
    let frames = if extended { frames.extended(&sql, &[]).sync() } else { frames.query(&sql) };
    let seen = session.exchange(&frames, 1)?;
    session.expect("error", &seen, "E(22P02) Z(I)", &[])?;
    let message = seen.errors()[0].message.clone();
    if message.contains(&token) {
        Ok(())
    } else {
        Err(session.violation(&format!("the error of another: {message}")))
    }
}

/// Several statements in one query, the last of which may fail.
pub(crate) fn several_statements(session: &mut Session) -> Result<(), Trouble> {
    let (one, two) = (session.token(), session.token());
    if session.random.once_in(2) {
        let sql = format!("SELECT '{one}'; SELECT '{two}'");
        session.simple(&sql, "T D C T D C Z(I)", &[&one, &two])
    } else {
        // All of it is one transaction: the setting goes with the error.
        let sql = format!("SELECT '{one}'; SET work_mem = '77MB'; SELECT 1 / 0; SELECT '{two}'");
        session.simple(&sql, "T D C C E(22012) Z(I)", &[&one])?;
        session.check_state()
    }
}

/// Rows larger than any buffer.
pub(crate) fn large_rows(session: &mut Session) -> Result<(), Trouble> {
    let token = session.token();
    let sql = "SELECT repeat($1, 3000) FROM generate_series(1, 20)";
    let seen = session.exchange(&Frames::new().extended(sql, &[&token]).sync(), 1)?;
    let row = token.repeat(3000);
    session.expect("large rows", &seen, "1 2 T D*20 C Z(I)", &vec![row.as_str(); 20])
}
