//! Takes the transcripts apart into seeds for the fuzz targets.
//!
//! Not here: running the fuzzers (`fuzz/run`).
//!
//! Invariant: the same transcripts give the same files; files that are already there stay.
//!
//! `seeds TRANSCRIPTS CORPUS` writes one folder per target below CORPUS.
#![allow(clippy::disallowed_methods, reason = "a tool beside the library")]

#[path = "../tests/transcripts/mod.rs"]
mod transcripts;

use std::collections::hash_map::DefaultHasher;
use std::hash::{Hash, Hasher};
use std::path::{Path, PathBuf};

use anyhow::{Context, Result};
use howdah_wire::backend::{self, Authentication};
use howdah_wire::frame::Frame;
use howdah_wire::frontend;

/// Seeds longer than this slow the fuzzers down more than they teach them.
const LONGEST: usize = 1024;

fn main() -> Result<()> {
    let mut arguments = std::env::args_os().skip(1).map(PathBuf::from);
    let transcripts = arguments.next().context("TRANSCRIPTS is missing")?;
    let corpus = arguments.next().context("CORPUS is missing")?;
    for entry in transcripts.read_dir()? {
        let path = entry?.path();
        if path.extension().is_none_or(|extension| extension != "txt") {
            continue;
        }
        let text = std::fs::read_to_string(&path)?;
        let connections = transcripts::read(&text).with_context(|| path.display().to_string())?;
        for connection in &connections {
            let parts = connection.parts().with_context(|| path.display().to_string())?;
            write_parts(&corpus, &parts)?;
        }
    }
    Ok(())
}

fn write_parts(corpus: &Path, parts: &transcripts::Parts<'_>) -> Result<()> {
    for packet in &parts.packets {
        write(corpus, "startup", packet)?;
    }
    for (target, frames) in [("frontend", &parts.frontend), ("backend", &parts.backend)] {
        for frame in frames {
            write(corpus, target, &[&[frame.tag], frame.body].concat())?;
        }
        for some in frames.chunks(4) {
            let stream: Vec<u8> = some.iter().flat_map(|frame| frame.bytes).copied().collect();
            write(corpus, "frame", &[&[64], &stream[..]].concat())?;
        }
    }
    // What one side sent of SCRAM, its messages separated by line feeds.
    let client: Vec<_> = parts.frontend.iter().filter_map(|frame| client_scram(*frame)).collect();
    let server: Vec<_> = parts.backend.iter().filter_map(|frame| server_scram(*frame)).collect();
    for (target, messages) in [("scram_server", client), ("scram_client", server)] {
        if messages.len() > 1 {
            write(corpus, target, &messages.join(&b'\n'))?;
        }
    }
    Ok(())
}

fn client_scram(frame: Frame<'_>) -> Option<&[u8]> {
    if frame.tag != frontend::tag::PASSWORD {
        return None;
    }
    match frontend::sasl_initial_response(frame.body) {
        Ok((_, first)) => first,
        Err(_) => Some(frame.body),
    }
}

fn server_scram(frame: Frame<'_>) -> Option<&[u8]> {
    match backend::decode(frame) {
        Ok(backend::Message::Authentication(
            Authentication::SaslContinue(data) | Authentication::SaslFinal(data),
        )) => Some(data),
        _ => None,
    }
}

/// Writes one seed under a name made of its content.
fn write(corpus: &Path, target: &str, seed: &[u8]) -> Result<()> {
    if seed.len() > LONGEST {
        return Ok(());
    }
    let mut hasher = DefaultHasher::new();
    seed.hash(&mut hasher);
    let folder = corpus.join(target);
    std::fs::create_dir_all(&folder)?;
    std::fs::write(folder.join(format!("{:016x}", hasher.finish())), seed)?;
    Ok(())
}
