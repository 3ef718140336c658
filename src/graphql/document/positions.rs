//! Whether each variable may stand where it stands, by its type, and whether that place exists; and that nothing stands at
//! its definition that may not.
//!
//! The library has the first rule and never runs it: the combinator of its visitors does not pass input values on.

use std::collections::HashMap;

use async_graphql::parser::types::{
    Directive, ExecutableDocument, OperationDefinition, OperationType, Selection, SelectionSet,
    VariableDefinition,
};
use async_graphql::registry::{MetaInputValue, MetaType, MetaTypeName, Registry};
use async_graphql::{Pos, Positioned, ServerError};
use async_graphql_value::{ConstValue, Value as InputValue};

use super::coded;
use super::walk::Arguments;

/// # Errors
/// Every variable that is used where its type does not fit, or has a directive.
pub(super) fn check(
    document: &ExecutableDocument,
    operation: &Positioned<OperationDefinition>,
    registry: &Registry,
) -> Result<(), Vec<ServerError>> {
    let variables = operation
        .node
        .variable_definitions
        .iter()
        .map(|definition| {
            let default = definition.node.default_value.as_ref().map(|value| &value.node);
            let variable = Variable {
                kind: definition.node.var_type.node.to_string(),
                has_default: default.is_some_and(|value| *value != ConstValue::Null),
                pos: definition.pos,
            };
            (definition.node.name.node.as_str(), variable)
        })
        .collect();
    let mut positions = Positions {
        registry,
        variables,
        errors: Vec::new(),
    };
    positions.definitions(&operation.node.variable_definitions);
    positions.directives(&operation.node.directives);
    positions.selection(
        &operation.node.selection_set.node,
        root(registry, operation.node.ty),
    );
    for fragment in document.fragments.values() {
        positions.directives(&fragment.node.directives);
        positions.selection(
            &fragment.node.selection_set.node,
            Some(&fragment.node.type_condition.node.on.node),
        );
    }
    if positions.errors.is_empty() {
        Ok(())
    } else {
        Err(positions.errors)
    }
}

/// The type at the root of an operation.
pub(super) fn root(registry: &Registry, kind: OperationType) -> Option<&str> {
    match kind {
        OperationType::Query => Some(&registry.query_type),
        OperationType::Mutation => registry.mutation_type.as_deref(),
        OperationType::Subscription => registry.subscription_type.as_deref(),
    }
}

struct Variable {
    kind: String,
    /// One that is not null: then it is never null.
    has_default: bool,
    pos: Pos,
}

struct Positions<'a> {
    registry: &'a Registry,
    variables: HashMap<&'a str, Variable>,
    errors: Vec<ServerError>,
}

impl<'a> Positions<'a> {
    fn selection(&mut self, set: &'a SelectionSet, parent: Option<&'a str>) {
        for item in &set.items {
            self.directives(item.node.directives());
            match &item.node {
                Selection::Field(field) => {
                    let known = parent.and_then(|parent| {
                        self.registry
                            .types
                            .get(parent)?
                            .field_by_name(&field.node.name.node)
                    });
                    // Whatever is not known, validation refuses.
                    let Some(known) = known else { continue };
                    for (name, value) in &field.node.arguments {
                        if let Some(place) = known.args.get(name.node.as_str()) {
                            self.value(&value.node, &place.ty, defaults(place), value.pos);
                        }
                    }
                    self.selection(
                        &field.node.selection_set.node,
                        Some(MetaTypeName::concrete_typename(&known.ty)),
                    );
                }
                Selection::InlineFragment(inline) => {
                    let on = inline
                        .node
                        .type_condition
                        .as_ref()
                        .map(|condition| condition.node.on.node.as_str());
                    self.selection(&inline.node.selection_set.node, on.or(parent));
                }
                Selection::FragmentSpread(_) => {}
            }
        }
    }

    /// The schema has no directive for this place, and the library does not look at it.
    fn definitions(&mut self, definitions: &[Positioned<VariableDefinition>]) {
        for definition in definitions {
            if let Some(directive) = definition.node.directives.first() {
                let message = format!(
                    "Directive \"@{}\" may not stand at a variable's definition.",
                    directive.node.name.node
                );
                self.errors
                    .push(coded("GRAPHQL_VALIDATION_FAILED", message, Some(directive.pos)));
            }
        }
    }

