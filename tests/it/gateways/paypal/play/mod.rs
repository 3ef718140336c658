//! PayPal, as far as a shop has to do with it, written from its documents: tokens, Orders v2, Payments v2, and whether
//! webhooks are genuine. Tests play its buyers and its bank by the methods of [`PayPal`].
//!
//! What is asked otherwise than the documents demand is refused and remembered as a violation; [`PayPal::violations`] is to
//! be empty in the end.

mod answers;
mod books;
mod notes;
mod strict;

use std::collections::HashMap;
use std::sync::Arc;

use chrono::{DateTime, TimeDelta, Utc};
use rust_decimal::Decimal;
use serde_json::{Value, json};
use souk::kernel::clock::{Clock as _, ManualClock};

pub(crate) use answers::problem;
pub(crate) use books::{Order, Refund};
pub(crate) use notes::{CERTIFICATE, Note, WEBHOOK_ID, crc32};

use crate::gateways::sim::{Answer, Asked, Plays};

pub(crate) const CLIENT: (&str, &str) = ("a-client", "its-secret");

/// How long an order waits for its buyer and for us.
const APPROVE_WINDOW: TimeDelta = TimeDelta::hours(6);

pub(crate) struct PayPal {
    pub(crate) orders: Vec<Order>,
    pub(crate) violations: Vec<String>,
    /// The shop's, as soon as there is a shop.
    pub(crate) clock: Option<Arc<ManualClock>>,
    /// The next capture or authorization of an order is refused with this issue.
    pub(crate) refuses: Option<&'static str>,
    /// Whether a refused order stays APPROVED, or its buyer has to agree again. The documents do not say which.
    pub(crate) keeps_approval: bool,
    /// What captures, authorizations and refunds become at first.
    pub(crate) captures_become: &'static str,
    pub(crate) authorizations_become: &'static str,
    pub(crate) refunds_become: &'static str,
    /// Whether answers are minimal although the whole was preferred.
    pub(crate) is_terse: bool,
    pub(crate) tokens: u32,
    token_is_good: bool,
    keys: HashMap<(String, String), Kept>,
    serial: u32,
}

/// What a key was used for.
struct Kept {
    body: Value,
    until: DateTime<Utc>,
    subject: Subject,
}

#[derive(Clone)]
enum Subject {
    Order(String),
    Capture(String),
    Refund(String),
    Voided,
}

impl PayPal {
    pub(crate) fn new() -> Self {
        Self {
            orders: Vec::new(),
            violations: Vec::new(),
            clock: None,
            refuses: None,
            keeps_approval: false,
            captures_become: "COMPLETED",
            authorizations_become: "CREATED",
            refunds_become: "COMPLETED",
            is_terse: false,
            tokens: 0,
            token_is_good: false,
            keys: HashMap::new(),
            serial: 0,
        }
    }

    fn now(&self) -> DateTime<Utc> {
        let start = || "2026-03-01T12:00:00Z".parse().unwrap();
        self.clock.as_ref().map_or_else(start, |clock| clock.now())
    }

    /// Seventeen letters and digits, as PayPal's ids are.
    fn id(&mut self) -> String {
        self.serial += 1;
        format!("5O190127TN36{:05}", self.serial)
    }

    /// The order that was made last.
    pub(crate) fn last(&mut self) -> &mut Order {
        self.orders.last_mut().unwrap()
    }

    /// The buyer agrees.
    pub(crate) fn approve(&mut self) {
        let order = self.last();
        assert!(
            matches!(order.status, "CREATED" | "PAYER_ACTION_REQUIRED"),
            "{order:?}"
        );
        order.status = "APPROVED";
    }

    /// What was taken of everybody, and what of it has gone back.
    pub(crate) fn in_all(&self) -> (Decimal, Decimal) {
        let taken = self.orders.iter().map(Order::taken).sum();
        (taken, self.orders.iter().map(|order| order.gone_back(None)).sum())
    }

    /// What it still holds for us.
    pub(crate) fn held(&self) -> Decimal {
        let all = self.orders.iter().flat_map(|order| &order.authorizations);
        all.map(|authorization| authorization.held).sum()
    }

    /// Somebody at the shop gives money back on PayPal's own pages. The refund has the payment's names.
    pub(crate) fn refund_by_hand(&mut self, amount: Decimal) -> Refund {
        let id = self.id();
        let order = self.last();
        let refund = Refund {
            id,
            capture: order.captures[0].id.clone(),
            status: "COMPLETED",
            amount,
            custom: order.unit()["custom_id"].clone(),
            invoice: order.unit()["invoice_id"].clone(),
        };
        order.refunds.push(refund.clone());
        order.settle();
        refund
    }

    /// The token that it gave last is good no more.
    pub(crate) fn revoke_token(&mut self) {
        self.token_is_good = false;
    }

    /// As after 45 days.
    pub(crate) fn forget_keys(&mut self) {
        self.keys.clear();
    }

    /// Keys are kept for 6 hours by Orders v2, for 45 days by Payments v2.
    fn keep(&mut self, asked: &Asked, subject: Subject) {
        let orders = asked.path.starts_with("/v2/checkout/");
        let life = if orders {
            TimeDelta::hours(6)
        } else {
            TimeDelta::days(45)
        };
        let kept = Kept {
            body: asked.json(),
            until: self.now() + life,
            subject,
        };
        let key = asked.header("paypal-request-id").to_owned();
        self.keys.insert((asked.path.clone(), key), kept);
    }

