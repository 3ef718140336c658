//! Orders that nobody pays.

use chrono::Duration;
use souk::domain::checkout::expire::expire_due;

use super::{cancel, mug};
use crate::support::Shop;

both! {
    async fn an_unpaid_order_ends_and_its_stock_is_free(shop: &Shop) {
        let mug = mug(shop, 5).await;
        let order = shop.ordered(&[(&mug, 2)]).await;
        shop.clock.advance(Duration::minutes(15) - Duration::microseconds(1));
        assert_eq!(expire_due(&shop.system()).await.unwrap(), 0);
        shop.clock.advance(Duration::microseconds(1));
        assert_eq!(expire_due(&shop.system()).await.unwrap(), 1);
        assert_eq!(shop.standing(&order.id).await, ["EXPIRED", "UNPAID", "UNFULFILLED"]);
        assert_eq!(shop.history(&order.id).await, ["PLACED", "EXPIRED"]);
        assert_eq!(shop.stock(&mug).await, (5, 0));
        assert_eq!(expire_due(&shop.system()).await.unwrap(), 0);
        let late = shop.pay(&order, "SUCCEED", "late").await;
        assert_eq!(late["userErrors"][0]["code"], "TRANSITION_INVALID");
        shop.balance().await;
    }

    async fn what_is_paid_or_cancelled_does_not_end(shop: &Shop) {
        let mug = mug(shop, 5).await;
        let paid = shop.paid(&[(&mug, 1)]).await;
        let cancelled = shop.ordered(&[(&mug, 1)]).await;
        cancel(shop, crate::support::As::Staff, &cancelled.id).await;
        shop.clock.advance(Duration::days(1));
        assert_eq!(expire_due(&shop.system()).await.unwrap(), 0);
        assert_eq!(shop.standing(&paid.id).await[0], "CONFIRMED");
        assert_eq!(shop.standing(&cancelled.id).await[0], "CANCELLED");
        shop.balance().await;
    }

    async fn several_instances_end_each_order_once(shop: &Shop) {
        let mug = mug(shop, 50).await;
        for _ in 0..30 {
            shop.ordered(&[(&mug, 1)]).await;
        }
        let others = [shop.beside(&[]).await, shop.beside(&[]).await];
        for one in others.iter().chain([shop]) {
            one.clock.advance(Duration::minutes(16));
        }
        let contexts = [shop.system(), others[0].system(), others[1].system()];
        let ended = futures_util::future::join_all(contexts.iter().map(expire_due)).await;
        let ended: u64 = ended.into_iter().map(|ended| ended.unwrap()).sum();
        // Whoever finds an order locked leaves it to the other.
        let rest = expire_due(&shop.system()).await.unwrap();
        assert_eq!(ended + rest, 30);
        assert_eq!(shop.stock(&mug).await, (50, 0));
        shop.balance().await;
        for other in others {
            other.close().await;
        }
    }
}
