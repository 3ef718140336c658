//! Redis, which instances share beside the database: asked within bounds, and never depended on.
//!
//! Whoever asks has an answer within `PATIENCE`, or None, and goes on as if there were no Redis. After the first that was not
//! answered the next are None at once, so that a Redis that is slow or gone costs a request no time: whether it is back
//! is found out by [`Redis::watch`], or, where nobody watches, by one caller a second.
//!
//! The crate's own manager of connections is not used. While it connects it lets every command wait, and a connection that
//! is open but dead it does not notice.

use std::fmt;
use std::future::Future;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use redis::aio::MultiplexedConnection;
use redis::{
    AsyncConnectionConfig, Client, FromRedisValue, IntoConnectionInfo as _, ProtocolVersion, RedisResult,
    Script, ToRedisArgs,
};
use sea_orm::EntityTrait as _;
use secrecy::{ExposeSecret as _, SecretString};
use tokio::sync::{Notify, OnceCell};
use tokio::time::Instant;

use crate::entity::installation;
use crate::infra::db::Db;
use crate::kernel::clock::jittered;
use crate::kernel::config::RedisConfig;

/// How long one request waits for Redis: in the same data centre it answers within a millisecond.
const PATIENCE: Duration = Duration::from_millis(250);

/// How long connecting may take, where no request waits for it: TLS, a password, a name to look up.
const CONNECT: Duration = Duration::from_secs(2);

/// Between two tries while it does not answer.
const PAUSE: Duration = Duration::from_secs(1);

/// Between two looks while it does, so that its end is known although nobody asked it anything.
const LOOK: Duration = Duration::from_secs(5);

/// How long what a look writes is kept: writing shows more than asking, which a read-only replica answers as well.
const LOOK_KEPT: u32 = 60;

/// Commands that may wait to be written.
const WAITING: usize = 1024;

/// A handle to it. Cheap to clone.
#[derive(Clone)]
pub struct Redis(Arc<Shared>);

struct Shared {
    client: Client,
    url: SecretString,
    db: Db,
    /// What every name of this shop's begins with, once it has been read.
    prefix: OnceCell<String>,
    /// Of those who need a connection at the same time one makes it for all.
    connecting: tokio::sync::Mutex<()>,
    state: Mutex<State>,
    /// Told when it has just stopped to answer.
    fell: Notify,
}

#[derive(Default)]
struct State {
    connection: Option<Numbered>,
    last_number: u64,
    /// Whether the last call was answered.
    up: bool,
    /// While it does not answer: when it may be tried again.
    failing: Option<Instant>,
    /// How many wait for it to come back, so that no request has to.
    watchers: usize,
}

/// A connection that can be told from the one after it.
#[derive(Clone)]
struct Numbered {
    number: u64,
    connection: MultiplexedConnection,
}

impl fmt::Debug for Redis {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // The client would show its password.
        f.debug_struct("Redis")
            .field("up", &self.is_up())
            .finish_non_exhaustive()
    }
}

/// Counts as one who watches until it is dropped.
struct Watch<'a>(&'a Shared);

impl Drop for Watch<'_> {
    fn drop(&mut self) {
        self.0.state().watchers -= 1;
    }
}

impl Redis {
    /// Of these settings, for the shop of this database. Nothing is connected before it is needed.
    ///
    /// # Errors
    /// The address is not understood.
    pub fn new(config: &RedisConfig, db: Db) -> anyhow::Result<Self> {
        // For TLS. Refused only when it has been installed before, which is as good.
        let _ = rustls::crypto::ring::default_provider().install_default();
        // The library's own words would repeat the address, with its password.
        let wrong = |_| anyhow::anyhow!("REDIS_URL is not understood");
        let info = config.url.expose_secret().into_connection_info().map_err(wrong)?;
        let settings = info.redis_settings().clone().set_protocol(ProtocolVersion::RESP3);
        let client = Client::open(info.set_redis_settings(settings)).map_err(wrong)?;
        Ok(Self(Arc::new(Shared {
            client,
            url: config.url.clone(),
            db,
            prefix: OnceCell::new(),
            connecting: tokio::sync::Mutex::default(),
            state: Mutex::default(),
            fell: Notify::new(),
        })))
    }

    /// Whether the last call was answered; not before the first.
    pub fn is_up(&self) -> bool {
        self.0.state().up
    }

