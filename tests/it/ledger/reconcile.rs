//! `souk payments reconcile`: what it finds, what it says, and how it ends.

use std::process::{Command, Output};

use chrono::{DateTime, Duration, Utc};
use serde_json::{Value, json};
use souk::domain::payments::reconcile::{Difference, Report, Scope, Silence, Watch, reconcile};
use souk::entity::payment::PaymentGatewayName;
use souk::infra::gateways::{Reason, ReturnStage, Stage};
use souk::kernel::money::{Currency, Money};

use super::wild::{How, Kept, Wild};
use super::{staff, thing};
use crate::support::buyer::{GuestOrder, PAY};
use crate::support::process::souk;
use crate::support::{As, Kind, Shop};

#[derive(Default)]
struct Heard {
    differences: Vec<Difference>,
    silences: Vec<Silence>,
    last: (u64, u64),
}

impl Watch for Heard {
    fn advanced(&mut self, done: u64, total: u64) {
        self.last = (done, total);
    }

    fn differs(&mut self, difference: Difference) {
        self.differences.push(difference);
    }

    fn silent(&mut self, silence: Silence) {
        self.silences.push(silence);
    }
}

async fn compared(shop: &Shop, gateway: Option<PaymentGatewayName>, since: DateTime<Utc>) -> (Report, Heard) {
    let mut heard = Heard::default();
    let report = reconcile(&shop.system(), &Scope { gateway, since }, &mut heard)
        .await
        .unwrap();
    assert_eq!(report.differences, heard.differences.len() as u64);
    assert_eq!(report.silences, heard.silences.len() as u64);
    assert_eq!(heard.last, (report.payments, report.payments));
    (report, heard)
}

/// Whatever differs, each in one line without its subject and its advice.
pub(super) async fn differences(shop: &Shop) -> Vec<String> {
    let (report, heard) = compared(shop, None, DateTime::UNIX_EPOCH).await;
    assert_eq!(report.silences, 0, "{:?}", heard.silences);
    let line = |found: &Difference| {
        format!(
            "{}: {} here, {} by {}",
            found.what, found.ours, found.theirs, found.by
        )
    };
    heard.differences.iter().map(line).collect()
}

async fn pay(shop: &Shop, order: &GuestOrder, gateway: &str) -> Value {
    let input = json!({"orderId": order.id, "gateway": gateway, "idempotencyKey": order.id});
    let data = shop
        .data(As::Anonymous, PAY, json!({"input": input, "token": order.token}))
        .await;
    data["paymentCreate"]["payment"]["id"].clone()
}

fn dollars(minor: i64) -> Money {
    Money::new(minor, Currency::USD)
}

