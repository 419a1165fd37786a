//! The few steps every encoder is made of.
//!
//! Not here: any message.
//!
//! Invariant: a string never carries a NUL into a message, so no text can forge the next field.

/// Appends a frame: `tag`, the length of what `body` appends, and that.
pub(crate) fn frame(out: &mut Vec<u8>, tag: u8, body: impl FnOnce(&mut Vec<u8>)) {
    out.push(tag);
    counted(out, body);
}

/// Appends what `body` appends, preceded by a length that counts itself. More than four gigabytes
/// give a length no peer accepts.
pub(crate) fn counted(out: &mut Vec<u8>, body: impl FnOnce(&mut Vec<u8>)) {
    let start = out.len();
    out.extend_from_slice(&[0; 4]);
    body(out);
    let length = u32::try_from(out.len() - start).unwrap_or(u32::MAX);
    if let Some(field) = out.get_mut(start..).and_then(<[u8]>::first_chunk_mut) {
        *field = length.to_be_bytes();
    }
}

/// Appends `text` up to its first NUL, and a NUL.
pub(crate) fn cstr(out: &mut Vec<u8>, text: &[u8]) {
    let text = std::ffi::CStr::from_bytes_until_nul(text).map_or(text, std::ffi::CStr::to_bytes);
    out.extend_from_slice(text);
    out.push(0);
}

/// Appends a count of two bytes. More than 65535 are written as 65535, which the peer refuses for
/// want of data.
pub(crate) fn count(out: &mut Vec<u8>, count: usize) {
    out.extend_from_slice(&u16::try_from(count).unwrap_or(u16::MAX).to_be_bytes());
}

/// Appends a value with its length, or the length -1 for NULL.
pub(crate) fn value(out: &mut Vec<u8>, value: Option<&[u8]>) {
    let Some(value) = value else {
        out.extend_from_slice(&(-1_i32).to_be_bytes());
        return;
    };
    out.extend_from_slice(&i32::try_from(value.len()).unwrap_or(i32::MAX).to_be_bytes());
    out.extend_from_slice(value);
}
