//! What is written straight into an answer says what the library would have said.

use serde_json::{Value, json};
use souk::infra::metric;
use souk::kernel::actor::Role;

use crate::support::{As, Shop, product, variant};

/// A name that is twice in the answer makes the library resolve all of it.
const TWICE: &str = " twice: __typename twice: __typename }";

const PRODUCT: &str = "fragment P on Product { __typename id slug title: name description vendor productType tags status version createdAt
    updatedAt kind: productType options { name values __typename } priceRange { min { amount currencyCode } max { amount __typename } }
    featuredImage { url altText position } images(first: $n) { url altText __typename } category { ...C }
    variants(first: $n) { ...V } few: variants(first: 1) { id } none: images(first: 0) { url } }
    fragment C on Category { __typename id slug name parent { name parent { slug } } }
    fragment V on ProductVariant { id sku title ... { price { amount currencyCode } } compareAtPrice { amount }
        ... on ProductVariant { selectedOptions { name value } } image { url position } product { name slug } }";

/// Documents without their last bracket, on what everybody sees and on one's own.
const DOCUMENTS: &[&str] = &[
    "query($n: Int) { products(first: 10) { nodes { ...P } }",
    "query($n: Int) { products(first: 2, sort: {field: NAME}) { edges { cursor node { ...P __typename } } pageInfo { hasNextPage hasPreviousPage startCursor endCursor __typename } totalCount }",
    "query($n: Int, $yes: Boolean!) { product(by: {slug: \"plain\"}) { ...P name @include(if: $yes) slug2: slug @skip(if: $yes) }",
    "query($n: Int, $yes: Boolean!) { product(by: {slug: \"odd\"}) { ...P @include(if: $yes) ... @skip(if: $yes) { name } }",
    // Some of it has to be waited for, or is on an interface.
    "query($n: Int) { products(first: 10) { nodes { inStock ...P ... on Node { key: id } } }",
    "query($n: Int) { categories(first: 10) { nodes { ...C children { ...C } ancestors { name } products(first: 3) { totalCount nodes { ...P } } } }",
    "query($n: Int) { a: product(by: {slug: \"plain\"}) { ...P } b: product(by: {slug: \"none\"}) { ...P }",
    "query($n: Int) { me { orders(first: 5) { nodes { number total { amount } lines { id productName variantTitle sku quantity fulfilledQuantity unitPrice { amount } lineTotal { currencyCode }
        variant { ...V product { ...P } } } payments { id gateway status amount { amount } capturedAmount { amount } authorizedAmount { amount } refundedAmount { amount } failureCode failureMessage } }
        pageInfo { endCursor hasNextPage } } }",
];

/// The text of the data, and what it cost.
async fn answer(shop: &Shop, document: &str, variables: &Value) -> (String, Value) {
    let bearer = format!("Bearer {}", shop.token(Role::Customer));
    let headers = [
        ("content-type", "application/json"),
        ("authorization", bearer.as_str()),
    ];
    let body = json!({"query": document, "variables": variables}).to_string();
    let reply = shop.post(&headers, body).await;
    let cost = reply.json()["extensions"]["cost"]["actualQueryCost"].clone();
    let text = reply.text();
    let data = text.split(",\"extensions\":").next().unwrap().to_owned();
    (data, cost)
}

async fn fill(shop: &Shop) {
    let top = shop.add_category("Top \"shelf\"", None).await;
    let below = shop.add_category("Below \u{1F375} \\ tea", Some(top)).await;
    shop.add(product("Plain").slug("plain")).await;
    let sizes = vec![
        variant(["S", "Red"])
            .sku("S\"1\n")
            .price(5)
            .compare_at(12_345)
            .stock(4)
            .image(1),
        variant(["M", "Red"]).price(1_000_000_000_000).stock(4),
        variant(["M", "Blue"]).price(7).stock(4),
    ];
    let odd = product("Ödd \u{2028} <\"thing\"> \u{7}").slug("odd");
    let odd = odd
        .description("<p>\"Quoted\" \\ &amp; more</p>")
        .vendor("V\t& Co");
    let odd = odd.product_type("Ware").tags(&["b\"", "a"]).category(below);
    let pictures = ["https://img.example/ a.png?x=\"1\"", "https://img.example/b.png"];
    let odd = shop
        .add(odd.images(&pictures).variants(["Size", "Colour"], sizes))
        .await;
    shop.add_user("tester", Role::Customer).await;
    let variants = shop.variants_of(odd).await;
    let customer = shop.token(Role::Customer);
    let lines: Vec<_> = variants.iter().map(|id| (id.as_str(), 1)).collect();
    let cart = shop.cart_of(Some(&customer), &lines[..1]).await;
    shop.place(Some(&customer), &cart, &cart).await;
}

