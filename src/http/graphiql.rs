//! `GraphiQL`: the page at `/graphiql` and the files it is made of.
//!
//! `build.rs` says which files those are and embeds them if `scripts/graphiql-build` has fetched them; else the page
//! loads the same versions, checked by the same hashes, from a CDN. This file owns the page's security policy and
//! its example tabs. It knows nothing of the schema and talks to it like any other client.

use axum::Router;
use axum::extract::Path;
use axum::http::{HeaderName, StatusCode, header};
use axum::response::{Html, IntoResponse, Response};
use axum::routing::get;
use serde_json::Value;
use uuid::Uuid;

use super::compression;

const TEMPLATE: &str = include_str!("graphiql.html");

/// What the build found: made by `build.rs`.
static BUNDLE: Bundle = include!(concat!(env!("OUT_DIR"), "/graphiql.rs"));

struct Bundle {
    assets: &'static [Asset],
    /// Their licences ask for a copy of the text with every copy of the code.
    licenses: Option<&'static [u8]>,
}

struct Asset {
    /// Holds version and hash, so that a browser may keep the file for ever.
    name: &'static str,
    content_type: &'static str,
    integrity: &'static str,
    cdn: &'static str,
    body: Option<&'static [u8]>,
}

/// A tab that a first visitor finds open. Tabs are kept in the browser: who has been here sees their own.
struct Example {
    query: &'static str,
    variables: Option<&'static str>,
    headers: Option<&'static str>,
}

macro_rules! example_file {
    ($name:literal) => {
        include_str!(concat!("../../graphiql/examples/", $name))
    };
}

/// The first one is what a visitor sees and runs, so it asks for nothing that an empty shop could not answer.
const EXAMPLES: &[Example] = &[
    Example {
        query: example_file!("products.graphql"),
        variables: None,
        headers: None,
    },
    Example {
        query: example_file!("product.graphql"),
        variables: Some(example_file!("product.variables.json")),
        headers: None,
    },
    Example {
        query: example_file!("search.graphql"),
        variables: Some(example_file!("search.variables.json")),
        headers: None,
    },
    Example {
        query: example_file!("categories.graphql"),
        variables: None,
        headers: None,
    },
    Example {
        query: example_file!("cart-create.graphql"),
        variables: Some(example_file!("cart-create.variables.json")),
        headers: None,
    },
    Example {
        query: example_file!("order-place.graphql"),
        variables: Some(example_file!("order-place.variables.json")),
        headers: None,
    },
    Example {
        query: example_file!("order-events.graphql"),
        variables: Some(example_file!("order-events.variables.json")),
        headers: None,
    },
    Example {
        query: example_file!("payment-create.graphql"),
        variables: Some(example_file!("payment-create.variables.json")),
        headers: None,
    },
    Example {
        query: example_file!("order.graphql"),
        variables: Some(example_file!("order.variables.json")),
        headers: None,
    },
    Example {
        query: example_file!("session-create.graphql"),
        variables: Some(example_file!("session-create.variables.json")),
        headers: None,
    },
    Example {
        query: example_file!("me.graphql"),
        variables: None,
        headers: Some(example_file!("token.headers.json")),
    },
    Example {
        query: example_file!("inventory-adjust.graphql"),
        variables: Some(example_file!("inventory-adjust.variables.json")),
        headers: Some(example_file!("token.headers.json")),
    },
    Example {
        query: example_file!("fulfillment-create.graphql"),
        variables: Some(example_file!("fulfillment-create.variables.json")),
        headers: Some(example_file!("token.headers.json")),
    },
];

/// `/graphiql` and what the page loads. Needs no state: whether to offer it at all is the caller's choice.
pub(crate) fn router<S>() -> Router<S>
where
    S: Clone + Send + Sync + 'static,
{
    router_of(&BUNDLE)
}

