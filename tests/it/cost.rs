//! How much an operation may ask for: short documents with long answers are refused before they run.

use serde_json::json;

use crate::support::{As, Shop, product};

const BOMB: &str = "{products(first:100){nodes{category{products(first:100){nodes{category{products(first:100){nodes{description}}}}}}}}}";

async fn refused(shop: &Shop, document: &str, variables: &serde_json::Value) {
    let before = shop.db().statements();
    let answer = shop.graphql(As::Anonymous, document, variables.clone()).await;
    assert_eq!(
        answer["errors"][0]["extensions"]["code"], "MAX_COST_EXCEEDED",
        "{document}: {answer}"
    );
    assert_eq!(answer.get("data"), None);
    assert_eq!(shop.db().statements(), before, "{document}");
}

both! {
    async fn pages_inside_pages_multiply(shop: &Shop) {
        let ids = json!(vec![souk::kernel::id::ProductId::new().to_string(); 100]);
        for (document, variables) in [
            (BOMB, json!({})),
            ("query($n: Int) {products(first:$n){nodes{category{products(last:$n){nodes{variants{id product{images(first:$n){url}}}}}}}}}", json!({"n": 100})),
            ("query($n: Int = 100) {products(first:$n){nodes{category{products(first:$n){nodes{variants{product{id}}}}}}}}", json!({})),
            ("{products(first:100){nodes{...P}}} fragment P on Product {category{products(first:100){nodes{...Q}}}} fragment Q on Product {variants{product{id}}}", json!({})),
            ("{categories(first:100){nodes{children{parent{children{parent{children{id}}}}}}}}", json!({})),
            ("query($ids: [ID!]!) {nodes(ids:$ids){...on Product{variants(first:2048){product{id}}}}}", json!({"ids": ids})),
        ] {
            refused(shop, document, &variables).await;
        }
    }

    async fn counts_and_searches_cost_more_than_what_they_show(shop: &Shop) {
        shop.add(product("Mug")).await;
        let alias = |field: &str| (0..25).map(|n| format!("a{n}: {field} ")).collect::<String>();
        let counts = alias("totalCount");
        let empty = alias("products(first: 0) { totalCount }");
        let search = "products(first: 0, filter: {text: \"mug\"}) { nodes { id } }";
        let searches = alias(search);
        let by_variable = alias("products(first: 1, filter: {text: $t}) { nodes { id } }");
        let filter = alias("products(first: 1, filter: $f) { nodes { id } }");
        let nested = |inside: &str| format!("{{ categories(first: 50) {{ nodes {{ {inside} }} }} }}");
        let text = json!({"t": "mug", "f": {"text": "mug"}});
        let none = json!({"t": null, "f": {"text": null}});
        for (document, variables, allowed) in [
            (nested(&empty), &none, false),
            (nested(&searches), &none, false),
            (nested(&format!("products(first: 0) {{ {counts} }}")), &none, false),
            (nested("...C") + &format!(" fragment C on Category {{ products(first: 0) {{ {counts} }} }}"), &none, false),
            (format!("query($t: String) {}", nested(&by_variable)), &text, false),
            (format!("query($t: String) {}", nested(&by_variable)), &none, true),
            (format!("query($f: ProductFilter) {}", nested(&filter)), &text, false),
            (format!("query($f: ProductFilter) {}", nested(&filter)), &none, true),
            // Once for the list, not for each of its items.
            (format!("{{ products(first: 100) {{ {counts} nodes {{ id }} }} }}"), &none, true),
            (nested(&format!("a: {search} b: {search} c: products(first: 100) {{ totalCount }}")), &none, true),
        ] {
            if allowed {
                shop.data(As::Anonymous, &document, variables.clone()).await;
            } else {
                refused(shop, &document, variables).await;
            }
        }
    }

    async fn what_a_storefront_asks_for_is_within(shop: &Shop) {
        shop.add(product("Mug")).await;
        for document in [
            "{products(first:100){nodes{name category{name ancestors{name}} featuredImage{url} priceRange{min{amount} max{amount}}}}}",
            "{products(first:100){nodes{name variants{title price{amount} selectedOptions{name value}}}}}",
            "{products(first:48){nodes{name options{name} images{url} variants(first:10){title image{url} price{amount} compareAtPrice{amount} selectedOptions{name value}}}}}",
            "{categories(first:100){nodes{name children{name children{name}}}}}",
            "{categories(first:100){nodes{name products(first:20){nodes{name featuredImage{url}}}}}}",
            "{categories(first:100){nodes{name products(first:4){totalCount nodes{name featuredImage{url}}}}}}",
            "{products(first:100,filter:{text:\"mug\"}){totalCount nodes{name variants{title price{amount} selectedOptions{name value}}}}}",
        ] {
            shop.data(As::Anonymous, document, json!({})).await;
        }
    }
}
