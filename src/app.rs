//! The application, put together from its settings.

use std::future::Future;
use std::sync::Arc;
use std::time::Duration;

use anyhow::Context as _;
use axum::Router;
use tokio::net::TcpListener;
use tokio::task::JoinSet;

use crate::domain::accounts::revocation;
use crate::domain::accounts::revoke::revoke_demo;
use crate::domain::context::{Context, Platform};
use crate::domain::news;
use crate::domain::orders::feed;
use crate::graphql::engine::Engine;
use crate::graphql::schema;
use crate::http::tls::Tls;
use crate::http::{self, Lifecycle, Shared};
use crate::infra::db::Db;
use crate::infra::db::schema::{SchemaState, migrate_up};
use crate::infra::metric;
use crate::kernel::actor::{Actor, Origin};
use crate::kernel::clock::{Clock, SystemClock};
use crate::kernel::config::Config;
use crate::worker;

/// How long others may take to be told that this instance is gone: they notice it by themselves.
const LEAVING: Duration = Duration::from_secs(1);

/// How long connections to the database may take to be closed: one that waits for a database that hangs never comes back.
const CLOSING: Duration = Duration::from_secs(5);

/// Everything that runs: on a database whose schema it knows.
#[derive(Debug)]
pub struct App {
    pub config: Config,
    pub platform: Arc<Platform>,
    /// Whether it does background work beside serving; not at first.
    pub works: bool,
    shared: Arc<Shared>,
}

impl App {
    /// Connects, brings the database up to date where it may, and wires everything up.
    ///
    /// # Errors
    /// What is wrong, and what to do about it.
    pub async fn start(config: Config) -> anyhow::Result<Self> {
        let db = connect(&config).await?;
        check_schema(&db, config.database.auto_migrate).await?;
        // A shop that grew through the API alone would never be looked at. It takes some 50 ms for 20,000 products.
        db.analyse()
            .await
            .context("the database's statistics cannot be written")?;
        let db = db.serving(&config.database, config.limits.deadline).await?;
        Self::on(db, config, Arc::new(SystemClock))
    }

    /// On a database that is known to be up to date.
    ///
    /// # Errors
    /// The secret that signs tokens cannot be kept, or a trusted document cannot be executed.
    pub fn on(db: Db, config: Config, clock: Arc<dyn Clock>) -> anyhow::Result<Self> {
        Self::of(Platform::new(db, clock, &config)?, config)
    }

    /// Around what was made for these settings, of which a part may be another one than they say.
    ///
    /// # Errors
    /// A trusted document cannot be executed.
    pub fn of(platform: Platform, config: Config) -> anyhow::Result<Self> {
        metric::start();
        let platform = Arc::new(platform);
        let engine = Engine::new(
            schema::build(&config.limits, config.http.introspection),
            Arc::clone(&platform),
            config.limits.clone(),
            config.http.introspection,
        )
        .remembering(config.cache.documents)
        .knowing(&config.http)
        .context("SOUK_TRUSTED_DOCUMENTS")?;
        let lifecycle = Lifecycle::default();
        let shared = Arc::new(Shared {
            engine: Arc::new(engine),
            config: config.http.clone(),
            environment: config.environment,
            lifecycle: lifecycle.clone(),
            lean: Arc::new(http::Lean::new(&config.cache, &lifecycle)),
            looked: http::Looked::default(),
            turns: http::Turns::default(),
            crowd: http::Crowd::new(
                config.limits.connections_per_address,
                &config.http.trusted_proxies,
            ),
        });
        Ok(Self {
            config,
            platform,
            works: false,
            shared,
        })
    }

    /// All addresses, for a server or for a test.
    pub fn router(&self) -> Router {
        http::router(Arc::clone(&self.shared))
    }

    /// What is answered in front of all addresses.
    pub fn lean(&self) -> &Arc<http::Lean> {
        &self.shared.lean
    }

    pub fn lifecycle(&self) -> &Lifecycle {
        &self.shared.lifecycle
    }

