//! A model client: connects, works, waits, leaves in good or bad manners, and checks every answer against what a PostgreSQL of
//! its own would have said. What it asks for is `plan`.
//!
//! Length: a connection, from its login to its end, and what it puts up with are read together.
//!
//! Invariant: whatever it is told is the answer to what it asked, and to nothing else.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::io;
use std::pin::Pin;
use std::rc::Rc;
use std::time::Duration;

use howdah_wire::startup;
use tokio::io::{AsyncReadExt, AsyncWriteExt, DuplexStream};
use tokio::task::JoinHandle;
use tokio::time::{Instant, sleep, timeout};

use crate::book::{Book, Fate};
use crate::line::{Line, Weather};
use crate::log::{Log, Who};
use crate::machine::{Machine, Message, Step};
use crate::plan::{Mode, Plan};
use crate::random::Random;
use crate::reply::Reply;
use crate::session::REPORTED;

/// No answer takes longer than this, whatever befalls the servers.
const PATIENCE: Duration = Duration::from_secs(30 * 60);

/// A way in: a stream that holds so many bytes in each direction.
pub type Door = Rc<dyn Fn(usize) -> Pin<Box<dyn Future<Output = DuplexStream>>>>;

/// What clients do.
#[derive(Debug, Clone)]
pub struct Habits {
    /// Databases, with the word for their pooling mode.
    pub databases: Vec<(String, String)>,
    /// Users.
    pub users: Vec<String>,
    /// Whatever clients do by themselves, from thinking to being away, is so many times quicker.
    pub haste: u32,
    /// Statements are short but for a few.
    pub quick: bool,
}

/// What clients put up with.
#[derive(Debug, Clone, Copy)]
pub struct Strictness {
    /// Nothing befalls servers and settings, so only overload is an excuse.
    pub calm: bool,
    /// How long a request may wait for a server before it may be refused.
    pub checkout_timeout: Duration,
    /// Requests to this database may be cancelled for running too long, and clients that take too long for the answer left.
    pub hasty: &'static str,
}

/// Why a session is over.
#[derive(Debug)]
enum Over {
    /// The other side said so, with this SQLSTATE.
    Told(String),
    /// The other side closed without a word.
    Closed,
    /// The client has seen something that must not be.
    Wrong(String),
    /// The client leaves.
    Leaves(&'static str),
}

impl From<io::Error> for Over {
    fn from(_: io::Error) -> Self {
        Self::Closed
    }
}

/// One client, over all its sessions.
pub struct Client {
    number: u32,
    sessions: u32,
    random: Random,
    habits: Rc<Habits>,
    strictness: Strictness,
    door: Door,
    log: Log,
    book: Book,
}

impl fmt::Debug for Client {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Client").field("number", &self.number).finish_non_exhaustive()
    }
}

impl Client {
    /// A client that has not connected yet.
    #[must_use]
    pub fn new(
        number: u32,
        random: Random,
        (habits, strictness): (Rc<Habits>, Strictness),
        door: Door,
        (log, book): (Log, Book),
    ) -> Self {
        Self { number, sessions: 0, random, habits, strictness, door, log, book }
    }

    /// Lives until then, and ends its last session if it can.
    pub async fn live(mut self, until: Instant) {
        let haste = self.habits.haste;
        sleep(self.random.time_below(Duration::from_secs(20)) / haste).await;
        while Instant::now() < until {
            self.session(until).await;
            let away = match self.random.below(20) {
                0..12 => Duration::from_secs(2),
                12..19 => Duration::from_secs(90),
                _ => Duration::from_secs(45 * 60),
            };
            sleep(self.random.time_below(away) / haste).await;
        }
    }

