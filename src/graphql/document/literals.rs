//! Checks what is written in a document against the types of its places, where the library does not: it takes
//! a quoted enum value and an Int of any size, and finds a text where an object belongs only while executing.

use async_graphql::Positioned;
use async_graphql::parser::types::{ExecutableDocument, OperationDefinition, Selection, SelectionSet};
use async_graphql::registry::{MetaType, MetaTypeName};
use async_graphql_value::Value;

use super::Violation;
use super::positions::root;
use super::variables::InputTypes;

/// # Errors
/// A literal is not of the type of its argument or input field.
pub(super) fn check(
    document: &ExecutableDocument,
    operation: &Positioned<OperationDefinition>,
    types: &InputTypes,
) -> Result<(), Violation> {
    if let Some(root) = root(&types.0, operation.node.ty) {
        selections(types, &operation.node.selection_set.node, root)?;
    }
    for fragment in document.fragments.values() {
        let on = &fragment.node.type_condition.node.on.node;
        selections(types, &fragment.node.selection_set.node, on)?;
    }
    Ok(())
}

/// What the schema does not know is left to validation.
fn selections(types: &InputTypes, set: &SelectionSet, parent: &str) -> Result<(), Violation> {
    let mut open = vec![(set, parent)];
    while let Some((set, parent)) = open.pop() {
        for item in &set.items {
            match &item.node {
                Selection::Field(field) => {
                    let name = field.node.name.node.as_str();
                    let parent = types.0.types.get(parent);
                    let Some(known) = parent.and_then(|kind| kind.field_by_name(name)) else {
                        continue;
                    };
                    for (argument, value) in &field.node.arguments {
                        let Some(meta) = known.args.get(argument.node.as_str()) else {
                            continue;
                        };
                        let mut place = argument.node.to_string();
                        check_value(types, &meta.ty, &value.node, &mut place).map_err(|wrong| {
                            let message = format!("Argument \"{place}\" of \"{name}\": {wrong}");
                            Violation::at(value.pos, message)
                        })?;
                    }
                    let kind = MetaTypeName::concrete_typename(&known.ty);
                    open.push((&field.node.selection_set.node, kind));
                }
                Selection::InlineFragment(inline) => {
                    let condition = inline.node.type_condition.as_ref();
                    let kind = condition.map_or(parent, |condition| condition.node.on.node.as_str());
                    open.push((&inline.node.selection_set.node, kind));
                }
                Selection::FragmentSpread(_) => {}
            }
        }
    }
    Ok(())
}

/// `place` grows with the way into the value, and stays where something is wrong.
fn check_value(types: &InputTypes, kind: &str, value: &Value, place: &mut String) -> Result<(), String> {
    match (MetaTypeName::create(kind), value) {
        (_, Value::Variable(_)) => Ok(()),
        (MetaTypeName::NonNull(_), Value::Null) => Err(format!("null, where a {kind} is needed")),
        (MetaTypeName::NonNull(inner), value) => check_value(types, inner, value, place),
        (_, Value::Null) => Ok(()),
        (MetaTypeName::List(item), Value::List(values)) => {
            for (index, value) in values.iter().enumerate() {
                let length = place.len();
                place.push_str(&format!(".{index}"));
                check_value(types, item, value, place)?;
                place.truncate(length);
            }
            Ok(())
        }
        // A single value counts as a list of one.
        (MetaTypeName::List(item), value) => check_value(types, item, value, place),
        (MetaTypeName::Named(name), value) => check_named(types, name, value, place),
    }
}

fn check_named(types: &InputTypes, name: &str, value: &Value, place: &mut String) -> Result<(), String> {
    match (types.0.types.get(name), value) {
        // Which fields there are and must be is left to validation.
        (Some(MetaType::InputObject { input_fields, .. }), Value::Object(values)) => {
            for (field, value) in values {
                let Some(meta) = input_fields.get(field.as_str()) else {
                    continue;
                };
                let length = place.len();
                place.push('.');
                place.push_str(field);
                check_value(types, &meta.ty, value, place)?;
                place.truncate(length);
            }
            Ok(())
        }
        (Some(MetaType::Enum { enum_values, .. }), Value::Enum(text))
            if enum_values.contains_key(text.as_str()) =>
        {
            Ok(())
        }
        (Some(MetaType::InputObject { .. } | MetaType::Enum { .. }), _) => Err(types.needs(name)),
        // Only a scalar of any form may have variables inside, and then takes whatever they are.
        (Some(MetaType::Scalar { .. }), value) => match value.clone().into_const() {
            Some(constant) => types.check_named(name, &constant, place),
            None => Ok(()),
        },
        (Some(MetaType::Object { .. } | MetaType::Interface { .. } | MetaType::Union { .. }) | None, _) => {
            Ok(())
        }
    }
}
