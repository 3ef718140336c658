//! Gateways: what ours ask for is what the gateways' documents demand, and whatever they do or fail to do comes right in the
//! end. They are played by simulators that speak the real wire format.

pub(crate) mod interleave;
pub(crate) mod paypal;
mod mpesa;
pub(crate) mod sim;
