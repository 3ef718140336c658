//! MPESA: money from telephones, by Safaricom's Daraja API. "M-Pesa Express" asks a phone for its PIN, its query says what
//! became of that, and "Reversal" sends money back.
//!
//! Daraja knows no keys of idempotency: what was asked once may have been heard, and is never asked again, only asked after.
//! Its callbacks are not signed. They are told from strangers' by their address, and of a payment nothing is believed
//! that the query does not say too.

mod callback;
mod codes;
mod phone;
mod token;
mod wire;

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use chrono::TimeDelta;
use url::Url;

use super::http::Miss;
use super::{
    Action, Capabilities, Event, Fault, Message, PaymentGateway, Reason, Refund, Return, ReturnStage, Stage,
    State, Transaction, Unverified, masked,
};
use crate::entity::payment::PaymentFlow;
use crate::kernel::clock::Clock;
use crate::kernel::config::MpesaConfig;
use crate::kernel::money::{Currency, Money};

use callback::{Outcome, Paid};
use codes::{Ack, Query};
use token::Callbacks;
use wire::Daraja;

/// How long a phone shows the prompt. (unconfirmed): documents say a minute or so; telephones differ.
const PROMPT: TimeDelta = TimeDelta::seconds(90);
/// Until then "cannot be reached" is not taken for a no: the phone may have been, and only its answer is late. (unconfirmed)
const UNREACHABLE: TimeDelta = TimeDelta::minutes(5);
/// How long a prompt is awaited whose name we never learnt, because the answer to asking for it was lost. Its callback tells
/// the name, before or after that.
const UNNAMED: TimeDelta = TimeDelta::minutes(10);
/// How long the receipt is awaited of money that is to go back: only the callback tells it, and comes late at times. (unconfirmed)
const RECEIPT: TimeDelta = TimeDelta::hours(1);

/// Minor units of a shilling. Nothing smaller is moved.
const SHILLING: i64 = 100;

#[derive(Debug)]
pub struct Mpesa {
    clock: Arc<dyn Clock>,
    daraja: Daraja,
    callbacks: Callbacks,
    reverses: bool,
}

impl Mpesa {
    /// # Errors
    /// TLS cannot be set up.
    pub fn new(config: &MpesaConfig, public_url: &Url, clock: &Arc<dyn Clock>) -> anyhow::Result<Self> {
        Ok(Self {
            daraja: Daraja::new(config, Arc::clone(clock))?,
            callbacks: Callbacks::new(config, public_url),
            reverses: config.reversal.is_some(),
            clock: Arc::clone(clock),
        })
    }

    fn is_within(&self, transaction: &Transaction, time: TimeDelta) -> bool {
        self.clock.now() < transaction.begun_at + time
    }

    fn prompt(transaction: &Transaction) -> Stage {
        Stage::RequiresAction(Action::PhonePrompt {
            phone: masked(transaction.phone()),
            expires_at: transaction.begun_at + PROMPT,
        })
    }

    /// What a query's answer makes of a transaction.
    fn stage(&self, transaction: &Transaction, told: Query) -> Stage {
        match told {
            Query::Paid => Stage::Captured(transaction.money),
            Query::Pending if self.is_within(transaction, PROMPT) => Self::prompt(transaction),
            Query::Pending => Stage::Processing,
            Query::Unreachable if self.is_within(transaction, UNREACHABLE) => Stage::Processing,
            Query::Unreachable => Stage::Declined(codes::no_response()),
            Query::Failed(reason) => Stage::Declined(reason),
        }
    }

    /// How a prompt stands that goes by this name.
    async fn look(&self, transaction: &Transaction, reference: &str) -> Result<State, Fault> {
        let told = self.daraja.query(reference).await?;
        let stage = self.stage(transaction, told);
        Ok(named(State::new(transaction.money, stage), reference))
    }

    /// How a prompt stands whose name is not known: it may or may not be on the phone. There is no other way to ask.
    fn unnamed(&self, transaction: &Transaction) -> State {
        let stage = if self.is_within(transaction, UNNAMED) {
            Stage::Processing
        } else {
            Stage::Expired
        };
        State::new(transaction.money, stage)
    }

    async fn current(&self, transaction: &Transaction) -> Result<State, Fault> {
        match &transaction.reference {
            Some(reference) => self.look(transaction, reference).await,
            None => Ok(self.unnamed(transaction)),
        }
    }

