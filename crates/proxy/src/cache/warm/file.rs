//! The file in which what is remembered outlives the process. It holds values of statements: nobody else may read it.
//!
//! Invariant: whoever reads the file sees a whole list, the last or the one before it.

use std::fs::{File, OpenOptions};
use std::io::{self, Read as _, Write as _};
use std::os::unix::fs::{MetadataExt as _, OpenOptionsExt as _};
use std::path::Path;

use howdah_core::cache::warm::List;
use howdah_core::limits;

/// Bytes of a file that is read: values are written as two digits for each of their bytes.
const LONGEST: u64 = 4 * limits::WARM_LIST as u64;

/// What was written down; `None`: nothing, or it cannot be used, which the log says.
pub(super) fn read(path: &Path, most: usize) -> Option<List> {
    let text = match whole(path) {
        Ok(text) => text,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return None,
        Err(error) => return not_used(path, &error),
    };
    match List::of_text(&text, most) {
        Ok(list) => Some(list),
        Err(damaged) => not_used(path, &damaged),
    }
}

fn not_used(path: &Path, why: &dyn std::error::Error) -> Option<List> {
    tracing::warn!(path = %path.display(), "the cache starts cold, cache.warm_file is not used: {why}");
    None
}

fn whole(path: &Path) -> io::Result<Vec<u8>> {
    let file = File::open(path)?;
    let metadata = file.metadata()?;
    let ours = metadata.uid() == rustix::process::geteuid().as_raw();
    // Whoever can write to it says what is asked, and as whom.
    if !metadata.is_file() || !ours || metadata.mode() & 0o022 != 0 {
        let text = "it is not a file of ours that nobody else can write to";
        return Err(io::Error::new(io::ErrorKind::PermissionDenied, text));
    }
    if metadata.len() > LONGEST {
        return Err(io::Error::new(io::ErrorKind::InvalidData, "it is too long"));
    }
    let mut text = Vec::new();
    file.take(LONGEST).read_to_end(&mut text)?;
    Ok(text)
}

/// Writes a list in place of the last one.
pub(super) fn write(path: &Path, list: &List) {
    if let Err(error) = replace(path, list.to_text().as_bytes()) {
        tracing::warn!(path = %path.display(), "cache.warm_file cannot be written: {error}");
    }
}

fn replace(path: &Path, text: &[u8]) -> io::Result<()> {
    let mut beside = path.as_os_str().to_owned();
    beside.push(format!(".{}", std::process::id()));
    let beside = Path::new(&beside);
    // One that was left there may be open for others.
    match std::fs::remove_file(beside) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
        Ok(()) | Err(_) => {}
    }
    let mut file = OpenOptions::new().write(true).create_new(true).mode(0o600).open(beside)?;
    let written = file.write_all(text).and_then(|()| file.sync_all());
    written.and_then(|()| std::fs::rename(beside, path)).inspect_err(|_| {
        // Nothing more can be done about it.
        let _ = std::fs::remove_file(beside);
    })
}
