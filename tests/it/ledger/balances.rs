//! `ledgerBalances`: the books day by day.

use chrono::{Duration, NaiveDate};
use sea_orm::{ConnectionTrait as _, Statement};
use serde_json::{Value, json};
use souk::domain::ledger::balances::statement;

use super::{staff, thing};
use crate::support::{As, Kind, Shop};

const BALANCES: &str = "query($from: Date!, $to: Date!) { ledgerBalances(from: $from, to: $to) {
    account gateway day debits { amount currencyCode } credits { amount } net { amount } balance { amount } } }";

/// Each row in a line.
async fn lines(shop: &Shop, from: &str, to: &str) -> Vec<String> {
    let data = shop
        .data(As::Staff, BALANCES, json!({"from": from, "to": to}))
        .await;
    let text = |value: &Value| value.as_str().unwrap_or("-").to_owned();
    let line = |row: &Value| {
        let amounts = ["debits", "credits", "net", "balance"].map(|field| text(&row[field]["amount"]));
        assert_eq!(row["debits"]["currencyCode"], "USD");
        format!(
            "{} {} {} {}",
            text(&row["day"]),
            text(&row["account"]),
            text(&row["gateway"]),
            amounts.join(" ")
        )
    };
    data["ledgerBalances"]
        .as_array()
        .unwrap()
        .iter()
        .map(line)
        .collect()
}

both! {
    async fn the_books_are_read_day_by_day(shop: &Shop) {
        let thing = thing(shop).await;
        assert_eq!(lines(shop, "2026-01-01", "2026-03-31").await, Vec::<String>::new());
        // At noon of the 1st of March.
        let order = shop.ordered(&[(&thing, 1)]).await;
        let payment = shop.pay(&order, "SUCCEED", "a").await["payment"]["id"].clone();
        shop.paid(&[(&thing, 2)]).await;
        shop.clock.advance(Duration::hours(36));
        let amount = json!({"amount": "4.99", "currencyCode": "USD"});
        staff(shop, "refundCreate", json!({"paymentId": payment, "amount": amount, "idempotencyKey": "b"})).await;
        assert_eq!(lines(shop, "2026-03-01", "2026-03-03").await, [
            "2026-03-01 CLEARING TEST 59.97 0.00 59.97 59.97",
            "2026-03-03 CLEARING TEST 0.00 4.99 -4.99 54.98",
            "2026-03-01 RECEIVABLE - 59.97 59.97 0.00 0.00",
            "2026-03-01 REVENUE - 0.00 59.97 -59.97 -59.97",
            "2026-03-03 REFUNDS - 4.99 0.00 4.99 4.99",
        ]);
        // What was there before is there on the first day, whether or not it moved.
        assert_eq!(lines(shop, "2026-03-02", "2026-03-02").await, [
            "2026-03-02 CLEARING TEST 0.00 0.00 0.00 59.97",
            "2026-03-02 REVENUE - 0.00 0.00 0.00 -59.97",
        ]);
        assert_eq!(lines(shop, "2026-03-03", "2026-05-01").await, [
            "2026-03-03 CLEARING TEST 0.00 4.99 -4.99 54.98",
            "2026-03-03 REVENUE - 0.00 0.00 0.00 -59.97",
            "2026-03-03 REFUNDS - 4.99 0.00 4.99 4.99",
        ]);
        assert_eq!(lines(shop, "2025-12-01", "2026-02-28").await, Vec::<String>::new());
        // However much there is, by one statement.
        for _ in 0..2 {
            let variables = json!({"from": "2026-03-01", "to": "2026-03-31"});
            assert_eq!(shop.statements(As::Staff, BALANCES, variables).await, 1);
            shop.paid(&[(&thing, 3)]).await;
        }
    }

    async fn balances_are_for_staff(shop: &Shop) {
        let variables = || json!({"from": "2026-03-01", "to": "2026-03-31"});
        for (caller, code) in [(As::Anonymous, "UNAUTHENTICATED"), (As::Customer, "FORBIDDEN")] {
            let answer = shop.graphql(caller, BALANCES, variables()).await;
            assert_eq!(answer["errors"][0]["extensions"]["code"], code, "{answer}");
        }
        assert_eq!(shop.data(As::Admin, BALANCES, variables()).await["ledgerBalances"], json!([]));
    }

    async fn balances_are_added_up_from_an_index_alone(shop: &Shop) {
        let thing = thing(shop).await;
        for _ in 0..5 {
            shop.paid(&[(&thing, 1)]).await;
        }
        let day = |text: &str| text.parse::<NaiveDate>().unwrap();
        let asked = shop.db().backend().build(&statement(day("2026-03-01"), day("2026-03-31")));
        let (explain, column) = match shop.kind {
            Kind::Sqlite => ("EXPLAIN QUERY PLAN", "detail"),
            Kind::Postgres => ("EXPLAIN", "QUERY PLAN"),
        };
        let txn = shop.db().begin().await.unwrap();
        if shop.kind == Kind::Postgres {
            // Few rows are read faster from the table; whether they could be read without it is the question.
            txn.execute_unprepared("SET LOCAL enable_seqscan = off; SET LOCAL enable_bitmapscan = off").await.unwrap();
        }
        let rows = txn.query_all_raw(Statement { sql: format!("{explain} {}", asked.sql), ..asked }).await.unwrap();
        let plan: Vec<String> = rows.iter().map(|row| row.try_get("", column).unwrap()).collect();
        let plan = plan.join("\n");
        match shop.kind {
            Kind::Sqlite => for side in ["debit", "credit"] {
                let index = format!("USING COVERING INDEX ix_ledger_transfer_day_{side}_currency_amount (day");
                assert_eq!(plan.matches(&index).count(), 2, "{plan}");
            },
            // Which of the two it takes, and whether it looks into the table as well, hangs on how many rows there are.
            Kind::Postgres => {
                assert_eq!(plan.matches("using ix_ledger_transfer_day_").count(), 4, "{plan}");
                assert!(!plan.contains("Seq Scan") && plan.contains("Index Only Scan"), "{plan}");
            }
        }
        txn.rollback().await.unwrap();
    }
}