    /// The latest status of what was asked for by the same key before.
    fn kept(&self, asked: &Asked) -> Option<Result<Subject, String>> {
        let key = asked.header("paypal-request-id").to_owned();
        let kept = self.keys.get(&(asked.path.clone(), key.clone()))?;
        if self.now() >= kept.until {
            return None;
        }
        if kept.body != asked.json() {
            return Some(Err(format!("the key {key} was used for something else")));
        }
        Some(Ok(kept.subject.clone()))
    }
}

impl Plays for PayPal {
    fn answer(&mut self, asked: &Asked) -> Answer {
        match self.judge(asked) {
            Ok(answer) => answer,
            Err(violation) => {
                self.violations
                    .push(format!("{} {}: {violation}", asked.method, asked.path));
                answers::problem(400, "INVALID_REQUEST", "INVALID_PARAMETER_SYNTAX")
            }
        }
    }
}

impl PayPal {
    fn judge(&mut self, asked: &Asked) -> Result<Answer, String> {
        if asked.path == "/v1/oauth2/token" {
            return self.token(asked);
        }
        let bearer = format!("Bearer {}", self.token_now());
        if !self.token_is_good || asked.header("authorization") != bearer {
            let body =
                json!({"error": "invalid_token", "error_description": "Token signature verification failed"});
            return Ok(Answer::json(401, &body).with("paypal-debug-id", "f1b2"));
        }
        let authorization = ("authorization", bearer.as_str());
        if asked.method == "GET" {
            strict::headers(asked, &[authorization])?;
            if !asked.body.is_empty() {
                return Err("GET has no body".to_owned());
            }
            return self.look(asked);
        }
        let json = ("content-type", "application/json");
        if asked.path == "/v1/notifications/verify-webhook-signature" {
            strict::headers(asked, &[authorization, json])?;
            return notes::verify(asked);
        }
        let wanted = [
            authorization,
            json,
            ("paypal-request-id", ""),
            ("prefer", "return=representation"),
        ];
        strict::headers(asked, &wanted)?;
        strict::key(asked)?;
        if let Some(kept) = self.kept(asked) {
            let subject = kept?;
            return Ok(self.again(&subject));
        }
        self.post(asked)
    }

    fn token_now(&self) -> String {
        format!("A21AAF{}", self.tokens)
    }

    fn token(&mut self, asked: &Asked) -> Result<Answer, String> {
        use base64::Engine as _;
        let pair = base64::prelude::BASE64_STANDARD.encode(format!("{}:{}", CLIENT.0, CLIENT.1));
        let basic = format!("Basic {pair}");
        if asked.header("authorization") != basic {
            let body =
                json!({"error": "invalid_client", "error_description": "Client Authentication failed"});
            return Ok(Answer::json(401, &body));
        }
        let form = "application/x-www-form-urlencoded";
        strict::headers(asked, &[("authorization", &basic), ("content-type", form)])?;
        let expected = vec![("grant_type".to_owned(), "client_credentials".to_owned())];
        if asked.form() != expected {
            return Err(format!("the form is {:?}", asked.form()));
        }
        self.tokens += 1;
        self.token_is_good = true;
        Ok(Answer::json(
            200,
            &json!({
                "scope": "https://uri.paypal.com/services/payments/payment",
                "access_token": self.token_now(),
                "token_type": "Bearer",
                "app_id": "APP-80W284485P519543T",
                "expires_in": 32_400,
                "nonce": "2026-03-01T12:00:00Zabc",
            }),
        ))
    }

    fn find(&mut self, id: &str) -> Option<&mut Order> {
        let now = self.now();
        let order = self.orders.iter_mut().find(|order| order.id == id)?;
        let forgotten = order.status != "COMPLETED" && now >= order.made_at + APPROVE_WINDOW;
        (!forgotten).then_some(order)
    }

    /// What it shows of an order that was changed; status and body.
    fn shown(&self, status: u16, order: &Order) -> Answer {
        let shown = if self.is_terse {
            order.show_little()
        } else {
            order.show()
        };
        answers::done(status, &shown)
    }

    fn again(&mut self, subject: &Subject) -> Answer {
        let found =
            |shown: Option<Value>| shown.map_or_else(answers::not_found, |shown| answers::done(200, &shown));
        match subject {
            Subject::Order(id) => match self.find(id).cloned() {
                Some(order) => self.shown(200, &order),
                None => answers::not_found(),
            },
            Subject::Capture(id) => found(self.show_capture(id)),
            Subject::Refund(id) => found(self.show_refund(id)),
            Subject::Voided => answers::done(204, &Value::Null),
        }
    }

    fn show_capture(&self, id: &str) -> Option<Value> {
        let of = |order: &Order| {
            let capture = order.captures.iter().find(|capture| capture.id == id)?;
            Some(order.show_capture(capture))
        };
        self.orders.iter().find_map(of)
    }

    fn show_refund(&self, id: &str) -> Option<Value> {
        let of = |order: &Order| {
            let refund = order.refunds.iter().find(|refund| refund.id == id)?;
            Some(order.show_refund(refund))
        };
        self.orders.iter().find_map(of)
    }

    fn look(&mut self, asked: &Asked) -> Result<Answer, String> {
        let path: Vec<&str> = asked.path.split('/').skip(1).collect();
        let shown = match path.as_slice() {
            ["v2", "checkout", "orders", id] => self.find(id).map(|order| order.show()),
            ["v2", "payments", "captures", id] => self.show_capture(id),
            ["v2", "payments", "refunds", id] => self.show_refund(id),
            _ => return Err("there is no such address".to_owned()),
        };
        Ok(shown.map_or_else(answers::not_found, |shown| answers::done(200, &shown)))
    }
}
