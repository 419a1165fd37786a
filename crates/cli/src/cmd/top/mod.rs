//! `howdah top`: what a running Howdah does right now, drawn anew every second or two. Not how a screen is made of numbers: `screen`.
//!
//! Invariant: however it ends, the terminal is as it was before.

mod screen;

use std::io::{self, IsTerminal as _, Read as _};
use std::time::{Duration, Instant};

use anyhow::anyhow;
use rustix::termios::{self, LocalModes, OptionalActions, Termios};
use serde_json::json;
use tokio::sync::mpsc;

use crate::cmd::top::screen::{Order, Seen, View};
use crate::console::{self, Console, LIMIT};
use crate::exit::{Exit, Failure, Outcome};
use crate::terminal::{self, Paint};

/// Arguments of `howdah top`.
#[derive(Debug, clap::Args)]
pub(crate) struct Top {
    /// Time between two screens
    #[arg(long, default_value = "2s", value_parser = interval)]
    interval: Duration,
    /// Screens until it ends [default: without end; 1 when not on a terminal]
    #[arg(long)]
    count: Option<u64>,
    #[command(flatten)]
    console: console::Args,
}

/// Lines and columns when the terminal does not say.
const SIZE: (usize, usize) = (40, 120);

fn interval(text: &str) -> Result<Duration, String> {
    let time = howdah::config::parse_duration(text)?;
    let bounds = Duration::from_millis(100)..=Duration::from_secs(3_600);
    bounds.contains(&time).then_some(time).ok_or_else(|| "between 100ms and 1h".to_owned())
}

/// Draws until somebody has seen enough.
pub(crate) fn run(args: &Top) -> Outcome {
    let on_terminal = io::stdout().is_terminal() && !args.console.json;
    let mut screens = args.count.unwrap_or(if on_terminal { u64::MAX } else { 1 });
    console::ask(&args.console, async |console| {
        let (mut order, mut before) = (Order::Time, look(&console).await?);
        let terminal = if on_terminal { Some(Terminal::take()?) } else { None };
        // This end stays: whoever waits for a key where none is typed waits for ever.
        let (typed, mut keys) = mpsc::channel(16);
        if terminal.is_some() {
            read_keys(typed.clone());
        }
        while screens > 0 {
            let until = tokio::time::sleep(args.interval);
            tokio::select! {
                () = until => {}
                Some(key) = keys.recv() => match Order::of_key(key) {
                    Some(wanted) => order = wanted,
                    None if matches!(key, b'q' | 3 | 4) => break,
                    None => continue,
                },
            }
            let now = look(&console).await?;
            if now.at - before.at < Duration::from_millis(50) {
                continue;
            }
            let view = View::between(&before, &now, order);
            show(&view, terminal.as_ref(), args.console.json)?;
            before = now;
            screens -= 1;
        }
        Ok(Exit::Done)
    })
}

async fn look(console: &Console) -> Result<Seen, Failure> {
    Ok(Seen {
        address: console.address.to_string(),
        statements: console.rows("SHOW STATEMENTS", Some(LIMIT)).await?,
        pools: console.rows("SHOW POOLS", Some(LIMIT)).await?,
        alerts: console.rows("SHOW ALERTS", Some(LIMIT)).await?,
        at: Instant::now(),
    })
}

fn show(view: &View, terminal: Option<&Terminal>, as_json: bool) -> Result<(), Failure> {
    if as_json {
        terminal::data(&format!("{}\n", json!(view)))?;
        return Ok(());
    }
    let Some(terminal) = terminal else {
        terminal::data(&view.draw(Paint::for_stream(&io::stdout()), SIZE))?;
        return Ok(());
    };
    let text = view.draw(Paint::for_stream(&io::stdout()), terminal.size());
    // Home, each line cleared to its end, and everything below.
    let text = text.replace('\n', "\u{1b}[K\r\n");
    terminal::data(&format!("\u{1b}[H{text}\u{1b}[J"))?;
    Ok(())
}

/// Tells what is typed, byte by byte.
fn read_keys(typed: mpsc::Sender<u8>) {
    std::thread::spawn(move || {
        let mut key = [0];
        while io::stdin().read_exact(&mut key).is_ok() {
            if typed.blocking_send(key[0]).is_err() {
                return;
            }
        }
    });
}

/// A terminal with a screen of its own, on which keys come at once. Dropping it gives it back.
struct Terminal {
    before: Option<Termios>,
}

impl Terminal {
    fn take() -> Result<Self, Failure> {
        let refused = |error| Failure::new(Exit::Failed, anyhow!("the terminal: {error}"));
        let before = if io::stdin().is_terminal() {
            let before = termios::tcgetattr(io::stdin()).map_err(refused)?;
            let mut now = before.clone();
            now.local_modes -= LocalModes::ICANON | LocalModes::ECHO | LocalModes::ISIG;
            termios::tcsetattr(io::stdin(), OptionalActions::Now, &now).map_err(refused)?;
            Some(before)
        } else {
            None
        };
        terminal::data("\u{1b}[?1049h\u{1b}[?25l\u{1b}[2J")?;
        Ok(Self { before })
    }

    /// Its lines and columns.
    fn size(&self) -> (usize, usize) {
        let size = termios::tcgetwinsize(io::stdout()).ok();
        let size = size.map(|size| (usize::from(size.ws_row), usize::from(size.ws_col)));
        size.filter(|(lines, columns)| *lines > 0 && *columns > 0).unwrap_or(SIZE)
    }
}

impl Drop for Terminal {
    fn drop(&mut self) {
        // Nothing more can be done about a terminal that is gone.
        drop(terminal::data("\u{1b}[?25h\u{1b}[?1049l"));
        if let Some(before) = &self.before {
            let _ = termios::tcsetattr(io::stdin(), OptionalActions::Now, before);
        }
    }
}
