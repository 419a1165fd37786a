//! Records what a client and a PostgreSQL server say to each other, as a transcript for the tests.
//!
//! Not here: any understanding of the protocol. Bytes are written down as they pass.
//!
//! Invariant: a transcript holds every byte of each connection, in the order in which this program
//! saw them.
//!
//! `record SERVER FILE COMMAND [ARGUMENT…]` listens on a free loopback port, runs the command with
//! `PGHOST` and `PGPORT` pointing there, passes its connections on to SERVER (`host:port`), and
//! writes FILE when the command has ended. `tests/transcripts/record` makes all transcripts.
#![allow(
    clippy::disallowed_methods,
    clippy::disallowed_types,
    reason = "a tool beside the library, made of sockets and threads"
)]

use std::fmt::Write as _;
use std::io::{Read, Write};
use std::net::{Shutdown, TcpListener, TcpStream};
use std::process::Command;
use std::sync::{Arc, Mutex};
use std::thread;

use anyhow::{Context, Result};

/// Bytes on one line of a transcript.
const LINE: usize = 32;

/// The pieces of one connection: direction and bytes.
type Pieces = Arc<Mutex<Vec<(char, Vec<u8>)>>>;

fn main() -> Result<()> {
    let mut arguments = std::env::args().skip(1);
    let server = arguments.next().context("SERVER is missing")?;
    let file = arguments.next().context("FILE is missing")?;
    let program = arguments.next().context("COMMAND is missing")?;
    let listener = TcpListener::bind("127.0.0.1:0")?;
    let port = listener.local_addr()?.port().to_string();
    let connections: Arc<Mutex<Vec<Pieces>>> = Arc::default();
    let recorded = Arc::clone(&connections);
    thread::spawn(move || accept(&listener, &server, &recorded));
    let status = Command::new(&program)
        .args(arguments)
        .env("PGHOST", "127.0.0.1")
        .env("PGPORT", port)
        .status()
        .with_context(|| format!("running {program}"))?;
    // The last packet of a connection may still be under way between the two threads that copy it.
    thread::sleep(std::time::Duration::from_millis(300));
    let mut text = String::from("# Howdah transcript 1: F from the client, B from the server\n");
    for connection in locked(&connections).iter() {
        text.push_str("connection\n");
        write_pieces(&mut text, &locked(connection));
    }
    std::fs::write(&file, text).with_context(|| format!("writing {file}"))?;
    anyhow::ensure!(status.success(), "{program} failed");
    Ok(())
}

fn locked<T>(mutex: &Mutex<T>) -> std::sync::MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(std::sync::PoisonError::into_inner)
}

/// Accepts connections for as long as the program runs.
fn accept(listener: &TcpListener, server: &str, connections: &Mutex<Vec<Pieces>>) {
    for client in listener.incoming() {
        let (Ok(client), Ok(server)) = (client, TcpStream::connect(server)) else {
            continue;
        };
        let pieces = Pieces::default();
        locked(connections).push(Arc::clone(&pieces));
        copy('F', &client, &server, &pieces);
        copy('B', &server, &client, &pieces);
    }
}

/// Copies one direction on a thread of its own, and writes it down.
fn copy(direction: char, from: &TcpStream, to: &TcpStream, pieces: &Pieces) {
    let (Ok(mut from), Ok(mut to)) = (from.try_clone(), to.try_clone()) else {
        return;
    };
    let pieces = Arc::clone(pieces);
    thread::spawn(move || {
        let mut buffer = vec![0; 64 * 1024];
        while let Ok(count @ 1..) = from.read(&mut buffer) {
            let bytes = buffer.get(..count).unwrap_or_default();
            locked(&pieces).push((direction, bytes.to_vec()));
            if to.write_all(bytes).is_err() {
                break;
            }
        }
        // The other direction may be finished already, and the socket with it.
        to.shutdown(Shutdown::Write).ok();
    });
}

/// One line per 32 bytes: the direction in the first line of a piece, hexadecimal digits, and the
/// printable ASCII for the reader.
fn write_pieces(text: &mut String, pieces: &[(char, Vec<u8>)]) {
    for (direction, bytes) in pieces {
        let mut mark = *direction;
        for line in bytes.chunks(LINE) {
            text.push(mark);
            text.push(' ');
            for byte in line {
                // Writing to a string does not fail.
                write!(text, "{byte:02x}").ok();
            }
            text.push_str(" | ");
            let printable = |byte: &u8| {
                if byte.is_ascii_graphic() { char::from(*byte) } else { '.' }
            };
            text.extend(line.iter().map(printable));
            text.push('\n');
            mark = ' ';
        }
    }
}
