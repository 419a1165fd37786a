//! Where the next process knocks: a Unix socket in a private directory, one conversation at a time. Not the conversation itself.
//!
//! Invariant: only processes of the same user, or of root, get an answer.

use std::cell::Cell;
use std::io;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::rc::Rc;
use std::time::Duration;

use tokio::net::UnixListener;

use super::give::{self, Ended};
use super::line::Line;
use crate::worker::Worker;

/// Pause after something failed that may mend itself.
const PAUSE: Duration = Duration::from_millis(200);

/// An open door; closed by [`Self::close`].
#[derive(Debug)]
pub(crate) struct Door {
    path: PathBuf,
    /// The file is this process's.
    owned: Rc<Cell<bool>>,
    task: tokio::task::JoinHandle<()>,
}

impl Door {
    /// Opens a door at a path; a file that is there is replaced.
    pub(super) fn open(worker: &Rc<Worker>, path: PathBuf) -> io::Result<()> {
        let listener = bind(&path)?;
        let owned = Rc::new(Cell::new(true));
        let task = keep(Rc::clone(worker), path.clone(), listener, Rc::clone(&owned));
        let task = tokio::task::spawn_local(task);
        if let Some(before) = worker.door.replace(Some(Self { path, owned, task })) {
            before.close();
        }
        Ok(())
    }

    /// Nobody takes over any more.
    pub(crate) fn close(self) {
        self.task.abort();
        if self.owned.get() {
            let _ = std::fs::remove_file(self.path);
        }
    }
}

/// Listens at a path in one step: whoever knocks finds the door before or this one.
fn bind(path: &Path) -> io::Result<UnixListener> {
    let mut own = path.as_os_str().to_owned();
    own.push(format!(".{}", std::process::id()));
    let own = PathBuf::from(own);
    let _ = std::fs::remove_file(&own);
    let listener = UnixListener::bind(&own)?;
    std::fs::set_permissions(&own, std::fs::Permissions::from_mode(0o600))?;
    std::fs::rename(&own, path)?;
    Ok(listener)
}

async fn keep(
    worker: Rc<Worker>,
    path: PathBuf,
    mut listener: UnixListener,
    owned: Rc<Cell<bool>>,
) {
    loop {
        let line = match listener.accept().await {
            Ok((stream, _)) => Line::new(stream),
            Err(error) => {
                tracing::warn!(%error, "cannot accept at the take-over socket");
                tokio::time::sleep(PAUSE).await;
                continue;
            }
        };
        if !line.is_trusted().unwrap_or(false) {
            tracing::warn!("a process of another user at the take-over socket was sent away");
            continue;
        }
        let process_id = line.process_id();
        match give::give(&worker, line, &owned).await {
            Ended::Moved => return,
            Ended::Asked => {}
            Ended::Failed(error) => {
                tracing::warn!(process_id, %error, "a take-over has failed; this process goes on");
                match bind(&path) {
                    Ok(again) => listener = again,
                    Err(error) => tracing::warn!(%error, "cannot listen at the take-over socket"),
                }
                owned.set(true);
            }
        }
    }
}
