//! Howdah as users run it: the release binary with a configuration file. Not the library, so that its CPU time and memory are
//! nobody else's.
//!
//! Invariant: its pool is as large as the neighbour's, and it has one worker thread as the neighbour has, unless a run asks for two
//! beside that.

use std::fs;
use std::path::PathBuf;
use std::process::Command;

use anyhow::{Context as _, Result, bail};

use crate::bed::{Bed, POOL, Transport, USER};
use crate::plan::{Sight, Variant};
use crate::proxy::Proxy;

/// Starts it as the last argument of `wrapper`, or by itself when that is empty.
pub(crate) fn start(bed: &Bed, wrapper: &[String], variant: Variant) -> Result<Proxy> {
    start_with(bed, wrapper, variant, "")
}

/// The same with more at the end of its configuration file.
pub(crate) fn start_with(
    bed: &Bed,
    wrapper: &[String],
    variant: Variant,
    more: &str,
) -> Result<Proxy> {
    let port = howdah_local::free_port()?;
    let file = bed.directory().join(format!("howdah-{port}.toml"));
    fs::write(&file, configuration(bed, port, variant) + more)?;
    let mut words = wrapper.iter().map(PathBuf::from).chain([copy(bed)?]);
    let mut command = bed.workplace().command(&words.next().context("no program")?);
    command.args(words).args(["up", "--config"]).arg(&file);
    Proxy::start(bed, command, port)
}

/// The binary in the bed's workplace: its account may not be let into the directory of the sources, and a build that goes on
/// meanwhile does not change what is measured.
fn copy(bed: &Bed) -> Result<PathBuf> {
    let copy = bed.directory().join("howdah");
    if !copy.exists() {
        fs::copy(binary()?, &copy).context("cannot copy the howdah binary")?;
    }
    Ok(copy)
}

/// The binary: `$HOWDAH_BIN`, or `howdah` beside this program.
pub(crate) fn binary() -> Result<PathBuf> {
    if let Some(path) = std::env::var_os("HOWDAH_BIN") {
        return std::path::absolute(path).context("HOWDAH_BIN is no path");
    }
    let here = std::env::current_exe()?;
    let path = here.parent().context("no directory")?.join("howdah");
    if !path.exists() {
        bail!(
            "there is no howdah beside howdah-bench: run `cargo build --release -p howdah-cli`, or set HOWDAH_BIN"
        );
    }
    Ok(path)
}

/// What it says about its version.
pub(crate) fn version() -> Result<String> {
    let output = Command::new(binary()?).arg("version").output()?;
    let text = String::from_utf8_lossy(&output.stdout);
    Ok(text.lines().next().unwrap_or("howdah").to_owned())
}

fn configuration(bed: &Bed, port: u16, variant: Variant) -> String {
    let Variant { workers, share, socket: shortcut, policy, telemetry, cache } = variant;
    let server = bed.server();
    let shortcut = match bed.transport() {
        Transport::Tcp => format!("socket = {shortcut:?}\n"),
        Transport::Unix => String::new(),
    };
    let socket = match bed.transport() {
        Transport::Tcp => String::new(),
        Transport::Unix => format!("unix_socket = {:?}\n", bed.directory()),
    };
    let mut nodes = String::new();
    if let Some(policy) = policy {
        for replica in bed.replicas() {
            let port = replica.port();
            nodes.push_str(&format!(
                "[[cluster.node]]\nhost = \"127.0.0.1\"\nport = {port}\n{shortcut}\n"
            ));
        }
        nodes.push_str(&format!("[route]\npolicy = {policy:?}\n\n"));
    }
    let sees = telemetry.map_or_else(String::new, |sight| sees(bed, port, sight));
    let cache = if cache { CACHE } else { "" };
    format!(
        "[listen]\naddress = \"127.0.0.1\"\nport = {port}\nworkers = {workers}\n{socket}\n\
         [[cluster]]\nname = \"bench\"\n\n[[cluster.node]]\nhost = {:?}\nport = {}\n{shortcut}\n{nodes}\
         [[user]]\nname = {USER:?}\nauth = \"trust\"\n\n\
         [pool]\nmode = \"transaction\"\nmax_size = {POOL}\nshare = {share:?}\n\n[log]\nlevel = \"warn\"\n\n{sees}{cache}",
        server.host, server.port,
    )
}

/// Answers are kept; a million small ones fit.
const CACHE: &str = "[cache]\nmode = \"on\"\nsize = 1024\npublication = \"howdah\"\n[[database]]\nname = \"bench\"\n";

/// Everything that sees, or nothing.
fn sees(bed: &Bed, port: u16, sight: Sight) -> String {
    if sight == Sight::Nothing {
        return "[web]\nlisten = \"off\"\n[alerts]\nenabled = false\n[statements]\ncount = \"off\"\nexplain = \"off\"\nserver_statistics = \"off\"\n".to_owned();
    }
    let file = bed.directory().join(format!("history-{port}.sqlite"));
    let advice = match sight {
        Sight::Advice => "[advice]\nevery = \"3s\"\n[[database]]\nname = \"bench\"\n",
        Sight::All | Sight::Nothing => "",
    };
    format!("[history]\npath = {file:?}\n{advice}")
}
