//! What each root field is asked for. A field that is missing here fails the matrix.
//!
//! `@Product` stands for the id of a product: in the columns where a customer asks about something of his own or
//! something public, that of one that is for sale; in the others, that of a draft. `@User` and `@Session` are a
//! customer's own, and another customer's; so are `@Cart` and `@CartLine`, and all that belongs to orders. `@GuestCart` and
//! `@GuestOrder` are nobody's; `@guestToken` opens that order, `@otherToken` another guest's. What begins with `@New` is made
//! for each that asks, since a mutation uses it up. `@n` is another number each time.

/// The field, a note when it is asked in several ways, and its arguments.
pub(super) const ROOTS: &[(&str, &str, &str)] = &[
    ("Query.auditLog", "", "(first: 1)"),
    ("Query.cart", "", "(id: \"@Cart\")"),
    ("Query.cart", "guest", "(id: \"@GuestCart\")"),
    ("Query.categories", "", ""),
    ("Query.category", "", "(by: {id: \"@Category\"})"),
    (
        "Query.ledgerBalances",
        "",
        "(from: \"2026-02-01\", to: \"2026-04-01\")",
    ),
    ("Query.me", "", ""),
    ("Query.node", "AuditRecord", "(id: \"@AuditRecord\")"),
    ("Query.node", "Cart", "(id: \"@Cart\")"),
    ("Query.node", "CartLine", "(id: \"@CartLine\")"),
    ("Query.node", "Category", "(id: \"@Category\")"),
    ("Query.node", "Fulfillment", "(id: \"@Fulfillment\")"),
    ("Query.node", "Order", "(id: \"@Order\")"),
    ("Query.node", "Order, guest", "(id: \"@GuestOrder\")"),
    ("Query.node", "OrderEvent", "(id: \"@OrderEvent\")"),
    ("Query.node", "OrderLine", "(id: \"@OrderLine\")"),
    ("Query.node", "Payment", "(id: \"@Payment\")"),
    ("Query.node", "Refund", "(id: \"@Refund\")"),
    ("Query.node", "Product", "(id: \"@Product\")"),
    ("Query.node", "ProductVariant", "(id: \"@ProductVariant\")"),
    ("Query.node", "Session", "(id: \"@Session\")"),
    ("Query.node", "User", "(id: \"@User\")"),
    (
        "Query.nodes",
        "",
        "(ids: [\"@User\", \"@Session\", \"@Product\"])",
    ),
    ("Query.order", "id", "(by: {id: \"@Order\"})"),
    ("Query.order", "number", "(by: {number: \"@number\"})"),
    (
        "Query.order",
        "bad token",
        "(by: {id: \"@Order\"}, guestToken: \"@otherToken\")",
    ),
    ("Query.order", "guest, none", "(by: {id: \"@GuestOrder\"})"),
    (
        "Query.order",
        "guest",
        "(by: {id: \"@GuestOrder\"}, guestToken: \"@guestToken\")",
    ),
    (
        "Query.order",
        "guest, bad",
        "(by: {id: \"@GuestOrder\"}, guestToken: \"@otherToken\")",
    ),
    ("Query.orders", "", "(first: 1)"),
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
        "Mutation.fulfillmentCreate",
        "",
        "(input: {orderId: \"@NewPaidOrder\", idempotencyKey: \"@n\"})",
    ),
    (
        "Mutation.fulfillmentDeliver",
        "",
        "(input: {fulfillmentId: \"@NewParcel\"})",
    ),
    (
        "Mutation.inventoryAdjust",
        "",
        "(input: {variantId: \"@ProductVariant\", delta: 1, reason: \"found\", idempotencyKey: \"@n\"})",
    ),
    (
        "Mutation.orderCancel",
        "",
        "(input: {orderId: \"@NewOrder\", reason: \"a mistake\"})",
    ),
    (
        "Mutation.orderPlace",
        "",
        "(input: {cartId: \"@Cart\", email: \"a@example.com\", shippingAddress: {name: \"A\", line1: \"1\", city: \"Fès\", countryCode: \"MA\"}, idempotencyKey: \"@n\"})",
    ),
    (
        "Mutation.orderPlace",
        "guest",
        "(input: {cartId: \"@NewGuestCart\", email: \"a@example.com\", shippingAddress: {name: \"A\", line1: \"1\", city: \"Fès\", countryCode: \"MA\"}, idempotencyKey: \"@n\"})",
    ),
    (
        "Mutation.passwordChange",
        "",
        "(input: {currentPassword: \"@password\", newPassword: \"@password\"})",
    ),
    (
        "Mutation.paymentCapture",
        "",
        "(input: {paymentId: \"@NewPromised\", idempotencyKey: \"@n\"})",
    ),
    (
        "Mutation.paymentCreate",
        "",
        "(input: {orderId: \"@NewOrder\", gateway: TEST, idempotencyKey: \"@n\"})",
    ),
    (
        "Mutation.paymentCreate",
        "bad token",
        "(input: {orderId: \"@NewOrder\", gateway: TEST, idempotencyKey: \"@n\"}, guestToken: \"@otherToken\")",
    ),
    (
        "Mutation.paymentCreate",
        "guest, none",
        "(input: {orderId: \"@NewGuestOrder\", gateway: TEST, idempotencyKey: \"@n\"})",
    ),
    (
        "Mutation.paymentCreate",
        "guest",
        "(input: {orderId: \"@NewGuestOrder\", gateway: TEST, idempotencyKey: \"@n\"}, guestToken: \"@newGuestToken\")",
    ),
    (
        "Mutation.paymentCreate",
        "guest, bad",
        "(input: {orderId: \"@NewGuestOrder\", gateway: TEST, idempotencyKey: \"@n\"}, guestToken: \"@otherToken\")",
    ),
    (
        "Mutation.paymentVoid",
        "",
        "(input: {paymentId: \"@NewOpen\", idempotencyKey: \"@n\"})",
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
        "Mutation.refundCreate",
        "",
        "(input: {paymentId: \"@NewTaken\", idempotencyKey: \"@n\"})",
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
    // From an event on, so that there is one to be told at once.
    ("Subscription.myOrderEvents", "", "(after: \"@cursor\")"),
    (
        "Subscription.orderEvents",
        "",
        "(orderId: \"@Order\", after: \"@cursor\")",
    ),
    (
        "Subscription.orderEvents",
        "bad token",
        "(orderId: \"@Order\", guestToken: \"@otherToken\", after: \"@cursor\")",
    ),
    (
        "Subscription.orderEvents",
        "guest, none",
        "(orderId: \"@GuestOrder\", after: \"@guestCursor\")",
    ),
    (
        "Subscription.orderEvents",
        "guest",
        "(orderId: \"@GuestOrder\", guestToken: \"@guestToken\", after: \"@guestCursor\")",
    ),
    (
        "Subscription.orderEvents",
        "guest, bad",
        "(orderId: \"@GuestOrder\", guestToken: \"@otherToken\", after: \"@guestCursor\")",
    ),
    ("Subscription.shopOrderEvents", "", "(after: \"@cursor\")"),
];

