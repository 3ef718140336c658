//! Real files of real shops, where they lie beside the project.

use std::path::{Path, PathBuf};

use souk::domain::exchange::shopify;

use super::{assert_movements_add_up, contents, context, counts, file, import, order, try_import};
use crate::support::Shop;

/// The files of a kind; without them the test says so and passes, except in CI.
#[expect(
    clippy::disallowed_methods,
    reason = "a switch of the tests, not a setting of the shop"
)]
fn files(kind: &str) -> Vec<PathBuf> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("../shared/data")
        .join(kind);
    let Ok(entries) = std::fs::read_dir(&folder) else {
        let excused = std::env::var_os("SOUK_TEST_WITHOUT_SAMPLES").is_some();
        assert!(
            std::env::var_os("CI").is_none() || excused,
            "{} is missing: set SOUK_TEST_WITHOUT_SAMPLES where it cannot be had",
            folder.display()
        );
        // Past the test runner, which hides what tests that pass print.
        let text = format!("SKIPPED: {} is missing\n", folder.display());
        std::io::Write::write_all(&mut std::io::stderr(), text.as_bytes()).unwrap();
        return Vec::new();
    };
    let mut files: Vec<_> = entries.map(|entry| entry.unwrap().path()).collect();
    files.sort();
    files
}

/// Products, variants and images, sums of prices and of stock, tracked and all, as `scripts/check-import`
/// counts them.
const EXPECTED: [(&str, [u64; 3], [&str; 3]); 5] = [
    ("packt-homeware.csv", [20, 21, 21], ["234584", "8", "65"]),
    (
        "shopify-official-template.csv",
        [3, 16, 11],
        ["60299", "95", "95"],
    ),
    ("shopifypartners-apparel.csv", [20, 22, 20], ["129500", "0", "22"]),
    (
        "shopifypartners-home-and-garden.csv",
        [20, 21, 21],
        ["234584", "8", "65"],
    ),
    ("shopifypartners-jewelery.csv", [20, 23, 41], ["98074", "0", "20"]),
];

both! {
    async fn every_file_comes_in_and_out_and_in(shop: &Shop) {
        for path in files("shopify") {
            let name = path.file_name().unwrap().to_str().unwrap();
            let (_, numbers, sums) = EXPECTED.iter().find(|(file, ..)| *file == name).unwrap();
            let report = import(shop, &path).await;
            assert_eq!(counts(&report), numbers.map(|number| [number, 0, 0, 0]), "{name}");
            assert_eq!((report.rejected_rows.len(), report.warnings.len()), (0, 0), "{name}");
            let sql = "SELECT CAST((SELECT sum(price) FROM product_variant) AS text), \
                       CAST((SELECT coalesce(sum(on_hand), 0) FROM inventory_level WHERE tracked) AS text), \
                       CAST((SELECT sum(on_hand) FROM inventory_level) AS text)";
            assert_eq!(shop.rows(sql).await, [sums], "{name}");
            let before = contents(shop).await;
            let unchanged = numbers.map(|number| [0, 0, number, 0]);
            assert_eq!(counts(&import(shop, &path).await), unchanged, "{name}");
            let export = file("");
            shopify::export(&context(shop), export.path(), None).await.unwrap();
            assert_eq!(counts(&import(shop, export.path()).await), unchanged, "{name}");
            assert_eq!(contents(shop).await, before, "{name}");
            assert_movements_add_up(shop).await;
            shop.execute("DELETE FROM product").await.unwrap();
        }
    }

    async fn files_of_other_platforms_are_refused(shop: &Shop) {
        for path in files("platforms") {
            let error = anyhow::Error::from(try_import(shop, &order(&path)).await.unwrap_err()).to_string();
            assert!(error.contains("lacks the column"), "{error}");
            for (file, whose) in [("magento-products", "Magento"), ("spree-products.", "Spree"), ("saleor", "JSON")] {
                assert!(!path.to_str().unwrap().contains(file) || error.contains(whose), "{error}");
            }
        }
    }
}
