//! Reads just enough Rust to know what a file names: its tokens without comments and texts, and the paths
//! that they make.

/// A name or a sign of the source; texts and numbers are left out.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Token {
    Name(String),
    /// `::`
    Step,
    Sign(char),
}

/// The tokens of a source, comments and the contents of literals aside.
pub(super) fn tokens(source: &str) -> Vec<Token> {
    let chars: Vec<char> = source.chars().collect();
    let mut tokens = Vec::new();
    let mut at = 0;
    while let Some(&c) = chars.get(at) {
        let rest = &chars[at..];
        at += match c {
            '/' if rest.starts_with(&['/', '/']) => rest.iter().take_while(|c| **c != '\n').count(),
            '/' if rest.starts_with(&['/', '*']) => block_comment(rest),
            '"' => text(rest),
            '\'' => character(rest),
            'r' | 'b' | 'c' if literal_prefix(rest).is_some() => raw_or_prefixed(rest),
            c if c.is_alphabetic() || c == '_' => {
                let name: String = rest
                    .iter()
                    .take_while(|c| c.is_alphanumeric() || **c == '_')
                    .collect();
                let length = name.chars().count();
                tokens.push(Token::Name(name));
                length
            }
            c if c.is_numeric() => rest
                .iter()
                .take_while(|c| c.is_alphanumeric() || **c == '_')
                .count(),
            ':' if rest.starts_with(&[':', ':']) => {
                tokens.push(Token::Step);
                2
            }
            c => {
                if !c.is_whitespace() {
                    tokens.push(Token::Sign(c));
                }
                1
            }
        };
    }
    tokens
}

fn block_comment(rest: &[char]) -> usize {
    let (mut depth, mut at) = (0, 0);
    while at < rest.len() {
        match rest[at..] {
            ['/', '*', ..] => (depth, at) = (depth + 1, at + 2),
            ['*', '/', ..] if depth == 1 => return at + 2,
            ['*', '/', ..] => (depth, at) = (depth - 1, at + 2),
            _ => at += 1,
        }
    }
    at
}

fn text(rest: &[char]) -> usize {
    let mut at = 1;
    while at < rest.len() && rest[at] != '"' {
        at += if rest[at] == '\\' { 2 } else { 1 };
    }
    at + 1
}

/// A character, or the apostrophe of a lifetime.
fn character(rest: &[char]) -> usize {
    match rest {
        ['\'', '\\', ..] => 3 + rest[3..].iter().take_while(|c| **c != '\'').count(),
        ['\'', _, '\'', ..] => 3,
        _ => 1,
    }
}

/// The letters before a raw or byte text, when it is one: `r#"`, `b"`, `br"`, `r#name` is not.
fn literal_prefix(rest: &[char]) -> Option<(usize, usize)> {
    let letters = rest.iter().take_while(|c| matches!(c, 'r' | 'b' | 'c')).count();
    let hashes = rest[letters..].iter().take_while(|c| **c == '#').count();
    (letters <= 2 && rest.get(letters + hashes) == Some(&'"')).then_some((letters, hashes))
}

fn raw_or_prefixed(rest: &[char]) -> usize {
    let Some((letters, hashes)) = literal_prefix(rest) else {
        return 1;
    };
    if !rest[..letters].contains(&'r') {
        return letters + text(&rest[letters..]);
    }
    let start = letters + hashes + 1;
    let end: Vec<char> = std::iter::once('"')
        .chain(std::iter::repeat_n('#', hashes))
        .collect();
    let body = rest[start..]
        .windows(end.len())
        .position(|window| window == end)
        .unwrap_or(rest.len() - start);
    (start + body + end.len()).min(rest.len())
}

/// Every path that the tokens name, `use` trees spread out: `use a::{b, c::d}` gives `a::b` and `a::c::d`.
pub(super) fn paths(tokens: &[Token]) -> Vec<Vec<String>> {
    let mut found = Vec::new();
    let mut at = 0;
    while at < tokens.len() {
        if matches!(&tokens[at], Token::Name(_)) {
            at = tree(tokens, at, &[], &mut found);
        } else {
            at += 1;
        }
    }
    found
}

/// Reads one path or tree that begins at `at`; where it ends.
fn tree(tokens: &[Token], mut at: usize, before: &[String], found: &mut Vec<Vec<String>>) -> usize {
    let mut path = before.to_vec();
    loop {
        match tokens.get(at) {
            Some(Token::Name(name)) => path.push(name.clone()),
            Some(Token::Sign('*')) if path.len() > before.len() || !before.is_empty() => {}
            Some(Token::Sign('{')) if !path.is_empty() => {
                at += 1;
                while !matches!(tokens.get(at), None | Some(Token::Sign('}'))) {
                    at = match tokens[at] {
                        Token::Name(_) => tree(tokens, at, &path, found),
                        _ => at + 1,
                    };
                }
                return at + 1;
            }
            _ => {
                found.push(path);
                return at;
            }
        }
        at += 1;
        if tokens.get(at) != Some(&Token::Step) {
            found.push(path);
            return at;
        }
        at += 1;
    }
}

/// What comes before the tests at the end of a file.
pub(super) fn without_tests(source: &str) -> &str {
    source
        .find("#[cfg(test)]\nmod ")
        .map_or(source, |end| &source[..end])
}
