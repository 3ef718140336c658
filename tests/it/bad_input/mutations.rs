//! Bad input of mutations.

use serde_json::{Value, json};

use super::case::Expected::{BadArgument, ListTooLong, Refused, RefusedAt, WrongType, WrongTypeAt};
use super::case::{MISSING, Operation, Row, row};

pub(super) fn operations() -> Vec<Operation> {
    vec![
        Operation {
            field: "Mutation.productCreate",
            answered_at: &["productCreate"],
            document: "mutation($input: ProductCreateInput!) { productCreate(input: $input) { product { id } userErrors { code path message params retryable } } }",
            variables: json!({"input": {
                "name": "Cup", "slug": "cup", "description": "<p>Holds tea</p>", "vendor": "Clay", "productType": "Cups",
                "tags": ["tea"], "status": "ACTIVE", "categoryId": "@shelf", "imageUrls": ["https://img.example/1.png"],
                "variants": [{"sku": "C-1", "title": "Small", "selectedOptions": [{"name": "Size", "value": "S"}],
                              "price": "5.00", "compareAtPrice": "6.00", "tracksInventory": true, "onHand": 3}]}}),
            rows: [inputs(), create(), create_variants()]
                .into_iter()
                .flatten()
                .collect(),
        },
        Operation {
            field: "Mutation.productUpdate",
            answered_at: &["productUpdate"],
            document: "mutation($input: ProductUpdateInput!) { productUpdate(input: $input) { product { id } userErrors { code path message params retryable } } }",
            variables: json!({"input": {"productId": "@mug", "expectedVersion": 1, "name": "New name"}}),
            rows: [inputs(), update()].into_iter().flatten().collect(),
        },
        Operation {
            field: "Mutation.productVariantUpdate",
            answered_at: &["productVariantUpdate"],
            document: "mutation($input: ProductVariantUpdateInput!) { productVariantUpdate(input: $input) { variant { id } userErrors { code path message params retryable } } }",
            variables: json!({"input": {"variantId": "@counted", "sku": "M-9"}}),
            rows: [inputs(), update_variant()].into_iter().flatten().collect(),
        },
        Operation {
            field: "Mutation.categoryCreate",
            answered_at: &["categoryCreate"],
            document: "mutation($input: CategoryCreateInput!) { categoryCreate(input: $input) { category { id } userErrors { code path message params retryable } } }",
            variables: json!({"input": {"name": "Lower shelf", "slug": "lower", "parentId": "@shelf"}}),
            rows: [inputs(), create_category()].into_iter().flatten().collect(),
        },
        Operation {
            field: "Mutation.inventoryAdjust",
            answered_at: &["inventoryAdjust"],
            document: "mutation($input: InventoryAdjustInput!) { inventoryAdjust(input: $input) { variant { id } userErrors { code path message params retryable } } }",
            variables: json!({"input": {"variantId": "@counted", "delta": 1, "reason": "delivery", "idempotencyKey": "new"}}),
            rows: [inputs(), adjust()].into_iter().flatten().collect(),
        },
    ]
}

pub(super) fn inputs() -> Vec<Row> {
    vec![
        row("input", MISSING, WrongType),
        row("input", Value::Null, WrongType),
        row("input", "Mug", WrongType),
        row("input", json!([]), WrongType),
        row("input.colour", "red", WrongTypeAt("input")),
    ]
}

pub(super) fn long() -> String {
    "ü".repeat(256)
}

/// A text that must be there.
pub(super) fn required(path: &'static str) -> Vec<Row> {
    vec![
        row(path, MISSING, WrongType),
        row(path, Value::Null, WrongType),
        row(path, 5, WrongType),
        row(path, json!(["a"]), WrongType),
        row(path, "", Refused("REQUIRED")),
        row(path, " \n\t ", Refused("REQUIRED")),
        row(path, long(), Refused("TOO_LONG")),
        row(path, "a\u{0}b", Refused("INVALID")),
        row(path, "a\u{1b}[31m", Refused("INVALID")),
    ]
}

