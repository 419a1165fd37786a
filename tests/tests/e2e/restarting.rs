//! One process takes over from another, and no client notices.

use std::io::{Read, Write};
use std::os::unix::net::UnixStream;
use std::path::PathBuf;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use howdah::{Config, Engine};
use howdah_core::takeover::{Message, PROTOCOL_VERSION};
use howdah_tests::Rig;
use howdah_tests::raw::{Connection, Frames};
use rustix::process::Signal;

/// How long clients that cannot move may stay, unless the test is about it.
const GRACE: Duration = Duration::from_secs(60);

/// How long anything may take here.
const SOON: Duration = Duration::from_secs(20);

/// A rig with a door, and the engine that has come in by it.
struct Pair {
    next: Option<Engine>,
    rig: Rig,
    door: PathBuf,
}

impl Pair {
    fn of(rig: Rig) -> Self {
        let name = format!("howdah-door-{}-{}", std::process::id(), rig.port());
        let door = std::env::temp_dir().join(name);
        rig.block_on(rig.engine().offer_takeover(&door)).unwrap();
        Self { next: None, rig, door }
    }

    fn succeed_with(&mut self, configuration: &str, grace: Duration) {
        let config = Config::from_toml(configuration).unwrap();
        let next = self.rig.block_on(Engine::take_over(config, &self.door, grace)).unwrap();
        self.next = Some(next);
    }

    fn succeed(&mut self) {
        let configuration = self.rig.configuration().to_owned();
        self.succeed_with(&configuration, GRACE);
    }

    /// Clients of the old and the new engine.
    fn clients(&self) -> (usize, usize) {
        let new = self.next.as_ref().map(|next| self.rig.block_on(next.report()).clients);
        (self.rig.block_on(self.rig.engine().report()).clients, new.unwrap_or(0))
    }

    #[track_caller]
    fn wait_for(&self, clients: (usize, usize)) {
        let deadline = Instant::now() + SOON;
        while self.clients() != clients {
            assert!(Instant::now() < deadline, "{:?} instead of {clients:?}", self.clients());
            std::thread::sleep(Duration::from_millis(10));
        }
    }

    #[track_caller]
    fn superseded(&self) {
        let over = self.rig.engine().superseded();
        let over = self.rig.block_on(async { tokio::time::timeout(SOON, over).await });
        over.expect("the old engine is not told that it is over");
    }
}

impl Drop for Pair {
    fn drop(&mut self) {
        if let Some(next) = self.next.take() {
            self.rig.block_on(next.stop(Duration::ZERO));
        }
        let _ = std::fs::remove_file(&self.door);
    }
}

#[test]
fn an_idle_client_takes_its_settings_and_statements_along() {
    let rig = Rig::start();
    let mut client = rig.target().parameter("application_name", "mover").client();
    client.run("SET work_mem = '5MB'; SET statement_timeout = '77s'");
    let named = Frames::new().parse_typed("n", "SELECT $1 + 1", &[23]).describe_statement("n");
    client.answer(&named.parse("", "SELECT 'unnamed'").sync(), 1);
    let mut untouched = rig.client();
    let mut pair = Pair::of(rig);
    pair.succeed();
    pair.wait_for((0, 2));
    pair.superseded();
    let bind = Frames::new().bind("", "", &[]).execute("", 0).sync();
    assert_eq!(client.answer(&bind, 1).values(), ["unnamed"]);
    assert_eq!(
        client.answer(&Frames::new().execute_prepared("n", &["41"]).sync(), 1).values(),
        ["42"]
    );
    assert_eq!(client.value("SHOW work_mem"), "5MB");
    assert_eq!(client.value("SHOW statement_timeout"), "77s");
    assert_eq!(client.value("SHOW application_name"), "mover");
    client.run("RESET ALL");
    assert_eq!(client.value("SHOW application_name"), "mover");
    assert_eq!(client.value("SHOW work_mem"), "4MB");
    let again = client.answer(&Frames::new().parse("n", "SELECT 1").sync(), 1);
    assert_eq!(again.errors()[0].code, "42P05", "the name is taken");
    assert_eq!(untouched.value("SHOW work_mem"), "4MB");
    let mut new = pair.rig.client();
    assert_eq!(new.value("SELECT 'new'"), "new");
    assert_ne!(new.process_id, client.process_id);
    assert_ne!(new.process_id, untouched.process_id);
}

