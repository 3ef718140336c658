//! Gateways: what ours ask for is what the gateways' documents demand, and whatever they do or fail to do comes right in the
//! end. They are played by simulators that speak the real wire format.

mod http;
pub(crate) mod interleave;
mod log;
mod mpesa;
pub(crate) mod paypal;
mod refused;
pub(crate) mod sim;
pub(crate) mod stripe;
