//! The exported schema: fresh, described, and true to the contract.

use std::path::Path;

use async_graphql::parser::parse_schema;
use async_graphql::parser::types::{TypeKind, TypeSystemDefinition};
use souk::graphql::schema::sdl;

#[test]
fn the_file_is_fresh() {
    let file = Path::new(env!("CARGO_MANIFEST_DIR")).join("schema.graphql");
    let text = std::fs::read_to_string(file).unwrap();
    assert!(
        text == sdl(),
        "schema.graphql is stale: run `cargo run -- schema > schema.graphql`"
    );
}

/// Everything that a frontend developer meets is explained where it stands.
#[test]
fn everything_is_described() {
    let mut missing = Vec::new();
    let mut check = |place: String, described: bool| {
        if !described {
            missing.push(place);
        }
    };
    for definition in parse_schema(sdl()).unwrap().definitions {
        let TypeSystemDefinition::Type(definition) = definition else {
            continue;
        };
        let definition = definition.node;
        let name = definition.name.node.to_string();
        let root = ["Query", "Mutation"].contains(&name.as_str());
        check(name.clone(), root || definition.description.is_some());
        let fields = match definition.kind {
            TypeKind::Object(object) => object.fields,
            TypeKind::Interface(interface) => interface.fields,
            TypeKind::InputObject(input) => {
                for field in input.fields {
                    check(
                        format!("{name}.{}", field.node.name.node),
                        field.node.description.is_some(),
                    );
                }
                continue;
            }
            TypeKind::Enum(values) => {
                for value in values.values {
                    check(
                        format!("{name}.{}", value.node.value.node),
                        value.node.description.is_some(),
                    );
                }
                continue;
            }
            TypeKind::Scalar | TypeKind::Union(_) => continue,
        };
        for field in fields {
            let place = format!("{name}.{}", field.node.name.node);
            for argument in field.node.arguments {
                check(
                    format!("{place}({})", argument.node.name.node),
                    argument.node.description.is_some(),
                );
            }
            check(place, field.node.description.is_some());
        }
    }
    assert!(missing.is_empty(), "without a description: {missing:#?}");
}
