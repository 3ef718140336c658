//! Real exports are dirty: each kind of dirt with what has to come of it.

use souk::domain::exchange::shopify::Report;

use super::{
    COLUMNS, assert_movements_add_up, contents, counts, currency, file, import, order, rows, try_import,
};
use crate::support::Shop;

/// A file, and what its import reports.
struct Case {
    name: &'static str,
    file: Vec<u8>,
    currency: &'static str,
    products: [u64; 2],
    variants: [u64; 2],
    images: [u64; 2],
    /// Lines with a part of what is said of them.
    rejected: &'static [(u64, &'static str)],
    warnings: &'static [(u64, &'static str)],
}

/// Of a good product beside the dirt, which must always arrive.
const GOOD: &str = "good,Good,,,,,,5,,,active\n";

fn case(name: &'static str, file: impl Into<Vec<u8>>) -> Case {
    Case {
        name,
        file: file.into(),
        currency: "USD",
        products: [1, 0],
        variants: [1, 0],
        images: [0, 0],
        rejected: &[],
        warnings: &[],
    }
}

/// These rows, and a good product after them.
fn dirty(name: &'static str, rows: &str) -> Case {
    case(name, format!("{COLUMNS}\n{rows}{GOOD}"))
}

impl Case {
    /// Created and rejected products and variants, the good one among them.
    fn gives(mut self, products: [u64; 2], variants: [u64; 2]) -> Self {
        self.products = products;
        self.variants = variants;
        self
    }

    /// One product with one variant is left out.
    fn rejects(mut self, rejected: &'static [(u64, &'static str)]) -> Self {
        self.rejected = rejected;
        self.gives([1, 1], [1, 1])
    }

    fn warns(mut self, warnings: &'static [(u64, &'static str)]) -> Self {
        self.warnings = warnings;
        self.gives([2, 0], [2, 0])
    }

    fn images(mut self, images: [u64; 2]) -> Self {
        self.images = images;
        self
    }

    fn currency(mut self, currency: &'static str) -> Self {
        self.currency = currency;
        self
    }

    fn file(mut self, change: impl Fn(&[u8]) -> Vec<u8>) -> Self {
        self.file = change(&self.file);
        self
    }
}

fn utf16(text: &[u8], big: bool) -> Vec<u8> {
    let text = std::str::from_utf8(text).unwrap();
    let units = std::iter::once(0xfeff).chain(text.encode_utf16());
    units
        .flat_map(|unit: u16| {
            if big {
                unit.to_be_bytes()
            } else {
                unit.to_le_bytes()
            }
        })
        .collect()
}

fn long(text: &str, times: usize) -> String {
    text.repeat(times)
}

fn whole_files() -> Vec<Case> {
    let two = "a,Tee é,,,,,,5,,,active\n";
    let with_line = "a,\"Tee\nshirt\",,,,,,5,,,active\nb,,,,,,,x,,,\n";
    vec![
        dirty("BOM", two).gives([2, 0], [2, 0]).file(|text| [b"\xef\xbb\xbf", text].concat()),
        dirty("UTF-16 LE", two).gives([2, 0], [2, 0]).file(|text| utf16(text, false)),
        dirty("UTF-16 BE", two).gives([2, 0], [2, 0]).file(|text| utf16(text, true)),
        dirty("CRLF", two).gives([2, 0], [2, 0]).file(|text| {
            String::from_utf8(text.to_vec()).unwrap().replace('\n', "\r\n").into_bytes()
        }),
        dirty("CR", two).gives([2, 0], [2, 0]).file(|text| {
            String::from_utf8(text.to_vec()).unwrap().replace('\n', "\r").into_bytes()
        }),
        dirty("no line end at the end", two).gives([2, 0], [2, 0]).file(|text| text[..text.len() - 1].to_vec()),
        dirty("blank lines", "\n\r\n,,,,,,,,,,\n   \n"),
        dirty("line breaks in quotes count as lines", with_line).rejects(&[
            (4, "Title is blank"),
            (4, "Variant Price \"x\" is not a price"),
        ]).gives([2, 1], [2, 1]),
        case("semicolons", "Handle;Title;Variant Price\na;A;5,\n").gives([0, 1], [0, 1]).with_rejected(&[(2, "not a price")]),
        case("tabs", "Handle\tTitle\tVariant Price\na\tA, B\t5\n"),
        case("other order, case and spacing", " variant PRICE ,title,Colour of the moon,HANDLE\n5,A,blue,a\n"),
        case("the template of 2024", "Title,URL handle,Price,SKU,Inventory quantity,Product image URL\nA,a,5,X,3,https://x.example/a.png\n")
            .images([1, 0]),
        case("only the columns that must be", "Handle,Title,Variant Price\na,A,5\n"),
        case("quotes within quotes", "Handle,Title,Variant Price\na,\"5\"\" \"\"pipe\"\"\",5\n"),
    ]
}

