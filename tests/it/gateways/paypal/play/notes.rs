//! PayPal's webhooks: events about what it knows, signed as PayPal signs them, and its own word whether one is genuine.
//!
//! The key and its certificate are the tests' own (`../keys`): an RSA key, and a leaf for
//! messageverificationcerts.paypal.com that is good in 2026, below a root that nobody else trusts.

use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use bytes::Bytes;
use chrono::{DateTime, SecondsFormat, Utc};
use ring::rand::SystemRandom;
use ring::signature::{RSA_PKCS1_2048_8192_SHA256, RSA_PKCS1_SHA256, RsaKeyPair, UnparsedPublicKey};
use serde_json::value::RawValue;
use serde_json::{Value, json};
use souk::infra::gateways::Message;

use super::{Order, PayPal, answers, strict};
use crate::gateways::sim::{Answer, Asked};

/// The shop's webhook, as `PAYPAL_WEBHOOK_ID` has it.
pub(crate) const WEBHOOK_ID: &str = "8PT597110X687430LKGECATA";

pub(crate) const CERTIFICATE: &str =
    "https://api.sandbox.paypal.com/v1/notifications/certs/CERT-360caa42-fca2a594-ab66f33d";

/// A webhook as it is sent.
#[derive(Clone, Debug)]
pub(crate) struct Note {
    pub(crate) headers: Vec<(String, String)>,
    pub(crate) body: String,
}

/// The checksum of zip and Ethernet, bit by bit.
pub(crate) fn crc32(bytes: &[u8]) -> u32 {
    let mut crc = u32::MAX;
    for byte in bytes {
        crc ^= u32::from(*byte);
        for _ in 0..8 {
            crc = (crc >> 1) ^ (0xEDB8_8320 & (crc & 1).wrapping_neg());
        }
    }
    !crc
}

fn key() -> RsaKeyPair {
    RsaKeyPair::from_pkcs8(include_bytes!("../keys/leaf.key.der")).unwrap()
}

fn signed(id: &str, time: &str, webhook: &str, body: &[u8]) -> String {
    format!("{id}|{time}|{webhook}|{}", crc32(body))
}

impl Note {
    /// An event of this shop's webhook.
    pub(crate) fn new(event: &Value, at: DateTime<Utc>) -> Self {
        Self::of(WEBHOOK_ID, event, at)
    }

    /// The same of any webhook: another shop's, or that of the sandbox.
    pub(crate) fn of(webhook: &str, event: &Value, at: DateTime<Utc>) -> Self {
        Self::sent(webhook, event.to_string(), at)
    }

    /// The same of an event that is written in some way.
    pub(crate) fn raw(event: &str, at: DateTime<Utc>) -> Self {
        Self::sent(WEBHOOK_ID, event.to_owned(), at)
    }

    fn sent(webhook: &str, body: String, at: DateTime<Utc>) -> Self {
        let id = format!("69cd13f0-d67a-11e5-baa3-{:012x}", crc32(body.as_bytes()));
        let time = at.to_rfc3339_opts(SecondsFormat::Secs, true);
        let key = key();
        let mut signature = vec![0; key.public().modulus_len()];
        let message = signed(&id, &time, webhook, body.as_bytes());
        key.sign(
            &RSA_PKCS1_SHA256,
            &SystemRandom::new(),
            message.as_bytes(),
            &mut signature,
        )
        .unwrap();
        let header = |name: &str, value: &str| (name.to_owned(), value.to_owned());
        Self {
            headers: vec![
                header("content-type", "application/json"),
                header("paypal-auth-algo", "SHA256withRSA"),
                header("paypal-cert-url", CERTIFICATE),
                header("paypal-transmission-id", &id),
                header("paypal-transmission-sig", &BASE64_STANDARD.encode(signature)),
                header("paypal-transmission-time", &time),
            ],
            body,
        }
    }

    pub(crate) fn with(mut self, name: &str, value: &str) -> Self {
        let header = self.headers.iter_mut().find(|(own, _)| own == name);
        value.clone_into(&mut header.unwrap().1);
        self
    }

    /// As it arrives at `/webhooks/paypal`.
    pub(crate) fn arriving(&self, at: DateTime<Utc>) -> Message {
        Message {
            path: Vec::new(),
            headers: self.headers.clone(),
            body: Bytes::from(self.body.clone()),
            sender: None,
            received_at: at,
        }
    }
}

