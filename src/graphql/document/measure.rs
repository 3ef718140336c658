//! How large an operation is once all its fragments are spread.
//!
//! Each fragment is measured once, however often it is spread: thirty fragments that each spread the next
//! one twice stand for a billion fields, and neither this nor anything after it may walk them.

use std::collections::HashMap;

use async_graphql::Positioned;
use async_graphql::parser::types::{
    ExecutableDocument, Field, OperationDefinition, OperationType, Selection, SelectionSet,
};

use super::Violation;
use crate::kernel::config::LimitsConfig;

/// Fields of the introspection schema that lead from a type to many others. Three of them inside each
/// other already are more than any tool asks for, and the cube of the schema.
const FAN_OUT: [&str; 4] = ["fields", "inputFields", "interfaces", "possibleTypes"];
const MAX_FAN_OUT: usize = 2;

/// Sums over the expanded operation, never overflowing.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Size {
    pub fields: u64,
    pub aliases: u64,
    pub directives: u64,
    /// Fields inside each other.
    pub depth: usize,
    /// Fan-out fields of the introspection schema inside each other.
    pub fan_out: usize,
}

impl Size {
    fn add(&mut self, other: Self) {
        self.fields = self.fields.saturating_add(other.fields);
        self.aliases = self.aliases.saturating_add(other.aliases);
        self.directives = self.directives.saturating_add(other.directives);
        self.depth = self.depth.max(other.depth);
        self.fan_out = self.fan_out.max(other.fan_out);
    }
}

/// # Errors
/// The operation is larger than a limit, or its fragments go in a circle.
pub(super) fn check(
    document: &ExecutableDocument,
    operation: &Positioned<OperationDefinition>,
    limits: &LimitsConfig,
) -> Result<(), Violation> {
    let mut measure = Measure {
        document,
        fragments: HashMap::new(),
    };
    let mut size = measure.selection(&operation.node.selection_set.node)?;
    let variables = operation.node.variable_definitions.iter();
    let directives = variables.fold(count(&operation.node.directives), |sum, definition| {
        sum.saturating_add(count(&definition.node.directives))
    });
    size.directives = size.directives.saturating_add(directives);

    let most = |what: &str, limit: &dyn std::fmt::Display| {
        Err(Violation::at(
            operation.pos,
            format!("The operation has more than {limit} {what} once its fragments are spread."),
        ))
    };
    if size.fields > limits.fields {
        return most("fields", &limits.fields);
    }
    if size.aliases > widen(limits.aliases) {
        return most("aliases", &limits.aliases);
    }
    if size.directives > widen(limits.directives) {
        return most("directives", &limits.directives);
    }
    if size.fan_out > MAX_FAN_OUT {
        return Err(Violation::at(
            operation.pos,
            "The operation asks for the types of the types of the schema's types: that is deeper than introspection goes.",
        ));
    }
    // From here on the expanded operation is known to be small enough to be walked.
    let introspection = root_fields(document, operation).all(|field| is_meta(&field.node.name.node));
    // The introspection of GraphiQL is deeper than any page of a shop; it is told apart by what it
    // asks for. What it calls itself proves nothing.
    if size.depth > limits.depth && !introspection {
        return Err(Violation::at(
            operation.pos,
            format!("The operation is more than {} fields deep.", limits.depth),
        ));
    }
    let roots = root_fields(document, operation)
        .take(limits.root_mutations + 1)
        .count();
    if operation.node.ty == OperationType::Mutation && roots > limits.root_mutations {
        return Err(Violation::at(
            operation.pos,
            format!("The operation has more than {} mutations.", limits.root_mutations),
        ));
    }
    Ok(())
}

/// Whether the operation asks for the schema.
pub(super) fn asks_for_schema(
    document: &ExecutableDocument,
    operation: &Positioned<OperationDefinition>,
) -> bool {
    root_fields(document, operation)
        .any(|field| matches!(field.node.name.node.as_str(), "__schema" | "__type"))
}

fn is_meta(name: &str) -> bool {
    matches!(name, "__schema" | "__type" | "__typename")
}

fn count<T>(items: &[T]) -> u64 {
    widen(items.len())
}

fn widen(number: usize) -> u64 {
    u64::try_from(number).unwrap_or(u64::MAX)
}

/// The fields at the root, fragments spread, one after the other. Only for documents whose size is
/// known to be bounded, except where the caller stops early.
pub(super) fn root_fields<'a>(
    document: &'a ExecutableDocument,
    operation: &'a Positioned<OperationDefinition>,
) -> impl Iterator<Item = &'a Positioned<Field>> {
    let mut open: Vec<&Selection> = Vec::new();
    push(&mut open, &operation.node.selection_set.node);
    std::iter::from_fn(move || {
        while let Some(selection) = open.pop() {
            match selection {
                Selection::Field(field) => return Some(field),
                Selection::InlineFragment(inline) => push(&mut open, &inline.node.selection_set.node),
                Selection::FragmentSpread(spread) => {
                    if let Some(fragment) = document.fragments.get(&spread.node.fragment_name.node) {
                        push(&mut open, &fragment.node.selection_set.node);
                    }
                }
            }
        }
        None
    })
}

fn push<'a>(open: &mut Vec<&'a Selection>, set: &'a SelectionSet) {
    open.extend(set.items.iter().rev().map(|item| &item.node));
}

struct Measure<'a> {
    document: &'a ExecutableDocument,
    /// None while a fragment is being measured: meeting it again then means a circle.
    fragments: HashMap<&'a str, Option<Size>>,
}

impl<'a> Measure<'a> {
    fn selection(&mut self, set: &'a SelectionSet) -> Result<Size, Violation> {
        let mut size = Size::default();
        for item in &set.items {
            let mut part = match &item.node {
                Selection::Field(field) => self.field(&field.node)?,
                Selection::InlineFragment(inline) => self.selection(&inline.node.selection_set.node)?,
                Selection::FragmentSpread(spread) => self.fragment(&spread.node.fragment_name)?,
            };
            part.directives = part.directives.saturating_add(count(item.node.directives()));
            size.add(part);
        }
        Ok(size)
    }

    fn field(&mut self, field: &'a Field) -> Result<Size, Violation> {
        let mut size = self.selection(&field.selection_set.node)?;
        size.fields = size.fields.saturating_add(1);
        size.aliases = size.aliases.saturating_add(u64::from(field.alias.is_some()));
        size.depth += 1;
        // Counted everywhere, which costs a shop nothing that has no field of these names three deep.
        if FAN_OUT.contains(&field.name.node.as_str()) {
            size.fan_out += 1;
        }
        Ok(size)
    }

    fn fragment(&mut self, name: &'a Positioned<async_graphql::Name>) -> Result<Size, Violation> {
        match self.fragments.get(name.node.as_str()) {
            Some(Some(size)) => return Ok(*size),
            Some(None) => {
                return Err(Violation::at(
                    name.pos,
                    format!("Fragment \"{}\" spreads itself.", name.node),
                ));
            }
            None => {}
        }
        // Not left to validation: a spread must stand for a field at least, or counting fields would not
        // bound the walk over them.
        let Some(fragment) = self.document.fragments.get(&name.node) else {
            return Err(Violation::at(
                name.pos,
                format!("Fragment \"{}\" does not exist.", name.node),
            ));
        };
        self.fragments.insert(&name.node, None);
        let mut size = self.selection(&fragment.node.selection_set.node)?;
        size.directives = size.directives.saturating_add(count(&fragment.node.directives));
        self.fragments.insert(&name.node, Some(size));
        Ok(size)
    }
}
