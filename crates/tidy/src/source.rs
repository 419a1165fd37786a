//! Just enough of a Rust lexer to tell code from comments and literals. Not a parser: it knows no grammar.
//!
//! Invariant: the stripped text has the same lines as the original.

/// The code of a Rust file: comments and the contents of literals become spaces, lines stay where they are.
#[must_use]
pub fn code(text: &str) -> String {
    let mut stripper =
        Stripper { chars: text.chars().collect(), at: 0, out: String::with_capacity(text.len()) };
    while let Some(next) = stripper.peek(0) {
        stripper.step(next);
    }
    stripper.out
}

/// The part of stripped code before its `#[cfg(test)] mod`: what ends up in the product.
#[must_use]
pub fn without_tests(code: &str) -> &str {
    const MARK: &str = "#[cfg(test)]";
    for (at, _) in code.match_indices(MARK) {
        let (before, after) = code.split_at(at);
        if after.strip_prefix(MARK).is_some_and(|rest| rest.trim_start().starts_with("mod ")) {
            return before;
        }
    }
    code
}

/// Line (from 1) and name of everything the code declares: functions, types, modules, constants.
#[must_use]
pub fn declarations(code: &str) -> Vec<(usize, &str)> {
    const KEYWORDS: [&str; 9] =
        ["fn", "struct", "enum", "trait", "mod", "type", "const", "static", "union"];
    let mut found = Vec::new();
    let mut after_keyword = false;
    for (line, text) in code.lines().enumerate() {
        for word in text.split(|c: char| !(c.is_alphanumeric() || c == '_')) {
            if word.is_empty() {
                continue;
            }
            let keyword = KEYWORDS.contains(&word);
            if after_keyword && !keyword {
                found.push((line + 1, word));
            }
            after_keyword = keyword;
        }
    }
    found
}

/// The words of a name, lower-case: `PoolReport` and `pool_report` are both `pool`, `report`.
#[must_use]
pub fn words(name: &str) -> Vec<String> {
    let mut words: Vec<String> = Vec::new();
    let mut start = true;
    for c in name.chars() {
        if c == '_' || c == '-' || c == '.' {
            start = true;
            continue;
        }
        let upper_after_lower = c.is_uppercase()
            && words.last().and_then(|word| word.chars().last()).is_some()
            && !name.chars().all(|c| !c.is_lowercase());
        if start || upper_after_lower {
            words.push(String::new());
        }
        start = false;
        if let Some(word) = words.last_mut() {
            word.extend(c.to_lowercase());
        }
    }
    words
}

struct Stripper {
    chars: Vec<char>,
    at: usize,
    out: String,
}

impl Stripper {
    fn peek(&self, ahead: usize) -> Option<char> {
        self.chars.get(self.at + ahead).copied()
    }

    fn keep(&mut self) {
        self.out.extend(self.peek(0));
        self.at += 1;
    }

    fn blank(&mut self) {
        self.out.push(if self.peek(0) == Some('\n') { '\n' } else { ' ' });
        self.at += 1;
    }

    fn step(&mut self, next: char) {
        match (next, self.peek(1)) {
            ('/', Some('/')) => {
                while self.peek(0).is_some_and(|c| c != '\n') {
                    self.blank();
                }
            }
            ('/', Some('*')) => self.block_comment(),
            ('"', _) => self.string(),
            ('\'', _) => self.character_or_lifetime(),
            ('r', Some('"' | '#')) if !self.inside_word() => self.raw_string(),
            _ => self.keep(),
        }
    }

    /// Whether the character before this one makes the `r` here the end of a longer name (`br` and `cr` are prefixes).
    fn inside_word(&self) -> bool {
        let mut before = self.out.chars().rev();
        match before.next() {
            Some('b' | 'c') => before.next().is_some_and(is_word),
            Some(c) => is_word(c),
            None => false,
        }
    }

    fn block_comment(&mut self) {
        let mut depth = 0_usize;
        while let Some(next) = self.peek(0) {
            match (next, self.peek(1)) {
                ('/', Some('*')) => {
                    depth += 1;
                    self.blank();
                }
                ('*', Some('/')) => {
                    depth -= 1;
                    self.blank();
                }
                _ => {}
            }
            self.blank();
            if depth == 0 {
                return;
            }
        }
    }

    fn string(&mut self) {
        self.keep();
        while let Some(next) = self.peek(0) {
            match next {
                '"' => return self.keep(),
                '\\' => {
                    self.blank();
                    self.blank();
                }
                _ => self.blank(),
            }
        }
    }

    fn raw_string(&mut self) {
        let mut hashes = 0;
        while self.peek(1 + hashes) == Some('#') {
            hashes += 1;
        }
        if self.peek(1 + hashes) != Some('"') {
            return self.keep(); // a raw identifier
        }
        for _ in 0..hashes + 2 {
            self.keep();
        }
        while let Some(next) = self.peek(0) {
            if next == '"' && (1..=hashes).all(|ahead| self.peek(ahead) == Some('#')) {
                for _ in 0..=hashes {
                    self.keep();
                }
                return;
            }
            self.blank();
        }
    }

    fn character_or_lifetime(&mut self) {
        let literal = self.peek(1) == Some('\\') || self.peek(2) == Some('\'');
        self.keep();
        if !literal {
            return;
        }
        if self.peek(0) == Some('\\') {
            self.blank();
        }
        self.blank();
        while let Some(next) = self.peek(0) {
            if next == '\'' {
                return self.keep();
            }
            self.blank();
        }
    }
}

fn is_word(c: char) -> bool {
    c.is_alphanumeric() || c == '_'
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(text: &str, expected: &str) {
        assert_eq!(code(text), expected, "{text}");
    }

    #[test]
    fn comments_and_contents_of_literals_become_spaces() {
        check("a // b\nc", "a     \nc");
        check("a /* b /* c */ d */ e", "a                   e");
        check("f(\"x\\\"y\", z)", "f(\"    \", z)");
        check("r\"a\" r#\"b\"c\"# br\"d\"", "r\" \" r#\"   \"# br\" \"");
        check("for r in r#type", "for r in r#type");
        check("'a' '\\'' '\"' b'x' &'a str", "' ' '  ' ' ' b' ' &'a str");
        check("'\\u{1F600}' \"\"", "'         ' \"\"");
    }

    #[test]
    fn lines_stay_where_they_are() {
        let text = "a /*\n\n*/ \"x\ny\"\n// c\nr#\"\n\"#\nb";
        assert_eq!(code(text).lines().count(), text.lines().count());
    }

    #[test]
    fn the_product_ends_where_the_tests_begin() {
        assert_eq!(without_tests("a\n#[cfg(test)]\nmod tests { b }"), "a\n");
        assert_eq!(without_tests("a\n#[cfg(test)]\nuse b;\nc"), "a\n#[cfg(test)]\nuse b;\nc");
    }

    #[test]
    fn declarations_are_found_with_their_lines() {
        let text = "pub const fn a() {}\nstruct B;\nmod c;\npub(crate) static D: u8 = f;";
        assert_eq!(declarations(text), [(1, "a"), (2, "B"), (3, "c"), (4, "D")]);
    }

    #[test]
    fn names_split_into_words() {
        assert_eq!(words("PoolReport"), ["pool", "report"]);
        assert_eq!(words("pool_report"), ["pool", "report"]);
        assert_eq!(words("MAX_LENGTH"), ["max", "length"]);
        assert_eq!(words("howdah-tidy.rs"), ["howdah", "tidy", "rs"]);
    }
}
