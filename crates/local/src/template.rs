//! A new data directory without waiting for `initdb`: its result is kept as an archive per version.
//!
//! The archives lie in `howdah-templates-<uid>` under `$TMPDIR` or `/tmp` and may be deleted at any
//! time. All clusters of one archive have the same system identifier. Invariant: an archive appears
//! under its name complete or not at all (it is renamed there), so concurrent processes need no lock.

use std::env;
use std::fs;
use std::hash::{DefaultHasher, Hash, Hasher};
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

use crate::binaries::Binaries;
use crate::directory::{Directory, run};
use crate::{Error, Result};

/// Part of the key of an archive, next to the version.
const OPTIONS: [&str; 5] =
    ["--no-sync", "--username=howdah", "--auth=trust", "--encoding=UTF8", "--locale=C.UTF-8"];

/// Fills `home`/data (inside `directory`) with a new, cleanly shut down data directory.
pub(crate) fn create_data(directory: &Directory, binaries: &Binaries, home: &Path) -> Result<()> {
    let archives = archives(directory)?;
    let archive = archives.join(format!("{}.tar", key(binaries)));
    if !archive.is_file() {
        build(directory, binaries, home, &archive)?;
    }
    let mut command = directory.command(Path::new("tar"), home);
    run_quietly({
        command.arg("-xf").arg(&archive);
        command
    })
}

fn build(directory: &Directory, binaries: &Binaries, home: &Path, archive: &Path) -> Result<()> {
    let mut initdb = directory.command(&binaries.program("initdb")?, home);
    initdb.args(OPTIONS).arg("--pgdata=data");
    run_quietly(initdb)?;
    let partial = home.join("template.tar");
    let mut tar = directory.command(Path::new("tar"), home);
    tar.arg("-cf").arg(&partial).arg("data");
    run_quietly(tar)?;
    fs::rename(&partial, archive).map_err(Error::io("move the template to", archive))?;
    let data = home.join("data");
    fs::remove_dir_all(&data).map_err(Error::io("remove", &data))
}

fn run_quietly(command: std::process::Command) -> Result<()> {
    run(command, "").map(drop)
}

/// The directory of the archives; the server account must own it, or others could put theirs there.
fn archives(directory: &Directory) -> Result<PathBuf> {
    let path = env::temp_dir().join(format!("howdah-templates-{}", directory.uid()));
    if !path.exists() {
        // Made by the account itself, so that there is no moment at which root owns it.
        let mut mkdir = directory.command(Path::new("mkdir"), directory.path());
        mkdir.args(["-p", "-m", "700"]).arg(&path);
        run_quietly(mkdir)?;
    }
    let metadata = fs::symlink_metadata(&path).map_err(Error::io("read", &path))?;
    if !metadata.is_dir() || metadata.uid() != directory.uid() {
        let source = std::io::Error::other("it is not a directory of the server account");
        return Err(Error::io("use the templates in", &path)(source));
    }
    Ok(path)
}

fn key(binaries: &Binaries) -> String {
    let mut hasher = DefaultHasher::new();
    (binaries.version(), binaries.directory(), OPTIONS).hash(&mut hasher);
    format!("{}-{:016x}", binaries.major(), hasher.finish())
}
