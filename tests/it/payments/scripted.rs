//! A gateway that says what a test tells it to, and remembers what it was asked. What it has no answer for, it leaves open.

use std::collections::{HashMap, VecDeque};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use async_trait::async_trait;
use souk::entity::payment::{PaymentFlow, PaymentGatewayName};
use souk::infra::gateways::{
    Action, Capabilities, Event, Fault, Gateways, Message, PaymentGateway, Reason, Refund, Return,
    ReturnStage, Stage, State, Transaction, Unverified, growing,
};
use souk::kernel::money::{Currency, Money};

use crate::support::Shop;

#[derive(Clone, Debug)]
pub(crate) enum Says {
    Stage(Stage),
    /// All of it was taken.
    Captured,
    /// All of it was taken, and this much has gone back since.
    Refunded(i64),
    /// This much was taken, and has gone back since.
    RefundedAll(Money),
    /// About another amount or currency than it was asked for.
    About(Money, Stage),
    Return(ReturnStage),
    ReturnOf(Money, ReturnStage),
    /// Nothing for as long as anybody listens.
    Silent,
    /// It has never heard of it.
    Nothing,
    Refused,
}

#[derive(Debug, Default)]
pub(crate) struct Scripted {
    script: Mutex<HashMap<&'static str, VecDeque<Says>>>,
    asked: Mutex<Vec<(&'static str, String)>>,
    return_url: Mutex<String>,
}

pub(super) fn declined() -> Reason {
    Reason {
        code: "no_way".to_owned(),
        message: "No way.".to_owned(),
    }
}

/// The buyer has been sent to a page of the gateway's.
pub(super) fn waits() -> Says {
    let url = "https://bank.example/".to_owned();
    Says::Stage(Stage::RequiresAction(Action::Redirect { url }))
}

impl Scripted {
    /// An instance of the shop that offers it as STRIPE.
    pub(crate) async fn beside(shop: &Shop) -> (Arc<Self>, Shop) {
        let gateway = Arc::new(Self::default());
        let offered: Arc<dyn PaymentGateway> = gateway.clone();
        let gateways = Gateways::new([(PaymentGatewayName::Stripe, offered)]);
        (gateway, shop.beside_with(gateways).await)
    }

    /// What it will answer to this, after what it was told before.
    pub(crate) fn will(&self, what: &'static str, says: Says) -> &Self {
        self.script
            .lock()
            .unwrap()
            .entry(what)
            .or_default()
            .push_back(says);
        self
    }

    /// What it was asked, each with the key it was asked by.
    pub(super) fn asked(&self) -> Vec<(&'static str, String)> {
        self.asked.lock().unwrap().clone()
    }

    pub(super) fn count(&self, what: &str) -> usize {
        self.asked().iter().filter(|(asked, _)| *asked == what).count()
    }

    /// Where the last buyer is to come back to.
    pub(super) fn return_url(&self) -> String {
        self.return_url.lock().unwrap().clone()
    }

    fn next(&self, what: &'static str) -> Option<Says> {
        self.script.lock().unwrap().get(what)?.front().cloned()
    }

    fn answer(&self, what: &'static str, key: &str) -> Option<Says> {
        self.asked.lock().unwrap().push((what, key.to_owned()));
        self.script.lock().unwrap().get_mut(what)?.pop_front()
    }

    fn state(
        &self,
        what: &'static str,
        key: &str,
        transaction: &Transaction,
    ) -> Result<Option<State>, Fault> {
        let state = |money, stage| {
            Ok(Some(State {
                reference: Some(format!("ref {}", transaction.id)),
                ..State::new(money, stage)
            }))
        };
        match self.answer(what, key) {
            Some(Says::Stage(stage)) => state(transaction.money, stage),
            Some(Says::Captured) => state(transaction.money, Stage::Captured(transaction.money)),
            Some(Says::Refunded(back)) => Ok(Some(State {
                refunded: Some(Money::new(back, transaction.money.currency)),
                ..State::new(transaction.money, Stage::Captured(transaction.money))
            })),
            Some(Says::RefundedAll(money)) => Ok(Some(State {
                refunded: Some(money),
                ..State::new(money, Stage::Captured(money))
            })),
            Some(Says::About(money, stage)) => state(money, stage),
            Some(Says::Nothing) => Ok(None),
            Some(Says::Refused) => Err(Fault::Refused(declined())),
            Some(Says::Return(_) | Says::ReturnOf(..) | Says::Silent) => panic!("{what} does not say that"),
            None => Err(Fault::Unknown("silence".to_owned())),
        }
    }

