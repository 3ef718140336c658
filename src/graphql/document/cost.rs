//! How much work an answer could be: the objects that it could have, by the sizes of its pages, and what reads more
//! than it answers.
//!
//! A short document can ask for a long answer: pages inside pages multiply. So each list counts as many times what
//! is selected of it as it may have items, and an operation that could fill more than the limit is refused
//! before it runs. Fragments are counted once, or once for each level of a menu that they stand on.

use std::collections::HashMap;

use async_graphql::parser::types::{
    ExecutableDocument, Field, OperationDefinition, OperationType, Selection, SelectionSet,
};
use async_graphql::registry::{MetaField, MetaTypeName, Registry};
use async_graphql::{Name, Pos, Positioned, ServerError, Variables};
use async_graphql_value::{ConstValue, Value};

use super::charges::{self, Charges};
use super::measure::root_fields;
use super::{coded, positions};
use crate::kernel::page::DEFAULT_PAGE_SIZE;

/// What each mutation counts for, whatever it answers: it takes a transaction, and often a lock.
const MUTATION: u64 = 10;

/// What each look at the schema counts for, which is the same for all and read from memory.
const INTROSPECTION: u64 = 10;

/// What a list counts for that nobody can cut short. Most are shorter.
const UNBOUNDED_LIST: u64 = 20;

/// The field that goes down the tree of categories, and how many a level counts for that is reached by it alone: the
/// first one, the next, and any below. No category has two parents, so a menu of many levels never shows more than the
/// shop has; trees are broad at the top and thin below. What goes up between two levels starts again.
const DOWN: &str = "children";
const CHILDREN: [u64; 3] = [UNBOUNDED_LIST, 5, 1];

/// What `totalCount` counts for: it goes through a whole list, of which the page shows a part. Lists are as long as
/// the shop is large, so this is no measure, but a bound: some hundred of them, where one page shows a hundred.
const COUNT: u64 = 200;
const TOTAL: &str = "totalCount";

/// What `filter.text` counts for, whatever the size of the page: all that match are found, and ranked, to show the best.
const SEARCH: u64 = 200;

/// What a list counts for that each object reads by a statement of its own, however little of it is asked for: ten
/// pages of a hundred at most, where all that loaders read together is a few statements.
const ALONE: u64 = 100;
const READ_ALONE: [(&str, &str); 2] = [("Order", "events"), ("User", "orders")];

/// No field takes a larger page: one that is asked for is refused by its argument, which says more than a cost.
const LARGEST_PAGE: u64 = 2_048;

/// Lists that are never longer than this.
const SHORT_LISTS: [(&str, u64); 4] = [
    ("options", 3),
    ("selectedOptions", 3),
    ("ancestors", 10),
    // A quarter of a year of each account there can be, in the one currency that most shops have.
    ("ledgerBalances", 1_500),
];

/// What the operation could cost, at least 1, and what of it does not depend on how much there is.
///
/// # Errors
/// `MAX_COST_EXCEEDED`, with what it would cost and what it may.
pub(super) fn check(
    document: &ExecutableDocument,
    operation: &Positioned<OperationDefinition>,
    variables: &Variables,
    registry: &Registry,
    limit: u64,
) -> Result<(u64, Charges), Vec<ServerError>> {
    let Some(root) = positions::root(registry, operation.node.ty) else {
        return Ok((1, Charges::default()));
    };
    let mut counter = Counter {
        document,
        operation,
        variables,
        registry,
        fragments: HashMap::new(),
        surcharged: false,
    };
    let set = &operation.node.selection_set.node;
    let parts = counter.selection(root, 0, set);
    let fixed = root_fields(document, operation).map(|field| match field.node.name.node.as_str() {
        "__schema" | "__type" => INTROSPECTION,
        _ if operation.node.ty == OperationType::Mutation => MUTATION,
        _ => 0,
    });
    let fixed: u64 = fixed.sum();
    let cost = parts.each.saturating_add(parts.once).saturating_add(fixed).max(1);
    if cost <= limit {
        // Most operations have none, and are not walked again.
        let fields = if counter.surcharged {
            charges::of_fields(&counter, root, set)
        } else {
            Vec::new()
        };
        return Ok((cost, Charges { fixed, fields }));
    }
    Err(vec![too_dear(cost, limit, Some(operation.pos))])
}

/// The refusal of an operation that alone is more than anybody may ask for.
pub(in crate::graphql) fn too_dear(cost: u64, limit: u64, pos: Option<Pos>) -> ServerError {
    let message = format!(
        "The operation could cost {cost}, and {limit} is allowed: 1 for each object that the answer could have, {COUNT} for each totalCount, {SEARCH} for each search, {ALONE} for the events of each order and the orders of each user, {MUTATION} for each mutation. Ask for smaller pages, or for fewer lists inside each other."
    );
    coded("MAX_COST_EXCEEDED", message, pos)
}

/// What a selection costs.
#[derive(Clone, Copy, Debug, Default)]
struct Cost {
    /// For each item of the list that it is selected of.
    each: u64,
    /// For the list as a whole.
    once: u64,
}

impl Cost {
    fn add(self, other: Self) -> Self {
        Self {
            each: self.each.saturating_add(other.each),
            once: self.once.saturating_add(other.once),
        }
    }
}

pub(super) struct Counter<'a> {
    pub(super) document: &'a ExecutableDocument,
    operation: &'a Positioned<OperationDefinition>,
    variables: &'a Variables,
    pub(super) registry: &'a Registry,
    /// Whether anything costs more than its objects.
    surcharged: bool,
    /// By name, and by the level that they stand on.
    fragments: HashMap<(&'a str, usize), Cost>,
}

