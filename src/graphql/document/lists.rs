//! How long a list in the input may be, written in the document or sent as a variable.

use async_graphql::parser::types::{ExecutableDocument, OperationDefinition};
use async_graphql::{Positioned, Value, Variables};
use async_graphql_value::{ConstValue, Value as InputValue};

use super::Violation;
use super::walk::{self, Arguments};

/// Those that stand in the document.
///
/// # Errors
/// A list has more than `most` items.
pub(super) fn check(
    document: &ExecutableDocument,
    operation: &Positioned<OperationDefinition>,
    most: usize,
) -> Result<(), Violation> {
    let mut defaults = operation
        .node
        .variable_definitions
        .iter()
        .filter_map(|v| v.node.default_value.as_ref());
    let mut exceeded = defaults.any(|value| constant_exceeds(&value.node, most));
    walk::arguments(document, operation, &mut |arguments: &Arguments| {
        exceeded = exceeded
            || arguments
                .iter()
                .any(|(_, value)| literal_exceeds(&value.node, most));
    });
    if exceeded { Err(too_long(most)) } else { Ok(()) }
}

/// Those that were sent with it.
///
/// # Errors
/// A list has more than `most` items.
pub(super) fn check_variables(variables: &Variables, most: usize) -> Result<(), Violation> {
    if variables.values().any(|value| constant_exceeds(value, most)) {
        return Err(too_long(most));
    }
    Ok(())
}

fn too_long(most: usize) -> Violation {
    Violation::new(format!("A list in the input has more than {most} items."))
}

fn constant_exceeds(value: &ConstValue, most: usize) -> bool {
    match value {
        Value::List(items) => items.len() > most || items.iter().any(|item| constant_exceeds(item, most)),
        Value::Object(fields) => fields.values().any(|field| constant_exceeds(field, most)),
        Value::Null
        | Value::Number(_)
        | Value::String(_)
        | Value::Boolean(_)
        | Value::Binary(_)
        | Value::Enum(_) => false,
    }
}

fn literal_exceeds(value: &InputValue, most: usize) -> bool {
    match value {
        InputValue::List(items) => items.len() > most || items.iter().any(|item| literal_exceeds(item, most)),
        InputValue::Object(fields) => fields.values().any(|field| literal_exceeds(field, most)),
        InputValue::Variable(_)
        | InputValue::Null
        | InputValue::Number(_)
        | InputValue::String(_)
        | InputValue::Boolean(_)
        | InputValue::Binary(_)
        | InputValue::Enum(_) => false,
    }
}
