//! Rules, permissions, transactions and queries: what the shop is, whoever asks and however.
//!
//! Rooms stand in an order and call only earlier ones: `audit`, `accounts`, `catalog`, `inventory`, `exchange`.
//!
//! Names with a fixed meaning: `by_ids` answers for many at once and leaves out what it does not find;
//! `visible_to` filters by what the actor may see; `_in_txn` works inside the caller's transaction.

pub mod accounts;
pub mod audit;
pub mod catalog;
pub mod context;
pub mod exchange;
pub mod inventory;
pub mod permission;
