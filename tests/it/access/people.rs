//! Who asks, and about what.

use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};

use sea_orm::{ActiveValue::Set, EntityTrait as _};
use serde_json::{Value, json};
use souk::domain::accounts::create::create_user;
use souk::domain::accounts::register::Register;
use souk::domain::context::Context;
use souk::entity::audit_record;
use souk::entity::product::ProductStatus;
use souk::kernel::actor::{Actor, Origin, Role};
use souk::kernel::id::{
    AuditRecordId, CartId, CartLineId, CategoryId, OrderId, ProductId, ProductVariantId, SessionId, UserId,
};

use super::bought::{Bought, Buyer, first_cursor};
use crate::support::{As, GuestOrder, Shop, product, variant};

pub(super) const PASSWORD: &str = "seven wet camels sang";

/// The columns of the matrix: who asks, and whether about what is a customer's own or public, or about what is hidden
/// from customers: another customer's, a draft.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Column {
    pub(super) title: &'static str,
    caller: Option<&'static str>,
    hidden: bool,
}

pub(super) const COLUMNS: [Column; 6] = [
    Column {
        title: "nobody",
        caller: None,
        hidden: false,
    },
    Column {
        title: "nobody:hidden",
        caller: None,
        hidden: true,
    },
    Column {
        title: "customer:own",
        caller: Some("ann"),
        hidden: false,
    },
    Column {
        title: "customer:hidden",
        caller: Some("ann"),
        hidden: true,
    },
    Column {
        title: "staff",
        caller: Some("stan"),
        hidden: true,
    },
    Column {
        title: "admin",
        caller: Some("ada"),
        hidden: true,
    },
];

/// Somebody who has just signed in.
#[derive(Clone, Debug)]
struct Entrance {
    access: String,
    refresh: String,
    session: String,
}

