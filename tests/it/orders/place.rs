//! Making an order of a cart.

use chrono::Duration;
use serde_json::{Value, json};
use souk::entity::product::ProductStatus;
use souk::kernel::actor::Role;

use super::mug;
use crate::support::buyer::{PLACE, address};
use crate::support::{As, Shop, product, user_of, variant};

const READ: &str = "query($by: OrderBy!, $token: String) { order(by: $by, guestToken: $token) {
    id number status email customer { id } shippingAddress { name city countryCode line2 } availableActions
    lines { productName variantTitle sku quantity fulfilledQuantity unitPrice { amount } lineTotal { amount } variant { id } }
    subtotal { amount } shippingTotal { amount } taxTotal { amount } discountTotal { amount } total { amount currencyCode }
    totalPaid { amount } totalRefunded { amount } fulfillments { id } cancelReason placedAt
    events(first: 5) { nodes { type status message order { number } } } } }";

fn code(payload: &Value) -> &str {
    payload["userErrors"][0]["code"].as_str().unwrap_or_default()
}

both! {
    async fn a_guest_places_an_order_and_reads_it_with_the_token(shop: &Shop) {
        let tea = shop.add(product("Tea").price(450).variants(["Box"], vec![variant(["20"]).price(450).sku("T20").stock(9)])).await;
        let tea = shop.variants_of(tea).await.remove(0);
        let mug = mug(shop, 5).await;
        let cart = shop.cart(&[(&tea, 3), (&mug, 2)]).await;
        let placed = shop.place(None, &cart, "k").await;
        assert_eq!(placed["userErrors"], json!([]));
        let (order, token) = (&placed["order"], &placed["guestToken"]);
        assert_eq!(order["status"], "PENDING_PAYMENT");
        assert_eq!(order["availableActions"], json!(["PAY"]));
        let variables = json!({"by": {"number": order["number"]}, "token": token});
        let data = shop.data(As::Anonymous, READ, variables).await;
        let read = &data["order"];
        assert_eq!(read["id"], order["id"]);
        assert_eq!((&read["email"], &read["customer"]), (&json!("ann@example.com"), &Value::Null));
        assert_eq!(read["shippingAddress"], json!({"name": "Ann Lee", "city": "Leeds", "countryCode": "GB", "line2": null}));
        assert_eq!(read["lines"], json!([
            {"productName": "Tea", "variantTitle": "20", "sku": "T20", "quantity": 3, "fulfilledQuantity": 0,
                "unitPrice": {"amount": "4.50"}, "lineTotal": {"amount": "13.50"}, "variant": {"id": tea}},
            {"productName": "Mug", "variantTitle": "S", "sku": null, "quantity": 2, "fulfilledQuantity": 0,
                "unitPrice": {"amount": "12.00"}, "lineTotal": {"amount": "24.00"}, "variant": {"id": mug}}]));
        assert_eq!(read["total"], json!({"amount": "37.50", "currencyCode": "USD"}));
        assert_eq!(read["subtotal"]["amount"], "37.50");
        for zero in ["shippingTotal", "taxTotal", "discountTotal", "totalPaid", "totalRefunded"] {
            assert_eq!(read[zero]["amount"], "0.00", "{zero}");
        }
        assert_eq!(read["events"]["nodes"], json!([{"type": "PLACED", "status": "PENDING_PAYMENT",
            "message": "The order was placed.", "order": {"number": order["number"]}}]));
        assert_eq!((shop.stock(&tea).await, shop.stock(&mug).await), ((9, 3), (5, 2)));
        shop.balance().await;
    }

    async fn what_is_not_yours_is_not_there(shop: &Shop) {
        let mug = mug(shop, 5).await;
        let order = shop.ordered(&[(&mug, 1)]).await;
        let other = shop.ordered(&[(&mug, 1)]).await;
        for (token, id) in [(Some(other.token.as_str()), &order.id), (None, &order.id), (Some(""), &order.id), (Some("wrong"), &order.id)] {
            for caller in [As::Anonymous, As::Customer] {
                let data = shop.data(caller, READ, json!({"by": {"id": id}, "token": token})).await;
                assert_eq!(data["order"], Value::Null, "{token:?} {caller:?}");
            }
        }
        let seen = |caller| { let id = order.id.clone(); async move { shop.data(caller, "query($id: ID!) { node(id: $id) { id } }", json!({"id": id})).await["node"].take() } };
        assert_eq!(seen(As::Anonymous).await, Value::Null);
        assert_eq!(seen(As::Customer).await, Value::Null);
        assert_eq!(seen(As::Staff).await["id"], json!(order.id));
    }

    async fn a_customers_order_is_theirs_alone(shop: &Shop) {
        shop.add_user("ann", Role::Customer).await;
        shop.add_user("bob", Role::Customer).await;
        let mug = mug(shop, 5).await;
        let (ann, bob) = (shop.token_of("ann", Role::Customer), shop.token_of("bob", Role::Customer));
        let cart = shop.cart_of(Some(&ann), &[(&mug, 2)]).await;
        assert_eq!(code(&shop.place(Some(&bob), &cart, "k").await), "NOT_FOUND");
        let placed = shop.place(Some(&ann), &cart, "k").await;
        assert_eq!(placed["guestToken"], Value::Null);
        assert_eq!(placed["order"]["email"], "ann@example.com");
        assert_eq!(placed["order"]["availableActions"], json!(["PAY", "CANCEL"]));
        let by = json!({"by": {"id": placed["order"]["id"]}, "token": null});
        let mine = shop.graphql_with(Some(&ann), READ, by.clone()).await;
        assert_eq!(mine["data"]["order"]["customer"]["id"], json!(user_of("ann").to_string()));
        let theirs = shop.graphql_with(Some(&bob), READ, by).await;
        assert_eq!(theirs["data"]["order"], Value::Null);
        let me = shop.graphql_with(Some(&ann), "{ me { cart { id } orders(first: 5) { totalCount nodes { id } } } }", json!({})).await;
        assert_eq!(me["data"]["me"], json!({"cart": null, "orders": {"totalCount": 1, "nodes": [{"id": placed["order"]["id"]}]}}));
        let none = shop.graphql_with(Some(&bob), "{ me { orders(first: 5) { totalCount nodes { id } } } }", json!({})).await;
        assert_eq!(none["data"]["me"]["orders"]["totalCount"], 0);
    }

    async fn the_same_key_is_the_same_order(shop: &Shop) {
        let mug = mug(shop, 5).await;
        let cart = shop.cart(&[(&mug, 2)]).await;
        let first = shop.place(None, &cart, "k").await;
        let again = shop.place(None, &cart, "k").await;
        assert_eq!(first, again, "with the guest's token");
        assert_eq!(shop.stock(&mug).await, (5, 2));
        // Another input under the same key is refused; of another guest the same key is another one.
        let input = json!({"cartId": cart, "email": "eve@example.com", "shippingAddress": address(), "idempotencyKey": "k"});
        let other = shop.data(As::Anonymous, PLACE, json!({ "input": input })).await;
        assert_eq!(code(&other["orderPlace"]), "IDEMPOTENCY_KEY_REUSED");
        let order = shop.ordered(&[(&mug, 1)]).await;
        assert_ne!(first["order"]["id"], json!(order.id));
        // A new key finds no cart any more.
        assert_eq!(code(&shop.place(None, &cart, "k2").await), "NOT_FOUND");
        shop.clock.advance(Duration::hours(25));
        assert_eq!(code(&shop.place(None, &cart, "k").await), "NOT_FOUND", "forgotten after a day");
    }

    async fn too_little_stock_is_told_for_each_line(shop: &Shop) {
        let (one, other) = (mug(shop, 3).await, mug(shop, 3).await);
        let cart = shop.cart(&[(&one, 3), (&other, 2)]).await;
        shop.ordered(&[(&one, 1), (&other, 2)]).await;
        let refused = shop.place(None, &cart, "k").await;
        assert_eq!((&refused["order"], &refused["guestToken"]), (&Value::Null, &Value::Null));
        let errors = refused["userErrors"].as_array().unwrap();
        let told: Vec<_> = errors.iter().map(|error| (&error["code"], &error["params"]["available"], &error["params"]["variantId"])).collect();
        let code = json!("INSUFFICIENT_STOCK");
        assert_eq!(told, [(&code, &json!(2), &json!(one)), (&code, &json!(1), &json!(other))]);
        assert_eq!((shop.stock(&one).await, shop.stock(&other).await), ((3, 1), (3, 2)), "nothing was held");
        shop.balance().await;
        // The key was not used up.
        shop.execute("UPDATE inventory_level SET on_hand = 9").await.unwrap();
        assert_eq!(shop.place(None, &cart, "k").await["userErrors"], json!([]));
    }

    async fn prices_and_products_are_looked_at_afresh(shop: &Shop) {
        let mug = mug(shop, 9).await;
        let cart = shop.cart(&[(&mug, 2)]).await;
        shop.execute("UPDATE product_variant SET price = 1300").await.unwrap();
        let place = |total: &str, currency: &str, key: &str| {
            let input = json!({"cartId": cart, "email": "a@example.com", "shippingAddress": address(), "idempotencyKey": key,
                "expectedTotal": {"amount": total, "currencyCode": currency}});
            async move { shop.data(As::Anonymous, PLACE, json!({ "input": input })).await["orderPlace"].take() }
        };
        let changed = place("24.00", "USD", "a").await;
        assert_eq!(changed["userErrors"][0]["params"], json!({"total": {"amount": "26.00", "currencyCode": "USD"}}));
        assert_eq!((code(&changed), &changed["userErrors"][0]["path"]), ("PRICE_CHANGED", &json!(["input", "expectedTotal"])));
        assert_eq!(code(&place("26.00", "EUR", "b").await), "CURRENCY_MISMATCH");
        shop.execute("UPDATE product SET status = 'ARCHIVED'").await.unwrap();
        assert_eq!(code(&place("26.00", "USD", "c").await), "PRODUCT_UNAVAILABLE");
        shop.execute("UPDATE product SET status = 'ACTIVE'").await.unwrap();
        let placed = place("26", "USD", "d").await;
        assert_eq!(placed["order"]["total"]["amount"], "26.00");
    }

    async fn bad_input_is_refused_with_all_that_is_wrong(shop: &Shop) {
        let mug = mug(shop, 9).await;
        let cart = shop.cart(&[(&mug, 2)]).await;
        let mut address = address();
        address["city"] = json!(" ");
        let input = json!({"cartId": cart, "shippingAddress": address, "idempotencyKey": ""});
        let refused = shop.data(As::Anonymous, PLACE, json!({ "input": input })).await;
        let errors = refused["orderPlace"]["userErrors"].as_array().unwrap();
        let told: Vec<_> = errors.iter().map(|error| (error["code"].as_str().unwrap(), error["path"].to_string())).collect();
        assert_eq!(told, [
            ("REQUIRED", r#"["input","email"]"#.to_owned()),
            ("REQUIRED", r#"["input","shippingAddress","city"]"#.to_owned()),
            ("REQUIRED", r#"["input","idempotencyKey"]"#.to_owned())]);
        let empty = shop.cart(&[]).await;
        assert_eq!(code(&shop.place(None, &empty, "k").await), "CART_EMPTY");
    }

    async fn what_costs_nothing_is_confirmed_at_once(shop: &Shop) {
        let free = shop.add(product("Leaflet").price(0).status(ProductStatus::Active)).await;
        let free = shop.variants_of(free).await.remove(0);
        let placed = shop.place(None, &shop.cart(&[(&free, 2)]).await, "k").await;
        assert_eq!((&placed["order"]["status"], &placed["order"]["paymentStatus"]), (&json!("CONFIRMED"), &json!("PAID")));
        assert_eq!(shop.history(placed["order"]["id"].as_str().unwrap()).await, ["PLACED", "CONFIRMED"]);
    }

    async fn the_order_stays_as_it_was_placed(shop: &Shop) {
        let mug = mug(shop, 9).await;
        let order = shop.ordered(&[(&mug, 2)]).await;
        shop.execute("UPDATE product SET name = 'Cup', status = 'ARCHIVED'").await.unwrap();
        shop.execute("UPDATE product_variant SET price = 1, title = 'XL'").await.unwrap();
        // Asked of an instance that has not kept the product as it was.
        let other = shop.beside(&[]).await;
        let data = other.data(As::Anonymous, READ, json!({"by": {"id": order.id}, "token": order.token})).await;
        let line = &data["order"]["lines"][0];
        assert_eq!((&line["productName"], &line["variantTitle"], &line["unitPrice"]["amount"]), (&json!("Mug"), &json!("S"), &json!("12.00")));
        assert_eq!(line["variant"], Value::Null, "not for sale any more");
        other.close().await;
    }
}
