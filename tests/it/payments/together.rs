//! Payments that are begun at the same moment, in one transaction.

use std::time::Duration;

use futures_util::future::join_all;
use sea_orm::ConnectionTrait as _;
use serde_json::json;
use souk::domain::payments::begin::{Begin, Begun};
use souk::domain::payments::create::CreatePayment;
use souk::entity::payment::{PaymentFlow, PaymentGatewayName, PaymentStatus, TestOutcome};
use souk::infra::db::lock::Patience;
use souk::infra::group::{Broken, Member as _};
use souk::kernel::error::Error;

use super::*;

fn member(shop: &Shop, order: OrderId, outcome: TestOutcome) -> Begin {
    member_with(shop, order, outcome, &token(order))
}

fn member_with(shop: &Shop, order: OrderId, outcome: TestOutcome, guest_token: &str) -> Begin {
    let command = CreatePayment {
        order,
        guest_token: Some(guest_token.to_owned()),
        gateway: PaymentGatewayName::Test,
        flow: PaymentFlow::Charge,
        return_url: None,
        phone: None,
        test_outcome: Some(outcome),
        idempotency_key: order.to_string(),
    };
    let ctx = Context::writing(Actor::Anonymous, Origin::default(), shop.platform.clone());
    Begin::new(&ctx, &command).unwrap()
}

/// An order that no payment can be made for, as the database says.
async fn poison(shop: &Shop, order: OrderId) {
    let id = literal(shop, order.0);
    let statements = match shop.kind {
        Kind::Sqlite => vec![format!(
            "CREATE TRIGGER poison BEFORE INSERT ON payment WHEN NEW.order_id = {id} BEGIN SELECT RAISE(ABORT, 'poison'); END"
        )],
        Kind::Postgres => vec![
            format!(
                "CREATE FUNCTION poison() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN IF NEW.order_id = {id} THEN RAISE EXCEPTION 'poison'; END IF; RETURN NEW; END $$"
            ),
            "CREATE TRIGGER poison BEFORE INSERT ON payment FOR EACH ROW EXECUTE FUNCTION poison()"
                .to_owned(),
        ],
    };
    for sql in statements {
        shop.execute(&sql).await.unwrap();
    }
}

async fn cure(shop: &Shop) {
    let sql = match shop.kind {
        Kind::Sqlite => "DROP TRIGGER poison",
        Kind::Postgres => "DROP TRIGGER poison ON payment",
    };
    shop.execute(sql).await.unwrap();
}

async fn statuses_of_all(shop: &Shop) -> Vec<String> {
    let rows = shop.rows("SELECT status FROM payment").await;
    rows.into_iter().flatten().collect()
}

async fn orders(shop: &Shop, count: usize) -> Vec<OrderId> {
    let mut orders = Vec::new();
    for _ in 0..count {
        orders.push(guest_order(shop).await);
    }
    orders
}

