//! COPY in both directions.

use super::session::{Session, Trouble};
use crate::raw::Frames;

/// Every line carries the token.
pub(crate) fn copy_out(session: &mut Session) -> Result<(), Trouble> {
    let token = session.token();
    let lines = 1 + session.random.below(2000);
    let sql = format!("COPY (SELECT '{token}' FROM generate_series(1, {lines})) TO STDOUT");
    let extended = session.random.once_in(2);
    let frames = Frames::new();
    let frames = if extended { frames.extended(&sql, &[]).sync() } else { frames.query(&sql) };
    let seen = session.exchange(&frames, 1)?;
    let line = format!("{token}\n");
    let expected = line.repeat(usize::try_from(lines).expect("a few thousand"));
    if seen.copied() != expected.as_bytes() {
        return Err(session.violation(&format!("foreign data in COPY: {}", seen.summary())));
    }
    let end: Vec<_> = seen.0.iter().rev().take(3).map(|reply| char::from(reply.tag)).collect();
    if end == ['Z', 'C', 'c'] {
        Ok(())
    } else {
        Err(session.violation(&format!("end of COPY: {}", seen.summary())))
    }
}

/// What was copied in is there, once, and nothing else.
pub(crate) fn copy_in(session: &mut Session) -> Result<(), Trouble> {
    let (id, token) = (session.id, session.token());
    let lines = 1 + session.random.below(300);
    let sql = "COPY public.inbox FROM STDIN";
    let extended = session.random.once_in(2);
    let line = format!("{id}\t{token}\n");
    let mut frames = if extended {
        Frames::new().parse("", sql).bind("", "", &[]).execute("", 0)
    } else {
        Frames::new().query(sql)
    };
    // As libpq: Sync right behind Execute, and again at the end.
    if extended {
        frames = frames.sync();
        session
            .connection()?
            .send(&frames)
            .map_err(|failure| session.violation(&failure.to_string()))?;
        frames = Frames::new();
    }
    for _ in 0..lines {
        frames = frames.copy_data(line.as_bytes());
    }
    frames = frames.copy_done();
    if extended {
        frames = frames.sync();
    }
    let seen = session.exchange(&frames, 1)?;
    let shape = if extended { "1 2 G C Z(I)" } else { "G C Z(I)" };
    session.expect("copy in", &seen, shape, &[])?;
    if seen.commands() != [format!("COPY {lines}")] {
        return Err(session.violation(&format!("copied {:?} instead of {lines}", seen.commands())));
    }
    let sql = format!("SELECT count(*) FROM public.inbox WHERE token = '{token}'");
    session.simple(&sql, "T D C Z(I)", &[&lines.to_string()])?;
    session.command(&format!("DELETE FROM public.inbox WHERE token = '{token}'"))
}

/// A COPY that the client gives up leaves nothing.
pub(crate) fn copy_fail(session: &mut Session) -> Result<(), Trouble> {
    let (id, token) = (session.id, session.token());
    let frames = Frames::new()
        .query("COPY public.inbox FROM STDIN")
        .copy_data(format!("{id}\t{token}\n").as_bytes())
        .copy_fail(&token);
    let seen = session.exchange(&frames, 1)?;
    session.expect("copy fail", &seen, "G E(57014) Z(I)", &[])?;
    let message = seen.errors()[0].message.clone();
    if !message.contains(&token) {
        return Err(session.violation(&format!("the error of another: {message}")));
    }
    let sql = format!("SELECT count(*) FROM public.inbox WHERE token = '{token}'");
    session.simple(&sql, "T D C Z(I)", &["0"])
}
