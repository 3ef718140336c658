//! Counts tokens and open brackets in one pass over the text, before the parser sees it: the parser's work
//! and stack grow with both.

use super::Violation;
use crate::kernel::config::LimitsConfig;

/// # Errors
/// The document has too many tokens, too many brackets open at once, or a name too long.
pub(super) fn check(text: &str, limits: &LimitsConfig) -> Result<(), Violation> {
    let mut lexer = Lexer::new(text);
    let (mut tokens, mut open) = (0_usize, 0_usize);
    while let Some(token) = lexer.next() {
        tokens += 1;
        if tokens > limits.tokens {
            return Err(Violation::new(format!(
                "The document has more than {} tokens.",
                limits.tokens
            )));
        }
        match token {
            Token::Open(_) => open += 1,
            Token::Close => open = open.saturating_sub(1),
            // A name comes back in errors and as a key of the answer, once for each item of a list.
            Token::Word(word) if word.len() > limits.error_bytes => {
                return Err(Violation::new(format!(
                    "A name has more than {} letters.",
                    limits.error_bytes
                )));
            }
            Token::Word(_) | Token::Colon | Token::Other => {}
        }
        if open > limits.nesting {
            return Err(Violation::new(format!(
                "The document has more than {} brackets open at once.",
                limits.nesting
            )));
        }
    }
    Ok(())
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Token<'a> {
    /// Which bracket it is.
    Open(u8),
    Close,
    /// A name or a number.
    Word(&'a [u8]),
    Colon,
    Other,
}

pub(super) struct Lexer<'a> {
    rest: &'a [u8],
}

impl<'a> Lexer<'a> {
    pub(super) fn new(text: &'a str) -> Self {
        Self {
            rest: text.as_bytes(),
        }
    }

    /// How many bytes are left.
    pub(super) fn left(&self) -> usize {
        self.rest.len()
    }

    pub(super) fn next(&mut self) -> Option<Token<'a>> {
        self.skip_ignored();
        let token = match self.rest {
            [] => return None,
            [bracket @ (b'{' | b'[' | b'('), ..] => self.advance(1, Token::Open(*bracket)),
            [b'}' | b']' | b')', ..] => self.advance(1, Token::Close),
            [b':', ..] => self.advance(1, Token::Colon),
            [b'.', b'.', b'.', ..] => self.advance(3, Token::Other),
            [b'"', b'"', b'"', ..] => {
                self.skip(3);
                self.skip_block_string();
                Token::Other
            }
            [b'"', ..] => {
                self.skip(1);
                self.skip_string();
                Token::Other
            }
            [b'0'..=b'9' | b'-', rest @ ..] => {
                let number = |byte: &u8| is_word(*byte) || matches!(byte, b'.' | b'+' | b'-');
                let length = 1 + rest.iter().take_while(|byte| number(byte)).count();
                self.word(length)
            }
            [first, ..] if is_word(*first) => {
                let length = self.rest.iter().take_while(|byte| is_word(**byte)).count();
                self.word(length)
            }
            // Punctuation, and what the parser will refuse.
            _ => self.advance(1, Token::Other),
        };
        Some(token)
    }

    fn skip(&mut self, bytes: usize) {
        self.rest = self.rest.get(bytes..).unwrap_or_default();
    }

    fn word(&mut self, length: usize) -> Token<'a> {
        let (word, rest) = self.rest.split_at_checked(length).unwrap_or((self.rest, &[]));
        self.rest = rest;
        Token::Word(word)
    }

    fn advance(&mut self, bytes: usize, token: Token<'a>) -> Token<'a> {
        self.skip(bytes);
        token
    }

    fn skip_ignored(&mut self) {
        loop {
            match self.rest {
                [b' ' | b'\t' | b'\n' | b'\r' | b',', ..] => self.skip(1),
                [0xEF, 0xBB, 0xBF, ..] => self.skip(3),
                [b'#', ..] => {
                    let line = self
                        .rest
                        .iter()
                        .take_while(|byte| !matches!(byte, b'\n' | b'\r'))
                        .count();
                    self.skip(line);
                }
                _ => return,
            }
        }
    }

    /// To behind the closing quote, or to the end of the line, where an open string ends too.
    fn skip_string(&mut self) {
        loop {
            match self.rest {
                [] | [b'\n' | b'\r', ..] => return,
                [b'"', ..] => return self.skip(1),
                [b'\\', b'\n' | b'\r', ..] => return self.skip(1),
                [b'\\', ..] => self.skip(2),
                _ => self.skip(1),
            }
        }
    }

    fn skip_block_string(&mut self) {
        loop {
            match self.rest {
                [] => return,
                [b'"', b'"', b'"', ..] => return self.skip(3),
                [b'\\', b'"', b'"', b'"', ..] => self.skip(4),
                _ => self.skip(1),
            }
        }
    }
}

fn is_word(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || byte == b'_'
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::graphql::document::test_limits;

    fn tokens(text: &str) -> usize {
        let mut lexer = Lexer::new(text);
        std::iter::from_fn(|| lexer.next()).count()
    }

    #[test]
    fn tokens_are_counted_as_the_specification_does() {
        let cases = [
            ("", 0),
            ("\u{feff} ,,\t\r\n", 0),
            ("{a}", 3),
            ("query Q($n: Int! = -5) { a(n: $n) @include(if: true) ...F }", 29),
            ("# {{{{ a comment\n{ a }", 3),
            (r#"{ a(s: "{ \" {{ [") }"#, 8),
            ("{ a(s: \"\"\"{ \\\"\"\" {{\n [ \"quoted\" \"\"\") }", 8),
            (r#"{ a(s: "", t: """""") }"#, 11),
            ("{ a(s: \"open\n) }", 8),
            (r#""\"#, 1),
            ("[1, 2.5e10, $x, ENUM]", 7),
        ];
        for (text, expected) in cases {
            assert_eq!(tokens(text), expected, "{text}");
        }
    }

    #[test]
    fn too_many_tokens_brackets_and_letters_are_refused() {
        let limits = LimitsConfig {
            tokens: 10,
            nesting: 3,
            error_bytes: 5,
            ..test_limits()
        };
        for text in ["{a b c d e f g h}", "{a{b{c}}}", "{abcde}", "}}}}{{{"] {
            assert!(check(text, &limits).is_ok(), "{text}");
        }
        for text in ["{a b c d e f g h i}", "{a{b{c{", "((((", "{abcdef}"] {
            assert!(check(text, &limits).is_err(), "{text}");
        }
    }

    #[test]
    fn a_megabyte_of_anything_is_read_quickly() {
        let limits = LimitsConfig {
            tokens: usize::MAX,
            nesting: usize::MAX,
            error_bytes: usize::MAX,
            ..test_limits()
        };
        for unit in ["{", "\"", "\"\"\"", "\\", "#", "a ", "\u{feff}", "é", "."] {
            let text = unit.repeat((1 << 20) / unit.len());
            let start = std::time::Instant::now();
            check(&text, &limits).unwrap();
            // A walk over the text for each of its bytes would take many minutes.
            assert!(start.elapsed().as_secs() < 5, "{unit}: {:?}", start.elapsed());
        }
    }
}
