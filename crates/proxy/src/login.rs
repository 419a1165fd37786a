//! From the first byte of a connection to a session: encryption requests, cancel requests, startup message, proof of
//! identity, greeting.
//!
//! Invariant: nothing a client sends before it is authenticated is buffered beyond PostgreSQL's own bound, and nothing of it
//! reaches a server.

use std::rc::Rc;
use std::time::Duration;

use howdah_core::session::Context;
use howdah_wire::backend::{self, TransactionStatus};
use howdah_wire::sqlstate::SqlState;
use howdah_wire::startup::{self, First};

use crate::auth::{self, Authenticated, Link};
use crate::buffer::Outbox;
use crate::cache::warm;
use crate::cancel;
use crate::console::{self, Visitor, rights};
use crate::entry::{Entry, Identity};
use crate::error::Refusal;
use crate::listener;
use crate::options;
use crate::pool::{PoolKey, Welcome};
use crate::session::Session;
use crate::settings::Settings;
use crate::shared::Seat;
use crate::stream::{Peer, Stream};
use crate::tls::{Acceptor, Encrypted};
use crate::worker::{Accepted, Worker};

/// How long the last words to a client may take to be written.
const GOODBYE: Duration = Duration::from_secs(1);

/// Newest minor version of protocol 3 that is spoken.
const NEWEST_MINOR: u16 = 2;

/// The first byte of TLS, when a client begins with it.
const TLS_HANDSHAKE: u8 = 0x16;

/// What a connection turned out to be.
enum Arrival {
    /// A client that is in.
    Session(Box<Session>),
    /// An administrator on the console.
    Console(Link, Visitor),
    /// It belongs to another worker, which has it now.
    Elsewhere,
    /// A cancel request, or somebody who hung up: nothing more to do.
    Done,
}

/// A startup message, checked.
struct Request {
    database: Box<str>,
    user: Box<str>,
    minor: u16,
    /// Settings asked for, as `(name, value)`.
    settings: Vec<(String, String)>,
    /// Protocol options that are not known.
    unknown_options: Vec<String>,
}

/// Where a connection has ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Served {
    /// Here.
    Here,
    /// It goes on in another worker.
    Elsewhere,
}

/// Serves one connection from its first byte to its end.
pub(crate) async fn serve(worker: &Rc<Worker>, link: Link) -> Served {
    let (limit, peer) = (worker.settings().login_timeout, link.peer);
    let mut link = Some(link);
    // Boxed: the login needs much more room than the session that may live for days after it.
    let arrival = tokio::time::timeout(limit, Box::pin(arrive(worker, &mut link))).await;
    match arrival {
        Ok(Ok(Arrival::Session(session))) => {
            if let Some(session) = Box::pin(greet(worker, session)).await {
                session.run().await;
            }
        }
        Ok(Ok(Arrival::Console(link, visitor))) => {
            Box::pin(console::run(worker, link, visitor)).await;
        }
        Ok(Ok(Arrival::Done)) => {}
        Ok(Ok(Arrival::Elsewhere)) => return Served::Elsewhere,
        Ok(Err(refusal)) => {
            worker.stats.on_failed_login();
            tracing::info!(%peer, code = refusal.code.as_str(), "login refused: {}", refusal.message);
            if let Some(mut link) = link {
                refusal.write_fatal(link.outbox.bytes(&worker.shelf));
                say_goodbye(worker, link.stream, link.outbox).await;
            }
        }
        Err(_) => {
            worker.stats.on_failed_login();
            tracing::info!(%peer, "closing a connection that did not log in within {limit:?}");
        }
    }
    Served::Here
}

/// Writes what is left for a client, within bounds, and closes.
pub(crate) async fn say_goodbye(worker: &Worker, mut stream: Stream, mut outbox: Outbox) {
    let flush = std::future::poll_fn(|cx| outbox.poll_flush(&mut stream, &worker.shelf, cx));
    if tokio::time::timeout(GOODBYE, flush).await.is_ok_and(|flushed| flushed.is_ok()) {
        let _ = tokio::time::timeout(GOODBYE, stream.shut_down()).await;
    }
}

