//! The keys of `[web]`, `[[web.user]]` and `[[web.token]]`.

use super::{Key, Kind, Section, Shape};

const ROLE: Key = Key::new(
    "role",
    Kind::Word(&["viewer", "operator", "admin"]),
    "viewer: look; operator: and cancel, disconnect, mark; admin: and see the configuration.",
);

/// `[web]`
pub(crate) static WEB: Section = Section {
    name: "web",
    shape: Shape::One,
    doc: "Metrics for Prometheus (/metrics), /healthz, /readyz and the dashboard (/admin/performance), over HTTP.",
    sections: &[&WEB_USER, &WEB_TOKEN],
    keys: &[Key::new(
        "listen",
        Kind::Text,
        "Address and port; of this machine only, unless there is a [[web.user]] or a [[web.token]]: without any, whoever reaches\nit may look, and cancel statements. \"off\": nowhere.",
    )
    .default("127.0.0.1:9640")
    .restart()],
};

/// `[[web.user]]`
pub(crate) static WEB_USER: Section = Section {
    name: "user",
    shape: Shape::Named,
    doc: "Somebody who may look with a browser. With one, nobody is answered without a credential, from this machine neither.",
    sections: &[],
    keys: &[
        Key::new("name", Kind::Text, "").example("ann").restart(),
        ROLE.default("viewer").restart(),
        Key::new("password", Kind::Text, "In clear text, or as PostgreSQL stores it (SCRAM-SHA-256$…), which tells nobody what it is.").example("SCRAM-SHA-256$4096:…").secret().restart(),
        Key::new("password_file", Kind::Text, "File that holds it.").example("/run/secrets/howdah_web").restart(),
        Key::new("password_env", Kind::Text, "Environment variable that holds it.").example("HOWDAH_WEB_PASSWORD").restart(),
        Key::new("password_command", Kind::Text, "Shell command that prints it.").example("pass show howdah_web").restart(),
    ],
};

/// `[[web.token]]`
pub(crate) static WEB_TOKEN: Section = Section {
    name: "token",
    shape: Shape::Named,
    doc: "A program that may look, with Authorization: Bearer TOKEN.",
    sections: &[],
    keys: &[
        Key::new("name", Kind::Text, "For the log.").example("prometheus").restart(),
        ROLE.default("viewer").restart(),
        Key::new("sha256", Kind::Text, "Hash of the token in hexadecimal digits: printf %s \"$TOKEN\" | sha256sum. Make the token by chance: openssl rand -hex 32.").example("9f86d081…").restart(),
    ],
};
