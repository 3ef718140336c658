//! A request's document, from text to the one operation that the library may execute, refused as soon as
//! it is larger than a storefront's ever is.
//!
//! Outermost first: tokens and brackets while lexing, then parsing, then the size of the selected
//! operation with its fragments spread, then the input, then the size of what it asks for. Everything here is linear in the text.

mod alike;
mod caching;
mod charges;
mod cost;
mod known;
mod lexer;
mod lists;
mod literals;
mod measure;
mod omitted;
mod once;
mod positions;
mod root;
mod unique;
mod variables;
mod walk;

#[cfg(test)]
mod tests;

use async_graphql::parser::types::{
    DocumentOperations, ExecutableDocument, OperationDefinition, OperationType,
};
use async_graphql::parser::{Error as ParseError, parse_query};
use async_graphql::{ErrorExtensionValues, Pos, Positioned, ServerError, Variables};

use super::persisted::Registration;
use crate::infra::secret::digest;
use crate::kernel::config::LimitsConfig;

pub use charges::Charges;
pub(super) use cost::too_dear;
use known::Proven;
pub use known::{Known, Proof};
pub use variables::InputTypes;

#[cfg(test)]
pub(crate) use tests::{prepare, test_limits};

/// One operation of a document, as far as it is the same whatever is sent with it: parsed, and within the limits.
#[derive(Debug)]
pub struct Checked {
    /// The fragments that the operation spreads, and no operation.
    fragments: ExecutableDocument,
    operation: Positioned<OperationDefinition>,
    name: Option<String>,
    hash: String,
    asks_for_schema: bool,
    public_age: Option<u32>,
    is_repeatable: bool,
    names_each_once: bool,
    is_alike: bool,
    /// What it costs, where no variable has a say in that.
    cost: Option<(u64, Charges)>,
    proven: Proven,
}

/// An operation within the limits, with its variables.
#[derive(Debug)]
pub struct Prepared {
    pub document: ExecutableDocument,
    pub kind: OperationType,
    /// The operation's name, where it has one.
    pub operation_name: Option<String>,
    pub variables: Variables,
    /// The same where it is the shop's own, of a document that was registered.
    pub own_name: Option<&'static str>,
    /// What it could cost at most: see `cost`.
    pub cost: u64,
    /// What of that its answer does not show.
    pub charges: Charges,
    /// SHA-256 of the document's text, in hexadecimal: what logs and caches know it by.
    pub hash: String,
    /// For how many seconds everybody may keep the answer; None when it is not for everybody.
    pub public_age: Option<u32>,
    /// Whether sending it again does nothing twice: it only reads, or each of its changes has an idempotency key.
    pub is_repeatable: bool,
    /// Whether nothing in the answer has to be put together of two fields with one name.
    pub names_each_once: bool,
    /// Whether all who hear of an event by it hear the same.
    pub is_alike: bool,
    /// Whether the same with such variables has passed validation.
    pub is_proven: bool,
    /// What to remember of it once it has been executed.
    pub novelty: Novelty,
}

/// What is known of an operation for the first time. Only what was executed has passed validation: strangers cannot have rubbish
/// kept.
#[derive(Debug, Default)]
pub struct Novelty {
    pub registration: Option<Registration>,
    pub proof: Option<Proof>,
}

impl Prepared {
    /// The names of the fields at the root, fragments spread.
    pub fn roots(&self) -> impl Iterator<Item = &str> {
        self.document
            .operations
            .iter()
            .flat_map(|(_, operation)| measure::root_fields(&self.document, operation))
            .map(|field| field.node.name.node.as_str())
    }
}

/// Why a document is refused; always `GRAPHQL_VALIDATION_FAILED`.
#[derive(Debug)]
struct Violation {
    message: String,
    pos: Option<Pos>,
}

impl Violation {
    fn new(message: impl Into<String>) -> Self {
        Self {
            message: message.into(),
            pos: None,
        }
    }

    fn at(pos: Pos, message: impl Into<String>) -> Self {
        Self {
            message: message.into(),
            pos: Some(pos),
        }
    }
}

impl From<Violation> for Vec<ServerError> {
    fn from(violation: Violation) -> Self {
        vec![coded(
            "GRAPHQL_VALIDATION_FAILED",
            violation.message,
            violation.pos,
        )]
    }
}

