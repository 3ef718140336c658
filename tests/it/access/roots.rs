//! What each root field is asked for. A field that is missing here fails the matrix.
//!
//! `@Product` stands for the id of a product: in the columns where a customer asks about something of his own or
//! something public, that of one that is for sale; in the others, that of a draft. `@User` and `@Session` are a
//! customer's own, and another customer's; so are `@Cart` and `@CartLine`, and `@GuestCart` is nobody's. `@n` is another
//! number each time.

/// The field, a note when it is asked in several ways, and its arguments.
pub(super) const ROOTS: &[(&str, &str, &str)] = &[
    ("Query.auditLog", "", "(first: 1)"),
    ("Query.cart", "", "(id: \"@Cart\")"),
    ("Query.cart", "guest", "(id: \"@GuestCart\")"),
    ("Query.categories", "", ""),
    ("Query.category", "", "(by: {id: \"@Category\"})"),
    ("Query.me", "", ""),
    ("Query.node", "AuditRecord", "(id: \"@AuditRecord\")"),
    ("Query.node", "Cart", "(id: \"@Cart\")"),
    ("Query.node", "CartLine", "(id: \"@CartLine\")"),
    ("Query.node", "Category", "(id: \"@Category\")"),
    ("Query.node", "Product", "(id: \"@Product\")"),
    ("Query.node", "ProductVariant", "(id: \"@ProductVariant\")"),
    ("Query.node", "Session", "(id: \"@Session\")"),
    ("Query.node", "User", "(id: \"@User\")"),
    (
        "Query.nodes",
        "",
        "(ids: [\"@User\", \"@Session\", \"@Product\"])",
    ),
    ("Query.product", "id", "(by: {id: \"@Product\"})"),
    ("Query.product", "slug", "(by: {slug: \"@slug\"})"),
    ("Query.products", "", "(filter: {ids: [\"@Product\"]})"),
    ("Query.shop", "", ""),
    ("Query.users", "", "(filter: {email: \"@email\"})"),
    (
        "Mutation.accountRegister",
        "",
        "(input: {email: \"new@n@example.com\", password: \"@password\", name: \"New\"})",
    ),
    ("Mutation.accountUpdate", "", "(input: {name: \"Renamed @n\"})"),
    (
        "Mutation.cartCreate",
        "",
        "(input: {lines: [{variantId: \"@ProductVariant\", quantity: 1}]})",
    ),
    (
        "Mutation.cartLinesAdd",
        "",
        "(input: {cartId: \"@Cart\", lines: [{variantId: \"@ProductVariant\", quantity: 1}]})",
    ),
    (
        "Mutation.cartLinesAdd",
        "guest",
        "(input: {cartId: \"@GuestCart\", lines: []})",
    ),
    (
        "Mutation.cartLinesUpdate",
        "",
        "(input: {cartId: \"@Cart\", lines: [{lineId: \"@CartLine\", quantity: 1}]})",
    ),
    (
        "Mutation.categoryCreate",
        "",
        "(input: {name: \"Shelf @n\", parentId: \"@Category\"})",
    ),
    (
        "Mutation.inventoryAdjust",
        "",
        "(input: {variantId: \"@ProductVariant\", delta: 1, reason: \"found\", idempotencyKey: \"@n\"})",
    ),
    (
        "Mutation.passwordChange",
        "",
        "(input: {currentPassword: \"@password\", newPassword: \"@password\"})",
    ),
    (
        "Mutation.productCreate",
        "",
        "(input: {name: \"Thing @n\", variants: [{price: \"5\"}]})",
    ),
    (
        "Mutation.productUpdate",
        "",
        "(input: {productId: \"@Product\", vendor: \"Vendor @n\"})",
    ),
    (
        "Mutation.productVariantUpdate",
        "",
        "(input: {variantId: \"@ProductVariant\", sku: \"SKU @n\"})",
    ),
    (
        "Mutation.sessionCreate",
        "",
        "(input: {email: \"@email\", password: \"@password\"})",
    ),
    (
        "Mutation.sessionRefresh",
        "",
        "(input: {refreshToken: \"@refresh\"})",
    ),
    ("Mutation.sessionRevoke", "", "(sessionId: \"@Session\")"),
    ("Mutation.sessionRevokeAll", "", ""),
    // No change, so that who is asked about stays what he is.
    (
        "Mutation.userRoleUpdate",
        "",
        "(input: {userId: \"@User\", role: CUSTOMER})",
    ),
];

/// The types that `node` finds.
pub(super) const NODES: &[&str] = &[
    "AuditRecord",
    "Cart",
    "CartLine",
    "Category",
    "Product",
    "ProductVariant",
    "Session",
    "User",
];

/// How to come to an object of a type when neither its id nor the first field that has one will do: the document up to the
/// field that is asked, and where the object lies in the answer.
pub(super) const PLACES: &[(&str, &str, &str)] = &[
    (
        "Money",
        "query { product(by: {id: \"@Product\"}) { priceRange { min {",
        "product.priceRange.min",
    ),
    (
        "PageInfo",
        "query { categories(first: 1) { pageInfo {",
        "categories.pageInfo",
    ),
    (
        // Where there is one with all that it can say.
        "UserError",
        "mutation { inventoryAdjust(input: {variantId: \"@ProductVariant\", delta: -1000, reason: \"gone\", idempotencyKey: \"@n\"}) { userErrors {",
        "inventoryAdjust.userErrors",
    ),
];
