//! Speaking with Daraja: its addresses, its requests, and what its answers mean.

use std::sync::Arc;
use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use chrono::FixedOffset;
use secrecy::{ExposeSecret as _, SecretString};
use serde::{Deserialize, Serialize};
use serde_json::Value;
use url::Url;

use super::callback::text;
use super::codes::{self, Ack, Query};
use crate::infra::gateways::http::{Answer, Call, Client, Miss};
use crate::infra::gateways::oauth::Tokens;
use crate::infra::gateways::word::word;
use crate::infra::gateways::{Fault, Refund, Transaction};
use crate::kernel::clock::Clock;
use crate::kernel::config::{MpesaConfig, MpesaReversal};

const JSON: &str = "application/json";
/// East Africa Time, which `Timestamp` is in. (unconfirmed)
const EAT: i32 = 3 * 60 * 60;
/// 13 characters at most.
const DESCRIPTION: &str = "Order payment";
/// Whom a reversal takes money from: an organisation, by its short code. (unconfirmed) for tills, of which the store's code is given.
const ORGANISATION: &str = "11";

#[derive(Debug)]
pub(super) struct Daraja {
    client: Client,
    tokens: Tokens,
    clock: Arc<dyn Clock>,
    config: MpesaConfig,
    base: String,
}

#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
struct Push<'a> {
    business_short_code: &'a str,
    password: &'a str,
    timestamp: &'a str,
    transaction_type: &'static str,
    amount: i64,
    party_a: &'a str,
    party_b: &'a str,
    phone_number: &'a str,
    #[serde(rename = "CallBackURL")]
    callback_url: &'a str,
    account_reference: &'a str,
    transaction_desc: &'static str,
}

#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
struct Ask<'a> {
    business_short_code: &'a str,
    password: &'a str,
    timestamp: &'a str,
    #[serde(rename = "CheckoutRequestID")]
    checkout_request_id: &'a str,
}

#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
struct Reverse<'a> {
    initiator: &'a str,
    security_credential: &'a str,
    #[serde(rename = "CommandID")]
    command_id: &'static str,
    #[serde(rename = "TransactionID")]
    transaction_id: &'a str,
    amount: i64,
    receiver_party: &'a str,
    /// Their spelling.
    #[serde(rename = "RecieverIdentifierType")]
    receiver_identifier_type: &'static str,
    #[serde(rename = "ResultURL")]
    result_url: &'a str,
    #[serde(rename = "QueueTimeOutURL")]
    queue_time_out_url: &'a str,
    remarks: &'a str,
    occasion: &'a str,
}

#[derive(Deserialize)]
struct Granted {
    access_token: SecretString,
    /// Seconds, as a text.
    expires_in: Value,
}

/// Everything that Daraja answers, of which each answer has some.
#[derive(Default, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
struct Said {
    response_code: Value,
    #[serde(rename = "CheckoutRequestID")]
    checkout_request_id: Option<String>,
    #[serde(rename = "OriginatorConversationID")]
    originator_conversation_id: Option<String>,
    result_code: Value,
    #[serde(rename = "errorCode")]
    error_code: Value,
    #[serde(rename = "errorMessage")]
    error_message: Value,
}

impl Said {
    /// What cannot be read says nothing.
    fn by(answer: &Answer) -> Self {
        serde_json::from_slice(&answer.body).unwrap_or_default()
    }

    fn error_code(&self) -> String {
        text(&self.error_code).unwrap_or_default()
    }

    /// Whether a prompt is still on its phone: an answer, although it is written as an error.
    fn is_pending(&self) -> bool {
        let message = text(&self.error_message).unwrap_or_default();
        self.error_code() == "500.001.1001" && message.to_ascii_lowercase().contains("being processed")
    }

