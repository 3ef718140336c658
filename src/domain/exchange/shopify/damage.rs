//! Tests of what [`RecordReader`] makes of quotes that are missing, or one too many.

use std::io::BufReader;
use std::sync::Arc;

use super::columns::Columns;
use super::reader::{MAX_RECORD, RecordReader};

/// Reads what stands under a header, `Handle,Title,Body,Variant Price,Status`.
fn rows(text: &str) -> Vec<(u64, String, Option<String>)> {
    let bytes = format!("Handle,Title,Body,Variant Price,Status\n{text}");
    let mut reader = RecordReader::new(BufReader::with_capacity(7, bytes.as_bytes()), b',');
    let header = reader.next().unwrap().unwrap();
    reader.expect(Arc::new(Columns::of(&header).unwrap()));
    let records = std::iter::from_fn(|| reader.next().unwrap());
    records
        .map(|record| (record.line, record.get(0).unwrap().to_owned(), record.damage))
        .collect()
}

/// The lines on which damage begins with what is said of it, and the handles that are read.
fn damage(text: &str) -> (Vec<(u64, String)>, Vec<String>) {
    let mut damage = Vec::new();
    let mut good = Vec::new();
    for (line, handle, reason) in rows(text) {
        match reason {
            Some(reason) => damage.push((line, format!("{handle}: {reason}"))),
            None => good.push(handle),
        }
    }
    (damage, good)
}

#[test]
fn reading_goes_on_at_the_next_row_after_a_quote_that_is_not_closed() {
    for end in ["\n", "\r\n", "\r"] {
        for (text, damaged, good) in [
            // In the middle, first, last, and with a quote later that seems to close it.
            (
                "a,A,,5,\nb,\"B,,5,\nc,C,,5,\n",
                &[(3, "b: opens a quote that is never closed: the line")][..],
                "a c",
            ),
            (
                "a,\"A,,5,\nb,B,,5,\nc,C,,5,\n",
                &[(2, "a: opens a quote that is never closed: the line")],
                "b c",
            ),
            (
                "a,A,,5,\nb,B,,5,\nc,\"C,,5,",
                &[(4, "c: opens a quote that is never closed: the line")],
                "a b",
            ),
            ("\"a,A,,5,\nb,B,,5,\n", &[(2, "a: opens a quote")], "b"),
            (
                "a,A,\"<p>,5,\nb,B,,5,\nc,C,\"<p>c</p>\",5,\n",
                &[(2, "a: has a quote too few or too many: the line")],
                "b c",
            ),
            (
                "a,A,\"<p>\nx\n</p>,5,\nb,B,,5,\nc,C,\"\nc\",5,\n",
                &[(2, "a: has a quote too few or too many: lines 2 to 4")],
                "b c",
            ),
            // The quote that closes it is the first of a cell that begins with a line break, or a comma.
            (
                "a,A,,5,\"on\nb,B,,5,\nc,C,\"\nc\",5,\n",
                &[(2, "a: has a quote too few or too many: the line")],
                "b c",
            ),
            (
                "a,\"A,,5,\nb,B,,5,\nc,C,\",c\",5,\n",
                &[(2, "a: has a quote too few or too many: the line")],
                "b c",
            ),
            // Twice.
            (
                "a,\"A,,5,\nb,B,,5,\nc,\"C,,5,\nd,D,,5,\n",
                &[(2, "a: has a quote too few"), (4, "c: opens a quote")],
                "b d",
            ),
            // The lines of one product may be lost in part.
            (
                "a,A,\"<p>,5,\nb,B,5,\nb,B,,5,\nc,C,,5,\n",
                &[
                    (2, "a: opens a quote that is never closed: lines 2 to 3"),
                    (4, "b: stands beside"),
                ],
                "c",
            ),
            // Cut off.
            (
                "a,A,,5,\nb,B,\"<p>\nx\n",
                &[(3, "b: opens a quote that is never closed: lines 3 to 4")],
                "a",
            ),
            (
                "a,A,,5,\nb,B,\"<p>\nx",
                &[(3, "b: opens a quote that is never closed: lines 3 to 4")],
                "a",
            ),
            // The first row of another product is lost too, and maybe the lines of its description are left.
            (
                "a,\"A,,5,\nb,B,,$5,\"<p>\ntext\n</p>\"\nb,B,,5,\nc,C,,5,\n",
                &[
                    (
                        2,
                        "a: has text after a closing quote: a quote is missing, or one too many: lines 2 to 3",
                    ),
                    (6, "b: stands beside"),
                ],
                "text </p>\" c",
            ),
            (
                "a,A,\"<p>,5,\nb,B,5,\nb,B,,5,\nc,C,\",c\",5,\n",
                &[
                    (2, "a: has a quote too few or too many: lines 2 to 3"),
                    (4, "b: stands beside"),
                ],
                "c",
            ),
            // No row in it: its lines are named all the same.
            (
                "a,\"A,,5,\nb,\"B,,5,\nb,B,,5,\nc,C,,5,\n",
                &[
                    (
                        2,
                        "a: has text after a closing quote: a quote is missing, or one too many: lines 2 to 3",
                    ),
                    (4, "b: stands beside"),
                ],
                "c",
            ),
            (
                "a,A,\"<p>\n</p>\",5\nb,B,,5,\n",
                &[(
                    2,
                    "a: has 4 fields where the header has 5: lines 2 to 3 are left out",
                )],
                "b",
            ),
            // In the handle itself.
            (
                "\"a,\"A\",\"\",5,\nb,B,,5,\n",
                &[(2, "a: has text after a closing quote")],
                "b",
            ),
            // On one line.
            (
                "a,\"A\"x,,5,\nb,B,,5,\n",
                &[(2, "a: has text after a closing quote")],
                "b",
            ),
        ] {
            let (found, handles) = damage(&text.replace('\n', end));
            assert_eq!(handles.join(" "), good, "{text:?} {end:?} {found:?}");
            assert_eq!(found.len(), damaged.len(), "{text:?} {end:?} {found:?}");
            for ((line, said), (expected_line, part)) in found.iter().zip(damaged) {
                assert!(
                    line == expected_line && said.starts_with(part),
                    "{text:?} {end:?} {found:?}"
                );
            }
        }
    }
}

