//! The keys of `[history]`.

use super::{Key, Kind, Section, Shape, Zero};

/// `[history]`
pub(crate) static HISTORY: Section = Section {
    name: "history",
    shape: Shape::One,
    doc: "What is remembered of the past, in one SQLite file: numbers, statements, marks. The dashboard and howdah report show it.",
    sections: &[],
    keys: &[
        Key::new("path", Kind::Text, "The file; its directory has to be there and to be writable. \"off\": nothing is remembered. Left out: history.db in\n$STATE_DIRECTORY, which systemd sets for a service with StateDirectory=, else off.")
            .example("/var/lib/howdah/history.db")
            .restart(),
        Key::new("max_size", Kind::Integer { min: 1, max: 1 << 20 }, "MiB of the file at most; the oldest goes first. A day of a small set-up takes about 10, a month 60.").default("512").restart(),
        Key::new("keep_seconds", Kind::Duration(Zero::Refused), "How long numbers are kept second by second,").default("1h").restart(),
        Key::new("keep_tens", Kind::Duration(Zero::Refused), "in steps of ten seconds,").default("1d").restart(),
        Key::new("keep_minutes", Kind::Duration(Zero::Refused), "of a minute,").default("30d").restart(),
        Key::new("keep_hours", Kind::Duration(Zero::Refused), "and of an hour.").default("400d").restart(),
        Key::new("keep_statements", Kind::Duration(Zero::Refused), "How long the statements that took the most time are kept, hour by hour.").default("35d").restart(),
    ],
};
