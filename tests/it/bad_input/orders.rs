//! Bad input of orders.

use serde_json::{Value, json};
use souk::kernel::actor::Role;
use souk::kernel::id::{FulfillmentId, OrderLineId};
use souk::kernel::page::{Cursor, SortKey};

use super::case::Expected::{
    BadArgument, BadArgumentAt, ListTooLong, Refused, RefusedAt, WrongType, WrongTypeAt,
};
use super::case::{MISSING, Operation, Row, row};
use super::mutations::{ids, inputs, optional, required};
use super::{carts, payments, queries};
use crate::support::buyer::PAY;
use crate::support::{Shop, product};

pub(super) fn operations() -> Vec<Operation> {
    [reading(), changing(), hearing()].into_iter().flatten().collect()
}

fn reading() -> Vec<Operation> {
    vec![
        Operation {
            field: "Query.order",
            answered_at: &["order"],
            document: "query($by: OrderBy!, $guestToken: String) { order(by: $by, guestToken: $guestToken) { id } }",
            variables: json!({"by": {"id": "@sent"}, "guestToken": "of no use to staff"}),
            rows: order(),
        },
        Operation {
            field: "Query.orders",
            answered_at: &["orders"],
            document: "query($filter: OrderFilter, $first: Int, $after: String, $last: Int, $before: String) {
                orders(filter: $filter, first: $first, after: $after, last: $last, before: $before) { totalCount nodes { id } } }",
            variables: json!({}),
            rows: [queries::pages(), filters()].into_iter().flatten().collect(),
        },
        Operation {
            field: "User.orders",
            answered_at: &["me", "orders"],
            document: "query($filter: OrderFilter, $first: Int, $after: String, $last: Int, $before: String) {
                me { orders(filter: $filter, first: $first, after: $after, last: $last, before: $before) { totalCount nodes { id } } } }",
            variables: json!({}),
            rows: [queries::pages(), filters()].into_iter().flatten().collect(),
        },
        Operation {
            field: "Order.events",
            answered_at: &["order", "events"],
            document: "query($id: ID!, $first: Int, $after: String, $last: Int, $before: String) {
                order(by: {id: $id}) { events(first: $first, after: $after, last: $last, before: $before) { nodes { id } } } }",
            variables: json!({"id": "@sent"}),
            rows: [queries::pages(), cursors("after"), cursors("before")]
                .into_iter()
                .flatten()
                .chain([
                    // Of an event, but of another order's.
                    row("after", "@ownEvent", BadArgument),
                    row("before", "@ownEvent", BadArgument),
                ])
                .collect(),
        },
    ]
}

fn changing() -> Vec<Operation> {
    vec![
        Operation {
            field: "Mutation.orderPlace",
            answered_at: &["orderPlace"],
            document: "mutation($input: OrderPlaceInput!) { orderPlace(input: $input) { order { id } guestToken userErrors { code path message params retryable } } }",
            variables: json!({"input": {"cartId": "@cart", "email": "tess@example.com",
                "shippingAddress": {"name": "Tess", "line1": "1 High Street", "city": "Leeds", "countryCode": "GB"}, "idempotencyKey": "place"}}),
            rows: [
                inputs(),
                ids("input.cartId", "@cartLine", "@noCart"),
                place(),
                payments::keys(),
            ]
            .into_iter()
            .flatten()
            .collect(),
        },
        Operation {
            field: "Mutation.fulfillmentCreate",
            answered_at: &["fulfillmentCreate"],
            document: "mutation($input: FulfillmentCreateInput!) { fulfillmentCreate(input: $input) { fulfillment { id } order { id } userErrors { code path message params retryable } } }",
            variables: json!({"input": {"orderId": "@sent", "lines": [{"orderLineId": "@sentLine", "quantity": 1}], "carrier": "DHL",
                "trackingNumber": "JD01", "trackingUrl": "https://dhl.example/JD01", "idempotencyKey": "send"}}),
            rows: [
                inputs(),
                ids("input.orderId", "@sentLine", "@noOrder"),
                send(),
                payments::keys(),
            ]
            .into_iter()
            .flatten()
            .collect(),
        },
        Operation {
            field: "Mutation.fulfillmentDeliver",
            answered_at: &["fulfillmentDeliver"],
            document: "mutation($input: FulfillmentDeliverInput!) { fulfillmentDeliver(input: $input) { fulfillment { id } order { id } userErrors { code path message params retryable } } }",
            variables: json!({"input": {"fulfillmentId": "@parcel"}}),
            rows: [inputs(), ids("input.fulfillmentId", "@sent", "@noParcel")]
                .into_iter()
                .flatten()
                .collect(),
        },
        Operation {
            field: "Mutation.orderCancel",
            answered_at: &["orderCancel"],
            document: "mutation($input: OrderCancelInput!) { orderCancel(input: $input) { order { id } userErrors { code path message params retryable } } }",
            variables: json!({"input": {"orderId": "@order", "reason": "a mistake"}}),
            rows: [
                inputs(),
                ids("input.orderId", "@parcel", "@noOrder"),
                required("input.reason"),
                vec![row("input.orderId", "@sent", Refused("TRANSITION_INVALID"))],
            ]
            .into_iter()
            .flatten()
            .collect(),
        },
    ]
}

