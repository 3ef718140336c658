//! One record at the beginning of some bytes.
//!
//! Reads what the `csv` crate reads, and tells beside it what that one does not: quotes that are never
//! closed, and quotes where none belong.

/// The fields of a record as bytes, one after the other, and where each ends.
#[derive(Debug, Default)]
pub(super) struct Fields {
    pub text: Vec<u8>,
    pub ends: Vec<usize>,
}

impl Fields {
    fn end_field(&mut self) {
        self.ends.push(self.text.len());
    }

    pub(super) fn get(&self, index: usize) -> Option<&[u8]> {
        let start = match index.checked_sub(1) {
            Some(before) => *self.ends.get(before)?,
            None => 0,
        };
        self.text.get(start..*self.ends.get(index)?)
    }

    /// Makes fields of what stands after the last whole one, as if its quote were not there.
    pub(super) fn split_rest(&mut self, delimiter: u8) {
        let whole = self.ends.last().copied().unwrap_or_default();
        let rest = self.text.split_off(whole);
        self.split(&rest, delimiter);
    }

    /// Makes fields of a line as if there were no quotes at all.
    pub(super) fn split_line(&mut self, line: &[u8], delimiter: u8) {
        self.text.clear();
        self.ends.clear();
        self.split(line, delimiter);
    }

    fn split(&mut self, line: &[u8], delimiter: u8) {
        for piece in line.split(|byte| *byte == delimiter) {
            self.text.extend(piece.iter().filter(|byte| **byte != b'"'));
            self.end_field();
        }
    }
}

/// Where a record ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum End {
    /// After so many bytes, its line end among them.
    After(usize),
    /// Not in these bytes.
    Open { quoted: bool },
    /// It has more fields than asked for.
    Wide,
    /// It has a quote where none belongs, and that was not to be overlooked.
    Misquoted,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Scan {
    pub end: End,
    /// Quotes go on over a line end.
    pub over_lines: bool,
    /// The first field in which text stands between a closing quote and its end.
    pub torn: Option<usize>,
}

/// How to read.
#[derive(Clone, Copy, Debug)]
pub(super) struct Manner {
    pub delimiter: u8,
    pub most_fields: usize,
    /// Give up at a quote where none belongs.
    pub strict: bool,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum State {
    FieldStart,
    Plain,
    Quoted,
    /// After a quote in quotes: their end, or the first half of one that is meant.
    Quote,
    /// After closing quotes and space.
    Closed,
}

/// Reads a record. `last`: nothing comes after these bytes, which end a record that is not in quotes.
pub(super) fn record(bytes: &[u8], last: bool, manner: Manner, fields: &mut Fields) -> Scan {
    fields.text.clear();
    fields.ends.clear();
    let mut state = State::FieldStart;
    let mut scan = Scan {
        end: End::After(bytes.len()),
        over_lines: false,
        torn: None,
    };
    for (index, &byte) in bytes.iter().enumerate() {
        let line_end = matches!(byte, b'\n' | b'\r');
        state = match state {
            State::Quoted if byte == b'"' => State::Quote,
            State::Quoted => {
                scan.over_lines |= line_end;
                fields.text.push(byte);
                State::Quoted
            }
            State::Quote if byte == b'"' => {
                fields.text.push(byte);
                State::Quoted
            }
            _ if line_end => {
                fields.end_field();
                scan.end = End::After(index + 1);
                return scan;
            }
            _ if byte == manner.delimiter => {
                fields.end_field();
                if fields.ends.len() >= manner.most_fields {
                    scan.end = End::Wide;
                    return scan;
                }
                State::FieldStart
            }
            State::FieldStart if byte == b'"' => State::Quoted,
            State::Quote | State::Closed if byte == b' ' => {
                fields.text.push(byte);
                State::Closed
            }
            State::FieldStart | State::Plain | State::Quote | State::Closed => {
                let torn = matches!(state, State::Quote | State::Closed);
                if manner.strict && (torn || byte == b'"') {
                    scan.end = End::Misquoted;
                    return scan;
                }
                scan.torn = scan.torn.or(torn.then_some(fields.ends.len()));
                fields.text.push(byte);
                State::Plain
            }
        };
    }
    let quoted = state == State::Quoted;
    if quoted || !last {
        scan.end = End::Open { quoted };
    } else {
        fields.end_field();
    }
    scan
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const LENIENT: Manner = Manner {
        delimiter: b',',
        most_fields: 100,
        strict: false,
    };

    fn scan(text: &str, strict: bool) -> (Scan, Vec<String>) {
        let mut fields = Fields::default();
        let scan = record(text.as_bytes(), true, Manner { strict, ..LENIENT }, &mut fields);
        let texts =
            (0..fields.ends.len()).map(|n| String::from_utf8(fields.get(n).unwrap().to_vec()).unwrap());
        (scan, texts.collect())
    }

    #[test]
    fn quotes_that_are_out_of_place_are_told() {
        for (text, end, over_lines, torn, strict) in [
            ("a,b", End::After(3), false, false, true),
            ("a,\"b\n\",c\nd", End::After(9), true, false, true),
            ("a,\"b\"\"\"\r\n", End::After(8), false, false, true),
            ("a,\"b\" ,c\n", End::After(9), false, false, true),
            ("a,\"b\"c\n", End::After(7), false, true, false),
            ("a,\"b\" c\n", End::After(8), false, true, false),
            ("a,5\" pipe\n", End::After(10), false, false, false),
            ("a,\"b\n", End::Open { quoted: true }, true, false, true),
            ("a,\"b\"\"", End::Open { quoted: true }, false, false, true),
        ] {
            let wanted = Scan {
                end,
                over_lines,
                torn: torn.then_some(1),
            };
            assert_eq!(scan(text, false).0, wanted, "{text:?}");
            let strictly = scan(text, true).0;
            assert_eq!(strictly.end == End::Misquoted, !strict, "{text:?}");
            assert!(!strict || strictly == wanted, "{text:?}");
        }
    }

    #[test]
    fn the_rest_can_be_read_without_its_quote() {
        let mut fields = Fields::default();
        record(b"a,\"b,c", true, LENIENT, &mut fields);
        fields.split_rest(b',');
        assert_eq!(
            (0..4).map(|n| fields.get(n)).collect::<Vec<_>>(),
            [Some(b"a".as_slice()), Some(b"b"), Some(b"c"), None]
        );
    }

    #[test]
    fn a_line_can_be_read_without_quotes() {
        let mut fields = Fields::default();
        fields.split_line(b"\"a,\"\",\"b\"", b',');
        assert_eq!(
            (0..4).map(|n| fields.get(n)).collect::<Vec<_>>(),
            [Some(b"a".as_slice()), Some(b""), Some(b"b"), None]
        );
    }

    proptest! {
        #[test]
        fn fields_are_those_of_the_csv_crate(text in "[ab,\"\r\n ]{0,40}") {
            // That one takes empty lines for nothing, this one is not shown any.
            let text = text.trim_start_matches(['\r', '\n']);
            prop_assume!(!text.is_empty());
            let mut reader = csv::ReaderBuilder::new().has_headers(false).flexible(true).from_reader(text.as_bytes());
            let first = reader.records().next().unwrap().unwrap();
            let (scan, fields) = scan(text, false);
            if matches!(scan.end, End::After(_)) {
                prop_assert_eq!(fields, first.iter().collect::<Vec<_>>());
            }
        }
    }
}
