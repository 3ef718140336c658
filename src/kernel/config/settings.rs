//! How each setting is read.

use std::path::PathBuf;
use std::str::FromStr;
use std::time::Duration;

use secrecy::SecretString;
use url::Url;

use super::accounts;
use super::gateways;
use super::list::SETTINGS;
use super::parse::{self, ConfigError};
use super::running;
use super::source::Source;
use super::token::token;
use super::{
    CacheConfig, Config, DatabaseConfig, Environment, HttpConfig, LimitsConfig, LogConfig, LogFormat,
    OrdersConfig, ShopConfig,
};
use crate::kernel::money::Currency;

pub(super) struct Reader<'a>(&'a Source);

impl Reader<'_> {
    /// The value that was set, or the default of the list.
    pub(super) fn text(&self, name: &str) -> &str {
        let default = SETTINGS
            .iter()
            .find(|setting| setting.name == name)
            .map_or("", |setting| setting.default);
        self.0.get(name).unwrap_or(default)
    }

    pub(super) fn optional(&self, name: &str) -> Option<&str> {
        Some(self.text(name)).filter(|text| !text.is_empty())
    }

    pub(super) fn number<T: FromStr + PartialOrd + From<u8>>(&self, name: &str) -> Result<T, ConfigError> {
        let number: T = parse::value(name, self.text(name), "a whole number of at least 1")?;
        if number < T::from(1) {
            return Err(ConfigError::bad(name, "must be at least 1"));
        }
        Ok(number)
    }

    pub(super) fn bytes(&self, name: &str) -> Result<usize, ConfigError> {
        let bytes = parse::bytes(name, self.text(name))?;
        usize::try_from(bytes).map_err(|_| ConfigError::bad(name, "is more than this machine can count"))
    }

    pub(super) fn duration(&self, name: &str) -> Result<std::time::Duration, ConfigError> {
        parse::duration(name, self.text(name))
    }

    fn switch(&self, name: &str, default: bool) -> Result<bool, ConfigError> {
        self.optional(name)
            .map_or(Ok(default), |text| parse::switch(name, text))
    }
}

pub(super) fn read(source: &Source) -> Result<Config, ConfigError> {
    let reader = Reader(source);
    let environment = match reader.text("SOUK_ENV") {
        "development" => Environment::Development,
        "production" => Environment::Production,
        other => {
            return Err(ConfigError::bad(
                "SOUK_ENV",
                format!("{other:?} is neither development nor production"),
            ));
        }
    };
    let http = http(&reader, environment)?;
    let accounts = accounts::accounts(&reader, environment)?;
    let orders = orders(&reader, environment, &http)?;
    let bytes = |name: &str| parse::bytes(name, reader.text(name));
    Ok(Config {
        environment,
        gateways: gateways::gateways(&reader, environment, &http.public_url)?,
        token: token(&reader, environment, &http.public_url, accounts.access_token_life)?,
        http,
        database: database(&reader)?,
        accounts,
        password: accounts::password(&reader, environment)?,
        shop: shop(&reader)?,
        orders,
        cache: CacheConfig {
            bytes: bytes("SOUK_CACHE_BYTES")?,
            time_to_live: reader.duration("SOUK_CACHE_TTL")?,
            answers: bytes("SOUK_ANSWER_CACHE_BYTES")?,
            documents: bytes("SOUK_DOCUMENT_CACHE_BYTES")?,
        },
        limits: limits(&reader)?,
        rates: running::rates(&reader)?,
        redis: running::redis(&reader)?,
        log: log(&reader)?,
        traces: running::traces(&reader)?,
    })
}

/// Longer is as good as for ever, which nothing here may take.
const LONGEST: Duration = Duration::from_secs(10 * 365 * 24 * 60 * 60);

fn orders(
    reader: &Reader<'_>,
    environment: Environment,
    http: &HttpConfig,
) -> Result<OrdersConfig, ConfigError> {
    let bounded = |name: &str| match reader.duration(name)? {
        duration if duration > LONGEST => Err(ConfigError::bad(name, "must be 3650d at most")),
        duration if duration < Duration::from_secs(1) => Err(ConfigError::bad(name, "must be at least 1s")),
        duration => Ok(duration),
    };
    Ok(OrdersConfig {
        hold: bounded("SOUK_ORDER_HOLD")?,
        manual_payments: reader.switch("SOUK_MANUAL_PAYMENTS", environment == Environment::Development)?,
        manual_hold: bounded("SOUK_MANUAL_HOLD")?,
        cart_life: bounded("SOUK_CART_LIFE")?,
        return_origins: return_origins(reader, environment, http)?,
        test_payments: environment == Environment::Development,
        group: reader.number("SOUK_GROUP_CHECKOUT")?,
        shared_events: reader.switch("SOUK_SHARED_EVENTS", true)?,
    })
}