fn router_of<S>(bundle: &'static Bundle) -> Router<S>
where
    S: Clone + Send + Sync + 'static,
{
    Router::new()
        .route("/graphiql", get(move || async move { page_of(bundle) }))
        .route(
            "/graphiql/assets/{name}",
            get(move |Path(name): Path<String>| async move { asset_of(bundle, &name) }),
        )
}

fn page_of(bundle: &Bundle) -> Response {
    // From the system's random source: a nonce that can be guessed is no nonce.
    let nonce = Uuid::new_v4().simple().to_string();
    let headers = [
        (header::CONTENT_SECURITY_POLICY, content_security_policy(&nonce)),
        (header::CACHE_CONTROL, "no-store".to_owned()),
        (header::REFERRER_POLICY, "no-referrer".to_owned()),
        (header::X_CONTENT_TYPE_OPTIONS, "nosniff".to_owned()),
        (header::X_FRAME_OPTIONS, "DENY".to_owned()),
        (
            HeaderName::from_static("cross-origin-opener-policy"),
            "same-origin".to_owned(),
        ),
    ];
    let mut page = (headers, Html(html(bundle, &nonce))).into_response();
    compression::allow(&mut page);
    page
}

/// The page runs and styles itself only by what carries the nonce, and talks only to this server. So a token in the
/// headers editor stays here even if a description or a result could be made to carry markup.
fn content_security_policy(nonce: &str) -> String {
    [
        "default-src 'none'",
        &format!("script-src 'nonce-{nonce}'"),
        &format!("style-src 'nonce-{nonce}'"),
        // GraphiQL's stylesheet holds its fonts and a few images as data.
        "font-src data:",
        "img-src 'self' data:",
        "connect-src 'self'",
        "base-uri 'none'",
        "form-action 'none'",
        "frame-ancestors 'none'",
    ]
    .join("; ")
}

fn html(bundle: &Bundle, nonce: &str) -> String {
    let mut styles = String::new();
    let mut scripts = String::new();
    for asset in bundle.assets {
        let source = match asset.body {
            Some(_) => format!("/graphiql/assets/{}", asset.name),
            None => asset.cdn.to_owned(),
        };
        let checked = format!(
            r#"integrity="{}" crossorigin="anonymous" nonce="{nonce}""#,
            asset.integrity
        );
        if asset.name.ends_with(".css") {
            styles.push_str(&format!(
                "<link rel=\"stylesheet\" href=\"{source}\" {checked}>\n"
            ));
        } else {
            scripts.push_str(&format!("<script src=\"{source}\" {checked}></script>\n"));
        }
    }
    TEMPLATE
        .replace("{{nonce}}", nonce)
        .replace("{{styles}}", styles.trim_end())
        .replace("{{scripts}}", scripts.trim_end())
        .replace("{{examples}}", &examples_json())
}

fn examples_json() -> String {
    let tab = |example: &Example| {
        let text = |text: Option<&str>| text.map_or(Value::Null, |text| text.trim_end().into());
        [
            ("query".to_owned(), example.query.into()),
            ("variables".to_owned(), text(example.variables)),
            ("headers".to_owned(), text(example.headers)),
        ]
        .into_iter()
        .collect::<Value>()
    };
    // Inside a script element `</` would end it.
    EXAMPLES
        .iter()
        .map(tab)
        .collect::<Value>()
        .to_string()
        .replace('<', "\\u003c")
}

fn asset_of(bundle: &Bundle, name: &str) -> Response {
    if let ("licenses.txt", Some(body)) = (name, bundle.licenses) {
        return file("text/plain; charset=utf-8", "public, max-age=3600", body);
    }
    let found = bundle.assets.iter().find(|asset| asset.name == name);
    match found.and_then(|asset| Some((asset, asset.body?))) {
        Some((asset, body)) => {
            let mut file = file(asset.content_type, "public, max-age=31536000, immutable", body);
            compression::allow(&mut file);
            file
        }
        None => StatusCode::NOT_FOUND.into_response(),
    }
}

fn file(content_type: &'static str, caching: &'static str, body: &'static [u8]) -> Response {
    let headers = [
        (header::CONTENT_TYPE, content_type),
        (header::CACHE_CONTROL, caching),
        (header::X_CONTENT_TYPE_OPTIONS, "nosniff"),
        (
            HeaderName::from_static("cross-origin-resource-policy"),
            "same-origin",
        ),
    ];
    (headers, body).into_response()
}

#[cfg(test)]
mod tests {
    use axum::body::Body;
    use axum::http::Request;
    use base64::Engine as _;
    use base64::prelude::BASE64_STANDARD;
    use http_body_util::BodyExt as _;
    use sha2::{Digest as _, Sha384};
    use tower::ServiceExt as _;

    use super::*;

    static EMBEDDED: Bundle = Bundle {
        assets: &[
            Asset {
                name: "some-1.2.3-abc.css",
                content_type: "text/css; charset=utf-8",
                integrity: "sha384-css",
                cdn: "https://cdn.example/some.css",
                body: Some(b"p {}"),
            },
            Asset {
                name: "some-1.2.3-abc.js",
                content_type: "text/javascript; charset=utf-8",
                integrity: "sha384-js",
                cdn: "https://cdn.example/some.js",
                body: Some(b"run()"),
            },
        ],
        licenses: Some(b"MIT"),
    };

    static BARE: Bundle = Bundle {
        assets: &[Asset {
            name: "some-1.2.3-abc.js",
            content_type: "text/javascript; charset=utf-8",
            integrity: "sha384-js",
            cdn: "https://cdn.example/some.js",
            body: None,
        }],
        licenses: None,
    };

    async fn get(bundle: &'static Bundle, path: &str) -> (StatusCode, axum::http::HeaderMap, String) {
        let request = Request::get(path).body(Body::empty()).unwrap();
        let response = router_of::<()>(bundle).oneshot(request).await.unwrap();
        let (parts, body) = response.into_parts();
        let body = body.collect().await.unwrap().to_bytes();
        (
            parts.status,
            parts.headers,
            String::from_utf8(body.to_vec()).unwrap(),
        )
    }

    fn nonce_of(headers: &axum::http::HeaderMap) -> String {
        let policy = headers[header::CONTENT_SECURITY_POLICY].to_str().unwrap();
        let (_, rest) = policy.split_once("script-src 'nonce-").unwrap();
        rest.split_once('\'').unwrap().0.to_owned()
    }

    #[tokio::test]
    async fn embedded_page_loads_from_this_server_only() {
        let (status, headers, page) = get(&EMBEDDED, "/graphiql").await;
        assert_eq!(status, StatusCode::OK);
        assert_eq!(headers[header::CONTENT_TYPE], "text/html; charset=utf-8");
        assert!(page.contains("<title>Souk</title>"));
        assert!(page.contains("src=\"/graphiql/assets/some-1.2.3-abc.js\" integrity=\"sha384-js\""));
        assert!(page.contains("href=\"/graphiql/assets/some-1.2.3-abc.css\" integrity=\"sha384-css\""));
        assert!(!page.contains("cdn.example"));
        assert!(!page.contains("{{"), "a placeholder is left");
    }

    #[tokio::test]
    async fn bare_page_loads_the_pinned_file_and_checks_it() {
        let (_, _, page) = get(&BARE, "/graphiql").await;
        assert!(page.contains(
            "<script src=\"https://cdn.example/some.js\" integrity=\"sha384-js\" crossorigin=\"anonymous\" nonce="
        ));
        assert!(!page.contains("/graphiql/assets/"));
        assert_eq!(
            get(&BARE, "/graphiql/assets/some-1.2.3-abc.js").await.0,
            StatusCode::NOT_FOUND
        );
        assert_eq!(
            get(&BARE, "/graphiql/assets/licenses.txt").await.0,
            StatusCode::NOT_FOUND
        );
    }

    #[tokio::test]
    async fn policy_admits_only_what_carries_a_fresh_nonce() {
        let (_, headers, page) = get(&EMBEDDED, "/graphiql").await;
        let policy = headers[header::CONTENT_SECURITY_POLICY].to_str().unwrap();
        assert!(policy.contains("default-src 'none'") && policy.contains("frame-ancestors 'none'"));
        assert!(!policy.contains("unsafe"));
        assert_eq!(headers[header::X_FRAME_OPTIONS], "DENY");
        assert_eq!(headers[header::REFERRER_POLICY], "no-referrer");
        assert_eq!(headers[header::CACHE_CONTROL], "no-store");

        let nonce = nonce_of(&headers);
        for tag in page
            .lines()
            .filter(|line| line.starts_with("<script") || line.starts_with("<style"))
        {
            let data = tag.contains("application/json");
            assert!(
                data || tag.contains(&format!("nonce=\"{nonce}\"")),
                "not admitted: {tag}"
            );
        }
        assert_ne!(nonce, nonce_of(&get(&EMBEDDED, "/graphiql").await.1));
    }

    #[tokio::test]
    async fn assets_are_typed_and_kept_for_ever() {
        let (status, headers, body) = get(&EMBEDDED, "/graphiql/assets/some-1.2.3-abc.css").await;
        assert_eq!((status, body.as_str()), (StatusCode::OK, "p {}"));
        assert_eq!(headers[header::CONTENT_TYPE], "text/css; charset=utf-8");
        assert_eq!(headers[header::X_CONTENT_TYPE_OPTIONS], "nosniff");
        assert!(
            headers[header::CACHE_CONTROL]
                .to_str()
                .unwrap()
                .ends_with("immutable")
        );
        assert_eq!(get(&EMBEDDED, "/graphiql/assets/licenses.txt").await.2, "MIT");
        assert_eq!(
            get(&EMBEDDED, "/graphiql/assets/other.js").await.0,
            StatusCode::NOT_FOUND
        );
        assert_eq!(
            get(&EMBEDDED, "/graphiql/assets/..%2F..%2Fetc%2Fpasswd").await.0,
            StatusCode::NOT_FOUND
        );
    }

    #[test]
    fn examples_parse_and_cannot_end_the_script() {
        let json = examples_json();
        assert!(!json.contains('<'));
        let tabs: Vec<Value> = serde_json::from_str(&json).unwrap();
        assert_eq!(tabs.len(), EXAMPLES.len());
        for tab in tabs {
            let query = tab["query"].as_str().unwrap();
            async_graphql::parser::parse_query(query).unwrap();
            for editor in ["variables", "headers"] {
                if let Some(text) = tab[editor].as_str() {
                    serde_json::from_str::<serde_json::Map<String, Value>>(text).unwrap();
                }
            }
        }
    }

    /// The page asks the CDN, or the embedded files, for exactly what `npm ci` installs.
    #[test]
    fn pinned_versions_are_the_locked_ones() {
        let lock: Value = serde_json::from_str(include_str!("../../graphiql/package-lock.json")).unwrap();
        let list = include_str!("../../graphiql/assets.txt");
        let mut checked = 0;
        for line in list
            .lines()
            .filter(|line| !line.is_empty() && !line.starts_with('#'))
        {
            let fields: Vec<&str> = line.split_whitespace().collect();
            let locked = &lock["packages"][format!("node_modules/{}", fields[1])]["version"];
            assert_eq!(
                locked.as_str(),
                Some(fields[2]),
                "{}: run `npm run pin` in graphiql/",
                fields[0]
            );
            assert!(BUNDLE.assets.iter().any(|asset| asset.integrity == fields[4]));
            checked += 1;
        }
        assert_eq!(checked, BUNDLE.assets.len());
    }

    #[test]
    fn embedded_files_are_the_pinned_ones() {
        for asset in BUNDLE.assets {
            if let Some(body) = asset.body {
                let hash = BASE64_STANDARD.encode(Sha384::digest(body));
                assert_eq!(asset.integrity, format!("sha384-{hash}"), "{}", asset.name);
            }
        }
    }
}
