//! Ids: newtypes over UUIDv7, shown to the world as [TypeIDs](https://github.com/jetify-com/typeid)
//! such as `product_01kb…`. The type of an id is checked before anything is looked up by it.

use std::fmt;
use std::str::FromStr;

use sea_orm::{DbErr, DeriveValueType, TryFromU64};
use type_safe_id::{DynamicType, TypeSafeId};
use uuid::Uuid;

/// A text that is not an id of the type asked for.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum IdError {
    #[error("is not an id: ids look like {0}_01h455vb4pex5vsknk084sn02q")]
    Malformed(&'static str),
    #[error("is the id of a {found}, where the id of a {expected} is needed")]
    WrongType { expected: &'static str, found: String },
}

fn parse(text: &str, prefix: &'static str) -> Result<Uuid, IdError> {
    let id = TypeSafeId::<DynamicType>::from_str(text).map_err(|_| IdError::Malformed(prefix))?;
    if id.type_prefix() == prefix {
        Ok(id.uuid())
    } else {
        Err(IdError::WrongType {
            expected: prefix,
            found: id.type_prefix().to_owned(),
        })
    }
}

fn show(f: &mut fmt::Formatter<'_>, prefix: &str, uuid: Uuid) -> fmt::Result {
    let kind = DynamicType::new(prefix).map_err(|_| fmt::Error)?;
    write!(f, "{}", TypeSafeId::from_type_and_uuid(kind, uuid))
}

/// The prefix of a TypeID, e.g. `product`, when the text has the form of one.
pub fn prefix_of(text: &str) -> Option<&str> {
    text.rsplit_once('_').map(|(prefix, _)| prefix)
}

macro_rules! ids {
    ($($(#[$doc:meta])* $name:ident = $prefix:literal;)*) => {$(
        $(#[$doc])*
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, DeriveValueType)]
        pub struct $name(pub Uuid);

        impl $name {
            pub const PREFIX: &'static str = $prefix;

            /// A new id, later than those made before it.
            #[expect(clippy::new_without_default, reason = "a default that differs each time would surprise")]
            pub fn new() -> Self {
                Self(Uuid::now_v7())
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                show(f, $prefix, self.0)
            }
        }

        impl FromStr for $name {
            type Err = IdError;

            fn from_str(text: &str) -> Result<Self, IdError> {
                parse(text, $prefix).map(Self)
            }
        }

        impl TryFromU64 for $name {
            fn try_from_u64(_: u64) -> Result<Self, DbErr> {
                Err(DbErr::ConvertFromU64(stringify!($name)))
            }
        }
    )*};
}

ids! {
    ProductId = "product";
    ProductVariantId = "variant";
    ProductImageId = "image";
    CategoryId = "category";
    InventoryMovementId = "movement";
    UserId = "user";
    SessionId = "session";
    AuditRecordId = "audit";
    CartId = "cart";
    CartLineId = "cart_line";
    OrderId = "order";
    OrderLineId = "order_line";
    OrderEventId = "order_event";
    FulfillmentId = "fulfillment";
    PaymentId = "payment";
    RefundId = "refund";
    LedgerTransferId = "transfer";
    /// What happened, and moved money between accounts.
    LedgerBookingId = "booking";
}

impl CartId {
    /// A new id that nobody can guess: whoever knows it may use the cart. The time that other ids begin with would give
    /// away 48 of its 122 random bits.
    pub fn random() -> Self {
        Self(Uuid::new_v4())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_id_survives_the_trip_to_text_and_back() {
        let id = ProductId::new();
        assert_eq!(id.to_string().parse(), Ok(id));
        assert_eq!(id.to_string().len(), "product_".len() + 26);
    }

    #[test]
    fn the_id_of_another_type_is_refused_by_its_name() {
        let id = CategoryId::new().to_string();
        let error = ProductId::from_str(&id).unwrap_err();
        assert_eq!(
            error,
            IdError::WrongType {
                expected: "product",
                found: "category".to_owned()
            }
        );
    }

    #[test]
    fn what_is_no_id_is_refused() {
        for text in [
            "",
            "product",
            "product_",
            "product_zzz",
            "01h455vb4pex5vsknk084sn02q",
            "product_81h455vb4pex5vsknk084sn02q",
        ] {
            assert!(ProductId::from_str(text).is_err(), "{text}");
        }
    }
}
