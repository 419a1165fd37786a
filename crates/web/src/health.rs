//! Whether the process turns (`/healthz`), and whether traffic should come (`/readyz`). Neither asks PostgreSQL anything: a database
//! that is down is no reason to restart Howdah, and what is known of nodes is known from their probes.
//!
//! Invariant: no names of nodes and no reasons of failures in these answers: they are for machines.

use std::time::Duration;

use howdah_proxy::report::NodeReport;

/// A worker that has not turned for so long is stuck.
const STUCK: Duration = Duration::from_secs(5);

/// Whether all workers turn; if not, what is wrong.
pub(crate) fn alive(heartbeats: &[Duration]) -> Result<(), String> {
    let stuck = heartbeats.iter().enumerate().find(|(_, age)| **age > STUCK);
    match stuck {
        Some((worker, age)) => {
            Err(format!("stuck: worker {worker} last turned {} s ago\n", age.as_secs()))
        }
        None => Ok(()),
    }
}

/// Whether traffic should come; if not, why.
pub(crate) fn ready(draining: bool, nodes: &[NodeReport]) -> Result<&'static str, &'static str> {
    let down = |node: &&NodeReport| node.breaker == "open" || node.standing == "down";
    let lost = nodes.iter().filter(down).count();
    match (draining, lost) {
        (true, _) => Err("not ready: it is ending\n"),
        (false, 0) => Ok("ready\n"),
        (false, lost) if lost == nodes.len() => Err("not ready: no node answers\n"),
        (false, _) => Ok("ready (some nodes do not answer)\n"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn node(breaker: &'static str) -> NodeReport {
        NodeReport {
            name: "secret-name".to_owned(),
            address: "10.0.0.1:5432".to_owned(),
            breaker,
            failures: 0,
            down_for: None,
            answered: None,
            last_error: None,
            socket: None,
            role: "primary",
            standing: "primary",
            timeline: None,
            lag_bytes: None,
            lag: None,
            drained: false,
        }
    }

    #[test]
    fn traffic_may_come_while_one_node_answers() {
        assert!(ready(false, &[]).is_ok());
        assert!(ready(false, &[node("open"), node("closed")]).is_ok());
        assert!(ready(false, &[node("open")]).is_err());
        assert!(ready(true, &[node("closed")]).is_err());
        assert!(!ready(false, &[node("open")]).unwrap_err().contains("secret"));
    }

    #[test]
    fn a_worker_that_does_not_turn_is_named() {
        assert!(alive(&[Duration::from_millis(60), Duration::from_secs(4)]).is_ok());
        let stuck = alive(&[Duration::ZERO, Duration::from_secs(41)]).unwrap_err();
        assert_eq!(stuck, "stuck: worker 1 last turned 41 s ago\n");
    }
}
