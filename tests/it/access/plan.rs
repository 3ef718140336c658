//! What to ask: a probe for every field of every object type of the schema, and the way to it.

use std::collections::{BTreeMap, BTreeSet, VecDeque};

use async_graphql::parser::parse_schema;
use async_graphql::parser::types::{BaseType, Type, TypeKind, TypeSystemDefinition};

use super::roots::{NODES, PLACES, ROOTS};

/// A request for one field. `@…` in it stands for what the caller asks about.
#[derive(Clone, Debug)]
pub(super) struct Probe {
    /// `Type.field`, and which use of it where there are several.
    pub(super) name: String,
    pub(super) document: String,
    /// Where the field lies in the answer.
    pub(super) path: Vec<String>,
    /// Whether it changes something, so that it needs a caller and objects of its own.
    pub(super) writes: bool,
    /// Whether it is a mutation itself, whose refusals count.
    pub(super) refuses: bool,
}

struct Field {
    kind: String,
    needs_arguments: bool,
}

/// The object types of a schema with their fields, and all types that have any.
struct Objects {
    objects: BTreeMap<String, BTreeMap<String, Field>>,
    composite: BTreeSet<String>,
}

/// The way to an object of some type.
#[derive(Clone)]
struct Place {
    open: String,
    close: String,
    path: Vec<String>,
}

impl Place {
    fn below(&self, call: &str, field: &str) -> Self {
        let mut path = self.path.clone();
        path.push(field.to_owned());
        Self {
            open: format!("{} {call} {{", self.open),
            close: format!("}} {}", self.close),
            path,
        }
    }

    fn writes(&self) -> bool {
        self.open.starts_with("mutation")
    }
}

/// All probes for this schema.
///
/// # Errors
/// What nobody has told how to ask for.
pub(super) fn plan(sdl: &str) -> Result<Vec<Probe>, Vec<String>> {
    let objects = Objects::of(sdl);
    let mut probes = Vec::new();
    let mut unknown = Vec::new();
    for root in ["Query", "Mutation", "Subscription"] {
        for (field, info) in objects.objects.get(root).into_iter().flatten() {
            let name = format!("{root}.{field}");
            let uses: Vec<_> = ROOTS.iter().filter(|(known, ..)| *known == name).collect();
            if uses.is_empty() {
                unknown.push(format!("{name}: say in roots.rs what to ask it for"));
            }
            for (_, note, arguments) in uses {
                let note = if note.is_empty() {
                    String::new()
                } else {
                    format!(" ({note})")
                };
                probes.push(objects.root_probe(root, field, info, &note, arguments));
            }
        }
    }
    let places = objects.places(&mut unknown);
    for (kind, fields) in &objects.objects {
        if ["Query", "Mutation", "Subscription"].contains(&kind.as_str()) {
            continue;
        }
        let Some(place) = places.get(kind) else {
            unknown.push(format!("{kind}: say in roots.rs how to come to one"));
            continue;
        };
        probes.extend(fields.iter().map(|(field, info)| {
            let own = places.get(&format!("{kind}.{field}"));
            objects.probe(kind, own.unwrap_or(place), field, info)
        }));
    }
    if unknown.is_empty() {
        Ok(probes)
    } else {
        Err(unknown)
    }
}

impl Objects {
    fn of(sdl: &str) -> Self {
        let mut objects = BTreeMap::new();
        let mut composite = BTreeSet::new();
        for definition in parse_schema(sdl).unwrap().definitions {
            let TypeSystemDefinition::Type(kind) = definition else {
                continue;
            };
            let name = kind.node.name.node.to_string();
            match kind.node.kind {
                TypeKind::Object(object) => {
                    let fields = object.fields.into_iter().map(|field| {
                        let needed = |argument: &async_graphql::parser::types::InputValueDefinition| {
                            !argument.ty.node.nullable && argument.default_value.is_none()
                        };
                        let info = Field {
                            kind: named(&field.node.ty.node),
                            needs_arguments: field
                                .node
                                .arguments
                                .iter()
                                .any(|argument| needed(&argument.node)),
                        };
                        (field.node.name.node.to_string(), info)
                    });
                    objects.insert(name.clone(), fields.collect());
                    composite.insert(name);
                }
                TypeKind::Interface(_) | TypeKind::Union(_) => {
                    composite.insert(name);
                }
                TypeKind::Scalar | TypeKind::Enum(_) | TypeKind::InputObject(_) => {}
            }
        }
        Self { objects, composite }
    }

