//! One client of the flight soak.

use std::sync::atomic::Ordering;
use std::time::Duration;

use super::{Mix, Shared};
use crate::raw::{Connection, Failure, Frames, Transcript};
use howdah_simulation::Random;

/// Values of `work_mem`, of which each client has one: clients with different settings must not fly together unaligned.
const MEMORY: [&str; 3] = ["4MB", "5MB", "6MB"];

/// A statement that tells the token it was given and the settings it ran under.
const ECHO: &str = "SELECT $1::text, current_setting('work_mem')";
/// A statement that fails for 0.
const DIVIDE: &str = "SELECT $1::text, 100 / $2::int";
/// A statement with several rows.
const ROWS: &str = "SELECT $1::text || '-' || g FROM generate_series(1, $2::int) g";
/// A statement that is short, but for now and then.
const SLEEP: &str = "SELECT $1::text, pg_sleep($2::float8)";
/// A statement whose reply is long now and then.
const BULK: &str = "SELECT $1::text, repeat('x', $2::int)";

/// From here on, of a thousand kinds, requests sleep,
const SLEEPING: u64 = 850;
/// and are cancelled.
const CANCELLED: u64 = 940;

/// How a request may end.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Ending {
    /// As PostgreSQL would end it.
    Plain,
    /// That, or as cancelled.
    Cancelled,
}

struct Client<'a> {
    shared: &'a Shared,
    connection: Connection,
    random: Random,
    memory: &'static str,
    name: String,
    asked: u64,
}

/// What ended a client's session early.
enum Trouble {
    Failed(&'static str, Failure),
    /// It went by itself.
    Left,
}

pub(super) fn run(shared: &Shared, number: u64) {
    let mut random = Random::new(shared.plan.seed.wrapping_mul(1_000_003).wrapping_add(number));
    let mut session = 0;
    while shared.running() {
        session += 1;
        let memory = MEMORY[usize::try_from(random.below(3)).expect("a small number")];
        let connection = match shared.plan.target.connect() {
            Ok(connection) => connection,
            Err(failure) => {
                shared.violation(format!("client {number} cannot connect: {failure:?}"));
                return;
            }
        };
        let name = format!("c{number}s{session}");
        let next = random.below(u64::MAX);
        let mut client =
            Client { shared, connection, random: Random::new(next), memory, name, asked: 0 };
        if let Err(Trouble::Failed(kind, failure)) = client.live() {
            shared.violation(format!("{}: {kind}: {failure:?}", client.name));
        }
    }
}

impl Client<'_> {
    fn live(&mut self) -> Result<(), Trouble> {
        // What is not a read may be lost with its server.
        let may_fail = self.shared.plan.killer.is_some();
        let failed = |kind| {
            move |failure| if may_fail { Trouble::Left } else { Trouble::Failed(kind, failure) }
        };
        let set = format!("SET work_mem = '{}'", self.memory);
        self.connection.query(&set).map_err(failed("set"))?;
        for (name, text) in [("e", ECHO), ("d", DIVIDE), ("r", ROWS), ("s", SLEEP), ("b", BULK)] {
            let frames = Frames::default().parse(name, text).sync();
            self.connection.exchange(&frames, 1).map_err(failed("parse"))?;
        }
        let length = 200 + self.random.below(2000);
        for _ in 0..length {
            if !self.shared.running() {
                return Ok(());
            }
            let kind = self.kind();
            let (name, result) = match kind {
                0..300 => ("prepared echo", self.echo(true)),
                300..500 => ("unnamed echo", self.echo(false)),
                500..650 => ("simple echo", self.simple()),
                650..750 => ("error", self.lossy(Self::divide)),
                750..SLEEPING => ("rows", self.rows()),
                SLEEPING..920 => ("sleep", self.sleep()),
                920..CANCELLED => ("bulk", self.lossy(Self::bulk)),
                CANCELLED..990 => ("cancelled", self.cancelled()),
                990..997 => ("slow reader", self.lossy(Self::slow_reader)),
                _ => {
                    self.abandon();
                    ("abandoned", Err(Trouble::Left))
                }
            };
            self.shared.asked.fetch_add(1, Ordering::Relaxed);
            if matches!(result, Ok(()) | Err(Trouble::Left)) {
                *self.shared.outcome.lock().counts.entry(name).or_default() += 1;
            }
            result?;
        }
        Ok(())
    }

