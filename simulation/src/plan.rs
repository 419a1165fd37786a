//! What a client does next: a request made by chance, that makes sense for the state of its session or is wrong on purpose.

use howdah_wire::frontend::Kind;

use crate::book::Token;
use crate::machine::{Machine, Message};
use crate::random::Random;
use crate::statement::{Source, Statement};

/// Texts of prepared statements that many clients use.
const SHARED_TEXTS: u64 = 60;

/// When a server goes back to its pool, as far as clients have to know.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Mode {
    Transaction,
    Session,
    Statement,
}

/// Makes requests for one session.
#[derive(Debug)]
pub(crate) struct Plan {
    pub(crate) client: u32,
    pub(crate) session: u32,
    pub(crate) mode: Mode,
    /// Its statements are short but for a few.
    quick: bool,
    serial: u32,
}

impl Plan {
    pub(crate) const fn new((client, session): (u32, u32), mode: Mode, quick: bool) -> Self {
        Self { client, session, mode, quick, serial: 0 }
    }

    const fn number(&mut self) -> u32 {
        self.serial += 1;
        self.serial
    }

    fn token(&mut self, random: &mut Random) -> Token {
        let mut token = Token {
            client: self.client,
            session: self.session,
            serial: self.number(),
            rows: 1,
            size: 0,
            run: 0,
        };
        let small = |random: &mut Random, end| u32::try_from(random.below(end)).unwrap_or(0);
        match random.below(100) {
            0..60 => {}
            60..85 => token.run = 1 + small(random, 30),
            85..89 => token.run = small(random, 1500),
            89 if random.percent(10) => token.run = small(random, 20_000),
            90..96 => token.rows = small(random, 20),
            96..99 => token.size = small(random, 3000),
            99 if random.percent(4) => {
                (token.rows, token.size) = (3, 60_000 + small(random, 500_000))
            }
            _ => (token.rows, token.size) = (small(random, 60), small(random, 600)),
        }
        if self.quick && random.below(1000) > 0 {
            token.run = 0;
        }
        token
    }

    /// The next request: messages up to a ReadyForQuery, or up to several.
    pub(crate) fn request(&mut self, random: &mut Random, machine: &Machine) -> Vec<Message> {
        let mut messages = Vec::new();
        let segments = if random.percent(6) { 2 + random.below(6) } else { 1 };
        // Later segments are made for the state after the earlier ones, if all goes well.
        let mut then = machine.clone();
        for _ in 0..segments {
            let segment = self.segment(random, &then);
            let alone = segment.iter().any(|message| matches!(message, Message::CopyData(_)));
            for message in &segment {
                for step in then.steps(message.clone()) {
                    if !then.ignores(&step) {
                        then.apply(&step);
                    }
                }
            }
            messages.extend(segment);
            if alone {
                break;
            }
        }
        messages
    }

    fn segment(&mut self, random: &mut Random, machine: &Machine) -> Vec<Message> {
        if random.percent(60) {
            return self.simple(random, machine);
        }
        let mut messages = Vec::new();
        let several = if random.percent(30) { 1 + random.below(5) } else { 1 };
        for _ in 0..several {
            self.extended(random, machine, &mut messages);
        }
        if random.percent(8) {
            messages.push(Message::Flush);
        }
        messages.push(Message::Sync);
        messages
    }

    fn simple(&mut self, random: &mut Random, machine: &Machine) -> Vec<Message> {
        let plain = machine.session.status() == b'I';
        if plain && random.percent(4) {
            return self.copy(random);
        }
        if plain && random.percent(4) {
            let count = 2 + random.below(3);
            let batch: Vec<String> = (0..count)
                .map(|_| match random.below(8) {
                    0 => Statement::Fail(Source::Here(self.token(random))).to_string(),
                    1 | 2 => self.setting(random).to_string(),
                    _ => self.plain(random).to_string(),
                })
                .collect();
            return vec![Message::Query(batch.join("; "))];
        }
        if self.mode == Mode::Transaction && plain && random.percent(3) {
            let (set, proof) = (self.setting(random), self.plain(random));
            let end = if random.percent(70) { "COMMIT" } else { "ROLLBACK" };
            return vec![Message::Query(format!("BEGIN; {set}; {proof}; {end}"))];
        }
        vec![Message::Query(self.statement(random, machine).to_string())]
    }

