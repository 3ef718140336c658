//! The front door: HTTP to the letter, its limits, sockets, and how the process stops.

mod connections;
mod limits;
mod process;
mod protocol;
mod sockets;

/// What a well-behaved client sends.
const JSON: (&str, &str) = ("content-type", "application/json");
const ACCEPT_NEW: (&str, &str) = ("accept", "application/graphql-response+json");
const ACCEPT_OLD: (&str, &str) = ("accept", "application/json");
