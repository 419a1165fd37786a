//! One run: a data plane, two model servers, many model clients, and what befalls them from morning to evening. What must be
//! true all the time is `invariants`.

use std::cell::{Cell, RefCell};
use std::fmt::Write as _;
use std::rc::Rc;
use std::sync::Once;
use std::time::Duration;

use howdah::Config;
use howdah_proxy::settings::{NodeAddress, Settings};
use howdah_proxy::simulation::{self, DataPlane};
use howdah_simulation::{Book, Client, Door, Fault, Habits, Log, Node, Random, Strictness, Who};
use tokio::task::LocalSet;
use tokio::time::{Instant, sleep, sleep_until};

use crate::invariants::Invariants;

/// What kind of day it is.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Kind {
    pub(crate) seed: u64,
    pub(crate) hours: u64,
    pub(crate) clients: u32,
    /// Nothing befalls servers and settings.
    pub(crate) calm: bool,
    /// Everybody is in a hurry and asks for little, in few places: requests wait, and share servers. An hour is short then.
    pub(crate) rush: bool,
}

impl Kind {
    /// How many times quicker everything happens.
    pub(crate) const fn haste(self) -> u32 {
        if self.rush { 10_000 } else { 1 }
    }
}

/// What became of it.
#[derive(Debug)]
pub(crate) struct Outcome {
    pub(crate) failure: Option<String>,
    /// Stands for everything that has happened, and how many events that were.
    pub(crate) hash: (u64, u64),
    pub(crate) requests: u64,
    /// Requests that waited to share a server.
    pub(crate) shared: u64,
}

pub(crate) const HOUR: Duration = Duration::from_secs(3600);
const CHECKOUT_TIMEOUT: Duration = Duration::from_secs(8);
const USERS: [&str; 3] = ["ann", "bob", "eve"];

/// The configuration after so many reloads.
fn settings(kind: Kind, reloads: u64) -> Settings {
    let mut random = Random::new(kind.seed ^ reloads.wrapping_mul(0x5851_f42d_4c95_7f2d));
    let changed = reloads > 0;
    let mut toml = String::from(
        "[listen]\n# Nobody listens: there is a door in memory.\naddress = \"127.0.0.1\"\nworkers = 2\n",
    );
    for name in ["one", "two"] {
        let _ = write!(
            toml,
            "[[cluster]]\nname = \"{name}\"\n[[cluster.node]]\nname = \"{name}\"\nhost = \"{name}\"\nport = 5432\n"
        );
    }
    for (name, mode) in DATABASES {
        let cluster = if changed && random.percent(30) { "two" } else { "one" };
        let (few, more) = if kind.rush { (2, 3) } else { (4, 10) };
        let size = if changed { 2 + random.below(more) } else { few };
        let share = if changed && random.percent(20) { "off" } else { "reads" };
        let minimum = random.below(2);
        let timeout = if name == "hasty" { "\"2s\"" } else { "\"off\"" };
        let prepared = 4 + random.below(30);
        let _ = write!(
            toml,
            "[[database]]\nname = \"{name}\"\ncluster = \"{cluster}\"\n[database.pool]\nmode = \"{mode}\"\n\
             max_size = {size}\nmin_size = {minimum}\nmax_prepared = {prepared}\nshare = \"{share}\"\nquery_timeout = {timeout}\n"
        );
    }
    for user in USERS {
        let _ = write!(toml, "[[user]]\nname = \"{user}\"\nauth = \"trust\"\n");
    }
    let _ = write!(
        toml,
        "[statements]\nexplain = \"off\"\nserver_statistics = \"off\"\n[pool]\ncheckout_timeout = \"{}s\"\nidle_timeout = \"5m\"\nmax_lifetime = \"40m\"\nconnect_timeout = \"3s\"\n",
        CHECKOUT_TIMEOUT.as_secs()
    );
    Config::from_toml(&toml)
        .unwrap_or_else(|errors| panic!("{toml}\n{errors}"))
        .settings(reloads + 1)
}

