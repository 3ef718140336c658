//! The text of an object, and what its type needs to know to write it.

use std::io::Write as _;

use async_graphql::context::QueryEnv;
use async_graphql::indexmap::IndexMap;
use async_graphql::parser::types::{Field, Selection, SelectionSet};
use async_graphql::{Name, OutputType, Value};
use async_graphql_value::Value as InputValue;
use rust_decimal::Decimal;

use super::Json;
use crate::domain::context::Context;

/// A type that can say its fields at once.
pub(crate) trait Tell: OutputType {
    /// Writes the value of the field; None when it has to be waited for, or cannot be said. What was written by then is
    /// thrown away.
    fn tell(&self, field: &str, asked: &Asked<'_>, text: &mut Text) -> Option<()>;
}

/// What is asked of an object, and who asks.
#[derive(Clone, Copy)]
pub(crate) struct Asked<'a> {
    pub(super) env: &'a QueryEnv,
    pub(crate) domain: &'a Context,
    /// What is selected of it.
    pub(super) set: &'a SelectionSet,
    /// The field that it is the value of.
    pub(super) field: Option<&'a Field>,
}

impl Asked<'_> {
    /// The number that an argument of the field has; the outer None when it is none.
    pub(crate) fn number(&self, argument: &str) -> Option<Option<i32>> {
        let Some(value) = self.field?.get_argument(argument) else {
            return Some(None);
        };
        let number = match &value.node {
            InputValue::Number(number) => number.as_i64(),
            InputValue::Variable(name) => match self.env.variables.get(name)? {
                Value::Number(number) => number.as_i64(),
                _ => None,
            },
            _ => None,
        };
        i32::try_from(number?).ok().map(Some)
    }
}

/// JSON that grows.
#[derive(Debug, Default)]
pub(crate) struct Text {
    json: Vec<u8>,
    objects: u64,
}

/// The names of the two parts of a text that stands in for a value. They are no names of GraphQL's.
const JSON: &str = " json";
const OBJECTS: &str = " objects";

impl Text {
    pub(crate) fn null(&mut self) -> Option<()> {
        self.json.extend_from_slice(b"null");
        Some(())
    }

    pub(crate) fn string(&mut self, text: &str) -> Option<()> {
        serde_json::to_writer(&mut self.json, text).ok()
    }

    /// A text that may be missing.
    pub(crate) fn optional(&mut self, text: Option<&str>) -> Option<()> {
        match text {
            Some(text) => self.string(text),
            None => self.null(),
        }
    }

    /// Anything that shows as a text without quotes, backslashes or control characters.
    pub(crate) fn shown(&mut self, shown: impl std::fmt::Display) -> Option<()> {
        write!(self.json, "\"{shown}\"").ok()
    }

    /// As it shows, with all its decimals. To show it is ten times the work, since it makes a text of its own first.
    pub(crate) fn decimal(&mut self, amount: Decimal) -> Option<()> {
        let (digits, scale) = (
            u64::try_from(amount.mantissa().unsigned_abs()).ok()?,
            amount.scale(),
        );
        let unit = 10_u64.checked_pow(scale)?;
        self.json.push(b'"');
        if amount.is_sign_negative() && digits > 0 {
            self.json.push(b'-');
        }
        serde_json::to_writer(&mut self.json, &(digits / unit)).ok()?;
        if scale > 0 {
            self.json.push(b'.');
        }
        let mut rest = digits % unit;
        let mut place = unit;
        for _ in 0..scale {
            place /= 10;
            self.json.push(b'0' + u8::try_from(rest / place).ok()?);
            rest %= place;
        }
        self.json.push(b'"');
        Some(())
    }

    pub(crate) fn value(&mut self, value: &Value) -> Option<()> {
        serde_json::to_writer(&mut self.json, &Json(value)).ok()
    }

    pub(crate) fn boolean(&mut self, value: bool) -> Option<()> {
        let json: &[u8] = if value { b"true" } else { b"false" };
        self.json.extend_from_slice(json);
        Some(())
    }

    pub(crate) fn integer(&mut self, value: i32) -> Option<()> {
        write!(self.json, "{value}").ok()
    }

