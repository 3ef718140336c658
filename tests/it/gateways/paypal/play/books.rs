//! What PayPal knows of orders, and how it tells of them.

use std::str::FromStr as _;

use chrono::{DateTime, TimeDelta, Utc};
use rust_decimal::Decimal;
use serde_json::{Value, json};

pub(crate) const HOME: &str = "https://api-m.sandbox.paypal.com";

#[derive(Clone, Debug)]
pub(crate) struct Order {
    pub(crate) id: String,
    /// What was asked for.
    pub(crate) request: Value,
    pub(crate) status: &'static str,
    pub(crate) made_at: DateTime<Utc>,
    pub(crate) authorizations: Vec<Authorization>,
    pub(crate) captures: Vec<Capture>,
    pub(crate) refunds: Vec<Refund>,
}

#[derive(Clone, Debug)]
pub(crate) struct Authorization {
    pub(crate) id: String,
    pub(crate) status: &'static str,
    /// After a final capture nothing more is held.
    pub(crate) held: Decimal,
}

#[derive(Clone, Debug)]
pub(crate) struct Capture {
    pub(crate) id: String,
    pub(crate) status: &'static str,
    pub(crate) amount: Decimal,
    pub(crate) last: bool,
}

#[derive(Clone, Debug)]
pub(crate) struct Refund {
    pub(crate) id: String,
    pub(crate) capture: String,
    pub(crate) status: &'static str,
    pub(crate) amount: Decimal,
    pub(crate) custom: Value,
    pub(crate) invoice: Value,
}

fn link(rel: &str, method: &str, path: &str) -> Value {
    json!({"rel": rel, "method": method, "href": format!("{HOME}{path}")})
}

impl Capture {
    pub(crate) fn is_taken(&self) -> bool {
        matches!(self.status, "COMPLETED" | "PARTIALLY_REFUNDED" | "REFUNDED")
    }
}

impl Order {
    pub(crate) fn unit(&self) -> &Value {
        &self.request["purchase_units"][0]
    }

    pub(crate) fn amount(&self) -> Decimal {
        decimal(&self.unit()["amount"])
    }

    pub(crate) fn money(&self, amount: Decimal) -> Value {
        let code = &self.unit()["amount"]["currency_code"];
        json!({"currency_code": code, "value": amount.to_string()})
    }

    /// The page where the buyer approves it.
    pub(crate) fn page(&self) -> String {
        format!("https://www.sandbox.paypal.com/checkoutnow?token={}", self.id)
    }

    pub(crate) fn taken(&self) -> Decimal {
        let taken = self.captures.iter().filter(|capture| capture.is_taken());
        taken.map(|capture| capture.amount).sum()
    }

    /// Of everything, or of this capture: what has gone back or is on its way.
    pub(crate) fn gone_back(&self, capture: Option<&str>) -> Decimal {
        let counts = |refund: &&Refund| {
            matches!(refund.status, "COMPLETED" | "PENDING") && capture.is_none_or(|id| refund.capture == id)
        };
        self.refunds
            .iter()
            .filter(counts)
            .map(|refund| refund.amount)
            .sum()
    }

    /// A capture's status follows its refunds.
    pub(crate) fn settle(&mut self) {
        for place in 0..self.captures.len() {
            let back = self.gone_back(Some(&self.captures[place].id));
            let capture = &mut self.captures[place];
            if capture.is_taken() {
                capture.status = match back {
                    back if back == capture.amount => "REFUNDED",
                    back if back > Decimal::ZERO => "PARTIALLY_REFUNDED",
                    _ => "COMPLETED",
                };
            }
        }
    }

    pub(crate) fn show_capture(&self, capture: &Capture) -> Value {
        let path = format!("/v2/payments/captures/{}", capture.id);
        let mut shown = json!({
            "id": capture.id,
            "status": capture.status,
            "amount": self.money(capture.amount),
            "final_capture": capture.last,
            "disbursement_mode": "INSTANT",
            "seller_protection": {"status": "ELIGIBLE", "dispute_categories": ["ITEM_NOT_RECEIVED"]},
            "custom_id": self.unit()["custom_id"],
            "invoice_id": self.unit()["invoice_id"],
            "create_time": "2026-03-01T12:00:05Z",
            "update_time": "2026-03-01T12:00:05Z",
            "links": [link("self", "GET", &path), link("refund", "POST", &format!("{path}/refund")),
                      link("up", "GET", &format!("/v2/checkout/orders/{}", self.id))],
        });
        if capture.is_taken() {
            // 2.9 % and thirty cents.
            let fee = (capture.amount * Decimal::new(29, 3) + Decimal::new(30, 2)).round_dp(2);
            shown["seller_receivable_breakdown"] = json!({
                "gross_amount": self.money(capture.amount),
                "paypal_fee": self.money(fee),
                "net_amount": self.money(capture.amount - fee),
            });
        } else if capture.status == "PENDING" {
            shown["status_details"] = json!({"reason": "PENDING_REVIEW"});
        }
        shown
    }

