//! Bytes to records: CSV as it is found, with the line that each record begins on.
//!
//! Built on the state machine of the `csv` crate and not on its reader, which neither tells a quote that
//! is never closed nor bounds how much text one may swallow.

use std::io::{self, BufRead};

use csv_core::ReadRecordResult;

use super::encoding::{self, Decoded, Encoding};

/// The longest record, in bytes. The longest description is 100,000 characters.
pub(super) const MAX_RECORD: usize = 1024 * 1024;

const MAX_FIELDS: usize = 4_096;

/// One record, all of its fields as they stand in the file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Record {
    /// The line of the file that it begins on, from 1.
    pub line: u64,
    text: String,
    ends: Vec<usize>,
    /// Why it cannot be trusted.
    pub damage: Option<&'static str>,
    pub windows_1252: bool,
}

impl Record {
    pub(super) fn len(&self) -> usize {
        self.ends.len()
    }

    pub(super) fn bytes(&self) -> usize {
        self.text.len()
    }

    pub(super) fn get(&self, index: usize) -> Option<&str> {
        let start = match index.checked_sub(1) {
            Some(before) => *self.ends.get(before)?,
            None => 0,
        };
        self.text.get(start..*self.ends.get(index)?)
    }

    pub(super) fn fields(&self) -> impl Iterator<Item = &str> {
        (0..self.len()).filter_map(|index| self.get(index))
    }

    /// Whether nothing stands in any field, as in the rows that a spreadsheet leaves at the end.
    pub(super) fn is_blank(&self) -> bool {
        self.text.trim().is_empty()
    }
}

/// Reads records, whether lines end in LF, CRLF or CR.
pub(super) struct RecordReader<R> {
    input: R,
    core: csv_core::Reader,
    /// The line of the next byte.
    line: u64,
    after_cr: bool,
    text: Vec<u8>,
    ends: Vec<usize>,
    /// What earlier records were, which tells a cut UTF-8 character from a Windows-1252 letter.
    was_utf8: bool,
}

/// How much of the record under way lies in the buffers.
#[derive(Default)]
struct Filled {
    text: usize,
    ends: usize,
    /// The fields that were whole when more came than is kept: the rest is read and dropped.
    over: Option<Decoded>,
}

impl<R: BufRead> RecordReader<R> {
    pub(super) fn new(input: R, delimiter: u8) -> Self {
        Self {
            input,
            core: csv_core::ReaderBuilder::new().delimiter(delimiter).build(),
            line: 1,
            after_cr: false,
            text: vec![0; 16 * 1024],
            ends: vec![0; 128],
            was_utf8: false,
        }
    }

    pub(super) fn next(&mut self) -> io::Result<Option<Record>> {
        if !self.skip_line_ends()? {
            return Ok(None);
        }
        let line = self.line;
        let mut filled = Filled::default();
        let mut unclosed = false;
        loop {
            let buffer = self.input.fill_buf()?;
            let at_end = buffer.is_empty();
            // A line end closes a record unless a quote is open; the second time the end is told as it is.
            let input = match (at_end, unclosed) {
                (false, _) => buffer,
                (true, false) => b"\n".as_slice(),
                (true, true) => &[],
            };
            let text = self
                .text
                .get_mut(if filled.over.is_some() { 0 } else { filled.text }..)
                .unwrap_or_default();
            let ends = self
                .ends
                .get_mut(if filled.over.is_some() { 0 } else { filled.ends }..)
                .unwrap_or_default();
            let (result, read, wrote, ended) = self.core.read_record(input, text, ends);
            if !at_end {
                count_lines(
                    input.get(..read).unwrap_or_default(),
                    &mut self.line,
                    &mut self.after_cr,
                );
                self.input.consume(read);
            }
            if filled.over.is_none() {
                filled.text += wrote;
                filled.ends += ended;
            }
            match result {
                ReadRecordResult::Record | ReadRecordResult::End => {
                    return Ok(Some(self.record(line, filled, unclosed)));
                }
                ReadRecordResult::InputEmpty => unclosed |= at_end,
                ReadRecordResult::OutputFull | ReadRecordResult::OutputEndsFull => self.grow(&mut filled),
            }
        }
    }

    /// Whether anything is left after them.
    fn skip_line_ends(&mut self) -> io::Result<bool> {
        loop {
            let buffer = self.input.fill_buf()?;
            if buffer.is_empty() {
                return Ok(false);
            }
            let skip = buffer
                .iter()
                .take_while(|byte| matches!(byte, b'\r' | b'\n'))
                .count();
            let more = skip < buffer.len();
            count_lines(
                buffer.get(..skip).unwrap_or_default(),
                &mut self.line,
                &mut self.after_cr,
            );
            self.input.consume(skip);
            if more {
                return Ok(true);
            }
        }
    }

    fn grow(&mut self, filled: &mut Filled) {
        if filled.over.is_some() {
            return;
        }
        let full = (filled.text == self.text.len() && self.text.len() >= MAX_RECORD)
            || (filled.ends == self.ends.len() && self.ends.len() >= MAX_FIELDS);
        if full {
            let ends = self.ends.get(..filled.ends).unwrap_or_default();
            let whole = self
                .text
                .get(..ends.last().copied().unwrap_or_default())
                .unwrap_or_default();
            filled.over = Some(encoding::decode(whole, ends));
            return;
        }
        if filled.text == self.text.len() {
            self.text.resize((self.text.len() * 2).min(MAX_RECORD), 0);
        }
        if filled.ends == self.ends.len() {
            self.ends.resize((self.ends.len() * 2).min(MAX_FIELDS), 0);
        }
    }

