//! Stock as staff see it.

use async_graphql::SimpleObject;

use crate::entity::inventory_level;

/// The stock of a variant, for staff.
#[derive(Clone, Copy, Debug, PartialEq, Eq, SimpleObject)]
pub struct InventoryLevel {
    /// How many there are.
    on_hand: i32,
    /// How many of them are promised to orders that are not yet shipped.
    reserved: i32,
    /// How many can still be sold: `onHand` less `reserved`.
    available: i32,
}

/// A number that the database keeps within GraphQL's Int.
pub(crate) fn int(number: i64) -> i32 {
    i32::try_from(number).unwrap_or(i32::MAX)
}

impl From<&inventory_level::Model> for InventoryLevel {
    fn from(level: &inventory_level::Model) -> Self {
        Self {
            on_hand: int(level.on_hand),
            reserved: int(level.reserved),
            available: int(level.on_hand - level.reserved),
        }
    }
}
