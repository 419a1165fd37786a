//! Accepts connections, on one of the workers: its own clients it serves without a detour, the others it hands over.
//!
//! Invariant: a connection that is accepted is counted until it is closed.

use std::io;
use std::net::SocketAddr;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::rc::Rc;
use std::time::Duration;

use tokio::io::DuplexStream;
use tokio::net::{TcpListener, TcpStream, UnixListener, UnixStream};

use crate::error::{Refusal, StartError};
use crate::report::ListenAddress;
use crate::settings::Listen;
use crate::shared::Shared;
use crate::stream::{Peer, Stream};
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

/// Takes its own clients and hands the others' over.
async fn accept_tcp(listener: TcpListener, worker: Rc<Worker>) {
    loop {
        match listener.accept().await {
            Ok((stream, address)) => on_tcp(&worker, stream, address).await,
            Err(error) => on_accept_failed(&error).await,
        }
    }
}

async fn on_tcp(worker: &Rc<Worker>, stream: TcpStream, address: SocketAddr) {
    let Some(owner) = admit(&worker.shared, |out| drop(stream.try_write(out))) else { return };
    if owner == worker.index && stream.set_nodelay(true).is_ok() {
        return worker.serve_stream(Stream::Tcp(stream), Peer::Tcp(address));
    }
    match stream.into_std() {
        Ok(stream) => give(&worker.shared, owner, Accepted::Tcp(stream, address)).await,
        Err(_) => worker.shared.on_client_left(),
    }
}

async fn accept_unix(listener: UnixListener, worker: Rc<Worker>) {
    loop {
        match listener.accept().await {
            Ok((stream, _)) => on_unix(&worker, stream).await,
            Err(error) => on_accept_failed(&error).await,
        }
    }
}

async fn on_unix(worker: &Rc<Worker>, stream: UnixStream) {
    let Some(owner) = admit(&worker.shared, |out| drop(stream.try_write(out))) else { return };
    if owner == worker.index {
        return worker.serve_stream(Stream::Unix(stream), Peer::Unix);
    }
    match stream.into_std() {
        Ok(stream) => give(&worker.shared, owner, Accepted::Unix(stream)).await,
        Err(_) => worker.shared.on_client_left(),
    }
}

async fn on_accept_failed(error: &io::Error) {
    tracing::warn!(%error, "cannot accept a connection");
    tokio::time::sleep(ACCEPT_PAUSE).await;
}

/// Counts a connection and says which worker gets it. `None`: there are far too many, and it was told so without being
/// asked what it wants.
fn admit(shared: &Shared, tell: impl FnOnce(&[u8])) -> Option<usize> {
    let owner = shared.on_client();
    let max = shared.max_clients();
    if shared.clients() <= max + BEYOND_MAX {
        return Some(owner);
    }
    let mut out = Vec::new();
    Refusal::too_many_clients(max, "listen.max_clients").write_fatal(&mut out);
    tell(&out);
    shared.on_client_left();
    None
}

/// Gives a counted connection to a worker.
async fn give(shared: &Shared, owner: usize, accepted: Accepted) {
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
    if let Some(owner) = admit(shared, |_| {}) {
        give(shared, owner, Accepted::Memory(stream)).await;
    }
}
