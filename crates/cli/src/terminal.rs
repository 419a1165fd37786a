//! Talking to people on standard error, and colour where it is wanted. Data for programs does not pass here.
//!
//! Invariant: without a terminal, or with `NO_COLOR`, no escape sequence is written.

use std::io::{self, IsTerminal, Write as _};

use howdah::config::{Log, LogFormat};

/// Colours and weights, or plain text.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Paint {
    on: bool,
}

impl Paint {
    /// For a stream.
    pub(crate) fn for_stream(stream: &impl IsTerminal) -> Self {
        let set = |name| std::env::var_os(name).filter(|value| !value.is_empty());
        let dumb = set("TERM").is_none_or(|term| term == "dumb");
        Self { on: stream.is_terminal() && !dumb && set("NO_COLOR").is_none() }
    }

    /// Plain text.
    #[cfg(test)]
    pub(crate) const fn plain() -> Self {
        Self { on: false }
    }

    /// Whether it does anything.
    pub(crate) const fn is_on(self) -> bool {
        self.on
    }

    fn with(self, code: &str, text: &str) -> String {
        if self.on { format!("\u{1b}[{code}m{text}\u{1b}[0m") } else { text.to_owned() }
    }

    /// Good.
    pub(crate) fn green(self, text: &str) -> String {
        self.with("32", text)
    }

    /// Worth a look.
    pub(crate) fn yellow(self, text: &str) -> String {
        self.with("33", text)
    }

    /// Wrong.
    pub(crate) fn red(self, text: &str) -> String {
        self.with("31", text)
    }

    /// In the background.
    pub(crate) fn dim(self, text: &str) -> String {
        self.with("2", text)
    }

    /// In the foreground.
    pub(crate) fn bold(self, text: &str) -> String {
        self.with("1", text)
    }
}

/// Width of the names in front of sentences.
const NAME: usize = 14;

/// Sentences on standard error. What cannot be written is lost: there is nobody to tell.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Talk {
    /// For parts of a sentence.
    pub(crate) paint: Paint,
    /// They are lines of the log instead.
    logged: bool,
}

impl Talk {
    /// On standard error.
    pub(crate) fn new() -> Self {
        Self { paint: Paint::for_stream(&io::stderr()), logged: false }
    }

    /// Beside a log: in its form, when that is for programs.
    pub(crate) fn beside(log: Log) -> Self {
        Self { logged: log.format == LogFormat::Json, ..Self::new() }
    }

    /// A line as it is.
    pub(crate) fn line(self, text: &str) {
        if self.logged {
            tracing::info!("{text}");
            return;
        }
        let _ = writeln!(io::stderr(), "{text}");
    }

    /// Something that is as it should be.
    pub(crate) fn good(self, name: &str, text: &str) {
        self.sign(&self.paint.green("✓"), name, text);
    }

    /// Something to know about.
    pub(crate) fn warn(self, name: &str, text: &str) {
        if self.logged {
            tracing::warn!(about = name, "{text}");
        } else {
            self.sign(&self.paint.yellow("!"), name, text);
        }
    }

    /// Something that is wrong, while the work goes on.
    pub(crate) fn bad(self, name: &str, text: &str) {
        if self.logged {
            tracing::error!(about = name, "{text}");
        } else {
            self.sign(&self.paint.red("✗"), name, text);
        }
    }

    /// Something to do.
    pub(crate) fn hint(self, name: &str, text: &str) {
        self.sign(" ", name, text);
    }

    fn sign(self, sign: &str, name: &str, text: &str) {
        if self.logged {
            tracing::info!(about = name, "{text}");
            return;
        }
        let mut lines = text.lines();
        let first = lines.next().unwrap_or_default();
        self.line(&format!(" {sign} {name:NAME$} {first}"));
        for line in lines {
            self.line(&format!("   {:NAME$} {line}", ""));
        }
    }

    /// Why the run ends here.
    pub(crate) fn fail(self, text: &str) {
        self.line(&format!("{} {text}", self.paint.red("howdah:")));
    }
}

/// Puts a question on standard error, without a line end.
pub(crate) fn ask(question: &str) {
    let mut stderr = io::stderr();
    // Who cannot be asked does not answer.
    let _ = write!(stderr, "{question}").and_then(|()| stderr.flush());
}

/// Writes data to standard output.
pub(crate) fn data(text: &str) -> io::Result<()> {
    let mut stdout = io::stdout().lock();
    stdout.write_all(text.as_bytes())?;
    stdout.flush()
}

/// Writes a value as JSON to standard output.
pub(crate) fn json(value: &serde_json::Value) -> io::Result<()> {
    data(&format!("{value:#}\n"))
}
