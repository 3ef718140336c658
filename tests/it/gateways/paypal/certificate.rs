//! Webhooks that are verified by their certificate. Its chain ends at a root of the tests' own.

use std::sync::{Arc, Mutex};

use async_trait::async_trait;
use bytes::Bytes;
use chrono::{DateTime, Utc};
use rustls::pki_types::{CertificateDer, TrustAnchor};
use serde_json::json;
use souk::infra::gateways::paypal::Paypal;
use souk::infra::gateways::paypal::certificate::{Certificates, Fetch};
use souk::infra::gateways::{About, Event, PaymentGateway as _, Unverified};
use souk::kernel::clock::{Clock, ManualClock};
use url::Url;

use super::direct::config;
use super::play::{CERTIFICATE, Note};

const LEAF: &str = include_str!("keys/leaf.pem");
const OTHER_NAME: &str = include_str!("keys/other_name.pem");
const ROOT: &[u8] = include_bytes!("keys/root.der");

/// What stands at PayPal's addresses, and which of them were asked.
#[derive(Clone, Debug, Default)]
struct Addresses {
    text: Arc<Mutex<Option<String>>>,
    asked: Arc<Mutex<Vec<Url>>>,
    /// Whoever asks at an address with this in it is kept waiting.
    slow: &'static str,
}

#[async_trait]
impl Fetch for Addresses {
    async fn fetch(&self, address: Url) -> Result<Bytes, String> {
        self.asked.lock().unwrap().push(address.clone());
        if !self.slow.is_empty() && address.as_str().contains(self.slow) {
            return std::future::pending().await;
        }
        let text = self.text.lock().unwrap().clone();
        text.map(Bytes::from).ok_or_else(|| "no answer".to_owned())
    }
}

impl Addresses {
    fn have(&self, text: &str) {
        *self.text.lock().unwrap() = Some(text.to_owned());
    }

    fn count(&self) -> usize {
        self.asked.lock().unwrap().len()
    }
}

fn at(time: &str) -> DateTime<Utc> {
    time.parse().unwrap()
}

fn now() -> DateTime<Utc> {
    at("2026-03-01T12:00:00Z")
}

fn gateway(roots: Vec<TrustAnchor<'static>>) -> (Paypal, Addresses) {
    let addresses = Addresses {
        slow: "SLOW",
        ..Addresses::default()
    };
    let certificates = Certificates::new(Box::new(addresses.clone()), roots);
    let clock: Arc<dyn Clock> = Arc::new(ManualClock::at(now()));
    // Nobody listens there: nothing may be asked of the API.
    let config = config("http://127.0.0.1:9", true);
    let gateway = Paypal::with_certificates(&config, &clock, certificates).unwrap();
    (gateway, addresses)
}

fn trusting() -> (Paypal, Addresses) {
    let root = CertificateDer::from(ROOT);
    let (gateway, addresses) = gateway(vec![webpki::anchor_from_trusted_cert(&root).unwrap().to_owned()]);
    addresses.have(LEAF);
    (gateway, addresses)
}

fn note(time: DateTime<Utc>) -> Note {
    let resource = json!({"id": "1", "custom_id": "payment_1"});
    let event = json!({"id": "WH-1", "event_type": "PAYMENT.CAPTURE.COMPLETED", "resource": resource});
    Note::new(&event, time)
}

async fn verified(gateway: &Paypal, note: &Note) -> Result<Event, Unverified> {
    gateway.verify(&note.arriving(now())).await
}

fn is_forged(told: &Result<Event, Unverified>) -> bool {
    matches!(told, Err(Unverified::Forged(_)))
}

#[tokio::test]
async fn what_paypal_has_signed_is_genuine_and_its_certificate_is_kept() {
    let (gateway, addresses) = trusting();
    let note = note(now());
    for _ in 0..3 {
        let told = verified(&gateway, &note).await.unwrap();
        assert_eq!(told.id, "WH-1");
        assert!(
            matches!(told.about, About::Transaction { transaction } if transaction.ours.as_deref() == Some("payment_1"))
        );
    }
    let expected: Url = CERTIFICATE.parse().unwrap();
    assert_eq!(*addresses.asked.lock().unwrap(), [expected]);
}

