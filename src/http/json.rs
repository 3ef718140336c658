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
    document_id: Option<Value>,
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
            "documentId" => &mut parameters.document_id,
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
    let query = text("query", parameters.query)?;
    let document_id = text("documentId", parameters.document_id)?;
    let operation_name = text("operationName", parameters.operation_name)?;
    let variables = match parameters.variables {
        None | Some(Value::Null) => Variables::default(),
        Some(variables @ Value::Object(_)) => Variables::from_json(variables),
        Some(_) => return Err("The parameter \"variables\" must be an object.".to_owned()),
    };
    let hash = match parameters.extensions {
        None | Some(Value::Null) => None,
        Some(Value::Object(mut extensions)) => persisted(extensions.remove("persistedQuery"))?,
        Some(_) => return Err("The parameter \"extensions\" must be an object.".to_owned()),
    };
    let document_id = match (document_id, hash) {
        (Some(_), Some(_)) => {
            return Err("The document is named twice: by documentId and by persistedQuery.".to_owned());
        }
        (id, hash) => id.or(hash),
    };
    if query.is_none() && document_id.is_none() {
        return Err("The parameter \"query\" is missing.".to_owned());
    }
    Ok(GraphqlRequest {
        query,
        document_id,
        operation_name,
        variables,
    })
}

fn text(name: &str, value: Option<Value>) -> Result<Option<String>, String> {
    match value {
        None | Some(Value::Null) => Ok(None),
        Some(Value::String(text)) => Ok(Some(text)),
        Some(_) => Err(format!("The parameter \"{name}\" must be a string.")),
    }
}

/// What Apollo's clients call the document: `{"version": 1, "sha256Hash": "…"}`.
fn persisted(extension: Option<Value>) -> Result<Option<String>, String> {
    let mut fields = match extension {
        None | Some(Value::Null) => return Ok(None),
        Some(Value::Object(fields)) => fields,
        Some(_) => return Err("The extension \"persistedQuery\" must be an object.".to_owned()),
    };
    match (fields.remove("version"), fields.remove("sha256Hash")) {
        (Some(Value::Number(version)), Some(Value::String(hash))) if version.as_u64() == Some(1) => {
            Ok(Some(hash))
        }
        _ => Err("The extension \"persistedQuery\" needs version 1 and a sha256Hash.".to_owned()),
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
