//! Each way that a payment by PayPal may go when nothing is broken.

use rust_decimal::Decimal;
use serde_json::json;
use souk::entity::shop_order::OrderStatus;

use super::*;
use crate::payments::{code, end, events, standing, stands};

both! {
    async fn a_charge_is_approved_and_captured(shop: &Shop) {
        let world = World::beside(shop).await;
        let (order, payment) = world.begin("CHARGE").await;
        assert_eq!(payment["status"], "REQUIRES_ACTION");
        assert_eq!(payment["action"]["url"], world.sim.with(|paypal| paypal.last().page()));
        world.check_money("0", "0");
        world.approved().await;
        assert_eq!(standing(&world.shop, order).await, stands("CONFIRMED", "PAID", 5_997, 0));
        let row = world.payment().await;
        assert_eq!(row.gateway_reference, world.sim.with(|paypal| Some(paypal.last().id.clone())));
        assert_eq!(row.gateway_receipt, world.sim.with(|paypal| Some(paypal.last().captures[0].id.clone())));
        assert_eq!((row.fee, row.fee_currency.as_deref()), (Some(204), Some("USD")));
        assert_eq!(row.look_at, None);
        world.check_money("59.97", "0");
        assert_eq!(events(&world.shop, order).await, ["PLACED", "PAYMENT_PENDING", "PAYMENT_CAPTURED", "CONFIRMED"]);
        world.finish().await;
    }

    async fn a_capture_under_review_is_awaited(shop: &Shop) {
        let world = World::beside(shop).await;
        world.sim.with(|paypal| paypal.captures_become = "PENDING");
        let (order, _) = world.paid("CHARGE").await;
        assert_eq!(world.status(order).await, "PROCESSING", "an order that is COMPLETED is not money");
        world.check_money("0", "0");
        world.sim.with(|paypal| paypal.last().captures[0].status = "COMPLETED");
        world.later(1_000).await;
        assert_eq!(standing(&world.shop, order).await, stands("CONFIRMED", "PAID", 5_997, 0));
        assert_eq!(world.sim.with(|paypal| paypal.last().captures.len()), 1);
        world.finish().await;
    }

    async fn a_capture_that_fails_in_the_end_has_failed(shop: &Shop) {
        let world = World::beside(shop).await;
        for (at_first, in_the_end) in [("PENDING", "DECLINED"), ("PENDING", "FAILED"), ("DECLINED", "DECLINED"), ("SOMETHING_NEW", "FAILED")] {
            world.sim.with(|paypal| paypal.captures_become = at_first);
            let (order, _) = world.paid("CHARGE").await;
            world.sim.with(|paypal| paypal.last().captures[0].status = in_the_end);
            world.later(1_000).await;
            assert_eq!(world.status(order).await, "FAILED", "{at_first} {in_the_end}");
            assert_eq!(standing(&world.shop, order).await, stands("PENDING_PAYMENT", "UNPAID", 0, 0));
        }
        world.check_money("0", "0");
        world.finish().await;
    }

    async fn a_declined_card_sends_the_buyer_back_to_choose_another(shop: &Shop) {
        let world = World::beside(shop).await;
        for issue in ["INSTRUMENT_DECLINED", "CARD_EXPIRED"] {
            world.sim.with(|paypal| paypal.refuses = Some(issue));
            let (order, _) = world.paid("CHARGE").await;
            let row = crate::payments::payments(&world.shop).await.pop().unwrap();
            assert_eq!(world.status(order).await, "REQUIRES_ACTION", "{issue}");
            assert_eq!(row.failure_code, Some(issue.to_ascii_lowercase()));
            let message = row.failure_message.unwrap();
            assert!(!message.contains("5O190127TN364715T"), "{message}");
            assert!(events(&world.shop, order).await.contains(&"PAYMENT_FAILED".to_owned()));
            world.sim.with(PayPal::approve);
            world.later(300).await;
            assert_eq!(standing(&world.shop, order).await, stands("CONFIRMED", "PAID", 5_997, 0));
        }
        world.check_money("119.94", "0");
        world.finish().await;
    }

    async fn what_paypal_refuses_each_time_has_failed(shop: &Shop) {
        let world = World::beside(shop).await;
        for issue in ["MAX_NUMBER_OF_PAYMENT_ATTEMPTS_EXCEEDED", "COMPLIANCE_VIOLATION", "TRANSACTION_REFUSED"] {
            world.sim.with(|paypal| (paypal.refuses, paypal.keeps_approval) = (Some(issue), true));
            let (order, _) = world.paid("CHARGE").await;
            assert_eq!(world.status(order).await, "FAILED", "{issue}");
            // Nothing stands in the way of paying anew.
            let again = crate::payments::pay(&world.shop, order, json!({"gateway": "PAYPAL"})).await;
            assert_eq!(again["payment"]["status"], "REQUIRES_ACTION", "{again}");
        }
        world.check_money("0", "0");
        world.finish().await;
    }

    async fn a_promise_is_captured_whole(shop: &Shop) {
        let world = World::beside(shop).await;
        let (order, payment) = world.paid("AUTHORIZE").await;
        assert_eq!(world.status(order).await, "AUTHORIZED");
        assert_eq!(standing(&world.shop, order).await, stands("CONFIRMED", "AUTHORIZED", 0, 0));
        world.check_money("0", "0");
        assert_eq!(world.sim.with(|paypal| paypal.held()), Decimal::new(5_997, 2));
        let captured = world.staff("paymentCapture", json!({"paymentId": payment})).await;
        assert_eq!(captured["payment"]["status"], "CAPTURED", "{captured}");
        assert_eq!(standing(&world.shop, order).await, stands("CONFIRMED", "PAID", 5_997, 0));
        let row = world.payment().await;
        assert_eq!(row.gateway_receipt, world.sim.with(|paypal| Some(paypal.last().captures[0].id.clone())));
        assert_eq!(row.fee, Some(204));
        world.check_money("59.97", "0");
        world.finish().await;
    }

    async fn a_part_of_a_promise_is_captured_and_the_rest_released(shop: &Shop) {
        let world = World::beside(shop).await;
        let (order, payment) = world.paid("AUTHORIZE").await;
        let captured = world.staff("paymentCapture", json!({"paymentId": payment, "amount": dollars("20")})).await;
        assert_eq!(captured["payment"]["capturedAmount"]["amount"], "20.00", "{captured}");
        assert_eq!(captured["payment"]["authorizedAmount"]["amount"], "0.00");
        world.check_money("20", "0");
        assert_eq!(world.sim.with(|paypal| paypal.held()), Decimal::ZERO);
        let more = world.staff("paymentCapture", json!({"paymentId": payment, "amount": dollars("1")})).await;
        assert_ne!(code(&more), "");
        let back = world.staff("refundCreate", json!({"paymentId": payment})).await;
        assert_eq!(back["refund"]["status"], "SUCCEEDED", "{back}");
        world.check_money("20", "20");
        assert_eq!(standing(&world.shop, order).await.2, 2_000);
        world.finish().await;
    }

    async fn a_promise_is_given_up_with_its_order(shop: &Shop) {
        let world = World::beside(shop).await;
        let (order, _) = world.paid("AUTHORIZE").await;
        end(&world.shop, order, OrderStatus::Cancelled).await;
        assert_eq!(world.status(order).await, "VOIDED");
        assert_eq!(world.sim.with(|paypal| (paypal.held(), paypal.last().authorizations[0].status)), (Decimal::ZERO, "VOIDED"));
        assert_eq!(world.sim.asked_at("POST", "/void").len(), 1);
        assert_eq!(standing(&world.shop, order).await.2, 0);
        world.finish().await;
    }

    async fn staff_give_up_what_waits_for_its_buyer(shop: &Shop) {
        let world = World::beside(shop).await;
        let (order, payment) = world.begin("CHARGE").await;
        let voided = world.staff("paymentVoid", json!({"paymentId": payment["id"]})).await;
        assert_eq!(voided["payment"]["status"], "VOIDED", "{voided}");
        // He approves all the same: nobody captures it.
        world.approved().await;
        world.later(10_000).await;
        assert_eq!(world.status(order).await, "VOIDED");
        world.check_money("0", "0");
        world.finish().await;
    }

    async fn a_promise_may_be_pending_or_denied(shop: &Shop) {
        let world = World::beside(shop).await;
        for (at_first, in_the_end, status) in [("PENDING", "CREATED", "AUTHORIZED"), ("PENDING", "DENIED", "FAILED"), ("DENIED", "DENIED", "FAILED"), ("PENDING", "VOIDED", "VOIDED")] {
            world.sim.with(|paypal| paypal.authorizations_become = at_first);
            let (order, _) = world.paid("AUTHORIZE").await;
            if at_first == "PENDING" {
                assert_eq!(world.status(order).await, "PROCESSING");
            }
            world.sim.with(|paypal| paypal.last().authorizations[0].status = in_the_end);
            world.later(1_000).await;
            assert_eq!(world.status(order).await, status, "{at_first} {in_the_end}");
        }
        world.check_money("0", "0");
        world.finish().await;
    }

    async fn a_promise_that_was_given_up_elsewhere_cannot_be_captured(shop: &Shop) {
        let world = World::beside(shop).await;
        let (order, payment) = world.paid("AUTHORIZE").await;
        world.sim.with(|paypal| paypal.last().authorizations[0].status = "VOIDED");
        let captured = world.staff("paymentCapture", json!({"paymentId": payment})).await;
        assert_eq!(code(&captured), "PAYMENT_DECLINED", "{captured}");
        assert_eq!(world.status(order).await, "VOIDED");
        world.check_money("0", "0");
        world.finish().await;
    }

    async fn a_capture_that_is_declined_leaves_the_promise(shop: &Shop) {
        let world = World::beside(shop).await;
        let (order, payment) = world.paid("AUTHORIZE").await;
        world.sim.with(|paypal| paypal.captures_become = "DECLINED");
        let refused = world.staff("paymentCapture", json!({"paymentId": payment})).await;
        assert_eq!(code(&refused), "PAYMENT_DECLINED", "{refused}");
        crate::payments::work(&world.shop).await;
        assert_eq!(world.status(order).await, "AUTHORIZED");
        world.sim.with(|paypal| paypal.captures_become = "COMPLETED");
        let captured = world.staff("paymentCapture", json!({"paymentId": payment})).await;
        assert_eq!(captured["payment"]["status"], "CAPTURED", "{captured}");
        world.check_money("59.97", "0");
        world.finish().await;
    }

    async fn money_goes_back_in_parts(shop: &Shop) {
        let world = World::beside(shop).await;
        let (order, payment) = world.paid("CHARGE").await;
        for (amount, status) in [("10", "PARTIALLY_REFUNDED"), ("49.97", "REFUNDED")] {
            let back = world.staff("refundCreate", json!({"paymentId": payment, "amount": dollars(amount)})).await;
            assert_eq!(back["refund"]["status"], "SUCCEEDED", "{back}");
            assert_eq!(back["payment"]["status"], status);
        }
        world.check_money("59.97", "59.97");
        assert_eq!(standing(&world.shop, order).await.3, 5_997);
        world.finish().await;
    }

    async fn a_refund_may_take_its_time_or_fail(shop: &Shop) {
        let world = World::beside(shop).await;
        let (order, payment) = world.paid("CHARGE").await;
        for (in_the_end, status, back) in [("FAILED", "FAILED", "0"), ("CANCELLED", "FAILED", "0"), ("COMPLETED", "SUCCEEDED", "59.97")] {
            world.sim.with(|paypal| paypal.refunds_become = "PENDING");
            let begun = world.staff("refundCreate", json!({"paymentId": payment})).await;
            assert_eq!(begun["refund"]["status"], "PENDING", "{begun}");
            let more = world.staff("refundCreate", json!({"paymentId": payment, "amount": dollars("1")})).await;
            assert_eq!(code(&more), "AMOUNT_EXCEEDS_REFUNDABLE", "what is on its way counts");
            world.sim.with(|paypal| {
                paypal.last().refunds.last_mut().unwrap().status = in_the_end;
                paypal.last().settle();
            });
            world.later(1_000).await;
            let document = format!("{{ order(by: {{id: \"{order}\"}}) {{ payments {{ refunds {{ status }} }} }} }}");
            let data = world.shop.data(crate::support::As::Staff, &document, json!({})).await;
            let refunds = data["order"]["payments"][0]["refunds"].as_array().unwrap().clone();
            assert!(refunds.iter().any(|refund| refund["status"] == status), "{in_the_end}: {data}");
            assert!(refunds.iter().all(|refund| refund["status"] != "PENDING"), "{in_the_end}: {data}");
            world.check_money("59.97", back);
        }
        assert_eq!(standing(&world.shop, order).await.3, 5_997);
        world.finish().await;
    }

    async fn a_refund_that_paypal_refuses_says_why(shop: &Shop) {
        let world = World::beside(shop).await;
        let (_, payment) = world.paid("CHARGE").await;
        world.sim.with(|paypal| paypal.refund_by_hand(Decimal::new(5_000, 2)));
        let back = world.staff("refundCreate", json!({"paymentId": payment})).await;
        assert_eq!(code(&back), "PAYMENT_DECLINED", "{back}");
        world.check_money("59.97", "50");
        world.finish().await;
    }

    async fn what_was_refunded_by_hand_may_come_again(shop: &Shop) {
        let world = World::beside(shop).await;
        let (order, payment) = world.paid("CHARGE").await;
        world.sim.with(|paypal| paypal.refund_by_hand(Decimal::new(5_997, 2)));
        crate::payments::look(&world.shop, order).await;
        assert_eq!(world.status(order).await, "REFUNDED");
        world.sim.with(|paypal| {
            paypal.last().refunds[0].status = "FAILED";
            paypal.last().settle();
        });
        crate::payments::look(&world.shop, order).await;
        assert_eq!(standing(&world.shop, order).await, stands("CONFIRMED", "PAID", 5_997, 0));
        assert_eq!(world.status(order).await, "REQUIRES_REVIEW");
        let again = world.staff("refundCreate", json!({"paymentId": payment})).await;
        assert_eq!(again["refund"]["status"], "SUCCEEDED", "{again}");
        world.check_money("59.97", "59.97");
        world.finish().await;
    }

    async fn an_order_that_ends_is_given_up_and_cannot_be_captured_any_more(shop: &Shop) {
        let world = World::beside(shop).await;
        for approves_before in [false, true] {
            let (order, _) = world.begin("CHARGE").await;
            if approves_before {
                world.sim.with(PayPal::approve);
            }
            end(&world.shop, order, OrderStatus::Cancelled).await;
            assert_eq!(world.status(order).await, "VOIDED");
            if !approves_before {
                world.sim.with(PayPal::approve);
            }
            world.later(10_000).await;
            assert_eq!(world.status(order).await, "VOIDED");
        }
        assert_eq!(world.sim.asked_at("POST", "/capture").len(), 0);
        world.check_money("0", "0");
        world.finish().await;
    }

    async fn an_order_that_ends_after_it_was_paid_gives_the_money_back(shop: &Shop) {
        let world = World::beside(shop).await;
        for (flow, back) in [("CHARGE", "59.97"), ("AUTHORIZE", "59.97")] {
            let (order, _) = world.paid(flow).await;
            end(&world.shop, order, OrderStatus::Cancelled).await;
            world.later(1_000).await;
            world.check_money("59.97", back);
            assert_eq!(world.sim.with(|paypal| paypal.held()), Decimal::ZERO);
        }
        world.finish().await;
    }

    async fn what_its_buyer_leaves_is_forgotten(shop: &Shop) {
        let world = World::beside(shop).await;
        let (order, _) = world.begin("CHARGE").await;
        world.later(60).await;
        assert_eq!(world.status(order).await, "REQUIRES_ACTION");
        world.later(6 * 3_600).await;
        assert_eq!(world.status(order).await, "EXPIRED");
        assert_eq!(world.payment().await.look_at, None);
        world.finish().await;
    }
}
