//! The fields of `ErrorResponse` and `NoticeResponse`.
//!
//! Not here: which errors the program acts on.
//!
//! Invariant: a field that is missing, unknown or repeated is no reason to fail; only a body that
//! does not end properly is.

use crate::frame::Reader;
use crate::{Error, SqlState};

/// A decoded error or notice. Of a repeated field the last is taken.
#[derive(Copy, Clone, Debug, PartialEq, Eq)]
pub struct ErrorFields<'a> {
    body: &'a [u8],
    /// `S`: the severity, perhaps in the server's language.
    pub severity: Option<&'a [u8]>,
    /// `V`: the severity, never translated: `ERROR`, `FATAL`, `PANIC`, `WARNING`, …
    pub severity_nonlocalized: Option<&'a [u8]>,
    /// `C`: the SQLSTATE; `XX000` when the server sent none, or none that is one.
    pub code: SqlState,
    /// `M`: the message; empty when the server sent none.
    pub message: &'a [u8],
    /// `D`: more about the problem.
    pub detail: Option<&'a [u8]>,
    /// `H`: what to do.
    pub hint: Option<&'a [u8]>,
    /// `P`: where in the query, in characters from 1.
    pub position: Option<&'a [u8]>,
    /// `W`: the context, such as a call stack.
    pub context: Option<&'a [u8]>,
    /// `R`: the routine of the server that reported it.
    pub routine: Option<&'a [u8]>,
}

impl<'a> ErrorFields<'a> {
    /// All fields in order, as type byte and value, those without a name here included.
    pub fn fields(&self) -> impl Iterator<Item = (u8, &'a [u8])> + use<'a> {
        let mut reader = Reader::new(self.body);
        std::iter::from_fn(move || field(&mut reader).flatten())
    }

    /// True when the server ends the connection after this.
    pub fn is_fatal(&self) -> bool {
        let severity = self.severity_nonlocalized.or(self.severity).unwrap_or_default();
        matches!(severity, b"FATAL" | b"PANIC")
    }

    /// True when a prepared statement does not fit its tables any more and must be prepared anew
    /// (`RevalidateCachedQuery` in `src/backend/utils/cache/plancache.c`).
    pub fn is_stale_plan(&self) -> bool {
        self.code == SqlState::FEATURE_NOT_SUPPORTED
            && self.routine == Some(b"RevalidateCachedQuery".as_slice())
    }

    pub(super) fn encode(&self, out: &mut Vec<u8>) {
        out.extend_from_slice(self.body);
    }
}

/// Reads one field; `Some(None)` is the end of the list, `None` a body that breaks off.
#[expect(
    clippy::option_option,
    reason = "the end of the list and a broken list are different things"
)]
fn field<'a>(reader: &mut Reader<'a>) -> Option<Option<(u8, &'a [u8])>> {
    match reader.u8()? {
        0 => Some(None),
        kind => Some(Some((kind, reader.cstr()?))),
    }
}

/// Reads the body of an `ErrorResponse` or `NoticeResponse`.
///
/// # Errors
/// [`Error::Malformed`] when a field or the list does not end, or something follows it.
pub fn error_fields(body: &[u8]) -> Result<ErrorFields<'_>, Error> {
    let malformed = |what| Error::Malformed { message: "ErrorResponse", what };
    let mut fields = ErrorFields {
        body,
        severity: None,
        severity_nonlocalized: None,
        code: SqlState::INTERNAL,
        message: b"",
        detail: None,
        hint: None,
        position: None,
        context: None,
        routine: None,
    };
    let mut reader = Reader::new(body);
    while let Some((kind, value)) =
        field(&mut reader).ok_or_else(|| malformed("a field or the list does not end"))?
    {
        match kind {
            b'S' => fields.severity = Some(value),
            b'V' => fields.severity_nonlocalized = Some(value),
            b'C' => fields.code = SqlState::from_bytes(value).unwrap_or(SqlState::INTERNAL),
            b'M' => fields.message = value,
            b'D' => fields.detail = Some(value),
            b'H' => fields.hint = Some(value),
            b'P' => fields.position = Some(value),
            b'W' => fields.context = Some(value),
            b'R' => fields.routine = Some(value),
            _ => {}
        }
    }
    if reader.is_empty() { Ok(fields) } else { Err(malformed("something follows the fields")) }
}
