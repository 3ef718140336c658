//! What the tests of mutations share, and who may mutate at all.

use serde_json::{Value, json};

use crate::support::{As, Shop, product};

/// Runs a mutation of one `input` as staff; its payload.
pub(super) async fn mutate(shop: &Shop, field: &str, fields: &str, input: Value) -> Value {
    let kind = format!("{}{}Input", field[..1].to_uppercase(), &field[1..]);
    let document = format!(
        "mutation($input: {kind}!) {{ {field}(input: $input) {{ {fields} userErrors {{ code path message params retryable }} }} }}"
    );
    let mut data = shop.data(As::Staff, &document, json!({ "input": input })).await;
    data[field].take()
}

/// The same for one that must succeed.
pub(super) async fn done(shop: &Shop, field: &str, fields: &str, input: Value) -> Value {
    let payload = mutate(shop, field, fields, input).await;
    assert_eq!(payload["userErrors"], json!([]), "{field}");
    payload
}

/// The codes and places of the user errors.
pub(super) fn refusals(payload: &Value) -> Vec<(String, String)> {
    let errors = payload["userErrors"].as_array().unwrap();
    let path = |error: &Value| {
        error["path"]
            .as_array()
            .unwrap()
            .iter()
            .map(|part| part.as_str().unwrap())
            .collect::<Vec<_>>()
            .join(".")
    };
    errors
        .iter()
        .map(|error| (error["code"].as_str().unwrap().to_owned(), path(error)))
        .collect()
}

pub(super) fn refusal(code: &str, path: &str) -> Vec<(String, String)> {
    vec![(code.to_owned(), path.to_owned())]
}

/// A field of each item of a list.
pub(super) fn texts(list: &Value, field: &str) -> Vec<String> {
    list.as_array()
        .unwrap()
        .iter()
        .map(|item| item[field].as_str().unwrap().to_owned())
        .collect()
}

/// The names of the products that a filter finds.
pub(super) async fn names(shop: &Shop, caller: As, filter: Value, sort: Value) -> Vec<String> {
    let query = "query($filter: ProductFilter, $sort: ProductSort) { products(filter: $filter, sort: $sort, first: 100) { nodes { name } } }";
    let data = shop
        .data(caller, query, json!({ "filter": filter, "sort": sort }))
        .await;
    texts(&data["products"]["nodes"], "name")
}

both! {
    async fn only_staff_may_change_anything(shop: &Shop) {
        let mug = shop.add(product("Mug").stock(5)).await;
        let query = format!("{{ product(by: {{id: \"{mug}\"}}) {{ variants {{ id }} }} }}");
        let variant = shop.data(As::Staff, &query, json!({})).await["product"]["variants"][0]["id"].clone();
        let mutations = [
            ("productCreate", json!({"name": "Cup", "variants": [{"price": "1"}]})),
            ("productUpdate", json!({"productId": mug.to_string(), "name": "Stolen"})),
            ("productVariantUpdate", json!({"variantId": variant, "price": "0"})),
            ("categoryCreate", json!({"name": "Shelf"})),
            ("inventoryAdjust", json!({"variantId": variant, "delta": 1, "reason": "found", "idempotencyKey": "k"})),
        ];
        let schema = souk::graphql::schema::sdl();
        let all = schema.split("type Mutation {").nth(1).unwrap().split("\n}").next().unwrap();
        let of_goods = |line: &&str| ["product", "category", "inventory"].iter().any(|noun| line.trim_start().starts_with(noun));
        let count = all.lines().filter(of_goods).filter(|line| line.ends_with('(')).count();
        assert_eq!(count, mutations.len(), "a mutation of the schema is not tried here");
        let state = "SELECT p.name, CAST(p.version AS text), CAST(v.price AS text), CAST(l.on_hand AS text),
                            (SELECT CAST(count(*) AS text) FROM inventory_movement), (SELECT CAST(count(*) AS text) FROM idempotency_key),
                            (SELECT CAST(count(*) AS text) FROM category)
                     FROM product p JOIN product_variant v ON v.product_id = p.id JOIN inventory_level l ON l.variant_id = v.id";
        let before = shop.rows(state).await;
        for (field, input) in mutations {
            let kind = format!("{}{}Input", field[..1].to_uppercase(), &field[1..]);
            let document = format!("mutation($input: {kind}!) {{ {field}(input: $input) {{ userErrors {{ code }} }} }}");
            for (caller, code) in [(As::Anonymous, "UNAUTHENTICATED"), (As::Customer, "FORBIDDEN")] {
                // Who may not, is told so before anything that they sent is looked at.
                let mut bad = input.clone();
                for id in ["productId", "variantId"] {
                    if bad.get(id).is_some() {
                        bad[id] = json!("nonsense");
                    }
                }
                for input in [&input, &bad] {
                    let answer = shop.graphql(caller, &document, json!({ "input": input })).await;
                    assert_eq!(answer["data"], Value::Null, "{field}");
                    assert_eq!(answer["errors"].as_array().unwrap().len(), 1, "{field}");
                    assert_eq!(answer["errors"][0]["extensions"]["code"], code, "{field}");
                    assert_eq!(answer["errors"][0]["path"], json!([field]));
                }
            }
        }
        assert_eq!(shop.rows(state).await, before);
    }
}