async fn arrive(worker: &Rc<Worker>, slot: &mut Option<Link>) -> Result<Arrival, Refusal> {
    let settings = worker.settings();
    let Some((request, used)) = first_message(worker, &settings, slot).await? else {
        return Ok(Arrival::Done);
    };
    let Some(link) = slot else {
        return Ok(Arrival::Done);
    };
    require_tls(&settings, link)?;
    if let Some(owner) = other_owner(worker, &settings, &request) {
        return hand_over(worker, slot.take(), owner).await;
    }
    link.inbox.consume(used);
    let to_console = console::is_console(&settings, &request.database);
    // Administrators get in when nobody else does.
    if worker.shared.clients() > settings.max_clients && !to_console {
        return Err(Refusal::too_many_clients(settings.max_clients, "listen.max_clients"));
    }
    if worker.is_draining() {
        return Err(Refusal::shutting_down());
    }
    negotiate(worker, link, &request);
    let (database, user) = (&request.database, &request.user);
    if to_console {
        let host = rights::is_host(link, user);
        if !host || auth::bind_host(&settings, link, database, user) {
            auth::authenticate(worker, link, &settings, database, user).await?;
        }
        let role = rights::role(&settings, link.peer, user, host)?;
        let Request { user, database, .. } = request;
        return Ok(match slot.take() {
            Some(link) => Arrival::Console(link, Visitor { user, database, role }),
            None => Arrival::Done,
        });
    }
    let client = auth::authenticate(worker, link, &settings, database, user).await?;
    if worker.shared.holds().is_disabled(&request.database) {
        return Err(Refusal::disabled(&request.database));
    }
    let of_user = settings.user(&request.user).and_then(|user| user.max_clients);
    let of_database = settings.database(&request.database).and_then(|found| found.max_clients);
    let seat = worker.shared.seat(&request.user, of_user, &request.database, of_database)?;
    open_session(worker, slot, &settings, request, (seat, client))
}

/// The worker that serves this client's pool, if it is another one.
fn other_owner(worker: &Worker, settings: &Settings, request: &Request) -> Option<usize> {
    if worker.shared.workers().len() < 2 || worker.index != 0 {
        return None;
    }
    // Only the accepting worker hands over: whoever gets a connection keeps it.
    let (_, config) = settings.pool(&request.database, &request.user)?;
    let key = PoolKey::home(request.database.clone(), request.user.clone());
    let owner = worker.shared.owner(&key, &config);
    (owner != worker.index).then_some(owner)
}

async fn hand_over(worker: &Worker, link: Option<Link>, owner: usize) -> Result<Arrival, Refusal> {
    let Some(link) = link else { return Ok(Arrival::Done) };
    let (peer, bytes) = (link.peer, link.inbox.unread().to_vec());
    let stream = link.stream.detach();
    let stream = stream.map_err(|error| Refusal::new(SqlState::INTERNAL, error.to_string()))?;
    listener::give(&worker.shared, owner, Accepted { stream, peer, bytes }).await;
    Ok(Arrival::Elsewhere)
}

/// Reads up to the startup message, which stays in the inbox; its length is told. `None`: it was a cancel request, or the
/// client hung up.
async fn first_message(
    worker: &Rc<Worker>,
    settings: &Settings,
    slot: &mut Option<Link>,
) -> Result<Option<(Request, usize)>, Refusal> {
    let mut encryption_asked = 0;
    loop {
        let Some(link) = slot else { return Ok(None) };
        if link.inbox.unread().first() == Some(&TLS_HANDSHAKE)
            && let Some(acceptor) = acceptor(settings, link)
            && encryption_asked == 0
        {
            let read = link.inbox.take();
            if !encrypt(acceptor, slot, read, Negotiation::Direct).await? {
                return Ok(None);
            }
            continue;
        }
        let parsed = match startup::first(link.inbox.unread()) {
            Ok(parsed) => parsed,
            Err(error) => return Err(Refusal::new(error.sqlstate(), error.to_string())),
        };
        let Some((first, used)) = parsed else {
            if !link.fill(worker).await {
                return Ok(None);
            }
            continue;
        };
        match first {
            First::Ssl | First::Gss => {
                let is_ssl = first == First::Ssl;
                // Each may be asked for once, and not inside of TLS.
                encryption_asked += 1;
                if encryption_asked > 2
                    || link.stream.channel().is_some()
                    || link.inbox.unread().len() > used
                {
                    // Bytes behind the request would be sent in the clear by somebody who expects encryption.
                    return Err(Refusal::protocol("unexpected data after an encryption request"));
                }
                link.inbox.consume(used);
                let acceptor = acceptor(settings, link).filter(|_| is_ssl);
                let answer = if acceptor.is_some() { b'S' } else { b'N' };
                link.outbox.bytes(&worker.shelf).push(answer);
                link.flush(worker).await;
                if let Some(acceptor) = acceptor
                    && !encrypt(acceptor, slot, Vec::new(), Negotiation::Asked).await?
                {
                    return Ok(None);
                }
            }
            First::Cancel { process_id, secret } => {
                cancel::route(worker, process_id, secret, None).await;
                return Ok(None);
            }
            First::Startup(message) => {
                return Ok(Some((check(&message)?, used)));
            }
        }
    }
}

