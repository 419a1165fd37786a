//! What of an application's code sends a statement, as the comment behind the statement says: the keys of the specification of `SQLCommenter`
//! and of Rails' query log tags. Not what the statement is: comments are no part of its form.
//!
//! Invariant: whatever is in a comment, this ends without an error; what is not understood is no route.

use std::borrow::Cow;

/// A longer comment is not looked at. Bytes.
const LONGEST: usize = 2048;

/// The route of a statement: `route`, or `controller#action`, or `job` of the comment that it ends with. `None`: it says nothing.
#[must_use]
pub fn route(sql: &[u8]) -> Option<Cow<'_, str>> {
    let end = sql.iter().rposition(|byte| !byte.is_ascii_whitespace() && *byte != b';')?;
    let text = sql.get(..=end)?.strip_suffix(b"*/")?;
    let comment = text.get(text.len().saturating_sub(LONGEST)..)?;
    let begin = comment.windows(2).rposition(|pair| pair == b"/*")?;
    let comment = std::str::from_utf8(comment.get(begin + 2..)?).ok()?;
    let of = |wanted: &str| value(comment, wanted);
    if let Some(route) = of("route") {
        return Some(route);
    }
    match (of("controller"), of("action")) {
        (Some(controller), Some(action)) => Some(format!("{controller}#{action}").into()),
        (Some(one), None) | (None, Some(one)) => Some(one),
        (None, None) => of("job"),
    }
}

/// The value of a key in a list of `key='value'` or `key:value`.
fn value<'a>(comment: &'a str, wanted: &str) -> Option<Cow<'a, str>> {
    let of_pair = |pair: &'a str| {
        let (key, value) = pair.split_once(['=', ':'])?;
        (key.trim() == wanted).then_some(value.trim())
    };
    let value = comment.split(',').find_map(of_pair)?;
    let value = value.strip_prefix('\'').unwrap_or(value);
    let value = value.strip_suffix('\'').unwrap_or(value);
    Some(decoded(value)).filter(|value| !value.is_empty() && !value.contains(char::is_control))
}

/// A text without its `%2F` and `\'`.
fn decoded(text: &str) -> Cow<'_, str> {
    if !text.contains(['%', '\\']) {
        return text.into();
    }
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.as_bytes();
    while let Some((first, after)) = rest.split_first() {
        let code = || {
            let digits = std::str::from_utf8(after.get(..2)?).ok()?;
            u8::from_str_radix(digits, 16).ok()
        };
        match first {
            b'%' if let Some(byte) = code() => {
                bytes.push(byte);
                rest = after.get(2..).unwrap_or_default();
            }
            b'\\' if !after.is_empty() => rest = after,
            byte => {
                bytes.push(*byte);
                rest = after;
            }
        }
    }
    String::from_utf8_lossy(&bytes).into_owned().into()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn comments_of_frameworks_say_the_route() {
        let of = |sql: &'static str| route(sql.as_bytes()).map(Cow::into_owned);
        let said = |text: &str| Some(text.to_owned());
        let otel = "SELECT 1 /*db_driver='x',framework='express',route='%2Fusers%2F%3Aid',traceparent='00-5bd66ef5095369c7b0d1f8f4bd33716a-c532cb4098ac3dd2-01'*/";
        assert_eq!(of(otel), said("/users/:id"));
        assert_eq!(of("SELECT 1 /*action='index',controller='users'*/ ; "), said("users#index"));
        assert_eq!(
            of("SELECT 1 /*application:Shop,controller:users,action:index*/"),
            said("users#index")
        );
        assert_eq!(of("INSERT INTO t VALUES (1) /*job='MailJob'*/"), said("MailJob"));
        assert_eq!(of("SELECT 1 /*route='it\\'s'*/"), said("it's"));
        assert_eq!(of("SELECT /* controller:other */ 1 /*route=x*/"), said("x"));
    }

    #[test]
    fn what_says_nothing_is_no_route() {
        for sql in [
            "",
            "*/",
            "/*/",
            ";",
            "SELECT 1",
            "SELECT 1 /* a remark */",
            "SELECT 1 /*route=''*/",
            "SELECT 1 /*route='%00'*/",
            "SELECT '/*route=x*/'",
            "SELECT 1 route='x'*/",
            "SELECT 1 /*,,==::%,%%zz*/",
        ] {
            assert_eq!(route(sql.as_bytes()), None, "{sql}");
        }
        assert_eq!(route(b"SELECT 1 /*route='\xff'*/"), None);
        let long = format!("SELECT 1 /*route='{}'*/", "x".repeat(LONGEST));
        assert_eq!(route(long.as_bytes()), None);
        assert_eq!(route(b"SELECT 1 /*route='%f'*/").as_deref(), Some("%f"));
    }
}
