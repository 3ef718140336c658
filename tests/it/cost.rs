//! How much an operation may ask for: short documents with long answers are refused before they run.

use serde_json::json;

use crate::support::{As, Shop, product};

const BOMB: &str = "{products(first:100){nodes{category{products(first:100){nodes{category{products(first:100){nodes{description}}}}}}}}}";

const ON_A_CARD: &str = " fragment Card on Product { id slug name featuredImage { url altText } priceRange { min { amount currencyCode } max { amount } } }";
const ALL: &str = " fragment All on Product { id slug name description vendor productType tags status createdAt updatedAt
    featuredImage { url altText } images { url altText position } options { name values }
    priceRange { min { amount currencyCode } max { amount currencyCode } }
    category { id slug name parent { name } ancestors { slug name } }
    variants { id sku title price { amount currencyCode } compareAtPrice { amount currencyCode } inStock availableQuantity
        selectedOptions { name value } image { url altText } inventory { onHand reserved available } } }";

/// What a shop's pages ask for, generously.
const STOREFRONT: &[&str] = &[
    // Menus, of 4 levels and more, with and without a page that names its size.
    "{ categories { nodes { name slug children { name children { name children { name } } } } } }",
    "{ categories(first: 100) { nodes { id name slug children { id name slug children { id name slug children { id name slug } } } } } }",
    "{ categories(first: 100) { nodes { name parent { id } children { name children { name children { name children { name } } } } } } }",
    "{ categories(first: 100) { nodes { name children { name } products(first: 4) { totalCount nodes { ...Card } } } } }",
    // A product's page, with others of its shelf and the menu around it.
    "query($id: ID!) { product(by: {id: $id}) { ...All } }",
    "query($id: ID!) { product(by: {id: $id}) { ...All category { ancestors { name children { name slug } } children { name } products(first: 12) { nodes { ...Card } } } } categories { nodes { name children { name children { name } } } } }",
    // A shelf's page: the way there, what lies below, a page of products with the swatches of their variants.
    "{ category(by: {slug: \"level-1\"}) { name ancestors { name slug } children { name slug children { name slug } } products(first: 48) { totalCount pageInfo { endCursor hasNextPage } nodes { ...Card variants { title inStock image { url } selectedOptions { name value } } } } } }",
    "query($n: Int) { category(by: {slug: \"level-1\"}) { products(first: $n) { totalCount edges { cursor node { ...All } } } } }",
    // Searches.
    "{ products(first: 100, filter: {text: \"mug\"}) { totalCount nodes { ...Card variants { title price { amount } selectedOptions { name value } } } } }",
    "{ a: products(first: 24, filter: {text: \"mug\", inStock: true}) { totalCount nodes { ...Card } } b: products(filter: {text: \"mug\", price: {max: \"50\"}}) { totalCount } }",
    // A hundred products with what a static site is built from, and with everything.
    "{ products(first: 100) { nodes { name slug images { url } featuredImage { url } variants { id title price { amount } selectedOptions { name value } image { url } } options { name values } category { ancestors { name } } } } }",
    "query($n: Int) { products(first: $n, filter: {text: \"mug\"}, sort: {field: NAME}) { totalCount pageInfo { endCursor hasNextPage } nodes { ...All } } }",
];

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

    async fn what_is_read_for_each_one_alone_costs_more(shop: &Shop) {
        let events = |count: usize| (0..count).map(|n| format!("a{n}: events(first: 0) {{ pageInfo {{ hasNextPage }} }} ")).collect::<String>();
        let of_one = |inside: &str| format!("{{ me {{ orders(first: 100) {{ nodes {{ {inside} }} }} }} }}");
        let of_all = |inside: &str| format!("{{ users(first: 100) {{ nodes {{ {inside} }} }} }}");
        for document in [
            of_one(&events(1)),
            of_one("lines { variant { title } } payments { status } events(first: 100) { nodes { type message } }"),
            of_all("orders(first: 100) { nodes { number status total { amount } } }"),
        ] {
            shop.data(As::Staff, &document, json!({})).await;
        }
        for document in [
            of_one(&events(10)),
            of_all("orders(first: 100) { nodes { events(first: 0) { pageInfo { hasNextPage } } } }"),
            of_all(&(0..10).map(|n| format!("a{n}: orders(first: 0) {{ pageInfo {{ hasNextPage }} }} ")).collect::<String>()),
        ] {
            refused(shop, &document, &json!({})).await;
        }
    }

    async fn what_a_storefront_asks_for_is_within(shop: &Shop) {
        let mut shelf = shop.add_category("Level 1", None).await;
        for level in 2..=5 {
            shelf = shop.add_category(&format!("Level {level}"), Some(shelf)).await;
        }
        let mug = shop.add(product("Mug").category(shelf)).await;
        for document in STOREFRONT {
            let mut document = (*document).to_owned();
            for (spread, fragment) in [("...Card", ON_A_CARD), ("...All", ALL)] {
                if document.contains(spread) {
                    document += fragment;
                }
            }
            let data = shop.data(As::Staff, &document, json!({"id": mug.to_string(), "n": 100})).await;
            assert!(data.as_object().is_some_and(|data| data.values().all(|value| !value.is_null())), "{document}");
        }
    }

    async fn a_menu_is_as_deep_as_its_tree_and_no_way_around(shop: &Shop) {
        let levels = |inside: &str, count: usize, end: &str| {
            let inner = (0..count).fold(end.to_owned(), |inner, _| inside.replace("END", &inner));
            format!("{{ categories(first: 100) {{ nodes {{ {inner} }} }} }}")
        };
        shop.data(As::Anonymous, &levels("name children { END }", 9, "name"), json!({})).await;
        let fragments = "{ categories(first: 100) { nodes { ...A } } } fragment A on Category { name children { ...B } } fragment B on Category { name children { ...C } } fragment C on Category { children { children { name } } }";
        shop.data(As::Anonymous, fragments, json!({})).await;
        for (inside, count, end) in [
            ("children { parent { END } }", 3, "name"),
            ("children { END }", 4, "products(first: 20) { nodes { name } }"),
            ("children { children { parent { END } } }", 3, "name"),
        ] {
            refused(shop, &levels(inside, count, end), &json!({})).await;
        }
    }
}
