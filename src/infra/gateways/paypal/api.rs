//! Asking PayPal: with an access token, a key for what must not happen twice, and an eye for what an answer is worth.

use std::time::Duration;

use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use bytes::Bytes;
use secrecy::{ExposeSecret as _, SecretString};
use serde::de::DeserializeOwned;
use serde_json::Value;
use url::Url;

use super::wire::{Problem, Token, Trouble};
use crate::infra::gateways::Fault;
use crate::infra::gateways::http::{Answer, Call, Client, Miss};
use crate::infra::gateways::oauth::Tokens;

const JSON: &str = "application/json";
const FORM: &str = "application/x-www-form-urlencoded";

#[derive(Debug)]
pub(super) struct Api {
    client: Client,
    tokens: Tokens,
    base: Url,
    /// `client_id:secret`, as HTTP's Basic has it.
    basic: SecretString,
}

/// Why something is not done.
#[derive(Debug)]
pub(super) enum No {
    /// It may be done all the same.
    Unknown(String),
    /// It is not.
    Definite(Problem),
}

impl From<Miss> for No {
    fn from(miss: Miss) -> Self {
        Self::Unknown(miss.to_string())
    }
}

impl From<Fault> for No {
    fn from(fault: Fault) -> Self {
        match fault {
            Fault::Unknown(why) | Fault::Unsent(why) => Self::Unknown(why),
            Fault::Refused(reason) => Self::Unknown(reason.message),
        }
    }
}

impl From<No> for Fault {
    fn from(no: No) -> Self {
        match no {
            No::Unknown(why) => Self::Unknown(why),
            No::Definite(problem) => Self::Refused(problem.reason()),
        }
    }
}

impl Api {
    pub(super) fn new(
        client: Client,
        tokens: Tokens,
        base: Url,
        id: &SecretString,
        secret: &SecretString,
    ) -> Self {
        let pair = format!("{}:{}", id.expose_secret(), secret.expose_secret());
        let basic = format!("Basic {}", BASE64_STANDARD.encode(pair));
        Self {
            client,
            tokens,
            base,
            basic: basic.into(),
        }
    }

    pub(super) async fn get<T: DeserializeOwned>(
        &self,
        operation: &'static str,
        path: &[&str],
    ) -> Result<T, No> {
        let call = Call::get(operation, self.url(path)?);
        read(&self.ask(call).await?)
    }

    /// Asks by a key: PayPal tells how the first request stands when it comes again. Orders keep keys for 6 hours, payments
    /// (captures of what is promised, voids, refunds) for 45 days.
    pub(super) async fn post(
        &self,
        operation: &'static str,
        path: &[&str],
        key: &str,
        body: &Value,
    ) -> Result<Bytes, No> {
        let call = Call::post(operation, self.url(path)?, JSON, body.to_string())
            .header("paypal-request-id", key)?
            // Without it the answer says little more than an id.
            .header("prefer", "return=representation")?;
        self.ask(call).await
    }

    /// Asks something that may be asked any number of times.
    pub(super) async fn inquire<T: DeserializeOwned>(
        &self,
        operation: &'static str,
        path: &[&str],
        body: String,
    ) -> Result<T, No> {
        let call = Call::post(operation, self.url(path)?, JSON, body);
        read(&self.ask(call).await?)
    }

    fn url(&self, path: &[&str]) -> Result<Url, No> {
        let mut url = self.base.clone();
        url.path_segments_mut()
            .map_err(|()| No::Unknown("PAYPAL_API_BASE is no address".to_owned()))?
            .pop_if_empty()
            .extend(path);
        Ok(url)
    }

    /// The body of a success. A token that PayPal takes no more is renewed once.
    async fn ask(&self, call: Call) -> Result<Bytes, No> {
        let operation = call.operation;
        let token = self.token().await?;
        let call = bearing(call, &token)?;
        let mut answer = self.client.send(&call).await?;
        if answer.status == 401 {
            self.tokens.forget(&token).await;
            let call = bearing(call, &self.token().await?)?;
            answer = self.client.send(&call).await?;
        }
        report(operation, &answer);
        judged(answer)
    }

    async fn token(&self) -> Result<SecretString, Fault> {
        self.tokens.get(|| self.fetch_token()).await
    }

    async fn fetch_token(&self) -> Result<(SecretString, Duration), Fault> {
        let url = self.url(&["v1", "oauth2", "token"])?;
        let call = Call::post("token", url, FORM, "grant_type=client_credentials")
            .secret("authorization", &self.basic)?;
        let answer = self.client.send(&call).await?;
        report(call.operation, &answer);
        if !answer.is_success() {
            let why = format!("PayPal gives no access token: status {}", answer.status);
            return Err(Fault::Unknown(why));
        }
        let token: Token = read(&answer.body)?;
        Ok((token.access_token, Duration::from_secs(token.expires_in)))
    }
}

fn bearing(call: Call, token: &SecretString) -> Result<Call, Miss> {
    let bearer = format!("Bearer {}", token.expose_secret());
    call.secret("authorization", &bearer.into())
}

fn report(operation: &str, answer: &Answer) {
    if !answer.is_success() {
        let trouble: Trouble = serde_json::from_slice(&answer.body).unwrap_or_default();
        trouble.report(operation, answer.status);
    }
}

/// 400, 403, 404 and 422 say with a name that nothing was done. All else is open: 409 is of a first request that is still at
/// it, 401 of our credentials, 429 and 5xx of PayPal's troubles.
fn judged(answer: Answer) -> Result<Bytes, No> {
    if answer.is_success() {
        return Ok(answer.body);
    }
    let open = || No::Unknown(format!("PayPal answered with status {}", answer.status));
    if !matches!(answer.status, 400 | 403 | 404 | 422) {
        return Err(open());
    }
    let problem: Problem = serde_json::from_slice(&answer.body).map_err(|_| open())?;
    Err(No::Definite(Problem {
        status: answer.status,
        ..problem
    }))
}

/// # Errors
/// It is not what PayPal's documents say. What it is instead is not told: it may name people.
pub(super) fn read<T: DeserializeOwned>(body: &[u8]) -> Result<T, No> {
    serde_json::from_slice(body).map_err(|error| {
        let (line, column) = (error.line(), error.column());
        No::Unknown(format!(
            "PayPal's answer cannot be read at line {line}, column {column}"
        ))
    })
}
