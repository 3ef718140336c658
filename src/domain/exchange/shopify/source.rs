//! A file with its header read: what both passes begin with.

use std::io::BufRead;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::AtomicU64;

use super::columns::Columns;
use super::encoding;
use super::error::ExchangeError;
use super::reader::RecordReader;
use super::record::Record;

pub(super) struct Source {
    records: RecordReader<Box<dyn BufRead + Send>>,
    pub columns: Arc<Columns>,
}

impl Source {
    /// Opens the file, and finds its columns.
    pub(super) fn open(path: &Path, read: Arc<AtomicU64>) -> Result<Self, ExchangeError> {
        let named =
            |error: &std::io::Error| ExchangeError::File(format!("cannot read {}: {error}", path.display()));
        let mut input = encoding::open(path, read).map_err(|error| named(&error))?;
        let delimiter = delimiter(input.fill_buf().map_err(|error| named(&error))?);
        let mut records = RecordReader::new(input, delimiter);
        let header = records.next().map_err(|error| named(&error))?;
        let header = header.ok_or_else(|| ExchangeError::File(format!("{} is empty", path.display())))?;
        if header.fields().any(|name| name.contains('\0')) {
            let message = format!("{} is not text: save it as CSV in UTF-8", path.display());
            return Err(ExchangeError::File(message));
        }
        let refused = |reason: String| ExchangeError::File(format!("{}: {reason}", path.display()));
        let columns = Arc::new(Columns::of(&header).map_err(refused)?);
        let broken = |name: &str| name.trim().contains(['\n', '\r']);
        if header.damage.is_some() || header.fields().any(broken) {
            let reason = "a quote in the header is missing, or one too many";
            return Err(refused(reason.to_owned()));
        }
        records.expect(Arc::clone(&columns));
        Ok(Self { records, columns })
    }

    /// The next record that is not blank.
    pub(super) fn next(&mut self) -> Result<Option<Record>, ExchangeError> {
        loop {
            match self
                .records
                .next()
                .map_err(|error| ExchangeError::reading(&error))?
            {
                Some(record) if record.is_blank() && record.damage.is_none() => {}
                record => return Ok(record),
            }
        }
    }
}

/// Comma, or what a spreadsheet writes in its place in some countries: whichever the header has most of.
fn delimiter(start: &[u8]) -> u8 {
    let mut quoted = false;
    let mut counts = [(b',', 0_usize), (b';', 0), (b'\t', 0)];
    for byte in start {
        match byte {
            b'"' => quoted = !quoted,
            b'\r' | b'\n' if !quoted => break,
            byte if !quoted => {
                counts
                    .iter_mut()
                    .filter(|(delimiter, _)| delimiter == byte)
                    .for_each(|(_, count)| *count += 1);
            }
            _ => {}
        }
    }
    counts
        .iter()
        .rev()
        .max_by_key(|(_, count)| *count)
        .map_or(b',', |(delimiter, _)| *delimiter)
}
