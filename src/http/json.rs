//! A request out of JSON or out of the parameters of an address, with words for whatever is wrong with it.

use async_graphql::Variables;
use serde::Deserialize;
use serde_json::Value;

use crate::graphql::engine::GraphqlRequest;

/// The parameters as they come, of whatever type. What else is sent is not looked at: the names are
/// reserved for the specification.
#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Parameters {
    #[serde(default)]
    query: Option<Value>,
    #[serde(default)]
    operation_name: Option<Value>,
    #[serde(default)]
    variables: Option<Value>,
    #[serde(default)]
    extensions: Option<Value>,
}

/// # Errors
/// What is wrong, for the client to read.
pub(super) fn request_of_body(body: &[u8], depth: usize) -> Result<GraphqlRequest, String> {
    if exceeds_depth(body, depth) {
        return Err(format!("The body's JSON is more than {depth} levels deep."));
    }
    match body.trim_ascii_start().first() {
        None => return Err("The body is empty.".to_owned()),
        Some(b'[') => return Err("Batches are not answered: send one operation at a time.".to_owned()),
        Some(b'{') => {}
        Some(_) => return Err("The body is not a JSON object.".to_owned()),
    }
    let parameters: Parameters = serde_json::from_slice(body).map_err(|error| not_json("body", &error))?;
    request(parameters)
}

/// # Errors
/// What is wrong, for the client to read.
pub(super) fn request_of_query(query: &str, depth: usize) -> Result<GraphqlRequest, String> {
    let mut parameters = Parameters::default();
    for (name, value) in url::form_urlencoded::parse(query.as_bytes()) {
        let slot = match name.as_ref() {
            "query" => &mut parameters.query,
            "operationName" => &mut parameters.operation_name,
            "variables" => &mut parameters.variables,
            "extensions" => &mut parameters.extensions,
            _ => continue,
        };
        if slot.is_some() {
            return Err(format!("The parameter \"{name}\" is there twice."));
        }
        let json = matches!(name.as_ref(), "variables" | "extensions");
        *slot = Some(if !json {
            Value::String(value.into_owned())
        } else if value.is_empty() {
            Value::Null
        } else if exceeds_depth(value.as_bytes(), depth) {
            return Err(format!(
                "The JSON of \"{name}\" is more than {depth} levels deep."
            ));
        } else {
            serde_json::from_str(&value).map_err(|error| not_json(&name, &error))?
        });
    }
    request(parameters)
}

/// A request that is part of a message on a socket.
pub(super) fn request_of_value(value: Value) -> Result<GraphqlRequest, String> {
    if !value.is_object() {
        return Err("The payload is not an object.".to_owned());
    }
    request(serde_json::from_value(value).map_err(|error| not_json("payload", &error))?)
}

fn request(parameters: Parameters) -> Result<GraphqlRequest, String> {
    let query = match parameters.query {
        Some(Value::String(query)) => query,
        None | Some(Value::Null) => return Err("The parameter \"query\" is missing.".to_owned()),
        Some(_) => return Err("The parameter \"query\" must be a string.".to_owned()),
    };
    let operation_name = match parameters.operation_name {
        None | Some(Value::Null) => None,
        Some(Value::String(name)) => Some(name),
        Some(_) => return Err("The parameter \"operationName\" must be a string.".to_owned()),
    };
    let variables = match parameters.variables {
        None | Some(Value::Null) => Variables::default(),
        Some(variables @ Value::Object(_)) => Variables::from_json(variables),
        Some(_) => return Err("The parameter \"variables\" must be an object.".to_owned()),
    };
    match parameters.extensions {
        None | Some(Value::Null | Value::Object(_)) => Ok(GraphqlRequest {
            query,
            operation_name,
            variables,
        }),
        Some(_) => Err("The parameter \"extensions\" must be an object.".to_owned()),
    }
}

/// Where the JSON goes wrong; not what is there, which may be secret and of any length.
fn not_json(what: &str, error: &serde_json::Error) -> String {
    if error.is_data() {
        format!(
            "The {what} has a parameter twice, or one of the wrong type, at line {}, column {}.",
            error.line(),
            error.column()
        )
    } else {
        format!(
            "The {what} is not JSON: it goes wrong at line {}, column {}.",
            error.line(),
            error.column()
        )
    }
}

/// Whether more brackets are ever open at once, those in strings aside.
pub(super) fn exceeds_depth(json: &[u8], most: usize) -> bool {
    let (mut open, mut in_string, mut escaped) = (0_usize, false, false);
    for byte in json {
        if in_string {
            in_string = escaped || *byte != b'"';
            escaped = !escaped && *byte == b'\\';
            continue;
        }
        match byte {
            b'"' => in_string = true,
            b'{' | b'[' => open += 1,
            b'}' | b']' => open = open.saturating_sub(1),
            _ => {}
        }
        if open > most {
            return true;
        }
    }
    false
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn depth_counts_brackets_outside_of_strings() {
        for (json, deep) in [
            ("[[[]]]", false),
            ("[[[[", true),
            (r#"{"a": "[[[[[["}"#, false),
            (r#"{"a": "\"[[[[[["}"#, false),
            (r#"{"a\\": [[[[]]]]}"#, true),
            ("[][][][][]", false),
        ] {
            assert_eq!(exceeds_depth(json.as_bytes(), 3), deep, "{json}");
        }
    }
}
