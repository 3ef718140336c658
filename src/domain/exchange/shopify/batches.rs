//! The second pass: records to products to batches, on a thread of its own, a little ahead of the database.

use std::borrow::Cow;
use std::collections::HashSet;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::AtomicU64;

use tokio::sync::mpsc;

use super::MAX_VARIANTS;
use super::columns::Columns;
use super::error::ExchangeError;
use super::product::{self, Checked, FileProduct, Group};
use super::record::Record;
use super::report::{Note, Tally};
use super::source::Source;
use super::survey;
use crate::domain::catalog::validate::MAX_IMAGES;
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
    // Nobody knows whose the last row is: of the product before it, or of the one after it.
    let mut beside = false;
    let mut upcoming = source.next()?;
    while let Some(mut record) = upcoming {
        upcoming = source.next()?;
        reading.batch.records += 1;
        reading.warn_of_encoding(&record);
        let Some(handle) = reading.home(&record, group.as_ref(), upcoming.as_ref()) else {
            if record.astray {
                beside = true;
                group.iter_mut().for_each(Group::doubt);
            }
            reading.reject_homeless(record);
            continue;
        };
        if beside {
            beside = record.damage.is_some() || record.len() != reading.columns.width;
            record.doubt();
        }
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

    /// The handle of the product that the record belongs to. Of a damaged one it may be the beginning only,
    /// and where it is a guess, it has to be that of a neighbour.
    fn home(&self, record: &Record, before: Option<&Group>, after: Option<&Record>) -> Option<String> {
        let handle = self.columns.handle(record)?;
        if !record.astray && record.len() == self.columns.width {
            return Some(handle.into_owned());
        }
        let before = before.map(|before| Cow::Borrowed(before.handle.as_str()));
        let after = after.and_then(|after| self.columns.handle(after));
        let neighbours = [before, after];
        let mut near = neighbours.into_iter().flatten();
        let known = near
            .clone()
            .find(|near| *near == handle)
            .or_else(|| near.find(|near| near.starts_with(handle.as_ref())));
        let own = (!record.astray).then_some(handle);
        known.or(own).map(Cow::into_owned)
    }

    fn reject_homeless(&mut self, record: Record) {
        let reason = record.damage.unwrap_or_else(|| "Handle is blank".to_owned());
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

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use proptest::prelude::*;

    use super::*;

    const HEADER: &str = "Handle,Title,Body (HTML),Tags,Option1 Name,Option1 Value,Variant Price,Image Src,Status,Cost per item";

    /// The products without their lines, and what was rejected.
    fn products(bytes: &[u8]) -> Result<(BTreeMap<String, FileProduct>, Vec<Note>), ExchangeError> {
        let file = tempfile::NamedTempFile::new().unwrap();
        std::fs::write(file.path(), bytes).unwrap();
        let (send, mut batches) = mpsc::channel(1_000);
        read(file.path(), "USD".parse().unwrap(), Arc::default(), send)?;
        let (mut products, mut rejected) = (BTreeMap::new(), Vec::new());
        while let Ok(batch) = batches.try_recv() {
            rejected.extend(batch.rejected_rows);
            for (mut product, _) in batch.products {
                product.line = 0;
                product.variants.iter_mut().for_each(|variant| variant.line = 0);
                products.insert(product.handle.clone(), product);
            }
        }
        Ok((products, rejected))
    }

    /// Title, description, tags, and the last cells of its rows.
    type Product = (String, String, String, Vec<String>);

    fn product() -> impl Strategy<Value = Product> {
        let body = prop_oneof![
            Just(String::new()),
            "[a-c][a-c ]{0,9}",
            // Without letters: a description that has the beginning of a row in it, up to a comma before the
            // quote, is one for all that anybody can tell.
            "[,\n]?(<p>[! ,\"\n]{0,9}</p>\n?){1,3}",
            "[!,\"\n]{0,12}",
        ];
        let tags = prop_oneof![Just(""), Just("x"), Just("x, y")].prop_map(str::to_owned);
        let last = prop_oneof![Just(""), Just("5"), Just("\n5"), Just(",5")].prop_map(str::to_owned);
        ("[A-C]( 5\")?", body, tags, prop::collection::vec(last, 1..4))
    }

    /// The handle and the text of each row.
    fn rows(products: &[Product], quotes: csv::QuoteStyle, crlf: bool) -> Vec<(String, String)> {
        let mut rows = Vec::new();
        for (number, (title, body, tags, last)) in products.iter().enumerate() {
            for (index, last) in last.iter().enumerate() {
                let of_first = |text: &str| {
                    if index == 0 {
                        text.to_owned()
                    } else {
                        String::new()
                    }
                };
                let handle = format!("p{number}");
                let (size, image) = (index.to_string(), format!("https://x.example/{number}.png"));
                let cells = [
                    handle.clone(),
                    of_first(title),
                    of_first(body),
                    of_first(tags),
                    of_first("Size"),
                    size,
                    "5.00".to_owned(),
                    of_first(&image),
                    of_first("active"),
                    last.clone(),
                ];
                let end = if crlf {
                    csv::Terminator::CRLF
                } else {
                    csv::Terminator::Any(b'\n')
                };
                let mut writer = csv::WriterBuilder::new()
                    .quote_style(quotes)
                    .terminator(end)
                    .from_writer(Vec::new());
                writer.write_record(&cells).unwrap();
                rows.push((handle, String::from_utf8(writer.into_inner().unwrap()).unwrap()));
            }
        }
        rows
    }

    /// Whether nothing is missing, whatever a quote in a text has made of it.
    fn is_whole(now: &FileProduct, product: &FileProduct) -> bool {
        let images = |product: &FileProduct| product.images.as_ref().map(Vec::len);
        let prices = |product: &FileProduct| -> Vec<i64> {
            product.variants.iter().map(|variant| variant.price).collect()
        };
        images(now) == images(product) && prices(now) == prices(product)
    }

    /// What is imported, with its variants, and on which lines something is left out.
    fn outcome(text: &str) -> (Vec<(String, usize)>, Vec<u64>) {
        let (products, rejected) = products(text.as_bytes()).unwrap();
        let products = products
            .into_iter()
            .map(|(handle, product)| (handle, product.variants.len()));
        let mut lines: Vec<u64> = rejected.iter().map(|note| note.line).collect();
        lines.sort_unstable();
        (products.collect(), lines)
    }

    #[test]
    fn a_row_with_a_damaged_handle_takes_its_whole_product_along() {
        let header = "Handle,Title,Option1 Name,Option1 Value,Variant Price";
        let [first, second, other] = [
            "\"a\",\"A\",\"Size\",\"S\",\"5\"",
            "\"a\",\"\",\"\",\"M\",\"5\"",
            "\"b\",\"B\",\"\",\"\",\"5\"",
        ];
        let last = "\"c\",\"C\",\"\",\"\",\"5\"";
        for (rows, imported, lines) in [
            // Of the product before it, of the one after it, of either.
            (
                [first, second, "\"a,\"\",\"\",\"L\",\"7\"", other, last],
                vec!["b", "c"],
                vec![4],
            ),
            (
                ["\"a,\"A\",\"Size\",\"S\",\"5\"", second, "", other, last],
                vec!["b", "c"],
                vec![2],
            ),
            (
                [first, second, "\"x,\"\",\"\",\"L\",\"7\"", other, last],
                vec!["c"],
                vec![3, 4, 5],
            ),
            (
                [first, second, "\",\"\",\"\",\"L\",\"7\"", other, last],
                vec!["c"],
                vec![3, 4, 5],
            ),
            // Its handle is sound: it is of neither.
            (
                [first, second, "\"x\",\"X\"y,\"\",\"L\",\"7\"", other, last],
                vec!["a", "b", "c"],
                vec![4],
            ),
            (
                [first, second, "\"\",\"X\"y,\"\",\"L\",\"7\"", other, last],
                vec!["a", "b", "c"],
                vec![4],
            ),
            // Cut off.
            ([other, last, first, second, "\"a"], vec!["b", "c"], vec![6]),
            (
                [other, last, "aa,A,Size,S,5", "aa,,,M,5", "a"],
                vec!["b", "c"],
                vec![6],
            ),
        ] {
            let text = format!("{header}\n{}", rows.join("\n"));
            let (products, left_out) = outcome(&text);
            let handles: Vec<_> = products.iter().map(|(handle, _)| handle.as_str()).collect();
            assert_eq!((handles, left_out), (imported, lines), "{text}");
            assert!(
                products
                    .iter()
                    .all(|(handle, variants)| *variants == if handle == "a" { 2 } else { 1 })
            );
        }
    }

    #[test]
    fn a_handle_may_stand_behind_what_is_damaged() {
        let text = "Title,Handle,Option1 Name,Option1 Value,Variant Price\n\
            A,a,Size,S,5\n,a,,M,6\nx, y\",a,,L,7\nB,b,,,5\nC,c,,,5\n";
        assert_eq!(outcome(text), (vec![("c".to_owned(), 1)], vec![3, 4, 5]));
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(300))]
        #[test]
        fn a_quote_too_few_or_too_many_costs_whole_products_beside_it(
            written in prop::collection::vec(product(), 1..8),
            at in any::<prop::sample::Index>(),
            missing in any::<bool>(),
            always in any::<bool>(),
            crlf in any::<bool>(),
        ) {
            let quotes = if always { csv::QuoteStyle::Always } else { csv::QuoteStyle::Necessary };
            let rows = rows(&written, quotes, crlf);
            let mut text = format!("{HEADER}\n");
            let mut starts = Vec::new();
            for (_, row) in &rows {
                starts.push(text.len());
                text.push_str(row);
            }
            let (whole, rejected) = products(text.as_bytes()).unwrap();
            prop_assert!(rejected.is_empty() && whole.len() == written.len(), "{:?}", rejected);
            let stands = text.match_indices('"').map(|(at, _)| at).collect::<Vec<_>>();
            let at = if missing && !stands.is_empty() {
                let at = stands[at.index(stands.len())];
                text.remove(at);
                at
            } else {
                let at = at.index(text.len() + 1);
                text.insert(at, '"');
                at
            };
            let Ok((found, rejected)) = products(text.as_bytes()) else {
                prop_assert!(at < HEADER.len());
                return Ok(());
            };
            let struck = starts.iter().rposition(|start| *start <= at);
            let beside = struck.unwrap_or_default().saturating_sub(1)..struck.unwrap_or_default() + 2;
            let beside: HashSet<&String> = rows.get(beside.start..beside.end.min(rows.len())).unwrap().iter().map(|row| &row.0).collect();
            let struck = struck.and_then(|struck| rows.get(struck)).map(|row| row.0.as_str());
            for (handle, product) in &whole {
                let now = found.get(handle);
                // A column that is not known any more says nothing.
                let (of_header, is_struck) = (at <= HEADER.len(), struck == Some(handle));
                let same = now == Some(product) || (is_struck && now.is_some_and(|now| is_whole(now, product)));
                let left_out = now.is_none() && !rejected.is_empty() && beside.contains(handle);
                prop_assert!(of_header || same || left_out, "{}: {:?} {:?} in {}", handle, rejected, now, text);
                prop_assert!(now.is_some() || !rejected.is_empty(), "{} is missing in {}", handle, text);
            }
            let bogus = found.keys().find(|handle| !whole.contains_key(*handle));
            prop_assert!(bogus.is_none(), "{:?} in {}", bogus, text);
        }
    }
}
