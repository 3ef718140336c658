//! Bad arguments of queries.

use serde_json::{Value, json};

use super::case::Expected::{BadArgument, BadArgumentAt, ListTooLong, WrongType, WrongTypeAt};
use super::case::{MISSING, Operation, Row, row};

pub(super) fn operations() -> Vec<Operation> {
    vec![
        Operation {
            field: "Query.node",
            answered_at: &["node"],
            document: "query($id: ID!) { node(id: $id) { id } }",
            variables: json!({"id": "@mug"}),
            rows: ids("id"),
        },
        Operation {
            field: "Query.nodes",
            answered_at: &["nodes"],
            document: "query($ids: [ID!]!) { nodes(ids: $ids) { id } }",
            variables: json!({"ids": ["@mug", "@shelf"]}),
            rows: nodes(),
        },
        Operation {
            field: "Query.product",
            answered_at: &["product"],
            document: "query($by: ProductBy!) { product(by: $by) { id } }",
            variables: json!({"by": {"id": "@mug"}}),
            rows: [by("@shelf"), by_slug()].into_iter().flatten().collect(),
        },
        Operation {
            field: "Query.category",
            answered_at: &["category"],
            document: "query($by: CategoryBy!) { category(by: $by) { id } }",
            variables: json!({"by": {"id": "@shelf"}}),
            rows: [by("@mug"), by_slug()].into_iter().flatten().collect(),
        },
        Operation {
            field: "Query.categories",
            answered_at: &["categories"],
            document: "query($first: Int, $after: String, $last: Int, $before: String) {
                categories(first: $first, after: $after, last: $last, before: $before) { nodes { id } } }",
            variables: json!({}),
            rows: pages(),
        },
        Operation {
            field: "Query.products",
            answered_at: &["products"],
            document: "query($filter: ProductFilter, $sort: ProductSort, $first: Int, $after: String, $last: Int, $before: String) {
                products(filter: $filter, sort: $sort, first: $first, after: $after, last: $last, before: $before) { totalCount nodes { id } } }",
            variables: json!({}),
            rows: [pages(), filters(), sorts(), cursors()].into_iter().flatten().collect(),
        },
        Operation {
            field: "Query.users",
            answered_at: &["users"],
            document: "query($filter: UserFilter, $first: Int, $after: String, $last: Int, $before: String) {
                users(filter: $filter, first: $first, after: $after, last: $last, before: $before) { totalCount nodes { id } } }",
            variables: json!({}),
            rows: [pages(), users()].into_iter().flatten().collect(),
        },
        Operation {
            field: "Query.auditLog",
            answered_at: &["auditLog"],
            document: "query($filter: AuditLogFilter, $first: Int, $after: String, $last: Int, $before: String) {
                auditLog(filter: $filter, first: $first, after: $after, last: $last, before: $before) { totalCount nodes { id } } }",
            variables: json!({}),
            rows: [pages(), records()].into_iter().flatten().collect(),
        },
        Operation {
            field: "Query.ledgerBalances",
            answered_at: &["ledgerBalances"],
            document: "query($from: Date!, $to: Date!) { ledgerBalances(from: $from, to: $to) { day } }",
            variables: json!({"from": "2026-01-01", "to": "2026-04-02"}),
            rows: days(),
        },
        Operation {
            field: "Category.products",
            answered_at: &["category", "products"],
            document: "query($filter: ProductFilter, $sort: ProductSort, $first: Int, $after: String, $last: Int, $before: String) {
                category(by: {slug: \"shelf\"}) {
                  products(filter: $filter, sort: $sort, first: $first, after: $after, last: $last, before: $before) { totalCount nodes { id } } } }",
            variables: json!({}),
            rows: [pages(), filters(), sorts(), cursors()].into_iter().flatten().collect(),
        },
        Operation {
            field: "Product.variants",
            answered_at: &["product", "variants"],
            document: "query($first: Int) { product(by: {slug: \"mug\"}) { variants(first: $first) { id } } }",
            variables: json!({}),
            rows: plain_lists(2_049),
        },
        Operation {
            field: "Product.images",
            answered_at: &["product", "images"],
            document: "query($first: Int) { product(by: {slug: \"mug\"}) { images(first: $first) { url } } }",
            variables: json!({}),
            rows: plain_lists(251),
        },
    ]
}

