//! Every major version of PostgreSQL that this machine has: Debian's, and those of
//! `$HOWDAH_PG_MATRIX`. Not a test of versions that are not installed: they are left out, all but one.

#![allow(clippy::unwrap_used, reason = "tests")]

use howdah_local::{Binaries, Cluster, Error};

#[test]
fn a_primary_with_a_replica_runs_in_every_installed_major() {
    let mut seen = Vec::new();
    for major in 13..=19 {
        let binaries = match Binaries::find(Some(major)) {
            Err(Error::Missing { .. }) => continue,
            found => found.unwrap(),
        };
        assert_eq!(binaries.major(), major);
        let cluster = Cluster::builder().binaries(binaries).replicas(1).start().unwrap();
        cluster.primary().psql("CREATE TABLE t AS SELECT 42 AS a").unwrap();
        cluster.wait_for_replay().unwrap();
        let replica = cluster.replicas().first().unwrap();
        assert_eq!(replica.psql("SELECT a FROM t").unwrap(), "42");
        let version = replica.psql("SHOW server_version_num").unwrap();
        assert!(version.starts_with(&major.to_string()), "{version}");
        seen.push(major);
    }
    assert!(!seen.is_empty(), "no PostgreSQL from 13 to 19 is installed");
}
