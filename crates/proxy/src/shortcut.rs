//! The Unix socket of a node that is reached by TCP and is on this machine: the shorter way to the same server. Where it may be,
//! and whether it leads there. Not whether it may be looked for: that is [`LocalSocket`].
//!
//! Invariant: a server is used over the socket only when it has said that it is the one that TCP leads to (the same start of the same
//! system), and if it asked for the same proof there. Every doubt means TCP.
//!
//! Why so strict: over the socket `pg_hba.conf` may let in whom it would ask for a password over TCP, and in a directory that everybody may
//! write to, anybody's program may wait for our password.

use std::cell::RefCell;
use std::net::IpAddr;
use std::os::unix::fs::{FileTypeExt as _, PermissionsExt as _};
use std::path::{Path, PathBuf};
use std::time::Duration;

use tokio::io::ReadBuf;

use crate::buffer::Shelf;
use crate::connect::{self, Login, OpenError, Opened, Proof};
use crate::node::NodeState;
use crate::settings::{LocalSocket, NodeAddress};
use crate::tls::NodeMode;

/// Which server this is, and where its sockets are. The latter is told only to roles that may see all settings.
const QUESTION: &str = "SELECT pg_catalog.concat_ws(' ', pg_catalog.pg_postmaster_start_time(), \
    (SELECT system_identifier FROM pg_catalog.pg_control_system())), \
    (SELECT setting FROM pg_catalog.pg_settings WHERE name = 'unix_socket_directories')";
/// Where packages of PostgreSQL put its socket. Not `/tmp`: there anybody may put one.
const USUAL: &str = "/var/run/postgresql";
/// How long PostgreSQL may take to end a connection that is not needed any more.
const LEAVING: Duration = Duration::from_millis(500);

/// A socket that has led to the right server.
#[derive(Debug, Clone)]
struct Way {
    address: NodeAddress,
    identity: String,
    proof: Proof,
}

/// What a pool knows of the shorter way to its node. It is found again after every reload.
#[derive(Debug, Default)]
pub(crate) struct Shortcut(RefCell<Option<Way>>);

impl Shortcut {
    /// The next server is reached by TCP first.
    pub(crate) fn forget(&self) {
        *self.0.borrow_mut() = None;
    }

    /// Opens a server by the shorter way, if there is one, or by TCP. Says where it was reached.
    ///
    /// # Errors
    /// As [`connect::open`]. Dropping the future closes the socket.
    pub(crate) async fn open(
        &self,
        login: Login<'_>,
        wish: &LocalSocket,
        node: &NodeState,
        shelf: &Shelf,
    ) -> Result<(Opened, NodeAddress), OpenError> {
        let by_tcp = async |question| {
            let opened = connect::open(&Login { question, ..login }, shelf).await?;
            Ok((opened, login.address.clone()))
        };
        if !may_look(&login, wish) {
            return by_tcp(None).await;
        }
        let known = self.0.borrow().clone();
        if let Some(way) = known {
            match way.open(&login, shelf).await {
                Ok(opened) => return Ok((opened, way.address)),
                Err(error) => tracing::debug!("not over the Unix socket any more: {error}"),
            }
            self.forget();
        }
        if node.has_no_socket() {
            return by_tcp(None).await;
        }
        let (opened, address) = by_tcp(Some(QUESTION)).await?;
        let way = match Way::of(&opened, login.address, wish) {
            Ok(way) => way,
            Err(reason) => {
                node.on_socket(Err(reason));
                return Ok((opened, address));
            }
        };
        // One server at a time, because of caps.
        leave(opened).await;
        match way.open(&login, shelf).await {
            Ok(opened) => {
                node.on_socket(Ok(way.address.to_string()));
                let address = way.address.clone();
                *self.0.borrow_mut() = Some(way);
                Ok((opened, address))
            }
            Err(error) => {
                if error.is_final() {
                    node.on_socket(Err(error.to_string()));
                }
                by_tcp(None).await
            }
        }
    }
}

