//! A PostgreSQL cluster: one primary and its streaming replicas in one private directory.
//!
//! Roles are those of the start: after [`Node::promote`] the cluster still calls the old primary
//! "primary". Invariant: the nodes are dropped, and so killed, before their directory is.

use std::sync::Arc;
use std::time::{Duration, Instant};

use crate::binaries::Binaries;
use crate::directory::Directory;
use crate::node::{Node, SUPERUSER};
use crate::settings::Settings;
use crate::{Error, Result, replica, template};

const REPLAY_LIMIT: Duration = Duration::from_secs(30);
const POLL: Duration = Duration::from_millis(10);

/// How the nodes ask a client who it is. The superuser `howdah` is never asked.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Auth {
    /// Not at all.
    #[default]
    Trust,
    /// Password in clear text.
    Password,
    /// Password through MD5; passwords are stored in that form too.
    Md5,
    /// SCRAM-SHA-256.
    Scram,
}

impl Auth {
    /// The method in `pg_hba.conf`, and the form in which passwords are stored.
    const fn words(self) -> (&'static str, &'static str) {
        match self {
            Self::Trust => ("trust", "scram-sha-256"),
            Self::Password => ("password", "scram-sha-256"),
            Self::Md5 => ("md5", "md5"),
            Self::Scram => ("scram-sha-256", "scram-sha-256"),
        }
    }

    fn hba(self) -> String {
        let (method, _) = self.words();
        format!(
            "local all,replication {SUPERUSER} trust\n\
             host all,replication {SUPERUSER} 127.0.0.1/32 trust\n\
             local all,replication all {method}\n\
             host all,replication all 127.0.0.1/32 {method}\n"
        )
    }
}

/// What a cluster shall be like.
#[derive(Debug, Clone, Default)]
pub struct ClusterBuilder {
    binaries: Option<Binaries>,
    replicas: u32,
    synchronous: bool,
    durable: bool,
    auth: Auth,
    settings: Settings,
    tls: Option<Tls>,
    sql: Vec<String>,
}

/// What the nodes speak TLS with.
#[derive(Debug, Clone)]
struct Tls {
    /// Contents of files of the data directory, by name.
    files: Vec<(&'static str, String)>,
}

impl ClusterBuilder {
    /// The programs to run; by default those of [`Binaries::find`] for no certain version.
    #[must_use]
    pub fn binaries(mut self, binaries: Binaries) -> Self {
        self.binaries = Some(binaries);
        self
    }

    /// How many streaming replicas; by default none.
    #[must_use]
    pub fn replicas(mut self, count: u32) -> Self {
        self.replicas = count;
        self
    }

    /// A commit waits until one replica has it on disk; by default it waits for nobody.
    #[must_use]
    pub fn synchronous(mut self, on: bool) -> Self {
        self.synchronous = on;
        self
    }

    /// Data survives a crash of the machine (`fsync`); by default only a crash of the servers.
    #[must_use]
    pub fn durable(mut self, on: bool) -> Self {
        self.durable = on;
        self
    }

    /// How clients other than the superuser prove who they are; by default not at all.
    #[must_use]
    pub fn auth(mut self, auth: Auth) -> Self {
        self.auth = auth;
        self
    }

    /// A setting of every node, as in `postgresql.conf`.
    #[must_use]
    pub fn setting(mut self, name: &str, value: &str) -> Self {
        self.settings.set(name, value);
        self
    }

    /// The nodes speak TLS (`ssl`), with this certificate and key, and trust clients' certificates that these authorities have
    /// signed; all in PEM form.
    #[must_use]
    pub fn tls(mut self, certificate: &str, key: &str, authorities: Option<&str>) -> Self {
        let mut files =
            vec![("server.crt", certificate.to_owned()), ("server.key", key.to_owned())];
        self.settings.set("ssl", "on");
        if let Some(authorities) = authorities {
            files.push(("clients.crt", authorities.to_owned()));
            self.settings.set("ssl_ca_file", "clients.crt");
        }
        self.tls = Some(Tls { files });
        self
    }

    /// SQL for the new primary, before there are replicas: roles, databases, tables.
    #[must_use]
    pub fn sql(mut self, sql: &str) -> Self {
        self.sql.push(sql.to_owned());
        self
    }

    /// Starts the primary and the replicas, and waits until all accept connections.
    ///
    /// # Errors
    ///
    /// PostgreSQL is not installed, or does not start: the error carries the end of its log.
    pub fn start(self) -> Result<Cluster> {
        let binaries = match &self.binaries {
            Some(binaries) => binaries.clone(),
            None => Binaries::find(None)?,
        };
        let directory = Directory::create()?;
        directory.subdirectory("socket")?;
        let settings = self.node_settings(&directory, "primary");
        let mut primary = Node::new(&directory, "primary", &binaries, settings)?;
        template::create_data(&directory, &binaries, primary.home())?;
        primary.write_configuration(&self.auth.hba())?;
        for (name, contents) in self.tls.iter().flat_map(|tls| &tls.files) {
            directory.write(&primary.data().join(name), contents)?;
        }
        primary.start_on_free_port()?;
        for sql in &self.sql {
            primary.psql(sql)?;
        }
        let count = self.replicas;
        let mut cluster = Cluster { primary, replicas: Vec::new(), directory, builder: self };
        for _ in 0..count {
            cluster.add_replica()?;
        }
        Ok(cluster)
    }

