//! `DateStyle` is two settings in one, a style and an order of day and month: `SET DateStyle = 'YMD'` leaves the style as it was. So one
//! statement does not make it again on another server. Not how values are read in general: only which of the two are in one.
//!
//! Invariant: what [`replay`] gives makes the same style and order on every server, whatever it had before.

/// Name of the setting.
pub(super) const NAME: &str = "datestyle";

/// Which of the two a statement sets.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Parts {
    style: bool,
    order: bool,
}

impl Parts {
    fn of(statement: &str) -> Self {
        let mut parts = Self { style: false, order: false };
        for word in statement.split(|letter: char| !letter.is_alphanumeric()) {
            let word = word.to_ascii_lowercase();
            // German dates have their own order unless another is asked for.
            parts.style |=
                matches!(&*word, "iso" | "sql" | "german") || word.starts_with("postgres");
            parts.order |= matches!(&*word, "ymd" | "dmy" | "mdy" | "us" | "german" | "default")
                || word.starts_with("euro")
                || word.starts_with("noneuro");
            parts.style |= word == "default";
        }
        parts
    }

    const fn is_whole(self) -> bool {
        self.style && self.order
    }
}

/// The statements that make the setting after `statement` has succeeded, where those of `before` made it until then (`None`:
/// the server's default).
pub(super) fn replay(before: Option<&str>, statement: &str) -> String {
    let parts = Parts::of(statement);
    if parts.is_whole() {
        return statement.to_owned();
    }
    // A value that was accepted holds no semicolon.
    let before = before.unwrap_or("RESET \"datestyle\"").split(';');
    let mut kept: Vec<&str> = before.filter(|earlier| Parts::of(earlier) != parts).collect();
    kept.push(statement);
    kept.join(";")
}

#[cfg(test)]
mod tests {
    use super::*;

    const ISO: &str = "SET datestyle TO 'ISO'";
    const YMD: &str = "SET datestyle TO ymd";
    const WHOLE: &str = "SET datestyle TO 'SQL, DMY'";

    #[test]
    fn a_whole_value_stands_alone() {
        assert_eq!(replay(Some(YMD), WHOLE), WHOLE);
        assert_eq!(replay(None, "SET datestyle TO German"), "SET datestyle TO German");
    }

    #[test]
    fn half_a_value_keeps_the_other_half() {
        assert_eq!(replay(Some(WHOLE), YMD), format!("{WHOLE};{YMD}"));
        assert_eq!(replay(None, YMD), format!("RESET \"datestyle\";{YMD}"));
        let both = replay(Some(&replay(None, YMD)), ISO);
        assert_eq!(both, format!("RESET \"datestyle\";{YMD};{ISO}"));
    }

    #[test]
    fn halves_of_the_same_kind_replace_each_other() {
        let mut statements = replay(None, ISO);
        for order in ["ymd", "dmy", "us", "European"] {
            for style in ["sql", "Postgres", "iso"] {
                statements = replay(Some(&statements), &format!("SET datestyle TO {order}"));
                statements = replay(Some(&statements), &format!("SET datestyle TO {style}"));
            }
        }
        let expected = "RESET \"datestyle\";SET datestyle TO European;SET datestyle TO iso";
        assert_eq!(statements, expected);
        let startup = "SELECT pg_catalog.set_config('datestyle', 'ISO', false)";
        assert_eq!(replay(Some(&replay(None, startup)), ISO), replay(None, ISO));
    }
}
