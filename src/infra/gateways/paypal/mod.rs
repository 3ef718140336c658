//! PAYPAL: Orders v2. The buyer approves an order on PayPal's pages; nothing is taken before we capture or authorize it, and
//! nobody else can.

mod api;
pub mod certificate;
mod state;
mod turns;
mod webhook;
mod wire;

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use chrono::TimeDelta;
use serde_json::json;

use self::api::{Api, No, read};
use self::certificate::Certificates;
use self::webhook::Verifier;
use self::wire::{Capture, Order, Problem, Refunded, page};
use super::http::Client;
use super::oauth::Tokens;
use super::{
    Action, Capabilities, Event, Fault, Message, PaymentGateway, Refund, Return, Stage, State, Transaction,
    Unverified, growing,
};
use crate::entity::payment::PaymentFlow;
use crate::kernel::clock::Clock;
use crate::kernel::config::PaypalConfig;
use crate::kernel::money::{Currency, Money};

/// PayPal forgets orders that are not approved and captured within "6 hours by default"; some are gone after 3 \[bg\]. One that
/// is not found earlier than this has not come to all of PayPal's machines yet, or we ask the wrong PayPal.
const FORGETS_AFTER: TimeDelta = TimeDelta::hours(3);

#[derive(Debug)]
pub struct Paypal {
    api: Api,
    verifier: Verifier,
    clock: Arc<dyn Clock>,
}

/// An order as PayPal has it, and what that means.
struct Found {
    order: Order,
    state: State,
}

impl Found {
    fn authorization(&self) -> Option<&str> {
        let unit = self.order.purchase_units.first()?;
        Some(&state::authorization(&unit.payments)?.id)
    }
}

impl Paypal {
    /// # Errors
    /// TLS cannot be set up.
    pub fn new(config: &PaypalConfig, clock: &Arc<dyn Clock>) -> anyhow::Result<Self> {
        let client = Client::new("paypal")?;
        let certificates = config
            .by_certificate
            .then(|| Certificates::new(Box::new(client.clone()), webpki_roots::TLS_SERVER_ROOTS.to_vec()));
        Ok(Self::with(client, config, clock, certificates))
    }

    /// One that verifies webhooks by these certificates.
    ///
    /// # Errors
    /// TLS cannot be set up.
    pub fn with_certificates(
        config: &PaypalConfig,
        clock: &Arc<dyn Clock>,
        certificates: Certificates,
    ) -> anyhow::Result<Self> {
        Ok(Self::with(
            Client::new("paypal")?,
            config,
            clock,
            Some(certificates),
        ))
    }

    fn with(
        client: Client,
        config: &PaypalConfig,
        clock: &Arc<dyn Clock>,
        certificates: Option<Certificates>,
    ) -> Self {
        Self {
            api: Api::new(
                client,
                Tokens::new(Arc::clone(clock)),
                config.api_base.clone(),
                &config.client_id,
                &config.client_secret,
            ),
            verifier: Verifier::new(config.webhook_id.clone(), certificates),
            clock: Arc::clone(clock),
        }
    }

    /// An order's answer to what was asked of it. Where it does not say enough, PayPal is asked for the whole of it.
    async fn understood(&self, body: &[u8], transaction: &Transaction) -> Result<State, Fault> {
        let order: Order = read(body)?;
        match state::of(&order, transaction) {
            Some(state) => Ok(state),
            None => self.look(transaction, &order.id).await,
        }
    }

    async fn look(&self, transaction: &Transaction, reference: &str) -> Result<State, Fault> {
        match self.find(transaction, reference).await? {
            Some(found) => Ok(found.state),
            None => self.forgotten(transaction, reference),
        }
    }

    /// None when PayPal does not know it.
    async fn find(&self, transaction: &Transaction, reference: &str) -> Result<Option<Found>, Fault> {
        let order: Order = match self.api.get("retrieve", &order_path(reference, None)).await {
            Ok(order) => order,
            Err(No::Definite(problem)) if problem.status == 404 => return Ok(None),
            Err(no) => return Err(open(no)),
        };
        let state = state::of(&order, transaction).ok_or_else(|| {
            let why = "PayPal tells too little of an order";
            Fault::Unknown(why.to_owned())
        })?;
        Ok(Some(Found { order, state }))
    }

    fn forgotten(&self, transaction: &Transaction, reference: &str) -> Result<State, Fault> {
        let young = self.clock.now() < transaction.begun_at + FORGETS_AFTER;
        if young || transaction.receipt.is_some() {
            let why = "PayPal does not find an order that it must know";
            return Err(Fault::Unknown(why.to_owned()));
        }
        Ok(State {
            reference: Some(reference.to_owned()),
            ..State::new(transaction.money, Stage::Expired)
        })
    }

