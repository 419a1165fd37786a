//! PostgreSQL's MD5 password scheme: what is stored, and the answer to a salt.
//!
//! Not here: a reason to use it; SCRAM is better in every way, and some installations still have
//! only this.
//!
//! Invariant: comparisons take the same time wherever the texts differ.

use md5::{Digest, Md5};
use subtle::ConstantTimeEq;

/// What PostgreSQL stores for a password: `md5` and the hexadecimal MD5 of password and user name.
pub fn shadow(user: &str, password: &str) -> String {
    digest(&[password.as_bytes(), user.as_bytes()])
}

/// The answer to an MD5 request with `salt`, from the stored form of the password.
pub fn response(shadow: &str, salt: [u8; 4]) -> String {
    digest(&[shadow.strip_prefix("md5").unwrap_or(shadow).as_bytes(), &salt])
}

/// True when `answer`, without its NUL, is the answer to `salt` for this stored password.
pub fn verify(shadow: &str, salt: [u8; 4], answer: &[u8]) -> bool {
    response(shadow, salt).as_bytes().ct_eq(answer).into()
}

/// True when `text` has the form of a stored MD5 password.
pub fn is_shadow(text: &str) -> bool {
    text.strip_prefix("md5")
        .is_some_and(|hex| hex.len() == 32 && hex.bytes().all(|byte| byte.is_ascii_hexdigit()))
}

fn digest(parts: &[&[u8]]) -> String {
    let mut hash = Md5::new();
    for part in parts {
        hash.update(part);
    }
    let mut text = String::with_capacity(35);
    text.push_str("md5");
    for byte in hash.finalize() {
        for nibble in [byte >> 4, byte & 15] {
            text.extend(char::from_digit(u32::from(nibble), 16));
        }
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_stored_form_is_that_of_postgresql() {
        // select rolpassword from pg_authid, password_encryption = md5, user alice, password secret
        assert_eq!(shadow("alice", "secret"), "md54a0a68b43b6cd5cf266fa02f196e2371");
        assert!(is_shadow(&shadow("alice", "secret")));
        assert!(!is_shadow("md5 in my own words"));
    }

    #[test]
    fn only_the_answer_to_this_salt_is_accepted() {
        let stored = shadow("alice", "secret");
        let answer = response(&stored, [1, 2, 3, 4]);
        assert!(verify(&stored, [1, 2, 3, 4], answer.as_bytes()));
        assert!(!verify(&stored, [1, 2, 3, 5], answer.as_bytes()));
        assert!(!verify(&shadow("bob", "secret"), [1, 2, 3, 4], answer.as_bytes()));
        assert!(!verify(&stored, [1, 2, 3, 4], b""));
        assert!(!verify(&stored, [1, 2, 3, 4], stored.as_bytes()));
    }
}
