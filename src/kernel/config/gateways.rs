//! Settings of payment gateways. One without its settings is not offered; with some of them alone nothing starts.

use ipnet::IpNet;
use secrecy::SecretString;
use url::Url;

use super::parse::{self, ConfigError};
use super::settings::Reader;
use super::{Environment, GatewaysConfig, MpesaConfig, MpesaReversal, PaypalConfig, StripeConfig};

pub(super) fn gateways(reader: &Reader<'_>, environment: Environment) -> Result<GatewaysConfig, ConfigError> {
    Ok(GatewaysConfig {
        stripe: stripe(reader, environment)?,
        paypal: paypal(reader, environment)?,
        mpesa: mpesa(reader, environment)?,
    })
}

/// All of these settings, or None of them.
fn together<const N: usize>(
    reader: &Reader<'_>,
    names: [&str; N],
) -> Result<Option<[SecretString; N]>, ConfigError> {
    let values = names.map(|name| reader.optional(name));
    if values.iter().all(Option::is_none) {
        return Ok(None);
    }
    for (name, value) in names.iter().zip(values) {
        let complete = value.is_some_and(|value| value.trim() == value);
        if !complete {
            let message = format!(
                "must be set, without spaces around it: {} go together",
                names.join(", ")
            );
            return Err(ConfigError::bad(name, message));
        }
    }
    Ok(Some(
        values.map(|value| SecretString::from(value.unwrap_or_default())),
    ))
}

/// Where a gateway is. What is sent there are secrets.
fn base(reader: &Reader<'_>, environment: Environment, name: &str) -> Result<Url, ConfigError> {
    let text = reader.text(name);
    let url = Url::parse(text).ok().filter(|url| match url.scheme() {
        "https" => true,
        "http" => environment == Environment::Development,
        _ => false,
    });
    url.ok_or_else(|| ConfigError::bad(name, format!("{text:?} is not an https address")))
}

fn stripe(reader: &Reader<'_>, environment: Environment) -> Result<Option<StripeConfig>, ConfigError> {
    let names = [
        "STRIPE_SECRET_KEY",
        "STRIPE_PUBLISHABLE_KEY",
        "STRIPE_WEBHOOK_SECRET",
    ];
    let Some([secret_key, publishable_key, webhook_secret]) = together(reader, names)? else {
        return Ok(None);
    };
    Ok(Some(StripeConfig {
        secret_key,
        publishable_key,
        webhook_secret,
        webhook_previous_secret: secret(reader, "STRIPE_WEBHOOK_PREVIOUS_SECRET"),
        api_base: base(reader, environment, "STRIPE_API_BASE")?,
    }))
}

fn secret(reader: &Reader<'_>, name: &str) -> Option<SecretString> {
    reader.optional(name).map(SecretString::from)
}

fn paypal(reader: &Reader<'_>, environment: Environment) -> Result<Option<PaypalConfig>, ConfigError> {
    let names = ["PAYPAL_CLIENT_ID", "PAYPAL_CLIENT_SECRET", "PAYPAL_WEBHOOK_ID"];
    let Some([client_id, client_secret, webhook_id]) = together(reader, names)? else {
        return Ok(None);
    };
    let verification = "PAYPAL_WEBHOOK_VERIFICATION";
    let by_certificate = match reader.text(verification) {
        "api" => false,
        "certificate" => true,
        other => {
            return Err(ConfigError::bad(
                verification,
                format!("{other:?} is neither api nor certificate"),
            ));
        }
    };
    Ok(Some(PaypalConfig {
        client_id,
        client_secret,
        webhook_id,
        by_certificate,
        api_base: base(reader, environment, "PAYPAL_API_BASE")?,
    }))
}

fn mpesa(reader: &Reader<'_>, environment: Environment) -> Result<Option<MpesaConfig>, ConfigError> {
    let names = [
        "MPESA_CONSUMER_KEY",
        "MPESA_CONSUMER_SECRET",
        "MPESA_SHORTCODE",
        "MPESA_PASSKEY",
        "MPESA_CALLBACK_SECRET",
    ];
    let Some([consumer_key, consumer_secret, _, passkey, callback_secret]) = together(reader, names)? else {
        return Ok(None);
    };
    let number = |name: &str| match reader.text(name) {
        text if (5..=10).contains(&text.len()) && text.bytes().all(|byte| byte.is_ascii_digit()) => {
            Ok(text.to_owned())
        }
        _ => Err(ConfigError::bad(name, "must be 5 to 10 digits")),
    };
    let till = reader
        .optional("MPESA_TILL")
        .map(|_| number("MPESA_TILL"))
        .transpose()?;
    let reversal = together(reader, ["MPESA_INITIATOR", "MPESA_SECURITY_CREDENTIAL"])?;
    Ok(Some(MpesaConfig {
        consumer_key,
        consumer_secret,
        shortcode: number("MPESA_SHORTCODE")?,
        till,
        passkey,
        callback_secret: long_enough("MPESA_CALLBACK_SECRET", callback_secret, environment)?,
        callback_previous_secret: secret(reader, "MPESA_CALLBACK_PREVIOUS_SECRET"),
        callers: callers(reader)?,
        reversal: reversal.map(|[initiator, credential]| MpesaReversal {
            initiator,
            credential,
        }),
        api_base: base(reader, environment, "MPESA_API_BASE")?,
    }))
}

/// It stands in addresses, and is all that tells the gateway from a stranger.
fn long_enough(
    name: &str,
    secret: SecretString,
    environment: Environment,
) -> Result<SecretString, ConfigError> {
    use secrecy::ExposeSecret as _;
    let text = secret.expose_secret();
    if !text
        .bytes()
        .all(|byte| byte.is_ascii_alphanumeric() || b"-_.~".contains(&byte))
    {
        return Err(ConfigError::bad(
            name,
            "stands in an address: letters, digits, - _ . ~ alone",
        ));
    }
    if environment == Environment::Production && text.len() < 32 {
        return Err(ConfigError::bad(
            name,
            "must have at least 32 characters in production",
        ));
    }
    Ok(secret)
}

fn callers(reader: &Reader<'_>) -> Result<Vec<IpNet>, ConfigError> {
    parse::networks("MPESA_CALLERS", reader.text("MPESA_CALLERS"))
}