    pub(crate) fn show_authorization(&self, authorization: &Authorization) -> Value {
        let path = format!("/v2/payments/authorizations/{}", authorization.id);
        json!({
            "id": authorization.id,
            "status": authorization.status,
            "amount": self.money(self.amount()),
            "custom_id": self.unit()["custom_id"],
            "invoice_id": self.unit()["invoice_id"],
            "seller_protection": {"status": "ELIGIBLE"},
            "expiration_time": self.made_at + TimeDelta::days(29),
            "create_time": self.made_at,
            "update_time": self.made_at,
            "links": [link("self", "GET", &path), link("capture", "POST", &format!("{path}/capture")),
                      link("void", "POST", &format!("{path}/void"))],
        })
    }

    pub(crate) fn show_refund(&self, refund: &Refund) -> Value {
        let path = format!("/v2/payments/refunds/{}", refund.id);
        let mut shown = json!({
            "id": refund.id,
            "status": refund.status,
            "amount": self.money(refund.amount),
            "seller_payable_breakdown": {"total_refunded_amount": self.money(self.gone_back(None))},
            "create_time": "2026-03-01T12:10:00Z",
            "links": [link("self", "GET", &path),
                      link("up", "GET", &format!("/v2/payments/captures/{}", refund.capture))],
        });
        for (name, value) in [("custom_id", &refund.custom), ("invoice_id", &refund.invoice)] {
            if !value.is_null() {
                shown[name] = value.clone();
            }
        }
        shown
    }

    fn links(&self) -> Value {
        let path = format!("/v2/checkout/orders/{}", self.id);
        let own = link("self", "GET", &path);
        match self.status {
            "PAYER_ACTION_REQUIRED" => {
                json!([own, {"rel": "payer-action", "method": "GET", "href": self.page()}])
            }
            "CREATED" => json!([own, {"rel": "approve", "method": "GET", "href": self.page()}]),
            "APPROVED" => json!([own, link("capture", "POST", &format!("{path}/capture"))]),
            _ => json!([own]),
        }
    }

    /// What `return=minimal` says.
    pub(crate) fn show_little(&self) -> Value {
        json!({"id": self.id, "status": self.status, "links": self.links()})
    }

    pub(crate) fn show(&self) -> Value {
        let mut unit = self.unit().clone();
        unit["payee"] = json!({"email_address": "shop@example.com", "merchant_id": "7ZEZ2QWLCFPYE"});
        let all: Vec<_> = [
            (
                "authorizations",
                self.authorizations
                    .iter()
                    .map(|one| self.show_authorization(one))
                    .collect::<Vec<_>>(),
            ),
            (
                "captures",
                self.captures.iter().map(|one| self.show_capture(one)).collect(),
            ),
            (
                "refunds",
                self.refunds.iter().map(|one| self.show_refund(one)).collect(),
            ),
        ]
        .into_iter()
        .filter(|(_, shown)| !shown.is_empty())
        .collect();
        if !all.is_empty() {
            unit["payments"] = all
                .into_iter()
                .map(|(name, shown)| (name.to_owned(), json!(shown)))
                .collect::<serde_json::Map<_, _>>()
                .into();
        }
        json!({
            "id": self.id,
            "intent": self.request["intent"],
            "status": self.status,
            "payment_source": {"paypal": {"email_address": "buyer@example.com", "account_id": "QYR5Z8XDVJNXQ",
                "account_status": "VERIFIED", "name": {"given_name": "John", "surname": "Doe"}}},
            "payer": {"email_address": "buyer@example.com", "payer_id": "QYR5Z8XDVJNXQ"},
            "purchase_units": [unit],
            "create_time": self.made_at,
            "update_time": self.made_at,
            "links": self.links(),
        })
    }
}

pub(crate) fn decimal(money: &Value) -> Decimal {
    Decimal::from_str(money["value"].as_str().unwrap_or_default()).unwrap_or_default()
}
