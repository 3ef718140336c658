//! From paymentCreate to money that has come, is promised, or has gone back: through the API, the worker, and a buyer.

use chrono::Duration;
use serde_json::{Value, json};
use souk::entity::shop_order::OrderStatus;

use super::{Till, fee_of};
use crate::payments::{
    check_books, code, end, events, guest_order, pay, payments, send, standing, stands, statuses, token, work,
};
use crate::support::{As, Shop};

async fn later(till: &Till, pause: Duration) {
    till.shop.clock.advance(pause);
    work(&till.shop).await;
}

fn soon() -> Duration {
    Duration::seconds(2)
}

fn id(payload: &Value) -> Value {
    assert_eq!(payload["userErrors"], json!([]), "{payload}");
    payload["payment"]["id"].clone()
}

both! {
    async fn a_buyer_pays_in_his_browser(shop: &Shop) {
        let till = Till::open(shop).await;
        let order = guest_order(&till.shop).await;
        let document = "mutation($input: PaymentCreateInput!, $token: String) { paymentCreate(input: $input, guestToken: $token) {
            payment { status action { __typename ... on ClientSecretAction { clientSecret publishableKey } } } userErrors { code } } }";
        let input = json!({"orderId": order.to_string(), "gateway": "STRIPE", "idempotencyKey": "a"});
        let variables = json!({"input": input, "token": token(order)});
        let told = till.shop.data(As::Anonymous, document, variables.clone()).await;
        let secret = till.sim.with(|stripe| stripe.intents.values().next().unwrap().client_secret());
        let action = json!({"__typename": "ClientSecretAction", "clientSecret": secret, "publishableKey": "pk_test_simulated"});
        let expected = json!({"payment": {"status": "REQUIRES_ACTION", "action": action}, "userErrors": []});
        assert_eq!(told["paymentCreate"], expected);
        till.buyer_pays();
        later(&till, soon()).await;
        assert_eq!(standing(&till.shop, order).await, stands("CONFIRMED", "PAID", 5_997, 0));
        assert_eq!(events(&till.shop, order).await, ["PLACED", "PAYMENT_PENDING", "PAYMENT_CAPTURED", "CONFIRMED"]);
        let row = payments(&till.shop).await.remove(0);
        assert_eq!(row.gateway_reference.unwrap(), till.last());
        assert_eq!(row.gateway_receipt.unwrap(), format!("ch_{}", &till.last()[3..]));
        assert_eq!((row.fee, row.fee_currency.as_deref(), row.look_at), (Some(fee_of(5_997)), Some("USD"), None));
        let told = till.shop.data(As::Anonymous, document, variables).await;
        assert_eq!(told["paymentCreate"]["payment"], json!({"status": "CAPTURED", "action": null}));
        assert_eq!((till.asked("POST", "/payment_intents"), till.money()), (1, (5_997, 0)));
        till.close().await;
    }

    async fn a_buyer_who_comes_back_is_told_at_once(shop: &Shop) {
        let till = Till::open(shop).await;
        let order = guest_order(&till.shop).await;
        let input = json!({"gateway": "STRIPE", "idempotencyKey": "a"});
        pay(&till.shop, order, input.clone()).await;
        till.buyer_pays();
        till.shop.clock.advance(soon());
        assert_eq!(pay(&till.shop, order, input).await["payment"]["status"], "CAPTURED");
        till.close().await;
    }

    async fn a_promise_is_captured_whole(shop: &Shop) {
        let till = Till::open(shop).await;
        let order = guest_order(&till.shop).await;
        let payment = id(&till.begin(order, "AUTHORIZE").await);
        till.buyer_pays();
        later(&till, soon()).await;
        assert_eq!(standing(&till.shop, order).await, stands("CONFIRMED", "AUTHORIZED", 0, 0));
        assert_eq!(till.money(), (0, 0));
        let captured = till.staff("paymentCapture", &payment, None).await;
        assert_eq!((&captured["payment"]["status"], &captured["userErrors"]), (&json!("CAPTURED"), &json!([])));
        assert_eq!(payments(&till.shop).await[0].fee, Some(fee_of(5_997)));
        assert_eq!((till.asked("POST", "/capture"), till.money()), (1, (5_997, 0)));
        till.close().await;
    }

    async fn a_part_is_captured_and_the_rest_released(shop: &Shop) {
        let till = Till::open(shop).await;
        let order = guest_order(&till.shop).await;
        let payment = id(&till.begin(order, "AUTHORIZE").await);
        till.sim.with(|stripe| stripe.books_late = true);
        till.buyer_pays();
        later(&till, soon()).await;
        let captured = till.staff("paymentCapture", &payment, Some("40.00")).await;
        assert_eq!(captured["payment"]["capturedAmount"]["amount"], "40.00");
        assert_eq!(captured["payment"]["authorizedAmount"]["amount"], "0.00");
        // Stripe counts what it has released among what was refunded. We look at it again because of the fee.
        later(&till, Duration::hours(6)).await;
        assert_eq!(payments(&till.shop).await[0].fee, None);
        till.sim.with(|stripe| { let id = stripe.intents.keys().next().unwrap().clone(); stripe.book(&id) });
        later(&till, Duration::hours(6)).await;
        assert_eq!(payments(&till.shop).await[0].fee, Some(fee_of(4_000)));
        assert_eq!(standing(&till.shop, order).await, stands("CONFIRMED", "PARTIALLY_PAID", 4_000, 0));
        assert_eq!(code(&till.staff("refundCreate", &payment, Some("40.01")).await), "AMOUNT_EXCEEDS_REFUNDABLE");
        till.staff("refundCreate", &payment, None).await;
        assert_eq!(till.money(), (4_000, 4_000));
        till.close().await;
    }

    async fn a_promise_is_given_up_with_its_order(shop: &Shop) {
        let till = Till::open(shop).await;
        let order = guest_order(&till.shop).await;
        let payment = id(&till.begin(order, "AUTHORIZE").await);
        till.buyer_pays();
        later(&till, soon()).await;
        end(&till.shop, order, OrderStatus::Cancelled).await;
        assert_eq!(standing(&till.shop, order).await, stands("CANCELLED", "UNPAID", 0, 0));
        assert_eq!(statuses(&till.shop, order).await, ["VOIDED"]);
        assert_eq!(code(&till.staff("paymentCapture", &payment, None).await), "TRANSITION_INVALID");
        assert_eq!((till.asked("POST", "/cancel"), till.money()), (1, (0, 0)));
        till.close().await;
    }

    async fn staff_give_up_what_waits_for_its_buyer(shop: &Shop) {
        let till = Till::open(shop).await;
        let order = guest_order(&till.shop).await;
        let payment = id(&till.begin(order, "CHARGE").await);
        let voided = till.staff("paymentVoid", &payment, None).await;
        assert_eq!((&voided["payment"]["status"], &voided["userErrors"]), (&json!("VOIDED"), &json!([])));
        assert_eq!((till.asked("POST", "/cancel"), till.money()), (1, (0, 0)));
        till.close().await;
    }

    async fn a_promise_that_has_ended_is_noticed_when_it_is_captured(shop: &Shop) {
        let till = Till::open(shop).await;
        let order = guest_order(&till.shop).await;
        let payment = id(&till.begin(order, "AUTHORIZE").await);
        till.buyer_pays();
        later(&till, soon()).await;
        till.sim.with(|stripe| { let id = stripe.intents.keys().next().unwrap().clone(); stripe.promise_ends(&id) });
        let refused = till.staff("paymentCapture", &payment, None).await;
        assert_eq!((code(&refused), &refused["payment"]["status"]), ("PAYMENT_DECLINED", &json!("EXPIRED")));
        assert_eq!(events(&till.shop, order).await[3..], ["CONFIRMED", "PAYMENT_FAILED", "REVIEW_REQUIRED"]);
        assert_eq!(till.money(), (0, 0));
        // Until somebody has looked at it, it is confirmed without money.
        check_books(&till.shop).await;
        till.shop.close().await;
    }

    async fn money_goes_back_at_once_or_later_or_not(shop: &Shop) {
        let till = Till::open(shop).await;
        let order = guest_order(&till.shop).await;
        let payment = id(&till.begin(order, "CHARGE").await);
        till.buyer_pays();
        later(&till, soon()).await;
        let at_once = till.staff("refundCreate", &payment, Some("10")).await;
        assert_eq!(at_once["refund"]["status"], "SUCCEEDED");
        till.sim.with(|stripe| stripe.refund_status = Some("pending"));
        let pending = till.staff("refundCreate", &payment, Some("20")).await;
        assert_eq!((&pending["refund"]["status"], &pending["payment"]["status"]), (&json!("PENDING"), &json!("PARTIALLY_REFUNDED")));
        later(&till, soon()).await;
        assert_eq!(standing(&till.shop, order).await, stands("CONFIRMED", "PARTIALLY_REFUNDED", 5_997, 1_000));
        till.sim.with(|stripe| stripe.settle("succeeded", None));
        later(&till, Duration::seconds(5)).await;
        assert_eq!(standing(&till.shop, order).await, stands("CONFIRMED", "PARTIALLY_REFUNDED", 5_997, 3_000));
        let failing = till.staff("refundCreate", &payment, Some("29.97")).await;
        assert_eq!(failing["refund"]["status"], "PENDING");
        till.sim.with(|stripe| stripe.settle("failed", Some("expired_or_canceled_card")));
        later(&till, soon()).await;
        assert_eq!(standing(&till.shop, order).await, stands("CONFIRMED", "PARTIALLY_REFUNDED", 5_997, 3_000));
        assert_eq!(events(&till.shop, order).await.last().unwrap(), "REFUND_FAILED");
        till.sim.with(|stripe| stripe.refund_status = None);
        let again = till.staff("refundCreate", &payment, None).await;
        assert_eq!((&again["refund"]["status"], &again["payment"]["status"]), (&json!("SUCCEEDED"), &json!("REFUNDED")));
        assert_eq!((till.asked("POST", "/refunds"), till.money()), (4, (5_997, 5_997)));
        till.close().await;
    }

    async fn a_declined_card_can_be_followed_by_another(shop: &Shop) {
        let till = Till::open(shop).await;
        let order = guest_order(&till.shop).await;
        till.begin(order, "CHARGE").await;
        let intent = till.last();
        till.sim.with(|stripe| stripe.decline(&intent, "card_declined", Some("insufficient_funds")));
        later(&till, soon()).await;
        let row = payments(&till.shop).await.remove(0);
        assert_eq!(row.failure_code.as_deref(), Some("insufficient_funds"));
        assert!(!row.failure_message.unwrap().contains("ch_"), "Stripe's own words name its objects");
        // A thief is not told that the card is known to be stolen.
        till.sim.with(|stripe| stripe.decline(&intent, "card_declined", Some("stolen_card")));
        later(&till, Duration::seconds(5)).await;
        assert_eq!(payments(&till.shop).await[0].failure_code.as_deref(), Some("card_declined"));
        assert_eq!(statuses(&till.shop, order).await, ["REQUIRES_ACTION"]);
        till.sim.with(|stripe| stripe.becomes(&intent, "requires_action"));
        later(&till, Duration::seconds(15)).await;
        till.buyer_pays();
        later(&till, Duration::seconds(60)).await;
        assert_eq!(standing(&till.shop, order).await, stands("CONFIRMED", "PAID", 5_997, 0));
        assert_eq!(events(&till.shop, order).await, ["PLACED", "PAYMENT_PENDING", "PAYMENT_FAILED", "PAYMENT_FAILED", "PAYMENT_CAPTURED", "CONFIRMED"]);
        assert_eq!(payments(&till.shop).await[0].failure_code, None);
        till.close().await;
    }

    async fn a_bank_that_takes_its_time_is_waited_for(shop: &Shop) {
        let till = Till::open(shop).await;
        let order = guest_order(&till.shop).await;
        till.begin(order, "CHARGE").await;
        let intent = till.last();
        till.sim.with(|stripe| stripe.becomes(&intent, "processing"));
        later(&till, soon()).await;
        assert_eq!(statuses(&till.shop, order).await, ["PROCESSING"]);
        // Nobody pays a second time meanwhile.
        let second = till.begin(order, "CHARGE").await;
        assert_eq!((code(&second), till.asked("POST", "/payment_intents")), ("TRANSITION_INVALID", 1));
        till.buyer_pays();
        later(&till, Duration::seconds(5)).await;
        assert_eq!(standing(&till.shop, order).await, stands("CONFIRMED", "PAID", 5_997, 0));
        till.close().await;
    }

    async fn whoever_begins_anew_gives_up_what_he_began_before(shop: &Shop) {
        let till = Till::open(shop).await;
        let order = guest_order(&till.shop).await;
        till.begin(order, "CHARGE").await;
        let first = till.last();
        till.begin(order, "AUTHORIZE").await;
        assert_eq!(statuses(&till.shop, order).await, ["VOIDED", "REQUIRES_ACTION"]);
        assert_eq!(till.sim.with(|stripe| stripe.intents[&first].status.clone()), "canceled");
        till.buyer_pays();
        later(&till, soon()).await;
        assert_eq!(standing(&till.shop, order).await, stands("CONFIRMED", "AUTHORIZED", 0, 0));
        till.close().await;
    }

    async fn what_a_buyer_leaves_is_given_up_with_its_order(shop: &Shop) {
        let till = Till::open(shop).await;
        let order = guest_order(&till.shop).await;
        till.begin(order, "CHARGE").await;
        till.shop.clock.advance(Duration::minutes(20));
        end(&till.shop, order, OrderStatus::Expired).await;
        assert_eq!(statuses(&till.shop, order).await, ["VOIDED"]);
        assert_eq!((till.asked("POST", "/cancel"), till.money()), (1, (0, 0)));
        till.close().await;
    }

    async fn who_pays_while_it_is_given_up_gets_his_money_back(shop: &Shop) {
        let till = Till::open(shop).await;
        let order = guest_order(&till.shop).await;
        till.begin(order, "CHARGE").await;
        till.buyer_pays();
        end(&till.shop, order, OrderStatus::Cancelled).await;
        work(&till.shop).await;
        assert_eq!(standing(&till.shop, order).await, stands("CANCELLED", "REFUNDED", 5_997, 5_997));
        assert_eq!(till.money(), (5_997, 5_997));
        till.close().await;
    }

    async fn what_cannot_be_given_up_yet_is_given_back_when_it_comes(shop: &Shop) {
        let till = Till::open(shop).await;
        let order = guest_order(&till.shop).await;
        till.begin(order, "CHARGE").await;
        let intent = till.last();
        till.sim.with(|stripe| stripe.becomes(&intent, "processing"));
        end(&till.shop, order, OrderStatus::Cancelled).await;
        later(&till, soon()).await;
        assert_eq!(statuses(&till.shop, order).await, ["PROCESSING"]);
        // Another day: what Stripe has stored for the key of giving it up says nothing about today.
        till.sim.with(|stripe| stripe.becomes(&intent, "requires_payment_method"));
        later(&till, Duration::hours(1)).await;
        assert_eq!(statuses(&till.shop, order).await, ["VOIDED"]);
        let other = guest_order(&till.shop).await;
        till.begin(other, "CHARGE").await;
        let intent = till.last();
        till.sim.with(|stripe| stripe.becomes(&intent, "processing"));
        end(&till.shop, other, OrderStatus::Cancelled).await;
        till.buyer_pays();
        later(&till, Duration::hours(1)).await;
        assert_eq!(standing(&till.shop, other).await, stands("CANCELLED", "REFUNDED", 5_997, 5_997));
        assert_eq!(till.money(), (5_997, 5_997));
        till.close().await;
    }

    async fn what_was_refunded_at_the_dashboard_is_written_down(shop: &Shop) {
        let till = Till::open(shop).await;
        let order = guest_order(&till.shop).await;
        till.sim.with(|stripe| stripe.books_late = true);
        id(&till.begin(order, "CHARGE").await);
        till.buyer_pays();
        later(&till, soon()).await;
        let intent = till.last();
        till.sim.with(|stripe| stripe.refund_at_dashboard(&intent, 2_000));
        later(&till, Duration::hours(6)).await;
        assert_eq!(standing(&till.shop, order).await, stands("CONFIRMED", "PARTIALLY_REFUNDED", 5_997, 2_000));
        check_books(&till.shop).await;
        till.close().await;
    }

    async fn a_currency_that_is_counted_otherwise_is_not_taken(shop: &Shop) {
        let till = Till::open(shop).await;
        let order = guest_order(&till.shop).await;
        till.shop.execute("UPDATE shop_order SET currency = 'ISK'").await.unwrap();
        let input = json!({"orderId": order.to_string(), "gateway": "STRIPE"});
        let refused = send(&till.shop, As::Anonymous, "paymentCreate", input, Some(&token(order))).await;
        assert_eq!((code(&refused), till.asked("POST", "")), ("CURRENCY_MISMATCH", 0));
        till.close().await;
    }
}
