//! What Daraja is asked: every header and every field.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

use super::super::sim::{Answer, Asked, Mishap};
use super::daraja::{PUSH, QUERY, REVERSE, TILL, TOKEN};
use super::*;

/// The headers that say something to Daraja, besides those of any request.
fn headers(asked: &Asked) -> Vec<(String, String)> {
    let mut headers: Vec<_> = asked
        .headers
        .iter()
        .map(|(name, value)| (name.to_string(), value.to_str().unwrap().to_owned()))
        .filter(|(name, _)| !["host", "content-length", "user-agent"].contains(&name.as_str()))
        .collect();
    headers.sort();
    headers
}

fn pairs(pairs: &[(&str, &str)]) -> Vec<(String, String)> {
    let own = |(name, value): &(&str, &str)| ((*name).to_owned(), (*value).to_owned());
    pairs.iter().map(own).collect()
}

fn bearer(token: &str) -> Vec<(String, String)> {
    let token = format!("Bearer {token}");
    pairs(&[
        ("accept", "application/json"),
        ("authorization", &token),
        ("content-type", "application/json"),
    ])
}

/// 12:00:00 UTC is 15:00:00 in Nairobi.
const NOON: &str = "20260301150000";

fn password(timestamp: &str) -> String {
    STANDARD.encode(format!("174379{PASSKEY}{timestamp}"))
}

