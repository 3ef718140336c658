//! What may happen to a payment by M-Pesa, in every order; and money that comes when its order is over.

use std::collections::HashSet;
use std::sync::Mutex;
use std::sync::atomic::{AtomicU32, Ordering};

use souk::domain::checkout::expire::expire_due;
use souk::domain::payments::inbox::apply_due;

use super::super::interleave::{Books, Scene, Told, after_paying, at_any_time};
use super::super::sim::Mishap;
use super::daraja::{PUSH, Prompt, Sent};
use super::*;
use crate::payments::{held, place, sell_out, system};

/// Daraja, and buyers of whom each has a phone.
struct Play {
    sim: Sim<Daraja>,
    phones: AtomicU32,
    /// The addresses at which everything has been told.
    told: Mutex<HashSet<String>>,
}

impl Play {
    async fn start() -> Self {
        Self {
            sim: Sim::start(Daraja::default()).await,
            phones: AtomicU32::new(712_000_000),
            told: Mutex::default(),
        }
    }

    fn prompts_of(&self, row: &payment::Model) -> Vec<Prompt> {
        let mut prompts = self.sim.with(|daraja| daraja.prompts.clone());
        prompts.retain(|prompt| prompt.callback.contains(&row.id.to_string()));
        prompts
    }

    fn end(self) {
        assert_eq!(
            self.sim.with(|daraja| daraja.complaints.clone()),
            Vec::<String>::new()
        );
    }
}

fn as_told(sent: &Sent) -> Told {
    Told {
        address: address(sent).to_owned(),
        headers: vec![("content-type".to_owned(), "application/json".to_owned())],
        body: sent.body.to_string(),
    }
}

impl Scene for Play {
    fn settings(&self) -> Vec<(String, String)> {
        let base = self.sim.base();
        settings(&base)
            .map(|(name, value)| (name.to_owned(), value.to_owned()))
            .to_vec()
    }

    fn currency(&self) -> &'static str {
        "KES"
    }

    fn input(&self) -> Value {
        let phone = self.phones.fetch_add(1, Ordering::SeqCst);
        json!({"gateway": "MPESA", "phone": format!("+254{phone}")})
    }

    /// Nothing takes the prompt off the phone but its owner.
    fn buyer_pays(&self, row: &payment::Model) -> bool {
        self.sim
            .with(|daraja| daraja.pay_for(&row.id.to_string()))
            .is_some()
    }

    fn message(&self, _: &Shop, row: &payment::Model) -> Told {
        let sent = Daraja::callback(&self.prompts_of(row)[0]);
        self.told.lock().unwrap().insert(sent.url.clone());
        as_told(&sent)
    }

    /// Callbacks that are late, and what came of reversals.
    fn further_messages(&self, _: &Shop) -> Vec<Told> {
        let sent = self.sim.with(|daraja| {
            let answered = daraja.prompts.iter().filter(|prompt| prompt.result.is_some());
            let mut sent: Vec<Sent> = answered.map(Daraja::callback).collect();
            let known = self.told.lock().unwrap();
            for place in 0..daraja.reversals.len() {
                if !known.contains(&daraja.reversals[place].result_url) {
                    sent.push(daraja.settle_at(place));
                }
            }
            sent
        });
        let mut known = self.told.lock().unwrap();
        let new = sent.iter().filter(|sent| known.insert(sent.url.clone()));
        new.map(as_told).collect()
    }

    fn books(&self, row: &payment::Model) -> Books {
        let prompts = self.prompts_of(row);
        let receipts: Vec<&String> = prompts
            .iter()
            .filter_map(|prompt| prompt.receipt.as_ref())
            .collect();
        let paid = prompts.iter().filter(|prompt| prompt.receipt.is_some());
        let back: i64 = self.sim.with(|daraja| {
            let reversals = daraja.reversals.iter().filter(|reversal| reversal.done);
            let ours = reversals.filter(|reversal| receipts.contains(&&reversal.receipt));
            ours.map(|reversal| reversal.amount).sum()
        });
        Books {
            taken: 100 * paid.map(|prompt| prompt.amount).sum::<i64>(),
            back: 100 * back,
            times: receipts.len(),
        }
    }

    fn holds_orders(&self) -> bool {
        true
    }
}

/// What a phone may do that makes us take its payment for failed, although it is made.
#[derive(Clone, Copy)]
enum Late {
    /// We never learnt the prompt's name.
    Unnamed,
    /// The phone cannot be reached, for minutes.
    Unreachable,
}