    /// How a transaction stands of which a callback says that it was paid.
    async fn paid(&self, transaction: &Transaction, id: &str, paid: &Paid) -> Result<State, Fault> {
        let told = self.daraja.query(id).await?;
        let is_ours = transaction.reference.as_deref().is_none_or(|own| own == id);
        let mut state = State {
            receipt: paid.receipt.clone(),
            ..named(
                State::new(transaction.money, Stage::Captured(transaction.money)),
                id,
            )
        };
        match told {
            Query::Paid if !is_ours => {
                state.doubt = Some("M-Pesa has taken money by another prompt than ours".to_owned());
            }
            Query::Paid => match paid.amount {
                Some(amount) if amount != transaction.money => {
                    state.doubt = Some("M-Pesa has taken another amount than was asked for".to_owned());
                }
                Some(_) | None => {}
            },
            // Not ours, and nothing was taken: nothing is said of our own.
            Query::Pending | Query::Unreachable | Query::Failed(_) if !is_ours => {
                return self.current(transaction).await;
            }
            Query::Pending => return Err(not_confirmed()),
            Query::Unreachable if self.is_within(transaction, UNREACHABLE) => return Err(not_confirmed()),
            Query::Unreachable | Query::Failed(_) => {
                state.stage = Stage::Processing;
                state.receipt = None;
                state.doubt =
                    Some("a callback says that it was paid, and the query that it was not".to_owned());
            }
        }
        Ok(state)
    }

    /// Nothing has been sent back; whether that may still come.
    fn without_receipt(&self, transaction: &Transaction) -> Fault {
        if self.is_within(transaction, RECEIPT) {
            return Fault::Unsent("the callback with the receipt has not come yet".to_owned());
        }
        Fault::Refused(Reason::new(
            "receipt_unknown",
            "M-Pesa has not told the receipt of this payment: reverse it by hand in the M-Pesa portal.",
        ))
    }
}

fn named(state: State, reference: &str) -> State {
    State {
        reference: Some(reference.to_owned()),
        ..state
    }
}

fn not_confirmed() -> Fault {
    Fault::Unknown("a callback says that it was paid; the query does not, or not yet".to_owned())
}

fn unavailable() -> Reason {
    let message =
        "M-Pesa cannot be reached at the moment. Nothing was asked for: try again in a few minutes.";
    Reason::new("gateway_unavailable", message)
}

/// Whole shillings.
fn shillings(money: Money) -> Option<i64> {
    (money.minor > 0 && money.minor % SHILLING == 0).then_some(money.minor / SHILLING)
}