both! {
    async fn a_phone_is_asked_for_whole_shillings(shop: &Shop) {
        let (sim, shop) = beside(shop).await;
        let order = order(&shop).await;
        let payload = pay(&shop, order, mpesa()).await;
        let payment = &payload["payment"];
        assert_eq!((&payload["userErrors"], &payment["status"]), (&json!([]), &json!("REQUIRES_ACTION")));
        assert_eq!(payment["amount"], json!({"amount": "14.00", "currencyCode": "KES"}));
        assert_eq!(payment["action"], json!({"phone": "2547•••••678", "expiresAt": "2026-03-01T12:01:30Z"}));
        let row = payment_of(&shop, order).await;
        assert_eq!((row.amount, row.rounding, row.gateway_reference.as_deref()), (1_400, 50, Some("ws_CO_01032026150001")));

        let asked = sim.asked();
        assert_eq!(asked.len(), 2, "{asked:?}");
        assert_eq!((asked[0].method.as_str(), asked[0].path.as_str()), ("GET", "/oauth/v1/generate?grant_type=client_credentials"));
        let basic = format!("Basic {}", STANDARD.encode("consumer:consumer's secret"));
        assert_eq!(headers(&asked[0]), pairs(&[("accept", "application/json"), ("authorization", &basic)]));
        assert!(asked[0].body.is_empty());
        assert_eq!((asked[1].method.as_str(), asked[1].path.as_str()), ("POST", PUSH));
        assert_eq!(headers(&asked[1]), bearer("token1"));
        let mut body = asked[1].json();
        let callback = body["CallBackURL"].take();
        let number = &shop.rows("SELECT number FROM shop_order").await[0][0];
        assert_eq!(body, json!({"BusinessShortCode": "174379", "Password": password(NOON), "Timestamp": NOON,
            "TransactionType": "CustomerPayBillOnline", "Amount": 14, "PartyA": "254712345678", "PartyB": "174379",
            "PhoneNumber": "254712345678", "CallBackURL": null, "AccountReference": number, "TransactionDesc": "Order payment"}));
        let begin = format!("https://shop.example/souk/webhooks/mpesa/{WORD}/{}.", row.id);
        let seal = callback.as_str().unwrap().strip_prefix(&begin).unwrap();
        assert_eq!(seal.len(), 43, "256 bits: {seal}");
        close(sim, shop).await;
    }

    async fn a_till_is_paid_by_its_store(shop: &Shop) {
        let (sim, shop) = beside_with(shop, &[("MPESA_TILL", TILL)]).await;
        sim.with(|daraja| daraja.till = true);
        prompted(&shop).await;
        let body = sim.asked_at("POST", PUSH)[0].json();
        assert_eq!((&body["BusinessShortCode"], &body["PartyB"], &body["TransactionType"]), (&json!("174379"), &json!("5203041"), &json!("CustomerBuyGoodsOnline")));
        close(sim, shop).await;
    }

    async fn a_prompt_is_asked_after_by_its_name(shop: &Shop) {
        let (sim, shop) = beside(shop).await;
        prompted(&shop).await;
        after(&shop, 60).await;
        let asked = sim.asked_at("POST", QUERY);
        assert_eq!(asked.len(), 1, "an open prompt is an answer, and not asked after again at once");
        assert_eq!(headers(&asked[0]), bearer("token1"));
        let then = "20260301150100";
        assert_eq!(asked[0].json(), json!({"BusinessShortCode": "174379", "Password": password(then), "Timestamp": then,
            "CheckoutRequestID": "ws_CO_01032026150001"}));
        close(sim, shop).await;
    }

    async fn money_goes_back_by_its_receipt(shop: &Shop) {
        let (sim, shop) = beside(shop).await;
        let order = prompted(&shop).await;
        let sent = sim.with(Daraja::pay);
        after(&shop, 60).await;
        keep_receipt(&shop, order, &sent).await;
        let payment = payment_of(&shop, order).await.id;
        let amount = json!({"amount": "3", "currencyCode": "KES"});
        staff(&shop, "refundCreate", json!({"paymentId": payment.to_string(), "amount": amount})).await;
        let refund = refund_of(&shop, payment).await;
        let asked = sim.asked_at("POST", REVERSE);
        assert_eq!(asked.len(), 1);
        assert_eq!(headers(&asked[0]), bearer("token1"));
        let mut body = asked[0].json();
        let (result, overdue) = (body["ResultURL"].take(), body["QueueTimeOutURL"].take());
        let number = &shop.rows("SELECT number FROM shop_order").await[0][0];
        assert_eq!(body, json!({"Initiator": "operator", "SecurityCredential": "encrypted==", "CommandID": "TransactionReversal",
            "TransactionID": "SJK7RT0001", "Amount": 3, "ReceiverParty": "174379", "RecieverIdentifierType": "11", "ResultURL": null,
            "QueueTimeOutURL": null, "Remarks": format!("Refund of order {number}"), "Occasion": refund.id.to_string()}));
        let begin = format!("https://shop.example/souk/webhooks/mpesa/{WORD}/{payment}.{}.", refund.id);
        assert!(result.as_str().unwrap().starts_with(&begin));
        assert!(overdue.as_str().unwrap().starts_with(&format!("{begin}overdue.")));
        assert_eq!(refund.gateway_reference.as_deref(), Some("71840-27539181-1"));
        close(sim, shop).await;
    }

    async fn a_token_is_kept_until_shortly_before_its_end(shop: &Shop) {
        let (sim, shop) = beside(shop).await;
        prompted(&shop).await;
        let fetched = || sim.asked_at("GET", TOKEN).len();
        after(&shop, 60).await;
        after(&shop, 3_599 - 60 - 60 - 1).await;
        assert_eq!(fetched(), 1);
        let queries = sim.asked_at("POST", QUERY).len();
        after(&shop, 900).await;
        assert!(sim.asked_at("POST", QUERY).len() > queries);
        assert_eq!(fetched(), 2);
        close(sim, shop).await;
    }

    async fn a_token_that_is_not_taken_is_fetched_anew_and_the_phone_asked_once(shop: &Shop) {
        let (sim, shop) = beside(shop).await;
        let first = prompted(&shop).await;
        sim.with(Daraja::pay);
        after(&shop, 60).await;
        sim.with(Daraja::forget_tokens);
        let second = prompted(&shop).await;
        assert_eq!((sim.asked_at("GET", TOKEN).len(), sim.asked_at("POST", PUSH).len()), (2, 3));
        assert_eq!(sim.with(|daraja| daraja.prompts.len()), 2);
        assert_eq!(headers(&sim.asked_at("POST", PUSH)[2]), bearer("token2"));
        assert_eq!(statuses(&shop, first).await, ["CAPTURED"]);
        // Settings that are wrong are a refusal, and not asked for a third time.
        sim.with(Daraja::pay);
        after(&shop, 60).await;
        for _ in 0..2 {
            sim.mishap(PUSH, Mishap::Answers(Answer::json(401, &json!({}))));
        }
        let third = order(&shop).await;
        assert_eq!(code(&pay(&shop, third, mpesa()).await), "PAYMENT_DECLINED");
        assert_eq!(sim.asked_at("POST", PUSH).len(), 5);
        assert_eq!(statuses(&shop, second).await, ["CAPTURED"]);
        close(sim, shop).await;
    }

    async fn what_mpesa_cannot_do_is_refused_before_it_is_asked(shop: &Shop) {
        let (sim, shop) = beside(shop).await;
        let dollars = guest_order(&shop).await;
        assert_eq!(code(&pay(&shop, dollars, mpesa()).await), "CURRENCY_MISMATCH");
        let order = order(&shop).await;
        for (input, refused, path) in [
            (json!({"gateway": "MPESA", "phone": PHONE, "flow": "AUTHORIZE"}), "INVALID", "flow"),
            (json!({"gateway": "MPESA"}), "REQUIRED", "phone"),
            (json!({"gateway": "MPESA", "phone": "+1 212 555 0100"}), "INVALID", "phone"),
        ] {
            let payload = pay(&shop, order, input).await;
            assert_eq!((code(&payload), &payload["userErrors"][0]["path"]), (refused, &json!(["input", path])));
        }
        assert!(sim.asked().is_empty());
        close(sim, shop).await;
    }
}