    /// What it means that an order was not captured or authorized.
    async fn not_completed(
        &self,
        transaction: &Transaction,
        reference: &str,
        problem: &Problem,
    ) -> Result<State, Fault> {
        let Some(Found { order, mut state }) = self.find(transaction, reference).await? else {
            return self.forgotten(transaction, reference);
        };
        match state.stage {
            Stage::Ready | Stage::RequiresAction(_) => {}
            // It is done already (ORDER_ALREADY_CAPTURED), or over.
            _ => return Ok(state),
        }
        let again = page(&problem.links).or_else(|| page(&order.links));
        match (problem.issue(), again) {
            ("INSTRUMENT_DECLINED" | "CARD_EXPIRED" | "REDIRECT_PAYER_FOR_ALTERNATE_FUNDING", Some(url)) => {
                state.declined = Some(problem.reason());
                state.stage = Stage::RequiresAction(Action::Redirect { url });
                Ok(state)
            }
            ("PAYER_ACTION_REQUIRED", Some(url)) => {
                state.stage = Stage::RequiresAction(Action::Redirect { url });
                Ok(state)
            }
            ("ORDER_NOT_APPROVED", _) if state.stage != Stage::Ready => Ok(state),
            (
                "ORDER_NOT_APPROVED"
                | "ORDER_ALREADY_CAPTURED"
                | "ORDER_ALREADY_AUTHORIZED"
                | "ORDER_ALREADY_COMPLETED",
                _,
            ) => {
                let why = "PayPal says of an order that it is approved, and that it is not";
                Err(Fault::Unknown(why.to_owned()))
            }
            _ if problem.status == 404 => {
                let why = "PayPal finds an order, and does not find it";
                Err(Fault::Unknown(why.to_owned()))
            }
            // It would be refused each time. Nothing is taken, and nobody but us can.
            _ => {
                state.stage = Stage::Declined(problem.reason());
                Ok(state)
            }
        }
    }

    /// Our refund among those of the order: it has our name for it as its invoice.
    async fn find_refund(&self, transaction: &Transaction, refund: &Refund) -> Result<Option<Return>, Fault> {
        let Some(reference) = &transaction.reference else {
            return Ok(None);
        };
        let Some(found) = self.find(transaction, reference).await? else {
            return Ok(None);
        };
        let refunds = found.order.purchase_units.iter();
        let ours = refunds
            .flat_map(|unit| &unit.payments.refunds)
            .find(|own| own.invoice_id.as_ref() == Some(&refund.id));
        ours.map(|ours| state::of_refund(ours, transaction)).transpose()
    }

    /// What PayPal calls the money that is to go back.
    async fn receipt(&self, transaction: &Transaction) -> Result<String, Fault> {
        if let Some(receipt) = &transaction.receipt {
            return Ok(receipt.clone());
        }
        let found = match &transaction.reference {
            Some(reference) => self.find(transaction, reference).await?,
            None => None,
        };
        let receipt = found.and_then(|found| found.state.receipt);
        receipt.ok_or_else(|| {
            let why = "PayPal shows nothing that was taken";
            Fault::Unknown(why.to_owned())
        })
    }
}

fn order_path<'a>(reference: &'a str, action: Option<&'a str>) -> Vec<&'a str> {
    let path = ["v2", "checkout", "orders", reference];
    path.into_iter().chain(action).collect()
}

fn payments_path<'a>(kind: &'a str, id: &'a str, action: Option<&'a str>) -> Vec<&'a str> {
    let path = ["v2", "payments", kind, id];
    path.into_iter().chain(action).collect()
}

/// To look for something and be refused says nothing about it.
fn open(no: No) -> Fault {
    match no {
        No::Unknown(why) => Fault::Unknown(why),
        No::Definite(problem) => Fault::Unknown(format!("PayPal does not tell: {}", problem.issue())),
    }
}

fn unnamed() -> Fault {
    Fault::Unknown("PayPal has not said what it calls this payment".to_owned())
}

