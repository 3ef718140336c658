//! Messages that gateways send: whether they are genuine, and what they are about. What they say is not believed: it may be
//! old by now, so the gateway is asked.

use std::net::IpAddr;

use bytes::Bytes;
use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};

/// A message as it came, of which nothing is believed yet.
#[derive(Clone, Debug)]
pub struct Message {
    /// What follows the gateway's name in the address that it was sent to.
    pub path: Vec<String>,
    /// Names in lower case.
    pub headers: Vec<(String, String)>,
    pub body: Bytes,
    /// The address that it came from, as far as that is known.
    pub sender: Option<IpAddr>,
    pub received_at: DateTime<Utc>,
}

impl Message {
    /// A header that is there once.
    pub fn header(&self, name: &str) -> Option<&str> {
        let mut values = self.headers.iter().filter(|(own, _)| own == name);
        match (values.next(), values.next()) {
            (Some((_, value)), None) => Some(value),
            _ => None,
        }
    }
}

/// A message that is genuine.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Event {
    /// The same when it is sent again.
    pub id: String,
    /// What the gateway calls such an event.
    pub kind: String,
    pub about: About,
}

/// What an event is about.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "type", rename_all = "camelCase")]
pub enum About {
    Transaction {
        transaction: Names,
    },
    Refund {
        transaction: Names,
        refund: Names,
    },
    /// The buyer's bank wants the money back.
    Dispute {
        transaction: Names,
    },
    /// Nothing that we deal with, for this reason.
    Nothing {
        why: String,
    },
}

/// What something is called: by us, by the gateway, or both.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Names {
    pub ours: Option<String>,
    pub theirs: Option<String>,
}

/// Why a message is not taken.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Unverified {
    /// It is not from the gateway, or not as the gateway has sent it. For the log.
    Forged(String),
    /// Whether it is cannot be found out now: it has to come again. For the log.
    Undecided(String),
}
