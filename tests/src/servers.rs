//! PostgreSQL for tests: one cluster shared by all tests of a binary, or one of its own for a test that breaks it.
//!
//! Roles: `app` logs in without a proof; `app_password`, `app_md5`, `app_scram` with the method of their name and
//! [`Login::PASSWORD`]; `role_a` … `role_d` cannot log in and `app` may become them; `howdah` is the superuser.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, OnceLock};

use howdah_local::{Cluster, ClusterBuilder, Node};

use crate::authority::{Authority, Signed};
use crate::raw::{Connection, Target};

/// How a client or server wants a login to be proved.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Login {
    /// Not at all.
    Trust,
    /// Password in clear text.
    Password,
    /// Salted MD5.
    Md5,
    /// SCRAM-SHA-256.
    Scram,
}

impl Login {
    /// All of them.
    pub const ALL: [Self; 4] = [Self::Trust, Self::Password, Self::Md5, Self::Scram];
    /// The password of the test roles.
    pub const PASSWORD: &'static str = "correct horse ünd battery";

    /// Its name in `pg_hba.conf` and in Howdah's configuration.
    #[must_use]
    pub const fn method(self) -> &'static str {
        match self {
            Self::Trust => "trust",
            Self::Password => "password",
            Self::Md5 => "md5",
            Self::Scram => "scram-sha-256",
        }
    }

    /// The test role that PostgreSQL asks for it.
    #[must_use]
    pub const fn role(self) -> &'static str {
        match self {
            Self::Trust => "app",
            Self::Password => "app_password",
            Self::Md5 => "app_md5",
            Self::Scram => "app_scram",
        }
    }
}

/// Name of the superuser.
const SUPERUSER: &str = "howdah";

/// A running cluster with the test roles.
#[derive(Debug)]
pub struct Servers {
    cluster: Cluster,
    databases: AtomicU64,
}

impl Servers {
    /// The one of this test binary.
    ///
    /// # Panics
    /// When PostgreSQL cannot be started.
    #[must_use]
    pub fn shared() -> Arc<Self> {
        static SHARED: OnceLock<Arc<Servers>> = OnceLock::new();
        Arc::clone(SHARED.get_or_init(|| Arc::new(Self::start())))
    }

    /// One that nobody else uses.
    ///
    /// # Panics
    /// When PostgreSQL cannot be started.
    #[must_use]
    pub fn start() -> Self {
        Self::start_with(Cluster::builder(), &[])
    }

    /// One that nobody else uses and that keeps `pg_stat_statements`.
    ///
    /// # Panics
    /// When PostgreSQL cannot be started.
    #[must_use]
    pub fn start_with_statistics() -> Self {
        let loaded = Cluster::builder().setting("shared_preload_libraries", "pg_stat_statements");
        Self::start_with(loaded, &[])
    }

    /// One that nobody else uses and that speaks TLS with this certificate and key, and trusts certificates of this authority.
    /// Two more roles: `app_cert` has to show one, `app_clear` may not use TLS.
    ///
    /// # Panics
    /// When PostgreSQL cannot be started.
    #[must_use]
    pub fn start_tls(signed: &Signed, clients: &Authority) -> Self {
        let builder =
            Cluster::builder().tls(signed.certificate(), signed.key(), Some(clients.certificate()));
        let lines = [
            "hostssl all app_cert 127.0.0.1/32 cert",
            "host all app_cert 127.0.0.1/32 reject",
            "hostnossl all app_clear 127.0.0.1/32 trust",
            "host all app_clear 127.0.0.1/32 reject",
        ];
        Self::start_with(
            builder.sql("CREATE ROLE app_cert LOGIN; CREATE ROLE app_clear LOGIN"),
            &lines,
        )
    }

    /// One that nobody else uses, with so many replicas. One more role: `howdah_probe` may see all statistics.
    ///
    /// # Panics
    /// When PostgreSQL cannot be started.
    #[must_use]
    pub fn start_with_replicas(count: u32) -> Self {
        let probe = "CREATE ROLE howdah_probe LOGIN IN ROLE pg_monitor";
        Self::start_with(Cluster::builder().replicas(count).sql(probe), &[])
    }

