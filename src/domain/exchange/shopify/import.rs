//! A file into the shop, batch by batch.

use std::collections::HashMap;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use serde_json::json;
use tokio::sync::mpsc;

use super::batches::{self, Batch};
use super::category::Shelves;
use super::error::ExchangeError;
use super::load::{self, Existing};
use super::plan::{self, Plan, Rules};
use super::product::FileProduct;
use super::report::{Note, Report, Tally};
use super::write::Writer;
use crate::domain::audit::record::{Deed, record};
use crate::domain::context::Context;
use crate::domain::permission::Permission;
use crate::infra::db::lock;
use crate::kernel::error::Result;
use crate::kernel::id::ProductId;
use crate::kernel::money::Currency;

/// Batches that are read ahead.
const AHEAD: usize = 2;

/// What to import, and how.
#[derive(Clone, Debug)]
pub struct Import {
    pub path: PathBuf,
    /// Of all prices in the file, which does not say.
    pub currency: Currency,
    /// Does everything, and takes it back.
    pub dry_run: bool,
    /// Sets stock to what the file says even where the file says nothing new.
    pub overwrite_stock: bool,
}

/// Is told how the import goes on.
pub trait Watch: Send {
    /// So many bytes of the file are behind us.
    fn advanced(&mut self, _read: u64, _total: u64) {}
    fn rejected(&mut self, _row: &Note) {}
    fn warned(&mut self, _row: &Note) {}
}

impl Watch for () {}

/// Imports a product file of Shopify. However it ends, the audit log says so, unless it changed
/// nothing.
///
/// # Errors
/// When the file cannot be read or is none of Shopify's, when the caller is not staff, and when the
/// database fails. Batches before that are imported: the same import again goes on from there.
pub async fn import(
    context: &Context,
    import: &Import,
    watch: &mut dyn Watch,
) -> Result<Report, ExchangeError> {
    context.require(Permission::WriteCatalog)?;
    let mut run = Run {
        context,
        import,
        watch,
        report: Report::default(),
        shelves: Shelves::default(),
    };
    let outcome = go(&mut run).await;
    let mut report = run.report;
    // A file that says nothing new does not even wait for the writer.
    let nothing_done = import.dry_run || (outcome.is_ok() && !report.changed_anything());
    let recorded = match nothing_done {
        true => Ok(()),
        false => remember(context, deed(import, &report, outcome.is_ok())).await,
    };
    outcome?;
    recorded?;
    report.rejected_rows.sort();
    report.warnings.sort();
    Ok(report)
}

async fn remember(context: &Context, deed: Deed) -> Result<()> {
    let txn = context.db().begin().await?;
    record(&txn, context, deed).await?;
    Ok(txn.commit().await?)
}

/// One record for the whole run: its products are too many for one each.
fn deed(import: &Import, report: &Report, finished: bool) -> Deed {
    let file = import
        .path
        .file_name()
        .map(|name| name.to_string_lossy().into_owned());
    Deed {
        action: "importShopify",
        after: Some(json!({
            "file": file,
            "currencyCode": import.currency.code(),
            "finished": finished,
            "rows": report.rows,
            "products": report.products,
            "variants": report.variants,
            "images": report.images,
        })),
        ..Deed::default()
    }
}

async fn go(run: &mut Run<'_>) -> Result<(), ExchangeError> {
    let import = run.import;
    let total = tokio::fs::metadata(&import.path)
        .await
        .map_or(0, |file| file.len());
    let read = Arc::new(AtomicU64::new(0));
    let (send, mut batches) = mpsc::channel(AHEAD);
    let (path, currency) = (import.path.clone(), import.currency);
    let counter = Arc::clone(&read);
    let reader = tokio::task::spawn_blocking(move || batches::read(&path, currency, counter, send));

    while let Some(batch) = batches.recv().await {
        if run.report.rows == 0 {
            run.warn_of_currency();
        }
        run.batch(batch).await?;
        run.watch.advanced(read.load(Ordering::Relaxed), total);
    }
    reader
        .await
        .map_err(|error| ExchangeError::File(format!("reading the file failed: {error}")))?
}

struct Run<'a> {
    context: &'a Context,
    import: &'a Import,
    watch: &'a mut dyn Watch,
    report: Report,
    shelves: Shelves,
}

