//! `souk import` and `souk export` as they are typed: what they print, and how they end.

use std::path::Path;
use std::process::{Command, Output};

use sea_orm::ConnectionTrait as _;
use serde_json::{Value, json};
use tempfile::TempDir;

use super::{COLUMNS, file, rows};

fn souk(folder: &TempDir, arguments: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_souk"))
        .args(arguments)
        .current_dir(folder.path())
        .env_clear()
        .env("DATABASE_URL", "sqlite://souk.db")
        .env("SOUK_LOG", "warn")
        .output()
        .unwrap()
}

fn import(folder: &TempDir, path: &Path, more: &[&str]) -> Output {
    let file = path.to_str().unwrap();
    souk(
        folder,
        &[&["import", "shopify", file, "--currency", "usd"], more].concat(),
    )
}

fn text(bytes: &[u8]) -> &str {
    std::str::from_utf8(bytes).unwrap()
}

#[test]
fn json_is_one_object_and_bad_rows_end_with_1() {
    let folder = tempfile::tempdir().unwrap();
    let path = rows("a,A,,,,shopify,-2,5,,https://x.example/a.png,\nb,B,,,,,,five,,,\n");
    let output = import(&folder, path.path(), &["--json"]);
    let report: Value = serde_json::from_slice(&output.stdout).unwrap();
    let counts =
        |created, rejected| json!({"created": created, "updated": 0, "unchanged": 0, "rejected": rejected});
    assert_eq!(
        report,
        json!({
            "rows": 2,
            "products": counts(1, 1),
            "variants": counts(1, 1),
            "images": counts(1, 0),
            "rejectedRows": [{"line": 3, "reason": "Variant Price \"five\" is not a price such as 19.90"}],
            "warnings": [{"line": 2, "reason": "Variant Inventory Qty -2 is below zero: imported as 0"}],
        })
    );
    assert_eq!(output.status.code(), Some(1));
}

#[test]
fn people_read_a_summary_and_bad_rows_beside_it() {
    let folder = tempfile::tempdir().unwrap();
    let path = rows("a,A,,,,,,5,,,\nb,B,,,,,,five,,,\n");
    let output = import(&folder, path.path(), &["--dry-run"]);
    assert!(text(&output.stdout).contains("Dry run"), "{output:?}");
    assert_eq!(
        text(&output.stderr),
        "line 3: Variant Price \"five\" is not a price such as 19.90\n"
    );
    assert_eq!(output.status.code(), Some(1));
    let good = rows("a,A,,,,,,5,,,\n");
    let output = import(&folder, good.path(), &[]);
    let line = text(&output.stdout)
        .lines()
        .find(|line| line.starts_with("products"))
        .unwrap();
    assert_eq!(
        line.split_whitespace().collect::<Vec<_>>(),
        ["products", "1", "0", "0", "0"]
    );
    assert_eq!((output.status.code(), text(&output.stderr)), (Some(0), ""));
}

#[test]
fn an_export_is_written_and_comes_back() {
    let folder = tempfile::tempdir().unwrap();
    let path = rows("a,A,,,,,,5,,,\n");
    import(&folder, path.path(), &[]);
    let output = souk(&folder, &["export", "shopify", "out.csv"]);
    assert_eq!(output.status.code(), Some(0), "{output:?}");
    assert!(
        text(&output.stdout).contains("1 products, 1 variants, 0 images, priced in USD"),
        "{output:?}"
    );
    let output = import(&folder, &folder.path().join("out.csv"), &["--json"]);
    let report: Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!(report["products"]["unchanged"], 1);
}

#[tokio::test]
async fn what_an_export_cannot_say_is_counted() {
    let folder = tempfile::tempdir().unwrap();
    import(
        &folder,
        file("Handle,Title,Variant Price,Tags\na,A,5,\"x, y\"\n").path(),
        &[],
    );
    let output = souk(&folder, &["export", "shopify", "out.csv"]);
    assert_eq!((output.status.code(), text(&output.stderr)), (Some(0), ""));
    let url = format!("sqlite://{}", folder.path().join("souk.db").display());
    let database = sea_orm::Database::connect(url).await.unwrap();
    for sql in [
        "UPDATE product_tag SET tag = 'x, z' WHERE tag = 'x'",
        "UPDATE product_variant SET title = 'Own'",
    ] {
        database.execute_unprepared(sql).await.unwrap();
    }
    database.close().await.unwrap();
    let output = souk(&folder, &["export", "shopify", "out.csv"]);
    assert_eq!(output.status.code(), Some(0));
    let said = text(&output.stderr);
    assert!(said.contains("warning: 1 tags that hold a comma"), "{said}");
    assert!(
        said.contains("warning: 1 variants with a title of their own"),
        "{said}"
    );
    assert_eq!(said.lines().count(), 2, "{said}");
}

#[test]
fn what_cannot_be_done_is_said() {
    let folder = tempfile::tempdir().unwrap();
    let foreign = file("sku,store_view_code,name\n");
    let good = file(format!("{COLUMNS}\n"));
    let good = good.path().to_str().unwrap();
    let foreign = foreign.path().to_str().unwrap();
    for (arguments, code, part) in [
        (
            &["import", "shopify", foreign, "--currency", "USD"][..],
            1,
            "lacks the columns Handle, Title, Variant Price",
        ),
        (
            &["import", "shopify", "nowhere.csv", "--currency", "USD"],
            1,
            "cannot read nowhere.csv",
        ),
        (
            &["export", "shopify", "nowhere/out.csv"],
            1,
            "cannot write nowhere",
        ),
        (&["import", "shopify", good], 2, "--currency"),
        (
            &["import", "shopify", good, "--currency", "dollars"],
            2,
            "not a currency code",
        ),
        (&["import", "magento", good], 2, "magento"),
    ] {
        let output = souk(&folder, arguments);
        assert_eq!(output.status.code(), Some(code), "{arguments:?}: {output:?}");
        assert!(text(&output.stderr).contains(part), "{arguments:?}: {output:?}");
        assert_eq!(text(&output.stdout), "", "{arguments:?}");
    }
}
