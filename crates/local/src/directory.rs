//! A private directory with everything of one cluster or server in it, and the watchdog that ends it.
//!
//! Not a place for anything worth keeping. Invariant: cleaning up is one piece of code
//! (`watchdog.sh` and `end.sh`), run by a process that notices the end of this one however it comes; an orderly
//! end takes the same way.

use std::env;
use std::ffi::OsStr;
use std::fs::{self, DirBuilder};
use std::io::{self, Write};
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::Arc;

use crate::account::Account;
use crate::port::random;
use crate::{Error, Result};

const WATCHDOG: &str = include_str!("watchdog.sh");
const END: &str = include_str!("end.sh");
const NAME_ATTEMPTS: u32 = 16;

/// A directory `howdah-XXXXXXXX` under `$TMPDIR` or `/tmp`, readable by the server account alone.
/// Removed with every process that works in it when dropped, or when this process dies.
#[derive(Debug)]
pub struct Directory {
    path: PathBuf,
    account: Account,
    watchdog: Child,
}

impl Directory {
    /// Creates the directory and its watchdog.
    ///
    /// # Errors
    ///
    /// No directory can be made there, `sh` does not run, or root finds no account for the servers.
    pub fn create() -> Result<Arc<Self>> {
        let account = Account::current()?;
        let path = unique(&env::temp_dir())?;
        account.own(&path)?;
        let mut command = Command::new("/bin/sh");
        command.args(["-c", WATCHDOG, "howdah-watchdog"]).arg(&path).arg(END);
        command.args(account.switch_command());
        command.stdin(Stdio::piped()).stdout(Stdio::null()).stderr(Stdio::null());
        // Its own process group keeps Ctrl-C at the terminal from reaching it.
        command.current_dir("/").process_group(0);
        let watchdog = command.spawn().map_err(|source| {
            let _unused = fs::remove_dir(&path);
            Error::Io { action: "run", path: "/bin/sh".into(), source }
        })?;
        Ok(Arc::new(Self { path, account, watchdog }))
    }

    /// Where it is.
    #[must_use]
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// A command that runs as the server account with its working directory in `home` (a directory
    /// inside this one, so that the watchdog knows it), without input, out of reach of Ctrl-C, and
    /// without `PG…` variables of the caller's environment.
    pub(crate) fn command(&self, program: &Path, home: &Path) -> Command {
        let mut command = Command::new(program);
        let is_libpq = |name: &OsStr| name.to_str().is_some_and(|name| name.starts_with("PG"));
        for (name, _) in env::vars_os().filter(|(name, _)| is_libpq(name)) {
            command.env_remove(name);
        }
        command.env("HOME", &self.path).env("LC_ALL", "C").env("TZ", "UTC");
        command.stdin(Stdio::null()).current_dir(home).process_group(0);
        self.account.apply(&mut command);
        command
    }

    /// Creates a directory inside this one, owned by the server account, unless it exists.
    pub(crate) fn subdirectory(&self, name: &str) -> Result<PathBuf> {
        let path = self.path.join(name);
        match DirBuilder::new().mode(0o700).create(&path) {
            Err(error) if error.kind() != io::ErrorKind::AlreadyExists => {
                return Err(Error::io("create", &path)(error));
            }
            Ok(()) | Err(_) => self.account.own(&path)?,
        }
        Ok(path)
    }

    /// Writes a file inside this directory, owned by the server account.
    pub(crate) fn write(&self, path: &Path, contents: &str) -> Result<()> {
        let mut options = fs::OpenOptions::new();
        let file = options.write(true).create(true).truncate(true).mode(0o600).open(path);
        file.and_then(|mut file| file.write_all(contents.as_bytes()))
            .map_err(Error::io("write", path))?;
        self.account.own(path)
    }

    /// The number of the server account.
    pub(crate) fn uid(&self) -> u32 {
        self.account.uid
    }
}

impl Drop for Directory {
    fn drop(&mut self) {
        // The end of its input is what the watchdog waits for.
        drop(self.watchdog.stdin.take());
        let _status = self.watchdog.wait();
    }
}

/// Runs a command to its end and returns its standard output without the last line ends.
pub(crate) fn run(mut command: Command, input: &str) -> Result<String> {
    let program = PathBuf::from(command.get_program());
    let failed = Error::io("run", &program);
    command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let output = command.spawn().and_then(|mut child| {
        let stdin = child.stdin.take();
        // Written beside the reading: a program may answer before it has read everything.
        std::thread::scope(|scope| {
            if let Some(mut stdin) = stdin {
                scope.spawn(move || {
                    // A program that ends early breaks the pipe; its exit status tells the story.
                    let _broken_pipe = stdin.write_all(input.as_bytes());
                });
            }
            child.wait_with_output()
        })
    });
    let output = output.map_err(failed)?;
    if !output.status.success() {
        let stderr = String::from_utf8_lossy(&output.stderr).trim_end().to_owned();
        let program = program.file_name().unwrap_or_default().to_string_lossy().into_owned();
        let stderr = if stderr.is_empty() { output.status.to_string() } else { stderr };
        return Err(Error::Program { program, stderr });
    }
    Ok(String::from_utf8_lossy(&output.stdout).trim_end_matches('\n').to_owned())
}

fn unique(parent: &Path) -> Result<PathBuf> {
    let mut attempt = 0;
    loop {
        let path = parent.join(format!("howdah-{:08x}", random() >> 32));
        match DirBuilder::new().mode(0o700).create(&path) {
            Ok(()) => return Ok(path),
            Err(error)
                if error.kind() == io::ErrorKind::AlreadyExists && attempt < NAME_ATTEMPTS =>
            {
                attempt += 1;
            }
            Err(error) => return Err(Error::io("create", &path)(error)),
        }
    }
}
