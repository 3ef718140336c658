//! Objects that are at hand, written straight into the answer as JSON.
//!
//! The library makes a future of each field and an entry in a table of each value, and the text only then: ten times the
//! work of the text, for a page of rows that lie in memory. So types that can say their fields at once do so, as one text
//! for the whole object or list. Where anything of it has to be waited for or cannot be said, the library resolves all of it
//! as ever, and says what is wrong and where.
//!
//! In the library's values such a text stands as an object with names that no field can have: see [`Text::into_value`].

mod json;
mod text;

use std::borrow::Cow;
use std::sync::OnceLock;

use async_graphql::parser::types::Field;
use async_graphql::registry::Registry;
use async_graphql::{ContextSelectionSet, OutputType, Positioned, ServerResult, Value};

use metrics::Counter;

use super::list::List;
use crate::infra::metric::{self, ANSWER_TEXTS};

pub(super) use json::Json;
pub(crate) use text::{Asked, Tell, Text};

/// Put beside an operation that may be answered so: one in whose answer no two fields have the same name, because the library
/// would put together what they say, and cannot look into a text; and not where there are traces, which would not hear of
/// its fields.
#[derive(Clone, Copy, Debug)]
pub(super) struct Telling;

/// An object that is told where it can be.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Told<T>(pub(crate) T);

/// The same for a list.
#[derive(Clone, Debug)]
pub(crate) struct ToldList<T>(List<T>);

impl<T> FromIterator<T> for ToldList<T> {
    fn from_iter<I: IntoIterator<Item = T>>(items: I) -> Self {
        Self(items.into_iter().collect())
    }
}

/// How many objects a text holds that stands in for this value; None for any other value.
pub(super) fn objects(value: &Value) -> Option<u64> {
    text::read(value).map(|(_, objects)| objects)
}

fn tell(
    ctx: &ContextSelectionSet<'_>,
    say: impl FnOnce(&mut Text, &Asked<'_>) -> Option<()>,
) -> Option<Value> {
    ctx.data_opt::<Telling>()?;
    let asked = Asked {
        env: ctx.query_env,
        domain: ctx.data_opt()?,
        set: &ctx.item.node,
        field: None,
    };
    let mut text = Text::default();
    let is_told = say(&mut text, &asked).is_some();
    count(is_told);
    is_told.then(|| text.into_value()).flatten()
}

/// For each page of rows: so the counters are looked up once.
fn count(is_told: bool) {
    static COUNTERS: OnceLock<[Counter; 2]> = OnceLock::new();
    if metric::is_on() {
        let [told, resolved] =
            COUNTERS.get_or_init(|| ["told", "resolved"].map(|outcome| ANSWER_TEXTS.counter([outcome])));
        let counter = if is_told { told } else { resolved };
        counter.increment(1);
    }
}

impl<T: Tell> OutputType for Told<T> {
    fn type_name() -> Cow<'static, str> {
        T::type_name()
    }

    fn qualified_type_name() -> String {
        T::qualified_type_name()
    }

    fn create_type_info(registry: &mut Registry) -> String {
        T::create_type_info(registry)
    }

    async fn resolve(&self, ctx: &ContextSelectionSet<'_>, field: &Positioned<Field>) -> ServerResult<Value> {
        match tell(ctx, |text, asked| text.object(asked, &self.0)) {
            Some(value) => Ok(value),
            None => self.0.resolve(ctx, field).await,
        }
    }
}

impl<T: Tell> OutputType for ToldList<T> {
    fn type_name() -> Cow<'static, str> {
        List::<T>::type_name()
    }

    fn qualified_type_name() -> String {
        List::<T>::qualified_type_name()
    }

    fn create_type_info(registry: &mut Registry) -> String {
        List::<T>::create_type_info(registry)
    }

    async fn resolve(&self, ctx: &ContextSelectionSet<'_>, field: &Positioned<Field>) -> ServerResult<Value> {
        match tell(ctx, |text, asked| text.list(asked, self.0.iter())) {
            Some(value) => Ok(value),
            None => self.0.resolve(ctx, field).await,
        }
    }
}
