//! The settings: what they are called, what they mean, and what they are when nobody sets them.
//!
//! Read from the environment, then a `.env` file (development only), then `souk.toml`; the first that has a
//! setting wins. A name or value that is not understood stops the start.

mod accounts;
mod advice;
mod gateways;
mod list;
mod orchestrator;
mod parse;
mod running;
mod settings;
mod source;
mod token;

use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::Duration;

use ed25519_dalek::{SigningKey, VerifyingKey};
use ipnet::IpNet;
use secrecy::SecretString;
use url::Url;

use super::money::Currency;

pub use list::{SECRETS, SETTINGS, Setting};
pub use parse::{ConfigError, duration};
pub use source::Source;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Environment {
    Development,
    Production,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LogFormat {
    Json,
    Pretty,
}

/// Everything that can be set, checked.
#[derive(Clone, Debug)]
pub struct Config {
    pub environment: Environment,
    pub http: HttpConfig,
    pub database: DatabaseConfig,
    pub token: TokenConfig,
    pub accounts: AccountsConfig,
    pub password: PasswordConfig,
    pub shop: ShopConfig,
    pub orders: OrdersConfig,
    pub gateways: GatewaysConfig,
    pub cache: CacheConfig,
    pub limits: LimitsConfig,
    pub rates: RatesConfig,
    /// What instances share beside the database.
    pub redis: Option<RedisConfig>,
    pub log: LogConfig,
    /// Where traces are sent to.
    pub traces: Option<Url>,
}

#[derive(Clone, Debug)]
pub struct HttpConfig {
    pub listen: SocketAddr,
    pub public_url: Url,
    /// Origins of web pages that may call the API; `*` is not accepted.
    pub cors_origins: Vec<String>,
    /// Whose `X-Forwarded-For` is believed.
    pub trusted_proxies: Vec<IpNet>,
    /// How long requests are still accepted after a signal to stop, while readiness already says no, so
    /// that a load balancer can notice.
    pub shutdown_delay: Duration,
    /// How long a request in flight may take to finish after a signal to stop.
    pub shutdown_grace: Duration,
    /// Whether clients may ask for the schema. Off by default in production.
    pub introspection: bool,
    /// None where a proxy speaks TLS, or nobody.
    pub tls: Option<TlsConfig>,
    /// The only operations that are executed; None for any.
    pub trusted_documents: Option<PathBuf>,
    /// Bytes of documents that clients register by their hashes; 0 for none.
    pub persisted_queries: u64,
    /// Who may read `/metrics`.
    pub metrics_callers: Vec<IpNet>,
}

/// Files that may change while the process runs.
#[derive(Clone, Debug)]
pub struct TlsConfig {
    pub certificate: PathBuf,
    pub key: PathBuf,
}

#[derive(Clone, Debug)]
pub struct RedisConfig {
    pub url: SecretString,
}

/// What one principal may do: an address, where nobody is signed in, or an account. None for any number.
#[derive(Clone, Debug)]
pub struct RatesConfig {
    /// Query cost, of everybody but staff.
    pub api: Option<Rate>,
    pub staff: Option<Rate>,
    /// Payments begun.
    pub payments: Option<Rate>,
}

#[derive(Clone, Debug)]
pub struct DatabaseConfig {
    pub url: SecretString,
    /// A PostgreSQL replica for reads that may lag.
    pub replica_url: Option<SecretString>,
    /// A replica that is further behind is not read.
    pub replica_max_lag: Duration,
    /// Connections of the pool that reads: too few queue requests, too many exhaust the database.
    pub connections: u32,
    pub auto_migrate: bool,
    /// When the database stops a statement. None but while serving: a migration may take its time.
    pub statement_timeout: Option<Duration>,
}

#[derive(Clone, Debug)]
pub struct TokenConfig {
    pub keys: KeyConfig,
    /// No token counts for longer, whatever it says itself.
    pub longest_life: Duration,
    /// Who signs, and for whom: a token of another system that happens to share the key is not ours.
    pub issuer: String,
    pub audience: String,
}

/// What signs and verifies access tokens: keys of one algorithm. The previous one only verifies.
#[derive(Clone, Debug)]
pub enum KeyConfig {
    /// HS256. Without a current one, development makes and keeps one.
    Secret {
        current: Option<SecretString>,
        previous: Option<SecretString>,
    },
    /// EdDSA, by Ed25519.
    Pair {
        current: Box<SigningKey>,
        previous: Option<VerifyingKey>,
    },
}

/// How people stay signed in, and how often they may try to.
#[derive(Clone, Debug)]
pub struct AccountsConfig {
    /// Too long, and what has been taken back must be remembered for longer; too short, and clients do little but refresh.
    pub access_token_life: Duration,
    /// How long a session goes on unused.
    pub refresh_token_life: Duration,
    /// How long a client that lost an answer may ask for the same refresh again.
    pub refresh_grace: Duration,
    /// Failed attempts to sign in from one address; None for any number.
    pub attempts: Option<Rate>,
    /// Accounts opened from one address; None for any number.
    pub registrations: Option<Rate>,
    /// Whether the accounts of the demo shop, whose passwords everybody knows, may sign in.
    pub demo: bool,
}

/// From cart to payment.
#[derive(Clone, Debug)]
pub struct OrdersConfig {
    /// How long an unpaid order holds stock. Too short, and buyers lose it while they type their card's number; too
    /// long, and whoever never pays keeps it from others.
    pub hold: Duration,
    /// Whether buyers may pay by bank transfer or on delivery.
    pub manual_payments: bool,
    /// How long an order holds stock while a bank transfer is awaited.
    pub manual_hold: Duration,
    /// How long a cart that nobody touches is kept.
    pub cart_life: Duration,
    /// Where buyers may be sent on to from gateways' pages; None for anywhere.
    pub return_origins: Option<Vec<String>>,
    /// Whether the TEST gateway, which takes no money, is offered.
    pub test_payments: bool,
    /// How many checkouts may share a transaction; one shares it with nobody.
    pub group: usize,
    /// Whether an event is written once for all who asked for the same of it.
    pub shared_events: bool,
}

/// The gateways that there are settings for.
#[derive(Clone, Debug)]
pub struct GatewaysConfig {
    pub stripe: Option<StripeConfig>,
    pub paypal: Option<PaypalConfig>,
    pub mpesa: Option<MpesaConfig>,
}

#[derive(Clone, Debug)]
pub struct StripeConfig {
    pub secret_key: SecretString,
    /// For buyers' browsers: no secret.
    pub publishable_key: SecretString,
    pub webhook_secret: SecretString,
    /// Still verifies while the secret is rolled.
    pub webhook_previous_secret: Option<SecretString>,
    pub api_base: Url,
}

#[derive(Clone, Debug)]
pub struct PaypalConfig {
    pub client_id: SecretString,
    pub client_secret: SecretString,
    pub webhook_id: SecretString,
    /// Whether webhooks are verified here instead of by asking PayPal.
    pub by_certificate: bool,
    pub api_base: Url,
}

#[derive(Clone, Debug)]
pub struct MpesaConfig {
    pub consumer_key: SecretString,
    pub consumer_secret: SecretString,
    pub shortcode: String,
    /// Where buyers pay to when it is no paybill.
    pub till: Option<String>,
    pub passkey: SecretString,
    pub callback_secret: SecretString,
    pub callback_previous_secret: Option<SecretString>,
    /// Where callbacks may come from; empty for anywhere.
    pub callers: Vec<IpNet>,
    /// Without it nothing can be reversed.
    pub reversal: Option<MpesaReversal>,
    pub api_base: Url,
}

/// Who may take payments back.
#[derive(Clone, Debug)]
pub struct MpesaReversal {
    pub initiator: SecretString,
    pub credential: SecretString,
}

/// So many in so long.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Rate {
    pub count: u32,
    pub per: Duration,
}

