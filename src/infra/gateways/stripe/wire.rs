//! What Stripe is sent and what it answers. Fields that are not here are ignored, and words that Stripe adds one day say
//! nothing wrong.

use std::collections::HashMap;

use secrecy::{ExposeSecret as _, SecretString};
use serde::Deserialize;
use url::form_urlencoded;

use super::{currency, decline};
use crate::infra::gateways::http::Answer;
use crate::infra::gateways::word::word;
use crate::infra::gateways::{Action, Fault, Return, ReturnStage, Stage, State, Transaction};
use crate::kernel::money::{Currency, Money};

/// The body of a POST.
#[derive(Debug, Default)]
pub(super) struct Form(Vec<(&'static str, String)>);

impl Form {
    pub(super) fn with(mut self, name: &'static str, value: &str) -> Self {
        self.0.push((name, value.to_owned()));
        self
    }

    pub(super) fn text(&self) -> String {
        form_urlencoded::Serializer::new(String::new())
            .extend_pairs(&self.0)
            .finish()
    }
}

/// Stripe writes currencies in lower case.
pub(super) fn currency(currency: Currency) -> String {
    currency.code().to_ascii_lowercase()
}

fn money(minor: i64, currency: &str) -> Result<Money, Fault> {
    let parsed = currency.to_ascii_uppercase().parse();
    let currency = parsed.map_err(|_| Fault::Unknown("an amount without a currency".to_owned()))?;
    Ok(Money::new(minor, currency))
}

/// Something of which Stripe gives the name alone, unless it is asked for more.
#[derive(Debug, Deserialize)]
#[serde(untagged)]
pub(super) enum Named<T> {
    Name(String),
    All(T),
}

/// What an object is called, whatever else there is of it.
#[derive(Debug, Deserialize)]
pub(super) struct Name {
    id: String,
}

impl Named<Name> {
    pub(super) fn into_name(self) -> String {
        match self {
            Self::Name(name) => name,
            Self::All(object) => object.id,
        }
    }
}

pub(super) type Metadata = HashMap<String, String>;

#[derive(Debug, Deserialize)]
pub(super) struct Intent {
    id: String,
    amount: i64,
    currency: String,
    status: String,
    amount_received: Option<i64>,
    amount_capturable: Option<i64>,
    client_secret: Option<SecretString>,
    latest_charge: Option<Named<Charge>>,
    last_payment_error: Option<Error>,
    metadata: Option<Metadata>,
    livemode: bool,
    cancellation_reason: Option<String>,
}

#[derive(Debug, Deserialize)]
struct Charge {
    id: String,
    amount_captured: Option<i64>,
    amount_refunded: Option<i64>,
    balance_transaction: Option<Named<BalanceTransaction>>,
}

#[derive(Debug, Deserialize)]
struct BalanceTransaction {
    fee: i64,
    currency: String,
}

/// Why Stripe or a buyer's bank says no.
#[derive(Debug, Default, Deserialize)]
pub(super) struct Error {
    #[serde(rename = "type", default)]
    pub(super) kind: String,
    pub(super) code: Option<String>,
    pub(super) decline_code: Option<String>,
    /// Which field it is about.
    param: Option<String>,
}

impl Error {
    /// Says why in the log. What Stripe writes for people it does not say: that may quote what was sent.
    pub(super) fn report(&self, operation: &str, status: u16) {
        let own = |text: &Option<String>| text.as_deref().map(|text| word(text).to_owned());
        let kind = word(&self.kind);
        let (code, decline_code, param) = (own(&self.code), own(&self.decline_code), own(&self.param));
        tracing::warn!(
            gateway = "stripe",
            operation,
            status,
            kind,
            code,
            decline_code,
            param,
            "a gateway refused"
        );
    }
}

/// The error of an answer that is none; an empty one where Stripe does not say, or somebody before it has answered.
pub(super) fn error(answer: &Answer) -> Error {
    #[derive(Deserialize)]
    struct Envelope {
        error: Error,
    }
    serde_json::from_slice(&answer.body).map_or_else(|_| Error::default(), |told: Envelope| told.error)
}

/// How a transaction stands of which this is the intent.
pub(super) fn state(
    intent: Intent,
    transaction: &Transaction,
    publishable_key: &str,
    live: bool,
) -> Result<State, Fault> {
    let whole = money(intent.amount, &intent.currency)?;
    let doubt = doubt(&intent, transaction, live);
    let stage = match intent.status.as_str() {
        "requires_payment_method" | "requires_confirmation" | "requires_action" => {
            let missing = || Fault::Unknown("an intent without its client_secret".to_owned());
            Stage::RequiresAction(Action::ClientSecret {
                client_secret: intent
                    .client_secret
                    .ok_or_else(missing)?
                    .expose_secret()
                    .to_owned(),
                publishable_key: publishable_key.to_owned(),
            })
        }
        "requires_capture" => Stage::Authorized,
        "succeeded" => {
            let missing = || Fault::Unknown("an intent without its amount_received".to_owned());
            Stage::Captured(Money::new(
                intent.amount_received.ok_or_else(missing)?,
                whole.currency,
            ))
        }
        "canceled" => match intent.cancellation_reason.as_deref() {
            // By Stripe itself: the promise was kept for its seven days.
            Some("abandoned" | "automatic" | "expired") => Stage::Expired,
            Some(_) | None => Stage::Voided,
        },
        // `processing`, and whatever Stripe adds one day.
        _ => Stage::Processing,
    };
    let mut state = State::new(whole, stage);
    state.reference = Some(intent.id);
    state.declined = intent.last_payment_error.as_ref().map(decline::reason);
    state.doubt = doubt;
    match intent.latest_charge {
        Some(Named::Name(name)) => state.receipt = Some(name),
        Some(Named::All(charge)) => {
            if let Stage::Captured(captured) = state.stage {
                state.refunded = refunded(&charge, whole, captured);
                state.fee = fee(charge.balance_transaction);
            }
            state.receipt = Some(charge.id);
        }
        None => {}
    }
    Ok(state)
}

/// What has gone back of what was taken.
///
/// (unconfirmed) Stripe counts the rest of a partial capture, which it releases, among what was refunded: no document says so, but
/// the answers that shops have published do. If it were otherwise for some, less would be seen than has gone back.
fn refunded(charge: &Charge, whole: Money, captured: Money) -> Option<Money> {
    let refunded = charge.amount_refunded?;
    let released = whole.minor - charge.amount_captured.unwrap_or(captured.minor);
    let back = if refunded >= released {
        refunded - released
    } else {
        refunded
    };
    Some(Money::new(back, whole.currency))
}

/// What Stripe keeps, in the currency that it pays out. It says so as soon as it has booked it.
fn fee(booked: Option<Named<BalanceTransaction>>) -> Option<Money> {
    let Some(Named::All(booked)) = booked else {
        return None;
    };
    let fee = money(booked.fee, &booked.currency).ok()?;
    // Where Stripe counts otherwise than ISO 4217, it is better not known than a hundred times too much.
    currency::counts_alike(fee.currency).then_some(fee)
}

/// Why an intent cannot be the transaction's, although it has its name.
fn doubt(intent: &Intent, transaction: &Transaction, live: bool) -> Option<String> {
    if intent.livemode != live {
        return Some(format!("livemode is {}", intent.livemode));
    }
    if let Some(reference) = &transaction.reference
        && *reference != intent.id
    {
        return Some("another intent was answered than was asked for".to_owned());
    }
    let metadata = intent.metadata.as_ref();
    if let Some(payment) = metadata.and_then(|metadata| metadata.get("payment_id"))
        && *payment != transaction.id
    {
        return Some("the intent was made for another payment".to_owned());
    }
    // Of some ways to pay a part alone may be promised.
    if intent.status == "requires_capture"
        && intent.amount_capturable.is_some_and(|part| part < intent.amount)
    {
        return Some("only a part is promised".to_owned());
    }
    None
}

/// A page of a list.
#[derive(Debug, Deserialize)]
pub(super) struct Page<T> {
    pub(super) data: Vec<T>,
}

#[derive(Debug, Deserialize)]
pub(super) struct Refund {
    id: String,
    amount: i64,
    currency: String,
    status: Option<String>,
    failure_reason: Option<String>,
    metadata: Option<Metadata>,
}

impl Refund {
    fn ours(&self) -> Option<&String> {
        self.metadata.as_ref()?.get("refund_id")
    }

    pub(super) fn is(&self, id: &str) -> bool {
        self.ours().is_some_and(|own| own == id)
    }

    pub(super) fn names_another(&self, id: &str) -> bool {
        self.ours().is_some_and(|own| own != id)
    }
}

pub(super) fn returned(refund: Refund) -> Result<Return, Fault> {
    let stage = match refund.status.as_deref() {
        Some("succeeded") => ReturnStage::Succeeded,
        Some("failed" | "canceled") => {
            let reason = refund.failure_reason.as_deref();
            ReturnStage::Failed(decline::not_returned(reason))
        }
        // `pending`, `requires_action`, nothing, and whatever Stripe adds one day.
        Some(_) | None => ReturnStage::Pending,
    };
    Ok(Return {
        money: money(refund.amount, &refund.currency)?,
        reference: Some(refund.id),
        stage,
    })
}