fn hearing() -> Vec<Operation> {
    let order = "orderId";
    let mut of_order = vec![
        row(order, MISSING, WrongType),
        row(order, Value::Null, WrongType),
        row(order, json!({}), WrongType),
        row(order, 5, BadArgument),
        row(order, "", BadArgument),
        row(order, "order", BadArgument),
        row(order, "@parcel", BadArgument),
        row(order, "@noOrder", BadArgument),
        row("guestToken", 5, WrongType),
        row("guestToken", json!(["a"]), WrongType),
        // Of an event, but of another order's.
        row("after", "@ownEvent", BadArgument),
    ];
    of_order.extend(cursors("after"));
    let mut own = cursors("after");
    own.push(row("after", "@sentEvent", BadArgument));
    vec![
        Operation {
            field: "Subscription.orderEvents",
            answered_at: &["orderEvents"],
            document: "subscription($orderId: ID!, $guestToken: String, $after: String) { orderEvents(orderId: $orderId, guestToken: $guestToken, after: $after) { id } }",
            variables: json!({"orderId": "@sent", "guestToken": "of no use to staff", "after": "@sentEvent"}),
            rows: of_order,
        },
        Operation {
            field: "Subscription.myOrderEvents",
            answered_at: &["myOrderEvents"],
            document: "subscription($after: String) { myOrderEvents(after: $after) { id } }",
            variables: json!({"after": "@ownEvent"}),
            rows: own,
        },
        Operation {
            field: "Subscription.shopOrderEvents",
            answered_at: &["shopOrderEvents"],
            document: "subscription($after: String) { shopOrderEvents(after: $after) { id } }",
            variables: json!({"after": "@sentEvent"}),
            rows: cursors("after"),
        },
    ]
}

