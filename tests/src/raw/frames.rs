//! Frames from a client, written by name or byte by byte. Not checked in any way: malformed ones are the point of some tests.

use howdah_wire::frame;

/// Frames to be sent in one write.
#[derive(Debug, Clone, Default)]
pub struct Frames(Vec<u8>);

impl Frames {
    /// None yet.
    #[must_use]
    pub const fn new() -> Self {
        Self(Vec::new())
    }

    /// The bytes.
    #[must_use]
    pub fn as_bytes(&self) -> &[u8] {
        &self.0
    }

    /// One line for each frame, for people.
    #[must_use]
    pub fn lines(&self) -> Vec<String> {
        let mut lines = Vec::new();
        let mut rest = self.as_bytes();
        while let Ok(Some((frame, _))) = frame::split(rest) {
            lines.push(format!("{} {}", char::from(frame.tag), frame.body.escape_ascii()));
            rest = &rest[frame.bytes.len()..];
        }
        if !rest.is_empty() {
            lines.push(format!("(no frame) {}", rest.escape_ascii()));
        }
        lines
    }

    /// A frame with any tag and body.
    #[must_use]
    pub fn frame(mut self, tag: u8, body: &[u8]) -> Self {
        self.0.push(tag);
        let length = u32::try_from(body.len() + 4).expect("a frame under 4 GiB");
        self.0.extend_from_slice(&length.to_be_bytes());
        self.0.extend_from_slice(body);
        self
    }

    /// Bytes as they are.
    #[must_use]
    pub fn bytes(mut self, bytes: &[u8]) -> Self {
        self.0.extend_from_slice(bytes);
        self
    }

    /// The frames of another.
    #[must_use]
    pub fn then(self, other: &Self) -> Self {
        self.bytes(&other.0)
    }

    /// `Q`
    #[must_use]
    pub fn query(self, sql: &str) -> Self {
        self.frame(b'Q', &terminated(&[sql]))
    }

    /// `P` without parameter types.
    #[must_use]
    pub fn parse(self, name: &str, sql: &str) -> Self {
        self.parse_typed(name, sql, &[])
    }

    /// `P` with the object ids of parameter types.
    #[must_use]
    pub fn parse_typed(self, name: &str, sql: &str, types: &[u32]) -> Self {
        let mut body = terminated(&[name, sql]);
        body.extend_from_slice(&count(types.len()));
        for id in types {
            body.extend_from_slice(&id.to_be_bytes());
        }
        self.frame(b'P', &body)
    }

    /// `B` with text parameters and text results.
    #[must_use]
    pub fn bind(self, portal: &str, statement: &str, parameters: &[&str]) -> Self {
        let parameters: Vec<_> = parameters.iter().map(|text| Some(text.as_bytes())).collect();
        self.bind_formats(portal, statement, &[], &parameters, &[])
    }

    /// `B` with formats (0 text, 1 binary), parameters (`None`: NULL) and result formats.
    #[must_use]
    pub fn bind_formats(
        self,
        portal: &str,
        statement: &str,
        formats: &[u16],
        parameters: &[Option<&[u8]>],
        results: &[u16],
    ) -> Self {
        let mut body = terminated(&[portal, statement]);
        body.extend_from_slice(&count(formats.len()));
        body.extend(formats.iter().flat_map(|format| format.to_be_bytes()));
        body.extend_from_slice(&count(parameters.len()));
        for parameter in parameters {
            let length =
                parameter.map_or(-1, |value| i32::try_from(value.len()).expect("under 2 GiB"));
            body.extend_from_slice(&length.to_be_bytes());
            body.extend_from_slice(parameter.unwrap_or_default());
        }
        body.extend_from_slice(&count(results.len()));
        body.extend(results.iter().flat_map(|format| format.to_be_bytes()));
        self.frame(b'B', &body)
    }

    /// `D` of a statement.
    #[must_use]
    pub fn describe_statement(self, name: &str) -> Self {
        self.frame(b'D', &target(b'S', name))
    }

    /// `D` of a portal.
    #[must_use]
    pub fn describe_portal(self, name: &str) -> Self {
        self.frame(b'D', &target(b'P', name))
    }

    /// `E`; 0 rows: all.
    #[must_use]
    pub fn execute(self, portal: &str, rows: u32) -> Self {
        let mut body = terminated(&[portal]);
        body.extend_from_slice(&rows.to_be_bytes());
        self.frame(b'E', &body)
    }

    /// `C` of a statement.
    #[must_use]
    pub fn close_statement(self, name: &str) -> Self {
        self.frame(b'C', &target(b'S', name))
    }

    /// `C` of a portal.
    #[must_use]
    pub fn close_portal(self, name: &str) -> Self {
        self.frame(b'C', &target(b'P', name))
    }

    /// `S`
    #[must_use]
    pub fn sync(self) -> Self {
        self.frame(b'S', &[])
    }

    /// `H`
    #[must_use]
    pub fn flush(self) -> Self {
        self.frame(b'H', &[])
    }

    /// `X`
    #[must_use]
    pub fn terminate(self) -> Self {
        self.frame(b'X', &[])
    }

    /// `d`
    #[must_use]
    pub fn copy_data(self, data: &[u8]) -> Self {
        self.frame(b'd', data)
    }

    /// `c`
    #[must_use]
    pub fn copy_done(self) -> Self {
        self.frame(b'c', &[])
    }

    /// `f`
    #[must_use]
    pub fn copy_fail(self, reason: &str) -> Self {
        self.frame(b'f', &terminated(&[reason]))
    }

    /// `F` of the function with that object id, text arguments, text result.
    #[must_use]
    pub fn function_call(self, function: u32, arguments: &[&str]) -> Self {
        let mut body = function.to_be_bytes().to_vec();
        body.extend_from_slice(&count(0));
        body.extend_from_slice(&count(arguments.len()));
        for argument in arguments {
            let length = u32::try_from(argument.len()).expect("under 4 GiB");
            body.extend_from_slice(&length.to_be_bytes());
            body.extend_from_slice(argument.as_bytes());
        }
        body.extend_from_slice(&count(0));
        self.frame(b'F', &body)
    }

    /// Parse, Bind, Describe, Execute of the unnamed statement and portal, without Sync.
    #[must_use]
    pub fn extended(self, sql: &str, parameters: &[&str]) -> Self {
        self.parse("", sql).bind("", "", parameters).describe_portal("").execute("", 0)
    }

    /// Bind, Execute of a named statement through the unnamed portal, without Sync.
    #[must_use]
    pub fn execute_prepared(self, name: &str, parameters: &[&str]) -> Self {
        self.bind("", name, parameters).execute("", 0)
    }
}

fn count(n: usize) -> [u8; 2] {
    u16::try_from(n).expect("a count of the protocol").to_be_bytes()
}

fn terminated(texts: &[&str]) -> Vec<u8> {
    texts.iter().flat_map(|text| text.bytes().chain([0])).collect()
}

fn target(kind: u8, name: &str) -> Vec<u8> {
    let mut body = vec![kind];
    body.extend_from_slice(&terminated(&[name]));
    body
}
