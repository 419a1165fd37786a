//! The least of an HTTP client: one request on one connection, and the lines of a stream of events.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::time::Duration;

/// What came back.
#[derive(Debug, Clone)]
pub struct Answer {
    /// The status code.
    pub status: u16,
    /// The header lines, in lower case.
    pub head: String,
    /// The rest.
    pub body: String,
}

/// Longest wait for an answer.
const LIMIT: Duration = Duration::from_secs(30);

fn send(address: SocketAddr, method: &str, path: &str, host: &str, headers: &str) -> TcpStream {
    send_with(address, (method, path, host), headers, "")
}

fn send_with(
    address: SocketAddr,
    (method, path, host): (&str, &str, &str),
    headers: &str,
    body: &str,
) -> TcpStream {
    let mut stream = TcpStream::connect(address).expect("a connection");
    stream.set_read_timeout(Some(LIMIT)).expect("a limit");
    let request = format!(
        "{method} {path} HTTP/1.1\r\nhost: {host}\r\nconnection: close\r\ncontent-length: {}\r\n{headers}\r\n{body}",
        body.len()
    );
    stream.write_all(request.as_bytes()).expect("the request is sent");
    stream
}

/// Asks, as this `host` and with these header lines.
///
/// # Panics
/// When there is no answer.
#[must_use]
pub fn ask(address: SocketAddr, method: &str, path: &str, host: &str, headers: &str) -> Answer {
    read(send(address, method, path, host, headers))
}

/// Brings a text, as one who means it.
///
/// # Panics
/// When there is no answer.
#[must_use]
pub fn bring(address: SocketAddr, path: &str, body: &str) -> Answer {
    let host = address.to_string();
    read(send_with(address, ("POST", path, &host), "x-howdah: 1\r\n", body))
}

fn read(mut stream: TcpStream) -> Answer {
    let mut text = Vec::new();
    stream.read_to_end(&mut text).expect("an answer");
    let text = String::from_utf8(text).expect("text");
    let (head, body) = text.split_once("\r\n\r\n").expect("an answer has a head");
    let status = head.split(' ').nth(1).and_then(|code| code.parse().ok()).expect("a status");
    let head = head.to_ascii_lowercase();
    let body =
        if head.contains("transfer-encoding: chunked") { unchunked(body) } else { body.to_owned() };
    Answer { status, head, body }
}

/// Asks and reads the status alone: of an answer that may have no end, too.
///
/// # Panics
/// When there is no answer.
#[must_use]
pub fn status(address: SocketAddr, method: &str, path: &str, host: &str, headers: &str) -> u16 {
    let stream = send(address, method, path, host, headers);
    let first = BufReader::new(stream).lines().next().expect("an answer").expect("a line");
    first.split(' ').nth(1).and_then(|code| code.parse().ok()).expect("a status")
}

fn unchunked(mut rest: &str) -> String {
    let mut body = String::new();
    while let Some((length, after)) = rest.split_once("\r\n") {
        let length = usize::from_str_radix(length.trim(), 16).unwrap_or(0);
        if length == 0 {
            break;
        }
        let (chunk, next) = after.split_at(length);
        body.push_str(chunk);
        rest = next.trim_start_matches("\r\n");
    }
    body
}

/// The page at a path.
///
/// # Panics
/// When it is not given.
#[must_use]
pub fn get(address: SocketAddr, path: &str) -> String {
    let answer = ask(address, "GET", path, &address.to_string(), "");
    assert_eq!(answer.status, 200, "{path}: {}", answer.body);
    answer.body
}

/// The data of the first so many events of a stream.
///
/// # Panics
/// When they do not come.
#[must_use]
pub fn events(address: SocketAddr, path: &str, count: usize) -> Vec<String> {
    let stream = send(address, "GET", path, &address.to_string(), "");
    let lines = BufReader::new(stream).lines().map(|line| line.expect("a line"));
    lines.filter_map(|line| Some(line.strip_prefix("data: ")?.to_owned())).take(count).collect()
}