fn days() -> Vec<Row> {
    let mut rows = vec![
        row("to", "2025-12-31", BadArgument),
        row("to", "2026-04-03", BadArgument),
        row("from", "2025-12-31", BadArgumentAt("to")),
        row("from", "0000-01-01", BadArgumentAt("to")),
        row("to", "9999-12-31", BadArgument),
    ];
    for path in ["from", "to"] {
        for value in [
            json!(MISSING),
            Value::Null,
            json!(true),
            json!(20_260_301),
            json!(["2026-03-01"]),
            json!(""),
            json!("today"),
            json!("2026-3-1"),
            json!("2026-02-30"),
            json!("2026-02-10T00:00:00Z"),
            json!(" 2026-02-10"),
            json!("+12026-02-10"),
            json!("20260210"),
        ] {
            rows.push(row(path, value, WrongType));
        }
    }
    rows
}

fn ids(path: &'static str) -> Vec<Row> {
    vec![
        row(path, MISSING, WrongType),
        row(path, Value::Null, WrongType),
        row(path, true, WrongType),
        row(path, json!({}), WrongType),
        row(path, 1.5, WrongType),
        row(path, 5, BadArgument),
        row(path, "", BadArgument),
        row(path, "mug", BadArgument),
        row(path, "product_", BadArgument),
        row(path, "product_zzz", BadArgument),
        row(path, "01h455vb4pex5vsknk084sn02q", BadArgument),
        row(path, "image_01h455vb4pex5vsknk084sn02q", BadArgument),
        row(path, "product_81h455vb4pex5vsknk084sn02q", BadArgument),
        row(path, "product_01h455vb4pex5vsknk084sn02q\u{0}", BadArgument),
        row(path, "'; DROP TABLE product; --", BadArgument),
        row(path, "x".repeat(10_000), BadArgument),
    ]
}

fn nodes() -> Vec<Row> {
    vec![
        row("ids", MISSING, WrongType),
        row("ids", Value::Null, WrongType),
        row("ids", true, WrongType),
        row("ids", json!([null]), WrongTypeAt("ids.0")),
        row("ids", json!(["@mug", false]), WrongTypeAt("ids.1")),
        row("ids", json!(["@mug", "mug"]), BadArgumentAt("ids.1")),
        row(
            "ids",
            json!(["@mug", "image_01h455vb4pex5vsknk084sn02q"]),
            BadArgumentAt("ids.1"),
        ),
        row("ids", vec!["@mug"; 101], BadArgument),
        row("ids", vec!["@mug"; 251], ListTooLong),
    ]
}

/// `other` is the id of something else.
fn by(other: &'static str) -> Vec<Row> {
    vec![
        row("by", MISSING, WrongType),
        row("by", Value::Null, WrongType),
        row("by", "mug", WrongType),
        row("by", json!({}), WrongType),
        row("by", json!({"id": "@mug", "slug": "mug"}), WrongType),
        row("by", json!({"slug": null}), WrongType),
        row("by", json!({"name": "Mug"}), WrongType),
        row("by", json!({"id": true}), WrongTypeAt("by.id")),
        row("by.id", "mug", BadArgument),
        row("by.id", "", BadArgument),
        row("by.id", other, BadArgument),
    ]
}

fn by_slug() -> Vec<Row> {
    let alone = || json!({"by": {}});
    vec![
        row("by.slug", 5, WrongType).beside(alone()),
        row("by.slug", json!(["mug"]), WrongType).beside(alone()),
        row("by.slug", Value::Null, WrongTypeAt("by")).beside(alone()),
        row("by.slug", "mug\u{0}", BadArgument).beside(alone()),
    ]
}