    fn plain(&mut self, random: &mut Random) -> Statement {
        let token = self.token(random);
        if random.percent(35) {
            Statement::Write(Source::Here(token))
        } else {
            Statement::Proof(Source::Here(token), String::new())
        }
    }

    /// Any statement.
    fn statement(&mut self, random: &mut Random, machine: &Machine) -> Statement {
        match machine.session.status() {
            b'E' => return self.recovery(random, machine),
            b'T' if random.percent(45) => return self.transaction(random, machine),
            b'I' if machine.session.is_bound() && random.percent(30) => {
                return Statement::DiscardAll;
            }
            _ => {}
        }
        let plain = machine.session.status() == b'I';
        let name = format!("q{}", random.below(3));
        match random.below(1000) {
            0..120 if plain && self.mode != Mode::Statement => Statement::Begin,
            120..240 => self.setting(random),
            240..270 => match random.below(4) {
                0 => Statement::ResetAll,
                1 => Statement::Reset("role".to_owned()),
                _ => Statement::Reset(Self::setting_name(random).to_owned()),
            },
            270..300 => Statement::Fail(Source::Here(self.token(random))),
            300..310 => Statement::Notify(Self::channel(random), format!("from {}", self.client)),
            310..325 => Statement::Foreign(self.token(random)),
            325..330 if self.mode != Mode::Statement => {
                Statement::Lock(u64::from(self.client) * 10 + random.below(3))
            }
            330..340 => Statement::Unlock(u64::from(self.client) * 10 + random.below(3)),
            340..344 if self.mode != Mode::Statement => {
                Statement::CreateTemp(format!("t{}", random.below(3)))
            }
            344..350 => Statement::DropTemp(format!("t{}", random.below(3))),
            350..353 if self.mode != Mode::Statement => Statement::Listen(Self::channel(random)),
            353..358 => Statement::Unlisten(random.percent(50).then(|| Self::channel(random))),
            358..362 if self.mode != Mode::Statement => {
                let label = format!("sql {}", random.below(9));
                Statement::Prepare(name, Box::new(Statement::Proof(Source::Parameter(1), label)))
            }
            362..380 => Statement::Execute(name, Some(self.token(random))),
            380..390 => Statement::Deallocate(match random.below(4) {
                0 => None,
                1 => Some(name),
                _ => Some(Self::name(random)),
            }),
            390..400 if plain => Statement::DiscardAll,
            400..410 => Statement::CopyOut(self.token(random)),
            _ => self.plain(random),
        }
    }

    fn transaction(&self, random: &mut Random, machine: &Machine) -> Statement {
        let savepoints = machine.session.savepoints();
        let known = |random: &mut Random| {
            if savepoints.is_empty() {
                "s9".to_owned()
            } else {
                (*random.pick(&savepoints)).to_owned()
            }
        };
        match random.below(20) {
            0..3 => Statement::Savepoint(format!("s{}", random.below(3))),
            3 if !savepoints.is_empty() => Statement::Release(known(random)),
            4..6 if !savepoints.is_empty() || random.percent(10) => {
                Statement::RollbackTo(known(random))
            }
            6..10 => Statement::Rollback,
            _ => Statement::Commit,
        }
    }

    fn recovery(&mut self, random: &mut Random, machine: &Machine) -> Statement {
        match random.below(10) {
            0..2 => self.plain(random),
            2..5 => match machine.session.savepoints().first() {
                Some(savepoint) => Statement::RollbackTo((*savepoint).to_owned()),
                None => Statement::Rollback,
            },
            5 => Statement::Commit,
            _ => Statement::Rollback,
        }
    }

    fn channel(random: &mut Random) -> String {
        format!("ch{}", random.below(4))
    }