impl Case {
    fn with_rejected(mut self, rejected: &'static [(u64, &'static str)]) -> Self {
        self.rejected = rejected;
        self
    }
}

fn broken_rows() -> Vec<Case> {
    vec![
        dirty("too few fields", "a,A,5\n").rejects(&[(2, "has 3 fields where the header has 11")]),
        dirty("too many fields", "a,A,,,,,,5,,,active,,\n").rejects(&[(2, "has 13 fields")]),
        dirty(
            "a bad row takes its whole product along",
            "a,A,Size,S,,,,5,,,\na,,,M,,,,5,,,\na,,,L,,,,oops,,,\n",
        )
        .rejects(&[(4, "\"oops\" is not a price")])
        .gives([1, 1], [1, 3]),
        dirty(
            "every bad row is told",
            "a,A,Size,S,,,,x,,,\na,,,M,,,,5,,,\na,,,L,,,many,5,,,\n",
        )
        .rejects(&[(2, "not a price"), (4, "\"many\" is not a whole number")])
        .gives([1, 1], [1, 3]),
        case(
            "truncated in the middle of a row",
            format!("{COLUMNS}\n{GOOD}a,A,Size,S,,,,5,,,\na,,,M"),
        )
        .rejects(&[(4, "has 4 fields")])
        .gives([1, 1], [1, 2]),
        case(
            "truncated in quotes",
            format!("{COLUMNS}\n{GOOD}a,\"A long\ntitle"),
        )
        .rejects(&[(3, "opens a quote that is never closed")]),
        case(
            "truncated in a character",
            format!("{COLUMNS}\n{GOOD}é,É,,,,,,5,,,\na,A,,,,,,5,,,é"),
        )
        .file(|text| text[..text.len() - 1].to_vec())
        .rejects(&[(4, "ends in the middle of a character")])
        .gives([2, 1], [2, 1]),
        dirty("NUL", "a,A\0,,,,,,5,,,\n").rejects(&[(2, "has a NUL character")]),
        dirty("no handle", ",A,,,,,,5,,,\n").with_rejected(&[(2, "Handle is blank")]),
        dirty(
            "scattered rows",
            "a,A,Size,S,,,,5,,,\nb,B,,,,,,5,,,\na,,,M,,,,5,,,\n",
        )
        .rejects(&[
            (2, "\"a\" do not stand together"),
            (4, "\"a\" do not stand together"),
        ])
        .gives([2, 1], [2, 2]),
        dirty(
            "a quote that is not closed",
            "a,\"A,,,,,,5,,,\nb,B,Size,S,,,,5,,,\nb,,,M,,,,5,,,\n",
        )
        .rejects(&[(2, "opens a quote that is never closed: the line is left out")])
        .gives([2, 1], [3, 1]),
        dirty(
            "two of them",
            "a,\"A,,,,,,5,,,\nb,B,,,,,,5,,,\nc,\"C,,,,,,5,,,\nd,D,,,,,,5,,,\n",
        )
        .file(|text| {
            String::from_utf8(text.to_vec())
                .unwrap()
                .replace('\n', "\r\n")
                .into_bytes()
        })
        .rejects(&[
            (2, "has a quote too few or too many: the line is left out"),
            (4, "opens a quote"),
        ])
        .gives([3, 2], [3, 2]),
        dirty(
            "in the middle of a product",
            "a,A,Size,S,,,,5,,,\n\"a,,,M,,,,5,,,\na,,,L,,,,5,,,\nb,B,,,,,,5,,,\n",
        )
        .rejects(&[(3, "opens a quote")])
        .gives([2, 1], [2, 3]),
        case(
            "more than a record may hold",
            format!("{COLUMNS}\n{GOOD}a,{},,,,,,5,,,\n", long("x", 2_000_000)),
        )
        .rejects(&[(3, "is longer than 1 MiB")]),
    ]
}