/// The types that `node` finds.
pub(super) const NODES: &[&str] = &[
    "AuditRecord",
    "Cart",
    "CartLine",
    "Category",
    "Fulfillment",
    "Order",
    "OrderEvent",
    "OrderLine",
    "Payment",
    "Refund",
    "Product",
    "ProductVariant",
    "Session",
    "User",
];

/// How to come to an object of a type when neither its id nor the first field that has one will do: the document up to the
/// field that is asked, and where the object lies in the answer.
/// `Type.field` is for one field that others of its type do not have a value beside.
pub(super) const PLACES: &[(&str, &str, &str)] = &[
    (
        "Address",
        "query { node(id: \"@User\") { ... on User { addresses {",
        "node.addresses",
    ),
    (
        "ClientSecretAction",
        "query { node(id: \"@Secret\") { ... on Payment { action { ... on ClientSecretAction {",
        "node.action",
    ),
    (
        "Money",
        "query { product(by: {id: \"@Product\"}) { priceRange { min {",
        "product.priceRange.min",
    ),
    (
        "Order.cancelReason",
        "query { node(id: \"@Cancelled\") { ... on Order {",
        "node",
    ),
    (
        "OrderConnection",
        "query { node(id: \"@User\") { ... on User { orders {",
        "node.orders",
    ),
    (
        "OrderPlacePayload.guestToken",
        "mutation { orderPlace(input: {cartId: \"@NewGuestCart\", email: \"a@example.com\", shippingAddress: {name: \"A\", line1: \"1\", city: \"Fès\", countryCode: \"MA\"}, idempotencyKey: \"@n\"}) {",
        "orderPlace",
    ),
    (
        "PageInfo",
        "query { categories(first: 1) { pageInfo {",
        "categories.pageInfo",
    ),
    (
        "Payment.action",
        "query { node(id: \"@Redirect\") { ... on Payment {",
        "node",
    ),
    (
        "Payment.failureCode",
        "query { node(id: \"@Declined\") { ... on Payment {",
        "node",
    ),
    (
        "Payment.failureMessage",
        "query { node(id: \"@Declined\") { ... on Payment {",
        "node",
    ),
    (
        "PhonePromptAction",
        "query { node(id: \"@Prompt\") { ... on Payment { action { ... on PhonePromptAction {",
        "node.action",
    ),
    (
        "RedirectAction",
        "query { node(id: \"@Redirect\") { ... on Payment { action { ... on RedirectAction {",
        "node.action",
    ),
    (
        // Where there is one with all that it can say.
        "UserError",
        "mutation { inventoryAdjust(input: {variantId: \"@ProductVariant\", delta: -1000000, reason: \"gone\", idempotencyKey: \"@n\"}) { userErrors {",
        "inventoryAdjust.userErrors",
    ),
];
