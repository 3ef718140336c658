//! W3: a customer's orders with their lines, what those are of, and payments, in two statements.

use std::collections::HashMap;

use axum::Json;
use axum::body::Bytes;
use axum::extract::State;
use serde::Serialize;
use uuid::Uuid;

use super::{Data, Money, Named, Nodes, Shop};
use crate::serve::Failed;
use crate::serve::database::rows;

const LINES: &str = "
    SELECT o.id, o.number, o.status, o.total, o.currency, l.quantity, v.title, p.name, c.name
    FROM (SELECT id, number, status, total, currency, placed_at FROM shop_order WHERE user_id = $1
        ORDER BY placed_at DESC, id DESC LIMIT 20) o
    JOIN order_line l ON l.order_id = o.id
    LEFT JOIN product_variant v ON v.id = l.variant_id
    LEFT JOIN product p ON p.id = v.product_id
    LEFT JOIN category c ON c.id = p.category_id
    ORDER BY o.placed_at DESC, o.id DESC, l.position";

const PAYMENTS: &str = "
    SELECT y.order_id, y.status, y.amount, y.currency FROM payment y
    WHERE y.order_id IN (SELECT id FROM shop_order WHERE user_id = $1 ORDER BY placed_at DESC, id DESC LIMIT 20)
    ORDER BY y.created_at, y.id";

#[rustfmt::skip]
type LineRow = (Uuid, String, String, i64, String, i32, Option<String>, Option<String>, Option<String>);
type PaymentRow = (Uuid, String, i64, String);

#[derive(Serialize)]
struct Order {
    #[serde(skip)]
    id: Uuid,
    number: String,
    status: String,
    total: Money,
    lines: Vec<Line>,
    payments: Vec<Payment>,
}

#[derive(Serialize)]
struct Line {
    quantity: i32,
    variant: Option<Variant>,
}

#[derive(Serialize)]
struct Variant {
    title: String,
    product: Product,
}

#[derive(Serialize)]
struct Product {
    name: String,
    category: Option<Named>,
}

#[derive(Serialize)]
struct Payment {
    status: String,
    amount: Money,
}

#[derive(Serialize)]
struct Answer {
    me: Me,
}

#[derive(Serialize)]
struct Me {
    orders: Nodes<Order>,
}

pub(super) async fn mine(
    State(shop): State<Shop>,
    _asked: Bytes,
) -> Result<Json<Data<impl Serialize>>, Failed> {
    let lines = rows!(&shop.database, LineRow, LINES, shop.customer)?;
    let mut payments: HashMap<Uuid, Vec<Payment>> = HashMap::new();
    for (order, status, amount, currency) in rows!(&shop.database, PaymentRow, PAYMENTS, shop.customer)? {
        let amount = Money::new(amount, &currency);
        payments
            .entry(order)
            .or_default()
            .push(Payment { status, amount });
    }
    let mut orders: Vec<Order> = Vec::new();
    for (id, number, status, total, currency, quantity, title, product, category) in lines {
        let line = Line {
            quantity,
            variant: title.zip(product).map(|(title, name)| Variant {
                title,
                product: Product {
                    name,
                    category: category.map(|name| Named { name }),
                },
            }),
        };
        match orders.last_mut() {
            Some(order) if order.id == id => order.lines.push(line),
            _ => orders.push(Order {
                id,
                number,
                status,
                total: Money::new(total, &currency),
                lines: vec![line],
                payments: payments.remove(&id).unwrap_or_default(),
            }),
        }
    }
    Ok(Json(Data {
        data: Answer {
            me: Me {
                orders: Nodes { nodes: orders },
            },
        },
    }))
}
