//! Text as the shop compares it: sort keys, slugs and the words of a search. Made here, not in the
//! database, so that SQLite and PostgreSQL sort and find alike whatever their locale.

use unicase::UniCase;
use unicode_normalization::UnicodeNormalization as _;
use unicode_normalization::char::is_combining_mark;

/// The longest sort key, in characters; names that differ only beyond it are ordered by id.
const MAX_SORT_KEY: usize = 255;

/// One form for all ways to write the same: case folded in full, so that `ΣΟΦΟΣ` meets `σοφος` and `STRASSE`
/// meets `Straße`, compatibility forms unified, accents of Latin letters dropped. By the specification's
/// "compatibility caseless match": what is taken apart may have case, and what is folded may come apart.
fn fold(text: &str) -> String {
    if text.is_ascii() {
        return text.to_ascii_lowercase();
    }
    let folded = UniCase::unicode(text.nfd().collect::<String>()).to_folded_case();
    let folded = UniCase::unicode(folded.nfkd().collect::<String>()).to_folded_case();
    plain(folded.nfkd())
}

/// Without the accents of Latin letters. Marks of other scripts stay: in Devanagari or Cyrillic they are letters of
/// their own, not decoration.
fn plain(decomposed: impl Iterator<Item = char>) -> String {
    let mut after_latin = false;
    let kept = decomposed.filter(|c| {
        if is_combining_mark(*c) {
            return !after_latin;
        }
        after_latin = c.is_ascii_alphabetic();
        true
    });
    kept.nfc().collect()
}

/// What a name is sorted by: case and accents aside, runs of space as one.
pub fn sort_key(name: &str) -> String {
    let folded = fold(name);
    let words: Vec<_> = folded.split_whitespace().collect();
    words.join(" ").chars().take(MAX_SORT_KEY).collect()
}

/// The part of an address that a name makes: letters and digits of any script, joined by hyphens.
/// Empty when the name has neither. Lower case, not folded: an address that once was made must not change, and
/// `straße` reads better than what it is compared by.
pub fn slugify(name: &str, max: usize) -> String {
    let mut slug = String::with_capacity(name.len());
    let mut length = 0;
    let lower = plain(name.nfkd().flat_map(char::to_lowercase));
    for c in lower.chars() {
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
    use proptest::prelude::*;

    #[test]
    fn names_sort_without_case_and_accents() {
        assert_eq!(sort_key("  Émile   BÜCHER "), "emile bucher");
        assert_eq!(sort_key("чайник"), "чайник");
        assert_eq!(sort_key("GROẞE Größe"), "grosse grosse");
    }

    #[test]
    fn slugs_keep_every_script() {
        assert_eq!(slugify("Café — Olé!  50% off", 200), "cafe-ole-50-off");
        assert_eq!(slugify("Чайник №7", 200), "чайник-no7");
        assert_eq!(slugify("किताब", 200), "किताब");
        assert_eq!(slugify("Große ΔΊΣΚΟΣ δίσκος ﬁn", 200), "große-δίσκοσ-δίσκος-fin");
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
    fn words_meet_in_every_case_and_form() {
        for same in [
            &["ΔΊΣΚΟΣ", "δίσκος", "Δίσκοσ", "δι\u{301}σκος"][..],
            &["ßtraße", "SSTRASSE", "ẞTRASSE", "sstrasse"],
            &["ᾳ", "ᾼ", "ΑΙ", "α\u{345}", "αι"],
            &["ﬃ", "FFI", "ﬀi"],
            &["ΐ", "Ϊ\u{301}", "ι\u{308}\u{301}", "\u{1fd3}"],
            &["İstanbul", "istanbul", "ISTANBUL"],
            &["ᏣᎳᎩ", "ꮳꮃꭹ"],
            &["𐐀𐐂", "𐐨𐐪"],
            &["㎒", "MHz", "ｍｈｚ"],
            &["Ω", "ω", "\u{2126}"],
            &["Å", "å", "\u{212b}", "a"],
            &["ſ", "S", "s"],
            &["é\u{327}", "e"],
            &["한", "\u{1112}\u{1161}\u{11ab}"],
        ] {
            for text in same {
                assert_eq!(words(text), words(same[0]), "{text}");
            }
        }
        // Not the same, and not made so: a dotless i is a letter, and so is a short й.
        assert_ne!(words("ısı"), words("isi"));
        assert_ne!(words("й"), words("и"));
    }

    proptest! {
        #[test]
        fn case_and_form_make_no_difference(text in "\\PC{0,12}") {
            // The dotless i is the one letter whose capital is another's; marks out of their order are another text.
            let text: String = text.nfc().filter(|c| *c != 'ı').collect();
            let all = words(&text);
            prop_assert_eq!(words(&text.to_uppercase()), all.clone());
            prop_assert_eq!(words(&text.to_lowercase()), all.clone());
            prop_assert_eq!(words(&text.nfd().collect::<String>()), all.clone());
            prop_assert_eq!(sort_key(&sort_key(&text)), sort_key(&text));
            for word in all {
                prop_assert!(!word.is_empty() && word.chars().all(|c| c.is_alphanumeric() || is_combining_mark(c)));
            }
        }
    }

    #[test]
    fn tags_separate_words() {
        assert_eq!(
            words(&without_tags("<p>one</p><p>two &amp; three</p>")),
            ["one", "two", "three"]
        );
    }
}
