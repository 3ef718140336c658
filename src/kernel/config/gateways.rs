//! Settings of payment gateways. One without its settings is not offered; with some of them alone nothing starts.
//!
//! No message repeats what was set: keys end up in the wrong setting.

use ipnet::IpNet;
use secrecy::{ExposeSecret as _, SecretString};
use url::Url;

use super::advice::reachable;
use super::parse::{self, ConfigError};
use super::settings::Reader;
use super::{Environment, GatewaysConfig, MpesaConfig, MpesaReversal, PaypalConfig, StripeConfig};

pub(super) fn gateways(
    reader: &Reader<'_>,
    environment: Environment,
    public_url: &Url,
) -> Result<GatewaysConfig, ConfigError> {
    let mpesa = mpesa(reader, environment)?;
    if mpesa.is_some() && environment == Environment::Production && !reachable(public_url) {
        return Err(ConfigError::bad(
            "SOUK_PUBLIC_URL",
            "must be an https address of the internet for M-Pesa, which calls it",
        ));
    }
    Ok(GatewaysConfig {
        stripe: stripe(reader, environment)?,
        paypal: paypal(reader, environment)?,
        mpesa,
    })
}

/// All of these settings, or None of them. What is optional beside them means nothing without them.
fn together<const N: usize>(
    reader: &Reader<'_>,
    names: [&str; N],
    beside: &[&str],
) -> Result<Option<[SecretString; N]>, ConfigError> {
    let values = names.map(|name| reader.optional(name));
    if values.iter().all(Option::is_none) {
        return match beside.iter().find(|name| reader.optional(name).is_some()) {
            None => Ok(None),
            Some(name) => Err(ConfigError::bad(
                name,
                format!("means nothing without {}", names.join(", ")),
            )),
        };
    }
    for (name, value) in names.iter().zip(values) {
        if value.is_none() {
            let message = format!("must be set: {} go together", names.join(", "));
            return Err(ConfigError::bad(name, message));
        }
    }
    for name in names.iter().chain(beside) {
        // They stand in headers.
        let printable = |byte| (b' '..=b'~').contains(&byte);
        if !reader.text(name).bytes().all(printable) {
            return Err(ConfigError::bad(
                name,
                "has something else than the letters, digits and signs of ASCII",
            ));
        }
    }
    Ok(Some(
        values.map(|value| SecretString::from(value.unwrap_or_default())),
    ))
}

/// Where a gateway is. What is sent there are secrets.
fn base(reader: &Reader<'_>, environment: Environment, name: &str) -> Result<Url, ConfigError> {
    let url = Url::parse(reader.text(name))
        .ok()
        .filter(|url| match url.scheme() {
            "https" => true,
            "http" => environment == Environment::Development,
            _ => false,
        });
    url.ok_or_else(|| ConfigError::bad(name, "is not an https address"))
}

fn begins(name: &str, secret: &SecretString, starts: &[&str]) -> Result<(), ConfigError> {
    if starts
        .iter()
        .any(|start| secret.expose_secret().starts_with(start))
    {
        return Ok(());
    }
    Err(ConfigError::bad(
        name,
        format!("must begin with {}", starts.join(" or ")),
    ))
}

fn stripe(reader: &Reader<'_>, environment: Environment) -> Result<Option<StripeConfig>, ConfigError> {
    let names = [
        "STRIPE_SECRET_KEY",
        "STRIPE_PUBLISHABLE_KEY",
        "STRIPE_WEBHOOK_SECRET",
    ];
    let previous = "STRIPE_WEBHOOK_PREVIOUS_SECRET";
    let api_base = base(reader, environment, "STRIPE_API_BASE")?;
    let Some([secret_key, publishable_key, webhook_secret]) = together(reader, names, &[previous])? else {
        return Ok(None);
    };
    let webhook_previous_secret = secret(reader, previous);
    begins("STRIPE_SECRET_KEY", &secret_key, &["sk_", "rk_"])?;
    // Everybody sees it.
    begins("STRIPE_PUBLISHABLE_KEY", &publishable_key, &["pk_"])?;
    begins("STRIPE_WEBHOOK_SECRET", &webhook_secret, &["whsec_"])?;
    if let Some(secret) = &webhook_previous_secret {
        begins(previous, secret, &["whsec_"])?;
    }
    if mode(&secret_key) != mode(&publishable_key) {
        return Err(ConfigError::bad(
            "STRIPE_PUBLISHABLE_KEY",
            "must be of the same mode as STRIPE_SECRET_KEY: both live, or both test",
        ));
    }
    Ok(Some(StripeConfig {
        secret_key,
        publishable_key,
        webhook_secret,
        webhook_previous_secret,
        api_base,
    }))
}

/// `live` or `test`: what stands behind a key's kind.
pub(super) fn mode(key: &SecretString) -> Option<&str> {
    let mode = key.expose_secret().split('_').nth(1);
    mode.filter(|mode| matches!(*mode, "live" | "test"))
}

fn secret(reader: &Reader<'_>, name: &str) -> Option<SecretString> {
    reader.optional(name).map(SecretString::from)
}

