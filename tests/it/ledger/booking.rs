//! What is booked of orders and payments whose rows are changed at random: also what no gateway of a test does, such as
//! money that comes again after it had gone back.

use chrono::{DateTime, Utc};
use proptest::prelude::*;
use proptest::strategy::ValueTree as _;
use proptest::test_runner::TestRunner;
use sea_orm::{ActiveModelTrait as _, EntityTrait as _, IntoActiveModel as _};
use souk::domain::ledger::book::{self, PaymentBecame, Returned};
use souk::domain::orders::change::OrderInHand;
use souk::entity::order_event::OrderEventType;
use souk::entity::payment::{PaymentFlow, PaymentGatewayName, PaymentStatus};
use souk::entity::refund::{self, RefundStatus};
use souk::entity::shop_order::OrderStatus;
use souk::entity::{payment, shop_order};
use souk::kernel::id::{OrderId, PaymentId, RefundId};

use super::accounts;
use crate::payments::guest_order;
use crate::support::Shop;
use crate::support::books::ledger;

/// A payment of an order of 59.97, for which 60.00 is taken.
fn draft(order: OrderId, now: DateTime<Utc>) -> payment::Model {
    payment::Model {
        id: PaymentId::new(),
        order_id: order,
        gateway: PaymentGatewayName::Mpesa,
        flow: PaymentFlow::Charge,
        // Of the others one alone can be live.
        status: PaymentStatus::RequiresReview,
        currency: "USD".to_owned(),
        amount: 6_000,
        authorized: 0,
        captured: 0,
        refunded: 0,
        rounding: 3,
        fee: None,
        fee_currency: None,
        gateway_reference: None,
        gateway_receipt: None,
        action: None,
        failure_code: None,
        failure_message: None,
        test_outcome: None,
        look_at: None,
        looks: 0,
        looked_at: None,
        created_at: now,
        updated_at: now,
    }
}

struct Case<'a> {
    shop: &'a Shop,
    order: OrderId,
    payments: Vec<payment::Model>,
    /// What went back: of which payment, and whether it came again.
    refunds: Vec<(usize, Returned, bool)>,
}

impl<'a> Case<'a> {
    async fn new(shop: &'a Shop, payments: usize) -> Self {
        let order = guest_order(shop).await;
        let payments: Vec<_> = (0..payments).map(|_| draft(order, shop.now())).collect();
        let txn = shop.db().begin().await.unwrap();
        for row in &payments {
            payment::Entity::insert(row.clone().into_active_model())
                .exec_without_returning(&txn)
                .await
                .unwrap();
        }
        txn.commit().await.unwrap();
        Self {
            shop,
            order,
            payments,
            refunds: Vec::new(),
        }
    }

    async fn become_status(&self, status: OrderStatus) {
        let ctx = self.shop.system();
        let txn = self.shop.db().begin().await.unwrap();
        let mut order = OrderInHand::lock(&txn, &ctx, self.order).await.unwrap().unwrap();
        if status == OrderStatus::Cancelled {
            order.row.cancel_reason = Some("test".to_owned());
        }
        if order.become_status(status).is_ok() {
            order.happened(OrderEventType::ReviewRequired, "Test.");
            order.save(&txn).await.unwrap();
            txn.commit().await.unwrap();
        }
    }

    async fn change(&mut self, i: usize, returned: &[Returned], change: impl FnOnce(&mut payment::Model)) {
        let txn = self.shop.db().begin().await.unwrap();
        let order = shop_order::Entity::find_by_id(self.order)
            .one(&txn)
            .await
            .unwrap()
            .unwrap();
        let before = self.payments[i].clone();
        change(&mut self.payments[i]);
        let after = &self.payments[i];
        book::payments(
            &txn,
            &[became(&order, [&before, after], returned)],
            self.shop.now(),
        )
        .await
        .unwrap();
        let row = after.clone().into_active_model().reset_all();
        payment::Entity::update(row).exec(&txn).await.unwrap();
        // An order's own sums are of its payments.
        let (paid, refunded) = self.payments.iter().fold((0, 0), |(paid, refunded), row| {
            (paid + row.captured, refunded + row.refunded)
        });
        let order = shop_order::Model {
            paid,
            refunded,
            ..order
        };
        shop_order::Entity::update(order.into_active_model().reset_all())
            .exec(&txn)
            .await
            .unwrap();
        txn.commit().await.unwrap();
    }

