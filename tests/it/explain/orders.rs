//! Orders, their events and their payments: lists, and what the worker looks for.

use sea_orm::{EntityTrait as _, QueryTrait as _};
use serde_json::{Value, json};
use souk::domain::carts::forget::forget_idle;
use souk::domain::checkout::expire::expire_due;
use souk::domain::orders::list::{self, OrderFilter};
use souk::domain::payments::drive::drive_due;
use souk::entity::shop_order::{self, FulfillmentProgress, OrderStatus, PaymentProgress};
use souk::kernel::actor::Role;
use souk::kernel::address::PostalAddress;
use souk::kernel::id::{OrderId, UserId};
use tracing_subscriber::layer::SubscriberExt as _;

use super::{ROWS, Recorded, pages, plan, reads_in_order, unbound_plan};
use crate::support::buyer::PAY;
use crate::support::{As, Kind, Shop, product};

/// What belongs to orders, of which there is ever more.
const LARGE: [&str; 12] = [
    "cart",
    "cart_line",
    "shop_order",
    "order_line",
    "order_event",
    "fulfillment",
    "fulfillment_line",
    "payment",
    "payment_operation",
    "refund",
    "ledger_transfer",
    "idempotency_key",
];

/// Statements, by what they are recognised by, that end after some rows: they walk along this index, and sort nothing.
const WALKS: [(&str, &str); 8] = [
    ("ORDER BY \"cart\".\"updated_at\"", "ix_cart_updated_at"),
    (
        "ORDER BY \"shop_order\".\"hold_expires_at\"",
        "ix_shop_order_hold_expires_at",
    ),
    ("ORDER BY \"payment\".\"look_at\"", "ix_payment_look_at"),
    (
        "ORDER BY \"payment_operation\".\"attempt_at\"",
        "ix_payment_operation_attempt_at",
    ),
    (
        "ORDER BY \"order_event\".\"seq\" ASC",
        "uq_order_event_order_id_seq",
    ),
    (
        "ORDER BY \"order_event\".\"seq\" DESC",
        "uq_order_event_order_id_seq",
    ),
    (
        "\"user_id\" = ? AND \"order_event\".\"position\" > ?",
        "ix_order_event_user_id_position",
    ),
    (
        "WHERE \"order_event\".\"position\" > ?",
        "uq_order_event_position",
    ),
];

both! {
    async fn orders_are_listed_along_an_index(shop: &Shop) {
        let customer = crowded(shop).await;
        let since = Some(shop.now() - chrono::Duration::seconds(2_500));
        let by = |statuses: &[OrderStatus]| OrderFilter { statuses: Some(statuses.to_vec()), ..OrderFilter::default() };
        let by_payment = |statuses: &[PaymentProgress]| OrderFilter { payment_statuses: Some(statuses.to_vec()), ..OrderFilter::default() };
        for page in pages(list::SORT, shop) {
            for (filter, index) in [
                (OrderFilter::default(), "ix_shop_order_placed_at_id"),
                (OrderFilter { placed_after: since, ..OrderFilter::default() }, "ix_shop_order_placed_at_id"),
                (OrderFilter { placed_before: since, ..OrderFilter::default() }, "ix_shop_order_placed_at_id"),
                (by(&[OrderStatus::Confirmed]), "ix_shop_order_status_placed_at_id"),
                (by_payment(&[PaymentProgress::Unpaid]), "ix_shop_order_payment_status_placed_at_id"),
                (OrderFilter { customer: Some(customer), ..OrderFilter::default() }, "ix_shop_order_user_id_placed_at_id"),
                (OrderFilter { customer: Some(customer), ..by(&[OrderStatus::Confirmed]) }, "placed_at_id"),
            ] {
                let statement = list::statement(&filter, &page).unwrap().build(shop.db().backend());
                reads_in_order(shop.kind, &plan(shop, &statement).await, index);
            }
        }
    }

    /// All that is done with orders, as it is sent.
    async fn nothing_reads_orders_whole(shop: &Shop) {
        let recorded = Recorded::default();
        let recording = tracing::subscriber::set_default(tracing_subscriber::registry().with(recorded.clone()));
        trade(shop).await;
        drop(recording);
        let statements = recorded.0.lock().unwrap().clone();
        assert!(statements.len() > 80, "{statements:#?}");
        let mut wrong = Vec::new();
        for sql in &statements {
            let plan = unbound_plan(shop, sql).await;
            for line in &plan {
                let whole = match shop.kind {
                    Kind::Sqlite => line.strip_prefix("SCAN "),
                    Kind::Postgres => line.split_once("Seq Scan on ").map(|(_, table)| table),
                };
                let table = whole.unwrap_or_default().split(' ').next().unwrap();
                if LARGE.contains(&table) && !line.contains("USING") {
                    wrong.push(format!("{line}\n{sql}"));
                }
            }
        }
        assert!(wrong.is_empty(), "{wrong:#?}");
        for (part, index) in WALKS {
            let numbered = |sql: &str| (1..20).fold(sql.to_owned(), |sql, n| sql.replace(&format!("${n}"), "?"));
            let known: Vec<_> = statements.iter().filter(|sql| numbered(sql).contains(part)).collect();
            assert!(!known.is_empty(), "nobody asks {part}");
            for sql in known {
                let plan = unbound_plan(shop, sql).await.join("\n");
                assert!(plan.contains(index) && !plan.contains("Sort") && !plan.contains("TEMP B-TREE"), "{sql}\n{plan}");
            }
        }
    }
}