fn tags(count: usize) -> String {
    (0..count).map(|n| format!("tag {n},")).collect()
}

fn bad_cells() -> Vec<Case> {
    vec![
        dirty("no title", "a,,,,,,,5,,,\n").rejects(&[(2, "Title is blank")]),
        dirty("no price", "a,A,,,,,,,,,\n").rejects(&[(2, "Variant Price is blank")]),
        dirty("negative price", "a,A,,,,,,-5,,,\n").rejects(&[(2, "\"-5\" is below zero")]),
        dirty("price in words", "a,A,,,,,,five,,,\n").rejects(&[(2, "\"five\" is not a price")]),
        dirty("price with a sign", "a,A,,,,,,$5,,,\n").rejects(&[(2, "\"$5\" is not a price")]),
        dirty("too many decimals", "a,A,,,,,,5.005,,,\n").rejects(&[(2, "more than the 2 decimals of USD")]),
        dirty("beyond counting", "a,A,,,,,,99999999999999999999,,,\n").rejects(&[(2, "beyond what can be counted")]),
        dirty("bad compare-at price", "a,A,,,,,,5,was 7,,\n").rejects(&[(2, "Compare At Price \"was 7\"")]),
        dirty("half a piece", "a,A,,,,shopify,1.5,5,,,\n").rejects(&[(2, "\"1.5\" is not a whole number")]),
        dirty("unknown status", "a,A,,,,,,5,,,gone\n").rejects(&[(2, "\"gone\" is not active, draft or archived")]),
        dirty("image without an address", "a,A,,,,,,5,,photo.jpg,\n")
            .rejects(&[(2, "\"photo.jpg\" is not an address")])
            .images([0, 1]),
        dirty("script for an image", "a,A,,,,,,5,,javascript:alert(1),\n")
            .rejects(&[(2, "is not an address")])
            .images([0, 1]),
        dirty("long title", &format!("a,{},,,,,,5,,,\n", long("x", 256))).rejects(&[(2, "Title is longer than 255")]),
        dirty("long handle", &format!("{},A,,,,,,5,,,\n", long("x", 256))).rejects(&[(2, "Handle is longer than 255")]),
        dirty("long SKU", &format!("a,A,,,{},,,5,,,\n", long("x", 256))).rejects(&[(2, "SKU is longer than 255")]),
        dirty("long in bytes only", &format!("a,{},,,,,,5,,,\n", long("é", 255))).gives([2, 0], [2, 0]),
        dirty("option value without its name", "a,A,,S,,,,5,,,\n").rejects(&[(2, "Option1 Value has no Option1 Name")]),
        dirty("option without its value", "a,A,Size,S,,,,5,,,\na,,,,X,,,5,,,\n")
            .rejects(&[(3, "Option1 Value is blank")])
            .gives([1, 1], [1, 2]),
        dirty("repeated option values", "a,A,Size,S,,,,5,,,\na,,,S,,,,6,,,\n")
            .rejects(&[(3, "has the same option values as line 2")])
            .gives([1, 1], [1, 2]),
        dirty("two variants without options", "a,A,,,,,,5,,,\na,,,,,,,6,,,\n")
            .rejects(&[(3, "second variant of a product without options, beside line 2")])
            .gives([1, 1], [1, 2]),
        dirty("handle without letters", "!!!,A,,,,,,5,,,\n").rejects(&[(2, "Handle \"!!!\" has neither letters nor digits")]),
        dirty("a quote in a handle", "a\"b,A,,,,,,5,,,\n").rejects(&[(2, "has a quote, a bracket or a line break in its Handle")]),
        dirty("handles that are one", "Blue Tee,A,,,,,,5,,,\nb,B,,,,,,5,,,\nblue-tee,C,,,,,,5,,,\n")
            .rejects(&[(2, "\"blue-tee\" do not stand together"), (4, "\"blue-tee\" do not stand together")])
            .gives([2, 1], [2, 2]),
        case("251 tags", format!("Handle,Title,Variant Price,Tags\na,A,5,\"{}\"\nb,B,5,\"{}\"\n", tags(250), tags(251)))
            .rejects(&[(3, "Tags has more than 250 tags")]),
        dirty("image address that is long as a browser sends it", &format!("a,A,,,,,,5,,https://x.example/{},\n", long("茶", 2_000)))
            .rejects(&[(2, "Image Src is longer than 2048 characters, as a browser sends it")])
            .images([0, 1]),
        case("a fourth option", "Handle,Title,Variant Price,Option4 Value\na,A,5,\nb,B,5,XL\n")
            .rejects(&[(3, "more than three options")]),
        case("the second option without the first", "Handle,Title,Variant Price,Option2 Name,Option2 Value\na,A,5,,\nb,B,5,Size,S\n")
            .rejects(&[(3, "Option2 is given without the option before it")]),
        case("the same option twice", "Handle,Title,Variant Price,Option1 Name,Option1 Value,Option2 Name,Option2 Value\na,A,5,,,,\nb,B,5,Size,S,Size,S\n")
            .rejects(&[(3, "Option2 Name \"Size\" is given twice")]),
        case("categories too deep", format!("Handle,Title,Variant Price,Product Category\na,A,5,\nb,B,5,{}A\n", long("A > ", 10)))
            .rejects(&[(3, "more than 10 categories deep")]),
        case("published maybe", "Handle,Title,Variant Price,Published\na,A,5,\nb,B,5,maybe\n")
            .rejects(&[(3, "\"maybe\" is neither true nor false")]),
        dirty("yen have no decimals", "a,A,,,,,,19.50,,,\n")
            .currency("JPY")
            .rejects(&[(2, "more than the 0 decimals of JPY")])
            .with_currency_warning(),
    ]
}

