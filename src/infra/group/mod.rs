//! Work that requests which wait at the same moment do together, in one transaction.
//!
//! There is no timer. Whoever finds a free place begins at once, alone when nobody else is there; who comes while all places are
//! taken waits, and is of the next group. So one client waits for nobody, and the more there are, the more share a commit.
//!
//! Members are decided in memory, and written together: a savepoint for each would be two more round trips for each, and the
//! statements in it would still be one member's. What the database itself refuses is therefore refused to the group, which then is undone, and
//! each of its members is done again alone: nobody fails because of the company he is in.

use std::collections::{HashSet, VecDeque};
use std::fmt;
use std::panic::AssertUnwindSafe;
use std::pin::pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use futures_util::{FutureExt as _, StreamExt as _, stream};
use sea_orm::DbErr;
use tokio::sync::oneshot;
use tracing::{Instrument as _, Span};

use crate::infra::db::Trouble;
use crate::infra::db::lock::Patience;
use crate::infra::metric::{GROUP_ALONE_AGAIN, GROUPS};
use crate::kernel::error::{Error, Result};

/// A request that may be carried out with others.
pub trait Member: Clone + Send + Sync + 'static {
    type Answer: Send + 'static;

    /// By what its groups are counted.
    const KIND: &'static str;

    /// What no two may be about that are carried out at once, such as an idempotency key or a cart, each as a number: two things
    /// with one number only wait for each other.
    fn apart(&self) -> Vec<u64>;

    /// Carries out all of them in one transaction: an answer for each, in their order. What was committed must not be done twice
    /// when a member is carried out again: its idempotency key sees to that. Whoever is alone may have long patience with
    /// others' locks; who keeps a place has not.
    fn run(
        members: Vec<Self>,
        patience: Patience,
    ) -> impl Future<Output = Result<Answers<Self>, Broken>> + Send;
}

/// The answers of a group, in the order of its members.
pub type Answers<M> = Vec<Result<<M as Member>::Answer>>;

/// Why nobody of a group has an answer.
#[derive(Clone, Debug)]
pub enum Broken {
    /// There was no connection to begin on.
    NotBegun(Error),
    /// Nothing of it was committed.
    Undone(Error),
    /// Nobody knows whether it was committed.
    Unknown(Error),
}

impl Broken {
    /// A transaction could not be begun. Where no connection was to be had in all that time, there is none for the next one
    /// either; else it was this connection that failed, and another one may do.
    pub fn not_begun(error: DbErr) -> Self {
        match error {
            DbErr::ConnectionAcquire(_) => Self::NotBegun(error.into()),
            error => Self::Undone(error.into()),
        }
    }

    fn into_error(self) -> Error {
        match self {
            Self::NotBegun(error) | Self::Undone(error) | Self::Unknown(error) => error,
        }
    }
}

impl From<Error> for Broken {
    fn from(error: Error) -> Self {
        Self::Undone(error)
    }
}

impl From<DbErr> for Broken {
    fn from(error: DbErr) -> Self {
        Self::Undone(error.into())
    }
}

/// How many deadlines a group is left alone for, though nobody waits for it any more.
const DEADLINES: u32 = 3;

/// How many groups of one kind may be carried out at the same time. SQLite has one writer; PostgreSQL did a tenth less with two,
/// which are smaller and so are more statements (docs/performance.md).
pub const AT_ONCE: usize = 1;

/// How many of a broken group are carried out at the same time: more would take all connections.
const AGAIN_AT_ONCE: usize = 4;

/// Where members meet. Cheap to clone.
pub struct Group<M: Member> {
    /// How many may be in one; one of one shares with nobody, and waits for nobody.
    most: usize,
    /// How many groups may be carried out at the same time.
    at_once: usize,
    /// Who comes after it has been told that it took too long, so a group that takes longer keeps nobody waiting any more.
    deadline: Duration,
    state: Arc<Mutex<State<M>>>,
}