/// An order that has expired because its payment seemed to have failed, and what tells that it has not.
async fn paid_late(sim: &Sim<Daraja>, shop: &Shop, late: Late) -> (OrderId, Sent) {
    let order = place(shop, None, "KES", 1_950).await;
    if matches!(late, Late::Unnamed) {
        sim.mishap(PUSH, Mishap::LosesAnswer);
    }
    paid(shop, order, mpesa()).await;
    if matches!(late, Late::Unreachable) {
        sim.with(|daraja| daraja.fail("1037"));
    }
    for _ in 0..30 {
        after(shop, 60).await;
        expire_due(&system(shop)).await.unwrap();
    }
    assert_eq!(standing(shop, order).await, stands("EXPIRED", "UNPAID", 0, 0));
    (order, sim.with(Daraja::pay))
}

async fn tell(shop: &Shop, sent: &Sent) {
    assert_eq!(as_told(sent).send(shop).await, axum::http::StatusCode::OK);
    apply_due(&system(shop)).await.unwrap();
    work(shop).await;
}

both! {
    async fn whatever_happens_after_paying_it_ends_the_same(shop: &Shop) {
        let play = Play::start().await;
        after_paying(shop, &play).await;
        play.end();
    }

    async fn whenever_the_buyer_pays_it_ends_right(shop: &Shop) {
        let play = Play::start().await;
        at_any_time(shop, &play).await;
        play.end();
    }

    async fn late_money_buys_what_is_still_there(shop: &Shop) {
        let (sim, shop) = beside(shop).await;
        for late in [Late::Unnamed, Late::Unreachable] {
            let (order, sent) = paid_late(&sim, &shop, late).await;
            tell(&shop, &sent).await;
            assert_eq!(standing(&shop, order).await, stands("CONFIRMED", "PAID", 5_900, 0));
            assert_eq!(held(&shop, order).await, ("3".to_owned(), "3".to_owned()));
        }
        assert_eq!(sim.with(|daraja| (daraja.reversals.len(), daraja.money())), (0, (118, 0)));
        shop.balance().await;
        close(sim, shop).await;
    }

    async fn late_money_goes_back_when_the_goods_are_gone(shop: &Shop) {
        let (sim, shop) = beside(shop).await;
        for late in [Late::Unnamed, Late::Unreachable] {
            let (order, sent) = paid_late(&sim, &shop, late).await;
            sell_out(&shop, order).await;
            for _ in 0..2 {
                tell(&shop, &sent).await;
                after(&shop, 60).await;
            }
            assert_eq!(standing(&shop, order).await, stands("EXPIRED", "PAID", 5_900, 0), "on its way");
            let result = sim.with(Daraja::settle);
            for _ in 0..2 {
                tell(&shop, &result).await;
            }
            assert_eq!(standing(&shop, order).await, stands("EXPIRED", "REFUNDED", 5_900, 5_900));
            let told = events(&shop, order).await;
            assert_eq!(told[told.len() - 4..], ["PAYMENT_CAPTURED", "REVIEW_REQUIRED", "REFUND_PENDING", "REFUNDED"]);
        }
        assert_eq!(sim.with(|daraja| (daraja.reversals.len(), daraja.money())), (2, (118, 118)));
        // Goods were taken away without a movement: of the books only the money's are right.
        close(sim, shop).await;
    }

    async fn of_two_prompts_that_are_paid_one_goes_back(shop: &Shop) {
        let (sim, shop) = beside(shop).await;
        for second_is_paid_first in [true, false] {
            let order = place(&shop, None, "KES", 1_950).await;
            let first = paid(&shop, order, mpesa()).await;
            sim.with(|daraja| daraja.fail("1037"));
            for _ in 0..9 {
                after(&shop, 60).await;
            }
            assert_eq!(statuses(&shop, order).await, ["FAILED"]);
            paid(&shop, order, mpesa()).await;
            let pay_first = || sim.with(|daraja| daraja.pay_for(first.as_str().unwrap())).unwrap();
            if second_is_paid_first {
                let second = sim.with(Daraja::pay);
                tell(&shop, &second).await;
                tell(&shop, &pay_first()).await;
            } else {
                tell(&shop, &pay_first()).await;
                assert_eq!(statuses(&shop, order).await, ["REQUIRES_REVIEW", "REQUIRES_ACTION"]);
                let second = sim.with(Daraja::pay);
                tell(&shop, &second).await;
            }
            after(&shop, 60).await;
            let result = sim.with(Daraja::settle);
            tell(&shop, &result).await;
            assert_eq!(statuses(&shop, order).await, ["REFUNDED", "CAPTURED"]);
            assert_eq!(standing(&shop, order).await, stands("CONFIRMED", "PARTIALLY_REFUNDED", 11_800, 5_900));
            assert!(events(&shop, order).await.contains(&"REVIEW_REQUIRED".to_owned()));
        }
        assert_eq!(sim.with(|daraja| (daraja.reversals.len(), daraja.money())), (2, (236, 118)));
        shop.balance().await;
        close(sim, shop).await;
    }
}
