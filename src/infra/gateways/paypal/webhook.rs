//! PayPal's webhooks: whether one is genuine, and which payment it is about. "Integrate webhooks" and "Webhook event names" at
//! developer.paypal.com/api/rest/webhooks.

use std::time::Duration;

use chrono::{DateTime, TimeDelta};
use secrecy::{ExposeSecret as _, SecretString};
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;
use url::Url;

use super::api::{Api, No};
use super::certificate::Certificates;
use super::turns::{Turn, Turns};
use crate::infra::gateways::{About, Event, Message, Names, Unverified};

/// PayPal hangs up after a while, and comes again. Waiting for a turn is part of it.
const PATIENCE: Duration = Duration::from_secs(10);

/// PayPal goes on for three days \[bg\] with what was not taken.
const STALE: TimeDelta = TimeDelta::days(4);

const ALGORITHM: &str = "SHA256withRSA";

/// Ids of events look like `WH-2WR32451HC0233532-67976317FL4543714`.
const LONGEST_ID: usize = 200;

#[derive(Debug)]
pub(super) struct Verifier {
    webhook: SecretString,
    turns: Turns,
    /// Where webhooks are verified here.
    certificates: Option<Certificates>,
}

/// The five headers of a webhook.
#[derive(Clone, Copy, Debug)]
pub(super) struct Signed<'a> {
    pub(super) id: &'a str,
    pub(super) time: &'a str,
    pub(super) signature: &'a str,
    /// Where its certificate is: an address that [`certificate_address`] takes.
    pub(super) certificate: &'a str,
    pub(super) algorithm: &'a str,
}

/// The body of `POST /v1/notifications/verify-webhook-signature`.
#[derive(Serialize)]
struct Question<'a> {
    auth_algo: &'a str,
    cert_url: &'a str,
    transmission_id: &'a str,
    transmission_sig: &'a str,
    transmission_time: &'a str,
    webhook_id: &'a str,
    /// As it came: written anew it would have another signature.
    webhook_event: &'a RawValue,
}

#[derive(Deserialize)]
struct Verdict {
    verification_status: String,
}

impl Verifier {
    pub(super) fn new(webhook: SecretString, certificates: Option<Certificates>) -> Self {
        Self {
            webhook,
            turns: Turns::new(),
            certificates,
        }
    }

    pub(super) async fn verify(&self, api: &Api, message: &Message) -> Result<Event, Unverified> {
        let signed = Signed::of(message)?;
        let envelope = Envelope::of(&message.body)?;
        let genuine = tokio::time::timeout(PATIENCE, self.judge(api, &signed, message));
        let genuine = genuine.await.map_err(|_| {
            let why = "PayPal does not say in time whether a webhook is genuine";
            Unverified::Undecided(why.to_owned())
        })?;
        genuine?;
        Ok(envelope.event())
    }

    async fn judge(&self, api: &Api, signed: &Signed<'_>, message: &Message) -> Result<(), Unverified> {
        match &self.certificates {
            Some(certificates) => {
                let webhook = self.webhook.expose_secret();
                certificates.verify(signed, webhook, message, &self.turns).await
            }
            None => {
                let _turn = turn(&self.turns, message).await?;
                self.by_asking(api, signed, &message.body).await
            }
        }
    }

    async fn by_asking(&self, api: &Api, signed: &Signed<'_>, body: &[u8]) -> Result<(), Unverified> {
        let question = Question {
            auth_algo: signed.algorithm,
            cert_url: signed.certificate,
            transmission_id: signed.id,
            transmission_sig: signed.signature,
            transmission_time: signed.time,
            webhook_id: self.webhook.expose_secret(),
            webhook_event: serde_json::from_slice(body).map_err(|_| no_json())?,
        };
        let undecided = |why: String| Unverified::Undecided(why);
        let question = serde_json::to_string(&question).map_err(|error| undecided(error.to_string()))?;
        let path = ["v1", "notifications", "verify-webhook-signature"];
        let verdict: Verdict = match api.inquire("verify_webhook", &path, question).await {
            Ok(verdict) => verdict,
            Err(No::Unknown(why)) => return Err(undecided(why)),
            Err(No::Definite(problem)) => {
                return Err(undecided(format!("PayPal does not verify: {}", problem.issue())));
            }
        };
        match verdict.verification_status.as_str() {
            "SUCCESS" => Ok(()),
            "FAILURE" => Err(forged("PayPal says that it is not PayPal's")),
            _ => Err(undecided("PayPal answers neither SUCCESS nor FAILURE".to_owned())),
        }
    }
}

/// Waits until PayPal may be asked about this one.
pub(super) async fn turn<'a>(turns: &'a Turns, message: &Message) -> Result<Turn<'a>, Unverified> {
    let turn = turns.take(message.sender).await;
    turn.ok_or_else(|| {
        let why = "too many webhooks are being verified";
        Unverified::Undecided(why.to_owned())
    })
}

pub(super) fn forged(why: &str) -> Unverified {
    Unverified::Forged(why.to_owned())
}

fn no_json() -> Unverified {
    forged("the body is no event")
}

