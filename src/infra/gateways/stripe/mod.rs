//! STRIPE: cards and whatever else Stripe's Payment Element offers, by PaymentIntents. The buyer's browser speaks with Stripe;
//! we make the intent, take or give up what is promised, and give back.
//!
//! Rules are from docs.stripe.com/api: `payment_intents`, `refunds`, `idempotent_requests`, `errors`, and
//! docs.stripe.com/webhooks.

mod currency;
mod decline;
mod webhook;
mod wire;

use std::time::Duration;

use async_trait::async_trait;
use secrecy::{ExposeSecret as _, SecretString};
use serde::de::DeserializeOwned;
use url::Url;

use super::http::{Answer, Call, Client, Miss};
use super::{
    Capabilities, Event, Fault, Message, PaymentGateway, Reason, Refund, Return, State, Transaction,
    Unverified, growing,
};
use crate::entity::payment::PaymentFlow;
use crate::infra::secret;
use crate::kernel::config::StripeConfig;
use crate::kernel::money::{Currency, Money};
use wire::{Form, Intent, Page};

/// Answers have the fields of this version, whatever the account's own is.
const VERSION: &str = "2025-03-31.basil";

const FORM: &str = "application/x-www-form-urlencoded";

/// With it an intent says what Stripe keeps, and what has gone back.
const EXPAND: (&str, &str) = ("expand[0]", "latest_charge.balance_transaction");

/// As many as a page can have. More refunds of one payment than that are known by their keys alone.
const PAGE: &str = "100";

#[derive(Clone, Debug)]
pub struct Stripe {
    http: Client,
    base: Url,
    authorization: SecretString,
    publishable_key: SecretString,
    webhook_secrets: Vec<SecretString>,
    live: bool,
}

impl Stripe {
    /// # Errors
    /// TLS cannot be set up.
    pub fn new(config: &StripeConfig) -> anyhow::Result<Self> {
        let key = config.secret_key.expose_secret();
        let secrets = [
            Some(&config.webhook_secret),
            config.webhook_previous_secret.as_ref(),
        ];
        Ok(Self {
            http: Client::new("stripe")?,
            base: config.api_base.clone(),
            authorization: format!("Bearer {key}").into(),
            publishable_key: config.publishable_key.clone(),
            webhook_secrets: secrets.into_iter().flatten().cloned().collect(),
            live: ["sk_live_", "rk_live_"].iter().any(|mode| key.starts_with(mode)),
        })
    }

    /// `/v1/…`, of which a part may be a name that we were told.
    fn url(&self, parts: &[&str], query: &[(&str, &str)]) -> Result<Url, Fault> {
        let mut url = self.base.clone();
        url.path_segments_mut()
            .map_err(|()| Fault::Unknown("the address of the API has no path".to_owned()))?
            .pop_if_empty()
            .push("v1")
            .extend(parts);
        if !query.is_empty() {
            url.query_pairs_mut().extend_pairs(query);
        }
        Ok(url)
    }

    async fn send(&self, call: Call) -> Result<Answer, Miss> {
        let call = call
            .secret("authorization", &self.authorization)?
            .header("stripe-version", VERSION)?;
        let answer = self.http.send(&call).await?;
        if !answer.is_success() {
            wire::error(&answer).report(call.operation, answer.status);
        }
        Ok(answer)
    }

    async fn get(&self, operation: &'static str, url: Url) -> Result<Answer, Fault> {
        Ok(self.send(Call::get(operation, url)).await?)
    }

    async fn post(&self, operation: &'static str, url: Url, form: &Form, key: &str) -> Result<Answer, Miss> {
        let call = Call::post(operation, url, FORM, form.text());
        self.send(call.header("idempotency-key", key)?).await
    }

    /// Asks for something that has no effect when it is done twice, by its key. Stripe stores the first answer for a key for
    /// a day, failures too, and gives it again however things stand by then. A key with a stored failure is spent.
    async fn post_again(
        &self,
        operation: &'static str,
        url: Url,
        form: &Form,
        key: &str,
    ) -> Result<Answer, Fault> {
        let answer = self.post(operation, url.clone(), form, key).await?;
        if !is_spent(&answer) {
            return Ok(answer);
        }
        let random = secret::random().map_err(|_| Fault::Unknown("no randomness for a key".to_owned()))?;
        let fresh = format!("{key}_{}", random.expose_secret());
        Ok(self.post(operation, url, form, &fresh).await?)
    }