    fn node_settings(&self, directory: &Directory, name: &str) -> Settings {
        let (_, password_encryption) = self.auth.words();
        let durable = if self.durable { "on" } else { "off" };
        let socket = directory.path().join("socket");
        let mut settings = Settings::default();
        for (setting, value) in [
            ("cluster_name", name),
            ("listen_addresses", "127.0.0.1"),
            ("unix_socket_directories", &socket.to_string_lossy()),
            ("max_connections", "200"),
            ("shared_buffers", "128MB"),
            ("fsync", durable),
            ("full_page_writes", durable),
            // Segments in files of the data directory: those of the kernel outlive a killed server.
            ("dynamic_shared_memory_type", "mmap"),
            ("wal_level", "replica"),
            ("password_encryption", password_encryption),
            ("log_line_prefix", "%m [%p] %q%u@%d "),
            ("log_timezone", "UTC"),
            ("timezone", "UTC"),
            // How long a replica waits before it looks for its primary again.
            ("wal_retrieve_retry_interval", "200ms"),
        ] {
            settings.set(setting, value);
        }
        settings.extend(&self.settings);
        settings
    }
}

/// A running cluster; dropped, it is killed and its directory removed.
#[derive(Debug)]
pub struct Cluster {
    primary: Node,
    replicas: Vec<Node>,
    directory: Arc<Directory>,
    builder: ClusterBuilder,
}

impl Cluster {
    /// Describes a cluster: one primary, unless more is asked for.
    #[must_use]
    pub fn builder() -> ClusterBuilder {
        ClusterBuilder::default()
    }

    /// The node that was the primary at the start.
    #[must_use]
    pub const fn primary(&self) -> &Node {
        &self.primary
    }

    /// The nodes that were made as replicas, oldest first.
    #[must_use]
    pub fn replicas(&self) -> &[Node] {
        &self.replicas
    }

    /// The private directory with everything in it.
    #[must_use]
    pub fn directory(&self) -> &Directory {
        &self.directory
    }

    /// Adds a replica to the running primary and waits until it streams.
    ///
    /// # Errors
    ///
    /// The primary does not answer, or the replica does not start.
    pub fn add_replica(&mut self) -> Result<&Node> {
        let name = format!("replica_{}", self.replicas.len() + 1);
        let mut settings = self.builder.node_settings(&self.directory, &name);
        settings.extend(&replica::settings(&self.primary, &name));
        let mut node = Node::new(&self.directory, &name, self.primary.binaries(), settings)?;
        replica::copy(&self.primary, &node)?;
        node.start_on_free_port()?;
        self.wait_for_streaming(&node)?;
        self.replicas.push(node);
        if self.builder.synchronous {
            let names: Vec<&str> = self.replicas.iter().map(Node::name).collect();
            let names = format!("ANY 1 ({})", names.join(", "));
            self.primary.set("synchronous_standby_names", &names)?;
            self.primary.reload()?;
            self.wait("synchronous replication", || {
                let sql = "SELECT count(*) FROM pg_stat_replication WHERE sync_state = 'quorum'";
                Ok(self.primary.psql(sql)? == self.replicas.len().to_string())
            })?;
        }
        self.replicas.last().ok_or(Error::NotRunning { name })
    }

    /// Waits until every running replica has applied everything that the primary has written so far.
    ///
    /// # Errors
    ///
    /// [`Error::Timeout`] after 30 s: a replica is paused, frozen, or follows nobody.
    pub fn wait_for_replay(&self) -> Result<()> {
        let written = self.primary.psql("SELECT pg_current_wal_lsn()")?;
        let sql = format!("SELECT pg_last_wal_replay_lsn() >= '{written}'");
        for replica in self.replicas.iter().filter(|replica| replica.pid().is_some()) {
            self.wait("the replay", || Ok(replica.psql(&sql)? == "t"))?;
        }
        Ok(())
    }

    fn wait_for_streaming(&self, replica: &Node) -> Result<()> {
        let sql = format!(
            "SELECT count(*) FROM pg_stat_replication \
             WHERE application_name = '{}' AND state = 'streaming'",
            replica.name()
        );
        self.wait("streaming", || Ok(self.primary.psql(&sql)? == "1"))
    }

    fn wait(&self, event: &'static str, mut done: impl FnMut() -> Result<bool>) -> Result<()> {
        let deadline = Instant::now() + REPLAY_LIMIT;
        while !done()? {
            if Instant::now() >= deadline {
                let name = self.primary.name().to_owned();
                return Err(Error::Timeout { name, event, limit: REPLAY_LIMIT });
            }
            std::thread::sleep(POLL);
        }
        Ok(())
    }
}