/// Databases and users that clients ask for.
fn places(kind: Kind) -> (&'static [(&'static str, &'static str)], &'static [&'static str]) {
    if kind.rush { (&DATABASES[..2], &USERS[..1]) } else { (&DATABASES, &USERS) }
}

const DATABASES: [(&str, &str); 4] =
    [("shop", "transaction"), ("hasty", "transaction"), ("old", "session"), ("quick", "statement")];

/// Lives a day.
pub(crate) fn live(kind: Kind) -> Outcome {
    count_panics();
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_time()
        .start_paused(true)
        .build()
        .unwrap();
    LocalSet::new().block_on(&runtime, day(kind))
}

/// What has failed, and where there is more to read about it.
fn tell(log: &Log, told: &str) -> String {
    let path = concat!(env!("CARGO_TARGET_TMPDIR"), "/simulation.log");
    match std::fs::write(path, log.kept()) {
        Ok(()) => format!("{told}\nmore events: {path}"),
        Err(error) => format!("{told}\n{path}: {error}"),
    }
}

thread_local! {
    static PANICS: Cell<u32> = const { Cell::new(0) };
}

/// From now on panics of this process are counted by thread; they are told, too.
fn count_panics() {
    static ONCE: Once = Once::new();
    ONCE.call_once(|| {
        let tell = std::panic::take_hook();
        std::panic::set_hook(Box::new(move |info| {
            PANICS.set(PANICS.get() + 1);
            tell(info);
        }));
    });
    PANICS.set(0);
}

async fn day(kind: Kind) -> Outcome {
    let mut random = Random::new(kind.seed);
    let log = Log::new();
    let book = Book::new(log.clone());
    let delay = (Duration::from_millis(4), if kind.rush { 400 } else { 5 });
    let nodes: Rc<[Rc<Node>]> =
        Node::several(&["one", "two"], delay, (&log, &book), &mut random).into();
    let dialled = Rc::clone(&nodes);
    simulation::replace(random.next(), move |address| {
        let NodeAddress::Tcp { host, .. } = address else { panic!("{address:?}") };
        let node = dialled.iter().find(|node| node.name() == host).expect("a node");
        Box::pin(Rc::clone(node).dial())
    });
    let plane = Rc::new(DataPlane::start(settings(kind, 0)));
    let evening = Instant::now() + HOUR * u32::try_from(kind.hours).unwrap() / kind.haste();
    let clients = clients(kind, &mut random, &plane, (&log, &book), evening);
    let invariants = Rc::new(RefCell::new(Invariants::new(log.clone(), kind)));
    let fate =
        fate(kind, random.fork(), Rc::clone(&plane), Rc::clone(&nodes), (log.clone(), evening));
    let whole = async {
        let watch = watch(kind, Rc::clone(&plane), Rc::clone(&invariants));
        let clients = async {
            for client in clients {
                client.await.expect("a model client does not panic");
            }
        };
        tokio::select! {
            biased;
            () = watch => {}
            ((), ()) = async { tokio::join!(clients, fate) } => {}
        }
    };
    tokio::select! {
        biased;
        () = log.failed() => {}
        () = whole => end(&log, plane, &nodes, &invariants).await,
    }
    let (requests, shared) = (invariants.borrow().requests, invariants.borrow().shared);
    let failure = log.failure().map(|told| tell(&log, &told));
    Outcome { failure, hash: log.hash(), requests, shared }
}

fn clients(
    kind: Kind,
    random: &mut Random,
    plane: &Rc<DataPlane>,
    (log, book): (&Log, &Book),
    evening: Instant,
) -> Vec<tokio::task::JoinHandle<()>> {
    let (databases, users) = places(kind);
    let owned = |(name, mode): &(&str, &str)| ((*name).to_owned(), (*mode).to_owned());
    let habits = Rc::new(Habits {
        databases: databases.iter().map(owned).collect(),
        users: users.iter().map(|user| (*user).to_owned()).collect(),
        haste: kind.haste(),
        quick: kind.rush,
    });
    let strictness =
        Strictness { calm: kind.calm, checkout_timeout: CHECKOUT_TIMEOUT, hasty: "hasty" };
    let connecting = Rc::clone(plane);
    let door: Door = Rc::new(move |room| {
        let plane = Rc::clone(&connecting);
        Box::pin(async move { plane.connect(room).await })
    });
    let start = |number| {
        let shared = (Rc::clone(&habits), strictness);
        let client = Client::new(
            number,
            random.fork(),
            shared,
            Rc::clone(&door),
            (log.clone(), book.clone()),
        );
        tokio::task::spawn_local(client.live(evening))
    };
    (1..=kind.clients).map(start).collect()
}

/// Looks every second, or more often in a rush, for ever.
async fn watch(kind: Kind, plane: Rc<DataPlane>, invariants: Rc<RefCell<Invariants>>) {
    loop {
        sleep(Duration::from_secs(1) / kind.haste().min(50)).await;
        let view = plane.view();
        invariants.borrow_mut().check(&view, PANICS.get());
        if invariants.borrow().is_full_hour() {
            let report = plane.report().await;
            invariants.borrow_mut().on_hour(&report, &view);
        }
    }
}

/// What befalls servers and settings until the evening.
async fn fate(
    kind: Kind,
    mut random: Random,
    plane: Rc<DataPlane>,
    nodes: Rc<[Rc<Node>]>,
    (log, evening): (Log, Instant),
) {
    let reloads = Cell::new(0);
    while !kind.calm && Instant::now() < evening {
        let pause = random.time_below(Duration::from_secs(30 * 60)) / kind.haste();
        sleep_until(evening.min(Instant::now() + pause)).await;
        let short = random.time_below(Duration::from_secs(20)) / kind.haste();
        let long = random.time_below(Duration::from_secs(240)) / kind.haste();
        let fault = match random.below(24) {
            0..3 => Fault::Crash,
            3..6 => Fault::Cut(usize::try_from(random.below(5000)).unwrap()),
            6..9 => Fault::Terminate,
            9 => Fault::CrashAll(long),
            10..12 => Fault::Freeze(long),
            12 => Fault::FreezeAll(short),
            13 => Fault::Refuse(long),
            14 => Fault::Hang(long),
            15 => Fault::Reject("53300", long),
            16 => Fault::Reject("57P03", long),
            17 => Fault::Reject("28P01", short),
            18..20 => Fault::Slow(Duration::from_millis(600) / kind.haste()),
            _ => {
                reloads.set(reloads.get() + 1);
                log.event(Who::World, format_args!("reload {}", reloads.get()));
                plane.reload(settings(kind, reloads.get())).await;
                continue;
            }
        };
        let node = random.pick(&nodes);
        node.inflict(fault);
        if let Fault::Slow(_) = fault {
            sleep(long).await;
            node.calm();
        }
    }
}

/// Drains, and looks whether anything is left.
async fn end(
    log: &Log,
    plane: Rc<DataPlane>,
    nodes: &[Rc<Node>],
    invariants: &RefCell<Invariants>,
) {
    let plane = loop {
        // Cancel requests that were begun hold the door for a moment.
        if Rc::strong_count(&plane) == 1 || log.failure().is_some() {
            break Rc::into_inner(plane);
        }
        sleep(Duration::from_secs(1)).await;
    };
    let Some(plane) = plane else { return };
    let tasks = plane.stop(Duration::from_secs(60), Duration::from_secs(60)).await;
    if tasks > 0 {
        log.violation(Who::World, format_args!("{tasks} tasks are left after the end"));
    }
    sleep(Duration::from_secs(600)).await;
    let left: usize = nodes.iter().map(|node| node.connections()).sum();
    if left > 0 {
        log.violation(Who::World, format_args!("{left} connections to servers are left"));
    }
    invariants.borrow().at_the_end();
}