both! {
    async fn it_is_what_the_library_would_have_said(shop: &Shop) {
        fill(shop).await;
        let warm = shop.beside(&[("SOUK_ANSWER_CACHE_BYTES", "0")]).await;
        for document in DOCUMENTS {
            let variables = if document.contains("$yes") { json!({"n": 2, "yes": true}) } else { json!({"n": 2}) };
            let fragments: String = PRODUCT.split("fragment ").skip(1).map(|fragment| format!(" fragment {fragment}")).collect();
            let resolved = format!("{document}{TWICE}{}", used(document, &fragments));
            let told = format!("{document} }}{}", used(document, &fragments));
            let (expected, cost) = answer(&warm, &resolved, &variables).await;
            let expected = expected.replace(",\"twice\":\"Query\"", "");
            assert!(!expected.contains("\"errors\""), "{document}: {expected}");
            // The second time everything is at hand.
            for _ in 0..2 {
                assert_eq!(answer(&warm, &told, &variables).await, (expected.clone(), cost.clone()), "{document}");
            }
        }
        warm.close().await;
    }

    async fn a_page_of_what_is_at_hand_is_told(shop: &Shop) {
        metric::start();
        fill(shop).await;
        let warm = shop.beside(&[("SOUK_ANSWER_CACHE_BYTES", "0")]).await;
        let page = "{ products(first: 10) { nodes { name category { name } featuredImage { url } } } }";
        warm.data(As::Anonymous, page, json!({})).await;
        let told = || -> u64 {
            let rendered = metric::render();
            let line = rendered.lines().find(|line| line.starts_with("souk_answer_texts_total{outcome=\"told\"}"));
            line.and_then(|line| line.split(' ').next_back()?.parse().ok()).unwrap_or_default()
        };
        let before = told();
        warm.data(As::Anonymous, page, json!({})).await;
        assert!(told() > before);
        warm.close().await;
    }

    async fn a_condition_that_is_not_sent_counts_as_its_default(shop: &Shop) {
        shop.add(product("Mug").slug("mug")).await;
        let query = "query($full: Boolean = true) { product(by: {slug: \"mug\"}) { id name @include(if: $full) slug @skip(if: $full) } }";
        for (variables, fields) in [
            (json!({}), ["id", "name"]),
            (json!({"full": true}), ["id", "name"]),
            (json!({"full": false}), ["id", "slug"]),
            (json!({}), ["id", "name"]),
        ] {
            let data = shop.data(As::Anonymous, query, variables.clone()).await;
            let told: Vec<&String> = data["product"].as_object().unwrap().keys().collect();
            assert_eq!(told, fields, "{variables}");
        }
    }

    async fn what_has_changed_is_told_at_once(shop: &Shop) {
        fill(shop).await;
        let query = "{ product(by: {slug: \"odd\"}) { id name variants(first: 1) { id price { amount } } } me { orders(first: 1) { nodes { lines { variant { price { amount } product { name } } } } } } }";
        let mut product = Value::Null;
        for _ in 0..2 {
            product = shop.data(As::Customer, query, json!({})).await["product"].take();
        }
        let update = "mutation($p: ProductUpdateInput!, $v: ProductVariantUpdateInput!) { productUpdate(input: $p) { userErrors { message } } productVariantUpdate(input: $v) { userErrors { message } } }";
        let input = json!({
            "p": {"productId": product["id"], "name": "Renamed"},
            "v": {"variantId": product["variants"][0]["id"], "price": "77"},
        });
        shop.data(As::Staff, update, input).await;
        let data = shop.data(As::Customer, query, json!({})).await;
        assert_eq!(data["product"]["name"], "Renamed");
        assert_eq!(data["product"]["variants"][0]["price"]["amount"], "77.00");
        let line = &data["me"]["orders"]["nodes"][0]["lines"][0]["variant"];
        assert_eq!(line, &json!({"price": {"amount": "77.00"}, "product": {"name": "Renamed"}}));
    }
}

/// The fragments that a document spreads, and those that they spread.
fn used(document: &str, fragments: &str) -> String {
    if document.contains("...P") {
        fragments.to_owned()
    } else if document.contains("...C") {
        let from = fragments.find(" fragment C").unwrap();
        let to = fragments.find(" fragment V").unwrap();
        fragments[from..to].to_owned()
    } else {
        String::new()
    }
}
