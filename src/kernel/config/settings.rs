//! The list of settings, and how each is read.

use std::str::FromStr;
use std::time::Duration;

use secrecy::SecretString;
use url::Url;

use super::accounts;
use super::gateways;
use super::parse::{self, ConfigError};
use super::source::Source;
use super::token::token;
use super::{
    CacheConfig, Config, DatabaseConfig, Environment, HttpConfig, LimitsConfig, LogConfig, LogFormat,
    OrdersConfig, ShopConfig,
};
use crate::kernel::money::Currency;

/// One setting, as `souk serve --help` lists it.
#[derive(Clone, Copy, Debug)]
pub struct Setting {
    pub name: &'static str,
    pub default: &'static str,
    pub meaning: &'static str,
}

macro_rules! settings {
    ($($name:literal, $default:literal, $meaning:literal;)*) => {
        /// Every setting that has an effect, in the order of the manual.
        pub const SETTINGS: &[Setting] =
            &[$(Setting { name: $name, default: $default, meaning: $meaning },)*];
    };
}

settings! {
    "SOUK_ENV", "development", "`production` refuses weak secrets and hides introspection";
    "SOUK_LISTEN", "127.0.0.1:8080", "address and port to listen on";
    "SOUK_PUBLIC_URL", "", "the address that browsers use, and M-Pesa calls; by default localhost and the port of SOUK_LISTEN";
    "SOUK_CORS_ORIGINS", "", "comma-separated origins of web pages that may call the API";
    "SOUK_RETURN_ORIGINS", "", "comma-separated origins that buyers may be sent on to from gateways' pages, beside those of SOUK_PUBLIC_URL and SOUK_CORS_ORIGINS; in development any unless it is set";
    "SOUK_TRUSTED_PROXIES", "", "comma-separated addresses or networks of proxies whose X-Forwarded-For is believed";
    "SOUK_INTROSPECTION", "", "whether clients may read the schema; by default only in development";
    "SOUK_SHUTDOWN_DELAY", "0s", "how long requests are still accepted after a signal to stop, while /health/ready says no";
    "SOUK_SHUTDOWN_GRACE", "30s", "how long requests in flight may finish after a signal to stop";
    "DATABASE_URL", "sqlite://souk.db", "sqlite://FILE or postgres://USER:PASSWORD@HOST/NAME";
    "DATABASE_REPLICA_URL", "", "a PostgreSQL replica for reads that may lag";
    "SOUK_DATABASE_CONNECTIONS", "10", "connections that read (PostgreSQL: of the whole pool)";
    "SOUK_AUTO_MIGRATE", "", "whether `serve` migrates the database; by default SQLite only";
    "SOUK_JWT_SECRET", "", "signs access tokens (HS256); at least 32 bytes. Development makes one and keeps it in souk.secret";
    "SOUK_JWT_PREVIOUS_SECRET", "", "an older secret that still verifies while its tokens are around";
    "SOUK_JWT_PRIVATE_KEY", "", "an Ed25519 key (PKCS#8 PEM, newlines may be \\n) that signs instead of the secret (EdDSA)";
    "SOUK_JWT_PREVIOUS_PUBLIC_KEY", "", "the public half (PEM) of an older key that still verifies while its tokens are around";
    "SOUK_JWT_ISSUER", "", "the issuer of access tokens; by default the origin of SOUK_PUBLIC_URL";
    "SOUK_JWT_AUDIENCE", "souk", "the audience of access tokens";
    "SOUK_ACCESS_TOKEN_LIFE", "15m", "how long an access token is good for; 1h at most in production";
    "SOUK_REFRESH_TOKEN_LIFE", "7d", "how long a session goes on unused";
    "SOUK_REFRESH_GRACE", "10s", "how long a client that lost the answer to a refresh may ask for it again";
    "SOUK_RATE_LIMIT_AUTH", "20/15m", "failed attempts to sign in from one address; `off` for any number";
    "SOUK_RATE_LIMIT_REGISTRATION", "20/1h", "accounts opened from one address; `off` for any number";
    "SOUK_PASSWORD_MEMORY", "19MiB", "memory that hashing a password takes (argon2id)";
    "SOUK_PASSWORD_ITERATIONS", "2", "how often that memory is gone through; in production memory times iterations is 35MiB at least";
    "SOUK_PASSWORD_LANES", "1", "lanes of argon2id";
    "SOUK_PASSWORD_THREADS", "", "passwords hashed at once; by default half the processors, and at least 1";
    "SOUK_PASSWORD_QUEUE", "200", "passwords that may wait to be hashed (THROTTLED beyond)";
    "SOUK_SHOP_NAME", "Souk", "the name of the shop";
    "SOUK_CURRENCY", "USD", "the currency that the shop sells in (ISO 4217)";
    "SOUK_ORDER_HOLD", "15m", "how long an order that is not paid holds stock";
    "SOUK_MANUAL_PAYMENTS", "", "whether buyers may pay by MANUAL: by bank transfer (CHARGE) or on delivery (AUTHORIZE), which hold stock without money; by default only in development";
    "SOUK_MANUAL_HOLD", "7d", "how long an order holds stock while a bank transfer is awaited";
    "SOUK_CART_LIFE", "30d", "how long a cart that nobody touches is kept";
    "STRIPE_SECRET_KEY", "", "Stripe: sk_… or rk_… of the live or the test mode; a gateway without its settings is not offered";
    "STRIPE_PUBLISHABLE_KEY", "", "Stripe: pk_… of the same mode, which buyers' browsers are given";
    "STRIPE_WEBHOOK_SECRET", "", "Stripe: whsec_… of the endpoint /webhooks/stripe";
    "STRIPE_WEBHOOK_PREVIOUS_SECRET", "", "Stripe: an older secret that still verifies while it is rolled";
    "STRIPE_API_BASE", "https://api.stripe.com", "Stripe: another address, for tests";
    "PAYPAL_CLIENT_ID", "", "PayPal: the REST app's client id";
    "PAYPAL_CLIENT_SECRET", "", "PayPal: its secret";
    "PAYPAL_WEBHOOK_ID", "", "PayPal: the id of the webhook /webhooks/paypal";
    "PAYPAL_WEBHOOK_VERIFICATION", "api", "PayPal: who verifies webhooks: `api` asks PayPal, `certificate` does it here";
    "PAYPAL_API_BASE", "https://api-m.paypal.com", "PayPal: https://api-m.sandbox.paypal.com for the sandbox";
    "MPESA_CONSUMER_KEY", "", "M-Pesa: the Daraja app's key";
    "MPESA_CONSUMER_SECRET", "", "M-Pesa: its secret";
    "MPESA_SHORTCODE", "", "M-Pesa: the paybill number, or the store number of a till";
    "MPESA_TILL", "", "M-Pesa: the till number, when buyers pay to a till (Buy Goods) instead of a paybill";
    "MPESA_PASSKEY", "", "M-Pesa: the passkey of Lipa na M-Pesa Online";
    "MPESA_CALLBACK_SECRET", "", "M-Pesa: a random word in the address of callbacks; at least 32 characters in production";
    "MPESA_CALLBACK_PREVIOUS_SECRET", "", "M-Pesa: an older one that still counts while it is changed";
    "MPESA_CALLERS", "", "M-Pesa: comma-separated addresses or networks that callbacks may come from; any when empty";
    "MPESA_INITIATOR", "", "M-Pesa: the API operator who may reverse payments; without it staff pay back by hand";
    "MPESA_SECURITY_CREDENTIAL", "", "M-Pesa: the operator's password, encrypted by the Daraja portal";
    "MPESA_API_BASE", "https://api.safaricom.co.ke", "M-Pesa: https://sandbox.safaricom.co.ke for the sandbox";
    "SOUK_CACHE_BYTES", "64MiB", "memory for hot catalog reads; 0 switches the cache off";
    "SOUK_CACHE_TTL", "10s", "how long an entry of the cache lives at most; what another process writes is seen after it";
    "SOUK_LIMIT_CONNECTIONS", "10000", "connections at once; further ones wait to be accepted";
    "SOUK_LIMIT_HEADER_TIMEOUT", "10s", "how long a client may take to send its headers";
    "SOUK_LIMIT_HEADER_BYTES", "64KiB", "size of a request's headers (431 beyond)";
    "SOUK_LIMIT_BODY_BYTES", "1MiB", "size of a request's body (413 beyond)";
    "SOUK_LIMIT_BODY_TIMEOUT", "30s", "how long a client may take to send a body (408 beyond)";
    "SOUK_LIMIT_JSON_DEPTH", "64", "nesting of a request's JSON";
    "SOUK_LIMIT_TOKENS", "2000", "tokens of a document";
    "SOUK_LIMIT_NESTING", "60", "open brackets of a document";
    "SOUK_LIMIT_FIELDS", "2000", "fields of an operation once all its fragments are spread";
    "SOUK_LIMIT_COST", "100000", "objects that an answer could have, by the sizes of its pages; 200 for each count and search (MAX_COST_EXCEEDED beyond)";
    "SOUK_LIMIT_DEPTH", "15", "depth of an operation";
    "SOUK_LIMIT_ALIASES", "30", "aliases of an operation once all its fragments are spread";
    "SOUK_LIMIT_DIRECTIVES", "50", "directives of an operation once all its fragments are spread";
    "SOUK_LIMIT_ROOT_MUTATIONS", "5", "mutations in one operation";
    "SOUK_LIMIT_PAGE_SIZE", "100", "items on a page of a connection";
    "SOUK_LIMIT_LIST_ITEMS", "250", "items of a list in the input";
    "SOUK_LIMIT_DEADLINE", "10s", "how long an operation may take (TIMEOUT beyond)";
    "SOUK_LIMIT_ERRORS", "20", "errors in one answer";
    "SOUK_LIMIT_ERROR_BYTES", "200", "text of the request that an error may repeat";
    "SOUK_LIMIT_SOCKET_INIT_TIMEOUT", "10s", "how long a WebSocket may take to send connection_init (4408 beyond)";
    "SOUK_LIMIT_SOCKET_MESSAGE_BYTES", "64KiB", "size of a message on a WebSocket (1009 beyond)";
    "SOUK_LIMIT_SOCKET_OPERATIONS", "50", "operations at once on one WebSocket";
    "SOUK_LOG", "info,sea_orm_migration=warn,sqlx=warn", "what is logged: error, warn, info, debug, trace, or per module";
    "SOUK_LOG_FORMAT", "pretty", "json or pretty";
}

/// Settings of parts that are not built yet: accepted, so that one set of settings serves every
/// version, and warned about.
pub(super) const LATER: &[&str] = &[
    "REDIS_URL",
    "SOUK_RATE_LIMIT_PAYMENTS",
    "SOUK_RATE_LIMIT_API",
    "SOUK_RATE_LIMIT_STAFF",
    "OTEL_EXPORTER_OTLP_ENDPOINT",
];

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
            bytes: parse::bytes("SOUK_CACHE_BYTES", reader.text("SOUK_CACHE_BYTES"))?,
            time_to_live: reader.duration("SOUK_CACHE_TTL")?,
        },
        limits: limits(&reader)?,
        log: log(&reader)?,
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
        None => format!("http://localhost:{}", listen.port()),
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
    Ok(LogConfig { filter, format })
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