    fn setting_name(random: &mut Random) -> &'static str {
        const NAMES: [&str; 6] =
            ["application_name", "lock_timeout", "my.own", "search_path", "timezone", "work_mem"];
        random.pick::<&'static str>(&NAMES)
    }

    fn setting(&mut self, random: &mut Random) -> Statement {
        let name = Self::setting_name(random);
        let number = if random.percent(80) { random.below(5) } else { u64::from(self.number()) };
        let (client, session) = (self.client, self.session);
        let value = match name {
            "application_name" => format!("c{client}.{session}.{number}"),
            "lock_timeout" => format!("{}", 100_000 + u64::from(client) * 1000 + number),
            "search_path" => format!("s{client}_{number}"),
            "timezone" => format!("Etc/{client}_{number}"),
            "work_mem" => format!("{}kB", 100_000 + u64::from(client) * 1000 + number),
            _ => format!("it is {client}.{session}.{number}"),
        };
        if random.percent(8) {
            let role = format!("role{client}");
            return Statement::Set {
                name: "role".to_owned(),
                value: role,
                local: false,
                function: false,
            };
        }
        let (local, function) = (random.percent(20), random.percent(20));
        Statement::Set { name: name.to_owned(), value, local, function }
    }

    fn name(random: &mut Random) -> String {
        random.pick(&["a", "b", "c", "d", "e", "f"]).to_string()
    }

    /// Messages of the extended protocol for one execution, without the Sync.
    fn extended(&mut self, random: &mut Random, machine: &Machine, messages: &mut Vec<Message>) {
        let name = if random.percent(70) { Self::name(random) } else { String::new() };
        let before = messages.iter().any(|message| match message {
            Message::Parse(of, _) | Message::Close(Kind::Statement, of) => *of == name,
            _ => false,
        });
        let known = machine.session.prepared.contains_key(&name);
        if known && !before && !name.is_empty() && random.percent(5) {
            messages.push(Message::Close(Kind::Statement, name));
            return;
        }
        // Once in a while it names what does not exist.
        let wrong = random.percent(2);
        let statement = if (!known || name.is_empty()) && !wrong && !before {
            let statement = self.template(random, machine, &name);
            messages.push(Message::Parse(name.clone(), statement.to_string()));
            Some(statement)
        } else {
            machine.session.prepared.get(&name).cloned()
        };
        if random.percent(15) {
            messages.push(Message::Describe(Kind::Statement, name.clone()));
        }
        let count = statement.as_ref().map_or(1, Statement::parameters);
        let parameters = (0..count).map(|_| self.token(random).to_string()).collect();
        let portal =
            if random.percent(10) { format!("p{}", messages.len()) } else { String::new() };
        messages.push(Message::Bind(portal.clone(), name, parameters));
        if random.percent(20) {
            messages.push(Message::Describe(Kind::Portal, portal.clone()));
        }
        if random.percent(5) {
            messages.push(Message::Execute(portal.clone(), 2));
            if random.percent(50) {
                messages.push(Message::Close(Kind::Portal, portal));
            }
            return;
        }
        messages.push(Message::Execute(portal, 0));
    }

    /// What is prepared: mostly a text that others prepare, too.
    fn template(&mut self, random: &mut Random, machine: &Machine, name: &str) -> Statement {
        if name.is_empty() && random.percent(30) {
            return loop {
                let statement = self.statement(random, machine);
                // These end or begin more than one segment should, or copy, or could run twice with one token.
                if !matches!(
                    statement,
                    Statement::CopyOut(_)
                        | Statement::Reset(_)
                        | Statement::ResetAll
                        | Statement::Foreign(_)
                        | Statement::Proof(Source::Here(_), _)
                        | Statement::Write(Source::Here(_))
                        | Statement::Fail(Source::Here(_))
                        | Statement::DiscardAll
                        | Statement::Deallocate(_)
                        | Statement::Prepare(..)
                        | Statement::Execute(..)
                        | Statement::Begin
                        | Statement::Commit
                        | Statement::Rollback
                        | Statement::Savepoint(_)
                        | Statement::Release(_)
                        | Statement::RollbackTo(_)
                ) {
                    break statement;
                }
                if machine.session.status() == b'E' {
                    break Statement::Rollback;
                }
            };
        }
        let label = if random.percent(92) {
            format!("text {}", random.below(SHARED_TEXTS))
        } else {
            {
                let number = self.number();
                format!("text {}.{}.{number}", self.client, self.session)
            }
        };
        match random.below(10) {
            0 => Statement::Write(Source::Parameter(1)),
            1 => Statement::Fail(Source::Parameter(1)),
            _ => Statement::Proof(Source::Parameter(1), label),
        }
    }

    /// COPY with its data, sent without waiting for the server's consent.
    fn copy(&mut self, random: &mut Random) -> Vec<Message> {
        let mut messages = vec![Message::Query(Statement::CopyIn.to_string())];
        for _ in 0..random.below(12) {
            let mut token = self.token(random);
            (token.rows, token.size, token.run) = (1, 0, 0);
            messages.push(Message::CopyData(token.to_string()));
        }
        messages.push(if random.percent(90) { Message::CopyDone } else { Message::CopyFail });
        messages
    }
}
