//! One session of a soak client: its connection, its model, and the checks that every operation shares.

use std::sync::Arc;
use std::time::Instant;

use super::Shared;
use super::model::{Model, State};
use crate::raw::{Connection, Failure, Frames, Reply, Transcript};
use howdah_simulation::Random;

/// Why an operation did not end as it should.
#[derive(Debug)]
pub(crate) enum Trouble {
    /// Something was seen that PostgreSQL alone would never show.
    Violation(String),
    /// The operation does not fit the session's state now.
    Skipped,
}

/// A session.
pub(crate) struct Session {
    /// Number of the client.
    pub(crate) id: u64,
    pub(crate) random: Random,
    pub(crate) model: Model,
    pub(crate) shared: Arc<Shared>,
    /// `None` once it has ended.
    connection: Option<Connection>,
    /// Tokens of rows that must never be committed, because their session vanished.
    lost: Vec<String>,
    serial: u64,
    has_pin: bool,
    /// When this session last asked for a cancel.
    cancelled: Option<Instant>,
}

impl Session {
    /// Logs in with settings of its own, and checks that rows of sessions that vanished are not there.
    pub(crate) fn begin(
        id: u64,
        mut random: Random,
        shared: Arc<Shared>,
        lost: Vec<String>,
    ) -> Result<Self, Trouble> {
        let number = random.below(100);
        let name = format!("actor {id} {number}");
        let mut target = shared.plan.target.parameter("application_name", &name);
        let mut settings = std::collections::BTreeMap::from([
            ("application_name", name),
            ("work_mem", "4MB".to_owned()),
            ("search_path", "\"$user\", public".to_owned()),
            ("TimeZone", "Etc/UTC".to_owned()),
            ("statement_timeout", "0".to_owned()),
            ("soak.token", String::new()),
        ]);
        target = target.parameter("TimeZone", "Etc/UTC");
        if random.once_in(3) {
            let value = super::settings::memory(id, number);
            target = target.parameter("options", &format!("-c work_mem={value}"));
            settings.insert("work_mem", value);
        }
        let startup = State { settings, role: target.user.clone() };
        let connection = match target.connect() {
            Ok(connection) => connection,
            Err(failure) => return Err(Trouble::Violation(format!("login: {failure}"))),
        };
        let mut session = Self {
            id,
            random,
            model: Model::new(startup),
            shared,
            connection: Some(connection),
            lost: Vec::new(),
            serial: 0,
            has_pin: false,
            cancelled: None,
        };
        for token in lost {
            let sql = format!("SELECT count(*) FROM public.inbox WHERE token = '{token}'");
            let seen = session.exchange(&Frames::new().query(&sql), 1)?;
            session.expect(&sql, &seen, "T D C Z(I)", &["0"])?;
        }
        Ok(session)
    }

    /// The connection, which has not ended.
    pub(crate) fn connection(&mut self) -> Result<&mut Connection, Trouble> {
        self.connection.as_mut().ok_or(Trouble::Skipped)
    }

    /// Ends the session: the connection is the caller's to close or to drop.
    pub(crate) fn end(&mut self) -> Result<Connection, Trouble> {
        self.connection.take().ok_or(Trouble::Skipped)
    }

    /// A text that nobody else sends.
    pub(crate) fn token(&mut self) -> String {
        self.serial += 1;
        format!("token {} {} {:x}", self.id, self.serial, self.random.next())
    }

    /// The channel of this client.
    pub(crate) fn channel(&self) -> String {
        format!("channel_{}", self.id)
    }

    /// Rows with this token must never be seen by anybody later.
    pub(crate) fn lose(&mut self, token: String) {
        self.lost.push(token);
    }

    /// What was lost, for the next session to check.
    pub(crate) fn take_lost(&mut self) -> Vec<String> {
        std::mem::take(&mut self.lost)
    }

    /// The right to pin a server until the session ends.
    pub(crate) fn pin(&mut self) -> Result<(), Trouble> {
        if !self.has_pin {
            self.has_pin = self.shared.take_pin();
        }
        if self.has_pin { Ok(()) } else { Err(Trouble::Skipped) }
    }

    /// Something is wrong.
    pub(crate) fn violation(&self, what: &str) -> Trouble {
        let cancelled = match self.cancelled {
            Some(at) if what.contains("57014") => format!(" (own cancel {:?} ago)", at.elapsed()),
            _ => String::new(),
        };
        Trouble::Violation(format!("client {}: {what}{cancelled}", self.id))
    }

    /// Asks for a cancel of what this session runs, and waits until the request was taken.
    pub(crate) fn cancel(&mut self) -> Result<(), Trouble> {
        let taken = self.connection()?.try_cancel();
        self.cancelled = Some(Instant::now());
        taken.map_err(|failure| self.violation(&format!("cancel request: {failure}")))
    }

