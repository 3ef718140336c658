//! Walks over everything that an operation is made of, each fragment once.

use std::collections::HashSet;

use async_graphql::parser::types::{
    Directive, ExecutableDocument, OperationDefinition, Selection, SelectionSet,
};
use async_graphql::{Name, Positioned};
use async_graphql_value::Value as InputValue;

/// Arguments as they are written: of a field or of a directive.
pub(super) type Arguments = Vec<(Positioned<Name>, Positioned<InputValue>)>;

/// The fragments that a selection spreads, and those that they spread.
pub(super) fn reachable<'a>(document: &'a ExecutableDocument, set: &'a SelectionSet) -> HashSet<&'a str> {
    let mut found = HashSet::new();
    let mut open = vec![set];
    while let Some(set) = open.pop() {
        for item in &set.items {
            match &item.node {
                Selection::Field(field) => open.push(&field.node.selection_set.node),
                Selection::InlineFragment(inline) => open.push(&inline.node.selection_set.node),
                Selection::FragmentSpread(spread) => {
                    let name = &spread.node.fragment_name.node;
                    if let Some(fragment) = document.fragments.get(name)
                        && found.insert(name.as_str())
                    {
                        open.push(&fragment.node.selection_set.node);
                    }
                }
            }
        }
    }
    found
}

/// Shows every list of arguments of the operation and of all fragments of the document. Directives of variables, which
/// would have some, have been refused.
pub(super) fn arguments(
    document: &ExecutableDocument,
    operation: &Positioned<OperationDefinition>,
    see: &mut dyn FnMut(&Arguments),
) {
    let mut open: Vec<&SelectionSet> = vec![&operation.node.selection_set.node];
    directives(&operation.node.directives, see);
    for fragment in document.fragments.values() {
        directives(&fragment.node.directives, see);
        open.push(&fragment.node.selection_set.node);
    }
    while let Some(set) = open.pop() {
        for item in &set.items {
            directives(item.node.directives(), see);
            match &item.node {
                Selection::Field(field) => {
                    see(&field.node.arguments);
                    open.push(&field.node.selection_set.node);
                }
                Selection::InlineFragment(inline) => open.push(&inline.node.selection_set.node),
                Selection::FragmentSpread(_) => {}
            }
        }
    }
}

fn directives(directives: &[Positioned<Directive>], see: &mut dyn FnMut(&Arguments)) {
    for directive in directives {
        see(&directive.node.arguments);
    }
}
