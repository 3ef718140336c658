//! Documents that are wrong in themselves, with the code that refuses them.

const PARSE: &str = "GRAPHQL_PARSE_FAILED";
const VALIDATION: &str = "GRAPHQL_VALIDATION_FAILED";

pub(super) const CASES: &[(&str, &str)] = &[
    ("", PARSE),
    ("{", PARSE),
    ("{ shop { name }", PARSE),
    ("{ shop { name } } }", PARSE),
    ("{ product(by: {slug: \"mug) { id } }", PARSE),
    ("{ products(first: 1e) { nodes { id } } }", PARSE),
    ("{ shop(\u{0}) { name } }", PARSE),
    ("SELECT * FROM product", PARSE),
    ("{ shop }", VALIDATION),
    ("{ stores { name } }", VALIDATION),
    ("{ shop { name colour } }", VALIDATION),
    ("{ shop { name { first } } }", VALIDATION),
    ("{ node { id } }", VALIDATION),
    ("{ node(id: true) { id } }", VALIDATION),
    ("{ node(id: null) { id } }", VALIDATION),
    (
        "{ node(id: \"product_01h455vb4pex5vsknk084sn02q\", slug: \"mug\") { id } }",
        VALIDATION,
    ),
    ("{ nodes(ids: [null]) { id } }", VALIDATION),
    ("{ product { id } }", VALIDATION),
    ("{ product(by: {}) { id } }", VALIDATION),
    ("{ product(by: {slug: null}) { id } }", VALIDATION),
    ("{ product(by: {slug: \"mug\", id: \"x\"}) { id } }", VALIDATION),
    ("{ product(by: {name: \"Mug\"}) { id } }", VALIDATION),
    ("{ product(by: \"mug\") { id } }", VALIDATION),
    ("{ category(by: {slug: 5}) { id } }", VALIDATION),
    ("{ categories(first: \"10\") { nodes { id } } }", VALIDATION),
    ("{ products(first: 2147483648) { nodes { id } } }", VALIDATION),
    ("{ products(first: 1.5) { nodes { id } } }", VALIDATION),
    (
        "{ products(filter: {colour: \"red\"}) { nodes { id } } }",
        VALIDATION,
    ),
    (
        "{ products(filter: {price: {min: 1.5}}) { nodes { id } } }",
        VALIDATION,
    ),
    (
        "{ products(filter: {price: {min: \"1e3\"}}) { nodes { id } } }",
        VALIDATION,
    ),
    (
        "{ products(filter: {statuses: [SOLD]}) { nodes { id } } }",
        VALIDATION,
    ),
    (
        "{ products(filter: {statuses: [\"ACTIVE\"]}) { nodes { id } } }",
        VALIDATION,
    ),
    (
        "{ products(sort: {direction: ASC}) { nodes { id } } }",
        VALIDATION,
    ),
    ("{ products(sort: {field: VENDOR}) { nodes { id } } }", VALIDATION),
    (
        "{ product(by: {slug: \"mug\"}) { variants(first: true) { id } } }",
        VALIDATION,
    ),
    ("query($x: Money) { shop { name } }", VALIDATION),
    ("query($x: Int) { shop { name } }", VALIDATION),
    ("query { products(first: $n) { nodes { id } } }", VALIDATION),
    (
        "query($n: String) { products(first: $n) { nodes { id } } }",
        VALIDATION,
    ),
    ("subscription { shop { name } }", VALIDATION),
    ("mutation { productCreate { product { id } } }", VALIDATION),
    (
        "mutation { productCreate(input: {}) { product { id } } }",
        VALIDATION,
    ),
    (
        "mutation { productCreate(input: {name: \"Cup\", variants: [{price: 1.5}]}) { product { id } } }",
        VALIDATION,
    ),
    (
        "mutation { productCreate(input: {name: \"Cup\", variants: [{price: \"1\"}], imageUrls: [\"cup.png\"]}) { product { id } } }",
        VALIDATION,
    ),
    (
        "mutation { productCreate(input: {name: 5, variants: [{price: \"1\"}]}) { product { id } } }",
        VALIDATION,
    ),
    (
        "mutation { productDelete(input: {productId: \"x\"}) { userErrors { code } } }",
        VALIDATION,
    ),
    (
        "mutation { inventoryAdjust(input: {variantId: \"x\", delta: \"1\", reason: \"r\", idempotencyKey: \"k\"}) { userErrors { code } } }",
        VALIDATION,
    ),
];
