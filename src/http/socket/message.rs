//! The protocol's messages, read and written.

use async_graphql::ServerError;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::Close;
use crate::graphql::engine::GraphqlRequest;
use crate::http::json;

/// A longer id names nothing that a client could need.
const MAX_ID_BYTES: usize = 256;

/// What a client says.
#[derive(Debug)]
pub(super) enum Said {
    /// `connection_init`, with the `authorization` of its payload.
    Init(Option<String>),
    Ping(Option<Value>),
    Pong,
    Subscribe(String, GraphqlRequest),
    Complete(String),
}

#[derive(Deserialize)]
struct Envelope {
    #[serde(rename = "type")]
    kind: String,
    #[serde(default)]
    id: Option<Value>,
    #[serde(default)]
    payload: Option<Value>,
}

impl Said {
    /// # Errors
    /// The close that answers what is not of the protocol.
    pub(super) fn read(text: &str, json_depth: usize) -> Result<Self, Close> {
        if json::exceeds_depth(text.as_bytes(), json_depth) {
            return Err(Close::invalid("Message nested too deep"));
        }
        let Envelope { kind, id, payload } =
            serde_json::from_str(text).map_err(|_| Close::invalid("Invalid message received"))?;
        let id = || match id {
            Some(Value::String(id)) if !id.is_empty() && id.len() <= MAX_ID_BYTES => Ok(id),
            _ => Err(Close::invalid("Message needs an id: a string of 1 to 256 bytes")),
        };
        let payload = match payload {
            Some(Value::Null) => None,
            payload => payload,
        };
        match kind.as_str() {
            "connection_init" => Ok(Self::Init(authorization(payload)?)),
            "ping" => Ok(Self::Ping(object(payload)?)),
            "pong" => object(payload).map(|_| Self::Pong),
            "subscribe" => {
                let request = json::request_of_value(payload.unwrap_or_default()).map_err(Close::invalid)?;
                Ok(Self::Subscribe(id()?, request))
            }
            "complete" => Ok(Self::Complete(id()?)),
            _ => Err(Close::invalid("Message of a type that clients do not send")),
        }
    }
}

fn object(payload: Option<Value>) -> Result<Option<Value>, Close> {
    match payload {
        None | Some(Value::Object(_)) => Ok(payload),
        Some(_) => Err(Close::invalid("Message with a payload that is not an object")),
    }
}

/// `{"authorization": "Bearer …"}`, spelt like the header too.
fn authorization(payload: Option<Value>) -> Result<Option<String>, Close> {
    let Some(Value::Object(fields)) = object(payload)? else {
        return Ok(None);
    };
    match fields
        .into_iter()
        .find(|(name, _)| name.eq_ignore_ascii_case("authorization"))
    {
        None | Some((_, Value::Null)) => Ok(None),
        Some((_, Value::String(value))) => Ok(Some(value)),
        Some(_) => Err(Close::invalid(
            "The authorization of connection_init must be a string",
        )),
    }
}

/// An answer, whose JSON is written already: it goes to many, and is not looked at again.
pub(super) fn next(id: &str, payload: &str) -> String {
    // A string is always written.
    let id = serde_json::to_string(id).unwrap_or_default();
    [r#"{"type":"next","id":"#, &id, r#","payload":"#, payload, "}"].concat()
}

/// What else we say.
#[derive(Serialize)]
#[serde(tag = "type", rename_all = "snake_case")]
pub(super) enum Say<'a> {
    ConnectionAck,
    Pong {
        #[serde(skip_serializing_if = "Option::is_none")]
        payload: Option<Value>,
    },
    /// The operation failed as a whole; no `complete` follows.
    Error {
        id: &'a str,
        payload: &'a [ServerError],
    },
    Complete {
        id: &'a str,
    },
}
