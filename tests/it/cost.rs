//! How much an operation may ask for: short documents with long answers are refused before they run.

use serde_json::json;

use crate::support::{As, Shop, product};

const BOMB: &str = "{products(first:100){nodes{category{products(first:100){nodes{category{products(first:100){nodes{description}}}}}}}}}";

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
            let before = shop.db().statements();
            let answer = shop.graphql(As::Anonymous, document, variables).await;
            assert_eq!(answer["errors"][0]["extensions"]["code"], "MAX_COST_EXCEEDED", "{document}: {answer}");
            assert_eq!(answer.get("data"), None);
            assert_eq!(shop.db().statements(), before, "{document}");
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
        ] {
            shop.data(As::Anonymous, document, json!({})).await;
        }
    }
}