impl Run<'_> {
    fn warn_of_currency(&mut self) {
        let (file, shop) = (self.import.currency, self.context.platform.shop.currency);
        if file != shop {
            self.warn(Note::new(
                1,
                format!("prices are imported in {file}, while the shop sells in {shop}"),
            ));
        }
    }

    fn warn(&mut self, note: Note) {
        self.watch.warned(&note);
        self.report.warnings.push(note);
    }

    fn reject(&mut self, note: Note) {
        self.watch.rejected(&note);
        self.report.rejected_rows.push(note);
    }

    async fn batch(&mut self, batch: Batch) -> Result<()> {
        self.report.rows += batch.records;
        self.report.add(batch.rejected);
        batch.warnings.into_iter().for_each(|note| self.warn(note));
        batch.rejected_rows.into_iter().for_each(|note| self.reject(note));
        let now = self.context.now();
        let rules = Rules {
            currency: self.import.currency,
            overwrite_stock: self.import.overwrite_stock,
            now,
        };

        // Most products of a file that is imported again have not changed: to see that takes no lock.
        let products: Vec<&FileProduct> = batch.products.iter().map(|(product, _)| product).collect();
        let existing = load::by_slugs(self.context.db().fresh(), &handles(&products)).await?;
        let (differing, outcome) = decide(&products, existing, rules);
        let mut tally = outcome.tally;
        let mut rejected = outcome.rejected;
        if !differing.is_empty() {
            let outcome = self.write(&differing, rules).await?;
            tally.add(outcome.tally);
            rejected.extend(outcome.rejected);
            outcome.warnings.into_iter().for_each(|note| self.warn(note));
        }
        self.report.add(tally);
        for (product, warnings) in &batch.products {
            if !rejected.contains_key(product.handle.as_str()) {
                warnings.iter().for_each(|note| self.warn(note.clone()));
            }
        }
        let mut rejected: Vec<_> = rejected.into_values().collect();
        rejected.sort();
        rejected.into_iter().for_each(|note| self.reject(note));
        Ok(())
    }

    /// Decides anew under lock, and writes.
    async fn write<'f>(&mut self, products: &[&'f FileProduct], rules: Rules) -> Result<Outcome<'f>> {
        let txn = self.context.db().begin().await?;
        // Two imports at once would make the same product or category twice.
        lock::exclusive(&txn, "import").await?;
        let existing = load::by_slugs_locked(&txn, &handles(products)).await?;
        let mut outcome = Outcome::default();
        let (mut creations, mut updates, mut changed) =
            (Vec::new(), Vec::new(), Vec::<(ProductId, String)>::new());
        let by_slug = by_slug(existing);
        for product in products {
            match plan::plan(product, by_slug.get(&product.handle), rules) {
                Plan::Create(creation) => {
                    outcome.tally.add(creation.tally);
                    creations.push(*creation);
                }
                Plan::Update(update) => {
                    outcome.tally.add(update.tally);
                    outcome.warnings.extend(update.warnings.iter().cloned());
                    changed.push((update.id, product.handle.clone()));
                    updates.push(*update);
                }
                Plan::Nothing(tally) => outcome.tally.add(tally),
                Plan::Reject(note, tally) => outcome.reject(product, note, tally),
            }
        }
        let writer = Writer {
            txn: &txn,
            actor: &self.context.actor,
            now: rules.now,
        };
        writer.create(creations, &mut self.shelves).await?;
        writer.update(updates, &mut self.shelves).await?;
        if self.import.dry_run {
            self.shelves.forget();
            txn.rollback().await?;
            return Ok(outcome);
        }
        let committed = txn.commit().await;
        // Also when its answer was lost: it may have been heard, and what is read again costs little.
        for (id, slug) in changed {
            self.context
                .platform
                .catalog_cache
                .forget_product(id, &[&slug])
                .await;
        }
        // New products, categories and stock as well.
        self.context.platform.answers.much_changed();
        // Nobody else does: an import is a process of its own.
        self.context.platform.news.flush().await;
        committed?;
        Ok(outcome)
    }
}

#[derive(Default)]
struct Outcome<'f> {
    tally: Tally,
    rejected: HashMap<&'f str, Note>,
    warnings: Vec<Note>,
}

impl<'f> Outcome<'f> {
    fn reject(&mut self, product: &'f FileProduct, note: Note, tally: Tally) {
        self.tally.add(tally);
        self.rejected.insert(&product.handle, note);
    }
}

/// The products that want writing, and what became of the others.
fn decide<'f>(
    products: &[&'f FileProduct],
    existing: Vec<Existing>,
    rules: Rules,
) -> (Vec<&'f FileProduct>, Outcome<'f>) {
    let by_slug = by_slug(existing);
    let mut outcome = Outcome::default();
    let mut differing = Vec::new();
    for product in products {
        match plan::plan(product, by_slug.get(&product.handle), rules) {
            Plan::Create(_) | Plan::Update(_) => differing.push(*product),
            Plan::Nothing(tally) => outcome.tally.add(tally),
            Plan::Reject(note, tally) => outcome.reject(product, note, tally),
        }
    }
    (differing, outcome)
}

fn handles<'f>(products: &[&'f FileProduct]) -> Vec<&'f str> {
    products.iter().map(|product| product.handle.as_str()).collect()
}

fn by_slug(existing: Vec<Existing>) -> HashMap<String, Existing> {
    existing
        .into_iter()
        .map(|existing| (existing.product.slug.clone(), existing))
        .collect()
}
