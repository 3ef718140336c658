//! Which arguments and input fields the schema has, and which of them the tables spoil.

use std::collections::{BTreeMap, BTreeSet};

use async_graphql::parser::parse_schema;
use async_graphql::parser::types::{BaseType, InputValueDefinition, Type, TypeKind, TypeSystemDefinition};
use souk::graphql::schema::sdl;

/// Arguments by their field, and input fields by their type, each with its own type: `Query.node`
/// has `id`, `ProductFilter` has `ids`.
pub(super) struct Inputs(BTreeMap<String, BTreeMap<String, String>>);

fn named(kind: &Type) -> String {
    match &kind.base {
        BaseType::Named(name) => name.to_string(),
        BaseType::List(item) => named(item),
    }
}

impl Inputs {
    pub(super) fn of_schema() -> Self {
        let mut inputs: BTreeMap<String, BTreeMap<String, String>> = BTreeMap::new();
        let fields = |values: Vec<InputValueDefinition>| -> BTreeMap<String, String> {
            values
                .into_iter()
                .map(|value| (value.name.node.to_string(), named(&value.ty.node)))
                .collect()
        };
        for definition in parse_schema(sdl()).unwrap().definitions {
            let TypeSystemDefinition::Type(kind) = definition else {
                continue;
            };
            let kind = kind.node;
            match kind.kind {
                TypeKind::Object(object) => {
                    for field in object.fields {
                        let arguments = field
                            .node
                            .arguments
                            .into_iter()
                            .map(|argument| argument.node)
                            .collect::<Vec<_>>();
                        if !arguments.is_empty() {
                            inputs.insert(
                                format!("{}.{}", kind.name.node, field.node.name.node),
                                fields(arguments),
                            );
                        }
                    }
                }
                TypeKind::InputObject(object) => {
                    let values = object.fields.into_iter().map(|field| field.node).collect();
                    inputs.insert(kind.name.node.to_string(), fields(values));
                }
                TypeKind::Scalar | TypeKind::Interface(_) | TypeKind::Union(_) | TypeKind::Enum(_) => {}
            }
        }
        Self(inputs)
    }

    /// Every one of them: `Query.node(id)`, `ProductFilter(ids)`.
    pub(super) fn all(&self) -> BTreeSet<String> {
        let names = |(owner, fields): (&String, &BTreeMap<String, String>)| {
            fields
                .keys()
                .map(|field| format!("{owner}({field})"))
                .collect::<Vec<_>>()
        };
        self.0.iter().flat_map(names).collect()
    }

    /// The one that a path from a field's arguments ends at; None when the schema has no such thing.
    pub(super) fn at(&self, field: &str, path: &str) -> Option<String> {
        let mut owner = field.to_owned();
        let mut last = None;
        for segment in path
            .split('.')
            .filter(|segment| segment.parse::<usize>().is_err())
        {
            let kind = self.0.get(&owner)?.get(segment)?;
            last = Some(format!("{owner}({segment})"));
            owner.clone_from(kind);
        }
        last
    }
}