fn paypal(reader: &Reader<'_>, environment: Environment) -> Result<Option<PaypalConfig>, ConfigError> {
    let names = ["PAYPAL_CLIENT_ID", "PAYPAL_CLIENT_SECRET", "PAYPAL_WEBHOOK_ID"];
    let verification = "PAYPAL_WEBHOOK_VERIFICATION";
    let by_certificate = match reader.text(verification) {
        "api" => false,
        "certificate" => true,
        _ => return Err(ConfigError::bad(verification, "is neither api nor certificate")),
    };
    let api_base = base(reader, environment, "PAYPAL_API_BASE")?;
    let Some([client_id, client_secret, webhook_id]) = together(reader, names, &[])? else {
        return Ok(None);
    };
    Ok(Some(PaypalConfig {
        client_id,
        client_secret,
        webhook_id,
        by_certificate,
        api_base,
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
    let reversal = ["MPESA_INITIATOR", "MPESA_SECURITY_CREDENTIAL"];
    let [initiator, credential] = reversal;
    let (till, previous) = ("MPESA_TILL", "MPESA_CALLBACK_PREVIOUS_SECRET");
    let api_base = base(reader, environment, "MPESA_API_BASE")?;
    let callers = callers(reader)?;
    let set = together(reader, names, &[till, previous, initiator, credential])?;
    let Some([consumer_key, consumer_secret, _, passkey, callback_secret]) = set else {
        return Ok(None);
    };
    let number = |name: &str| match reader.text(name) {
        text if (5..=10).contains(&text.len()) && text.bytes().all(|byte| byte.is_ascii_digit()) => {
            Ok(text.to_owned())
        }
        _ => Err(ConfigError::bad(name, "must be 5 to 10 digits")),
    };
    let word = |name, secret| long_enough(name, secret, environment);
    Ok(Some(MpesaConfig {
        consumer_key,
        consumer_secret,
        shortcode: number("MPESA_SHORTCODE")?,
        till: reader.optional(till).map(|_| number(till)).transpose()?,
        passkey,
        callback_secret: word("MPESA_CALLBACK_SECRET", callback_secret)?,
        callback_previous_secret: secret(reader, previous)
            .map(|secret| word(previous, secret))
            .transpose()?,
        callers,
        reversal: together(reader, reversal, &[])?.map(|[initiator, credential]| MpesaReversal {
            initiator,
            credential,
        }),
        api_base,
    }))
}

/// It stands in addresses, and is all that tells the gateway from a stranger.
fn long_enough(
    name: &str,
    secret: SecretString,
    environment: Environment,
) -> Result<SecretString, ConfigError> {
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

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::super::{Config, Source};
    use super::*;

    const STRIPE: [(&str, &str); 3] = [
        ("STRIPE_SECRET_KEY", "sk_live_TheSecret"),
        ("STRIPE_PUBLISHABLE_KEY", "pk_live_TheOther"),
        ("STRIPE_WEBHOOK_SECRET", "whsec_TheWord"),
    ];
    const PAYPAL: [(&str, &str); 3] = [
        ("PAYPAL_CLIENT_ID", "a-client"),
        ("PAYPAL_CLIENT_SECRET", "its-secret"),
        ("PAYPAL_WEBHOOK_ID", "8PT597110X687430LKGECATA"),
    ];
    const MPESA: [(&str, &str); 5] = [
        ("MPESA_CONSUMER_KEY", "consumer"),
        ("MPESA_CONSUMER_SECRET", "hidden"),
        ("MPESA_SHORTCODE", "174379"),
        ("MPESA_PASSKEY", "bfb279f9aa9b"),
        ("MPESA_CALLBACK_SECRET", "a-word-of-32-characters-0123456789"),
    ];
    const PRODUCTION: [(&str, &str); 3] = [
        ("SOUK_ENV", "production"),
        ("SOUK_JWT_SECRET", "f2b7c0d94e6a18355d7fa1c3b8e09264"),
        ("SOUK_PUBLIC_URL", "https://shop.example"),
    ];

    /// The later of two of the same name counts.
    fn with(settings: &[&[(&str, &str)]]) -> Result<Config, ConfigError> {
        let environment = settings.concat().into_iter();
        let environment = environment.map(|(name, value)| (name.to_owned(), value.to_owned()));
        Source::read(environment, Path::new("/nonexistent")).and_then(|source| Config::from_source(&source))
    }

    /// Refused by this name, and without what was set.
    fn refused(name: &str, settings: &[&[(&str, &str)]]) -> String {
        let error = with(settings).unwrap_err().to_string();
        assert!(error.starts_with(&format!("{name}: ")), "{name}: {error}");
        let values = settings.concat().into_iter().map(|(_, value)| value);
        for value in values.filter(|value| value.len() > 5 && !value.starts_with("prod")) {
            assert!(!error.contains(value), "{error}");
        }
        error
    }

    #[test]
    fn keys_of_stripe_are_what_their_settings_say() {
        assert!(with(&[&STRIPE]).unwrap().gateways.stripe.is_some());
        assert!(with(&[&STRIPE, &[("STRIPE_SECRET_KEY", "rk_live_TheSecret")]]).is_ok());
        for (name, value, why) in [
            ("STRIPE_SECRET_KEY", "pk_live_TheOther", "sk_ or rk_"),
            ("STRIPE_SECRET_KEY", "whsec_TheWord", "sk_ or rk_"),
            ("STRIPE_PUBLISHABLE_KEY", "sk_live_TheSecret", "pk_"),
            ("STRIPE_PUBLISHABLE_KEY", "rk_live_TheSecret", "pk_"),
            ("STRIPE_PUBLISHABLE_KEY", "pk_test_TheOther", "the same mode"),
            ("STRIPE_WEBHOOK_SECRET", "sk_live_TheSecret", "whsec_"),
            ("STRIPE_WEBHOOK_PREVIOUS_SECRET", "sk_live_TheSecret", "whsec_"),
            ("STRIPE_WEBHOOK_PREVIOUS_SECRET", "whsec_ü", "ASCII"),
            ("STRIPE_SECRET_KEY", "sk_live_The\u{200b}Secret", "ASCII"),
            ("STRIPE_SECRET_KEY", "sk_live_The\nSecret", "ASCII"),
            ("STRIPE_API_BASE", "sk_live_TheSecret", "https"),
        ] {
            let error = refused(name, &[&STRIPE, &[(name, value)]]);
            assert!(error.contains(why), "{error}");
        }
        let swapped = [
            ("STRIPE_SECRET_KEY", "pk_live_TheOther"),
            ("STRIPE_PUBLISHABLE_KEY", "sk_live_TheSecret"),
        ];
        refused("STRIPE_SECRET_KEY", &[&STRIPE, &swapped]);
    }

    #[test]
    fn daraja_must_be_able_to_call_in_production() {
        assert!(with(&[&PRODUCTION, &MPESA]).is_ok());
        for address in [
            "http://shop.example",
            "https://localhost",
            "https://shop.localhost:8443",
            "https://souk",
            "https://shop.local/",
            "https://127.0.0.1",
            "https://10.1.2.3",
            "https://192.168.0.9",
            "https://169.254.1.1",
            "https://0.0.0.0",
            "https://[::1]",
            "https://[::ffff:127.0.0.1]",
            "https://[fd00::1]",
            "https://[fe80::1]",
        ] {
            let address = [("SOUK_PUBLIC_URL", address)];
            refused("SOUK_PUBLIC_URL", &[&PRODUCTION, &MPESA, &address]);
            assert!(
                with(&[&PRODUCTION, &address]).is_ok(),
                "without M-Pesa: {address:?}"
            );
            assert!(with(&[&MPESA, &address]).is_ok(), "in development: {address:?}");
        }
    }

    #[test]
    fn values_are_looked_at_without_the_rest_of_their_gateway() {
        for (name, value) in [
            ("PAYPAL_WEBHOOK_VERIFICATION", "by-hand"),
            ("STRIPE_API_BASE", "ftp://stripe.example"),
            ("PAYPAL_API_BASE", "api-m.paypal.com"),
            ("MPESA_API_BASE", "sandbox"),
            ("MPESA_CALLERS", "x/8"),
        ] {
            refused(name, &[&[(name, value)]]);
        }
        // What is no secret may stand in a file for later.
        assert!(with(&[&[("PAYPAL_API_BASE", "https://api-m.sandbox.paypal.com")]]).is_ok());
    }

    #[test]
    fn what_is_optional_means_nothing_alone() {
        for (name, value) in [
            ("STRIPE_WEBHOOK_PREVIOUS_SECRET", "whsec_TheWord"),
            ("MPESA_TILL", "123456"),
            (
                "MPESA_CALLBACK_PREVIOUS_SECRET",
                "another-word-0123456789abcdefghijk",
            ),
            ("MPESA_INITIATOR", "operator"),
            ("MPESA_SECURITY_CREDENTIAL", "encrypted=="),
        ] {
            let error = refused(name, &[&[(name, value)]]);
            assert!(error.contains("means nothing without"), "{error}");
        }
        refused(
            "MPESA_SECURITY_CREDENTIAL",
            &[&MPESA, &[("MPESA_INITIATOR", "operator")]],
        );
        for (settings, missing) in [
            (&STRIPE[1..], "STRIPE_SECRET_KEY"),
            (&PAYPAL[..2], "PAYPAL_WEBHOOK_ID"),
            (&MPESA[..4], "MPESA_CALLBACK_SECRET"),
        ] {
            assert!(refused(missing, &[settings]).contains("go together"));
        }
    }

    #[test]
    fn a_previous_word_of_callbacks_is_as_good_as_the_current_one() {
        let name = "MPESA_CALLBACK_PREVIOUS_SECRET";
        let long = "another-word-0123456789abcdefghijk";
        assert!(with(&[&PRODUCTION, &MPESA, &[(name, long)]]).is_ok());
        assert!(with(&[&MPESA, &[(name, "short-word")]]).is_ok());
        refused(name, &[&PRODUCTION, &MPESA, &[(name, "short-word")]]);
        refused(name, &[&MPESA, &[(name, "a/word/with/slashes")]]);
    }
}