impl Case {
    fn with_currency_warning(mut self) -> Self {
        self.warnings = &[(1, "while the shop sells in USD")];
        self
    }
}

fn good_oddities() -> Vec<Case> {
    let hundred: String = (0..100).map(|n| format!("a,A,Size,{n},,,,5,,,\n")).collect();
    let many: String = (0..2_049).map(|n| format!("a,A,Size,{n},,,,5,,,\n")).collect();
    let pictures = |count: usize| -> String {
        (0..count)
            .map(|n| {
                format!(
                    "a,{},,,,,,{},,https://x.example/{n}.png,\n",
                    if n == 0 { "A" } else { "" },
                    if n == 0 { "5" } else { "" }
                )
            })
            .collect()
    };
    vec![
        dirty("negative stock", "a,A,,,,shopify,-3,5,,,\n").warns(&[(2, "Qty -3 is below zero: imported as 0")]),
        dirty("more than can be held", "a,A,,,,shopify,99999999999,5,,,\n")
            .warns(&[(2, "imported as 2147483647")]),
        dirty("more than 2^31 units in the store", "a,A,,,,shopify,2147483647,5,,,\nb,B,,,,shopify,2147483647,5,,,\n")
            .gives([3, 0], [3, 0]),
        dirty("repeated and blank SKUs", "a,A,Size,S,X,,,5,,,\na,,,M,X,,,5,,,\na,,,L,,,,5,,,\nb,B,,,X,,,5,,,\n")
            .gives([3, 0], [5, 0]),
        dirty("price of 0", "a,A,,,,,,0,,,\nb,B,,,,,,0.00,,,\n").gives([3, 0], [3, 0]),
        dirty("compare-at below price", "a,A,,,,,,5,3,,\n").gives([2, 0], [2, 0]),
        dirty("yen", "a,A,,,,,,1500,1600.00,,\n").currency("JPY").gives([2, 0], [2, 0]).with_currency_warning(),
        dirty("image-only rows", "a,A,,,,,,5,,https://x.example/1.png,\na,,,,,,,,,https://x.example/2.png,\na,,,,,,,,,https://x.example/1.png,\n")
            .gives([2, 0], [2, 0])
            .images([2, 0]),
        dirty("a row that says nothing", "a,A,,,,,,5,,,\na,,,,,,,,,,\n").warns(&[(3, "neither a variant nor an image")]),
        dirty("100 variants", &hundred).gives([2, 0], [101, 0]),
        dirty("2,049 variants", &many).gives([1, 1], [1, 2_049]).with_rejected(&[(2, "has more than 2048 variants")]),
        dirty("250 images", &pictures(250)).gives([2, 0], [2, 0]).images([250, 0]),
        dirty("251 images", &pictures(251)).rejects(&[(2, "has more than 250 images")]).images([0, 251]),
        case("three options", "Handle,Title,Option1 Name,Option1 Value,Option2 Name,Option2 Value,Option3 Name,Option3 Value,Variant Price\n\
              a,A,Size,S,Colour,Red,Cut,Slim,5\na,,,S,,Red,,Wide,5\n").gives([1, 0], [2, 0]),
        dirty("handles in other scripts", "чайник,Чайник,,,,,,5,,,\nकिताब,किताब,,,,,,5,,,\n茶壺,茶壺,,,,,,5,,,\n").gives([4, 0], [4, 0]),
        dirty("a handle that is no part of an address", "Blue Tee/É,A,,,,,,5,,,\n")
            .warns(&[(2, "Handle \"Blue Tee/É\" is no part of an address: imported as \"blue-tee-e\"")]),
        dirty("image addresses in other scripts", "a,A,,,,,,5,,https://x.example/茶 壺.png,\na,,,,,,,,,https://x.example/%E8%8C%B6%20%E5%A3%BA.png,\n")
            .gives([2, 0], [2, 0])
            .images([1, 0]),
        dirty("stock as a spreadsheet writes it", "a,A,,,,shopify,5.0,5,,,\n").gives([2, 0], [2, 0]),
    ]
}

