//! Changes of variants.

use serde_json::{Value, json};

use super::staff::{done, mutate, names, refusal, refusals};
use crate::support::{As, Shop, product, variant};

const SHOWN: &str = "variant { sku title price { amount currencyCode } compareAtPrice { amount }
    product { version updatedAt priceRange { min { amount } max { amount } } } }";

/// A product of two variants, and their ids.
async fn mug(shop: &Shop) -> Vec<Value> {
    let variants = vec![
        variant(["S", "Red"]).sku("M-1").price(500),
        variant(["L", "Red"]).price(900),
    ];
    let id = shop
        .add(product("Mug").variants(["Size", "Colour"], variants))
        .await;
    let query = format!("{{ product(by: {{id: \"{id}\"}}) {{ variants {{ id }} }} }}");
    let data = shop.data(As::Anonymous, &query, json!({})).await;
    data["product"]["variants"]
        .as_array()
        .unwrap()
        .iter()
        .map(|variant| variant["id"].clone())
        .collect()
}

async fn updated(shop: &Shop, id: &Value, changes: Value) -> Value {
    let mut input = changes;
    input["variantId"] = id.clone();
    done(shop, "productVariantUpdate", SHOWN, input).await["variant"].take()
}

both! {
    async fn each_field_is_kept_emptied_or_set_on_its_own(shop: &Shop) {
        let ids = mug(shop).await;
        let mut expected = json!({"sku": "M-1", "title": "S / Red", "price": {"amount": "5.00", "currencyCode": "USD"}, "compareAtPrice": null,
            "product": {"version": 1, "updatedAt": "2026-03-01T12:00:00Z", "priceRange": {"min": {"amount": "5.00"}, "max": {"amount": "9.00"}}}});
        assert_eq!(updated(shop, &ids[0], json!({})).await, expected);
        let mut version = 1;
        for (field, value, seen) in [
            ("sku", json!("M-2"), json!("M-2")),
            ("sku", Value::Null, Value::Null),
            ("title", json!(" The small one "), json!("The small one")),
            ("title", Value::Null, json!("S / Red")),
            ("price", json!("4.5"), json!({"amount": "4.50", "currencyCode": "USD"})),
            ("compareAtPrice", json!("4"), json!({"amount": "4.00"})),
            ("compareAtPrice", Value::Null, Value::Null),
        ] {
            version += 1;
            shop.clock.advance(chrono::Duration::minutes(1));
            expected[field] = seen;
            expected["product"]["version"] = json!(version);
            expected["product"]["updatedAt"] = json!(shop.now().to_rfc3339_opts(chrono::SecondsFormat::AutoSi, true));
            if field == "price" {
                expected["product"]["priceRange"]["min"]["amount"] = json!("4.50");
            }
            assert_eq!(updated(shop, &ids[0], json!({field: value})).await, expected, "{field}");
            shop.clock.advance(chrono::Duration::minutes(1));
            assert_eq!(updated(shop, &ids[0], json!({field: value})).await, expected, "{field} again");
        }
        let payload = mutate(shop, "productVariantUpdate", SHOWN, json!({"variantId": ids[0], "price": null})).await;
        assert_eq!(refusals(&payload), refusal("REQUIRED", "input.price"));
    }

    async fn prices_are_sorted_and_filtered_by_at_once(shop: &Shop) {
        let ids = mug(shop).await;
        shop.add(product("Cup").price(700)).await;
        let by_price = || names(shop, As::Anonymous, Value::Null, json!({"field": "PRICE"}));
        let above = || names(shop, As::Anonymous, json!({"price": {"min": "20"}}), Value::Null);
        assert_eq!((by_price().await, above().await), (vec!["Mug".to_owned(), "Cup".to_owned()], vec![]));
        updated(shop, &ids[0], json!({"price": "25"})).await;
        assert_eq!((by_price().await, above().await), (vec!["Cup".to_owned(), "Mug".to_owned()], vec!["Mug".to_owned()]));
        let query = "{ product(by: {slug: \"mug\"}) { priceRange { min { amount } max { amount } } variants { price { amount } } } }";
        let data = shop.data(As::Anonymous, query, json!({})).await;
        assert_eq!(data["product"], json!({"priceRange": {"min": {"amount": "9.00"}, "max": {"amount": "25.00"}},
            "variants": [{"price": {"amount": "25.00"}}, {"price": {"amount": "9.00"}}]}));
    }

    async fn a_price_is_in_the_currency_of_its_product(shop: &Shop) {
        let yen = shop.beside(&[("SOUK_CURRENCY", "JPY")]).await;
        let fields = "product { variants { id } }";
        let input = json!({"name": "Tea", "variants": [{"price": "1500"}]});
        let id = done(&yen, "productCreate", fields, input).await["product"]["variants"][0]["id"].take();
        for instance in [&yen, shop] {
            let payload = mutate(instance, "productVariantUpdate", SHOWN, json!({"variantId": id, "price": "1500.5"})).await;
            assert_eq!(refusals(&payload), refusal("INVALID", "input.price"));
        }
        let variant = updated(shop, &id, json!({"price": "1600.00"})).await;
        assert_eq!(variant["price"], json!({"amount": "1600", "currencyCode": "JPY"}));
        yen.close().await;
    }

    async fn changes_of_two_variants_at_once_both_count(shop: &Shop) {
        let ids = mug(shop).await;
        for round in 1..=5 {
            let price = |cents: u32| format!("{}.{cents}", 10 + round);
            let (small, large) = (json!({"price": price(10)}), json!({"price": price(90)}));
            tokio::join!(updated(shop, &ids[0], small), updated(shop, &ids[1], large));
            let now = updated(shop, &ids[0], json!({})).await;
            let range = json!({"min": {"amount": price(10)}, "max": {"amount": price(90)}});
            assert_eq!((&now["product"]["version"], &now["product"]["priceRange"]), (&json!(1 + 2 * round), &range));
        }
    }
}
