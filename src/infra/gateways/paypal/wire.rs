//! What PayPal is sent and what it answers: the fields that we know. What else it says is left alone, and a status that we do
//! not know stays a text.
//!
//! Orders v2 (`/v2/checkout/orders`) and Payments v2 (`/v2/payments`) at developer.paypal.com/docs/api.

use rust_decimal::Decimal;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use crate::entity::payment::PaymentFlow;
use crate::infra::gateways::word::word;
use crate::infra::gateways::{Fault, Reason, Refund, Transaction};
use crate::kernel::money::{Currency, Money};

/// "Currency codes" of PayPal's REST reference. BRL, CNY and MYR are for accounts of those countries, which PayPal says by
/// itself; KES is not among them.
const CURRENCIES: [&str; 24] = [
    "AUD", "BRL", "CAD", "CHF", "CNY", "CZK", "DKK", "EUR", "GBP", "HKD", "HUF", "ILS", "JPY", "MXN", "MYR",
    "NOK", "NZD", "PHP", "PLN", "SEK", "SGD", "THB", "TWD", "USD",
];

/// Those that "do not support decimals", whatever ISO 4217 says of them.
const WHOLE: [&str; 3] = ["HUF", "JPY", "TWD"];

pub(super) fn takes(currency: Currency) -> bool {
    CURRENCIES.contains(&currency.code())
}

/// Of how many minor units PayPal's amounts are multiples.
pub(super) fn unit(currency: Currency) -> i64 {
    if WHOLE.contains(&currency.code()) {
        10_i64.pow(currency.exponent())
    } else {
        1
    }
}

#[derive(Clone, Debug, Deserialize, Serialize)]
pub(super) struct Amount {
    currency_code: String,
    value: String,
}

impl Amount {
    /// # Errors
    /// PayPal cannot be told of this much.
    pub(super) fn of(money: Money) -> Result<Self, Fault> {
        let unit = unit(money.currency);
        if money.minor % unit != 0 {
            let message = format!("PayPal takes whole amounts of {} alone.", money.currency);
            return Err(Fault::Refused(Reason::new("decimal_precision", message)));
        }
        let value = money.to_decimal();
        let value = if unit > 1 { value.trunc() } else { value };
        Ok(Self {
            currency_code: money.currency.code().to_owned(),
            value: value.to_string(),
        })
    }

    /// None when it is no amount of money.
    pub(super) fn money(&self) -> Option<Money> {
        let currency = self.currency_code.parse().ok()?;
        let value: Decimal = self.value.parse().ok()?;
        Money::from_decimal(value, currency).ok()
    }
}

/// The body of `POST /v2/checkout/orders`.
///
/// # Errors
/// PayPal cannot be told of such an amount.
pub(super) fn order(transaction: &Transaction) -> Result<Value, Fault> {
    let intent = intent(transaction.flow);
    Ok(json!({
        "intent": intent,
        "purchase_units": [{
            "reference_id": transaction.id,
            "custom_id": transaction.id,
            // Unique: PayPal takes no second payment for it (DUPLICATE_INVOICE_ID).
            "invoice_id": transaction.id,
            "description": format!("Order {}", transaction.order_number),
            "amount": Amount::of(transaction.money)?,
        }],
        "payment_source": {"paypal": {"experience_context": {
            "return_url": transaction.return_url,
            "cancel_url": transaction.return_url,
            "user_action": "PAY_NOW",
            // The address is known already.
            "shipping_preference": "NO_SHIPPING",
            // Goods are not held for the days that an eCheck takes.
            "payment_method_preference": "IMMEDIATE_PAYMENT_REQUIRED",
        }}},
    }))
}

pub(super) fn intent(flow: PaymentFlow) -> &'static str {
    match flow {
        PaymentFlow::Charge => "CAPTURE",
        PaymentFlow::Authorize => "AUTHORIZE",
    }
}

/// The body of `POST /v2/payments/authorizations/{id}/capture`.
///
/// That the rest is released is what Payments v1 says of its `is_final_capture` ("all remaining funds held by the
/// authorization will be released in the funding instrument"); Payments v2 says of `final_capture` only that nothing more can
/// be captured then, which is as good for us: nobody has to void what is left.
///
/// # Errors
/// PayPal cannot be told of such an amount.
pub(super) fn capture(transaction: &Transaction, money: Money) -> Result<Value, Fault> {
    Ok(json!({
        "amount": Amount::of(money)?,
        "invoice_id": transaction.id,
        "final_capture": true,
    }))
}

/// The body of `POST /v2/payments/captures/{id}/refund`: it names the payment, and, as its invoice, itself.
///
/// # Errors
/// PayPal cannot be told of such an amount.
pub(super) fn refund(transaction: &Transaction, refund: &Refund) -> Result<Value, Fault> {
    Ok(json!({
        "amount": Amount::of(refund.money)?,
        "custom_id": transaction.id,
        "invoice_id": refund.id,
    }))
}

#[derive(Debug, Deserialize)]
pub(super) struct Token {
    pub(super) access_token: secrecy::SecretString,
    pub(super) expires_in: u64,
}

#[derive(Debug, Deserialize)]
pub(super) struct Order {
    pub(super) id: String,
    pub(super) status: String,
    pub(super) intent: Option<String>,
    #[serde(default)]
    pub(super) purchase_units: Vec<Unit>,
    #[serde(default)]
    pub(super) links: Vec<Link>,
}

#[derive(Debug, Deserialize)]
pub(super) struct Unit {
    pub(super) reference_id: Option<String>,
    pub(super) custom_id: Option<String>,
    pub(super) amount: Option<Amount>,
    #[serde(default)]
    pub(super) payments: Payments,
}

