//! A gateway with a mind of its own: it keeps books, charges fees, takes whole units alone, and loses answers. It refuses
//! to give back more than it took.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard};
use std::time::Duration;

use async_trait::async_trait;
use souk::entity::payment::{PaymentFlow, PaymentGatewayName};
use souk::infra::gateways::{
    Action, Capabilities, Fault, Gateways, PaymentGateway, Reason, Refund, Return, ReturnStage, Stage, State,
    Transaction, growing,
};
use souk::kernel::money::{Currency, Money};

use crate::support::Shop;

/// What it does with the next one that is made.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum How {
    Takes,
    Asks,
    Declines,
}

#[derive(Clone, Debug)]
pub(crate) struct Kept {
    pub(crate) money: Money,
    flow: PaymentFlow,
    pub(crate) stage: Stage,
    pub(crate) refunds: BTreeMap<String, (Money, ReturnStage)>,
    /// What went back without us.
    pub(crate) elsewhere: i64,
    pub(crate) fee: Option<Money>,
}

impl Kept {
    pub(crate) fn gone(&self) -> i64 {
        let counts = |stage: &ReturnStage| !matches!(stage, ReturnStage::Failed(_));
        let ours = self.refunds.values().filter(|(_, stage)| counts(stage));
        self.elsewhere + ours.map(|(money, _)| money.minor).sum::<i64>()
    }

    pub(crate) fn taken(&self) -> i64 {
        match &self.stage {
            Stage::Captured(money) => money.minor,
            _ => 0,
        }
    }

    fn agree(&mut self) {
        self.stage = match self.flow {
            PaymentFlow::Charge => Stage::Captured(self.money),
            PaymentFlow::Authorize => Stage::Authorized,
        };
    }

    /// The buyer does his part, if it waits for him.
    pub(crate) fn buyer(&mut self) {
        if matches!(self.stage, Stage::RequiresAction(_)) {
            self.agree();
        }
    }

    /// What is under way is over.
    pub(crate) fn settle(&mut self, well: bool) {
        for (_, stage) in self.refunds.values_mut() {
            if *stage == ReturnStage::Pending {
                *stage = if well {
                    ReturnStage::Succeeded
                } else {
                    ReturnStage::Failed(no())
                };
            }
        }
    }
}

fn no() -> Reason {
    Reason::new("no", "No.")
}

#[derive(Debug)]
pub(crate) struct Mind {
    pub(crate) how: How,
    pub(crate) next_refund: ReturnStage,
    /// Does what it is asked next, and does not say so.
    pub(crate) loses: bool,
    pub(crate) away: bool,
    pub(crate) asked: usize,
    pub(crate) kept: BTreeMap<String, Kept>,
}

#[derive(Debug)]
pub(crate) struct Wild(Mutex<Mind>);

impl Wild {
    /// An instance of the shop that offers it as STRIPE.
    pub(crate) async fn beside(shop: &Shop) -> (Arc<Self>, Shop) {
        let gateway = Arc::new(Self(Mutex::new(Mind {
            how: How::Takes,
            next_refund: ReturnStage::Succeeded,
            loses: false,
            away: false,
            asked: 0,
            kept: BTreeMap::new(),
        })));
        let offered: Arc<dyn PaymentGateway> = gateway.clone();
        let gateways = Gateways::new([(PaymentGatewayName::Stripe, offered)]);
        (gateway, shop.beside_with(gateways).await)
    }

    pub(crate) fn mind(&self) -> MutexGuard<'_, Mind> {
        self.0.lock().unwrap()
    }

    /// The payment that was made as this one, counted from the last.
    pub(crate) fn change(&self, index: usize, change: impl FnOnce(&mut Kept)) {
        let mut mind = self.mind();
        let count = mind.kept.len().max(1);
        if let Some(kept) = mind.kept.values_mut().nth_back(index % count) {
            change(kept);
        }
    }

    fn answer<T>(mut mind: MutexGuard<'_, Mind>, answer: T) -> Result<T, Fault> {
        if std::mem::take(&mut mind.loses) {
            return Err(Fault::Unknown("lost".to_owned()));
        }
        Ok(answer)
    }

    fn asked(&self) -> Result<MutexGuard<'_, Mind>, Fault> {
        let mut mind = self.mind();
        mind.asked += 1;
        if mind.away {
            return Err(Fault::Unknown("away".to_owned()));
        }
        Ok(mind)
    }

    fn done(
        &self,
        transaction: &Transaction,
        change: impl FnOnce(&mut Kept) -> Result<(), Fault>,
    ) -> Result<State, Fault> {
        let mut mind = self.asked()?;
        let kept = mind.kept.get_mut(&transaction.id);
        let kept = kept.ok_or_else(|| Fault::Refused(no()))?;
        change(kept)?;
        let state = state(transaction, kept);
        Self::answer(mind, state)
    }
}

