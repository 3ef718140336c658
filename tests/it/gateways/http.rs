//! Speaking with gateways, whichever it is: tries and pauses, bounds, connections, tokens, and what may be seen of it.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use chrono::TimeDelta;
use futures_util::future::join_all;
use metrics_util::debugging::{DebugValue, DebuggingRecorder};
use secrecy::{ExposeSecret as _, SecretString};
use serde_json::json;
use souk::infra::gateways::Fault;
use souk::infra::gateways::http::{Call, Client, Miss};
use souk::infra::gateways::oauth::Tokens;
use souk::kernel::clock::ManualClock;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpListener;

use super::log::Log;
use super::sim::{Answer, Asked, Mishap, Plays, Sim};

/// Says the same to everybody.
struct Echo(Answer);

impl Plays for Echo {
    fn answer(&mut self, _: &Asked) -> Answer {
        self.0.clone()
    }
}

fn status(status: u16) -> Answer {
    Answer::json(status, &json!({}))
}

async fn sim() -> (Sim<Echo>, Client) {
    (Sim::start(Echo(status(200))).await, Client::new("test").unwrap())
}

fn url(sim: &Sim<Echo>) -> url::Url {
    format!("{}/pay?of=secret-query", sim.base()).parse().unwrap()
}

fn post(sim: &Sim<Echo>) -> Call {
    Call::post("pay", url(sim), "application/json", "{\"pin\": \"secret-body\"}")
}

#[tokio::test]
async fn what_may_pass_is_asked_three_times_at_most() {
    for passing in [409, 429, 500, 502, 503, 504] {
        let (sim, client) = sim().await;
        sim.mishap("/pay", Mishap::Answers(status(passing)));
        assert_eq!(client.send(&post(&sim)).await.unwrap().status, 200, "{passing}");
        assert_eq!(sim.asked().len(), 2, "{passing}");
    }
    let (sim, client) = sim().await;
    sim.with(|echo| echo.0 = status(503));
    let start = Instant::now();
    assert_eq!(client.send(&post(&sim)).await.unwrap().status, 503);
    // 0.2 to 0.4 s, and 0.4 to 0.8 s.
    let took = start.elapsed();
    assert!(
        (Duration::from_millis(600)..Duration::from_secs(6)).contains(&took),
        "{took:?}"
    );
    assert_eq!(sim.asked().len(), 3);
}

#[tokio::test]
async fn what_is_definite_is_asked_once() {
    for definite in [200, 301, 400, 401, 402, 403, 404, 422, 501] {
        let (sim, client) = sim().await;
        sim.with(|echo| echo.0 = status(definite));
        assert_eq!(client.send(&post(&sim)).await.unwrap().status, definite);
        assert_eq!(sim.asked().len(), 1, "{definite}");
    }
}

#[tokio::test]
async fn stripe_says_itself_whether_to_ask_again() {
    for (answer, asked) in [
        (status(400).with("stripe-should-retry", "true"), 2),
        (status(500).with("stripe-should-retry", "false"), 1),
        (status(500).with("stripe-should-retry", "perhaps"), 2),
    ] {
        let (sim, client) = sim().await;
        sim.mishap("/pay", Mishap::Answers(answer.clone()));
        client.send(&post(&sim)).await.unwrap();
        assert_eq!(sim.asked().len(), asked, "{answer:?}");
    }
}

#[tokio::test]
async fn a_wish_is_obeyed_if_it_can_be() {
    let (sim, client) = sim().await;
    sim.mishap("/pay", Mishap::Answers(status(429).with("retry-after", "2")));
    let start = Instant::now();
    assert_eq!(client.send(&post(&sim)).await.unwrap().status, 200);
    assert!(start.elapsed() >= Duration::from_secs(2));
    // Nobody waits for a minute while a buyer does: the worker comes again.
    sim.mishap("/pay", Mishap::Answers(status(429).with("retry-after", "60")));
    let start = Instant::now();
    assert_eq!(client.send(&post(&sim)).await.unwrap().status, 429);
    assert!(start.elapsed() < Duration::from_secs(20));
    // A date, which we do not read, and nonsense are no wishes.
    for odd in [
        "Fri, 31 Dec 1999 23:59:59 GMT",
        "-1",
        "soon",
        "99999999999999999999999",
    ] {
        sim.mishap("/pay", Mishap::Answers(status(503).with("retry-after", odd)));
        assert_eq!(client.send(&post(&sim)).await.unwrap().status, 200, "{odd}");
    }
}

