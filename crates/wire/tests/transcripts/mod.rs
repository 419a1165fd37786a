//! Transcripts of real clients and servers, read back into bytes.
//!
//! Not here: how they are made (`record`, and `examples/record.rs`).
//!
//! Invariant: what does not follow the format is an error, never skipped.

use anyhow::{Context, Result, bail};
use howdah_wire::frame::{self, Frame};
use howdah_wire::startup::{self, First};

/// The bytes of one connection by direction.
#[derive(Debug, Default)]
pub(crate) struct Connection {
    /// From the client.
    pub(crate) frontend: Vec<u8>,
    /// From the server.
    pub(crate) backend: Vec<u8>,
}

/// One connection taken apart.
#[derive(Debug, Default)]
pub(crate) struct Parts<'a> {
    /// The client's packets before the first frame.
    pub(crate) packets: Vec<&'a [u8]>,
    /// The client's frames.
    pub(crate) frontend: Vec<Frame<'a>>,
    /// The server's frames.
    pub(crate) backend: Vec<Frame<'a>>,
}

/// Reads the connections of a transcript.
pub(crate) fn read(text: &str) -> Result<Vec<Connection>> {
    let mut connections: Vec<Connection> = Vec::new();
    let mut direction = ' ';
    for (index, line) in text.lines().enumerate() {
        let context = || format!("line {}", index + 1);
        if line.starts_with('#') {
            continue;
        }
        if line == "connection" {
            connections.push(Connection::default());
            continue;
        }
        let mut fields = line.chars();
        let mark = fields.next().with_context(context)?;
        if mark != ' ' {
            direction = mark;
        }
        let hex = fields.as_str().trim_start().split(' ').next().with_context(context)?;
        let connection = connections.last_mut().with_context(context)?;
        let bytes = match direction {
            'F' => &mut connection.frontend,
            'B' => &mut connection.backend,
            other => bail!("line {}: direction {other:?}", index + 1),
        };
        for pair in hex.as_bytes().chunks(2) {
            let pair = std::str::from_utf8(pair).with_context(context)?;
            bytes.push(u8::from_str_radix(pair, 16).with_context(context)?);
        }
    }
    Ok(connections)
}

impl Connection {
    /// Splits the connection into packets and frames; fails if anything is left over.
    pub(crate) fn parts(&self) -> Result<Parts<'_>> {
        let mut parts = Parts::default();
        let (mut frontend, mut backend) = (&self.frontend[..], &self.backend[..]);
        loop {
            let (first, consumed) =
                startup::first(frontend)?.context("an incomplete first packet")?;
            let (packet, rest) = frontend.split_at(consumed);
            parts.packets.push(packet);
            frontend = rest;
            match first {
                First::Ssl | First::Gss => {
                    backend = backend
                        .strip_prefix(b"N")
                        .context("the server does not refuse encryption")?;
                }
                First::Cancel { .. } | First::Startup(_) => break,
            }
        }
        parts.frontend = frames(frontend)?;
        parts.backend = frames(backend)?;
        Ok(parts)
    }
}

fn frames(mut bytes: &[u8]) -> Result<Vec<Frame<'_>>> {
    let mut frames = Vec::new();
    while let Some((frame, rest)) = frame::split(bytes)? {
        frames.push(frame);
        bytes = rest;
    }
    if !bytes.is_empty() {
        bail!("{} bytes after the last frame", bytes.len());
    }
    Ok(frames)
}