#[test]
fn a_client_in_the_middle_of_a_frame_moves_with_what_it_has_sent() {
    let rig = Rig::start();
    let mut client = rig.client();
    let query = Frames::new().query("SELECT 'in two parts'");
    let (first, second) = query.as_bytes().split_at(9);
    client.send(&Frames::new().bytes(first)).unwrap();
    let mut pair = Pair::of(rig);
    pair.succeed();
    pair.wait_for((0, 1));
    client.send(&Frames::new().bytes(second)).unwrap();
    assert_eq!(client.until(b'Z', 1).unwrap().values(), ["in two parts"]);
}

#[test]
fn a_busy_client_moves_at_the_end_of_its_transaction() {
    let rig = Rig::builder().pool_size(2).in_process();
    let (mut busy, mut idle) = (rig.client(), rig.client());
    busy.run("BEGIN; SET LOCAL work_mem = '5MB'; SET statement_timeout = '66s'");
    idle.run("SELECT 1");
    let mut observer = rig.observer();
    let mut pair = Pair::of(rig);
    pair.succeed();
    pair.wait_for((1, 1));
    assert_eq!(busy.value("SHOW work_mem"), "5MB");
    assert_eq!(idle.value("SELECT 'served by the new one'"), "served by the new one");
    // The server of the old process counts: one is left for the new one.
    idle.run("BEGIN");
    let mut third = pair.rig.client();
    third.send(&Frames::new().query("SELECT 'waited'")).unwrap();
    assert!(third.is_silent(Duration::from_millis(300)));
    assert!(pair.rig.backends(&mut observer).len() <= 2);
    busy.run("COMMIT");
    assert_eq!(third.until(b'Z', 1).unwrap().values(), ["waited"]);
    pair.wait_for((0, 3));
    pair.superseded();
    assert_eq!(busy.value("SHOW work_mem"), "4MB");
    assert_eq!(busy.value("SHOW statement_timeout"), "66s");
    idle.run("COMMIT");
}

#[test]
fn a_client_that_cannot_move_stays_until_the_grace_period_is_over() {
    let rig = Rig::start();
    let mut pinned = rig.client();
    pinned.run("CREATE TEMPORARY TABLE mine (n int); INSERT INTO mine VALUES (42)");
    let mut pair = Pair::of(rig);
    let text = pair.rig.configuration().to_owned();
    pair.succeed_with(&text, Duration::from_secs(2));
    let mut new = pair.rig.client();
    assert_eq!(new.value("SELECT 1"), "1");
    assert_eq!(pinned.value("SELECT n FROM mine"), "42");
    assert_eq!(pair.clients(), (1, 1));
    pair.superseded();
    assert_eq!(pinned.value("SELECT n FROM mine"), "42");
    pair.rig.stop(Duration::ZERO);
    let last = pinned.until_closed().unwrap();
    assert_eq!(last.errors()[0].code, "57P01");
    assert_eq!(new.value("SELECT 1"), "1");
}

#[test]
fn a_listening_client_stays_and_misses_nothing() {
    let rig = Rig::start();
    let (mut listener, mut other) = (rig.client(), rig.client());
    listener.run("LISTEN news");
    let mut pair = Pair::of(rig);
    pair.succeed();
    pair.wait_for((1, 1));
    other.run("NOTIFY news, 'after the restart'");
    let heard = listener.reply().unwrap().notification();
    assert_eq!(heard, Some(("news".to_owned(), "after the restart".to_owned())));
    listener.run("UNLISTEN news");
    pair.wait_for((0, 2));
    assert_eq!(listener.value("SELECT 'moved after all'"), "moved after all");
}

fn sleeps(client: &mut Connection, observer: &mut Connection) {
    client.send(&Frames::new().query("SELECT pg_sleep(30)")).unwrap();
    let sql = "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND wait_event = 'PgSleep'";
    let deadline = Instant::now() + SOON;
    while observer.value(sql) != "1" {
        assert!(Instant::now() < deadline, "the statement never ran");
        std::thread::sleep(Duration::from_millis(10));
    }
}