#[tokio::test]
async fn what_must_not_be_heard_twice_is_sent_again_only_if_nobody_heard_it() {
    let (sim, client) = sim().await;
    for mishap in [
        Mishap::Answers(status(503)),
        Mishap::LosesAnswer,
        Mishap::LosesRequest,
    ] {
        let before = sim.asked().len();
        sim.mishap("/pay", mishap.clone());
        let told = client.send(&post(&sim).once()).await;
        assert!(!matches!(told, Ok(answer) if answer.is_success()), "{mishap:?}");
        assert_eq!(sim.asked().len(), before + 1, "{mishap:?}");
    }
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let nobody = format!("http://{}/pay", listener.local_addr().unwrap());
    drop(listener);
    let start = Instant::now();
    let call = Call::post("pay", nobody.parse().unwrap(), "application/json", "{}").once();
    assert!(matches!(client.send(&call).await, Err(Miss::NotSent(_))));
    assert!(
        start.elapsed() >= Duration::from_millis(600),
        "it was tried three times"
    );
}

#[tokio::test]
async fn an_answer_is_bounded() {
    let (sim, client) = sim().await;
    sim.with(|echo| echo.0.body = "x".repeat(1024 * 1024));
    assert_eq!(client.send(&post(&sim)).await.unwrap().body.len(), 1024 * 1024);
    sim.with(|echo| echo.0.body = "x".repeat(1024 * 1024 + 1));
    let told = client.send(&post(&sim).once()).await;
    assert_eq!(
        told.unwrap_err(),
        Miss::NoAnswer("an answer of more than 1048576 bytes".to_owned())
    );
}

#[tokio::test]
async fn a_redirect_is_an_answer_and_is_not_followed() {
    let (sim, client) = sim().await;
    let elsewhere = Sim::start(Echo(status(200))).await;
    sim.with(|echo| echo.0 = status(307).with("location", elsewhere.base()));
    assert_eq!(client.send(&post(&sim)).await.unwrap().status, 307);
    assert_eq!(elsewhere.asked().len(), 0, "it would have been sent our secrets");
}

#[tokio::test]
async fn connections_are_used_again() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let connections = Arc::new(AtomicUsize::new(0));
    let counted = Arc::clone(&connections);
    let server = tokio::spawn(async move {
        loop {
            let (mut stream, _) = listener.accept().await.unwrap();
            counted.fetch_add(1, Ordering::SeqCst);
            tokio::spawn(async move {
                let mut buffer = [0; 4096];
                while stream.read(&mut buffer).await.is_ok_and(|read| read > 0) {
                    stream
                        .write_all(b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\n{}")
                        .await
                        .unwrap();
                }
            });
        }
    });
    let client = Client::new("test").unwrap();
    let url: url::Url = format!("http://{address}/").parse().unwrap();
    for _ in 0..5 {
        client
            .clone()
            .send(&Call::get("look", url.clone()))
            .await
            .unwrap();
    }
    assert_eq!(connections.load(Ordering::SeqCst), 1);
    server.abort();
}

#[tokio::test]
async fn each_try_is_measured_by_its_outcome() {
    let recorder = DebuggingRecorder::new();
    let snapshotter = recorder.snapshotter();
    let recording = metrics::set_default_local_recorder(&recorder);
    let (sim, client) = sim().await;
    for mishap in [
        Mishap::Answers(status(404)),
        Mishap::Answers(status(503)),
        Mishap::LosesAnswer,
    ] {
        sim.mishap("/pay", mishap);
        let _ = client.send(&post(&sim).once()).await;
    }
    client.send(&post(&sim)).await.unwrap();
    drop(recording);
    let mut seen = Vec::new();
    for (key, _, _, value) in snapshotter.snapshot().into_vec() {
        let key = key.key();
        assert_eq!(key.name(), "souk_gateway_call_seconds");
        let labels: Vec<_> = key
            .labels()
            .map(|label| format!("{}={}", label.key(), label.value()))
            .collect();
        let DebugValue::Histogram(values) = value else {
            panic!("{value:?}")
        };
        seen.push((labels.join(" "), values.len()));
    }
    seen.sort();
    let expected = ["broken", "no_answer", "refused", "success"];
    let expected = expected.map(|outcome| (format!("gateway=test operation=pay outcome={outcome}"), 1));
    assert_eq!(seen, expected);
}

