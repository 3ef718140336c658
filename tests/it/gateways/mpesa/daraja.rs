//! Safaricom's Daraja, as far as it takes and reverses money: M-Pesa Express (STK push), its query, and Reversal. It is strict:
//! what lacks a field, has one too many, or has it otherwise than the documents say, is refused and complained about.
//!
//! It knows no keys of idempotency: asked twice it asks the phone twice, and reverses twice. One phone shows one prompt at a time.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Value, json};

use super::super::sim::{Answer, Asked, Plays};

pub(crate) const KEY: &str = "consumer";
pub(crate) const SECRET: &str = "consumer's secret";
pub(crate) const SHORTCODE: &str = "174379";
pub(crate) const TILL: &str = "5203041";
pub(crate) const PASSKEY: &str = "bfb279f9aa9bdbcf158e97dd71a467cd2e0c893059b10f78e6b72ada1ed2c919";
pub(crate) const INITIATOR: &str = "operator";
pub(crate) const CREDENTIAL: &str = "encrypted==";

pub(crate) const PUSH: &str = "/mpesa/stkpush/v1/processrequest";
pub(crate) const QUERY: &str = "/mpesa/stkpushquery/v1/query";
pub(crate) const REVERSE: &str = "/mpesa/reversal/v1/request";
pub(crate) const TOKEN: &str = "/oauth/v1/generate";

const DONE: &str = "The service request is processed successfully.";

/// What a phone was asked.
#[derive(Clone, Debug)]
pub(crate) struct Prompt {
    pub(crate) id: String,
    pub(crate) phone: String,
    /// Shillings.
    pub(crate) amount: i64,
    pub(crate) callback: String,
    /// None while the phone shows it.
    pub(crate) result: Option<(String, String)>,
    pub(crate) receipt: Option<String>,
}

/// Money that is to go back.
#[derive(Clone, Debug)]
pub(crate) struct Reversal {
    pub(crate) id: String,
    pub(crate) receipt: String,
    pub(crate) amount: i64,
    pub(crate) result_url: String,
    pub(crate) timeout_url: String,
    /// Whether it has been done.
    pub(crate) done: bool,
}

/// What Daraja sends to an address of ours.
#[derive(Clone, Debug)]
pub(crate) struct Sent {
    pub(crate) url: String,
    pub(crate) body: Value,
}

#[derive(Debug, Default)]
pub(crate) struct Daraja {
    /// Whether the shop has a till instead of a paybill.
    pub(crate) till: bool,
    tokens: Vec<String>,
    pub(crate) prompts: Vec<Prompt>,
    pub(crate) reversals: Vec<Reversal>,
    /// What a client did against the documents.
    pub(crate) complaints: Vec<String>,
}

/// Does what a request asks for that has the right fields.
type Act = fn(&mut Daraja, &Value) -> Answer;

fn error(status: u16, code: &str, message: &str) -> Answer {
    let body = json!({"requestId": "11728-2929992-1", "errorCode": code, "errorMessage": message});
    Answer::json(status, &body)
}

pub(crate) fn being_processed() -> Answer {
    error(500, "500.001.1001", "The transaction is being processed")
}

fn is_phone(text: &str) -> bool {
    text.len() == 12
        && (text.starts_with("2547") || text.starts_with("2541"))
        && text.bytes().all(|byte| byte.is_ascii_digit())
}

impl Plays for Daraja {
    fn answer(&mut self, asked: &Asked) -> Answer {
        let (path, query) = asked.path.split_once('?').unwrap_or((&asked.path, ""));
        match (asked.method.as_str(), path) {
            ("GET", TOKEN) => self.grant(asked, query),
            ("POST", PUSH | QUERY | REVERSE) => self.authorized(asked, path),
            _ => self.complain(&format!("{} {} is no address", asked.method, asked.path)),
        }
    }
}

impl Daraja {
    fn complain(&mut self, what: &str) -> Answer {
        self.complaints.push(what.to_owned());
        error(400, "400.002.02", &format!("Bad Request - Invalid {what}"))
    }