fn http(reader: &Reader<'_>, environment: Environment) -> Result<HttpConfig, ConfigError> {
    let listen: std::net::SocketAddr = parse::value(
        "SOUK_LISTEN",
        reader.text("SOUK_LISTEN"),
        "an address with a port, such as 127.0.0.1:8080",
    )?;
    let public_url = match reader.optional("SOUK_PUBLIC_URL") {
        Some(text) => text.to_owned(),
        None => {
            let scheme = reader
                .optional("SOUK_TLS_CERTIFICATE")
                .map_or("http", |_| "https");
            format!("{scheme}://localhost:{}", listen.port())
        }
    };
    let public_url = Url::parse(&public_url)
        .ok()
        .filter(|url| matches!(url.scheme(), "http" | "https"))
        .ok_or_else(|| {
            ConfigError::bad(
                "SOUK_PUBLIC_URL",
                format!("{public_url:?} is not an http or https address"),
            )
        })?;
    Ok(HttpConfig {
        listen,
        public_url,
        cors_origins: origins(reader, "SOUK_CORS_ORIGINS")?,
        trusted_proxies: parse::networks("SOUK_TRUSTED_PROXIES", reader.text("SOUK_TRUSTED_PROXIES"))?,
        shutdown_delay: reader.duration("SOUK_SHUTDOWN_DELAY")?,
        shutdown_grace: reader.duration("SOUK_SHUTDOWN_GRACE")?,
        introspection: reader.switch("SOUK_INTROSPECTION", environment == Environment::Development)?,
        tls: running::tls(reader)?,
        trusted_documents: reader.optional("SOUK_TRUSTED_DOCUMENTS").map(PathBuf::from),
        persisted_queries: parse::bytes("SOUK_PERSISTED_QUERIES", reader.text("SOUK_PERSISTED_QUERIES"))?,
        metrics_callers: parse::networks("SOUK_METRICS_CALLERS", reader.text("SOUK_METRICS_CALLERS"))?,
    })
}

fn origins(reader: &Reader<'_>, name: &str) -> Result<Vec<String>, ConfigError> {
    let origins = reader
        .text(name)
        .split(',')
        .map(str::trim)
        .filter(|origin| !origin.is_empty());
    origins
        .map(|origin| match Url::parse(origin) {
            Ok(url) if url.origin().ascii_serialization() == origin => Ok(origin.to_owned()),
            _ => Err(ConfigError::bad(
                name,
                format!("{origin:?} is not an origin such as https://shop.example"),
            )),
        })
        .collect()
}

/// Where buyers may be sent on to; None for anywhere.
fn return_origins(
    reader: &Reader<'_>,
    environment: Environment,
    http: &HttpConfig,
) -> Result<Option<Vec<String>>, ConfigError> {
    let mut allowed = origins(reader, "SOUK_RETURN_ORIGINS")?;
    let is_open = environment == Environment::Development && allowed.is_empty();
    allowed.extend(http.cors_origins.iter().cloned());
    allowed.push(http.public_url.origin().ascii_serialization());
    Ok(Some(allowed).filter(|_| !is_open))
}

fn database(reader: &Reader<'_>) -> Result<DatabaseConfig, ConfigError> {
    let url = reader.text("DATABASE_URL");
    let sqlite = url.starts_with("sqlite:");
    if !sqlite && !is_postgres(url) {
        // The value may hold a password: it is not repeated.
        return Err(ConfigError::bad(
            "DATABASE_URL",
            "must start with sqlite:// or postgres://",
        ));
    }
    let replica_url = reader.optional("DATABASE_REPLICA_URL");
    if replica_url.is_some_and(|replica| sqlite || !is_postgres(replica)) {
        return Err(ConfigError::bad(
            "DATABASE_REPLICA_URL",
            "must be a PostgreSQL replica of a PostgreSQL database",
        ));
    }
    Ok(DatabaseConfig {
        url: SecretString::from(url),
        replica_url: replica_url.map(SecretString::from),
        replica_max_lag: reader.duration("SOUK_REPLICA_MAX_LAG")?,
        connections: connections(reader)?,
        auto_migrate: reader.switch("SOUK_AUTO_MIGRATE", sqlite)?,
        statement_timeout: None,
    })
}

