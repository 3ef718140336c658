//! Stripe, as far as shops see it: written from its documents and not from our client. It takes no request that lacks what
//! the documents demand, or has what they do not know; each such request is a complaint, and a test that ends with one fails.
//!
//! Idempotency as docs.stripe.com/api/idempotent_requests has it: what was answered to a key is answered again, failures
//! too, unless the request was not begun (a bad parameter, a bad key).

use std::collections::{BTreeMap, HashMap};

use serde_json::{Value, json};

use super::objects::{Charge, Intent, Refund, returned};
use crate::gateways::sim::{Answer, Asked, Plays};

pub(crate) const KEY: &str = "sk_test_51SimulatedSecret";
pub(crate) const VERSION: &str = "2025-03-31.basil";

#[derive(Debug, Default)]
pub(crate) struct Stripe {
    pub(crate) intents: BTreeMap<String, Intent>,
    pub(crate) refunds: Vec<Refund>,
    /// What was wrong with requests.
    pub(crate) complaints: Vec<String>,
    /// What the next refunds are at first: `succeeded` unless it is said.
    pub(crate) refund_status: Option<&'static str>,
    /// Whether what is captured is booked later only.
    pub(crate) books_late: bool,
    /// The next POST to an address that contains this is answered with 500, which is stored; before or after it is done.
    breaks: Option<(&'static str, Breaks)>,
    keys: HashMap<String, Stored>,
    count: usize,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Breaks {
    Before,
    After,
}

#[derive(Debug)]
struct Stored {
    path: String,
    form: Vec<(String, String)>,
    answer: Answer,
}

type Form = Vec<(String, String)>;

/// An error as Stripe writes it.
pub(crate) fn error(status: u16, kind: &str, code: Option<&str>, message: &str) -> Answer {
    let mut error = json!({"type": kind, "message": message, "request_log_url": "https://dashboard.stripe.com/logs/req_1"});
    if let Some(code) = code {
        error["code"] = json!(code);
        error["doc_url"] = json!(format!("https://stripe.com/docs/error-codes/{code}"));
    }
    Answer::json(status, &json!({"error": error}))
}

fn missing(what: &str, id: &str) -> Answer {
    let message = format!("No such {what}: '{id}'");
    error(404, "invalid_request_error", Some("resource_missing"), &message)
}

fn wrong_state(what: &str, intent: &Intent) -> Answer {
    let message = format!(
        "This PaymentIntent could not be {what} because it has a status of {}.",
        intent.status
    );
    error(
        400,
        "invalid_request_error",
        Some("payment_intent_unexpected_state"),
        &message,
    )
}

/// What a bad parameter is answered: the request is not begun, and nothing stored.
struct Bad(Answer);

impl Plays for Stripe {
    fn answer(&mut self, asked: &Asked) -> Answer {
        self.count += 1;
        let request = format!("req_{}", self.count);
        let answer = self.checked(asked);
        answer.with("request-id", request).with("stripe-version", VERSION)
    }
}

impl Stripe {
    fn complain(&mut self, asked: &Asked, what: impl Into<String>) -> Answer {
        let what = what.into();
        self.complaints
            .push(format!("{} {}: {what}", asked.method, asked.path));
        error(400, "invalid_request_error", None, &what)
    }

    fn checked(&mut self, asked: &Asked) -> Answer {
        if asked.header("authorization") != format!("Bearer {KEY}") {
            return error(
                401,
                "invalid_request_error",
                None,
                "Invalid API Key provided: sk_test_***",
            );
        }
        if asked.header("stripe-version") != VERSION {
            return self.complain(asked, "a version that nobody has pinned");
        }
        match asked.method.as_str() {
            "GET" if !asked.body.is_empty() => self.complain(asked, "GET has no body"),
            "GET" => self.get(asked),
            "POST" if asked.header("content-type") != "application/x-www-form-urlencoded" => {
                self.complain(asked, "bodies are forms")
            }
            "POST" => self.post(asked),
            _ => self.complain(asked, "no such method"),
        }
    }

    fn get(&mut self, asked: &Asked) -> Answer {
        let url = url::Url::parse(&format!("http://stripe{}", asked.path)).unwrap();
        let query: Form = url.query_pairs().into_owned().collect();
        let path: Vec<&str> = url.path_segments().unwrap().collect();
        let of = |name: &str| {
            let found = query.iter().find(|(own, _)| own == name);
            found.map(|(_, value)| value.clone())
        };
        let allowed: &[&str] = match path[..] {
            ["v1", "payment_intents", _] => &["expand"],
            ["v1", "refunds"] => &["payment_intent", "charge", "limit", "expand"],
            ["v1", "refunds", _] => &["expand"],
            _ => return self.complain(asked, "Unrecognized request URL"),
        };
        if let Some(unknown) = unknown(&query, allowed) {
            return self.complain(asked, format!("Received unknown parameter: {unknown}"));
        }
        match path[..] {
            ["v1", "payment_intents", id] => match self.intents.get(id) {
                Some(intent) => Answer::json(200, &intent.json(&self.refunds, &expand(&query))),
                None => missing("payment_intent", id),
            },
            ["v1", "refunds", id] => match self.refunds.iter().find(|refund| refund.id == id) {
                Some(refund) => Answer::json(200, &refund.json()),
                None => missing("refund", id),
            },
            _ => {
                let intent = of("payment_intent").unwrap_or_default();
                let limit: usize = of("limit").map_or(10, |limit| limit.parse().unwrap());
                let mut data = self
                    .refunds
                    .iter()
                    .rev()
                    .filter(|refund| refund.intent == intent)
                    .map(Refund::json);
                let page: Vec<Value> = data.by_ref().take(limit).collect();
                Answer::json(
                    200,
                    &json!({"object": "list", "url": "/v1/refunds", "has_more": data.next().is_some(), "data": page}),
                )
            }
        }
    }

    fn post(&mut self, asked: &Asked) -> Answer {
        let key = asked.header("idempotency-key").to_owned();
        if key.is_empty() || key.len() > 255 {
            return self.complain(asked, "a POST without an Idempotency-Key may be done twice");
        }
        let form = asked.form();
        if let Some(stored) = self.keys.get(&key) {
            if stored.path != asked.path || stored.form != form {
                let message = "Keys for idempotent requests can only be used with the same parameters they were first used with.";
                return error(400, "idempotency_error", None, message);
            }
            return stored.answer.clone().with("idempotent-replayed", "true");
        }
        let broken = self
            .breaks
            .take_if(|(at, _)| asked.path.contains(*at))
            .map(|(_, breaks)| breaks);
        let before = (self.intents.clone(), self.refunds.clone());
        let mut answer = match self.done(asked, &form) {
            Err(Bad(answer)) => return answer,
            Ok(answer) => answer,
        };
        if broken == Some(Breaks::Before) {
            (self.intents, self.refunds) = before;
        }
        if broken.is_some() {
            answer = error(500, "api_error", None, "An unknown error occurred");
        }
        let stored = Stored {
            path: asked.path.clone(),
            form,
            answer: answer.clone(),
        };
        self.keys.insert(key, stored);
        answer
    }

    fn done(&mut self, asked: &Asked, form: &Form) -> Result<Answer, Bad> {
        let path: Vec<&str> = asked.path.trim_start_matches('/').split('/').collect();
        let (required, allowed): (&[&str], &[&str]) = match path[..] {
            ["v1", "payment_intents"] => (
                &["amount", "currency"],
                &[
                    "amount",
                    "currency",
                    "automatic_payment_methods[enabled]",
                    "capture_method",
                    "description",
                    "metadata",
                    "expand",
                ],
            ),
            ["v1", "payment_intents", _, "capture"] => (&[], &["amount_to_capture", "metadata", "expand"]),
            ["v1", "payment_intents", _, "cancel"] => (&[], &["cancellation_reason", "expand"]),
            ["v1", "refunds"] => (
                &["payment_intent"],
                &["payment_intent", "amount", "reason", "metadata", "expand"],
            ),
            _ => return Err(Bad(self.complain(asked, "Unrecognized request URL"))),
        };
        if let Some(unknown) = unknown(form, allowed) {
            return Err(Bad(
                self.complain(asked, format!("Received unknown parameter: {unknown}"))
            ));
        }
        if let Some(missing) = required.iter().find(|name| value(form, name).is_none()) {
            return Err(Bad(
                self.complain(asked, format!("Missing required param: {missing}."))
            ));
        }
        match path[..] {
            ["v1", "payment_intents"] => self.create(asked, form),
            ["v1", "payment_intents", id, "capture"] => self.capture(id, form),
            ["v1", "payment_intents", id, "cancel"] => self.cancel(asked, id, form),
            _ => self.refund(form),
        }
    }
    fn create(&mut self, asked: &Asked, form: &Form) -> Result<Answer, Bad> {
        let amount = self.amount(asked, value(form, "amount"))?;
        let currency = value(form, "currency").unwrap_or_default();
        if currency.len() != 3 || currency.bytes().any(|byte| !byte.is_ascii_lowercase()) {
            return Err(Bad(
                self.complain(asked, "Invalid currency: three letters in lower case")
            ));
        }
        if amount < 50 {
            let message = "Amount must be at least $0.50 usd";
            return Err(Bad(error(
                400,
                "invalid_request_error",
                Some("amount_too_small"),
                message,
            )));
        }
        let three = ["bhd", "jod", "kwd", "omr", "tnd"].contains(&currency);
        if three && amount % 10 != 0 {
            return Err(Bad(
                self.complain(asked, "the last digit of three decimals must be 0")
            ));
        }
        let capture_method = value(form, "capture_method").unwrap_or("automatic_async");
        if !["automatic", "automatic_async", "manual"].contains(&capture_method) {
            return Err(Bad(self.complain(asked, "Invalid capture_method")));
        }
        if value(form, "automatic_payment_methods[enabled]").is_some_and(|enabled| enabled != "true") {
            return Err(Bad(self.complain(asked, "Invalid boolean")));
        }
        self.count += 1;
        let id = format!("pi_3Sim{:06}", self.count);
        let intent = Intent {
            id: id.clone(),
            amount,
            currency: currency.to_owned(),
            status: "requires_payment_method".to_owned(),
            capture_method: capture_method.to_owned(),
            description: value(form, "description").map(str::to_owned),
            metadata: metadata(form),
            livemode: false,
            created: 1_772_366_400,
            charge: None,
            error: Value::Null,
            cancellation_reason: None,
        };
        let answer = Answer::json(200, &intent.json(&self.refunds, &expand(form)));
        self.intents.insert(id, intent);
        Ok(answer)
    }

    fn capture(&mut self, id: &str, form: &Form) -> Result<Answer, Bad> {
        let Some(intent) = self.intents.get_mut(id) else {
            return Err(Bad(missing("payment_intent", id)));
        };
        if intent.status != "requires_capture" {
            return Ok(wrong_state("captured", intent));
        }
        let amount = value(form, "amount_to_capture").map_or(intent.amount, |amount| amount.parse().unwrap());
        if !(1..=intent.amount).contains(&amount) {
            let message = "The amount could not be captured because it is greater than what was authorized.";
            return Err(Bad(error(
                400,
                "invalid_request_error",
                Some("amount_too_large"),
                message,
            )));
        }
        let whole = intent.amount;
        let charge = intent.charge.as_mut().unwrap();
        charge.captured = amount;
        charge.released = whole - amount;
        charge.booked = !self.books_late;
        intent.status = "succeeded".to_owned();
        Ok(Answer::json(200, &intent.json(&self.refunds, &expand(form))))
    }

    fn cancel(&mut self, asked: &Asked, id: &str, form: &Form) -> Result<Answer, Bad> {
        let reason = value(form, "cancellation_reason");
        let known = ["duplicate", "fraudulent", "requested_by_customer", "abandoned"];
        if reason.is_some_and(|reason| !known.contains(&reason)) {
            return Err(Bad(self.complain(asked, "Invalid cancellation_reason")));
        }
        let Some(intent) = self.intents.get_mut(id) else {
            return Err(Bad(missing("payment_intent", id)));
        };
        if ["succeeded", "canceled", "processing"].contains(&intent.status.as_str()) {
            return Ok(wrong_state("canceled", intent));
        }
        intent.cancel(reason);
        Ok(Answer::json(200, &intent.json(&self.refunds, &expand(form))))
    }

    fn refund(&mut self, form: &Form) -> Result<Answer, Bad> {
        let id = value(form, "payment_intent").unwrap_or_default();
        let Some(intent) = self.intents.get(id) else {
            return Err(Bad(missing("payment_intent", id)));
        };
        let refused = |code, message: &str| Ok(error(400, "invalid_request_error", code, message));
        let Some(charge) = intent.charge.as_ref().filter(|charge| charge.captured > 0) else {
            let message = format!("This PaymentIntent ({id}) does not have a successful charge to refund.");
            return refused(None, &message);
        };
        let left = charge.captured - returned(id, &self.refunds);
        let amount = value(form, "amount").map_or(left, |amount| amount.parse().unwrap());
        if left == 0 {
            return refused(
                Some("charge_already_refunded"),
                &format!("Charge {} has already been refunded.", charge.id),
            );
        }
        if !(1..=left).contains(&amount) {
            let message =
                format!("Refund amount (${amount}) is greater than unrefunded amount on charge (${left})");
            return refused(None, &message);
        }
        self.count += 1;
        let refund = Refund {
            id: format!("re_3Sim{:06}", self.count),
            intent: id.to_owned(),
            charge: charge.id.clone(),
            amount,
            currency: intent.currency.clone(),
            status: self.refund_status.unwrap_or("succeeded").to_owned(),
            failure_reason: None,
            metadata: metadata(form),
            created: 1_772_366_400,
        };
        let answer = Answer::json(200, &refund.json());
        self.refunds.push(refund);
        Ok(answer)
    }

    fn amount(&mut self, asked: &Asked, text: Option<&str>) -> Result<i64, Bad> {
        let parsed = text.and_then(|text| text.parse().ok());
        parsed.ok_or_else(|| Bad(self.complain(asked, "Invalid integer")))
    }

    /// The next POST to an address that contains this is answered with 500, for as long as its key is kept.
    pub(crate) fn break_next(&mut self, at: &'static str, breaks: Breaks) {
        self.breaks = Some((at, breaks));
    }

    /// What happens to keys after a day.
    pub(crate) fn forget_keys(&mut self) {
        self.keys.clear();
    }
}

impl Intent {
    /// Gives up what is promised, if anything is: that is a refund, for Stripe.
    pub(crate) fn cancel(&mut self, reason: Option<&str>) {
        let amount = self.amount;
        if let Some(charge) = &mut self.charge {
            charge.released = amount;
        }
        self.status = "canceled".to_owned();
        self.cancellation_reason = reason.map(str::to_owned);
    }

    /// The buyer's bank agrees.
    pub(crate) fn succeed(&mut self, booked: bool) {
        let is_promise = self.capture_method == "manual";
        self.charge = Some(Charge {
            id: format!("ch_{}", &self.id[3..]),
            captured: if is_promise { 0 } else { self.amount },
            released: 0,
            booked,
        });
        self.error = Value::Null;
        self.status = if is_promise {
            "requires_capture"
        } else {
            "succeeded"
        }
        .to_owned();
    }
}

fn value<'a>(form: &'a Form, name: &str) -> Option<&'a str> {
    form.iter()
        .find(|(own, _)| own == name)
        .map(|(_, value)| value.as_str())
}

/// The first name that is not allowed. `metadata` and `expand` stand for whatever is in them.
fn unknown<'a>(form: &'a Form, allowed: &[&str]) -> Option<&'a str> {
    let is_allowed = |name: &str| {
        let inner = ["metadata", "expand"];
        let outer = name.split('[').next().unwrap_or_default();
        allowed.contains(&name) || inner.contains(&outer) && allowed.contains(&outer) && name.ends_with(']')
    };
    form.iter()
        .map(|(name, _)| name.as_str())
        .find(|name| !is_allowed(name))
}

fn expand(form: &Form) -> Vec<String> {
    let paths = form.iter().filter(|(name, _)| name.starts_with("expand["));
    paths.map(|(_, path)| path.clone()).collect()
}

fn metadata(form: &Form) -> BTreeMap<String, String> {
    let inner = |name: &str| Some(name.strip_prefix("metadata[")?.strip_suffix(']')?.to_owned());
    form.iter()
        .filter_map(|(name, value)| Some((inner(name)?, value.clone())))
        .collect()
}
