//! The keys of `[ha]`.

use super::{Key, Kind, Section, Shape, Zero};

/// `[ha]`
pub(crate) static HA: Section = Section {
    name: "ha",
    shape: Shape::One,
    doc: "Handing the part of the primary from one node to another: howdah ha switchover. A running Howdah makes no use of it.",
    sections: &[],
    keys: &[
        Key::new("user", Kind::Text, "Role that promotes and rewires nodes: a superuser, or one with what howdah ha switchover --dry-run names.\nLeft out: that of health.user, or the first user who can log in without a client.").example("postgres"),
        Key::new("password", Kind::Text, "Its password. Left out: that of the entry of [[user]] with this name.").example("…").secret(),
        Key::new("password_file", Kind::Text, "File that holds it.").example("/run/secrets/postgres"),
        Key::new("password_env", Kind::Text, "Environment variable that holds it.").example("HOWDAH_HA_PASSWORD"),
        Key::new("password_command", Kind::Text, "Shell command that prints it.").example("pass show postgres"),
        Key::new("database", Kind::Text, "Database on the server to log in to.").default("postgres"),
        Key::new("drain_timeout", Kind::Duration(Zero::Refused), "How long transactions in progress may take to end before a switchover is given up; others wait meanwhile.").default("10s"),
        Key::new("step_timeout", Kind::Duration(Zero::Refused), "How long any other step may take: the stop, the promotion, the start as a replica.").default("60s"),
    ],
};