    async fn intent(&self, transaction: &Transaction, reference: &str) -> Result<Option<State>, Fault> {
        let url = self.url(&["payment_intents", reference], &[EXPAND])?;
        let answer = self.get("retrieve", url).await?;
        if answer.status == 404 {
            return Ok(None);
        }
        self.state(transaction, &answer).map(Some)
    }

    fn state(&self, transaction: &Transaction, answer: &Answer) -> Result<State, Fault> {
        if !answer.is_success() {
            return Err(unknown(answer));
        }
        let intent: Intent = read(answer)?;
        let publishable_key = self.publishable_key.expose_secret();
        wire::state(intent, transaction, publishable_key, self.live)
    }

    /// The answer to something that Stripe does only in some states of an intent. Where it is not in one of them, it stands
    /// otherwise than we thought, and how is what matters.
    async fn moved(
        &self,
        transaction: &Transaction,
        reference: &str,
        answer: &Answer,
    ) -> Result<State, Fault> {
        if answer.is_success() {
            return self.state(transaction, answer);
        }
        match refusal(answer) {
            Some(Refusal::WrongState) => {
                let state = self.intent(transaction, reference).await?;
                state.ok_or_else(|| Fault::Unknown("the intent is gone".to_owned()))
            }
            Some(Refusal::Final(reason)) => Err(Fault::Refused(reason)),
            Some(Refusal::OurKey) | None => Err(unknown(answer)),
        }
    }

    /// Our refund among those of its intent. A key is forgotten after a day; what was asked for longer ago is found here.
    async fn find_refund(&self, reference: &str, refund: &Refund) -> Result<Option<Return>, Fault> {
        let query = [("payment_intent", reference), ("limit", PAGE)];
        let url = self.url(&["refunds"], &query)?;
        let answer = self.get("list_refunds", url).await?;
        if !answer.is_success() {
            return Err(unknown(&answer));
        }
        let page: Page<wire::Refund> = read(&answer)?;
        let mut ours = page.data.into_iter().filter(|found| found.is(&refund.id));
        ours.next().map(wire::returned).transpose()
    }
}

fn read<T: DeserializeOwned>(answer: &Answer) -> Result<T, Fault> {
    // What it says may quote what must not be logged: only where it is wrong.
    let unreadable = |error: serde_json::Error| {
        let at = (error.line(), error.column());
        Fault::Unknown(format!("an answer that cannot be read, at {at:?}"))
    };
    serde_json::from_slice(&answer.body).map_err(unreadable)
}

/// Whether the key that was asked by will get this failure again, whatever is true by then.
fn is_spent(answer: &Answer) -> bool {
    let replayed = answer.header("idempotent-replayed") == Some("true");
    !answer.is_success() && (replayed || wire::error(answer).kind == "idempotency_error")
}

/// Why Stripe has definitely not done what it was asked.
#[derive(Debug)]
enum Refusal {
    /// An intent in this state cannot.
    WrongState,
    /// Our key is not good for it. It may be again, when somebody has seen to it.
    OurKey,
    Final(Reason),
}

/// None where it may have been done, or may be yet.
fn refusal(answer: &Answer) -> Option<Refusal> {
    let error = wire::error(answer);
    match answer.status {
        401 | 403 => Some(Refusal::OurKey),
        400 | 402 | 404 => match (error.kind.as_str(), error.code.as_deref()) {
            // Too many requests, or another one is at it.
            (_, Some("rate_limit" | "lock_timeout" | "idempotency_key_in_use")) => None,
            (
                _,
                Some(
                    "payment_intent_unexpected_state"
                    | "charge_already_captured"
                    | "charge_expired_for_capture",
                ),
            ) => Some(Refusal::WrongState),
            ("invalid_request_error" | "card_error", _) => Some(Refusal::Final(decline::reason(&error))),
            _ => None,
        },
        _ => None,
    }
}

/// For the log: what Stripe's own documents list, and nothing that was sent.
fn unknown(answer: &Answer) -> Fault {
    let error = wire::error(answer);
    let code = error.code.unwrap_or_default();
    Fault::Unknown(format!("status {} {} {code}", answer.status, error.kind))
}

fn reference(transaction: &Transaction) -> Result<&str, Fault> {
    let missing = || Fault::Unknown("Stripe has not told yet what it calls the intent".to_owned());
    transaction.reference.as_deref().ok_or_else(missing)
}

