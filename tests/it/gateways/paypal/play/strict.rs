//! What PayPal's documents demand of a request: its headers, and each field by its name. What they do not know is refused, as
//! far as PayPal would, and also where it would not: a name that is misspelt does nothing, and nobody would see it.

use serde_json::Value;

use crate::gateways::sim::Asked;

/// What an HTTP client sends without being asked.
const OF_HTTP: [&str; 5] = [
    "host",
    "user-agent",
    "accept",
    "accept-encoding",
    "content-length",
];

/// Checks that these headers are there, as often as once, and no others.
pub(super) fn headers(asked: &Asked, wanted: &[(&str, &str)]) -> Result<(), String> {
    for (name, value) in wanted {
        let found: Vec<_> = asked.headers.get_all(*name).iter().collect();
        if found.len() != 1 || (!value.is_empty() && found[0] != value) {
            return Err(format!("{name} is to be {value:?}, and is {found:?}"));
        }
    }
    let known = |name: &str| OF_HTTP.contains(&name) || wanted.iter().any(|(wanted, _)| *wanted == name);
    match asked.headers.keys().find(|name| !known(name.as_str())) {
        Some(name) => Err(format!("the header {name} is unknown")),
        None => Ok(()),
    }
}

/// `PayPal-Request-Id`: 1 to 108 characters in Orders v2.
pub(super) fn key(asked: &Asked) -> Result<String, String> {
    let key = asked.header("paypal-request-id");
    if (1..=108).contains(&key.len()) && key.bytes().all(|byte| byte.is_ascii_graphic()) {
        Ok(key.to_owned())
    } else {
        Err(format!("{key:?} is no PayPal-Request-Id"))
    }
}

/// A JSON object with these fields, no others, and none missing.
pub(super) fn fields(at: &str, value: &Value, needed: &[&str], allowed: &[&str]) -> Result<(), String> {
    let Some(object) = value.as_object() else {
        return Err(format!("{at} is no object: {value}"));
    };
    for name in needed {
        if !object.contains_key(*name) {
            return Err(format!("{at} has no {name}"));
        }
    }
    let known = |name: &&String| needed.contains(&name.as_str()) || allowed.contains(&name.as_str());
    match object.keys().find(|name| !known(name)) {
        Some(name) => Err(format!("{at}.{name} is unknown")),
        None => Ok(()),
    }
}

/// A text of 1 to so many characters.
pub(super) fn text(at: &str, value: &Value, most: usize) -> Result<String, String> {
    match value.as_str() {
        Some(text) if (1..=most).contains(&text.chars().count()) => Ok(text.to_owned()),
        _ => Err(format!("{at} is no text of 1 to {most} characters: {value}")),
    }
}

pub(super) fn one_of(at: &str, value: &Value, values: &[&str]) -> Result<(), String> {
    match value.as_str() {
        Some(text) if values.contains(&text) => Ok(()),
        _ => Err(format!("{at} is none of {values:?}: {value}")),
    }
}

/// `Money`: a currency of three letters, and a text of at most 32 characters such as `12.30`.
pub(super) fn money(at: &str, value: &Value) -> Result<(), String> {
    fields(at, value, &["currency_code", "value"], &[])?;
    let code = text(at, &value["currency_code"], 3)?;
    let amount = text(at, &value["value"], 32)?;
    let (whole, decimals) = amount.split_once('.').unwrap_or((&amount, "00"));
    let digits =
        |text: &str| (1..=29).contains(&text.len()) && text.bytes().all(|byte| byte.is_ascii_digit());
    if code.len() == 3
        && code.bytes().all(|byte| byte.is_ascii_uppercase())
        && digits(whole)
        && digits(decimals)
    {
        Ok(())
    } else {
        Err(format!("{at} is no money: {value}"))
    }
}

/// The body of `POST /v2/checkout/orders`, as far as a shop needs it.
pub(super) fn order(body: &Value) -> Result<(), String> {
    fields(
        "order",
        body,
        &["intent", "purchase_units", "payment_source"],
        &[],
    )?;
    one_of("intent", &body["intent"], &["CAPTURE", "AUTHORIZE"])?;
    let units = body["purchase_units"].as_array().cloned().unwrap_or_default();
    let [unit] = units.as_slice() else {
        return Err("one purchase unit is needed".to_owned());
    };
    let needed = ["reference_id", "custom_id", "invoice_id", "amount"];
    fields(
        "unit",
        unit,
        &needed,
        &["description", "items", "shipping", "soft_descriptor"],
    )?;
    text("reference_id", &unit["reference_id"], 256)?;
    text("custom_id", &unit["custom_id"], 127)?;
    text("invoice_id", &unit["invoice_id"], 127)?;
    if let Some(description) = unit.get("description") {
        text("description", description, 127)?;
    }
    money("amount", &unit["amount"])?;
    fields("payment_source", &body["payment_source"], &["paypal"], &[])?;
    let paypal = &body["payment_source"]["paypal"];
    fields("paypal", paypal, &["experience_context"], &[])?;
    let context = &paypal["experience_context"];
    fields(
        "experience_context",
        context,
        &["return_url", "cancel_url"],
        &[
            "brand_name",
            "locale",
            "landing_page",
            "user_action",
            "shipping_preference",
            "payment_method_preference",
        ],
    )?;
    for name in ["return_url", "cancel_url"] {
        let address = text(name, &context[name], 2_000)?;
        url::Url::parse(&address).map_err(|error| format!("{name}: {error}"))?;
    }
    let choices = [
        ("user_action", &["PAY_NOW", "CONTINUE"][..]),
        (
            "shipping_preference",
            &["GET_FROM_FILE", "NO_SHIPPING", "SET_PROVIDED_ADDRESS"],
        ),
        (
            "payment_method_preference",
            &["IMMEDIATE_PAYMENT_REQUIRED", "UNRESTRICTED"],
        ),
        (
            "landing_page",
            &["LOGIN", "GUEST_CHECKOUT", "NO_PREFERENCE", "BILLING"],
        ),
    ];
    for (name, values) in choices {
        if let Some(value) = context.get(name) {
            one_of(name, value, values)?;
        }
    }
    Ok(())
}