impl Way {
    /// Where a server that was reached by TCP has its socket.
    fn of(tcp: &Opened, address: &NodeAddress, wish: &LocalSocket) -> Result<Self, String> {
        let NodeAddress::Tcp { port, .. } = *address else {
            return Err("it is a socket already".to_owned());
        };
        let mut answer = tcp.answer.iter().cloned();
        let identity = answer.next().flatten().filter(|identity| identity.contains(' '));
        let identity = identity.ok_or("the server does not say which one it is")?;
        let said = answer.next().flatten();
        let directory = directories(wish, said.as_deref())
            .into_iter()
            .find(|directory| is_socket(&socket(directory, port)))
            .ok_or("there is no socket where one may be looked for")?;
        Ok(Self { address: NodeAddress::Unix { directory, port }, identity, proof: tcp.proof })
    }

    async fn open(&self, login: &Login<'_>, shelf: &Shelf) -> Result<Opened, OpenError> {
        let login = Login {
            address: &self.address,
            connector: None,
            only: Some(self.proof),
            question: Some(QUESTION),
            ..*login
        };
        let opened = connect::open(&login, shelf).await?;
        if opened.answer.first() == Some(&Some(self.identity.clone())) {
            return Ok(opened);
        }
        let address = self.address.to_string();
        leave(opened).await;
        Err(OpenError::Login { address, reason: "it is another server than by TCP".to_owned() })
    }
}

/// Whether there is any sense in looking for a socket, and nothing against it.
fn may_look(login: &Login<'_>, wish: &LocalSocket) -> bool {
    let NodeAddress::Tcp { host, .. } = login.address else { return false };
    let in_clear = login.connector.is_none_or(|tls| tls.mode() == NodeMode::Prefer);
    in_clear
        && match wish {
            LocalSocket::Off => false,
            LocalSocket::At(_) => true,
            LocalSocket::Auto => is_this_machine(host),
        }
}

fn is_this_machine(host: &str) -> bool {
    host == "localhost" || host.parse().is_ok_and(|ip: IpAddr| ip.to_canonical().is_loopback())
}

/// Where the socket may be: where it is said to be, or else in the usual place if that is not open to everybody.
fn directories(wish: &LocalSocket, said: Option<&str>) -> Vec<PathBuf> {
    match (wish, said) {
        (LocalSocket::Off, _) => Vec::new(),
        (LocalSocket::At(directory), _) => vec![directory.clone()],
        (LocalSocket::Auto, Some(said)) => {
            let paths = said.split(',').map(|path| PathBuf::from(path.trim().trim_matches('"')));
            paths.filter(|path| path.is_absolute()).collect()
        }
        (LocalSocket::Auto, None) => {
            let usual = PathBuf::from(USUAL);
            usual
                .metadata()
                .is_ok_and(|found| found.permissions().mode() & 0o002 == 0)
                .then_some(usual)
                .into_iter()
                .collect()
        }
    }
}

fn socket(directory: &Path, port: u16) -> PathBuf {
    directory.join(format!(".s.PGSQL.{port}"))
}

fn is_socket(path: &Path) -> bool {
    path.metadata().is_ok_and(|found| found.file_type().is_socket())
}

/// Ends a connection and waits until the server has ended it, too.
async fn leave(mut opened: Opened) {
    if opened.stream.say_goodbye().is_err() {
        return;
    }
    let mut byte = [0];
    let ended =
        std::future::poll_fn(|cx| opened.stream.poll_read(cx, &mut ReadBuf::new(&mut byte)));
    // Whether it ended in time or not, nobody needs it.
    let _ = tokio::time::timeout(LEAVING, ended).await;
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_this_machine_is_looked_at() {
        for host in ["localhost", "127.0.0.1", "127.8.0.1", "::1", "::ffff:127.0.0.1"] {
            assert!(is_this_machine(host), "{host}");
        }
        for host in ["db.internal", "10.0.0.1", "0.0.0.0", "localhost.example.org"] {
            assert!(!is_this_machine(host), "{host}");
        }
    }

    #[test]
    fn what_the_server_says_goes_before_the_usual_place() {
        let paths = |said| directories(&LocalSocket::Auto, Some(said));
        assert_eq!(paths("/a, \"/b c\",@abstract"), [Path::new("/a"), Path::new("/b c")]);
        assert!(paths("").is_empty());
        let own = LocalSocket::At("/own".into());
        assert_eq!(directories(&own, Some("/a")), [Path::new("/own")]);
    }
}
