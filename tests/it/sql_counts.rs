//! The ledger of SQL statements: what each query costs, with one parent and with fifty alike.
//!
//! A number here is a promise. Raise one only with a reason, and never let it depend on the rows.

use serde_json::{Value, json};
use souk::kernel::actor::Role;
use souk::kernel::id::{CategoryId, ProductId};

use crate::support::{As, Kind, Shop, product, variant};

/// A query on the list of products or categories, and its statements with a cold cache.
const LEDGER: &[(&str, As, u64)] = &[
    (
        "{ products(first: 50) { nodes { name slug vendor status priceRange { min { amount } } } } }",
        As::Anonymous,
        2,
    ),
    (
        "{ products(first: 50) { totalCount edges { cursor node { id } } pageInfo { hasNextPage } } }",
        As::Anonymous,
        3,
    ),
    (
        "{ products(first: 50) { nodes { name category { name } featuredImage { url } } } }",
        As::Anonymous,
        4,
    ),
    (
        "{ products(first: 50) { nodes { tags options { name values } images { url altText } } } }",
        As::Anonymous,
        6,
    ),
    (
        "{ products(first: 50) { nodes { inStock variants { title inStock availableQuantity } } } }",
        As::Anonymous,
        4,
    ),
    (
        "{ products(first: 50) { nodes { variants { selectedOptions { name value } image { url } product { name } } } } }",
        As::Anonymous,
        5,
    ),
    (
        "{ products(first: 50) { nodes { variants { inventory { onHand reserved available } } } } }",
        As::Staff,
        4,
    ),
    (
        "{ products(first: 50) { nodes { category { parent { name } children { name } ancestors { name } } } } }",
        As::Anonymous,
        6,
    ),
    (
        "{ products(first: 50, filter: {text: \"thing\", inStock: true, price: {min: \"1\"}, tags: [\"t\"], category: {slug: \"top\"}}) { totalCount nodes { name } } }",
        As::Staff,
        3,
    ),
    (
        "{ categories(first: 50) { totalCount nodes { name parent { name } } } }",
        As::Anonymous,
        3,
    ),
    (
        "{ categories(first: 50) { nodes { children { name products(first: 3) { nodes { name } } } ancestors { name } } } }",
        As::Anonymous,
        5,
    ),
    (
        "{ categories(first: 50) { nodes { products(first: 5, sort: {field: PRICE}) { totalCount nodes { name variants { sku } } } } } }",
        As::Anonymous,
        5,
    ),
    (
        "{ categories(first: 50) { nodes { products(first: 5, filter: {inStock: true}) { nodes { category { name } } } } } }",
        As::Staff,
        4,
    ),
    (
        "{ me { cart { totalQuantity subtotal { amount } warnings { code message } lines { quantity unitPrice { amount } lineTotal { amount } variant { title inStock product { name } } } } } }",
        As::Customer,
        6,
    ),
    (
        "{ users(first: 50) { totalCount nodes { email addresses { city } sessions { id } } } }",
        As::Staff,
        // The last for the sessions of whoever asks, the only ones that anybody sees.
        4,
    ),
    (
        "{ auditLog(first: 50) { totalCount nodes { action before after user { name addresses { city } } } } }",
        As::Admin,
        4,
    ),
    (
        "{ auditLog(first: 50, filter: {action: \"categoryCreate\"}) { edges { cursor node { user { name } } } } }",
        As::Admin,
        2,
    ),
];

/// Somebody with an account, who has made a category.
async fn add_somebody(shop: &Shop, name: &str) {
    shop.add_user(name, Role::Staff).await;
    let create = "mutation($name: String!) { categoryCreate(input: {name: $name}) { userErrors { code } } }";
    let token = shop.token_of(name, Role::Staff);
    let answer = shop
        .graphql_with(Some(&token), create, json!({ "name": name }))
        .await;
    assert_eq!(
        answer["data"]["categoryCreate"]["userErrors"],
        json!([]),
        "{answer}"
    );
}

/// One of a product's first variant, in the cart of whoever asks.
async fn buy(shop: &Shop, product: ProductId) {
    let query = format!("{{ product(by: {{id: \"{product}\"}}) {{ variants(first: 1) {{ id }} }} }}");
    let data = shop.data(As::Anonymous, &query, json!({})).await;
    let create = "mutation($id: ID!) { cartCreate(input: {lines: [{variantId: $id, quantity: 1}]}) { userErrors { code } } }";
    let variables = json!({"id": data["product"]["variants"][0]["id"]});
    let data = shop.data(As::Customer, create, variables).await;
    assert_eq!(data["cartCreate"]["userErrors"], json!([]));
}

