//! Settings that are allowed and may still be a mistake: said at the start.

use std::net::{IpAddr, Ipv4Addr};

use url::{Host, Url};

use super::gateways::mode;
use super::{Config, Environment};

impl Config {
    /// What is worth a warning at the start: a setting, and what is odd about it.
    pub fn warnings(&self) -> Vec<(&'static str, &'static str)> {
        let mut warnings = Vec::new();
        let gateways = &self.gateways;
        match self.environment {
            Environment::Development => {
                if gateways.mpesa.is_some() && !reachable(&self.http.public_url) {
                    let odd =
                        "is no https address of the internet: M-Pesa cannot call it, and is asked instead";
                    warnings.push(("SOUK_PUBLIC_URL", odd));
                }
            }
            Environment::Production => {
                let key = gateways.stripe.as_ref().map(|stripe| &stripe.secret_key);
                if key.is_some_and(|key| mode(key) == Some("test")) {
                    let odd = "is of Stripe's test mode: nobody pays anything";
                    warnings.push(("STRIPE_SECRET_KEY", odd));
                }
                let paypal = gateways.paypal.as_ref();
                let mpesa = gateways.mpesa.as_ref();
                for (name, base) in [
                    ("PAYPAL_API_BASE", paypal.map(|paypal| &paypal.api_base)),
                    ("MPESA_API_BASE", mpesa.map(|mpesa| &mpesa.api_base)),
                ] {
                    if base.and_then(Url::host_str).is_some_and(sandbox) {
                        warnings.push((name, "is a sandbox: nobody pays anything"));
                    }
                }
            }
        }
        warnings
    }
}

fn sandbox(host: &str) -> bool {
    host.split('.').any(|label| label == "sandbox")
}

/// Whether a gateway can call this address, as far as can be told from it.
pub(super) fn reachable(url: &Url) -> bool {
    let public = match url.host() {
        Some(Host::Domain(name)) => {
            let name = name.trim_end_matches('.');
            let private = [".localhost", ".local", ".internal"];
            name.contains('.') && !private.iter().any(|end| name.ends_with(end))
        }
        Some(Host::Ipv4(address)) => public(address),
        Some(Host::Ipv6(address)) => match address.to_canonical() {
            IpAddr::V4(address) => public(address),
            IpAddr::V6(address) => {
                !(address.is_loopback()
                    || address.is_unspecified()
                    || address.is_unique_local()
                    || address.is_unicast_link_local())
            }
        },
        None => false,
    };
    public && url.scheme() == "https"
}

fn public(address: Ipv4Addr) -> bool {
    !(address.is_loopback() || address.is_private() || address.is_link_local() || address.is_unspecified())
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::super::Source;
    use super::*;

    fn warned(settings: &[(&str, &str)]) -> Vec<&'static str> {
        let stripe = [
            ("STRIPE_PUBLISHABLE_KEY", "pk_test_a"),
            ("STRIPE_SECRET_KEY", "rk_test_a"),
            ("STRIPE_WEBHOOK_SECRET", "whsec_a"),
            ("PAYPAL_CLIENT_ID", "a"),
            ("PAYPAL_CLIENT_SECRET", "a"),
            ("PAYPAL_WEBHOOK_ID", "a"),
            ("MPESA_CONSUMER_KEY", "a"),
            ("MPESA_CONSUMER_SECRET", "a"),
            ("MPESA_SHORTCODE", "174379"),
            ("MPESA_PASSKEY", "a"),
            ("MPESA_CALLBACK_SECRET", "a-word-of-32-characters-0123456789"),
            ("SOUK_JWT_SECRET", "f2b7c0d94e6a18355d7fa1c3b8e09264"),
        ];
        let all = stripe.iter().chain(settings);
        let all = all.map(|(name, value)| ((*name).to_owned(), (*value).to_owned()));
        let source = Source::read(all, Path::new("/nonexistent")).unwrap();
        let warnings = Config::from_source(&source).unwrap().warnings();
        warnings.into_iter().map(|(name, _)| name).collect()
    }

    #[test]
    fn money_that_is_none_is_warned_about_in_production() {
        let shop = [
            ("SOUK_ENV", "production"),
            ("SOUK_PUBLIC_URL", "https://shop.example"),
        ];
        let live = [
            ("STRIPE_PUBLISHABLE_KEY", "pk_live_a"),
            ("STRIPE_SECRET_KEY", "sk_live_a"),
        ];
        let sandboxes = [
            ("PAYPAL_API_BASE", "https://api-m.sandbox.paypal.com"),
            ("MPESA_API_BASE", "https://sandbox.safaricom.co.ke"),
        ];
        assert_eq!(warned(&shop), ["STRIPE_SECRET_KEY"]);
        assert!(warned(&[shop, live].concat()).is_empty());
        let all = [shop, live, sandboxes].concat();
        assert_eq!(warned(&all), ["PAYPAL_API_BASE", "MPESA_API_BASE"]);
        assert!(warned(&[("SOUK_PUBLIC_URL", "https://shop.example")]).is_empty());
    }

    #[test]
    fn daraja_cannot_call_a_developers_machine() {
        assert_eq!(warned(&[]), ["SOUK_PUBLIC_URL"]);
        assert_eq!(
            warned(&[("SOUK_PUBLIC_URL", "https://10.0.0.1")]),
            ["SOUK_PUBLIC_URL"]
        );
    }
}
