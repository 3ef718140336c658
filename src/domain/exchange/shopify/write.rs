//! Plans into rows, inside the caller's transaction.

use chrono::{DateTime, Utc};
use sea_orm::ActiveValue::Set;
use sea_orm::{ColumnTrait as _, DatabaseTransaction, EntityTrait as _, QueryFilter as _};

use super::category::Shelves;
use super::plan::{Creation, Update};
use super::stock::LevelPlan;
use crate::domain::catalog::derived;
use crate::domain::catalog::insert::{insert_all, insert_products};
use crate::entity::{
    inventory_level, inventory_movement, product, product_image, product_option, product_tag, product_variant,
};
use crate::kernel::actor::Actor;
use crate::kernel::error::Result;
use crate::kernel::id::{InventoryMovementId, ProductId};

/// Why stock moved.
const REASON: &str = "import";

pub(super) struct Writer<'a> {
    pub txn: &'a DatabaseTransaction,
    pub actor: &'a Actor,
    pub now: DateTime<Utc>,
}

impl Writer<'_> {
    pub(super) async fn create(&self, creations: Vec<Creation>, shelves: &mut Shelves) -> Result<()> {
        let mut products = Vec::with_capacity(creations.len());
        for Creation {
            mut product,
            category,
            ..
        } in creations
        {
            product.category_id = shelves.find_or_make(self.txn, &category, self.now).await?;
            products.push(product);
        }
        if !products.is_empty() {
            insert_products(self.txn, &products, self.actor, REASON, self.now).await?;
        }
        Ok(())
    }

    /// Writes only the rows that differ.
    pub(super) async fn update(&self, updates: Vec<Update>, shelves: &mut Shelves) -> Result<()> {
        let mut changed = Vec::new();
        let mut moved = Vec::new();
        for update in updates {
            if update.new_version {
                changed.push(update.id);
            }
            self.update_one(update, shelves, &mut moved).await?;
        }
        insert_all(self.txn, moved).await?;
        derived::refresh(self.txn, &changed).await
    }

    async fn update_one(
        &self,
        update: Update,
        shelves: &mut Shelves,
        moved: &mut Vec<inventory_movement::ActiveModel>,
    ) -> Result<()> {
        let Update {
            id,
            mut product,
            category,
            options,
            tags,
            images,
            variants,
            new_version,
            ..
        } = update;
        if let Some(path) = category {
            product.category_id = Set(shelves.find_or_make(self.txn, &path, self.now).await?);
        }
        if new_version {
            product::Entity::update(product).exec(self.txn).await?;
        }
        if let Some(options) = options {
            self.replace_options(id, options).await?;
        }
        if let Some(tags) = tags {
            self.replace_tags(id, tags).await?;
        }
        insert_all(self.txn, images.added).await?;
        for row in images.changed {
            product_image::Entity::update(row).exec(self.txn).await?;
        }
        for row in variants.changed {
            product_variant::Entity::update(row).exec(self.txn).await?;
        }
        insert_all(self.txn, variants.added).await?;
        // Last, when no variant shows them any more.
        if !images.removed.is_empty() {
            product_image::Entity::delete_many()
                .filter(product_image::Column::Id.is_in(images.removed))
                .exec(self.txn)
                .await?;
        }
        self.write_levels(&variants.first_levels, &variants.levels, moved)
            .await
    }

    async fn replace_options(&self, id: ProductId, names: Vec<String>) -> Result<()> {
        product_option::Entity::delete_many()
            .filter(product_option::Column::ProductId.eq(id))
            .exec(self.txn)
            .await?;
        let rows = (1..)
            .zip(names)
            .map(|(position, name)| product_option::ActiveModel {
                product_id: Set(id),
                position: Set(position),
                name: Set(name),
            });
        insert_all(self.txn, rows.collect()).await
    }

    async fn replace_tags(&self, id: ProductId, tags: Vec<String>) -> Result<()> {
        product_tag::Entity::delete_many()
            .filter(product_tag::Column::ProductId.eq(id))
            .exec(self.txn)
            .await?;
        let rows = (1..).zip(tags).map(|(position, tag)| product_tag::ActiveModel {
            product_id: Set(id),
            tag: Set(tag),
            position: Set(position),
        });
        insert_all(self.txn, rows.collect()).await
    }

    async fn write_levels(
        &self,
        first: &[LevelPlan],
        changed: &[LevelPlan],
        moved: &mut Vec<inventory_movement::ActiveModel>,
    ) -> Result<()> {
        let rows = first.iter().map(|level| inventory_level::ActiveModel {
            reserved: Set(0),
            ..level.row(self.now)
        });
        insert_all(self.txn, rows.collect()).await?;
        for level in changed {
            let mut row = level.row(self.now);
            row.variant_id = sea_orm::ActiveValue::Unchanged(level.variant_id);
            inventory_level::Entity::update(row).exec(self.txn).await?;
        }
        let deltas = first.iter().chain(changed).filter(|level| level.delta != 0);
        moved.extend(deltas.map(|level| inventory_movement::ActiveModel {
            id: Set(InventoryMovementId::new()),
            variant_id: Set(level.variant_id),
            on_hand_delta: Set(level.delta),
            reserved_delta: Set(0),
            reason: Set(REASON.to_owned()),
            actor: Set(self.actor.key()),
            occurred_at: Set(self.now),
        }));
        Ok(())
    }
}
