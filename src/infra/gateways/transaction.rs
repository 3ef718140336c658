//! What gateways are told of money, and what they say of it.

use std::fmt;

use chrono::{DateTime, Utc};
use secrecy::{ExposeSecret as _, SecretString};
use serde::{Deserialize, Serialize};

use crate::entity::payment::{PaymentFlow, TestOutcome};
use crate::kernel::money::Money;

/// Money that is to be taken, as a gateway is told of it.
#[derive(Clone)]
pub struct Transaction {
    /// What we call it.
    pub id: String,
    /// What the gateway calls it, as soon as it has told.
    pub reference: Option<String>,
    /// What the gateway calls the money that it took, as soon as it has told.
    pub receipt: Option<String>,
    /// Random, and the same each time: addresses that nobody may guess are made with it.
    pub secret: SecretString,
    pub flow: PaymentFlow,
    /// In the gateway's own units: see [`super::PaymentGateway::unit`].
    pub money: Money,
    /// Which order it is for.
    pub order: String,
    /// What buyers call that order: nine digits.
    pub order_number: String,
    /// Where a page of the gateway's sends the buyer: an address of ours, which sends him on. Whoever has it can go there too.
    pub return_url: String,
    /// As the gateway wrote it in [`super::PaymentGateway::phone`]. Not to be logged.
    pub phone: Option<SecretString>,
    pub test_outcome: Option<TestOutcome>,
    pub begun_at: DateTime<Utc>,
}

/// Without what is the buyer's alone.
impl fmt::Debug for Transaction {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self {
            id,
            reference,
            receipt,
            secret: _,
            flow,
            money,
            order,
            order_number,
            return_url: _,
            phone: _,
            test_outcome,
            begun_at,
        } = self;
        f.debug_struct("Transaction")
            .field("id", id)
            .field("reference", reference)
            .field("receipt", receipt)
            .field("flow", flow)
            .field("money", money)
            .field("order", order)
            .field("order_number", order_number)
            .field("test_outcome", test_outcome)
            .field("begun_at", begun_at)
            .finish_non_exhaustive()
    }
}

impl Transaction {
    /// Empty for gateways that call no phones.
    pub fn phone(&self) -> &str {
        self.phone.as_ref().map_or("", |phone| phone.expose_secret())
    }
}

/// How a transaction stands.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct State {
    pub reference: Option<String>,
    pub receipt: Option<String>,
    /// What it is about. The gateway's word, to be compared with ours.
    pub money: Money,
    pub stage: Stage,
    /// Why the buyer's last try failed, where he may try again.
    pub declined: Option<Reason>,
    /// What the gateway keeps for itself, in the currency that it pays out; None where it does not say (yet).
    pub fee: Option<Money>,
    /// What has gone back or is on its way, whoever asked for it; None where the gateway does not say.
    pub refunded: Option<Money>,
    /// Why this cannot be our transaction, although it answers to its name. For people to look at.
    pub doubt: Option<String>,
}

impl State {
    pub fn new(money: Money, stage: Stage) -> Self {
        Self {
            reference: None,
            receipt: None,
            money,
            stage,
            declined: None,
            fee: None,
            refunded: None,
            doubt: None,
        }
    }
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Stage {
    /// The buyer has to do something.
    RequiresAction(Action),
    /// The buyer has done his part: [`super::PaymentGateway::complete`] takes the money, or has it promised.
    Ready,
    /// It is not known yet what will come of it.
    Processing,
    /// All of it is promised.
    Authorized,
    /// This much was taken; nothing more is promised.
    Captured(Money),
    Declined(Reason),
    Voided,
    /// The buyer or we have waited for too long.
    Expired,
}

/// What a buyer must do next.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "type", rename_all = "camelCase", rename_all_fields = "camelCase")]
pub enum Action {
    Redirect {
        url: String,
    },
    ClientSecret {
        client_secret: String,
        publishable_key: String,
    },
    PhonePrompt {
        /// Masked.
        phone: String,
        expires_at: DateTime<Utc>,
    },
}

/// Without what is the buyer's alone: whoever has it can pay in his name.
impl fmt::Debug for Action {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Redirect { .. } => "Redirect",
            Self::ClientSecret { .. } => "ClientSecret",
            Self::PhonePrompt { .. } => "PhonePrompt",
        })
    }
}

/// Why a gateway says no.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Reason {
    /// For programs, e.g. `card_declined`.
    pub code: String,
    /// For the buyer.
    pub message: String,
}

impl Reason {
    pub fn new(code: impl Into<String>, message: impl Into<String>) -> Self {
        Self {
            code: code.into(),
            message: message.into(),
        }
    }
}

/// Money of a transaction that is to go back.
#[derive(Clone, Debug)]
pub struct Refund {
    /// What we call it.
    pub id: String,
    /// What the gateway calls it, as soon as it has told.
    pub reference: Option<String>,
    pub money: Money,
}

/// How money stands that goes back.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Return {
    pub reference: Option<String>,
    pub money: Money,
    pub stage: ReturnStage,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ReturnStage {
    Pending,
    Succeeded,
    Failed(Reason),
}

/// Why a gateway did not do what it was asked.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Fault {
    /// It did not answer, or not to the point: it may have done it or not. For the log.
    Unknown(String),
    /// It has certainly not heard of it, or was too busy to begin: to be asked again, as if for the first time. For the log.
    Unsent(String),
    /// It has not, and will not however often it is asked.
    Refused(Reason),
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::kernel::money::Currency;

    #[test]
    fn what_is_the_buyers_is_not_shown() {
        let transaction = Transaction {
            id: "payment_1".to_owned(),
            reference: Some("ws_CO_1".to_owned()),
            receipt: None,
            secret: "a-secret".into(),
            flow: PaymentFlow::Charge,
            money: Money::new(100, Currency::USD),
            order: "order_1".to_owned(),
            order_number: "123456789".to_owned(),
            return_url: "https://shop.example/payments/return/payment_1/a-secret".to_owned(),
            phone: Some("254712345678".into()),
            test_outcome: None,
            begun_at: DateTime::UNIX_EPOCH,
        };
        for shown in [format!("{transaction:?}"), format!("{transaction:#?}")] {
            assert!(shown.contains("ws_CO_1"), "{shown}");
            for hidden in ["a-secret", "shop.example", "712345678"] {
                assert!(!shown.contains(hidden), "{shown}");
            }
        }
    }
}
