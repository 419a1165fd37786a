//! The unprivileged account that servers run as.
//!
//! PostgreSQL and `PgBouncer` refuse to run as root. Invariant: a process of a directory never runs
//! as root; for everybody else it runs as the user who asked.

use std::fs;
use std::os::unix::process::CommandExt;
use std::path::Path;
use std::process::Command;

use crate::{Error, Result};

/// The accounts tried for root, best first.
const CANDIDATES: [&str; 2] = ["postgres", "nobody"];

/// Who the servers run as.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Account {
    pub(crate) uid: u32,
    pub(crate) gid: u32,
    /// We are root: processes must change to the account, and files be given to it.
    pub(crate) switch: bool,
}

impl Account {
    /// The account for servers started by this process.
    pub(crate) fn current() -> Result<Self> {
        let uid = rustix::process::geteuid();
        if !uid.is_root() {
            let gid = rustix::process::getegid().as_raw();
            return Ok(Self { uid: uid.as_raw(), gid, switch: false });
        }
        let passwd = Path::new("/etc/passwd");
        let passwd = fs::read_to_string(passwd).map_err(Error::io("read", passwd))?;
        CANDIDATES
            .iter()
            .find_map(|name| entry(&passwd, name))
            .map(|(uid, gid)| Self { uid, gid, switch: true })
            .ok_or(Error::Account)
    }

    /// Makes a command run as this account.
    pub(crate) fn apply(self, command: &mut Command) {
        if self.switch {
            // The standard library also drops the supplementary groups when root changes the user.
            command.uid(self.uid).gid(self.gid);
        }
    }

    /// The words that a shell puts before a command to run it as this account.
    pub(crate) fn switch_command(self) -> Vec<String> {
        if !self.switch {
            return Vec::new();
        }
        let (uid, gid) = (format!("--reuid={}", self.uid), format!("--regid={}", self.gid));
        vec!["setpriv".to_owned(), uid, gid, "--clear-groups".to_owned()]
    }

    /// Gives a file or directory to this account.
    pub(crate) fn own(self, path: &Path) -> Result<()> {
        if self.switch {
            std::os::unix::fs::chown(path, Some(self.uid), Some(self.gid))
                .map_err(Error::io("give to the server account", path))?;
        }
        Ok(())
    }
}

/// User and group number of `name` in the text of `/etc/passwd`.
fn entry(passwd: &str, name: &str) -> Option<(u32, u32)> {
    passwd.lines().find_map(|line| {
        let mut fields = line.split(':');
        (fields.next() == Some(name)).then_some(())?;
        let uid = fields.nth(1)?.parse().ok()?;
        let gid = fields.next()?.parse().ok()?;
        Some((uid, gid))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_account_is_found_by_its_whole_name() {
        let passwd =
            "root:x:0:0:root:/root:/bin/sh\npostgresql:x:7:8::/:\npostgres:x:101:104:a,,:/v:/b\n";
        assert_eq!(entry(passwd, "postgres"), Some((101, 104)));
        assert_eq!(entry(passwd, "nobody"), None);
        assert_eq!(entry("postgres:x:oops:1:::", "postgres"), None);
    }
}
