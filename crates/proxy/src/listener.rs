//! Accepts connections, on one of the workers. When the startup message names a pool of another worker, the login hands the
//! connection over.
//!
//! Invariant: a connection that is accepted is counted until it is closed.

use std::io;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::rc::Rc;
use std::time::Duration;

use tokio::io::DuplexStream;
use tokio::net::{TcpListener, UnixListener};

use crate::auth::Link;
use crate::error::{Refusal, StartError};
use crate::report::ListenAddress;
use crate::settings::Listen;
use crate::shared::Shared;
use crate::stream::{Detached, Peer, Stream};
use crate::worker::{Accepted, Command, Worker};

/// Pause after `accept` failed: the process is out of descriptors, and a connection may end meanwhile.
const ACCEPT_PAUSE: Duration = Duration::from_millis(50);

/// Connections beyond `max_clients` that may still say what they want: cancel requests have to get through.
const BEYOND_MAX: usize = 64;

/// Tasks that accept, and the socket files they made.
#[derive(Debug, Default)]
pub(crate) struct Listening {
    accepting: Vec<tokio::task::JoinHandle<()>>,
    paths: Vec<PathBuf>,
}

impl Listening {
    /// Closes the sockets and removes their files.
    pub(crate) fn stop(self) {
        for task in self.accepting {
            task.abort();
        }
        for path in self.paths {
            let _ = std::fs::remove_file(path);
        }
    }
}

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

    /// Begins to accept, until the worker stops listening.
    pub(crate) fn spawn(self, worker: &Rc<Worker>) {
        let mut accepting = Vec::new();
        let mut paths = Vec::new();
        for listener in self.tcp {
            match TcpListener::from_std(listener) {
                Ok(listener) => accepting
                    .push(tokio::task::spawn_local(accept_tcp(listener, Rc::clone(worker)))),
                Err(error) => tracing::error!(%error, "cannot listen"),
            }
        }
        for (listener, path) in self.unix {
            match UnixListener::from_std(listener) {
                Ok(listener) => accepting
                    .push(tokio::task::spawn_local(accept_unix(listener, Rc::clone(worker)))),
                Err(error) => tracing::error!(%error, "cannot listen"),
            }
            paths.push(path);
        }
        worker.set_listening(Listening { accepting, paths });
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

async fn accept_tcp(listener: TcpListener, worker: Rc<Worker>) {
    loop {
        match listener.accept().await {
            Ok((stream, address)) => {
                if admit(&worker.shared, |out| drop(stream.try_write(out)))
                    && stream.set_nodelay(true).is_ok()
                {
                    worker.serve_link(Link::new(Stream::Tcp(stream), Peer::Tcp(address)));
                }
            }
            Err(error) => on_accept_failed(&error).await,
        }
    }
}

async fn accept_unix(listener: UnixListener, worker: Rc<Worker>) {
    loop {
        match listener.accept().await {
            Ok((stream, _)) => {
                if admit(&worker.shared, |out| drop(stream.try_write(out))) {
                    worker.serve_link(Link::new(Stream::Unix(stream), Peer::Unix));
                }
            }
            Err(error) => on_accept_failed(&error).await,
        }
    }
}

async fn on_accept_failed(error: &io::Error) {
    tracing::warn!(%error, "cannot accept a connection");
    tokio::time::sleep(ACCEPT_PAUSE).await;
}

/// Counts a connection. `false`: there are far too many, and it was told so without being asked what it wants.
fn admit(shared: &Shared, tell: impl FnOnce(&[u8])) -> bool {
    shared.on_client();
    let max = shared.max_clients();
    if shared.clients() <= max + BEYOND_MAX {
        return true;
    }
    let mut out = Vec::new();
    Refusal::too_many_clients(max, "listen.max_clients").write_fatal(&mut out);
    tell(&out);
    shared.on_client_left();
    false
}

/// Gives a counted connection to a worker.
pub(crate) async fn give(shared: &Shared, owner: usize, accepted: Accepted) {
    let given = match shared.workers().get(owner) {
        Some(worker) => worker.send(Command::Serve(accepted)).await.is_ok(),
        None => false,
    };
    if !given {
        shared.on_client_left();
    }
}

/// Gives the other end of the in-process door to a worker.
pub(crate) async fn hand_over(shared: &Shared, stream: DuplexStream) {
    if admit(shared, |_| {}) {
        let stream = Detached::Memory(stream);
        give(shared, 0, Accepted { stream, peer: Peer::Memory, bytes: Vec::new() }).await;
    }
}
