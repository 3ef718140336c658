//! Who asks, and everything that an answer may need: built once for each operation and handed down.

use std::sync::Arc;

use chrono::{DateTime, Utc};
use sea_orm::DatabaseConnection;

use super::catalog::cache::CatalogCache;
use crate::infra::db::Db;
use crate::kernel::actor::Actor;
use crate::kernel::clock::Clock;
use crate::kernel::config::{CacheConfig, ShopConfig};
use crate::kernel::error::{Error, Result};

/// What lives as long as the process.
#[derive(Debug)]
pub struct Platform {
    pub db: Db,
    pub clock: Arc<dyn Clock>,
    pub shop: ShopConfig,
    pub catalog_cache: CatalogCache,
}

impl Platform {
    pub fn new(db: Db, clock: Arc<dyn Clock>, shop: ShopConfig, cache: &CacheConfig) -> Self {
        Self {
            db,
            clock,
            shop,
            catalog_cache: CatalogCache::new(cache),
        }
    }
}

/// One operation of one caller. Cheap to clone.
#[derive(Clone, Debug)]
pub struct Context {
    pub actor: Actor,
    pub platform: Arc<Platform>,
    /// Whether reads must see this operation's own writes.
    own_writes: bool,
}

impl Context {
    /// For an operation that only reads.
    pub fn reading(actor: Actor, platform: Arc<Platform>) -> Self {
        Self {
            actor,
            platform,
            own_writes: false,
        }
    }

    /// For an operation that writes: what it reads afterwards, it reads where it wrote.
    pub fn writing(actor: Actor, platform: Arc<Platform>) -> Self {
        Self {
            actor,
            platform,
            own_writes: true,
        }
    }

    pub fn db(&self) -> &Db {
        &self.platform.db
    }

    pub fn reader(&self) -> &DatabaseConnection {
        if self.own_writes {
            self.db().fresh()
        } else {
            self.db().reader()
        }
    }

    pub fn now(&self) -> DateTime<Utc> {
        self.platform.clock.now()
    }

    /// # Errors
    /// Unauthenticated for anonymous callers, Forbidden for customers.
    pub fn require_staff(&self) -> Result<()> {
        match &self.actor {
            actor if actor.is_staff() => Ok(()),
            Actor::Anonymous => Err(Error::Unauthenticated),
            Actor::User { .. } | Actor::System => Err(Error::Forbidden),
        }
    }
}
