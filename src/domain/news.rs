//! What instances tell each other, so that none waits for the next time that it looks by itself.

use serde::{Deserialize, Serialize};
use uuid::Uuid;

use super::answers::Part;
use super::context::Platform;
use crate::infra::bus::{Bus, Told};
use crate::kernel::id::ProductId;

/// Something that an instance did. Hints: the truth is in the database.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum News {
    /// A product has changed, and these slugs may lead elsewhere.
    Product { id: Uuid, slugs: Vec<String> },
    /// Other parts of public answers have changed.
    Changed { parts: Vec<Part> },
    /// So much has changed that everybody looks anew.
    MuchChanged,
    /// Sessions have ended, or roles changed.
    Revoked,
    /// Something happened to orders, and has its place.
    OrderEvents,
    /// A gateway has told something.
    GatewayEvents,
}

pub type NewsBus = Bus<News>;

/// Hears the other instances, until it is dropped.
pub async fn listen(platform: &Platform) {
    platform.news.listen(|told| hear(platform, told)).await;
}

async fn hear(platform: &Platform, told: Told<News>) {
    match told {
        Told::News(News::Product { id, slugs }) => {
            let slugs: Vec<&str> = slugs.iter().map(String::as_str).collect();
            platform.catalog_cache.drop_product(ProductId(id), &slugs).await;
        }
        Told::News(News::Changed { parts }) => platform.answers.heard(&parts),
        Told::News(News::MuchChanged) => platform.answers.drop_all(),
        Told::News(News::Revoked) => platform.revocations.wake(),
        Told::News(News::OrderEvents) => platform.order_events.wake(),
        Told::News(News::GatewayEvents) => platform.gateway_events.notify_one(),
        Told::Missing => {
            platform.catalog_cache.drop_all();
            platform.revocations.wake();
            platform.order_events.wake();
            platform.gateway_events.notify_one();
        }
    }
}