#[test]
fn a_cancel_request_finds_its_client_in_whichever_process_it_is() {
    let rig = Rig::start();
    let mut observer = rig.observer();
    let (mut moved, mut left) = (rig.client(), rig.client());
    left.run("BEGIN");
    let mut pair = Pair::of(rig);
    pair.succeed();
    pair.wait_for((1, 1));
    for client in [&mut moved, &mut left] {
        sleeps(client, &mut observer);
        let begin = Instant::now();
        client.cancel();
        let seen = client.until(b'Z', 1).unwrap();
        assert_eq!(seen.errors()[0].code, "57014");
        assert!(begin.elapsed() < SOON);
    }
    // It was for the statement, and for nothing else.
    assert_eq!(moved.value("SELECT 'alive'"), "alive");
    left.run("ROLLBACK");
    pair.wait_for((0, 2));
    assert_eq!(left.value("SELECT 'alive'"), "alive");
}

#[test]
fn processes_hand_on_what_they_were_handed() {
    let rig = Rig::start();
    let mut client = rig.client();
    client.run("SET work_mem = '5MB'");
    let mut late = rig.client();
    late.run("BEGIN");
    let mut pair = Pair::of(rig);
    pair.succeed();
    pair.wait_for((1, 1));
    let between = pair.next.take().unwrap();
    pair.rig.block_on(between.offer_takeover(&pair.door)).unwrap();
    pair.succeed();
    pair.wait_for((1, 1));
    assert_eq!(client.value("SHOW work_mem"), "5MB");
    let mut observer = pair.rig.observer();
    sleeps(&mut late, &mut observer);
    late.cancel();
    assert_eq!(late.until(b'Z', 1).unwrap().errors()[0].code, "57014");
    late.run("ROLLBACK");
    pair.wait_for((0, 2));
    assert_eq!(late.value("SELECT 'two processes on'"), "two processes on");
    pair.superseded();
    pair.rig.block_on(between.stop(Duration::ZERO));
}

#[test]
fn a_restart_may_change_the_number_of_workers() {
    let rig = Rig::builder().pool_size(16).listen("workers", "4").in_process();
    let mut observer = rig.observer();
    let mut clients: Vec<_> = (0..8).map(|_| rig.client()).collect();
    let mut pair = Pair::of(rig);
    for (count, now) in [("workers = 4", "workers = 2"), ("workers = 4", "workers = 3")] {
        let text = pair.rig.configuration().replace(count, now);
        let before = pair.next.take();
        if let Some(before) = &before {
            pair.rig.block_on(before.offer_takeover(&pair.door)).unwrap();
        }
        pair.succeed_with(&text, GRACE);
        pair.wait_for((0, 8));
        for client in &mut clients {
            sleeps(client, &mut observer);
            client.cancel();
            assert_eq!(client.until(b'Z', 1).unwrap().errors()[0].code, "57014", "{now}");
        }
        let mut new = pair.rig.client();
        assert!(clients.iter().all(|client| client.process_id != new.process_id));
        assert_eq!(new.value("SELECT 'new'"), "new");
        new.close();
        pair.wait_for((0, 8));
        if let Some(before) = before {
            pair.rig.block_on(before.stop(Duration::ZERO));
        }
    }
}

/// A process that takes over, as far as it is told to.
struct Imposter {
    stream: UnixStream,
    input: Vec<u8>,
}

impl Imposter {
    fn knock(pair: &Pair) -> Self {
        let stream = UnixStream::connect(&pair.door).unwrap();
        stream.set_read_timeout(Some(SOON)).unwrap();
        let mut imposter = Self { stream, input: Vec::new() };
        imposter.say(&Message::Hello { version: PROTOCOL_VERSION });
        imposter
    }

    fn say(&mut self, message: &Message) {
        self.stream.write_all(&message.encode().unwrap()).unwrap();
    }

    fn hear(&mut self) -> Message {
        loop {
            if let Some((message, used)) = Message::decode(&self.input).unwrap() {
                self.input.drain(..used);
                return message;
            }
            let mut bytes = [0; 4096];
            let count = self.stream.read(&mut bytes).unwrap();
            assert!(count > 0, "the other side has hung up");
            self.input.extend_from_slice(&bytes[..count]);
        }
    }

