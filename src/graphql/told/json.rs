//! The library's values as JSON, with the texts that stand in some of them.

use async_graphql::Value;
use serde::ser::{Serialize, SerializeStruct as _, Serializer};

use super::text::read;

/// By this name serde_json knows a text that is JSON already, and takes it as it is. Its own type for such texts reads them
/// through first, to be sure.
const RAW: &str = "$serde_json::private::RawValue";

/// A value to be written.
#[derive(Debug)]
pub(in crate::graphql) struct Json<'a>(pub(in crate::graphql) &'a Value);

impl Serialize for Json<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self.0 {
            Value::List(items) => serializer.collect_seq(items.iter().map(Json)),
            Value::Object(fields) => match read(self.0) {
                Some((json, _)) => {
                    let mut raw = serializer.serialize_struct(RAW, 1)?;
                    raw.serialize_field(RAW, json)?;
                    raw.end()
                }
                None => serializer.collect_map(fields.iter().map(|(name, value)| (name, Json(value)))),
            },
            plain => plain.serialize(serializer),
        }
    }
}
