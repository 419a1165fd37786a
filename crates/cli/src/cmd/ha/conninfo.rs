//! A replica's `primary_conninfo`, pointed at another primary. The form is libpq's `key = value` list (fe-connect.c, `conninfo_parse`); a URI is
//! left to the operator.

/// The same connection to another host and port; `None`: it is not a list of keys and values.
pub(super) fn pointed_at(conninfo: &str, host: &str, port: u16) -> Option<String> {
    let pairs = parse(conninfo)?;
    let kept =
        pairs.iter().filter(|(key, _)| !matches!(key.as_str(), "host" | "hostaddr" | "port"));
    let mut text = kept.fold(String::new(), |mut text, (key, value)| {
        push(&mut text, key, value);
        text
    });
    push(&mut text, "host", host);
    push(&mut text, "port", &port.to_string());
    Some(text)
}

fn push(text: &mut String, key: &str, value: &str) {
    if !text.is_empty() {
        text.push(' ');
    }
    text.push_str(key);
    text.push_str("='");
    for char in value.chars() {
        if matches!(char, '\'' | '\\') {
            text.push('\\');
        }
        text.push(char);
    }
    text.push('\'');
}

/// Keys with their values, in order.
fn parse(text: &str) -> Option<Vec<(String, String)>> {
    let mut pairs = Vec::new();
    let mut chars = text.trim().chars().peekable();
    while chars.peek().is_some() {
        let mut key = String::new();
        while let Some(char) = chars.next_if(|char| char.is_ascii_alphanumeric() || *char == '_') {
            key.push(char);
        }
        while chars.next_if(|char| char.is_whitespace()).is_some() {}
        if key.is_empty() || chars.next() != Some('=') {
            return None;
        }
        while chars.next_if(|char| char.is_whitespace()).is_some() {}
        let quoted = chars.next_if_eq(&'\'').is_some();
        let mut value = String::new();
        loop {
            match chars.next() {
                Some('\\') => value.push(chars.next()?),
                Some('\'') if quoted => break,
                Some(char) if !quoted && char.is_whitespace() => break,
                Some(char) => value.push(char),
                None if quoted => return None,
                None => break,
            }
        }
        while chars.next_if(|char| char.is_whitespace()).is_some() {}
        pairs.push((key, value));
    }
    (!pairs.is_empty()).then_some(pairs)
}

#[cfg(test)]
mod tests {
    use super::pointed_at;

    #[test]
    fn only_the_place_changes() {
        for (from, to) in [
            (
                "host=db1 port=5432 user=repl application_name=db2",
                "user='repl' application_name='db2' host='db2' port='5433'",
            ),
            (
                "user = repl password = 'it\\'s \\\\ me' hostaddr=10.0.0.1 host = 'db 1'",
                "user='repl' password='it\\'s \\\\ me' host='db2' port='5433'",
            ),
            ("sslmode='' port=1", "sslmode='' host='db2' port='5433'"),
        ] {
            let pointed = pointed_at(from, "db2", 5433);
            assert_eq!(pointed.as_deref(), Some(to), "{from}");
            let again = pointed.and_then(|text| pointed_at(&text, "db2", 5433));
            assert_eq!(again.as_deref(), Some(to), "{from}");
        }
    }

    #[test]
    fn what_is_no_list_is_refused() {
        for text in ["", "postgres://db1:5432/?user=repl", "host", "host='db1", "=x"] {
            assert_eq!(pointed_at(text, "db2", 5433), None, "{text}");
        }
    }
}
