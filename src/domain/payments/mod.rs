//! Payments: taking the money of orders through gateways, and giving it back.