both! {
    async fn what_differs_from_the_gateway_is_found(shop: &Shop) {
        let (gateway, shop) = Wild::beside(shop).await;
        let thing = thing(&shop).await;
        let order = shop.ordered(&[(&thing, 1)]).await;
        let payment = pay(&shop, &order, "STRIPE").await;
        let amount = json!({"amount": "5", "currencyCode": "USD"});
        let refund = json!({"paymentId": payment, "amount": amount, "idempotencyKey": "a"});
        assert_eq!(staff(&shop, "refundCreate", refund).await["userErrors"], json!([]));
        assert_eq!(differences(&shop).await, Vec::<String>::new());

        let kept = gateway.mind().kept.values().next().unwrap().clone();
        let differs = async |change: &dyn Fn(&mut Kept), expected: &[&str]| {
            gateway.change(0, |kept| change(kept));
            assert_eq!(differences(&shop).await, expected);
            gateway.change(0, |now| *now = kept.clone());
        };
        differs(&|kept| kept.money = dollars(2_100), &["amount: 20.00 USD here, 21.00 USD by STRIPE"]).await;
        differs(&|kept| kept.money = Money::new(2_000, "EUR".parse().unwrap()), &[
            "amount: 20.00 USD here, 20.00 EUR by STRIPE", "refunded: 5.00 USD here, 5.00 EUR by STRIPE"]).await;
        differs(&|kept| kept.stage = Stage::Captured(dollars(1_900)), &["captured: 20.00 USD here, 19.00 USD by STRIPE"]).await;
        differs(&|kept| kept.stage = Stage::Voided, &[
            "status: captured here, over without money by STRIPE", "captured: 20.00 USD here, 0.00 USD by STRIPE"]).await;
        differs(&|kept| kept.elsewhere = 100, &["refunded: 5.00 USD here, 6.00 USD by STRIPE"]).await;
        differs(&|kept| kept.fee = Some(dollars(88)), &["fee: not known yet here, 0.88 USD by STRIPE"]).await;
        differs(&|kept| for (_, stage) in kept.refunds.values_mut() { *stage = ReturnStage::Failed(Reason::new("no", "No.")) }, &[
            "refunded: 5.00 USD here, 0.00 USD by STRIPE", "status: SUCCEEDED here, FAILED by STRIPE"]).await;
        differs(&|kept| for (money, _) in kept.refunds.values_mut() { *money = dollars(400) }, &[
            "refunded: 5.00 USD here, 4.00 USD by STRIPE", "amount: 5.00 USD here, 4.00 USD by STRIPE"]).await;
        let mut none = std::collections::BTreeMap::new();
        std::mem::swap(&mut gateway.mind().kept, &mut none);
        let (report, heard) = compared(&shop, None, shop.now()).await;
        assert_eq!((heard.differences[0].ours.as_str(), heard.differences[0].theirs.as_str()), ("PARTIALLY_REFUNDED", "nothing is known of it"));
        assert_eq!(heard.silences[0].subject.as_deref(), payment.as_str(), "its refund is not known either");
        assert!(!report.agrees());
        shop.close().await;
    }

    async fn only_what_is_open_or_has_changed_is_looked_at(shop: &Shop) {
        let (gateway, shop) = Wild::beside(shop).await;
        let thing = thing(&shop).await;
        let order = shop.ordered(&[(&thing, 1)]).await;
        pay(&shop, &order, "STRIPE").await;
        gateway.mind().how = How::Asks;
        let order = shop.ordered(&[(&thing, 1)]).await;
        pay(&shop, &order, "STRIPE").await;
        shop.clock.advance(Duration::minutes(1));
        for (gateway, since, looked) in [
            (None, shop.now() - Duration::minutes(1), 2),
            (Some(PaymentGatewayName::Stripe), shop.now(), 1),
            (Some(PaymentGatewayName::Paypal), DateTime::UNIX_EPOCH, 0),
        ] {
            let (report, _) = compared(&shop, gateway, since).await;
            assert_eq!((report.payments, report.agrees()), (looked, true));
        }
        // It is paid there, and nobody has said so.
        gateway.change(0, |kept| kept.buyer());
        assert_eq!(differences(&shop).await, ["status: open here, captured by STRIPE", "captured: 0.00 USD here, 20.00 USD by STRIPE"]);
        shop.close().await;
    }

    async fn what_is_still_asked_after_is_not_called_over(shop: &Shop) {
        let (gateway, shop) = Wild::beside(shop).await;
        let thing = thing(&shop).await;
        gateway.mind().how = How::Asks;
        let order = shop.ordered(&[(&thing, 1)]).await;
        pay(&shop, &order, "STRIPE").await;
        let advice = async || {
            let (_, heard) = compared(&shop, None, DateTime::UNIX_EPOCH).await;
            heard.differences.iter().map(|found| (found.what, found.advice.split(':').next().unwrap())).collect::<Vec<_>>()
        };
        gateway.change(0, |kept| kept.money = dollars(2_100));
        assert_eq!(advice().await, [("amount", "The worker still asks after it by itself")]);
        gateway.mind().kept.clear();
        assert_eq!(advice().await, [("status", "The worker still asks after it by itself")]);

        // It is over here, and nobody asks.
        let id = match shop.kind {
            Kind::Sqlite => format!("x'{}'", order.order_id().0.simple()),
            Kind::Postgres => format!("'{}'", order.order_id().0),
        };
        shop.execute(&format!("UPDATE payment SET status = 'VOIDED', look_at = NULL WHERE order_id = {id}")).await.unwrap();
        assert_eq!(advice().await, [("status", "Nothing here asks after it any more")]);
        shop.close().await;
    }

    async fn a_gateway_without_settings_is_a_silence(shop: &Shop) {
        let (_gateway, beside) = Wild::beside(shop).await;
        let thing = thing(&beside).await;
        for _ in 0..2 {
            let order = beside.ordered(&[(&thing, 1)]).await;
            pay(&beside, &order, "STRIPE").await;
        }
        beside.close().await;
        shop.paid(&[(&thing, 1)]).await;
        let (report, heard) = compared(shop, None, DateTime::UNIX_EPOCH).await;
        assert_eq!((report.payments, report.differences, report.silences, report.agrees()), (3, 0, 1, false));
        assert_eq!((report.not_asked["TEST"], report.without_settings["STRIPE"]), (1, 2));
        let why = "it has no settings, and 2 payments were compared with the ledger alone";
        assert_eq!(heard.silences, [Silence { subject: None, by: "STRIPE".to_owned(), why: why.to_owned() }]);

        let told = run(shop, &["--since", "2026-01-01"]);
        assert_eq!((told.status.code(), text(&told.stdout)), (Some(1), ""));
        assert_eq!(text(&told.stderr), format!("STRIPE was not asked: {why}\nCompared 3 payments with the ledger.\n\
            Of these the gateway remembers nothing: 1 TEST.\n1 question was not answered.\n"));
        let told = run(shop, &["--since", "2026-01-01", "--json"]);
        let all: Value = serde_json::from_slice(&told.stdout).unwrap();
        assert_eq!((&all["report"]["withoutSettings"], &all["silences"][0]["by"]), (&json!({"STRIPE": 2}), &json!("STRIPE")));
        assert_eq!(run(shop, &["--since", "2026-01-01", "--gateway", "test"]).status.code(), Some(0));
    }

    async fn a_gateway_that_is_away_is_named_and_not_asked_for_ever(shop: &Shop) {
        let (gateway, shop) = Wild::beside(shop).await;
        let thing = thing(&shop).await;
        for _ in 0..130 {
            let order = shop.ordered(&[(&thing, 1)]).await;
            pay(&shop, &order, "STRIPE").await;
        }
        gateway.mind().away = true;
        let before = gateway.mind().asked;
        let (report, heard) = compared(&shop, None, DateTime::UNIX_EPOCH).await;
        assert_eq!((report.payments, report.silences, report.agrees()), (130, 130, false));
        assert_eq!(gateway.mind().asked - before, 100);
        assert_eq!((heard.silences[0].by.as_str(), heard.silences[0].why.as_str()), ("STRIPE", "away"));
        assert_eq!(heard.silences[129].why, "not asked any more: it did not answer before");
        shop.close().await;
    }

    async fn the_command_says_what_differs_from_the_ledger_and_ends_with_1(shop: &Shop) {
        let thing = thing(shop).await;
        let order = shop.paid(&[(&thing, 1)]).await;
        shop.paid(&[(&thing, 2)]).await;
        let since = ["--since", "2026-01-01"];
        let agrees = run(shop, &since);
        assert_eq!((agrees.status.code(), text(&agrees.stdout)), (Some(0), ""), "{}", text(&agrees.stderr));
        assert_eq!(text(&agrees.stderr), "Compared 2 payments with the ledger.\n\
            Of these the gateway remembers nothing: 2 TEST.\nEverything agrees.\n");
        // Nothing has changed for a week.
        assert!(text(&run(shop, &[]).stderr).starts_with("Compared 0 payments"));
        assert!(text(&run(shop, &["--since", "2026-01-01T00:00:00Z", "--gateway", "stripe"]).stderr).starts_with("Compared 0 payments"));

        let id = match shop.kind {
            Kind::Sqlite => format!("x'{}'", order.order_id().0.simple()),
            Kind::Postgres => format!("'{}'", order.order_id().0),
        };
        shop.execute(&format!("UPDATE payment SET captured = captured - 1 WHERE order_id = {id}")).await.unwrap();
        let differs = run(shop, &since);
        let lines: Vec<&str> = text(&differs.stdout).lines().collect();
        assert_eq!((differs.status.code(), lines.len()), (Some(1), 2), "{lines:?}");
        assert!(lines[0].starts_with("payment_") && lines[0].contains(": captured: 19.98 USD here, 19.99 USD by ledger. This is a fault"), "{}", lines[0]);
        assert!(lines[1].starts_with(&order.id) && lines[1].contains(": owed: 0.01 USD here, 0.00 USD by ledger."), "{}", lines[1]);
        assert!(text(&differs.stderr).ends_with("2 things differ.\n"));
        let differs = run(shop, &[since.as_slice(), &["--json"]].concat());
        let all: Value = serde_json::from_slice(&differs.stdout).unwrap();
        assert_eq!((differs.status.code(), &all["report"]["differences"], &all["silences"]), (Some(1), &json!(2), &json!([])));
        assert_eq!((&all["differences"][1]["subject"], &all["differences"][1]["what"]), (&json!(order.id), &json!("owed")));
        assert_eq!(all["report"]["notAsked"], json!({"TEST": 2}));

        for wrong in [["--since", "yesterday"], ["--gateway", "barter"], ["--jsn", "x"]] {
            assert_eq!(run(shop, &wrong).status.code(), Some(2), "{wrong:?}");
        }
    }
}

fn run(shop: &Shop, arguments: &[&str]) -> Output {
    let folder = tempfile::tempdir().unwrap();
    let mut command: Command = souk(folder.path(), shop.url());
    command
        .args(["payments", "reconcile"])
        .args(arguments)
        .output()
        .unwrap()
}

fn text(bytes: &[u8]) -> &str {
    std::str::from_utf8(bytes).unwrap()
}
