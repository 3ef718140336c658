//! Hears what is published, on a connection of its own, and knows when something may have been missed.

use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use redis::aio::MultiplexedConnection;
use redis::{AsyncConnectionConfig, FromRedisValue as _, PushInfo, PushKind, RedisResult};
use tokio::sync::mpsc::error::TrySendError;
use tokio::sync::mpsc::{Receiver, Sender, channel};

use super::{CONNECT, LOOK, Redis};

/// Messages that may wait to be heard.
const CHANNEL: usize = 1024;

/// What is published under one name, from the subscription on.
pub struct Subscription {
    connection: MultiplexedConnection,
    pushed: Receiver<Pushed>,
    overflowed: Arc<AtomicBool>,
}

enum Pushed {
    Message(Vec<u8>),
    Gone,
}

/// Something that was heard.
#[derive(Debug)]
pub enum Heard {
    Message(Vec<u8>),
    /// There was too much at once, and some of it is missing.
    Gap,
}

impl fmt::Debug for Subscription {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Subscription").finish_non_exhaustive()
    }
}

impl Redis {
    /// Hears what is published under this name, which is the shop's own, from now on.
    ///
    /// # Errors
    /// In words, without the address: there is no connection to be had.
    pub async fn subscribe(&self, name: &str) -> Result<Subscription, String> {
        let prefix = tokio::time::timeout(CONNECT, self.0.prefix()).await;
        let prefix = match prefix {
            Ok(Ok(prefix)) => prefix,
            Ok(Err(error)) => return Err(format!("the database does not say the shop's name: {error}")),
            Err(_) => return Err("the database takes too long to say the shop's name".to_owned()),
        };
        match tokio::time::timeout(CONNECT, self.listen_to(&format!("{prefix}{name}"))).await {
            Ok(Ok(subscription)) => Ok(subscription),
            Ok(Err(error)) => Err(self.0.in_words(&error)),
            Err(_) => Err("it takes too long".to_owned()),
        }
    }

    async fn listen_to(&self, channel_name: &str) -> RedisResult<Subscription> {
        let (sender, pushed) = channel(CHANNEL);
        let overflowed = Arc::new(AtomicBool::new(false));
        let overflow = Arc::clone(&overflowed);
        let config = AsyncConnectionConfig::new()
            .set_connection_timeout(Some(CONNECT))
            .set_response_timeout(None)
            .set_push_sender(move |push| hand_over(&sender, &overflow, push));
        let connect = self
            .0
            .client
            .get_multiplexed_async_connection_with_config(&config);
        let mut connection = connect.await?;
        connection.subscribe(channel_name).await?;
        Ok(Subscription {
            connection,
            pushed,
            overflowed,
        })
    }
}

/// Never waits: whoever waits here keeps the connection waiting.
fn hand_over(
    sender: &Sender<Pushed>,
    overflow: &AtomicBool,
    push: PushInfo,
) -> Result<(), redis::aio::SendError> {
    let pushed = match push.kind {
        PushKind::Disconnection => Pushed::Gone,
        PushKind::Message => match push.data.into_iter().nth(1).map(Vec::<u8>::from_redis_value) {
            Some(Ok(message)) => Pushed::Message(message),
            Some(Err(_)) | None => return Ok(()),
        },
        // The answers to what was subscribed to.
        _ => return Ok(()),
    };
    match sender.try_send(pushed) {
        Ok(()) => Ok(()),
        Err(TrySendError::Full(_)) => {
            overflow.store(true, Ordering::SeqCst);
            Ok(())
        }
        Err(TrySendError::Closed(_)) => Err(redis::aio::SendError),
    }
}

impl Subscription {
    /// Waits for the next message; None when the connection is gone. Where nothing comes it asks now and then whether anybody
    /// is there: a connection may be open and dead.
    pub async fn next(&mut self) -> Option<Heard> {
        loop {
            if self.overflowed.swap(false, Ordering::SeqCst) {
                return Some(Heard::Gap);
            }
            match tokio::time::timeout(LOOK, self.pushed.recv()).await {
                Ok(Some(Pushed::Message(message))) => return Some(Heard::Message(message)),
                Ok(Some(Pushed::Gone) | None) => return None,
                Err(_) => {
                    let ping = redis::cmd("PING");
                    let answer = ping.query_async::<redis::Value>(&mut self.connection);
                    if !matches!(tokio::time::timeout(CONNECT, answer).await, Ok(Ok(_))) {
                        return None;
                    }
                }
            }
        }
    }
}