#[tokio::test]
async fn what_is_changed_is_forged() {
    let (gateway, _) = trusting();
    let note = note(now());
    let body = |body: String| Note { body, ..note.clone() };
    for forged in [
        body(note.body.replace("payment_1", "payment_2")),
        body(format!("{} ", note.body)),
        body(note.body.replace(':', ": ")),
        note.clone()
            .with("paypal-transmission-time", "2026-03-01T12:00:01Z"),
        note.clone().with("paypal-transmission-id", "1"),
        note.clone().with("paypal-transmission-sig", "AAAA"),
        note.clone().with("paypal-transmission-sig", "not base64!"),
        Note::of(
            "another-webhook",
            &serde_json::from_str(&note.body).unwrap(),
            now(),
        ),
    ] {
        let told = verified(&gateway, &forged).await;
        assert!(is_forged(&told), "{forged:?}: {told:?}");
    }
    assert!(verified(&gateway, &note).await.is_ok());
}

#[tokio::test]
async fn a_certificate_of_others_is_not_believed() {
    let (gateway, addresses) = trusting();
    for certificate in [
        OTHER_NAME,
        "",
        "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n",
    ] {
        addresses.have(certificate);
        let told = verified(&gateway, &note(now())).await;
        assert!(is_forged(&told), "{certificate}: {told:?}");
    }
    // Right in all but its root.
    let (gateway, addresses) = self::gateway(webpki_roots::TLS_SERVER_ROOTS.to_vec());
    addresses.have(LEAF);
    let told = verified(&gateway, &note(now())).await;
    assert!(is_forged(&told), "{told:?}");
}

#[tokio::test]
async fn a_certificate_is_good_for_its_time_alone_also_when_it_is_kept() {
    let (gateway, addresses) = trusting();
    assert!(verified(&gateway, &note(now())).await.is_ok());
    for time in ["2025-12-31T23:59:59Z", "2027-01-01T00:00:01Z"] {
        let told = gateway.verify(&note(at(time)).arriving(at(time))).await;
        assert!(is_forged(&told), "{time}: {told:?}");
    }
    assert_eq!(addresses.count(), 1);
}

#[tokio::test]
async fn nothing_is_fetched_from_elsewhere_and_what_does_not_come_is_not_decided() {
    let (gateway, addresses) = trusting();
    for address in [
        "https://evilpaypal.com/CERT",
        "http://api.paypal.com/CERT",
        "https://169.254.169.254/.paypal.com",
    ] {
        let told = verified(&gateway, &note(now()).with("paypal-cert-url", address)).await;
        assert!(is_forged(&told), "{address}: {told:?}");
    }
    assert_eq!(addresses.count(), 0);
    *addresses.text.lock().unwrap() = None;
    let told = verified(&gateway, &note(now())).await;
    assert!(matches!(told, Err(Unverified::Undecided(_))), "{told:?}");
    addresses.have(LEAF);
    assert!(verified(&gateway, &note(now())).await.is_ok());
}

#[tokio::test]
async fn two_are_fetched_at_a_time_for_one_sender_and_what_is_kept_waits_for_nobody() {
    let (gateway, addresses) = trusting();
    assert!(verified(&gateway, &note(now())).await.is_ok());
    let slow = |count: usize| {
        let address = format!("https://api.paypal.com/SLOW-{count}");
        note(now()).with("paypal-cert-url", &address).arriving(now())
    };
    let strangers = (0..20).map(async |count| gateway.verify(&slow(count)).await);
    let paypal = async {
        while addresses.count() < 3 {
            tokio::task::yield_now().await;
        }
        for _ in 0..3 {
            assert!(verified(&gateway, &note(now())).await.is_ok());
            tokio::task::yield_now().await;
        }
        addresses.count()
    };
    tokio::select! {
        told = futures_util::future::join_all(strangers) => panic!("nothing has come: {told:?}"),
        count = paypal => assert_eq!(count, 3, "two besides the one that is kept"),
    }
}
