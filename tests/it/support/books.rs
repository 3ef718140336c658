//! What must hold of a shop at any time, whatever happened to it: its books balance.

use souk::infra::db::Db;

/// The ledger, an entry for each side of a transfer: debits are more than nothing, credits less.
const ENTRY: &str = "WITH entry AS (
    SELECT booking, kind, debit AS account, currency, amount, order_id, payment_id, refund_id FROM ledger_transfer UNION ALL
    SELECT booking, kind, credit, currency, -amount, order_id, payment_id, refund_id FROM ledger_transfer) ";

use super::database::rows;

/// Each finds what must not be there, and says so.
const BOOKS: &[(&str, &str)] = &[
    (
        "movements add up to levels",
        "SELECT CAST(l.variant_id AS text), CAST(l.on_hand AS text), CAST(l.reserved AS text) FROM inventory_level l
         LEFT JOIN inventory_movement m ON m.variant_id = l.variant_id GROUP BY l.variant_id, l.on_hand, l.reserved
         HAVING coalesce(sum(m.on_hand_delta), 0) <> l.on_hand OR coalesce(sum(m.reserved_delta), 0) <> l.reserved",
    ),
    (
        "reserved is what orders hold",
        "SELECT CAST(l.variant_id AS text), CAST(l.reserved AS text) FROM inventory_level l
         LEFT JOIN order_line o ON o.variant_id = l.variant_id GROUP BY l.variant_id, l.reserved
         HAVING coalesce(sum(o.held), 0) <> l.reserved",
    ),
    (
        "only open orders hold stock",
        "SELECT o.number FROM shop_order o JOIN order_line l ON l.order_id = o.id
         WHERE l.held > 0 AND o.status NOT IN ('PENDING_PAYMENT', 'CONFIRMED')",
    ),
    (
        "an order costs what its lines cost",
        "SELECT o.number FROM shop_order o LEFT JOIN order_line l ON l.order_id = o.id GROUP BY o.number, o.subtotal
         HAVING coalesce(sum(l.line_total), -1) <> o.subtotal",
    ),
    (
        "events are counted without a gap",
        "SELECT o.number FROM shop_order o LEFT JOIN order_event e ON e.order_id = o.id GROUP BY o.number, o.last_seq
         HAVING count(e.id) <> o.last_seq OR coalesce(max(e.seq), 0) <> o.last_seq OR coalesce(min(e.seq), 0) <> 1",
    ),
    (
        "the newest event says how the order stands",
        "SELECT o.number FROM shop_order o JOIN order_event e ON e.order_id = o.id AND e.seq = o.last_seq
         WHERE e.status <> o.status OR e.payment_status <> o.payment_status OR e.fulfillment_status <> o.fulfillment_status",
    ),
    (
        "places among all events have no gap",
        "SELECT CAST(count(position) AS text) FROM order_event HAVING count(position) <> coalesce(max(position), 0)",
    ),
    (
        "an order's money is that of its payments",
        "SELECT o.number FROM shop_order o LEFT JOIN payment p ON p.order_id = o.id GROUP BY o.number, o.paid, o.refunded
         HAVING coalesce(sum(p.captured), 0) <> o.paid OR coalesce(sum(p.refunded), 0) <> o.refunded",
    ),
    (
        "each step of an order has its event",
        "SELECT o.number FROM shop_order o WHERE
            o.paid > 0 AND NOT EXISTS (SELECT 1 FROM order_event e WHERE e.order_id = o.id AND e.type = 'PAYMENT_CAPTURED')
            OR o.refunded > 0 AND NOT EXISTS (SELECT 1 FROM order_event e WHERE e.order_id = o.id AND e.type = 'REFUNDED')
            OR o.status <> 'PENDING_PAYMENT' AND NOT EXISTS (SELECT 1 FROM order_event e WHERE e.order_id = o.id AND e.type = o.status)
            OR o.fulfillment_status <> 'UNFULFILLED' AND NOT EXISTS (SELECT 1 FROM order_event e WHERE e.order_id = o.id AND e.type = 'FULFILLED')
            OR o.fulfillment_status = 'DELIVERED' AND NOT EXISTS (SELECT 1 FROM order_event e WHERE e.order_id = o.id AND e.type = 'DELIVERED')",
    ),
    (
        "nothing is confirmed for which no money is promised or was taken",
        "SELECT number FROM shop_order WHERE status IN ('CONFIRMED', 'COMPLETED') AND payment_status = 'UNPAID'",
    ),
    (
        "what has ended keeps no money",
        "SELECT o.number FROM shop_order o JOIN payment p ON p.order_id = o.id
         WHERE o.status IN ('CANCELLED', 'EXPIRED') AND p.captured > p.refunded AND NOT EXISTS
            (SELECT 1 FROM payment_operation x WHERE x.payment_id = p.id AND x.status = 'PENDING')
            -- What could not be sent back, people have been told of.
            AND NOT (EXISTS (SELECT 1 FROM refund r WHERE r.payment_id = p.id AND r.status = 'FAILED')
                AND EXISTS (SELECT 1 FROM order_event e WHERE e.order_id = o.id AND e.type = 'REVIEW_REQUIRED'))",
    ),
    (
        "a payment's refunds add up",
        "SELECT CAST(p.id AS text) FROM payment p LEFT JOIN refund r ON r.payment_id = p.id AND r.status = 'SUCCEEDED'
         GROUP BY p.id, p.refunded HAVING coalesce(sum(r.amount), 0) <> p.refunded",
    ),
    (
        "parcels have what lines say was sent",
        "SELECT CAST(l.id AS text) FROM order_line l LEFT JOIN fulfillment_line f ON f.order_line_id = l.id
         GROUP BY l.id, l.fulfilled_quantity HAVING coalesce(sum(f.quantity), 0) <> l.fulfilled_quantity",
    ),
];

