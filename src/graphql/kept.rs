//! Public queries, answered with what was kept where it is still true.
//!
//! An answer is kept when all its fields are public (`document/caching`) and whoever asks sees what everybody sees: nobody in
//! particular, or a customer. Staff see products that are not for sale, so staff are never answered from here.

use std::sync::Arc;
use std::time::{Duration, Instant};

use bytes::Bytes;

use super::answer::Answer;
use super::document::Prepared;
use super::engine::{Caller, Engine};
use crate::domain::answers::{AskedAnswer, Finished, KeptAnswer, MakingAnswer, Recorder};
use crate::infra::metric::ANSWERS;
use crate::infra::secret::digest;
use crate::kernel::actor::{Actor, Role};

/// Of the hash of an answer: 128 bits, which no two answers share.
const TAG_DIGITS: usize = 32;

/// What a public query is answered with.
#[derive(Debug)]
#[expect(clippy::large_enum_variant, reason = "made once, and answered with at once")]
pub enum Given {
    /// With what was kept: nothing was executed, and nothing is charged.
    Kept(Arc<KeptAnswer>),
    Executed(Answer),
}

impl Engine {
    /// For how many seconds everybody may keep what is answered to this caller, where it is kept here, too.
    pub fn kept_age(&self, actor: &Actor, prepared: &Prepared) -> Option<u32> {
        let sees_what_all_see = match actor {
            Actor::Anonymous => true,
            Actor::User { role, .. } => *role == Role::Customer,
            Actor::System => false,
        };
        let kept = sees_what_all_see && self.platform().answers.is_on();
        kept.then_some(prepared.public_age).flatten()
    }

    /// Answers a public query, whose answer anybody may keep for `age` seconds.
    pub async fn run_public(&self, caller: Caller, mut prepared: Prepared, age: u32) -> Given {
        let Some(key) = key(&prepared) else {
            return Given::Executed(self.run(caller, prepared).await);
        };
        let (deadline, began) = (self.limits().deadline, Instant::now());
        let asked = tokio::time::timeout(deadline, self.platform().answers.ask(&key));
        match asked.await {
            Ok(AskedAnswer::Kept(kept)) => {
                self.learn(std::mem::take(&mut prepared.novelty));
                ANSWERS.counter(["hit"]).increment(1);
                Given::Kept(kept)
            }
            Ok(AskedAnswer::Make(making)) => {
                // Whoever has waited for somebody else's has less time left.
                let left = deadline.saturating_sub(began.elapsed());
                Given::Executed(self.make(caller, prepared, age, left, making).await)
            }
            Err(_) => Given::Executed(Answer::timeout()),
        }
    }

    async fn make(
        &self,
        caller: Caller,
        prepared: Prepared,
        age: u32,
        left: Duration,
        making: MakingAnswer<'_>,
    ) -> Answer {
        let (recorder, cost) = (Arc::new(Recorder::default()), prepared.cost);
        let answer = self
            .run_recording(caller, prepared, Some(Arc::clone(&recorder)), left)
            .await;
        let outcome = match (recorder.end(), finished(&answer, cost, age)) {
            // A failure is nobody's to keep.
            (_, None) => "failed",
            (None, Some(_)) => "unknown",
            (Some((parts, longest)), Some(finished)) => {
                let longest = longest.min(Duration::from_secs(age.into()));
                match making.keep(parts, finished, longest) {
                    Some(_) => "kept",
                    // Something that it is made of changed while it was made.
                    None => "overtaken",
                }
            }
        };
        ANSWERS.counter([outcome]).increment(1);
        answer
    }
}

/// What an answer is known by. There is one language and one currency today: whoever adds another adds it here.
fn key(prepared: &Prepared) -> Option<String> {
    let name = prepared.operation_name.as_deref().unwrap_or_default();
    let variables = serde_json::to_string(&prepared.variables).ok()?;
    // Names have neither spaces nor brackets.
    Some(format!("{} {name} {variables}", prepared.hash))
}

/// As it is sent; None where something went wrong.
fn finished(answer: &Answer, cost: u64, age: u32) -> Option<Finished> {
    let shown = answer.for_everybody()?;
    let open = shown.strip_suffix('}')?;
    let told =
        format!(r#"{open},"extensions":{{"cost":{{"requestedQueryCost":{cost},"actualQueryCost":0}}}}}}"#);
    Some(Finished {
        tag: tag(&shown),
        told: Bytes::from(told),
        shown: Bytes::from(shown),
        age,
    })
}

/// What an answer is known by to those who have it. Weak: compressed or not, it is the same.
pub fn tag(shown: &str) -> String {
    let mut tag = digest(shown);
    tag.truncate(TAG_DIGITS);
    format!("W/\"{tag}\"")
}