    /// What is asked next.
    fn kind(&mut self) -> u64 {
        let any = self.random.below(1000);
        match self.shared.plan.mix {
            Mix::All => any,
            Mix::Cancels if any < 125 => CANCELLED,
            // Of the others those that are short, and so share servers.
            Mix::Cancels => self.random.below(SLEEPING),
        }
    }

    /// A request of whose answer a part may have reached the client when its server is killed (long rows, or an error before
    /// its ReadyForQuery): the client has to be told then.
    fn lossy(&mut self, ask: fn(&mut Self) -> Result<(), Trouble>) -> Result<(), Trouble> {
        match ask(self) {
            Err(Trouble::Failed(_, Failure::Closed)) if self.shared.plan.killer.is_some() => {
                Err(Trouble::Left)
            }
            result => result,
        }
    }

    fn token(&mut self) -> String {
        self.asked += 1;
        format!("{}q{}", self.name, self.asked)
    }

    /// Runs one of the five statements, prepared or not, and returns the rows; errors by their code.
    fn ask(
        &mut self,
        (name, text): (&str, &str),
        parameters: &[&str],
        prepared: bool,
    ) -> Result<Transcript, Failure> {
        let frames = if prepared {
            let mut frames = Frames::default().bind("", name, parameters);
            if self.random.below(2) == 0 {
                frames = frames.describe_portal("");
            }
            frames.execute("", 0).sync()
        } else {
            Frames::default().extended(text, parameters).sync()
        };
        self.connection.exchange(&frames, 1)
    }

    fn echo(&mut self, prepared: bool) -> Result<(), Trouble> {
        let token = self.token();
        let reply = self.ask(("e", ECHO), &[&token], prepared);
        let wanted = vec![vec![Some(token), Some(self.memory.to_owned())]];
        self.expect("echo", reply, &wanted, Ending::Plain)
    }

    fn simple(&mut self) -> Result<(), Trouble> {
        let token = self.token();
        let sql = format!("SELECT '{token}', current_setting('work_mem')");
        let reply = self.connection.query(&sql);
        let wanted = vec![vec![Some(token), Some(self.memory.to_owned())]];
        self.expect("simple", reply, &wanted, Ending::Plain)
    }

    fn divide(&mut self) -> Result<(), Trouble> {
        let token = self.token();
        let zero = self.random.below(2) == 0;
        let prepared = self.random.below(2) == 0;
        let reply = self.ask(("d", DIVIDE), &[&token, if zero { "0" } else { "7" }], prepared);
        if !zero {
            let wanted = vec![vec![Some(token), Some("14".to_owned())]];
            return self.expect("divide", reply, &wanted, Ending::Plain);
        }
        let reply = reply.map_err(|failure| Trouble::Failed("divide", failure))?;
        let codes: Vec<String> = reply.errors().into_iter().map(|error| error.code).collect();
        if codes != ["22012"] || !reply.rows().is_empty() {
            self.shared.violation(format!("{token}: an error was answered by {reply:?}"));
        }
        Ok(())
    }

    fn rows(&mut self) -> Result<(), Trouble> {
        let (token, count) = (self.token(), self.random.below(60));
        let prepared = self.random.below(2) == 0;
        let reply = self.ask(("r", ROWS), &[&token, &count.to_string()], prepared);
        let wanted: Vec<_> = (1..=count).map(|g| vec![Some(format!("{token}-{g}"))]).collect();
        self.expect("rows", reply, &wanted, Ending::Plain)
    }

    fn sleep(&mut self) -> Result<(), Trouble> {
        let token = self.token();
        let time = self.pause(50);
        let reply = self.ask(("s", SLEEP), &[&token, time], true);
        let wanted = vec![vec![Some(token), Some(String::new())]];
        self.expect("sleep", reply, &wanted, Ending::Plain)
    }