/// The names that these rows use, and what they stand for.
pub(super) async fn furnish(shop: &Shop) -> Vec<(&'static str, String)> {
    let thing = shop.add(product("Bowl").stock(50)).await;
    let [variant] = &shop.variants_of(thing).await[..] else {
        panic!("it has one variant")
    };
    let sent = shop.paid(&[(variant, 5)]).await;
    let other = shop.paid(&[(variant, 1)]).await;
    let staff = shop.token(Role::Admin);
    let parcel = "mutation($input: FulfillmentCreateInput!) { fulfillmentCreate(input: $input) { fulfillment { id } } }";
    let part = json!([{"orderLineId": sent.first_line, "quantity": 1}]);
    let input = json!({"orderId": sent.id, "lines": part, "idempotencyKey": "a parcel"});
    let parcel = shop
        .graphql_with(Some(&staff), parcel, json!({ "input": input }))
        .await;
    let parcel = &parcel["data"]["fulfillmentCreate"]["fulfillment"]["id"];
    // Of whoever asks, with more than one thing that has happened to it.
    let cart = shop.cart_of(Some(&staff), &[(variant, 1)]).await;
    let own = shop.place(Some(&staff), &cart, "own").await["order"]["id"]
        .as_str()
        .unwrap()
        .to_owned();
    let input = json!({"orderId": own, "gateway": "TEST", "idempotencyKey": "pay own"});
    shop.graphql_with(Some(&staff), PAY, json!({ "input": input }))
        .await;
    let empty = shop.cart(&[]).await;
    let event = |order: &str, sort: &str, key: SortKey| {
        let id: souk::kernel::id::OrderId = order.parse().unwrap();
        Cursor {
            sort: sort.to_owned(),
            key,
            id: id.0,
        }
        .encode()
    };
    let events = |key: SortKey| event(&sent.id, "ORDER_EVENT", key);
    vec![
        ("@sentEvent", events(SortKey::Int(1))),
        ("@ownEvent", event(&own, "ORDER_EVENT", SortKey::Int(1))),
        ("@eventByText", events(SortKey::Text("1".to_owned()))),
        ("@eventBeyond", events(SortKey::Int(i64::from(i32::MAX) + 1))),
        (
            "@cursorOfOrdersByNumber",
            event(&own, "ORDER_PLACED_AT DESC", SortKey::Int(1)),
        ),
        ("@sent", sent.id.clone()),
        ("@sentLine", sent.first_line.clone()),
        ("@otherLine", other.first_line),
        ("@noLine", OrderLineId::new().to_string()),
        ("@parcel", parcel.as_str().unwrap().to_owned()),
        ("@noParcel", FulfillmentId::new().to_string()),
        ("@emptyCart", empty),
    ]
}

fn order() -> Vec<Row> {
    let alone = || json!({"by": {}});
    let mut rows = vec![
        row("by", MISSING, WrongType),
        row("by", Value::Null, WrongType),
        row("by", "100000000", WrongType),
        row("by", json!({}), WrongType),
        row("by", json!({"id": "@sent", "number": "1"}), WrongType),
        row("by.id", "sent", BadArgument),
        row("by.id", "", BadArgument),
        row("by.id", "@parcel", BadArgument),
        row("by.number", 100_000_000, WrongType).beside(alone()),
        row("by.number", Value::Null, WrongTypeAt("by")).beside(alone()),
        row("by.number", "1\u{0}", BadArgument).beside(alone()),
    ];
    rows.extend(
        [5.into(), json!(["a"]), json!(true)].map(|token: Value| row("guestToken", token, WrongType)),
    );
    rows
}

fn filters() -> Vec<Row> {
    let mut rows = vec![
        row("after", "@cursorOfOrdersByNumber", BadArgument),
        row("before", "@cursorOfOrdersByNumber", BadArgument),
        row("after", "@sentEvent", BadArgument),
        row("filter", "PAID", WrongType),
        row("filter.customer", "@tester", WrongTypeAt("filter")),
    ];
    for (path, first) in [
        ("filter.statuses", "filter.statuses.0"),
        ("filter.paymentStatuses", "filter.paymentStatuses.0"),
    ] {
        rows.extend([
            row(path, "LOST", WrongType),
            row(path, json!(["paid"]), WrongTypeAt(first)),
            row(path, json!([null]), WrongTypeAt(first)),
        ]);
    }
    for path in ["filter.placedAfter", "filter.placedBefore"] {
        rows.extend(
            ["", "yesterday", "2026-03-01", "2026-13-01T00:00:00Z"].map(|text| row(path, text, WrongType)),
        );
        rows.push(row(path, 1_772_000_000, WrongType));
    }
    rows
}

/// What is no cursor of an event.
fn cursors(path: &'static str) -> Vec<Row> {
    let mut rows = vec![row(path, 5, WrongType), row(path, json!(["a"]), WrongType)];
    rows.extend(
        [
            "",
            "%%%",
            "a\u{0}",
            "@cursorOfNothing",
            "@cursorOfOrdersByNumber",
            "@eventByText",
            "@eventBeyond",
        ]
        .map(|text| row(path, text, BadArgument)),
    );
    rows.push(row(path, "a".repeat(5_000), BadArgument));
    rows
}