    fn hear_until(&mut self, wanted: impl Fn(&Message) -> bool) -> Message {
        loop {
            let message = self.hear();
            if wanted(&message) {
                return message;
            }
        }
    }
}

#[test]
fn a_process_that_dies_while_it_takes_over_leaves_the_old_one_serving() {
    let rig = Rig::builder().pool_size(2).in_process();
    let mut clients: Vec<_> = (0..5).map(|_| rig.client()).collect();
    clients[0].run("SET work_mem = '5MB'");
    let mut pair = Pair::of(rig);
    let stages: [fn(&mut Imposter); 5] = [
        |_| {},
        |imposter| drop(imposter.hear_until(|said| matches!(said, Message::Listener { .. }))),
        |imposter| imposter.say(&Message::Ready { grace_ms: 60_000 }),
        |imposter| {
            imposter.say(&Message::Ready { grace_ms: 60_000 });
            imposter.hear_until(|said| *said == Message::Begin);
        },
        |imposter| {
            imposter.say(&Message::Ready { grace_ms: 60_000 });
            for _ in 0..5 {
                imposter.hear_until(|said| matches!(said, Message::Session { .. }));
            }
        },
    ];
    for (at, stage) in stages.into_iter().enumerate() {
        let mut imposter = Imposter::knock(&pair);
        stage(&mut imposter);
        for client in &mut clients {
            client.send(&Frames::new().query("SELECT 'asked meanwhile'")).unwrap();
        }
        drop(imposter);
        for client in &mut clients {
            let seen = client.until(b'Z', 1).unwrap();
            assert_eq!(seen.values(), ["asked meanwhile"], "stage {at}");
        }
        assert_eq!(clients[0].value("SHOW work_mem"), "5MB", "stage {at}");
        let mut new = pair.rig.client();
        assert_eq!(new.value("SELECT 'new'"), "new", "stage {at}");
        drop(new);
        pair.wait_for((5, 0));
    }
    // And a process that lives may still take over.
    let deadline = Instant::now() + SOON;
    while UnixStream::connect(&pair.door).is_err() {
        assert!(Instant::now() < deadline, "the door is closed");
        std::thread::sleep(Duration::from_millis(10));
    }
    pair.succeed();
    pair.wait_for((0, 5));
    assert_eq!(clients[0].value("SHOW work_mem"), "5MB");
}

#[test]
fn a_process_that_does_not_know_a_database_leaves_its_clients_where_they_are() {
    let rig = Rig::start();
    let mut client = rig.client();
    client.run("SET work_mem = '5MB'");
    let mut pair = Pair::of(rig);
    let other = "\n[[database]]\nname = \"somewhere_else\"\n";
    let text = format!("{}{other}", pair.rig.configuration());
    pair.succeed_with(&text, GRACE);
    assert_eq!(client.value("SHOW work_mem"), "5MB");
    assert_eq!(pair.clients(), (1, 0));
    assert_eq!(pair.rig.target().refusal().code, "3D000", "the new process accepts");
}

#[test]
fn a_version_that_is_not_spoken_is_refused() {
    let pair = Pair::of(Rig::start());
    let mut imposter =
        Imposter { stream: UnixStream::connect(&pair.door).unwrap(), input: Vec::new() };
    imposter.say(&Message::Hello { version: PROTOCOL_VERSION + 1 });
    assert!(matches!(imposter.hear(), Message::Refused { .. }));
    assert_eq!(pair.rig.client().value("SELECT 1"), "1");
}

fn pgbench(rig: &Rig, arguments: &[&str]) -> Command {
    let mut command = Command::new("pgbench");
    command.args(["-h", "127.0.0.1", "-p", &rig.port().to_string(), "-U", "app"]);
    command.args(arguments).arg(rig.database());
    command
}

/// Restarts five times while pgbench works.
fn rolls(arguments: &[&str]) {
    rolls_with("off", arguments);
}

