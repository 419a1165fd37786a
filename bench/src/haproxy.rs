//! `HAProxy` in TCP mode, a peer: it passes bytes on, one server for each client, and knows nothing of PostgreSQL. What it costs is what
//! any proxy costs at least.
//!
//! Invariant: one thread, as with the others; nothing is logged; its timeouts are longer than any cell.

use std::fs;
use std::path::PathBuf;
use std::process::Command;

use anyhow::{Context as _, Result};

use crate::bed::{Bed, Transport};
use crate::proxy::Proxy;

/// More connections than any cell has.
const CONNECTIONS: u32 = 2000;

fn program() -> Result<PathBuf> {
    Ok(howdah_local::find_program("haproxy", "haproxy")?)
}

/// What it says about its version.
pub(crate) fn version() -> Result<String> {
    let output = Command::new(program()?).arg("-v").output().context("cannot run haproxy")?;
    let text = String::from_utf8_lossy(&output.stdout);
    let words: Vec<&str> = text.split_whitespace().take(3).collect();
    Ok(words.join(" ").replace(" version", ""))
}

/// Starts it.
pub(crate) fn start(bed: &Bed) -> Result<Proxy> {
    let port = howdah_local::free_port()?;
    let file = bed.directory().join(format!("haproxy-{port}.cfg"));
    fs::write(&file, configuration(bed, port))?;
    let mut command = bed.workplace().command(&program()?);
    command.args(["-db", "-f"]).arg(&file);
    Proxy::start(bed, command, port)
}

fn configuration(bed: &Bed, port: u16) -> String {
    let server = bed.server();
    let (bind, address) = match bed.transport() {
        Transport::Tcp => (String::new(), format!("{}:{}", server.host, server.port)),
        Transport::Unix => (
            format!("    bind unix@{}/.s.PGSQL.{port}\n", bed.directory().display()),
            format!("unix@{}/.s.PGSQL.{}", server.host, server.port),
        ),
    };
    format!(
        "global\n    nbthread 1\n    maxconn {CONNECTIONS}\n\ndefaults\n    mode tcp\n    timeout connect 10s\n    \
         timeout client 1h\n    timeout server 1h\n\nlisten postgres\n    bind 127.0.0.1:{port}\n{bind}    \
         server primary {address}\n"
    )
}
