//! `/metrics`: what was counted, for Prometheus, with what is only looked at when it asks.
//!
//! It stands outside of what happens to every request: it is not counted among them, nor compressed. Who may not read it finds
//! nothing here.

use std::sync::Arc;
use std::time::{Duration, Instant};

use axum::Extension;
use axum::extract::State;
use axum::http::{HeaderMap, StatusCode, header};
use axum::response::{IntoResponse as _, Response};
use tokio::sync::Mutex;

use super::address::{Peer, client};
use super::{Shared, SharedState, health, nothing_here};
use crate::domain::checkout::queues;
use crate::domain::context::{Context, Platform};
use crate::infra::db::Standing;
use crate::infra::metric;
use crate::kernel::actor::{Actor, Origin};
use crate::kernel::config::HttpConfig;

/// The queues are looked at no more often, however many ask.
const QUEUES_EVERY: Duration = Duration::from_secs(15);

/// Prometheus waits for ten seconds, by default.
const PATIENCE: Duration = Duration::from_secs(3);

/// When the queues were looked at.
#[derive(Debug, Default)]
pub struct Looked(Mutex<Option<Instant>>);

/// What proxies add. Who comes with one of these through a proxy that is none of ours may be anybody.
const SENT_ON: [&str; 4] = ["x-forwarded-for", "forwarded", "x-real-ip", "via"];

pub(super) async fn metrics(
    State(shared): SharedState,
    peer: Option<Extension<Peer>>,
    headers: HeaderMap,
) -> Response {
    if !may_read(peer.map(|peer| peer.0), &headers, &shared.config) {
        return nothing_here().await;
    }
    look(&shared).await;
    let kind = "text/plain; version=0.0.4; charset=utf-8";
    let headers = [(header::CONTENT_TYPE, kind), (header::CACHE_CONTROL, "no-store")];
    (headers, metric::render()).into_response()
}

fn may_read(peer: Option<Peer>, headers: &HeaderMap, config: &HttpConfig) -> bool {
    let Some(peer) = peer else { return false };
    let address = peer.0.to_canonical();
    let is_ours = config.trusted_proxies.iter().any(|net| net.contains(&address));
    if !is_ours && SENT_ON.iter().any(|name| headers.contains_key(*name)) {
        return false;
    }
    let client = client(Some(peer), headers, &config.trusted_proxies);
    client.is_some_and(|address| config.metrics_callers.iter().any(|net| net.contains(&address)))
}

/// Looks at what nobody counts.
async fn look(shared: &Arc<Shared>) {
    let platform = shared.engine.platform();
    pools(platform);
    caches(platform);
    answers(platform, shared.lean.answered());
    if let Some(behind) = platform.order_events.behind() {
        metric::EVENT_PASS_AGE.gauge([]).set(behind);
    }
    others(platform);
    let ready = health::ready(State(Arc::clone(shared))).await.status() == StatusCode::OK;
    metric::READY.gauge([]).set(if ready { 1.0 } else { 0.0 });
    if let Some(bytes) = resident_bytes() {
        metric::MEMORY.gauge([]).set(bytes);
    }
    queues(platform, &shared.looked).await;
}

fn pools(platform: &Platform) {
    for pool in platform.db.pools() {
        let used = pool.open.saturating_sub(pool.idle);
        for (state, count) in [("used", used), ("idle", pool.idle)] {
            metric::SQL_CONNECTIONS.gauge([pool.name, state]).set(count);
        }
        metric::SQL_CONNECTIONS_MOST.gauge([pool.name]).set(pool.most);
    }
}

fn caches(platform: &Platform) {
    for (cache, counts) in platform.catalog_cache.counts() {
        metric::CACHE.counter([cache, "hit"]).absolute(counts.hits);
        metric::CACHE.counter([cache, "miss"]).absolute(counts.misses);
    }
}

fn answers(platform: &Platform, lean: u64) {
    metric::ANSWERS.counter(["lean"]).absolute(lean);
    metric::ANSWER_DROPS
        .counter([])
        .absolute(platform.answers.dropped());
    // Beyond four gigabytes it is too much in any case.
    let bytes = u32::try_from(platform.answers.weight()).unwrap_or(u32::MAX);
    metric::ANSWER_BYTES.gauge([]).set(bytes);
}

