//! Our client against localstripe (PyPI), a Stripe that others have written. It knows an older API; what it lacks is
//! in `local.py`. Without it the test says so and is skipped; with `CI` set it fails instead.

use std::io::{BufRead as _, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use serde_json::{Value, json};
use souk::entity::payment::PaymentFlow;
use souk::infra::gateways::stripe::Stripe as Client;
use souk::infra::gateways::{
    About, Fault, Message, Names, PaymentGateway as _, Refund, ReturnStage, Stage, Transaction,
};
use souk::kernel::clock::{Clock as _, SystemClock};
use souk::kernel::money::{Currency, Money};

use super::SECRET;
use super::contract::{config, transaction};
use crate::gateways::sim::{Answer, Asked, Plays, Sim};
use crate::support::process::client as http;

const KEY: &str = "sk_test_12345";

/// A running one; killed when dropped.
struct Local {
    child: Child,
    base: String,
}

impl Drop for Local {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// The command, by its setting or among the programs.
#[expect(
    clippy::disallowed_methods,
    reason = "which programs are installed is no setting of the shop"
)]
fn command() -> Option<PathBuf> {
    if let Some(named) = std::env::var_os("SOUK_TEST_LOCALSTRIPE") {
        return Some(named.into());
    }
    let path = std::env::var_os("PATH")?;
    std::env::split_paths(&path)
        .map(|folder| folder.join("localstripe"))
        .find(|command| command.is_file())
}

/// The Python that has it: the one that its command begins with.
fn python(command: &Path) -> String {
    let script = std::fs::read_to_string(command).unwrap();
    let first = script.lines().next().unwrap();
    first.strip_prefix("#!").unwrap().trim().to_owned()
}

impl Local {
    #[expect(
        clippy::disallowed_methods,
        clippy::print_stderr,
        reason = "which programs are installed is no setting of the shop"
    )]
    fn start() -> Option<Self> {
        let Some(command) = command() else {
            assert!(
                std::env::var_os("CI").is_none(),
                "localstripe is not installed: .ci/run installs it"
            );
            eprintln!(
                "SKIPPED: localstripe is not installed (pip install localstripe, or SOUK_TEST_LOCALSTRIPE)"
            );
            return None;
        };
        let script = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/it/gateways/stripe/local.py");
        let mut child = Command::new(python(&command))
            .arg(script)
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let mut line = String::new();
        BufReader::new(child.stdout.take().unwrap())
            .read_line(&mut line)
            .unwrap();
        let port: u16 = line.trim().parse().unwrap();
        Some(Self {
            child,
            base: format!("http://127.0.0.1:{port}"),
        })
    }

    /// What a browser or a dashboard asks it for.
    async fn post(&self, path: &str, form: &[(&str, &str)]) -> Value {
        let body = url::form_urlencoded::Serializer::new(String::new())
            .extend_pairs(form)
            .finish();
        let answer = http()
            .post(format!("{}{path}", self.base))
            .header("authorization", format!("Bearer {KEY}"))
            .header("content-type", "application/x-www-form-urlencoded")
            .body(body)
            .send()
            .await
            .unwrap();
        serde_json::from_slice(&answer.bytes().await.unwrap()).unwrap_or_default()
    }

    /// The buyer pays with this card; what the confirmation says.
    async fn pay(&self, intent: &str, card: &str) -> Value {
        let form = [
            ("type", "card"),
            ("card[number]", card),
            ("card[exp_month]", "12"),
            ("card[exp_year]", "2040"),
            ("card[cvc]", "123"),
        ];
        let method = self.post("/v1/payment_methods", &form).await;
        let path = format!("/v1/payment_intents/{intent}");
        self.post(&path, &[("payment_method", method["id"].as_str().unwrap())])
            .await;
        self.post(&format!("{path}/confirm"), &[]).await
    }
}

/// An endpoint of ours that takes whatever comes.
struct Endpoint;

impl Plays for Endpoint {
    fn answer(&mut self, _: &Asked) -> Answer {
        Answer::json(200, &json!({"received": true}))
    }
}

fn dollars(minor: i64) -> Money {
    Money::new(minor, Currency::USD)
}

async fn begun(client: &Client, key: &str, flow: PaymentFlow) -> Transaction {
    let begun = transaction(flow);
    let made = client.create(key, &begun).await.unwrap();
    assert!(matches!(made.stage, Stage::RequiresAction(_)), "{made:?}");
    assert_eq!((made.money, made.doubt), (dollars(5_997), None));
    Transaction {
        reference: made.reference,
        ..begun
    }
}

async fn stage(client: &Client, transaction: &Transaction) -> Stage {
    client.retrieve(transaction).await.unwrap().unwrap().stage
}