/// What speaks TLS with this client, if anything does: over TCP, once.
fn acceptor<'a>(settings: &'a Settings, link: &Link) -> Option<&'a Acceptor> {
    let offered = matches!(link.peer, Peer::Tcp(_)) && link.stream.channel().is_none();
    settings.tls.as_deref().filter(|_| offered)
}

/// How a client began TLS.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Negotiation {
    /// With a request, which was answered.
    Asked,
    /// At once.
    Direct,
}

/// Puts TLS above the socket. `false`: it failed, and the client knows why as far as TLS can tell it.
async fn encrypt(
    acceptor: &Acceptor,
    slot: &mut Option<Link>,
    read: Vec<u8>,
    negotiation: Negotiation,
) -> Result<bool, Refusal> {
    let Some(link) = slot.take() else { return Ok(false) };
    let Stream::Clear(socket) = link.stream else { return Ok(false) };
    let peer = link.peer;
    let channel = acceptor
        .accept(read)
        .map_err(|error| Refusal::new(SqlState::INTERNAL, error.to_string()))?;
    let stream = match Encrypted::handshake(socket, channel).await {
        Ok(stream) => stream,
        Err(error) => {
            tracing::info!(%peer, "TLS with a client failed: {error}");
            return Ok(false);
        }
    };
    if negotiation == Negotiation::Direct && !stream.channel().is_postgresql() {
        // As PostgreSQL: who does not say which protocol it is may have been led here by somebody else.
        tracing::info!(%peer, "closing a direct TLS connection without ALPN \"postgresql\"");
        return Ok(false);
    }
    *slot = Some(Link::new(Stream::Encrypted(Box::new(stream)), peer));
    Ok(true)
}

/// Refuses a client in clear where encryption is wanted.
fn require_tls(settings: &Settings, link: &Link) -> Result<(), Refusal> {
    let required = settings.tls.as_deref().is_some_and(Acceptor::is_required);
    if required && matches!(link.peer, Peer::Tcp(_)) && link.stream.channel().is_none() {
        return Err(Refusal::new(SqlState::INVALID_AUTHORIZATION, "TLS is required")
            .hint("Connect with sslmode=require or stricter."));
    }
    Ok(())
}

fn check(message: &startup::Startup<'_>) -> Result<Request, Refusal> {
    let text = |bytes: &[u8]| -> Result<String, Refusal> {
        std::str::from_utf8(bytes)
            .map(str::to_owned)
            .map_err(|_| Refusal::protocol("a startup parameter is not UTF-8"))
    };
    let user = match message.user() {
        Some(user) if !user.is_empty() => text(user)?,
        _ => {
            return Err(Refusal::new(
                SqlState::INVALID_AUTHORIZATION,
                "no PostgreSQL user name specified in startup packet",
            ));
        }
    };
    let database = match message.database() {
        Some(database) if !database.is_empty() => text(database)?,
        _ => user.clone(),
    };
    let (mut settings, mut unknown_options) = (Vec::new(), Vec::new());
    for (name, value) in message.parameters() {
        let (name, value) = (text(name)?, text(value)?);
        match name.as_str() {
            "user" | "database" => {}
            "replication" => {
                if !matches!(value.as_str(), "false" | "off" | "no" | "0") {
                    return Err(Refusal::new(
                        SqlState::FEATURE_NOT_SUPPORTED,
                        "replication connections do not go through Howdah yet",
                    )
                    .hint("Connect directly to PostgreSQL for replication."));
                }
            }
            "options" => settings.extend(options::parse(&value)?),
            _ if name.starts_with("_pq_.") => unknown_options.push(name),
            _ => settings.push((name, value)),
        }
    }
    let (database, user) = (database.into_boxed_str(), user.into_boxed_str());
    Ok(Request { database, user, minor: message.minor, settings, unknown_options })
}

