//! Counting stock anew.

use futures_util::future::join_all;
use proptest::prelude::*;
use proptest::strategy::ValueTree as _;
use proptest::test_runner::TestRunner;
use serde_json::{Value, json};
use souk::kernel::actor::Role;
use souk::kernel::id::ProductVariantId;

use crate::support::{As, Shop, product, user_of, variant};

const ADJUST: &str = "mutation($input: InventoryAdjustInput!) { inventoryAdjust(input: $input) {
    variant { id availableQuantity inStock inventory { onHand reserved available } } userErrors { code path params retryable } } }";

/// A product with `on_hand` of its first variant; the second is not counted. Their ids.
async fn mug(shop: &Shop, on_hand: i64) -> (Value, Value) {
    let id = shop
        .add(product("Mug").variants(["Size"], vec![variant(["S"]).stock(on_hand), variant(["L"])]))
        .await;
    let query = format!("{{ product(by: {{id: \"{id}\"}}) {{ variants {{ id }} }} }}");
    let mut data = shop.data(As::Staff, &query, json!({})).await;
    (
        data["product"]["variants"][0]["id"].take(),
        data["product"]["variants"][1]["id"].take(),
    )
}

async fn adjust(shop: &Shop, variant: &Value, delta: i32, key: &str) -> Value {
    let input = json!({"variantId": variant, "delta": delta, "reason": "count", "idempotencyKey": key});
    shop.data(As::Staff, ADJUST, json!({ "input": input })).await["inventoryAdjust"].take()
}

fn code(payload: &Value) -> &str {
    payload["userErrors"][0]["code"].as_str().unwrap_or_default()
}

