//! Payments: taking the money of orders through gateways, and giving it back.
//!
//! What a gateway is to do is written down, committed, and then asked for: nothing waits for a gateway while it holds a
//! lock, and a process that dies in between leaves behind what another one goes on with. What a gateway says is applied
//! under the order's lock (`apply`), whoever asked and however often it is said.

pub mod actions;
pub mod amount;
mod apply;
mod asked;
pub mod back;
pub mod begin;
pub mod capture;
pub mod create;
pub mod drive;
pub mod find;
pub mod hand;
mod hear;
pub mod inbox;
pub mod look;
mod operation;
pub mod page;
pub mod reconcile;
pub mod refund;
mod returned;
pub mod stop;
mod terms;
mod turn;
pub mod void;
