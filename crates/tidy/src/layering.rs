//! Who may know whom: the direction between the rooms, and what the pure rooms must not reach. The table here is the law that
//! ARCHITECTURE.md explains. Not about visibility inside a crate: that is the compiler's.

use std::collections::{BTreeMap, BTreeSet};

use crate::Finding;
use crate::metadata::{Metadata, Package};

/// A package of the workspace and what it may use.
struct Room {
    package: &'static str,
    /// Packages of the workspace it may use in its product code.
    uses: &'static [&'static str],
    /// Values in, values out: no sockets, files, clocks, randomness, runtimes.
    pure: bool,
}

/// Everybody's tests may start real servers.
const LOCAL: &str = "howdah-local";

const ROOMS: &[Room] = &[
    Room { package: "howdah-wire", uses: &[], pure: true },
    Room { package: "howdah-sql", uses: &[], pure: true },
    Room { package: "howdah-core", uses: &["howdah-wire", "howdah-sql"], pure: true },
    Room {
        package: "howdah-proxy",
        uses: &["howdah-core", "howdah-wire", "howdah-sql"],
        pure: false,
    },
    Room { package: "howdah-advisor", uses: &["howdah-sql"], pure: true },
    Room { package: "howdah-ops", uses: &["howdah-advisor", "howdah-sql"], pure: false },
    Room { package: "howdah-alerts", uses: &["howdah-proxy", "howdah-core"], pure: false },
    Room { package: "howdah-history", uses: &["howdah-proxy", "howdah-core"], pure: false },
    Room {
        package: "howdah-web",
        uses: &[
            "howdah-ops",
            "howdah-advisor",
            "howdah-history",
            "howdah-proxy",
            "howdah-core",
            "howdah-wire",
        ],
        pure: false,
    },
    Room {
        package: "howdah",
        uses: &[
            "howdah-advisor",
            "howdah-ops",
            "howdah-alerts",
            "howdah-web",
            "howdah-history",
            "howdah-proxy",
            "howdah-core",
            "howdah-wire",
            "howdah-sql",
        ],
        pure: false,
    },
    Room { package: "howdah-cli", uses: &["howdah", LOCAL], pure: false },
    Room { package: LOCAL, uses: &[], pure: false },
    Room { package: "howdah-simulation", uses: EVERYTHING, pure: false },
    Room { package: "howdah-tests", uses: EVERYTHING, pure: false },
    Room { package: "howdah-bench", uses: EVERYTHING, pure: false },
    Room { package: "howdah-hot", uses: EVERYTHING, pure: false },
    Room { package: "howdah-tidy", uses: &[], pure: false },
];

const EVERYTHING: &[&str] = &[
    "howdah-wire",
    "howdah-sql",
    "howdah-core",
    "howdah-proxy",
    "howdah-history",
    "howdah-alerts",
    "howdah-advisor",
    "howdah-ops",
    "howdah-web",
    "howdah",
    LOCAL,
    "howdah-simulation",
];

/// What the pure rooms must not reach, not even through another package.
pub(crate) const IMPURE: &[&str] = &[
    "async-std",
    "chrono",
    "crossbeam-channel",
    "fastrand",
    "futures-executor",
    "getrandom",
    "log",
    "mio",
    "notify",
    "polling",
    "quanta",
    "rand",
    "rustix",
    "smol",
    "socket2",
    "time",
    "tokio",
    "tracing",
];

/// Edges between members that the table does not allow, and members it does not know.
#[must_use]
pub fn edges(metadata: &Metadata) -> Vec<Finding> {
    let mut findings = Vec::new();
    for package in metadata.packages.iter().filter(|package| metadata.is_member(package)) {
        let Some(room) = room(&package.name) else {
            findings.push(Finding::of(
                &package.name,
                "is not in the table of rooms (crates/tidy/src/layering.rs): say what it may use",
            ));
            continue;
        };
        for dependency in &package.dependencies {
            if crate::layering::room(&dependency.name).is_none() {
                continue;
            }
            let dev = dependency.kind.as_deref() == Some("dev");
            let allowed = room.uses.contains(&dependency.name.as_str())
                || (dev && dependency.name == LOCAL)
                || (dev && dependency.name == package.name);
            if !allowed {
                findings.push(Finding::of(
                    &package.name,
                    format!("must not use {}; it may use {:?}", dependency.name, room.uses),
                ));
            }
        }
    }
    findings
}

/// Pure rooms that reach a socket, a clock, randomness or a runtime, with the way they reach it.
///
/// Needs the graph: [`Metadata::everything`].
#[must_use]
pub fn impurities(metadata: &Metadata) -> Vec<Finding> {
    let mut findings = Vec::new();
    for package in metadata.packages.iter().filter(|package| metadata.is_member(package)) {
        if room(&package.name).is_some_and(|room| room.pure) {
            for way in ways_to(metadata, package, IMPURE) {
                findings.push(Finding::of(
                    &package.name,
                    format!("is a pure room and must not reach {}", way.join(" -> ")),
                ));
            }
        }
    }
    findings
}

/// Directories of the pure rooms below the root, with a `/` at the end.
#[must_use]
pub fn pure_directories() -> Vec<String> {
    ROOMS
        .iter()
        .filter(|room| room.pure)
        .map(|room| format!("crates/{}/", room.package.trim_start_matches("howdah-")))
        .collect()
}

