//! Where one `howdah up` finds another to take over from, and what the service manager is told about it. The take-over itself is the
//! library's.
//!
//! Invariant: the socket is in a directory that belongs to this user and that nobody else can look into.

use std::io;
use std::os::linux::net::SocketAddrExt as _;
use std::os::unix::fs::{DirBuilderExt as _, MetadataExt as _};
use std::os::unix::net::{SocketAddr, UnixDatagram};
use std::path::{Path, PathBuf};

use anyhow::{Context as _, anyhow, bail};
use howdah::config::settings::{Listen, TakeoverSocket};

/// The socket for a configuration; `None`: it is off, or there is nothing to derive it from.
pub(crate) fn socket(listen: &Listen) -> Option<PathBuf> {
    match &listen.takeover {
        TakeoverSocket::Off => None,
        TakeoverSocket::At(path) => Some(path.clone()),
        TakeoverSocket::Derived => {
            let tcp = listen.tcp.iter().filter(|address| address.port() != 0);
            let unix = listen.unix.iter().filter(|socket| socket.port != 0);
            let name = tcp.map(ToString::to_string).next().or_else(|| {
                let unix = unix.map(|one| format!("{}-{}", one.directory.display(), one.port));
                unix.map(|name| name.replace('/', "-")).next()
            });
            name.map(|name| directory().join(format!("takeover-{name}")))
        }
    }
}

/// The runtime directory of the service, of the user, or one of our own.
fn directory() -> PathBuf {
    let of = |name| std::env::var_os(name).map(PathBuf::from).filter(|path| path.is_absolute());
    let uid = rustix::process::geteuid().as_raw();
    of("RUNTIME_DIRECTORY")
        .or_else(|| of("XDG_RUNTIME_DIR").map(|path| path.join("howdah")))
        .unwrap_or_else(|| PathBuf::from(format!("/tmp/howdah-{uid}")))
}

/// Makes the directory of a socket unless it is there, and looks whether it is this user's alone.
pub(crate) fn prepare(socket: &Path) -> anyhow::Result<()> {
    let directory = socket.parent().ok_or_else(|| anyhow!("it has no directory"))?;
    match std::fs::DirBuilder::new().mode(0o700).create(directory) {
        Ok(()) => {}
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {}
        Err(error) => return Err(error).with_context(|| directory.display().to_string()),
    }
    let found = std::fs::symlink_metadata(directory)?;
    let own = found.uid() == rustix::process::geteuid().as_raw();
    if !found.is_dir() || !own || found.mode() & 0o022 != 0 {
        bail!("{} is not a directory that only this user can write to", directory.display());
    }
    Ok(())
}

/// Tells systemd, if it asks, that this process serves now, instead of the one that was started first.
pub(crate) fn tell_systemd() {
    let Some(name) = std::env::var_os("NOTIFY_SOCKET") else { return };
    let state = format!("READY=1\nMAINPID={}\n", std::process::id());
    let told = UnixDatagram::unbound().and_then(|socket| {
        let text = name.to_string_lossy();
        let address = match text.strip_prefix('@') {
            Some(hidden) => SocketAddr::from_abstract_name(hidden)?,
            None => SocketAddr::from_pathname(&name)?,
        };
        socket.send_to_addr(state.as_bytes(), &address)
    });
    if let Err(error) = told {
        tracing::warn!(%error, "the service manager cannot be told");
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_socket_is_named_after_the_first_address() {
        let mut listen = Listen::default();
        assert_eq!(socket(&listen), None);
        listen.tcp = vec![([127, 0, 0, 1], 6432).into(), ([10, 0, 0, 1], 6432).into()];
        let found = socket(&listen).expect("a socket");
        assert!(found.ends_with("takeover-127.0.0.1:6432"), "{}", found.display());
        listen.takeover = TakeoverSocket::At("/run/x/y".into());
        assert_eq!(socket(&listen), Some("/run/x/y".into()));
        listen.takeover = TakeoverSocket::Off;
        assert_eq!(socket(&listen), None);
    }
}
