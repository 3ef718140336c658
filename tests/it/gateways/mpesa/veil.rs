//! A buyer's phone, and the shop's secrets, are seen by nobody: not in answers, logs, or what programs print of themselves.

use super::super::log::Log;
use super::super::sim::Mishap;
use super::daraja::{PUSH, REVERSE};
use super::*;
use crate::support::As;

/// Nothing of what is secret is in this text.
fn is_clean(what: &str, text: &str) {
    for secret in [
        BARE, PHONE, PASSKEY, SECRET, CREDENTIAL, WORD, "token1", "Basic ", "Bearer ",
    ] {
        assert!(!text.contains(secret), "{what} shows {secret}: {text}");
    }
}

both! {
    async fn nobody_sees_a_phone_or_a_secret(shop: &Shop) {
        let (sim, shop) = beside(shop).await;
        let (log, recording) = Log::begin();

        let order = order(&shop).await;
        is_clean("a refusal", &pay(&shop, order, json!({"gateway": "MPESA", "phone": "+1712345678"})).await.to_string());
        sim.mishap(PUSH, Mishap::LosesAnswer);
        let lost = paid(&shop, order, mpesa()).await;
        for _ in 0..25 {
            after(&shop, 60).await;
        }
        is_clean("a payment", &lost.to_string());
        sim.with(|daraja| daraja.fail("1032"));
        let payload = pay(&shop, order, mpesa()).await;
        is_clean("a payment", &payload.to_string());
        let sent = sim.with(Daraja::pay);
        after(&shop, 60).await;
        keep_receipt(&shop, order, &sent).await;
        let genuine = message(&shop, &sent);
        assert!(verify(&shop, &Message { path: vec![WORD.to_owned(), "a.b".to_owned()], ..genuine }).await.is_err());
        sim.mishap(REVERSE, Mishap::LosesAnswer);
        let row = payment_of(&shop, order).await;
        staff(&shop, "refundCreate", json!({"paymentId": row.id.to_string()})).await;
        after(&shop, 60).await;
        let query = "query($id: ID!) { order(id: $id) { payments { id status action { ... on PhonePromptAction { phone expiresAt } } failureMessage } events(first: 50) { nodes { message } } } }";
        let seen = shop.graphql(As::Staff, query, json!({"id": order.to_string()})).await;
        is_clean("an order", &seen.to_string());
        drop(recording);

        let log = log.text();
        for line in ["a gateway answered", "a gateway did not answer", "a gateway left it open"] {
            assert!(log.contains(line), "{line} is logged");
        }
        is_clean("the log", &log);
        is_clean("a transaction", &format!("{:?}", told(&row)));
        is_clean("the gateway", &format!("{:?}", gateway(&shop)));
        close(sim, shop).await;
    }
}
