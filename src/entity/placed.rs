//! Rows taken apart by the places of their columns.
//!
//! The library looks up each column by its name, which it puts together anew for each row: of a page of orders with their lines
//! and payments that is more work than the values are. Only for tables of which many rows are read at once.

use sea_orm::{ConnectionTrait, DbErr, EntityTrait, QueryResult, QueryTrait as _, Select};

/// A model that knows the order in which a select of its entity names the columns.
pub trait Placed: Sized {
    /// # Errors
    /// A value is none of its column's type.
    fn from_places(row: &QueryResult) -> Result<Self, DbErr>;
}

/// All rows of a select that names all columns of its entity, and no others.
///
/// # Errors
/// The database does not answer, or refuses.
pub async fn all<E>(select: Select<E>, connection: &impl ConnectionTrait) -> Result<Vec<E::Model>, DbErr>
where
    E: EntityTrait,
    E::Model: Placed,
{
    let statement = select.build(connection.get_database_backend());
    let rows = connection.query_all_raw(statement).await?;
    rows.iter().map(E::Model::from_places).collect()
}

/// With all fields of the model beside it, in their order.
macro_rules! placed {
    ($($field:ident),+ $(,)?) => {
        impl $crate::entity::placed::Placed for Model {
            fn from_places(row: &sea_orm::QueryResult) -> Result<Self, sea_orm::DbErr> {
                let mut places = 0_usize..;
                // A struct's fields are evaluated as they are written.
                Ok(Self {
                    $($field: row.try_get_by_index(places.next().unwrap_or_default())?,)+
                })
            }
        }

        #[cfg(test)]
        mod tests {
            use sea_orm::{IdenStatic as _, Iterable as _};

            #[test]
            fn its_fields_are_listed_in_the_order_of_its_columns() {
                let columns: Vec<&str> = super::Column::iter().map(|column| column.as_str()).collect();
                assert_eq!(columns, [$(stringify!($field)),+]);
            }
        }
    };
}
pub(crate) use placed;
