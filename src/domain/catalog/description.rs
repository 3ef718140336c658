//! Descriptions are HTML, and HTML from a file or a form may carry scripts: it is sanitised when it is
//! written, so that no reader ever has to trust it.

/// The longest description, in characters of its sanitised form.
pub const MAX_DESCRIPTION: usize = 100_000;

/// The most `<` that are parsed. Deeply nested HTML takes quadratic time: 5,000 levels are a tenth of a second, and a
/// hundred thousand would be minutes.
const MAX_TAGS: usize = 5_000;

/// HTML that is not worth the time to clean it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("has more than {MAX_TAGS} tags")]
pub struct TooManyTags;

/// [`sanitise`], for HTML of strangers.
///
/// # Errors
/// It has so many tags that cleaning it could take long.
pub fn sanitise_bounded(html: &str) -> Result<String, TooManyTags> {
    if html.matches('<').count() > MAX_TAGS {
        return Err(TooManyTags);
    }
    Ok(sanitise(html))
}

/// Keeps text, structure, links and images; drops scripts, styles, handlers and everything unknown.
/// What comes out goes through unchanged a second time.
pub fn sanitise(html: &str) -> String {
    let mut clean = pass(html);
    // Too long to be kept, so nobody cares for its form; and deep nesting takes quadratic time.
    if clean.chars().count() > MAX_DESCRIPTION {
        return clean;
    }
    // One pass nearly always does. But the parser drops a line break after `<pre>` each time, and what it
    // mends in a broken table it may mend again.
    for _ in 0..MAX_PASSES {
        let again = pass(&clean);
        if again == clean {
            break;
        }
        clean = again;
    }
    clean
}

/// Far beyond what any text needs that is not made to need it.
const MAX_PASSES: usize = 20;

fn pass(html: &str) -> String {
    ammonia::clean(html).trim().to_owned()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn a_second_time_changes_nothing(
            parts in prop::collection::vec(
                prop_oneof![
                    "[ a-z&;<>\"'=/\n\r\t\u{a0}é]{0,8}",
                    prop::sample::select(vec![
                        "<p>", "</p>", "<b>", "</b>", "<table>", "<tr>", "<td>", "<li>", "<ul>", "<a href='x'>", "</a>",
                        "<pre>\n\n", "</pre>", "<svg>", "<math>", "<style>", "</style>", "<textarea>", "<!--", "-->",
                        "<img src=x>", "&lt;", "&amp;amp;", "<br>", "<h1>", "<p title='&quot;'>", "<![CDATA[", "<select>",
                    ]).prop_map(str::to_owned),
                ],
                0..12,
            ),
        ) {
            let once = sanitise(&parts.concat());
            prop_assert_eq!(sanitise(&once), once);
        }
    }

    #[test]
    fn structure_stays_and_scripts_go() {
        let html = r#"<p onclick="x()">Soft <b>cotton</b><script>alert(1)</script> <a href="javascript:x()">y</a></p>"#;
        assert_eq!(
            sanitise(html),
            r#"<p>Soft <b>cotton</b> <a rel="noopener noreferrer">y</a></p>"#
        );
    }

    #[test]
    fn html_of_too_many_tags_is_not_cleaned() {
        assert_eq!(sanitise_bounded(&"<div>".repeat(100_000)), Err(TooManyTags));
        assert_eq!(sanitise_bounded("<p>a</p>"), Ok("<p>a</p>".to_owned()));
    }

    #[test]
    fn clean_html_is_left_alone() {
        for html in [
            "Salt & pepper <3",
            "<ul><li>a<li>b</ul>",
            "<p>1 &lt; 2 &nbsp;</p>",
            "<a href='/x' title='\"'>x</a>",
        ] {
            let once = sanitise(html);
            assert_eq!(sanitise(&once), once);
        }
    }
}
