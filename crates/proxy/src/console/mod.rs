//! The administration console on the databases `howdah` and `pgbouncer`: PgBouncer's commands, over the simple and the extended
//! protocol. Here a console begins and ends; its end of the protocol is in `protocol`, what commands are in `command`, who may in
//! `rights`, what they do in `execute`, what they show in `show`.
//!
//! Invariant: a console never waits for a pool, and counts as no client: it works when nothing else does.

mod command;
mod execute;
mod parameters;
mod protocol;
pub(crate) mod rights;
mod show;
mod table;

use std::rc::Rc;

use howdah_wire::backend::{self, TransactionStatus};
use howdah_wire::sqlstate::SqlState;

use crate::auth::Link;
use crate::entry::{Activity, Entry, Identity};
use crate::error::Refusal;
use crate::settings::Settings;
use crate::worker::Worker;
use protocol::Console;
use rights::Role;

/// Names of the console database, and of the host's own administrator.
const NAMES: [&str; 2] = ["howdah", "pgbouncer"];

/// Whether a database name means the console: unless a database of that name is configured.
pub(crate) fn is_console(settings: &Settings, database: &str) -> bool {
    NAMES.contains(&database) && !settings.databases.iter().any(|known| known.name == database)
}

/// Somebody who may use the console.
#[derive(Debug)]
pub(crate) struct Visitor {
    pub(crate) user: Box<str>,
    /// By which name the console was asked for.
    pub(crate) database: Box<str>,
    pub(crate) role: Role,
}

/// Serves an administrator until the end.
pub(crate) async fn run(worker: &Rc<Worker>, mut link: Link, visitor: Visitor) {
    let end = match worker.shared.console() {
        Some(_seat) => serve(worker, &mut link, visitor).await,
        None => Err(Refusal::new(SqlState::TOO_MANY_CONNECTIONS, "too many consoles are open")
            .hint("Close those that are not needed.")),
    };
    if let Err(refusal) = end {
        refusal.write_fatal(link.outbox.bytes(&worker.shelf));
    }
    crate::login::say_goodbye(worker, link.stream, link.outbox).await;
}

async fn serve(worker: &Rc<Worker>, link: &mut Link, visitor: Visitor) -> Result<(), Refusal> {
    let Visitor { user, database, role } = visitor;
    let secret = worker.random.take(4);
    let identity = Identity {
        id: worker.new_id(),
        process_id: worker.new_process_id(),
        secret: secret.map_err(|error| Refusal::new(SqlState::INTERNAL, error.to_string()))?,
        peer: link.peer,
        tls: link.stream.tls(),
        local: link.stream.local(),
        database,
        user,
        is_console: true,
    };
    let entry = Rc::new(Entry::new(identity, worker.now()));
    greet(worker, link, &entry);
    tracing::debug!(user = %entry.user, "console opened");
    worker.register(&entry);
    entry.activity.set(Activity::Idle);
    let end = Console::new(worker, link, &entry, role).serve().await;
    worker.unregister(&entry);
    end
}

fn greet(worker: &Worker, link: &mut Link, entry: &Entry) {
    let out = link.outbox.bytes(&worker.shelf);
    backend::authentication_ok(out);
    for parameter in parameters::ALL.iter().filter(|parameter| parameter.told) {
        let (name, value) = (parameter.name().as_bytes(), parameter.value.as_bytes());
        backend::parameter_status_message(out, name, value);
    }
    backend::backend_key_data(out, entry.process_id, &entry.secret);
    backend::ready_for_query(out, TransactionStatus::Idle);
}
