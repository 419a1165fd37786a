//! The keys of `[statements]`.

use super::{Key, Kind, Section, Shape, Zero};

/// `[statements]`
pub(crate) static STATEMENTS: Section = Section {
    name: "statements",
    shape: Shape::One,
    doc: "What is found out about statements. From when on one is slow: slow_threshold in [pool].",
    sections: &[],
    keys: &[
        Key::new("count", Kind::Word(&["on", "off"]), "Counts what statements do, by form. Off: Queries, findings, alerts about statements and the log of slow ones are empty. Sessions that begin later obey.").default("on"),
        Key::new("explain", Kind::Word(&["on", "off"]), "Asks PostgreSQL for the plan of slow statements, at most one a second and one a minute for each form. Nothing is run.").default("on"),
        Key::new("values", Kind::Word(&["hide", "show"]), "Whether plans show the constants in their conditions: values of your users.").default("hide"),
        Key::new("server_statistics", Kind::Duration(Zero::Off), "How often each node in use is asked what it counts about databases (pg_stat_database), over one connection.").default("10s"),
    ],
};