    fn record(&mut self, line: u64, filled: Filled, unclosed: bool) -> Record {
        if let Some(Decoded { text, ends, .. }) = filled.over {
            let damage = Some("is longer than 1 MiB: a quote may be missing");
            return Record {
                line,
                text,
                ends,
                damage,
                windows_1252: false,
            };
        }
        let bytes = self.text.get(..filled.text).unwrap_or_default();
        let ends = self.ends.get(..filled.ends).unwrap_or_default();
        let decoded = encoding::decode(bytes, ends);
        self.was_utf8 |= decoded.encoding == Encoding::Utf8;
        let cut = decoded.encoding == Encoding::Utf8Cut && self.was_utf8;
        let damage = if unclosed {
            Some("opens a quote that is never closed: the file is cut off here, or a quote is missing")
        } else if cut {
            Some("ends in the middle of a character: the file is cut off here")
        } else {
            None
        };
        let windows_1252 =
            matches!(decoded.encoding, Encoding::Windows1252 | Encoding::Utf8Cut) && damage.is_none();
        Record {
            line,
            text: decoded.text,
            ends: decoded.ends,
            damage,
            windows_1252,
        }
    }
}

fn count_lines(bytes: &[u8], line: &mut u64, after_cr: &mut bool) {
    for byte in bytes {
        if *byte == b'\r' || (*byte == b'\n' && !*after_cr) {
            *line += 1;
        }
        *after_cr = *byte == b'\r';
    }
}

#[cfg(test)]
mod tests {
    use std::io::BufReader;

    use proptest::prelude::*;

    use super::*;

    fn read(bytes: &[u8], buffer: usize) -> Vec<Record> {
        let mut reader = RecordReader::new(BufReader::with_capacity(buffer, bytes), b',');
        std::iter::from_fn(|| reader.next().unwrap()).collect()
    }

    fn lines(bytes: &[u8]) -> Vec<(u64, usize, bool)> {
        read(bytes, 7)
            .iter()
            .map(|record| (record.line, record.len(), record.damage.is_some()))
            .collect()
    }

    #[test]
    fn records_begin_on_the_lines_of_the_file() {
        for end in ["\n", "\r\n", "\r"] {
            let text = "a,b\n\n\"1\n2\",3\n4,\"\"\n".replace('\n', end);
            assert_eq!(
                lines(text.as_bytes()),
                [(1, 2, false), (3, 2, false), (5, 2, false)],
                "{end:?}"
            );
        }
    }

    #[test]
    fn only_quotes_that_are_never_closed_are_damage() {
        for (text, damaged) in [
            ("a,b", false),
            ("a,\"b\"", false),
            ("a,\"b\"\r", false),
            ("a,\"\"", false),
            ("a,\"b\"\"\"", false),
            ("a,\"b", true),
            ("a,\"b\n", true),
            ("a,\"b\n\n\n", true),
            ("\"", true),
            ("a,\"b\"\"", true),
        ] {
            let records = lines(text.as_bytes());
            assert_eq!(
                records.iter().map(|record| record.2).collect::<Vec<_>>(),
                [damaged],
                "{text:?}"
            );
        }
    }

    #[test]
    fn a_record_that_swallows_the_file_keeps_its_first_fields_only() {
        let text = format!("a,b,\"{}\",c\nd,e\n", "x\n".repeat(MAX_RECORD));
        let records = read(text.as_bytes(), 64 * 1024);
        let first = records.first().unwrap();
        assert_eq!(
            (first.line, first.get(0), first.get(1), first.get(2)),
            (1, Some("a"), Some("b"), None)
        );
        assert!(first.damage.is_some());
        let second = records.get(1).unwrap();
        assert_eq!(
            (second.line, second.get(0)),
            (u64::try_from(MAX_RECORD).unwrap() + 2, Some("d"))
        );
    }

    proptest! {
        #[test]
        fn what_is_written_is_read(
            records in prop::collection::vec(prop::collection::vec("[a-zé,\"\r\n ]{0,12}", 1..5), 0..8),
            buffer in 1_usize..40,
        ) {
            let mut writer = csv::WriterBuilder::new().flexible(true).from_writer(Vec::new());
            for record in &records {
                writer.write_record(record).unwrap();
            }
            let bytes = writer.into_inner().unwrap();
            let found = read(&bytes, buffer);
            let fields: Vec<Vec<&str>> = found.iter().map(|record| record.fields().collect()).collect();
            prop_assert_eq!(fields, records);
            prop_assert!(found.iter().all(|record| record.damage.is_none() && !record.windows_1252));
        }

        #[test]
        fn any_bytes_are_records_of_some_kind(bytes in prop::collection::vec(any::<u8>(), 0..200), buffer in 1_usize..40) {
            let whole = read(&bytes, 64 * 1024);
            prop_assert_eq!(read(&bytes, buffer), whole);
        }
    }
}
