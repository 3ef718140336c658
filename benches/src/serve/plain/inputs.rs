//! The inputs of Souk's schema that the loads use.

use async_graphql::{Enum, InputObject, OneofObject};

#[derive(OneofObject)]
pub(super) enum ProductBy {
    Slug(String),
}

#[derive(OneofObject)]
pub(super) enum CategoryBy {
    Slug(String),
}

#[derive(InputObject)]
pub(super) struct ProductFilter {
    pub(super) text: String,
    pub(super) category: CategoryBy,
}

#[derive(Clone, Copy, PartialEq, Eq, Enum)]
pub(super) enum ProductSortField {
    Name,
    Price,
}

#[derive(Clone, Copy, PartialEq, Eq, Enum)]
pub(super) enum SortDirection {
    Asc,
    Desc,
}

#[derive(InputObject)]
pub(super) struct ProductSort {
    pub(super) field: ProductSortField,
    #[graphql(default_with = "SortDirection::Asc")]
    pub(super) direction: SortDirection,
}
