//! Gateways that take money and give it back: one trait for all of them, and those that are offered.
//!
//! A gateway knows nothing of who buys what. It is asked by a key, so that asking again does nothing twice, and it answers
//! how a transaction stands in all rather than what has changed: the same told twice says nothing new. An answer that
//! does not come is not a no.

pub mod manual;
pub mod test;

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use chrono::{DateTime, Utc};
use secrecy::SecretString;
use serde::{Deserialize, Serialize};

use crate::entity::payment::{PaymentFlow, PaymentGatewayName, TestOutcome};
use crate::kernel::config::Config;
use crate::kernel::money::{Currency, Money};

/// Money that is to be taken, as a gateway is told of it.
#[derive(Clone, Debug)]
pub struct Transaction {
    /// What we call it.
    pub id: String,
    /// What the gateway calls it, as soon as it has told.
    pub reference: Option<String>,
    /// Random, and the same each time: addresses that nobody may guess are made with it.
    pub secret: SecretString,
    pub flow: PaymentFlow,
    pub money: Money,
    /// Where the buyer goes from a page of the gateway's.
    pub return_url: Option<String>,
    pub phone: Option<String>,
    pub test_outcome: Option<TestOutcome>,
}

/// How a transaction stands.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct State {
    pub reference: Option<String>,
    /// What it is about. The gateway's word, to be compared with ours.
    pub money: Money,
    pub stage: Stage,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Stage {
    /// The buyer has to do something.
    RequiresAction(Action),
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
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
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
        phone: String,
        expires_at: DateTime<Utc>,
    },
}

/// Why a gateway says no.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Reason {
    /// For programs, e.g. `card_declined`.
    pub code: String,
    /// For the buyer.
    pub message: String,
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
    /// It has not, and will not however often it is asked.
    Refused(Reason),
}

/// One that takes money. `key` is the same when the same thing is asked for again.
#[async_trait]
pub trait Gateway: Send + Sync + fmt::Debug {
    /// For buyers, who choose by it.
    fn display_name(&self) -> &'static str;

    fn takes(&self, currency: Currency) -> bool;

    fn flows(&self) -> &'static [PaymentFlow];

    /// How long to wait before a transaction is looked at again that has been looked at so often; None where a gateway
    /// knows nothing that it has not been told by us.
    fn pause(&self, looks: u32) -> Option<Duration>;

    async fn create(&self, key: &str, transaction: &Transaction) -> Result<State, Fault>;

    /// None when the gateway has never heard of it.
    async fn retrieve(&self, transaction: &Transaction) -> Result<Option<State>, Fault>;

    /// Takes this much of what is promised, and releases the rest.
    async fn capture(&self, key: &str, transaction: &Transaction, money: Money) -> Result<State, Fault>;

    async fn void(&self, key: &str, transaction: &Transaction) -> Result<State, Fault>;

    async fn refund(&self, key: &str, transaction: &Transaction, money: Money) -> Result<Return, Fault>;

    /// How a refund stands that was left pending.
    async fn retrieve_refund(
        &self,
        transaction: &Transaction,
        reference: &str,
        money: Money,
    ) -> Result<Return, Fault>;
}

/// Growing pauses: most answers come at once, and who waits for a day need not be asked about each second.
pub fn growing(looks: u32) -> Duration {
    let seconds = match looks {
        0 => 2,
        1 => 5,
        2 => 15,
        3 => 60,
        4 => 120,
        5 => 300,
        _ => 900,
    };
    Duration::from_secs(seconds)
}

/// The gateways that buyers can choose from, in the order in which they are shown.
#[derive(Clone, Debug, Default)]
pub struct Gateways(Vec<Entry>);

#[derive(Clone, Debug)]
struct Entry {
    name: PaymentGatewayName,
    gateway: Arc<dyn Gateway>,
    /// Whether new payments may be made with it. Those that there are go on either way.
    offered: bool,
}

impl Gateways {
    pub fn new(gateways: impl IntoIterator<Item = (PaymentGatewayName, Arc<dyn Gateway>)>) -> Self {
        let entry = |(name, gateway)| Entry {
            name,
            gateway,
            offered: true,
        };
        Self(gateways.into_iter().map(entry).collect())
    }

    /// Those that need no settings, offered or not.
    pub fn of_config(config: &Config) -> Self {
        Self(vec![
            Entry {
                name: PaymentGatewayName::Manual,
                gateway: Arc::new(manual::Manual),
                offered: config.orders.manual_payments,
            },
            Entry {
                name: PaymentGatewayName::Test,
                gateway: Arc::new(test::Test::new(&config.http.public_url)),
                offered: config.orders.test_payments,
            },
        ])
    }

    /// For payments that there are.
    pub fn get(&self, name: PaymentGatewayName) -> Option<&dyn Gateway> {
        let entry = self.0.iter().find(|entry| entry.name == name);
        entry.map(|entry| &*entry.gateway)
    }

    /// For new payments.
    pub fn offered(&self, name: PaymentGatewayName) -> Option<&dyn Gateway> {
        let mut offered = self.all_offered();
        offered.find(|(own, _)| *own == name).map(|(_, gateway)| gateway)
    }

    pub fn all_offered(&self) -> impl Iterator<Item = (PaymentGatewayName, &dyn Gateway)> {
        let offered = self.0.iter().filter(|entry| entry.offered);
        offered.map(|entry| (entry.name, &*entry.gateway))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pauses_grow_up_to_a_quarter_of_an_hour() {
        let pauses: Vec<u64> = (0..9).map(|looks| growing(looks).as_secs()).collect();
        assert_eq!(pauses, [2, 5, 15, 60, 120, 300, 900, 900, 900]);
        assert_eq!(growing(u32::MAX).as_secs(), 900);
    }
}
