//! A database of its own on the shared server, and connections to it by the driver that the advice uses.

use std::sync::Arc;

use howdah_tests::Servers;
use tokio_postgres::{Client, NoTls};

/// A database that is dropped at the end.
pub(crate) struct Bed {
    servers: Arc<Servers>,
    pub(crate) database: String,
}

impl Bed {
    pub(crate) fn new() -> Self {
        let servers = Servers::shared();
        let database = servers.create_database();
        Self { servers, database }
    }

    /// A connection as this role.
    pub(crate) async fn connect(&self, role: &str) -> Client {
        connect(&self.url(role)).await
    }

    /// Its address as this role.
    pub(crate) fn url(&self, role: &str) -> String {
        self.servers.primary().url(&self.database, role)
    }

    /// A connection that may do everything.
    pub(crate) async fn superuser(&self) -> Client {
        self.connect("howdah").await
    }
}

impl Drop for Bed {
    fn drop(&mut self) {
        self.servers.drop_database(&self.database);
    }
}

/// A connection that a task drives until the client is dropped.
pub(crate) async fn connect(url: &str) -> Client {
    let (client, connection) = tokio_postgres::connect(url, NoTls).await.unwrap();
    tokio::spawn(connection);
    client
}

/// Runs a test that waits.
pub(crate) fn run(test: impl Future<Output = ()>) {
    tokio::runtime::Builder::new_multi_thread()
        .worker_threads(2)
        .enable_all()
        .build()
        .unwrap()
        .block_on(test);
}
