//! Accepts connections, on one of the workers. When the startup message names a pool of another worker, the login hands the
//! connection over.
//!
//! Invariant: a connection that is accepted is counted until it is closed.

use std::io;
use std::os::fd::{AsFd, OwnedFd};
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::rc::Rc;
use std::time::Duration;

use howdah_core::takeover::ListenerName;
use tokio::io::DuplexStream;
use tokio::net::{TcpListener, UnixListener};

use crate::auth::Link;
use crate::error::{Refusal, StartError};
use crate::report::ListenAddress;
use crate::settings::Listen;
use crate::shared::Shared;
use crate::stream::{Detached, DetachedSocket, Peer, Socket, Stream};
use crate::worker::{Accepted, Command, Worker};

/// Pause after `accept` failed: the process is out of descriptors, and a connection may end meanwhile.
const ACCEPT_PAUSE: Duration = Duration::from_millis(50);

/// Connections beyond `max_clients` that may still say what they want: cancel requests have to get through.
const BEYOND_MAX: usize = 64;

/// Sockets that are listened on, and tasks that accept.
#[derive(Debug, Default)]
pub(crate) struct Listening {
    accepting: Vec<tokio::task::JoinHandle<()>>,
    sockets: Option<Listeners>,
    /// Another process listens on them: the files are not to be removed.
    given: bool,
}

impl Listening {
    /// Closes the sockets and removes their files.
    pub(crate) fn stop(mut self) {
        self.end_accepting();
        for (_, path) in self.sockets.iter().flat_map(|sockets| &sockets.unix) {
            if !self.given {
                let _ = std::fs::remove_file(path);
            }
        }
    }

    fn end_accepting(&mut self) {
        for task in self.accepting.drain(..) {
            task.abort();
        }
    }

    /// Accepts no more, but keeps the sockets: whoever connects now waits for the other process that listens on them.
    pub(crate) fn pause(&mut self) {
        self.end_accepting();
        self.given = true;
    }

    /// The sockets, to listen on them again.
    pub(crate) fn take_sockets(&mut self) -> Option<Listeners> {
        self.sockets.take()
    }

    /// Second handles of the sockets, with their names.
    pub(crate) fn duplicate(&self) -> io::Result<Vec<(ListenerName, OwnedFd)>> {
        let mut all = Vec::new();
        if let Some(sockets) = &self.sockets {
            for socket in &sockets.tcp {
                let name = ListenerName::Tcp(socket.local_addr()?);
                all.push((name, socket.as_fd().try_clone_to_owned()?));
            }
            for (socket, path) in &sockets.unix {
                let name = ListenerName::Unix(path.to_string_lossy().into_owned());
                all.push((name, socket.as_fd().try_clone_to_owned()?));
            }
        }
        Ok(all)
    }
}

/// Sockets that are listened on.
#[derive(Debug)]
pub(crate) struct Listeners {
    tcp: Vec<std::net::TcpListener>,
    unix: Vec<(std::os::unix::net::UnixListener, PathBuf)>,
}

impl Listeners {
    /// Binds all addresses but those that another process has handed over.
    ///
    /// # Errors
    /// The first address that cannot be bound.
    pub(crate) fn bind(
        listen: &Listen,
        mut inherited: Vec<(ListenerName, OwnedFd)>,
    ) -> Result<Self, StartError> {
        let mut listeners = Self { tcp: Vec::new(), unix: Vec::new() };
        for address in &listen.tcp {
            let refused = |source| StartError::Listen { address: address.to_string(), source };
            let same = |name: &ListenerName| match name {
                // A port that was taken by chance stays the same.
                ListenerName::Tcp(other) if address.port() == 0 => other.ip() == address.ip(),
                ListenerName::Tcp(other) => other == address,
                ListenerName::Unix(_) => false,
            };
            let listener = match take(&mut inherited, same) {
                Some(socket) => std::net::TcpListener::from(socket),
                None => std::net::TcpListener::bind(address).map_err(refused)?,
            };
            listener.set_nonblocking(true).map_err(refused)?;
            listeners.tcp.push(listener);
        }
        for socket in &listen.unix {
            let path = socket.directory.join(format!(".s.PGSQL.{}", socket.port));
            let same = |name: &ListenerName| match name {
                ListenerName::Unix(other) => Path::new(other) == path,
                ListenerName::Tcp(_) => false,
            };
            if let Some(socket) = take(&mut inherited, same) {
                listeners.unix.push((socket.into(), path));
                continue;
            }
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
        for listener in &self.tcp {
            match listener.try_clone().and_then(TcpListener::from_std) {
                Ok(listener) => accepting
                    .push(tokio::task::spawn_local(accept_tcp(listener, Rc::clone(worker)))),
                Err(error) => tracing::error!(%error, "cannot listen"),
            }
        }
        for (listener, _) in &self.unix {
            match listener.try_clone().and_then(UnixListener::from_std) {
                Ok(listener) => accepting
                    .push(tokio::task::spawn_local(accept_unix(listener, Rc::clone(worker)))),
                Err(error) => tracing::error!(%error, "cannot listen"),
            }
        }
        worker.set_listening(Listening { accepting, sockets: Some(self), given: false });
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

/// Takes the first inherited socket of that name.
fn take(
    inherited: &mut Vec<(ListenerName, OwnedFd)>,
    same: impl Fn(&ListenerName) -> bool,
) -> Option<OwnedFd> {
    let at = inherited.iter().position(|(name, _)| same(name))?;
    Some(inherited.swap_remove(at).1)
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
                    worker.serve_link(Link::new(
                        Stream::Clear(Socket::Tcp(stream)),
                        Peer::Tcp(address),
                    ));
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
                    worker.serve_link(Link::new(Stream::Clear(Socket::Unix(stream)), Peer::Unix));
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
        let stream = Detached::Clear(DetachedSocket::Memory(stream));
        give(shared, 0, Accepted { stream, peer: Peer::Memory, bytes: Vec::new() }).await;
    }
}
