//! Other clients that take and give back servers between the steps of a test, so that its client is served by one server now
//! and by another then. Each leaves its own settings behind wherever it was.

use crate::raw::{Connection, Target};
use howdah_simulation::Random;

/// Clients that hold servers in transactions for a while.
#[derive(Debug)]
pub struct Churn {
    clients: Vec<(Connection, bool)>,
    random: Random,
    turns: u64,
}

impl Churn {
    /// `count` clients; one less than the pool has servers, so that one is always free.
    #[must_use]
    pub fn new(target: &Target, count: usize) -> Self {
        let clients = (0..count).map(|n| {
            let mut client = target.parameter("application_name", &format!("churn {n}")).client();
            client.run(&format!("SET work_mem = '{}kB'; SET TimeZone = 'Etc/GMT-{n}'", 1111 + n));
            client.run("SET search_path = pg_catalog; SET statement_timeout = '55s'");
            client.run("SET DateStyle = 'SQL, DMY'");
            (client, false)
        });
        Self { clients: clients.collect(), random: Random::new(7), turns: 0 }
    }

    /// Ends some transactions and begins others. Every second time all servers are given back first, so that the last one used
    /// is taken away from the test's client.
    ///
    /// # Panics
    /// When one of these clients sees anything but its own state.
    pub fn turn(&mut self) {
        self.turns += 1;
        for (n, (client, holds)) in self.clients.iter_mut().enumerate() {
            if *holds {
                let end = *self.random.pick(&["COMMIT", "ROLLBACK"]);
                client.run(end);
                *holds = false;
            }
            let settings =
                client.value("SELECT current_setting('work_mem') || current_setting('TimeZone')");
            assert_eq!(
                settings,
                format!("{}kBEtc/GMT-{n}", 1111 + n),
                "settings of a churning client"
            );
        }
        let wanted = if self.turns.is_multiple_of(2) { self.clients.len() } else { 1 };
        for (client, holds) in self.clients.iter_mut().take(wanted) {
            client.run("BEGIN; SET LOCAL work_mem = '3333kB'; SELECT 1");
            *holds = true;
        }
    }

    /// Gives all servers back.
    ///
    /// # Panics
    /// When a transaction cannot be ended.
    pub fn rest(&mut self) {
        for (client, holds) in &mut self.clients {
            if *holds {
                client.run("ROLLBACK");
                *holds = false;
            }
        }
    }
}
