//! What is remembered has its weight, and holds nothing beside.

use std::time::Duration;

use super::*;
use crate::domain::answers::{Finished, Part};
use crate::infra::kept::{Asked as Turn, Store};

const LONG: Duration = Duration::from_secs(60);

async fn keep(store: &Store<Part, Finished>) -> Arc<KeptAnswer> {
    let Turn::Make(making) = store.ask("list").await else {
        panic!("nothing was kept");
    };
    let finished = Finished {
        shown: Bytes::from(vec![b'x'; 10_000]),
        told: Bytes::from(vec![b'x'; 20_000]),
        tag: String::new(),
        age: 30,
    };
    making.keep(vec![Part::Lists], finished, LONG).unwrap()
}

fn plain(accept: &HeaderValue) -> Plain<'_> {
    Plain {
        query: None,
        accept: Some(accept),
        encoding: None,
        id: None,
    }
}

#[tokio::test]
async fn it_weighs_the_answer_and_lets_go_of_it_when_it_is_dead() {
    let config = CacheConfig {
        bytes: 0,
        time_to_live: LONG,
        answers: 4 << 20,
        documents: 0,
    };
    let (store, lean) = (
        Store::new(1 << 20, LONG),
        Lean::new(&config, &Lifecycle::default()),
    );
    let kept = keep(&store).await;
    let accept = HeaderValue::from_static("application/json");
    let plain = plain(&accept);
    let mut response = Response::new(Body::from("compressed"));
    response.extensions_mut().insert(kept);
    let _response = lean.remember(plain.to_asked(b"{}").unwrap(), response).await;
    let memos = lean.memos.as_ref().unwrap();
    memos.run_pending_tasks();
    assert!(memos.weighted_size() > 30_000, "{}", memos.weighted_size());
    let now = Instant::now();
    assert!(lean.find(&plain, b"{}", now).is_some());
    store.drop_all();
    assert!(lean.find(&plain, b"{}", now).is_none());
    memos.run_pending_tasks();
    assert_eq!((memos.entry_count(), memos.weighted_size()), (0, 0));
}

#[test]
fn it_holds_nothing_of_what_was_read() {
    let read = Bytes::from(vec![b'a'; 100]);
    let (accept, body) = (read.slice(..20), read.slice(20..));
    let accept = HeaderValue::from_maybe_shared(accept).unwrap();
    let asked = plain(&accept).to_asked(&body).unwrap();
    assert_eq!((asked.accept.as_ref(), &asked.body), (Some(&accept), &body));
    drop((accept, body));
    assert!(read.is_unique());
}
