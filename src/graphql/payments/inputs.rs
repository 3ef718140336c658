//! What payment mutations are given.

use async_graphql::{ID, InputObject};

use super::types::{PaymentFlow, PaymentGatewayName, TestOutcome};
use crate::domain::payments::amount::Amount;
use crate::domain::payments::capture::CapturePayment;
use crate::domain::payments::create::CreatePayment;
use crate::domain::payments::refund::CreateRefund;
use crate::domain::payments::void::VoidPayment;
use crate::graphql::ids::parse_id;
use crate::graphql::money::MoneyInput;
use crate::graphql::scalars::Url;
use crate::kernel::error::Result;

/// How an order is to be paid.
#[derive(Clone, Debug, InputObject)]
pub(super) struct PaymentCreateInput {
    /// The order: one's own, or with its `guestToken` (else NOT_FOUND). All of its total is paid at once.
    order_id: ID,
    /// One of `shop.paymentGateways` (else GATEWAY_NOT_CONFIGURED).
    gateway: PaymentGatewayName,
    /// Whether the money is taken at once, or promised until it is captured. One of the gateway's `flows` (else INVALID).
    #[graphql(default_with = "Some(PaymentFlow::Charge)")]
    flow: Option<PaymentFlow>,
    /// Where the buyer comes back to from a page of the gateway's (PAYPAL, TEST), by way of an address of ours that asks what has
    /// come of it. In production at one of the shop's own addresses (else INVALID). STRIPE has no page of its own: give Stripe.js
    /// its `return_url` with `confirmPayment`.
    return_url: Option<Url>,
    /// The telephone that is asked for the money, for MPESA: 07…, 01…, 2547… or 2541…, with or without + and spaces (else
    /// INVALID; REQUIRED when null). Other gateways do not look at it.
    phone: Option<String>,
    /// What TEST is to do, SUCCEED when null. For other gateways it is INVALID.
    test_outcome: Option<TestOutcome>,
    /// A key that you make for this payment, of 1 to 255 characters. Sent again with the same input within 24 hours, it
    /// answers with the same payment, as it is by then; with another input it is IDEMPOTENCY_KEY_REUSED.
    idempotency_key: String,
}

/// What is to be captured.
#[derive(Clone, Debug, InputObject)]
pub(super) struct PaymentCaptureInput {
    /// The payment (else NOT_FOUND).
    payment_id: ID,
    /// How much, above zero and in the payment's currency; all that is authorized when null. More is
    /// AMOUNT_EXCEEDS_CAPTURABLE. What is left is released: a payment is captured once.
    amount: Option<MoneyInput>,
    /// A key that you make for this capture, of 1 to 255 characters. Sent again with the same input within 24 hours, it
    /// answers without capturing anything again; with another input it is IDEMPOTENCY_KEY_REUSED.
    idempotency_key: String,
}

/// What is to be given up.
#[derive(Clone, Debug, InputObject)]
pub(super) struct PaymentVoidInput {
    /// The payment (else NOT_FOUND).
    payment_id: ID,
    /// A key that you make for this, of 1 to 255 characters. Sent again with the same input within 24 hours, it answers
    /// without doing anything again; with another input it is IDEMPOTENCY_KEY_REUSED.
    idempotency_key: String,
}

/// What is to go back.
#[derive(Clone, Debug, InputObject)]
pub(super) struct RefundCreateInput {
    /// The payment (else NOT_FOUND).
    payment_id: ID,
    /// How much, above zero and in the payment's currency; all that is left when null. More is AMOUNT_EXCEEDS_REFUNDABLE, and
    /// what the gateway has no coins for (MPESA: whole shillings) is INVALID.
    amount: Option<MoneyInput>,
    /// Why, for the record. 255 characters at most; empty is as good as null.
    reason: Option<String>,
    /// A key that you make for this refund, of 1 to 255 characters. Sent again with the same input within 24 hours, it
    /// answers with the same refund; with another input it is IDEMPOTENCY_KEY_REUSED.
    idempotency_key: String,
}

impl PaymentCreateInput {
    pub(super) fn into_domain(self, guest_token: Option<String>) -> Result<CreatePayment> {
        Ok(CreatePayment {
            order: parse_id(&self.order_id, "input.orderId")?,
            guest_token,
            gateway: self.gateway.into(),
            flow: self.flow.unwrap_or(PaymentFlow::Charge).into(),
            return_url: self.return_url.map(|url| url.0),
            phone: self.phone,
            test_outcome: self.test_outcome.map(Into::into),
            idempotency_key: self.idempotency_key,
        })
    }
}

fn amount(input: Option<MoneyInput>) -> Option<Amount> {
    input.map(|money| Amount {
        amount: money.amount.0,
        currency: money.currency_code.0,
    })
}

impl PaymentCaptureInput {
    pub(super) fn into_domain(self) -> Result<CapturePayment> {
        Ok(CapturePayment {
            payment: parse_id(&self.payment_id, "input.paymentId")?,
            amount: amount(self.amount),
            idempotency_key: self.idempotency_key,
        })
    }
}

impl PaymentVoidInput {
    pub(super) fn into_domain(self) -> Result<VoidPayment> {
        Ok(VoidPayment {
            payment: parse_id(&self.payment_id, "input.paymentId")?,
            idempotency_key: self.idempotency_key,
        })
    }
}

impl RefundCreateInput {
    pub(super) fn into_domain(self) -> Result<CreateRefund> {
        Ok(CreateRefund {
            payment: parse_id(&self.payment_id, "input.paymentId")?,
            amount: amount(self.amount),
            reason: self.reason,
            idempotency_key: self.idempotency_key,
        })
    }
}
