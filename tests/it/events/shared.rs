//! One event, and many who hear of it: written once for those who ask the same, and for each alone where it hangs on who asks.

use serde_json::{Value, json};
use souk::kernel::actor::Role;

use super::{event, guest_token, happen, place, socket_of, subscribe_with, waiting};
use crate::support::{Server, Shop, Socket};

/// Everything that is the same for all who see the event.
const ALIKE: &str =
    "subscription ($id: ID!, $token: String) { orderEvents(orderId: $id, guestToken: $token) {
    __typename id cursor type status paymentStatus fulfillmentStatus message occurredAt order {
        id number status paymentStatus fulfillmentStatus email cancelReason placedAt updatedAt
        shippingAddress { name line1 line2 city region postalCode countryCode phone }
        subtotal { amount currencyCode } shippingTotal { amount } taxTotal { amount } discountTotal { amount }
        total { amount } totalPaid { amount } totalRefunded { amount } } } }";
const ACTIONS: &str =
    "subscription ($id: ID!, $token: String) { orderEvents(orderId: $id, guestToken: $token) {
    message order { availableActions } } }";
const LINES: &str =
    "subscription ($id: ID!, $token: String) { orderEvents(orderId: $id, guestToken: $token) {
    message order { lines { id } } } }";

/// What a guest, ten others with the guest's token, and staff hear of one event, and the statements that it took in all.
async fn heard(shop: &Shop, server: &Server, document: &str) -> (Vec<Value>, u64) {
    let order = place(&server.platform, None).await;
    let staff = shop.token(Role::Staff);
    let mut sockets: Vec<Socket> = Vec::new();
    for caller in std::iter::repeat_n(None, 11).chain([Some(staff.as_str())]) {
        let mut socket = socket_of(server, caller).await;
        let variables = json!({"id": order.to_string(), "token": guest_token(order)});
        socket.say(subscribe_with("a", document, &variables)).await;
        sockets.push(socket);
    }
    waiting(&server.platform, sockets.len()).await;
    let before = server.platform.db.statements();
    happen(&server.platform, order, 1).await;
    let mut all = Vec::new();
    for socket in &mut sockets {
        all.push(event(socket, "a").await);
    }
    let statements = server.platform.db.statements() - before;
    drop(sockets);
    waiting(&server.platform, 0).await;
    (all, statements)
}

both! {
    async fn all_hear_the_same_and_nothing_is_read_for_them(shop: &Shop) {
        let shared = shop.serve(&[]).await;
        let (told, statements) = heard(shop, &shared, ALIKE).await;
        assert!(told.iter().all(|one| *one == told[0]), "{told:?}");
        assert_eq!(told[0]["order"]["shippingAddress"]["line1"], "Street 1");
        assert_eq!(told[0]["order"]["total"], json!({"amount": "0.00"}));
        let (_, each_reads) = heard(shop, &shared, LINES).await;
        assert!(each_reads >= statements + 10, "{each_reads}, {statements}");
        shared.stop().await;
    }

    async fn without_sharing_all_hear_the_same_too(shop: &Shop) {
        let alone = shop.serve(&[("SOUK_SHARED_EVENTS", "false")]).await;
        let (told, _) = heard(shop, &alone, ALIKE).await;
        assert!(told.iter().all(|one| *one == told[0]), "{told:?}");
        alone.stop().await;
    }

    async fn what_hangs_on_who_asks_is_told_to_each_as_it_is(shop: &Shop) {
        let server = shop.serve(&[]).await;
        let (told, _) = heard(shop, &server, ACTIONS).await;
        let (staff, guests) = told.split_last().unwrap();
        assert!(guests.iter().all(|one| *one == guests[0]), "{guests:?}");
        assert_ne!(staff["order"]["availableActions"], guests[0]["order"]["availableActions"]);
        server.stop().await;
    }

    /// Of several that one socket watches each is answered by its own document, also where they ask the same.
    async fn the_names_that_a_client_gives_are_its_own(shop: &Shop) {
        let server = shop.serve(&[]).await;
        let order = place(&server.platform, None).await;
        let mut socket = Socket::ready(&server).await;
        let variables = json!({"id": order.to_string(), "token": guest_token(order)});
        for name in ["one", "other"] {
            let document = ALIKE.replace("{ orderEvents", &format!("{{ {name}: orderEvents"));
            socket.say(subscribe_with(name, &document, &variables)).await;
        }
        waiting(&server.platform, 2).await;
        happen(&server.platform, order, 1).await;
        for _ in 0..2 {
            let message = socket.hear().await;
            let id = message["id"].as_str().unwrap();
            assert!(message["payload"]["data"][id].is_object(), "{message}");
        }
        server.stop().await;
    }
}
