//! The gateway alone, without a shop.

use std::sync::Arc;

use souk::entity::payment::PaymentFlow;
use souk::infra::gateways::paypal::Paypal;
use souk::infra::gateways::{PaymentGateway as _, State, Transaction};
use souk::kernel::clock::{Clock, ManualClock};
use souk::kernel::config::PaypalConfig;
use souk::kernel::money::Money;

use super::play::{CLIENT, PayPal, WEBHOOK_ID};
use crate::gateways::sim::Sim;

pub(super) const OURS: &str = "payment_01m7zc995aej9aewmea6d0kg6j";

pub(super) struct Direct {
    pub(super) sim: Sim<PayPal>,
    pub(super) gateway: Paypal,
    pub(super) clock: Arc<ManualClock>,
}

pub(super) fn config(base: &str, by_certificate: bool) -> PaypalConfig {
    PaypalConfig {
        client_id: CLIENT.0.into(),
        client_secret: CLIENT.1.into(),
        webhook_id: WEBHOOK_ID.into(),
        by_certificate,
        api_base: base.parse().unwrap(),
    }
}

impl Direct {
    pub(super) async fn start() -> Self {
        let sim = Sim::start(PayPal::new()).await;
        let clock = Arc::new(ManualClock::at("2026-03-01T12:00:00Z".parse().unwrap()));
        sim.with(|paypal| paypal.clock = Some(Arc::clone(&clock)));
        let told: Arc<dyn Clock> = clock.clone();
        let gateway = Paypal::new(&config(&sim.base(), false), &told).unwrap();
        Self { sim, gateway, clock }
    }

    pub(super) fn transaction(&self, flow: PaymentFlow, minor: i64, currency: &str) -> Transaction {
        Transaction {
            id: OURS.to_owned(),
            reference: None,
            receipt: None,
            secret: "a-secret".into(),
            flow,
            money: Money::new(minor, currency.parse().unwrap()),
            order: "order_01m7zc995aej9aewmea6d0kg6k".to_owned(),
            order_number: "123456789".to_owned(),
            return_url: "https://shop.example/payments/return/x/y".to_owned(),
            phone: None,
            test_outcome: None,
            begun_at: self.clock.now(),
        }
    }

    /// One that its buyer has approved.
    pub(super) async fn approved(&self, flow: PaymentFlow) -> Transaction {
        let mut transaction = self.transaction(flow, 5_997, "USD");
        let state = self.gateway.create("pay_1_create_1", &transaction).await.unwrap();
        transaction.reference = state.reference;
        self.sim.with(PayPal::approve);
        transaction
    }

    /// One that is captured or authorized: as the shop remembers it, and as it stands.
    pub(super) async fn completed(&self, flow: PaymentFlow) -> (Transaction, State) {
        let mut transaction = self.approved(flow).await;
        let state = self
            .gateway
            .complete("pay_1_complete_1", &transaction)
            .await
            .unwrap();
        transaction.receipt.clone_from(&state.receipt);
        (transaction, state)
    }

    pub(super) fn finish(self) {
        assert_eq!(
            self.sim.with(|paypal| paypal.violations.clone()),
            Vec::<String>::new()
        );
    }
}
