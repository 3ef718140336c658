//! All metrics: what each is called, what it is told apart by, and what it says. `docs/OPERATIONS.md` has the same list for
//! people, and a test compares the two.

use super::{Kind, Metric};

/// Requests and operations, in seconds: a page of a shop takes some milliseconds, and the deadline is ten seconds.
const SECONDS: &[f64] = &[
    0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0,
];

/// Statements, of which most take less than a millisecond.
const STATEMENT: &[f64] = &[
    0.0001, 0.00025, 0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 5.0,
];

/// What other houses take, and what waits for the next look at a table.
const LONG: &[f64] = &[0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0];

/// Keys of a batch: pages have 100 at most, and pages of pages more.
const KEYS: &[f64] = &[1.0, 2.0, 5.0, 10.0, 20.0, 50.0, 100.0, 250.0, 1000.0];

macro_rules! metrics {
    ($($constant:ident, $name:literal, $kind:expr, [$($label:literal),*], $meaning:literal;)*) => {
        $(
            #[doc = $meaning]
            pub const $constant: Metric =
                Metric { name: $name, kind: $kind, labels: &[$($label),*], meaning: $meaning };
        )*

        /// Every metric that there is.
        pub const METRICS: &[Metric] = &[$($constant),*];
    };
}

metrics! {
    HTTP_REQUESTS, "souk_http_request_seconds", Kind::Histogram(SECONDS), ["route", "status"],
        "Time from the head of a request to the head of its answer, by address and class of status";
    HTTP_CONNECTIONS, "souk_http_connections", Kind::Gauge, [],
        "Connections that are open, sockets among them";
    SOCKETS, "souk_http_sockets", Kind::Gauge, [],
        "WebSockets that are open";
    EVENT_STREAMS, "souk_http_event_streams", Kind::Gauge, [],
        "Streams of server-sent events that are open";
    OPERATIONS, "souk_operation_seconds", Kind::Histogram(SECONDS), ["operation", "outcome"],
        "Time of a query or a mutation from its checked document to its answer, by its root field and what came of it";
    OPERATIONS_IN_FLIGHT, "souk_operations_in_flight", Kind::Gauge, [],
        "Queries and mutations that are being executed";
    OPERATIONS_SLOW, "souk_operations_slow_total", Kind::Counter, ["operation"],
        "Operations that took longer than SOUK_LOG_SLOW, each of which is in the log";
    SUBSCRIPTIONS, "souk_subscriptions", Kind::Gauge, [],
        "Subscriptions that are open, on sockets and streams";
    SUBSCRIPTION_ANSWERS, "souk_subscription_answers_total", Kind::Counter, ["outcome"],
        "Answers of subscriptions: the events that were told";
    EVENTS_WRITTEN, "souk_subscription_events_written_total", Kind::Counter, ["way"],
        "Events that subscriptions were told: written for the first who asks this of them, shared by all others who do, or written for one alone";
    LOADER_KEYS, "souk_loader_keys", Kind::Histogram(KEYS), ["loader"],
        "Keys that one batch of a loader asked for";
    ANSWER_TEXTS, "souk_answer_texts_total", Kind::Counter, ["outcome"],
        "Objects and lists that were written straight into an answer because all of them was at hand (told), or left to be resolved";
    RATE_LIMIT_REFUSALS, "souk_rate_limit_refusals_total", Kind::Counter, ["kind"],
        "What was refused because it came too often or was too much at once";
    SQL_STATEMENTS, "souk_sql_statement_seconds", Kind::Histogram(STATEMENT), ["pool", "outcome"],
        "Time of an SQL statement without the wait for a connection, by the pool that it went through";
    SQL_BEGIN, "souk_sql_begin_seconds", Kind::Histogram(STATEMENT), ["outcome"],
        "Time that a transaction waited for its connection and, on SQLite, for the write lock";
    SQL_CONNECTIONS, "souk_sql_connections", Kind::Gauge, ["pool", "state"],
        "Connections to the database, in use and idle";
    SQL_CONNECTIONS_MOST, "souk_sql_connections_max", Kind::Gauge, ["pool"],
        "Connections that the pool may open";
    CACHE, "souk_cache_requests_total", Kind::Counter, ["cache", "result"],
        "Keys that a cache was asked for: hits and misses";
    ANSWERS, "souk_answers_total", Kind::Counter, ["outcome"],
        "Public queries that were answered at once by the front door, with what was kept, or had to be executed, and why their answers were not kept";
    ANSWER_DROPS, "souk_answer_drops_total", Kind::Counter, [],
        "Kept answers that were dropped because something in them had changed";
    ANSWER_BYTES, "souk_answer_bytes", Kind::Gauge, [],
        "Memory that kept answers take, roughly";
    EVENT_LAG, "souk_event_lag_seconds", Kind::Histogram(LONG), [],
        "Time from what happened to an order until this process told it to its subscriptions; nothing while there are none";
    EVENT_POSITION, "souk_event_position", Kind::Gauge, [],
        "The place of the last order event that this process passed on";
    EVENT_PASS_AGE, "souk_event_pass_age_seconds", Kind::Gauge, [],
        "Time since this process last looked for order events and succeeded";
    QUEUE_DEPTH, "souk_queue_depth", Kind::Gauge, ["queue"],
        "What is due and not yet done, in the whole shop: looked at every 15 seconds at most";
    QUEUE_AGE, "souk_queue_oldest_seconds", Kind::Gauge, ["queue"],
        "How long the oldest of it has been due; 0 when nothing is";
    TASKS, "souk_task_seconds", Kind::Histogram(LONG), ["task", "outcome"],
        "Time of one turn of a task of the worker";
    GATEWAY_CALLS, "souk_gateway_call_seconds", Kind::Histogram(LONG), ["gateway", "operation", "outcome"],
        "Time of one try to ask a payment gateway";
    PAYMENTS, "souk_payments_total", Kind::Counter, ["gateway", "outcome"],
        "Payments that came to be captured, failed and so on";
    ORDERS, "souk_orders_placed_total", Kind::Counter, [],
        "Orders that were placed";
    GROUPS, "souk_group_members", Kind::Histogram(KEYS), ["kind"],
        "Requests that were carried out together in one transaction";
    GROUP_ALONE_AGAIN, "souk_group_alone_again_total", Kind::Counter, ["kind"],
        "Requests that were carried out again alone, because their group could not be";
    REDIS_UP, "souk_redis_up", Kind::Gauge, [],
        "1 when Redis answers, 0 when it does not; nothing where none is configured";
    NEWS_UNHEARD, "souk_news_unheard_total", Kind::Counter, [],
        "Changes that were answered before all other instances had heard of them, since Redis or one of them did not answer";
    REPLICA_UP, "souk_replica_up", Kind::Gauge, [],
        "1 when the replica is read from, 0 when it is left out; nothing where none is configured";
    REPLICA_LAG, "souk_replica_lag_seconds", Kind::Gauge, [],
        "How far the replica was behind when it was last looked at";
    INSTANCES, "souk_instances", Kind::Gauge, [],
        "Instances that this one knows of on its database, itself among them";
    READY, "souk_ready", Kind::Gauge, [],
        "1 when /health/ready says ok, else 0";
    MEMORY, "souk_process_resident_memory_bytes", Kind::Gauge, [],
        "Memory of the process that is in use (Linux only)";
    STARTED, "souk_process_start_time_seconds", Kind::Gauge, [],
        "When the process started, in seconds since 1970";
    BUILD, "souk_build_info", Kind::Gauge, ["version"],
        "1, with the version of the program";
}
