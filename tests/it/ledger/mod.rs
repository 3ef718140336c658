//! The ledger: that it agrees with orders and payments whatever happens to them, and what is read from it.

mod booking;
mod refusals;

use crate::support::{Shop, product};

/// A thing at 19.99 of which there is plenty; its variant.
async fn thing(shop: &Shop) -> String {
    let id = shop.add(product("Thing").price(1_999).stock(10_000)).await;
    shop.variants_of(id).await.remove(0)
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