fn state(transaction: &Transaction, kept: &Kept) -> State {
    State {
        reference: Some(format!("ref {}", transaction.id)),
        fee: kept.fee,
        refunded: Some(Money::new(kept.gone(), kept.money.currency)),
        ..State::new(kept.money, kept.stage.clone())
    }
}

#[async_trait]
impl PaymentGateway for Wild {
    fn display_name(&self) -> &'static str {
        "Wild"
    }

    fn takes(&self, currency: Currency) -> bool {
        currency == Currency::USD
    }

    /// Whole dollars.
    fn unit(&self, _: Currency) -> i64 {
        100
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

    fn pause(&self, looks: u32) -> Option<Duration> {
        Some(growing(looks))
    }

    async fn create(&self, _: &str, transaction: &Transaction) -> Result<State, Fault> {
        let mut mind = self.asked()?;
        let how = mind.how;
        let kept = mind.kept.entry(transaction.id.clone()).or_insert_with(|| {
            let action = Action::Redirect {
                url: "https://wild.example/".to_owned(),
            };
            let mut kept = Kept {
                money: transaction.money,
                flow: transaction.flow,
                stage: Stage::RequiresAction(action),
                refunds: BTreeMap::new(),
                elsewhere: 0,
                fee: None,
            };
            match how {
                How::Takes => kept.agree(),
                How::Asks => {}
                How::Declines => kept.stage = Stage::Declined(no()),
            }
            kept
        });
        let state = state(transaction, kept);
        Self::answer(mind, state)
    }

    async fn retrieve(&self, transaction: &Transaction) -> Result<Option<State>, Fault> {
        let mind = self.asked()?;
        let state = mind
            .kept
            .get(&transaction.id)
            .map(|kept| state(transaction, kept));
        Self::answer(mind, state)
    }

    async fn capture(&self, _: &str, transaction: &Transaction, money: Money) -> Result<State, Fault> {
        self.done(transaction, |kept| {
            if kept.stage == Stage::Authorized {
                kept.stage = Stage::Captured(money);
            }
            Ok(())
        })
    }

    async fn void(&self, _: &str, transaction: &Transaction) -> Result<State, Fault> {
        self.done(transaction, |kept| {
            if matches!(kept.stage, Stage::Authorized | Stage::RequiresAction(_)) {
                kept.stage = Stage::Voided;
            }
            Ok(())
        })
    }

    async fn refund(&self, _: &str, transaction: &Transaction, refund: &Refund) -> Result<Return, Fault> {
        let next = self.mind().next_refund.clone();
        self.done(transaction, |kept| {
            if !kept.refunds.contains_key(&refund.id) {
                if kept.gone() + refund.money.minor > kept.taken() {
                    return Err(Fault::Refused(no()));
                }
                kept.refunds.insert(refund.id.clone(), (refund.money, next));
            }
            Ok(())
        })?;
        self.told(transaction, refund)
    }

    async fn retrieve_refund(&self, transaction: &Transaction, refund: &Refund) -> Result<Return, Fault> {
        let mind = self.asked()?;
        Self::answer(mind, ())?;
        self.told(transaction, refund)
    }
}

impl Wild {
    fn told(&self, transaction: &Transaction, refund: &Refund) -> Result<Return, Fault> {
        let mind = self.mind();
        let kept = mind.kept.get(&transaction.id);
        let found = kept.and_then(|kept| kept.refunds.get(&refund.id));
        let (money, stage) = found.cloned().ok_or_else(|| Fault::Refused(no()))?;
        Ok(Return {
            reference: Some(format!("ref {}", refund.id)),
            money,
            stage,
        })
    }
}
