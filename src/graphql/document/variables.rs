//! Checks the values of variables against their types before anything runs, as the specification
//! demands: the library finds a missing one only while executing, and names a wrong one twice.

use async_graphql::parser::types::{BaseType, OperationDefinition, Type};
use async_graphql::registry::{MetaInputValue, MetaType, MetaTypeName, Registry};
use async_graphql::{ObjectType, Positioned, Schema, ServerError, SubscriptionType, Variables};
use async_graphql_value::ConstValue;

use super::{coded, short};

/// The types of a schema, for what is sent to it.
pub struct InputTypes(pub(super) Registry);

impl std::fmt::Debug for InputTypes {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("InputTypes")
    }
}

impl InputTypes {
    /// Those of a schema: the library keeps its own list to itself, so a second one is made.
    pub fn of<Q, M, S>(_: &Schema<Q, M, S>) -> Self
    where
        Q: ObjectType + 'static,
        M: ObjectType + 'static,
        S: SubscriptionType + 'static,
    {
        let mut registry = Registry::default();
        <bool as async_graphql::InputType>::create_type_info(&mut registry);
        <i32 as async_graphql::InputType>::create_type_info(&mut registry);
        <f64 as async_graphql::InputType>::create_type_info(&mut registry);
        <String as async_graphql::InputType>::create_type_info(&mut registry);
        <async_graphql::ID as async_graphql::InputType>::create_type_info(&mut registry);
        Q::create_type_info(&mut registry);
        registry.query_type = Q::type_name().into_owned();
        if !M::is_empty() {
            M::create_type_info(&mut registry);
            registry.mutation_type = Some(M::type_name().into_owned());
        }
        if !S::is_empty() {
            S::create_type_info(&mut registry);
            registry.subscription_type = Some(S::type_name().into_owned());
        }
        Self(registry)
    }

    /// Whether a mutation is done once, however often it is sent.
    pub(super) fn takes_key(&self, mutation: &str) -> bool {
        let types = &self.0.types;
        let root = self.0.mutation_type.as_ref().and_then(|name| types.get(name));
        let Some(field) = root.and_then(|root| root.field_by_name(mutation)) else {
            return false;
        };
        field.args.values().any(|argument| {
            let input = types.get(MetaTypeName::concrete_typename(&argument.ty));
            matches!(input, Some(MetaType::InputObject { input_fields, .. }) if input_fields.contains_key("idempotencyKey"))
        })
    }

    /// The names of all fields at the roots.
    pub fn roots(&self) -> impl Iterator<Item = &str> {
        let registry = &self.0;
        [
            Some(&registry.query_type),
            registry.mutation_type.as_ref(),
            registry.subscription_type.as_ref(),
        ]
        .into_iter()
        .flatten()
        .filter_map(|name| registry.types.get(name)?.fields())
        .flat_map(|fields| fields.keys().map(String::as_str))
    }

    /// The variables that the operation declares, checked. What it does not declare is left out. The library looks for those of
    /// `@skip` and `@include` among what was sent alone, and not at their defaults: so a default of theirs counts as sent.
    pub(super) fn coerce(
        &self,
        operation: &Positioned<OperationDefinition>,
        mut sent: Variables,
    ) -> Result<Variables, Vec<ServerError>> {
        let mut variables = Variables::default();
        let mut errors = Vec::new();
        for definition in &operation.node.variable_definitions {
            let (name, kind) = (&definition.node.name.node, &definition.node.var_type.node);
            let problem = match sent.remove(name.as_str()) {
                None if kind.nullable || definition.node.default_value.is_some() => {
                    let default = definition.node.default_value.as_ref();
                    // No other type can be a condition, and what is not of its type validation refuses.
                    if let Some(value @ ConstValue::Boolean(_)) = default.map(|default| &default.node)
                        && matches!(&kind.base, BaseType::Named(base) if base.as_str() == "Boolean")
                    {
                        variables.insert(name.clone(), value.clone());
                    }
                    None
                }
                None => Some(format!(
                    "Variable \"${name}\" of type \"{kind}\" is required and was not sent."
                )),
                Some(value) => {
                    let mut place = format!("${name}");
                    let wrong = self.check(kind, &value, &mut place).err();
                    variables.insert(name.clone(), value);
                    wrong.map(|wrong| format!("Variable \"{place}\": {wrong}"))
                }
            };
            errors.extend(problem.map(|message| coded("BAD_USER_INPUT", message, Some(definition.pos))));
        }
        if errors.is_empty() {
            Ok(variables)
        } else {
            Err(errors)
        }
    }

    /// `place` grows with the way into the value, and stays where something is wrong.
    fn check(&self, kind: &Type, value: &ConstValue, place: &mut String) -> Result<(), String> {
        if matches!(value, ConstValue::Null) {
            return if kind.nullable {
                Ok(())
            } else {
                Err(format!("null, where a {kind} is needed"))
            };
        }
        match (&kind.base, value) {
            (BaseType::Named(name), value) => self.check_named(name, value, place),
            (BaseType::List(item), ConstValue::List(values)) => {
                self.check_items(values, place, |types, value, place| {
                    types.check(item, value, place)
                })
            }
            // A single value counts as a list of one.
            (BaseType::List(item), value) => self.check(item, value, place),
        }
    }

