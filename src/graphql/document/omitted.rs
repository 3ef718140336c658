//! Makes an omitted variable mean what the specification says: the argument or input field that it stands
//! for is absent, so that its default applies.
//!
//! The library makes a null of it where the argument has a default, and fails then. Only what stands at a
//! place that exists is taken out; validation has to see, and refuse, everything else.

use std::collections::HashSet;

use async_graphql::indexmap::IndexMap;
use async_graphql::parser::types::{ExecutableDocument, OperationDefinition, Selection, SelectionSet};
use async_graphql::registry::{MetaInputValue, MetaType, MetaTypeName, Registry};
use async_graphql::{Positioned, Variables};
use async_graphql_value::Value as InputValue;

use super::{positions, walk};

type Places = IndexMap<String, MetaInputValue>;

/// Takes out every argument and every field of an input object whose value is a variable that was
/// neither sent nor has a default, and the definitions of those that nothing else uses.
pub(super) fn strip(
    document: &mut ExecutableDocument,
    operation: &mut Positioned<OperationDefinition>,
    variables: &Variables,
    registry: &Registry,
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
        registry,
        omitted: &omitted,
        stripped: HashSet::new(),
    };
    let root = positions::root(registry, operation.node.ty);
    stripping.selection(&mut operation.node.selection_set.node, root);
    for fragment in document.fragments.values_mut() {
        let on = fragment.node.type_condition.node.on.node.to_string();
        stripping.selection(&mut fragment.node.selection_set.node, Some(&on));
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
    registry: &'a Registry,
    omitted: &'a HashSet<String>,
    stripped: HashSet<String>,
}

impl Stripping<'_> {
    fn selection(&mut self, set: &mut SelectionSet, parent: Option<&str>) {
        for item in &mut set.items {
            match &mut item.node {
                Selection::Field(field) => {
                    let known = parent.and_then(|parent| {
                        self.registry
                            .types
                            .get(parent)?
                            .field_by_name(&field.node.name.node)
                    });
                    // Whatever is not known, validation refuses.
                    let Some(known) = known else { continue };
                    field
                        .node
                        .arguments
                        .retain_mut(|(name, value)| self.keep(&name.node, &mut value.node, &known.args));
                    let inner = MetaTypeName::concrete_typename(&known.ty);
                    self.selection(&mut field.node.selection_set.node, Some(inner));
                }
                Selection::InlineFragment(inline) => {
                    let on = inline
                        .node
                        .type_condition
                        .as_ref()
                        .map(|condition| condition.node.on.node.to_string());
                    self.selection(&mut inline.node.selection_set.node, on.as_deref().or(parent));
                }
                Selection::FragmentSpread(_) => {}
            }
        }
    }

    fn keep(&mut self, name: &str, value: &mut InputValue, places: &Places) -> bool {
        let Some(place) = places.get(name) else {
            return true;
        };
        if let InputValue::Variable(variable) = value {
            let omitted = self.omitted.contains(variable.as_str());
            if omitted {
                self.stripped.insert(variable.to_string());
            }
            return !omitted;
        }
        if let Some(MetaType::InputObject { input_fields, .. }) = self
            .registry
            .types
            .get(MetaTypeName::concrete_typename(&place.ty))
        {
            self.inside(value, input_fields);
        }
        true
    }

    fn inside(&mut self, value: &mut InputValue, places: &Places) {
        match value {
            InputValue::Object(fields) => fields.retain(|name, field| self.keep(name, field, places)),
            InputValue::List(items) => items.iter_mut().for_each(|item| self.inside(item, places)),
            InputValue::Variable(_)
            | InputValue::Null
            | InputValue::Number(_)
            | InputValue::String(_)
            | InputValue::Boolean(_)
            | InputValue::Binary(_)
            | InputValue::Enum(_) => {}
        }
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
