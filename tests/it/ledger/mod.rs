//! The ledger: that it agrees with orders and payments whatever happens to them, and what is read from it.

mod balances;
mod booking;
mod random;
mod reconcile;
mod refusals;
pub(crate) mod wild;

use serde_json::{Value, json};

use crate::support::{As, Shop, product};

/// A thing at 19.99 of which there is plenty; its variant.
async fn thing(shop: &Shop) -> String {
    let id = shop.add(product("Thing").price(1_999).stock(10_000)).await;
    shop.variants_of(id).await.remove(0)
}

/// A mutation of staff's; what it answers.
async fn staff(shop: &Shop, field: &str, input: Value) -> Value {
    let kind = format!("{}{}Input", field[..1].to_uppercase(), &field[1..]);
    let document =
        format!("mutation($input: {kind}!) {{ {field}(input: $input) {{ userErrors {{ code }} }} }}");
    shop.data(As::Staff, &document, json!({ "input": input })).await[field].take()
}

/// Accounts with what is on each in all, in minor units, but for those with nothing.
async fn accounts(shop: &Shop) -> Vec<Vec<String>> {
    shop.rows(
        "SELECT account, currency, CAST(sum(amount) AS text) FROM (
            SELECT debit AS account, currency, amount FROM ledger_transfer UNION ALL
            SELECT credit, currency, -amount FROM ledger_transfer) x
         GROUP BY account, currency HAVING sum(amount) <> 0 ORDER BY account, currency",
    )
    .await
}
