//! Input fields that tell null from absent.

use async_graphql::MaybeUndefined;

use crate::kernel::change::Change;

impl<T> From<MaybeUndefined<T>> for Change<T> {
    fn from(sent: MaybeUndefined<T>) -> Self {
        match sent {
            MaybeUndefined::Undefined => Self::Keep,
            MaybeUndefined::Null => Self::Clear,
            MaybeUndefined::Value(value) => Self::Set(value),
        }
    }
}
