//! The part of the protocol by which a server tells of the changes of a database: the commands that begin it, what travels in
//! `CopyData` then ([`stream`]), and the changes in it ([`pgoutput`]).
//!
//! Not here: what a change means for anybody, when to answer, physical replication.
//!
//! Invariant: as everywhere in this crate: no input panics, nothing is copied, a list was checked when it was read. Positions in the log
//! are plain numbers.

pub mod command;
pub mod pgoutput;
pub mod stream;
