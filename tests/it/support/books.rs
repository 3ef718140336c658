//! What must hold of a shop at any time, whatever happened to it: its books balance.

use souk::infra::db::Db;

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
         WHERE e.status <> o.status OR e.fulfillment_status <> o.fulfillment_status",
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
        "nothing is confirmed for which no money is promised or was taken",
        "SELECT number FROM shop_order WHERE status IN ('CONFIRMED', 'COMPLETED') AND payment_status = 'UNPAID'",
    ),
    (
        "what has ended keeps no money",
        "SELECT o.number FROM shop_order o JOIN payment p ON p.order_id = o.id
         WHERE o.status IN ('CANCELLED', 'EXPIRED') AND p.captured > p.refunded AND NOT EXISTS
            (SELECT 1 FROM payment_operation x WHERE x.payment_id = p.id AND x.status = 'PENDING')",
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

/// # Panics
/// When the books do not balance.
pub(crate) async fn balance(db: &Db) {
    for (what, sql) in BOOKS {
        let wrong = rows(db, sql).await;
        assert!(wrong.is_empty(), "it does not hold that {what}: {wrong:?}");
    }
}
