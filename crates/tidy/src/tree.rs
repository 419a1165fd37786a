//! The files of the repository as values. Not a file system: a check that needs a file asks here, so that its test can bring its own.
//!
//! Invariant: what git ignores is not in a tree; files that are not yet committed are.

use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, ensure};

/// One file that is, or would be, under version control.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct File {
    /// Path below the root, with `/`.
    pub path: String,
    /// Size in bytes.
    pub size: u64,
    /// The content; `None` when it is not UTF-8.
    pub text: Option<String>,
}

/// All files of the repository, by path.
#[derive(Debug, Clone, Default)]
pub struct Tree {
    files: Vec<File>,
}

impl Tree {
    /// Reads what git tracks below `root`, and what it would track after `git add --all`.
    ///
    /// # Errors
    /// When git is missing, `root` is not a checkout, or a file cannot be read.
    pub fn tracked(root: &Path) -> anyhow::Result<Self> {
        let output = Command::new("git")
            .args(["ls-files", "-z", "--cached", "--others", "--exclude-standard"])
            .current_dir(root)
            .output()
            .context("run git; the checks of the house need it")?;
        ensure!(
            output.status.success(),
            "git ls-files: {}",
            String::from_utf8_lossy(&output.stderr).trim()
        );
        let names = String::from_utf8(output.stdout).context("a file name is not UTF-8")?;
        let mut files = Vec::new();
        for path in names.split('\0').filter(|path| !path.is_empty()) {
            let full = root.join(path);
            // Deleted in the working copy but not yet in the index, or a symbolic link: nothing to read.
            if !full.symlink_metadata().is_ok_and(|found| found.is_file()) {
                continue;
            }
            let bytes = std::fs::read(&full).with_context(|| format!("read {path}"))?;
            files.push(File {
                path: path.to_owned(),
                size: u64::try_from(bytes.len())?,
                text: String::from_utf8(bytes).ok(),
            });
        }
        files.sort_by(|a, b| a.path.cmp(&b.path));
        files.dedup_by(|a, b| a.path == b.path);
        Ok(Self { files })
    }

    /// A tree made of (path, text) pairs.
    #[must_use]
    pub fn of(files: &[(&str, &str)]) -> Self {
        let files = files.iter().map(|&(path, text)| File {
            path: path.to_owned(),
            size: text.len() as u64,
            text: Some(text.to_owned()),
        });
        Self { files: files.collect() }
    }

    /// All files, by path.
    #[must_use]
    pub fn files(&self) -> &[File] {
        &self.files
    }

    /// Path and text of every text file.
    pub fn texts(&self) -> impl Iterator<Item = (&str, &str)> {
        self.files.iter().filter_map(|file| Some((file.path.as_str(), file.text.as_deref()?)))
    }

    /// Path and text of every Rust file.
    pub fn rust(&self) -> impl Iterator<Item = (&str, &str)> {
        self.texts().filter(|(path, _)| path.ends_with(".rs"))
    }

    /// The text of one file.
    #[must_use]
    pub fn text(&self, path: &str) -> Option<&str> {
        self.texts().find(|(found, _)| *found == path).map(|(_, text)| text)
    }

    /// Whether a file, or a directory with files, has this path.
    #[must_use]
    pub fn has(&self, path: &str) -> bool {
        let path = path.trim_end_matches('/');
        self.files.iter().any(|file| {
            file.path
                .strip_prefix(path)
                .is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
        })
    }
}

/// The root of the repository that this crate was built from.
#[must_use]
pub fn root() -> PathBuf {
    let here = Path::new(env!("CARGO_MANIFEST_DIR"));
    here.ancestors().nth(2).unwrap_or(here).to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_directory_is_there_when_a_file_is_below_it() {
        let tree = Tree::of(&[("docs/adr/0001-a.md", "")]);
        assert!(tree.has("docs/adr/0001-a.md"));
        assert!(tree.has("docs/adr/"));
        assert!(tree.has("docs"));
        assert!(!tree.has("doc"));
        assert!(!tree.has("docs/adr/0001"));
    }

    #[test]
    fn the_tree_of_this_repository_holds_this_file() {
        let tree = Tree::tracked(&root()).unwrap();
        assert!(
            tree.text("crates/tidy/src/tree.rs").unwrap().contains("The files of the repository")
        );
    }

    #[test]
    fn a_directory_without_git_is_an_error() {
        assert!(Tree::tracked(Path::new("/proc")).is_err());
    }
}