impl<'a> Signed<'a> {
    /// What can be said without asking anybody.
    fn of(message: &'a Message) -> Result<Self, Unverified> {
        let header = |name| {
            let value = message.header(name).filter(|value| !value.is_empty());
            value.ok_or_else(|| Unverified::Forged(format!("{name} is not there, or more than once")))
        };
        let signed = Self {
            id: header("paypal-transmission-id")?,
            time: header("paypal-transmission-time")?,
            signature: header("paypal-transmission-sig")?,
            certificate: header("paypal-cert-url")?,
            algorithm: header("paypal-auth-algo")?,
        };
        if signed.algorithm != ALGORITHM {
            return Err(forged("it is not signed with SHA256withRSA"));
        }
        if certificate_address(signed.certificate).is_none() {
            return Err(forged("its certificate is not at paypal.com"));
        }
        let Ok(time) = DateTime::parse_from_rfc3339(signed.time) else {
            return Err(forged("it was sent at no time"));
        };
        if time < message.received_at - STALE {
            return Err(forged("it was sent days ago"));
        }
        Ok(signed)
    }
}

/// An address below paypal.com: PayPal's certificates are nowhere else, and whoever may choose the certificate may sign.
pub(super) fn certificate_address(text: &str) -> Option<Url> {
    Url::parse(text).ok().filter(|url| {
        url.scheme() == "https"
            && url.username().is_empty()
            && url.password().is_none()
            && url.port().is_none()
            && url.domain().is_some_and(|host| host.ends_with(".paypal.com"))
    })
}

/// An event as PayPal writes it.
#[derive(Debug, Deserialize)]
struct Envelope<'a> {
    id: String,
    event_type: String,
    #[serde(borrow)]
    resource: &'a RawValue,
}

#[derive(Debug, Default, Deserialize)]
struct Resource {
    id: Option<String>,
    order_id: Option<String>,
    custom_id: Option<String>,
    invoice_id: Option<String>,
    #[serde(default)]
    purchase_units: Vec<UnitNamed>,
    supplementary_data: Option<Supplement>,
    #[serde(default)]
    disputed_transactions: Vec<Disputed>,
}

#[derive(Debug, Deserialize)]
struct UnitNamed {
    custom_id: Option<String>,
    reference_id: Option<String>,
}

#[derive(Debug, Deserialize)]
struct Supplement {
    related_ids: Option<Related>,
}

#[derive(Debug, Deserialize)]
struct Related {
    order_id: Option<String>,
}

/// Disputes v1 calls the `custom_id` of a payment `custom`, and its `invoice_id` `invoice_number`.
#[derive(Debug, Deserialize)]
struct Disputed {
    custom: Option<String>,
    invoice_number: Option<String>,
}

impl<'a> Envelope<'a> {
    fn of(body: &'a [u8]) -> Result<Self, Unverified> {
        let envelope: Self = serde_json::from_slice(body).map_err(|_| no_json())?;
        let fits = |text: &str| (1..=LONGEST_ID).contains(&text.len());
        if fits(&envelope.id) && fits(&envelope.event_type) {
            Ok(envelope)
        } else {
            Err(no_json())
        }
    }

    fn event(self) -> Event {
        // An event that we do not know may be about anything.
        let resource = serde_json::from_str(self.resource.get()).unwrap_or_default();
        Event {
            about: about(&self.event_type, resource),
            id: self.id,
            kind: self.event_type,
        }
    }
}

fn about(kind: &str, resource: Resource) -> About {
    let nothing = |why: &str| About::Nothing { why: why.to_owned() };
    let is = |prefix: &str| kind.starts_with(prefix);
    let related = resource.supplementary_data.and_then(|more| more.related_ids);
    let order = related.and_then(|ids| ids.order_id);
    if is("CHECKOUT.ORDER.") || is("CHECKOUT.PAYMENT-APPROVAL.") {
        let unit = resource.purchase_units.into_iter().next();
        let ours = unit.and_then(|unit| unit.custom_id.or(unit.reference_id));
        return named(
            Names {
                ours,
                theirs: resource.order_id.or(resource.id),
            },
            |transaction| About::Transaction { transaction },
        );
    }
    if is("CUSTOMER.DISPUTE.") {
        let disputed = resource.disputed_transactions.into_iter().next();
        let ours = disputed.and_then(|disputed| disputed.custom.or(disputed.invoice_number));
        return named(Names { ours, theirs: None }, |transaction| About::Dispute {
            transaction,
        });
    }
    let transaction = Names {
        ours: resource.custom_id,
        theirs: order,
    };
    if kind == "PAYMENT.CAPTURE.REFUNDED" || is("PAYMENT.REFUND.") {
        // We give refunds an invoice of their own. One that was made at PayPal has the payment's.
        let invoice = resource.invoice_id;
        let refund = Names {
            ours: invoice.filter(|invoice| transaction.ours.as_ref() != Some(invoice)),
            theirs: resource.id,
        };
        return named(transaction, |transaction| About::Refund { transaction, refund });
    }
    if is("PAYMENT.CAPTURE.") || is("PAYMENT.AUTHORIZATION.") {
        return named(transaction, |transaction| About::Transaction { transaction });
    }
    nothing("we do nothing about such events")
}

fn named(transaction: Names, about: impl FnOnce(Names) -> About) -> About {
    if transaction == Names::default() {
        let why = "it names no payment".to_owned();
        return About::Nothing { why };
    }
    about(transaction)
}
