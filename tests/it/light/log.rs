//! The log of a shop that is used: it tells what happened and to whom it was answered, and never who that is.

use serde_json::{Value, json};
use souk::kernel::actor::Role;
use souk::kernel::error::Error;

use super::Watched;
use crate::support::buyer::PAY;
use crate::support::{Kind, Shop};

const REGISTER: &str = "mutation Join($input: AccountRegisterInput!) { accountRegister(input: $input) { tokens { accessToken refreshToken } userErrors { code } } }";
const ME: &str = "{ me { email name } }";

/// Everything that is somebody's own, as it was sent.
const PERSONAL: [&str; 8] = [
    "zenobia",
    "quartermain",
    "example.org",
    "High Street",
    "Leeds",
    "0712",
    "712345678",
    "correct horse battery",
];

async fn used(kind: Kind) {
    let settings = [
        ("SOUK_LOG", "souk=debug,info"),
        ("SOUK_LOG_FORMAT", "json"),
        ("SOUK_LOG_SLOW", "0s"),
    ];
    let Some(shop) = Watched::open(kind, &settings).await else {
        return;
    };
    let input = json!({"email": "zenobia@example.org", "name": "Zenobia Quartermain", "password": "correct horse battery staple 7"});
    let body = json!({"query": REGISTER, "variables": {"input": input}});
    let answer = shop.ask(&[("x-request-id", "the-registration")], &body).await;
    let tokens = &answer["data"]["accountRegister"]["tokens"];
    let token = tokens["accessToken"]
        .as_str()
        .unwrap_or_else(|| panic!("{answer}"));
    // The same email again, a wrong password, and whatever else is refused with what was sent.
    shop.ask(&[], &body).await;
    let bearer = format!("Bearer {token}");
    let me = shop
        .ask(&[("authorization", &bearer)], &json!({ "query": ME }))
        .await;
    assert_eq!(me["data"]["me"]["name"], "Zenobia Quartermain", "{me}");
    let literal = "{ order(by: {number: \"zenobia@example.org\"}) { id } }";
    shop.ask(&[], &json!({ "query": literal })).await;
    let (order, guest) = shop.order("zenobia@example.org").await;
    for (gateway, outcome) in [("TEST", "DECLINE"), ("TEST", "SUCCEED")] {
        let input = json!({"orderId": order, "gateway": gateway, "testOutcome": outcome,
            "idempotencyKey": outcome, "phone": "0712345678"});
        shop.data(PAY, json!({"input": input, "token": guest})).await;
    }
    let refresh = tokens["refreshToken"].as_str().unwrap().to_owned();
    let token = token.to_owned();
    let log = shop.stop().await;

    for secret in PERSONAL.iter().copied().chain([&*token, &*refresh, &*guest]) {
        let told: Vec<&str> = log
            .lines()
            .filter(|line| line.to_lowercase().contains(&secret.to_lowercase()))
            .collect();
        assert!(told.is_empty(), "{secret}: {told:#?}");
    }
    let lines: Vec<Value> = log
        .lines()
        .map(|line| serde_json::from_str(line).unwrap_or_else(|error| panic!("{error}: {line}")))
        .collect();
    let of = |message: &str, id: &str| {
        lines
            .iter()
            .find(|line| line["message"] == message && line["spans"][0]["id"] == id)
            .unwrap_or_else(|| panic!("{message} of {id} is not in the log:\n{log}"))
    };
    let answered = of("answered", "the-registration");
    assert_eq!(
        (&answered["status"], &answered["spans"][0]["path"]),
        (&json!(200), &json!("/graphql"))
    );
    let slow = of("an operation was slow", "the-registration");
    assert_eq!(slow["level"], "WARN");
    assert_eq!(slow["document"].as_str().map(str::len), Some(64), "{slow}");
    assert_eq!(
        (&slow["kind"], &slow["operation"], &slow["name"], &slow["outcome"]),
        (
            &json!("mutation"),
            &json!("accountRegister"),
            &json!("Join"),
            &json!("ok")
        )
    );
    assert!(slow["cost"].is_u64() && slow["millis"].is_u64(), "{slow}");
    assert!(
        !log.contains("accountRegister(") && !log.contains("trace_id"),
        "{log}"
    );
}

#[tokio::test]
async fn nobody_is_named_in_the_log_on_sqlite() {
    used(Kind::Sqlite).await;
}

#[tokio::test]
async fn nobody_is_named_in_the_log_on_postgres() {
    used(Kind::Postgres).await;
}

both! {
    async fn a_row_that_is_refused_is_not_shown(shop: &Shop) {
        for name in ["zenobia", "other"] {
            shop.add_user(name, Role::Customer).await;
        }
        let twice = "UPDATE user_account SET email_key = 'zenobia@example.com' WHERE email_key = 'other@example.com'";
        let error = Error::from(shop.execute(twice).await.unwrap_err());
        let told = format!("{:#}", anyhow::Error::from(error));
        assert!(told.to_lowercase().contains("unique") && !told.contains("zenobia"), "{told}");
    }
}

#[tokio::test]
async fn what_is_quick_is_not_called_slow() {
    let settings = [("SOUK_LOG", "info"), ("SOUK_LOG_SLOW", "1h")];
    let shop = Watched::open(Kind::Sqlite, &settings).await.unwrap();
    shop.data("{ shop { name } }", json!({})).await;
    let log = shop.stop().await;
    assert!(log.contains("answered") && !log.contains("slow"), "{log}");
}
