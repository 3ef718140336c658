//! Whether all who hear of an event hear the same, so that it is written once for them: when what they ask for are fields that show
//! the rows of the event and of its order, and nothing else.
//!
//! A field is left out here until somebody has looked: what depends on who asks (`availableActions`, `customer`) or is read
//! when it is asked for (lines, payments) would be told to all as it was for the first.

use async_graphql::Positioned;
use async_graphql::parser::types::{
    Directive, ExecutableDocument, Field, OperationDefinition, OperationType, Selection, SelectionSet,
};
use async_graphql::registry::{MetaTypeName, Registry};
use async_graphql_value::Value;

use super::{InputTypes, positions};

/// By type, in the order of the alphabet.
const ALIKE: &[(&str, &[&str])] = &[
    (
        "Address",
        &[
            "city",
            "countryCode",
            "line1",
            "line2",
            "name",
            "phone",
            "postalCode",
            "region",
        ],
    ),
    ("Money", &["amount", "currencyCode"]),
    (
        "Order",
        &[
            "cancelReason",
            "discountTotal",
            "email",
            "fulfillmentStatus",
            "id",
            "number",
            "paymentStatus",
            "placedAt",
            "shippingAddress",
            "shippingTotal",
            "status",
            "subtotal",
            "taxTotal",
            "total",
            "totalPaid",
            "totalRefunded",
            "updatedAt",
        ],
    ),
    (
        "OrderEvent",
        &[
            "cursor",
            "fulfillmentStatus",
            "id",
            "message",
            "occurredAt",
            "order",
            "paymentStatus",
            "status",
            "type",
        ],
    ),
];

/// Whether an operation is a subscription whose answers differ by nothing but the event. Its variables may say which events to
/// hear, and nothing else.
pub(super) fn is_alike(
    document: &ExecutableDocument,
    operation: &Positioned<OperationDefinition>,
    types: &InputTypes,
) -> bool {
    operation.node.ty == OperationType::Subscription && walk(document, &operation.node, &types.0).is_some()
}

/// None as soon as there is something that may differ.
fn walk(document: &ExecutableDocument, operation: &OperationDefinition, registry: &Registry) -> Option<()> {
    let root = positions::root(registry, OperationType::Subscription)?;
    constant(&operation.directives)?;
    // Fragments are walked as often as they are spread: how often that is has been limited.
    let mut open: Vec<(&str, &SelectionSet)> = vec![(root, &operation.selection_set.node)];
    while let Some((parent, set)) = open.pop() {
        for item in &set.items {
            match &item.node {
                Selection::Field(field) => open.extend(below(registry, root, parent, &field.node)?),
                Selection::InlineFragment(inline) => {
                    constant(&inline.node.directives)?;
                    let on = inline.node.type_condition.as_ref();
                    let on = on.map_or(parent, |on| on.node.on.node.as_str());
                    open.push((on, &inline.node.selection_set.node));
                }
                Selection::FragmentSpread(spread) => {
                    constant(&spread.node.directives)?;
                    let fragment = document.fragments.get(&spread.node.fragment_name.node)?;
                    constant(&fragment.node.directives)?;
                    let on = fragment.node.type_condition.node.on.node.as_str();
                    open.push((on, &fragment.node.selection_set.node));
                }
            }
        }
    }
    Some(())
}

/// What is selected of a field, if that is alike itself.
fn below<'a>(
    registry: &'a Registry,
    root: &str,
    parent: &str,
    field: &'a Field,
) -> Option<Option<(&'a str, &'a SelectionSet)>> {
    constant(&field.directives)?;
    let name = field.name.node.as_str();
    if name == "__typename" {
        return Some(None);
    }
    let is_listed = ALIKE
        .iter()
        .any(|(kind, fields)| *kind == parent && fields.contains(&name));
    // The root's arguments say which events, the others what is told of them.
    if parent != root && !(is_listed && field.arguments.is_empty()) {
        return None;
    }
    let kind = registry.types.get(parent)?.field_by_name(name)?;
    let kind = MetaTypeName::concrete_typename(&kind.ty);
    Some(Some((kind, &field.selection_set.node)))
}

/// Whether a field is there must not hang on a variable.
fn constant(directives: &[Positioned<Directive>]) -> Option<()> {
    let mut values = directives.iter().flat_map(|directive| &directive.node.arguments);
    values
        .all(|(_, value)| !matches!(value.node, Value::Variable(_)))
        .then_some(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::graphql::document::{prepare, test_limits};
    use crate::graphql::schema;

    fn is_alike(document: &str, types: &InputTypes) -> bool {
        let variables = serde_json::json!({"id": "order_00000000000000000000000000", "with": true});
        let variables = async_graphql::Variables::from_json(variables);
        prepare(document, None, variables, types, &test_limits(), true)
            .unwrap_or_else(|errors| panic!("{document}: {errors:?}"))
            .is_alike
    }

    #[test]
    fn what_hangs_on_who_asks_is_nobody_elses() {
        let types = InputTypes::of(&schema::build(&test_limits(), true));
        for (document, alike) in [
            (
                "subscription { shopOrderEvents { type order { number total { amount } } } }",
                true,
            ),
            (
                "subscription($id: ID!) { orderEvents(orderId: $id) { __typename a: cursor } }",
                true,
            ),
            (
                "subscription { ...F } fragment F on Subscription { e: myOrderEvents { ... on OrderEvent { id } } }",
                true,
            ),
            ("subscription { shopOrderEvents { id @skip(if: false) } }", true),
            (
                "subscription($with: Boolean!) { shopOrderEvents { id message @skip(if: $with) } }",
                false,
            ),
            (
                "subscription($with: Boolean!) { shopOrderEvents { id ... @include(if: $with) { type } } }",
                false,
            ),
            (
                "subscription($with: Boolean!) { shopOrderEvents { id ...F @include(if: $with) } } fragment F on OrderEvent { type }",
                false,
            ),
            (
                "subscription { shopOrderEvents { order { availableActions } } }",
                false,
            ),
            (
                "subscription { shopOrderEvents { order { customer { id } } } }",
                false,
            ),
            (
                "subscription { shopOrderEvents { order { lines { id } } } }",
                false,
            ),
            (
                "subscription { shopOrderEvents { order { events(first: 1) { nodes { id } } } } }",
                false,
            ),
            ("subscription { shopOrderEvents { ... on Node { id } } }", false),
            ("{ orders(first: 1) { nodes { id } } }", false),
        ] {
            assert_eq!(is_alike(document, &types), alike, "{document}");
        }
    }

    /// Whoever adds a field to one of these types finds it here as left out, and thinks of whether it is for everybody.
    #[test]
    fn each_field_is_alike_or_left_out() {
        let types = InputTypes::of(&schema::build(&test_limits(), true));
        let mut left_out = Vec::new();
        for (kind, alike) in ALIKE {
            let fields = types.0.types.get(*kind).and_then(|kind| kind.fields()).unwrap();
            let mut known: Vec<_> = fields.keys().map(String::as_str).collect();
            known.sort_unstable();
            assert!(
                alike.iter().all(|name| known.contains(name)),
                "{kind} has {known:?}"
            );
            assert!(alike.is_sorted(), "{kind}");
            let others = known.iter().filter(|name| !alike.contains(name));
            left_out.extend(others.map(|name| format!("{kind}.{name}")));
        }
        let expected = [
            "Order.availableActions",
            "Order.customer",
            "Order.events",
            "Order.fulfillments",
            "Order.lines",
            "Order.payments",
        ];
        assert_eq!(left_out, expected);
    }
}
