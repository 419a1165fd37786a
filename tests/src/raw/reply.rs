//! What a server answered, readable and comparable. Not a decoder for programs: only the fields that tests ask for.

use std::fmt;

use howdah_wire::backend;

/// One frame from a server.
#[derive(Clone, PartialEq, Eq)]
pub struct Reply {
    /// Its tag.
    pub tag: u8,
    /// Its body.
    pub body: Vec<u8>,
}

/// An `ErrorResponse` or `NoticeResponse`.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct ErrorReply {
    /// `ERROR`, `FATAL` and so on.
    pub severity: String,
    /// SQLSTATE.
    pub code: String,
    /// The sentence.
    pub message: String,
    /// More of it.
    pub detail: Option<String>,
    /// What to do.
    pub hint: Option<String>,
}

/// What is not between quotation marks.
fn without_quoted(bytes: &[u8]) -> Vec<u8> {
    bytes.split(|byte| *byte == b'"').step_by(2).flatten().copied().collect()
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

impl Reply {
    /// Fields of an error or notice.
    #[must_use]
    pub fn error(&self) -> Option<ErrorReply> {
        if !matches!(self.tag, b'E' | b'N') {
            return None;
        }
        let mut error = ErrorReply::default();
        for field in self.body.split(|byte| *byte == 0) {
            let Some((kind, value)) = field.split_first() else { continue };
            let value = text(value);
            match kind {
                b'V' => error.severity = value,
                b'C' => error.code = value,
                b'M' => error.message = value,
                b'D' => error.detail = Some(value),
                b'H' => error.hint = Some(value),
                _ => {}
            }
        }
        Some(error)
    }

    /// Columns of a `DataRow`.
    #[must_use]
    pub fn row(&self) -> Option<Vec<Option<String>>> {
        if self.tag != b'D' {
            return None;
        }
        let (count, mut rest) = self.body.split_first_chunk::<2>()?;
        let mut columns = Vec::new();
        for _ in 0..u16::from_be_bytes(*count) {
            let (length, after) = rest.split_first_chunk::<4>()?;
            if let Ok(length) = usize::try_from(i32::from_be_bytes(*length)) {
                let (value, after) = after.split_at_checked(length)?;
                columns.push(Some(text(value)));
                rest = after;
            } else {
                columns.push(None);
                rest = after;
            }
        }
        Some(columns)
    }

    /// The tag of a `CommandComplete`.
    #[must_use]
    pub fn command(&self) -> Option<String> {
        let body = (self.tag == b'C').then_some(&self.body)?;
        backend::command_tag(body).ok().map(text)
    }

    /// Name and value of a `ParameterStatus`.
    #[must_use]
    pub fn parameter(&self) -> Option<(String, String)> {
        let body = (self.tag == b'S').then_some(&self.body)?;
        let (name, value) = backend::parameter_status(body).ok()?;
        Some((text(name), text(value)))
    }

    /// Channel and payload of a `NotificationResponse`.
    #[must_use]
    pub fn notification(&self) -> Option<(String, String)> {
        let body = (self.tag == b'A').then_some(&self.body)?;
        let mut fields = body.get(4..)?.split(|byte| *byte == 0);
        Some((text(fields.next()?), text(fields.next()?)))
    }

    /// The status of a ReadyForQuery: `I`, `T` or `E`.
    #[must_use]
    pub fn ready(&self) -> Option<char> {
        match (self.tag, self.body.as_slice()) {
            (b'Z', [status]) => Some(char::from(*status)),
            _ => None,
        }
    }

    /// The same without what may differ between two runs: process ids and cancel keys are zero, and an error about a failed
    /// transaction does not say which line of PostgreSQL found it (that of Parse or that of Bind).
    #[must_use]
    pub fn normalised(&self) -> Self {
        let mut reply = self.clone();
        if self.tag == b'E' && self.error().is_some_and(|error| error.code == "25P02") {
            let fields = self.body.split_inclusive(|byte| *byte == 0);
            let kept = fields.filter(|field| !matches!(field[0], b'F' | b'L' | b'R'));
            reply.body = kept.flatten().copied().collect();
        }
        if self.tag == b'E'
            && self.error().is_some_and(|error| error.message.starts_with("bind message supplies"))
        {
            // The statement has another name on the server.
            reply.body = without_quoted(&reply.body);
        }
        let id = match self.tag {
            b'K' => reply.body.len(),
            b'A' => 4,
            _ => 0,
        };
        reply.body.iter_mut().take(id).for_each(|byte| *byte = 0);
        reply
    }

    fn summary(&self) -> String {
        let tag = char::from(self.tag);
        match (self.error(), self.ready()) {
            (Some(error), _) if self.tag == b'E' => format!("E({})", error.code),
            (_, Some(status)) => format!("Z({status})"),
            _ => tag.to_string(),
        }
    }
}

impl fmt::Debug for Reply {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}", char::from(self.tag), self.body.escape_ascii())
    }
}

/// Replies in their order.
#[derive(Clone, PartialEq, Eq, Default)]
pub struct Transcript(pub Vec<Reply>);

impl Transcript {
    /// One word a reply, such as `1 2 T D C Z(I)`; many rows in a row are `D*1000`.
    #[must_use]
    pub fn summary(&self) -> String {
        let mut words: Vec<(String, usize)> = Vec::new();
        for reply in &self.0 {
            let word = reply.summary();
            match words.last_mut() {
                Some((last, times)) if *last == word && word.len() == 1 => *times += 1,
                _ => words.push((word, 1)),
            }
        }
        let words = words.into_iter().flat_map(|(word, times)| match times {
            0..=3 => vec![word; times],
            _ => vec![format!("{word}*{times}")],
        });
        words.collect::<Vec<_>>().join(" ")
    }

    /// All rows.
    #[must_use]
    pub fn rows(&self) -> Vec<Vec<Option<String>>> {
        self.0.iter().filter_map(Reply::row).collect()
    }

    /// First column of every row, NULL as `NULL`.
    #[must_use]
    pub fn values(&self) -> Vec<String> {
        let first = |row: Vec<Option<String>>| row.into_iter().next().flatten();
        self.rows().into_iter().map(|row| first(row).unwrap_or_else(|| "NULL".to_owned())).collect()
    }

    /// All errors.
    #[must_use]
    pub fn errors(&self) -> Vec<ErrorReply> {
        self.0.iter().filter(|reply| reply.tag == b'E').filter_map(Reply::error).collect()
    }

    /// All notices.
    #[must_use]
    pub fn notices(&self) -> Vec<ErrorReply> {
        self.0.iter().filter(|reply| reply.tag == b'N').filter_map(Reply::error).collect()
    }

    /// All command tags.
    #[must_use]
    pub fn commands(&self) -> Vec<String> {
        self.0.iter().filter_map(Reply::command).collect()
    }

    /// All COPY data, joined.
    #[must_use]
    pub fn copied(&self) -> Vec<u8> {
        let data = self.0.iter().filter(|reply| reply.tag == b'd');
        data.flat_map(|reply| reply.body.iter().copied()).collect()
    }

    /// The same with what may differ between two runs set to zero.
    #[must_use]
    pub fn normalised(&self) -> Self {
        Self(self.0.iter().map(Reply::normalised).collect())
    }
}

impl fmt::Debug for Transcript {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_list().entries(&self.0).finish()
    }
}
