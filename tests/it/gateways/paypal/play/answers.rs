//! What PayPal does when it is asked to, and the problems that it has with it.

use rust_decimal::Decimal;
use serde_json::{Value, json};

use super::books::{Authorization, Capture, Order, Refund, decimal};
use super::{PayPal, Subject, strict};
use crate::gateways::sim::{Answer, Asked};

const NO_DECIMALS: [&str; 3] = ["HUF", "JPY", "TWD"];
const SOLD_IN: [&str; 6] = ["EUR", "GBP", "HUF", "JPY", "TWD", "USD"];

pub(super) fn done(status: u16, body: &Value) -> Answer {
    let mut answer = Answer::json(status, body).with("paypal-debug-id", "a9b8c7");
    if body.is_null() {
        answer.body.clear();
    }
    answer
}

pub(crate) fn problem(status: u16, name: &str, issue: &str) -> Answer {
    with_links(status, name, issue, &[])
}

fn with_links(status: u16, name: &str, issue: &str, links: &[Value]) -> Answer {
    let mut all = vec![
        json!({"href": "https://developer.paypal.com/docs/api/orders/v2/#error", "rel": "information_link", "method": "GET"}),
    ];
    all.extend_from_slice(links);
    let body = json!({
        "name": name,
        "message": "The requested action could not be performed, semantically incorrect, or failed business validation.",
        "debug_id": "a9b8c7",
        "details": [{"issue": issue, "description": "What a developer is told of order 5O190127TN364715T."}],
        "links": all,
    });
    Answer::json(status, &body).with("paypal-debug-id", "a9b8c7")
}

pub(super) fn not_found() -> Answer {
    problem(404, "RESOURCE_NOT_FOUND", "INVALID_RESOURCE_ID")
}

fn unprocessable(issue: &str) -> Answer {
    problem(422, "UNPROCESSABLE_ENTITY", issue)
}

/// Whether money can be of its currency.
fn money_problem(money: &Value) -> Option<Answer> {
    let code = money["currency_code"].as_str().unwrap_or_default();
    let decimals = money["value"]
        .as_str()
        .and_then(|value| value.split_once('.'))
        .map_or(0, |(_, decimals)| decimals.len());
    if !SOLD_IN.contains(&code) {
        Some(unprocessable("CURRENCY_NOT_SUPPORTED"))
    } else if NO_DECIMALS.contains(&code) && decimals > 0 {
        Some(unprocessable("DECIMALS_NOT_SUPPORTED"))
    } else if decimals > 2 {
        Some(unprocessable("DECIMAL_PRECISION"))
    } else if decimal(money) <= Decimal::ZERO {
        Some(unprocessable("CANNOT_BE_ZERO_OR_NEGATIVE"))
    } else {
        None
    }
}

impl PayPal {
    pub(super) fn post(&mut self, asked: &Asked) -> Result<Answer, String> {
        let path: Vec<&str> = asked.path.split('/').skip(1).collect();
        let body = asked.json();
        match path.as_slice() {
            ["v2", "checkout", "orders"] => {
                strict::order(&body)?;
                Ok(self.create(asked, &body))
            }
            ["v2", "checkout", "orders", id, action @ ("capture" | "authorize")] => {
                strict::fields("body", &body, &[], &[])?;
                Ok(self.complete(asked, id, action))
            }
            ["v2", "payments", "authorizations", id, "capture"] => {
                let needed = ["amount", "invoice_id", "final_capture"];
                strict::fields("body", &body, &needed, &["note_to_payer", "soft_descriptor"])?;
                strict::money("amount", &body["amount"])?;
                strict::text("invoice_id", &body["invoice_id"], 127)?;
                let last = body["final_capture"].as_bool();
                let last = last.ok_or("final_capture is no boolean")?;
                Ok(self.capture(asked, id, &body["amount"], last))
            }
            ["v2", "payments", "authorizations", id, "void"] => {
                strict::fields("body", &body, &[], &[])?;
                Ok(self.void(asked, id))
            }
            ["v2", "payments", "captures", id, "refund"] => {
                let allowed = ["amount", "custom_id", "invoice_id", "note_to_payer"];
                strict::fields("body", &body, &[], &allowed)?;
                strict::money("amount", &body["amount"])?;
                for name in ["custom_id", "invoice_id"] {
                    strict::text(name, &body[name], 127)?;
                }
                Ok(self.refund(asked, id, &body))
            }
            _ => Err("there is no such address".to_owned()),
        }
    }

    fn create(&mut self, asked: &Asked, body: &Value) -> Answer {
        if let Some(problem) = money_problem(&body["purchase_units"][0]["amount"]) {
            return problem;
        }
        let order = Order {
            id: self.id(),
            request: body.clone(),
            // Because the request has a `payment_source`.
            status: "PAYER_ACTION_REQUIRED",
            made_at: self.now(),
            authorizations: Vec::new(),
            captures: Vec::new(),
            refunds: Vec::new(),
        };
        self.orders.push(order.clone());
        self.keep(asked, Subject::Order(order.id.clone()));
        self.shown(201, &order)
    }