struct State<M: Member> {
    queue: VecDeque<Waiting<M>>,
    /// What those that are being carried out are about.
    taken: HashSet<u64>,
    running: usize,
}

struct Waiting<M: Member> {
    member: M,
    apart: Vec<u64>,
    /// What the statements of a group that it leads are a part of.
    span: Span,
    answer: oneshot::Sender<Result<M::Answer>>,
}

impl<M: Member> Clone for Group<M> {
    fn clone(&self) -> Self {
        Self {
            state: Arc::clone(&self.state),
            ..*self
        }
    }
}

impl<M: Member> fmt::Debug for Group<M> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (most, at_once) = (self.most, self.at_once);
        write!(f, "Group({}, {most} members, {at_once} at once)", M::KIND)
    }
}

impl<M: Member> State<M> {
    /// Those who waited longest, less those who would be in each other's way.
    fn next(&mut self, most: usize) -> Vec<Waiting<M>> {
        let (mut group, mut left) = (Vec::new(), VecDeque::new());
        while group.len() < most
            && let Some(waiting) = self.queue.pop_front()
        {
            if waiting.apart.iter().any(|one| self.taken.contains(one)) {
                left.push_back(waiting);
            } else {
                self.taken.extend(&waiting.apart);
                group.push(waiting);
            }
        }
        left.append(&mut self.queue);
        self.queue = left;
        group
    }
}

impl<M: Member> Group<M> {
    pub fn new(most: usize, at_once: usize, deadline: Duration) -> Self {
        let state = State {
            queue: VecDeque::new(),
            taken: HashSet::new(),
            running: 0,
        };
        Self {
            most,
            at_once,
            deadline,
            state: Arc::new(Mutex::new(state)),
        }
    }

    /// Carries the member out, with others if there are any. It is carried out to its end, also when this is dropped.
    ///
    /// # Errors
    /// Those of the member, as if it had been alone.
    pub async fn join(&self, member: M) -> Result<M::Answer> {
        if self.most <= 1 {
            return alone(member).await;
        }
        let (sender, answer) = oneshot::channel();
        let waiting = Waiting {
            apart: member.apart(),
            member,
            span: Span::current(),
            answer: sender,
        };
        self.state().queue.push_back(waiting);
        self.start();
        answer.await.unwrap_or_else(|_| Err(no_answer()))
    }

    fn state(&self) -> MutexGuard<'_, State<M>> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Begins as many groups as there are places and members for.
    fn start(&self) {
        let mut state = self.state();
        while state.running < self.at_once {
            let group = state.next(self.most);
            let Some(first) = group.first() else { return };
            let span = first.span.clone();
            state.running += 1;
            let groups = self.clone();
            tokio::spawn(async move { groups.carry_out(group).await }.instrument(span));
        }
    }

    async fn carry_out(self, group: Vec<Waiting<M>>) {
        GROUPS
            .histogram([M::KIND])
            .record(u32::try_from(group.len()).map_or(f64::INFINITY, f64::from));
        let members: Vec<M> = group.iter().map(|waiting| waiting.member.clone()).collect();
        let mut has_place = true;
        let mut run = pin!(together(members, Patience::Short));
        let outcome = match tokio::time::timeout(self.deadline, run.as_mut()).await {
            Ok(outcome) => outcome,
            Err(_) => {
                has_place = false;
                self.leave();
                within(self.deadline * (DEADLINES - 1), run).await
            }
        };
        if let Outcome::Away(error) = &outcome {
            self.turn_away(error);
        }
        let answers: Answers<M> = match outcome {
            Outcome::Answered(answers) => answers,
            Outcome::Told(error) | Outcome::Away(error) => group.iter().map(|_| Err(error.clone())).collect(),
            Outcome::Again => {
                if has_place {
                    self.leave();
                }
                let again = |waiting| self.again(waiting);
                stream::iter(group)
                    .for_each_concurrent(AGAIN_AT_ONCE, again)
                    .await;
                return;
            }
        };
        for waiting in &group {
            self.release(&waiting.apart);
        }
        // Who comes next does not wait for the answers to be sent.
        if has_place {
            self.leave();
        } else {
            self.start();
        }
        for (waiting, answer) in group.into_iter().zip(answers) {
            // Who does not wait any more has it by his key.
            let _ = waiting.answer.send(answer);
        }
    }