    /// An object, with what is selected of it.
    pub(crate) fn object<T: Tell>(&mut self, asked: &Asked<'_>, object: &T) -> Option<()> {
        self.objects += 1;
        self.json.push(b'{');
        self.fields(asked, asked.set, object)?;
        self.end(b'}');
        Some(())
    }

    /// A list of objects.
    pub(crate) fn list<T: Tell>(
        &mut self,
        asked: &Asked<'_>,
        items: impl IntoIterator<Item = T>,
    ) -> Option<()> {
        self.json.push(b'[');
        for item in items {
            self.object(asked, &item)?;
            self.json.push(b',');
        }
        self.end(b']');
        Some(())
    }

    /// A list of texts.
    pub(crate) fn strings<'t>(&mut self, items: impl IntoIterator<Item = &'t str>) -> Option<()> {
        self.json.push(b'[');
        for item in items {
            self.string(item)?;
            self.json.push(b',');
        }
        self.end(b']');
        Some(())
    }

    /// The bracket in the place of the last comma.
    fn end(&mut self, bracket: u8) {
        match self.json.last_mut() {
            Some(last) if *last == b',' => *last = bracket,
            _ => self.json.push(bracket),
        }
    }

    /// Each with a comma behind it. Their names are no more than letters, digits and underscores.
    fn fields<T: Tell>(&mut self, asked: &Asked<'_>, set: &SelectionSet, object: &T) -> Option<()> {
        for selection in &set.items {
            match &selection.node {
                Selection::Field(field) if field.node.directives.is_empty() => {
                    let field = &field.node;
                    self.json.push(b'"');
                    self.json.extend_from_slice(field.response_key().node.as_bytes());
                    self.json.extend_from_slice(b"\":");
                    let name = field.name.node.as_str();
                    if name == "__typename" {
                        self.string(&T::type_name())?;
                    } else {
                        let asked = Asked {
                            set: &field.selection_set.node,
                            field: Some(field),
                            ..*asked
                        };
                        object.tell(name, &asked, self)?;
                    }
                    self.json.push(b',');
                }
                Selection::Field(_) => return None,
                Selection::InlineFragment(fragment) => {
                    let on = fragment.node.type_condition.as_ref();
                    let on = on.map(|condition| condition.node.on.node.as_str());
                    self.fragment(asked, on, &fragment.node.selection_set.node, object)?;
                }
                Selection::FragmentSpread(spread) => {
                    let fragment = asked.env.fragments.get(&spread.node.fragment_name.node)?;
                    let fragment = &fragment.node;
                    let on = fragment.type_condition.node.on.node.as_str();
                    self.fragment(asked, Some(on), &fragment.selection_set.node, object)?;
                }
            }
        }
        Some(())
    }

    /// Those on interfaces and unions are left to the library.
    fn fragment<T: Tell>(
        &mut self,
        asked: &Asked<'_>,
        on: Option<&str>,
        set: &SelectionSet,
        object: &T,
    ) -> Option<()> {
        if on.is_some_and(|on| on != T::type_name()) {
            return None;
        }
        self.fields(asked, set, object)
    }

    /// What stands for it among the library's values.
    pub(super) fn into_value(self) -> Option<Value> {
        let json = String::from_utf8(self.json).ok()?;
        let parts = [
            (Name::new(JSON), Value::String(json)),
            (Name::new(OBJECTS), self.objects.into()),
        ];
        Some(Value::Object(IndexMap::from(parts)))
    }
}

/// What [`Text::into_value`] put in, and the number of its objects; None for any other value.
pub(super) fn read(value: &Value) -> Option<(&str, u64)> {
    let Value::Object(parts) = value else { return None };
    match (parts.get_index(0)?, parts.get_index(1)?) {
        ((name, Value::String(json)), (_, Value::Number(objects))) if *name == JSON => {
            Some((json, objects.as_u64()?))
        }
        _ => None,
    }
}

impl<T: Tell> Tell for &T {
    fn tell(&self, field: &str, asked: &Asked<'_>, text: &mut Text) -> Option<()> {
        T::tell(self, field, asked, text)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn a_decimal_is_written_as_it_shows(minor: i64, scale in 0..10_u32) {
            let amount = Decimal::new(minor, scale);
            let mut text = Text::default();
            text.decimal(amount).unwrap();
            prop_assert_eq!(String::from_utf8(text.json).unwrap(), format!("\"{amount}\""));
        }
    }
}
