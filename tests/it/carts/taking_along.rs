//! Guests who sign in, and the carts that they bring.

use serde_json::{Value, json};
use souk::kernel::id::{CartId, ProductVariantId};

use super::{
    FIELDS, at, change_price, change_product, contents, create, customer, has, line_id, own, places, read,
    rows, stock, stock_all, text, try_add, warned,
};
use crate::support::{As, Shop, product, variant};

const PASSWORD: &str = "tunnel-7-marmalade";

/// Opens an account; its access token.
async fn register(shop: &Shop, name: &str) -> String {
    let register = "mutation($input: AccountRegisterInput!) { accountRegister(input: $input) { tokens { accessToken } } }";
    let input = json!({"email": format!("{name}@example.com"), "password": PASSWORD, "name": name});
    let data = shop
        .data(As::Anonymous, register, json!({ "input": input }))
        .await;
    text(&data["accountRegister"]["tokens"]["accessToken"])
}

/// Signs in with a cart; the payload.
async fn try_sign_in(shop: &Shop, name: &str, password: &str, cart: &Value) -> Value {
    let sign_in = format!(
        "mutation($input: SessionCreateInput!) {{ sessionCreate(input: $input) {{ user {{ cart {{ ...Fields }} }} tokens {{ accessToken }} userErrors {{ code }} }} }} {FIELDS}"
    );
    let input = json!({"email": format!("{name}@example.com"), "password": password, "cartId": cart});
    let mut answer = shop
        .graphql(As::Anonymous, &sign_in, json!({ "input": input }))
        .await;
    assert_eq!(answer["errors"], Value::Null, "{answer}");
    answer["data"]["sessionCreate"].take()
}

/// Signs in with a cart; the own cart as the payload has it.
async fn sign_in(shop: &Shop, name: &str, cart: &Value) -> Value {
    let mut payload = try_sign_in(shop, name, PASSWORD, cart).await;
    assert!(
        payload["tokens"]["accessToken"].is_string() && payload["userErrors"] == json!([]),
        "{payload}"
    );
    payload["user"]["cart"].take()
}