    fn directives(&mut self, directives: &[Positioned<Directive>]) {
        for directive in directives {
            if matches!(directive.node.name.node.as_str(), "skip" | "include") {
                let arguments: &Arguments = &directive.node.arguments;
                for (_, value) in arguments {
                    self.value(&value.node, "Boolean!", false, value.pos);
                }
            }
        }
    }

    fn value(&mut self, value: &InputValue, needed: &str, has_default: bool, pos: Pos) {
        match value {
            InputValue::Variable(name) => {
                let Some(variable) = self.variables.get(name.as_str()) else {
                    return;
                };
                if !may_stand(&variable.kind, variable.has_default || has_default, needed) {
                    let message = format!(
                        "Variable \"${name}\" of type \"{}\" is used where a \"{needed}\" is needed.",
                        variable.kind
                    );
                    let mut error = coded("GRAPHQL_VALIDATION_FAILED", message, Some(variable.pos));
                    error.locations.push(pos);
                    self.errors.push(error);
                }
            }
            InputValue::List(items) => {
                let needed = match MetaTypeName::create(needed).unwrap_non_null() {
                    MetaTypeName::List(item) => item,
                    MetaTypeName::Named(_) | MetaTypeName::NonNull(_) => return,
                };
                items.iter().for_each(|item| self.value(item, needed, false, pos));
            }
            InputValue::Object(fields) => {
                let registry = self.registry;
                let kind = MetaTypeName::concrete_typename(needed);
                let Some(MetaType::InputObject {
                    input_fields, oneof, ..
                }) = registry.types.get(kind)
                else {
                    return;
                };
                for (name, value) in fields {
                    let Some(place) = input_fields.get(name.as_str()) else {
                        // The library does not look into an object that holds an omitted variable.
                        let message = format!("Input type \"{kind}\" has no field \"{name}\".");
                        self.errors
                            .push(coded("GRAPHQL_VALIDATION_FAILED", message, Some(pos)));
                        continue;
                    };
                    // The one field of a @oneOf must not be null, though its type does not say so; of
                    // several, those that are omitted do not count.
                    let single = *oneof && fields.len() == 1 && !place.ty.ends_with('!');
                    let needed = if single {
                        format!("{}!", place.ty)
                    } else {
                        place.ty.clone()
                    };
                    self.value(value, &needed, defaults(place), pos);
                }
            }
            InputValue::Null
            | InputValue::Number(_)
            | InputValue::String(_)
            | InputValue::Boolean(_)
            | InputValue::Binary(_)
            | InputValue::Enum(_) => {}
        }
    }
}

fn defaults(place: &MetaInputValue) -> bool {
    place.default_value.is_some()
}

/// The specification's "is variable usage allowed". A null that is sent all the same is found when the
/// argument is read.
pub(super) fn may_stand(kind: &str, has_default: bool, needed: &str) -> bool {
    let (kind, needed) = (MetaTypeName::create(kind), MetaTypeName::create(needed));
    if needed.is_non_null() && !kind.is_non_null() {
        has_default && is_compatible(kind, needed.unwrap_non_null())
    } else {
        is_compatible(kind, needed)
    }
}

fn is_compatible(kind: MetaTypeName<'_>, needed: MetaTypeName<'_>) -> bool {
    match (kind, needed) {
        (MetaTypeName::NonNull(kind), MetaTypeName::NonNull(needed)) => {
            is_compatible(MetaTypeName::create(kind), MetaTypeName::create(needed))
        }
        (MetaTypeName::NonNull(kind), needed) => is_compatible(MetaTypeName::create(kind), needed),
        (MetaTypeName::List(kind), MetaTypeName::List(needed)) => {
            is_compatible(MetaTypeName::create(kind), MetaTypeName::create(needed))
        }
        (MetaTypeName::Named(kind), MetaTypeName::Named(needed)) => kind == needed,
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_variable_stands_where_its_type_fits() {
        for (kind, has_default, needed, allowed) in [
            ("Int", false, "Int", true),
            ("Int!", false, "Int", true),
            ("Int", false, "Int!", false),
            ("Int", true, "Int!", true),
            ("Int", false, "[Int]", false),
            ("[Int]", false, "Int", false),
            ("[Int!]", false, "[Int]", true),
            ("[Int]", false, "[Int!]", false),
            ("[Int]", true, "[Int!]!", false),
            ("[[Int]!]", false, "[[Int]]", true),
            ("String", true, "Int!", false),
        ] {
            assert_eq!(
                may_stand(kind, has_default, needed),
                allowed,
                "{kind} {has_default} {needed}"
            );
        }
    }
}