fn place() -> Vec<Row> {
    let (email, address, total) = ("input.email", "input.shippingAddress", "input.expectedTotal");
    let mut rows = vec![
        row("input.cartId", "@emptyCart", Refused("CART_EMPTY")),
        row(email, 5, WrongType),
        row(address, MISSING, WrongType),
        row(address, Value::Null, WrongType),
        row(address, "1 High Street", WrongType),
        row(address, json!({"colour": "red"}), WrongType),
        row(total, "5", WrongType),
        row(
            total,
            json!({"amount": "1"}),
            WrongTypeAt("input.expectedTotal.currencyCode"),
        ),
        row("input.expectedTotal.amount", 1.5, WrongType),
        row(
            total,
            json!({"amount": "1", "currencyCode": "usd"}),
            WrongTypeAt("input.expectedTotal.currencyCode"),
        ),
        row(total, dollars("1"), Refused("PRICE_CHANGED")),
        row(total, dollars("-1"), Refused("PRICE_CHANGED")),
        row(
            total,
            dollars("0.001"),
            BadArgumentAt("input.expectedTotal.amount"),
        ),
        row(
            total,
            dollars("79228162514264337593543950335"),
            BadArgumentAt("input.expectedTotal.amount"),
        ),
        row(
            total,
            json!({"amount": "1", "currencyCode": "EUR"}),
            RefusedAt("CURRENCY_MISMATCH", "input.expectedTotal.currencyCode"),
        ),
    ];
    rows.extend(
        ["", "ann", "ann@localhost", "a\u{0}@example.com"].map(|text| row(email, text, Refused("INVALID"))),
    );
    rows.push(row(
        email,
        format!("{}@example.com", "a".repeat(300)),
        Refused("INVALID"),
    ));
    for path in [
        "input.shippingAddress.name",
        "input.shippingAddress.line1",
        "input.shippingAddress.city",
    ] {
        rows.extend(required(path));
    }
    for path in ["input.shippingAddress.line2", "input.shippingAddress.region"] {
        rows.extend(optional(path));
    }
    for path in ["input.shippingAddress.postalCode", "input.shippingAddress.phone"] {
        rows.push(row(path, 5, WrongType));
        rows.push(row(path, "0".repeat(33), Refused("TOO_LONG")));
        rows.push(row(path, "0\u{0}", Refused("INVALID")));
    }
    rows.extend(
        [MISSING, "", "gb", "XX"].map(|code| row("input.shippingAddress.countryCode", code, WrongType)),
    );
    rows
}

fn dollars(amount: &str) -> Value {
    json!({"amount": amount, "currencyCode": "USD"})
}

fn send() -> Vec<Row> {
    let (lines, line, quantity) = (
        "input.lines",
        "input.lines.0.orderLineId",
        "input.lines.0.quantity",
    );
    let one = |quantity: i32| json!({"orderLineId": "@sentLine", "quantity": quantity});
    let mut rows = ids(line, "@sent", "@noLine");
    rows.extend(carts::quantities(quantity));
    rows.extend(optional("input.carrier"));
    rows.extend(optional("input.trackingNumber"));
    rows.extend([
        // Not paid for.
        row("input.orderId", "@order", Refused("TRANSITION_INVALID")),
        row(lines, 5, WrongType),
        row(lines, json!([null]), WrongTypeAt("input.lines.0")),
        row(lines, json!([]), Refused("TOO_SHORT")),
        row(lines, vec![one(1); 251], ListTooLong),
        row(
            lines,
            vec![one(3), one(2)],
            RefusedAt("OUT_OF_RANGE", "input.lines.1.quantity"),
        ),
        row(line, "@otherLine", Refused("NOT_FOUND")),
        row(quantity, 0, Refused("OUT_OF_RANGE")),
        row(quantity, 5, Refused("OUT_OF_RANGE")),
    ]);
    let url = "input.trackingUrl";
    rows.extend(["", "/JD01", "javascript:alert(1)", "https://"].map(|text| row(url, text, WrongType)));
    rows.push(row(url, 5, WrongType));
    rows.push(row(
        url,
        format!("https://dhl.example/{}", "a".repeat(2_048)),
        WrongType,
    ));
    rows
}
