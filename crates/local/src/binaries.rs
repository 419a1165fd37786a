//! Where the programs are: PostgreSQL of a wanted major version, and everything else by name.
//!
//! Searches and never installs. Invariant: what is found belongs together; `postgres` and `initdb` come
//! from one directory, and only clients (`psql`, `pgbench`) may come from another one.

use std::env;
use std::ffi::OsString;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use crate::{Error, Result};

const DEBIAN: &str = "/usr/lib/postgresql";

/// The PostgreSQL programs of one version.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Binaries {
    directory: PathBuf,
    major: u32,
    version: String,
    clients: Vec<PathBuf>,
}

impl Binaries {
    /// Finds the server programs of a major version, or of the newest one for `None`.
    ///
    /// In this order: `$HOWDAH_PG_BIN` (a `bin` directory), Debian's `/usr/lib/postgresql/*/bin`,
    /// `$PATH`, and `$HOWDAH_PG_MATRIX/<major>/bin` (made by `scripts/pg-matrix`). For `None`,
    /// `$HOWDAH_PG_BIN` is final: programs that are missing there are not looked for elsewhere.
    ///
    /// # Errors
    ///
    /// [`Error::Missing`], which names the package and the command that installs it.
    pub fn find(major: Option<u32>) -> Result<Self> {
        Places::from_environment().find(major)
    }

    /// The major version, as 15.
    #[must_use]
    pub const fn major(&self) -> u32 {
        self.major
    }

    /// What `postgres --version` says, as `postgres (PostgreSQL) 15.4`.
    #[must_use]
    pub fn version(&self) -> &str {
        &self.version
    }

    /// The directory of the server programs.
    #[must_use]
    pub fn directory(&self) -> &Path {
        &self.directory
    }

    /// The path of a program of PostgreSQL: of this version, or for clients that this installation
    /// lacks, of the newest other one.
    ///
    /// # Errors
    ///
    /// [`Error::Missing`] when there is none.
    pub fn program(&self, name: &str) -> Result<PathBuf> {
        let own = std::iter::once(&self.directory);
        own.chain(&self.clients)
            .map(|directory| directory.join(name))
            .find(|path| path.is_file())
            .ok_or_else(|| Error::Missing {
                program: name.to_owned(),
                package: "postgresql-client".to_owned(),
                searched: listed(std::iter::once(&self.directory).chain(&self.clients)),
            })
    }
}

/// The path of a program that is not PostgreSQL's, from `$PATH` and the places for daemons.
///
/// # Errors
///
/// [`Error::Missing`] with `package` as the package to install.
pub fn find_program(name: &str, package: &str) -> Result<PathBuf> {
    let path = env::var_os("PATH").unwrap_or_default();
    let mut places: Vec<PathBuf> = env::split_paths(&path).collect();
    places.extend(["/usr/sbin", "/usr/local/sbin", "/sbin"].map(PathBuf::from));
    places.iter().map(|place| place.join(name)).find(|path| path.is_file()).ok_or_else(|| {
        Error::Missing {
            program: name.to_owned(),
            package: package.to_owned(),
            searched: "$PATH, /usr/sbin".to_owned(),
        }
    })
}

/// Everything the search depends on.
#[derive(Debug, Default)]
struct Places {
    chosen: Option<PathBuf>,
    debian: PathBuf,
    path: OsString,
    matrix: Option<PathBuf>,
}

impl Places {
    fn from_environment() -> Self {
        Self {
            chosen: env::var_os("HOWDAH_PG_BIN").map(PathBuf::from),
            debian: PathBuf::from(DEBIAN),
            path: env::var_os("PATH").unwrap_or_default(),
            matrix: env::var_os("HOWDAH_PG_MATRIX").map(PathBuf::from),
        }
    }