/// A text that may be left out.
pub(super) fn optional(path: &'static str) -> Vec<Row> {
    vec![
        row(path, 5, WrongType),
        row(path, json!({}), WrongType),
        row(path, long(), Refused("TOO_LONG")),
        row(path, "a\u{0}", Refused("INVALID")),
        row(path, "a\u{7f}b", Refused("INVALID")),
    ]
}

/// `taken` is somebody else's.
fn slugs(taken: &'static str) -> Vec<Row> {
    let path = "input.slug";
    vec![
        row(path, 5, WrongType),
        row(path, "", Refused("REQUIRED")),
        row(path, long(), Refused("TOO_LONG")),
        row(path, "two words", Refused("INVALID")),
        row(path, "Upper", Refused("INVALID")),
        row(path, "a/b", Refused("INVALID")),
        row(path, "a\u{0}b", Refused("INVALID")),
        row(path, "line\nbreak", Refused("INVALID")),
        row(path, "../../etc", Refused("INVALID")),
        row(path, taken, Refused("TAKEN")),
    ]
}

fn prices(path: &'static str) -> Vec<Row> {
    let mut rows = vec![
        row(path, 1.5, WrongType),
        row(path, 1e30, WrongType),
        row(path, true, WrongType),
        row(path, "9".repeat(30), WrongType),
        row(path, "-0.01", Refused("OUT_OF_RANGE")),
        row(path, -1, Refused("OUT_OF_RANGE")),
        row(path, "10000000000.01", Refused("OUT_OF_RANGE")),
        row(path, "79228162514264337593543950335", Refused("OUT_OF_RANGE")),
        row(path, "1.999", Refused("INVALID")),
    ];
    rows.extend(
        [
            "",
            "free",
            "1e2",
            ".5",
            "1.",
            "$5",
            "1,50",
            "0.00000000000000000000000000001",
        ]
        .map(|text| row(path, text, WrongType)),
    );
    rows
}

/// The id of something that must be there.
pub(super) fn ids(path: &'static str, other: &'static str, gone: &'static str) -> Vec<Row> {
    let mut rows = references(path, other, gone);
    rows.extend([
        row(path, MISSING, WrongType),
        row(path, Value::Null, WrongType),
        row(path, "", BadArgument),
        row(path, "a\u{0}", BadArgument),
    ]);
    rows
}

fn references(path: &'static str, other: &'static str, gone: &'static str) -> Vec<Row> {
    vec![
        row(path, true, WrongType),
        row(path, json!(["@mug"]), WrongType),
        row(path, 7, BadArgument),
        row(path, "mug", BadArgument),
        row(path, other, BadArgument),
        row(path, gone, Refused("NOT_FOUND")),
    ]
}