#[derive(Debug, Default, Deserialize)]
pub(super) struct Payments {
    #[serde(default)]
    pub(super) authorizations: Vec<Authorization>,
    #[serde(default)]
    pub(super) captures: Vec<Capture>,
    #[serde(default)]
    pub(super) refunds: Vec<Refunded>,
}

#[derive(Debug, Deserialize)]
pub(super) struct Authorization {
    pub(super) id: String,
    pub(super) status: String,
}

#[derive(Debug, Deserialize)]
pub(super) struct Capture {
    pub(super) id: String,
    pub(super) status: String,
    pub(super) amount: Amount,
    pub(super) seller_receivable_breakdown: Option<Breakdown>,
}

#[derive(Debug, Deserialize)]
pub(super) struct Breakdown {
    paypal_fee: Option<Amount>,
    /// "Returned only in cases the fee is charged in the receivable currency."
    paypal_fee_in_receivable_currency: Option<Amount>,
}

impl Breakdown {
    pub(super) fn fee(&self) -> Option<Money> {
        let fee = self.paypal_fee_in_receivable_currency.as_ref();
        fee.or(self.paypal_fee.as_ref())?.money()
    }
}

#[derive(Debug, Deserialize)]
pub(super) struct Refunded {
    pub(super) id: String,
    pub(super) status: String,
    pub(super) amount: Option<Amount>,
    pub(super) custom_id: Option<String>,
    pub(super) invoice_id: Option<String>,
}

#[derive(Clone, Debug, Deserialize)]
pub(super) struct Link {
    pub(super) rel: String,
    pub(super) href: String,
}

/// Where the buyer is sent to: `payer-action` where the order was made with a `payment_source`, `approve` otherwise.
pub(super) fn page(links: &[Link]) -> Option<String> {
    let find = |rel| links.iter().find(|link| link.rel == rel);
    let link = ["payer-action", "approve", "redirect"]
        .into_iter()
        .find_map(find)?;
    Some(link.href.clone())
}

/// Why PayPal did not do something, in its own words: "Error responses" of the REST reference.
#[derive(Debug, Deserialize)]
pub(super) struct Problem {
    #[serde(skip)]
    pub(super) status: u16,
    pub(super) name: String,
    #[serde(default)]
    pub(super) details: Vec<Detail>,
    #[serde(default)]
    pub(super) links: Vec<Link>,
}

#[derive(Debug, Deserialize)]
pub(super) struct Detail {
    pub(super) issue: Option<String>,
}

impl Problem {
    /// Its name for programs, e.g. `INSTRUMENT_DECLINED`.
    pub(super) fn issue(&self) -> &str {
        let issue = self.details.iter().find_map(|detail| detail.issue.as_deref());
        issue.unwrap_or(&self.name)
    }

    /// What PayPal writes for developers names ids, so buyers are told our own words.
    pub(super) fn reason(&self) -> Reason {
        let issue = self.issue();
        let message = match issue {
            "INSTRUMENT_DECLINED" | "CARD_EXPIRED" | "REDIRECT_PAYER_FOR_ALTERNATE_FUNDING" => {
                "PayPal could not charge this payment method. Please choose another one."
            }
            "PAYER_ACTION_REQUIRED" => "PayPal asks you to confirm the payment once more.",
            "MAX_NUMBER_OF_PAYMENT_ATTEMPTS_EXCEEDED" => {
                "PayPal has refused too many tries. Please pay anew, or otherwise."
            }
            "CURRENCY_NOT_SUPPORTED" => "PayPal does not take this currency here.",
            "CAPTURE_FULLY_REFUNDED" | "REFUND_AMOUNT_EXCEEDED" | "REFUND_CAPTURE_CURRENCY_MISMATCH" => {
                "PayPal says that less than this is left to go back."
            }
            "REFUND_TIME_LIMIT_EXCEEDED" => "PayPal gives nothing back so long after the payment.",
            "REFUND_FAILED_INSUFFICIENT_FUNDS" => "The shop's balance at PayPal is too low for it.",
            "AUTHORIZATION_EXPIRED" | "AUTHORIZATION_VOIDED" | "AUTHORIZATION_DENIED" => {
                "The money is not promised any more."
            }
            _ => "PayPal refused it.",
        };
        Reason::new(code(issue), message)
    }
}

/// The same for the log, whatever of it there is.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct Trouble {
    /// Those who give out tokens call it `error`.
    #[serde(alias = "error")]
    name: String,
    details: Vec<Detail>,
    /// What PayPal finds it by.
    debug_id: Option<String>,
}

impl Trouble {
    /// What PayPal writes for people is not told: it may quote what was sent.
    pub(super) fn report(&self, operation: &str, status: u16) {
        let details = self.details.iter();
        let issues: Vec<_> = details
            .filter_map(|detail| detail.issue.as_deref().map(word))
            .collect();
        let debug_id = self.debug_id.as_deref().map(word);
        tracing::warn!(
            gateway = "paypal",
            operation,
            status,
            name = word(&self.name),
            issues = issues.join(" "),
            debug_id,
            "a gateway refused"
        );
    }
}

/// In our own spelling, e.g. `instrument_declined`; whatever PayPal sends, it stays short and plain.
pub(super) fn code(text: &str) -> String {
    let plain = text
        .chars()
        .filter(|letter| letter.is_ascii_alphanumeric() || *letter == '_');
    plain.take(60).collect::<String>().to_ascii_lowercase()
}
