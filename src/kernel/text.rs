//! Text as the shop compares it: sort keys, slugs and the words of a search. Made here, not in the
//! database, so that SQLite and PostgreSQL sort and find alike whatever their locale.

use unicode_normalization::UnicodeNormalization as _;
use unicode_normalization::char::is_combining_mark;

/// The longest sort key, in characters; names that differ only beyond it are ordered by id.
const MAX_SORT_KEY: usize = 255;

/// Lower case, compatibility forms unified, accents of Latin letters dropped. Marks of other scripts
/// stay: in Devanagari or Cyrillic they are letters of their own, not decoration.
fn fold(text: &str) -> String {
    let mut folded = String::with_capacity(text.len());
    let mut after_latin = false;
    for c in text.nfkd().flat_map(char::to_lowercase) {
        if is_combining_mark(c) {
            if after_latin {
                continue;
            }
        } else {
            after_latin = c.is_ascii_alphabetic();
        }
        folded.push(c);
    }
    folded.nfc().collect()
}

/// What a name is sorted by: case and accents aside, runs of space as one.
pub fn sort_key(name: &str) -> String {
    let folded = fold(name);
    let words: Vec<_> = folded.split_whitespace().collect();
    words.join(" ").chars().take(MAX_SORT_KEY).collect()
}

/// The part of an address that a name makes: letters and digits of any script, joined by hyphens.
/// Empty when the name has neither.
pub fn slugify(name: &str, max: usize) -> String {
    let mut slug = String::with_capacity(name.len());
    let mut length = 0;
    for c in fold(name).chars() {
        let keep = c.is_alphanumeric() || (is_combining_mark(c) && !slug.is_empty());
        let next = if keep { c } else { '-' };
        if next == '-' && (slug.is_empty() || slug.ends_with('-')) {
            continue;
        }
        if length == max {
            break;
        }
        slug.push(next);
        length += 1;
    }
    slug.trim_end_matches('-').to_owned()
}

/// The words of a text, as they are searched for: folded, and without a plural's `s`, so that
/// `shirts` finds `shirt`. Scripts that write no spaces yield whole runs.
pub fn words(text: &str) -> Vec<String> {
    fold(text)
        .split(|c: char| !c.is_alphanumeric() && !is_combining_mark(c))
        .filter(|word| !word.is_empty())
        .map(singular)
        .collect()
}

fn singular(word: &str) -> String {
    match word.strip_suffix('s') {
        Some(stem) if stem.len() >= 3 && stem.is_ascii() && !stem.ends_with(['s', 'u', 'i']) => {
            stem.to_owned()
        }
        _ => word.to_owned(),
    }
}

/// The text between the tags of sanitised HTML.
pub fn without_tags(html: &str) -> String {
    let mut text = String::with_capacity(html.len());
    let mut inside = false;
    for c in html.chars() {
        match c {
            '<' => {
                inside = true;
                text.push(' ');
            }
            '>' if inside => inside = false,
            _ if inside => {}
            c => text.push(c),
        }
    }
    for (entity, plain) in [
        ("&nbsp;", " "),
        ("&lt;", "<"),
        ("&gt;", ">"),
        ("&quot;", "\""),
        ("&amp;", "&"),
    ] {
        if text.contains(entity) {
            text = text.replace(entity, plain);
        }
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_sort_without_case_and_accents() {
        assert_eq!(sort_key("  Émile   BÜCHER "), "emile bucher");
        assert_eq!(sort_key("чайник"), "чайник");
    }

    #[test]
    fn slugs_keep_every_script() {
        assert_eq!(slugify("Café — Olé!  50% off", 200), "cafe-ole-50-off");
        assert_eq!(slugify("Чайник №7", 200), "чайник-no7");
        assert_eq!(slugify("किताब", 200), "किताब");
        assert_eq!(slugify("***", 200), "");
        assert_eq!(slugify("abc def", 4), "abc");
    }

    #[test]
    fn words_meet_across_case_accents_and_plurals() {
        assert_eq!(words("Red T-Shirts, crème"), ["red", "t", "shirt", "creme"]);
        assert_eq!(words("glass bus tennis"), ["glass", "bus", "tennis"]);
        assert_eq!(words("!?"), Vec::<String>::new());
    }

    #[test]
    fn tags_separate_words() {
        assert_eq!(
            words(&without_tags("<p>one</p><p>two &amp; three</p>")),
            ["one", "two", "three"]
        );
    }
}