    /// The same for a type as the registry writes it: `[Int!]!`.
    fn check_meta(&self, kind: &str, value: &ConstValue, place: &mut String) -> Result<(), String> {
        match (MetaTypeName::create(kind), value) {
            (MetaTypeName::NonNull(inner), ConstValue::Null) => {
                Err(format!("null, where a {inner}! is needed"))
            }
            (MetaTypeName::NonNull(inner), value) => self.check_meta(inner, value, place),
            (_, ConstValue::Null) => Ok(()),
            (MetaTypeName::List(item), ConstValue::List(values)) => {
                self.check_items(values, place, |types, value, place| {
                    types.check_meta(item, value, place)
                })
            }
            (MetaTypeName::List(item), value) => self.check_meta(item, value, place),
            (MetaTypeName::Named(name), value) => self.check_named(name, value, place),
        }
    }

    fn check_items(
        &self,
        values: &[ConstValue],
        place: &mut String,
        check: impl Fn(&Self, &ConstValue, &mut String) -> Result<(), String>,
    ) -> Result<(), String> {
        for (index, value) in values.iter().enumerate() {
            let length = place.len();
            place.push_str(&format!(".{index}"));
            check(self, value, place)?;
            place.truncate(length);
        }
        Ok(())
    }

    pub(super) fn check_named(
        &self,
        name: &str,
        value: &ConstValue,
        place: &mut String,
    ) -> Result<(), String> {
        let fits = match self.0.types.get(name) {
            Some(MetaType::InputObject {
                input_fields, oneof, ..
            }) => {
                let ConstValue::Object(values) = value else {
                    return Err(needs(name));
                };
                if *oneof && (values.len() != 1 || values.values().any(|value| *value == ConstValue::Null)) {
                    return Err(format!("needs exactly one of the fields of {name}, and not null"));
                }
                if let Some(unknown) = values
                    .keys()
                    .find(|field| !input_fields.contains_key(field.as_str()))
                {
                    return Err(format!("{name} has no field \"{}\"", short(unknown)));
                }
                for field in input_fields.values() {
                    self.check_field(field, values.get(field.name.as_str()), place)?;
                }
                true
            }
            Some(MetaType::Enum { enum_values, .. }) => match value {
                ConstValue::String(text) => enum_values.contains_key(text.as_str()),
                ConstValue::Enum(text) => enum_values.contains_key(text.as_str()),
                ConstValue::Null
                | ConstValue::Number(_)
                | ConstValue::Boolean(_)
                | ConstValue::Binary(_)
                | ConstValue::List(_)
                | ConstValue::Object(_) => false,
            },
            Some(MetaType::Scalar { is_valid, .. }) => match (name, value) {
                ("Int", ConstValue::Number(number)) => number
                    .as_i64()
                    .is_some_and(|number| i32::try_from(number).is_ok()),
                ("Float", value) => matches!(value, ConstValue::Number(_)),
                ("String", value) => matches!(value, ConstValue::String(_)),
                ("Boolean", value) => matches!(value, ConstValue::Boolean(_)),
                ("ID", ConstValue::Number(number)) => number.is_i64() || number.is_u64(),
                ("Int" | "ID", value) => name == "ID" && matches!(value, ConstValue::String(_)),
                (_, value) => is_valid.as_ref().is_none_or(|is_valid| is_valid(value)),
            },
            // No input type, or none at all: validation says so.
            Some(MetaType::Object { .. } | MetaType::Interface { .. } | MetaType::Union { .. }) | None => {
                true
            }
        };
        if fits { Ok(()) } else { Err(self.needs(name)) }
    }

    /// What is needed, in the words of the schema where the type is one of our own scalars.
    pub(super) fn needs(&self, name: &str) -> String {
        let own = !matches!(name, "Int" | "Float" | "String" | "Boolean" | "ID");
        match self.0.types.get(name) {
            Some(MetaType::Scalar {
                description: Some(text),
                ..
            }) if own => {
                let sentence = text
                    .split_once(". ")
                    .map_or(text.as_str(), |(sentence, _)| sentence);
                let sentence = sentence.trim_end_matches('.');
                format!("not a value of type {name}: {sentence}")
            }
            _ => needs(name),
        }
    }

    fn check_field(
        &self,
        field: &MetaInputValue,
        value: Option<&ConstValue>,
        place: &mut String,
    ) -> Result<(), String> {
        let length = place.len();
        place.push('.');
        place.push_str(&field.name);
        match value {
            Some(value) => self.check_meta(&field.ty, value, place)?,
            None if field.default_value.is_none() && field.ty.ends_with('!') => {
                return Err(format!("a {} is required and was not sent", field.ty));
            }
            None => {}
        }
        place.truncate(length);
        Ok(())
    }
}

fn needs(name: &str) -> String {
    format!("not a value of type {name}")
}
