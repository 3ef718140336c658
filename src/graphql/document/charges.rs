//! What an answer has cost: the objects that are in it, and what reading it took beyond them.

use async_graphql::parser::types::{Selection, SelectionSet};
use async_graphql::registry::MetaTypeName;
use async_graphql::{Name, PathSegment, ServerError, Value};

use super::cost::Counter;
use crate::graphql::told;

/// What the objects of an answer do not show.
#[derive(Clone, Debug, Default)]
pub struct Charges {
    /// Whatever comes of it: mutations, and looks at the schema.
    pub(super) fixed: u64,
    pub(super) fields: Vec<Surcharge>,
}

/// A field of an answer that costs more than its objects, or that leads to one. Of fields that have the same name in the
/// answer the dearest counts: which of them it is depends on the type of each object.
#[derive(Clone, Debug)]
pub(super) struct Surcharge {
    /// In the answer.
    name: Name,
    amount: u64,
    below: Vec<Surcharge>,
}

impl Charges {
    /// What the answer has cost: at least 1, and no more than what was asked for. All of that when an error has taken something
    /// with it that had been read, or may have, because no more than `most_errors` are told.
    pub fn of_answer(&self, requested: u64, data: &Value, errors: &[ServerError], most_errors: usize) -> u64 {
        let lost = || errors.iter().any(|error| takes_more(data, &error.path));
        if !errors.is_empty() && (errors.len() >= most_errors || lost()) {
            return requested.max(1);
        }
        let objects = match data {
            Value::Object(fields) => fields.iter().fold(0, |sum: u64, (name, value)| {
                sum.saturating_add(field(name, value, &self.fields))
            }),
            _ => 0,
        };
        objects.saturating_add(self.fixed).clamp(1, requested.max(1))
    }
}

/// Whether null is found above the field that failed: what else there was below it, nobody can see any more.
fn takes_more(data: &Value, path: &[PathSegment]) -> bool {
    let mut value = data;
    for segment in path {
        let below = match (value, segment) {
            (Value::Object(fields), PathSegment::Field(name)) => fields.get(name.as_str()),
            (Value::List(items), PathSegment::Index(index)) => items.get(*index),
            _ => None,
        };
        let Some(below) = below else { return true };
        value = below;
    }
    false
}

fn field(name: &Name, value: &Value, surcharges: &[Surcharge]) -> u64 {
    if *value == Value::Null {
        return 0;
    }
    match surcharges.iter().find(|surcharge| surcharge.name == *name) {
        Some(Surcharge { amount, below, .. }) => objects(value, below).saturating_add(*amount),
        None => objects(value, &[]),
    }
}

fn objects(value: &Value, surcharges: &[Surcharge]) -> u64 {
    match value {
        Value::List(items) => items
            .iter()
            .fold(0, |sum: u64, item| sum.saturating_add(objects(item, surcharges))),
        // A text has none of the fields that cost more than their objects.
        Value::Object(fields) => told::objects(value).unwrap_or_else(|| {
            fields.iter().fold(1, |sum: u64, (name, value)| {
                sum.saturating_add(field(name, value, surcharges))
            })
        }),
        Value::Null
        | Value::Number(_)
        | Value::String(_)
        | Value::Boolean(_)
        | Value::Binary(_)
        | Value::Enum(_) => 0,
    }
}

/// Those of a selection. Once its fragments are spread it is known to be small enough to be walked.
pub(super) fn of_fields(counter: &Counter<'_>, parent: &str, set: &SelectionSet) -> Vec<Surcharge> {
    let mut found = Vec::new();
    collect(counter, parent, set, &mut found);
    found
}

