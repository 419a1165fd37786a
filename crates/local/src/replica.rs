//! Making a replica of a running primary: an online copy of its data that follows it.
//!
//! Uses the backup functions of SQL and `tar`, not `pg_basebackup`, which is missing in some
//! installations and refuses newer servers. Invariant: the slot exists before the copy begins, so
//! the primary keeps all log that the replica needs.

use std::fs;

use crate::node::{Node, SUPERUSER};
use crate::settings::Settings;
use crate::{Error, Result};

/// Files that belong to the running primary and not to a copy of its data.
const LEFT_OUT: &str = "--exclude='./pg_wal/*' --exclude='./pg_replslot/*' --exclude='./pg_dynshmem/*' \
     --exclude=./postmaster.pid --exclude=./postmaster.opts";

/// The settings by which the node `name` follows `primary` through a slot of that name.
pub(crate) fn settings(primary: &Node, name: &str) -> Settings {
    let mut settings = Settings::default();
    settings.set("primary_conninfo", conninfo(primary, name));
    settings.set("primary_slot_name", name);
    settings
}

/// How the node `name` connects to `primary`.
pub(crate) fn conninfo(primary: &Node, name: &str) -> String {
    format!(
        "host=127.0.0.1 port={} user={SUPERUSER} application_name={name} sslmode=disable",
        primary.port()
    )
}

/// Copies the primary's data into the home of `replica`, which has none yet.
pub(crate) fn copy(primary: &Node, replica: &Node) -> Result<()> {
    let name = replica.name();
    replica.directory().subdirectory(&format!("{name}/data"))?;
    primary.psql(&format!("SELECT pg_create_physical_replication_slot('{name}', true)"))?;
    let (start, stop) = if primary.binaries().major() >= 15 {
        ("pg_backup_start('replica', true)", "pg_backup_stop(false)")
    } else {
        ("pg_start_backup('replica', true, false)", "pg_stop_backup(false, false)")
    };
    // One session must start and stop the backup, so psql runs the copy. The result of tar does not
    // count: 1 is usual for files that change meanwhile, and those the log repairs.
    let label = primary.psql(&format!(
        "SELECT {start} \\g /dev/null\n\
         \\! tar -C '{from}' {LEFT_OUT} -cf - . | tar -C '{to}' -xf -\n\
         SELECT labelfile FROM {stop}\n;",
        from = primary.data().display(),
        to = replica.data().display(),
    ))?;
    let data = replica.data();
    fs::metadata(data.join("global/pg_control"))
        .map_err(Error::io("copy the primary to", &data))?;
    replica.directory().write(&data.join("backup_label"), &format!("{label}\n"))?;
    replica.directory().write(&data.join("standby.signal"), "")
}