    /// Says in the log why something is not done. Daraja's messages are not told: they may name phones.
    fn report(&self, operation: &str, answer: &Answer) {
        let response = text(&self.response_code).filter(|code| code != "0");
        let code = text(&self.error_code).or(response);
        if self.is_pending() || (answer.is_success() && code.is_none()) {
            return;
        }
        let code = code.as_deref().map(word);
        let status = answer.status;
        tracing::warn!(gateway = "mpesa", operation, status, code, "a gateway refused");
    }

    fn error(&self, status: u16) -> Ack {
        let message = text(&self.error_message).unwrap_or_default();
        codes::error(status, &self.error_code(), &message)
    }

    fn ack(&self, answer: &Answer, reference: Option<String>) -> Ack {
        match text(&self.response_code) {
            Some(code) if answer.is_success() => codes::accepted(&code, reference),
            Some(_) | None => self.error(answer.status),
        }
    }
}

impl Daraja {
    pub(super) fn new(config: &MpesaConfig, clock: Arc<dyn Clock>) -> anyhow::Result<Self> {
        Ok(Self {
            client: Client::new("mpesa")?,
            tokens: Tokens::new(Arc::clone(&clock)),
            clock,
            config: config.clone(),
            base: config.api_base.as_str().trim_end_matches('/').to_owned(),
        })
    }

    /// Has a phone ask for this much.
    pub(super) async fn push(
        &self,
        transaction: &Transaction,
        shillings: i64,
        callback: &SecretString,
    ) -> Result<Ack, Miss> {
        let (timestamp, password) = self.password();
        let (kind, payee) = match &self.config.till {
            Some(till) => ("CustomerBuyGoodsOnline", till),
            None => ("CustomerPayBillOnline", &self.config.shortcode),
        };
        let phone = transaction.phone();
        let push = Push {
            business_short_code: &self.config.shortcode,
            password: password.expose_secret(),
            timestamp: &timestamp,
            transaction_type: kind,
            amount: shillings,
            party_a: phone,
            party_b: payee,
            phone_number: phone,
            callback_url: callback.expose_secret(),
            account_reference: &transaction.order_number,
            transaction_desc: DESCRIPTION,
        };
        let answer = self
            .ask("create", "/mpesa/stkpush/v1/processrequest", &push)
            .await?;
        let said = Said::by(&answer);
        Ok(said.ack(&answer, said.checkout_request_id.clone()))
    }

    /// What became of a prompt.
    pub(super) async fn query(&self, reference: &str) -> Result<Query, Fault> {
        let (timestamp, password) = self.password();
        let ask = Ask {
            business_short_code: &self.config.shortcode,
            password: password.expose_secret(),
            timestamp: &timestamp,
            checkout_request_id: reference,
        };
        // Asked once, for "500, is being processed" is what it says as long as a prompt is open. The worker asks again.
        let answer = self.ask("retrieve", "/mpesa/stkpushquery/v1/query", &ask).await?;
        let said = Said::by(&answer);
        let is_ours = said
            .checkout_request_id
            .as_deref()
            .is_none_or(|id| id == reference);
        match text(&said.result_code) {
            Some(code) if answer.is_success() && is_ours => return Ok(codes::query(&code)),
            Some(_) | None => {}
        }
        if said.is_pending() {
            return Ok(Query::Pending);
        }
        Err(Fault::Unknown(format!(
            "a query was answered with status {} and without a result",
            answer.status
        )))
    }