#[async_trait]
impl PaymentGateway for Paypal {
    fn display_name(&self) -> &'static str {
        "PayPal"
    }

    fn capabilities(&self) -> Capabilities {
        Capabilities {
            flows: &[PaymentFlow::Charge, PaymentFlow::Authorize],
            partial_capture: true,
            refunds: true,
            revocable: true,
            fees: true,
        }
    }

    fn takes(&self, currency: Currency) -> bool {
        wire::takes(currency)
    }

    fn unit(&self, currency: Currency) -> i64 {
        wire::unit(currency)
    }

    fn pause(&self, looks: u32) -> Option<Duration> {
        Some(growing(looks))
    }

    async fn create(&self, key: &str, transaction: &Transaction) -> Result<State, Fault> {
        let body = wire::order(transaction)?;
        let path = ["v2", "checkout", "orders"];
        let order = self.api.post("create", &path, key, &body).await?;
        self.understood(&order, transaction).await
    }

    /// An order whose answer was lost cannot be found, for nobody knows its name: it is made again by its key. Nobody was sent
    /// to the lost one.
    async fn retrieve(&self, transaction: &Transaction) -> Result<Option<State>, Fault> {
        match &transaction.reference {
            Some(reference) => self.look(transaction, reference).await.map(Some),
            None => Ok(None),
        }
    }

    async fn complete(&self, key: &str, transaction: &Transaction) -> Result<State, Fault> {
        let reference = transaction.reference.as_ref().ok_or_else(unnamed)?;
        let action = match transaction.flow {
            PaymentFlow::Charge => "capture",
            PaymentFlow::Authorize => "authorize",
        };
        let path = order_path(reference, Some(action));
        match self.api.post("complete", &path, key, &json!({})).await {
            Ok(order) => self.understood(&order, transaction).await,
            Err(No::Definite(problem)) => self.not_completed(transaction, reference, &problem).await,
            Err(no) => Err(no.into()),
        }
    }

    async fn capture(&self, key: &str, transaction: &Transaction, money: Money) -> Result<State, Fault> {
        let reference = transaction.reference.as_ref().ok_or_else(unnamed)?;
        let missing = || Fault::Unknown("PayPal does not find the order of a promise".to_owned());
        let found = self.find(transaction, reference).await?.ok_or_else(missing)?;
        let authorization = match (&found.state.stage, found.authorization()) {
            (Stage::Authorized, Some(authorization)) => authorization,
            _ => return Ok(found.state),
        };
        let body = wire::capture(transaction, money)?;
        let path = payments_path("authorizations", authorization, Some("capture"));
        let capture: Capture = match self.api.post("capture", &path, key, &body).await {
            Ok(body) => read(&body)?,
            Err(No::Definite(problem)) => {
                let found = self.find(transaction, reference).await?.ok_or_else(missing)?;
                return match found.state.stage {
                    Stage::Authorized => Err(Fault::Refused(problem.reason())),
                    _ => Ok(found.state),
                };
            }
            Err(no) => return Err(no.into()),
        };
        let captured = capture.amount.money().ok_or_else(|| {
            let why = "PayPal does not say how much it took";
            Fault::Unknown(why.to_owned())
        })?;
        match capture.status.as_str() {
            "COMPLETED" | "PARTIALLY_REFUNDED" | "REFUNDED" => Ok(State {
                stage: Stage::Captured(captured),
                fee: capture
                    .seller_receivable_breakdown
                    .as_ref()
                    .and_then(wire::Breakdown::fee),
                receipt: Some(capture.id),
                ..found.state
            }),
            "DECLINED" | "FAILED" => Err(Fault::Refused(state::declined())),
            _ => Ok(State {
                stage: Stage::Processing,
                ..found.state
            }),
        }
    }

    /// Orders v2 has no way to give up an order. One that was not captured is given up by never capturing it, which nobody else
    /// can; what its buyer has approved goes back by itself. An authorization is voided.
    async fn void(&self, key: &str, transaction: &Transaction) -> Result<State, Fault> {
        let Some(reference) = &transaction.reference else {
            return Ok(State::new(transaction.money, Stage::Voided));
        };
        let Some(found) = self.find(transaction, reference).await? else {
            return self.forgotten(transaction, reference);
        };
        let voided = |state: State| State {
            stage: Stage::Voided,
            ..state
        };
        let authorization = match (&found.state.stage, found.authorization()) {
            _ if found.state.doubt.is_some() => return Ok(found.state),
            (Stage::RequiresAction(_) | Stage::Ready, _) => return Ok(voided(found.state)),
            (Stage::Authorized, Some(authorization)) => authorization,
            _ => return Ok(found.state),
        };
        let path = payments_path("authorizations", authorization, Some("void"));
        match self.api.post("void", &path, key, &json!({})).await {
            // 204 without a body, or 200 with the authorization.
            Ok(_) => Ok(voided(found.state)),
            Err(No::Definite(problem)) => {
                let state = self.look(transaction, reference).await?;
                match state.stage {
                    Stage::Authorized => Err(Fault::Refused(problem.reason())),
                    _ => Ok(state),
                }
            }
            Err(no) => Err(no.into()),
        }
    }

    async fn refund(&self, key: &str, transaction: &Transaction, refund: &Refund) -> Result<Return, Fault> {
        let body = wire::refund(transaction, refund)?;
        let receipt = self.receipt(transaction).await?;
        let path = payments_path("captures", &receipt, Some("refund"));
        match self.api.post("refund", &path, key, &body).await {
            Ok(body) => state::of_refund(&read(&body)?, transaction),
            // It may be refused because an earlier try has gone through, whose key is forgotten by now.
            Err(No::Definite(problem)) => match self.find_refund(transaction, refund).await? {
                Some(done) => Ok(done),
                None => Err(Fault::Refused(problem.reason())),
            },
            Err(no) => Err(no.into()),
        }
    }

    async fn retrieve_refund(&self, transaction: &Transaction, refund: &Refund) -> Result<Return, Fault> {
        let Some(reference) = &refund.reference else {
            let found = self.find_refund(transaction, refund).await?;
            return found.ok_or_else(|| {
                let why = "PayPal shows no such refund";
                Fault::Unknown(why.to_owned())
            });
        };
        let path = payments_path("refunds", reference, None);
        let told: Refunded = self.api.get("retrieve_refund", &path).await.map_err(open)?;
        state::of_refund(&told, transaction)
    }

    async fn verify(&self, message: &Message) -> Result<Event, Unverified> {
        self.verifier.verify(&self.api, message).await
    }
}
