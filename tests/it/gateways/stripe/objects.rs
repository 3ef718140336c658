//! What the simulator knows, as Stripe writes it: with the fields that we do not read as well.

use std::collections::BTreeMap;

use serde_json::{Value, json};

/// 30 cents and 2.9 %.
pub(crate) fn fee_of(amount: i64) -> i64 {
    30 + amount * 29 / 1_000
}

#[derive(Clone, Debug)]
pub(crate) struct Intent {
    pub(crate) id: String,
    pub(crate) amount: i64,
    pub(crate) currency: String,
    pub(crate) status: String,
    pub(crate) capture_method: String,
    pub(crate) description: Option<String>,
    pub(crate) metadata: BTreeMap<String, String>,
    pub(crate) livemode: bool,
    pub(crate) created: i64,
    pub(crate) charge: Option<Charge>,
    /// As `last_payment_error` has it.
    pub(crate) error: Value,
    pub(crate) cancellation_reason: Option<String>,
}

#[derive(Clone, Debug)]
pub(crate) struct Charge {
    pub(crate) id: String,
    pub(crate) captured: i64,
    /// What of the promise was given up: with the rest of a partial capture, or by cancelling.
    pub(crate) released: i64,
    /// Whether Stripe has booked it: it says what it keeps only then.
    pub(crate) booked: bool,
}

#[derive(Clone, Debug)]
pub(crate) struct Refund {
    pub(crate) id: String,
    pub(crate) intent: String,
    pub(crate) charge: String,
    pub(crate) amount: i64,
    pub(crate) currency: String,
    pub(crate) status: String,
    pub(crate) failure_reason: Option<String>,
    pub(crate) metadata: BTreeMap<String, String>,
    pub(crate) created: i64,
}

impl Intent {
    pub(crate) fn client_secret(&self) -> String {
        format!("{}_secret_{}", self.id, &self.id[3..])
    }

    pub(crate) fn received(&self) -> i64 {
        self.charge.as_ref().map_or(0, |charge| charge.captured)
    }

    /// With what the request asked to be expanded.
    pub(crate) fn json(&self, refunds: &[Refund], expand: &[String]) -> Value {
        let wants = |what: &str| expand.iter().any(|path| path.starts_with(what));
        let charge = self.charge.as_ref();
        let latest_charge = match charge {
            None => Value::Null,
            Some(charge) if !wants("latest_charge") => json!(charge.id),
            Some(_) => self.charge_json(refunds, wants("latest_charge.balance_transaction")),
        };
        let waits = self.status == "requires_capture";
        json!({
            "id": self.id,
            "object": "payment_intent",
            "amount": self.amount,
            "amount_capturable": if waits { self.amount } else { 0 },
            "amount_details": {"tip": {}},
            "amount_received": self.received(),
            "application": null,
            "automatic_payment_methods": {"allow_redirects": "always", "enabled": true},
            "canceled_at": self.cancellation_reason.as_ref().map(|_| self.created + 60),
            "cancellation_reason": self.cancellation_reason,
            "capture_method": self.capture_method,
            "client_secret": self.client_secret(),
            "confirmation_method": "automatic",
            "created": self.created,
            "currency": self.currency,
            "customer": null,
            "description": self.description,
            "last_payment_error": self.error,
            "latest_charge": latest_charge,
            "livemode": self.livemode,
            "metadata": self.metadata,
            "next_action": if self.status == "requires_action" {
                json!({"type": "use_stripe_sdk", "use_stripe_sdk": {"type": "three_d_secure_redirect"}})
            } else {
                Value::Null
            },
            "payment_method": charge.map(|_| "pm_1"),
            "payment_method_types": ["card", "link"],
            "processing": null,
            "receipt_email": null,
            "setup_future_usage": null,
            "shipping": null,
            "status": self.status,
            "transfer_group": null,
        })
    }

    /// Its charge, which must be there.
    pub(crate) fn charge_json(&self, refunds: &[Refund], booking: bool) -> Value {
        let charge = self.charge.as_ref().unwrap();
        let is_captured = charge.captured > 0;
        let booked = is_captured && charge.booked;
        let transaction = format!("txn_{}", &charge.id[3..]);
        let balance_transaction = match (booked, booking) {
            (false, _) => Value::Null,
            (true, false) => json!(transaction),
            (true, true) => json!({
                "id": transaction,
                "object": "balance_transaction",
                "amount": charge.captured,
                "currency": self.currency,
                "exchange_rate": null,
                "fee": fee_of(charge.captured),
                "fee_details": [{"amount": fee_of(charge.captured), "currency": self.currency, "type": "stripe_fee"}],
                "net": charge.captured - fee_of(charge.captured),
                "source": charge.id,
                "status": "pending",
                "type": "charge",
            }),
        };
        // What is released counts as refunded, and what failed to go back does not.
        let refunded = charge.released + returned(&self.id, refunds);
        json!({
            "id": charge.id,
            "object": "charge",
            "amount": self.amount,
            "amount_captured": charge.captured,
            "amount_refunded": refunded,
            "balance_transaction": balance_transaction,
            "captured": is_captured,
            "currency": self.currency,
            "livemode": self.livemode,
            "metadata": self.metadata,
            "outcome": {"network_status": "approved_by_network", "risk_level": "normal", "type": "authorized"},
            "paid": true,
            "payment_intent": self.id,
            "payment_method": "pm_1",
            "refunded": refunded >= self.amount,
            "status": "succeeded",
        })
    }
}

/// How much has gone back of an intent, or is on its way.
pub(crate) fn returned(intent: &str, refunds: &[Refund]) -> i64 {
    let counts = |refund: &&Refund| {
        refund.intent == intent && !["failed", "canceled"].contains(&refund.status.as_str())
    };
    refunds.iter().filter(counts).map(|refund| refund.amount).sum()
}

impl Refund {
    pub(crate) fn json(&self) -> Value {
        json!({
            "id": self.id,
            "object": "refund",
            "amount": self.amount,
            "balance_transaction": format!("txn_{}", &self.id[3..]),
            "charge": self.charge,
            "created": self.created,
            "currency": self.currency,
            "destination_details": {"card": {"type": "refund"}, "type": "card"},
            "failure_reason": self.failure_reason,
            "metadata": self.metadata,
            "payment_intent": self.intent,
            "reason": null,
            "receipt_number": null,
            "status": self.status,
        })
    }
}