both! {
    async fn twenty_payments_cost_as_many_statements_as_one(shop: &Shop) {
        let mut costs = Vec::new();
        for count in [1, 20] {
            let members: Vec<_> = orders(shop, count).await.into_iter()
                .map(|order| member(shop, order, TestOutcome::Succeed)).collect();
            let before = shop.db().statements();
            let begun = Begin::run(members, Patience::Short).await.unwrap();
            costs.push(shop.db().statements() - before);
            assert_eq!(begun.len(), count);
            for begun in begun {
                let Ok(Begun::Written { payment, order, to_ask: None }) = begun else { panic!("{begun:?}") };
                assert_eq!((payment.status, payment.order_id), (PaymentStatus::Captured, order.id));
            }
        }
        assert_eq!(costs[0], costs[1], "of one, and of twenty");
        assert_eq!(statuses_of_all(shop).await, ["CAPTURED"; 21]);
        check_books(shop).await;
    }

    async fn who_is_refused_takes_nobody_along_and_leaves_nothing(shop: &Shop) {
        let all = orders(shop, 6).await;
        paid(shop, all[0], json!({"gateway": "TEST"})).await;
        let waiting = paid(shop, all[1], json!({"gateway": "TEST", "testOutcome": "REQUIRE_ACTION"})).await;
        let keys = shop.rows("SELECT key FROM idempotency_key").await.len();
        let members = vec![
            member(shop, all[0], TestOutcome::Succeed),
            member(shop, all[1], TestOutcome::Succeed),
            member_with(shop, all[2], TestOutcome::Succeed, "another guest's token"),
            member(shop, all[3], TestOutcome::Decline),
            member(shop, all[4], TestOutcome::TimeoutThenSucceed),
            member(shop, all[5], TestOutcome::Succeed),
        ];
        let begun = Begin::run(members, Patience::Short).await.unwrap();
        let told: Vec<_> = begun.iter().map(|begun| match begun {
            Ok(Begun::Written { payment, to_ask, .. }) => format!("{:?} {}", payment.status, to_ask.is_some()),
            Ok(Begun::InTheWay(other)) => format!("behind {}", *other == waiting.as_str().unwrap().parse().unwrap()),
            Ok(Begun::Before(_)) => "before".to_owned(),
            Err(Error::Refused(refusals)) => format!("{:?}", refusals[0].code),
            Err(error) => panic!("{error:?}"),
        }).collect();
        assert_eq!(told, ["AlreadyPaid", "behind true", "NotFound", "Failed false", "Processing true", "Captured false"]);
        assert_eq!(shop.rows("SELECT key FROM idempotency_key").await.len(), keys + 3);
        assert_eq!(statuses(shop, all[2]).await, [""; 0]);
        assert_eq!(standing(shop, all[5]).await, stands("CONFIRMED", "PAID", 5_997, 0));
        check_books(shop).await;
    }

    async fn who_fails_in_the_database_fails_alone(shop: &Shop) {
        let all = orders(shop, 12).await;
        poison(shop, all[5]).await;
        let members = all.iter().map(|order| member(shop, *order, TestOutcome::Succeed)).collect();
        assert!(matches!(Begin::run(members, Patience::Short).await, Err(Broken::Undone(_))), "together they cannot be begun");
        assert_eq!(shop.rows("SELECT status FROM payment").await.len(), 0);
        // The writer, and on PostgreSQL the first groups' orders, are held until the others have met.
        let held = shop.db().begin().await.unwrap();
        if shop.kind == Kind::Postgres {
            held.execute_unprepared("LOCK TABLE shop_order IN EXCLUSIVE MODE").await.unwrap();
        }
        let pay_all = join_all(all.iter().map(|order| async move {
            let input = json!({"orderId": order.to_string(), "gateway": "TEST", "idempotencyKey": order.to_string()});
            let document = "mutation($input: PaymentCreateInput!, $token: String) { paymentCreate(input: $input, guestToken: $token) { payment { status } userErrors { code } } }";
            shop.graphql(As::Anonymous, document, json!({"input": input, "token": token(*order)})).await
        }));
        let let_go = async {
            tokio::time::sleep(Duration::from_millis(200)).await;
            held.rollback().await.unwrap();
        };
        let (answers, ()) = tokio::join!(pay_all, let_go);
        for (place, answer) in answers.iter().enumerate() {
            if place == 5 {
                assert_eq!(answer["errors"][0]["extensions"]["code"], "INTERNAL", "{answer}");
            } else {
                assert_eq!(answer["data"]["paymentCreate"]["payment"]["status"], "CAPTURED", "{answer}");
            }
        }
        assert_eq!(statuses(shop, all[5]).await, [""; 0]);
        cure(shop).await;
        let input = json!({"gateway": "TEST", "idempotencyKey": all[5].to_string()});
        assert_eq!(pay(shop, all[5], input).await["payment"]["status"], "CAPTURED");
        assert_eq!(statuses_of_all(shop).await, ["CAPTURED"; 12]);
        check_books(shop).await;
    }

    async fn a_shop_that_shares_no_transactions_is_paid_alike(shop: &Shop) {
        let alone = shop.beside(&[("SOUK_GROUP_CHECKOUT", "1")]).await;
        let all = orders(shop, 8).await;
        let instances = [shop, &alone];
        let answers = join_all(all.iter().enumerate().map(|(i, order)| async move {
            pay(instances[i % 2], *order, json!({"gateway": "TEST", "idempotencyKey": "key"})).await
        })).await;
        assert!(answers.iter().all(|answer| answer["payment"]["status"] == "CAPTURED"), "{answers:?}");
        assert_eq!(events(shop, all[0]).await, ["PLACED", "PAYMENT_PENDING", "PAYMENT_CAPTURED", "CONFIRMED"]);
        assert_eq!(events(shop, all[1]).await, events(shop, all[0]).await);
        check_books(shop).await;
        alone.close().await;
    }
}
