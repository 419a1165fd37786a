//! Errors of a server in the words of a client: statements have other names on servers than clients gave them.
//!
//! Invariant: nothing but the first name that Howdah itself has made is replaced.

use howdah_wire::backend::tag;

use crate::prepared::STATEMENT_PREFIX;

/// The body of an error that names a statement as the server knows it, with the name that `client_name` gives for it.
pub(crate) fn renamed<'a>(
    body: &[u8],
    client_name: impl FnOnce(&[u8]) -> Option<&'a [u8]>,
) -> Option<Vec<u8>> {
    let (before, named, after) = find_name(body)?;
    Some([before, client_name(named)?, after].concat())
}

/// An `ErrorResponse` with this body.
pub(crate) fn error(body: &[u8]) -> Option<Vec<u8>> {
    let mut frame = vec![tag::ERROR];
    frame.extend_from_slice(&u32::try_from(4 + body.len()).ok()?.to_be_bytes());
    frame.extend_from_slice(body);
    Some(frame)
}

/// What is before, inside and behind the quotes of the first name that a server knows a statement by.
fn find_name(body: &[u8]) -> Option<(&[u8], &[u8], &[u8])> {
    let quoted = format!("\"{STATEMENT_PREFIX}");
    let at = body.windows(quoted.len()).position(|window| window == quoted.as_bytes())? + 1;
    let (before, rest) = body.split_at_checked(at)?;
    let end = rest.iter().position(|byte| *byte == b'"')?;
    let (named, after) = rest.split_at_checked(end)?;
    Some((before, named, after))
}
