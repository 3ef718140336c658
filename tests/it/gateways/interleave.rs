//! What may happen to a payment, in every order: its buyer comes back, the gateway tells it twice, the worker looks, the buyer
//! cancels, the order's time is over. Whatever comes first, it ends the same: money was taken once at most, and none is kept
//! for an order that does not stand.

use std::collections::BTreeMap;

use axum::http::StatusCode;
use chrono::{Duration, TimeDelta};
use sea_orm::EntityTrait as _;
use serde_json::{Value, json};
use souk::domain::checkout::expire::expire_due;
use souk::domain::payments::drive::drive_due;
use souk::domain::payments::inbox::apply_due;
use souk::entity::payment;
use souk::kernel::actor::Role;
use souk::kernel::id::{OrderId, PaymentId, UserId};

use crate::payments::{literal, place, standing, system};
use crate::support::{As, Shop, user_of};

/// A gateway as a buyer and the shop have it, played by a simulator.
pub(crate) trait Scene {
    /// How the shop is told of it.
    fn settings(&self) -> Vec<(String, String)>;
    fn currency(&self) -> &'static str {
        "USD"
    }
    /// What `paymentCreate` is told, without the order and the key.
    fn input(&self) -> Value;
    /// The buyer does his part at the gateway; false when the gateway does not let him any more.
    fn buyer_pays(&self, row: &payment::Model) -> bool;
    /// What the gateway tells of that.
    fn message(&self, shop: &Shop, row: &payment::Model) -> Told;
    /// What it tells of everything else, such as refunds, that it has not told yet.
    fn further_messages(&self, _: &Shop) -> Vec<Told> {
        Vec::new()
    }
    /// What it has taken of this buyer and given back, in minor units, and how often it has taken.
    fn books(&self, row: &payment::Model) -> Books;
    /// Whether no money is taken before the shop says so, when the buyer has agreed.
    fn waits_for_us(&self) -> bool {
        false
    }
    /// Whether an order waits for a buyer who may be paying in this moment.
    fn holds_orders(&self) -> bool {
        false
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Books {
    pub(crate) taken: i64,
    pub(crate) back: i64,
    pub(crate) times: usize,
}

/// A message as the gateway sends it.
#[derive(Clone, Debug)]
pub(crate) struct Told {
    pub(crate) address: String,
    pub(crate) headers: Vec<(String, String)>,
    pub(crate) body: String,
}

impl Told {
    pub(crate) async fn send(&self, shop: &Shop) -> StatusCode {
        let headers: Vec<(&str, &str)> = self
            .headers
            .iter()
            .map(|(name, value)| (&**name, &**value))
            .collect();
        shop.post_to(&self.address, &headers, self.body.clone())
            .await
            .status
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Happens {
    Pays,
    ComesBack,
    IsTold,
    WorkerLooks,
    Cancels,
    TimeIsOver,
}

use Happens::{Cancels, ComesBack, IsTold, Pays, TimeIsOver, WorkerLooks};

/// Every order of these, of which some may be equal; where somebody pays, nothing is told of it before.
fn orders_of(happenings: &[Happens]) -> Vec<Vec<Happens>> {
    let mut left: BTreeMap<Happens, usize> = BTreeMap::new();
    for happens in happenings {
        *left.entry(*happens).or_default() += 1;
    }
    let mut found = Vec::new();
    extend(&mut Vec::new(), &mut left, happenings.len(), &mut found);
    found
}

fn extend(
    begun: &mut Vec<Happens>,
    left: &mut BTreeMap<Happens, usize>,
    length: usize,
    found: &mut Vec<Vec<Happens>>,
) {
    if begun.len() == length {
        found.push(begun.clone());
        return;
    }
    for happens in left.keys().copied().collect::<Vec<_>>() {
        let too_early = happens == IsTold && left.get(&Pays).is_some_and(|count| *count > 0);
        if left[&happens] == 0 || too_early {
            continue;
        }
        *left.get_mut(&happens).unwrap() -= 1;
        begun.push(happens);
        extend(begun, left, length, found);
        begun.pop();
        *left.get_mut(&happens).unwrap() += 1;
    }
}

/// One payment and what happens to it.
struct Tale<'a> {
    shop: &'a Shop,
    scene: &'a dyn Scene,
    order: OrderId,
    payment: PaymentId,
}

impl<'a> Tale<'a> {
    async fn begin(shop: &'a Shop, scene: &'a dyn Scene, owner: UserId) -> Self {
        let order = place(shop, Some(owner), scene.currency(), 1_950).await;
        let mut input = scene.input();
        input["orderId"] = json!(order.to_string());
        input["idempotencyKey"] = json!(order.to_string());
        let document = "mutation($input: PaymentCreateInput!) { paymentCreate(input: $input) { payment { id status } userErrors { code message } } }";
        let data = shop.data(As::Customer, document, json!({ "input": input })).await;
        let id = data["paymentCreate"]["payment"]["id"].as_str();
        let payment = id.unwrap_or_else(|| panic!("{data}")).parse().unwrap();
        assert_eq!(data["paymentCreate"]["payment"]["status"], "REQUIRES_ACTION");
        Self {
            shop,
            scene,
            order,
            payment,
        }
    }

    async fn row(&self) -> payment::Model {
        let row = payment::Entity::find_by_id(self.payment)
            .one(self.shop.db().fresh())
            .await;
        row.unwrap().unwrap()
    }

    async fn happens(&self, happens: Happens) {
        let (shop, row) = (self.shop, self.row().await);
        match happens {
            Pays => {
                self.scene.buyer_pays(&row);
            }
            ComesBack => {
                // Not within seconds of the last look.
                self.make_due("payment", "looked_at", &literal(shop, self.payment.0))
                    .await;
                let secret = row.action.as_ref().unwrap()["secret"].as_str().unwrap();
                let reply = shop
                    .get(&format!("/payments/return/{}/{secret}", row.id), &[])
                    .await;
                assert_eq!(reply.status, StatusCode::OK);
            }
            IsTold => {
                assert_eq!(self.scene.message(shop, &row).send(shop).await, StatusCode::OK);
                apply_due(&system(shop)).await.unwrap();
            }
            WorkerLooks => {
                self.make_due("payment", "look_at", &literal(shop, self.payment.0))
                    .await;
                drive_due(&system(shop)).await.unwrap();
            }
            Cancels => {
                let document = "mutation($id: ID!) { orderCancel(input: {orderId: $id, reason: \"changed my mind\"}) { userErrors { code } } }";
                shop.data(As::Customer, document, json!({"id": self.order.to_string()}))
                    .await;
            }
            TimeIsOver => {
                self.make_due("shop_order", "hold_expires_at", &literal(shop, self.order.0))
                    .await;
                expire_due(&system(shop)).await.unwrap();
            }
        }
        // What was written down is done by the worker, soon.
        drive_due(&system(shop)).await.unwrap();
    }

    /// Its time has come, as if the clock had moved.
    async fn make_due(&self, table: &str, column: &str, id: &str) {
        let past = (self.shop.now() - TimeDelta::minutes(1)).to_rfc3339();
        let sql = format!("UPDATE {table} SET {column} = '{past}' WHERE id = {id} AND {column} IS NOT NULL");
        self.shop.execute(&sql).await.unwrap();
    }

    async fn check(&self, happened: &[Happens]) {
        let row = self.row().await;
        let books = self.scene.books(&row);
        let (status, _, paid, refunded) = standing(self.shop, self.order).await;
        let expected = expected(self.scene, happened);
        assert_eq!(status, expected.status, "{happened:?}: {row:?}");
        assert!(books.times <= 1, "{happened:?}: {books:?}");
        assert_eq!(
            (books.taken, books.back),
            (row.captured, row.refunded),
            "{happened:?}: {row:?}"
        );
        assert_eq!((books.taken, books.back), (paid, refunded), "{happened:?}");
        let kept = if status == "CONFIRMED" { row.amount } else { 0 };
        assert_eq!(books.taken - books.back, kept, "{happened:?}: {row:?}");
        assert_eq!(row.captured > 0, expected.taken, "{happened:?}: {row:?}");
    }
}

struct Expected {
    status: &'static str,
    taken: bool,
}

/// What ought to come of it: by the story alone, not by our code.
fn expected(scene: &dyn Scene, happened: &[Happens]) -> Expected {
    let (mut status, mut agreed, mut taken, mut given_up) = ("PENDING_PAYMENT", false, false, false);
    for happens in happened {
        match happens {
            // What has been given up cannot be paid, but for a prompt that is on the phone already.
            Pays => agreed = agreed || !given_up || scene.holds_orders(),
            ComesBack | IsTold | WorkerLooks => {}
            Cancels => {
                if matches!(status, "PENDING_PAYMENT" | "CONFIRMED") {
                    status = "CANCELLED";
                }
                given_up = true;
            }
            TimeIsOver => {
                if status == "PENDING_PAYMENT" && !scene.holds_orders() {
                    status = "EXPIRED";
                    given_up = true;
                }
            }
        }
        let known = matches!(happens, ComesBack | IsTold | WorkerLooks);
        if agreed && (!scene.waits_for_us() || (known && status == "PENDING_PAYMENT")) {
            taken = true;
        }
        let seen = known || *happens == TimeIsOver || *happens == Cancels;
        // Its goods are there again: an order that was paid before its end stands.
        if taken
            && seen
            && matches!(status, "PENDING_PAYMENT" | "EXPIRED")
            && !(*happens == TimeIsOver && scene.holds_orders())
        {
            status = "CONFIRMED";
        }
    }
    if status == "PENDING_PAYMENT" {
        // In the end the worker looks, and then time is over.
        if agreed {
            (status, taken) = ("CONFIRMED", true);
        } else {
            status = "EXPIRED";
        }
    }
    Expected { status, taken }
}

/// Tells all these stories, and looks how they end.
async fn tell(shop: &Shop, scene: &dyn Scene, stories: &[Vec<Happens>]) {
    let settings = scene.settings();
    let settings: Vec<(&str, &str)> = settings.iter().map(|(name, value)| (&**name, &**value)).collect();
    let owner = shop.add_user("tester", Role::Customer).await;
    assert_eq!(owner, user_of("tester"));
    let shop = shop.beside(&settings).await;
    let mut tales = Vec::new();
    for story in stories {
        let tale = Tale::begin(&shop, scene, owner).await;
        for happens in story {
            tale.happens(*happens).await;
        }
        tales.push(tale);
    }
    settle(&shop, scene).await;
    for (tale, story) in tales.iter().zip(stories) {
        tale.check(story).await;
    }
    let pending = "SELECT kind FROM payment_operation WHERE status = 'PENDING'";
    assert_eq!(shop.rows(pending).await, Vec::<Vec<String>>::new());
    shop.balance().await;
    shop.close().await;
}

/// Time goes by until nothing is left to do.
async fn settle(shop: &Shop, scene: &dyn Scene) {
    let ctx = system(shop);
    for _ in 0..8 {
        shop.clock.advance(Duration::minutes(16));
        for _ in 0..50 {
            for told in scene.further_messages(shop) {
                assert_eq!(told.send(shop).await, StatusCode::OK);
            }
            let done = apply_due(&ctx).await.unwrap()
                + drive_due(&ctx).await.unwrap()
                + expire_due(&ctx).await.unwrap();
            if done == 0 {
                break;
            }
        }
    }
}

/// The buyer has paid; then everything else happens, in all 360 orders.
pub(crate) async fn after_paying(shop: &Shop, scene: &dyn Scene) {
    let rest = orders_of(&[ComesBack, IsTold, IsTold, WorkerLooks, Cancels, TimeIsOver]);
    assert_eq!(rest.len(), 360);
    let stories: Vec<_> = rest.into_iter().map(|rest| [vec![Pays], rest].concat()).collect();
    tell(shop, scene, &stories).await;
}

/// The buyer pays at any time, and nobody cancels, or nobody is late, or nobody tells.
pub(crate) async fn at_any_time(shop: &Shop, scene: &dyn Scene) {
    let stories = [
        orders_of(&[Pays, ComesBack, IsTold, WorkerLooks, TimeIsOver]),
        orders_of(&[Pays, IsTold, WorkerLooks, Cancels]),
        orders_of(&[Pays, WorkerLooks, Cancels, TimeIsOver]),
    ]
    .concat();
    assert_eq!(stories.len(), 60 + 12 + 24);
    tell(shop, scene, &stories).await;
}

#[test]
fn there_are_so_many_orders() {
    assert_eq!(orders_of(&[Pays, IsTold]), [[Pays, IsTold]]);
    assert_eq!(orders_of(&[IsTold, IsTold, Cancels]).len(), 3);
    assert_eq!(
        orders_of(&[ComesBack, WorkerLooks, Cancels, TimeIsOver]).len(),
        24
    );
}