    fn find(&self, major: Option<u32>) -> Result<Binaries> {
        let debian = versions(&self.debian);
        let matrix = self.matrix.as_deref().map(versions).unwrap_or_default();
        let mut places: Vec<PathBuf> = self.chosen.iter().cloned().collect();
        if self.chosen.is_none() || major.is_some() {
            places.extend(debian.iter().cloned());
            places.extend(env::split_paths(&self.path));
            places.extend(matrix.iter().cloned());
        }
        let clients: Vec<PathBuf> =
            debian.into_iter().chain(env::split_paths(&self.path)).collect();
        places
            .iter()
            .filter_map(|place| inspect(place))
            .find(|(_, found, _)| major.is_none_or(|wanted| wanted == *found))
            .map(|(directory, major, version)| Binaries { directory, major, version, clients })
            .ok_or_else(|| Error::Missing {
                program: major.map_or_else(
                    || "PostgreSQL server (postgres, initdb)".to_owned(),
                    |major| format!("PostgreSQL {major} server (postgres, initdb)"),
                ),
                package: major
                    .map_or_else(|| "postgresql".to_owned(), |major| format!("postgresql-{major}")),
                searched: self.searched(major),
            })
    }

    fn searched(&self, major: Option<u32>) -> String {
        if let (Some(chosen), None) = (&self.chosen, major) {
            return format!("HOWDAH_PG_BIN={}", chosen.display());
        }
        let matrix = self.matrix.as_ref().map_or_else(
            || "$HOWDAH_PG_MATRIX, which is not set".to_owned(),
            |matrix| format!("HOWDAH_PG_MATRIX={}", matrix.display()),
        );
        format!("$HOWDAH_PG_BIN, {}/*/bin, $PATH, {matrix}", self.debian.display())
    }
}

/// The `bin` directories of `<root>/<major>/bin`, newest first.
fn versions(root: &Path) -> Vec<PathBuf> {
    let entries = fs::read_dir(root).into_iter().flatten().flatten();
    let mut majors: Vec<u32> =
        entries.filter_map(|entry| entry.file_name().to_str()?.parse().ok()).collect();
    majors.sort_unstable_by(|a, b| b.cmp(a));
    majors.into_iter().map(|major| root.join(major.to_string()).join("bin")).collect()
}

/// Directory, major version and version line of the server programs in a directory, if it has them.
fn inspect(directory: &Path) -> Option<(PathBuf, u32, String)> {
    if !directory.join("initdb").is_file() {
        return None;
    }
    let output = Command::new(directory.join("postgres")).arg("--version").output().ok()?;
    let version = String::from_utf8_lossy(&output.stdout).trim().to_owned();
    let major = major(&version)?;
    Some((directory.to_owned(), major, version))
}

/// 15 of `postgres (PostgreSQL) 15.4 (Debian 15.4-1)`.
fn major(version: &str) -> Option<u32> {
    let (_, number) = version.split_once(") ")?;
    let digits = number.split(|c: char| !c.is_ascii_digit()).next()?;
    digits.parse().ok()
}

fn listed<'a>(paths: impl Iterator<Item = &'a PathBuf>) -> String {
    paths.map(|path| path.display().to_string()).collect::<Vec<_>>().join(", ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_major_version_is_read_from_every_kind_of_version_line() {
        assert_eq!(major("postgres (PostgreSQL) 15.18 (Debian 15.18-0+deb12u1)"), Some(15));
        assert_eq!(major("postgres (PostgreSQL) 19devel"), Some(19));
        assert_eq!(major("initdb: no"), None);
    }

    #[test]
    fn a_missing_server_is_told_with_the_command_that_installs_it() {
        let nowhere = Places { debian: "/nonexistent".into(), ..Places::default() };
        let error = nowhere.find(None).unwrap_err().to_string();
        assert_eq!(
            error,
            "PostgreSQL server (postgres, initdb) is not installed (looked in $HOWDAH_PG_BIN, \
             /nonexistent/*/bin, $PATH, $HOWDAH_PG_MATRIX, which is not set): install it with \
             `scripts/setup` or `apt-get install postgresql`"
        );
        let error = nowhere.find(Some(16)).unwrap_err().to_string();
        assert!(error.starts_with("PostgreSQL 16 server"), "{error}");
        assert!(error.ends_with("`apt-get install postgresql-16`"), "{error}");
    }

    #[test]
    fn a_chosen_directory_without_a_server_is_not_silently_replaced() {
        let mut places = Places::from_environment();
        places.chosen = Some("/nonexistent/bin".into());
        let error = places.find(None).unwrap_err().to_string();
        assert!(error.contains("looked in HOWDAH_PG_BIN=/nonexistent/bin"), "{error}");
    }

    #[test]
    fn a_missing_program_names_its_package() {
        let error = find_program("howdah-no-such-program", "some-package").unwrap_err();
        assert!(error.to_string().ends_with("`apt-get install some-package`"), "{error}");
    }
}
