//! Bytes to records: CSV as it is found, with the line that each record begins on.
//!
//! A quote too few or too many turns all that follows inside out: rows become the text of one field. So
//! a record that goes on over several lines is looked at twice. Where it is damaged (its quotes are never
//! closed, it is too long, it has not as many fields as the header, or text follows a closing quote),
//! reading goes on at the first line inside it that, read anew, is a row. Where nothing is wrong with it
//! it is believed, unless from one of its lines on it reads just as well as rows: the lines of a long
//! description are no rows, and the one that closes it is not either.
//!
//! All that takes one look ahead, which [`MAX_RECORD`] bounds.

use std::collections::HashSet;
use std::io::{self, BufRead, Read as _};
use std::sync::Arc;

use super::columns::{Column, Columns};
use super::encoding::{self, Encoding};
use super::record::Record;
use super::scan::{self, End, Fields, Manner, Scan};
use super::survey;

/// The longest record, in bytes. The longest description is 100,000 characters.
pub(super) const MAX_RECORD: usize = 1024 * 1024;

const MAX_FIELDS: usize = 4_096;

/// How much is read at once at least.
const CHUNK: usize = 64 * 1024;

const TORN: &str = "has text after a closing quote: a quote is missing, or one too many";
const MISPLACED: &str = "has a quote too few or too many";

/// Reads records, whether lines end in LF, CRLF or CR.
pub(super) struct RecordReader<R> {
    input: R,
    delimiter: u8,
    /// How rows look, as soon as the header is known.
    columns: Option<Arc<Columns>>,
    /// What has been read ahead, of which the first `start` bytes are done with.
    window: Vec<u8>,
    start: usize,
    /// Bytes before `start`, from the beginning.
    passed: usize,
    ended: bool,
    /// The line of the next byte.
    line: u64,
    after_cr: bool,
    at_line_start: bool,
    fields: Fields,
    /// What earlier records were, which tells a cut UTF-8 character from a Windows-1252 letter.
    was_utf8: bool,
    /// Keys of the handles on the lines lost since the last good row: a product that goes on now lacks rows.
    lost: HashSet<u64>,
}

impl<R: BufRead> RecordReader<R> {
    pub(super) fn new(input: R, delimiter: u8) -> Self {
        Self {
            input,
            delimiter,
            columns: None,
            window: Vec::new(),
            start: 0,
            passed: 0,
            ended: false,
            line: 1,
            after_cr: false,
            at_line_start: true,
            fields: Fields::default(),
            was_utf8: false,
            lost: HashSet::new(),
        }
    }

    /// Tells how rows look.
    pub(super) fn expect(&mut self, columns: Arc<Columns>) {
        self.columns = Some(columns);
    }

    pub(super) fn next(&mut self) -> io::Result<Option<Record>> {
        if !self.skip_line_ends()? {
            return Ok(None);
        }
        let scan = self.scan(0, MAX_FIELDS, false)?;
        let mut record = match scan.end {
            End::After(length) => self.whole(length, scan)?,
            End::Open { quoted: true } if self.ended && self.ahead().len() < MAX_RECORD => {
                self.lost("opens a quote that is never closed")?
            }
            End::Open { .. } | End::Wide | End::Misquoted => {
                self.lost("is longer than 1 MiB, or has thousands of fields: a quote may be missing")?
            }
        };
        let width = self.columns.as_ref().map(|columns| columns.width);
        if record.damage.is_none() && Some(record.len()) == width && !self.lost.is_empty() {
            let lost = std::mem::take(&mut self.lost);
            if self.key(&record).is_some_and(|key| lost.contains(&key)) {
                record.doubt();
            }
        }
        Ok(Some(record))
    }

    /// A record that has an end, if it is the right one.
    fn whole(&mut self, length: usize, scan: Scan) -> io::Result<Record> {
        let record = self.record(scan);
        let Some(width) = self.columns.as_ref().map(|columns| columns.width) else {
            self.advance(length);
            return Ok(record);
        };
        if !scan.over_lines {
            return Ok(self.line(length, scan, width, record));
        }
        let opening = self.opening();
        if scan.torn.is_none() && record.len() == width {
            let Some(rows) = self.rows_within(length)? else {
                self.advance(length);
                return Ok(record);
            };
            self.lose(self.passed + rows)?;
            return Ok(self.damaged(opening, MISPLACED));
        }
        let end = self.passed + length;
        self.skip_line()?;
        let reason = if self.search(Some(end))? {
            MISPLACED.to_owned()
        } else if scan.torn.is_some() {
            TORN.to_owned()
        } else {
            uneven_by(record.len(), width)
        };
        Ok(self.damaged(opening, &reason))
    }

