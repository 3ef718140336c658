//! The one root field of a subscription, brought into the form in which the library finds it.
//!
//! The specification allows it to stand in fragments, and to be there several times as long as it is the same. The
//! library looks at the operation's own fields alone, in silence, and would run two of them side by side.

use std::collections::HashSet;

use async_graphql::parser::types::{
    ExecutableDocument, Field, OperationDefinition, OperationType, Selection, SelectionSet,
};
use async_graphql::{Name, Positioned};
use async_graphql_value::Value;

use super::measure::root_fields;
use super::{Violation, walk};

/// Leaves other operations as they are. The operation is known to be small enough to be walked.
///
/// # Errors
/// A subscription that has not exactly one root field, or one of the schema's own, or one that may be left out.
pub(super) fn single(
    document: &mut ExecutableDocument,
    operation: &mut Positioned<OperationDefinition>,
) -> Result<(), Violation> {
    if operation.node.ty != OperationType::Subscription {
        return Ok(());
    }
    let pos = operation.pos;
    if has_directive(document, operation) {
        let message = "No directive can be at the root of a subscription.";
        return Err(Violation::at(pos, message));
    }
    let mut fields = root_fields(document, operation);
    let Some(first) = fields.next() else { return Ok(()) };
    let mut field = first.clone();
    for other in fields {
        if !same(&field.node, &other.node) {
            return Err(Violation::at(
                other.pos,
                "A subscription has exactly one root field.",
            ));
        }
        let more = other.node.selection_set.node.items.iter().cloned();
        field.node.selection_set.node.items.extend(more);
    }
    if field.node.name.node.starts_with("__") {
        let message = "The root field of a subscription cannot be one of the schema's own.";
        return Err(Violation::at(field.pos, message));
    }
    let field = Positioned::new(Selection::Field(field), pos);
    operation.node.selection_set.node.items = vec![field];
    let used: HashSet<String> = walk::reachable(document, &operation.node.selection_set.node)
        .into_iter()
        .map(str::to_owned)
        .collect();
    document.fragments.retain(|name, _| used.contains(name.as_str()));
    Ok(())
}

/// Whether two fields are one in the answer.
fn same(one: &Field, other: &Field) -> bool {
    let arguments = |field: &Field| -> Vec<(Name, Value)> {
        let mut arguments: Vec<_> = field
            .arguments
            .iter()
            .map(|(name, value)| (name.node.clone(), value.node.clone()))
            .collect();
        arguments.sort_by(|(one, _), (other, _)| one.cmp(other));
        arguments
    };
    one.response_key().node == other.response_key().node
        && one.name.node == other.name.node
        && arguments(one) == arguments(other)
}

/// Whether a directive is at the root, where none may be: on a field, or on a fragment that leads to one.
fn has_directive(document: &ExecutableDocument, operation: &Positioned<OperationDefinition>) -> bool {
    let mut open: Vec<&Selection> = selections(&operation.node.selection_set.node);
    while let Some(selection) = open.pop() {
        if !selection.directives().is_empty() {
            return true;
        }
        match selection {
            Selection::Field(_) => {}
            Selection::InlineFragment(inline) => open.extend(selections(&inline.node.selection_set.node)),
            Selection::FragmentSpread(spread) => {
                if let Some(fragment) = document.fragments.get(&spread.node.fragment_name.node) {
                    open.extend(selections(&fragment.node.selection_set.node));
                }
            }
        }
    }
    false
}

fn selections(set: &SelectionSet) -> Vec<&Selection> {
    set.items.iter().map(|item| &item.node).collect()
}