    fn grant(&mut self, asked: &Asked, query: &str) -> Answer {
        let basic = format!("Basic {}", STANDARD.encode(format!("{KEY}:{SECRET}")));
        if query != "grant_type=client_credentials" || asked.header("authorization") != basic {
            return error(400, "400.008.01", "Invalid Authentication passed");
        }
        let token = format!("token{}", self.tokens.len() + 1);
        self.tokens = vec![token.clone()];
        Answer::json(200, &json!({"access_token": token, "expires_in": "3599"}))
    }

    /// Tokens that were given are not good any more, as after a restart.
    pub(crate) fn forget_tokens(&mut self) {
        for token in &mut self.tokens {
            token.push_str(" of old");
        }
    }

    fn authorized(&mut self, asked: &Asked, path: &str) -> Answer {
        let token = asked.header("authorization").strip_prefix("Bearer ");
        if !self.tokens.iter().any(|own| Some(own.as_str()) == token) {
            return error(404, "404.001.03", "Invalid Access Token");
        }
        if asked.header("content-type") != "application/json" {
            return self.complain("Content-Type");
        }
        let Ok(body) = serde_json::from_slice::<Value>(&asked.body) else {
            return self.complain("JSON");
        };
        let (names, act): (&[&str], Act) = match path {
            PUSH => (
                &[
                    "AccountReference",
                    "Amount",
                    "BusinessShortCode",
                    "CallBackURL",
                    "PartyA",
                    "PartyB",
                    "Password",
                    "PhoneNumber",
                    "Timestamp",
                    "TransactionDesc",
                    "TransactionType",
                ],
                Self::push,
            ),
            QUERY => (
                &["BusinessShortCode", "CheckoutRequestID", "Password", "Timestamp"],
                Self::query,
            ),
            _ => (
                &[
                    "Amount",
                    "CommandID",
                    "Initiator",
                    "Occasion",
                    "QueueTimeOutURL",
                    "ReceiverParty",
                    "RecieverIdentifierType",
                    "Remarks",
                    "ResultURL",
                    "SecurityCredential",
                    "TransactionID",
                ],
                Self::reverse,
            ),
        };
        let mut own: Vec<&str> = body
            .as_object()
            .map(|body| body.keys().map(String::as_str).collect())
            .unwrap_or_default();
        own.sort_unstable();
        if own != names {
            return self.complain(&format!("fields: {own:?}"));
        }
        act(self, &body)
    }