fn collect(counter: &Counter<'_>, parent: &str, set: &SelectionSet, found: &mut Vec<Surcharge>) {
    for item in &set.items {
        match &item.node {
            Selection::Field(field) => {
                let field = &field.node;
                let mut below = Vec::new();
                let kind = counter.registry.types.get(parent);
                if let Some(meta) = kind.and_then(|kind| kind.field_by_name(&field.name.node)) {
                    let inside = MetaTypeName::concrete_typename(&meta.ty);
                    collect(counter, inside, &field.selection_set.node, &mut below);
                }
                let amount = counter.surcharge(parent, field);
                if amount > 0 || !below.is_empty() {
                    let name = field.response_key().node.clone();
                    merge(Surcharge { name, amount, below }, found);
                }
            }
            Selection::InlineFragment(inline) => {
                let condition = inline.node.type_condition.as_ref();
                let on = condition.map_or(parent, |condition| condition.node.on.node.as_str());
                collect(counter, on, &inline.node.selection_set.node, found);
            }
            Selection::FragmentSpread(spread) => {
                if let Some(fragment) = counter.document.fragments.get(&spread.node.fragment_name.node) {
                    let on = &fragment.node.type_condition.node.on.node;
                    collect(counter, on, &fragment.node.selection_set.node, found);
                }
            }
        }
    }
}

fn merge(new: Surcharge, into: &mut Vec<Surcharge>) {
    match into.iter_mut().find(|known| known.name == new.name) {
        None => into.push(new),
        Some(known) => {
            known.amount = known.amount.max(new.amount);
            for below in new.below {
                merge(below, &mut known.below);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use async_graphql::value;

    use super::*;

    fn surcharge(name: &str, amount: u64, below: Vec<Surcharge>) -> Surcharge {
        Surcharge {
            name: Name::new(name),
            amount,
            below,
        }
    }

    #[test]
    fn an_answer_costs_what_is_in_it() {
        let mut total = Vec::new();
        merge(
            surcharge("list", 0, vec![surcharge("total", 200, vec![])]),
            &mut total,
        );
        merge(
            surcharge("list", 0, vec![surcharge("total", 200, vec![])]),
            &mut total,
        );
        merge(surcharge("list", 100, vec![]), &mut total);
        let charges = Charges {
            fixed: 10,
            fields: total,
        };
        let items = value!({"shop": {"name": "x"}, "list": [{"a": 1}, null, {"b": {"c": []}, "total": 3}]});
        for (data, cost) in [
            (Value::Null, 10),
            (value!({"list": null}), 10),
            (value!({"other": [[{}], [{}, {}]]}), 13),
            // The shop, two items and what is in one, the list's own surcharge and one count.
            (items, 10 + 4 + 100 + 200),
        ] {
            assert_eq!(charges.of_answer(1_000, &data, &[], 20), cost, "{data}");
        }
        assert_eq!(Charges::default().of_answer(5, &Value::Null, &[], 20), 1);
        assert_eq!(charges.of_answer(7, &Value::Null, &[], 20), 7);
    }

    #[test]
    fn what_an_error_has_taken_with_it_is_charged() {
        let error = |path: &[&str]| {
            let segment = |part: &&str| match part.parse() {
                Ok(index) => PathSegment::Index(index),
                Err(_) => PathSegment::Field((*part).to_owned()),
            };
            let mut error = ServerError::new("for the test", None);
            error.path = path.iter().map(segment).collect();
            error
        };
        let data = value!({"list": [{"a": null}, null], "b": null});
        for (data, path, cost) in [
            // The field that failed is null itself, and what is beside it is there.
            (data.clone(), &["list", "0", "a"][..], 1),
            (data.clone(), &["b"], 1),
            (data.clone(), &["list", "1", "a"], 1_000),
            (data.clone(), &["b", "c", "3", "d"], 1_000),
            (Value::Null, &["list"], 1_000),
        ] {
            let charged = Charges::default().of_answer(1_000, &data, &[error(path)], 20);
            assert_eq!(charged, cost, "{path:?} of {data}");
        }
        // Of more errors only the first are told.
        let many = vec![error(&["b"]); 20];
        assert_eq!(Charges::default().of_answer(1_000, &data, &many, 20), 1_000);
    }
}
