//! Servers that take messages and remember them: by HTTP, with answers as a test wants them, and by SMTP.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::Arc;
use std::time::{Duration, Instant};

use parking_lot::Mutex;

/// A request, or a letter.
#[derive(Debug, Clone)]
pub struct Message {
    /// The path; empty for a letter.
    pub path: String,
    /// The header lines.
    pub head: String,
    /// The body.
    pub body: String,
    /// When it came.
    pub at: Instant,
}

/// How a request is answered.
#[derive(Debug, Clone, Copy)]
pub struct Reply {
    /// The status code.
    pub status: u16,
    /// A header line, or nothing.
    pub header: &'static str,
    /// After how long.
    pub after: Duration,
}

impl Reply {
    /// This status, at once.
    #[must_use]
    pub const fn status(status: u16) -> Self {
        Self { status, header: "", after: Duration::ZERO }
    }
}

/// A server that remembers what it was sent.
#[derive(Debug)]
pub struct Capture {
    address: SocketAddr,
    messages: Arc<Mutex<Vec<Message>>>,
}

impl Capture {
    /// Takes requests by HTTP; `reply` says for each path how the request of that number there, from 0, is answered.
    ///
    /// # Panics
    /// When it cannot listen.
    #[must_use]
    pub fn http(reply: fn(&str, usize) -> Reply) -> Self {
        Self::start(move |stream, messages| {
            let mut reader = BufReader::new(stream);
            let head = lines_until(&mut reader, "")?;
            let of = |line: &str| {
                line.to_ascii_lowercase().strip_prefix("content-length:").map(str::to_owned)
            };
            let length = head.lines().find_map(of).and_then(|text| text.trim().parse().ok());
            let mut body = vec![0; length.unwrap_or(0)];
            reader.read_exact(&mut body).ok()?;
            let path = head.split(' ').nth(1).unwrap_or_default().to_owned();
            let before = {
                let mut messages = messages.lock();
                let before = messages.iter().filter(|known: &&Message| known.path == path).count();
                let body = String::from_utf8_lossy(&body).into_owned();
                messages.push(Message { path: path.clone(), head, body, at: Instant::now() });
                before
            };
            let Reply { status, header, after } = reply(&path, before);
            std::thread::sleep(after);
            let header = if header.is_empty() { String::new() } else { format!("{header}\r\n") };
            let answer = format!(
                "HTTP/1.1 {status} Answer\r\ncontent-length: 2\r\nconnection: close\r\n{header}\r\nok"
            );
            reader.get_mut().write_all(answer.as_bytes()).ok()
        })
    }

    /// Takes letters by SMTP.
    ///
    /// # Panics
    /// When it cannot listen.
    #[must_use]
    pub fn smtp() -> Self {
        Self::start(|stream, messages| {
            let mut reader = BufReader::new(stream);
            let say = |reader: &mut BufReader<TcpStream>, text: &str| {
                reader.get_mut().write_all(format!("{text}\r\n").as_bytes()).ok()
            };
            say(&mut reader, "220 capture")?;
            let mut envelope = String::new();
            loop {
                let mut line = String::new();
                if reader.read_line(&mut line).ok()? == 0 {
                    return None;
                }
                let word = line.split_whitespace().next().unwrap_or_default().to_ascii_uppercase();
                match word.as_str() {
                    "DATA" => {
                        say(&mut reader, "354 go on")?;
                        let body = lines_until(&mut reader, ".")?;
                        let head = std::mem::take(&mut envelope);
                        let at = Instant::now();
                        messages.lock().push(Message { path: String::new(), head, body, at });
                        say(&mut reader, "250 taken")?;
                    }
                    "QUIT" => return say(&mut reader, "221 bye"),
                    _ => {
                        envelope.push_str(&line);
                        say(&mut reader, "250 ok")?;
                    }
                }
            }
        })
    }

    fn start(
        serve: impl Fn(TcpStream, &Mutex<Vec<Message>>) -> Option<()> + Send + Sync + 'static,
    ) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
        let address = listener.local_addr().expect("an address");
        let messages = Arc::<Mutex<Vec<Message>>>::default();
        let (serve, known) = (Arc::new(serve), Arc::clone(&messages));
        // They end with the process: a test has no more than a few.
        std::thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                let (serve, known) = (Arc::clone(&serve), Arc::clone(&known));
                std::thread::spawn(move || serve(stream, &known));
            }
        });
        Self { address, messages }
    }

    /// Where it listens.
    #[must_use]
    pub const fn address(&self) -> SocketAddr {
        self.address
    }

    /// What came to a path so far.
    #[must_use]
    pub fn at(&self, path: &str) -> Vec<Message> {
        self.messages.lock().iter().filter(|message| message.path == path).cloned().collect()
    }
}

/// Lines, up to one that is this.
fn lines_until(reader: &mut BufReader<TcpStream>, last: &str) -> Option<String> {
    let mut text = String::new();
    loop {
        let mut line = String::new();
        if reader.read_line(&mut line).ok()? == 0 || line.trim_end_matches(['\r', '\n']) == last {
            return Some(text);
        }
        text.push_str(&line);
    }
}
