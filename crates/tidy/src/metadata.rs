//! What `cargo metadata` says about the workspace, cut down to the fields the checks use. Not a resolver.

use std::path::Path;
use std::process::Command;

use anyhow::{Context, ensure};
use serde::Deserialize;

/// Packages and, unless only members were asked for, the graph between them.
#[derive(Debug, Clone, Deserialize)]
pub struct Metadata {
    /// Members alone, or everything that is built for this machine.
    pub packages: Vec<Package>,
    /// Ids of the members.
    pub workspace_members: Vec<String>,
    /// Edges between packages, by id.
    pub resolve: Option<Resolve>,
}

/// One package.
#[derive(Debug, Clone, Deserialize)]
pub struct Package {
    /// Name as published.
    pub name: String,
    /// Unique id.
    pub id: String,
    /// Version.
    pub version: String,
    /// SPDX expression.
    pub license: Option<String>,
    /// Path of the manifest.
    pub manifest_path: String,
    /// What the manifest asks for.
    pub dependencies: Vec<Dependency>,
}

/// A line under `[dependencies]`, `[dev-dependencies]` or `[build-dependencies]`.
#[derive(Debug, Clone, Deserialize)]
pub struct Dependency {
    /// Name of the package.
    pub name: String,
    /// `None` (normal), `dev` or `build`.
    pub kind: Option<String>,
}

/// The graph.
#[derive(Debug, Clone, Deserialize)]
pub struct Resolve {
    /// One per package.
    pub nodes: Vec<Node>,
}

/// A package in the graph.
#[derive(Debug, Clone, Deserialize)]
pub struct Node {
    /// The package's id.
    pub id: String,
    /// What it uses.
    pub deps: Vec<Edge>,
}

/// One edge of the graph.
#[derive(Debug, Clone, Deserialize)]
pub struct Edge {
    /// Id of the used package.
    pub pkg: String,
    /// In which ways it is used.
    pub dep_kinds: Vec<EdgeKind>,
}

/// One way a package is used.
#[derive(Debug, Clone, Deserialize)]
pub struct EdgeKind {
    /// `None` (normal), `dev` or `build`.
    pub kind: Option<String>,
}

impl Metadata {
    /// The members of the workspace alone, straight from their manifests.
    ///
    /// # Errors
    /// When cargo fails.
    pub fn members(root: &Path) -> anyhow::Result<Self> {
        Self::run(root, &["--no-deps", "--offline"])
    }

    /// Every package that is built for this machine, and the graph. Uses the network only for packages that were never fetched.
    ///
    /// # Errors
    /// When cargo fails.
    pub fn everything(root: &Path) -> anyhow::Result<Self> {
        let version = output(Command::new("rustc").arg("-vV"))?;
        let host = version
            .lines()
            .find_map(|line| line.strip_prefix("host: "))
            .context("rustc does not name its host")?;
        Self::run(root, &["--locked", "--filter-platform", host])
    }

    fn run(root: &Path, arguments: &[&str]) -> anyhow::Result<Self> {
        let mut cargo = Command::new(std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into()));
        cargo.args(["metadata", "--format-version", "1"]).args(arguments).current_dir(root);
        serde_json::from_str(&output(&mut cargo)?).context("read cargo's metadata")
    }

    /// The package with this id.
    #[must_use]
    pub fn package(&self, id: &str) -> Option<&Package> {
        self.packages.iter().find(|package| package.id == id)
    }

    /// Whether the package belongs to the workspace.
    #[must_use]
    pub fn is_member(&self, package: &Package) -> bool {
        self.workspace_members.contains(&package.id)
    }
}

fn output(command: &mut Command) -> anyhow::Result<String> {
    let output = command.output().with_context(|| format!("run {command:?}"))?;
    ensure!(
        output.status.success(),
        "{command:?}: {}",
        String::from_utf8_lossy(&output.stderr).trim()
    );
    Ok(String::from_utf8(output.stdout)?)
}
