//! For how long everybody may keep an answer: as long as the schema's hints say of every field in it, and not at all when one of
//! them has none.
//!
//! The library takes a field without a hint for public. Here it is private: whoever adds a field has to say that it is not.

use async_graphql::Positioned;
use async_graphql::parser::types::{ExecutableDocument, OperationDefinition, Selection, SelectionSet};
use async_graphql::registry::{MetaType, MetaTypeName, Registry};

use super::{InputTypes, positions};

/// Seconds; None for an answer that is not for everybody.
pub(super) fn public_age(
    document: &ExecutableDocument,
    operation: &Positioned<OperationDefinition>,
    types: &InputTypes,
) -> Option<u32> {
    let registry = &types.0;
    let root = positions::root(registry, operation.node.ty)?;
    let mut youngest: Option<u32> = None;
    // Fragments are walked as often as they are spread: how often that is has been limited.
    let mut open: Vec<(&str, &SelectionSet)> = vec![(root, &operation.node.selection_set.node)];
    while let Some((parent, set)) = open.pop() {
        for item in &set.items {
            match &item.node {
                Selection::Field(field) => {
                    let name = field.node.name.node.as_str();
                    if name == "__typename" {
                        continue;
                    }
                    let age = age(registry, parent, name)?;
                    youngest = Some(youngest.map_or(age, |youngest| youngest.min(age)));
                    let kind = registry.types.get(parent)?.field_by_name(name)?;
                    let below = MetaTypeName::concrete_typename(&kind.ty);
                    open.push((below, &field.node.selection_set.node));
                }
                Selection::InlineFragment(inline) => {
                    let on = inline.node.type_condition.as_ref();
                    let on = on.map_or(parent, |on| on.node.on.node.as_str());
                    open.push((on, &inline.node.selection_set.node));
                }
                Selection::FragmentSpread(spread) => {
                    let fragment = document.fragments.get(&spread.node.fragment_name.node)?;
                    let on = fragment.node.type_condition.node.on.node.as_str();
                    open.push((on, &fragment.node.selection_set.node));
                }
            }
        }
    }
    youngest
}

/// What the field's own hint says, or that of its type.
fn age(registry: &Registry, parent: &str, name: &str) -> Option<u32> {
    let MetaType::Object {
        fields,
        cache_control: of_type,
        ..
    } = registry.types.get(parent)?
    else {
        return None;
    };
    let own = fields.get(name)?.cache_control;
    let hint = match own.max_age {
        0 => of_type,
        _ => &own,
    };
    let public = own.public && hint.public;
    u32::try_from(hint.max_age).ok().filter(|age| public && *age > 0)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::graphql::document::{prepare, test_limits};
    use crate::graphql::schema;

    fn types() -> InputTypes {
        InputTypes::of(&schema::build(&test_limits(), true))
    }

    fn age_of(document: &str) -> Option<u32> {
        let types = types();
        let prepared = prepare(
            document,
            None,
            async_graphql::Variables::default(),
            &types,
            &test_limits(),
            true,
        )
        .unwrap_or_else(|errors| panic!("{document}: {errors:?}"));
        prepared.public_age
    }

    #[test]
    fn an_answer_is_for_everybody_when_all_of_it_is() {
        for (document, age) in [
            ("{ shop { name } }", Some(60)),
            ("{ products { nodes { name __typename } } }", Some(30)),
            ("{ shop { name } products { nodes { name } } }", Some(30)),
            ("{ products { nodes { name inStock } } }", Some(5)),
            (
                "{ products { nodes { variants { inventory { onHand } } } } }",
                None,
            ),
            ("{ me { email } }", None),
            ("{ shop { name } me { id } }", None),
            ("{ shop { name } ... on Query { me { id } } }", None),
            (
                "query { shop { name } ...F } fragment F on Query { me { id } }",
                None,
            ),
            (
                "{ products { nodes { ... { ... on Product { name } } } } }",
                Some(30),
            ),
            ("{ node(id: \"product_1\") { id } }", None),
            ("{ __typename }", None),
            ("{ __schema { queryType { name } } }", None),
            ("{ __type(name: \"Shop\") { name } shop { name } }", None),
            ("mutation { __typename }", None),
        ] {
            assert_eq!(age_of(document), age, "{document}");
        }
    }

    /// Whoever makes a field public changes this list too, and thinks twice.
    #[test]
    fn what_is_public_is_listed() {
        let types = types();
        let sdl = schema::sdl();
        let mut lines = Vec::new();
        for (parent, kind) in &types.0.types {
            let MetaType::Object { fields, .. } = kind else {
                continue;
            };
            // Parts of the roots are types for the library alone.
            if !sdl.contains(&format!("\ntype {parent} ")) {
                continue;
            }
            let public = fields.keys().filter_map(|name| {
                let age = age(&types.0, parent, name)?;
                Some(format!("{parent}.{name} {age}"))
            });
            lines.extend(public);
        }
        lines.sort();
        let listed: Vec<&str> = include_str!("public.txt").lines().collect();
        assert_eq!(lines, listed, "public.txt should be:\n{}\n", lines.join("\n"));
    }
}