/// Whom this instance has beside it, as far as it is to have somebody.
fn others(platform: &Platform) {
    let tell = |gauge: metric::Metric, is_well| gauge.gauge([]).set(if is_well { 1.0 } else { 0.0 });
    if let Some(redis) = &platform.redis {
        tell(metric::REDIS_UP, redis.is_up());
    }
    match platform.db.replica() {
        Standing::Off => {}
        Standing::Ok => tell(metric::REPLICA_UP, true),
        Standing::LeftOut => tell(metric::REPLICA_UP, false),
    }
    let instances = platform.instances.count(platform.clock.now());
    metric::INSTANCES
        .gauge([])
        .set(u32::try_from(instances).unwrap_or(u32::MAX));
}

/// What is due is the same for all processes; each tells it, and none needs the others for that.
async fn queues(platform: &Arc<Platform>, looked: &Looked) {
    // Whoever else asks at the same time is told what was seen last.
    let Ok(mut at) = looked.0.try_lock() else { return };
    if at.is_some_and(|at| at.elapsed() < QUEUES_EVERY) {
        return;
    }
    let ctx = Context::reading(Actor::System, Origin::default(), Arc::clone(platform));
    match tokio::time::timeout(PATIENCE, queues::look(&ctx)).await {
        Ok(Ok(queues)) => {
            for queue in queues {
                // Beyond four billion it is too many in any case.
                let depth = u32::try_from(queue.depth).unwrap_or(u32::MAX);
                metric::QUEUE_DEPTH.gauge([queue.name]).set(depth);
                metric::QUEUE_AGE.gauge([queue.name]).set(queue.age);
            }
            *at = Some(Instant::now());
        }
        Ok(Err(error)) => {
            let error = format!("{:#}", anyhow::Error::from(error));
            tracing::warn!(error, "what is due cannot be told");
        }
        Err(_) => tracing::warn!("what is due cannot be told: the database takes too long"),
    }
}

/// As Linux tells it, in kilobytes.
fn resident_bytes() -> Option<f64> {
    let status = std::fs::read_to_string("/proc/self/status").ok()?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"))?;
    let kilobytes: f64 = line.split_whitespace().next()?.parse().ok()?;
    Some(kilobytes * 1024.0)
}

#[cfg(test)]
mod tests {
    use axum::http::HeaderName;

    use super::*;
    use crate::kernel::config::{Config, Source};

    #[test]
    fn only_those_listed_read_it_and_nobody_through_a_proxy_of_others() {
        let settings = [("SOUK_TRUSTED_PROXIES", "10.0.0.1")];
        let settings = settings.map(|(name, value)| (name.to_owned(), value.to_owned()));
        let source = Source::read(settings, std::path::Path::new("/nonexistent")).unwrap();
        let config = Config::from_source(&source).unwrap().http;
        for (peer, header, allowed) in [
            ("127.0.0.1", None, true),
            ("192.168.3.4", None, true),
            ("::ffff:192.168.3.4", None, true),
            ("203.0.113.9", None, false),
            // The proxy itself, and who it says it speaks for.
            ("10.0.0.1", None, true),
            ("10.0.0.1", Some(("x-forwarded-for", "203.0.113.9")), false),
            ("10.0.0.1", Some(("x-forwarded-for", "192.168.3.4")), true),
            // A proxy that nobody told us of: who is behind it?
            ("127.0.0.1", Some(("x-forwarded-for", "192.168.3.4")), false),
            ("127.0.0.1", Some(("via", "1.1 proxy")), false),
            ("127.0.0.1", Some(("x-real-ip", "192.168.3.4")), false),
        ] {
            let mut headers = HeaderMap::new();
            if let Some((name, value)) = header {
                headers.insert(HeaderName::from_static(name), value.parse().unwrap());
            }
            let peer = Some(Peer(peer.parse().unwrap()));
            assert_eq!(may_read(peer, &headers, &config), allowed, "{peer:?} {header:?}");
        }
        assert!(!may_read(None, &HeaderMap::new(), &config));
    }
}