#[tokio::test]
async fn a_stripe_of_others_is_understood_as_well() {
    let Some(local) = Local::start() else { return };
    let client = Client::new(&config(KEY, &local.base)).unwrap();
    let endpoint = Sim::start(Endpoint).await;
    local
        .post(
            "/_config/webhooks/souk",
            &[("url", &endpoint.base()), ("secret", SECRET)],
        )
        .await;

    let charged = begun(&client, "charge", PaymentFlow::Charge).await;
    local
        .pay(charged.reference.as_deref().unwrap(), "4242424242424242")
        .await;
    let paid = client.retrieve(&charged).await.unwrap().unwrap();
    assert_eq!(
        (&paid.stage, paid.fee, paid.refunded),
        (
            &Stage::Captured(dollars(5_997)),
            Some(dollars(0)),
            Some(dollars(0))
        )
    );
    assert!(paid.receipt.unwrap().starts_with("ch_"));
    let mut refund = Refund {
        id: "refund-1".to_owned(),
        reference: None,
        money: dollars(2_000),
    };
    let back = client.refund("refund", &charged, &refund).await.unwrap();
    assert_eq!(
        (&back.stage, back.money),
        (&ReturnStage::Succeeded, dollars(2_000))
    );
    assert_eq!(
        client.refund("refund", &charged, &refund).await.unwrap(),
        back,
        "it is found, though no key is kept there"
    );
    refund.reference.clone_from(&back.reference);
    assert_eq!(client.retrieve_refund(&charged, &refund).await.unwrap(), back);
    assert_eq!(
        client.retrieve(&charged).await.unwrap().unwrap().refunded,
        Some(dollars(2_000))
    );
    assert!(client.void("void", &charged).await.is_err(), "it has been paid");

    let promised = begun(&client, "promise", PaymentFlow::Authorize).await;
    local
        .pay(promised.reference.as_deref().unwrap(), "4242424242424242")
        .await;
    assert_eq!(stage(&client, &promised).await, Stage::Authorized);
    let captured = client
        .capture("capture", &promised, dollars(4_000))
        .await
        .unwrap();
    assert_eq!(
        (captured.stage, captured.refunded),
        (Stage::Captured(dollars(4_000)), Some(dollars(0))),
        "the rest is released"
    );

    let given_up = begun(&client, "given up", PaymentFlow::Authorize).await;
    assert_eq!(client.void("void", &given_up).await.unwrap().stage, Stage::Voided);
    assert_eq!(stage(&client, &given_up).await, Stage::Voided);

    let declined = begun(&client, "declined", PaymentFlow::Charge).await;
    local
        .pay(declined.reference.as_deref().unwrap(), "4000000000000341")
        .await;
    let told = client.retrieve(&declined).await.unwrap().unwrap();
    assert_eq!(told.declined.unwrap().code, "card_declined");
    assert!(matches!(told.stage, Stage::RequiresAction(_)));

    let stranger = Transaction {
        reference: Some("pi_stranger".to_owned()),
        ..charged.clone()
    };
    assert_eq!(client.retrieve(&stranger).await, Ok(None));
    let uninvited = Client::new(&config("nonsense", &local.base)).unwrap();
    assert!(matches!(
        uninvited.retrieve(&charged).await,
        Err(Fault::Unknown(_))
    ));

    hear(&client, &endpoint, &charged, &declined).await;
}

/// Its messages are genuine, and say what they are about.
async fn hear(client: &Client, endpoint: &Sim<Endpoint>, charged: &Transaction, declined: &Transaction) {
    let mut heard = Vec::new();
    for _ in 0..100 {
        heard = endpoint.asked();
        if heard.len() >= 3 {
            break;
        }
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    let mut events = Vec::new();
    for asked in heard {
        let told = asked.json();
        let headers = asked
            .headers
            .iter()
            .map(|(name, value)| (name.to_string(), value.to_str().unwrap().to_owned()));
        let mut message = Message {
            path: Vec::new(),
            headers: headers.collect(),
            body: asked.body,
            sender: None,
            received_at: SystemClock.now(),
        };
        let event = client.verify(&message).await.unwrap();
        assert_eq!(told["id"], event.id);
        events.push((event.kind, event.about));
        message.received_at += chrono::Duration::minutes(6);
        assert!(client.verify(&message).await.is_err());
    }
    for (kind, transaction) in [
        ("payment_intent.succeeded", charged),
        ("payment_intent.payment_failed", declined),
    ] {
        let names = Names {
            ours: Some(transaction.id.clone()),
            theirs: transaction.reference.clone(),
        };
        let expected = (kind.to_owned(), About::Transaction { transaction: names });
        assert!(events.contains(&expected), "{kind} in {events:?}");
    }
}