/// The level, and the sum and number of its movements.
async fn ledger(shop: &Shop, variant: &Value) -> (i64, i64, i64) {
    let id: ProductVariantId = variant.as_str().unwrap().parse().unwrap();
    let id = match shop.kind {
        crate::support::Kind::Sqlite => format!("x'{}'", id.0.simple()),
        crate::support::Kind::Postgres => format!("'{}'", id.0),
    };
    let sql = format!("SELECT CAST(l.on_hand AS text), CAST(coalesce(sum(m.on_hand_delta), 0) AS text), CAST(count(m.id) AS text)
        FROM inventory_level l LEFT JOIN inventory_movement m ON m.variant_id = l.variant_id WHERE l.variant_id = {id} GROUP BY l.on_hand");
    let rows = shop.rows(&sql).await;
    let number = |index: usize| rows[0][index].parse().unwrap();
    (number(0), number(1), number(2))
}

async fn keys(shop: &Shop) -> usize {
    shop.rows("SELECT key FROM idempotency_key").await.len()
}

both! {
    async fn stock_goes_up_and_down_and_says_why(shop: &Shop) {
        let (counted, _) = mug(shop, 5).await;
        let up = adjust(shop, &counted, 7, "a").await;
        assert_eq!(up, json!({"variant": {"id": counted, "availableQuantity": 12, "inStock": true,
            "inventory": {"onHand": 12, "reserved": 0, "available": 12}}, "userErrors": []}));
        shop.clock.advance(chrono::Duration::minutes(1));
        let down = adjust(shop, &counted, -12, "b").await;
        assert_eq!(down["variant"]["inventory"], json!({"onHand": 0, "reserved": 0, "available": 0}));
        assert_eq!(down["variant"]["inStock"], false);
        assert_eq!(ledger(shop, &counted).await, (0, 0, 3));
        let movements = "SELECT actor, reason, CAST(on_hand_delta AS text), CAST(reserved_delta AS text) FROM inventory_movement ORDER BY occurred_at, on_hand_delta";
        let tester = user_of("tester").to_string();
        assert_eq!(shop.rows(movements).await, [["system", "test", "5", "0"], [&tester, "count", "7", "0"], [&tester, "count", "-12", "0"]]);
        // Everyone sees it at once.
        let data = shop.data(As::Anonymous, "query($id: ID!) { node(id: $id) { ... on ProductVariant { availableQuantity inStock inventory { onHand } } } }", json!({"id": counted})).await;
        assert_eq!(data["node"], json!({"availableQuantity": 0, "inStock": false, "inventory": null}));
        let data = shop.data(As::Anonymous, "{ products(filter: {inStock: true}) { totalCount } }", json!({})).await;
        assert_eq!(data["products"]["totalCount"], 1, "its other variant is not counted");
    }

    async fn what_is_not_there_cannot_go(shop: &Shop) {
        let (counted, uncounted) = mug(shop, 5).await;
        let refused = adjust(shop, &counted, -6, "a").await;
        assert_eq!(refused, json!({"variant": null, "userErrors": [
            {"code": "INSUFFICIENT_STOCK", "path": ["input", "delta"], "params": {"available": 5}, "retryable": false}]}));
        // What is promised to orders is not to be had either.
        shop.execute("UPDATE inventory_level SET reserved = 3 WHERE tracked").await.unwrap();
        let refused = adjust(shop, &counted, -3, "b").await;
        assert_eq!((code(&refused), &refused["userErrors"][0]["params"]), ("INSUFFICIENT_STOCK", &json!({"available": 2})));
        let done = adjust(shop, &counted, -2, "c").await;
        assert_eq!(done["variant"]["inventory"], json!({"onHand": 3, "reserved": 3, "available": 0}));
        assert_eq!(code(&adjust(shop, &counted, i32::MIN, "d").await), "INSUFFICIENT_STOCK");
        let refused = adjust(shop, &counted, i32::MAX, "e").await;
        assert_eq!((code(&refused), &refused["userErrors"][0]["params"]), ("OUT_OF_RANGE", &json!({"onHand": 3})));
        for (variant, expected) in [(uncounted, "INVALID"), (json!(ProductVariantId::new().to_string()), "NOT_FOUND")] {
            let refused = adjust(shop, &variant, 1, "f").await;
            assert_eq!((code(&refused), &refused["userErrors"][0]["path"]), (expected, &json!(["input", "variantId"])));
        }
        assert_eq!(ledger(shop, &counted).await, (3, 3, 2));
        assert_eq!(keys(shop).await, 1, "a refused request does not use its key up");
        assert_eq!(adjust(shop, &counted, 1, "a").await["userErrors"], json!([]));
    }

    async fn movements_add_up_to_the_level_whatever_was_asked(shop: &Shop) {
        let mut runner = TestRunner::deterministic();
        let deltas = prop::collection::vec(prop_oneof![-30..30, Just(i32::MIN), Just(i32::MAX), -100_000..100_000], 60);
        let deltas = deltas.new_tree(&mut runner).unwrap().current();
        let (counted, _) = mug(shop, 10).await;
        shop.execute("UPDATE inventory_level SET reserved = 4 WHERE tracked").await.unwrap();
        let (mut on_hand, mut moved) = (10_i64, 1);
        for (i, delta) in deltas.into_iter().enumerate() {
            let payload = adjust(shop, &counted, delta, &format!("key {i}")).await;
            let after = on_hand + i64::from(delta);
            let expected = match delta {
                0 => "OUT_OF_RANGE",
                _ if after < 4 => "INSUFFICIENT_STOCK",
                _ if after > i64::from(i32::MAX) => "OUT_OF_RANGE",
                _ => "",
            };
            assert_eq!(code(&payload), expected, "{on_hand} {delta}: {payload}");
            if expected.is_empty() {
                (on_hand, moved) = (after, moved + 1);
                assert_eq!(payload["variant"]["inventory"], json!({"onHand": on_hand, "reserved": 4, "available": on_hand - 4}));
            }
            assert_eq!(ledger(shop, &counted).await, (on_hand, on_hand, moved));
        }
        assert!((10..60).contains(&moved), "{moved}: some were done and some refused");
    }

    async fn many_at_once_never_take_more_than_there_is(shop: &Shop) {
        let (counted, _) = mug(shop, 20).await;
        let payloads = join_all((0..30).map(|i| { let counted = &counted; async move { adjust(shop, counted, -1, &format!("key {i}")).await } })).await;
        let done = payloads.iter().filter(|payload| payload["userErrors"] == json!([])).count();
        let short = payloads.iter().filter(|payload| code(payload) == "INSUFFICIENT_STOCK").count();
        assert_eq!((done, short), (20, 10));
        assert_eq!(ledger(shop, &counted).await, (0, 0, 21));
    }

    async fn the_same_request_twice_is_done_once(shop: &Shop) {
        let (counted, _) = mug(shop, 5).await;
        let first = adjust(shop, &counted, 2, "key").await;
        let again = adjust(shop, &counted, 2, "key").await;
        assert_eq!(first, again);
        // The space around a reason is no other reason.
        let input = json!({"variantId": counted, "delta": 2, "reason": " count ", "idempotencyKey": "key"});
        let data = shop.data(As::Staff, ADJUST, json!({ "input": input })).await;
        assert_eq!(data["inventoryAdjust"], first);
        assert_eq!(ledger(shop, &counted).await, (7, 7, 2));
    }

    async fn the_same_request_fifty_times_at_once_is_done_once(shop: &Shop) {
        let (counted, _) = mug(shop, 5).await;
        let beside = shop.beside(&[]).await;
        let counted_ref = &counted;
        let instances = [shop, &beside];
        let answers = join_all((0..50).map(|i| async move { adjust(instances[i % 2], counted_ref, 3, "key").await })).await;
        assert_eq!(answers[0]["variant"]["inventory"]["onHand"], 8);
        for answer in &answers {
            assert_eq!(answer, &answers[0]);
        }
        assert_eq!(ledger(shop, &counted).await, (8, 8, 2));
        assert_eq!(keys(shop).await, 1);
        beside.close().await;
    }

    async fn a_key_belongs_to_one_input(shop: &Shop) {
        let (counted, uncounted) = mug(shop, 5).await;
        adjust(shop, &counted, 2, "key").await;
        let others = [
            json!({"variantId": counted, "delta": 3, "reason": "count", "idempotencyKey": "key"}),
            json!({"variantId": counted, "delta": 2, "reason": "other", "idempotencyKey": "key"}),
            json!({"variantId": uncounted, "delta": 2, "reason": "count", "idempotencyKey": "key"}),
        ];
        for input in others {
            let data = shop.data(As::Staff, ADJUST, json!({ "input": input })).await;
            let payload = &data["inventoryAdjust"];
            assert_eq!((code(payload), &payload["userErrors"][0]["path"]), ("IDEMPOTENCY_KEY_REUSED", &json!(["input", "idempotencyKey"])));
            assert_eq!(payload["variant"], Value::Null);
        }
        assert_eq!(ledger(shop, &counted).await, (7, 7, 2));
    }

    async fn keys_are_told_apart_to_the_letter(shop: &Shop) {
        let (counted, _) = mug(shop, 0).await;
        for key in ["key", "KEY", "key ", " key", "kéy", "ke\u{301}y", "'", "\"; DROP TABLE product", "%", "_"] {
            assert_eq!(adjust(shop, &counted, 1, key).await["userErrors"], json!([]), "{key}");
        }
        assert_eq!(ledger(shop, &counted).await, (10, 10, 10));
    }

    async fn a_key_is_free_again_after_a_day(shop: &Shop) {
        let (counted, _) = mug(shop, 5).await;
        adjust(shop, &counted, 2, "key").await;
        shop.clock.advance(chrono::Duration::hours(24));
        assert_eq!(code(&adjust(shop, &counted, 3, "key").await), "IDEMPOTENCY_KEY_REUSED");
        adjust(shop, &counted, 2, "key").await;
        assert_eq!(ledger(shop, &counted).await.0, 7);
        shop.clock.advance(chrono::Duration::seconds(1));
        let answers = join_all((0..10).map(|_| adjust(shop, &counted, 3, "key"))).await;
        assert!(answers.iter().all(|answer| answer == &answers[0] && answer["userErrors"] == json!([])), "{answers:?}");
        assert_eq!(ledger(shop, &counted).await, (10, 10, 3));
    }

    async fn two_people_may_use_the_same_key(shop: &Shop) {
        let (counted, _) = mug(shop, 5).await;
        let input = |delta: i32| json!({"variantId": counted, "delta": delta, "reason": "count", "idempotencyKey": "key"});
        for (subject, role, delta) in [("anna", Role::Staff, 1), ("ben", Role::Staff, 2), ("ann", Role::Admin, 4)] {
            let bearer = format!("Bearer {}", shop.token_of(subject, role));
            let headers = [("content-type", "application/json"), ("authorization", bearer.as_str())];
            let body = json!({"query": ADJUST, "variables": {"input": input(delta)}}).to_string();
            for _ in 0..2 {
                let answer = shop.post(&headers, body.clone()).await.json();
                assert_eq!(answer["data"]["inventoryAdjust"]["userErrors"], json!([]), "{subject}");
            }
        }
        assert_eq!(ledger(shop, &counted).await, (12, 12, 4));
        let actors = "SELECT actor FROM inventory_movement WHERE actor <> 'system' ORDER BY actor";
        assert_eq!(shop.rows(actors).await, ["ann", "anna", "ben"].map(|name| [user_of(name).to_string()]));
    }

    async fn several_in_one_request_are_done_in_their_order(shop: &Shop) {
        let (counted, _) = mug(shop, 1).await;
        let step = |delta: i32, key: &str| format!("inventoryAdjust(input: {{variantId: $id, delta: {delta}, reason: \"r\", idempotencyKey: \"{key}\"}}) {{ variant {{ inventory {{ onHand }} }} userErrors {{ code }} }}");
        let document = format!("mutation($id: ID!) {{ a: {} b: {} c: {} d: {} }}", step(-1, "1"), step(-1, "2"), step(5, "3"), step(-1, "4"));
        let data = shop.data(As::Staff, &document, json!({"id": counted})).await;
        let on_hand = |name: &str| data[name]["variant"]["inventory"]["onHand"].clone();
        assert_eq!((on_hand("a"), on_hand("b"), on_hand("c"), on_hand("d")), (json!(0), Value::Null, json!(5), json!(4)));
        assert_eq!(data["b"]["userErrors"][0]["code"], "INSUFFICIENT_STOCK");
    }
}