/// The same of the ledger's entries.
const LEDGER: &[(&str, &str)] = &[
    (
        "what is booked sums to nothing",
        "SELECT currency FROM entry GROUP BY booking, currency HAVING sum(amount) <> 0",
    ),
    (
        "all accounts sum to nothing",
        "SELECT currency FROM entry GROUP BY currency HAVING sum(amount) <> 0",
    ),
    (
        "clearing is what was captured, less what went back and fees",
        "SELECT account, currency, CAST(sum(amount) AS text) FROM (
            SELECT account, currency, amount FROM entry WHERE account LIKE 'clearing:%' UNION ALL
            SELECT 'clearing:' || gateway, currency, refunded - captured FROM payment UNION ALL
            SELECT 'clearing:' || gateway, fee_currency, fee FROM payment WHERE fee IS NOT NULL) x
         GROUP BY account, currency HAVING sum(amount) <> 0",
    ),
    (
        "fees are what payments say",
        "SELECT CAST(p.id AS text) FROM payment p LEFT JOIN entry e ON e.payment_id = p.id AND e.account = 'fees:' || p.gateway
         AND e.currency = p.fee_currency GROUP BY p.id, p.fee HAVING coalesce(sum(e.amount), 0) <> coalesce(p.fee, 0)",
    ),
    (
        "an order that stands has sold what it costs, and no other has",
        "SELECT o.number FROM shop_order o LEFT JOIN entry e ON e.order_id = o.id AND e.account IN ('revenue', 'shipping', 'tax')
         GROUP BY o.number, o.status, o.total HAVING coalesce(-sum(e.amount), 0)
            <> CASE WHEN o.status IN ('CONFIRMED', 'COMPLETED') THEN o.total ELSE 0 END",
    ),
    (
        "revenue, shipping and tax of an order that stands are its own",
        "SELECT o.number FROM shop_order o LEFT JOIN entry e ON e.order_id = o.id
         WHERE o.status IN ('CONFIRMED', 'COMPLETED') GROUP BY o.number, o.tax_total, o.shipping_total
         HAVING coalesce(sum(CASE WHEN e.account = 'tax' THEN -e.amount END), 0) <> o.tax_total
             OR coalesce(sum(CASE WHEN e.account = 'shipping' THEN -e.amount END), 0) <> o.shipping_total",
    ),
    (
        "rounding is what of a payment is kept above the price",
        "SELECT CAST(p.id AS text) FROM payment p LEFT JOIN entry e ON e.payment_id = p.id AND e.account = 'rounding'
         GROUP BY p.id, p.captured, p.refunded, p.amount, p.rounding HAVING coalesce(-sum(e.amount), 0)
            <> CASE WHEN p.captured - p.refunded > p.amount - p.rounding
                    THEN p.captured - p.refunded - p.amount + p.rounding ELSE 0 END",
    ),
    (
        "what is owed and what was given back is the price less what is kept for it",
        "SELECT o.number FROM shop_order o
         LEFT JOIN (SELECT order_id, sum(amount) AS owed FROM entry WHERE account IN ('receivable', 'refunds') GROUP BY order_id) e
              ON e.order_id = o.id
         LEFT JOIN (SELECT order_id, sum(CASE WHEN captured - refunded > amount - rounding THEN amount - rounding
                                              ELSE captured - refunded END) AS kept FROM payment GROUP BY order_id) p
              ON p.order_id = o.id
         WHERE coalesce(e.owed, 0)
            <> CASE WHEN o.status IN ('CONFIRMED', 'COMPLETED') THEN o.total ELSE 0 END - coalesce(p.kept, 0)",
    ),
    (
        "only of orders that stand something was given back, and never less than nothing",
        "SELECT o.number FROM shop_order o JOIN entry e ON e.order_id = o.id AND e.account = 'refunds'
         GROUP BY o.number, o.status
         HAVING sum(e.amount) < 0 OR sum(e.amount) > 0 AND o.status NOT IN ('CONFIRMED', 'COMPLETED')",
    ),
    (
        "an order that has ended and given all back owes and is owed nothing",
        "SELECT o.number, e.account FROM shop_order o JOIN entry e ON e.order_id = o.id
         WHERE o.status IN ('CANCELLED', 'EXPIRED') AND o.paid = o.refunded AND substr(e.account, 1, 5) NOT IN ('fees:', 'clear')
         GROUP BY o.number, e.account HAVING sum(e.amount) <> 0",
    ),
];

/// # Panics
/// When the books do not balance.
pub(crate) async fn balance(db: &Db) {
    for (what, sql) in BOOKS {
        let wrong = rows(db, sql).await;
        assert!(wrong.is_empty(), "it does not hold that {what}: {wrong:?}");
    }
    ledger(db).await;
}

/// The part of it that is about money.
///
/// # Panics
/// When the ledger does not agree with orders and payments.
pub(crate) async fn ledger(db: &Db) {
    for (what, sql) in LEDGER {
        let wrong = rows(db, &format!("{ENTRY}{sql}")).await;
        assert!(wrong.is_empty(), "it does not hold that {what}: {wrong:?}");
    }
}
