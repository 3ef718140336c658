//! Which of our media types a client wants: of the two of JSON the one with the higher weight, and the newer one where
//! they weigh the same; and whether it reads streams of events.

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

/// `text/event-stream`, by the graphql-sse protocol.
pub(super) const EVENT_STREAM: &str = "text/event-stream";

/// How to answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Accepted {
    /// For an answer in one piece. One that the client did not list where it lists streams only: then it is for what is
    /// refused before there is a stream.
    pub(super) media_type: MediaType,
    pub(super) stream: Stream,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Stream {
    No,
    /// For subscriptions, which cannot be answered otherwise.
    IfNeeded,
    /// Rather than anything else.
    Always,
}

/// How to answer; None when the client accepts nothing that we have. A stream has to be asked for by its name: what `*/*`
/// accepts is one answer.
pub(super) fn negotiate(headers: &HeaderMap) -> Option<Accepted> {
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
        return Some(Accepted {
            media_type: MediaType::GraphqlResponse,
            stream: Stream::No,
        });
    }
    let new = weight(&ranges, MediaType::GraphqlResponse);
    let old = weight(&ranges, MediaType::Json);
    let events = ranges.iter().filter(|range| range.is_event_stream());
    let events = events.map(|range| range.weight).max().unwrap_or_default();
    let media_type = match (new, old) {
        (0, 0) if events == 0 => return None,
        // A client of streams that reads what comes instead reads plain JSON.
        (0, 0) => MediaType::Json,
        (new, old) if new >= old => MediaType::GraphqlResponse,
        _ => MediaType::Json,
    };
    let stream = match events {
        0 => Stream::No,
        events if events > new.max(old) => Stream::Always,
        _ => Stream::IfNeeded,
    };
    Some(Accepted { media_type, stream })
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

    fn is_event_stream(&self) -> bool {
        EVENT_STREAM.split_once('/').is_some_and(|(kind, subtype)| {
            self.kind.eq_ignore_ascii_case(kind) && self.subtype.eq_ignore_ascii_case(subtype)
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
            assert_eq!(negotiate(&headers), expected.map(in_one_piece), "{accept}");
        }
        assert_eq!(negotiate(&HeaderMap::new()), Some(in_one_piece(GraphqlResponse)));
        let mut several = HeaderMap::new();
        several.append(header::ACCEPT, HeaderValue::from_static("text/html"));
        several.append(header::ACCEPT, HeaderValue::from_static("application/json"));
        assert_eq!(negotiate(&several), Some(in_one_piece(Json)));
    }

    fn in_one_piece(media_type: MediaType) -> Accepted {
        let stream = Stream::No;
        Accepted { media_type, stream }
    }

    #[test]
    fn a_stream_is_asked_for_by_its_name() {
        use MediaType::{GraphqlResponse, Json};
        for (accept, media_type, stream) in [
            ("text/event-stream", Json, Stream::Always),
            ("Text/Event-Stream; q=0.5", Json, Stream::Always),
            ("text/event-stream, */*;q=0.1", GraphqlResponse, Stream::Always),
            ("text/event-stream, application/json", Json, Stream::IfNeeded),
            (
                "application/json, text/event-stream;q=0.9",
                Json,
                Stream::IfNeeded,
            ),
            ("application/json;q=0.5, text/event-stream", Json, Stream::Always),
            ("*/*", GraphqlResponse, Stream::No),
            ("text/*, application/json", Json, Stream::No),
            ("text/event-stream;q=0, application/json", Json, Stream::No),
        ] {
            let headers = HeaderMap::from_iter([(header::ACCEPT, HeaderValue::from_static(accept))]);
            let expected = Accepted { media_type, stream };
            assert_eq!(negotiate(&headers), Some(expected), "{accept}");
        }
        let headers = HeaderMap::from_iter([(header::ACCEPT, HeaderValue::from_static("text/*"))]);
        assert_eq!(negotiate(&headers), None);
    }
}