    /// Serves until `stop` comes and what is in flight has finished.
    ///
    /// # Errors
    /// The listener fails, or there is no certificate for it.
    pub async fn serve(self, listener: TcpListener, stop: impl Future<Output = ()>) -> anyhow::Result<()> {
        let front = http::front(Arc::clone(&self.shared));
        let tls = self.follow_certificate()?;
        let Config {
            http, limits, token, ..
        } = &self.config;
        let (platform, life) = (Arc::clone(&self.platform), token.longest_life);
        let system = Context::writing(Actor::System, Origin::default(), Arc::clone(&platform));
        let ended = revoke_demo(&system).await.map_err(anyhow::Error::from);
        match ended.context("cannot end the sessions of the demo shop's people")? {
            0 => {}
            sessions => tracing::warn!(sessions, "ended the sessions of the demo shop's people"),
        }
        // Before the first request, or what was revoked while no process ran would count once more.
        let read = platform
            .revocations
            .read(&platform.db, platform.clock.now(), life);
        read.await
            .map_err(anyhow::Error::from)
            .context("cannot read what was revoked")?;
        let closing = self.lifecycle().closing.clone();
        self.lifecycle().tasks.spawn(async move {
            let following =
                platform
                    .revocations
                    .follow(&platform.db, &*platform.clock, life, revocation::EVERY);
            closing.run_until_cancelled(following).await
        });
        self.watch_replica().await;
        let (platform, closing) = (Arc::clone(&self.platform), self.lifecycle().closing.clone());
        self.lifecycle().tasks.spawn(async move {
            let passing_on = platform.rates.pass_on();
            closing.run_until_cancelled(passing_on).await
        });
        self.pass_on_events().await?;
        let sharing = self.share(true).await;
        if self.works {
            self.work_in_background();
        }
        http::server::serve(listener, front, http, limits, tls, self.lifecycle(), stop).await?;
        self.close(sharing).await
    }

    /// Does background work, and nothing else, until `stop` comes and what is being done is done.
    ///
    /// # Errors
    /// The database does not answer at the start, or does not close in order.
    pub async fn work(self, stop: impl Future<Output = ()>) -> anyhow::Result<()> {
        self.pass_on_events().await?;
        let sharing = self.share(false).await;
        self.work_in_background();
        stop.await;
        tracing::info!("stopping");
        let Lifecycle { closing, tasks, .. } = self.lifecycle();
        closing.cancel();
        tasks.close();
        let grace = self.config.http.shutdown_grace;
        if tokio::time::timeout(grace, tasks.wait()).await.is_err() {
            tracing::warn!(?grace, "work was cut off: it took longer than the grace");
        }
        self.close(sharing).await
    }

    /// Keeps what is counted small, and begins to pass on events of orders. These are passed on by every process: to its own clients, if it has any, and to other processes.
    async fn pass_on_events(&self) -> anyhow::Result<()> {
        let platform = Arc::clone(&self.platform);
        // From here on there is something to wait for, and before the first client comes.
        let passed = platform.order_events.catch_up(&platform.db, &*platform.clock);
        passed
            .await
            .map_err(anyhow::Error::from)
            .context("cannot read what happened to orders")?;
        let closing = self.lifecycle().closing.clone();
        let counting = closing.clone();
        let upkeep = async move { counting.run_until_cancelled(metric::upkeep()).await };
        self.lifecycle().tasks.spawn(upkeep);
        self.lifecycle().tasks.spawn(async move {
            let following = platform
                .order_events
                .follow(&platform.db, &*platform.clock, feed::EVERY);
            closing.run_until_cancelled(following).await
        });
        Ok(())
    }

    /// None where TLS is somebody else's business.
    fn follow_certificate(&self) -> anyhow::Result<Option<Arc<Tls>>> {
        let Some(files) = &self.config.http.tls else {
            return Ok(None);
        };
        let tls = Arc::new(Tls::read(files)?);
        let closing = self.lifecycle().closing.clone();
        let followed = Arc::clone(&tls);
        self.lifecycle()
            .tasks
            .spawn(async move { closing.run_until_cancelled(followed.follow()).await });
        Ok(Some(tls))
    }

