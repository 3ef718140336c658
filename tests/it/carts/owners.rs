//! Who may use which cart.

use serde_json::{Value, json};
use souk::kernel::actor::Role;

use super::{
    add, at, contents, create, customer, has, line_id, lines, own, places, read, rows, send, set, stock,
    text, try_add, try_set,
};
use crate::support::{Shop, product};

/// What `node` and `nodes` answer for a cart and its first line.
async fn nodes(shop: &Shop, who: Option<&str>, cart: &Value) -> Value {
    let query = "query($cart: ID!, $line: ID!) { cart: node(id: $cart) { id } line: node(id: $line) { id ... on CartLine { quantity } }
        nodes(ids: [$line, $cart]) { __typename } }";
    let variables = json!({"cart": cart["id"], "line": line_id(cart, 0)});
    let mut answer = shop.graphql_with(who, query, variables).await;
    assert_eq!(answer["errors"], Value::Null, "{answer}");
    answer["data"].take()
}

both! {
    async fn a_guests_cart_is_for_whoever_knows_its_id(shop: &Shop) {
        let mug = stock(shop, product("Mug")).await;
        let ann = customer(shop, "ann").await;
        shop.add_user("stan", Role::Staff).await;
        let stan = shop.token_of("stan", Role::Staff);
        let cart = create(shop, None, &[(&mug, 1)]).await;
        for (quantity, who) in [(2, None), (4, Some(ann.as_str())), (6, Some(stan.as_str()))] {
            add(shop, who, &cart, &[(&mug, 1)]).await;
            assert_eq!(read(shop, who, &cart["id"]).await["totalQuantity"], quantity);
            let found = json!({"cart": {"id": cart["id"]}, "line": {"id": line_id(&cart, 0), "quantity": quantity},
                "nodes": [{"__typename": "CartLine"}, {"__typename": "Cart"}]});
            assert_eq!(nodes(shop, who, &cart).await, found);
            set(shop, who, &cart, &[(&line_id(&cart, 0), quantity + 1)]).await;
        }
        // To use it does not make it one's own.
        assert_eq!(own(shop, &ann).await, Value::Null);
        assert_ne!(create(shop, None, &[(&mug, 1)]).await["id"], cart["id"], "guests get a new one each time");
    }

    async fn a_customers_cart_is_for_that_customer_alone(shop: &Shop) {
        let mug = stock(shop, product("Mug")).await;
        let (ann, bob) = (customer(shop, "ann").await, customer(shop, "bob").await);
        shop.add_user("stan", Role::Staff).await;
        shop.add_user("ada", Role::Admin).await;
        let (stan, ada) = (shop.token_of("stan", Role::Staff), shop.token_of("ada", Role::Admin));
        let cart = create(shop, Some(&ann), &[(&mug, 1)]).await;
        let line = line_id(&cart, 0);
        for who in [None, Some(bob.as_str()), Some(stan.as_str()), Some(ada.as_str())] {
            assert_eq!(read(shop, who, &cart["id"]).await, Value::Null);
            assert_eq!(nodes(shop, who, &cart).await, json!({"cart": null, "line": null, "nodes": [null, null]}));
            assert_eq!(places(&try_add(shop, who, &cart, &[(&mug, 1)]).await), [at("NOT_FOUND", "cartId")]);
            assert_eq!(places(&try_set(shop, who, &cart, &[(&line, 0)]).await), [at("NOT_FOUND", "cartId")]);
        }
        assert_eq!(read(shop, Some(&ann), &cart["id"]).await, cart);
        assert_eq!(own(shop, &ann).await, cart);
        assert_eq!(nodes(shop, Some(&ann), &cart).await["line"]["quantity"], 1);
        // A line of hers is no line of another cart either.
        let other = create(shop, Some(&bob), &[(&mug, 1)]).await;
        assert_eq!(places(&try_set(shop, Some(&bob), &other, &[(&line, 0)]).await), [at("NOT_FOUND", "lines.0.lineId")]);
        // Staff see the account, and no cart.
        let users = "{ users(first: 9) { nodes { name cart { id } } } }";
        let answer = shop.graphql_with(Some(&stan), users, json!({})).await;
        let users = answer["data"]["users"]["nodes"].as_array().unwrap();
        assert_eq!((users.len(), users.iter().all(|user| user["cart"].is_null())), (4, true), "{answer}");
    }

    async fn a_customer_has_one_cart(shop: &Shop) {
        let mug = stock(shop, product("Mug").stock(5)).await;
        let tea = stock(shop, product("Tea")).await;
        let ann = customer(shop, "ann").await;
        assert_eq!(own(shop, &ann).await, Value::Null);
        let cart = create(shop, Some(&ann), &[(&mug, 1)]).await;
        let again = create(shop, Some(&ann), &[(&tea, 2), (&mug, 3)]).await;
        assert_eq!(again["id"], cart["id"]);
        assert_eq!(contents(&again), has(&[("Mug", 4), ("Tea", 2)]));
        let refused = send(shop, Some(&ann), "cartCreate", json!({"lines": lines(&[(&mug, 2)])})).await;
        assert_eq!(places(&refused), [at("INSUFFICIENT_STOCK", "lines.0.quantity")]);
        assert_eq!(create(shop, Some(&ann), &[]).await, again);
        assert_eq!((own(shop, &ann).await, rows(shop, "cart").await), (again, 1));
    }

    async fn who_has_just_signed_out_is_nobody(shop: &Shop) {
        let mug = stock(shop, product("Mug")).await;
        let register = "mutation { accountRegister(input: {email: \"ann@example.com\", password: \"tunnel-7-marmalade\", name: \"Ann\"}) { tokens { accessToken } } }";
        let data = shop.data(crate::support::As::Anonymous, register, json!({})).await;
        let token = text(&data["accountRegister"]["tokens"]["accessToken"]);
        let both = "mutation($v: ID!) { sessionRevoke { userErrors { code } } cartCreate(input: {lines: [{variantId: $v, quantity: 1}]}) { cart { id } } }";
        let answer = shop.graphql_with(Some(&token), both, json!({"v": mug})).await;
        assert_eq!(answer["errors"][0]["extensions"]["code"], "UNAUTHENTICATED", "{answer}");
        assert_eq!(rows(shop, "cart").await, 0);
    }
}
