//! Callbacks: whose are believed, and what is made of them.

use souk::domain::payments::inbox::apply_due;
use souk::infra::gateways::{About, Names, Stage};

use super::daraja::Sent;
use super::*;
use crate::payments::system;

fn is_forged(told: &Result<Event, Unverified>) -> bool {
    matches!(told, Err(Unverified::Forged(_)))
}

/// A shop, and the callback of a payment of it.
async fn sent(shop: &Shop) -> (Sim<Daraja>, Shop, payment::Model, Sent) {
    let (sim, shop) = beside(shop).await;
    let order = prompted(&shop).await;
    let sent = sim.with(Daraja::pay);
    let row = payment_of(&shop, order).await;
    (sim, shop, row, sent)
}

/// Sends it to the address that it is for; what has come of it.
async fn delivered(shop: &Shop, sent: &Sent) -> String {
    let reply = shop.post_to(address(sent), &[], sent.body.to_string()).await;
    assert_eq!(reply.status, axum::http::StatusCode::OK, "{}", reply.text());
    apply_due(&system(shop)).await.unwrap();
    let mut rows = shop
        .rows("SELECT status FROM gateway_event ORDER BY received_at")
        .await;
    rows.pop().unwrap().remove(0)
}

/// A second prompt at the same address as the last one, whoever asked the phone for it, which ends with this code.
fn twin(daraja: &mut Daraja, code: &str) -> Sent {
    let mut twin = daraja.prompts.last().unwrap().clone();
    twin.id = format!("{}_again", twin.id);
    twin.result = Some((code.to_owned(), "It is over.".to_owned()));
    twin.receipt = (code == "0").then(|| format!("SJK8RT{:04}", daraja.prompts.len()));
    let sent = Daraja::callback(&twin);
    daraja.prompts.insert(0, twin);
    sent
}

