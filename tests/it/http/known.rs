//! Documents that the server has seen before, which it neither parses nor validates again: their answers are the same.

use serde_json::{Value, json};

use super::{ACCEPT_NEW, JSON};
use crate::support::{Shop, product};

const PAGE: &str = "query Page($n: Int) { products(first: $n) { nodes { name } } }";
const ONE: &str = "query One($id: ID, $slug: String) { product(by: {id: $id, slug: $slug}) { name } }";
const MANY: &str = "query Many($ids: [ID!]!, $id: ID) { nodes(ids: $ids) { id } node(id: $id) { id } }";
const TWO: &str = "query A { shop { name } } query B($slug: String!) { product(by: {slug: $slug}) { ...P } } fragment P on Product { slug }";
const SEARCH: &str = "query($f: ProductFilter, $first: Int = 2) { products(filter: $f, first: $first) { totalCount nodes { slug } } }";

/// Requests that come in any order, some of them wrong.
fn requests() -> Vec<Value> {
    let ask = |query: &str, variables: Value| json!({ "query": query, "variables": variables });
    let named = |name: Value| json!({"query": TWO, "operationName": name, "variables": {"slug": "mug"}});
    vec![
        ask(PAGE, json!({})),
        ask(PAGE, json!({"n": 1})),
        ask(PAGE, json!({"n": null})),
        ask(PAGE, json!({"n": "one"})),
        ask(PAGE, json!({"n": 100_000})),
        ask(PAGE, json!({"n": 2, "other": 3})),
        ask(ONE, json!({})),
        ask(ONE, json!({"slug": "mug"})),
        ask(ONE, json!({"slug": null})),
        ask(ONE, json!({"id": null, "slug": "mug"})),
        ask(ONE, json!({"id": "x", "slug": "mug"})),
        ask(MANY, json!({"ids": []})),
        ask(MANY, json!({"ids": [null]})),
        ask(MANY, json!({"ids": "x", "id": "x"})),
        ask(SEARCH, json!({})),
        ask(SEARCH, json!({"f": {"text": "mug"}})),
        ask(SEARCH, json!({"f": {"text": null}, "first": null})),
        ask(SEARCH, json!({"f": {"nothing": 1}})),
        named(json!("A")),
        named(json!("B")),
        named(json!("C")),
        named(json!("")),
        named(Value::Null),
        json!({"query": format!("A\0{TWO}")}),
        json!({"query": "{ __schema { queryType { name } } }"}),
        json!({"query": "{ shop { name } nothing }"}),
        json!({"query": "{ shop"}),
        json!({"query": "mutation($a: String) { categoryCreate(input: {name: $a}) { userErrors { code } } }"}),
    ]
}

both! {
    async fn an_answer_does_not_depend_on_what_was_asked_before(shop: &Shop) {
        shop.add(product("Mug")).await;
        shop.add(product("Kettle")).await;
        // Of those beside, none keeps finished answers, whose cost is another one.
        let remembering = shop.beside(&[]).await;
        let forgetful = shop.beside(&[("SOUK_DOCUMENT_CACHE_BYTES", "0")]).await;
        for round in 1..=3 {
            for request in requests() {
                let body = request.to_string();
                let known = remembering.post(&[JSON, ACCEPT_NEW], body.clone()).await;
                let afresh = forgetful.post(&[JSON, ACCEPT_NEW], body).await;
                assert_eq!(known.status, afresh.status, "round {round}: {request}: {}", known.text());
                assert_eq!(known.json(), afresh.json(), "round {round}: {request}");
            }
        }
        remembering.close().await;
        forgetful.close().await;
    }
}
