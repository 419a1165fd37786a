//! A client that sends one statement at a time on one connection, as plainly as can be: what it costs must not hide what is measured.
//!
//! Invariant: an answer is read to its end before the next statement is sent; an error of the server ends the measurement.

use std::io::{Read as _, Write as _};
use std::net::TcpStream;

use anyhow::{Context as _, Result, bail};
use howdah_wire::{backend::tag, frame, frontend, startup};

use crate::bed::{DATABASE, USER};
use crate::pgbench::Address;
use crate::plan::Protocol;

/// The names of its prepared statements.
const READ: &[u8] = b"read";
const WRITE: &[u8] = b"write";
const READS: &str = "SELECT abalance FROM pgbench_accounts WHERE aid = ";
const WRITES: &str = "UPDATE pgbench_accounts SET abalance = abalance + 1 WHERE aid = ";

/// Values of a row, as text.
pub(super) type Row = Vec<Option<String>>;

/// See the head of this file.
#[derive(Debug)]
pub(super) struct Client {
    stream: TcpStream,
    protocol: Protocol,
    out: Vec<u8>,
    buffer: Vec<u8>,
    /// The first value of the last answer.
    value: Vec<u8>,
}

impl Client {
    /// Connects to a database; for prepared statements the two are prepared.
    pub(super) fn connect(address: &Address, protocol: Protocol) -> Result<Self> {
        let mut client = Self::to(address, DATABASE, protocol)?;
        if protocol != Protocol::Simple {
            let write = format!("{WRITES}$1 RETURNING abalance");
            for (name, text) in [(READ, format!("{READS}$1")), (WRITE, write)] {
                frontend::parse_message(&mut client.out, name, text.as_bytes(), &[0, 0]);
            }
            frontend::sync(&mut client.out);
            client.exchange()?;
        }
        Ok(client)
    }

    /// Connects to any database.
    pub(super) fn to(address: &Address, database: &str, protocol: Protocol) -> Result<Self> {
        let stream = TcpStream::connect((address.host.as_str(), address.port))?;
        stream.set_nodelay(true)?;
        let (out, buffer, value) = (Vec::new(), Vec::new(), Vec::new());
        let mut client = Self { stream, protocol, out, buffer, value };
        startup::startup(&mut client.out, 0, &[("user", USER), ("database", database)]);
        client.exchange()?;
        Ok(client)
    }

    /// The number that a key has now.
    pub(super) fn read(&mut self, key: u32) -> Result<u32> {
        self.run(READ, &|| format!("{READS}{key}"), key)
    }

    /// Adds one to the number of a key: the new one.
    pub(super) fn write(&mut self, key: u32) -> Result<u32> {
        self.run(WRITE, &|| format!("{WRITES}{key} RETURNING abalance"), key)
    }

    fn run(&mut self, name: &[u8], text: &dyn Fn() -> String, key: u32) -> Result<u32> {
        if self.protocol == Protocol::Simple {
            frontend::query(&mut self.out, text().as_bytes());
        } else {
            let key = key.to_string();
            frontend::bind_message(&mut self.out, b"", name, &[Some(key.as_bytes())]);
            frontend::execute(&mut self.out, b"", 0);
            frontend::sync(&mut self.out);
        }
        self.exchange()?;
        let value = std::str::from_utf8(&self.value)?;
        value.parse().with_context(|| format!("{value:?} is no number"))
    }

    /// The rows of a statement of which nothing is known.
    pub(super) fn rows(&mut self, sql: &str) -> Result<Vec<Row>> {
        frontend::query(&mut self.out, sql.as_bytes());
        self.exchange()?;
        let mut rows = Vec::new();
        let mut rest = self.buffer.as_slice();
        while let Some((found, after)) = frame::split(rest)? {
            if found.tag == tag::DATA_ROW {
                rows.push(values(found.body).context("a row ends too early")?);
            }
            rest = after;
        }
        Ok(rows)
    }

    /// Sends what is to be sent, and reads until the server is ready.
    fn exchange(&mut self) -> Result<()> {
        self.stream.write_all(&self.out)?;
        self.out.clear();
        self.buffer.clear();
        let mut scratch = [0; 4096];
        let mut seen = 0;
        loop {
            let read = self.stream.read(&mut scratch)?;
            if read == 0 {
                bail!("the connection was closed");
            }
            self.buffer.extend_from_slice(scratch.get(..read).unwrap_or_default());
            while let Some((found, _)) = frame::split(self.buffer.get(seen..).unwrap_or_default())?
            {
                seen += found.bytes.len();
                match found.tag {
                    tag::READY_FOR_QUERY => return Ok(()),
                    tag::ERROR => bail!("{}", String::from_utf8_lossy(found.body)),
                    tag::DATA_ROW => {
                        self.value.clear();
                        self.value.extend_from_slice(found.body.get(6..).unwrap_or_default());
                    }
                    _ => {}
                }
            }
        }
    }
}

/// The values in the body of a row.
fn values(body: &[u8]) -> Option<Row> {
    let (count, mut rest) = body.split_at_checked(2)?;
    let mut row = Vec::new();
    for _ in 0..u16::from_be_bytes(count.try_into().ok()?) {
        let (length, after) = rest.split_at_checked(4)?;
        rest = after;
        let length = i32::from_be_bytes(length.try_into().ok()?);
        let Ok(length) = usize::try_from(length) else {
            row.push(None);
            continue;
        };
        let (value, after) = rest.split_at_checked(length)?;
        rest = after;
        row.push(Some(String::from_utf8_lossy(value).into_owned()));
    }
    Some(row)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_row_has_values_and_nulls() {
        let body = [0, 2, 0, 0, 0, 1, b'7', 255, 255, 255, 255];
        assert_eq!(values(&body).unwrap(), [Some("7".to_owned()), None]);
        assert!(values(&body[..6]).is_none());
    }
}
