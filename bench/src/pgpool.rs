//! `pgpool-II`, a peer: one process for each client that may come, each with a server connection of its own that it keeps. It
//! does not share servers among clients, so it runs only while it is measured.
//!
//! Invariant: what is not needed to stand in front of one PostgreSQL is off (failover, checks, read distribution, cache); the rest is its default.

use std::fs;
use std::path::PathBuf;
use std::process::Command;

use anyhow::{Context as _, Result};

use crate::bed::{Bed, Transport};
use crate::proxy::Proxy;

/// Processes: clients of the largest cell, and a few that wait.
const CHILDREN: u32 = 210;

fn program() -> Result<PathBuf> {
    Ok(howdah_local::find_program("pgpool", "pgpool2")?)
}

/// What it says about its version.
pub(crate) fn version() -> Result<String> {
    let output = Command::new(program()?).arg("--version").output().context("cannot run pgpool")?;
    let text = [output.stdout, output.stderr].concat();
    let text = String::from_utf8_lossy(&text);
    Ok(text.lines().next().unwrap_or("pgpool-II").replace(" version", ""))
}

/// Starts it.
pub(crate) fn start(bed: &Bed) -> Result<Proxy> {
    let port = howdah_local::free_port()?;
    let place = bed.workplace().subdirectory(&format!("pgpool-{port}"))?;
    let (file, none) = (place.path().join("pgpool.conf"), place.path().join("none"));
    fs::write(&file, configuration(bed, port, &place.path().display().to_string())?)?;
    fs::write(&none, "")?;
    let mut command = place.command(&program()?);
    // In the foreground, and without files of the system.
    command.args(["-n", "-f"]).arg(&file).arg("-F").arg(&none).arg("-a").arg(&none);
    command.arg("-k").arg(&none);
    Proxy::start(bed, command, port)
}

fn configuration(bed: &Bed, port: u16, directory: &str) -> Result<String> {
    let server = bed.server();
    let socket = match bed.transport() {
        Transport::Tcp => directory.to_owned(),
        Transport::Unix => bed.directory().display().to_string(),
    };
    let pcp = howdah_local::free_port()?;
    Ok(format!(
        "listen_addresses = '127.0.0.1'\nport = {port}\nsocket_dir = '{socket}'\npcp_port = {pcp}\n\
         pcp_listen_addresses = '127.0.0.1'\npcp_socket_dir = '{directory}'\nlogdir = '{directory}'\n\
         pid_file_name = '{directory}/pid'\nwd_ipc_socket_dir = '{directory}'\nmemqcache_oiddir = '{directory}'\n\
         backend_hostname0 = '{}'\nbackend_port0 = {}\nbackend_weight0 = 1\n\
         backend_flag0 = 'ALWAYS_PRIMARY|DISALLOW_TO_FAILOVER'\nbackend_clustering_mode = 'raw'\n\
         num_init_children = {CHILDREN}\nmax_pool = 1\nenable_pool_hba = off\nload_balance_mode = off\n\
         failover_on_backend_error = off\nlog_min_messages = error\n",
        server.host, server.port,
    ))
}
