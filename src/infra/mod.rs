//! Tools without business nouns. Only here does the code know which database it is on.

pub mod bus;
pub mod cache;
pub mod db;
pub mod fulltext;
pub mod gateways;
mod generations;
pub mod group;
pub mod idempotency;
pub mod instances;
pub mod kept;
pub mod metric;
pub mod owned;
pub mod password;
pub mod rate_limit;
pub mod redis;
pub mod secret;
pub mod telemetry;
pub mod token;
