//! TEST: takes no money and does what it is told to, the same each time. It keeps nothing: whatever it is asked, it answers
//! from the transaction alone, so it survives restarts and is the same on every instance.

use std::time::Duration;

use async_trait::async_trait;
use secrecy::ExposeSecret as _;
use url::Url;

use super::{
    Action, Capabilities, Fault, PaymentGateway, Reason, Refund, Return, ReturnStage, Stage, State,
    Transaction, growing,
};
use crate::entity::payment::{PaymentFlow, TestOutcome};
use crate::kernel::money::{Currency, Money};

/// Where its page is, below the shop's own address.
pub const PAGE: &str = "/test-gateway";

#[derive(Clone, Debug)]
pub struct Test {
    page: String,
}

impl Test {
    pub fn new(public_url: &Url) -> Self {
        Self {
            page: format!("{}{PAGE}", public_url.as_str().trim_end_matches('/')),
        }
    }

    fn stage(&self, transaction: &Transaction) -> Stage {
        match transaction.test_outcome.unwrap_or(TestOutcome::Succeed) {
            TestOutcome::Succeed | TestOutcome::TimeoutThenSucceed => success(transaction),
            TestOutcome::RequireAction => Stage::RequiresAction(Action::Redirect {
                url: format!("{}/{}", self.page, transaction.secret.expose_secret()),
            }),
            TestOutcome::Decline => Stage::Declined(Reason::new("card_declined", "The card was declined.")),
        }
    }
}

fn success(transaction: &Transaction) -> Stage {
    match transaction.flow {
        PaymentFlow::Charge => Stage::Captured(transaction.money),
        PaymentFlow::Authorize => Stage::Authorized,
    }
}

/// Its own name for a transaction is what its page is found by.
fn state(transaction: &Transaction, stage: Stage) -> State {
    State {
        reference: Some(transaction.secret.expose_secret().to_owned()),
        ..State::new(transaction.money, stage)
    }
}

/// How a transaction stands whose buyer has paid on the page.
pub fn completed(transaction: &Transaction) -> State {
    state(transaction, success(transaction))
}

#[async_trait]
impl PaymentGateway for Test {
    fn display_name(&self) -> &'static str {
        "Test (takes no money)"
    }

    fn takes(&self, _: Currency) -> bool {
        true
    }

    fn capabilities(&self) -> Capabilities {
        Capabilities {
            flows: &[PaymentFlow::Charge, PaymentFlow::Authorize],
            partial_capture: true,
            refunds: true,
            revocable: true,
            fees: false,
        }
    }

    fn remembers(&self) -> bool {
        false
    }

    fn pause(&self, looks: u32) -> Option<Duration> {
        Some(growing(looks))
    }

    async fn create(&self, _: &str, transaction: &Transaction) -> Result<State, Fault> {
        let lost = || Fault::Unknown("the gateway did not answer in time".to_owned());
        self.known_at_once(transaction).ok_or_else(lost)
    }

    /// All but the answer that is lost.
    fn known_at_once(&self, transaction: &Transaction) -> Option<State> {
        let lost = transaction.test_outcome == Some(TestOutcome::TimeoutThenSucceed);
        (!lost).then(|| state(transaction, self.stage(transaction)))
    }

    async fn retrieve(&self, transaction: &Transaction) -> Result<Option<State>, Fault> {
        Ok(Some(state(transaction, self.stage(transaction))))
    }

    async fn capture(&self, _: &str, transaction: &Transaction, money: Money) -> Result<State, Fault> {
        Ok(state(transaction, Stage::Captured(money)))
    }

    async fn void(&self, _: &str, transaction: &Transaction) -> Result<State, Fault> {
        Ok(state(transaction, Stage::Voided))
    }

    async fn refund(&self, key: &str, _: &Transaction, refund: &Refund) -> Result<Return, Fault> {
        Ok(Return {
            reference: Some(format!("test_{key}")),
            money: refund.money,
            stage: ReturnStage::Succeeded,
        })
    }

    async fn retrieve_refund(&self, _: &Transaction, refund: &Refund) -> Result<Return, Fault> {
        Ok(Return {
            reference: refund.reference.clone(),
            money: refund.money,
            stage: ReturnStage::Succeeded,
        })
    }
}
