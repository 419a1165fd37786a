//! Who is at the other end of a Unix socket, by what the kernel says. Not of any other connection.
//!
//! Invariant: the name is that of the process that connected; nothing the client sends matters.

use nix::unistd::{Uid, User};

use super::Link;
use crate::keys::aside;
use crate::stream::{Socket, Stream};

/// Whether the process at the other end runs as the operating system's user of this name.
pub(super) async fn is(link: &Link, name: &str) -> bool {
    let Stream::Clear(Socket::Unix(stream)) = &link.stream else {
        return false;
    };
    let Ok(credentials) = stream.peer_cred() else {
        return false;
    };
    let id = Uid::from_raw(credentials.uid());
    // Names may come over the network.
    let user = aside(move || User::from_uid(id)).await;
    matches!(user, Some(Ok(Some(user))) if user.name == name)
}