both! {
    async fn without_a_cart_of_ones_own_the_guests_becomes_it(shop: &Shop) {
        let mug = stock(shop, product("Mug")).await;
        let ann = register(shop, "ann").await;
        let guest = create(shop, None, &[(&mug, 2)]).await;
        let cart = sign_in(shop, "ann", &guest["id"]).await;
        assert_eq!((&cart["id"], contents(&cart)), (&guest["id"], has(&[("Mug", 2)])));
        assert_eq!(own(shop, &ann).await, cart);
        // Who knew the id as a guest's does not reach it any more.
        assert_eq!(read(shop, None, &guest["id"]).await, Value::Null);
        assert_eq!(places(&try_add(shop, None, &guest, &[(&mug, 1)]).await), [at("NOT_FOUND", "cartId")]);
        // Twice is once.
        assert_eq!(sign_in(shop, "ann", &guest["id"]).await, cart);
        assert_eq!(sign_in(shop, "ann", &Value::Null).await, cart);
    }

    async fn a_guests_cart_is_added_to_ones_own_and_is_gone(shop: &Shop) {
        let mug = stock(shop, product("Mug").stock(10)).await;
        let tea = stock(shop, product("Tea")).await;
        let pot = stock(shop, product("Pot")).await;
        let ann = register(shop, "ann").await;
        let before = create(shop, Some(&ann), &[(&mug, 1), (&tea, 1)]).await;
        let guest = create(shop, None, &[(&pot, 3), (&mug, 2)]).await;
        shop.clock.advance(chrono::Duration::seconds(5));
        let cart = sign_in(shop, "ann", &guest["id"]).await;
        assert_eq!((&cart["id"], &cart["updatedAt"]), (&before["id"], &json!("2026-03-01T12:00:05Z")));
        assert_eq!(contents(&cart), has(&[("Mug", 3), ("Tea", 1), ("Pot", 3)]));
        assert_eq!(line_id(&cart, 0), line_id(&before, 0));
        assert_eq!((own(shop, &ann).await, rows(shop, "cart").await, rows(shop, "cart_line").await), (cart.clone(), 1, 3));
        for who in [None, Some(ann.as_str())] {
            assert_eq!(read(shop, who, &guest["id"]).await, Value::Null);
        }
        assert_eq!(sign_in(shop, "ann", &guest["id"]).await, cart);
    }

    async fn what_is_brought_is_bounded(shop: &Shop) {
        let mug = stock(shop, product("Mug").stock(8)).await;
        let tea = stock(shop, product("Tea")).await;
        let pot = stock(shop, product("Pot").stock(2)).await;
        let cup = stock(shop, product("Cup").slug("cup")).await;
        let jar = stock(shop, product("Jar").stock(2)).await;
        let ann = register(shop, "ann").await;
        create(shop, Some(&ann), &[(&mug, 5), (&tea, 6_000), (&jar, 2)]).await;
        let guest = create(shop, None, &[(&mug, 5), (&tea, 6_000), (&pot, 2), (&cup, 1), (&jar, 1)]).await;
        change_product(shop, "cup", json!({"status": "ARCHIVED"})).await;
        let variant: ProductVariantId = pot.parse().unwrap();
        let variant = match shop.kind {
            crate::support::Kind::Sqlite => format!("x'{}'", variant.0.simple()),
            crate::support::Kind::Postgres => format!("'{}'", variant.0),
        };
        shop.execute(&format!("UPDATE inventory_level SET reserved = 2 WHERE variant_id = {variant}")).await.unwrap();
        let cart = sign_in(shop, "ann", &guest["id"]).await;
        // No more than is left, or than may be; nothing less than there was, and nothing goes without a word.
        assert_eq!(contents(&cart), has(&[("Mug", 8), ("Tea", 10_000), ("Jar", 2), ("Pot", 1), ("Cup", 1)]));
        assert_eq!(warned(&cart), ["INSUFFICIENT_STOCK", "PRODUCT_UNAVAILABLE"]);
    }

    async fn of_250_lines_the_own_ones_come_first(shop: &Shop) {
        let sizes = (0..300).map(|size| variant([size.to_string().as_str()])).collect();
        let variants = stock_all(shop, product("Mug").variants(["Size"], sizes)).await;
        let of = |from: usize, to: usize| variants[from..to].iter().map(|id| (id.as_str(), 1)).collect::<Vec<_>>();
        let ann = register(shop, "ann").await;
        create(shop, Some(&ann), &of(0, 200)).await;
        let guest = create(shop, None, &of(150, 300)).await;
        let cart = sign_in(shop, "ann", &guest["id"]).await;
        let quantities: Vec<i64> = contents(&cart).into_iter().map(|(_, quantity)| quantity).collect();
        assert_eq!(quantities, [vec![1; 150], vec![2; 50], vec![1; 50]].concat());
        // Of the guest's the oldest.
        assert_eq!(text(&cart["lines"][249]["variant"]["id"]), variants[249]);
        assert_eq!(rows(shop, "cart").await, 1);
    }

    async fn a_price_that_changed_since_the_guest_saw_it_is_told(shop: &Shop) {
        let mug = stock(shop, product("Mug").price(500)).await;
        let tea = stock(shop, product("Tea").price(500)).await;
        let ann = register(shop, "ann").await;
        create(shop, Some(&ann), &[(&tea, 1)]).await;
        change_price(shop, &tea, "6").await;
        let guest = create(shop, None, &[(&mug, 1), (&tea, 1)]).await;
        change_price(shop, &mug, "7").await;
        let cart = sign_in(shop, "ann", &guest["id"]).await;
        assert_eq!(warned(&cart), ["PRICE_CHANGED"]);
        assert_eq!(cart["warnings"][0]["message"], "Mug costs 7.00 USD now. It was 5.00 USD.");
    }

    async fn nobody_elses_cart_is_taken_along(shop: &Shop) {
        let mug = stock(shop, product("Mug")).await;
        register(shop, "ann").await;
        let bob = customer(shop, "bob").await;
        let foreign = create(shop, Some(&bob), &[(&mug, 1)]).await;
        for cart in [foreign["id"].clone(), json!(CartId::random().to_string())] {
            assert_eq!(sign_in(shop, "ann", &cart).await, Value::Null);
        }
        assert_eq!(own(shop, &bob).await, foreign);
        // Nor is a guest's by whoever does not sign in.
        let guest = create(shop, None, &[(&mug, 1)]).await;
        let refused = try_sign_in(shop, "ann", "another password", &guest["id"]).await;
        assert_eq!(refused["userErrors"], json!([{"code": "INVALID_CREDENTIALS"}]));
        assert_eq!(read(shop, None, &guest["id"]).await, guest);
    }

    /// Past the front door: the tables are locked away while somebody signs in.
    async fn a_cart_that_cannot_come_along_keeps_nobody_out(shop: &Shop) {
        let mug = stock(shop, product("Mug")).await;
        let ann = register(shop, "ann").await;
        create(shop, Some(&ann), &[(&mug, 1)]).await;
        let guest = create(shop, None, &[(&mug, 1)]).await;
        let trigger = match shop.kind {
            crate::support::Kind::Sqlite => "CREATE TRIGGER stuck BEFORE DELETE ON cart BEGIN SELECT RAISE(ABORT, 'stuck'); END",
            crate::support::Kind::Postgres => "CREATE FUNCTION stuck() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN RAISE EXCEPTION 'stuck'; END $$; CREATE TRIGGER stuck BEFORE DELETE ON cart EXECUTE FUNCTION stuck()",
        };
        shop.execute(trigger).await.unwrap();
        let cart = sign_in(shop, "ann", &guest["id"]).await;
        assert_eq!(contents(&cart), has(&[("Mug", 1)]), "all of it or nothing");
        assert_eq!(read(shop, None, &guest["id"]).await, guest);
        shop.execute(match shop.kind { crate::support::Kind::Sqlite => "DROP TRIGGER stuck", crate::support::Kind::Postgres => "DROP TRIGGER stuck ON cart" }).await.unwrap();
        assert_eq!(contents(&sign_in(shop, "ann", &guest["id"]).await), has(&[("Mug", 2)]));
    }
}
