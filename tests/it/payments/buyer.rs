//! What buyers alone are told, and where they are sent.

use serde_json::json;
use souk::infra::gateways::{Action, Stage};

use super::scripted::{Says, Scripted};
use super::*;

async fn secret(gateway: &Scripted) {
    gateway.will(
        "create",
        Says::Stage(Stage::RequiresAction(Action::ClientSecret {
            client_secret: "pi_secret".to_owned(),
            publishable_key: "pk".to_owned(),
        })),
    );
}

both! {
    async fn a_client_secret_is_for_whoever_pays(shop: &Shop) {
        let (gateway, shop) = Scripted::beside(shop).await;
        let ask = "mutation($input: PaymentCreateInput!, $token: String) { paymentCreate(input: $input, guestToken: $token) {
            payment { action { ... on ClientSecretAction { clientSecret } } } userErrors { code } } }";
        let guests = guest_order(&shop).await;
        let customers = customer_order(&shop).await;
        let told = json!({"clientSecret": "pi_secret"});
        // A guest's order is paid by whoever has its token, signed in by now or not, but for staff.
        for (caller, order, expected) in [
            (As::Anonymous, guests, &told),
            (As::Customer, guests, &told),
            (As::Staff, guests, &serde_json::Value::Null),
            (As::Customer, customers, &told),
        ] {
            secret(&gateway).await;
            gateway.will("void", Says::Stage(Stage::Voided));
            let input = json!({"orderId": order.to_string(), "gateway": "STRIPE", "idempotencyKey": format!("{caller:?} {order}")});
            let guest_token = Some(token(order)).filter(|_| order == guests);
            let data = shop.data(caller, ask, json!({"input": input, "token": guest_token})).await;
            assert_eq!(&data["paymentCreate"]["payment"]["action"], expected, "{caller:?}: {data}");
        }
        shop.close().await;
    }

    async fn buyers_are_sent_to_the_shop_s_own_addresses_alone(shop: &Shop) {
        let shop = shop.beside(&[("SOUK_RETURN_ORIGINS", "https://app.example"), ("SOUK_CORS_ORIGINS", "https://shop.example"), ("SOUK_PUBLIC_URL", "https://api.example")]).await;
        let order = guest_order(&shop).await;
        for (url, expected) in [
            ("https://evil.example/phish", "INVALID"),
            ("https://app.example.evil.example/", "INVALID"),
            ("https://app.example@evil.example/", "INVALID"),
            ("http://app.example/", "INVALID"),
            ("https://app.example:8443/", "INVALID"),
            ("https://app.example/thanks?a=b", ""),
            ("https://shop.example/thanks", ""),
            ("https://api.example/", ""),
        ] {
            let payload = pay(&shop, order, json!({"gateway": "TEST", "testOutcome": "REQUIRE_ACTION", "returnUrl": url})).await;
            assert_eq!(code(&payload), expected, "{url}");
        }
        shop.close().await;
    }
}