    /// Whether there is such a type, or such a field of a type.
    fn has(&self, name: &str) -> bool {
        match name.split_once('.') {
            Some((kind, field)) => self
                .objects
                .get(kind)
                .is_some_and(|fields| fields.contains_key(field)),
            None => self.objects.contains_key(name),
        }
    }

    fn selection(&self, kind: &str) -> &'static str {
        if self.composite.contains(kind) {
            " { __typename }"
        } else {
            ""
        }
    }

    fn root_probe(&self, root: &str, field: &str, info: &Field, note: &str, arguments: &str) -> Probe {
        let refuses = root == "Mutation";
        let selection = match refuses {
            true => " { userErrors { code message path } }",
            false => self.selection(&info.kind),
        };
        Probe {
            name: format!("{root}.{field}{note}"),
            document: format!("{} {{ {field}{arguments}{selection} }}", root.to_lowercase()),
            path: vec![field.to_owned()],
            writes: refuses,
            refuses,
        }
    }

    fn probe(&self, kind: &str, place: &Place, field: &str, info: &Field) -> Probe {
        let mut path = place.path.clone();
        path.push(field.to_owned());
        Probe {
            name: format!("{kind}.{field}"),
            document: format!(
                "{} {field}{} {}",
                place.open,
                self.selection(&info.kind),
                place.close
            ),
            path,
            writes: place.writes(),
            refuses: false,
        }
    }

    /// The way to each type: by its id, through the fields of a type that there is a way to, or as the table says.
    fn places(&self, unknown: &mut Vec<String>) -> BTreeMap<String, Place> {
        let mut places = BTreeMap::new();
        let mut queue = VecDeque::new();
        let add =
            |places: &mut BTreeMap<String, Place>, queue: &mut VecDeque<String>, kind: &str, place: Place| {
                if self.has(kind) && !places.contains_key(kind) {
                    places.insert(kind.to_owned(), place);
                    if self.objects.contains_key(kind) {
                        queue.push_back(kind.to_owned());
                    }
                }
            };
        for (kind, open, path) in PLACES {
            let close = " }".repeat(open.matches('{').count() - open.matches('}').count());
            let path = path.split('.').map(str::to_owned).collect();
            add(
                &mut places,
                &mut queue,
                kind,
                Place {
                    open: (*open).to_owned(),
                    close,
                    path,
                },
            );
        }
        for kind in NODES {
            let open = format!("query {{ node(id: \"@{kind}\") {{ ... on {kind} {{");
            let place = Place {
                open,
                close: "} } }".to_owned(),
                path: vec!["node".to_owned()],
            };
            add(&mut places, &mut queue, kind, place);
        }
        for (root, _, arguments) in ROOTS {
            let (root, field) = root.split_once('.').unwrap();
            let Some(info) = self.objects.get(root).and_then(|fields| fields.get(field)) else {
                unknown.push(format!("{root}.{field} is in roots.rs, but not in the schema"));
                continue;
            };
            let start = Place {
                open: format!("{} {{", root.to_lowercase()),
                close: "}".to_owned(),
                path: Vec::new(),
            };
            add(
                &mut places,
                &mut queue,
                &info.kind,
                start.below(&format!("{field}{arguments}"), field),
            );
        }
        while let Some(kind) = queue.pop_front() {
            let place = places[&kind].clone();
            for (field, info) in &self.objects[&kind] {
                if !info.needs_arguments {
                    add(&mut places, &mut queue, &info.kind, place.below(field, field));
                }
            }
        }
        places
    }
}

fn named(kind: &Type) -> String {
    match &kind.base {
        BaseType::Named(name) => name.to_string(),
        BaseType::List(item) => named(item),
    }
}
