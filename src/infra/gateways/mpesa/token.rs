//! The addresses that Daraja calls back, and whether a message came to one of them: nothing else tells it from a stranger's.
//!
//! An address has the shop's secret, then what it is about and a seal over that. The seal's key is made of the secret and the
//! passkey, which is in no address: whoever gets to see one address cannot make another.

use ipnet::IpNet;
use secrecy::{ExposeSecret as _, SecretString};
use url::Url;

use super::callback;
use crate::infra::gateways::{About, Event, Fault, Message, Names, Unverified};
use crate::infra::secret::{derive, digest, equal};
use crate::kernel::config::MpesaConfig;

/// Below the shop's own address.
const PATH: &str = "/webhooks/mpesa";
/// Stands in addresses that tell of a reversal that waits in M-Pesa's queue for too long.
const OVERDUE: &str = "overdue";

#[derive(Debug)]
pub(super) struct Callbacks {
    home: String,
    current: Key,
    previous: Option<Key>,
    /// Empty for anybody.
    callers: Vec<IpNet>,
}

#[derive(Debug)]
struct Key {
    secret: SecretString,
    passkey: SecretString,
}

impl Key {
    fn seal(&self, what: &str) -> Result<SecretString, String> {
        let failed = |_| "a seal cannot be made".to_owned();
        let key = derive(self.secret.expose_secret(), &self.passkey).map_err(failed)?;
        derive(key.expose_secret(), &SecretString::from(what)).map_err(failed)
    }
}

impl Callbacks {
    pub(super) fn new(config: &MpesaConfig, public_url: &Url) -> Self {
        let key = |secret: &SecretString| Key {
            secret: secret.clone(),
            passkey: config.passkey.clone(),
        };
        Self {
            home: format!("{}{PATH}", public_url.as_str().trim_end_matches('/')),
            current: key(&config.callback_secret),
            previous: config.callback_previous_secret.as_ref().map(key),
            callers: config.callers.clone(),
        }
    }

    fn address(&self, what: &str) -> Result<SecretString, Fault> {
        let seal = self.current.seal(what).map_err(Fault::Unsent)?;
        let (secret, seal) = (self.current.secret.expose_secret(), seal.expose_secret());
        Ok(format!("{}/{secret}/{what}.{seal}", self.home).into())
    }

    pub(super) fn of_payment(&self, payment: &str) -> Result<SecretString, Fault> {
        self.address(payment)
    }

    pub(super) fn of_refund(&self, payment: &str, refund: &str) -> Result<SecretString, Fault> {
        self.address(&format!("{payment}.{refund}"))
    }

    /// The same for the news that a reversal is not done yet, which looks like a failure and is none.
    pub(super) fn of_overdue_refund(&self, payment: &str, refund: &str) -> Result<SecretString, Fault> {
        self.address(&format!("{payment}.{refund}.{OVERDUE}"))
    }

    pub(super) fn verify(&self, message: &Message) -> Result<Event, Unverified> {
        let forged = |why: &str| Err(Unverified::Forged(why.to_owned()));
        let is_known = |callers: &[IpNet]| {
            callers.is_empty()
                || message
                    .sender
                    .is_some_and(|sender| callers.iter().any(|net| net.contains(&sender)))
        };
        if !is_known(&self.callers) {
            return forged("not from an address that callbacks come from");
        }
        let [secret, token] = message.path.as_slice() else {
            return forged("not an address of ours");
        };
        let keys = [Some(&self.current), self.previous.as_ref()];
        let mut known = keys.into_iter().flatten();
        let Some(key) = known.find(|key| equal(key.secret.expose_secret(), secret)) else {
            return forged("not to the shop's secret address");
        };
        let Some((what, seal)) = token.rsplit_once('.') else {
            return forged("an address without a seal");
        };
        let expected = key.seal(what).map_err(Unverified::Undecided)?;
        if !equal(expected.expose_secret(), seal) {
            return forged("an address with a wrong seal");
        }
        let Ok(body) = std::str::from_utf8(&message.body) else {
            return forged("not a text");
        };
        if serde_json::from_str::<serde::de::IgnoredAny>(body).is_err() {
            return forged("not JSON, or cut off");
        }
        let parts: Vec<&str> = what.split('.').collect();
        let (kind, about) = about(&parts, &message.body);
        Ok(Event {
            // Neither part has a line's end in it but for the body's own, which comes last.
            id: digest(&format!("{token}\n{body}")),
            kind: kind.to_owned(),
            about,
        })
    }
}

/// What a message is about, by the address that it came to.
fn about(parts: &[&str], body: &[u8]) -> (&'static str, About) {
    let ours = |id: &str, theirs| Names {
        ours: Some(id.to_owned()),
        theirs,
    };
    let nothing = |why: &str| About::Nothing { why: why.to_owned() };
    match parts {
        [payment] => match callback::of_payment(body) {
            Some(_) => {
                // Its own name is not passed on: money of a second prompt for the same payment is to be seen.
                let transaction = ours(payment, None);
                ("stkCallback", About::Transaction { transaction })
            }
            None => ("unknown", nothing("no callback of a prompt")),
        },
        [payment, refund] => match callback::of_refund(body) {
            Some(told) => {
                let (transaction, refund) = (ours(payment, None), ours(refund, told.id));
                ("reversalResult", About::Refund { transaction, refund })
            }
            None => ("unknown", nothing("no result of a reversal")),
        },
        [payment, refund, OVERDUE] => {
            tracing::warn!(%payment, %refund, "a reversal waits in M-Pesa's queue for too long");
            let why =
                "a reversal waits in M-Pesa's queue; what comes of it is told later, or seen in the portal";
            ("reversalOverdue", nothing(why))
        }
        _ => ("unknown", nothing("an address of another kind")),
    }
}