    /// The first of the fields that is not as it has to be.
    fn wrong<'a>(&self, body: &Value, rules: &[(&'a str, bool)]) -> Option<&'a str> {
        let text = |name: &str| body[name].as_str().unwrap_or_default();
        let timestamp = text("Timestamp");
        let password = STANDARD.encode(format!("{SHORTCODE}{PASSKEY}{timestamp}"));
        let common = [
            ("BusinessShortCode", text("BusinessShortCode") == SHORTCODE),
            (
                "Timestamp",
                timestamp.len() == 14 && timestamp.bytes().all(|byte| byte.is_ascii_digit()),
            ),
            ("Password", text("Password") == password),
        ];
        let has_password = body.get("Password").is_some();
        common
            .into_iter()
            .filter(|_| has_password)
            .chain(rules.iter().copied())
            .find(|(_, right)| !right)
            .map(|(name, _)| name)
    }

    fn push(&mut self, body: &Value) -> Answer {
        let text = |name: &str| body[name].as_str().unwrap_or_default();
        let amount = body["Amount"].as_i64().unwrap_or_default();
        let (kind, payee) = if self.till {
            ("CustomerBuyGoodsOnline", TILL)
        } else {
            ("CustomerPayBillOnline", SHORTCODE)
        };
        let reference = text("AccountReference");
        let description = text("TransactionDesc");
        let rules = [
            ("TransactionType", text("TransactionType") == kind),
            ("Amount", (1..=250_000).contains(&amount)),
            ("PartyA", is_phone(text("PartyA"))),
            ("PartyB", text("PartyB") == payee),
            ("PhoneNumber", text("PhoneNumber") == text("PartyA")),
            ("CallBackURL", text("CallBackURL").starts_with("https://")),
            (
                "AccountReference",
                (1..=12).contains(&reference.len())
                    && reference.bytes().all(|byte| byte.is_ascii_alphanumeric()),
            ),
            ("TransactionDesc", (1..=13).contains(&description.len())),
        ];
        if let Some(name) = self.wrong(body, &rules) {
            return self.complain(name);
        }
        let phone = text("PhoneNumber");
        if self
            .prompts
            .iter()
            .any(|prompt| prompt.phone == phone && prompt.result.is_none())
        {
            let message =
                "Unable to lock subscriber, a transaction is already in process for the current subscriber";
            return error(500, "500.001.1001", message);
        }
        let id = format!("ws_CO_0103202615{:04}", self.prompts.len() + 1);
        self.prompts.push(Prompt {
            id: id.clone(),
            phone: phone.to_owned(),
            amount,
            callback: text("CallBackURL").to_owned(),
            result: None,
            receipt: None,
        });
        let ack = json!({"MerchantRequestID": "29115-34620561-1", "CheckoutRequestID": id, "ResponseCode": "0",
            "ResponseDescription": "Success. Request accepted for processing",
            "CustomerMessage": "Success. Request accepted for processing"});
        Answer::json(200, &ack)
    }

    fn query(&mut self, body: &Value) -> Answer {
        if let Some(name) = self.wrong(body, &[]) {
            return self.complain(name);
        }
        let id = body["CheckoutRequestID"].as_str().unwrap_or_default();
        let Some(prompt) = self.prompts.iter().find(|prompt| prompt.id == id) else {
            return error(400, "400.002.02", "Bad Request - Invalid CheckoutRequestID");
        };
        let Some((code, description)) = &prompt.result else {
            return being_processed();
        };
        let answer = json!({"ResponseCode": "0", "ResponseDescription": "The service request has been accepted successsfully",
            "MerchantRequestID": "29115-34620561-1", "CheckoutRequestID": id, "ResultCode": code, "ResultDesc": description});
        Answer::json(200, &answer)
    }

    fn reverse(&mut self, body: &Value) -> Answer {
        let text = |name: &str| body[name].as_str().unwrap_or_default();
        let amount = body["Amount"].as_i64().unwrap_or_default();
        let rules = [
            ("Initiator", text("Initiator") == INITIATOR),
            ("SecurityCredential", text("SecurityCredential") == CREDENTIAL),
            ("CommandID", text("CommandID") == "TransactionReversal"),
            ("TransactionID", !text("TransactionID").is_empty()),
            ("Amount", amount > 0),
            ("ReceiverParty", text("ReceiverParty") == SHORTCODE),
            ("RecieverIdentifierType", text("RecieverIdentifierType") == "11"),
            ("ResultURL", text("ResultURL").starts_with("https://")),
            ("QueueTimeOutURL", text("QueueTimeOutURL").starts_with("https://")),
            ("Remarks", (1..=100).contains(&text("Remarks").len())),
            ("Occasion", text("Occasion").len() <= 100),
        ];
        if let Some(name) = self.wrong(body, &rules) {
            return self.complain(name);
        }
        let id = format!("71840-27539181-{}", self.reversals.len() + 1);
        self.reversals.push(Reversal {
            id: id.clone(),
            receipt: text("TransactionID").to_owned(),
            amount,
            result_url: text("ResultURL").to_owned(),
            timeout_url: text("QueueTimeOutURL").to_owned(),
            done: false,
        });
        let ack = json!({"OriginatorConversationID": id, "ConversationID": "AG_20260301_00004e48cf7e3533f581",
            "ResponseCode": "0", "ResponseDescription": "Accept the service request successfully."});
        Answer::json(200, &ack)
    }

    /// The last phone that was asked enters its PIN.
    pub(crate) fn pay(&mut self) -> Sent {
        self.answer_prompt(self.prompts.len() - 1, "0", DONE)
    }

    /// The same of the phone that shows, or showed, what was asked for with this in the callback's address.
    pub(crate) fn pay_for(&mut self, callback: &str) -> Option<Sent> {
        let mut prompts = self.prompts.iter();
        let place = prompts.position(|prompt| prompt.callback.contains(callback))?;
        Some(self.answer_prompt(place, "0", DONE))
    }

    /// The last prompt ends with this code, and nothing is taken.
    pub(crate) fn fail(&mut self, code: &str) -> Sent {
        self.answer_prompt(self.prompts.len() - 1, code, "It was not done.")
    }

    fn answer_prompt(&mut self, place: usize, code: &str, description: &str) -> Sent {
        let prompt = &mut self.prompts[place];
        prompt.result = Some((code.to_owned(), description.to_owned()));
        prompt.receipt = (code == "0").then(|| format!("SJK7RT{:04}", place + 1));
        Self::callback(&prompt.clone())
    }

    /// What is sent about a prompt that has been answered.
    pub(crate) fn callback(prompt: &Prompt) -> Sent {
        let (code, description) = prompt.result.clone().unwrap();
        let code: i64 = code.parse().unwrap();
        let mut callback = json!({"MerchantRequestID": "29115-34620561-1", "CheckoutRequestID": prompt.id,
            "ResultCode": code, "ResultDesc": description});
        if let Some(receipt) = &prompt.receipt {
            let phone: i64 = prompt.phone.parse().unwrap();
            callback["CallbackMetadata"] = json!({"Item": [{"Name": "Amount", "Value": prompt.amount},
                {"Name": "MpesaReceiptNumber", "Value": receipt}, {"Name": "Balance"},
                {"Name": "TransactionDate", "Value": 20_260_301_150_115_i64}, {"Name": "PhoneNumber", "Value": phone}]});
        }
        Sent {
            url: prompt.callback.clone(),
            body: json!({"Body": {"stkCallback": callback}}),
        }
    }

    /// The last reversal is done, unless that would be more than came.
    pub(crate) fn settle(&mut self) -> Sent {
        self.settle_at(self.reversals.len() - 1)
    }

    /// The same of the one that was asked for at this place.
    pub(crate) fn settle_at(&mut self, place: usize) -> Sent {
        let mut reversal = self.reversals[place].clone();
        let taken = self
            .prompts
            .iter()
            .find(|prompt| prompt.receipt.as_ref() == Some(&reversal.receipt))
            .map_or(0, |prompt| prompt.amount);
        let gone: i64 = self
            .reversals
            .iter()
            .filter(|other| other.done && other.receipt == reversal.receipt)
            .map(|other| other.amount)
            .sum();
        reversal.done = taken >= gone + reversal.amount;
        let result = if reversal.done { json!(0) } else { json!("R000002") };
        self.reversals[place].done = reversal.done;
        Self::result(&reversal, &result)
    }

    /// The result of a reversal.
    pub(crate) fn result(reversal: &Reversal, code: &Value) -> Sent {
        let mut result = json!({"ResultType": 0, "ResultCode": code, "ResultDesc": DONE,
            "OriginatorConversationID": reversal.id, "ConversationID": "AG_20260301_00004e48cf7e3533f581", "TransactionID": "SJK9ZZ0001",
            "ReferenceData": {"ReferenceItem": {"Key": "QueueTimeoutURL", "Value": "https://internalapi.safaricom.co.ke/"}}});
        if code == &json!(0) {
            result["ResultParameters"] = json!({"ResultParameter": [{"Key": "DebitAccountBalance", "Value": "Utility Account|KES|51661.00"},
                {"Key": "Amount", "Value": reversal.amount}, {"Key": "OriginalTransactionID", "Value": reversal.receipt},
                {"Key": "Charge", "Value": 0}, {"Key": "CreditPartyPublicName", "Value": "254712345678 - Ann"}]});
        }
        Sent {
            url: reversal.result_url.clone(),
            body: json!({ "Result": result }),
        }
    }

    /// Shillings that phones have paid, and those that went back.
    pub(crate) fn money(&self) -> (i64, i64) {
        let paid = self.prompts.iter().filter(|prompt| prompt.receipt.is_some());
        let back = self.reversals.iter().filter(|reversal| reversal.done);
        (
            paid.map(|prompt| prompt.amount).sum(),
            back.map(|reversal| reversal.amount).sum(),
        )
    }
}
