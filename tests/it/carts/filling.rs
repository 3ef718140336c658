//! Putting things into carts, and taking them out.

use serde_json::{Value, json};
use souk::entity::product::ProductStatus;
use souk::kernel::actor::Role;
use souk::kernel::id::{CartId, CartLineId, ProductVariantId};

use super::{
    add, at, change_product, contents, create, customer, done, has, line_id, lines, places, read, refusals,
    rows, send, set, stock, stock_all, text, try_add, try_set, warned,
};
use crate::support::{Shop, product, variant};

both! {
    async fn a_cart_is_filled_changed_and_emptied(shop: &Shop) {
        let mug = stock(shop, product("Mug").price(1_250).stock(9)).await;
        let tea = stock(shop, product("Tea").price(399)).await;
        let empty = done(send(shop, None, "cartCreate", json!({})).await);
        assert_eq!(empty, json!({"id": empty["id"], "totalQuantity": 0, "currencyCode": "USD", "updatedAt": "2026-03-01T12:00:00Z",
            "subtotal": {"amount": "0.00", "currencyCode": "USD"}, "warnings": [], "lines": []}));
        shop.clock.advance(chrono::Duration::seconds(5));
        let cart = add(shop, None, &empty, &[(&mug, 2), (&tea, 3)]).await;
        let (first, second) = (line_id(&cart, 0), line_id(&cart, 1));
        assert_eq!(cart, json!({"id": empty["id"], "totalQuantity": 5, "currencyCode": "USD", "updatedAt": "2026-03-01T12:00:05Z",
            "subtotal": {"amount": "36.97", "currencyCode": "USD"}, "warnings": [], "lines": [
                {"id": first, "quantity": 2, "unitPrice": {"amount": "12.50", "currencyCode": "USD"}, "lineTotal": {"amount": "25.00"},
                 "variant": {"id": mug, "product": {"name": "Mug"}}},
                {"id": second, "quantity": 3, "unitPrice": {"amount": "3.99", "currencyCode": "USD"}, "lineTotal": {"amount": "11.97"},
                 "variant": {"id": tea, "product": {"name": "Tea"}}}]}));
        assert_eq!(read(shop, None, &cart["id"]).await, cart);
        let cart = set(shop, None, &cart, &[(&first, 9), (&second, 1)]).await;
        assert_eq!(contents(&cart), has(&[("Mug", 9), ("Tea", 1)]));
        assert_eq!((line_id(&cart, 0), line_id(&cart, 1)), (first.clone(), second.clone()));
        let cart = set(shop, None, &cart, &[(&first, 0)]).await;
        assert_eq!(contents(&cart), has(&[("Tea", 1)]));
        let cart = set(shop, None, &cart, &[(&second, 0)]).await;
        assert_eq!((contents(&cart), &cart["id"]), (vec![], &empty["id"]));
        assert_eq!(rows(shop, "cart_line").await, 0);
    }

    async fn nothing_changes_by_asking_for_nothing(shop: &Shop) {
        let mug = stock(shop, product("Mug")).await;
        for input in [json!({"lines": null}), json!({"lines": []})] {
            assert_eq!(contents(&done(send(shop, None, "cartCreate", input).await)), vec![]);
        }
        let cart = create(shop, None, &[(&mug, 1)]).await;
        assert_eq!(add(shop, None, &cart, &[]).await, cart);
        assert_eq!(set(shop, None, &cart, &[]).await, cart);
    }

    async fn the_same_variant_is_one_line(shop: &Shop) {
        let variants = stock_all(shop, product("Mug").variants(["Size"], vec![variant(["S"]).stock(10), variant(["L"])])).await;
        let (small, large) = (&variants[0], &variants[1]);
        let cart = create(shop, None, &[(small, 1), (large, 1), (small, 2)]).await;
        assert_eq!(contents(&cart), has(&[("Mug", 3), ("Mug", 1)]));
        let more = add(shop, None, &cart, &[(small, 4), (small, 3)]).await;
        assert_eq!(contents(&more), has(&[("Mug", 10), ("Mug", 1)]));
        assert_eq!(line_id(&more, 0), line_id(&cart, 0), "and stays where it was");
        // Ten are there; one more in two steps is refused where it becomes too much.
        let cart = set(shop, None, &more, &[(&line_id(&cart, 0), 9)]).await;
        let refused = try_add(shop, None, &cart, &[(small, 1), (large, 1), (small, 1)]).await;
        assert_eq!(refusals(&refused), [("INSUFFICIENT_STOCK".to_owned(), "input.lines.2.quantity".to_owned(), json!({"available": 10}))]);
        assert_eq!(read(shop, None, &cart["id"]).await, cart);
    }

    async fn all_that_is_wrong_is_told_at_once_and_nothing_changes(shop: &Shop) {
        let mug = stock(shop, product("Mug").stock(3)).await;
        let tea = stock(shop, product("Tea")).await;
        let draft = stock(shop, product("Draft").status(ProductStatus::Draft)).await;
        let gone = ProductVariantId::new().to_string();
        let wrong = [(tea.as_str(), 1), (&tea, 0), (&mug, 4), (&gone, 1), (&draft, 1), (&mug, 1), (&tea, 10_001), (&gone, -1)];
        let expected = [
            at("OUT_OF_RANGE", "lines.1.quantity"), at("INSUFFICIENT_STOCK", "lines.2.quantity"), at("NOT_FOUND", "lines.3.variantId"),
            at("NOT_FOUND", "lines.4.variantId"), at("OUT_OF_RANGE", "lines.6.quantity"), at("NOT_FOUND", "lines.7.variantId"),
        ];
        let refused = send(shop, None, "cartCreate", json!({"lines": lines(&wrong)})).await;
        assert_eq!(places(&refused), expected);
        assert_eq!(rows(shop, "cart").await, 0, "no cart is made for what is refused");
        let cart = create(shop, None, &[(&tea, 1)]).await;
        shop.clock.advance(chrono::Duration::seconds(5));
        assert_eq!(places(&try_add(shop, None, &cart, &wrong).await), expected);
        assert_eq!(read(shop, None, &cart["id"]).await, cart);

        let cart = add(shop, None, &cart, &[(&mug, 1)]).await;
        let (first, second) = (line_id(&cart, 0), line_id(&cart, 1));
        let other = create(shop, None, &[(&tea, 1)]).await;
        let (foreign, unknown) = (line_id(&other, 0), CartLineId::new().to_string());
        let refused = try_set(shop, None, &cart, &[(&second, 4), (&unknown, 1), (&first, 0), (&foreign, 0), (&first, 2)]).await;
        assert_eq!(places(&refused), [
            at("INSUFFICIENT_STOCK", "lines.0.quantity"), at("NOT_FOUND", "lines.1.lineId"), at("NOT_FOUND", "lines.3.lineId"), at("INVALID", "lines.4.lineId")]);
        for (quantity, code) in [(-1, "OUT_OF_RANGE"), (10_001, "OUT_OF_RANGE"), (i64::from(i32::MIN), "OUT_OF_RANGE"), (i64::from(i32::MAX), "OUT_OF_RANGE")] {
            let refused = try_set(shop, None, &cart, &[(&first, quantity)]).await;
            assert_eq!(places(&refused), [at(code, "lines.0.quantity")], "{quantity}");
        }
        assert_eq!(read(shop, None, &cart["id"]).await, cart);
        assert_eq!(read(shop, None, &other["id"]).await, other);
    }

    async fn what_is_not_for_sale_nobody_gets(shop: &Shop) {
        let ann = customer(shop, "ann").await;
        shop.add_user("stan", Role::Staff).await;
        let stan = shop.token_of("stan", Role::Staff);
        let draft = stock(shop, product("Draft").status(ProductStatus::Draft)).await;
        let archived = stock(shop, product("Archived").status(ProductStatus::Archived)).await;
        // Staff know that there is such a thing.
        for (who, code) in [(None, "NOT_FOUND"), (Some(ann.as_str()), "NOT_FOUND"), (Some(stan.as_str()), "PRODUCT_UNAVAILABLE")] {
            let refused = send(shop, who, "cartCreate", json!({"lines": lines(&[(&draft, 1), (&archived, 1)])})).await;
            assert_eq!(places(&refused), [at(code, "lines.0.variantId"), at(code, "lines.1.variantId")]);
        }
        let mug = stock(shop, product("Mug")).await;
        let euros = shop.beside(&[("SOUK_CURRENCY", "EUR")]).await;
        let refused = send(&euros, None, "cartCreate", json!({"lines": lines(&[(&mug, 1)])})).await;
        assert_eq!(places(&refused), [at("CURRENCY_MISMATCH", "lines.0.variantId")]);
        // A cart from before the shop changed its currency goes over to the new one.
        let cart = create(shop, None, &[(&mug, 1)]).await;
        let cart = add(&euros, None, &cart, &[]).await;
        assert_eq!((&cart["currencyCode"], &cart["subtotal"]["amount"], warned(&cart)), (&json!("EUR"), &json!("0.00"), vec!["PRODUCT_UNAVAILABLE".to_owned()]));
        euros.close().await;
    }

    async fn quantities_have_bounds(shop: &Shop) {
        let tea = stock(shop, product("Tea")).await;
        let cart = create(shop, None, &[(&tea, 9_999)]).await;
        let cart = add(shop, None, &cart, &[(&tea, 1)]).await;
        assert_eq!(contents(&cart), has(&[("Tea", 10_000)]));
        for quantity in [1, i64::from(i32::MAX), 0, -1, -10_000, i64::from(i32::MIN)] {
            let refused = try_add(shop, None, &cart, &[(&tea, quantity)]).await;
            let expected = [("OUT_OF_RANGE".to_owned(), "input.lines.0.quantity".to_owned(), json!({"max": 10_000}))];
            assert_eq!(refusals(&refused), expected, "{quantity}");
        }
        let cart = set(shop, None, &cart, &[(&line_id(&cart, 0), 1)]).await;
        assert_eq!(set(shop, None, &cart, &[(&line_id(&cart, 0), 10_000)]).await["totalQuantity"], 10_000);
    }

    async fn a_cart_has_250_lines_at_most(shop: &Shop) {
        let sizes = (0..251).map(|size| variant([size.to_string().as_str()]).price(100)).collect();
        let variants = stock_all(shop, product("Mug").variants(["Size"], sizes)).await;
        let some: Vec<_> = variants.iter().map(|id| (id.as_str(), 1)).collect();
        let cart = create(shop, None, &some[..249]).await;
        let refused = try_add(shop, None, &cart, &some[249..]).await;
        assert_eq!(refusals(&refused), [("TOO_LONG".to_owned(), "input.lines".to_owned(), json!({"max": 250}))]);
        let cart = add(shop, None, &cart, &some[249..250]).await;
        assert_eq!((cart["lines"].as_array().unwrap().len(), &cart["subtotal"]["amount"]), (250, &json!("250.00")));
        assert_eq!(places(&try_add(shop, None, &cart, &some[250..]).await), [at("TOO_LONG", "lines")]);
        // More of what is there is not one more line; and all lines are set at once.
        assert_eq!(add(shop, None, &cart, &some[..250]).await["totalQuantity"], 500);
        let ids: Vec<_> = (0..250).map(|index| line_id(&cart, index)).collect();
        let sevens: Vec<_> = ids.iter().map(|id| (id.as_str(), 7)).collect();
        assert_eq!(set(shop, None, &cart, &sevens).await["totalQuantity"], 1_750);
    }

    async fn no_more_than_there_is_goes_in(shop: &Shop) {
        let mug = stock(shop, product("Mug").stock(5)).await;
        shop.execute("UPDATE inventory_level SET reserved = 2 WHERE tracked").await.unwrap();
        let cart = create(shop, None, &[(&mug, 2)]).await;
        let short = |place: &str, left: i64| [("INSUFFICIENT_STOCK".to_owned(), format!("input.{place}"), json!({"available": left}))];
        assert_eq!(refusals(&try_add(shop, None, &cart, &[(&mug, 2)]).await), short("lines.0.quantity", 3));
        assert_eq!(refusals(&try_set(shop, None, &cart, &[(&line_id(&cart, 0), 4)]).await), short("lines.0.quantity", 3));
        // A cart holds nothing: another one may have the same.
        let cart = set(shop, None, &cart, &[(&line_id(&cart, 0), 3)]).await;
        assert_eq!(contents(&create(shop, None, &[(&mug, 3)]).await), contents(&cart));
        // What the shop does not count there is always enough of.
        let tea = stock(shop, product("Tea")).await;
        assert_eq!(add(shop, None, &cart, &[(&tea, 10_000)]).await["totalQuantity"], 10_003);
        assert_eq!(shop.rows("SELECT CAST(SUM(reserved) AS text) FROM inventory_level").await, [["2"]]);
    }

    async fn what_is_no_longer_sold_can_only_be_taken_out(shop: &Shop) {
        let mug = stock(shop, product("Mug").slug("mug")).await;
        let cart = create(shop, None, &[(&mug, 2)]).await;
        change_product(shop, "mug", json!({"status": "ARCHIVED"})).await;
        let line = line_id(&cart, 0);
        for quantity in [1, 2, 3] {
            assert_eq!(places(&try_set(shop, None, &cart, &[(&line, quantity)]).await), [at("PRODUCT_UNAVAILABLE", "lines.0.lineId")]);
        }
        assert_eq!(places(&try_add(shop, None, &cart, &[(&mug, 1)]).await), [at("NOT_FOUND", "lines.0.variantId")]);
        assert_eq!(contents(&set(shop, None, &cart, &[(&line, 0)]).await), vec![]);
    }

    async fn a_cart_that_is_not_there_is_not_found(shop: &Shop) {
        let mug = stock(shop, product("Mug")).await;
        let nothing = json!({"id": CartId::random().to_string()});
        assert_eq!(places(&try_add(shop, None, &nothing, &[(&mug, 1)]).await), [at("NOT_FOUND", "cartId")]);
        assert_eq!(places(&try_set(shop, None, &nothing, &[]).await), [at("NOT_FOUND", "cartId")]);
        assert_eq!(read(shop, None, &nothing["id"]).await, Value::Null);
    }

    async fn an_id_of_a_cart_does_not_tell_when_it_was_made(shop: &Shop) {
        let mut ids = Vec::new();
        for _ in 0..20 {
            let id: CartId = text(&create(shop, None, &[]).await["id"]).parse().unwrap();
            assert_eq!(id.0.get_version_num(), 4, "random, not by time");
            ids.push(id);
        }
        ids.sort_unstable();
        ids.dedup();
        assert_eq!(ids.len(), 20);
    }
}
