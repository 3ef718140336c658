//! Who asks, and everything that an answer may need: built once for each operation and handed down.

use std::sync::Arc;
use std::time::Duration;

use chrono::{DateTime, Utc};
use tokio::sync::Notify;
use url::Url;

use super::accounts::revocation::Revocations;
use super::answers::{Answers, Part, Recorder, Touched};
use super::catalog::cache::CatalogCache;
use super::checkout::place::Placing;
use super::news::NewsBus;
use super::orders::feed::Feed;
use super::payments::begin::Begin;
use super::permission::Permission;
use crate::infra::db::{Db, Reader, Standing};
use crate::infra::gateways::Gateways;
use crate::infra::group::{AT_ONCE, Group};
use crate::infra::instances::Instances;
use crate::infra::metric::NEWS_UNHEARD;
use crate::infra::password::Passwords;
use crate::infra::rate_limit::Rates;
use crate::infra::redis::Redis;
use crate::infra::token::{Holder, Tokens};
use crate::kernel::actor::{Actor, Origin, principal};
use crate::kernel::clock::Clock;
use crate::kernel::config::{AccountsConfig, Config, OrdersConfig, ShopConfig};
use crate::kernel::error::{Error, Result};

/// What lives as long as the process.
#[derive(Debug)]
pub struct Platform {
    pub db: Db,
    pub clock: Arc<dyn Clock>,
    /// The address that browsers use.
    pub public_url: Url,
    pub shop: ShopConfig,
    pub accounts: AccountsConfig,
    pub orders: OrdersConfig,
    /// What takes longer is told in the log.
    pub slow: Duration,
    pub passwords: Passwords,
    pub tokens: Tokens,
    pub revocations: Revocations,
    pub catalog_cache: CatalogCache,
    pub answers: Arc<Answers>,
    pub order_events: Feed,
    /// Where those meet who place orders.
    pub placing: Group<Placing>,
    pub gateways: Gateways,
    /// Where those meet who begin payments.
    pub payments: Group<Begin>,
    pub rates: Rates,
    /// What instances share beside the database, where there is any.
    pub redis: Option<Redis>,
    /// What this instance tells the others.
    pub news: NewsBus,
    pub instances: Instances,
    /// A hint that gateways have told something: whoever deals with it looks by himself now and then.
    pub gateway_events: Notify,
}

impl Platform {
    /// # Errors
    /// The secret that signs tokens cannot be kept, or passwords cannot be hashed as the settings say.
    pub fn new(db: Db, clock: Arc<dyn Clock>, config: &Config) -> anyhow::Result<Self> {
        let tokens = Tokens::of_config(&config.token, &config.database, Arc::clone(&clock))?;
        let gateways = Gateways::of_config(config, &clock)?;
        let redis = config.redis.as_ref();
        let redis = redis.map(|redis| Redis::new(redis, db.clone())).transpose()?;
        let news = NewsBus::new(redis.as_ref());
        let answers = Arc::new(Answers::new(&config.cache, news.clone()));
        let placing = Group::new(config.orders.group, AT_ONCE, config.limits.deadline);
        let rates = Rates::of_config(&config.rates, &clock, redis.as_ref());
        let payments = Group::new(config.orders.group, AT_ONCE, config.limits.deadline);
        Ok(Self {
            db,
            clock,
            public_url: config.http.public_url.clone(),
            shop: config.shop.clone(),
            accounts: config.accounts.clone(),
            orders: config.orders.clone(),
            slow: config.log.slow,
            passwords: Passwords::new(&config.password)?,
            tokens,
            revocations: Revocations::new(news.clone()),
            catalog_cache: CatalogCache::new(&config.cache, news.clone(), Arc::clone(&answers)),
            answers,
            order_events: Feed::new(news.clone()),
            placing,
            gateways,
            payments,
            instances: Instances::new(redis.is_some()),
            rates,
            redis,
            news,
            gateway_events: Notify::new(),
        })
    }

    /// Before a change is answered: the other instances have heard of what was told since, or cannot be waited for any longer.
    pub async fn settle(&self, since: u64, patience: Duration) {
        if !self.news.settled(since, patience).await {
            NEWS_UNHEARD.counter([]).increment(1);
        }
    }
}

