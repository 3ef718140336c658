//! Gateways: what ours ask for is what the gateways' documents demand, and whatever they do or fail to do comes right in the
//! end. They are played by simulators that speak the real wire format.

mod http;
pub(crate) mod interleave;
mod mpesa;
pub(crate) mod paypal;
pub(crate) mod sim;
mod stripe;
