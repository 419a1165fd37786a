//! What is written and read: tables whose rows carry versions, each written in another way.
//!
//! Invariant: an answer is one version. Of a place that is written as a whole, all rows have the same.

/// Rows of each place, all of them hot.
pub(super) const ROWS: usize = 24;

/// Where versions are.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Place {
    /// By key.
    Row,
    /// By a trigger of another table; also read through a view, with a table that nobody writes.
    Shadow,
    /// By a foreign key, which updates and deletes.
    Child,
    /// All rows by one statement.
    Batch,
    /// By a function that a SELECT calls; also read by one that is declared to.
    Called,
    /// By TRUNCATE, and all rows again.
    Refilled,
    /// By COPY.
    Copied,
    /// By a transaction that is prepared.
    Prepared,
    /// With `synchronous_commit = off`.
    Hasty,
    /// Together with half a million rows.
    Huge,
    /// By another definition of a view.
    Viewed,
    /// By a definition that rewrites the table, which the stream does not tell.
    Rewritten,
}

impl Place {
    pub(super) const ALL: [Self; 12] = [
        Self::Row,
        Self::Shadow,
        Self::Child,
        Self::Batch,
        Self::Called,
        Self::Refilled,
        Self::Copied,
        Self::Prepared,
        Self::Hasty,
        Self::Huge,
        Self::Viewed,
        Self::Rewritten,
    ];

    /// All rows have the same version.
    const fn is_whole(self) -> bool {
        matches!(self, Self::Batch | Self::Refilled | Self::Huge | Self::Viewed | Self::Rewritten)
    }

    /// Where its history is.
    pub(super) const fn history(self, row: usize) -> (usize, usize) {
        (self as usize, if self.is_whole() { 0 } else { row })
    }

    /// The read of a row as text, without its number, and as a prepared statement.
    pub(super) const fn reads(self) -> [&'static str; 2] {
        match self {
            Self::Row => ["SELECT v FROM c WHERE id = ", "SELECT v FROM c WHERE id = $1"],
            Self::Shadow => {
                ["SELECT v FROM shadow WHERE id = ", "SELECT w FROM joined WHERE id = $1"]
            }
            Self::Child => ["SELECT v FROM child WHERE id = ", "SELECT v FROM child WHERE id = $1"],
            Self::Batch => ["SELECT v FROM batch WHERE id = ", "SELECT v FROM batch WHERE id = $1"],
            Self::Called => ["SELECT v FROM called WHERE id = ", "SELECT shown($1)"],
            Self::Refilled => {
                ["SELECT v FROM refilled WHERE id = ", "SELECT v FROM refilled WHERE id = $1"]
            }
            Self::Copied => {
                ["SELECT v FROM copied WHERE id = ", "SELECT v FROM copied WHERE id = $1"]
            }
            Self::Prepared => {
                ["SELECT v FROM prepared WHERE id = ", "SELECT v FROM prepared WHERE id = $1"]
            }
            Self::Hasty => ["SELECT v FROM hasty WHERE id = ", "SELECT v FROM hasty WHERE id = $1"],
            Self::Huge => ["SELECT v FROM huge WHERE id = ", "SELECT v FROM huge WHERE id = $1"],
            Self::Viewed => {
                ["SELECT v FROM viewed WHERE id = ", "SELECT v FROM viewed WHERE id = $1"]
            }
            Self::Rewritten => {
                ["SELECT v FROM rewritten WHERE id = ", "SELECT v FROM rewritten WHERE id = $1"]
            }
        }
    }
}

/// Reads about several rows, what is appended to them, and what they have to show: rows that were written together are not apart.
pub(super) const TOGETHER: [(&str, bool, &str); 4] = [
    ("SELECT c.v - pair.v FROM c JOIN pair ON pair.id = c.id WHERE c.id = ", true, "0"),
    ("SELECT max(v) - min(v) FROM batch", false, "0"),
    ("SELECT count(*) FROM refilled", false, "24"),
    ("SELECT count(*) - count(DISTINCT p.id) FROM parent p JOIN child USING (id, v)", false, "0"),
];

