//! Accepts connections and hands each to a worker. Its own thread and event loop: a storm of connections does not stop
//! the workers, and workers do not compete for `accept`.
//!
//! Invariant: a connection that is accepted is counted until it is closed.

use std::io;
use std::net::SocketAddr;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use tokio::net::{TcpListener, UnixListener};
use tokio::sync::watch;

use crate::error::{Refusal, StartError};
use crate::report::ListenAddress;
use crate::settings::Listen;
use crate::shared::Shared;
use crate::worker::{Accepted, Command};

/// Pause after `accept` failed: the process is out of descriptors, and a connection may end meanwhile.
const ACCEPT_PAUSE: Duration = Duration::from_millis(50);

/// Connections beyond `max_clients` that may still say what they want: cancel requests have to get through.
const BEYOND_MAX: usize = 64;

/// Sockets that are listened on.
#[derive(Debug)]
pub(crate) struct Listeners {
    tcp: Vec<std::net::TcpListener>,
    unix: Vec<(std::os::unix::net::UnixListener, PathBuf)>,
}

impl Listeners {
    /// Binds all addresses.
    ///
    /// # Errors
    /// The first address that cannot be bound.
    pub(crate) fn bind(listen: &Listen) -> Result<Self, StartError> {
        let mut listeners = Self { tcp: Vec::new(), unix: Vec::new() };
        for address in &listen.tcp {
            let refused = |source| StartError::Listen { address: address.to_string(), source };
            let listener = std::net::TcpListener::bind(address).map_err(refused)?;
            listener.set_nonblocking(true).map_err(refused)?;
            listeners.tcp.push(listener);
        }
        for socket in &listen.unix {
            let path = socket.directory.join(format!(".s.PGSQL.{}", socket.port));
            let refused =
                |source| StartError::Listen { address: path.display().to_string(), source };
            let listener = bind_unix(&path).map_err(refused)?;
            listeners.unix.push((listener, path.clone()));
        }
        Ok(listeners)
    }

    /// Where it listens, with the ports that were taken.
    pub(crate) fn addresses(&self) -> Vec<ListenAddress> {
        let tcp = self
            .tcp
            .iter()
            .filter_map(|listener| listener.local_addr().ok())
            .map(ListenAddress::Tcp);
        tcp.chain(self.unix.iter().map(|(_, path)| ListenAddress::Unix(path.clone()))).collect()
    }
}

fn bind_unix(path: &Path) -> io::Result<std::os::unix::net::UnixListener> {
    // A socket file that nobody listens on is left over from a process that was killed.
    if std::os::unix::net::UnixStream::connect(path)
        .is_err_and(|error| error.kind() == io::ErrorKind::ConnectionRefused)
    {
        std::fs::remove_file(path)?;
    }
    let listener = std::os::unix::net::UnixListener::bind(path)?;
    // As PostgreSQL's unix_socket_permissions: who may use the directory may connect, and logs in.
    std::fs::set_permissions(path, std::fs::Permissions::from_mode(0o777))?;
    listener.set_nonblocking(true)?;
    Ok(listener)
}

/// Accepts until told to stop; then the sockets are closed and socket files removed.
pub(crate) async fn run(listeners: Listeners, shared: Arc<Shared>, stop: watch::Receiver<bool>) {
    let mut tasks = tokio::task::JoinSet::new();
    for listener in listeners.tcp {
        tasks.spawn(accept_tcp(listener, Arc::clone(&shared), stop.clone()));
    }
    for (listener, path) in listeners.unix {
        tasks.spawn(accept_unix(listener, path, Arc::clone(&shared), stop.clone()));
    }
    while tasks.join_next().await.is_some() {}
}

async fn accept_tcp(
    listener: std::net::TcpListener,
    shared: Arc<Shared>,
    mut stop: watch::Receiver<bool>,
) {
    let listener = match TcpListener::from_std(listener) {
        Ok(listener) => listener,
        Err(error) => return tracing::error!(%error, "cannot listen"),
    };
    loop {
        let accepted = tokio::select! {
            _ = stop.wait_for(|stop| *stop) => return,
            accepted = listener.accept() => accepted,
        };
        match accepted.and_then(|(stream, address)| Ok((stream.into_std()?, address))) {
            Ok((stream, address)) => hand_over_tcp(&shared, stream, address).await,
            Err(error) => on_accept_failed(&error).await,
        }
    }
}

async fn hand_over_tcp(shared: &Shared, stream: std::net::TcpStream, address: SocketAddr) {
    hand_over(shared, Accepted::Tcp(stream, address)).await;
}

async fn accept_unix(
    listener: std::os::unix::net::UnixListener,
    path: PathBuf,
    shared: Arc<Shared>,
    mut stop: watch::Receiver<bool>,
) {
    let listener = match UnixListener::from_std(listener) {
        Ok(listener) => listener,
        Err(error) => return tracing::error!(%error, "cannot listen"),
    };
    loop {
        let accepted = tokio::select! {
            _ = stop.wait_for(|stop| *stop) => break,
            accepted = listener.accept() => accepted,
        };
        match accepted.and_then(|(stream, _)| stream.into_std()) {
            Ok(stream) => hand_over(&shared, Accepted::Unix(stream)).await,
            Err(error) => on_accept_failed(&error).await,
        }
    }
    drop(listener);
    let _ = std::fs::remove_file(&path);
}

async fn on_accept_failed(error: &io::Error) {
    tracing::warn!(%error, "cannot accept a connection");
    tokio::time::sleep(ACCEPT_PAUSE).await;
}

/// Gives a connection to a worker.
pub(crate) async fn hand_over(shared: &Shared, accepted: Accepted) {
    let worker = shared.on_client();
    if shared.clients() > shared.settings().max_clients + BEYOND_MAX {
        refuse(shared, &accepted);
        return;
    }
    let handed = match shared.workers().get(worker) {
        Some(worker) => worker.send(Command::Serve(accepted)).await.is_ok(),
        None => false,
    };
    if !handed {
        shared.on_client_left();
    }
}

/// Far too many: told without being asked what it wants.
fn refuse(shared: &Shared, accepted: &Accepted) {
    let mut out = Vec::new();
    Refusal::too_many_clients(shared.settings().max_clients, "listen.max_clients")
        .write_fatal(&mut out);
    match accepted {
        Accepted::Tcp(stream, _) => drop(io::Write::write(&mut &*stream, &out)),
        Accepted::Unix(stream) => drop(io::Write::write(&mut &*stream, &out)),
        Accepted::Memory(_) => {}
    }
    shared.on_client_left();
}