#[async_trait]
impl PaymentGateway for Stripe {
    fn display_name(&self) -> &'static str {
        "Card and more (Stripe)"
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
        currency::takes(currency)
    }

    fn unit(&self, currency: Currency) -> i64 {
        currency::unit(currency)
    }

    fn pause(&self, looks: u32) -> Option<Duration> {
        Some(growing(looks))
    }

    /// An intent that was made twice, because nobody knows of the first one, takes no money: nobody has its secret.
    async fn create(&self, key: &str, transaction: &Transaction) -> Result<State, Fault> {
        let capture_method = match transaction.flow {
            PaymentFlow::Charge => "automatic",
            PaymentFlow::Authorize => "manual",
        };
        let form = Form::default()
            .with("amount", &transaction.money.minor.to_string())
            .with("currency", &wire::currency(transaction.money.currency))
            .with("automatic_payment_methods[enabled]", "true")
            .with("capture_method", capture_method)
            .with("description", &format!("Order {}", transaction.order_number))
            .with("metadata[payment_id]", &transaction.id)
            .with("metadata[order_id]", &transaction.order);
        let url = self.url(&["payment_intents"], &[])?;
        let answer = self.post_again("create", url, &form, key).await?;
        if answer.is_success() {
            return self.state(transaction, &answer);
        }
        match refusal(&answer) {
            // The buyer need not wait until the shop has a good key again: there are other ways to pay.
            Some(Refusal::OurKey | Refusal::WrongState) => Err(Fault::Refused(decline::unavailable())),
            Some(Refusal::Final(reason)) => Err(Fault::Refused(reason)),
            None => Err(unknown(&answer)),
        }
    }

    /// Without its name an intent cannot be found at once (searching lags behind): making it by the same key tells.
    async fn retrieve(&self, transaction: &Transaction) -> Result<Option<State>, Fault> {
        match &transaction.reference {
            Some(reference) => self.intent(transaction, reference).await,
            None => Ok(None),
        }
    }

    async fn capture(&self, key: &str, transaction: &Transaction, money: Money) -> Result<State, Fault> {
        let reference = reference(transaction)?;
        let url = self.url(&["payment_intents", reference, "capture"], &[])?;
        let form = Form::default()
            .with("amount_to_capture", &money.minor.to_string())
            .with(EXPAND.0, EXPAND.1);
        let answer = self.post_again("capture", url, &form, key).await?;
        self.moved(transaction, reference, &answer).await
    }

    async fn void(&self, key: &str, transaction: &Transaction) -> Result<State, Fault> {
        let reference = reference(transaction)?;
        let url = self.url(&["payment_intents", reference, "cancel"], &[])?;
        let form = Form::default()
            .with("cancellation_reason", "requested_by_customer")
            .with(EXPAND.0, EXPAND.1);
        let answer = self.post_again("void", url, &form, key).await?;
        self.moved(transaction, reference, &answer).await
    }

    /// Unlike the others it is not asked for by another key: twice would be twice.
    async fn refund(&self, key: &str, transaction: &Transaction, refund: &Refund) -> Result<Return, Fault> {
        let reference = reference(transaction)?;
        if let Some(found) = self.find_refund(reference, refund).await? {
            return Ok(found);
        }
        let form = Form::default()
            .with("payment_intent", reference)
            .with("amount", &refund.money.minor.to_string())
            .with("metadata[refund_id]", &refund.id)
            .with("metadata[payment_id]", &transaction.id);
        let url = self.url(&["refunds"], &[])?;
        let answer = self.post("refund", url, &form, key).await?;
        if answer.is_success() {
            return wire::returned(read(&answer)?);
        }
        match refusal(&answer) {
            Some(Refusal::Final(reason)) => Err(Fault::Refused(reason)),
            Some(Refusal::WrongState) => Err(Fault::Refused(decline::not_refundable())),
            Some(Refusal::OurKey) | None => Err(unknown(&answer)),
        }
    }

    async fn retrieve_refund(&self, transaction: &Transaction, refund: &Refund) -> Result<Return, Fault> {
        let Some(name) = &refund.reference else {
            let found = self.find_refund(reference(transaction)?, refund).await?;
            return found.ok_or_else(|| Fault::Unknown("Stripe does not know the refund".to_owned()));
        };
        let url = self.url(&["refunds", name], &[])?;
        let answer = self.get("retrieve_refund", url).await?;
        if !answer.is_success() {
            return Err(unknown(&answer));
        }
        let found: wire::Refund = read(&answer)?;
        if found.names_another(&refund.id) {
            return Err(Fault::Unknown("Stripe speaks of another refund".to_owned()));
        }
        wire::returned(found)
    }

    async fn verify(&self, message: &Message) -> Result<Event, Unverified> {
        webhook::verify(&self.webhook_secrets, self.live, message)
    }
}
