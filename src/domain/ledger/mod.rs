//! The ledger: what orders and payments did to the shop's money, as transfers between accounts that are only ever added.
//!
//! It is kept by whoever stores an order or a payment, in the same transaction: `OrderInHand::save` tells it what became of
//! the order, and the saving of payments what became of those. Nobody else writes either, and so nobody can forget to.

mod balance;
pub mod balances;
pub mod book;
pub mod booked;
