//! What holds of what is kept, whatever it is.

use std::sync::atomic::AtomicUsize;

use super::*;

#[derive(Clone, Debug, PartialEq)]
struct Page(u32);

impl Weigh for Page {
    fn weight(&self) -> u32 {
        100
    }
}

impl Weigh for &'static str {
    fn weight(&self) -> u32 {
        u32::try_from(self.len()).unwrap()
    }
}

type Pages = Store<&'static str, Page>;

const LONG: Duration = Duration::from_secs(60);

fn pages() -> Pages {
    Store::new(1_000_000, LONG)
}

async fn kept(pages: &Pages, key: &str) -> Option<Page> {
    match pages.ask(key).await {
        Asked::Kept(kept) => Some(kept.value.clone()),
        Asked::Make(_) => None,
    }
}

async fn make(
    pages: &Pages,
    key: &str,
    parts: &[&'static str],
    page: u32,
) -> Option<Arc<Kept<&'static str, Page>>> {
    match pages.ask(key).await {
        Asked::Kept(_) => panic!("{key} is kept"),
        Asked::Make(making) => making.keep(parts.to_vec(), Page(page), LONG),
    }
}

#[tokio::test]
async fn a_change_drops_what_is_made_of_it_and_nothing_else() {
    let pages = pages();
    make(&pages, "one", &["mug", "list"], 1).await.unwrap();
    make(&pages, "two", &["cup", "list"], 2).await.unwrap();
    let other = make(&pages, "three", &["cup"], 3).await.unwrap();
    assert_eq!(kept(&pages, "one").await, Some(Page(1)));
    pages.drop_parts(&["mug"]);
    assert_eq!(kept(&pages, "one").await, None);
    assert_eq!(kept(&pages, "two").await, Some(Page(2)));
    pages.drop_parts(&["list", "jar"]);
    assert_eq!(kept(&pages, "two").await, None);
    assert_eq!(kept(&pages, "three").await, Some(Page(3)));
    assert!(other.is_alive(Instant::now()));
    pages.drop_all();
    assert!(
        !other.is_alive(Instant::now()),
        "whoever has it sees that it is over"
    );
    assert_eq!(kept(&pages, "three").await, None);
    assert_eq!(pages.dropped(), 3);
    assert!(pages.index.table().made_of.is_empty());
}

#[tokio::test]
async fn what_a_change_overtook_is_not_kept() {
    let pages = pages();
    let changes: [fn(&Pages); 2] = [|pages| pages.drop_parts(&["mug"]), |pages| pages.drop_all()];
    for change in changes {
        let Asked::Make(making) = pages.ask("one").await else {
            panic!("nothing was kept");
        };
        change(&pages);
        assert!(making.keep(vec!["cup", "mug"], Page(1), LONG).is_none());
        assert_eq!(kept(&pages, "one").await, None);
    }
    // What changed before is in what is read after.
    assert!(make(&pages, "one", &["mug"], 2).await.is_some());
    assert_eq!(kept(&pages, "one").await, Some(Page(2)));
}

#[tokio::test]
async fn many_who_ask_at_once_have_it_made_once() {
    let (pages, made) = (Arc::new(pages()), Arc::new(AtomicUsize::new(0)));
    let tasks: Vec<_> = (0..100)
        .map(|_| {
            let (pages, made) = (Arc::clone(&pages), Arc::clone(&made));
            tokio::spawn(async move {
                match pages.ask("one").await {
                    Asked::Kept(kept) => kept.value.clone(),
                    Asked::Make(making) => {
                        made.fetch_add(1, Ordering::SeqCst);
                        tokio::time::sleep(Duration::from_millis(50)).await;
                        making.keep(vec!["mug"], Page(1), LONG).unwrap().value.clone()
                    }
                }
            })
        })
        .collect();
    for task in tasks {
        assert_eq!(task.await.unwrap(), Page(1));
    }
    assert_eq!(made.load(Ordering::SeqCst), 1);
}

#[tokio::test]
async fn one_who_gives_up_leaves_it_to_the_next() {
    let pages = Arc::new(pages());
    let Asked::Make(making) = pages.ask("one").await else {
        panic!("nothing was kept");
    };
    let waiting = {
        let pages = Arc::clone(&pages);
        tokio::spawn(async move { make(&pages, "one", &[], 2).await.is_some() })
    };
    tokio::task::yield_now().await;
    drop(making);
    let kept_by_next = tokio::time::timeout(LONG, waiting).await.unwrap().unwrap();
    assert!(kept_by_next);
    assert!(pages.making().is_empty());
}

/// Whoever is woken looks at once whether somebody is making it.
#[tokio::test]
async fn a_turn_is_free_before_anybody_is_told_that_it_is_over() {
    let pages = pages();
    let Asked::Make(making) = pages.ask("one").await else {
        panic!("nothing was kept");
    };
    let table = pages.making();
    let waiting = table.get("one").unwrap().clone();
    std::thread::scope(|scope| {
        scope.spawn(|| drop(making));
        // It cannot take its key out meanwhile.
        std::thread::sleep(Duration::from_millis(100));
        assert!(waiting.has_changed().is_ok(), "nobody has been told");
        drop(table);
    });
    assert!(waiting.has_changed().is_err(), "now they have");
    assert!(pages.making().is_empty());
}

#[tokio::test]
async fn what_it_is_made_of_is_weighed() {
    let pages = pages();
    make(&pages, "one", &["mug"], 1).await.unwrap();
    make(&pages, "two", &[&*"x".repeat(10_000).leak()], 2)
        .await
        .unwrap();
    pages.entries.as_ref().unwrap().run_pending_tasks();
    assert!(pages.weight() > 2 * 10_000, "{}", pages.weight());
    let large: &'static str = "y".repeat(1_000_000).leak();
    make(&pages, "three", &[large], 3).await;
    pages.entries.as_ref().unwrap().run_pending_tasks();
    assert_eq!(
        kept(&pages, "three").await,
        None,
        "it is more than there is room for"
    );
    assert!(!pages.index.table().made_of.contains_key(large));
}

#[tokio::test]
async fn what_is_old_or_had_to_make_room_is_over() {
    let small: Pages = Store::new(250, LONG);
    let Asked::Make(making) = small.ask("old").await else {
        panic!("nothing was kept");
    };
    making.keep(vec![], Page(1), Duration::ZERO).unwrap();
    assert_eq!(kept(&small, "old").await, None);
    let mut all = Vec::new();
    for (number, key) in (0..).zip(["a", "b", "c", "d", "e"]) {
        all.extend(make(&small, key, &["mug"], number).await);
    }
    small.entries.as_ref().unwrap().run_pending_tasks();
    let alive = all.iter().filter(|kept| kept.is_alive(Instant::now())).count();
    assert!(alive <= 1, "{alive}");
    let indexed = small.index.table().made_of.get("mug").map_or(0, HashMap::len);
    assert_eq!(indexed, alive, "what the cache let go, the index lets go");
    let off: Pages = Store::new(0, LONG);
    assert!(make(&off, "one", &["mug"], 1).await.is_none());
}
