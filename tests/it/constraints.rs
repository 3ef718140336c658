//! The database itself refuses what must never be, whatever the code above it does.

use serde_json::json;
use souk::kernel::actor::Role;

use crate::support::{As, Kind, Shop, product, variant};

/// A statement that would leave a row that must not be.
const CHECKS: &[&str] = &[
    "UPDATE inventory_level SET on_hand = -1",
    "UPDATE inventory_level SET reserved = -1",
    "UPDATE inventory_level SET reserved = on_hand + 1",
    "UPDATE inventory_level SET on_hand = 2147483648",
    "UPDATE inventory_level SET reserved = 2147483648, tracked = NOT tracked",
    "UPDATE inventory_movement SET on_hand_delta = 0",
    "UPDATE inventory_movement SET reason = ''",
    "UPDATE product SET slug = ''",
    "UPDATE product SET name = ''",
    "UPDATE product SET vendor = ''",
    "UPDATE product SET product_type = ''",
    "UPDATE product SET currency = 'US'",
    "UPDATE product SET status = 'SOLD'",
    "UPDATE product SET price_min = -1",
    "UPDATE product SET price_min = price_max + 1",
    "UPDATE product SET version = 0",
    "UPDATE product_variant SET price = -1",
    "UPDATE product_variant SET compare_at_price = -1",
    "UPDATE product_variant SET position = 0",
    "UPDATE product_variant SET sku = ''",
    "UPDATE product_variant SET title = ''",
    "UPDATE product_variant SET option1 = ''",
    "UPDATE product_variant SET option3 = 'silk'",
    "UPDATE product_image SET url = ''",
    "UPDATE product_image SET position = 0",
    "UPDATE product_option SET position = 4",
    "UPDATE product_option SET name = ''",
    "UPDATE product_tag SET tag = ''",
    "UPDATE product_listing SET status = 'SOLD'",
    "UPDATE category SET slug = ''",
    "UPDATE category SET name = ''",
    "UPDATE category SET parent_id = id",
    "UPDATE category_ancestor SET distance = distance + 1",
    "UPDATE category_ancestor SET distance = -1",
];

const UNIQUE: &[&str] = &[
    "UPDATE product SET slug = 'mug'",
    "UPDATE category SET slug = 'home'",
    "UPDATE product_variant SET option1 = 'S', option2 = 'red'",
    "UPDATE product_option SET name = 'Size'",
    "UPDATE product_image SET url = 'https://img.example/1.jpg'",
    "UPDATE product_tag SET tag = 'tea'",
];

const FOREIGN: &[&str] = &[
    "DELETE FROM category",
    "UPDATE category SET parent_id = (SELECT id FROM product LIMIT 1)",
    "UPDATE product SET category_id = (SELECT id FROM product LIMIT 1)",
    "UPDATE product_variant SET product_id = (SELECT id FROM category LIMIT 1)",
    "UPDATE product_variant SET image_id = product_id",
    "UPDATE inventory_level SET variant_id = (SELECT id FROM category WHERE slug = 'home') WHERE on_hand = 3",
    "UPDATE inventory_movement SET variant_id = (SELECT id FROM category LIMIT 1)",
];

