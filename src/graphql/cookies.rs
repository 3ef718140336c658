//! The refresh token as a cookie, for browsers: what a resolver needs to read the one that was sent, and to say what is
//! to become of it. What a cookie is on the wire is the front door's business.

use std::fmt;
use std::sync::{Arc, Mutex, PoisonError};

use chrono::{DateTime, Utc};
use secrecy::SecretString;

/// What is to become of the browser's cookie.
#[derive(Clone, Debug)]
pub enum Change {
    Set {
        token: SecretString,
        expires_at: DateTime<Utc>,
    },
    Clear,
}

/// How the refresh token of one request travels: in the body, unless the client asked for a cookie and can have one.
#[derive(Clone, Default)]
pub struct RefreshCookie(Option<Arc<Asked>>);

struct Asked {
    sent: Option<SecretString>,
    change: Mutex<Option<Change>>,
}

impl fmt::Debug for RefreshCookie {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "RefreshCookie(asked for: {})", self.is_asked_for())
    }
}

impl RefreshCookie {
    /// For a client that asked for it, with the cookie that came along. The default is for all others, and for
    /// transports that have no cookies: nobody's cookie counts who did not ask for it, else a page elsewhere could use it.
    pub fn asked(sent: Option<SecretString>) -> Self {
        Self(Some(Arc::new(Asked {
            sent,
            change: Mutex::new(None),
        })))
    }

    /// Whether the refresh token goes out by `set`, and is then not in the body.
    pub fn is_asked_for(&self) -> bool {
        self.0.is_some()
    }

    /// The token that came in the cookie; None without one, or when it does not count.
    pub fn sent(&self) -> Option<&SecretString> {
        self.0.as_ref()?.sent.as_ref()
    }

    /// Sends this token out. Does nothing for a client that did not ask for cookies: it gets the token in the body.
    pub fn set(&self, token: SecretString, expires_at: DateTime<Utc>) {
        self.change(Change::Set { token, expires_at });
    }

    /// Takes the browser's cookie away, of a client that asked for cookies.
    pub fn clear(&self) {
        self.change(Change::Clear);
    }

    fn change(&self, change: Change) {
        if let Some(asked) = &self.0 {
            *asked.change.lock().unwrap_or_else(PoisonError::into_inner) = Some(change);
        }
    }

    /// What the last of the resolvers wants.
    pub fn wanted(&self) -> Option<Change> {
        let asked = self.0.as_ref()?;
        asked
            .change
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .clone()
    }
}