    /// A record on one line.
    fn line(&mut self, length: usize, scan: Scan, width: usize, record: Record) -> Record {
        let torn = scan.torn.is_some_and(|field| Some(field) <= self.handle_index());
        let uneven = (record.len() != width).then(|| uneven_by(record.len(), width));
        let mut record = if torn || (uneven.is_some() && self.is_run_together()) {
            Record {
                damage: record.damage.or(uneven.clone()),
                ..self.opening()
            }
        } else {
            record
        };
        self.advance(length);
        // Another cell may stand in its place.
        if uneven.is_some() && self.handle_index() > Some(0) {
            record.damage = record.damage.or(uneven);
            record.astray = true;
        }
        record
    }

    /// Whether several cells of the fields just scanned seem to be the handle.
    fn is_run_together(&self) -> bool {
        let handle = self.handle_index().and_then(|index| self.fields.get(index));
        handle.is_some_and(|handle| handle.contains(&self.delimiter))
    }

    fn handle_index(&self) -> Option<usize> {
        self.columns
            .as_ref()
            .and_then(|columns| columns.index(Column::Handle))
    }

    /// What stands for the handle where only equality matters.
    fn key(&self, record: &Record) -> Option<u64> {
        let handle = self.columns.as_ref()?.handle(record)?;
        Some(survey::key(&handle))
    }

    /// A record that ends nowhere.
    fn lost(&mut self, reason: &str) -> io::Result<Record> {
        let opening = self.opening();
        self.skip_line()?;
        self.search(None)?;
        Ok(self.damaged(opening, reason))
    }

    /// What can be said of a damaged record: the fields on its first line.
    fn opening(&mut self) -> Record {
        let ahead = self.window.get(self.start..).unwrap_or_default();
        let first = ahead.iter().position(|byte| matches!(byte, b'\r' | b'\n'));
        let line = ahead.get(..first.unwrap_or(ahead.len())).unwrap_or_default();
        let last = first.is_some() || self.ended;
        let scan = scan::record(
            line,
            last,
            manner(self.delimiter, MAX_FIELDS, false),
            &mut self.fields,
        );
        let whole = scan.torn.unwrap_or(self.fields.ends.len());
        let astray = self.handle_index().is_some_and(|index| index >= whole) || self.is_run_together();
        if astray {
            self.fields.split_line(line, self.delimiter);
        } else if last && scan.end == (End::Open { quoted: true }) {
            self.fields.split_rest(self.delimiter);
        }
        let whole = self.fields.ends.last().copied().unwrap_or_default();
        self.fields.text.truncate(whole);
        let decoded = encoding::decode(&self.fields.text, &self.fields.ends);
        Record {
            line: self.line,
            text: decoded.text,
            ends: decoded.ends,
            damage: None,
            astray,
            windows_1252: false,
        }
    }

    fn damaged(&self, opening: Record, reason: &str) -> Record {
        // The last line of a file may have no end.
        let last = self.line - u64::from(self.at_line_start);
        let lost = if last <= opening.line {
            "the line is left out".to_owned()
        } else {
            format!("lines {} to {last} are left out", opening.line)
        };
        Record {
            damage: Some(format!("{reason}: {lost}")),
            ..opening
        }
    }

    /// Goes on to the next line that begins a row, to `end` at most. Whether there is one.
    fn search(&mut self, end: Option<usize>) -> io::Result<bool> {
        loop {
            if end.is_some_and(|end| self.passed >= end) || !self.skip_line_ends()? {
                return Ok(false);
            }
            if self.row(0)?.is_some() {
                return Ok(true);
            }
            self.lose_line()?;
        }
    }

    /// Passes over a record, to a line inside it.
    fn lose(&mut self, end: usize) -> io::Result<()> {
        self.skip_line()?;
        while self.passed < end {
            self.lose_line()?;
        }
        Ok(())
    }

    /// Passes over a line, and remembers what may be its handle.
    fn lose_line(&mut self) -> io::Result<()> {
        while after_line(self.ahead()) == self.ahead().len() && !self.ended && self.ahead().len() < MAX_RECORD
        {
            self.fill()?;
        }
        let opening = self.opening();
        let key = self.key(&opening);
        self.lost.extend(key);
        self.skip_line()
    }

    /// Where, if anywhere, rows begin inside the record that is so long and go on to its end.
    fn rows_within(&mut self, length: usize) -> io::Result<Option<usize>> {
        let mut begin = 0;
        let mut at = 0;
        while at < length {
            if let Some(row) = self.row(at)?.filter(|_| at > 0) {
                at += row;
                at += line_ends(self.ahead().get(at..).unwrap_or_default());
                continue;
            }
            at += after_line(self.ahead().get(at..).unwrap_or_default());
            begin = at;
        }
        Ok(Some(begin).filter(|begin| *begin < length))
    }