    async fn session(&mut self, until: Instant) {
        self.sessions += 1;
        let (database, mode) = self.random.pick(&self.habits.databases).clone();
        let user = self.random.pick(&self.habits.users).clone();
        let who = Who::Client(self.number);
        self.log.event(
            who,
            format_args!("connects to {database} as {user}: c{}.{}", self.number, self.sessions),
        );
        let mode = match mode.as_str() {
            "session" => Mode::Session,
            "statement" => Mode::Statement,
            _ => Mode::Transaction,
        };
        let room = 24 << self.random.below(12);
        let stream = (self.door)(room).await;
        let slow = self.random.percent(3);
        let weather = Rc::new(Weather::default());
        // In haste most of them read at once: who does not makes a statement slow for all.
        let hasty = self.habits.haste > 1;
        weather.delay.set(Duration::from_millis(match (slow, hasty) {
            (true, false) => 400,
            (false, false) => 3,
            (true, true) => 4,
            (false, true) => 0,
        }));
        weather.seldom.set(if hasty { 400 } else { 5 });
        let mut line = Line::new(stream, self.random.fork(), weather);
        if slow {
            line.sip = 1 + usize::try_from(self.random.below(300)).unwrap_or(0);
        }
        let mut session = Session {
            plan: Plan::new((self.number, self.sessions), mode, self.habits.quick),
            line,
            machine: Machine::default(),
            told: BTreeMap::new(),
            heard: BTreeSet::new(),
            key: (0, Vec::new()),
            hasty: database == self.strictness.hasty,
            skipped_unnamed: false,
            cancelling: None,
            asked: false,
            client: self,
        };
        let over = session.serve(&database, &user, until).await;
        if let Some(cancelling) = session.cancelling.take() {
            let _ = cancelling.await;
        }
        drop(session);
        self.judge(&over, database == self.strictness.hasty);
        self.book.forget((self.number, self.sessions));
    }

    fn judge(&self, over: &Over, hasty: bool) {
        let who = Who::Client(self.number);
        match over {
            Over::Wrong(what) => self.log.violation(who, format_args!("{what}")),
            Over::Told(code) => {
                let excused = matches!(
                    code.as_str(),
                    "57P01"
                        | "57P03"
                        | "08006"
                        | "08007"
                        | "08004"
                        | "53300"
                        | "28000"
                        | "28P01"
                        | "57014"
                        | "3D000"
                );
                let calm = self.strictness.calm && code != "53300" && !(hasty && code == "57014");
                if !excused || calm {
                    return self.log.violation(who, format_args!("is sent away with {code}"));
                }
                self.log.event(who, format_args!("is sent away with {code}"));
            }
            Over::Closed if self.strictness.calm && !hasty => {
                self.log.violation(who, format_args!("is left without a word"));
            }
            Over::Closed => self.log.event(who, format_args!("is left without a word")),
            Over::Leaves(how) => self.log.event(who, format_args!("{how}")),
        }
    }
}

/// One connection.
struct Session<'a> {
    client: &'a mut Client,
    plan: Plan,
    line: Line,
    machine: Machine,
    /// Settings as the server reported them last.
    told: BTreeMap<String, String>,
    /// Channels that it has ever listened on.
    heard: BTreeSet<String>,
    key: (u32, Vec<u8>),
    hasty: bool,
    /// A Parse of the unnamed statement was skipped: PostgreSQL still has the one before it.
    skipped_unnamed: bool,
    /// A cancel request on its way.
    cancelling: Option<JoinHandle<()>>,
    /// It has sent a cancel request since the last request began.
    asked: bool,
}

