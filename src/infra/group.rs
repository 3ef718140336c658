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

use futures_util::FutureExt as _;
use futures_util::future::join_all;
use tokio::sync::oneshot;
use tracing::{Instrument as _, Span};

use super::metric::{GROUP_ALONE_AGAIN, GROUPS};
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
    /// when a member is carried out again: its idempotency key sees to that.
    fn run(members: Vec<Self>) -> impl Future<Output = Result<Answers<Self>, Broken>> + Send;
}

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

impl From<sea_orm::DbErr> for Broken {
    fn from(error: sea_orm::DbErr) -> Self {
        Self::Undone(error.into())
    }
}

/// How many deadlines a group is left alone for, though nobody waits for it any more.
const PATIENCE: u32 = 3;

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
        let about: Vec<u64> = group.iter().flat_map(|waiting| waiting.apart.clone()).collect();
        let members: Vec<M> = group.iter().map(|waiting| waiting.member.clone()).collect();
        let mut place = Some(about);
        let mut run = pin!(together(members));
        let answers = match tokio::time::timeout(self.deadline, run.as_mut()).await {
            Ok(answers) => answers,
            Err(_) => {
                self.leave(place.take());
                let rest = self.deadline * (PATIENCE - 1);
                tokio::time::timeout(rest, run).await.unwrap_or_else(|_| {
                    tracing::error!(kind = M::KIND, "a group was given up: it never ended");
                    Together::told(group.len(), &no_answer())
                })
            }
        };
        if let Some(error) = &answers.nobody_begins {
            self.turn_away(error);
        }
        // Who comes next does not wait for the answers to be sent.
        self.leave(place);
        for (waiting, answer) in group.into_iter().zip(answers.answers) {
            // Who does not wait any more has it by his key.
            let _ = waiting.answer.send(answer);
        }
    }

    /// Gives back the place of a group that was about this, once.
    fn leave(&self, about: Option<Vec<u64>>) {
        let Some(about) = about else { return };
        let mut state = self.state();
        state.running -= 1;
        for one in &about {
            state.taken.remove(one);
        }
        drop(state);
        self.start();
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
struct Together<M: Member> {
    answers: Answers<M>,
    /// There was no connection to be had.
    nobody_begins: Option<Error>,
}

impl<M: Member> Together<M> {
    fn told(members: usize, error: &Error) -> Self {
        Self {
            answers: (0..members).map(|_| Err(error.clone())).collect(),
            nobody_begins: None,
        }
    }
}

async fn together<M: Member>(members: Vec<M>) -> Together<M> {
    let count = members.len();
    let outcome = AssertUnwindSafe(M::run(members.clone())).catch_unwind().await;
    match outcome {
        Ok(Ok(answers)) if answers.len() == count => Together {
            answers,
            nobody_begins: None,
        },
        Ok(Err(Broken::NotBegun(error))) => Together {
            nobody_begins: Some(error.clone()),
            ..Together::told(count, &error)
        },
        Ok(Err(Broken::Unknown(error))) => Together::told(count, &error),
        Ok(Err(Broken::Undone(error))) if count == 1 => Together::told(count, &error),
        // The panic's text and place have been logged by the hook.
        Ok(Ok(_)) | Err(_) if count == 1 => Together::told(count, &no_answer()),
        Ok(Ok(_) | Err(Broken::Undone(_))) | Err(_) => {
            GROUP_ALONE_AGAIN
                .counter([M::KIND])
                .increment(u64::try_from(count).unwrap_or(u64::MAX));
            let each = members.into_iter().map(|member| async {
                let answer = AssertUnwindSafe(alone(member)).catch_unwind().await;
                answer.unwrap_or_else(|_| Err(no_answer()))
            });
            Together {
                answers: join_all(each).await,
                nobody_begins: None,
            }
        }
    }
}

async fn alone<M: Member>(member: M) -> Result<M::Answer> {
    match M::run(vec![member]).await {
        Ok(answers) => answers.into_iter().next().unwrap_or_else(|| Err(no_answer())),
        Err(broken) => Err(broken.into_error()),
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicUsize, Ordering};

    use tokio::sync::Semaphore;

    use super::*;
    use crate::kernel::error::ErrorCode;

    /// A number that is doubled, once it may be.
    #[derive(Clone)]
    struct Number {
        number: u64,
        about: u64,
        world: Arc<World>,
    }

    struct World {
        /// How many groups may go on.
        go_on: Semaphore,
        begun: AtomicUsize,
        sizes: Mutex<Vec<usize>>,
        breaks: fn(&[u64]) -> Option<Broken>,
    }

    impl Member for Number {
        type Answer = u64;
        const KIND: &'static str = "test";

        fn apart(&self) -> Vec<u64> {
            vec![self.about]
        }

        async fn run(members: Vec<Self>) -> Result<Answers<Self>, Broken> {
            let world = Arc::clone(&members[0].world);
            world.begun.fetch_add(1, Ordering::SeqCst);
            world.go_on.acquire().await.unwrap().forget();
            world.sizes.lock().unwrap().push(members.len());
            let numbers: Vec<u64> = members.iter().map(|member| member.number).collect();
            if let Some(broken) = (world.breaks)(&numbers) {
                return Err(broken);
            }
            Ok(numbers.into_iter().map(answer).collect())
        }
    }

    fn answer(number: u64) -> Result<u64> {
        if number == 13 {
            Err(Error::refused(ErrorCode::Invalid, "number", "brings bad luck"))
        } else {
            Ok(number * 2)
        }
    }

    fn world(breaks: fn(&[u64]) -> Option<Broken>) -> Arc<World> {
        Arc::new(World {
            go_on: Semaphore::new(0),
            begun: AtomicUsize::new(0),
            sizes: Mutex::default(),
            breaks,
        })
    }

    /// What becomes of these numbers, each with what it is about, of which the first begins alone, and the sizes of the groups.
    async fn outcome(
        group: &Group<Number>,
        world: &Arc<World>,
        numbers: &[(u64, u64)],
    ) -> (Vec<Result<u64>>, Vec<usize>) {
        let joining = numbers.iter().map(|(number, about)| {
            group.join(Number {
                number: *number,
                about: *about,
                world: Arc::clone(world),
            })
        });
        // All of them have come by then: they are asked in this order, by one thread.
        let go_on = async { world.go_on.add_permits(1_000) };
        let (answers, ()) = tokio::join!(join_all(joining), go_on);
        let sizes = world.sizes.lock().unwrap().clone();
        (answers, sizes)
    }

    const MINUTE: Duration = Duration::from_secs(60);

    async fn until(condition: impl Fn() -> bool) {
        let holds = async {
            while !condition() {
                tokio::time::sleep(Duration::from_millis(5)).await;
            }
        };
        tokio::time::timeout(MINUTE, holds).await.unwrap();
    }

    fn apart(numbers: impl IntoIterator<Item = u64>) -> Vec<(u64, u64)> {
        numbers.into_iter().map(|number| (number, number)).collect()
    }

    #[tokio::test]
    async fn who_comes_meanwhile_is_of_the_next_group() {
        let (group, world) = (Group::new(4, 1, MINUTE), world(|_| None));
        let (answers, sizes) = outcome(&group, &world, &apart(0..10)).await;
        assert_eq!(sizes, [1, 4, 4, 1]);
        let answers: Vec<u64> = answers.into_iter().map(Result::unwrap).collect();
        assert_eq!(answers, (0..10).map(|number| number * 2).collect::<Vec<_>>());
    }

    #[tokio::test]
    async fn one_that_is_refused_is_refused_alone() {
        let (group, world) = (Group::new(4, 1, MINUTE), world(|_| None));
        let (answers, sizes) = outcome(&group, &world, &apart(11..15)).await;
        assert_eq!(sizes, [1, 3]);
        let refused: Vec<bool> = answers.iter().map(Result::is_err).collect();
        assert_eq!(refused, [false, false, true, false]);
    }

    #[tokio::test]
    async fn what_is_about_the_same_is_done_one_after_another() {
        let (group, world) = (Group::new(4, 2, MINUTE), world(|_| None));
        let numbers = [(1, 7), (2, 7), (3, 7), (4, 8), (5, 9)];
        let (answers, sizes) = outcome(&group, &world, &numbers).await;
        // The first and the fourth begin alone; of those that wait the second and the last have nothing in common.
        assert_eq!(sizes.iter().sum::<usize>(), 5);
        assert!(sizes.len() >= 4, "{sizes:?}");
        assert!(answers.iter().all(Result::is_ok));
    }

    #[tokio::test]
    async fn one_that_is_poisoned_takes_nobody_along() {
        fn undone() -> Broken {
            Error::internal(anyhow::anyhow!("for the test")).into()
        }
        fn panics(numbers: &[u64]) -> Option<Broken> {
            assert!(!numbers.contains(&3), "for the test");
            None
        }
        for breaks in [panics, |numbers: &[u64]| numbers.contains(&3).then(undone)] {
            let (group, world) = (Group::new(8, 1, MINUTE), world(breaks));
            let (answers, _) = outcome(&group, &world, &apart(0..6)).await;
            let failed: Vec<bool> = answers.iter().map(Result::is_err).collect();
            assert_eq!(failed, [false, false, false, true, false, false]);
            assert!(matches!(answers[3], Err(Error::Internal(_))));
        }
    }

    #[tokio::test]
    async fn what_nobody_knows_of_is_not_done_again() {
        let unknown = |numbers: &[u64]| (numbers.len() > 1).then(|| Broken::Unknown(Error::Forbidden));
        let (group, world) = (Group::new(8, 1, MINUTE), world(unknown));
        let (answers, sizes) = outcome(&group, &world, &apart(0..4)).await;
        assert_eq!(sizes, [1, 3]);
        assert!(
            answers[1..]
                .iter()
                .all(|answer| matches!(answer, Err(Error::Forbidden)))
        );
    }

    #[tokio::test]
    async fn nobody_waits_twice_for_a_connection_that_is_not_to_be_had() {
        let away = |_: &[u64]| Some(Broken::NotBegun(Error::Forbidden));
        let (group, world) = (Group::new(2, 1, MINUTE), world(away));
        let (answers, sizes) = outcome(&group, &world, &apart(0..6)).await;
        assert_eq!(sizes, [1]);
        assert!(
            answers
                .iter()
                .all(|answer| matches!(answer, Err(Error::Forbidden)))
        );
    }

    #[tokio::test]
    async fn one_that_never_ends_does_not_keep_others_waiting_for_ever() {
        let (group, world) = (Group::new(2, 1, Duration::from_secs(2)), world(|_| None));
        let stuck = Number {
            number: 1,
            about: 1,
            world: Arc::clone(&world),
        };
        let other = Number {
            number: 2,
            about: 2,
            ..stuck.clone()
        };
        let (stuck, other) = (group.join(stuck), group.join(other));
        let go_on = async {
            until(|| world.begun.load(Ordering::SeqCst) == 1).await;
            until(|| world.begun.load(Ordering::SeqCst) == 2).await;
            world.go_on.add_permits(2);
        };
        let (stuck, other, ()) = tokio::join!(stuck, other, go_on);
        assert_eq!((stuck.unwrap(), other.unwrap()), (2, 4));
    }

    #[tokio::test]
    async fn who_went_away_is_carried_out_all_the_same() {
        let (group, world) = (Group::new(2, 1, MINUTE), world(|_| None));
        for number in 0..3 {
            let world = Arc::clone(&world);
            let joining = group.join(Number {
                number,
                about: number,
                world,
            });
            assert!(
                tokio::time::timeout(Duration::from_millis(1), joining)
                    .await
                    .is_err()
            );
        }
        world.go_on.add_permits(9);
        until(|| *world.sizes.lock().unwrap() == [1, 2]).await;
    }
}
