//! What a file does to the stock of a variant.

use sea_orm::ActiveValue::Set;

use super::product::FileVariant;
use super::report::Note;
use crate::entity::inventory_level;
use crate::kernel::id::ProductVariantId;

/// The level as it is to be.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct LevelPlan {
    pub variant_id: ProductVariantId,
    pub tracked: bool,
    pub on_hand: i64,
    pub imported_on_hand: Option<i64>,
    /// By how much `on_hand` changes.
    pub delta: i64,
    /// Whether anyone can see the difference; the other kind is only remembering what the file said.
    pub shows: bool,
    pub warning: Option<Note>,
}

impl LevelPlan {
    pub(super) fn row(&self, now: chrono::DateTime<chrono::Utc>) -> inventory_level::ActiveModel {
        inventory_level::ActiveModel {
            variant_id: Set(self.variant_id),
            tracked: Set(self.tracked),
            on_hand: Set(self.on_hand),
            imported_on_hand: Set(self.imported_on_hand),
            updated_at: Set(now),
            ..Default::default()
        }
    }
}

/// The level of a variant that the shop does not have yet.
pub(super) fn first(variant_id: ProductVariantId, file: &FileVariant) -> LevelPlan {
    let on_hand = file.quantity.unwrap_or(0);
    LevelPlan {
        variant_id,
        tracked: file.tracked.unwrap_or(false),
        on_hand,
        imported_on_hand: file.quantity,
        delta: on_hand,
        shows: true,
        warning: None,
    }
}

/// What changes of a level; None when nothing does.
///
/// The file's number counts when it is another one than the last file's: a file that is imported again
/// must not bring back what has been sold since. `overwrite` makes it count always.
pub(super) fn change(
    level: &inventory_level::Model,
    file: &FileVariant,
    overwrite: bool,
) -> Option<LevelPlan> {
    let tracked = file.tracked.unwrap_or(level.tracked);
    let news = file
        .quantity
        .filter(|quantity| overwrite || level.imported_on_hand != Some(*quantity));
    let mut on_hand = news.unwrap_or(level.on_hand);
    let mut warning = None;
    if tracked && on_hand < level.reserved {
        on_hand = level.reserved;
        let reason =
            format!("has less stock than the {on_hand} that are reserved for orders: kept at {on_hand}");
        warning = Some(Note::new(file.line, reason));
    }
    let imported_on_hand = file.quantity.or(level.imported_on_hand);
    let delta = on_hand - level.on_hand;
    let shows = delta != 0 || tracked != level.tracked;
    if !shows && imported_on_hand == level.imported_on_hand {
        return None;
    }
    Some(LevelPlan {
        variant_id: level.variant_id,
        tracked,
        on_hand,
        imported_on_hand,
        delta,
        shows,
        warning,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn level(on_hand: i64, reserved: i64, imported: Option<i64>) -> inventory_level::Model {
        inventory_level::Model {
            variant_id: ProductVariantId::new(),
            tracked: true,
            on_hand,
            reserved,
            imported_on_hand: imported,
            updated_at: chrono::DateTime::UNIX_EPOCH,
        }
    }

    fn says(quantity: Option<i64>) -> FileVariant {
        FileVariant {
            line: 7,
            options: Default::default(),
            sku: None,
            price: 100,
            compare_at: None,
            image: None,
            tracked: Some(true),
            quantity,
        }
    }

    #[test]
    fn only_news_of_the_file_touch_what_was_set_since() {
        // (on hand, reserved, last file, this file, overwrite) -> on hand, whether that is a warning
        for (on_hand, reserved, imported, file, overwrite, expected, warned) in [
            (10, 0, Some(10), Some(10), false, 10, false),
            (7, 0, Some(10), Some(10), false, 7, false),
            (7, 0, Some(10), Some(12), false, 12, false),
            (7, 0, Some(10), Some(10), true, 10, false),
            (7, 0, None, Some(10), false, 10, false),
            (7, 0, Some(10), None, true, 7, false),
            (7, 5, Some(10), Some(3), false, 5, true),
            (7, 5, Some(10), Some(5), false, 5, false),
            (7, 5, Some(3), Some(3), false, 7, false),
        ] {
            let level = level(on_hand, reserved, imported);
            let plan = change(&level, &says(file), overwrite);
            let after = plan.as_ref().map_or(level.on_hand, |plan| plan.on_hand);
            assert_eq!(after, expected, "{level:?} {file:?} {overwrite}");
            assert_eq!(
                plan.as_ref().is_some_and(|plan| plan.warning.is_some()),
                warned,
                "{level:?} {file:?}"
            );
            assert_eq!(plan.as_ref().map_or(0, |plan| plan.delta), expected - on_hand);
        }
    }

    #[test]
    fn the_last_file_is_remembered_without_showing() {
        let plan = change(&level(7, 0, Some(10)), &says(Some(7)), false).unwrap();
        assert_eq!(
            (plan.on_hand, plan.delta, plan.shows, plan.imported_on_hand),
            (7, 0, false, Some(7))
        );
    }

    #[test]
    fn stock_that_is_tracked_from_now_on_covers_what_is_reserved() {
        let untracked = inventory_level::Model {
            tracked: false,
            ..level(0, 3, Some(0))
        };
        let plan = change(&untracked, &says(Some(0)), false).unwrap();
        assert_eq!((plan.tracked, plan.on_hand, plan.delta), (true, 3, 3));
    }
}