/// Many orders, of few customers and in few states. One of the customers.
async fn crowded(shop: &Shop) -> UserId {
    let mut customers = Vec::new();
    for name in ["ann", "bob", "cem"] {
        customers.push(shop.add_user(name, Role::Customer).await);
    }
    let now = shop.now();
    let txn = shop.db().begin().await.unwrap();
    let rows = (0..ROWS).map(|i| {
        let statuses = [
            OrderStatus::Confirmed,
            OrderStatus::Completed,
            OrderStatus::Expired,
        ];
        let payments = [
            PaymentProgress::Unpaid,
            PaymentProgress::Paid,
            PaymentProgress::Authorized,
        ];
        let placed_at = now - chrono::Duration::seconds(i as i64);
        let row = shop_order::Model {
            id: OrderId::new(),
            number: i.to_string(),
            status: statuses[i % 3],
            payment_status: payments[i / 3 % 3],
            fulfillment_status: FulfillmentProgress::Unfulfilled,
            user_id: Some(customers[i / 9 % 3]),
            guest_token_hash: None,
            guest_seed: None,
            email: "a@example.com".to_owned(),
            shipping_address: PostalAddress {
                name: "Ann".to_owned(),
                line1: "Street 1".to_owned(),
                line2: None,
                city: "Town".to_owned(),
                region: None,
                postal_code: None,
                country_code: "DE".to_owned(),
                phone: None,
            },
            currency: "USD".to_owned(),
            subtotal: 5,
            shipping_total: 0,
            tax_total: 0,
            discount_total: 0,
            total: 5,
            paid: 0,
            refunded: 0,
            hold_expires_at: None,
            cancel_reason: None,
            last_seq: 0,
            placed_at,
            updated_at: placed_at,
        };
        shop_order::ActiveModel::from(row)
    });
    for rows in rows.collect::<Vec<_>>().chunks(500) {
        shop_order::Entity::insert_many(rows.to_vec())
            .exec_without_returning(&txn)
            .await
            .unwrap();
    }
    txn.commit().await.unwrap();
    shop.execute("ANALYZE").await.unwrap();
    customers[0]
}

async fn done(shop: &Shop, caller: As, document: &str, input: Value) -> Value {
    let mut data = shop.data(caller, document, json!({ "input": input })).await;
    let payload = data.as_object_mut().unwrap().values_mut().next().unwrap().take();
    assert_eq!(payload["userErrors"], json!([]), "{payload}");
    payload
}