pub(super) fn pages() -> Vec<Row> {
    vec![
        row("first", -1, BadArgument),
        row("first", 101, BadArgument),
        row("first", i32::MIN, BadArgument),
        row("first", 2_147_483_648_i64, WrongType),
        row("first", 1.5, WrongType),
        row("first", "10", WrongType),
        row("first", json!([1]), WrongType),
        row("last", -1, BadArgument),
        row("last", 101, BadArgument),
        row("last", true, WrongType),
        row("last", 1, BadArgument).beside(json!({"first": 1})),
        row("after", 5, WrongType),
        row("after", "", BadArgument),
        row("after", "%%%", BadArgument),
        row("after", "bm90IGpzb24", BadArgument),
        row("after", "a\u{0}b", BadArgument),
        row("after", "a".repeat(5_000), BadArgument),
        row("after", "@cursorOfNothing", BadArgument),
        row("before", json!({}), WrongType),
        row("before", "nonsense", BadArgument),
        row("before", "@cursorOfNothing", BadArgument),
    ]
}

fn users() -> Vec<Row> {
    let email = "filter.email";
    let mut rows = vec![
        row("after", "@cursorOfUsersByNumber", BadArgument),
        row("before", "@cursorOfUsersByNumber", BadArgument),
        row("filter", "ann@example.com", WrongType),
        row("filter.name", "Ann", WrongTypeAt("filter")),
        row(email, 5, WrongType),
        row(email, json!(["ann@example.com"]), WrongType),
        row("filter.role", "KING", WrongType),
        row("filter.role", json!(["STAFF"]), WrongType),
        row(email, "x".repeat(100_000), BadArgument),
    ];
    rows.extend(["", "ann", "%", "ann@example.com\u{0}"].map(|text| row(email, text, BadArgument)));
    rows
}

fn records() -> Vec<Row> {
    let mut rows = vec![
        row("after", "@cursorOfRecordsByText", BadArgument),
        row("before", "@cursorOfRecordsByText", BadArgument),
        row("filter", "productCreate", WrongType),
        row("filter.who", "ann", WrongTypeAt("filter")),
        row("filter.actor", 5, WrongType),
        row("filter.actor", "\u{0}", BadArgument),
        row("filter.action", json!([true]), WrongType),
        row("filter.action", "a\u{0}", BadArgument),
        row("filter.subjectId", true, WrongType),
        row("filter.subjectId", "product_\u{0}", BadArgument),
    ];
    for path in ["filter.since", "filter.until"] {
        rows.extend(
            ["", "yesterday", "2026-03-01", "2026-13-01T00:00:00Z"].map(|text| row(path, text, WrongType)),
        );
        rows.push(row(path, 1_772_000_000, WrongType));
    }
    rows
}

/// Cursors that look right.
fn cursors() -> Vec<Row> {
    let by = |field: &str| json!({"sort": {"field": field}});
    vec![
        row("after", "@cursorByName", BadArgument),
        row("after", "@cursorByName", BadArgument).beside(by("PRICE")),
        row("before", "@cursorByName", BadArgument)
            .beside(json!({"sort": {"field": "NAME", "direction": "DESC"}})),
        row("after", "@cursorWithNul", BadArgument).beside(by("NAME")),
        row("after", "@cursorByPriceOfText", BadArgument).beside(by("PRICE")),
        row("before", "@cursorByPriceOfText", BadArgument).beside(by("PRICE")),
        row("after", "@cursorByNameOfNumber", BadArgument).beside(by("NAME")),
        row("after", "@cursorByAgeOfText", BadArgument).beside(by("CREATED_AT")),
        row("after", "@cursorOfTheFarFuture", BadArgument).beside(by("CREATED_AT")),
        row("before", "@cursorOfTheFarPast", BadArgument).beside(by("CREATED_AT")),
    ]
}