/// A request error with its code.
pub(super) fn coded(code: &str, message: impl Into<String>, pos: Option<Pos>) -> ServerError {
    let mut extensions = ErrorExtensionValues::default();
    extensions.set("code", code);
    ServerError {
        extensions: Some(extensions),
        ..ServerError::new(message, pos)
    }
}

/// Parses and checks one operation of a document, before anybody looks at variables.
///
/// # Errors
/// All errors have a code, and nothing has been executed.
pub fn check(
    text: &str,
    operation_name: Option<&str>,
    types: &InputTypes,
    limits: &LimitsConfig,
) -> Result<Checked, Vec<ServerError>> {
    let document = parse(text, limits)?;
    check_one(document, operation_name, digest(text), types, limits)
}

fn parse(text: &str, limits: &LimitsConfig) -> Result<ExecutableDocument, Vec<ServerError>> {
    lexer::check(text, limits)?;
    let document = parse_query(text).map_err(|error| vec![parse_error(&error)])?;
    unique::check(text)?;
    Ok(document)
}

fn check_one(
    mut document: ExecutableDocument,
    wanted: Option<&str>,
    hash: String,
    types: &InputTypes,
    limits: &LimitsConfig,
) -> Result<Checked, Vec<ServerError>> {
    let (name, mut operation) = select(&mut document, wanted)?;
    measure::check(&document, &operation, limits)?;
    let asks_for_schema = measure::asks_for_schema(&document, &operation);
    positions::check(&document, &operation, &types.0)?;
    literals::check(&document, &operation, types)?;
    lists::check(&document, &operation, limits.list_items)?;
    let cost = if operation.node.variable_definitions.is_empty() {
        let none = Variables::default();
        Some(cost::check(&document, &operation, &none, &types.0, limits.cost)?)
    } else {
        None
    };
    root::single(&mut document, &mut operation)?;
    let is_repeatable = operation.node.ty != OperationType::Mutation
        || measure::root_fields(&document, &operation)
            .all(|field| types.takes_key(field.node.name.node.as_str()));
    let public_age = caching::public_age(&document, &operation, types);
    let names_each_once = once::is_true_of(&document, &operation);
    let is_alike = alike::is_alike(&document, &operation, types);
    Ok(Checked {
        public_age,
        names_each_once,
        is_alike,
        fragments: document,
        operation,
        name,
        hash,
        asks_for_schema,
        is_repeatable,
        cost,
        proven: Proven::default(),
    })
}

/// An operation with its variables, checked and trimmed down to what may be executed.
///
/// # Errors
/// As those of [`check`].
pub fn bind(
    checked: &Checked,
    variables: Variables,
    types: &InputTypes,
    limits: &LimitsConfig,
    introspection: bool,
) -> Result<Prepared, Vec<ServerError>> {
    let Checked {
        fragments, operation, ..
    } = checked;
    if checked.asks_for_schema && !introspection {
        return Err(Violation::at(operation.pos, "Introspection is switched off here.").into());
    }
    let variables = types.coerce(operation, variables)?;
    lists::check_variables(&variables, limits.list_items)?;
    let (cost, charges) = match &checked.cost {
        Some(cost) => cost.clone(),
        None => cost::check(fragments, operation, &variables, &types.0, limits.cost)?,
    };
    let (mut document, mut operation) = (fragments.clone(), operation.clone());
    omitted::strip(&mut document, &mut operation, &variables, &types.0);
    let kind = operation.node.ty;
    put_back(&mut document, checked.name.as_deref(), operation);
    Ok(Prepared {
        document,
        kind,
        operation_name: checked.name.clone(),
        own_name: None,
        variables,
        cost,
        charges,
        hash: checked.hash.clone(),
        public_age: checked.public_age,
        is_repeatable: checked.is_repeatable,
        names_each_once: checked.names_each_once,
        is_alike: checked.is_alike,
        is_proven: false,
        novelty: Novelty::default(),
    })
}

