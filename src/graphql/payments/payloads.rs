//! What payment mutations answer.

use async_graphql::SimpleObject;

use super::types::{Payment, Refund};
use crate::graphql::user_error::UserError;

/// The outcome of `paymentCreate`.
#[derive(Clone, Debug, SimpleObject)]
pub(super) struct PaymentCreatePayload {
    /// The payment as it is now; null when it was refused. A payment that was declined is there, FAILED, together with a
    /// PAYMENT_DECLINED among `userErrors`: the order can be paid anew, with another key.
    pub payment: Option<Payment>,
    /// Why it was refused or declined; empty when it was not.
    pub user_errors: Vec<UserError>,
}

/// The outcome of `paymentCapture`.
#[derive(Clone, Debug, SimpleObject)]
pub(super) struct PaymentCapturePayload {
    /// The payment as it is now; null when the capture was refused. It is still AUTHORIZED when the gateway has not
    /// answered yet, which is asked again until it does, or when it said no, which is PAYMENT_DECLINED among `userErrors`.
    pub payment: Option<Payment>,
    /// Why it was refused or declined; empty when it was not.
    pub user_errors: Vec<UserError>,
}

/// The outcome of `paymentVoid`.
#[derive(Clone, Debug, SimpleObject)]
pub(super) struct PaymentVoidPayload {
    /// The payment as it is now; null when it was refused. It is as it was when the gateway has not answered yet, which is
    /// asked again until it does, or when it said no, which is PAYMENT_DECLINED among `userErrors`.
    pub payment: Option<Payment>,
    /// Why it was refused or declined; empty when it was not.
    pub user_errors: Vec<UserError>,
}

/// The outcome of `refundCreate`.
#[derive(Clone, Debug, SimpleObject)]
pub(super) struct RefundCreatePayload {
    /// The refund as it is now; null when it was refused. PENDING when the gateway has not answered yet, which is asked
    /// again until it does; FAILED when it said no, which is PAYMENT_DECLINED among `userErrors`.
    pub refund: Option<Refund>,
    /// The payment that it is of, as it is now; null when the refund was refused.
    pub payment: Option<Payment>,
    /// Why it was refused or declined; empty when it was not.
    pub user_errors: Vec<UserError>,
}