fn connections(reader: &Reader<'_>) -> Result<u32, ConfigError> {
    const MOST: u32 = 1_000;
    let connections = reader.number("SOUK_DATABASE_CONNECTIONS")?;
    if connections > MOST {
        return Err(ConfigError::bad(
            "SOUK_DATABASE_CONNECTIONS",
            format!("must be {MOST} at most"),
        ));
    }
    Ok(connections)
}

fn is_postgres(url: &str) -> bool {
    url.starts_with("postgres://") || url.starts_with("postgresql://")
}

fn shop(reader: &Reader<'_>) -> Result<ShopConfig, ConfigError> {
    let name = reader.text("SOUK_SHOP_NAME");
    if name.chars().count() > 255 {
        return Err(ConfigError::bad("SOUK_SHOP_NAME", "has more than 255 characters"));
    }
    let currency =
        Currency::from_str(reader.text("SOUK_CURRENCY")).map_err(|e| ConfigError::bad("SOUK_CURRENCY", e))?;
    Ok(ShopConfig {
        name: name.to_owned(),
        currency,
    })
}

fn limits(reader: &Reader<'_>) -> Result<LimitsConfig, ConfigError> {
    let count = |name: &str| -> Result<usize, ConfigError> { reader.number(name) };
    Ok(LimitsConfig {
        connections: count("SOUK_LIMIT_CONNECTIONS")?,
        connections_per_address: count("SOUK_LIMIT_CONNECTIONS_PER_ADDRESS")?,
        in_flight: count("SOUK_LIMIT_IN_FLIGHT")?,
        header_timeout: reader.duration("SOUK_LIMIT_HEADER_TIMEOUT")?,
        header_bytes: reader.bytes("SOUK_LIMIT_HEADER_BYTES")?,
        body_bytes: reader.bytes("SOUK_LIMIT_BODY_BYTES")?,
        body_timeout: reader.duration("SOUK_LIMIT_BODY_TIMEOUT")?,
        json_depth: count("SOUK_LIMIT_JSON_DEPTH")?,
        tokens: count("SOUK_LIMIT_TOKENS")?,
        nesting: count("SOUK_LIMIT_NESTING")?,
        fields: reader.number("SOUK_LIMIT_FIELDS")?,
        cost: reader.number("SOUK_LIMIT_COST")?,
        depth: count("SOUK_LIMIT_DEPTH")?,
        aliases: count("SOUK_LIMIT_ALIASES")?,
        directives: count("SOUK_LIMIT_DIRECTIVES")?,
        root_mutations: count("SOUK_LIMIT_ROOT_MUTATIONS")?,
        page_size: reader.number("SOUK_LIMIT_PAGE_SIZE")?,
        list_items: count("SOUK_LIMIT_LIST_ITEMS")?,
        deadline: reader.duration("SOUK_LIMIT_DEADLINE")?,
        errors: count("SOUK_LIMIT_ERRORS")?,
        error_bytes: count("SOUK_LIMIT_ERROR_BYTES")?,
        socket_init_timeout: reader.duration("SOUK_LIMIT_SOCKET_INIT_TIMEOUT")?,
        socket_message_bytes: reader.bytes("SOUK_LIMIT_SOCKET_MESSAGE_BYTES")?,
        socket_operations: count("SOUK_LIMIT_SOCKET_OPERATIONS")?,
    })
}

