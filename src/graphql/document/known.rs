//! Documents that have been checked and validated before: neither is done twice.
//!
//! Checking is the same whatever is sent with a document. Validation looks at the variables, too, but not at what they are:
//! their values have been checked against their types by then, so it matters only which are there and which are null. For
//! each such shape a document is validated once, and from then on executed without.

use std::borrow::Cow;
use std::collections::HashSet;
use std::sync::{Arc, Mutex, PoisonError};

use async_graphql::Variables;
use async_graphql_value::ConstValue;
use moka::sync::Cache;

use super::Checked;
use crate::infra::metric::CACHE;

/// No storefront's document is longer.
const LONGEST: usize = 64 * 1024;

/// What a parsed document takes for each byte of its text, and beside: a field of ten letters is some three hundred bytes.
const PARSED: usize = 32;
const OVERHEAD: usize = 1024;

/// Shapes of variables that are remembered of a document. Clients send two or three; a stranger, any number.
const SHAPES: usize = 64;

/// By text and name of the operation. What is asked for often stays.
#[derive(Debug)]
pub struct Known(Option<Cache<String, Arc<Checked>>>);

/// That an operation has been validated, to be remembered if it has passed.
#[derive(Debug)]
pub struct Proof {
    checked: Arc<Checked>,
    shape: Shape,
    /// None for a document that is known already.
    key: Option<String>,
}

/// Which variables are there, in the order of their definitions: for each whether it is left out, null, or a value.
type Shape = Box<[u8]>;

#[derive(Debug, Default)]
pub(super) struct Proven(Mutex<HashSet<Shape>>);

impl Known {
    /// Room for so many bytes; with none, everything is done each time.
    pub fn new(bytes: u64) -> Self {
        let weight = |key: &String, _: &Arc<Checked>| {
            u32::try_from(key.len().saturating_mul(PARSED) + OVERHEAD).unwrap_or(u32::MAX)
        };
        let cache = || Cache::builder().max_capacity(bytes).weigher(weight).build();
        Self((bytes > 0).then(cache))
    }

    pub fn is_on(&self) -> bool {
        self.0.is_some()
    }

    pub fn get(&self, text: &str, operation_name: Option<&str>) -> Option<Arc<Checked>> {
        let cache = self.0.as_ref()?;
        // It would be refused, and could look like the key of another.
        if text.contains('\0') {
            return None;
        }
        let known = cache.get(&*key(text, operation_name));
        let result = if known.is_some() { "hit" } else { "miss" };
        CACHE.counter(["documents", result]).increment(1);
        known
    }

    /// Whether the operation has passed validation with variables of this shape, and if not, what to remember when it has.
    pub(in crate::graphql) fn proof(
        &self,
        checked: Arc<Checked>,
        variables: &Variables,
        new: Option<(&str, Option<&str>)>,
    ) -> Option<Proof> {
        self.0.as_ref()?;
        let shape = shape(&checked, variables);
        if checked.proven.has(&shape) {
            return None;
        }
        let key = new.filter(|(text, _)| text.len() <= LONGEST);
        let key = key.map(|(text, operation)| self::key(text, operation).into_owned());
        Some(Proof { checked, shape, key })
    }

    /// One that has been validated as far as it can be without its variables.
    pub(in crate::graphql) fn keep(&self, text: &str, operation_name: Option<&str>, checked: &Arc<Checked>) {
        if let Some(cache) = &self.0 {
            cache.insert(key(text, operation_name).into_owned(), Arc::clone(checked));
        }
    }

    pub fn learn(&self, Proof { checked, shape, key }: Proof) {
        checked.proven.add(shape);
        if let (Some(cache), Some(key)) = (&self.0, key) {
            cache.insert(key, checked);
        }
    }
}

impl Proven {
    fn has(&self, shape: &[u8]) -> bool {
        let shapes = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        shapes.contains(shape)
    }

    fn add(&self, shape: Shape) {
        let mut shapes = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if shapes.len() < SHAPES {
            shapes.insert(shape);
        }
    }
}

fn shape(checked: &Checked, variables: &Variables) -> Shape {
    let definitions = checked.operation.node.variable_definitions.iter();
    let there = definitions.map(|definition| match variables.get(&definition.node.name.node) {
        None => 0,
        Some(ConstValue::Null) => 1,
        Some(_) => 2,
    });
    there.collect()
}

/// No text that is kept has a zero byte.
fn key<'a>(text: &'a str, operation_name: Option<&str>) -> Cow<'a, str> {
    match operation_name {
        Some(name) if !name.is_empty() => format!("{name}\0{text}").into(),
        Some(_) | None => text.into(),
    }
}

#[cfg(test)]
mod tests {
    use async_graphql::Value;

    use super::*;
    use crate::graphql::document::{InputTypes, check, test_limits};
    use crate::graphql::schema;

    const TEXT: &str = "query Page($n: Int, $m: Int) { products(first: $n, last: $m) { nodes { name } } }";

    fn checked() -> Arc<Checked> {
        let types = InputTypes::of(&schema::build(&test_limits(), true));
        Arc::new(check(TEXT, None, &types, &test_limits()).unwrap())
    }

    fn variables(n: Option<Value>) -> Variables {
        let n = n.map(|n| (async_graphql::Name::new("n"), n));
        Variables::from_value(Value::Object(n.into_iter().collect()))
    }

    #[test]
    fn each_shape_of_the_variables_is_validated_once() {
        let known = Known::new(1 << 20);
        assert!(known.get(TEXT, None).is_none());
        let checked = checked();
        let first = known.proof(
            Arc::clone(&checked),
            &variables(Some(1.into())),
            Some((TEXT, None)),
        );
        known.learn(first.unwrap());
        let again = known.get(TEXT, None).unwrap();
        let asks = |n: Option<Value>| known.proof(Arc::clone(&again), &variables(n), None).is_some();
        assert!(!asks(Some(2.into())));
        assert!(asks(Some(Value::Null)));
        assert!(asks(None));
        assert!(known.get(TEXT, Some("Page")).is_none());
        assert!(known.get(&format!("Page\0{TEXT}"), None).is_none());
    }

    #[test]
    fn it_can_be_switched_off_and_is_bounded() {
        let off = Known::new(0);
        assert!(
            off.proof(checked(), &variables(None), Some((TEXT, None)))
                .is_none()
        );
        assert!(!off.is_on());
        let known = Known::new(100_000);
        let checked = checked();
        for number in 0..1_000 {
            known.keep(&format!("{TEXT} # {number}"), None, &checked);
        }
        let cache = known.0.as_ref().unwrap();
        cache.run_pending_tasks();
        assert!(cache.weighted_size() <= 100_000);
        let long = format!("{TEXT} # {}", "x".repeat(LONGEST));
        let proof = known.proof(Arc::clone(&checked), &variables(None), Some((&long, None)));
        known.learn(proof.unwrap());
        assert!(known.get(&long, None).is_none());
    }
}