impl<'a> Counter<'a> {
    /// `level` is how many steps down the tree of categories lead right here.
    fn selection(&mut self, parent: &str, level: usize, set: &'a SelectionSet) -> Cost {
        let mut sum = Cost::default();
        for item in &set.items {
            sum = sum.add(match &item.node {
                Selection::Field(field) => self.field(parent, level, &field.node),
                Selection::InlineFragment(inline) => {
                    let on = inline
                        .node
                        .type_condition
                        .as_ref()
                        .map(|condition| condition.node.on.node.as_str());
                    self.selection(on.unwrap_or(parent), level, &inline.node.selection_set.node)
                }
                Selection::FragmentSpread(spread) => self.fragment(level, &spread.node.fragment_name.node),
            });
        }
        sum
    }

    /// Circles have been refused by now.
    fn fragment(&mut self, level: usize, name: &'a Name) -> Cost {
        if let Some(cost) = self.fragments.get(&(name.as_str(), level)) {
            return *cost;
        }
        let Some(fragment) = self.document.fragments.get(name) else {
            return Cost::default();
        };
        let cost = self.selection(
            &fragment.node.type_condition.node.on.node,
            level,
            &fragment.node.selection_set.node,
        );
        self.fragments.insert((name, level), cost);
        cost
    }

    fn field(&mut self, parent: &str, level: usize, field: &'a Field) -> Cost {
        let surcharge = self.surcharge(parent, field);
        self.surcharged |= surcharge > 0;
        if field.name.node == TOTAL {
            return Cost {
                each: 0,
                once: surcharge,
            };
        }
        // Other leaves come with their object; the schema's own fields have a limit of their own.
        if field.selection_set.node.items.is_empty() || field.name.node.starts_with("__") {
            return Cost::default();
        }
        let meta = self
            .registry
            .types
            .get(parent)
            .and_then(|kind| kind.field_by_name(&field.name.node));
        // Unknown to the schema: validation names it.
        let Some(meta) = meta else {
            return Cost::default();
        };
        let down = field.name.node == DOWN;
        let inside = self.selection(
            MetaTypeName::concrete_typename(&meta.ty),
            if down { deeper(level) } else { 0 },
            &field.selection_set.node,
        );
        let items = if down {
            CHILDREN.get(level).copied().unwrap_or(1)
        } else {
            self.items(parent, field, meta)
        };
        Cost {
            each: items
                .saturating_mul(inside.each.saturating_add(1))
                .saturating_add(inside.once)
                .saturating_add(surcharge),
            once: 0,
        }
    }

    /// What a field costs beyond its objects.
    pub(super) fn surcharge(&self, parent: &str, field: &Field) -> u64 {
        if field.name.node == TOTAL {
            return COUNT;
        }
        let search = if self.searches(field) { SEARCH } else { 0 };
        let alone = READ_ALONE.contains(&(parent, field.name.node.as_str()));
        search + if alone { ALONE } else { 0 }
    }

    fn searches(&self, field: &Field) -> bool {
        match self.argument(field, "filter") {
            Some(Value::Object(filter)) => filter
                .get("text")
                .and_then(|text| self.value(text))
                .is_some_and(|text| text != Value::Null),
            _ => false,
        }
    }

    /// How many items the field may have.
    fn items(&self, parent: &str, field: &Field, meta: &MetaField) -> u64 {
        if let Some(first) = meta.args.get("first") {
            let asked = ["first", "last"].iter().find_map(|name| self.number(field, name));
            let default = || first.default_value.as_ref().and_then(|text| text.parse().ok());
            let size = asked.or_else(default).unwrap_or(DEFAULT_PAGE_SIZE);
            return if size > LARGEST_PAGE { 0 } else { size };
        }
        if !is_list(&meta.ty) || parent.ends_with("Connection") {
            return 1;
        }
        if let Some((_, most)) = SHORT_LISTS.iter().find(|(name, _)| *name == meta.name) {
            return *most;
        }
        // One item for each id that was sent.
        let sent = meta.args.values().filter(|argument| is_list(&argument.ty));
        sent.filter_map(|argument| self.length(field, &argument.name))
            .max()
            .unwrap_or(UNBOUNDED_LIST)
    }

    fn number(&self, field: &Field, argument: &str) -> Option<u64> {
        match self.argument(field, argument)? {
            Value::Number(number) => number.as_u64().or(Some(0)),
            _ => None,
        }
    }

    fn length(&self, field: &Field, argument: &str) -> Option<u64> {
        match self.argument(field, argument)? {
            Value::List(items) => u64::try_from(items.len()).ok(),
            Value::Null => None,
            _ => Some(1),
        }
    }

    fn argument(&self, field: &Field, argument: &str) -> Option<Value> {
        self.value(&field.get_argument(argument)?.node)
    }

    /// What a value will be, when it is a variable.
    fn value(&self, value: &Value) -> Option<Value> {
        match value {
            Value::Variable(name) => {
                let definitions = &self.operation.node.variable_definitions;
                let default = || {
                    let definition = definitions
                        .iter()
                        .find(|definition| definition.node.name.node == *name)?;
                    definition.node.default_value.as_ref().map(|value| &value.node)
                };
                let value: Option<&ConstValue> = self.variables.get(name).or_else(default);
                value.cloned().map(ConstValue::into_value)
            }
            value => Some(value.clone()),
        }
    }
}

/// The next level; from the last of [`CHILDREN`] on they are alike, so no fragment is counted more often than that.
fn deeper(level: usize) -> usize {
    (level + 1).min(CHILDREN.len() - 1)
}

fn is_list(kind: &str) -> bool {
    kind.starts_with('[')
}
