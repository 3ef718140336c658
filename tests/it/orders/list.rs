//! Lists of orders, and the history of one.

use chrono::Duration;
use serde_json::{Value, json};

use super::{cancel, mug};
use crate::support::{As, Shop};

async fn numbers(shop: &Shop, filter: Value) -> Vec<String> {
    let document =
        "query($filter: OrderFilter) { orders(filter: $filter, first: 50) { totalCount nodes { id } } }";
    let data = shop.data(As::Staff, document, json!({ "filter": filter })).await;
    let nodes = data["orders"]["nodes"].as_array().unwrap();
    assert_eq!(data["orders"]["totalCount"], json!(nodes.len()));
    nodes
        .iter()
        .map(|node| node["id"].as_str().unwrap().to_owned())
        .collect()
}

both! {
    async fn staff_list_all_orders_the_newest_first(shop: &Shop) {
        let mug = mug(shop, 9).await;
        let mut ids = Vec::new();
        for _ in 0..3 {
            ids.push(shop.ordered(&[(&mug, 1)]).await.id);
            shop.clock.advance(Duration::minutes(1));
        }
        let paid = shop.paid(&[(&mug, 1)]).await.id;
        cancel(shop, As::Staff, &ids[0]).await;
        assert_eq!(numbers(shop, Value::Null).await, [paid.as_str(), &ids[2], &ids[1], &ids[0]]);
        assert_eq!(numbers(shop, json!({"statuses": ["CANCELLED"]})).await, [&*ids[0]]);
        assert_eq!(numbers(shop, json!({"statuses": ["CANCELLED", "CONFIRMED"]})).await, [paid.as_str(), &ids[0]]);
        assert_eq!(numbers(shop, json!({"paymentStatuses": ["PAID"]})).await, [&*paid]);
        assert_eq!(numbers(shop, json!({"statuses": []})).await, Vec::<String>::new());
        assert_eq!(numbers(shop, json!({"placedAfter": "2026-03-01T12:01:00Z", "placedBefore": "2026-03-01T12:02:00Z"})).await, [&*ids[1]]);
        for caller in [As::Anonymous, As::Customer] {
            let answer = shop.graphql(caller, "{ orders(first: 1) { totalCount } }", json!({})).await;
            assert_eq!(answer["data"], Value::Null, "{caller:?}");
        }
    }

    async fn pages_neither_skip_nor_repeat(shop: &Shop) {
        let mug = mug(shop, 9).await;
        // All at the same moment: the id decides.
        for _ in 0..5 {
            shop.ordered(&[(&mug, 1)]).await;
        }
        let document = "query($after: String) { orders(first: 2, after: $after) { nodes { id } pageInfo { hasNextPage endCursor } } }";
        let (mut seen, mut after) = (Vec::new(), Value::Null);
        loop {
            let mut data = shop.data(As::Staff, document, json!({ "after": after })).await;
            let page = data["orders"].take();
            seen.extend(page["nodes"].as_array().unwrap().iter().map(|node| node["id"].to_string()));
            if page["pageInfo"]["hasNextPage"] == false { break }
            after = page["pageInfo"]["endCursor"].clone();
        }
        assert_eq!(seen.len(), 5);
        seen.dedup();
        assert_eq!(seen.len(), 5);
    }

    async fn the_history_of_an_order_is_paged_by_its_cursors(shop: &Shop) {
        let mug = mug(shop, 9).await;
        let order = shop.paid(&[(&mug, 1)]).await;
        let other = shop.ordered(&[(&mug, 1)]).await;
        let all = shop.history(&order.id).await;
        assert_eq!(all[0], "PLACED");
        let document = "query($id: ID!, $token: String, $first: Int, $after: String, $last: Int) { order(by: {id: $id}, guestToken: $token) {
            events(first: $first, after: $after, last: $last) { edges { cursor node { cursor type } } pageInfo { hasNextPage hasPreviousPage } } } }";
        let page = |id: String, token: String, arguments: Value| {
            let mut variables = json!({"id": id, "token": token});
            variables.as_object_mut().unwrap().extend(arguments.as_object().unwrap().clone());
            async move { shop.graphql(As::Anonymous, document, variables).await }
        };
        let first = page(order.id.clone(), order.token.clone(), json!({"first": 1})).await;
        let edge = &first["data"]["order"]["events"]["edges"][0];
        assert_eq!(edge["cursor"], edge["node"]["cursor"]);
        let rest = page(order.id.clone(), order.token.clone(), json!({"after": edge["cursor"]})).await;
        let rest = rest["data"]["order"]["events"]["edges"].as_array().unwrap().iter().map(|edge| edge["node"]["type"].as_str().unwrap()).collect::<Vec<_>>();
        assert_eq!(rest, all[1..]);
        let last = page(order.id.clone(), order.token.clone(), json!({"last": 1})).await;
        assert_eq!(last["data"]["order"]["events"]["edges"][0]["node"]["type"], json!(all[all.len() - 1]));
        assert_eq!(last["data"]["order"]["events"]["pageInfo"], json!({"hasNextPage": false, "hasPreviousPage": true}));
        let foreign = page(other.id, other.token, json!({"after": edge["cursor"]})).await;
        assert_eq!(foreign["errors"][0]["extensions"]["code"], "BAD_USER_INPUT");
    }
}
