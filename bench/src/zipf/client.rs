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

/// What is asked, with `$1` for its value.
#[derive(Debug, Clone, Copy)]
struct Statement {
    /// The name under which it is prepared.
    name: &'static str,
    text: &'static str,
}

const READ: Statement =
    Statement { name: "read", text: "SELECT abalance FROM pgbench_accounts WHERE aid = $1" };
const WRITE: Statement = Statement {
    name: "write",
    text: "UPDATE pgbench_accounts SET abalance = abalance + 1 WHERE aid = $1 RETURNING abalance",
};

/// Values of a row, as text.
pub(crate) type Row = Vec<Option<String>>;

/// See the head of this file.
#[derive(Debug)]
pub(crate) struct Client {
    stream: TcpStream,
    protocol: Protocol,
    out: Vec<u8>,
    buffer: Vec<u8>,
    /// The first value of the last answer.
    value: Vec<u8>,
}

impl Client {
    /// Connects to the database, to read and write the numbers of keys; for prepared statements these are prepared.
    pub(super) fn connect(address: &Address, protocol: Protocol) -> Result<Self> {
        let mut client = Self::to(address, DATABASE, protocol)?;
        if protocol != Protocol::Simple {
            for Statement { name, text } in [READ, WRITE] {
                let (name, text) = (name.as_bytes(), text.as_bytes());
                frontend::parse_message(&mut client.out, name, text, &[0, 0]);
            }
            frontend::sync(&mut client.out);
            client.exchange()?;
        }
        Ok(client)
    }

    /// Connects to any database.
    pub(crate) fn to(address: &Address, database: &str, protocol: Protocol) -> Result<Self> {
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
        self.number(READ, key)
    }

    /// Adds one to the number of a key: the new one.
    pub(super) fn write(&mut self, key: u32) -> Result<u32> {
        self.number(WRITE, key)
    }

    fn number(&mut self, statement: Statement, key: u32) -> Result<u32> {
        self.ask(statement, key)?;
        let value = std::str::from_utf8(&self.value)?;
        value.parse().with_context(|| format!("{value:?} is no number"))
    }

    /// Asks it with this value.
    fn ask(&mut self, statement: Statement, value: u32) -> Result<()> {
        let value = value.to_string();
        if self.protocol == Protocol::Simple {
            let text = statement.text.replace("$1", &value);
            frontend::query(&mut self.out, text.as_bytes());
        } else {
            let name = statement.name.as_bytes();
            frontend::bind_message(&mut self.out, b"", name, &[Some(value.as_bytes())]);
            frontend::execute(&mut self.out, b"", 0);
            frontend::sync(&mut self.out);
        }
        self.exchange()
    }

    /// The rows of a statement of which nothing is known.
    pub(crate) fn rows(&mut self, sql: &str) -> Result<Vec<Row>> {
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
