//! From the prompt to its end, as the worker finds it out by asking.

use souk::entity::shop_order::OrderStatus;

use super::daraja::{PUSH, QUERY};
use super::*;
use crate::payments::end;

both! {
    async fn a_buyer_who_enters_the_pin_has_paid(shop: &Shop) {
        let (sim, shop) = beside(shop).await;
        let order = prompted(&shop).await;
        after(&shop, 59).await;
        assert_eq!(sim.asked_at("POST", QUERY).len(), 0);
        after(&shop, 1).await;
        assert_eq!(statuses(&shop, order).await, ["REQUIRES_ACTION"], "the phone still shows it");
        after(&shop, 60).await;
        assert_eq!(statuses(&shop, order).await, ["PROCESSING"], "nobody sees it any more, but it may have been answered");
        sim.with(Daraja::pay);
        after(&shop, 120).await;
        assert_eq!(standing(&shop, order).await, stands("CONFIRMED", "PAID", 1_400, 0));
        assert_eq!(events(&shop, order).await, ["PLACED", "PAYMENT_PENDING", "PAYMENT_CAPTURED", "CONFIRMED"]);
        after(&shop, 10_000).await;
        assert_eq!((sim.asked_at("POST", PUSH).len(), sim.asked_at("POST", QUERY).len()), (1, 3));
        close(sim, shop).await;
    }

    async fn who_comes_back_early_need_not_wait_for_the_worker(shop: &Shop) {
        let (sim, shop) = beside(shop).await;
        let order = order(&shop).await;
        let input = json!({"gateway": "MPESA", "phone": PHONE, "idempotencyKey": "a"});
        paid(&shop, order, input.clone()).await;
        sim.with(Daraja::pay);
        shop.clock.advance(chrono::Duration::seconds(5));
        assert_eq!(pay(&shop, order, input).await["payment"]["status"], "CAPTURED");
        assert_eq!(sim.with(|daraja| daraja.prompts.len()), 1);
        close(sim, shop).await;
    }

    async fn each_no_has_its_name_and_leaves_the_order_to_be_paid(shop: &Shop) {
        let (sim, shop) = beside(shop).await;
        let order = order(&shop).await;
        let nos = [("1", "insufficient_funds"), ("1032", "cancelled_by_buyer"), ("2001", "wrong_pin"), ("1019", "expired"), ("4242", "mpesa_4242")];
        for (result, name) in nos {
            paid(&shop, order, mpesa()).await;
            sim.with(|daraja| daraja.fail(result));
            after(&shop, 60).await;
            let row = payment_of(&shop, order).await;
            assert_eq!(row.failure_code.as_deref(), Some(name));
            assert_eq!(standing(&shop, order).await, stands("PENDING_PAYMENT", "UNPAID", 0, 0));
        }
        paid(&shop, order, mpesa()).await;
        sim.with(Daraja::pay);
        after(&shop, 60).await;
        assert_eq!(statuses(&shop, order).await, ["FAILED", "FAILED", "FAILED", "FAILED", "FAILED", "CAPTURED"]);
        assert_eq!(sim.with(|daraja| daraja.money()), (14, 0));
        close(sim, shop).await;
    }

    async fn a_phone_that_is_not_reached_may_have_paid(shop: &Shop) {
        let (sim, shop) = beside(shop).await;
        let order = prompted(&shop).await;
        sim.with(|daraja| daraja.fail("1037"));
        after(&shop, 60).await;
        assert_eq!(statuses(&shop, order).await, ["PROCESSING"]);
        assert_eq!(code(&pay(&shop, order, mpesa()).await), "TRANSITION_INVALID", "no second prompt meanwhile");
        sim.with(|daraja| daraja.fail("4999"));
        after(&shop, 120).await;
        assert_eq!(statuses(&shop, order).await, ["PROCESSING"]);
        sim.with(|daraja| daraja.fail("1037"));
        after(&shop, 120).await;
        assert_eq!((statuses(&shop, order).await, payment_of(&shop, order).await.failure_code.as_deref()), (vec!["FAILED".to_owned()], Some("no_response")));
        // It had. The callback tells, and the query agrees by now.
        let sent = sim.with(Daraja::pay);
        let state = confirm(&shop, &payment_of(&shop, order).await, &sent).await.unwrap();
        assert_eq!(state.stage, souk::infra::gateways::Stage::Captured(state.money));
        assert_eq!((state.doubt, state.receipt.as_deref()), (None, Some("SJK7RT0001")));
        close(sim, shop).await;
    }

    async fn an_order_that_ends_waits_for_its_prompt(shop: &Shop) {
        let (sim, shop) = beside(shop).await;
        let order = prompted(&shop).await;
        end(&shop, order, OrderStatus::Cancelled).await;
        assert_eq!(statuses(&shop, order).await, ["REQUIRES_ACTION"], "it cannot be taken off the phone");
        sim.with(|daraja| daraja.fail("1032"));
        after(&shop, 60).await;
        assert_eq!(statuses(&shop, order).await, ["FAILED"]);
        assert_eq!(sim.with(|daraja| daraja.money()), (0, 0));
        close(sim, shop).await;
    }

    async fn money_for_an_order_that_has_ended_goes_back_as_soon_as_its_receipt_is_known(shop: &Shop) {
        let (sim, shop) = beside(shop).await;
        let order = prompted(&shop).await;
        end(&shop, order, OrderStatus::Cancelled).await;
        let sent = sim.with(Daraja::pay);
        after(&shop, 60).await;
        assert_eq!(standing(&shop, order).await, stands("CANCELLED", "PAID", 1_400, 0));
        let payment = payment_of(&shop, order).await.id;
        assert_eq!(sim.with(|daraja| daraja.reversals.len()), 0, "what to reverse is told by the callback");
        keep_receipt(&shop, order, &sent).await;
        after(&shop, 300).await;
        assert_eq!(sim.with(|daraja| daraja.reversals.len()), 1);
        after(&shop, 10_000).await;
        assert_eq!(sim.with(|daraja| (daraja.reversals.len(), daraja.reversals[0].amount)), (1, 14));
        assert_eq!(refund_of(&shop, payment).await.gateway_reference.as_deref(), Some("71840-27539181-1"));
        close(sim, shop).await;
    }

    async fn nothing_is_promised_and_nothing_captured_later(shop: &Shop) {
        let (sim, shop) = beside(shop).await;
        let order = prompted(&shop).await;
        let row = payment_of(&shop, order).await;
        let state = gateway(&shop).void("key", &told(&row)).await.unwrap();
        assert!(matches!(state.stage, souk::infra::gateways::Stage::RequiresAction(_)), "as it stands");
        let captured = gateway(&shop).capture("key", &told(&row), state.money).await;
        assert!(matches!(captured, Err(Fault::Refused(reason)) if reason.code == "not_supported"));
        close(sim, shop).await;
    }
}
