//! What members of groups can rely on.

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

    async fn run(members: Vec<Self>, _: Patience) -> Result<Answers<Self>, Broken> {
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
    let (answers, ()) = tokio::join!(futures_util::future::join_all(joining), go_on);
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
    type Break = fn(&[u64]) -> Option<Broken>;
    let breaking: [Break; 2] = [panics, |numbers| numbers.contains(&3).then(undone)];
    for breaks in breaking {
        let (group, world) = (Group::new(8, 1, MINUTE), world(breaks));
        let (answers, _) = outcome(&group, &world, &apart(0..6)).await;
        let failed: Vec<bool> = answers.iter().map(Result::is_err).collect();
        assert_eq!(failed, [false, false, false, true, false, false]);
        assert!(matches!(answers[3], Err(Error::Internal(_))));
    }
}

#[tokio::test]
async fn who_is_done_again_waits_for_nobody_who_is() {
    let (group, world) = (
        Group::new(8, 1, MINUTE),
        world(|numbers| (numbers.len() > 1).then(|| Error::Forbidden.into())),
    );
    let join = |number| {
        group.join(Number {
            number,
            about: number,
            world: Arc::clone(&world),
        })
    };
    let (first, second, third) = (join(1), join(2), join(3));
    let go_on = async {
        // For the first, for the other two together, and for one of them alone.
        world.go_on.add_permits(3);
        until(|| world.begun.load(Ordering::SeqCst) == 4).await;
    };
    let others = async { tokio::select!(answer = second => answer, answer = third => answer) };
    let (first, other, ()) = tokio::join!(first, others, go_on);
    assert_eq!(first.unwrap(), 2);
    assert!([4, 6].contains(&other.unwrap()));
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