fn log(reader: &Reader<'_>) -> Result<LogConfig, ConfigError> {
    let filter = reader.text("SOUK_LOG").to_owned();
    tracing_subscriber::EnvFilter::builder()
        .parse(&filter)
        .map_err(|e| ConfigError::bad("SOUK_LOG", format!("{filter:?} is not a log filter: {e}")))?;
    // A word that is neither a level nor a module's setting would switch everything off in silence.
    let meant = |part: &str| {
        part.contains(['=', '[', ':'])
            || part
                .trim()
                .parse::<tracing_subscriber::filter::LevelFilter>()
                .is_ok()
    };
    if let Some(odd) = filter.split(',').find(|part| !meant(part)) {
        let reason = format!("{odd:?} is not one of off, error, warn, info, debug, trace, nor MODULE=LEVEL");
        return Err(ConfigError::bad("SOUK_LOG", reason));
    }
    let format = match reader.text("SOUK_LOG_FORMAT") {
        "json" => LogFormat::Json,
        "pretty" => LogFormat::Pretty,
        other => {
            return Err(ConfigError::bad(
                "SOUK_LOG_FORMAT",
                format!("{other:?} is neither json nor pretty"),
            ));
        }
    };
    let slow = reader.duration("SOUK_LOG_SLOW")?;
    Ok(LogConfig { filter, format, slow })
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::*;

    fn with(settings: &[(&str, &str)]) -> Result<Config, ConfigError> {
        let environment = settings
            .iter()
            .map(|(name, value)| ((*name).to_owned(), (*value).to_owned()));
        Source::read(environment, Path::new("/nonexistent")).and_then(|source| Config::from_source(&source))
    }

    #[test]
    fn nothing_needs_to_be_set() {
        let config = with(&[]).unwrap();
        assert_eq!(config.http.public_url.as_str(), "http://localhost:8080/");
        assert!(config.database.auto_migrate);
        assert!(config.http.introspection);
    }

    #[test]
    fn a_bad_setting_is_named() {
        for (name, value) in [
            ("SOUK_ENV", "prod"),
            ("SOUK_LISTEN", "8080"),
            ("SOUK_PUBLIC_URL", "shop.example"),
            ("SOUK_CORS_ORIGINS", "https://a.example/, *"),
            ("SOUK_INTROSPECTION", "maybe"),
            ("SOUK_SHUTDOWN_GRACE", "30"),
            ("DATABASE_URL", "mysql://x"),
            ("DATABASE_REPLICA_URL", "postgres://x"),
            ("SOUK_DATABASE_CONNECTIONS", "0"),
            ("SOUK_DATABASE_CONNECTIONS", "99999999"),
            ("SOUK_LOG", "loud"),
            ("SOUK_AUTO_MIGRATE", "si"),
            ("SOUK_TRUSTED_PROXIES", "10.0.0.0/8, proxy.example"),
            ("SOUK_TRUSTED_PROXIES", "10.0.0.0/33"),
            ("SOUK_CURRENCY", "EURO"),
            ("SOUK_CACHE_BYTES", "lots"),
            ("SOUK_LIMIT_BODY_BYTES", "1MB"),
            ("SOUK_LIMIT_DEPTH", "-1"),
            ("SOUK_LOG", "a=b=c"),
            ("SOUK_LOG_FORMAT", "xml"),
        ] {
            let error = with(&[(name, value)]).unwrap_err();
            assert!(error.to_string().starts_with(name), "{name}={value}: {error}");
        }
    }

    #[test]
    fn an_unknown_setting_is_named_with_what_was_meant() {
        let error = with(&[("SOUK_LISTN", "x")]).unwrap_err();
        assert_eq!(
            error.to_string(),
            "SOUK_LISTN is not a setting, did you mean SOUK_LISTEN?; `souk serve --help` lists all"
        );
    }

    #[test]
    fn production_hides_the_schema() {
        let secret = ("SOUK_JWT_SECRET", "f2b7c0d94e6a18355d7fa1c3b8e09264");
        assert!(
            !with(&[("SOUK_ENV", "production"), secret])
                .unwrap()
                .http
                .introspection
        );
    }

    #[test]
    fn the_environment_wins_over_both_files() {
        let folder = tempfile::tempdir().unwrap();
        std::fs::write(
            folder.path().join("souk.toml"),
            "SOUK_SHOP_NAME = \"toml\"\nSOUK_CURRENCY = \"EUR\"\nSOUK_LIMIT_DEPTH = 9",
        )
        .unwrap();
        std::fs::write(
            folder.path().join(".env"),
            "SOUK_SHOP_NAME=dotenv\nSOUK_CURRENCY=GBP\n",
        )
        .unwrap();
        let environment = [("SOUK_SHOP_NAME".to_owned(), "environment".to_owned())];
        let config = Config::from_source(&Source::read(environment, folder.path()).unwrap()).unwrap();
        assert_eq!(config.shop.name, "environment");
        assert_eq!(config.shop.currency.code(), "GBP");
        assert_eq!(config.limits.depth, 9);
    }
}