/// The same of carts, orders and payments.
const ORDER_CHECKS: &[&str] = &[
    "UPDATE cart SET currency = 'US'",
    "UPDATE cart_line SET quantity = 0",
    "UPDATE cart_line SET quantity = 10001",
    "UPDATE cart_line SET unit_price = -1",
    "UPDATE shop_order SET status = 'LOST'",
    "UPDATE shop_order SET payment_status = 'OWED'",
    "UPDATE shop_order SET fulfillment_status = 'LOST'",
    // Nobody's, or somebody's that a token opens.
    "UPDATE shop_order SET user_id = NULL",
    "UPDATE shop_order SET user_id = (SELECT id FROM user_account LIMIT 1)",
    "UPDATE shop_order SET guest_seed = NULL WHERE user_id IS NULL",
    "UPDATE shop_order SET guest_token_hash = 'a', guest_seed = 'a' WHERE user_id IS NOT NULL",
    // Waiting for money without an end, or having one without waiting.
    "UPDATE shop_order SET hold_expires_at = NULL WHERE status = 'PENDING_PAYMENT'",
    "UPDATE shop_order SET status = 'CONFIRMED' WHERE status = 'PENDING_PAYMENT'",
    "UPDATE shop_order SET status = 'CANCELLED', hold_expires_at = NULL",
    "UPDATE shop_order SET cancel_reason = 'a mistake'",
    "UPDATE shop_order SET currency = 'US'",
    "UPDATE shop_order SET subtotal = -1, total = -1",
    "UPDATE shop_order SET total = total + 1",
    "UPDATE shop_order SET tax_total = 1",
    "UPDATE shop_order SET discount_total = 1",
    "UPDATE shop_order SET refunded = paid + 1",
    "UPDATE shop_order SET refunded = -1",
    "UPDATE shop_order SET last_seq = -1",
    "UPDATE order_line SET quantity = 0, held = 0, fulfilled_quantity = 0, line_total = 0",
    "UPDATE order_line SET quantity = 10001, line_total = 10001 * unit_price",
    "UPDATE order_line SET held = -1",
    "UPDATE order_line SET held = quantity - fulfilled_quantity + 1",
    "UPDATE order_line SET delivered_quantity = -1",
    "UPDATE order_line SET delivered_quantity = fulfilled_quantity + 1",
    "UPDATE order_line SET fulfilled_quantity = quantity + 1",
    "UPDATE order_line SET unit_price = -1, line_total = -quantity",
    "UPDATE order_line SET line_total = line_total + 1",
    "INSERT INTO order_event SELECT id, order_id, 99, 0, user_id, type, status, payment_status, fulfillment_status, message, actor, occurred_at FROM order_event",
    "INSERT INTO order_event SELECT id, order_id, 0, NULL, user_id, type, status, payment_status, fulfillment_status, message, actor, occurred_at FROM order_event",
    "INSERT INTO order_event SELECT id, order_id, seq, NULL, user_id, 'LOST', status, payment_status, fulfillment_status, message, actor, occurred_at FROM order_event",
    "UPDATE fulfillment SET status = 'LOST'",
    "UPDATE fulfillment SET status = 'DELIVERED'",
    "UPDATE fulfillment SET delivered_at = created_at",
    "UPDATE fulfillment_line SET quantity = 0",
    "UPDATE payment SET gateway = ''",
    "UPDATE payment SET flow = 'BORROW'",
    "UPDATE payment SET status = 'LOST'",
    "UPDATE payment SET currency = 'US'",
    "UPDATE payment SET amount = 0, authorized = 0, captured = 0, refunded = 0",
    "UPDATE payment SET authorized = -1",
    "UPDATE payment SET authorized = amount + 1",
    "UPDATE payment SET captured = -1, refunded = -1",
    "UPDATE payment SET captured = amount + 1",
    "UPDATE payment SET refunded = captured + 1",
    "UPDATE payment SET refunded = -1",
    "UPDATE refund SET amount = 0",
    "UPDATE refund SET status = 'LOST'",
    "UPDATE payment_operation SET kind = 'STEAL'",
    "UPDATE payment_operation SET status = 'LOST'",
    "UPDATE payment_operation SET refund_id = NULL",
    "UPDATE payment_operation SET kind = 'REFUND' WHERE kind = 'CREATE'",
    "UPDATE payment_operation SET status = 'PENDING'",
    "UPDATE payment_operation SET attempt_at = created_at",
    "UPDATE payment_operation SET seq = 0",
    "UPDATE payment_operation SET attempts = -1",
];

const ORDER_UNIQUE: &[&str] = &[
    "UPDATE cart SET user_id = (SELECT id FROM user_account LIMIT 1)",
    "UPDATE cart_line SET variant_id = (SELECT variant_id FROM cart_line LIMIT 1)",
    "UPDATE shop_order SET number = '100000000'",
    "UPDATE shop_order SET guest_token_hash = 'a' WHERE user_id IS NULL",
    "UPDATE order_line SET position = 1",
    "INSERT INTO order_event SELECT id, order_id, 99, NULL, user_id, type, status, payment_status, fulfillment_status, message, actor, occurred_at FROM order_event WHERE seq = 1",
    "INSERT INTO order_event SELECT v.id, e.order_id, 90 + v.position, 99, e.user_id, e.type, e.status, e.payment_status, e.fulfillment_status, e.message, e.actor, e.occurred_at FROM (SELECT * FROM order_event LIMIT 1) e, product_variant v WHERE v.product_id = (SELECT product_id FROM product_variant WHERE position = 2 LIMIT 1)",
    "UPDATE payment SET gateway_reference = 'a'",
    // Two that are under way for one order.
    "UPDATE payment SET status = 'PROCESSING', gateway_reference = NULL",
    "UPDATE payment_operation SET kind = 'CREATE', refund_id = NULL",
];

