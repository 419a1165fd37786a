//! Values in the form in which the stream of changes writes them, so that equal ones are equal bytes. Not for comparing otherwise.
//!
//! Invariant: whatever PostgreSQL takes for equal to the column's value has this form, or none.

use super::definitions::Holds;

/// Object ids of types.
pub mod oid {
    /// `boolean`
    pub const BOOL: u32 = 16;
    /// `bigint`
    pub const INT8: u32 = 20;
    /// `smallint`
    pub const INT2: u32 = 21;
    /// `integer`
    pub const INT4: u32 = 23;
    /// `text`
    pub const TEXT: u32 = 25;
    /// `varchar`
    pub const VARCHAR: u32 = 1043;
    /// `uuid`
    pub const UUID: u32 = 2950;
}

/// What is said about the type of a value.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Said {
    /// Nothing: it is that of the column.
    Nothing,
    /// The type of this number.
    Oid(u32),
}

/// Whether a value of this type, compared with a column that holds that, is compared as what the column holds.
#[must_use]
pub fn fits(holds: Holds, said: Said) -> bool {
    let Said::Oid(number) = said else { return true };
    match holds {
        Holds::Integer => matches!(number, oid::INT2 | oid::INT4 | oid::INT8),
        Holds::Text => matches!(number, oid::TEXT | oid::VARCHAR),
        Holds::Uuid => number == oid::UUID,
        Holds::Boolean => number == oid::BOOL,
        Holds::Label | Holds::Time | Holds::Other => false,
    }
}

/// The type that a cast names, if it is one that changes nothing about a value of the column.
#[must_use]
pub fn named_type(name: &str) -> Option<Said> {
    Some(Said::Oid(match name {
        "int2" => oid::INT2,
        "int4" => oid::INT4,
        "int8" => oid::INT8,
        "text" => oid::TEXT,
        "varchar" => oid::VARCHAR,
        "uuid" => oid::UUID,
        "bool" => oid::BOOL,
        _ => return None,
    }))
}

/// A value that is written as text.
#[must_use]
pub fn of_text(holds: Holds, said: Said, text: &[u8]) -> Option<Box<[u8]>> {
    if !fits(holds, said) {
        return None;
    }
    let text_of = || std::str::from_utf8(text).ok();
    match holds {
        Holds::Integer => {
            let number: i64 = text_of()?.trim_ascii().parse().ok()?;
            Some(number.to_string().into_bytes().into())
        }
        // Others may be written in another encoding than the stream's.
        Holds::Text | Holds::Label => text.is_ascii().then(|| text.into()),
        Holds::Uuid => {
            let digits: Vec<u8> = text.iter().copied().filter(|byte| *byte != b'-').collect();
            let plain = digits.len() == 32 && digits.iter().all(u8::is_ascii_hexdigit);
            plain.then(|| uuid(&digits.to_ascii_lowercase()))
        }
        Holds::Boolean => match text_of()?.trim_ascii().to_ascii_lowercase().as_str() {
            "t" | "true" => Some((*b"t").into()),
            "f" | "false" => Some((*b"f").into()),
            _ => None,
        },
        Holds::Time | Holds::Other => None,
    }
}

/// A value in PostgreSQL's binary form.
#[must_use]
pub fn of_binary(holds: Holds, said: Said, bytes: &[u8]) -> Option<Box<[u8]>> {
    if !fits(holds, said) {
        return None;
    }
    match holds {
        Holds::Integer => {
            let number = match *bytes {
                [a, b] => i64::from(i16::from_be_bytes([a, b])),
                [a, b, c, d] => i64::from(i32::from_be_bytes([a, b, c, d])),
                [a, b, c, d, e, f, g, h] => i64::from_be_bytes([a, b, c, d, e, f, g, h]),
                _ => return None,
            };
            Some(number.to_string().into_bytes().into())
        }
        Holds::Text | Holds::Label => bytes.is_ascii().then(|| bytes.into()),
        Holds::Uuid if bytes.len() == 16 => {
            let digits: String = bytes.iter().map(|byte| format!("{byte:02x}")).collect();
            Some(uuid(digits.as_bytes()))
        }
        Holds::Boolean => match *bytes {
            [0] => Some((*b"f").into()),
            [1] => Some((*b"t").into()),
            _ => None,
        },
        Holds::Uuid | Holds::Time | Holds::Other => None,
    }
}

/// 32 digits with their dashes.
fn uuid(digits: &[u8]) -> Box<[u8]> {
    let mut out = Vec::with_capacity(36);
    for (at, digit) in digits.iter().enumerate() {
        if matches!(at, 8 | 12 | 16 | 20) {
            out.push(b'-');
        }
        out.push(*digit);
    }
    out.into()
}

