//! Access tokens of gateways: kept while they are good, and renewed once for all who wait for one.

use std::sync::Arc;
use std::time::Duration;

use chrono::{DateTime, TimeDelta, Utc};
use secrecy::{ExposeSecret as _, SecretString};
use tokio::sync::Mutex;

use super::Fault;
use crate::kernel::clock::Clock;

/// A token is not used in its last minute: it has to arrive as well.
const MARGIN: TimeDelta = TimeDelta::seconds(60);

/// The token of one gateway.
#[derive(Debug)]
pub struct Tokens {
    clock: Arc<dyn Clock>,
    kept: Mutex<Option<Kept>>,
}

#[derive(Debug)]
struct Kept {
    token: SecretString,
    until: DateTime<Utc>,
}

impl Tokens {
    pub fn new(clock: Arc<dyn Clock>) -> Self {
        Self {
            clock,
            kept: Mutex::new(None),
        }
    }

    /// The token that is kept, or a new one, fetched with how long it is good for.
    ///
    /// # Errors
    /// It cannot be fetched. The next one who asks tries anew.
    pub async fn get<F>(&self, fetch: impl FnOnce() -> F) -> Result<SecretString, Fault>
    where
        F: Future<Output = Result<(SecretString, Duration), Fault>>,
    {
        // Held while it is fetched: whoever comes meanwhile waits for it instead of fetching another one.
        let mut kept = self.kept.lock().await;
        let now = self.clock.now();
        if let Some(kept) = kept.as_ref().filter(|kept| now + MARGIN < kept.until) {
            return Ok(kept.token.clone());
        }
        let (token, life) = fetch().await?;
        // One that is good for longer than there are dates is not worth keeping.
        let until = TimeDelta::from_std(life)
            .ok()
            .and_then(|life| now.checked_add_signed(life));
        *kept = until.map(|until| Kept {
            token: token.clone(),
            until,
        });
        Ok(token)
    }

    /// Forgets a token that the gateway did not take, unless it has been renewed since.
    pub async fn forget(&self, refused: &SecretString) {
        let mut kept = self.kept.lock().await;
        if kept
            .as_ref()
            .is_some_and(|kept| kept.token.expose_secret() == refused.expose_secret())
        {
            *kept = None;
        }
    }
}