fn filters() -> Vec<Row> {
    let mut rows = vec![
        row("filter", "mug", WrongType),
        row("filter.colour", "red", WrongTypeAt("filter")),
        row("filter.ids", true, WrongType),
        row("filter.ids", json!([null]), WrongTypeAt("filter.ids.0")),
        row(
            "filter.ids",
            json!(["@mug", "mug"]),
            BadArgumentAt("filter.ids.1"),
        ),
        row("filter.ids", json!(["@shelf"]), BadArgumentAt("filter.ids.0")),
        row("filter.ids", vec!["@mug"; 251], ListTooLong),
        row("filter.text", 5, WrongType),
        row("filter.text", "x".repeat(201), BadArgument),
        row("filter.text", "a b c d e f g h i j k l m n o p q", BadArgument),
        row("filter.category", "shelf", WrongType),
        row("filter.category", json!({}), WrongType),
        row(
            "filter.category",
            json!({"id": "@shelf", "slug": "shelf"}),
            WrongType,
        ),
        row("filter.category.id", "shelf", BadArgument),
        row("filter.category.id", "@mug", BadArgument),
        row("filter.category.slug", 5, WrongType),
        row("filter.category.slug", "\u{0}", BadArgument),
        row("filter.price", "5", WrongType),
        row(
            "filter.price",
            json!({"min": "5", "max": "4.99"}),
            BadArgumentAt("filter.price.max"),
        ),
        row("filter.price.max", "-0.01", BadArgument),
        row("filter.price.max", "0.001", BadArgument),
        row("filter.price.max", 0.1, WrongType),
        row("filter.inStock", "yes", WrongType),
        row("filter.inStock", 1, WrongType),
        row("filter.statuses", "SOLD", WrongType),
        row(
            "filter.statuses",
            json!(["ACTIVE", "active"]),
            WrongTypeAt("filter.statuses.1"),
        ),
        row("filter.statuses", json!([null]), WrongTypeAt("filter.statuses.0")),
    ];
    rows.extend(
        [
            "", " ", "abc", "1e3", ".5", "5.", "+5", "1,5", "1_000", "NaN", "Infinity", "1.2.3", "--1", "٣",
            "0x10",
        ]
        .map(|number| row("filter.price.min", number, WrongType)),
    );
    rows.push(row("filter.price.min", "9".repeat(41), WrongType));
    rows.push(row("filter.price.min", "9".repeat(20), BadArgument));
    rows.push(row("filter.price.min", "-1", BadArgument));
    for path in ["filter.vendors", "filter.productTypes", "filter.tags"] {
        rows.push(row(path, 5, WrongType));
        rows.push(row(path, vec!["a"; 251], ListTooLong));
    }
    rows.extend([
        row(
            "filter.vendors",
            json!(["Clay", "\u{0}"]),
            BadArgumentAt("filter.vendors.1"),
        ),
        row("filter.vendors", json!([null]), WrongTypeAt("filter.vendors.0")),
        row(
            "filter.productTypes",
            json!(["a\u{0}"]),
            BadArgumentAt("filter.productTypes.0"),
        ),
        row(
            "filter.productTypes",
            json!([["Cup"]]),
            WrongTypeAt("filter.productTypes.0"),
        ),
        row("filter.tags", json!(["a\u{0}"]), BadArgumentAt("filter.tags.0")),
        row("filter.tags", json!([{}]), WrongTypeAt("filter.tags.0")),
    ]);
    rows
}

fn sorts() -> Vec<Row> {
    vec![
        row("sort", "NAME", WrongType),
        row("sort", json!({}), WrongTypeAt("sort.field")),
        row("sort.field", Value::Null, WrongType),
        row("sort.field", "VENDOR", WrongType),
        row("sort.field", "name", WrongType),
        row("sort.field", "RELEVANCE", BadArgument),
        row(
            "sort",
            json!({"field": "NAME", "direction": "UP"}),
            WrongTypeAt("sort.direction"),
        ),
        row(
            "sort",
            json!({"field": "NAME", "direction": null}),
            WrongTypeAt("sort.direction"),
        ),
        row("sort.direction", true, WrongType).beside(json!({"sort": {"field": "NAME"}})),
    ]
}

fn plain_lists(too_many: i32) -> Vec<Row> {
    vec![
        row("first", -1, BadArgument),
        row("first", too_many, BadArgument),
        row("first", i32::MAX, BadArgument),
        row("first", "1", WrongType),
        row("first", 9_007_199_254_740_993_i64, WrongType),
    ]
}
