//! `[history]`: where the past is remembered, and for how long. Not part of the settings of the data plane, which makes no use of it.
//!
//! Invariant: without a path, and without a directory that is meant for such things, nothing is written anywhere.

use std::collections::HashMap;
use std::path::{Path, PathBuf};
use std::time::Duration;

use howdah_history::{Keep, Options};

use super::document::Table;
use super::error::Mistake;
use super::keys::HISTORY;
use super::read::{Findings, Reader};

/// Where systemd says that a service may keep things.
const STATE: &str = "STATE_DIRECTORY";
const FILE: &str = "history.db";
const MIB: u64 = 1 << 20;

/// What is remembered; `None`: nothing.
pub(crate) fn read(
    root: &Table,
    environment: &HashMap<String, String>,
    findings: &mut Findings,
) -> Option<Options> {
    let mut reader = Reader::new(HISTORY.keys, root.single("history"), "history", findings);
    let mut keep = |key| reader.duration(key).unwrap_or(Duration::ZERO);
    let keep = Keep {
        seconds: keep("keep_seconds"),
        tens: keep("keep_tens"),
        minutes: keep("keep_minutes"),
        hours: keep("keep_hours"),
        statements: keep("keep_statements"),
    };
    let max_size: u64 = reader.integer("max_size").unwrap_or(1);
    let max_bytes = max_size.saturating_mul(MIB);
    let path = match reader.text("path") {
        Some(text) if text == "off" => None,
        Some(text) => Some(PathBuf::from(text)),
        None => {
            // Several are separated by colons.
            let first = environment.get(STATE).and_then(|all| all.split(':').next());
            let directory = first.map(Path::new).filter(|directory| directory.is_absolute());
            let path = directory.map(|directory| directory.join(FILE));
            let shown = path.as_ref().map_or_else(|| "off".into(), |path| path.to_string_lossy());
            reader.implied("path", shown);
            path
        }
    }?;
    if path.is_relative() {
        let fix = "for example \"/var/lib/howdah/history.db\", or \"off\"";
        reader.fail(Mistake::Value, "path", "not a path from the root", fix);
        return None;
    }
    Some(Options { path, keep, max_bytes })
}
