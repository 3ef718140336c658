//! Two server processes on one PostgreSQL, as a grown shop has them: five hundred buyers, fifty things.

use futures_util::future::join_all;
use serde_json::{Value, json};

use super::mug;
use crate::support::buyer::{PLACE, address};
use crate::support::process::{Process, client, free_port};
use crate::support::{Kind, Shop, TestDatabase};

const CART: &str =
    "mutation($input: CartCreateInput!) { cartCreate(input: $input) { cart { id } userErrors { code } } }";

async fn ask(client: &reqwest::Client, server: &Process, document: &str, input: Value) -> Value {
    let body = json!({"query": document, "variables": {"input": input}}).to_string();
    let request = client
        .post(format!("http://{}/graphql", server.address))
        .header("content-type", "application/json")
        .body(body);
    let text = request.send().await.unwrap().text().await.unwrap();
    let mut answer: Value = serde_json::from_str(&text).unwrap();
    assert_eq!(answer["errors"], Value::Null, "{answer}");
    let mut data = answer["data"].take();
    data.as_object_mut().unwrap().values_mut().next().unwrap().take()
}

#[tokio::test(flavor = "multi_thread")]
async fn fifty_things_are_sold_fifty_times_by_two_processes() {
    let Some(database) = TestDatabase::new(Kind::Postgres).await else {
        return;
    };
    let shop = Shop::open(&database, &[]).await;
    let mug = mug(&shop, 50).await;
    let folder = tempfile::tempdir().unwrap();
    // A test's database has room for a few connections only.
    let settings = [("SOUK_DATABASE_CONNECTIONS", "5")];
    let serve = || Process::serve(folder.path(), &database.url(), free_port(), &settings);
    let servers = [serve(), serve()];
    let client = client();
    let lines = json!({"lines": [{"variantId": mug, "quantity": 1}]});
    let mut carts = Vec::new();
    // As many at a time as a browser's worth of clients: what is raced for is placing.
    for _ in 0..10 {
        let some = (0..50).map(|i| ask(&client, &servers[i % 2], CART, lines.clone()));
        carts.extend(join_all(some).await);
    }
    let buy = |(i, cart): (usize, &Value)| {
        let input = json!({"cartId": cart["cart"]["id"], "email": "ann@example.com", "shippingAddress": address(),
            "idempotencyKey": "order"});
        ask(&client, &servers[i % 2], PLACE, input)
    };
    let placed = join_all(carts.iter().enumerate().map(buy)).await;
    let (orders, refusals): (Vec<&Value>, Vec<&Value>) =
        placed.iter().partition(|payload| payload["order"] != Value::Null);
    assert_eq!((orders.len(), refusals.len()), (50, 450));
    let too_few = |payload: &&Value| payload["userErrors"][0]["code"] == "INSUFFICIENT_STOCK";
    assert!(refusals.iter().all(too_few), "{refusals:?}");
    assert_eq!(shop.stock(&mug).await, (50, 50));
    drop(servers);
    shop.balance().await;
    shop.close().await;
    database.drop().await;
}
