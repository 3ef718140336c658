//! What one principal may take of the shop, and what all of them together.

mod connections;
mod cost;
mod in_flight;
mod payments;
mod rates;
mod shared;

use serde_json::{Value, json};

use crate::support::{Reply, Shop};

const JSON: (&str, &str) = ("content-type", "application/json");

/// Costs 200, whatever is found: nothing, and all of it was looked through.
const SEARCH: &str = "{ products(first: 0, filter: {text: \"mug\"}) { nodes { id } } }";

async fn ask(shop: &Shop, headers: &[(&str, &str)], document: &str) -> Reply {
    let headers: Vec<_> = [JSON].iter().chain(headers).copied().collect();
    shop.post(&headers, json!({"query": document}).to_string()).await
}

fn code(answer: &Value) -> &str {
    answer["errors"][0]["extensions"]["code"]
        .as_str()
        .unwrap_or_default()
}