/// The elements of an array in text form, if they need no quotes and none is NULL.
pub fn elements_of_text(array: &[u8]) -> Option<Vec<&[u8]>> {
    let inside = array.strip_prefix(b"{")?.strip_suffix(b"}")?;
    if inside.is_empty() {
        return Some(Vec::new());
    }
    let plain = |element: &&[u8]| {
        !element.is_empty()
            && !element.eq_ignore_ascii_case(b"null")
            && element.iter().all(|byte| byte.is_ascii_alphanumeric() || b"-_.".contains(byte))
    };
    let elements: Vec<&[u8]> = inside.split(|byte| *byte == b',').collect();
    elements.iter().all(plain).then_some(elements)
}

/// The type and the elements of an array of one dimension in binary form, if none is NULL.
pub fn elements_of_binary(array: &[u8]) -> Option<(u32, Vec<&[u8]>)> {
    let (dimensions, rest) = number(array)?;
    let (_, rest) = number(rest)?;
    let (of, rest) = number(rest)?;
    if dimensions == 0 {
        return Some((of, Vec::new()));
    }
    let (count, rest) = number(rest)?;
    let (_, mut rest) = number(rest)?;
    let mut elements = Vec::new();
    for _ in 0..count {
        let (length, after) = number(rest)?;
        let (element, after) = after.split_at_checked(usize::try_from(length).ok()?)?;
        elements.push(element);
        rest = after;
    }
    (dimensions == 1 && rest.is_empty()).then_some((of, elements))
}

fn number(bytes: &[u8]) -> Option<(u32, &[u8])> {
    let (head, rest) = bytes.split_first_chunk::<4>()?;
    Some((u32::from_be_bytes(*head), rest))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn equal_values_have_one_form() {
        let text = |holds, value: &str| {
            let found = of_text(holds, Said::Nothing, value.as_bytes());
            found.map(|bytes| String::from_utf8_lossy(&bytes).into_owned())
        };
        for (holds, value, expected) in [
            (Holds::Integer, "5", Some("5")),
            (Holds::Integer, " +005 ", Some("5")),
            (Holds::Integer, "-0", Some("0")),
            (Holds::Integer, "5.0", None),
            (Holds::Integer, "0x5", None),
            (Holds::Integer, "", None),
            (Holds::Text, " a ", Some(" a ")),
            (Holds::Text, "ä", None),
            (Holds::Boolean, "TRUE", Some("t")),
            (Holds::Boolean, "yes", None),
            (Holds::Time, "2020-01-01", None),
            (Holds::Other, "1", None),
            (
                Holds::Uuid,
                "A0EEBC999C0B4EF8BB6D6BB9BD380A11",
                Some("a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11"),
            ),
            (Holds::Uuid, "{a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11}", None),
        ] {
            assert_eq!(text(holds, value).as_deref(), expected, "{value}");
        }
        let binary = |holds, bytes: &[u8]| of_binary(holds, Said::Nothing, bytes);
        assert_eq!(binary(Holds::Integer, &[0xff, 0xff]).as_deref(), Some(b"-1".as_slice()));
        assert_eq!(binary(Holds::Integer, &[0, 0, 0, 7]).as_deref(), Some(b"7".as_slice()));
        assert_eq!(binary(Holds::Integer, &[0, 0, 7]), None);
        assert_eq!(binary(Holds::Boolean, &[1]).as_deref(), Some(b"t".as_slice()));
        let uuid = binary(Holds::Uuid, &[0xab; 16]).unwrap_or_default();
        assert_eq!(&*uuid, b"abababab-abab-abab-abab-abababababab");
    }

    #[test]
    fn values_of_other_types_have_none() {
        const NUMERIC: u32 = 1700;
        assert_eq!(of_text(Holds::Integer, Said::Oid(NUMERIC), b"5"), None);
        assert_eq!(of_binary(Holds::Integer, Said::Oid(701), &[0; 8]), None);
        assert_eq!(of_text(Holds::Text, Said::Oid(1042), b"a "), None);
        assert!(of_text(Holds::Integer, Said::Oid(oid::INT8), b"5").is_some());
    }

    #[test]
    fn arrays_are_taken_apart() {
        let texts = |array: &str| elements_of_text(array.as_bytes()).map(|found| found.len());
        for (array, expected) in [
            ("{}", Some(0)),
            ("{1,2,3}", Some(3)),
            ("{1,NULL}", None),
            ("{\"a\"}", None),
            ("{{1},{2}}", None),
            ("1", None),
        ] {
            assert_eq!(texts(array), expected, "{array}");
        }
        let mut array = Vec::new();
        for number in [1, 0, oid::INT4, 2, 1, 4, 7, 4, 8] {
            array.extend_from_slice(&number.to_be_bytes());
        }
        let found = elements_of_binary(&array);
        assert_eq!(found, Some((oid::INT4, vec![[0, 0, 0, 7].as_slice(), &[0, 0, 0, 8]])));
        for length in 0..array.len() {
            let part = array.get(..length).unwrap_or_default();
            assert_eq!(elements_of_binary(part), None, "{length}");
        }
    }
}