/// What is there before the first write: version 0 everywhere.
pub(crate) const SETUP: &str = "CREATE TABLE fixed (id int PRIMARY KEY); CREATE TABLE c (id int PRIMARY KEY, v int); CREATE TABLE shadow (id int PRIMARY KEY, v int); \
    CREATE TABLE poke (id int PRIMARY KEY, v int); CREATE TABLE pair (id int PRIMARY KEY, v int); \
    INSERT INTO c SELECT n, 0 FROM generate_series(0, 23) n; INSERT INTO shadow SELECT * FROM c; \
    INSERT INTO poke SELECT * FROM c; INSERT INTO pair SELECT * FROM c; \
    INSERT INTO fixed SELECT id FROM c; CREATE VIEW joined AS SELECT s.id, s.v AS w FROM fixed JOIN shadow s USING (id); \
    CREATE FUNCTION poked() RETURNS trigger LANGUAGE plpgsql AS \
    'BEGIN UPDATE shadow SET v = NEW.v WHERE id = NEW.id; RETURN NULL; END'; \
    CREATE TRIGGER poked AFTER UPDATE ON poke FOR EACH ROW EXECUTE FUNCTION poked(); \
    CREATE TABLE parent (id int PRIMARY KEY, v int, UNIQUE (id, v)); INSERT INTO parent SELECT * FROM c; \
    CREATE TABLE child (id int PRIMARY KEY, v int, FOREIGN KEY (id, v) REFERENCES parent (id, v) ON UPDATE CASCADE ON DELETE CASCADE); INSERT INTO child SELECT * FROM c; \
    CREATE TABLE batch (id int PRIMARY KEY, v int); INSERT INTO batch SELECT * FROM c; \
    CREATE TABLE called (id int PRIMARY KEY, v int); INSERT INTO called SELECT * FROM c; \
    CREATE FUNCTION call(int, int) RETURNS int LANGUAGE sql AS 'UPDATE called SET v = $2 WHERE id = $1 RETURNING v'; \
    CREATE FUNCTION shown(int) RETURNS int LANGUAGE plpgsql STABLE AS 'BEGIN RETURN (SELECT v FROM called WHERE id = $1); END'; \
    CREATE TABLE refilled (id int PRIMARY KEY, v int); INSERT INTO refilled SELECT * FROM c; \
    CREATE TABLE copied (id int PRIMARY KEY, v int); INSERT INTO copied SELECT * FROM c; \
    CREATE TABLE prepared (id int PRIMARY KEY, v int); INSERT INTO prepared SELECT * FROM c; \
    CREATE TABLE hasty (id int PRIMARY KEY, v int); INSERT INTO hasty SELECT * FROM c; \
    CREATE TABLE huge (id int PRIMARY KEY, v int); INSERT INTO huge SELECT * FROM c; CREATE TABLE bulk (n int); \
    CREATE VIEW viewed AS SELECT id, 0 AS v FROM fixed; \
    CREATE TABLE rewritten (id int PRIMARY KEY, v int); INSERT INTO rewritten SELECT * FROM c; \
    CREATE ROLE alice; CREATE ROLE bob; CREATE SCHEMA alice; CREATE SCHEMA bob; \
    CREATE TABLE alice.mine (id int PRIMARY KEY, v text); CREATE TABLE bob.mine (id int PRIMARY KEY, v text); \
    INSERT INTO alice.mine VALUES (1, 'alice'); INSERT INTO bob.mine VALUES (1, 'bob'); \
    GRANT USAGE ON SCHEMA alice TO alice; GRANT USAGE ON SCHEMA bob TO bob; \
    GRANT SELECT ON alice.mine TO alice; GRANT SELECT ON bob.mine TO bob";