    fn complete(&mut self, asked: &Asked, id: &str, action: &str) -> Answer {
        let (fresh, refuses, keeps) = (self.id(), self.refuses.take(), self.keeps_approval);
        let (captures, authorizations) = (self.captures_become, self.authorizations_become);
        let used = |order: &Order, id: &str| order.id != id && order.taken() > Decimal::ZERO;
        let paid: Vec<Value> = self
            .orders
            .iter()
            .filter(|order| used(order, id))
            .map(|order| order.unit()["invoice_id"].clone())
            .collect();
        let Some(order) = self.find(id) else {
            return not_found();
        };
        let intended = if order.request["intent"] == "CAPTURE" {
            "capture"
        } else {
            "authorize"
        };
        if action != intended {
            return unprocessable("ACTION_DOES_NOT_MATCH_INTENT");
        }
        match (order.status, action) {
            ("APPROVED", _) => {}
            ("COMPLETED", "capture") => return unprocessable("ORDER_ALREADY_CAPTURED"),
            ("COMPLETED", _) => return unprocessable("ORDER_ALREADY_AUTHORIZED"),
            _ => return unprocessable("ORDER_NOT_APPROVED"),
        }
        if paid.contains(&order.unit()["invoice_id"]) {
            return unprocessable("DUPLICATE_INVOICE_ID");
        }
        if let Some(issue) = refuses {
            if !keeps {
                order.status = "PAYER_ACTION_REQUIRED";
            }
            let again = json!({"href": order.page(), "rel": "redirect", "method": "GET"});
            return with_links(422, "UNPROCESSABLE_ENTITY", issue, &[again]);
        }
        order.status = "COMPLETED";
        let amount = order.amount();
        if action == "capture" {
            order.captures.push(Capture {
                id: fresh,
                status: captures,
                amount,
                last: true,
            });
        } else {
            order.authorizations.push(Authorization {
                id: fresh,
                status: authorizations,
                held: if authorizations == "DENIED" {
                    Decimal::ZERO
                } else {
                    amount
                },
            });
        }
        let order = order.clone();
        self.keep(asked, Subject::Order(order.id.clone()));
        self.shown(201, &order)
    }

    fn authorized(&mut self, id: &str) -> Option<(&mut Order, usize)> {
        self.orders.iter_mut().find_map(|order| {
            let place = order
                .authorizations
                .iter()
                .position(|authorization| authorization.id == id)?;
            Some((order, place))
        })
    }

    fn capture(&mut self, asked: &Asked, id: &str, money: &Value, last: bool) -> Answer {
        let (fresh, becomes) = (self.id(), self.captures_become);
        if let Some(problem) = money_problem(money) {
            return problem;
        }
        let Some((order, place)) = self.authorized(id) else {
            return not_found();
        };
        let (whole, amount) = (order.amount(), decimal(money));
        let authorization = &mut order.authorizations[place];
        match authorization.status {
            "CREATED" | "PARTIALLY_CAPTURED" if authorization.held > Decimal::ZERO => {}
            "VOIDED" => return unprocessable("AUTHORIZATION_VOIDED"),
            "DENIED" => return unprocessable("AUTHORIZATION_DENIED"),
            "PENDING" => return unprocessable("AUTHORIZATION_PENDING"),
            _ => return unprocessable("AUTHORIZATION_ALREADY_CAPTURED"),
        }
        if amount > authorization.held {
            return unprocessable("MAX_CAPTURE_AMOUNT_EXCEEDED");
        }
        if becomes != "DECLINED" {
            authorization.held = if last {
                Decimal::ZERO
            } else {
                authorization.held - amount
            };
            authorization.status = if amount == whole {
                "CAPTURED"
            } else {
                "PARTIALLY_CAPTURED"
            };
        }
        order.captures.push(Capture {
            id: fresh.clone(),
            status: becomes,
            amount,
            last,
        });
        self.keep(asked, Subject::Capture(fresh.clone()));
        done(201, &self.show_capture(&fresh).unwrap())
    }

    fn void(&mut self, asked: &Asked, id: &str) -> Answer {
        let Some((order, place)) = self.authorized(id) else {
            return not_found();
        };
        let authorization = &mut order.authorizations[place];
        match authorization.status {
            "VOIDED" => return unprocessable("PREVIOUSLY_VOIDED"),
            "CAPTURED" => return unprocessable("PREVIOUSLY_CAPTURED"),
            "PENDING" => return unprocessable("AUTHORIZATION_PENDING"),
            _ => {}
        }
        authorization.status = "VOIDED";
        authorization.held = Decimal::ZERO;
        self.keep(asked, Subject::Voided);
        done(204, &Value::Null)
    }

    fn refund(&mut self, asked: &Asked, id: &str, body: &Value) -> Answer {
        let (fresh, becomes) = (self.id(), self.refunds_become);
        if let Some(problem) = money_problem(&body["amount"]) {
            return problem;
        }
        let found = self
            .orders
            .iter_mut()
            .find(|order| order.captures.iter().any(|capture| capture.id == id));
        let Some(order) = found else { return not_found() };
        let capture = order
            .captures
            .iter()
            .find(|capture| capture.id == id)
            .unwrap()
            .clone();
        let left = capture.amount - order.gone_back(Some(id));
        let amount = decimal(&body["amount"]);
        if !capture.is_taken() {
            return unprocessable("REFUND_NOT_ALLOWED");
        }
        if left == Decimal::ZERO {
            return unprocessable("CAPTURE_FULLY_REFUNDED");
        }
        if amount > left {
            return unprocessable("REFUND_AMOUNT_EXCEEDED");
        }
        order.refunds.push(Refund {
            id: fresh.clone(),
            capture: id.to_owned(),
            status: becomes,
            amount,
            custom: body["custom_id"].clone(),
            invoice: body["invoice_id"].clone(),
        });
        order.settle();
        self.keep(asked, Subject::Refund(fresh.clone()));
        done(201, &self.show_refund(&fresh).unwrap())
    }
}