/// A shop with somebody of each role, and something of each type.
pub(super) struct World<'a> {
    shop: &'a Shop,
    users: Vec<(&'static str, UserId)>,
    products: [(ProductId, &'static str); 2],
    variants: [String; 2],
    category: CategoryId,
    record: AuditRecordId,
    entrances: Vec<(&'static str, Entrance)>,
    /// The customers' carts, each with its one line.
    carts: Vec<[String; 2]>,
    guest_cart: String,
    /// What the customers have bought.
    bought: Vec<Bought>,
    /// Guests' orders, of which somebody has the token of the first.
    guests: Vec<GuestOrder>,
    number: AtomicU32,
}

impl<'a> World<'a> {
    pub(super) async fn new(shop: &'a Shop) -> Self {
        let above = shop.add_category("Above", None).await;
        let category = shop.add_category("Shelf", Some(above)).await;
        shop.add_category("Below", Some(category)).await;
        let mut products = Vec::new();
        let mut variants = Vec::new();
        for (slug, status) in [("public", ProductStatus::Active), ("draft", ProductStatus::Draft)] {
            let id = shop.add(goods(slug, status, category)).await;
            let query = "query($id: ID!) { product(by: {id: $id}) { variants { id } } }";
            let data = shop.data(As::Staff, query, json!({"id": id.to_string()})).await;
            variants.push(data["product"]["variants"][0]["id"].as_str().unwrap().to_owned());
            products.push((id, slug));
        }
        // What the builder of goods has no words for.
        shop.execute("UPDATE product_image SET alt_text = 'A cup'")
            .await
            .unwrap();
        let mut users = Vec::new();
        for (name, role) in [
            ("ann", Role::Customer),
            ("bob", Role::Customer),
            ("stan", Role::Staff),
            ("ada", Role::Admin),
        ] {
            users.push((name, add_account(shop, name, role).await));
        }
        let record = add_record(shop, users[0].1).await;
        let mut world = Self {
            shop,
            users,
            products: [products[0], products[1]],
            variants: [variants[0].clone(), variants[1].clone()],
            category,
            record,
            entrances: Vec::new(),
            carts: Vec::new(),
            guest_cart: String::new(),
            bought: Vec::new(),
            guests: Vec::new(),
            number: AtomicU32::new(0),
        };
        for name in ["ann", "bob", "stan", "ada"] {
            let entrance = world.enter(name).await;
            world.entrances.push((name, entrance));
        }
        for name in ["ann", "bob"] {
            let entrance = world.entrance(name, false).await;
            world.live_somewhere(&entrance).await;
            let staff = world.entrance("stan", false).await;
            let bought = world.buyer(&entrance, &staff).all().await;
            world.bought.push(bought);
            let cart = world.fill_cart(Some(&entrance)).await;
            world.carts.push(cart);
        }
        for _ in 0..2 {
            world.guests.push(shop.paid(&[(&world.variants[0], 1)]).await);
        }
        [world.guest_cart, _] = world.fill_cart(None).await;
        // So that there is something to warn of.
        shop.execute("UPDATE cart_line SET unit_price = 1").await.unwrap();
        shop.execute("UPDATE session SET ip_address = '203.0.113.9'")
            .await
            .unwrap();
        world
    }

    async fn enter(&self, name: &str) -> Entrance {
        let sign_in = "mutation($input: SessionCreateInput!) { sessionCreate(input: $input) { tokens { accessToken refreshToken } userErrors { code } } }";
        let input = json!({"input": {"email": format!("{name}@example.com"), "password": PASSWORD}});
        let data = self.shop.data(As::Anonymous, sign_in, input).await;
        let text = |field: &str| {
            data["sessionCreate"]["tokens"][field]
                .as_str()
                .unwrap_or_else(|| panic!("{data}"))
                .to_owned()
        };
        let access = text("accessToken");
        let sessions = "{ me { sessions { id isCurrent } } }";
        let me = self.shop.graphql_with(Some(&access), sessions, json!({})).await;
        let sessions = me["data"]["me"]["sessions"].as_array().unwrap();
        let own = sessions
            .iter()
            .find(|session| session["isCurrent"] == true)
            .unwrap();
        Entrance {
            refresh: text("refreshToken"),
            session: own["id"].as_str().unwrap().to_owned(),
            access,
        }
    }

    async fn live_somewhere(&self, entrance: &Entrance) {
        let address = json!({"name": "A", "line1": "Street 1", "line2": "Back", "city": "Fès", "region": "F", "postalCode": "30000", "countryCode": "MA", "phone": "1"});
        let update =
            "mutation($input: AccountUpdateInput!) { accountUpdate(input: $input) { userErrors { code } } }";
        let answer = self
            .shop
            .graphql_with(
                Some(&entrance.access),
                update,
                json!({"input": {"addresses": [address]}}),
            )
            .await;
        assert_eq!(
            answer["data"]["accountUpdate"]["userErrors"],
            json!([]),
            "{answer}"
        );
    }

    /// A cart with one thing in it; its id, and that of its line.
    async fn fill_cart(&self, entrance: Option<&Entrance>) -> [String; 2] {
        let create = "mutation($id: ID!) { cartCreate(input: {lines: [{variantId: $id, quantity: 1}]}) { cart { id lines { id } } } }";
        let access = entrance.map(|entrance| entrance.access.as_str());
        let variables = json!({"id": self.variants[0]});
        let answer = self.shop.graphql_with(access, create, variables).await;
        let cart = &answer["data"]["cartCreate"]["cart"];
        [&cart["id"], &cart["lines"][0]["id"]]
            .map(|id| id.as_str().unwrap_or_else(|| panic!("{answer}")).to_owned())
    }

    async fn entrance(&self, name: &str, fresh: bool) -> Entrance {
        if fresh {
            return self.enter(name).await;
        }
        self.entrances
            .iter()
            .find(|(known, _)| *known == name)
            .unwrap()
            .1
            .clone()
    }

    fn buyer<'b>(&'b self, entrance: &'b Entrance, staff: &'b Entrance) -> Buyer<'b> {
        Buyer {
            shop: self.shop,
            access: &entrance.access,
            staff: &staff.access,
            variant: &self.variants[0],
        }
    }

    /// What a mutation uses up, made anew for each that asks for it.
    async fn new_for(&self, owner: &Entrance, document: &str) -> Vec<(&'static str, String)> {
        if !document.contains("@New") {
            return Vec::new();
        }
        let staff = self.enter("stan").await;
        let mut made = self.buyer(owner, &staff).new_for(document).await;
        if document.contains("@NewGuest") {
            let [cart, _] = self.fill_cart(None).await;
            made.push(("@NewGuestCart", cart));
            let order = self.shop.ordered(&[(&self.variants[0], 1)]).await;
            made.push(("@NewGuestOrder", order.id));
            made.push(("@newGuestToken", order.token));
        }
        made
    }

    fn number(&self) -> String {
        self.number.fetch_add(1, Ordering::Relaxed).to_string()
    }

    /// Asks in a column. `fresh` for what changes or ends sessions: with sessions of its own.
    pub(super) async fn ask(&self, column: Column, document: &str, fresh: bool) -> Value {
        let index = usize::from(column.hidden);
        let owner = ["ann", "bob"][index];
        let target = self.entrance(owner, fresh).await;
        let user = self.users.iter().find(|(name, _)| *name == owner).unwrap().1;
        let (product, slug) = self.products[index];
        let mut meant = self.new_for(&target, document).await;
        // An order may have taken the cart along.
        let [cart, line] = match fresh && document.contains("@Cart") {
            true => self.fill_cart(Some(&target)).await,
            false => self.carts[index].clone(),
        };
        meant.extend(self.bought[index].names());
        meant.extend([
            ("@AuditRecord", self.record.to_string()),
            ("@CartLine", line),
            ("@Cart", cart),
            ("@GuestCart", self.guest_cart.clone()),
            ("@Category", self.category.to_string()),
            ("@ProductVariant", self.variants[index].clone()),
            ("@Product", product.to_string()),
            ("@Session", target.session),
            ("@User", user.to_string()),
            ("@slug", slug.to_owned()),
            ("@email", format!("{owner}@example.com")),
            ("@refresh", target.refresh),
            ("@GuestOrder", self.guests[0].id.clone()),
        ]);
        self.send(column, document, fresh, &meant).await
    }

    /// The same about things that do not exist.
    pub(super) async fn ask_for_nothing(&self, column: Column, document: &str, fresh: bool) -> Value {
        let mut meant = Bought::nothing();
        meant.extend([
            ("@AuditRecord", AuditRecordId::new().to_string()),
            ("@CartLine", CartLineId::new().to_string()),
            ("@Cart", CartId::random().to_string()),
            ("@GuestCart", self.guest_cart.clone()),
            ("@Category", self.category.to_string()),
            ("@ProductVariant", ProductVariantId::new().to_string()),
            ("@Product", ProductId::new().to_string()),
            ("@Session", SessionId::new().to_string()),
            ("@User", UserId::new().to_string()),
            ("@slug", "nothing".to_owned()),
            ("@email", "nobody@example.com".to_owned()),
            ("@refresh", "souk_rt_nothing".to_owned()),
            ("@NewGuestCart", CartId::random().to_string()),
            ("@NewGuestOrder", OrderId::new().to_string()),
            ("@newGuestToken", self.guests[0].token.clone()),
            ("@GuestOrder", OrderId::new().to_string()),
        ]);
        self.send(column, document, fresh, &meant).await
    }

    async fn send(&self, column: Column, document: &str, fresh: bool, meant: &[(&str, String)]) -> Value {
        let mut document = document.replace("@password", PASSWORD);
        let [guest, other] = &self.guests[..] else {
            unreachable!("there are two")
        };
        document = document
            .replace("@guestToken", &guest.token)
            .replace("@otherToken", &other.token)
            .replace("@guestCursor", &first_cursor(guest.order_id()));
        for (name, value) in meant {
            document = document.replace(name, value);
        }
        let document = document.replace("@n", &self.number());
        let token = match column.caller {
            Some(name) => Some(self.entrance(name, fresh).await.access),
            None => None,
        };
        if document.starts_with("subscription") {
            return self.shop.first_event(token.as_deref(), &document).await;
        }
        self.shop
            .graphql_with(token.as_deref(), &document, json!({}))
            .await
    }
}

fn goods(slug: &str, status: ProductStatus, category: CategoryId) -> crate::support::GoodsBuilder {
    let variants = vec![
        variant(["S"])
            .sku("S")
            .price(500)
            .compare_at(600)
            .stock(100_000)
            .image(0),
    ];
    product(slug)
        .slug(slug)
        .status(status)
        .description("<p>For tea.</p>")
        .vendor("Clay")
        .product_type("Cups")
        .tags(&["tea"])
        .category(category)
        .images(&["https://img.example/1.png"])
        .variants(["Size"], variants)
}

async fn add_account(shop: &Shop, name: &str, role: Role) -> UserId {
    let system = Context::writing(Actor::System, Origin::default(), Arc::clone(&shop.platform));
    let command = Register {
        email: format!("{name}@example.com"),
        password: PASSWORD.into(),
        name: name.to_owned(),
    };
    create_user(&system, &command, role).await.unwrap().id
}

/// A record with everything that one can have.
async fn add_record(shop: &Shop, user: UserId) -> AuditRecordId {
    let id = AuditRecordId::new();
    let row = audit_record::ActiveModel {
        id: Set(id),
        // The newest of all.
        occurred_at: Set(shop.now() + chrono::Duration::days(1)),
        actor: Set(user.to_string()),
        role: Set(Some(Role::Customer.into())),
        session: Set(None),
        ip_address: Set(Some("203.0.113.9".to_owned())),
        user_agent: Set(Some("tests".to_owned())),
        action: Set("test".to_owned()),
        subject: Set(Some(user.to_string())),
        before: Set(Some(json!({"a": 1}))),
        after: Set(Some(json!({"a": 2}))),
    };
    let txn = shop.db().begin().await.unwrap();
    audit_record::Entity::insert(row)
        .exec_without_returning(&txn)
        .await
        .unwrap();
    txn.commit().await.unwrap();
    id
}
