//! Routing with a real primary and real replicas: where statements go, what reads are promised, and what happens when nodes go away.

mod ahead;
mod alerting;
mod failover;
mod promises;
mod shares;
mod splitting;
mod switchover;
