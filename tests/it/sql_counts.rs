//! The ledger of SQL statements: what each query costs, with one parent and with fifty alike.
//!
//! A number here is a promise. Raise one only with a reason, and never let it depend on the rows.

use serde_json::{Value, json};
use souk::kernel::actor::Role;
use souk::kernel::id::{CategoryId, ProductId};

use crate::support::buyer::{PAY, PLACE, address};
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
        5,
    ),
    (
        "{ me { orders(first: 50) { totalCount pageInfo { endCursor } nodes { number status total { amount } shippingAddress { city } } } } }",
        As::Customer,
        2,
    ),
    (
        "{ me { orders(first: 50) { nodes { availableActions customer { name } lines { productName quantity variant { title product { name } } } } } } }",
        As::Customer,
        6,
    ),
    (
        "{ me { orders(first: 50) { nodes { payments { status action { __typename } refunds { status amount { amount } } } } } } }",
        As::Customer,
        3,
    ),
    (
        "{ me { orders(first: 50) { nodes { fulfillments { status lines { quantity orderLine { sku } } } } } } }",
        As::Customer,
        4,
    ),
    (
        "{ orders(first: 50, filter: {statuses: [CONFIRMED], paymentStatuses: [PARTIALLY_REFUNDED]}) { totalCount edges { cursor node { customer { email } availableActions } } } }",
        As::Staff,
        5,
    ),
    (
        "{ orders(first: 50) { nodes { lines { variant { inStock product { name } } } payments { gateway refunds { reason } } fulfillments { carrier lines { orderLine { productName } } } } } }",
        As::Staff,
        10,
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

/// An order of whoever `As::Customer` is for one of these variants each: paid, sent in part, and partly paid back.
async fn order(shop: &Shop, variants: &[String]) {
    let lines: Vec<_> = variants.iter().map(|id| (id.as_str(), 1)).collect();
    let customer = shop.token(Role::Customer);
    let cart = shop.cart_of(Some(&customer), &lines).await;
    let placed = shop.place(Some(&customer), &cart, &cart).await;
    let (id, line) = (&placed["order"]["id"], &placed["order"]["lines"][0]["id"]);
    let input = json!({"orderId": id, "gateway": "TEST", "idempotencyKey": id});
    let data = shop.data(As::Customer, PAY, json!({ "input": input })).await;
    let payment = &data["paymentCreate"]["payment"]["id"];
    let document = "mutation($send: FulfillmentCreateInput!, $refund: RefundCreateInput!) {
        fulfillmentCreate(input: $send) { userErrors { code } } refundCreate(input: $refund) { userErrors { code } } }";
    let send =
        json!({"orderId": id, "idempotencyKey": line, "lines": [{"orderLineId": line, "quantity": 1}]});
    let refund = json!({"paymentId": payment, "idempotencyKey": payment, "amount": {"amount": "1", "currencyCode": "USD"}});
    let data = shop
        .data(As::Staff, document, json!({"send": send, "refund": refund}))
        .await;
    for mutation in ["fulfillmentCreate", "refundCreate"] {
        assert_eq!(data[mutation]["userErrors"], json!([]), "{data}");
    }
}