    fn start_with(builder: ClusterBuilder, hba: &[&str]) -> Self {
        let cluster = builder
            .setting("max_connections", "300")
            .start()
            .unwrap_or_else(|error| panic!("no PostgreSQL for the tests: {error}"));
        let servers = Self { cluster, databases: AtomicU64::new(0) };
        servers.create_roles(hba);
        servers
    }

    fn create_roles(&self, hba: &[&str]) {
        let mut admin = self.superuser("postgres");
        let password = Login::PASSWORD;
        let mut lines = vec!["local all all trust".to_owned()];
        lines.extend(hba.iter().map(|line| (*line).to_owned()));
        for login in Login::ALL {
            let role = login.role();
            let encryption = if login == Login::Md5 { "md5" } else { "scram-sha-256" };
            admin.run(&format!("SET password_encryption = '{encryption}'"));
            admin.run(&format!("CREATE ROLE {role} LOGIN PASSWORD '{password}'"));
            lines.push(format!("host all {role} 127.0.0.1/32 {}", login.method()));
        }
        lines.push("host all all 127.0.0.1/32 trust".to_owned());
        lines.push("host replication all 127.0.0.1/32 trust".to_owned());
        for role in ["role_a", "role_b", "role_c", "role_d"] {
            admin.run(&format!("CREATE ROLE {role}; GRANT {role} TO app"));
        }
        let lines = lines.iter().map(|line| format!("'{line}'")).collect::<Vec<_>>().join(", ");
        let file = admin.value("SHOW hba_file");
        admin.run(&format!("COPY (SELECT unnest(ARRAY[{lines}])) TO '{file}'"));
        admin.run("SELECT pg_reload_conf()");
        // The reload is asynchronous; a role that must prove itself shows that it has happened.
        let strict = self.target(Login::Scram.role(), "postgres");
        for _ in 0..500 {
            if strict.connect().is_err() {
                return;
            }
            std::thread::sleep(std::time::Duration::from_millis(10));
        }
        panic!("pg_hba.conf was not reloaded");
    }

    /// The primary.
    #[must_use]
    pub fn primary(&self) -> &Node {
        self.cluster.primary()
    }

    /// The cluster.
    #[must_use]
    pub const fn cluster(&self) -> &Cluster {
        &self.cluster
    }

    /// A direct connection's target.
    #[must_use]
    pub fn target(&self, user: &str, database: &str) -> Target {
        Target::port(self.primary().port(), user, database)
    }

    /// Direct connections as superuser.
    #[must_use]
    pub fn superuser_target(&self, database: &str) -> Target {
        self.target(SUPERUSER, database)
    }

    /// A direct connection as superuser.
    ///
    /// # Panics
    /// When it cannot be made.
    #[must_use]
    pub fn superuser(&self, database: &str) -> Connection {
        self.superuser_target(database).client()
    }

    /// Makes an empty database that belongs to `app`, and says its name.
    ///
    /// # Panics
    /// When it cannot be made.
    #[must_use]
    pub fn create_database(&self) -> String {
        let name = format!("test_{}", self.databases.fetch_add(1, Ordering::Relaxed));
        let mut admin = self.superuser("postgres");
        admin.run(&format!("CREATE DATABASE {name} OWNER app"));
        admin.close();
        let mut admin = self.superuser(&name);
        admin.run("GRANT ALL ON SCHEMA public TO PUBLIC");
        admin.close();
        name
    }

    /// Removes a database and whoever uses it, if the server still runs.
    pub fn drop_database(&self, name: &str) {
        if let Ok(mut admin) = self.target(SUPERUSER, "postgres").connect() {
            let _ = admin.query(&format!("DROP DATABASE IF EXISTS {name} WITH (FORCE)"));
        }
    }
}