const ORDER_FOREIGN: &[&str] = &[
    "DELETE FROM shop_order",
    "DELETE FROM order_line",
    "DELETE FROM fulfillment",
    "DELETE FROM payment",
    "DELETE FROM refund",
    "DELETE FROM user_account",
    "UPDATE cart SET user_id = (SELECT id FROM product LIMIT 1) WHERE user_id IS NOT NULL",
    "UPDATE cart_line SET variant_id = id",
    "UPDATE shop_order SET user_id = (SELECT id FROM product LIMIT 1) WHERE user_id IS NOT NULL",
    "UPDATE order_line SET order_id = id",
    "UPDATE order_line SET variant_id = id",
    "INSERT INTO order_event SELECT order_id, id, seq, NULL, user_id, type, status, payment_status, fulfillment_status, message, actor, occurred_at FROM order_event WHERE seq = 1",
    "UPDATE fulfillment SET order_id = id",
    "UPDATE fulfillment_line SET order_line_id = fulfillment_id",
    "UPDATE payment SET order_id = id",
    "UPDATE refund SET payment_id = id",
    "UPDATE payment_operation SET payment_id = refund_id WHERE kind = 'REFUND'",
    "UPDATE payment_operation SET refund_id = payment_id WHERE kind = 'REFUND'",
];

/// What has happened stays so. The first two are about places, which are given once.
const HISTORY: &[&str] = &[
    "UPDATE order_event SET position = position + 100",
    "UPDATE order_event SET position = NULL",
    "DELETE FROM order_event",
    "UPDATE order_event SET message = 'nothing happened'",
    "UPDATE order_event SET type = 'COMPLETED'",
    "UPDATE order_event SET status = 'COMPLETED'",
    "UPDATE order_event SET payment_status = 'REFUNDED'",
    "UPDATE order_event SET fulfillment_status = 'DELIVERED'",
    "UPDATE order_event SET seq = seq + 100",
    "UPDATE order_event SET order_id = id",
    "UPDATE order_event SET id = order_id WHERE seq = 1",
];

/// A cart and an order of a customer, a guest's cart, and two of guests' orders. The second is paid, after a try that failed,
/// sent in part, and partly paid back.
async fn trade(shop: &Shop) {
    let sizes = vec![
        variant(["S"]).price(500).stock(9),
        variant(["M"]).price(500).stock(9),
    ];
    let thing = shop.add(product("Thing").variants(["Size"], sizes)).await;
    let variants = shop.variants_of(thing).await;
    let lines = [(variants[0].as_str(), 3), (variants[1].as_str(), 2)];
    shop.add_user("tester", Role::Customer).await;
    let customer = shop.token(Role::Customer);
    let cart = shop.cart_of(Some(&customer), &lines).await;
    shop.place(Some(&customer), &cart, "an order").await;
    shop.cart_of(Some(&customer), &lines).await;
    shop.cart(&lines).await;
    shop.ordered(&lines[..1]).await;
    let order = shop.ordered(&lines).await;
    shop.pay(&order, "DECLINE", "a try").await;
    let paid = shop.pay(&order, "SUCCEED", "another try").await;
    let document = "mutation($send: FulfillmentCreateInput!, $refund: RefundCreateInput!) {
        fulfillmentCreate(input: $send) { userErrors { code } } refundCreate(input: $refund) { userErrors { code } } }";
    let send = json!({"orderId": order.id, "idempotencyKey": "send", "lines": [{"orderLineId": order.first_line, "quantity": 1}]});
    let amount = json!({"amount": "1", "currencyCode": "USD"});
    let refund = json!({"paymentId": paid["payment"]["id"], "idempotencyKey": "refund", "amount": amount});
    let data = shop
        .data(As::Staff, document, json!({"send": send, "refund": refund}))
        .await;
    assert_eq!(data["fulfillmentCreate"]["userErrors"], json!([]));
    assert_eq!(data["refundCreate"]["userErrors"], json!([]));
}