    /// Before the first request it is known whether it does; whoever only works does not read from it.
    async fn watch_replica(&self) {
        let platform = Arc::clone(&self.platform);
        platform.db.look_at_replica().await;
        let closing = self.lifecycle().closing.clone();
        self.lifecycle()
            .tasks
            .spawn(async move { closing.run_until_cancelled(platform.db.watch_replica()).await });
    }

    /// Tells other instances what happens here, and hears them, until the last request is answered: what it did they are told, too.
    async fn share(&self, serves: bool) -> JoinSet<()> {
        let platform = Arc::clone(&self.platform);
        if let Some(redis) = &platform.redis {
            // Before the first request, which should not find out whether there is one.
            redis.look().await;
        }
        let mut sharing = JoinSet::new();
        sharing.spawn(async move {
            let Platform {
                redis,
                news,
                instances,
                ..
            } = &*platform;
            let watching = async {
                if let Some(redis) = redis {
                    redis.watch().await;
                }
            };
            let beating = instances.follow(&platform.db, &*platform.clock, serves);
            tokio::join!(watching, news.pass_on(), news::listen(&platform), beating);
        });
        sharing
    }

    fn work_in_background(&self) {
        let Lifecycle { closing, tasks, .. } = self.lifecycle();
        tasks.spawn(worker::run(Arc::clone(&self.platform), closing.clone()));
    }

    async fn close(self, mut sharing: JoinSet<()>) -> anyhow::Result<()> {
        let db = self.platform.db.clone();
        sharing.shutdown().await;
        // What nobody waited for.
        self.platform.news.flush().await;
        let leaving = tokio::time::timeout(LEAVING, self.platform.instances.leave(&db));
        if !matches!(leaving.await, Ok(Ok(()))) {
            tracing::debug!("others will notice by themselves that this instance is gone");
        }
        match tokio::time::timeout(CLOSING, db.close()).await {
            Ok(closed) => closed.context("the database did not close in order"),
            Err(_) => {
                tracing::warn!("connections to the database were cut off: it does not answer");
                Ok(())
            }
        }
    }
}

/// Connects, without looking at what is there.
///
/// # Errors
/// The address is wrong, or nobody answers there.
pub async fn connect(config: &Config) -> anyhow::Result<Db> {
    // For TLS to PostgreSQL. Refused only when it has been installed before, which is as good.
    let _ = rustls::crypto::ring::default_provider().install_default();
    Ok(Db::connect(&config.database).await?)
}

/// # Errors
/// The schema has less than this program needs, and is not to be migrated by it.
pub async fn check_schema(db: &Db, auto_migrate: bool) -> anyhow::Result<()> {
    let state = SchemaState::of(db)
        .await
        .context("cannot read which migrations the database has")?;
    let contracted: Vec<&str> = state.contracted().collect();
    anyhow::ensure!(
        contracted.is_empty(),
        "a newer version of souk took away what this one needs ({}): run the version that did, or a newer one",
        contracted.join(", ")
    );
    if state.pending.is_empty() {
        if !state.unknown.is_empty() {
            tracing::warn!(
                steps = state.unknown.join(", "),
                "the database is newer by {} steps, which this version can live with",
                state.unknown.len()
            );
        }
        return Ok(());
    }
    anyhow::ensure!(
        state.unknown.is_empty(),
        "the database has migrations that this version of souk does not know ({}), and lacks others: run the version that made them, or a newer one",
        state.unknown.join(", ")
    );
    anyhow::ensure!(
        auto_migrate,
        "the database lacks {} migrations: run `souk migrate up`, or set SOUK_AUTO_MIGRATE=true",
        state.pending.len()
    );
    migrate_up(db).await.context("a migration failed")?;
    tracing::info!(steps = state.pending.len(), "migrated the database");
    Ok(())
}
