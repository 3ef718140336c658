//! The second pass: records to products to batches, on a thread of its own, a little ahead of the database.

use std::collections::HashSet;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::AtomicU64;

use tokio::sync::mpsc;

use super::columns::{Column, Columns};
use super::error::ExchangeError;
use super::product::{self, Checked, FileProduct, Group};
use super::reader::Record;
use super::report::{Note, Tally};
use super::source::Source;
use super::survey;
use super::{MAX_IMAGES, MAX_VARIANTS};
use crate::kernel::money::Currency;

/// What one transaction takes: few enough to hold locks and memory for a short while only.
const MAX_PRODUCTS: usize = 200;
const MAX_ROWS: usize = 4_000;
const MAX_BYTES: usize = 8 * 1024 * 1024;

/// What is kept of one product.
const MAX_PRODUCT_BYTES: usize = 16 * 1024 * 1024;

/// A part of the file.
#[derive(Debug, Default)]
pub(super) struct Batch {
    pub products: Vec<(FileProduct, Vec<Note>)>,
    pub records: u64,
    /// What was left out.
    pub rejected: Tally,
    pub rejected_rows: Vec<Note>,
    pub warnings: Vec<Note>,
    rows: usize,
    bytes: usize,
}

struct Reading {
    columns: Arc<Columns>,
    currency: Currency,
    scattered: HashSet<u64>,
    scattered_told: HashSet<u64>,
    warned_of_encoding: bool,
    batch: Batch,
    out: mpsc::Sender<Batch>,
}

/// Nobody takes the batches any more.
struct Gone;

/// Reads the file twice and sends its products. Blocks: not for an async thread.
pub(super) fn read(
    path: &Path,
    currency: Currency,
    read: Arc<AtomicU64>,
    out: mpsc::Sender<Batch>,
) -> Result<(), ExchangeError> {
    let scattered = survey::scattered(&mut Source::open(path, Arc::default())?)?;
    let mut source = Source::open(path, read)?;
    let mut reading = Reading {
        columns: Arc::clone(&source.columns),
        currency,
        scattered,
        scattered_told: HashSet::new(),
        warned_of_encoding: false,
        batch: Batch::default(),
        out,
    };
    let mut group: Option<Group> = None;
    let mut bytes = 0;
    while let Some(record) = source.next()? {
        reading.batch.records += 1;
        reading.warn_of_encoding(&record);
        let Some(handle) = reading.columns.filled(&record, Column::Handle).map(str::to_owned) else {
            reading.reject_homeless(&record);
            continue;
        };
        match &mut group {
            Some(group) if group.handle == handle => {
                bytes += record.bytes();
                if group.rows.len() < MAX_VARIANTS + MAX_IMAGES && bytes < MAX_PRODUCT_BYTES {
                    group.rows.push(record);
                } else {
                    group.dropped += 1;
                }
            }
            _ => {
                bytes = record.bytes();
                let next = Group {
                    handle,
                    line: record.line,
                    rows: vec![record],
                    dropped: 0,
                };
                if let Some(done) = group.replace(next)
                    && reading.finish(&done).is_err()
                {
                    return Ok(());
                }
            }
        }
    }
    if let Some(done) = group {
        // Whoever went away early has its own reason to tell.
        let _ = reading.finish(&done);
    }
    let _ = reading.send();
    Ok(())
}

impl Reading {
    fn warn_of_encoding(&mut self, record: &Record) {
        if record.windows_1252 && !self.warned_of_encoding {
            self.warned_of_encoding = true;
            let reason = "is not UTF-8: read as Windows-1252, like every other such row";
            self.batch.warnings.push(Note::new(record.line, reason));
        }
    }

    fn reject_homeless(&mut self, record: &Record) {
        let reason = record.damage.unwrap_or("Handle is blank");
        self.batch.rejected_rows.push(Note::new(record.line, reason));
    }

    fn finish(&mut self, group: &Group) -> Result<(), Gone> {
        let key = survey::key(&group.handle);
        if self.scattered.contains(&key) {
            self.reject_scattered(group, key);
        } else {
            match product::check(group, &self.columns, self.currency) {
                Checked::Good { product, warnings } => self.batch.products.push((*product, warnings)),
                Checked::Bad { notes, tally } => {
                    self.batch.rejected_rows.extend(notes);
                    self.batch.rejected.add(tally);
                }
            }
        }
        self.batch.rows += group.rows.len();
        self.batch.bytes += group.rows.iter().map(Record::bytes).sum::<usize>();
        let full = self.batch.products.len() >= MAX_PRODUCTS
            || self.batch.rows >= MAX_ROWS
            || self.batch.bytes >= MAX_BYTES;
        if full { self.send() } else { Ok(()) }
    }

    fn reject_scattered(&mut self, group: &Group, key: u64) {
        let reason = format!(
            "the rows of {:?} do not stand together: sort the file by Handle",
            group.handle.chars().take(80).collect::<String>()
        );
        self.batch.rejected_rows.push(Note::new(group.line, reason));
        let mut tally = product::tally(group, &self.columns);
        if !self.scattered_told.insert(key) {
            tally.products.rejected = 0;
        }
        self.batch.rejected.add(tally);
    }

    fn send(&mut self) -> Result<(), Gone> {
        self.out
            .blocking_send(std::mem::take(&mut self.batch))
            .map_err(|_| Gone)
    }
}