/// As many rows as it takes for each statement above to break something.
async fn stock(shop: &Shop) {
    let home = shop.add_category("Home", None).await;
    let kitchen = shop.add_category("Kitchen", Some(home)).await;
    let colours = vec![
        variant(["S", "red"]).sku("A").compare_at(9_900).stock(3),
        variant(["S", "blue"]).stock(4),
    ];
    let mug = product("Mug")
        .vendor("Clay")
        .product_type("Cups")
        .tags(&["tea", "blue"])
        .category(kitchen)
        .images(&["https://img.example/1.jpg", "https://img.example/2.jpg"])
        .variants(["Size", "Colour"], colours);
    shop.add(mug).await;
    shop.add(product("Cup")).await;
}

async fn expect_refusals(shop: &Shop, statements: &[&str], by: [&str; 2]) {
    for sql in statements {
        match shop.execute(sql).await {
            Ok(rows) => panic!("{sql}: changed {rows} rows, and should have been refused"),
            Err(error) => {
                let error = error.to_string();
                assert!(
                    by.iter().any(|text| error.contains(text)),
                    "{sql}: refused for another reason: {error}"
                );
            }
        }
    }
}

both! {
    async fn rows_that_make_no_sense_are_refused(shop: &Shop) {
        stock(shop).await;
        expect_refusals(shop, CHECKS, ["CHECK constraint failed", "violates check constraint"]).await;
        expect_refusals(shop, UNIQUE, ["UNIQUE constraint failed", "violates unique constraint"]).await;
        expect_refusals(shop, FOREIGN, ["FOREIGN KEY constraint failed", "violates foreign key constraint"]).await;
        let untouched = "SELECT CAST(sum(on_hand) AS text), CAST(sum(reserved) AS text) FROM inventory_level";
        assert_eq!(shop.rows(untouched).await, [["7", "0"]]);
    }

    async fn orders_that_make_no_sense_are_refused(shop: &Shop) {
        trade(shop).await;
        let before = shop.rows("SELECT status, payment_status, CAST(last_seq AS text) FROM shop_order ORDER BY status").await;
        expect_refusals(shop, ORDER_CHECKS, ["CHECK constraint failed", "violates check constraint"]).await;
        expect_refusals(shop, ORDER_UNIQUE, ["UNIQUE constraint failed", "violates unique constraint"]).await;
        expect_refusals(shop, ORDER_FOREIGN, ["FOREIGN KEY constraint failed", "violates foreign key constraint"]).await;
        let after = shop.rows("SELECT status, payment_status, CAST(last_seq AS text) FROM shop_order ORDER BY status").await;
        assert_eq!(before, after);
        shop.balance().await;
    }

    async fn what_has_happened_stays_so(shop: &Shop) {
        trade(shop).await;
        let only = ["order events are only added", "order events are only added"];
        expect_refusals(shop, &HISTORY[2..], only).await;
        shop.platform.order_events.catch_up(&shop.platform.db, &*shop.platform.clock).await.unwrap();
        let places = "SELECT CAST(count(*) AS text) FROM order_event WHERE position IS NULL";
        assert_eq!(shop.rows(places).await, [["0"]]);
        expect_refusals(shop, HISTORY, only).await;
        if shop.kind == Kind::Postgres {
            expect_refusals(shop, &["TRUNCATE order_event"], only).await;
        }
    }

    async fn stock_that_is_not_counted_is_not_bounded(shop: &Shop) {
        shop.add(product("Gift card")).await;
        let changed = shop.execute("UPDATE inventory_level SET reserved = 5 WHERE NOT tracked").await.unwrap();
        assert_eq!(changed, 1);
    }

    async fn what_belongs_to_a_product_goes_with_it(shop: &Shop) {
        stock(shop).await;
        shop.execute("DELETE FROM product").await.unwrap();
        for table in [
            "product_variant", "product_image", "product_option", "product_tag", "product_listing",
            "product_search", "inventory_level", "inventory_movement",
        ] {
            assert_eq!(shop.rows(&format!("SELECT CAST(count(*) AS text) FROM {table}")).await, [["0"]], "{table}");
        }
        assert_eq!(shop.rows("SELECT CAST(count(*) AS text) FROM category").await, [["2"]]);
    }
}
