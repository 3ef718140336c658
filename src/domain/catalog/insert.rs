//! Writing new products, many at once: a round of statements for each batch, not for each product.

use chrono::{DateTime, Utc};
use sea_orm::{ActiveModelTrait, ActiveValue::Set, DatabaseTransaction, EntityTrait, IntoActiveModel};

use super::derived;
use crate::entity::product::{self, ProductStatus};
use crate::entity::{
    inventory_level, inventory_movement, product_image, product_option, product_tag, product_variant,
};
use crate::infra::db::MAX_BINDS;
use crate::kernel::actor::Actor;
use crate::kernel::error::Result;
use crate::kernel::id::{CategoryId, InventoryMovementId, ProductId, ProductImageId, ProductVariantId};
use crate::kernel::money::Currency;
use crate::kernel::text::sort_key;

/// A product to be, already checked: lengths, a free slug, at least one variant, a category that exists.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NewProduct {
    pub slug: String,
    pub name: String,
    /// Sanitised.
    pub description: String,
    pub vendor: Option<String>,
    pub product_type: Option<String>,
    pub tags: Vec<String>,
    pub status: ProductStatus,
    pub category_id: Option<CategoryId>,
    pub currency: Currency,
    /// The names of its options, at most three.
    pub options: Vec<String>,
    pub images: Vec<NewImage>,
    pub variants: Vec<NewVariant>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NewImage {
    pub url: String,
    pub alt_text: Option<String>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NewVariant {
    pub sku: Option<String>,
    pub title: String,
    /// A value for each option of the product, empty beyond them.
    pub options: [String; 3],
    /// In minor units of the product's currency, as is `compare_at_price`.
    pub price: i64,
    pub compare_at_price: Option<i64>,
    /// Which of the product's images, from 0.
    pub image: Option<usize>,
    pub tracked: bool,
    pub on_hand: i64,
    pub imported_on_hand: Option<i64>,
}

/// All rows of some products, table by table.
#[derive(Default)]
struct Rows {
    products: Vec<product::ActiveModel>,
    tags: Vec<product_tag::ActiveModel>,
    options: Vec<product_option::ActiveModel>,
    images: Vec<product_image::ActiveModel>,
    variants: Vec<product_variant::ActiveModel>,
    levels: Vec<inventory_level::ActiveModel>,
    movements: Vec<inventory_movement::ActiveModel>,
}

/// Inserts the products with everything below them and everything derived from them. Their ids come
/// back in the same order. First stock is a movement like any other, for `reason`.
pub async fn insert_products(
    txn: &DatabaseTransaction,
    products: &[NewProduct],
    actor: &Actor,
    reason: &str,
    now: DateTime<Utc>,
) -> Result<Vec<ProductId>> {
    let mut rows = Rows::default();
    let ids: Vec<_> = products
        .iter()
        .map(|product| rows.add_product(product, now))
        .collect();
    for movement in &mut rows.movements {
        movement.actor = Set(actor.key());
        movement.reason = Set(reason.to_owned());
    }
    insert_all(txn, rows.products).await?;
    insert_all(txn, rows.tags).await?;
    insert_all(txn, rows.options).await?;
    insert_all(txn, rows.images).await?;
    insert_all(txn, rows.variants).await?;
    insert_all(txn, rows.levels).await?;
    insert_all(txn, rows.movements).await?;
    derived::refresh(txn, &ids).await?;
    Ok(ids)
}

/// Inserts rows with as few statements as the limit on bound values allows.
pub async fn insert_all<A>(txn: &DatabaseTransaction, rows: Vec<A>) -> Result<()>
where
    A: ActiveModelTrait,
    <A::Entity as EntityTrait>::Model: IntoActiveModel<A>,
{
    use sea_orm::Iterable as _;
    let columns = <A::Entity as EntityTrait>::Column::iter().count().max(1);
    let mut rows = rows.into_iter().peekable();
    while rows.peek().is_some() {
        let batch: Vec<_> = rows.by_ref().take(MAX_BINDS / columns).collect();
        A::Entity::insert_many(batch).exec_without_returning(txn).await?;
    }
    Ok(())
}

impl Rows {
    fn add_product(&mut self, new: &NewProduct, now: DateTime<Utc>) -> ProductId {
        let id = ProductId::new();
        self.products.push(product::ActiveModel {
            id: Set(id),
            slug: Set(new.slug.clone()),
            name: Set(new.name.clone()),
            name_key: Set(sort_key(&new.name)),
            description: Set(new.description.clone()),
            vendor: Set(new.vendor.clone()),
            product_type: Set(new.product_type.clone()),
            status: Set(new.status),
            category_id: Set(new.category_id),
            currency: Set(new.currency.code().to_owned()),
            // Derived from the variants before the transaction ends.
            price_min: Set(0),
            price_max: Set(0),
            version: Set(1),
            created_at: Set(now),
            updated_at: Set(now),
        });
        self.tags.extend(
            (1..)
                .zip(&new.tags)
                .map(|(position, tag)| product_tag::ActiveModel {
                    product_id: Set(id),
                    tag: Set(tag.clone()),
                    position: Set(position),
                }),
        );
        self.options.extend(
            (1..)
                .zip(&new.options)
                .map(|(position, name)| product_option::ActiveModel {
                    product_id: Set(id),
                    position: Set(position),
                    name: Set(name.clone()),
                }),
        );
        let images = image_rows(id, &new.images);
        for (position, variant) in (1..).zip(&new.variants) {
            let image = variant
                .image
                .and_then(|index| images.get(index))
                .map(|image| image.0);
            self.add_variant(id, position, variant, image, now);
        }
        self.images.extend(images.into_iter().map(|(_, row)| row));
        id
    }

    fn add_variant(
        &mut self,
        product_id: ProductId,
        position: i32,
        new: &NewVariant,
        image_id: Option<ProductImageId>,
        now: DateTime<Utc>,
    ) {
        let id = ProductVariantId::new();
        let [option1, option2, option3] = new.options.clone();
        self.variants.push(product_variant::ActiveModel {
            id: Set(id),
            product_id: Set(product_id),
            position: Set(position),
            sku: Set(new.sku.clone()),
            title: Set(new.title.clone()),
            option1: Set(option1),
            option2: Set(option2),
            option3: Set(option3),
            price: Set(new.price),
            compare_at_price: Set(new.compare_at_price),
            image_id: Set(image_id),
            created_at: Set(now),
            updated_at: Set(now),
        });
        self.levels.push(inventory_level::ActiveModel {
            variant_id: Set(id),
            tracked: Set(new.tracked),
            on_hand: Set(new.on_hand),
            reserved: Set(0),
            imported_on_hand: Set(new.imported_on_hand),
            updated_at: Set(now),
        });
        if new.on_hand != 0 {
            self.movements.push(inventory_movement::ActiveModel {
                id: Set(InventoryMovementId::new()),
                variant_id: Set(id),
                on_hand_delta: Set(new.on_hand),
                reserved_delta: Set(0),
                occurred_at: Set(now),
                ..Default::default()
            });
        }
    }
}

/// Images numbered from 1, with their ids.
pub fn image_rows(
    product_id: ProductId,
    images: &[NewImage],
) -> Vec<(ProductImageId, product_image::ActiveModel)> {
    (1..)
        .zip(images)
        .map(|(position, image)| {
            let id = ProductImageId::new();
            let row = product_image::ActiveModel {
                id: Set(id),
                product_id: Set(product_id),
                url: Set(image.url.clone()),
                alt_text: Set(image.alt_text.clone()),
                position: Set(position),
            };
            (id, row)
        })
        .collect()
}
