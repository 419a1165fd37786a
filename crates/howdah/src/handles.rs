//! Ways into one database for programs that embed the engine: to the primary, to replicas, and to what is kept. What each of them asks
//! for is said when it connects, so it costs no round trip, and `RESET ALL` comes back to it.
//!
//! Invariant: a handle says what the settings of a session can say, and nothing that a client of the wire protocol could not.

use std::time::Duration;

use howdah_core::cache::Part;
use howdah_core::cache::wish::Level;
use howdah_core::rules::TableName;
use tokio::io::DuplexStream;
use tokio_postgres::tls::NoTlsStream;
use tokio_postgres::{Client, Connection};

use crate::{CacheReport, Engine, Error};

/// A client and its connection, which has to be spawned, as with [`tokio_postgres::connect`].
pub type Connected = (Client, Connection<DuplexStream, NoTlsStream>);

/// A database as one user.
///
/// ```no_run
/// # async fn example(engine: howdah::Engine) -> Result<(), Box<dyn std::error::Error>> {
/// use std::time::Duration;
///
/// let shop = engine.database("shop", "app");
/// let (orders, connection) = shop.primary().await?;
/// tokio::spawn(connection);
/// let (prices, connection) =
///     shop.cached().ttl(Duration::from_secs(30)).tags(["prices"]).connect().await?;
/// tokio::spawn(connection);
///
/// let rows = prices.query("SELECT price FROM prices WHERE item = $1", &[&7]).await?;
/// orders.execute("INSERT INTO orders (item) VALUES ($1)", &[&7]).await?;
/// engine.flush_tag("prices");
/// # drop(rows);
/// # Ok(())
/// # }
/// ```
#[derive(Debug, Clone, Copy)]
pub struct Database<'a> {
    engine: &'a Engine,
    database: &'a str,
    user: &'a str,
}

/// What is asked of kept answers.
#[derive(Debug, Clone)]
#[must_use = "it connects nowhere by itself"]
pub struct Cached<'a> {
    database: Database<'a>,
    settings: Vec<(&'static str, String)>,
}

impl Engine {
    /// Ways into a database as a user, both as clients name them.
    #[must_use]
    pub const fn database<'a>(&'a self, database: &'a str, user: &'a str) -> Database<'a> {
        Database { engine: self, database, user }
    }

    /// Forgets the answers that sessions or rules have given this tag.
    pub fn flush_tag(&self, tag: &str) {
        self.observer().forget_answers(Part::Tag(tag.to_owned()));
    }

    /// Forgets the answers of statements that read this table or view, with or without its schema.
    pub fn flush_table(&self, table: &str) {
        self.observer().forget_answers(Part::Table(TableName::parse(table)));
    }

    /// What the cache has done in each database. Cancel safe.
    pub async fn cache_stats(&self) -> Vec<CacheReport> {
        self.report().await.cache
    }
}

impl<'a> Database<'a> {
    /// The primary answers everything, and nothing comes from the cache. Cancel safe.
    ///
    /// # Errors
    /// As [`Engine::connect`].
    pub async fn primary(&self) -> Result<Connected, Error> {
        self.with(&[("route", "primary".to_owned()), ("cache", "off".to_owned())]).await
    }

    /// Reads are answered by replicas while one is fresh enough, and nothing comes from the cache. Cancel safe.
    ///
    /// # Errors
    /// As [`Engine::connect`].
    pub async fn read(&self) -> Result<Connected, Error> {
        self.with(&[("route", "prefer_replica".to_owned()), ("cache", "off".to_owned())]).await
    }

    /// Answers may come from the cache, as far as the configuration lets them.
    pub const fn cached(&self) -> Cached<'a> {
        Cached { database: *self, settings: Vec::new() }
    }

    async fn with(&self, settings: &[(&str, String)]) -> Result<Connected, Error> {
        self.engine.open(self.database, self.user, &options(settings)).await
    }
}

impl Cached<'_> {
    fn set(mut self, name: &'static str, value: String) -> Self {
        self.settings.push((name, value));
        self
    }

    /// For how long an answer counts at most, also where changes are not followed, unless the configuration forbids that.
    pub fn ttl(self, ttl: Duration) -> Self {
        self.set("cache_ttl", format!("{}us", ttl.as_micros()))
    }

    /// Names by which answers can be forgotten: [`Engine::flush_tag`]. Up to 16 words of up to 64 bytes without commas; with others
    /// nothing is kept.
    pub fn tags<T: AsRef<str>>(self, tags: impl IntoIterator<Item = T>) -> Self {
        let tags: Vec<String> = tags.into_iter().map(|tag| tag.as_ref().to_owned()).collect();
        self.set("cache_tags", tags.join(","))
    }

    /// The bound of what followed changes vouch for, if it is shorter than that of the configuration.
    pub fn max_staleness(self, bound: Duration) -> Self {
        self.set("max_staleness", format!("{}us", bound.as_micros()))
    }

    /// How fresh answers are.
    pub fn level(self, level: Level) -> Self {
        self.set("cache_level", level.as_str().to_owned())
    }

    /// Connects. Cancel safe.
    ///
    /// # Errors
    /// As [`Engine::connect`].
    pub async fn connect(self) -> Result<Connected, Error> {
        self.database.with(&self.settings).await
    }
}

/// As PostgreSQL reads them at the start of a connection: blanks and backslashes have a backslash in front.
fn options(settings: &[(&str, String)]) -> String {
    let mut all = String::new();
    for (name, value) in settings {
        all.push_str(if all.is_empty() { "" } else { " " });
        all.push_str("-c howdah.");
        all.push_str(name);
        all.push('=');
        for c in value.chars() {
            if c.is_ascii_whitespace() || c == '\\' {
                all.push('\\');
            }
            all.push(c);
        }
    }
    all
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn settings_are_read_as_they_were_said() {
        let said = [("cache_tags", "a b\\c".to_owned()), ("route", "primary".to_owned())];
        assert_eq!(options(&said), "-c howdah.cache_tags=a\\ b\\\\c -c howdah.route=primary");
        assert_eq!(options(&[]), "");
    }
}
