//! Descriptions are HTML, and HTML from a file or a form may carry scripts: it is sanitised when it is
//! written, so that no reader ever has to trust it.

/// The longest description, in characters of its sanitised form.
pub const MAX_DESCRIPTION: usize = 100_000;

/// Keeps text, structure, links and images; drops scripts, styles, handlers and everything unknown.
/// What comes out goes through unchanged a second time.
pub fn sanitise(html: &str) -> String {
    let clean = ammonia::clean(html);
    clean.trim().to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn structure_stays_and_scripts_go() {
        let html = r#"<p onclick="x()">Soft <b>cotton</b><script>alert(1)</script> <a href="javascript:x()">y</a></p>"#;
        assert_eq!(
            sanitise(html),
            r#"<p>Soft <b>cotton</b> <a rel="noopener noreferrer">y</a></p>"#
        );
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
