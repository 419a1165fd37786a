//! Shell commands of the operator, by which the process of a node is stopped and started. What they do is theirs; success is what they say it is.

use std::process::Stdio;
use std::time::Duration;

use anyhow::{Context as _, anyhow, bail};
use howdah::config::settings::NodeAddress;

/// How much of what a failed command says is passed on.
const TAIL: usize = 800;

/// Runs a command of `node`, with the address of the primary in its environment. Ended when it takes longer than `limit`.
///
/// # Errors
/// It cannot be run, fails, or takes too long.
pub(super) async fn run(
    text: &str,
    node: &str,
    primary: &NodeAddress,
    limit: Duration,
) -> anyhow::Result<()> {
    let (host, port) = endpoint(primary);
    let child = tokio::process::Command::new("sh")
        .args(["-c", text])
        .env("HOWDAH_NODE", node)
        .env("HOWDAH_PRIMARY_HOST", host)
        .env("HOWDAH_PRIMARY_PORT", port.to_string())
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .kill_on_drop(true)
        .spawn()
        .with_context(|| format!("cannot run {text:?}"))?;
    let ended = tokio::time::timeout(limit, child.wait_with_output())
        .await
        .map_err(|_| anyhow!("{text:?} did not end within {} s", limit.as_secs()))?;
    let output = ended.with_context(|| format!("{text:?} was lost"))?;
    if output.status.success() {
        return Ok(());
    }
    let said = [output.stderr, output.stdout].concat();
    let said = String::from_utf8_lossy(&said);
    let said = said.trim();
    let from = said.char_indices().rev().nth(TAIL).map_or(0, |(at, _)| at);
    bail!("{text:?} failed ({}): {}", output.status, said.get(from..).unwrap_or_default())
}

/// A node's address as `primary_conninfo` has it.
pub(super) fn endpoint(address: &NodeAddress) -> (String, u16) {
    match address {
        NodeAddress::Tcp { host, port } => (host.clone(), *port),
        NodeAddress::Unix { directory, port } => (directory.display().to_string(), *port),
    }
}
