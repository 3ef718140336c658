//! The shop that the cases are tried in.

use sea_orm::{EntityTrait as _, IntoActiveModel as _};
use secrecy::ExposeSecret as _;
use serde_json::json;
use souk::domain::accounts::list as users;
use souk::domain::accounts::register::{Register, register};
use souk::domain::accounts::session::open_in_txn;
use souk::domain::audit;
use souk::domain::context::Context;
use souk::entity::product::ProductStatus;
use souk::entity::user_account::{self, UserRole};
use souk::kernel::actor::{Actor, Origin};
use souk::kernel::id::{CartId, CartLineId, CategoryId, ProductId, ProductVariantId, SessionId, UserId};
use souk::kernel::page::{Cursor, SortKey};

use super::{accounts, orders, payments};
use crate::support::{As, Shop, product, user_of, variant};

/// The names that the tables use, and what they stand for in this shop.
pub(super) async fn furnish(shop: &Shop) -> Vec<(&'static str, String)> {
    let shelf = shop.add_category("Shelf", None).await;
    let mut deepest = shop.add_category("Level 1", None).await;
    for level in 2..=10 {
        deepest = shop.add_category(&format!("Level {level}"), Some(deepest)).await;
    }
    let variants = vec![variant(["S"]).stock(5), variant(["L"])];
    let mug = shop
        .add(
            product("Mug")
                .category(shelf)
                .images(&["https://img.example/mug.png"])
                .variants(["Size"], variants),
        )
        .await;
    shop.add(product("Cups")).await;
    let ids = format!("{{ product(by: {{id: \"{mug}\"}}) {{ variants {{ id }} }} }}");
    let variants = shop.data(As::Staff, &ids, json!({})).await["product"]["variants"].clone();
    let id = |index: usize| variants[index]["id"].as_str().unwrap().to_owned();
    let used = "mutation($id: ID!) { inventoryAdjust(input: {variantId: $id, delta: 1, reason: \"found\", idempotencyKey: \"used\"}) { userErrors { code } } }";
    let used = shop.data(As::Staff, used, json!({"id": id(0)})).await;
    assert_eq!(used["inventoryAdjust"]["userErrors"], json!([]));
    // Back to five.
    let back = "mutation($id: ID!) { inventoryAdjust(input: {variantId: $id, delta: -1, reason: \"lost\", idempotencyKey: \"other\"}) { userErrors { code } } }";
    shop.data(As::Staff, back, json!({"id": id(0)})).await;
    let people = people(shop).await;
    // First: an order takes the cart along.
    let orders = orders::furnish(shop).await;
    let carts = carts(shop, &id(1)).await;
    let text = |text: &str| SortKey::Text(text.to_owned());
    let cursor = |sort: &str, key: SortKey| {
        Cursor {
            sort: sort.to_owned(),
            key,
            id: mug.0,
        }
        .encode()
    };
    let time = |text: &str| SortKey::Time(text.parse().unwrap());
    let goods = vec![
        ("@shelf", shelf.to_string()),
        ("@deepest", deepest.to_string()),
        ("@mug", mug.to_string()),
        ("@counted", id(0)),
        ("@uncounted", id(1)),
        ("@noProduct", ProductId::new().to_string()),
        ("@noVariant", ProductVariantId::new().to_string()),
        ("@noCategory", CategoryId::new().to_string()),
        ("@cursorOfNothing", cursor("NOTHING ASC", text("mug"))),
        ("@cursorByName", cursor("NAME ASC", text("mug"))),
        (
            "@cursorOfRecordsByText",
            cursor(audit::list::SORT, text("2026-03-01")),
        ),
        ("@cursorOfUsersByNumber", cursor(users::SORT, SortKey::Int(5))),
        ("@cursorWithNul", cursor("NAME ASC", text("mug\u{0}"))),
        ("@cursorByNameOfNumber", cursor("NAME ASC", SortKey::Int(5))),
        ("@cursorByPriceOfText", cursor("PRICE ASC", text("mug"))),
        ("@cursorByAgeOfText", cursor("CREATED_AT ASC", text("mug"))),
        (
            "@cursorOfTheFarFuture",
            cursor("CREATED_AT ASC", time("+200000-01-01T00:00:00Z")),
        ),
        (
            "@cursorOfTheFarPast",
            cursor("CREATED_AT ASC", time("-200000-01-01T00:00:00Z")),
        ),
    ];
    let payments = payments::furnish(shop).await;
    goods
        .into_iter()
        .chain(people)
        .chain(carts)
        .chain(payments)
        .chain(orders)
        .collect()
}

/// A cart of whoever asks, with one of this variant.
async fn carts(shop: &Shop, variant: &str) -> [(&'static str, String); 5] {
    let draft = shop.add(product("Draft").status(ProductStatus::Draft)).await;
    let query = format!("{{ product(by: {{id: \"{draft}\"}}) {{ variants {{ id }} }} }}");
    let draft = shop.data(As::Staff, &query, json!({})).await;
    let create = "mutation($id: ID!) { cartCreate(input: {lines: [{variantId: $id, quantity: 1}]}) { cart { id lines { id } } } }";
    let made = shop.data(As::Admin, create, json!({ "id": variant })).await;
    let cart = &made["cartCreate"]["cart"];
    [
        ("@draftVariant", &draft["product"]["variants"][0]["id"]),
        ("@cart", &cart["id"]),
        ("@cartLine", &cart["lines"][0]["id"]),
        ("@noCart", &json!(CartId::random().to_string())),
        ("@noCartLine", &json!(CartLineId::new().to_string())),
    ]
    .map(|(name, id)| (name, id.as_str().unwrap().to_owned()))
}

/// Whoever asks, with an account, the session that asks and another one; and somebody else.
async fn people(shop: &Shop) -> [(&'static str, String); 7] {
    let ctx = Context::writing(Actor::Anonymous, Origin::default(), shop.platform.clone());
    let command = |email: &str| Register {
        email: email.to_owned(),
        password: accounts::PASSWORD.into(),
        name: "Somebody".to_owned(),
    };
    let other = register(&ctx, &command("other@example.com")).await.unwrap();
    let hash = shop
        .platform
        .passwords
        .hash(accounts::PASSWORD.into())
        .await
        .unwrap();
    let tester = user_account::Model {
        id: user_of("tester"),
        email: "tester@example.com".to_owned(),
        email_key: "tester@example.com".to_owned(),
        name: "Tester".to_owned(),
        role: UserRole::Admin,
        password_hash: hash,
        password_version: 1,
        role_changed_at: None,
        created_at: shop.now(),
        updated_at: shop.now(),
    };
    let txn = shop.db().begin().await.unwrap();
    let id = tester.id;
    user_account::Entity::insert(tester.into_active_model())
        .exec_without_returning(&txn)
        .await
        .unwrap();
    let session = open_in_txn(&txn, &ctx, id).await.unwrap().session;
    txn.commit().await.unwrap();
    [
        ("@session", session.to_string()),
        ("@foreignSession", other.session.to_string()),
        ("@noSession", SessionId::new().to_string()),
        ("@tester", id.to_string()),
        ("@other", other.user.id.to_string()),
        ("@noUser", UserId::new().to_string()),
        ("@refreshToken", other.refresh.token.expose_secret().to_owned()),
    ]
}