    async fn capture(&mut self, i: usize, amount: i64) {
        if self.payments[i].captured == 0 {
            self.change(i, &[], |row| row.captured = amount).await;
        }
    }

    async fn refund(&mut self, i: usize, amount: i64) {
        let row = &self.payments[i];
        let amount = amount.min(row.captured - row.refunded);
        if amount == 0 {
            return;
        }
        let now = self.shop.now();
        let refund = refund::Model {
            id: RefundId::new(),
            payment_id: row.id,
            amount,
            status: RefundStatus::Succeeded,
            reason: None,
            gateway_reference: None,
            created_at: now,
            updated_at: now,
        };
        let returned = Returned {
            refund: refund.id,
            amount,
        };
        let txn = self.shop.db().begin().await.unwrap();
        refund::Entity::insert(refund.into_active_model())
            .exec_without_returning(&txn)
            .await
            .unwrap();
        txn.commit().await.unwrap();
        self.change(i, &[returned], |row| row.refunded += amount).await;
        self.refunds.push((i, returned, false));
    }

    async fn come_again(&mut self, i: usize) {
        let count = self.refunds.len().max(1);
        let Some((payment, returned, again)) = self.refunds.get_mut(i % count).filter(|(_, _, again)| !again)
        else {
            return;
        };
        *again = true;
        let (payment, amount) = (*payment, returned.amount);
        let returned = Returned {
            amount: -amount,
            ..*returned
        };
        self.change(payment, &[returned], |row| row.refunded -= amount)
            .await;
    }

    async fn fee(&mut self, i: usize, fee: i64) {
        if self.payments[i].fee.is_none() {
            self.change(i, &[], |row| {
                row.fee = Some(fee);
                row.fee_currency = Some("KES".to_owned());
            })
            .await;
        }
    }
}

#[derive(Clone, Copy, Debug)]
enum Step {
    Become(OrderStatus),
    Capture(usize, i64),
    Refund(usize, i64),
    ComeAgain(usize),
    Fee(usize, i64),
}

fn step() -> impl Strategy<Value = Step> {
    use OrderStatus::{Cancelled, Completed, Confirmed, Expired};
    let which = || 0..3_usize;
    let status = prop::sample::select(vec![Confirmed, Confirmed, Completed, Cancelled, Expired]);
    prop_oneof![
        3 => status.prop_map(Step::Become),
        4 => (which(), prop::sample::select(vec![1, 5_996, 5_997, 5_998, 6_000, 6_000])).prop_map(|(i, amount)| Step::Capture(i, amount)),
        6 => (which(), prop::sample::select(vec![1, 2, 3, 700, 6_000])).prop_map(|(i, amount)| Step::Refund(i, amount)),
        3 => (0..9_usize).prop_map(Step::ComeAgain),
        1 => (which(), 0..50_i64).prop_map(|(i, fee)| Step::Fee(i, fee)),
    ]
}

fn owned(rows: &[[&str; 3]]) -> Vec<Vec<String>> {
    rows.iter()
        .map(|row| row.iter().map(|text| (*text).to_owned()).collect())
        .collect()
}

fn became<'a>(
    order: &'a shop_order::Model,
    [before, after]: [&'a payment::Model; 2],
    returned: &'a [Returned],
) -> PaymentBecame<'a> {
    PaymentBecame {
        order,
        before,
        after,
        returned,
    }
}

