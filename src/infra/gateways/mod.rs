//! Gateways that take money and give it back: one trait for all of them, and those that this shop has.
//!
//! A gateway knows nothing of who buys what. It is asked by a key, so that asking again does nothing twice, and it answers
//! how a transaction stands in all rather than what has changed: the same told twice says nothing new. An answer that
//! does not come is not a no.

pub mod http;
pub mod manual;
mod mask;
mod message;
pub mod mpesa;
pub mod oauth;
pub mod paypal;
mod registry;
pub mod stripe;
pub mod test;
mod transaction;
mod word;

use std::fmt;
use std::time::Duration;

use async_trait::async_trait;

use crate::entity::payment::PaymentFlow;
use crate::kernel::money::{Currency, Money};

pub use mask::masked;
pub use message::{About, Event, Message, Names, Unverified};
pub use registry::Gateways;
pub use transaction::{Action, Fault, Reason, Refund, Return, ReturnStage, Stage, State, Transaction};

/// What a gateway can do.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Capabilities {
    pub flows: &'static [PaymentFlow],
    /// Whether a part of what is promised can be captured, which releases the rest.
    pub partial_capture: bool,
    /// Whether it gives money back.
    pub refunds: bool,
    /// Whether what waits for its buyer can be given up for certain. A prompt on a phone cannot.
    pub revocable: bool,
    /// Whether it says, sooner or later, what it keeps of what it takes.
    pub fees: bool,
}

/// One that takes money. `key` is the same when the same thing is asked for again.
#[async_trait]
pub trait PaymentGateway: Send + Sync + fmt::Debug {
    /// For buyers, who choose by it.
    fn display_name(&self) -> &'static str;

    fn capabilities(&self) -> Capabilities;

    fn takes(&self, currency: Currency) -> bool;

    /// Of how many minor units amounts are multiples. What is to be paid is rounded up to it.
    fn unit(&self, _: Currency) -> i64 {
        1
    }

    /// How the gateway knows a buyer's phone number. One that calls no phones keeps none.
    ///
    /// # Errors
    /// What is wrong with it, for the buyer.
    fn phone(&self, _: Option<&str>) -> Result<Option<String>, String> {
        Ok(None)
    }

    /// Whether it knows of itself what it has taken, so that ours can be compared with it. One that repeats what it is told
    /// does not.
    fn remembers(&self) -> bool {
        true
    }

    /// How long to wait before a transaction is looked at again that has been looked at so often; None where a gateway
    /// knows nothing that it has not been told by us.
    fn pause(&self, looks: u32) -> Option<Duration>;

    async fn create(&self, key: &str, transaction: &Transaction) -> Result<State, Fault>;

    /// What [`Self::create`] would answer, by a gateway that asks nobody: it knows the answer by itself, and nothing outside
    /// of the shop's database has happened when it was given. So there is nothing to find out after a crash, and the answer may
    /// be written down together with the question. None: it has to be asked.
    fn known_at_once(&self, _: &Transaction) -> Option<State> {
        None
    }

    /// None when the gateway has never heard of it.
    async fn retrieve(&self, transaction: &Transaction) -> Result<Option<State>, Fault>;

    /// Takes or promises the money of a transaction that is [`Stage::Ready`]. Only gateways ask for it that say so.
    async fn complete(&self, _key: &str, _: &Transaction) -> Result<State, Fault> {
        Err(Fault::Unknown("this gateway completes by itself".to_owned()))
    }

    /// Takes this much of what is promised, and releases the rest.
    async fn capture(&self, key: &str, transaction: &Transaction, money: Money) -> Result<State, Fault>;

    /// Gives up what has taken nothing. What cannot be given up for now is answered as it stands.
    async fn void(&self, key: &str, transaction: &Transaction) -> Result<State, Fault>;

    async fn refund(&self, key: &str, transaction: &Transaction, refund: &Refund) -> Result<Return, Fault>;

    /// The same once more by the same key, when it may have been heard the first time. A gateway that does not know keys must
    /// not be asked twice.
    async fn refund_again(
        &self,
        key: &str,
        transaction: &Transaction,
        refund: &Refund,
    ) -> Result<Return, Fault> {
        self.refund(key, transaction, refund).await
    }

    /// Whether it can be asked how a refund stands. One that cannot tells it by a message, or never.
    fn answers_for_refunds(&self) -> bool {
        true
    }

    /// How a refund stands whose reference is known.
    async fn retrieve_refund(&self, transaction: &Transaction, refund: &Refund) -> Result<Return, Fault>;

    /// Whether a message is genuine, and what it is about. Before that nothing is stored.
    async fn verify(&self, _: &Message) -> Result<Event, Unverified> {
        Err(Unverified::Forged("this gateway sends no messages".to_owned()))
    }

    /// What a message is answered with that is stored.
    fn acknowledgement(&self) -> &'static str {
        "{\"received\":true}"
    }

    /// How a transaction stands of which a genuine message has come. The message may be old: the gateway is asked, and only
    /// what it never says otherwise is taken from the message's body.
    async fn confirm(&self, transaction: &Transaction, _body: &[u8]) -> Result<Option<State>, Fault> {
        self.retrieve(transaction).await
    }

    /// The same of a refund.
    async fn confirm_refund(
        &self,
        transaction: &Transaction,
        refund: &Refund,
        _body: &[u8],
    ) -> Result<Return, Fault> {
        self.retrieve_refund(transaction, refund).await
    }
}

/// What a buyer pays for an order that costs this much: rounded up to whole units of the gateway's.
pub fn charged(gateway: &dyn PaymentGateway, total: Money) -> Option<Money> {
    let unit = gateway.unit(total.currency).max(1);
    let units = total.minor.checked_add(unit - 1)? / unit;
    Some(Money::new(units.checked_mul(unit)?, total.currency))
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
