//! Daraja that is busy, broken, slow or away: right in the end, and no phone is asked twice.

use std::time::Duration;

use super::super::sim::{Answer, Mishap};
use super::daraja::{PUSH, QUERY, TOKEN};
use super::*;

fn answers(status: u16, code: &str, message: &str) -> Mishap {
    let body = json!({"requestId": "1", "errorCode": code, "errorMessage": message});
    Mishap::Answers(Answer::json(status, &body))
}

async fn minutes(shop: &Shop, count: usize) {
    for _ in 0..count {
        after(shop, 60).await;
    }
}

both! {
    async fn a_refusal_is_one_at_once_and_the_buyer_may_try_again(shop: &Shop) {
        let (sim, shop) = beside(shop).await;
        let order = order(&shop).await;
        let refusals = [
            (answers(400, "400.002.02", "Bad Request - Invalid PhoneNumber"), "invalid_phone"),
            (answers(400, "400.002.02", "Bad Request - Invalid Amount"), "invalid_request"),
            (answers(403, "", "<html>"), "gateway_unavailable"),
            (answers(429, "", ""), "gateway_busy"),
            (answers(500, "500.001.1001", "[MerchantValidate] - Wrong credentials"), "gateway_unavailable"),
            (Mishap::Answers(Answer::json(200, &json!({"ResponseCode": "1", "CheckoutRequestID": "ws_CO_1"}))), "mpesa_1"),
        ];
        for (mishap, name) in refusals {
            sim.mishap(PUSH, mishap);
            let payload = pay(&shop, order, mpesa()).await;
            assert_eq!((code(&payload), &payload["payment"]["failureCode"]), ("PAYMENT_DECLINED", &json!(name)));
        }
        assert_eq!(sim.asked_at("POST", PUSH).len(), 6, "once each");
        paid(&shop, order, mpesa()).await;
        assert_eq!(sim.with(|daraja| daraja.prompts.len()), 1);
        close(sim, shop).await;
    }

    async fn a_phone_shows_one_prompt_at_a_time(shop: &Shop) {
        let (sim, shop) = beside(shop).await;
        let first = prompted(&shop).await;
        let second = order(&shop).await;
        let busy = pay(&shop, second, mpesa()).await;
        assert_eq!((code(&busy), &busy["payment"]["failureCode"]), ("PAYMENT_DECLINED", &json!("phone_busy")));
        sim.with(Daraja::pay);
        after(&shop, 60).await;
        paid(&shop, second, mpesa()).await;
        assert_eq!(statuses(&shop, first).await, ["CAPTURED"]);
        assert_eq!(statuses(&shop, second).await, ["FAILED", "REQUIRES_ACTION"]);
        close(sim, shop).await;
    }

    async fn without_a_token_nothing_is_asked_for(shop: &Shop) {
        let (sim, shop) = beside(shop).await;
        for _ in 0..3 {
            sim.mishap(TOKEN, answers(503, "", ""));
        }
        let order = order(&shop).await;
        let payload = pay(&shop, order, mpesa()).await;
        assert_eq!((code(&payload), &payload["payment"]["failureCode"]), ("PAYMENT_DECLINED", &json!("gateway_unavailable")));
        assert_eq!(sim.asked_at("POST", PUSH).len(), 0);
        sim.mishap(TOKEN, answers(503, "", "")).mishap(TOKEN, Mishap::LosesAnswer);
        paid(&shop, order, mpesa()).await;
        assert_eq!(sim.asked_at("POST", PUSH).len(), 1);
        close(sim, shop).await;
    }

    async fn a_request_that_may_have_been_heard_is_not_sent_again(shop: &Shop) {
        let (sim, shop) = beside(shop).await;
        for mishap in [Mishap::LosesRequest, answers(500, "500.003.02", "System is busy"), answers(503, "", ""), answers(200, "", "")] {
            sim.mishap(PUSH, mishap);
            let order = order(&shop).await;
            paid(&shop, order, mpesa()).await;
            assert_eq!(statuses(&shop, order).await, ["PROCESSING"]);
            assert_eq!(code(&pay(&shop, order, mpesa()).await), "TRANSITION_INVALID");
            minutes(&shop, 9).await;
            assert_eq!(statuses(&shop, order).await, ["PROCESSING"]);
            minutes(&shop, 16).await;
            assert_eq!(statuses(&shop, order).await, ["EXPIRED"]);
            paid(&shop, order, mpesa()).await;
            sim.with(Daraja::pay);
            after(&shop, 60).await;
            assert_eq!(standing(&shop, order).await, stands("CONFIRMED", "PAID", 1_400, 0));
        }
        assert_eq!((sim.asked_at("POST", PUSH).len(), sim.with(|daraja| daraja.money())), (8, (56, 0)));
        close(sim, shop).await;
    }

    async fn a_lost_answer_is_made_up_for_by_the_callback(shop: &Shop) {
        let (sim, shop) = beside(shop).await;
        sim.mishap(PUSH, Mishap::LosesAnswer);
        let order = order(&shop).await;
        paid(&shop, order, mpesa()).await;
        assert_eq!(statuses(&shop, order).await, ["PROCESSING"]);
        minutes(&shop, 2).await;
        let sent = sim.with(Daraja::pay);
        for status in ["PROCESSING", "EXPIRED"] {
            let row = payment_of(&shop, order).await;
            assert_eq!((row.gateway_reference.as_deref(), statuses(&shop, order).await), (None, vec![status.to_owned()]));
            let state = confirm(&shop, &row, &sent).await.unwrap();
            assert_eq!(state.stage, souk::infra::gateways::Stage::Captured(state.money), "heard before and after the wait is over");
            assert_eq!((state.reference.as_deref(), state.receipt.as_deref()), (Some("ws_CO_01032026150001"), Some("SJK7RT0001")));
            minutes(&shop, 24).await;
        }
        assert_eq!(sim.asked_at("POST", PUSH).len(), 1);
        close(sim, shop).await;
    }

    async fn a_slow_answer_is_waited_for(shop: &Shop) {
        let (sim, shop) = beside(shop).await;
        sim.mishap(PUSH, Mishap::Dawdles(Duration::from_millis(700)));
        prompted(&shop).await;
        assert_eq!(sim.asked_at("POST", PUSH).len(), 1);
        close(sim, shop).await;
    }

    async fn what_is_paid_while_daraja_is_away_is_found_when_it_is_back(shop: &Shop) {
        let (sim, shop) = beside(shop).await;
        let order = prompted(&shop).await;
        sim.with(Daraja::pay);
        sim.be_away(true);
        minutes(&shop, 58).await;
        assert_eq!(statuses(&shop, order).await, ["REQUIRES_ACTION"], "unknown is not failed");
        sim.be_away(false);
        minutes(&shop, 15).await;
        assert_eq!(standing(&shop, order).await, stands("CONFIRMED", "PAID", 1_400, 0));
        assert_eq!(sim.with(|daraja| (daraja.prompts.len(), daraja.money())), (1, (14, 0)));
        close(sim, shop).await;
    }

    async fn a_query_without_a_result_says_nothing(shop: &Shop) {
        let (sim, shop) = beside(shop).await;
        let order = prompted(&shop).await;
        sim.with(Daraja::pay);
        let other = json!({"ResponseCode": "0", "CheckoutRequestID": "ws_CO_other", "ResultCode": "1032"});
        let nothings = [
            answers(500, "500.001.1001", "Wrong credentials"),
            answers(404, "404.001.01", "Resource not found"),
            answers(429, "", ""),
            answers(200, "", ""),
            Mishap::Answers(Answer::json(200, &other)),
            Mishap::Answers(Answer { body: "<html>".to_owned(), ..Answer::json(200, &json!({})) }),
            Mishap::LosesAnswer,
        ];
        for (place, nothing) in nothings.into_iter().enumerate() {
            sim.mishap(QUERY, nothing);
            shop.clock.advance(chrono::Duration::seconds(901));
            work(&shop).await;
            assert_eq!((statuses(&shop, order).await, sim.asked_at("POST", QUERY).len()), (vec!["REQUIRES_ACTION".to_owned()], place + 1));
        }
        after(&shop, 901).await;
        assert_eq!(standing(&shop, order).await, stands("CONFIRMED", "PAID", 1_400, 0));
        close(sim, shop).await;
    }
}
