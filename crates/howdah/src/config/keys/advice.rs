//! The keys of `[advice]`.

use super::{Key, Kind, Section, Shape, Zero};

/// `[advice]`
pub(crate) static ADVICE: Section = Section {
    name: "advice",
    shape: Shape::One,
    doc: "What would make the databases better: looked for by Howdah itself as long as history.path says where to write it down,\nshown by the dashboard and by howdah recommendations.",
    sections: &[],
    keys: &[
        Key::new("mode", Kind::Word(&["review", "automatic", "off"]), "review: it is looked for, and a person decides. automatic: indexes, statistics and rebuilds that are worth it are carried out,\nmeasured, and taken back if they do not help. off: it is not looked for.").default("review").restart(),
        Key::new("every", Kind::Duration(Zero::Refused), "How often it is looked for. A look reads the catalog and plans statements, with one connection to the primary.").default("1h").restart(),
        Key::new("budget", Kind::Integer { min: 1, max: 1 << 30 }, "MiB of all indexes together that are advised. Left out: half of what the tables have.").example("2048").restart(),
        Key::new("unused_after", Kind::Duration(Zero::Refused), "An index is called unused when statistics are older, and nobody has used it on any node.").default("31d").restart(),
        Key::new("window", Kind::Text, "When something may be carried out automatically, in the time zone of the server. Left out: always.").example("01:00-05:00").restart(),
        Key::new("automatic_impact", Kind::Word(&["high", "medium"]), "What is carried out automatically: what matters at least so much.").default("high").restart(),
        Key::new("examples", Kind::Word(&["on", "off"]), "Plans statements with the first literals that were seen with each form, which are kept in memory and neither shown nor written\ndown. Off: without them.").default("on").restart(),
    ],
};
