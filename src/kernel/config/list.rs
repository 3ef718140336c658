//! The list of settings: what each is called, what it is when nobody sets it, and what it means.

/// One setting, as `souk serve --help` lists it.
#[derive(Clone, Copy, Debug)]
pub struct Setting {
    pub name: &'static str,
    pub default: &'static str,
    pub meaning: &'static str,
}

/// Settings that hold a secret: each may also be the name of a file that does, as `NAME_FILE`.
pub const SECRETS: &[&str] = &[
    "DATABASE_URL",
    "DATABASE_REPLICA_URL",
    "REDIS_URL",
    "SOUK_JWT_SECRET",
    "SOUK_JWT_PREVIOUS_SECRET",
    "SOUK_JWT_PRIVATE_KEY",
    "STRIPE_SECRET_KEY",
    "STRIPE_WEBHOOK_SECRET",
    "STRIPE_WEBHOOK_PREVIOUS_SECRET",
    "PAYPAL_CLIENT_ID",
    "PAYPAL_CLIENT_SECRET",
    "PAYPAL_WEBHOOK_ID",
    "MPESA_CONSUMER_KEY",
    "MPESA_CONSUMER_SECRET",
    "MPESA_PASSKEY",
    "MPESA_CALLBACK_SECRET",
    "MPESA_CALLBACK_PREVIOUS_SECRET",
    "MPESA_INITIATOR",
    "MPESA_SECURITY_CREDENTIAL",
];

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
    "SOUK_TLS_CERTIFICATE", "", "a file with the certificate chain (PEM), to speak TLS without a proxy; read again when it changes";
    "SOUK_TLS_KEY", "", "the file with its private key (PEM)";
    "SOUK_TRUSTED_DOCUMENTS", "", "a folder with the only operations that are executed, asked for by their ids; as `souk serve --trusted-documents`";
    "SOUK_PERSISTED_QUERIES", "8MiB", "memory for documents that clients register by their hashes (automatic persisted queries); 0 switches it off";
    "SOUK_METRICS_CALLERS", "127.0.0.0/8, ::1/128, 10.0.0.0/8, 172.16.0.0/12, 192.168.0.0/16, fc00::/7", "comma-separated addresses or networks that may read /metrics; empty for none";
    "SOUK_INTROSPECTION", "", "whether clients may read the schema; by default only in development";
    "SOUK_SHUTDOWN_DELAY", "0s", "how long requests are still accepted after a signal to stop, while /health/ready says no";
    "SOUK_SHUTDOWN_GRACE", "30s", "how long requests in flight may finish after a signal to stop";
    "DATABASE_URL", "sqlite://souk.db", "sqlite://FILE or postgres://USER:PASSWORD@HOST/NAME";
    "DATABASE_REPLICA_URL", "", "a PostgreSQL replica for reads that may lag";
    "SOUK_REPLICA_MAX_LAG", "10s", "how far the replica may be behind before it is left out";
    "REDIS_URL", "", "redis:// or rediss://, for more than one instance: limits that count for all, and news of one heard by the others at once";
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
    "SOUK_RATE_LIMIT_API", "120000/1m", "query cost that an address or a customer may spend; `off` for any";
    "SOUK_RATE_LIMIT_STAFF", "600000/1m", "the same for staff and admins";
    "SOUK_RATE_LIMIT_PAYMENTS", "30/15m", "payments that an address or a customer may begin; `off` for any number";
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
    "SOUK_ANSWER_CACHE_BYTES", "32MiB", "memory for finished answers to public queries; 0 switches them off";
    "SOUK_DOCUMENT_CACHE_BYTES", "16MiB", "memory for documents that were parsed and validated; 0 switches it off";
    "SOUK_GROUP_CHECKOUT", "32", "orders and payments that wait at the same moment and share a transaction, at most; 1 gives each its own";
    "SOUK_SHARED_EVENTS", "true", "whether an event is written once for all who subscribe to the same fields";
    "SOUK_LIMIT_CONNECTIONS", "10000", "connections at once; further ones wait to be accepted";
    "SOUK_LIMIT_CONNECTIONS_PER_ADDRESS", "500", "connections of one address at once (closed beyond), of SOUK_TRUSTED_PROXIES any number; behind these, WebSockets and event streams of one client (429 beyond)";
    "SOUK_LIMIT_IN_FLIGHT", "500", "operations that are executed at once (503 beyond)";
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
    "SOUK_LOG_SLOW", "1s", "operations that take longer are logged, with the hash of their document";
    "OTEL_EXPORTER_OTLP_ENDPOINT", "", "where traces are sent to (OTLP over HTTP), such as http://localhost:4318";
}
