//! MANUAL: money that changes hands outside. CHARGE is a bank transfer, which is under way until somebody sees it on the
//! account; AUTHORIZE is cash on delivery, which the buyer promises by choosing it.

use std::time::Duration;

use async_trait::async_trait;

use super::{
    Capabilities, Fault, PaymentGateway, Reason, Refund, Return, ReturnStage, Stage, State, Transaction,
};
use crate::entity::payment::PaymentFlow;
use crate::kernel::money::{Currency, Money};

#[derive(Clone, Copy, Debug)]
pub struct Manual;

fn state(transaction: &Transaction, stage: Stage) -> State {
    State::new(transaction.money, stage)
}

/// As it stands once it is made: the one is awaited, the other promised.
fn made(transaction: &Transaction) -> State {
    let stage = match transaction.flow {
        PaymentFlow::Charge => Stage::Processing,
        PaymentFlow::Authorize => Stage::Authorized,
    };
    state(transaction, stage)
}

#[async_trait]
impl PaymentGateway for Manual {
    fn display_name(&self) -> &'static str {
        "Bank transfer or cash on delivery"
    }

    fn takes(&self, _: Currency) -> bool {
        true
    }

    fn capabilities(&self) -> Capabilities {
        Capabilities {
            flows: &[PaymentFlow::Charge, PaymentFlow::Authorize],
            partial_capture: true,
            refunds: false,
            revocable: true,
            fees: false,
        }
    }

    fn remembers(&self) -> bool {
        false
    }

    fn pause(&self, _: u32) -> Option<Duration> {
        None
    }

    async fn create(&self, _: &str, transaction: &Transaction) -> Result<State, Fault> {
        Ok(made(transaction))
    }

    fn known_at_once(&self, transaction: &Transaction) -> Option<State> {
        Some(made(transaction))
    }

    /// There is nobody to ask: what we know is all that there is.
    async fn retrieve(&self, _: &Transaction) -> Result<Option<State>, Fault> {
        Ok(None)
    }

    async fn capture(&self, _: &str, transaction: &Transaction, money: Money) -> Result<State, Fault> {
        Ok(state(transaction, Stage::Captured(money)))
    }

    async fn void(&self, _: &str, transaction: &Transaction) -> Result<State, Fault> {
        Ok(state(transaction, Stage::Voided))
    }

    /// People pay it back, and say so when they have.
    async fn refund(&self, _: &str, _: &Transaction, _: &Refund) -> Result<Return, Fault> {
        let message = "money that changed hands outside has to be paid back by hand";
        Err(Fault::Refused(Reason::new("by_hand", message)))
    }

    async fn retrieve_refund(&self, _: &Transaction, refund: &Refund) -> Result<Return, Fault> {
        Ok(Return {
            reference: None,
            money: refund.money,
            stage: ReturnStage::Succeeded,
        })
    }
}
