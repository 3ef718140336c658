//! Whether an answer has no name twice in one place, so that nothing in it has to be put together.

use async_graphql::parser::types::{ExecutableDocument, OperationDefinition, Selection, SelectionSet};
use async_graphql::{Name, Positioned};

/// More is not looked through.
const MOST_FIELDS: usize = 250;

/// No for some documents of which it is true: of those that are large, and where a name is in two fragments for different types.
pub(super) fn is_true_of(document: &ExecutableDocument, operation: &Positioned<OperationDefinition>) -> bool {
    let mut left = MOST_FIELDS;
    let set = &operation.node.selection_set.node;
    has_no_name_twice(document, set, &mut Vec::new(), &mut left)
}

/// `seen` are the names beside this selection.
fn has_no_name_twice<'a>(
    document: &'a ExecutableDocument,
    set: &'a SelectionSet,
    seen: &mut Vec<&'a Name>,
    left: &mut usize,
) -> bool {
    set.items.iter().all(|selection| {
        let Some(fewer) = left.checked_sub(1) else {
            return false;
        };
        *left = fewer;
        match &selection.node {
            Selection::Field(field) => {
                let name = &field.node.response_key().node;
                let is_new = !seen.contains(&name);
                seen.push(name);
                let below = &field.node.selection_set.node;
                is_new && has_no_name_twice(document, below, &mut Vec::new(), left)
            }
            Selection::InlineFragment(fragment) => {
                has_no_name_twice(document, &fragment.node.selection_set.node, seen, left)
            }
            Selection::FragmentSpread(spread) => {
                let fragment = document.fragments.get(&spread.node.fragment_name.node);
                fragment.is_none_or(|fragment| {
                    has_no_name_twice(document, &fragment.node.selection_set.node, seen, left)
                })
            }
        }
    })
}