/// Orders are placed, paid, sent, cancelled, given up, listed and followed.
async fn trade(shop: &Shop) {
    shop.add_user("tester", Role::Customer).await;
    let thing = shop.add(product("Thing").stock(100)).await;
    let variant = shop.variants_of(thing).await.remove(0);
    let customer = shop.token(Role::Customer);
    let place = async || {
        let cart = shop.cart_of(Some(&customer), &[(&variant, 2)]).await;
        shop.place(Some(&customer), &cart, &cart).await["order"].take()
    };
    let pay = async |order: &Value, how: Value| {
        let mut input = json!({"orderId": order["id"], "gateway": "TEST", "idempotencyKey": order["id"]});
        input
            .as_object_mut()
            .unwrap()
            .extend(how.as_object().unwrap().clone());
        shop.data(As::Customer, PAY, json!({ "input": input })).await["paymentCreate"]["payment"]["id"].take()
    };
    let capture = "mutation($input: PaymentCaptureInput!) { paymentCapture(input: $input) { payment { id } userErrors { code } } }";
    let void = "mutation($input: PaymentVoidInput!) { paymentVoid(input: $input) { payment { id } userErrors { code } } }";
    let refund = "mutation($input: RefundCreateInput!) { refundCreate(input: $input) { refund { id } userErrors { code } } }";
    let send = "mutation($input: FulfillmentCreateInput!) { fulfillmentCreate(input: $input) { fulfillment { id } userErrors { code } } }";
    let deliver = "mutation($input: FulfillmentDeliverInput!) { fulfillmentDeliver(input: $input) { order { id } userErrors { code } } }";
    let cancel = "mutation($input: OrderCancelInput!) { orderCancel(input: $input) { order { id } userErrors { code } } }";

    let order = place().await;
    let payment = pay(&order, json!({"flow": "AUTHORIZE"})).await;
    done(
        shop,
        As::Staff,
        capture,
        json!({"paymentId": payment, "idempotencyKey": "capture"}),
    )
    .await;
    let parcel = done(
        shop,
        As::Staff,
        send,
        json!({"orderId": order["id"], "idempotencyKey": "send"}),
    )
    .await;
    let parcel = &parcel["fulfillment"]["id"];
    done(shop, As::Staff, deliver, json!({ "fulfillmentId": parcel })).await;
    let back = done(
        shop,
        As::Staff,
        refund,
        json!({"paymentId": payment, "idempotencyKey": "refund"}),
    )
    .await;
    let cancelled = place().await;
    pay(&cancelled, json!({})).await;
    done(
        shop,
        As::Customer,
        cancel,
        json!({"orderId": cancelled["id"], "reason": "a mistake"}),
    )
    .await;
    let voided = pay(&place().await, json!({"testOutcome": "REQUIRE_ACTION"})).await;
    done(
        shop,
        As::Staff,
        void,
        json!({"paymentId": voided, "idempotencyKey": "void"}),
    )
    .await;
    pay(&place().await, json!({"testOutcome": "DECLINE"})).await;
    pay(&place().await, json!({"testOutcome": "TIMEOUT_THEN_SUCCEED"})).await;
    let guest = shop.paid(&[(&variant, 1)]).await;

    let id = &order["id"];
    let all = "lines { id variant { title } } payments { refunds { id } } fulfillments { lines { quantity } } customer { name } availableActions";
    let events =
        "first: events(first: 2) { edges { cursor node { id } } } last: events(last: 2) { nodes { id } }";
    let document = format!(
        "query($id: ID!, $number: String!) {{ order(by: {{id: $id}}) {{ {all} {events} }} other: order(by: {{number: $number}}) {{ id }} }}"
    );
    let data = shop
        .data(As::Staff, &document, json!({"id": id, "number": order["number"]}))
        .await;
    let edge = &data["order"]["first"]["edges"][0];
    let (cursor, event) = (edge["cursor"].as_str().unwrap(), &edge["node"]["id"]);
    let document = "query($id: ID!, $at: String) { order(by: {id: $id}) { a: events(after: $at) { nodes { id } } b: events(last: 1, before: $at) { nodes { id } } } }";
    shop.data(As::Staff, document, json!({"id": id, "at": cursor}))
        .await;
    let ids = json!([
        id,
        order["lines"][0]["id"],
        event,
        parcel,
        payment,
        back["refund"]["id"]
    ]);
    shop.data(
        As::Customer,
        "query($ids: [ID!]!) { nodes(ids: $ids) { id } }",
        json!({ "ids": ids }),
    )
    .await;
    let filters = [
        json!({}),
        json!({"statuses": ["CONFIRMED"]}),
        json!({"statuses": ["CONFIRMED", "COMPLETED"]}),
        json!({"paymentStatuses": ["PAID"]}),
        json!({"placedAfter": "2026-01-01T00:00:00Z", "placedBefore": "2026-12-01T00:00:00Z"}),
    ];
    for filter in filters {
        let staff = "query($f: OrderFilter) { orders(filter: $f, first: 1) { totalCount edges { cursor } } }";
        let own =
            "query($f: OrderFilter) { me { orders(filter: $f, first: 1) { totalCount edges { cursor } } } }";
        shop.data(As::Staff, staff, json!({ "f": filter })).await;
        shop.data(As::Customer, own, json!({ "f": filter })).await;
    }
    let staff = shop.token(Role::Staff);
    for document in [
        format!("subscription {{ orderEvents(orderId: {id}, after: \"{cursor}\") {{ type }} }}"),
        format!("subscription {{ shopOrderEvents(after: \"{cursor}\") {{ type }} }}"),
        format!("subscription {{ myOrderEvents(after: \"{cursor}\") {{ type }} }}"),
    ] {
        let told = shop.first_event(Some(&staff), &document).await;
        assert_eq!(told["errors"], Value::Null, "{told}");
    }
    shop.data(
        As::Anonymous,
        "query($id: ID!, $token: String) { order(by: {id: $id}, guestToken: $token) { id } }",
        json!({"id": guest.id, "token": guest.token}),
    )
    .await;

    let unpaid = place().await;
    shop.cart(&[(&variant, 1)]).await;
    shop.clock.advance(chrono::Duration::days(31));
    assert!(drive_due(&shop.system()).await.unwrap() > 0);
    assert!(expire_due(&shop.system()).await.unwrap() > 0);
    assert_eq!(shop.standing(unpaid["id"].as_str().unwrap()).await[0], "EXPIRED");
    assert!(forget_idle(&shop.system(), 10).await.unwrap() > 0);
}