fn room(package: &str) -> Option<&'static Room> {
    ROOMS.iter().find(|room| room.package == package)
}

/// The shortest way from a package to each of `targets` along normal edges, by names.
fn ways_to<'m>(metadata: &'m Metadata, from: &'m Package, targets: &[&str]) -> Vec<Vec<&'m str>> {
    let edges: BTreeMap<&str, Vec<&str>> = metadata
        .resolve
        .iter()
        .flat_map(|resolve| &resolve.nodes)
        .map(|node| {
            let normal =
                node.deps.iter().filter(|edge| edge.dep_kinds.iter().any(|k| k.kind.is_none()));
            (node.id.as_str(), normal.map(|edge| edge.pkg.as_str()).collect())
        })
        .collect();
    let mut ways = Vec::new();
    let mut seen = BTreeSet::from([from.id.as_str()]);
    let mut queue = std::collections::VecDeque::from([(from.id.as_str(), Vec::new())]);
    while let Some((id, way)) = queue.pop_front() {
        for &next in edges.get(id).into_iter().flatten() {
            let Some(package) = metadata.package(next).filter(|_| seen.insert(next)) else {
                continue;
            };
            let mut longer = way.clone();
            longer.push(package.name.as_str());
            if targets.contains(&package.name.as_str()) {
                ways.push(longer);
            } else {
                queue.push_back((next, longer));
            }
        }
    }
    ways
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A workspace of (package, used package, kind).
    fn workspace(edges: &[(&str, &str, Option<&str>)]) -> Metadata {
        let names: BTreeSet<&str> = edges.iter().flat_map(|&(from, to, _)| [from, to]).collect();
        let member = |name: &&str| name.starts_with("howdah");
        let dependencies = |name: &str| -> Vec<serde_json::Value> {
            let own = edges.iter().filter(|(from, _, _)| *from == name);
            own.map(|(_, to, kind)| serde_json::json!({"name": to, "kind": kind})).collect()
        };
        let deps = |name: &str| -> Vec<serde_json::Value> {
            let own = edges.iter().filter(|(from, _, _)| *from == name);
            own.map(|(_, to, kind)| serde_json::json!({"pkg": to, "dep_kinds": [{"kind": kind}]}))
                .collect()
        };
        serde_json::from_value(serde_json::json!({
            "workspace_members": names.iter().filter(|n| member(n)).collect::<Vec<_>>(),
            "packages": names.iter().map(|name| serde_json::json!({
                "name": name, "id": name, "version": "1.0.0", "license": "MIT",
                "manifest_path": "", "dependencies": dependencies(name),
            })).collect::<Vec<_>>(),
            "resolve": {"nodes": names.iter().map(|name| serde_json::json!({
                "id": name, "deps": deps(name),
            })).collect::<Vec<_>>()},
        }))
        .unwrap()
    }

    fn messages(findings: &[Finding]) -> Vec<String> {
        findings.iter().map(ToString::to_string).collect()
    }

    #[test]
    fn the_intended_edges_are_allowed() {
        let good = workspace(&[
            ("howdah-core", "howdah-wire", None),
            ("howdah-proxy", "howdah-core", None),
            ("howdah", "howdah-proxy", None),
            ("howdah-cli", "howdah", None),
            ("howdah-cli", "howdah-local", None),
            ("howdah-wire", "howdah-local", Some("dev")),
        ]);
        assert_eq!(messages(&edges(&good)), [""; 0]);
    }

    #[test]
    fn an_edge_upwards_is_found() {
        let bad = workspace(&[("howdah-core", "howdah-proxy", None)]);
        let found = edges(&bad);
        assert_eq!(found.len(), 1, "{found:?}");
        assert!(found[0].to_string().starts_with("howdah-core: must not use howdah-proxy"));
    }

    #[test]
    fn leaves_know_nothing_of_each_other_not_even_in_tests() {
        assert_eq!(edges(&workspace(&[("howdah-wire", "howdah-sql", None)])).len(), 1);
        assert_eq!(edges(&workspace(&[("howdah-wire", "howdah-sql", Some("dev"))])).len(), 1);
        assert_eq!(edges(&workspace(&[("howdah-proxy", "howdah-local", None)])).len(), 1);
    }

    #[test]
    fn a_package_without_a_row_is_found() {
        let bad = workspace(&[("howdah-attic", "serde", None)]);
        assert!(messages(&edges(&bad))[0].contains("not in the table of rooms"));
    }

    #[test]
    fn a_pure_room_that_reaches_a_runtime_is_found_with_the_way() {
        let bad = workspace(&[("howdah-core", "innocent", None), ("innocent", "tokio", None)]);
        assert_eq!(
            messages(&impurities(&bad)),
            ["howdah-core: is a pure room and must not reach innocent -> tokio"]
        );
    }

    #[test]
    fn tests_and_build_scripts_of_a_pure_room_may_reach_more() {
        let good = workspace(&[
            ("howdah-core", "rand", Some("dev")),
            ("howdah-sql", "rustix", Some("build")),
            ("howdah-proxy", "tokio", None),
        ]);
        assert_eq!(messages(&impurities(&good)), [""; 0]);
    }
}
