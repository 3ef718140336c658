//! Documents that are known by an id instead of their text: those that the shop trusts, read at the start, and those that
//! clients have registered by their hash.

mod files;
mod registered;
mod trusted;

use std::ops::Deref;
use std::path::Path;
use std::sync::Arc;

use async_graphql::ServerError;

use super::document::{InputTypes, Known, coded};
use super::engine::GraphqlRequest;
use crate::infra::secret::digest;
use crate::kernel::config::LimitsConfig;

use registered::Registered;
pub use registered::Registration;
use trusted::Trusted;

/// What a SHA-256 is called where an id could be something else.
const HASH: &str = "sha256:";

/// Clients of automatic persisted queries look for these very words.
const NOT_FOUND: &str = "PersistedQueryNotFound";
const NOT_SUPPORTED: &str = "PersistedQueryNotSupported";

/// Where texts are looked up. The default knows none, and takes any.
#[derive(Debug, Default)]
pub struct Persisted {
    /// The only ones that are executed.
    trusted: Option<Trusted>,
    registered: Option<Registered>,
}

/// A document's text: as it was sent, or as it is kept here.
#[derive(Debug)]
pub enum Text {
    Sent(String),
    Kept(Arc<str>),
}

impl Deref for Text {
    type Target = str;

    fn deref(&self) -> &str {
        match self {
            Self::Sent(text) => text,
            Self::Kept(text) => text,
        }
    }
}

impl Persisted {
    /// With the documents of a folder, if there is one, and room for so many bytes of those that clients register.
    ///
    /// # Errors
    /// A document that cannot be executed: its file, its line, and why.
    pub fn new(
        folder: Option<&Path>,
        bytes: u64,
        types: &InputTypes,
        limits: &LimitsConfig,
        known: &Known,
    ) -> anyhow::Result<Self> {
        let trusted = folder.map(|folder| Trusted::read(folder, types, limits, known));
        Ok(Self {
            trusted: trusted.transpose()?,
            registered: Registered::new(bytes),
        })
    }

    /// The text that a request means, and what to remember of it once it has turned out to be sound. `unbound` callers may send
    /// any text.
    ///
    /// # Errors
    /// There is no such document, or its text may not be sent.
    pub fn find(
        &self,
        request: &mut GraphqlRequest,
        unbound: bool,
    ) -> Result<(Text, Option<Registration>), Vec<ServerError>> {
        let sent = request.query.take();
        let id = request.document_id.take();
        let id = id.as_deref().map(|id| id.strip_prefix(HASH).unwrap_or(id));
        match (&self.trusted, sent, id) {
            (_, None, None) => Err(refused("The parameter \"query\" or \"documentId\" is missing.")),
            (Some(trusted), None, Some(id)) => match trusted.get(id) {
                Some(text) => Ok((Text::Kept(text), None)),
                None => Err(refused(NOT_FOUND)),
            },
            (Some(trusted), Some(text), _) if !unbound && !trusted.has_text(&text) => {
                let message = "Only registered operations are executed here: ask for one by its id.";
                Err(vec![coded("FORBIDDEN", message, None)])
            }
            (Some(_), Some(text), _) | (None, Some(text), None) => Ok((Text::Sent(text), None)),
            (None, text, Some(id)) => match (&self.registered, text) {
                (Some(registered), text) => by_hash(registered, text, id),
                (None, Some(text)) => Ok((Text::Sent(text), None)),
                (None, None) => Err(refused(NOT_SUPPORTED)),
            },
        }
    }

    /// Whether the document with this hash is one of the shop's own.
    pub fn trusts(&self, hash: &str) -> bool {
        let trusted = self.trusted.as_ref();
        trusted.is_some_and(|trusted| trusted.has_hash(hash))
    }

    /// Keeps what has been executed, and so is no rubbish.
    pub fn register(&self, registration: Registration) {
        if let Some(registered) = &self.registered {
            registered.keep(registration);
        }
    }
}

fn by_hash(
    registered: &Registered,
    text: Option<String>,
    id: &str,
) -> Result<(Text, Option<Registration>), Vec<ServerError>> {
    let hash = id.to_ascii_lowercase();
    let kept = registered.get(&hash);
    match (text, kept) {
        (None, Some(kept)) => Ok((Text::Kept(kept), None)),
        (None, None) => Err(refused(NOT_FOUND)),
        (Some(text), Some(kept)) if *text == *kept => Ok((Text::Kept(kept), None)),
        (Some(text), _) => {
            if digest(&text) != hash {
                return Err(refused(
                    "The hash is not the SHA-256 of the query that came with it.",
                ));
            }
            let text: Arc<str> = text.into();
            let registration = Registration::new(hash, Arc::clone(&text));
            Ok((Text::Kept(text), registration))
        }
    }
}

fn refused(message: &str) -> Vec<ServerError> {
    vec![coded("BAD_USER_INPUT", message, None)]
}

#[cfg(test)]
mod tests;