both! {
    async fn whatever_becomes_of_rows_is_booked(shop: &Shop) {
        let mut runner = TestRunner::deterministic();
        let strategy = prop::collection::vec(step(), 25);
        for _ in 0..12 {
            let mut case = Case::new(shop, 3).await;
            for step in strategy.new_tree(&mut runner).unwrap().current() {
                match step {
                    Step::Become(status) => case.become_status(status).await,
                    Step::Capture(i, amount) => case.capture(i, amount).await,
                    Step::Refund(i, amount) => case.refund(i, amount).await,
                    Step::ComeAgain(i) => case.come_again(i).await,
                    Step::Fee(i, fee) => case.fee(i, fee).await,
                }
                ledger(shop.db()).await;
            }
        }
    }

    /// What was rounded up goes back first; what went back of an order that stands is its own account.
    async fn a_sale_and_what_comes_of_it(shop: &Shop) {
        let mut case = Case::new(shop, 1).await;
        case.capture(0, 6_000).await;
        assert_eq!(accounts(shop).await, owned(&[["clearing:MPESA", "USD", "6000"], ["receivable", "USD", "-5997"], ["rounding", "USD", "-3"]]));
        case.become_status(OrderStatus::Confirmed).await;
        case.fee(0, 45).await;
        assert_eq!(accounts(shop).await, owned(&[
            ["clearing:MPESA", "KES", "-45"], ["clearing:MPESA", "USD", "6000"], ["fees:MPESA", "KES", "45"],
            ["revenue", "USD", "-5997"], ["rounding", "USD", "-3"]]));
        case.refund(0, 1_000).await;
        assert_eq!(accounts(shop).await[3..], owned(&[["refunds", "USD", "997"], ["revenue", "USD", "-5997"]]));
        case.become_status(OrderStatus::Cancelled).await;
        assert_eq!(accounts(shop).await[3..], owned(&[["receivable", "USD", "-5000"]]));
        case.refund(0, 5_000).await;
        assert_eq!(accounts(shop).await, owned(&[["clearing:MPESA", "KES", "-45"], ["fees:MPESA", "KES", "45"]]));
        case.come_again(1).await;
        assert_eq!(accounts(shop).await[3..], owned(&[["receivable", "USD", "-5000"]]));
        ledger(shop.db()).await;
    }

    /// It was never the shop's.
    async fn what_was_paid_twice_goes_back_as_the_buyers_own(shop: &Shop) {
        let mut case = Case::new(shop, 2).await;
        case.capture(0, 6_000).await;
        case.become_status(OrderStatus::Confirmed).await;
        case.capture(1, 6_000).await;
        case.refund(1, 6_000).await;
        assert_eq!(accounts(shop).await, owned(&[["clearing:MPESA", "USD", "6000"], ["revenue", "USD", "-5997"], ["rounding", "USD", "-3"]]));
        case.refund(0, 6_000).await;
        assert_eq!(accounts(shop).await, owned(&[["refunds", "USD", "5997"], ["revenue", "USD", "-5997"]]));
    }

    async fn what_went_back_without_a_refund_is_not_booked_and_not_stored(shop: &Shop) {
        let mut case = Case::new(shop, 1).await;
        case.capture(0, 6_000).await;
        let order = shop_order::Entity::find_by_id(case.order).one(shop.db().fresh()).await.unwrap().unwrap();
        let before = case.payments[0].clone();
        let after = payment::Model { refunded: 1, ..before.clone() };
        let txn = shop.db().begin().await.unwrap();
        assert!(book::payments(&txn, &[became(&order, [&before, &after], &[])], shop.now()).await.is_err());
    }

    async fn what_is_booked_is_booked_once(shop: &Shop) {
        let mut case = Case::new(shop, 1).await;
        case.capture(0, 6_000).await;
        let order = shop_order::Entity::find_by_id(case.order).one(shop.db().fresh()).await.unwrap().unwrap();
        let after = case.payments[0].clone();
        let before = payment::Model { captured: 0, ..after.clone() };
        let txn = shop.db().begin().await.unwrap();
        assert!(book::payments(&txn, &[became(&order, [&before, &after], &[])], shop.now()).await.is_err());
        txn.rollback().await.unwrap();
        ledger(shop.db()).await;
    }
}
