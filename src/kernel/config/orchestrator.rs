//! What Kubernetes says of its services to every container: for one that is called `souk`, or `souk-web`, by names that look like
//! settings of ours.

use std::net::IpAddr;

/// Whether a variable is such a word, by its name and its value: then it is nobody's mistake.
pub(super) fn says(name: &str, value: &str) -> bool {
    let Some(rest) = name.strip_prefix("SOUK_") else {
        return false;
    };
    // What the service is called more than `souk` comes first.
    let after = |part: &str| rest.find(part).and_then(|at| rest.get(at + part.len()..));
    let is_number = |text: &str| text.parse::<u16>().is_ok();
    if after("SERVICE_HOST") == Some("") {
        return value.parse::<IpAddr>().is_ok();
    }
    if let Some(name) = after("SERVICE_PORT") {
        return (name.is_empty() || name.starts_with('_')) && is_number(value);
    }
    let Some(port) = after("PORT") else { return false };
    if port.is_empty() {
        return is_address(value);
    }
    // `_8080_TCP`, `_8080_TCP_ADDR`, …
    let mut parts = port.split('_').skip(1);
    let (Some(number), Some(protocol), of, None) = (parts.next(), parts.next(), parts.next(), parts.next())
    else {
        return false;
    };
    is_number(number)
        && ["TCP", "UDP", "SCTP"].contains(&protocol)
        && match of {
            None => is_address(value),
            Some("PROTO") => value.eq_ignore_ascii_case(protocol),
            Some("PORT") => is_number(value),
            Some("ADDR") => value.parse::<IpAddr>().is_ok(),
            Some(_) => false,
        }
}

/// `tcp://10.0.0.11:8080`
fn is_address(value: &str) -> bool {
    ["tcp://", "udp://", "sctp://"]
        .iter()
        .any(|scheme| value.starts_with(scheme))
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::super::Source;
    use super::*;

    const SERVICE: [(&str, &str); 9] = [
        ("SOUK_SERVICE_HOST", "10.0.0.11"),
        ("SOUK_SERVICE_PORT", "8080"),
        ("SOUK_SERVICE_PORT_HTTP", "8080"),
        ("SOUK_PORT", "tcp://10.0.0.11:8080"),
        ("SOUK_PORT_8080_TCP", "tcp://10.0.0.11:8080"),
        ("SOUK_PORT_8080_TCP_PROTO", "tcp"),
        ("SOUK_PORT_8080_TCP_PORT", "8080"),
        ("SOUK_PORT_8080_TCP_ADDR", "10.0.0.11"),
        ("SOUK_WEB_SERVICE_HOST", "fd00::11"),
    ];

    #[test]
    fn a_service_called_souk_does_not_stop_the_start() {
        for (name, value) in SERVICE {
            assert!(says(name, value), "{name}={value}");
        }
        let environment = SERVICE.map(|(name, value)| (name.to_owned(), value.to_owned()));
        Source::read(environment, Path::new("/nonexistent")).unwrap();
    }

    #[test]
    fn what_looks_like_a_mistake_still_does() {
        for (name, value) in [
            ("SOUK_PORT", "8080"),
            ("SOUK_PORT", ""),
            ("SOUK_PORT_8080_TCP", "8080"),
            ("SOUK_PORT_8080_TCP_NAME", "8080"),
            ("SOUK_SERVICE_HOST", "localhost"),
            ("SOUK_SERVICE_PORTS", "8080"),
            ("SOUK_LISTEN", "127.0.0.1:8080"),
            ("REDIS_PORT", "tcp://10.0.0.11:6379"),
        ] {
            assert!(!says(name, value), "{name}={value}");
        }
        let environment = [("SOUK_PORT".to_owned(), "8080".to_owned())];
        assert!(Source::read(environment, Path::new("/nonexistent")).is_err());
    }
}