/// Fields that a new and a changed product have in common.
fn about() -> Vec<Row> {
    let many_urls: Vec<_> = (0..251).map(|i| format!("https://img.example/{i}")).collect();
    let mut rows = [
        optional("input.vendor"),
        optional("input.productType"),
        slugs("cups"),
        references("input.categoryId", "@mug", "@noCategory"),
    ]
    .into_iter()
    .flatten()
    .collect::<Vec<_>>();
    rows.extend([
        row("input.description", 5, WrongType),
        row("input.description", "x".repeat(100_001), Refused("TOO_LONG")),
        row(
            "input.description",
            format!("x{}x", "\u{a0}".repeat(17_000)),
            Refused("TOO_LONG"),
        ),
        row("input.description", "a\u{0}b", Refused("INVALID")),
        row("input.description", "a&#1;b", Refused("INVALID")),
        row("input.tags", 5, WrongType),
        row("input.tags", json!([null]), WrongTypeAt("input.tags.0")),
        row(
            "input.tags",
            json!(["tea", ""]),
            RefusedAt("REQUIRED", "input.tags.1"),
        ),
        row(
            "input.tags",
            json!([long()]),
            RefusedAt("TOO_LONG", "input.tags.0"),
        ),
        row(
            "input.tags",
            json!(["a\u{0}"]),
            RefusedAt("INVALID", "input.tags.0"),
        ),
        row("input.tags", vec!["a"; 251], ListTooLong),
        row("input.status", "SOLD", WrongType),
        row("input.status", "active", WrongType),
        row("input.status", 1, WrongType),
        row("input.imageUrls", "mug.png", WrongType),
        row("input.imageUrls", json!([null]), WrongTypeAt("input.imageUrls.0")),
        row("input.imageUrls", json!([5]), WrongTypeAt("input.imageUrls.0")),
        row(
            "input.imageUrls",
            json!(["https://img.example/1.png", "/2.png"]),
            WrongTypeAt("input.imageUrls.1"),
        ),
        row(
            "input.imageUrls",
            json!(["javascript:alert(1)"]),
            WrongTypeAt("input.imageUrls.0"),
        ),
        row(
            "input.imageUrls",
            json!(["data:image/png;base64,AA"]),
            WrongTypeAt("input.imageUrls.0"),
        ),
        row(
            "input.imageUrls",
            json!(["file:///etc/passwd"]),
            WrongTypeAt("input.imageUrls.0"),
        ),
        row(
            "input.imageUrls",
            json!(["https://"]),
            WrongTypeAt("input.imageUrls.0"),
        ),
        row(
            "input.imageUrls",
            json!([format!("https://img.example/{}", "x".repeat(2_048))]),
            WrongTypeAt("input.imageUrls.0"),
        ),
        row("input.imageUrls", many_urls, ListTooLong),
    ]);
    rows
}

fn create() -> Vec<Row> {
    let mut rows = required("input.name");
    rows.extend(about());
    rows
}

fn create_variants() -> Vec<Row> {
    let option = |name: &str, value: &str| json!({"name": name, "value": value});
    let options = "input.variants.0.selectedOptions";
    let another = |options: Value| json!({"price": "1", "selectedOptions": options});
    let four: Vec<_> = ["a", "b", "c", "d"].map(|name| option(name, "x")).into();
    let mut rows = vec![
        row("input.variants", MISSING, WrongType),
        row("input.variants", Value::Null, WrongType),
        row("input.variants", json!([]), Refused("REQUIRED")),
        row("input.variants", json!([null]), WrongTypeAt("input.variants.0")),
        row("input.variants", vec![json!({"price": "1"}); 251], ListTooLong),
        row("input.variants.0.weight", 5, WrongTypeAt("input.variants.0")),
        row("input.variants.0.price", MISSING, WrongType),
        row("input.variants.0.price", Value::Null, WrongType),
        row("input.variants.0.tracksInventory", "yes", WrongType),
        row("input.variants.0.tracksInventory", 1, WrongType),
        row("input.variants.0.onHand", -1, Refused("OUT_OF_RANGE")),
        row("input.variants.0.onHand", i32::MIN, Refused("OUT_OF_RANGE")),
        row("input.variants.0.onHand", 2_147_483_648_i64, WrongType),
        row("input.variants.0.onHand", "5", WrongType),
        row("input.variants.0.onHand", 0.5, WrongType),
        row(options, "S", WrongType),
        row(
            options,
            json!([null]),
            WrongTypeAt("input.variants.0.selectedOptions.0"),
        ),
        row(options, four, Refused("TOO_LONG")),
        row(options, vec![option("Size", "S"); 251], ListTooLong),
        row(
            options,
            json!([option("Size", "S"), option("Size", "M")]),
            RefusedAt("TAKEN", "input.variants.0.selectedOptions.1.name"),
        ),
        row(
            "input.variants.1",
            another(json!([option("Size", "S")])),
            RefusedAt("TAKEN", "input.variants.1.selectedOptions"),
        ),
        row(
            "input.variants.1",
            another(json!([option("Colour", "Red")])),
            RefusedAt("INVALID", "input.variants.1.selectedOptions"),
        ),
        row(
            "input.variants.1",
            another(json!([])),
            RefusedAt("INVALID", "input.variants.1.selectedOptions"),
        ),
        row(
            "input.variants",
            json!([{"price": "1"}, {"price": "2"}]),
            RefusedAt("TAKEN", "input.variants.1.selectedOptions"),
        ),
    ];
    rows.extend(required("input.variants.0.selectedOptions.0.name"));
    rows.extend(required("input.variants.0.selectedOptions.0.value"));
    rows.extend(optional("input.variants.0.sku"));
    rows.extend(optional("input.variants.0.title"));
    rows.extend(prices("input.variants.0.price"));
    rows.extend(prices("input.variants.0.compareAtPrice"));
    rows
}

