//! What the database itself refuses to have in the ledger.

use super::thing;
use crate::support::{Kind, Shop};

/// A transfer beside that of a sale, with some columns otherwise.
fn insert(otherwise: &[(&str, &str)]) -> String {
    let columns = [
        ("id", "order_id"),
        ("booking", "booking"),
        ("kind", "kind"),
        ("debit", "'tax'"),
        ("credit", "'shipping'"),
        ("currency", "currency"),
        ("amount", "amount"),
        ("order_id", "order_id"),
        ("payment_id", "payment_id"),
        ("refund_id", "refund_id"),
        ("subject", "subject"),
        ("day", "day"),
        ("booked_at", "booked_at"),
    ];
    let value = |(name, value): (&str, &'static str)| {
        let other = otherwise.iter().find(|(column, _)| *column == name);
        other.map_or_else(|| value.to_owned(), |(_, value)| (*value).to_owned())
    };
    let names = columns.map(|(name, _)| name).join(", ");
    let values = columns.map(value).join(", ");
    format!("INSERT INTO ledger_transfer ({names}) SELECT {values} FROM ledger_transfer WHERE kind = 'SALE'")
}

async fn refused(shop: &Shop, sql: &str, by: &[&str]) {
    let error = shop.execute(sql).await.expect_err(sql).to_string();
    assert!(by.iter().any(|text| error.contains(text)), "{sql}: {error}");
}

both! {
    async fn nothing_is_out_of_balance_or_nowhere(shop: &Shop) {
        let thing = thing(shop).await;
        shop.paid(&[(&thing, 1)]).await;
        let some_payment = "(SELECT id FROM payment)";
        for otherwise in [
            [("amount", "0")].as_slice(),
            &[("amount", "-1")],
            &[("debit", "'shipping'")],
            &[("debit", "'cash'")],
            &[("debit", "'clearing:'")],
            &[("credit", "'fees:'")],
            &[("credit", "''")],
            &[("credit", "'Shipping'")],
            &[("currency", "'US'")],
            &[("kind", "'GIFT'")],
            // Of a payment or a refund, and it is not said which.
            &[("kind", "'CAPTURE'")],
            &[("kind", "'REFUND'"), ("payment_id", some_payment), ("subject", some_payment)],
            &[("payment_id", some_payment), ("subject", some_payment)],
            &[("subject", "booking")],
        ] {
            refused(shop, &insert(otherwise), &["CHECK constraint failed", "violates check constraint"]).await;
        }
        for otherwise in [
            [("order_id", "booking"), ("subject", "booking")].as_slice(),
            &[("kind", "'FEE'"), ("payment_id", "booking"), ("subject", "booking")],
        ] {
            refused(shop, &insert(otherwise), &["FOREIGN KEY constraint failed", "violates foreign key constraint"]).await;
        }
        let twice = [("debit", "debit"), ("credit", "credit")];
        refused(shop, &insert(&twice), &["the ledger is only added to", "uq_ledger_transfer"]).await;
        assert_eq!(shop.execute(&insert(&[])).await.unwrap(), 1, "or all this is refused for another reason");
    }

    async fn what_is_booked_stays(shop: &Shop) {
        let thing = thing(shop).await;
        shop.paid(&[(&thing, 1)]).await;
        let only = ["the ledger is only added to"];
        for sql in ["UPDATE ledger_transfer SET amount = amount + 1", "UPDATE ledger_transfer SET day = day", "DELETE FROM ledger_transfer"] {
            refused(shop, sql, &only).await;
        }
        let other = match shop.kind {
            Kind::Sqlite => insert(&[("id", "id"), ("debit", "'rounding'")]).replace("INSERT", "INSERT OR REPLACE"),
            Kind::Postgres => "TRUNCATE ledger_transfer".to_owned(),
        };
        refused(shop, &other, &only).await;
    }
}