fn check(case: &Case, report: &Report) {
    let name = case.name;
    let [products, variants, images] = counts(report);
    assert_eq!(
        [products[0], products[3]],
        case.products,
        "{name}: products of {report:?}"
    );
    assert_eq!(
        [variants[0], variants[3]],
        case.variants,
        "{name}: variants of {report:?}"
    );
    assert_eq!(
        [images[0], images[3]],
        case.images,
        "{name}: images of {report:?}"
    );
    for (kind, notes, expected) in [
        ("rejected", &report.rejected_rows, case.rejected),
        ("warnings", &report.warnings, case.warnings),
    ] {
        let said: Vec<_> = notes
            .iter()
            .map(|note| (note.line, note.reason.as_str()))
            .collect();
        assert_eq!(said.len(), expected.len(), "{name}: {kind} {said:?}");
        for ((line, reason), (expected_line, part)) in said.iter().zip(expected) {
            assert!(
                line == expected_line && reason.contains(part),
                "{name}: {kind} {said:?}, not {part:?}"
            );
        }
    }
}

/// Imports each into the same shop, which forgets everything in between.
async fn run(shop: &Shop, cases: Vec<Case>) {
    for case in cases {
        let path = file(&case.file);
        let mut order = order(path.path());
        order.currency = currency(case.currency);
        let report = try_import(shop, &order).await.unwrap();
        check(&case, &report);
        // What is imported stays as it is when the same file comes again.
        let before = contents(shop).await;
        shop.clock.advance(chrono::Duration::seconds(1));
        let again = counts(&try_import(shop, &order).await.unwrap());
        assert_eq!(
            again.map(|counts| [counts[0], counts[1]]),
            [[0, 0]; 3],
            "{}",
            case.name
        );
        assert_eq!(contents(shop).await, before, "{}", case.name);
        assert_movements_add_up(shop).await;
        shop.execute("DELETE FROM product").await.unwrap();
    }
}