/// One operation of one caller. Cheap to clone.
#[derive(Clone, Debug)]
pub struct Context {
    pub actor: Actor,
    pub origin: Origin,
    pub platform: Arc<Platform>,
    /// What of public answers this operation changes.
    pub touched: Touched,
    /// Whether reads must see this operation's own writes.
    own_writes: bool,
    /// Writes down what is read, where the answer is to be kept.
    recorder: Option<Arc<Recorder>>,
}

impl Context {
    /// For an operation that only reads.
    pub fn reading(actor: Actor, origin: Origin, platform: Arc<Platform>) -> Self {
        Self {
            actor,
            origin,
            platform,
            touched: Touched::default(),
            own_writes: false,
            recorder: None,
        }
    }

    /// The same, whose answer is to be kept for everybody.
    pub fn recording(actor: Actor, origin: Origin, platform: Arc<Platform>, recorder: Arc<Recorder>) -> Self {
        Self {
            recorder: Some(recorder),
            ..Self::reading(actor, origin, platform)
        }
    }

    /// For an operation that writes: what it reads afterwards, it reads where it wrote.
    pub fn writing(actor: Actor, origin: Origin, platform: Arc<Platform>) -> Self {
        Self {
            actor,
            origin,
            platform,
            touched: Touched::default(),
            own_writes: true,
            recorder: None,
        }
    }

    /// The same, asked by somebody else: by whoever the operation has just let in.
    pub fn of(&self, actor: Actor) -> Self {
        Self {
            actor,
            ..self.clone()
        }
    }

    pub fn db(&self) -> &Db {
        &self.platform.db
    }

    /// Says what is read next. Nothing is written down but for an answer that is to be kept.
    pub fn reads(&self, parts: impl IntoIterator<Item = Part>) {
        if let Some(recorder) = &self.recorder {
            recorder.read(parts);
        }
    }

    /// For these parts of the catalog as shoppers see it, which may lag. Whoever changes it sees what he did: staff never reads
    /// what lags.
    pub fn catalog(&self, parts: impl IntoIterator<Item = Part>) -> &Reader {
        self.reads(parts);
        let changes_it = self.may(Permission::WriteCatalog);
        let may_lag = !self.own_writes && !changes_it;
        if let Some(recorder) = &self.recorder
            && may_lag
            && self.db().replica() != Standing::Off
        {
            recorder.read_behind();
        }
        self.db().reader(may_lag)
    }

    /// For reports over what was, which may lag: not for those in which somebody looks for what he has just done.
    pub fn reports(&self) -> &Reader {
        self.reads_unknown();
        self.db().reader(!self.own_writes)
    }

    /// For everything else: what is somebody's own, and what something hangs on.
    pub fn fresh(&self) -> &Reader {
        self.reads_unknown();
        self.db().fresh()
    }

    /// The same for what everybody may see, as far as these parts go.
    pub fn fresh_of(&self, parts: impl IntoIterator<Item = Part>) -> &Reader {
        self.reads(parts);
        self.db().fresh()
    }

    /// Something of which nobody says when it changes.
    pub fn reads_unknown(&self) {
        if let Some(recorder) = &self.recorder {
            recorder.read_unknown();
        }
    }

    /// Whose limits count.
    pub fn principal(&self) -> String {
        principal(&self.actor, &self.origin)
    }

    pub fn now(&self) -> DateTime<Utc> {
        self.platform.clock.now()
    }

    pub fn may(&self, permission: Permission) -> bool {
        permission.allows(self.actor.role())
    }

    /// # Errors
    /// Unauthenticated for anonymous callers, Forbidden for accounts whose role is too small.
    pub fn require(&self, permission: Permission) -> Result<()> {
        match &self.actor {
            // Also by what the same request has just done, such as signing out.
            Actor::User { id, session, role }
                if !self.platform.revocations.admits(&Holder {
                    user: *id,
                    session: *session,
                    role: *role,
                }) =>
            {
                Err(Error::Unauthenticated)
            }
            actor if permission.allows(actor.role()) => Ok(()),
            Actor::Anonymous => Err(Error::Unauthenticated),
            Actor::User { .. } | Actor::System => Err(Error::Forbidden),
        }
    }
}