fn update() -> Vec<Row> {
    let mut rows = ids("input.productId", "@shelf", "@noProduct");
    rows.extend(about());
    rows.extend([
        row("input.expectedVersion", 2, Refused("STALE_OBJECT")),
        row("input.expectedVersion", 0, Refused("STALE_OBJECT")),
        row("input.expectedVersion", -1, Refused("STALE_OBJECT")),
        row("input.expectedVersion", "1", WrongType),
        row("input.expectedVersion", 1.5, WrongType),
        row("input.expectedVersion", 2_147_483_648_i64, WrongType),
        row("input.name", Value::Null, Refused("REQUIRED")),
        row("input.name", "", Refused("REQUIRED")),
        row("input.name", 5, WrongType),
        row("input.name", long(), Refused("TOO_LONG")),
        row("input.name", "a\u{0}b", Refused("INVALID")),
        row("input.slug", Value::Null, Refused("REQUIRED")),
        row("input.status", Value::Null, Refused("REQUIRED")),
    ]);
    rows
}

fn update_variant() -> Vec<Row> {
    let mut rows = ids("input.variantId", "@mug", "@noVariant");
    rows.extend(optional("input.sku"));
    rows.extend(optional("input.title"));
    rows.extend(prices("input.price"));
    rows.extend(prices("input.compareAtPrice"));
    rows.extend([
        row("input.title", "", Refused("REQUIRED")),
        row("input.price", Value::Null, Refused("REQUIRED")),
    ]);
    rows
}

fn create_category() -> Vec<Row> {
    let mut rows = required("input.name");
    rows.extend(slugs("shelf"));
    rows.extend(references("input.parentId", "@mug", "@noCategory"));
    rows.push(row("input.parentId", "@deepest", Refused("OUT_OF_RANGE")));
    rows
}

fn adjust() -> Vec<Row> {
    let mut rows = ids("input.variantId", "@mug", "@noVariant");
    rows.extend(required("input.reason"));
    let key = "input.idempotencyKey";
    rows.extend([
        row("input.variantId", "@uncounted", Refused("INVALID")),
        row("input.delta", MISSING, WrongType),
        row("input.delta", Value::Null, WrongType),
        row("input.delta", "1", WrongType),
        row("input.delta", 0.5, WrongType),
        row("input.delta", 2_147_483_648_i64, WrongType),
        row("input.delta", -2_147_483_649_i64, WrongType),
        row("input.delta", 0, Refused("OUT_OF_RANGE")),
        row("input.delta", i32::MAX, Refused("OUT_OF_RANGE")),
        row("input.delta", -6, Refused("INSUFFICIENT_STOCK")),
        row("input.delta", i32::MIN, Refused("INSUFFICIENT_STOCK")),
        row(key, MISSING, WrongType),
        row(key, Value::Null, WrongType),
        row(key, 5, WrongType),
        row(key, "", Refused("REQUIRED")),
        row(key, long(), Refused("TOO_LONG")),
        row(key, "a\u{0}b", Refused("INVALID")),
        row(key, "a\nb", Refused("INVALID")),
        row(key, "used", Refused("IDEMPOTENCY_KEY_REUSED")),
    ]);
    rows
}