    /// Carries out one of a group that could not be, without a place: he may be the one that has to wait.
    async fn again(&self, waiting: Waiting<M>) {
        GROUP_ALONE_AGAIN.counter([M::KIND]).increment(1);
        let alone = together(vec![waiting.member], Patience::Long);
        let alone = within(self.deadline * DEADLINES, alone);
        let answer = match alone.await {
            Outcome::Answered(answers) => answers.into_iter().next().unwrap_or_else(|| Err(no_answer())),
            Outcome::Told(error) | Outcome::Away(error) => Err(error),
            Outcome::Again => Err(no_answer()),
        };
        self.release(&waiting.apart);
        self.start();
        let _ = waiting.answer.send(answer);
    }

    /// Gives back a place.
    fn leave(&self) {
        self.state().running -= 1;
        self.start();
    }

    fn release(&self, about: &[u64]) {
        let mut state = self.state();
        for one in about {
            state.taken.remove(one);
        }
    }

    /// Whoever waits would wait as long again for a connection that is not to be had, longer than his deadline.
    fn turn_away(&self, error: &Error) {
        let waiting = std::mem::take(&mut self.state().queue);
        for waiting in waiting {
            let _ = waiting.answer.send(Err(error.clone()));
        }
    }
}

fn no_answer() -> Error {
    Error::internal(anyhow::anyhow!("a group ended without an answer for its member"))
}

/// What a group has come to.
enum Outcome<M: Member> {
    Answered(Answers<M>),
    /// The same for everybody.
    Told(Error),
    /// There was no connection to be had.
    Away(Error),
    /// Nothing was done: each is to be carried out alone.
    Again,
}

async fn together<M: Member>(members: Vec<M>, patience: Patience) -> Outcome<M> {
    let count = members.len();
    let outcome = AssertUnwindSafe(M::run(members, patience)).catch_unwind().await;
    match outcome {
        Ok(Ok(answers)) if answers.len() == count => Outcome::Answered(answers),
        Ok(Err(Broken::NotBegun(error))) => Outcome::Away(error),
        Ok(Err(Broken::Unknown(error))) => Outcome::Told(error),
        Ok(Err(Broken::Undone(error))) if patience == Patience::Short && met_somebody(&error) => {
            Outcome::Again
        }
        Ok(Err(Broken::Undone(error))) if count == 1 => Outcome::Told(error),
        // The panic's text and place have been logged by the hook.
        Ok(Ok(_)) | Err(_) if count == 1 => Outcome::Told(no_answer()),
        Ok(Ok(_) | Err(Broken::Undone(_))) | Err(_) => Outcome::Again,
    }
}

fn met_somebody(error: &Error) -> bool {
    Trouble::of(error) == Some(Trouble::Conflict)
}

async fn within<M: Member>(most: Duration, run: impl Future<Output = Outcome<M>>) -> Outcome<M> {
    tokio::time::timeout(most, run).await.unwrap_or_else(|_| {
        tracing::error!(kind = M::KIND, "a group was given up: it never ended");
        Outcome::Told(no_answer())
    })
}

async fn alone<M: Member>(member: M) -> Result<M::Answer> {
    match M::run(vec![member], Patience::Long).await {
        Ok(answers) => answers.into_iter().next().unwrap_or_else(|| Err(no_answer())),
        Err(broken) => Err(broken.into_error()),
    }
}

#[cfg(test)]
mod tests;
