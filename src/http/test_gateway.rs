//! The page of the gateway TEST, where a payment that requires an action is paid by a button. Only where TEST is offered.
//!
//! The address has 256 random bits, which the buyer alone was told. The page is plain HTML: no script, no style.

use std::sync::Arc;

use axum::Router;
use axum::extract::{Path, State};
use axum::http::{HeaderMap, StatusCode, header};
use axum::response::{Html, IntoResponse as _, Redirect, Response};
use axum::{Extension, routing};

use super::{Peer, Shared, SharedState, auth, reply};
use crate::domain::context::Context;
use crate::domain::payments::page::{self, Page};
use crate::entity::payment::PaymentGatewayName;
use crate::infra::gateways::test::PAGE;
use crate::kernel::actor::{Actor, Origin};
use crate::kernel::error::Result;

/// Its address, where there is one.
pub(super) fn router(shared: &Shared) -> Router<Arc<Shared>> {
    if shared
        .platform()
        .gateways
        .offered(PaymentGatewayName::Test)
        .is_none()
    {
        return Router::new();
    }
    Router::new().route(&format!("{PAGE}/{{token}}"), routing::get(show).post(pay))
}

async fn show(State(shared): SharedState, Path(token): Path<String>) -> Response {
    let platform = Arc::clone(shared.engine.platform());
    let ctx = Context::reading(Actor::Anonymous, Origin::default(), platform);
    answer(page::find(&ctx, &token).await, |page| {
        if page.is_open {
            let form = format!(
                "<form method=\"post\"><button>Pay {} {}</button></form>",
                page.amount.to_decimal(),
                page.amount.currency
            );
            html(&form)
        } else {
            over()
        }
    })
}

async fn pay(
    State(shared): SharedState,
    peer: Option<Extension<Peer>>,
    headers: HeaderMap,
    Path(token): Path<String>,
) -> Response {
    let origin = auth::origin(&shared, peer.map(|peer| peer.0), &headers);
    let ctx = Context::writing(Actor::Anonymous, origin, Arc::clone(shared.engine.platform()));
    let paying = async move { page::complete(&ctx, &token).await };
    // Who closes the page meanwhile leaves nothing half done: what follows a commit, too, is for others.
    let Some(paid) = shared.engine.see_through(paying).await else {
        return reply::failed();
    };
    answer(paid, |page| match page.return_url {
        Some(url) => Redirect::to(&url).into_response(),
        None => over(),
    })
}

fn answer(found: Result<Option<Page>>, shown: impl FnOnce(Page) -> Response) -> Response {
    match found {
        Ok(Some(page)) => shown(page),
        Ok(None) => {
            let message = "There is no payment at this address.";
            reply::refusal(StatusCode::NOT_FOUND, "BAD_USER_INPUT", message)
        }
        Err(error) => {
            let error = anyhow::Error::from(error);
            tracing::error!(
                error = format!("{error:#}"),
                "the page of the gateway TEST failed"
            );
            reply::failed()
        }
    }
}

fn over() -> Response {
    html("<p>There is nothing left to pay here. You can close this page.</p>")
}

fn html(body: &str) -> Response {
    let page = format!(
        "<!doctype html><html lang=\"en\"><meta charset=\"utf-8\"><title>Test payment</title>\
         <h1>Test payment</h1><p>This gateway takes no money.</p>{body}</html>\n"
    );
    ([(header::CACHE_CONTROL, "no-store")], Html(page)).into_response()
}