#[tokio::test]
async fn nothing_that_is_said_is_shown() {
    let (log, logging) = Log::begin();
    let (sim, client) = sim().await;
    let answer = status(200)
        .with("request-id", "req_7")
        .with("x-echo", "secret-header");
    sim.with(|echo| {
        echo.0 = Answer {
            body: "secret-answer".to_owned(),
            ..answer
        };
    });
    let key = SecretString::from("secret-key");
    let call = post(&sim)
        .secret("authorization", &key)
        .unwrap()
        .header("idempotency-key", "secret-idempotency")
        .unwrap();
    let told = client.send(&call).await.unwrap();
    sim.mishap("/pay", Mishap::LosesAnswer);
    let miss = client.send(&post(&sim).once()).await.unwrap_err();
    drop(logging);
    let logged = log.text();
    assert!(
        logged.contains("req_7")
            && logged.contains("a gateway answered")
            && logged.contains("a gateway did not answer"),
        "{logged}"
    );
    assert!(
        logged.contains("gateway{gateway=\"test\" operation=\"pay\"}"),
        "{logged}"
    );
    let shown = format!("{logged} {call:?} {told:?} {miss:?} {miss} {client:?}");
    assert!(!shown.contains("secret-"), "{shown}");
    let bad = post(&sim).header("idempotency-key", "secret-\n").unwrap_err();
    let worse = post(&sim)
        .secret("authorization", &"secret-\n".into())
        .unwrap_err();
    assert!(!format!("{bad:?} {worse:?}").contains("secret-"));
}

/// Fetches tokens, and counts them.
#[derive(Default)]
struct Fetch(AtomicUsize);

impl Fetch {
    async fn fetch(&self, life: Duration) -> Result<(SecretString, Duration), Fault> {
        let count = self.0.fetch_add(1, Ordering::SeqCst) + 1;
        tokio::time::sleep(Duration::from_millis(20)).await;
        Ok((SecretString::from(format!("token-{count}")), life))
    }
}

const HOUR: Duration = Duration::from_secs(3_600);

fn tokens() -> (Arc<ManualClock>, Tokens) {
    let clock = Arc::new(ManualClock::at("2026-03-01T12:00:00Z".parse().unwrap()));
    (clock.clone(), Tokens::new(clock))
}

async fn get(tokens: &Tokens, fetch: &Fetch, life: Duration) -> String {
    let token = tokens.get(|| fetch.fetch(life)).await.unwrap();
    token.expose_secret().to_owned()
}

#[tokio::test]
async fn a_token_is_fetched_once_for_all_who_wait() {
    let (_, tokens) = tokens();
    let fetch = Fetch::default();
    let got = join_all((0..50).map(|_| get(&tokens, &fetch, HOUR))).await;
    assert_eq!(got, vec!["token-1"; 50]);
    assert!(!format!("{tokens:?}").contains("token-1"));
}

#[tokio::test]
async fn a_token_is_not_used_in_its_last_minute() {
    let (clock, tokens) = tokens();
    let fetch = Fetch::default();
    assert_eq!(get(&tokens, &fetch, HOUR).await, "token-1");
    clock.advance(TimeDelta::seconds(3_539));
    assert_eq!(get(&tokens, &fetch, HOUR).await, "token-1");
    clock.advance(TimeDelta::seconds(1));
    assert_eq!(get(&tokens, &fetch, HOUR).await, "token-2");
}

#[tokio::test]
async fn a_token_that_is_not_taken_is_forgotten_once() {
    let (_, tokens) = tokens();
    let fetch = Fetch::default();
    let refused = SecretString::from(get(&tokens, &fetch, HOUR).await);
    // Twenty are told at once that it is not good; one of them gets a new one, which the others do not throw away.
    let renewed = join_all((0..20).map(|_| async {
        tokens.forget(&refused).await;
        get(&tokens, &fetch, HOUR).await
    }));
    assert_eq!(renewed.await, vec!["token-2"; 20]);
}

#[tokio::test]
async fn a_token_that_cannot_be_fetched_is_tried_anew_by_the_next_one() {
    let (_, tokens) = tokens();
    let failed = tokens
        .get(|| async { Err(Fault::Unknown("away".to_owned())) })
        .await;
    assert!(failed.is_err());
    let fetch = Fetch::default();
    let given_up = tokio::time::timeout(Duration::from_millis(1), get(&tokens, &fetch, HOUR)).await;
    assert!(given_up.is_err());
    assert_eq!(get(&tokens, &fetch, HOUR).await, "token-2");
}

#[tokio::test]
async fn how_long_a_token_is_good_for_may_be_nonsense() {
    for life in [
        Duration::ZERO,
        Duration::from_secs(60),
        Duration::from_secs(10_u64.pow(14)),
        Duration::MAX,
    ] {
        let (_, tokens) = tokens();
        let fetch = Fetch::default();
        assert_eq!(get(&tokens, &fetch, life).await, "token-1");
        assert_eq!(get(&tokens, &fetch, life).await, "token-2", "{life:?}");
    }
}
