//! Where a request goes. So far: `class`, whether a statement may run on a replica at all.
//!
//! Invariant: in doubt the primary.

pub mod class;
