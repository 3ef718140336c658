//! Money that goes back: asked for once, and done when its result says so.

use souk::domain::payments::inbox::apply_due;
use souk::infra::gateways::{Return, ReturnStage};

use super::super::sim::{Answer, Mishap};
use super::daraja::{REVERSE, Sent, TOKEN};
use super::*;
use crate::payments::system;

/// An order that is paid, with a receipt that is known.
async fn bought(sim: &Sim<Daraja>, shop: &Shop) -> (OrderId, PaymentId) {
    let order = prompted(shop).await;
    let sent = sim.with(Daraja::pay);
    after(shop, 60).await;
    keep_receipt(shop, order, &sent).await;
    (order, payment_of(shop, order).await.id)
}

async fn back(shop: &Shop, payment: PaymentId) -> Value {
    staff(shop, "refundCreate", json!({"paymentId": payment.to_string()})).await
}

async fn confirm_refund(shop: &Shop, payment: PaymentId, sent: &Sent) -> Return {
    verify(shop, &message(shop, sent)).await.unwrap();
    let rows = payments(shop).await;
    let row = rows.iter().find(|row| row.id == payment).unwrap();
    let refund = told_refund(&refund_of(shop, payment).await);
    let body = sent.body.to_string();
    let (transaction, gateway) = (told(row), gateway(shop));
    let told = gateway.confirm_refund(&transaction, &refund, body.as_bytes());
    told.await.unwrap()
}

fn failure(told: &Return) -> &str {
    match &told.stage {
        ReturnStage::Failed(reason) => &reason.code,
        ReturnStage::Pending => "pending",
        ReturnStage::Succeeded => "succeeded",
    }
}

