//! Rules, permissions, transactions and queries: what the shop is, whoever asks and however.
//!
//! Rooms stand in an order and call only earlier ones: `audit`, `accounts`, `catalog`, `inventory`,
//! `carts`, `ledger`, `orders`, `payments`, `checkout`, `exchange`.
//!
//! Names with a fixed meaning: `by_ids` answers for many at once and leaves out what it does not find;
//! `visible_to` filters by what the actor may see; `_in_txn` works inside the caller's transaction.

pub mod accounts;
pub mod answers;
pub mod audit;
pub mod carts;
pub mod catalog;
pub mod checkout;
pub mod context;
pub mod exchange;
pub mod inventory;
pub mod ledger;
pub mod news;
pub mod orders;
pub mod payments;
pub mod permission;
