//! Where buyers come back from a gateway's page, on their way to the shop's own.
//!
//! The address has 256 random bits, which the gateway alone was told, and through it the buyer.

use std::sync::Arc;

use axum::extract::{Path, State};
use axum::http::{HeaderMap, StatusCode, header};
use axum::response::{Html, IntoResponse as _, Redirect, Response};
use axum::{Extension, Router, routing};

use super::{Peer, Shared, SharedState, auth, reply};
use crate::domain::context::Context;
use crate::domain::payments::back::come_back;
use crate::domain::payments::hand::RETURN;
use crate::kernel::actor::Actor;

pub(super) fn router() -> Router<Arc<Shared>> {
    Router::new().route(&format!("{RETURN}/{{payment}}/{{secret}}"), routing::get(back))
}

async fn back(
    State(shared): SharedState,
    peer: Option<Extension<Peer>>,
    headers: HeaderMap,
    Path((payment, secret)): Path<(String, String)>,
) -> Response {
    let origin = auth::origin(&shared, peer.map(|peer| peer.0), &headers);
    let ctx = Context::writing(Actor::Anonymous, origin, Arc::clone(shared.engine.platform()));
    let coming = async move { come_back(&ctx, &payment, &secret).await };
    // Who closes the page meanwhile leaves nothing half done: what follows a commit, too, is for others.
    let Some(came) = shared.engine.see_through(coming).await else {
        return reply::failed();
    };
    match came {
        Ok(Some(onward)) => match onward.url {
            Some(url) => Redirect::to(&url).into_response(),
            None => thanks(),
        },
        Ok(None) => {
            let message = "There is no payment at this address.";
            reply::refusal(StatusCode::NOT_FOUND, "BAD_USER_INPUT", message)
        }
        Err(error) => {
            let error = format!("{:#}", anyhow::Error::from(error));
            tracing::error!(error, "a buyer could not be taken back");
            reply::failed()
        }
    }
}

fn thanks() -> Response {
    let page = "<!doctype html><html lang=\"en\"><meta charset=\"utf-8\"><title>Payment</title>\
        <p>Thank you. You can close this page and go back to the shop.</p></html>\n";
    ([(header::CACHE_CONTROL, "no-store")], Html(page)).into_response()
}