both! {
    async fn whole_files_of_all_kinds_are_read(shop: &Shop) {
        run(shop, whole_files()).await;
    }

    async fn broken_rows_leave_their_products_out(shop: &Shop) {
        run(shop, broken_rows()).await;
    }

    async fn bad_cells_leave_their_products_out(shop: &Shop) {
        run(shop, bad_cells()).await;
    }

    async fn odd_but_good_rows_are_imported(shop: &Shop) {
        run(shop, good_oddities()).await;
    }

    async fn windows_1252_is_read_where_utf_8_is_not(shop: &Shop) {
        let text = [
            b"Handle,Title,Variant Price\n".as_slice(),
            b"a,Caf\xe9 \x80 5,5\n",
            "b,Café UTF-8,5\n".as_bytes(),
            b"c,Na\xefve,5\n",
        ];
        let path = file(text.concat());
        let report = import(shop, path.path()).await;
        assert_eq!(report.warnings.len(), 1, "{report:?}");
        assert!(report.warnings[0].line == 2 && report.warnings[0].reason.contains("Windows-1252"), "{report:?}");
        let names = shop.rows("SELECT name FROM product ORDER BY slug").await;
        assert_eq!(names, [["Café € 5"], ["Café UTF-8"], ["Naïve"]]);
    }

    async fn html_is_sanitised(shop: &Shop) {
        let path = file("Handle,Title,Body (HTML),Variant Price\r\na,A,\"<p onclick=\"\"x()\"\">Soft\r\n<b>cotton</b></p><script>x()</script>\",5\r\n");
        import(shop, path.path()).await;
        assert_eq!(shop.rows("SELECT description FROM product").await, [["<p>Soft\n<b>cotton</b></p>"]]);
    }

    async fn files_of_other_shops_are_refused(shop: &Shop) {
        for (text, parts) in [
            ("sku,store_view_code,name,price\n", &["Handle, Title, Variant Price", "Magento"][..]),
            ("slug,sku,name,price,option1_name\n", &["Handle, Title, Variant Price", "Spree"]),
            ("Handle,Title\na,A\n", &["lacks the column Variant Price"]),
            ("Handle,Title,SKU,On hand\na,A,X,5\n", &["Variant Price", "inventory export of Shopify"]),
            ("[{\"a\": 1}]\n", &["JSON"]),
            ("Handle,Title,\"Variant Price\na,A,5\n", &["a quote in the header is missing"]),
            ("Handle,Title,Variant Price,\"Cost\na,A,5,\"\n", &["a quote in the header is missing"]),
            ("", &["is empty"]),
            ("\0\0\0\0", &["is not text"]),
        ] {
            let path = file(text);
            let error = anyhow::Error::from(try_import(shop, &order(path.path())).await.unwrap_err()).to_string();
            assert!(parts.iter().all(|part| error.contains(part)), "{text:?}: {error}");
        }
        let error = try_import(shop, &order("/nowhere/a.csv")).await.unwrap_err();
        assert!(anyhow::Error::from(error).to_string().contains("/nowhere/a.csv"));
        assert_eq!(contents(shop).await.concat(), Vec::<Vec<String>>::new());
    }

    async fn a_dry_run_reports_and_writes_nothing(shop: &Shop) {
        let path = rows("a,A,,,,shopify,-1,5,,https://x.example/a.png,\nb,B,,,,,,x,,,\n");
        let mut dry = order(path.path());
        dry.dry_run = true;
        let dry = try_import(shop, &dry).await.unwrap();
        assert_eq!(contents(shop).await.concat(), Vec::<Vec<String>>::new());
        assert_eq!(dry, import(shop, path.path()).await);
        assert_eq!(counts(&dry), [[1, 0, 0, 1], [1, 0, 0, 1], [1, 0, 0, 0]]);
    }
}