/// How passwords are hashed (argon2id): what it costs an attacker, and this machine.
#[derive(Clone, Debug)]
pub struct PasswordConfig {
    pub memory_kib: u32,
    pub iterations: u32,
    pub lanes: u32,
    /// How many are hashed at once: each takes a core and its memory.
    pub threads: usize,
    /// How many may wait for that; further ones are refused.
    pub queue: usize,
}

#[derive(Clone, Debug)]
pub struct ShopConfig {
    pub name: String,
    pub currency: Currency,
}

#[derive(Clone, Debug)]
pub struct CacheConfig {
    /// Roughly how much memory the catalog cache may take; 0 switches it off.
    pub bytes: u64,
    pub time_to_live: Duration,
    /// The same for finished answers.
    pub answers: u64,
    /// The same for documents that were parsed and validated.
    pub documents: u64,
}

impl CacheConfig {
    /// An answer is made of rows that may be as old as they get, and then gets old itself: together they are as old as the setting
    /// says, where nobody tells what has changed.
    pub fn row_life(&self) -> Duration {
        if self.answers > 0 {
            self.time_to_live / 2
        } else {
            self.time_to_live
        }
    }

    /// The same for whole answers.
    pub fn answer_life(&self) -> Duration {
        self.time_to_live / 2
    }
}

#[derive(Clone, Debug)]
pub struct LogConfig {
    pub filter: String,
    pub format: LogFormat,
    /// Operations that take longer are logged.
    pub slow: Duration,
}

/// How large a request may be, outermost first.
#[derive(Clone, Debug)]
pub struct LimitsConfig {
    /// Connections at once; further ones wait unaccepted.
    pub connections: usize,
    /// Of one address, trusted proxies aside.
    pub connections_per_address: usize,
    /// Operations that are executed at once; further ones are refused before they queue.
    pub in_flight: usize,
    pub header_timeout: Duration,
    pub header_bytes: usize,
    pub body_bytes: usize,
    pub body_timeout: Duration,
    pub json_depth: usize,
    pub tokens: usize,
    pub nesting: usize,
    /// Fields after every fragment is spread, counted before validation.
    pub fields: u64,
    /// Objects that an answer could have, by the sizes of its pages, with a surcharge for counts and searches.
    pub cost: u64,
    pub depth: usize,
    pub aliases: usize,
    pub directives: usize,
    pub root_mutations: usize,
    pub page_size: u64,
    pub list_items: usize,
    pub deadline: Duration,
    pub errors: usize,
    pub error_bytes: usize,
    /// How long a WebSocket may take to say who it is.
    pub socket_init_timeout: Duration,
    pub socket_message_bytes: usize,
    /// Operations at once on one WebSocket.
    pub socket_operations: usize,
}

impl Config {
    /// Reads the process environment and the files in the working directory.
    ///
    /// # Errors
    /// The first setting that is unknown or bad, by name.
    pub fn load() -> Result<Self, ConfigError> {
        Self::from_source(&Source::of_process()?)
    }

    pub fn from_source(source: &Source) -> Result<Self, ConfigError> {
        settings::read(source)
    }
}
