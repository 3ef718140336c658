//! Which of our two media types a client wants: the one with the higher weight, and the newer one where
//! they weigh the same.

use axum::http::{HeaderMap, header};

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum MediaType {
    /// `application/graphql-response+json`: the status tells whether there is a result.
    GraphqlResponse,
    /// `application/json`: the status is 200 for whatever could be read.
    Json,
}

impl MediaType {
    pub(super) fn content_type(self) -> &'static str {
        match self {
            Self::GraphqlResponse => "application/graphql-response+json; charset=utf-8",
            Self::Json => "application/json; charset=utf-8",
        }
    }

    fn subtype(self) -> &'static str {
        match self {
            Self::GraphqlResponse => "graphql-response+json",
            Self::Json => "json",
        }
    }
}

/// The media type to answer in; None when the client accepts neither.
pub(super) fn negotiate(headers: &HeaderMap) -> Option<MediaType> {
    let mut ranges = Vec::new();
    for value in headers.get_all(header::ACCEPT) {
        // What cannot be read is not accepted.
        ranges.extend(
            value
                .to_str()
                .unwrap_or_default()
                .split(',')
                .filter_map(Range::parse),
        );
    }
    if !headers
        .get_all(header::ACCEPT)
        .iter()
        .any(|value| !value.as_bytes().trim_ascii().is_empty())
    {
        return Some(MediaType::GraphqlResponse);
    }
    let new = weight(&ranges, MediaType::GraphqlResponse);
    let old = weight(&ranges, MediaType::Json);
    match (new, old) {
        (0, 0) => None,
        (new, old) if new >= old => Some(MediaType::GraphqlResponse),
        _ => Some(MediaType::Json),
    }
}

struct Range<'a> {
    kind: &'a str,
    subtype: &'a str,
    /// In thousandths.
    weight: u16,
}

impl<'a> Range<'a> {
    fn parse(text: &'a str) -> Option<Self> {
        let mut parts = text.split(';').map(str::trim);
        let (kind, subtype) = parts.next()?.split_once('/')?;
        let mut weight = 1000;
        for parameter in parts {
            let (name, value) = parameter.split_once('=').unwrap_or((parameter, ""));
            let (name, value) = (name.trim(), value.trim().trim_matches('"'));
            if name.eq_ignore_ascii_case("q") {
                weight = thousandths(value)?;
            } else if name.eq_ignore_ascii_case("charset") && !value.eq_ignore_ascii_case("utf-8") {
                return None;
            }
        }
        Some(Self {
            kind: kind.trim(),
            subtype: subtype.trim(),
            weight,
        })
    }

    /// How closely the range describes a type: not at all, or more closely the higher.
    fn closeness(&self, media_type: MediaType) -> Option<u8> {
        if self.kind == "*" && self.subtype == "*" {
            Some(0)
        } else if !self.kind.eq_ignore_ascii_case("application") {
            None
        } else if self.subtype == "*" {
            Some(1)
        } else {
            self.subtype
                .eq_ignore_ascii_case(media_type.subtype())
                .then_some(2)
        }
    }
}

/// The weight that the closest range gives.
fn weight(ranges: &[Range<'_>], media_type: MediaType) -> u16 {
    ranges
        .iter()
        .filter_map(|range| Some((range.closeness(media_type)?, range.weight)))
        .max()
        .map_or(0, |(_, weight)| weight)
}

/// `1`, `0.5`, `0.333`.
fn thousandths(text: &str) -> Option<u16> {
    let (whole, fraction) = text.split_once('.').unwrap_or((text, ""));
    if fraction.len() > 3 || !fraction.bytes().all(|byte| byte.is_ascii_digit()) {
        return None;
    }
    let fraction: u16 = format!("{fraction:0<3}").parse().ok()?;
    match whole {
        "0" => Some(fraction),
        "1" if fraction == 0 => Some(1000),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use axum::http::HeaderValue;

    use super::*;

    #[test]
    fn the_heaviest_supported_type_wins() {
        use MediaType::{GraphqlResponse, Json};
        let cases = [
            ("application/graphql-response+json", Some(GraphqlResponse)),
            ("application/json", Some(Json)),
            ("Application/JSON; Charset=UTF-8", Some(Json)),
            (
                "application/json, application/graphql-response+json",
                Some(GraphqlResponse),
            ),
            (
                "application/json, application/graphql-response+json;q=0.9",
                Some(Json),
            ),
            (
                "application/json;q=0.5, application/graphql-response+json;q=0.6",
                Some(GraphqlResponse),
            ),
            (
                "application/graphql-response+json, application/json;q=0.9",
                Some(GraphqlResponse),
            ),
            ("*/*", Some(GraphqlResponse)),
            ("application/*", Some(GraphqlResponse)),
            ("text/html, */*;q=0.1", Some(GraphqlResponse)),
            ("application/graphql-response+json;q=0, */*", Some(Json)),
            ("application/json, */*;q=0.1", Some(Json)),
            ("application/json; charset=iso-8859-1", None),
            ("text/html", None),
            ("application/json;q=0", None),
            ("application/json;q=2", None),
            ("application/json;q=0.12345", None),
            ("nonsense", None),
            ("", Some(GraphqlResponse)),
        ];
        for (accept, expected) in cases {
            let headers = HeaderMap::from_iter([(header::ACCEPT, HeaderValue::from_static(accept))]);
            assert_eq!(negotiate(&headers), expected, "{accept}");
        }
        assert_eq!(negotiate(&HeaderMap::new()), Some(GraphqlResponse));
        let mut several = HeaderMap::new();
        several.append(header::ACCEPT, HeaderValue::from_static("text/html"));
        several.append(header::ACCEPT, HeaderValue::from_static("application/json"));
        assert_eq!(negotiate(&several), Some(Json));
    }
}