#[test]
fn long_descriptions_are_no_damage() {
    let html = "<p class=\"\"a\"\">5\"\" pipe, red, 5, new</p>\n\n,,,,\n<li>a,b,,5,</li>\n".repeat(300);
    for text in [
        format!("a,A,\"{html}\",5,\nb,B,,5,\n"),
        format!("a,A,\"\n{html}\n\",5,\nb,\"B\n\",,5,\n"),
        // Even rows, as long as the line that closes it is none.
        format!("a,A,\"<pre>\n{}</pre>\",5,\nb,B,,5,\n", "x,X,,5,\n".repeat(300)),
    ] {
        let (damaged, handles) = damage(&text);
        assert!(
            damaged.is_empty() && handles == ["a", "b"],
            "{damaged:?} {handles:?}"
        );
    }
}

#[test]
fn a_record_that_swallows_the_file_is_left_behind() {
    let far = u64::try_from(MAX_RECORD).unwrap();
    let text = format!("a,A,\"{},5,\nd,D,,5,\n", "x\n".repeat(MAX_RECORD));
    let (damaged, good) = damage(&text);
    assert_eq!(good, ["d"]);
    assert!(damaged.len() == 1 && damaged[0].0 == 2, "{damaged:?}");
    let lost = format!("lines 2 to {} are left out", far + 2);
    assert!(
        damaged[0].1.starts_with("a: is longer than 1 MiB") && damaged[0].1.ends_with(&lost),
        "{damaged:?}"
    );
    // With rows in it, they are kept.
    let rows = "b,B,,5,\n".repeat(MAX_RECORD / 4);
    let (damaged, good) = damage(&format!("a,\"A,,5,\n{rows}"));
    assert_eq!((damaged.len(), good.len()), (1, MAX_RECORD / 4));
}