#[async_trait]
impl PaymentGateway for Mpesa {
    fn display_name(&self) -> &'static str {
        "M-Pesa"
    }

    fn capabilities(&self) -> Capabilities {
        Capabilities {
            flows: &[PaymentFlow::Charge],
            partial_capture: false,
            refunds: self.reverses,
            revocable: false,
            fees: false,
        }
    }

    fn takes(&self, currency: Currency) -> bool {
        currency.code() == "KES"
    }

    fn unit(&self, _: Currency) -> i64 {
        SHILLING
    }

    fn phone(&self, given: Option<&str>) -> Result<Option<String>, String> {
        phone::normalised(given).map(Some)
    }

    /// Nobody answers a prompt within seconds, and asking after it earlier only says that it is being processed.
    fn pause(&self, looks: u32) -> Option<Duration> {
        let seconds = match looks {
            0 | 1 => 60,
            2 => 120,
            3 => 300,
            _ => 900,
        };
        Some(Duration::from_secs(seconds))
    }

    async fn create(&self, _: &str, transaction: &Transaction) -> Result<State, Fault> {
        let Some(amount) = shillings(transaction.money) else {
            let message = "M-Pesa takes whole shillings alone.";
            return Err(Fault::Refused(Reason::new("invalid_amount", message)));
        };
        let callback = self.callbacks.of_payment(&transaction.id)?;
        match self.daraja.push(transaction, amount, &callback).await {
            Ok(Ack::Accepted(reference)) => {
                let state = State::new(transaction.money, Self::prompt(transaction));
                Ok(named(state, &reference))
            }
            Ok(Ack::Busy(reason) | Ack::Refused(reason)) => Err(Fault::Refused(reason)),
            Ok(Ack::Unclear(what)) => Err(Fault::Unknown(what)),
            Err(Miss::NotSent(error)) => {
                tracing::warn!(error, "M-Pesa was not asked");
                Err(Fault::Refused(unavailable()))
            }
            Err(miss) => Err(miss.into()),
        }
    }

    async fn retrieve(&self, transaction: &Transaction) -> Result<Option<State>, Fault> {
        self.current(transaction).await.map(Some)
    }

    async fn capture(&self, _: &str, _: &Transaction, _: Money) -> Result<State, Fault> {
        let message = "M-Pesa takes money at once or not at all.";
        Err(Fault::Refused(Reason::new("not_supported", message)))
    }

    /// A prompt cannot be taken off a phone: its owner answers it, or it goes by itself.
    async fn void(&self, _: &str, transaction: &Transaction) -> Result<State, Fault> {
        self.current(transaction).await
    }

    async fn refund(&self, _: &str, transaction: &Transaction, refund: &Refund) -> Result<Return, Fault> {
        if !self.reverses {
            let message = "The shop cannot reverse M-Pesa payments: reverse it by hand in the M-Pesa portal.";
            return Err(Fault::Refused(Reason::new("reversal_not_set_up", message)));
        }
        let Some(amount) = shillings(refund.money) else {
            let message = "M-Pesa gives back whole shillings alone.";
            return Err(Fault::Refused(Reason::new("invalid_amount", message)));
        };
        let Some(receipt) = &transaction.receipt else {
            return Err(self.without_receipt(transaction));
        };
        let addresses = (
            self.callbacks.of_refund(&transaction.id, &refund.id)?,
            self.callbacks.of_overdue_refund(&transaction.id, &refund.id)?,
        );
        match self
            .daraja
            .reverse(transaction, (receipt, amount), refund, addresses)
            .await
        {
            Ok(Ack::Accepted(reference)) => Ok(Return {
                reference: Some(reference),
                ..pending(refund)
            }),
            Ok(Ack::Busy(reason)) => Err(Fault::Unsent(reason.code)),
            Ok(Ack::Refused(reason)) => Err(Fault::Refused(reason)),
            Ok(Ack::Unclear(what)) => Err(Fault::Unknown(what)),
            Err(Miss::NotSent(error)) => Err(Fault::Unsent(error)),
            Err(miss) => Err(miss.into()),
        }
    }

    /// It may have been heard the first time, and would be done twice: its result is awaited, or people look at it.
    async fn refund_again(&self, _: &str, _: &Transaction, refund: &Refund) -> Result<Return, Fault> {
        Ok(pending(refund))
    }

    fn answers_for_refunds(&self) -> bool {
        false
    }

    /// There is nothing to ask: the result comes by itself.
    async fn retrieve_refund(&self, _: &Transaction, refund: &Refund) -> Result<Return, Fault> {
        Ok(pending(refund))
    }

    async fn verify(&self, message: &Message) -> Result<Event, Unverified> {
        self.callbacks.verify(message)
    }

    /// Daraja sends again what is answered otherwise.
    fn acknowledgement(&self) -> &'static str {
        "{\"ResultCode\":0,\"ResultDesc\":\"Accepted\"}"
    }

    async fn confirm(&self, transaction: &Transaction, body: &[u8]) -> Result<Option<State>, Fault> {
        let Some(told) = callback::of_payment(body) else {
            return self.retrieve(transaction).await;
        };
        match (&told.outcome, &transaction.reference) {
            (Outcome::Paid(paid), _) => self.paid(transaction, &told.id, paid).await.map(Some),
            (Outcome::Failed, Some(own)) => self.look(transaction, own).await.map(Some),
            (Outcome::Failed, None) => self.look(transaction, &told.id).await.map(Some),
        }
    }

    /// Nobody else can be asked, so what a genuine message says is so.
    async fn confirm_refund(&self, _: &Transaction, refund: &Refund, body: &[u8]) -> Result<Return, Fault> {
        let Some(told) = callback::of_refund(body) else {
            return Ok(pending(refund));
        };
        if refund
            .reference
            .as_ref()
            .is_some_and(|own| Some(own) != told.id.as_ref())
        {
            tracing::warn!(refund = refund.id, "the result of another reversal than ours");
            return Ok(pending(refund));
        }
        Ok(Return {
            reference: told.id,
            money: told.amount.unwrap_or(refund.money),
            stage: match told.failed {
                Some(reason) => ReturnStage::Failed(reason),
                None => ReturnStage::Succeeded,
            },
        })
    }
}

fn pending(refund: &Refund) -> Return {
    Return {
        reference: refund.reference.clone(),
        money: refund.money,
        stage: ReturnStage::Pending,
    }
}
