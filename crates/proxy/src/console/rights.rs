//! Who may do what on the console. One table of commands, and who has which role.
//!
//! Invariant: every command is in the table of [`Command::needs`]; the compiler sees to it.

use howdah_wire::sqlstate::SqlState;

use super::NAMES;
use super::command::Command;
use super::show::Topic;
use crate::auth::Link;
use crate::error::Refusal;
use crate::settings::{Login, Settings};
use crate::stream::Peer;

/// What somebody may do; each role may do what those before it may.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Role {
    /// Look.
    Stats,
    /// Change.
    Admin,
}

impl Command {
    /// The role that a command needs.
    pub(super) const fn needs(&self) -> Role {
        match self {
            Self::Show(topic) => match topic {
                // They hold what applications wrote, or what would let somebody in.
                Topic::Fds | Topic::Prepared => Role::Admin,
                Topic::ActiveSockets
                | Topic::Alerts
                | Topic::Cache
                | Topic::CacheRules
                | Topic::CacheTables
                | Topic::Clients
                | Topic::Config
                | Topic::Databases
                | Topic::DnsHosts
                | Topic::DnsZones
                | Topic::Help
                | Topic::Leaks
                | Topic::Lists
                | Topic::Mem
                | Topic::Nodes
                | Topic::Notifications
                | Topic::Origins
                | Topic::Outsiders
                | Topic::PeerPools
                | Topic::Peers
                | Topic::Pins
                | Topic::Pools
                | Topic::Routes
                | Topic::Rules
                | Topic::Servers
                | Topic::Slow
                | Topic::Sockets
                | Topic::State
                | Topic::Statements
                | Topic::Stats
                | Topic::StatsAverages
                | Topic::StatsTotals
                | Topic::Totals
                | Topic::Users
                | Topic::Version => Role::Stats,
            },
            Self::Parameter(_) | Self::Ignored(_) | Self::Route { .. } => Role::Stats,
            Self::CacheExplain { .. } => Role::Stats,
            Self::Change(_)
            | Self::Cache(_)
            | Self::CacheFlush(_)
            | Self::CacheWarm
            | Self::Disable(_)
            | Self::Drain(_)
            | Self::Enable(_)
            | Self::Kill(_)
            | Self::KillClient(_)
            | Self::Mark(_)
            | Self::Pause(_)
            | Self::PauseWhileConnected(_)
            | Self::Reconnect(_)
            | Self::Reload
            | Self::Resume(_)
            | Self::Shutdown(_)
            | Self::Silence { .. }
            | Self::Suspend
            | Self::Undrain(_)
            | Self::Unsilence(_)
            | Self::WaitClose(_) => Role::Admin,
        }
    }
}

/// Whether a connection is the host's own: by Unix socket, from the operating system's user that Howdah runs as, under a name
/// of the console. It needs no password, as with PgBouncer: that user may do anything to Howdah anyway.
pub(crate) fn is_host(link: &Link, user: &str) -> bool {
    NAMES.contains(&user) && link.stream.is_of_own_user()
}

/// The role of somebody who has proven who they are.
///
/// # Errors
/// What the client is told: it may not use the console.
pub(crate) fn role(
    settings: &Settings,
    peer: Peer,
    user: &str,
    host: bool,
) -> Result<Role, Refusal> {
    let is_in = |users: &[String]| users.iter().any(|listed| listed == user);
    let trusted = settings.user(user).is_some_and(|user| matches!(user.login, Login::Trust))
        && peer.is_local();
    if host || peer == Peer::Memory || is_in(&settings.admin_users) {
        Ok(Role::Admin)
    } else if is_in(&settings.stats_users) {
        Ok(Role::Stats)
    } else if trusted {
        Ok(Role::Admin)
    } else {
        Err(Refusal::new(
            SqlState::INSUFFICIENT_PRIVILEGE,
            format!("user {user:?} may not use the console"),
        )
        .hint("Add the user to admin.users, or to admin.stats_users for looking only."))
    }
}
