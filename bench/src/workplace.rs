//! A private directory and the account its processes run as. What runs there is ended, and the directory removed, by the
//! watchdog of `howdah-local`, however this process ends.
//!
//! Invariant: every process and file belongs to the account of the servers, because the watchdog has no other rights.

use std::fs;
use std::os::unix::fs::{MetadataExt as _, chown};
use std::os::unix::process::CommandExt as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use anyhow::{Context as _, Result};
use howdah_local::Directory;

/// Variables of the caller's shell that would change what is measured.
const FOREIGN: [&str; 4] = ["HOWDAH", "DATABASE_", "DB_POOL_", "PG"];

/// A directory to work in.
#[derive(Debug, Clone)]
pub(crate) struct Workplace {
    path: PathBuf,
    /// User and group to become; none when we are that user already.
    account: Option<(u32, u32)>,
}

impl Workplace {
    /// The directory itself.
    pub(crate) fn of(directory: &Directory) -> Result<Self> {
        let path = directory.path().to_owned();
        let owner = fs::metadata(&path)?;
        let switch = rustix::process::geteuid().is_root();
        Ok(Self { path, account: switch.then(|| (owner.uid(), owner.gid())) })
    }

    /// A new directory inside.
    pub(crate) fn subdirectory(&self, name: &str) -> Result<Self> {
        let path = self.path.join(name);
        fs::create_dir(&path).with_context(|| format!("cannot create {}", path.display()))?;
        if let Some((user, group)) = self.account {
            chown(&path, Some(user), Some(group))?;
        }
        Ok(Self { path, account: self.account })
    }

    /// Where it is.
    pub(crate) fn path(&self) -> &Path {
        &self.path
    }

    /// A command that runs here, as the account, without input and without the caller's configuration.
    pub(crate) fn command(&self, program: &Path) -> Command {
        let mut command = Command::new(program);
        for (name, _) in std::env::vars_os() {
            if FOREIGN.iter().any(|prefix| name.to_string_lossy().starts_with(prefix)) {
                command.env_remove(name);
            }
        }
        if let Some((user, group)) = self.account {
            command.uid(user).gid(group);
        }
        command.current_dir(&self.path).stdin(Stdio::null());
        command
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_directory_is_gone_with_its_owner_whatever_was_written_into_it() {
        let directory = Directory::create().unwrap();
        let workplace = Workplace::of(&directory).unwrap().subdirectory("work").unwrap();
        let path = directory.path().to_owned();
        fs::write(workplace.path().join("file"), "").unwrap();
        let status = workplace
            .command(Path::new("/bin/sh"))
            .args(["-c", "echo >own && test ! -t 0"])
            .status();
        assert!(status.unwrap().success());
        assert!(workplace.path().join("own").exists());
        drop(directory);
        assert!(!path.exists());
    }
}
