//! Commands.

pub mod demo;
pub mod health;