both! {
    async fn a_refund_is_pending_until_its_result_comes(shop: &Shop) {
        let (sim, shop) = beside(shop).await;
        let (_, payment) = bought(&sim, &shop).await;
        let payload = back(&shop, payment).await;
        assert_eq!((&payload["refund"]["status"], &payload["refund"]["amount"]["amount"], &payload["userErrors"]), (&json!("PENDING"), &json!("14.00"), &json!([])));
        assert_eq!(code(&back(&shop, payment).await), "AMOUNT_EXCEEDS_REFUNDABLE", "what is on its way counts");
        after(&shop, 10_000).await;
        assert_eq!((sim.asked_at("POST", REVERSE).len(), refund_of(&shop, payment).await.gateway_reference.as_deref()), (1, Some("71840-27539181-1")));
        let sent = sim.with(Daraja::settle);
        let told = confirm_refund(&shop, payment, &sent).await;
        assert_eq!((failure(&told), told.money.minor, told.reference.as_deref()), ("succeeded", 1_400, Some("71840-27539181-1")));
        assert_eq!(sim.with(|daraja| daraja.money()), (14, 14));
        close(sim, shop).await;
    }

    async fn a_result_says_what_came_of_its_own_reversal_alone(shop: &Shop) {
        let (sim, shop) = beside(shop).await;
        let (_, payment) = bought(&sim, &shop).await;
        back(&shop, payment).await;
        let reversal = sim.with(|daraja| daraja.reversals[0].clone());
        for (result, name) in [(json!(0), "succeeded"), (json!("0"), "succeeded"), (json!(21), "mpesa_21"), (json!("R000002"), "mpesa_r000002"), (json!("R000001"), "already_reversed")] {
            let told = confirm_refund(&shop, payment, &Daraja::result(&reversal, &result)).await;
            assert_eq!(failure(&told), name);
        }
        let mut other = Daraja::result(&reversal, &json!(0));
        other.body["Result"]["OriginatorConversationID"] = json!("another");
        let told = confirm_refund(&shop, payment, &other).await;
        assert_eq!((failure(&told), told.reference.as_deref()), ("pending", Some("71840-27539181-1")));
        let mut less = Daraja::result(&reversal, &json!(0));
        less.body["Result"]["ResultParameters"]["ResultParameter"][1]["Value"] = json!("13.00");
        assert_eq!(confirm_refund(&shop, payment, &less).await.money.minor, 1_300, "for people to look at");
        close(sim, shop).await;
    }

    async fn a_lost_answer_never_reverses_twice(shop: &Shop) {
        let (sim, shop) = beside(shop).await;
        let broken = Mishap::Answers(Answer::json(500, &json!({"errorCode": "500.003.02"})));
        for (place, mishap) in [Mishap::LosesAnswer, Mishap::LosesRequest, broken].into_iter().enumerate() {
            let (_, payment) = bought(&sim, &shop).await;
            sim.mishap(REVERSE, mishap);
            assert_eq!(back(&shop, payment).await["refund"]["status"], "PENDING");
            for _ in 0..6 {
                after(&shop, 900).await;
            }
            assert_eq!(sim.asked_at("POST", REVERSE).len(), place + 1);
            assert_eq!(code(&back(&shop, payment).await), "AMOUNT_EXCEEDS_REFUNDABLE");
            if place == 0 {
                let sent = sim.with(Daraja::settle);
                let told = confirm_refund(&shop, payment, &sent).await;
                assert_eq!((failure(&told), told.reference.as_deref()), ("succeeded", Some("71840-27539181-1")), "its result tells its name");
            }
        }
        close(sim, shop).await;
    }

    async fn people_are_told_once_of_what_nobody_tells_for_a_day(shop: &Shop) {
        let (sim, shop) = beside(shop).await;
        for (place, answered) in [false, true].into_iter().enumerate() {
            let (order, payment) = bought(&sim, &shop).await;
            if !answered {
                sim.mishap(REVERSE, Mishap::LosesAnswer);
            }
            back(&shop, payment).await;
            let reviews = async || events(&shop, order).await.iter().filter(|kind| *kind == "REVIEW_REQUIRED").count();
            for _ in 0..95 {
                after(&shop, 900).await;
            }
            assert_eq!(reviews().await, 0, "it may take a day");
            for _ in 0..20 {
                after(&shop, 900).await;
            }
            assert_eq!((reviews().await, sim.asked_at("POST", REVERSE).len()), (1, place + 1));
            // It comes after all.
            let sent = sim.with(Daraja::settle);
            shop.post_to(address(&sent), &[], sent.body.to_string()).await;
            apply_due(&system(&shop)).await.unwrap();
            assert_eq!(standing(&shop, order).await, stands("CONFIRMED", "REFUNDED", 1_400, 1_400));
            after(&shop, 100_000).await;
            assert_eq!(reviews().await, 1);
        }
        close(sim, shop).await;
    }

    async fn what_was_never_heard_is_asked_for_later(shop: &Shop) {
        let (sim, shop) = beside(shop).await;
        let (_, payment) = bought(&sim, &shop).await;
        let busy = || Mishap::Answers(Answer::json(503, &json!({})));
        // The token is gone, and there is no other one to be had; then everybody asks too much.
        sim.with(Daraja::forget_tokens);
        sim.mishap(TOKEN, busy()).mishap(TOKEN, busy()).mishap(TOKEN, busy());
        assert_eq!(back(&shop, payment).await["refund"]["status"], "PENDING");
        sim.mishap(REVERSE, Mishap::Answers(Answer::json(429, &json!({}))));
        after(&shop, 2).await;
        assert_eq!((sim.asked_at("POST", REVERSE).len(), sim.with(|daraja| daraja.reversals.len())), (2, 0));
        work(&shop).await;
        assert_eq!(sim.asked_at("POST", REVERSE).len(), 2, "not before its time");
        for _ in 0..4 {
            after(&shop, 60).await;
        }
        assert_eq!((sim.asked_at("POST", REVERSE).len(), sim.with(|daraja| daraja.reversals.len())), (3, 1));
        assert_eq!(refund_of(&shop, payment).await.gateway_reference.as_deref(), Some("71840-27539181-1"));
        close(sim, shop).await;
    }

    async fn a_definite_no_can_be_tried_anew(shop: &Shop) {
        let (sim, shop) = beside(shop).await;
        let (_, payment) = bought(&sim, &shop).await;
        let no = json!({"errorCode": "400.002.02", "errorMessage": "Bad Request - Invalid TransactionID SJK7RT0001"});
        sim.mishap(REVERSE, Mishap::Answers(Answer::json(400, &no)));
        let failed = back(&shop, payment).await;
        assert_eq!((code(&failed), &failed["refund"]["status"]), ("PAYMENT_DECLINED", &json!("FAILED")));
        assert!(!failed.to_string().contains("SJK7RT0001"));
        let cents = json!({"paymentId": payment.to_string(), "amount": {"amount": "0.50", "currencyCode": "KES"}});
        assert_eq!(code(&staff(&shop, "refundCreate", cents).await), "INVALID");
        assert_eq!(sim.asked_at("POST", REVERSE).len(), 1, "no half shillings");
        assert_eq!(back(&shop, payment).await["refund"]["status"], "PENDING");
        close(sim, shop).await;
    }

    async fn without_a_receipt_people_reverse_it_by_hand(shop: &Shop) {
        let (sim, shop) = beside(shop).await;
        let order = prompted(&shop).await;
        sim.with(Daraja::pay);
        after(&shop, 60).await;
        let payment = payment_of(&shop, order).await.id;
        assert_eq!(back(&shop, payment).await["refund"]["status"], "PENDING", "the callback may still tell it");
        for _ in 0..5 {
            after(&shop, 900).await;
        }
        assert_eq!(refund_of(&shop, payment).await.status, souk::entity::refund::RefundStatus::Failed);
        let failed = back(&shop, payment).await;
        assert_eq!((code(&failed), &failed["refund"]["status"]), ("PAYMENT_DECLINED", &json!("FAILED")));
        assert_eq!(sim.asked_at("POST", REVERSE).len(), 0);
        close(sim, shop).await;
    }

    async fn what_a_shop_may_not_reverse_its_staff_give_back_by_hand(shop: &Shop) {
        let (sim, able) = beside(shop).await;
        assert!(gateway(&able).capabilities().refunds);
        let (order, payment) = bought(&sim, &able).await;
        let base = sim.base();
        let unable = shop.beside(&[("MPESA_API_BASE", &base), ("MPESA_CONSUMER_KEY", KEY), ("MPESA_CONSUMER_SECRET", SECRET), ("MPESA_SHORTCODE", SHORTCODE),
            ("MPESA_PASSKEY", PASSKEY), ("MPESA_CALLBACK_SECRET", WORD)]).await;
        assert!(!gateway(&unable).capabilities().refunds);
        assert_eq!(back(&unable, payment).await["refund"]["status"], "SUCCEEDED");
        assert_eq!(standing(&unable, order).await, stands("CONFIRMED", "REFUNDED", 1_400, 1_400));
        assert_eq!(sim.asked_at("POST", REVERSE).len(), 0);
        unable.close().await;
        close(sim, able).await;
    }
}