    /// How long the row is that begins so far ahead, if one does.
    fn row(&mut self, offset: usize) -> io::Result<Option<usize>> {
        let Some(columns) = self.columns.clone() else {
            return Ok(None);
        };
        let scan = self.scan(offset, columns.width, true)?;
        let End::After(length) = scan.end else {
            return Ok(None);
        };
        let is_row = self.fields.ends.len() == columns.width && columns.looks_like_row(&self.record(scan));
        Ok(is_row.then_some(length))
    }

    fn scan(&mut self, offset: usize, most_fields: usize, strict: bool) -> io::Result<Scan> {
        loop {
            let ahead = self.window.get(self.start + offset..).unwrap_or_default();
            let part = ahead.get(..MAX_RECORD).unwrap_or(ahead);
            let last = self.ended && part.len() == ahead.len();
            let manner = manner(self.delimiter, most_fields, strict);
            let scan = scan::record(part, last, manner, &mut self.fields);
            if !matches!(scan.end, End::Open { .. }) || last || part.len() == MAX_RECORD {
                return Ok(scan);
            }
            self.fill()?;
        }
    }

    fn record(&mut self, scan: Scan) -> Record {
        let decoded = encoding::decode(&self.fields.text, &self.fields.ends);
        self.was_utf8 |= decoded.encoding == Encoding::Utf8;
        let cut = decoded.encoding == Encoding::Utf8Cut && self.was_utf8;
        let damage = if scan.torn.is_some() {
            Some(TORN)
        } else if cut {
            Some("ends in the middle of a character: the file is cut off here")
        } else {
            None
        };
        let windows_1252 =
            matches!(decoded.encoding, Encoding::Windows1252 | Encoding::Utf8Cut) && damage.is_none();
        Record {
            line: self.line,
            text: decoded.text,
            ends: decoded.ends,
            damage: damage.map(str::to_owned),
            astray: false,
            windows_1252,
        }
    }

    fn ahead(&self) -> &[u8] {
        self.window.get(self.start..).unwrap_or_default()
    }

    /// Reads about as much as there is already, so that what is looked at anew for it stays in proportion.
    fn fill(&mut self) -> io::Result<()> {
        self.window.drain(..self.start);
        self.start = 0;
        let wanted = self.window.len().clamp(CHUNK, MAX_RECORD);
        let wanted = u64::try_from(wanted).unwrap_or(u64::MAX);
        let read = self.input.by_ref().take(wanted).read_to_end(&mut self.window)?;
        self.ended = read == 0;
        Ok(())
    }

    fn advance(&mut self, length: usize) {
        let done = self
            .window
            .get(self.start..self.start + length)
            .unwrap_or_default();
        for byte in done {
            if *byte == b'\r' || (*byte == b'\n' && !self.after_cr) {
                self.line += 1;
            }
            self.after_cr = *byte == b'\r';
            self.at_line_start = matches!(byte, b'\r' | b'\n');
        }
        self.start += length;
        self.passed += length;
    }

    /// Whether anything is left after them.
    fn skip_line_ends(&mut self) -> io::Result<bool> {
        loop {
            self.advance(line_ends(self.ahead()));
            if !self.ahead().is_empty() {
                return Ok(true);
            }
            if self.ended {
                return Ok(false);
            }
            self.fill()?;
        }
    }

    fn skip_line(&mut self) -> io::Result<()> {
        loop {
            let ahead = self.ahead();
            let length = after_line(ahead);
            let whole = length < ahead.len() || ahead.ends_with(b"\n") || ahead.ends_with(b"\r");
            self.advance(length);
            if whole || self.ended {
                return Ok(());
            }
            self.fill()?;
        }
    }
}

fn uneven_by(fields: usize, width: usize) -> String {
    format!("has {fields} fields where the header has {width}")
}

fn manner(delimiter: u8, most_fields: usize, strict: bool) -> Manner {
    Manner {
        delimiter,
        most_fields,
        strict,
    }
}

fn line_ends(bytes: &[u8]) -> usize {
    bytes
        .iter()
        .take_while(|byte| matches!(byte, b'\r' | b'\n'))
        .count()
}

/// Where the next line begins that is not empty; the end of the bytes if none does.
fn after_line(bytes: &[u8]) -> usize {
    let line = bytes
        .iter()
        .position(|byte| matches!(byte, b'\r' | b'\n'))
        .unwrap_or(bytes.len());
    line + line_ends(bytes.get(line..).unwrap_or_default())
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
