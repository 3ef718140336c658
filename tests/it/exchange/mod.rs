//! Shopify's product files, in and out.

mod changes;
mod command;
mod dirt;
mod export;
mod files;

use std::path::PathBuf;
use std::sync::Arc;

use souk::domain::context::Context;
use souk::domain::exchange::shopify::{self, ExchangeError, Import, Report};
use souk::kernel::actor::{Actor, Origin};
use souk::kernel::money::Currency;
use tempfile::NamedTempFile;

use crate::support::{Kind, Shop};

const COLUMNS: &str = "Handle,Title,Option1 Name,Option1 Value,Variant SKU,Variant Inventory Tracker,\
Variant Inventory Qty,Variant Price,Variant Compare At Price,Image Src,Status";

fn currency(code: &str) -> Currency {
    code.parse().unwrap()
}

fn file(bytes: impl AsRef<[u8]>) -> NamedTempFile {
    let file = NamedTempFile::new().unwrap();
    std::fs::write(file.path(), bytes).unwrap();
    file
}

/// A file of these rows under [`COLUMNS`].
fn rows(rows: &str) -> NamedTempFile {
    file(format!("{COLUMNS}\n{rows}"))
}

fn context(shop: &Shop) -> Context {
    Context::writing(Actor::System, Origin::default(), Arc::clone(&shop.platform))
}

fn order(path: impl Into<PathBuf>) -> Import {
    Import {
        path: path.into(),
        currency: currency("USD"),
        dry_run: false,
        overwrite_stock: false,
    }
}

async fn try_import(shop: &Shop, import: &Import) -> Result<Report, ExchangeError> {
    shopify::import(&context(shop), import, &mut ()).await
}

async fn import(shop: &Shop, path: impl Into<PathBuf>) -> Report {
    try_import(shop, &order(path)).await.unwrap()
}

/// `created updated unchanged rejected` of products, variants and images.
fn counts(report: &Report) -> [[u64; 4]; 3] {
    [report.products, report.variants, report.images]
        .map(|counts| [counts.created, counts.updated, counts.unchanged, counts.rejected])
}

/// Everything that an import may write, table by table.
async fn contents(shop: &Shop) -> Vec<Vec<Vec<String>>> {
    let tables = [
        "product: id slug name description vendor product_type status category_id currency price_min price_max \
         version updated_at",
        "product_tag: product_id tag position",
        "product_option: product_id name position",
        "product_image: id product_id url alt_text position",
        "product_variant: id product_id position sku title option1 option2 option3 price compare_at_price image_id \
         updated_at",
        "inventory_level: variant_id tracked on_hand imported_on_hand updated_at",
        "inventory_movement: id variant_id on_hand_delta reason actor",
        "category: id parent_id slug name updated_at",
        "product_listing: category_id product_id status price_min",
    ];
    let mut contents = Vec::new();
    for table in tables {
        let (table, columns) = table.split_once(": ").unwrap();
        let columns: Vec<_> = columns
            .split_whitespace()
            .map(|column| text(shop, column))
            .collect();
        let sql = format!(
            "SELECT {columns} FROM {table} ORDER BY {columns}",
            columns = columns.join(", ")
        );
        contents.push(shop.rows(&sql).await);
    }
    contents
}

/// A column as text; SQLite keeps the bytes of a UUID.
fn text(shop: &Shop, column: &str) -> String {
    match shop.kind {
        Kind::Sqlite if column == "id" || column.ends_with("_id") => format!("hex({column})"),
        _ => format!("CAST({column} AS text)"),
    }
}

/// No stock without a movement that explains it.
async fn assert_movements_add_up(shop: &Shop) {
    let sql = "SELECT CAST(count(*) AS text) FROM inventory_level l WHERE on_hand <>
        (SELECT coalesce(sum(on_hand_delta), 0) FROM inventory_movement m WHERE m.variant_id = l.variant_id)";
    assert_eq!(shop.rows(sql).await, [["0"]]);
}
