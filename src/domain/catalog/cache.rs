//! The hot rows of the catalog, in memory. Only what is public in itself: whether a caller may see a
//! product is decided by whoever hands it out, never by what lies here. Stock is not in it, because stock
//! changes with every order.

use std::sync::Arc;

use crate::domain::answers::Answers;
use crate::domain::news::{News, NewsBus};
use crate::entity::{category, product, product_image, product_option, product_variant};
use crate::infra::cache::{Cache, CacheCounts, Weigh};
use crate::infra::owned::Owned;
use crate::kernel::config::CacheConfig;
use crate::kernel::id::{CategoryId, ProductId, ProductVariantId};

pub type Variants = Arc<[Arc<product_variant::Model>]>;
pub type Images = Arc<[Arc<product_image::Model>]>;
pub type Options = Arc<[product_option::Model]>;
pub type Tags = Arc<[String]>;

/// One typed cache for each relation that is read by key.
#[derive(Debug)]
pub struct CatalogCache {
    pub products: Cache<ProductId, Arc<product::Model>>,
    pub product_slugs: Cache<String, ProductId>,
    pub variants: Cache<ProductId, Variants>,
    /// Those that are asked for by their own ids, such as the lines of orders.
    pub variants_by_id: Owned<ProductVariantId, ProductId, Arc<product_variant::Model>>,
    pub images: Cache<ProductId, Images>,
    pub options: Cache<ProductId, Options>,
    pub tags: Cache<ProductId, Tags>,
    pub categories: Cache<CategoryId, Arc<category::Model>>,
    /// What is made of these rows goes with them.
    answers: Arc<Answers>,
    news: NewsBus,
}

impl CatalogCache {
    pub fn new(config: &CacheConfig, news: NewsBus, answers: Arc<Answers>) -> Self {
        // Variants and products take most of the room; what is not used is not allocated.
        let part = |percent: u64| config.bytes / 100 * percent;
        let ttl = config.row_life();
        Self {
            products: Cache::new(part(40), ttl),
            product_slugs: Cache::new(part(5), ttl),
            variants: Cache::new(part(20), ttl),
            variants_by_id: Owned::new(part(10), ttl),
            images: Cache::new(part(12), ttl),
            options: Cache::new(part(4), ttl),
            tags: Cache::new(part(5), ttl),
            categories: Cache::new(part(4), ttl),
            answers,
            news,
        }
    }

    /// Forgets everything of a product, here and in other instances. Call it after the commit that changed it, and before
    /// the answer.
    pub async fn forget_product(&self, id: ProductId, slugs: &[&str]) {
        self.news.tell(|| News::Product {
            id: id.0,
            slugs: slugs.iter().map(|slug| (*slug).to_owned()).collect(),
        });
        self.drop_product(id, slugs).await;
    }

    /// Forgets what another instance has changed.
    pub async fn drop_product(&self, id: ProductId, slugs: &[&str]) {
        self.products.drop_key(&id).await;
        self.variants.drop_key(&id).await;
        self.variants_by_id.drop_owner(&id);
        self.images.drop_key(&id).await;
        self.options.drop_key(&id).await;
        self.tags.drop_key(&id).await;
        for slug in slugs {
            self.product_slugs.drop_key(&(*slug).to_owned()).await;
        }
        // After the rows, or an answer would be made of the old ones.
        self.answers.product_changed(id, slugs);
    }

    /// Forgets everything: what others have changed is not known.
    pub fn drop_all(&self) {
        self.products.drop_all();
        self.product_slugs.drop_all();
        self.variants.drop_all();
        self.variants_by_id.drop_all();
        self.images.drop_all();
        self.options.drop_all();
        self.tags.drop_all();
        self.categories.drop_all();
        self.answers.drop_all();
    }

    /// Hits and misses, by the name of the cache.
    pub fn counts(&self) -> [(&'static str, CacheCounts); 8] {
        [
            ("products", self.products.counts()),
            ("product_slugs", self.product_slugs.counts()),
            ("variants", self.variants.counts()),
            ("variants_by_id", self.variants_by_id.counts()),
            ("images", self.images.counts()),
            ("options", self.options.counts()),
            ("tags", self.tags.counts()),
            ("categories", self.categories.counts()),
        ]
    }
}

/// A row's fixed part, and what it costs to keep an entry at all.
const ROW: usize = 256;

fn weight(texts: &[&str]) -> u32 {
    u32::try_from(ROW + texts.iter().map(|text| text.len()).sum::<usize>()).unwrap_or(u32::MAX)
}

impl Weigh for product::Model {
    fn weight(&self) -> u32 {
        let about = [self.vendor.as_deref(), self.product_type.as_deref()].map(Option::unwrap_or_default);
        weight(&[
            &self.slug,
            &self.name,
            &self.name_key,
            &self.description,
            about[0],
            about[1],
        ])
    }
}

impl Weigh for product_variant::Model {
    fn weight(&self) -> u32 {
        weight(&[
            &self.title,
            &self.option1,
            &self.option2,
            &self.option3,
            self.sku.as_deref().unwrap_or_default(),
        ])
    }
}

impl Weigh for product_image::Model {
    fn weight(&self) -> u32 {
        weight(&[&self.url, self.alt_text.as_deref().unwrap_or_default()])
    }
}

impl Weigh for product_option::Model {
    fn weight(&self) -> u32 {
        weight(&[&self.name])
    }
}

impl Weigh for category::Model {
    fn weight(&self) -> u32 {
        weight(&[&self.slug, &self.name, &self.name_key])
    }
}

impl Weigh for String {
    fn weight(&self) -> u32 {
        u32::try_from(self.len() + 32).unwrap_or(u32::MAX)
    }
}

impl Weigh for ProductId {
    fn weight(&self) -> u32 {
        weight(&[])
    }
}
