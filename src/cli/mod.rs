//! Commands.

pub mod demo;