/// `count` categories below the root, each with a category below it that holds a product of two variants.
async fn fill(shop: &Shop, top: CategoryId, from: usize, count: usize) {
    let mut things = Vec::new();
    for i in from..from + count {
        add_somebody(shop, &format!("person {i}")).await;
        let category = shop.add_category(&format!("Category {i}"), Some(top)).await;
        let shelf = shop.add_category(&format!("Shelf {i}"), Some(category)).await;
        // With fifty products more than the thousand keys at which the library would split a batch.
        let mut variants = vec![variant(["S"]).price(500).stock(4).image(0)];
        variants.extend((0..24).map(|size| variant([size.to_string().as_str()]).price(700).stock(2)));
        let goods = product(&format!("Thing {i}"))
            .vendor("V")
            .tags(&["t", "u"])
            .category(shelf);
        let thing = goods
            .images(&["https://img.example/a.png"])
            .variants(["Size"], variants);
        things.push(shop.add(thing).await);
    }
    // An order takes along what is in the cart.
    for thing in &things {
        order(shop, &shop.variants_of(*thing).await[..2]).await;
    }
    for thing in things {
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

/// What the mutations of an order cost, and reading all of it; and how many statements more on SQLite, where events look for
/// their places before they are written, and not in a transaction of their own.
const ORDER_LEDGER: [(&str, u64, u64); 7] = [
    ("orderPlace", 15, 1),
    ("paymentCreate", 11, 1),
    ("fulfillmentCreate", 15, 1),
    ("fulfillmentDeliver", 10, 1),
    ("refundCreate", 32, 2),
    ("order", 10, 0),
    ("orderCancel", 33, 2),
];

/// Of two orders for one of each of these variants: one is sent, the other cancelled.
async fn costs_of_an_order(shop: &Shop, variants: &[String]) -> [(&'static str, u64); 7] {
    let lines: Vec<_> = variants.iter().map(|id| (id.as_str(), 1)).collect();
    let customer = shop.token(Role::Customer);
    let cart = shop.cart_of(Some(&customer), &lines).await;
    let count = async |caller: As, document: &str, input: Value| {
        let before = shop.db().statements();
        let mut data = shop.data(caller, document, json!({ "input": input })).await;
        let cost = shop.db().statements() - before;
        let payload = data.as_object_mut().unwrap().values_mut().next().unwrap().take();
        assert_eq!(payload["userErrors"], json!([]), "{payload}");
        (payload, cost)
    };
    let input = json!({"cartId": cart, "shippingAddress": address(), "idempotencyKey": cart});
    let (placed, place) = count(As::Customer, PLACE, input).await;
    let id = &placed["order"]["id"];
    let (paid, pay) = count(
        As::Customer,
        PAY,
        json!({"orderId": id, "gateway": "TEST", "idempotencyKey": id}),
    )
    .await;
    let document = "mutation($input: FulfillmentCreateInput!) { fulfillmentCreate(input: $input) { fulfillment { id lines { quantity } } userErrors { code } } }";
    let (sent, send) = count(
        As::Staff,
        document,
        json!({"orderId": id, "idempotencyKey": placed["order"]["number"]}),
    )
    .await;
    assert_eq!(
        sent["fulfillment"]["lines"].as_array().unwrap().len(),
        variants.len()
    );
    let document = "mutation($input: FulfillmentDeliverInput!) { fulfillmentDeliver(input: $input) { order { status } userErrors { code } } }";
    let (_, deliver) = count(
        As::Staff,
        document,
        json!({"fulfillmentId": sent["fulfillment"]["id"]}),
    )
    .await;
    let document = "mutation($input: RefundCreateInput!) { refundCreate(input: $input) { refund { status } userErrors { code } } }";
    let payment = &paid["payment"]["id"];
    let (_, refund) = count(
        As::Staff,
        document,
        json!({"paymentId": payment, "idempotencyKey": payment}),
    )
    .await;
    let all = "query($id: ID!) { order(by: {id: $id}) { status customer { name } availableActions events(first: 50) { nodes { type order { number } } }
        lines { quantity variant { title product { name } } } payments { status refunds { status } } fulfillments { status lines { orderLine { sku } } } } }";
    let read = shop.statements(As::Customer, all, json!({ "id": id })).await;
    let cart = shop.cart_of(Some(&customer), &lines).await;
    let placed = shop.place(Some(&customer), &cart, &cart).await;
    let id = &placed["order"]["id"];
    shop.data(
        As::Customer,
        PAY,
        json!({"input": {"orderId": id, "gateway": "TEST", "idempotencyKey": id}}),
    )
    .await;
    let document = "mutation($input: OrderCancelInput!) { orderCancel(input: $input) { order { status } userErrors { code } } }";
    let (_, cancel) = count(
        As::Customer,
        document,
        json!({"orderId": id, "reason": "a mistake"}),
    )
    .await;
    [
        ("orderPlace", place),
        ("paymentCreate", pay),
        ("fulfillmentCreate", send),
        ("fulfillmentDeliver", deliver),
        ("refundCreate", refund),
        ("order", read),
        ("orderCancel", cancel),
    ]
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

    async fn an_order_costs_the_same_however_many_lines_it_has(shop: &Shop) {
        let sizes = (0..50).map(|size| variant([size.to_string().as_str()]).price(500).stock(9)).collect();
        let thing = shop.add(product("Thing").variants(["Size"], sizes)).await;
        let variants = shop.variants_of(thing).await;
        shop.add_user("tester", Role::Customer).await;
        let few = costs_of_an_order(shop, &variants[..1]).await;
        let many = costs_of_an_order(shop, &variants).await;
        assert_eq!(few, many, "of one line, and of fifty");
        let looks = u64::from(shop.kind == Kind::Sqlite);
        assert_eq!(few, ORDER_LEDGER.map(|(name, cost, more)| (name, cost + looks * more)));
    }

    /// They take arguments, and are bounded by what the document may cost.
    async fn the_events_of_orders_are_a_statement_for_each(shop: &Shop) {
        shop.add_user("tester", Role::Customer).await;
        let thing = shop.add(product("Thing").variants(["Size"], vec![variant(["S"]).stock(9)])).await;
        let query = "{ me { orders(first: 50) { nodes { events(first: 2) { nodes { type order { number } } } } } } }";
        for orders in 1..=3 {
            order(shop, &shop.variants_of(thing).await).await;
            assert_eq!(shop.statements(As::Customer, query, json!({})).await, 1 + orders);
        }
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
