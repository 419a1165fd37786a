//! `howdah restart`: starts this program as the running one was started, and waits until it has taken over. Not the take-over, which
//! is `howdah up --takeover`.
//!
//! Invariant: when it fails, the running process goes on serving.

use std::os::unix::ffi::OsStringExt as _;
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use anyhow::{Context as _, anyhow};
use rustix::net::sockopt::socket_peercred;

use crate::configuration::Sources;
use crate::exit::{Exit, Failure, Outcome};
use crate::takeover;
use crate::terminal::Talk;

/// How often the socket is looked at.
const LOOK: Duration = Duration::from_millis(20);

/// Arguments of `howdah restart`.
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    #[command(flatten)]
    sources: Sources,
    /// How long the new process may take until it serves
    #[arg(long, value_name = "TIME", default_value = "30s", value_parser = howdah::config::parse_duration)]
    timeout: Duration,
}

/// Starts the successor and waits for it.
pub(crate) fn run(args: &Args) -> Outcome {
    let talk = Talk::new();
    let loaded = args.sources.load(false)?;
    let settings = loaded.config.settings(0);
    let socket = takeover::socket(&settings.listen)
        .ok_or_else(|| anyhow!("listen.takeover_socket is off, or listen.port is 0"))?;
    let old = keeper(&socket).map_err(|error| {
        let reason = anyhow!(
            "no process to restart at {}: {error}\nstart one with howdah up; a restart reads the same configuration, as the same user",
            socket.display()
        );
        Failure::new(Exit::Unreachable, reason)
    })?;
    let mut new = start(old).with_context(|| format!("cannot start as process {old} was"))?;
    let deadline = Instant::now() + args.timeout;
    loop {
        if keeper(&socket).is_ok_and(|keeper| u32::try_from(keeper) == Ok(new.id())) {
            talk.good("restart", &format!("process {} has taken over from {old}", new.id()));
            return Ok(Exit::Done);
        }
        if let Some(status) = new.try_wait()? {
            let goes_on = "the running process goes on serving";
            return Err(anyhow!("the new process ended with {status}; {goes_on}").into());
        }
        if Instant::now() >= deadline {
            // Not ended: it may have begun to serve by now.
            let id = new.id();
            return Err(anyhow!("process {id} did not take over in time: its log says why").into());
        }
        std::thread::sleep(LOOK);
    }
}

/// Process id of whoever keeps the door at this socket.
fn keeper(socket: &Path) -> std::io::Result<i32> {
    let stream = UnixStream::connect(socket)?;
    Ok(socket_peercred(&stream)?.pid.as_raw_nonzero().get())
}

/// This program with the arguments, environment, directory and output of another process.
fn start(old: i32) -> anyhow::Result<Child> {
    let process = PathBuf::from(format!("/proc/{old}"));
    let list = |name: &str| -> anyhow::Result<Vec<Vec<u8>>> {
        let bytes = std::fs::read(process.join(name)).with_context(|| format!("reading {name}"))?;
        let items = bytes.split(|byte| *byte == 0).filter(|item| !item.is_empty());
        Ok(items.map(<[u8]>::to_vec).collect())
    };
    let mut command = Command::new(std::env::current_exe()?);
    for argument in list("cmdline")?.into_iter().skip(1).filter(|one| one != b"--takeover") {
        command.arg(std::ffi::OsString::from_vec(argument));
    }
    command.arg("--takeover").env_clear().current_dir(process.join("cwd"));
    for variable in list("environ")? {
        if let Some(at) = variable.iter().position(|byte| *byte == b'=') {
            let (name, value) = variable.split_at(at);
            let value = value.get(1..).unwrap_or_default();
            let text = |bytes: &[u8]| std::ffi::OsString::from_vec(bytes.to_vec());
            command.env(text(name), text(value));
        }
    }
    command.stdin(Stdio::null());
    // A socket, as to a journal, cannot be opened again: then it is this command's own output.
    let output = |descriptor: &str| {
        let path = process.join("fd").join(descriptor);
        std::fs::OpenOptions::new()
            .append(true)
            .open(path)
            .map_or_else(|_| Stdio::inherit(), Stdio::from)
    };
    command.stdout(output("1")).stderr(output("2"));
    Ok(command.spawn()?)
}
