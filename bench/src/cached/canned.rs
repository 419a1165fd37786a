//! A server that answers every request with the same row, and knows nothing else: what a cache on a socket can reach at best.
//!
//! Invariant: it reads as often as a request comes and writes once for each, as Howdah does; it does nothing between the two.

use std::io;

use anyhow::{Context as _, Result};
use howdah_wire::{frame, frontend::tag, startup};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};

use crate::{Options, Outcome};

/// What `canned` is asked to do.
#[derive(Debug, Clone, clap::Args)]
pub(crate) struct Arguments {
    /// Port on 127.0.0.1.
    #[arg(long)]
    port: u16,
}

/// Serves until it is ended.
pub(crate) fn run(arguments: &Arguments, options: &Options) -> Result<Outcome> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_io().build()?;
    tokio::task::LocalSet::new().block_on(&runtime, async {
        let listener = TcpListener::bind(("127.0.0.1", arguments.port)).await?;
        options.say(&format!("answering on 127.0.0.1:{}", arguments.port));
        loop {
            let (client, _) = listener.accept().await?;
            tokio::task::spawn_local(async move {
                // A client that goes is nobody's trouble.
                let _gone = serve(client).await;
            });
        }
    })
}

async fn serve(mut client: TcpStream) -> Result<()> {
    client.set_nodelay(true)?;
    greet(&mut client).await?;
    let (mut inbox, mut out) = (Vec::with_capacity(16 << 10), Vec::with_capacity(16 << 10));
    while client.read_buf(&mut inbox).await? > 0 {
        let mut rest = inbox.as_slice();
        while let Some((request, after)) = frame::split(rest)? {
            if request.tag == tag::TERMINATE {
                return Ok(());
            }
            answer(request.tag, &mut out);
            rest = after;
        }
        let read = inbox.len() - rest.len();
        inbox.drain(..read);
        if !out.is_empty() {
            client.write_all(&out).await?;
            out.clear();
        }
    }
    Ok(())
}

/// Until the client may ask: no encryption, and everybody is let in.
async fn greet(client: &mut TcpStream) -> Result<()> {
    loop {
        let length = client.read_u32().await?;
        let mut packet = length.to_be_bytes().to_vec();
        packet.resize(usize::try_from(length)?.min(10_000), 0);
        client.read_exact(packet.get_mut(4..).context("a first packet is too short")?).await?;
        let Some((first, _)) = startup::first(&packet)? else {
            return Err(io::Error::from(io::ErrorKind::InvalidData).into());
        };
        if matches!(first, startup::First::Startup(_)) {
            let mut out = Vec::new();
            message(&mut out, b'R', &[0; 4]);
            message(&mut out, b'Z', b"I");
            return Ok(client.write_all(&out).await?);
        }
        client.write_all(b"N").await?;
    }
}

fn answer(request: u8, out: &mut Vec<u8>) {
    const COLUMN: &[u8] = b"\0\x01abalance\0\0\0\0\0\0\0\0\0\0\x17\0\x04\xff\xff\xff\xff\0\0";
    const ROW: &[u8] = b"\0\x01\0\0\0\x010";
    match request {
        tag::PARSE => message(out, b'1', b""),
        tag::BIND => message(out, b'2', b""),
        tag::DESCRIBE => message(out, b'T', COLUMN),
        tag::EXECUTE => {
            message(out, b'D', ROW);
            message(out, b'C', b"SELECT 1\0");
        }
        tag::SYNC => message(out, b'Z', b"I"),
        tag::QUERY => {
            answer(tag::DESCRIBE, out);
            answer(tag::EXECUTE, out);
            answer(tag::SYNC, out);
        }
        _ => {}
    }
}

fn message(out: &mut Vec<u8>, tag: u8, body: &[u8]) {
    out.push(tag);
    let length = u32::try_from(body.len() + 4).unwrap_or_default();
    out.extend_from_slice(&length.to_be_bytes());
    out.extend_from_slice(body);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_query_is_answered_by_whole_messages() {
        let mut out = Vec::new();
        answer(tag::QUERY, &mut out);
        let mut rest = out.as_slice();
        let mut tags = Vec::new();
        while let Some((found, after)) = frame::split(rest).unwrap() {
            tags.push(found.tag);
            rest = after;
        }
        assert_eq!((tags.as_slice(), rest.len()), (&b"TDCZ"[..], 0));
    }
}