/// All operations of a document, each as the only one of its own, as far as they can be checked before anybody sends variables;
/// what is left to do is validation. Pages whose size is a variable count for their default.
///
/// # Errors
/// As those of [`check`].
pub(super) fn examine(
    text: &str,
    types: &InputTypes,
    limits: &LimitsConfig,
) -> Result<Vec<Checked>, Vec<ServerError>> {
    let whole = parse(text, limits)?;
    let names = whole
        .operations
        .iter()
        .map(|(name, _)| name.map(ToString::to_string));
    names
        .map(|wanted| {
            let checked = check_one(whole.clone(), wanted.as_deref(), digest(text), types, limits)?;
            let Checked {
                fragments, operation, ..
            } = &checked;
            cost::check(fragments, operation, &Variables::default(), &types.0, limits.cost)?;
            Ok(checked)
        })
        .collect()
}

impl Checked {
    pub(super) fn name(&self) -> Option<&str> {
        self.name.as_deref()
    }

    /// As it is before anything is known of its variables.
    pub(super) fn to_document(&self) -> (Option<String>, ExecutableDocument) {
        let mut document = self.fragments.clone();
        put_back(&mut document, self.name.as_deref(), self.operation.clone());
        (self.name.clone(), document)
    }
}

/// What [`select`] took out.
fn put_back(
    document: &mut ExecutableDocument,
    name: Option<&str>,
    operation: Positioned<OperationDefinition>,
) {
    document.operations = match name {
        None => DocumentOperations::Single(operation),
        Some(name) => DocumentOperations::Multiple([(async_graphql::Name::new(name), operation)].into()),
    };
}

/// What an error may repeat of a name that was sent.
fn short(name: &str) -> &str {
    const LONGEST: usize = 100;
    name.get(..name.floor_char_boundary(LONGEST)).unwrap_or_default()
}

/// Takes the operation that is meant out of the document, and away with what only the others use.
fn select(
    document: &mut ExecutableDocument,
    wanted: Option<&str>,
) -> Result<(Option<String>, Positioned<OperationDefinition>), Violation> {
    refuse_unused_fragments(document)?;
    let unknown = |name: &str| Violation::new(format!("The document has no operation \"{}\".", short(name)));
    let operations = std::mem::replace(&mut document.operations, DocumentOperations::Multiple([].into()));
    let (name, operation) = match (operations, wanted.filter(|name| !name.is_empty())) {
        (DocumentOperations::Single(operation), None) => return Ok((None, operation)),
        (DocumentOperations::Single(_), Some(name)) => return Err(unknown(name)),
        (DocumentOperations::Multiple(mut operations), Some(name)) => {
            operations.remove_entry(name).ok_or_else(|| unknown(name))?
        }
        (DocumentOperations::Multiple(operations), None) => {
            let several = operations.len() > 1;
            match operations.into_iter().next() {
                Some(only) if !several => only,
                _ => {
                    return Err(Violation::new(
                        "The document has several operations: operationName must say which one.",
                    ));
                }
            }
        }
    };
    let used: std::collections::HashSet<String> =
        walk::reachable(document, &operation.node.selection_set.node)
            .into_iter()
            .map(str::to_owned)
            .collect();
    document.fragments.retain(|name, _| used.contains(name.as_str()));
    Ok((Some(name.to_string()), operation))
}

/// Not left to validation, which would have to walk them first.
fn refuse_unused_fragments(document: &ExecutableDocument) -> Result<(), Violation> {
    let mut used = std::collections::HashSet::new();
    for (_, operation) in document.operations.iter() {
        used.extend(walk::reachable(document, &operation.node.selection_set.node));
    }
    match document
        .fragments
        .iter()
        .find(|(name, _)| !used.contains(name.as_str()))
    {
        None => Ok(()),
        Some((name, fragment)) => Err(Violation::at(
            fragment.pos,
            format!("Fragment \"{name}\" is never used."),
        )),
    }
}

fn parse_error(error: &ParseError) -> ServerError {
    let message = match error {
        // The parser draws a picture of the line, however long that is; its last line says what it expected.
        ParseError::Syntax { message, .. } => {
            let reason = message.lines().last().unwrap_or_default();
            format!("Syntax error: {}.", reason.trim_start_matches([' ', '=']))
        }
        other => format!("Syntax error: {other}."),
    };
    let mut coded = coded("GRAPHQL_PARSE_FAILED", message, None);
    coded.locations = error.positions().take(1).collect();
    coded
}
