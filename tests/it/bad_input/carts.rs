//! Bad input of carts.

use serde_json::{Value, json};

use super::case::Expected::{BadArgument, ListTooLong, Refused, RefusedAt, WrongType, WrongTypeAt};
use super::case::{MISSING, Operation, Row, row};
use super::mutations::{ids, inputs};

pub(super) fn operations() -> Vec<Operation> {
    vec![
        Operation {
            field: "Query.cart",
            answered_at: &["cart"],
            document: "query($id: ID!) { cart(id: $id) { id } }",
            variables: json!({"id": "@cart"}),
            rows: cart(),
        },
        Operation {
            field: "Mutation.cartCreate",
            answered_at: &["cartCreate"],
            document: "mutation($input: CartCreateInput!) { cartCreate(input: $input) { cart { id } userErrors { code path message params retryable } } }",
            variables: json!({"input": {"lines": [{"variantId": "@counted", "quantity": 1}]}}),
            rows: [inputs(), new_lines()].into_iter().flatten().collect(),
        },
        Operation {
            field: "Mutation.cartLinesAdd",
            answered_at: &["cartLinesAdd"],
            document: "mutation($input: CartLinesAddInput!) { cartLinesAdd(input: $input) { cart { id } userErrors { code path message params retryable } } }",
            variables: json!({"input": {"cartId": "@cart", "lines": [{"variantId": "@uncounted", "quantity": 1}]}}),
            rows: [
                inputs(),
                ids("input.cartId", "@mug", "@noCart"),
                new_lines(),
                needed_lines(),
            ]
            .into_iter()
            .flatten()
            .collect(),
        },
        Operation {
            field: "Mutation.cartLinesUpdate",
            answered_at: &["cartLinesUpdate"],
            document: "mutation($input: CartLinesUpdateInput!) { cartLinesUpdate(input: $input) { cart { id } userErrors { code path message params retryable } } }",
            variables: json!({"input": {"cartId": "@cart", "lines": [{"lineId": "@cartLine", "quantity": 2}]}}),
            rows: [
                inputs(),
                ids("input.cartId", "@cartLine", "@noCart"),
                set_lines(),
                needed_lines(),
            ]
            .into_iter()
            .flatten()
            .collect(),
        },
    ]
}

fn cart() -> Vec<Row> {
    vec![
        row("id", MISSING, WrongType),
        row("id", Value::Null, WrongType),
        row("id", json!({}), WrongType),
        row("id", 5, BadArgument),
        row("id", "", BadArgument),
        row("id", "cart", BadArgument),
        row("id", "@cartLine", BadArgument),
        row("id", "cart_01h455vb4pex5vsknk084sn02q\u{0}", BadArgument),
    ]
}

fn needed_lines() -> Vec<Row> {
    vec![
        row("input.lines", MISSING, WrongType),
        row("input.lines", Value::Null, WrongType),
    ]
}

fn new_lines() -> Vec<Row> {
    let (variant, quantity) = ("input.lines.0.variantId", "input.lines.0.quantity");
    let many = vec![json!({"variantId": "@uncounted", "quantity": 1}); 251];
    let mut rows = vec![
        row("input.lines", 5, WrongTypeAt("input.lines")),
        row("input.lines", json!([null]), WrongTypeAt("input.lines.0")),
        row("input.lines", many, ListTooLong),
        row("input.lines.0.price", "0", WrongTypeAt("input.lines.0")),
        row(
            "input.lines",
            json!([{"variantId": "@uncounted", "quantity": 1}, {"variantId": "@counted", "quantity": 6}]),
            RefusedAt("INSUFFICIENT_STOCK", "input.lines.1.quantity"),
        ),
        row(quantity, 10_001, Refused("OUT_OF_RANGE")),
        row(quantity, 0, Refused("OUT_OF_RANGE")),
        row(
            "input.lines",
            json!([{"variantId": "@uncounted", "quantity": 9_999}, {"variantId": "@uncounted", "quantity": 2}]),
            RefusedAt("OUT_OF_RANGE", "input.lines.1.quantity"),
        ),
        row(variant, "@draftVariant", Refused("PRODUCT_UNAVAILABLE")),
    ];
    rows.extend(ids(variant, "@mug", "@noVariant"));
    rows.extend(quantities(quantity));
    rows
}

fn set_lines() -> Vec<Row> {
    let (line, quantity) = ("input.lines.0.lineId", "input.lines.0.quantity");
    let many = vec![json!({"lineId": "@cartLine", "quantity": 1}); 251];
    let mut rows = vec![
        row("input.lines", true, WrongTypeAt("input.lines")),
        row("input.lines", many, ListTooLong),
        row(
            "input.lines",
            json!([{"lineId": "@cartLine", "quantity": 1}, {"lineId": "@cartLine", "quantity": 1}]),
            RefusedAt("INVALID", "input.lines.1.lineId"),
        ),
        row(quantity, 10_001, Refused("OUT_OF_RANGE")),
    ];
    rows.extend(ids(line, "@cart", "@noCartLine"));
    rows.extend(quantities(quantity));
    rows
}

pub(super) fn quantities(path: &'static str) -> Vec<Row> {
    vec![
        row(path, MISSING, WrongType),
        row(path, Value::Null, WrongType),
        row(path, "1", WrongType),
        row(path, 1.5, WrongType),
        row(path, 2_147_483_648_i64, WrongType),
        row(path, -1, Refused("OUT_OF_RANGE")),
        row(path, i32::MAX, Refused("OUT_OF_RANGE")),
        row(path, i32::MIN, Refused("OUT_OF_RANGE")),
    ]
}