    /// How long a statement sleeps, in seconds: mostly not at all, now and then for as long as still counts as short, and
    /// once in `seldom` for long.
    fn pause(&mut self, seldom: u64) -> &'static str {
        if self.random.below(seldom) == 0 {
            "0.1"
        } else if self.random.below(6) == 0 {
            "0.002"
        } else {
            "0"
        }
    }

    fn bulk(&mut self) -> Result<(), Trouble> {
        let token = self.token();
        let length = if self.random.below(50) == 0 { 1_500_000 } else { 40 };
        let reply = self.ask(("b", BULK), &[&token, &length.to_string()], true);
        self.expect_bulk(token, length, reply)
    }

    fn expect_bulk(
        &self,
        token: String,
        length: usize,
        reply: Result<Transcript, Failure>,
    ) -> Result<(), Trouble> {
        let wanted = vec![vec![Some(token), Some("x".repeat(length))]];
        self.expect("bulk", reply, &wanted, Ending::Plain)
    }

    /// Asks and, before the answer is read, cancels.
    fn cancelled(&mut self) -> Result<(), Trouble> {
        let failed = |failure| Trouble::Failed("cancelled", failure);
        let token = self.token();
        let (frames, answer) = match self.shared.plan.mix {
            Mix::All => {
                let time = self.pause(100);
                (Frames::default().bind("", "s", &[&token, time]), String::new())
            }
            Mix::Cancels => (Frames::default().bind("", "e", &[&token]), self.memory.to_owned()),
        };
        self.connection.send(&frames.execute("", 0).sync()).map_err(failed)?;
        if self.random.below(2) == 0 {
            std::thread::sleep(Duration::from_micros(self.random.below(500)));
        }
        self.connection.try_cancel().map_err(failed)?;
        let reply = self.connection.until(b'Z', 1);
        let wanted = vec![vec![Some(token), Some(answer)]];
        self.expect("cancelled", reply, &wanted, Ending::Cancelled)
    }

    /// Lets a reply of some length wait.
    fn slow_reader(&mut self) -> Result<(), Trouble> {
        let failed = |failure| Trouble::Failed("slow reader", failure);
        let (token, length) = (self.token(), 600_000);
        let frames =
            Frames::default().bind("", "b", &[&token, &length.to_string()]).execute("", 0).sync();
        self.connection.send(&frames).map_err(failed)?;
        std::thread::sleep(Duration::from_millis(30));
        let reply = self.connection.until(b'Z', 1);
        self.expect_bulk(token, length, reply)
    }

    /// Asks and goes without waiting for the answer.
    fn abandon(&mut self) {
        let token = self.token();
        let frames = Frames::default().bind("", "e", &[&token]).execute("", 0).sync();
        // Whether it arrives does not matter.
        let _ = self.connection.send(&frames);
        let _ = self.connection.finish_sending();
    }

    fn expect(
        &self,
        kind: &'static str,
        reply: Result<Transcript, Failure>,
        wanted: &[Vec<Option<String>>],
        ending: Ending,
    ) -> Result<(), Trouble> {
        let reply = reply.map_err(|failure| Trouble::Failed(kind, failure))?;
        let codes: Vec<String> = reply.errors().into_iter().map(|error| error.code).collect();
        let cancelled = ending == Ending::Cancelled && codes == ["57014"];
        // PostgreSQL may look for the cancel request after it has sent the row, before it says that it is done.
        if cancelled && wanted.starts_with(&reply.rows()) {
            self.shared.outcome.lock().stopped += 1;
            return Ok(());
        }
        if !codes.is_empty() || reply.rows() != wanted {
            let short: String = format!("{reply:?}").chars().take(2000).collect();
            self.shared.violation(format!(
                "{}: {kind}: {:?} was answered by {short}",
                self.name,
                wanted.first().and_then(|row| row.first())
            ));
        }
        Ok(())
    }
}