/// Tells a client that asked for more than is spoken here what it gets.
fn negotiate(worker: &Worker, link: &mut Link, request: &Request) {
    if request.minor > NEWEST_MINOR || !request.unknown_options.is_empty() {
        let unknown: Vec<&str> = request.unknown_options.iter().map(String::as_str).collect();
        let minor = request.minor.min(NEWEST_MINOR);
        backend::negotiate_version(link.outbox.bytes(&worker.shelf), minor.into(), &unknown);
    }
}

/// Makes the session of a client that is in.
fn open_session(
    worker: &Rc<Worker>,
    slot: &mut Option<Link>,
    settings: &Settings,
    request: Request,
    (seat, client): (Seat, Authenticated),
) -> Result<Arrival, Refusal> {
    let key = PoolKey::home(request.database.clone(), request.user.clone());
    let pool = worker.pool(key).ok_or_else(|| unknown_database(settings, &request.database))?;
    pool.learn(client.lesson);
    let Some(link) = slot.take() else {
        return Ok(Arrival::Done);
    };
    let warming = link.peer == Peer::Memory && is_warming(&request);
    let secret = worker.random.take(if request.minor >= 2 { 32 } else { 4 });
    let secret = secret.map_err(|error| Refusal::new(SqlState::INTERNAL, error.to_string()))?;
    let identity = Identity {
        id: worker.new_id(),
        process_id: worker.new_process_id(),
        secret,
        peer: link.peer,
        tls: link.stream.tls(),
        local: link.stream.local(),
        database: request.database,
        user: request.user,
        is_console: false,
    };
    let entry = Rc::new(Entry::new(identity, worker.now()));
    let asked = request.settings.iter().map(|(name, value)| (name.as_str(), value.as_str()));
    let context = worker.share_context(Context::from_startup(asked));
    let mut session = Box::new(Session::new(worker, pool, entry, link.stream, context));
    session.inbox = link.inbox;
    session.outbox = link.outbox;
    session.seat = Some(seat);
    session.caching.warming = warming;
    Ok(Arrival::Session(session))
}

/// Whether it is the client that fills the cache.
fn is_warming(request: &Request) -> bool {
    let name = request.settings.iter().find(|(name, _)| name == "application_name");
    name.is_some_and(|(_, value)| value == warm::NAME)
}

/// Tells the client what PostgreSQL would, which may take a server, and a wait for one. Outside the time limit of the login:
/// pools have limits of their own, and a session is never dropped half-way. `None`: it has ended.
async fn greet(worker: &Worker, mut session: Box<Session>) -> Option<Box<Session>> {
    match session.greet().await {
        Ok(welcome) => {
            session.write_greeting(&welcome);
            Some(session)
        }
        Err(end) => {
            worker.stats.on_failed_login();
            session.close(end).await;
            None
        }
    }
}

fn unknown_database(settings: &Settings, name: &str) -> Refusal {
    let known: Vec<&str> =
        settings.databases.iter().map(|database| database.name.as_str()).collect();
    Refusal::new(
        SqlState::INVALID_CATALOG_NAME,
        format!("database {name:?} is not configured in Howdah"),
    )
    .hint(format!(
        "Configured: {}. Add a [[database]] with this name, or name = \"*\" for all.",
        known.join(", ")
    ))
}

impl Session {
    /// `AuthenticationOk` to the first ReadyForQuery, in one write.
    fn write_greeting(&mut self, welcome: &Welcome) {
        let out = self.outbox.bytes(&self.worker.shelf);
        backend::authentication_ok(out);
        for (name, value) in welcome.iter() {
            backend::parameter_status_message(out, name, value);
        }
        backend::backend_key_data(out, self.entry.process_id, &self.entry.secret);
        self.pool.traffic.on_login();
        backend::ready_for_query(out, TransactionStatus::Idle);
        self.entry.activity.set(crate::entry::Activity::Idle);
        self.show_state();
    }
}