    /// Runs a command about a key, whose name is the shop's own: None when there was no answer in time.
    pub async fn call<T>(&self, command: &'static str, key: &str, args: impl ToRedisArgs + Send) -> Option<T>
    where
        T: FromRedisValue + Send,
    {
        if !self.0.admits() {
            return None;
        }
        self.0.call(PATIENCE, command, key, args).await
    }

    /// Runs a script about these keys, whose names are the shop's own: None when there was no answer in time. It may have run
    /// all the same.
    pub async fn script<T>(&self, script: &Script, keys: &[&str], args: impl ToRedisArgs + Send) -> Option<T>
    where
        T: FromRedisValue + Send,
    {
        if !self.0.admits() {
            return None;
        }
        let run = |prefix: String, mut connection: MultiplexedConnection| async move {
            let mut invocation = script.prepare_invoke();
            for key in keys {
                invocation.key(format!("{prefix}{key}"));
            }
            invocation.arg(args);
            invocation.invoke_async(&mut connection).await
        };
        self.0.ask(PATIENCE, run).await
    }

    /// Looks after it until it is dropped: while this runs no request waits for a Redis that does not answer.
    pub async fn watch(&self) {
        self.0.state().watchers += 1;
        let _watch = Watch(&self.0);
        loop {
            self.look().await;
            if self.is_up() {
                // Not at once: what has just failed will hardly be back.
                if tokio::time::timeout(jittered(LOOK), self.0.fell.notified())
                    .await
                    .is_ok()
                {
                    tokio::time::sleep(jittered(PAUSE)).await;
                }
            } else {
                tokio::time::sleep(jittered(PAUSE)).await;
            }
        }
    }

    /// Finds out whether it answers, and connects where it does.
    pub async fn look(&self) {
        let args = ("", "EX", LOOK_KEPT);
        let _answer: Option<()> = self.0.call(CONNECT, "SET", "look", args).await;
    }
}

impl Shared {
    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Whether it is worth asking. While it does not answer somebody is sent to see now and then, and nobody else.
    fn admits(&self) -> bool {
        let mut state = self.state();
        match state.failing {
            None => true,
            Some(again_at) => {
                let admits = state.watchers == 0 && again_at <= Instant::now();
                if admits {
                    state.failing = Some(Instant::now() + jittered(PAUSE));
                }
                admits
            }
        }
    }

    async fn call<T>(
        &self,
        patience: Duration,
        command: &'static str,
        key: &str,
        args: impl ToRedisArgs + Send,
    ) -> Option<T>
    where
        T: FromRedisValue + Send,
    {
        let run = |prefix: String, mut connection: MultiplexedConnection| async move {
            let mut command = redis::cmd(command);
            command.arg(format!("{prefix}{key}")).arg(args);
            command.query_async(&mut connection).await
        };
        self.ask(patience, run).await
    }

    async fn ask<T, F>(
        &self,
        patience: Duration,
        run: impl FnOnce(String, MultiplexedConnection) -> F + Send,
    ) -> Option<T>
    where
        F: Future<Output = RedisResult<T>> + Send,
    {
        let deadline = Instant::now() + patience;
        // A database that does not answer is not this one's fault, and told elsewhere.
        let prefix = tokio::time::timeout_at(deadline, self.prefix())
            .await
            .ok()?
            .ok()?;
        let mut used = None;
        let answer = async {
            let Numbered { number, connection } = self.connection().await?;
            used = Some(number);
            run(prefix, connection).await
        };
        let outcome = tokio::time::timeout_at(deadline, answer).await;
        match outcome {
            Ok(Ok(answer)) => {
                self.answered();
                return Some(answer);
            }
            Ok(Err(error)) => self.failed(used, &self.in_words(&error)),
            Err(_) => self.failed(used, "it takes too long"),
        }
        None
    }

    async fn prefix(&self) -> Result<String, sea_orm::DbErr> {
        let read = || async {
            let row = installation::Entity::find().one(self.db.fresh()).await?;
            let missing = || sea_orm::DbErr::RecordNotFound("the shop's own name".to_owned());
            Ok(format!("souk:{}:", row.ok_or_else(missing)?.name))
        };
        self.prefix.get_or_try_init(read).await.cloned()
    }

    async fn connection(&self) -> RedisResult<Numbered> {
        let kept = || self.state().connection.clone();
        if let Some(connection) = kept() {
            return Ok(connection);
        }
        let _turn = self.connecting.lock().await;
        if let Some(connection) = kept() {
            return Ok(connection);
        }
        let config = AsyncConnectionConfig::new()
            .set_connection_timeout(Some(CONNECT))
            // Whoever asks has a bound of his own.
            .set_response_timeout(None)
            .set_pipeline_buffer_size(WAITING);
        let connect = self.client.get_multiplexed_async_connection_with_config(&config);
        let connection = connect.await?;
        let mut state = self.state();
        state.last_number += 1;
        let connection = Numbered {
            number: state.last_number,
            connection,
        };
        state.connection = Some(connection.clone());
        Ok(connection)
    }

    fn answered(&self) {
        let mut state = self.state();
        state.up = true;
        let again = state.failing.take().is_some();
        drop(state);
        if again {
            tracing::info!("Redis answers again");
        }
    }

    /// `used` is the connection that was to bring the answer, if there was one: it may be open and dead.
    fn failed(&self, used: Option<u64>, error: &str) {
        let mut state = self.state();
        state.up = false;
        state.connection.take_if(|kept| Some(kept.number) == used);
        let first = state.failing.replace(Instant::now() + jittered(PAUSE)).is_none();
        drop(state);
        if first {
            self.fell.notify_one();
            tracing::warn!(error, "Redis does not answer: instances go on by themselves");
        }
    }

    /// Without the address, which may hold a password.
    fn in_words(&self, error: &redis::RedisError) -> String {
        error.to_string().replace(self.url.expose_secret(), "the address")
    }
}
