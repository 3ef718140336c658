//! Thousands who wait, each for an order of their own.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use serde_json::json;
use souk::domain::context::Platform;
use souk::domain::orders::change::{self, OrderInHand};
use souk::entity::order_event::OrderEventType;
use souk::kernel::id::OrderId;
use tokio::sync::Mutex;
use tokio::task::JoinSet;

use super::{ORDER, draft, guest_token, message, subscribe_with, system, waiting};
use crate::support::{Shop, Socket};

const MANY: usize = 5_000;
const EVENTS: i32 = 2;
/// Orders that one transaction places or changes.
const BATCH: usize = 250;
/// Clients that subscribe at the same time.
const AT_ONCE: usize = 100;

async fn place(platform: &Arc<Platform>) -> Vec<OrderId> {
    let ctx = system(platform);
    let mut orders = Vec::new();
    for _ in 0..MANY / BATCH {
        let txn = ctx.db().begin().await.unwrap();
        for _ in 0..BATCH {
            let row = draft(&ctx, None);
            orders.push(row.id);
            OrderInHand::draft(&ctx, row, Vec::new())
                .save(&txn)
                .await
                .unwrap();
        }
        txn.commit().await.unwrap();
    }
    orders
}

/// Opens a subscription, and hears what there is to hear of this order, and nothing else.
async fn client(address: SocketAddr, id: OrderId) {
    let mut socket = Socket::ready_at(address).await;
    let variables = json!({"id": id.to_string(), "token": guest_token(id)});
    socket.say(subscribe_with("1", ORDER, &variables)).await;
    for seq in 1..=EVENTS {
        let told = socket.hear_at_last().await;
        let event = &told["payload"]["data"]["orderEvents"];
        assert_eq!(event["message"], json!(message(id, seq)), "{told}");
    }
    let more = tokio::time::timeout(Duration::from_millis(100), socket.hear_at_last()).await;
    assert!(more.is_err(), "{more:?}");
}

/// Something happens to each, in as few transactions as the feed may see at once.
async fn happen(platform: &Arc<Platform>, orders: &[OrderId]) {
    let ctx = system(platform);
    for batch in orders.chunks(BATCH) {
        let txn = ctx.db().begin().await.unwrap();
        for id in batch {
            let mut hand = OrderInHand::lock(&txn, &ctx, *id).await.unwrap().unwrap();
            let message = message(*id, hand.row.last_seq + 1);
            hand.happened(OrderEventType::PaymentPending, message);
            hand.save(&txn).await.unwrap();
        }
        change::commit(&ctx, txn).await.unwrap();
    }
}

/// On one database after the other: together they would need more open files than many systems give.
static ALONE: Mutex<()> = Mutex::const_new(());

both! {
    async fn five_thousand_subscriptions_hear_each_its_own_order(shop: &Shop) {
        let _alone = ALONE.lock().await;
        let files = rlimit::increase_nofile_limit(u64::MAX).unwrap();
        assert!(files > 2 * 5_000 + 500, "the system allows {files} open files: raise ulimit -Hn for this test");
        let server = shop.serve(&[]).await;
        let orders = place(&server.platform).await;
        // Each is polled by a task of its own all the time, as clients are, so that it answers the server's pings.
        let mut clients = JoinSet::new();
        for (i, batch) in orders.chunks(AT_ONCE).enumerate() {
            for id in batch.iter().copied() {
                clients.spawn(client(server.address, id));
            }
            // As long as it takes on a busy machine, unless a client fails.
            while server.platform.order_events.waiting() < (i + 1) * AT_ONCE {
                if let Some(ended) = clients.try_join_next() {
                    panic!("a client ended before anything happened: {ended:?}");
                }
                tokio::time::sleep(Duration::from_millis(5)).await;
            }
        }
        for _ in 0..EVENTS {
            happen(&server.platform, &orders).await;
        }
        while let Some(ended) = clients.join_next().await {
            ended.unwrap();
        }
        waiting(&server.platform, 0).await;
        server.stop().await;
    }
}
