//! Routing with a real primary and real replicas: where statements go, what reads are promised, and what happens when nodes go away.

mod failover;
mod promises;
mod splitting;