    /// Sends money back of which there is a receipt.
    pub(super) async fn reverse(
        &self,
        transaction: &Transaction,
        (receipt, shillings): (&str, i64),
        refund: &Refund,
        (result, overdue): (SecretString, SecretString),
    ) -> Result<Ack, Miss> {
        let Some(MpesaReversal {
            initiator,
            credential,
        }) = &self.config.reversal
        else {
            return Err(Miss::NotSent(
                "nobody is set up who may reverse payments".to_owned(),
            ));
        };
        let remarks = format!("Refund of order {}", transaction.order_number);
        let reverse = Reverse {
            initiator: initiator.expose_secret(),
            security_credential: credential.expose_secret(),
            command_id: "TransactionReversal",
            transaction_id: receipt,
            amount: shillings,
            receiver_party: &self.config.shortcode,
            receiver_identifier_type: ORGANISATION,
            result_url: result.expose_secret(),
            queue_time_out_url: overdue.expose_secret(),
            remarks: &remarks,
            occasion: &refund.id,
        };
        let answer = self.ask("refund", "/mpesa/reversal/v1/request", &reverse).await?;
        let said = Said::by(&answer);
        Ok(said.ack(&answer, said.originator_conversation_id.clone()))
    }

    /// The time as Daraja writes it, and the password that is good with it.
    fn password(&self) -> (String, SecretString) {
        let now = self.clock.now();
        let timestamp = match FixedOffset::east_opt(EAT) {
            Some(zone) => now.with_timezone(&zone).format("%Y%m%d%H%M%S").to_string(),
            None => now.format("%Y%m%d%H%M%S").to_string(),
        };
        let (shortcode, passkey) = (&self.config.shortcode, self.config.passkey.expose_secret());
        let password = STANDARD.encode(format!("{shortcode}{passkey}{timestamp}"));
        (timestamp, password.into())
    }

    /// Asks once; a second time only when the token was not taken, for then nothing else was either.
    async fn ask(&self, operation: &'static str, path: &str, body: &impl Serialize) -> Result<Answer, Miss> {
        let body = serde_json::to_vec(body).map_err(|error| Miss::NotSent(error.to_string()))?;
        let call = Call::post(operation, self.url(path)?, JSON, body).once();
        let call = call.header("accept", JSON)?;
        let token = self.token().await?;
        let (call, mut answer) = self.with(call, &token).await?;
        if codes::is_about_token(answer.status, &Said::by(&answer).error_code()) {
            self.tokens.forget(&token).await;
            let token = self.token().await?;
            answer = self.with(call, &token).await?.1;
        }
        Said::by(&answer).report(operation, &answer);
        Ok(answer)
    }

    async fn with(&self, call: Call, token: &SecretString) -> Result<(Call, Answer), Miss> {
        let bearer = SecretString::from(format!("Bearer {}", token.expose_secret()));
        let call = call.secret("authorization", &bearer)?;
        let answer = self.client.send(&call).await?;
        Ok((call, answer))
    }

    fn url(&self, path: &str) -> Result<Url, Miss> {
        Url::parse(&format!("{}{path}", self.base)).map_err(|error| Miss::NotSent(error.to_string()))
    }

    /// Without a token nothing is sent.
    async fn token(&self) -> Result<SecretString, Miss> {
        let token = self.tokens.get(|| self.fetch_token()).await;
        token.map_err(|fault| Miss::NotSent(format!("no access token: {fault:?}")))
    }

    async fn fetch_token(&self) -> Result<(SecretString, Duration), Fault> {
        let (key, secret) = (&self.config.consumer_key, &self.config.consumer_secret);
        let basic = STANDARD.encode(format!("{}:{}", key.expose_secret(), secret.expose_secret()));
        let basic = SecretString::from(format!("Basic {basic}"));
        let url = self.url("/oauth/v1/generate?grant_type=client_credentials")?;
        let call = Call::get("token", url).header("accept", JSON)?;
        let answer = self.client.send(&call.secret("authorization", &basic)?).await?;
        let granted = answer
            .is_success()
            .then(|| serde_json::from_slice::<Granted>(&answer.body).ok())
            .flatten()
            .and_then(|granted| Some((text(&granted.expires_in)?.parse().ok()?, granted.access_token)));
        match granted {
            Some((seconds, token)) => Ok((token, Duration::from_secs(seconds))),
            None => {
                Said::by(&answer).report("token", &answer);
                Err(Fault::Unknown(format!("status {}, and no token", answer.status)))
            }
        }
    }
}