    /// Sends frames and reads so many ReadyForQuery; asynchronous messages are checked and left out.
    pub(crate) fn exchange(
        &mut self,
        frames: &Frames,
        count: usize,
    ) -> Result<Transcript, Trouble> {
        let read = self.connection()?.exchange(frames, count);
        self.checked(frames, read)
    }

    /// Reads up to so many frames with this tag, after frames.
    pub(crate) fn exchange_until(
        &mut self,
        frames: &Frames,
        tag: u8,
        count: usize,
    ) -> Result<Transcript, Trouble> {
        let connection = self.connection()?;
        let read = connection.send(frames).and_then(|()| connection.until(tag, count));
        self.checked(frames, read)
    }

    fn checked(
        &self,
        frames: &Frames,
        read: Result<Transcript, Failure>,
    ) -> Result<Transcript, Trouble> {
        let transcript = read.map_err(|failure| {
            let asked = frames.as_bytes().iter().take(200).copied().collect::<Vec<_>>();
            self.violation(&format!("{failure} after {}", asked.escape_ascii()))
        })?;
        let mut kept = Vec::new();
        for reply in transcript.0 {
            match reply.tag {
                b'S' => self.check_parameter(&reply)?,
                b'A' => self.check_notification(&reply)?,
                _ => kept.push(reply),
            }
        }
        Ok(Transcript(kept))
    }

    /// A reported setting may only be one of this client's, or the server's default, which tells of nobody.
    fn check_parameter(&self, reply: &Reply) -> Result<(), Trouble> {
        let Some((name, value)) = reply.parameter() else {
            return Err(self.violation(&format!("not a parameter: {reply:?}")));
        };
        let own = match name.as_str() {
            "application_name" => {
                value.is_empty() || value.starts_with(&format!("actor {} ", self.id))
            }
            "TimeZone" => {
                value.ends_with("UTC") || super::settings::zones(self.id).contains(&value)
            }
            _ => true,
        };
        if own {
            Ok(())
        } else {
            Err(self.violation(&format!("foreign parameter {name} = {value}")))
        }
    }

    /// A notification may only be from this client's channel.
    fn check_notification(&self, reply: &Reply) -> Result<(), Trouble> {
        let own = reply.notification().is_some_and(|(channel, payload)| {
            self.model.listening
                && channel == self.channel()
                && payload.starts_with(&format!("token {} ", self.id))
        });
        if own { Ok(()) } else { Err(self.violation(&format!("foreign notification {reply:?}"))) }
    }

    /// The transcript must have this shape, and the first columns of its rows these values.
    pub(crate) fn expect(
        &self,
        what: &str,
        seen: &Transcript,
        summary: &str,
        values: &[&str],
    ) -> Result<(), Trouble> {
        if seen.summary() != summary {
            let text =
                format!("{what}: {} instead of {summary}: {:?}", seen.summary(), seen.errors());
            return Err(self.violation(&text));
        }
        let seen = seen.values();
        if seen != values {
            return Err(self.violation(&format!("{what}: {seen:?} instead of {values:?}")));
        }
        Ok(())
    }

    /// A simple query with the shape and values of its answer.
    pub(crate) fn simple(
        &mut self,
        sql: &str,
        summary: &str,
        values: &[&str],
    ) -> Result<(), Trouble> {
        let seen = self.exchange(&Frames::new().query(sql), 1)?;
        self.expect(sql, &seen, summary, values)
    }

    /// A simple query without rows, outside of a transaction before and after.
    pub(crate) fn command(&mut self, sql: &str) -> Result<(), Trouble> {
        self.simple(sql, "C Z(I)", &[])
    }

    /// Everything that can be seen of the session's state is as the model says.
    pub(crate) fn check_state(&mut self) -> Result<(), Trouble> {
        let token = self.token();
        let sql = Model::query(&token);
        let (frames, shape) = if self.random.once_in(2) {
            (Frames::new().query(&sql), "T D C Z(I)")
        } else {
            (Frames::new().extended(&sql, &[]).sync(), "1 2 T D C Z(I)")
        };
        let seen = self.exchange(&frames, 1)?;
        self.expect("state check", &seen, shape, &[&token])?;
        let rows = seen.rows();
        let row: Vec<String> =
            rows[0].iter().map(|value| value.clone().unwrap_or_default()).collect();
        let expected = self.model.expected(&token, &self.shared.plan.target.user);
        if row == expected {
            Ok(())
        } else {
            Err(self.violation(&format!("state {row:?} instead of {expected:?}")))
        }
    }
}

impl Drop for Session {
    fn drop(&mut self) {
        drop(self.connection.take());
        if self.has_pin {
            self.shared.return_pin();
        }
    }
}