impl PayPal {
    /// An event of this kind about the order that was made last: about its capture, authorization or refund that was made
    /// last, as the kind says.
    pub(crate) fn event(&mut self, kind: &str) -> Value {
        let order = self.last().clone();
        self.event_of(&order, kind)
    }

    /// The same about this order.
    pub(crate) fn event_of(&mut self, order: &Order, kind: &str) -> Value {
        let related = json!({"related_ids": {"order_id": order.id}});
        let (of, mut resource) = if kind.starts_with("CHECKOUT.ORDER.") {
            ("checkout-order", order.show())
        } else if kind.starts_with("CHECKOUT.PAYMENT-APPROVAL.") {
            let unit = order.unit();
            let unit = json!({"reference_id": unit["reference_id"], "custom_id": unit["custom_id"], "invoice_id": unit["invoice_id"]});
            (
                "payment-approval",
                json!({"order_id": order.id, "purchase_units": [unit], "payment_source": {"paypal": {}}}),
            )
        } else if kind.starts_with("PAYMENT.CAPTURE.REFUNDED") || kind.starts_with("PAYMENT.REFUND.") {
            ("refund", order.show_refund(order.refunds.last().unwrap()))
        } else if kind.starts_with("PAYMENT.CAPTURE.") {
            ("capture", order.show_capture(order.captures.last().unwrap()))
        } else if kind.starts_with("PAYMENT.AUTHORIZATION.") {
            (
                "authorization",
                order.show_authorization(order.authorizations.last().unwrap()),
            )
        } else if kind.starts_with("CUSTOMER.DISPUTE.") {
            let disputed = json!({"seller_transaction_id": order.captures[0].id, "custom": order.unit()["custom_id"],
                "invoice_number": order.unit()["invoice_id"]});
            (
                "dispute",
                json!({"dispute_id": "PP-D-4012", "disputed_transactions": [disputed], "status": "OPEN"}),
            )
        } else {
            (
                "plan",
                json!({"id": "P-7GL4271244454362WXNWU5NQ", "status": "ACTIVE"}),
            )
        };
        if matches!(of, "capture" | "authorization") {
            resource["supplementary_data"] = related;
        }
        let id = self.id();
        json!({
            "id": format!("WH-{id}-67976317FL4543714"),
            "event_version": "1.0",
            "create_time": "2026-03-01T12:00:06.120Z",
            "resource_type": of,
            "resource_version": "2.0",
            "event_type": kind,
            "summary": "What has happened, for people",
            "resource": resource,
            "links": [{"href": format!("https://api.sandbox.paypal.com/v1/notifications/webhooks-events/WH-{id}"),
                "rel": "self", "method": "GET"}],
        })
    }
}

/// `POST /v1/notifications/verify-webhook-signature`: looks at the event's own bytes, as they stand in the request.
pub(super) fn verify(asked: &Asked) -> Result<Answer, String> {
    #[derive(serde::Deserialize)]
    struct Event<'a> {
        #[serde(borrow)]
        webhook_event: &'a RawValue,
    }
    let body = asked.json();
    let needed = [
        "auth_algo",
        "cert_url",
        "transmission_id",
        "transmission_sig",
        "transmission_time",
        "webhook_id",
        "webhook_event",
    ];
    strict::fields("body", &body, &needed, &[])?;
    strict::text("transmission_id", &body["transmission_id"], 50)?;
    strict::text("transmission_sig", &body["transmission_sig"], 500)?;
    strict::text("transmission_time", &body["transmission_time"], 100)?;
    strict::text("webhook_id", &body["webhook_id"], 50)?;
    let event: Event<'_> = serde_json::from_slice(&asked.body).map_err(|error| error.to_string())?;
    let text = |name: &str| body[name].as_str().unwrap_or_default();
    let message = signed(
        text("transmission_id"),
        text("transmission_time"),
        text("webhook_id"),
        event.webhook_event.get().as_bytes(),
    );
    let signature = BASE64_STANDARD
        .decode(text("transmission_sig"))
        .unwrap_or_default();
    let key = key();
    let public = UnparsedPublicKey::new(&RSA_PKCS1_2048_8192_SHA256, key.public().as_ref());
    let genuine = public.verify(message.as_bytes(), &signature).is_ok() && text("webhook_id") == WEBHOOK_ID;
    let status = if genuine { "SUCCESS" } else { "FAILURE" };
    Ok(answers::done(200, &json!({"verification_status": status})))
}
