//! Makes an omitted variable mean what the specification says: the argument or input field that it stands
//! for is absent, so that its default applies.
//!
//! The library makes a null of it where the argument has a default, and fails then.

use std::collections::HashSet;

use async_graphql::parser::types::{ExecutableDocument, OperationDefinition, Selection, SelectionSet};
use async_graphql::{Positioned, Variables};
use async_graphql_value::Value as InputValue;

use super::walk;

/// Takes out every argument and every field of an input object whose value is a variable that was
/// neither sent nor has a default, and the definitions of those that nothing else uses.
pub(super) fn strip(
    document: &mut ExecutableDocument,
    operation: &mut Positioned<OperationDefinition>,
    variables: &Variables,
) {
    let omitted: HashSet<String> = operation
        .node
        .variable_definitions
        .iter()
        .filter(|v| v.node.default_value.is_none() && !variables.contains_key(v.node.name.node.as_str()))
        .map(|v| v.node.name.node.to_string())
        .collect();
    if omitted.is_empty() {
        return;
    }
    let mut stripping = Stripping {
        omitted: &omitted,
        stripped: HashSet::new(),
    };
    stripping.selection(&mut operation.node.selection_set.node);
    for fragment in document.fragments.values_mut() {
        stripping.selection(&mut fragment.node.selection_set.node);
    }
    let mut unused = stripping.stripped;
    // A list keeps its place for an omitted variable, so its definition must stay.
    walk::arguments(document, operation, &mut |arguments| {
        for (_, value) in arguments {
            forget_used(&value.node, &mut unused);
        }
    });
    operation
        .node
        .variable_definitions
        .retain(|v| !unused.contains(v.node.name.node.as_str()));
}

struct Stripping<'a> {
    omitted: &'a HashSet<String>,
    stripped: HashSet<String>,
}

impl Stripping<'_> {
    fn selection(&mut self, set: &mut SelectionSet) {
        for item in &mut set.items {
            match &mut item.node {
                Selection::Field(field) => {
                    field
                        .node
                        .arguments
                        .retain_mut(|(_, value)| self.keep(&mut value.node));
                    self.selection(&mut field.node.selection_set.node);
                }
                Selection::InlineFragment(inline) => self.selection(&mut inline.node.selection_set.node),
                Selection::FragmentSpread(_) => {}
            }
        }
    }

    fn keep(&mut self, value: &mut InputValue) -> bool {
        match value {
            InputValue::Variable(name) if self.omitted.contains(name.as_str()) => {
                self.stripped.insert(name.to_string());
                return false;
            }
            InputValue::Object(fields) => fields.retain(|_, field| self.keep(field)),
            InputValue::List(items) => {
                for item in items {
                    if !matches!(item, InputValue::Variable(_)) {
                        self.keep(item);
                    }
                }
            }
            InputValue::Variable(_)
            | InputValue::Null
            | InputValue::Number(_)
            | InputValue::String(_)
            | InputValue::Boolean(_)
            | InputValue::Binary(_)
            | InputValue::Enum(_) => {}
        }
        true
    }
}

fn forget_used(value: &InputValue, unused: &mut HashSet<String>) {
    match value {
        InputValue::Variable(name) => {
            unused.remove(name.as_str());
        }
        InputValue::List(items) => items.iter().for_each(|item| forget_used(item, unused)),
        InputValue::Object(fields) => fields.values().for_each(|field| forget_used(field, unused)),
        InputValue::Null
        | InputValue::Number(_)
        | InputValue::String(_)
        | InputValue::Boolean(_)
        | InputValue::Binary(_)
        | InputValue::Enum(_) => {}
    }
}