/// As [`rolls`], with this in `pool.share`.
fn rolls_with(share: &str, arguments: &[&str]) {
    let mut rig = Rig::builder().pool_size(6).pool("share", &format!("{share:?}")).process();
    let made = pgbench(&rig, &["-i", "-s", "1", "-q"]).output().expect("pgbench is installed");
    assert!(made.status.success(), "{}", String::from_utf8_lossy(&made.stderr));
    let arguments = [arguments, &["-n", "-c", "10", "-T", "30"]].concat();
    let mut load = pgbench(&rig, &arguments)
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .expect("pgbench is installed");
    for _ in 0..5 {
        std::thread::sleep(Duration::from_millis(300));
        rig.howdah_mut().succeed();
    }
    assert!(load.try_wait().unwrap().is_none(), "the restarts took longer than the load");
    let output = load.wait_with_output().unwrap();
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    let (out, err) = (text(&output.stdout), text(&output.stderr));
    assert!(output.status.success(), "{out}\n{err}\n{}", rig.howdah().log());
    assert!(out.contains("number of failed transactions: 0 (0.000%)"), "{out}");
    assert_eq!(err, "", "pgbench complains");
    assert_eq!(rig.howdah().complaints(), Vec::<String>::new());
}

#[test]
fn a_rolling_restart_under_simple_queries_is_not_noticed() {
    rolls(&["-N", "-M", "simple"]);
}

#[test]
fn a_rolling_restart_under_extended_queries_is_not_noticed() {
    rolls(&["-N", "-M", "extended"]);
}

#[test]
fn a_rolling_restart_under_prepared_statements_is_not_noticed() {
    rolls(&["-S", "-M", "prepared"]);
}

#[test]
fn a_rolling_restart_under_reads_that_share_servers_is_not_noticed() {
    rolls_with("reads", &["-S", "-M", "prepared"]);
}

#[test]
fn a_rolling_restart_under_a_connection_for_each_transaction_is_not_noticed() {
    rolls(&["-N", "-C", "-M", "simple"]);
}

#[test]
fn howdah_restart_puts_a_new_process_in_place_and_keeps_the_old_one_when_it_cannot() {
    let rig = Rig::builder().process();
    let mut client = rig.client();
    client.run("SET work_mem = '5MB'");
    let sound = std::fs::read_to_string(rig.howdah().configuration_file()).unwrap();
    let broken = format!("{sound}\n[pool.nonsense]\n");
    std::fs::write(rig.howdah().configuration_file(), broken).unwrap();
    let refused = rig.howdah().command(&["restart", "--config"]);
    assert_eq!(refused.status.code(), Some(3), "{refused:?}");
    assert_eq!(client.value("SHOW work_mem"), "5MB");
    std::fs::write(rig.howdah().configuration_file(), sound).unwrap();
    let done = rig.howdah().command(&["restart", "--config"]);
    let said = String::from_utf8_lossy(&done.stderr).into_owned();
    assert!(done.status.success(), "{said}\n{}", rig.howdah().log());
    let id = said.split_whitespace().find_map(|word| word.parse::<i32>().ok());
    let new = id.and_then(rustix::process::Pid::from_raw).expect("the process is named");
    let mut rig = rig;
    assert_eq!(rig.wait(SOON), Some(0), "the old process ends by itself");
    assert_eq!(client.value("SHOW work_mem"), "5MB");
    rustix::process::kill_process(new, Signal::TERM).unwrap();
    assert_eq!(client.until_closed().unwrap().errors()[0].code, "57P01");
}

#[test]
fn what_is_held_back_keeps_a_process_from_handing_over() {
    let rig = Rig::start();
    let database = rig.database().to_owned();
    let (mut client, mut admin) = (rig.client(), rig.target().database("howdah").client());
    let mut pair = Pair::of(rig);
    let config = Config::from_toml(pair.rig.configuration()).unwrap();
    for (hold, release) in [("PAUSE", "RESUME"), ("DISABLE", "ENABLE")] {
        let (hold, release) = (format!("{hold} {database}"), format!("{release} {database}"));
        admin.run(&hold);
        let refused = pair.rig.block_on(Engine::take_over(config.clone(), &pair.door, GRACE));
        let error = refused.expect_err(&hold).to_string();
        assert!(error.contains("paused or disabled"), "{error}");
        admin.run(&release);
        assert_eq!(client.value("SELECT 'still served'"), "still served");
    }
    admin.close();
    pair.succeed();
    pair.wait_for((0, 1));
    assert_eq!(client.value("SELECT 'moved'"), "moved");
}