    fn certainly(&self, what: &'static str, key: &str, transaction: &Transaction) -> Result<State, Fault> {
        Ok(self.state(what, key, transaction)?.unwrap())
    }

    fn returns(&self, what: &'static str, key: &str, money: Money) -> Result<Return, Fault> {
        let told = |money, stage| {
            Ok(Return {
                reference: Some(format!("ref {key}")),
                money,
                stage,
            })
        };
        match self.answer(what, key) {
            Some(Says::Return(stage)) => told(money, stage),
            Some(Says::ReturnOf(money, stage)) => told(money, stage),
            Some(Says::Refused) => Err(Fault::Refused(declined())),
            Some(other) => panic!("{what} is about a refund, not {other:?}"),
            None => Err(Fault::Unknown("silence".to_owned())),
        }
    }
}

#[async_trait]
impl PaymentGateway for Scripted {
    fn display_name(&self) -> &'static str {
        "Scripted"
    }

    fn takes(&self, currency: Currency) -> bool {
        currency == Currency::USD
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

    fn pause(&self, looks: u32) -> Option<Duration> {
        Some(growing(looks))
    }

    async fn create(&self, key: &str, transaction: &Transaction) -> Result<State, Fault> {
        self.return_url
            .lock()
            .unwrap()
            .clone_from(&transaction.return_url);
        let silent = matches!(self.next("create"), Some(Says::Silent));
        if silent {
            self.answer("create", key);
            std::future::pending::<()>().await;
        }
        self.certainly("create", key, transaction)
    }

    async fn retrieve(&self, transaction: &Transaction) -> Result<Option<State>, Fault> {
        self.state("retrieve", "", transaction)
    }

    async fn complete(&self, key: &str, transaction: &Transaction) -> Result<State, Fault> {
        self.certainly("complete", key, transaction)
    }

    async fn capture(&self, key: &str, transaction: &Transaction, money: Money) -> Result<State, Fault> {
        let mut state = self.certainly("capture", key, transaction)?;
        if let Stage::Captured(captured) = &mut state.stage {
            *captured = money;
        }
        Ok(state)
    }

    async fn void(&self, key: &str, transaction: &Transaction) -> Result<State, Fault> {
        self.certainly("void", key, transaction)
    }

    async fn refund(&self, key: &str, _: &Transaction, refund: &Refund) -> Result<Return, Fault> {
        self.returns("refund", key, refund.money)
    }

    async fn retrieve_refund(&self, _: &Transaction, refund: &Refund) -> Result<Return, Fault> {
        self.returns(
            "retrieve_refund",
            refund.reference.as_deref().unwrap(),
            refund.money,
        )
    }

    /// Genuine is what says so; the body says what it is about.
    async fn verify(&self, message: &Message) -> Result<Event, Unverified> {
        match message.header("x-genuine") {
            Some("yes") => {}
            Some("perhaps") => return Err(Unverified::Undecided("perhaps".to_owned())),
            Some(_) | None => return Err(Unverified::Forged("it does not say so".to_owned())),
        }
        let body: serde_json::Value = serde_json::from_slice(&message.body).unwrap();
        Ok(Event {
            id: body["id"].as_str().unwrap().to_owned(),
            kind: "told".to_owned(),
            about: serde_json::from_value(body["about"].clone()).unwrap(),
        })
    }
}