both! {
    async fn a_genuine_callback_says_which_payment_it_is_about(shop: &Shop) {
        let (sim, shop, row, sent) = sent(shop).await;
        let event = verify(&shop, &message(&shop, &sent)).await.unwrap();
        let transaction = Names { ours: Some(row.id.to_string()), theirs: None };
        assert_eq!((event.kind.as_str(), &event.about), ("stkCallback", &About::Transaction { transaction }));
        assert_eq!(verify(&shop, &message(&shop, &sent)).await.unwrap().id, event.id, "the same when it comes again");
        let mut other = sent.clone();
        other.body["Body"]["stkCallback"]["ResultCode"] = json!(1032);
        assert_ne!(verify(&shop, &message(&shop, &other)).await.unwrap().id, event.id);
        assert_eq!(gateway(&shop).acknowledgement(), r#"{"ResultCode":0,"ResultDesc":"Accepted"}"#);
        let state = confirm(&shop, &row, &sent).await.unwrap();
        assert_eq!((&state.stage, state.receipt.as_deref(), &state.doubt), (&Stage::Captured(state.money), Some("SJK7RT0001"), &None));
        assert_eq!(confirm(&shop, &row, &sent).await.unwrap(), state);
        close(sim, shop).await;
    }

    async fn a_callback_to_another_address_is_forged(shop: &Shop) {
        let (sim, shop, row, sent) = sent(shop).await;
        let genuine = message(&shop, &sent);
        let (word, token) = (genuine.path[0].clone(), genuine.path[1].clone());
        let seal = token.rsplit_once('.').unwrap().1.to_owned();
        let mut other = payment::Model { id: PaymentId::new(), ..row }.id.to_string();
        assert_ne!(other, row.id.to_string());
        other = format!("{other}.{seal}");
        let with_refund = format!("{}.{}.{seal}", row.id, row.id);
        let cut = token[..token.len() - 1].to_owned();
        // Who knows the word in the address must not be able to make another one.
        let word_alone = souk::infra::secret::derive(WORD, &row.id.to_string().into()).unwrap();
        let guessed = format!("{}.{}", row.id, secrecy::ExposeSecret::expose_secret(&word_alone));
        let paths = [
            vec![], vec![word.clone()], vec![word.clone(), token.clone(), "more".to_owned()], vec![token.clone(), word.clone()],
            vec!["another-word-0123456789abcdefghijk".to_owned(), token.clone()], vec![word.to_uppercase(), token.clone()],
            vec![word.clone(), other], vec![word.clone(), with_refund], vec![word.clone(), cut], vec![word.clone(), seal.clone()],
            vec![word.clone(), format!(".{seal}")], vec![word.clone(), row.id.to_string()], vec![word.clone(), guessed],
        ];
        for path in paths {
            let told = verify(&shop, &Message { path: path.clone(), ..genuine.clone() }).await;
            assert!(is_forged(&told), "{path:?}: {told:?}");
        }
        assert!(verify(&shop, &genuine).await.is_ok());
        close(sim, shop).await;
    }

    async fn what_is_cut_off_is_forged_and_what_is_strange_is_nothing(shop: &Shop) {
        let (sim, shop, _, sent) = sent(shop).await;
        let genuine = message(&shop, &sent);
        let text = sent.body.to_string();
        let cut = [&text.as_bytes()[..text.len() - 1], b"", b"\xff\xfe", b"ResultCode=0"];
        for body in cut {
            let body = bytes::Bytes::copy_from_slice(body);
            assert!(is_forged(&verify(&shop, &Message { body, ..genuine.clone() }).await));
        }
        for body in [json!({}), json!([1]), json!({"Result": {"ResultCode": 0, "OriginatorConversationID": "a"}}), json!({"Body": {"stkCallback": {"ResultCode": 0}}})] {
            let event = verify(&shop, &Message { body: body.to_string().into(), ..genuine.clone() }).await.unwrap();
            assert!(matches!(event.about, About::Nothing { .. }), "{body}");
        }
        // Encoded otherwise it is another event, of which the query says the same.
        let pretty = serde_json::to_string_pretty(&sent.body).unwrap();
        let event = verify(&shop, &Message { body: pretty.into(), ..genuine.clone() }).await.unwrap();
        assert!(matches!(event.about, About::Transaction { .. }));
        close(sim, shop).await;
    }

    async fn both_words_count_while_they_are_changed(shop: &Shop) {
        let (sim, old, row, sent) = sent(shop).await;
        let genuine = message(&old, &sent);
        let (_sim, both) = beside_with(shop, &[("MPESA_CALLBACK_SECRET", "a-newer-word-0123456789abcdefghijklm"), ("MPESA_CALLBACK_PREVIOUS_SECRET", WORD)]).await;
        let (_sim, new) = beside_with(shop, &[("MPESA_CALLBACK_SECRET", "a-newer-word-0123456789abcdefghijklm")]).await;
        assert!(verify(&both, &genuine).await.is_ok());
        assert!(is_forged(&verify(&new, &genuine).await));
        // The new word with the old one's seal was never sent to anybody.
        let mixed = vec!["a-newer-word-0123456789abcdefghijklm".to_owned(), genuine.path[1].clone()];
        assert!(is_forged(&verify(&both, &Message { path: mixed, ..genuine.clone() }).await));
        // Another shop has another passkey.
        let (_sim, other) = beside_with(shop, &[("MPESA_PASSKEY", "another")]).await;
        assert!(is_forged(&verify(&other, &genuine).await));
        assert!(verify(&old, &genuine).await.is_ok(), "{}", row.id);
        for shop in [both, new, other] {
            shop.close().await;
        }
        close(sim, old).await;
    }

    async fn callbacks_come_from_where_the_settings_say(shop: &Shop) {
        let (sim, shop) = beside_with(shop, &[("MPESA_CALLERS", "196.201.214.0/24, 196.201.213.44")]).await;
        prompted(&shop).await;
        let genuine = message(&shop, &sim.with(Daraja::pay));
        for (sender, known) in [(Some("196.201.214.206"), true), (Some("196.201.213.44"), true), (Some("196.201.213.45"), false), (Some("::1"), false), (None, false)] {
            let sender = sender.map(|sender| sender.parse().unwrap());
            let told = verify(&shop, &Message { sender, ..genuine.clone() }).await;
            assert_eq!(told.is_ok(), known, "{sender:?}");
        }
        close(sim, shop).await;
    }

    async fn a_callback_alone_proves_nothing(shop: &Shop) {
        let (sim, shop) = beside(shop).await;
        let order = prompted(&shop).await;
        let row = payment_of(&shop, order).await;
        let mut claimed = sim.with(|daraja| daraja.prompts[0].clone());
        claimed.result = Some(("0".to_owned(), "Done".to_owned()));
        claimed.receipt = Some("SJK7RT9999".to_owned());
        let claimed = Daraja::callback(&claimed);
        // Still on the phone, or not reached: the message is dealt with later.
        assert!(matches!(confirm(&shop, &row, &claimed).await, Err(Fault::Unknown(_))));
        sim.with(|daraja| daraja.fail("1037"));
        assert!(matches!(confirm(&shop, &row, &claimed).await, Err(Fault::Unknown(_))));
        // Dismissed, says the query: people look at it, and no money is booked.
        let failed = sim.with(|daraja| daraja.fail("1032"));
        let state = confirm(&shop, &row, &claimed).await.unwrap();
        assert_eq!((&state.stage, &state.receipt, state.doubt.is_some()), (&Stage::Processing, &None, true));
        // What says no is asked after as well.
        let state = confirm(&shop, &row, &failed).await.unwrap();
        assert!(matches!(state.stage, Stage::Declined(ref reason) if reason.code == "cancelled_by_buyer"));
        sim.with(Daraja::pay);
        let state = confirm(&shop, &row, &failed).await.unwrap();
        assert_eq!((&state.stage, &state.doubt), (&Stage::Captured(state.money), &None));
        close(sim, shop).await;
    }

    async fn another_amount_or_prompt_is_looked_at(shop: &Shop) {
        let (sim, shop, row, sent) = sent(shop).await;
        for (amount, doubtful) in [(json!(14), false), (json!("14"), false), (json!("14.00"), false), (json!(13), true), (json!(13.5), true), (json!("1400"), true)] {
            let mut other = sent.clone();
            other.body["Body"]["stkCallback"]["CallbackMetadata"]["Item"][0]["Value"] = amount.clone();
            let state = confirm(&shop, &row, &other).await.unwrap();
            assert_eq!(state.doubt.is_some(), doubtful, "{amount}");
        }
        // Another order's callback at this one's address, whose prompt is still open, and then is paid.
        let second = prompted(&shop).await;
        let second = payment_of(&shop, second).await;
        let strange = Sent { url: sim.with(|daraja| daraja.prompts[1].callback.clone()), body: sent.body.clone() };
        let state = confirm(&shop, &second, &strange).await.unwrap();
        assert!(state.doubt.is_some(), "money came that we know nothing of");
        let mut unknown = strange.clone();
        unknown.body["Body"]["stkCallback"]["CheckoutRequestID"] = json!("ws_CO_unknown");
        assert!(matches!(confirm(&shop, &second, &unknown).await, Err(Fault::Unknown(_))));
        unknown.body["Body"]["stkCallback"]["ResultCode"] = json!(1032);
        let state = confirm(&shop, &second, &unknown).await.unwrap();
        assert!(matches!(state.stage, Stage::RequiresAction(_)), "its own prompt is what counts");
        close(sim, shop).await;
    }

    async fn the_result_of_a_reversal_says_which_refund_it_is_about(shop: &Shop) {
        let (sim, shop, row, sent) = sent(shop).await;
        after(&shop, 60).await;
        keep_receipt(&shop, row.order_id, &sent).await;
        staff(&shop, "refundCreate", json!({"paymentId": row.id.to_string()})).await;
        let refund = refund_of(&shop, row.id).await;
        let reversal = sim.with(|daraja| daraja.reversals[0].clone());
        let event = verify(&shop, &message(&shop, &Daraja::result(&reversal, &json!(0)))).await.unwrap();
        let about = About::Refund {
            transaction: Names { ours: Some(row.id.to_string()), theirs: None },
            refund: Names { ours: Some(refund.id.to_string()), theirs: Some("71840-27539181-1".to_owned()) },
        };
        assert_eq!((event.kind.as_str(), event.about), ("reversalResult", about));
        // That it waits is no failure, whatever code it has.
        let overdue = Sent { url: reversal.timeout_url.clone(), ..Daraja::result(&reversal, &json!(1)) };
        let event = verify(&shop, &message(&shop, &overdue)).await.unwrap();
        assert_eq!(event.kind, "reversalOverdue");
        assert!(matches!(event.about, About::Nothing { .. }));
        // A payment's callback is none of a refund, nor the other way round.
        let crossed = Sent { url: reversal.result_url.clone(), body: sent.body.clone() };
        assert!(matches!(verify(&shop, &message(&shop, &crossed)).await.unwrap().about, About::Nothing { .. }));
        close(sim, shop).await;
    }

    async fn what_was_paid_by_another_prompt_is_looked_at(shop: &Shop) {
        let (sim, shop) = beside(shop).await;
        for own in ["open", "dismissed", "paid"] {
            let order = prompted(&shop).await;
            match own {
                "dismissed" => drop(sim.with(|daraja| daraja.fail("1032"))),
                "paid" => {
                    sim.with(Daraja::pay);
                    after(&shop, 60).await;
                    assert_eq!(statuses(&shop, order).await, ["CAPTURED"]);
                }
                _ => {}
            }
            // What took nothing says nothing.
            let before = standing(&shop, order).await;
            let nothing = sim.with(|daraja| twin(daraja, "1032"));
            delivered(&shop, &nothing).await;
            let told = events(&shop, order).await;
            assert!(!told.contains(&"REVIEW_REQUIRED".to_owned()), "{own}: {told:?}");
            assert_eq!(standing(&shop, order).await, before);
            let sent = sim.with(|daraja| {
                daraja.prompts.remove(0);
                twin(daraja, "0")
            });
            shop.clock.advance(chrono::Duration::seconds(1));
            assert_eq!(delivered(&shop, &sent).await, "APPLIED", "{own}");
            assert_eq!(statuses(&shop, order).await, ["REQUIRES_REVIEW"], "{own}");
            let told = events(&shop, order).await;
            assert_eq!(told.iter().filter(|kind| *kind == "REVIEW_REQUIRED").count(), 1, "{own}: {told:?}");
            check_books(&shop).await;
            if own == "open" {
                sim.with(|daraja| daraja.fail("1032"));
            }
        }
        close(sim, shop).await;
    }

    /// What is known of one payment is not kept of another one, too.
    async fn what_was_paid_by_the_prompt_of_another_order_is_looked_at(shop: &Shop) {
        let (sim, shop) = beside(shop).await;
        let first = prompted(&shop).await;
        let sent = sim.with(Daraja::pay);
        assert_eq!(delivered(&shop, &sent).await, "APPLIED");
        let second = prompted(&shop).await;
        let strange = Sent { url: sim.with(|daraja| daraja.prompts[1].callback.clone()), body: sent.body.clone() };
        shop.clock.advance(chrono::Duration::seconds(1));
        assert_eq!(delivered(&shop, &strange).await, "APPLIED");
        assert_eq!(statuses(&shop, second).await, ["REQUIRES_REVIEW"]);
        assert_eq!(standing(&shop, first).await, stands("CONFIRMED", "PAID", 1_400, 0));
        assert_eq!(payment_of(&shop, first).await.gateway_receipt.as_deref(), Some("SJK7RT0001"));
        close(sim, shop).await;
    }
}
