//! Whether a message is Stripe's, and what it is about (docs.stripe.com/webhooks, "verify manually").

use chrono::{DateTime, TimeDelta, Utc};
use hmac::{Hmac, Mac as _};
use secrecy::{ExposeSecret as _, SecretString};
use serde::Deserialize;
use sha2::Sha256;

use super::wire::{Metadata, Name, Named};
use crate::infra::gateways::{About, Event, Message, Names, Unverified};
use crate::infra::secret;

/// How old a message may be, and how far Stripe's clock may be ahead. Each try of Stripe's is signed anew.
const TOLERANCE: TimeDelta = TimeDelta::seconds(300);

/// `t=<unix>,v1=<hex>[,v1=<hex>]…`: two of them while the endpoint's secret is rolled. Other schemes are for tests of
/// Stripe's and prove nothing; whatever else stands there does no harm.
struct Signature<'a> {
    time: &'a str,
    signatures: Vec<&'a str>,
}

impl<'a> Signature<'a> {
    fn read(header: &'a str) -> Option<Self> {
        let (mut times, mut signatures) = (Vec::new(), Vec::new());
        for part in header.split(',') {
            match part.trim().split_once('=') {
                Some(("t", time)) => times.push(time),
                Some(("v1", signature)) => signatures.push(signature),
                Some(_) | None => {}
            }
        }
        match times[..] {
            [time] => Some(Self { time, signatures }),
            _ => None,
        }
    }

    fn is_of(&self, secret: &SecretString, body: &[u8]) -> bool {
        // HMAC takes keys of any length.
        let Ok(mut mac) = Hmac::<Sha256>::new_from_slice(secret.expose_secret().as_bytes()) else {
            return false;
        };
        mac.update(self.time.as_bytes());
        mac.update(b".");
        mac.update(body);
        let genuine = format!("{:x}", mac.finalize().into_bytes());
        self.signatures
            .iter()
            .any(|signature| secret::equal(signature, &genuine))
    }

    fn time(&self) -> Option<DateTime<Utc>> {
        DateTime::from_timestamp(self.time.parse().ok()?, 0)
    }
}

pub(super) fn verify(secrets: &[SecretString], live: bool, message: &Message) -> Result<Event, Unverified> {
    let forged = |why: &str| Unverified::Forged(why.to_owned());
    let header = message.header("stripe-signature");
    let header = header.ok_or_else(|| forged("there is not one Stripe-Signature"))?;
    let signature = Signature::read(header).ok_or_else(|| forged("Stripe-Signature cannot be read"))?;
    if !secrets
        .iter()
        .any(|secret| signature.is_of(secret, &message.body))
    {
        return Err(forged("no signature is of our secrets"));
    }
    let time = signature
        .time()
        .ok_or_else(|| forged("it was signed at no time"))?;
    if (message.received_at - time).abs() > TOLERANCE {
        return Err(forged("it was signed too long ago, or in the future"));
    }
    let told: Told = serde_json::from_slice(&message.body).map_err(|_| forged("it is no event"))?;
    Ok(Event {
        about: about(&told, live),
        id: told.id,
        kind: told.kind,
    })
}

#[derive(Debug, Deserialize)]
struct Told {
    id: String,
    #[serde(rename = "type")]
    kind: String,
    livemode: Option<bool>,
    /// Set where it happened in somebody else's account.
    account: Option<String>,
    data: Option<Data>,
}

#[derive(Debug, Deserialize)]
struct Data {
    /// Of any kind of object.
    object: serde_json::Value,
}

/// What the objects have in common that we hear of.
#[derive(Debug, Deserialize)]
struct Object {
    id: String,
    metadata: Option<Metadata>,
    payment_intent: Option<Named<Name>>,
}

fn about(told: &Told, live: bool) -> About {
    let nothing = |why: &str| About::Nothing { why: why.to_owned() };
    if told.account.is_some() {
        return nothing("it is about another account");
    }
    if told.livemode != Some(live) {
        return nothing("it is of the other mode, live or test, than our key");
    }
    let Some(topic) = topic(&told.kind) else {
        return nothing("we do not deal with such events");
    };
    let object = told.data.as_ref().map(|data| Object::deserialize(&data.object));
    let Some(Ok(object)) = object else {
        return nothing("it does not say which object it is about");
    };
    let own = |name: &str| object.metadata.as_ref()?.get(name).cloned();
    let (payment, refund) = (own("payment_id"), own("refund_id"));
    let intent = object.payment_intent.map(Named::into_name);
    let transaction = Names {
        ours: payment,
        theirs: if topic == Topic::Intent {
            Some(object.id.clone())
        } else {
            intent
        },
    };
    if transaction == Names::default() {
        return nothing("it is about no PaymentIntent");
    }
    match topic {
        Topic::Intent | Topic::Charge => About::Transaction { transaction },
        Topic::Dispute => About::Dispute { transaction },
        Topic::Refund => About::Refund {
            transaction,
            refund: Names {
                ours: refund,
                theirs: Some(object.id),
            },
        },
    }
}

/// Which object an event has.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Topic {
    Intent,
    Charge,
    Refund,
    Dispute,
}

fn topic(kind: &str) -> Option<Topic> {
    let (object, what) = kind.split_once('.')?;
    match object {
        "payment_intent" => Some(Topic::Intent),
        "refund" => Some(Topic::Refund),
        "charge" if what.starts_with("refund.") => Some(Topic::Refund),
        "charge" if what.starts_with("dispute.") => Some(Topic::Dispute),
        "charge" => Some(Topic::Charge),
        _ => None,
    }
}
