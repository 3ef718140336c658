//! A bad request and what must become of it, written in one line of a table.

use serde_json::{Map, Value};

/// Stands for a field that is left out.
pub(super) const MISSING: &str = "@missing";

/// An operation that succeeds with its own variables, and whose arguments are spoilt one at a time.
pub(super) struct Operation {
    /// The field whose arguments the rows name, as the schema writes it.
    pub(super) field: &'static str,
    /// Where that field lies in the answer.
    pub(super) answered_at: &'static [&'static str],
    pub(super) document: &'static str,
    /// What must be sent for it to succeed.
    pub(super) variables: Value,
    pub(super) rows: Vec<Row>,
}

/// One bad value.
#[derive(Clone)]
pub(super) struct Row {
    /// Which argument or input field, segments joined by dots.
    pub(super) path: &'static str,
    pub(super) value: Value,
    pub(super) expected: Expected,
    /// Variables that the bad value needs beside it.
    pub(super) beside: Value,
}

/// What must become of it. Without a path it is that of the row.
#[derive(Clone, Copy, Debug)]
pub(super) enum Expected {
    /// It is not of its type: nothing runs, and the error names the place in the variables.
    WrongType,
    WrongTypeAt(&'static str),
    /// A list is beyond the limit of all lists.
    ListTooLong,
    /// The field refuses the argument.
    BadArgument,
    BadArgumentAt(&'static str),
    /// The shop refuses, as data.
    Refused(&'static str),
    RefusedAt(&'static str, &'static str),
}

pub(super) fn row(path: &'static str, value: impl Into<Value>, expected: Expected) -> Row {
    Row {
        path,
        value: value.into(),
        expected,
        beside: Value::Null,
    }
}

impl Row {
    pub(super) fn beside(mut self, variables: Value) -> Self {
        self.beside = variables;
        self
    }

    /// The variables to send.
    pub(super) fn variables(&self, good: &Value) -> Value {
        let mut variables = good.clone();
        if let (Value::Object(all), Value::Object(more)) = (&mut variables, &self.beside) {
            all.extend(more.clone());
        }
        let segments: Vec<&str> = self.path.split('.').collect();
        put(&mut variables, &segments, &self.value);
        variables
    }
}

/// Puts a value where the segments lead, making what is not there yet.
fn put(place: &mut Value, segments: &[&str], value: &Value) {
    let Some((segment, rest)) = segments.split_first() else {
        place.clone_from(value);
        return;
    };
    let missing = rest.is_empty() && value == MISSING;
    if let Ok(index) = segment.parse::<usize>() {
        if !place.is_array() {
            *place = Value::Array(Vec::new());
        }
        let items = place.as_array_mut().unwrap();
        while items.len() <= index {
            items.push(Value::Null);
        }
        put(&mut items[index], rest, value);
        return;
    }
    if !place.is_object() {
        *place = Value::Object(Map::new());
    }
    let fields = place.as_object_mut().unwrap();
    if missing {
        fields.remove(*segment);
    } else {
        put(fields.entry(*segment).or_insert(Value::Null), rest, value);
    }
}

/// Replaces names such as `@mug` by what they stand for.
pub(super) fn resolve(value: &mut Value, names: &[(&str, String)]) {
    match value {
        Value::String(text) => {
            if let Some((_, meant)) = names.iter().find(|(name, _)| name == text) {
                text.clone_from(meant);
            }
        }
        Value::Array(items) => items.iter_mut().for_each(|item| resolve(item, names)),
        Value::Object(fields) => fields.values_mut().for_each(|field| resolve(field, names)),
        Value::Null | Value::Bool(_) | Value::Number(_) => {}
    }
}
