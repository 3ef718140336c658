//! Souk, a GraphQL commerce server.
