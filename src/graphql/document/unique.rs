//! That no input field is given twice in an object. The parser keeps the last one of them and says nothing, so this
//! looks at the text.

use std::collections::HashSet;

use async_graphql::Pos;

use super::lexer::{Lexer, Token};
use super::{Violation, short};

/// Only for a text that the parser takes: no bracket is out of place.
///
/// # Errors
/// The first field that an object has twice.
pub(super) fn check(text: &str) -> Result<(), Violation> {
    let mut lexer = Lexer::new(text);
    // The brackets that are open, with the fields of each that is an object's: objects stand in parentheses, selections
    // never do. Parentheses stand inside each other where a variable has a directive.
    let mut open: Vec<(u8, Option<HashSet<&[u8]>>)> = Vec::new();
    let mut parentheses = 0_usize;
    let mut last: Option<(Token<'_>, usize)> = None;
    while let Some(token) = lexer.next() {
        match (token, last) {
            (Token::Open(bracket), _) => {
                parentheses += usize::from(bracket == b'(');
                let object = bracket == b'{' && parentheses > 0;
                open.push((bracket, object.then(HashSet::new)));
            }
            (Token::Close, _) => {
                if let Some((b'(', _)) = open.pop() {
                    parentheses -= 1;
                }
            }
            (Token::Colon, Some((Token::Word(name), left))) => {
                if let Some((_, Some(fields))) = open.last_mut()
                    && !fields.insert(name)
                {
                    let pos = position(text, left + name.len());
                    let name = String::from_utf8_lossy(name);
                    let message = format!("Input field \"{}\" is given twice.", short(&name));
                    return Err(Violation::at(pos, message));
                }
            }
            (Token::Colon | Token::Word(_) | Token::Other, _) => {}
        }
        last = Some((token, lexer.left()));
    }
    Ok(())
}

/// Where so many bytes are left.
fn position(text: &str, left: usize) -> Pos {
    let before = text.get(..text.len().saturating_sub(left)).unwrap_or_default();
    let line = before.rsplit('\n').next().unwrap_or_default();
    Pos {
        line: before.split('\n').count(),
        column: line.chars().count() + 1,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_field_is_given_once_in_each_object() {
        for text in [
            "{ a(x: {b: 1, c: {b: 1}}) { b: a c: a b: a } }",
            "{ a(x: [{b: 1}, {b: 1}], b: {b: 1}) { d(x: {b: 1}) } }",
            "query ($b: I = {b: 1}, $c: I = {b: {c: 1}}) { a(x: {b: $b, c: $b, d: \"b: b: b:\"}) b: a b: a }",
            "{ a @include(if: true) { b: a { b: a } b: a } }",
            "query ($n: Int @x(b: {b: 1}) = 1, $f: I = {b: 2}) { b: a b: a(x: {b: 1}) { b: a b: a } }",
        ] {
            assert!(check(text).is_ok(), "{text}");
        }
        for (text, column) in [
            ("{ a(x: {b: 1, b: 1}) }", 15),
            ("{ a(x: {b: {b: 1}, b: 1}) }", 20),
            ("{ a(x: [{c: 1}, {b: B, b: 2}]) }", 24),
            ("query($a: A = {b: 1, b : 1}) { a }", 22),
            ("query($n: N @x(c: 1), $a: A = {b: 1 b: 1}) { a }", 37),
            ("query($n: N @x(c: {b: 1, b: 1})) { a }", 26),
            ("{ a @x(y: {b: $c b: $d}) }", 18),
            ("{ a(x: 1) { a(x: {c: [{b: 1}] b: 1, b: \"\"}) } }", 37),
        ] {
            let violation = check(text).unwrap_err();
            assert_eq!(violation.message, "Input field \"b\" is given twice.", "{text}");
            assert_eq!(violation.pos, Some(Pos { line: 1, column }), "{text}");
        }
    }
}
