//! A checkout at the bare server: all of it in one request.

use serde_json::{Value, json};
use uuid::Uuid;

use super::client::Client;

pub(super) async fn variants(client: &mut Client) -> anyhow::Result<Vec<String>> {
    Ok(serde_json::from_slice(client.post("/bare/variants", "").await?)?)
}

/// The body that orders these.
pub(super) fn order(lines: &[String]) -> String {
    let lines: Vec<Value> = lines
        .iter()
        .map(|variant| json!({"variant": variant, "quantity": 1}))
        .collect();
    let address = json!({"name": "Ann", "line1": "High Street", "city": "Leeds", "countryCode": "GB"});
    json!({"key": Uuid::new_v4(), "email": "ann@example.com", "address": address, "lines": lines}).to_string()
}

pub(super) async fn check_out(client: &mut Client, order: &str) -> anyhow::Result<()> {
    client.post("/bare/checkout", order).await.map(drop)
}