impl Session<'_> {
    async fn serve(&mut self, database: &str, user: &str, until: Instant) -> Over {
        let result = timeout(PATIENCE, self.log_in(database, user)).await;
        match result {
            Err(_) => return Over::Wrong("no answer to the login".to_owned()),
            Ok(Err(over)) => return over,
            Ok(Ok(())) => {}
        }
        let requests = match self.plan.mode {
            Mode::Session => 1 + self.client.random.below(12),
            _ if self.client.random.percent(10) => 200,
            _ => 1 + self.client.random.below(40),
        };
        for _ in 0..requests {
            if Instant::now() >= until && self.machine.session.status() == b'I' {
                break;
            }
            match timeout(PATIENCE, self.turn()).await {
                Err(_) => return Over::Wrong("no answer".to_owned()),
                Ok(Err(over)) => return over,
                Ok(Ok(())) => {}
            }
        }
        if self.client.random.percent(75) {
            let mut out = Vec::new();
            Message::Terminate.encode(&mut out);
            // Whoever has closed before does not hear it.
            let _ = self.line.send(&out).await;
            return Over::Leaves("says goodbye");
        }
        Over::Leaves("hangs up")
    }

    async fn log_in(&mut self, database: &str, user: &str) -> Result<(), Over> {
        let random = &mut self.client.random;
        let mut settings = Vec::new();
        if random.percent(50) {
            let name = format!("c{}.{}", self.client.number, self.client.sessions);
            settings.push(("application_name", name));
        }
        if random.percent(15) {
            settings.push(("search_path", format!("login{}", self.client.number)));
        }
        if random.percent(10) {
            settings.push(("timezone", "Etc/login".to_owned()));
        }
        let mut parameters = vec![("user", user), ("database", database)];
        parameters.extend(settings.iter().map(|(name, value)| (*name, value.as_str())));
        let mut out = Vec::new();
        startup::startup(&mut out, 0, &parameters);
        self.line.send(&out).await?;
        let owned = settings.iter().map(|(name, value)| ((*name).to_owned(), value.clone()));
        self.machine = Machine::new(owned);
        loop {
            match self.reply().await? {
                Reply::LoggedIn => {}
                Reply::Key(process_id, secret) => self.key = (process_id, secret),
                Reply::Ready(b'I') => break,
                Reply::Error { fatal: true, code, .. } => return Err(Over::Told(code)),
                other => return Err(Over::Wrong(format!("at login: {}", other.brief()))),
            }
        }
        self.check_told()
    }

    /// One request, and the time before it.
    async fn turn(&mut self) -> Result<(), Over> {
        self.think().await?;
        if let Some(cancelling) = self.cancelling.take() {
            // As with PostgreSQL: when the connection for it is closed, nothing later is hit.
            let _ = cancelling.await;
        }
        self.asked = false;
        let messages = self.plan.request(&mut self.client.random, &self.machine);
        let mut bytes = Vec::new();
        for message in &messages {
            message.encode(&mut bytes);
        }
        let brief: Vec<String> = messages.iter().map(|message| format!("{message:?}")).collect();
        let status = char::from(self.machine.session.status());
        self.client.log.event(self.who(), format_args!("[{status}] asks {}", brief.join(" ")));
        let haste = self.client.habits.haste;
        let random = &mut self.client.random;
        match random.below(300) {
            0 => {
                let count = usize::try_from(random.below(bytes.len() as u64)).unwrap_or(0);
                self.line.send(&bytes[..count]).await?;
                if self.client.random.percent(50) {
                    sleep(Duration::from_secs(3) / haste).await;
                }
                return Err(Over::Leaves("hangs up in the middle of a request"));
            }
            1 => {
                self.line.send(&bytes).await?;
                let patience = Duration::from_millis(200);
                sleep(self.client.random.time_below(patience)).await;
                return Err(Over::Leaves("hangs up without waiting for the answer"));
            }
            2 => self.line.own_weather().freeze(Duration::from_secs(12) / haste),
            3..12 => self.cancel(),
            _ => {}
        }
        self.line.send(&bytes).await?;
        self.answers(messages).await
    }

    async fn think(&mut self) -> Result<(), Over> {
        let idle = self.machine.session.status() == b'I'
            && !self.machine.session.is_bound()
            && self.machine.session.channels().is_empty()
            && self.plan.mode != Mode::Session;
        let random = &mut self.client.random;
        let most = match random.below(100) {
            0..45 => return Ok(()),
            45..97 if !idle => Duration::from_millis(60),
            _ if !idle => Duration::from_secs(8),
            45..97 => Duration::from_secs(30),
            _ => Duration::from_secs(20 * 60),
        };
        let until = Instant::now() + random.time_below(most) / self.client.habits.haste;
        // Meanwhile it may be told something, or sent away.
        while Instant::now() < until {
            let slept = tokio::select! {
                biased;
                filled = self.line.fill() => filled?,
                () = tokio::time::sleep_until(until) => break,
            };
            while let Some(reply) = self.line.frame(Reply::decode) {
                match self.aside(reply)? {
                    None => {}
                    Some(Reply::Error { fatal: true, code, .. }) => return Err(Over::Told(code)),
                    Some(other) => {
                        return Err(Over::Wrong(format!("unasked: {}", other.brief())));
                    }
                }
            }
            if !slept {
                return Err(Over::Closed);
            }
        }
        Ok(())
    }

    /// Asks for what runs to be cancelled, soon.
    fn cancel(&mut self) {
        let (door, log, who) = (Rc::clone(&self.client.door), self.client.log.clone(), self.who());
        let wait =
            self.client.random.time_below(Duration::from_millis(400)) / self.client.habits.haste;
        let (process_id, secret) = self.key.clone();
        self.asked = true;
        self.cancelling = Some(tokio::task::spawn_local(async move {
            sleep(wait).await;
            let mut stream = door(64).await;
            let mut out = Vec::new();
            startup::cancel(&mut out, process_id, &secret);
            log.event(who, format_args!("asks for a cancel"));
            let mut byte = [0];
            if stream.write_all(&out).await.is_ok() {
                // Nothing is answered; the end of the connection is what is waited for.
                let _ = stream.read(&mut byte).await;
            }
            log.event(who, format_args!("its cancel request is done"));
        }));
    }

    /// Reads the answers to these messages and compares them with what PostgreSQL would say.
    async fn answers(&mut self, messages: Vec<Message>) -> Result<(), Over> {
        let mut asked = Instant::now();
        for message in messages {
            for step in self.machine.steps(message) {
                if self.machine.ignores(&step) {
                    self.skipped_unnamed |= is_unnamed_parse(&step);
                    continue;
                }
                self.skipped_unnamed &= !is_unnamed_parse(&step);
                let before = self.machine.clone();
                let mut expected = self.machine.apply(&step);
                let mut at = 0;
                while at < expected.len() {
                    let reply = self.reply().await?;
                    if is_answer(&expected[at], &reply, self.client.number, self.client.sessions) {
                        if matches!(reply, Reply::Ready(_)) {
                            self.settle()?;
                            asked = Instant::now();
                        }
                        at += 1;
                        continue;
                    }
                    let Some((code, text)) = self.excuse(&before, &step, at, asked, &reply)? else {
                        let expected = expected[at].brief();
                        let told =
                            format!("expected {expected}, got {} in {step:?}", reply.brief());
                        return Err(Over::Wrong(told));
                    };
                    self.client.log.event(self.who(), format_args!("gets {code}: {text}"));
                    self.machine = before.clone();
                    expected = self.machine.interrupt(&step, &code, &text);
                    at = 1;
                }
            }
        }
        Ok(())
    }

    /// Whether an answer that was not expected is an error that has to be put up with.
    fn excuse(
        &self,
        before: &Machine,
        step: &Step,
        at: usize,
        asked: Instant,
        reply: &Reply,
    ) -> Result<Option<(String, String)>, Over> {
        let Reply::Error { fatal, code, message } = reply else { return Ok(None) };
        if *fatal {
            return Err(Over::Told(code.clone()));
        }
        let strictness = self.client.strictness;
        let outside = before.session.status() == b'I';
        let excused = match code.as_str() {
            // A server that lacks the statement has to be sent it first, and says this to that.
            "25P02" => {
                before.session.has_failed() && matches!(step, Step::Message(Message::Describe(..)))
            }
            // Known: after a skipped Parse the unnamed statement before it is not there any more.
            "26000" => self.skipped_unnamed,
            "57014" => self.asked || self.hasty,
            // A client that waited in vain has waited; one that is refused at once is one of very many.
            "53300" => {
                outside
                    && (!strictness.calm
                        || asked.elapsed() + Duration::from_secs(1) >= strictness.checkout_timeout)
            }
            "57P03" | "08006" | "08007" | "08004" | "57P01" | "28P01" | "28000" => {
                outside && !strictness.calm
            }
            _ => false,
        };
        Ok((excused && at == 0).then(|| (code.clone(), message.clone())))
    }

    /// ReadyForQuery: what was promised is true.
    fn settle(&mut self) -> Result<(), Over> {
        let done = std::mem::take(&mut self.machine.session.done);
        let book = &self.client.book;
        for token in done.executed.into_iter().chain(done.read) {
            if book.fate(token).is_none() {
                return Err(Over::Wrong(format!("{token} was answered and never executed")));
            }
        }
        for token in done.committed {
            if book.fate(token) != Some(Fate::Committed) {
                return Err(Over::Wrong(format!("{token} should be committed")));
            }
        }
        for token in done.undone {
            if book.fate(token) == Some(Fate::Committed) {
                return Err(Over::Wrong(format!("{token} should not be committed")));
            }
        }
        self.heard.extend(self.machine.session.channels().iter().cloned());
        self.check_told()
    }

    /// The settings that a server reports are what they should be.
    fn check_told(&self) -> Result<(), Over> {
        for (name, spelled) in REPORTED {
            let (told, value) = (self.told.get(spelled), self.machine.session.value(name));
            if told != Some(&value) {
                let what = format!("was told that {name} is {told:?}, and it should be {value:?}");
                return Err(Over::Wrong(what));
            }
        }
        Ok(())
    }

    /// The next reply that answers something.
    async fn reply(&mut self) -> Result<Reply, Over> {
        loop {
            if let Some(reply) = self.line.frame(Reply::decode) {
                if let Some(reply) = self.aside(reply)? {
                    return Ok(reply);
                }
                continue;
            }
            if self.line.is_garbled() {
                return Err(Over::Wrong("what comes is not the protocol".to_owned()));
            }
            if !self.line.fill().await? {
                return Err(Over::Closed);
            }
        }
    }

    /// Takes what answers nothing.
    fn aside(&mut self, reply: Option<Reply>) -> Result<Option<Reply>, Over> {
        match reply {
            None => Err(Over::Wrong("a message that cannot be read".to_owned())),
            Some(Reply::Status(name, value)) => {
                self.told.insert(name, value);
                Ok(None)
            }
            Some(Reply::Notice(_)) => Ok(None),
            Some(Reply::Notification(channel, payload)) => {
                let listens = self.machine.session.channels().contains(&channel);
                if listens || self.heard.contains(&channel) {
                    self.client.log.event(self.who(), format_args!("hears {channel} {payload}"));
                    return Ok(None);
                }
                Err(Over::Wrong(format!("hears {channel} {payload} without listening")))
            }
            Some(reply) => Ok(Some(reply)),
        }
    }

    fn who(&self) -> Who {
        Who::Client(self.client.number)
    }
}

fn is_unnamed_parse(step: &Step) -> bool {
    matches!(step, Step::Message(Message::Parse(name, _)) if name.is_empty())
}

/// Whether a reply is the expected one. Sentences of errors are PostgreSQL's or somebody else's, unless a token is in them;
/// and what a session left unseen on a server may have been taken away since.
fn is_answer(expected: &Reply, reply: &Reply, client: u32, session: u32) -> bool {
    match (expected, reply) {
        (
            Reply::Error { code, message, .. },
            Reply::Error { fatal: false, code: got, message: told },
        ) => code == got && (code != "22012" || message == told),
        (Reply::Row(expected), Reply::Row(got)) if expected.len() == 4 && got.len() == 4 => {
            let own = format!("c{client}.{session}");
            let hidden = got[2].is_empty() || got[2] == own;
            hidden && expected[..2] == got[..2] && expected[3] == got[3]
        }
        _ => expected == reply,
    }
}
