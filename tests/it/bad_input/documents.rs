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
        "{ products(filter: {inStock: true, inStock: false}) { nodes { id } } }",
        VALIDATION,
    ),
    (
        "query($n: Int, $f: ProductFilter = {price: {min: 1, min: 2}}) { products(filter: $f, first: $n) { nodes { id } } }",
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
    (
        "query($f: Int @nonsense(a: $undefined)) { products(first: $f) { totalCount } }",
        VALIDATION,
    ),
    (
        "query($f: Int @include(if: true)) { products(first: $f) { totalCount } }",
        VALIDATION,
    ),
    (
        "query($f: Int @x @x = 1) { products(first: $f) { totalCount } }",
        VALIDATION,
    ),
    (
        "query($n: Int @x(a: 1) = 1, $f: ProductFilter = {text: \"zz\", text: \"red\"}) { products(first: $n, filter: $f) { totalCount } }",
        VALIDATION,
    ),
    ("subscription { __typename }", VALIDATION),
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
    ("query($s: String) { product(by: {slug: $s}) { id } }", VALIDATION),
    ("query($i: ID) { node(id: $i) { id } }", VALIDATION),
    (
        "query($t: [String]) { products(filter: {tags: $t}) { nodes { id } } }",
        VALIDATION,
    ),
    (
        "query($f: String) { ...F } fragment F on Query { products(sort: {field: $f}) { nodes { id } } }",
        VALIDATION,
    ),
    (
        "{ ... on Query { products(first: 5.0) { nodes { id } } } }",
        VALIDATION,
    ),
];

/// What looks odd and is right.
pub(super) const GOOD: &[&str] = &[
    "query($n: Int = null) { products(first: $n) { nodes { id } } }",
    "query($d: SortDirection) { products(sort: {field: NAME, direction: $d}) { nodes { id } } }",
    "query($f: ProductSortField = NAME) { products(sort: {field: $f}) { nodes { id } } }",
    "query($t: [String!]!) { products(filter: {tags: $t}) { nodes { id } } }",
    "query($t: [String!]) { products(filter: {tags: $t}) { nodes { id } } }",
    "query($t: String!) { products(filter: {tags: [$t]}) { nodes { id } } }",
    "query($n: Int!) { product(by: {slug: \"mug\"}) { ...P } } fragment P on Product { variants(first: $n) { id } }",
    "{ products(filter: {tags: \"tea\", ids: [], price: {min: 5, max: \"6\"}, statuses: ACTIVE}) { nodes { id } } }",
    "{ __type(name: \"Product\") { fields(includeDeprecated: true) { name } } }",
    "query($yes: Boolean!) { shop @include(if: $yes) { name } }",
];