/// `count` categories below the root, each with a category below it that holds a product of two variants.
async fn fill(shop: &Shop, top: CategoryId, from: usize, count: usize) {
    for i in from..from + count {
        add_somebody(shop, &format!("person {i}")).await;
        let category = shop.add_category(&format!("Category {i}"), Some(top)).await;
        let shelf = shop.add_category(&format!("Shelf {i}"), Some(category)).await;
        // With fifty products more than the thousand keys at which the library would split a batch.
        let mut variants = vec![variant(["S"]).price(500).stock(2).image(0)];
        variants.extend((0..24).map(|size| variant([size.to_string().as_str()]).price(700).stock(0)));
        let goods = product(&format!("Thing {i}"))
            .vendor("V")
            .tags(&["t", "u"])
            .category(shelf);
        let thing = goods
            .images(&["https://img.example/a.png"])
            .variants(["Size"], variants);
        let thing = shop.add(thing).await;
        buy(shop, thing).await;
    }
}

/// Statements of a query in a process that has cached nothing.
async fn cost(shop: &Shop, caller: As, query: &str, variables: &Value) -> u64 {
    let cold = shop.beside(&[]).await;
    let cost = cold.statements(caller, query, variables.clone()).await;
    cold.close().await;
    cost
}

both! {
    async fn statements_do_not_grow_with_the_rows(shop: &Shop) {
        let top = shop.add_category("Top", None).await;
        shop.add_user("tester", Role::Customer).await;
        fill(shop, top, 0, 1).await;
        let mut one = Vec::new();
        for (query, caller, _) in LEDGER {
            one.push(cost(shop, *caller, query, &json!({})).await);
        }
        fill(shop, top, 1, 49).await;
        let mut wrong = Vec::new();
        for ((query, caller, expected), one) in LEDGER.iter().zip(one) {
            let fifty = cost(shop, *caller, query, &json!({})).await;
            if (one, fifty) != (*expected, *expected) {
                wrong.push(format!("{one} with one parent, {fifty} with fifty, {expected} in the ledger: {query}"));
            }
        }
        assert!(wrong.is_empty(), "{wrong:#?}");
    }

    async fn a_cart_costs_the_same_however_many_lines_change(shop: &Shop) {
        shop.add_user("tester", Role::Customer).await;
        let sizes = (0..200).map(|size| variant([size.to_string().as_str()]).stock(9)).collect();
        let id = shop.add(product("Thing").variants(["Size"], sizes)).await;
        let query = format!("{{ product(by: {{id: \"{id}\"}}) {{ variants(first: 200) {{ id }} }} }}");
        let data = shop.data(As::Anonymous, &query, json!({})).await;
        let variants = data["product"]["variants"].as_array().unwrap();
        let lines = |some: &[Value]| -> Value { some.iter().map(|one| json!({"variantId": one["id"], "quantity": 2})).collect() };
        let create = "mutation($lines: [CartLineInput!]!) { cartCreate(input: {lines: $lines}) { cart { id } userErrors { code } } }";
        // The customer's cart and its lines, what they are about (3), the lines and the cart written, and read again.
        let mut costs = Vec::new();
        let own = shop.data(As::Customer, create, json!({"lines": lines(&variants[..1])})).await["cartCreate"]["cart"]["id"].clone();
        for some in [&variants[..1], &variants[..]] {
            costs.push(shop.statements(As::Customer, create, json!({"lines": lines(some)})).await);
        }
        let read = "query($id: ID!) { cart(id: $id) { lines { id } } }";
        let data = shop.data(As::Customer, read, json!({"id": own})).await;
        let held = data["cart"]["lines"].as_array().unwrap();
        let update = "mutation($id: ID!, $lines: [CartLineUpdateInput!]!) { cartLinesUpdate(input: {cartId: $id, lines: $lines}) { cart { id } userErrors { code } } }";
        // Some are set and some taken out, each line once.
        for some in [&held[..2], &held[2..]] {
            let change = |(i, line): (usize, &Value)| json!({"lineId": line["id"], "quantity": i % 2 * 3});
            let lines: Value = some.iter().enumerate().map(change).collect();
            costs.push(shop.statements(As::Customer, update, json!({"id": own, "lines": lines})).await);
        }
        let lock = if shop.kind == Kind::Postgres { 1 } else { 0 };
        assert_eq!(costs, [8 + lock, 8 + lock, 9, 9]);
    }

    async fn nodes_are_loaded_together(shop: &Shop) {
        let top = shop.add_category("Top", None).await;
        shop.add_user("tester", Role::Customer).await;
        fill(shop, top, 0, 50).await;
        let all = "{ products(first: 50) { nodes { id variants { id } category { id } } } }";
        let data = shop.data(As::Anonymous, all, json!({})).await;
        let mut ids = Vec::new();
        for product in data["products"]["nodes"].as_array().unwrap().iter().take(33) {
            ids.extend([product["id"].clone(), product["variants"][0]["id"].clone(), product["category"]["id"].clone()]);
        }
        let query = "query($ids: [ID!]!) { nodes(ids: $ids) { id ... on ProductVariant { product { name } } } }";
        // Products, variants, categories; the variants' products are in the cache by then.
        for some in [&ids[..3], &ids[..]] {
            assert_eq!(cost(shop, As::Anonymous, query, &json!({"ids": some})).await, 3);
        }
    }
}
