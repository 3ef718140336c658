//! Placing the orders of all who wait, in one transaction and as many statements as for one of them.
//!
//! Each is decided by itself, in their order, as if they had come one after another. What is refused writes nothing, so it takes
//! nobody along.

use std::collections::{BTreeSet, HashMap};
use std::sync::Arc;

use chrono::{DateTime, TimeDelta, Utc};
use sea_orm::{ConnectionTrait as _, DatabaseTransaction, EntityTrait as _, QueryFilter as _};
use secrecy::{ExposeSecret as _, SecretString};
use serde_json::{Value, json};

use super::price::{check_total, order_lines, price, too_few};
use super::{Placed, Placing, guest_token};
use crate::domain::audit::record::{Deed, record_many};
use crate::domain::carts::goods::{self, Goods};
use crate::domain::carts::lock::{CartInHand, delete_many_in_txn, lock_many_in_txn};
use crate::domain::checkout::stock::why;
use crate::domain::context::Context;
use crate::domain::inventory::hold::{Held, Quantities, Why, reserve_many_in_txn};
use crate::domain::orders::change::{OrderInHand, commit_all, save_many};
use crate::domain::orders::state;
use crate::entity::order_event::OrderEventType;
use crate::entity::shop_order::{FulfillmentProgress, OrderStatus, PaymentProgress};
use crate::entity::{shop_order, user_account};
use crate::infra::db::lock::{Patience, wait_as_ever};
use crate::infra::db::many::among;
use crate::infra::group::{Answers, Broken};
use crate::infra::idempotency::{self, Claim};
use crate::infra::metric::ORDERS;
use crate::infra::secret;
use crate::kernel::actor::{Actor, Role};
use crate::kernel::error::{Error, ErrorCode, Result};
use crate::kernel::id::{CartId, OrderId, ProductVariantId, UserId};

/// One of those who are served.
struct Case<'a> {
    placing: &'a Placing,
    /// What the order is called if there will be one.
    id: OrderId,
    claimed: bool,
    /// As long as nothing speaks against it.
    draft: Option<Draft>,
    answer: Option<Result<Placed>>,
}

struct Draft {
    order: OrderInHand,
    cart: CartInHand,
    guest_token: Option<SecretString>,
}

/// Places all of them; an answer for each.
pub(super) async fn place(placings: &[Placing], patience: Patience) -> Result<Answers<Placing>, Broken> {
    let Some(first) = placings.first() else {
        return Ok(Vec::new());
    };
    let txn = first.ctx.db().begin().await.map_err(Broken::not_begun)?;
    let case = |placing| Case {
        placing,
        id: OrderId::new(),
        claimed: false,
        draft: None,
        answer: None,
    };
    let mut cases: Vec<Case<'_>> = placings.iter().map(case).collect();
    claim(&txn, &mut cases, first.ctx.now(), patience).await?;
    draft(&txn, &mut cases).await?;
    // Whoever has the stock is about to commit, and all lock it in one order: so for this it waits its turn.
    if patience == Patience::Short {
        wait_as_ever(&txn).await?;
    }
    hold(&txn, &mut cases).await?;
    let placed = store(&txn, &mut cases).await?;
    // Where nobody has an order there is nothing to keep, their claims least of all.
    if placed > 0 {
        let refused = cases
            .iter()
            .filter(|case| case.claimed && matches!(case.answer, Some(Err(_))));
        let refused: Vec<_> = refused.map(|case| &case.placing.request).collect();
        idempotency::forget(&txn, &refused).await?;
        let members = placings.iter().map(|placing| &placing.ctx);
        commit_all(members, txn).await.map_err(Broken::Unknown)?;
        ORDERS.counter([]).increment(placed);
    }
    let undecided = || Err(Error::internal(anyhow::anyhow!("an order was left undecided")));
    Ok(cases
        .into_iter()
        .map(|case| case.answer.unwrap_or_else(undecided))
        .collect())
}

/// Claims the keys of all; whose key has been used is answered with what it was used for.
async fn claim(
    txn: &DatabaseTransaction,
    cases: &mut [Case<'_>],
    now: DateTime<Utc>,
    patience: Patience,
) -> Result<()> {
    let result = |case: &Case<'_>| json!({"orderId": case.id.to_string()});
    let claims: Vec<_> = cases
        .iter()
        .map(|case| (&case.placing.request, result(case)))
        .collect();
    let claimed = idempotency::claim_all(txn, &claims, now, patience).await?;
    for (case, claim) in cases.iter_mut().zip(claimed) {
        match claim {
            Ok(Claim::New) => case.claimed = true,
            Ok(Claim::Done(result)) => case.id = order_of(&result)?,
            Err(error) => case.answer = Some(Err(error)),
        }
    }
    let done = |case: &Case<'_>| !case.claimed && case.answer.is_none();
    let ids: Vec<OrderId> = cases
        .iter()
        .filter(|case| done(case))
        .map(|case| case.id)
        .collect();
    if ids.is_empty() {
        return Ok(());
    }
    let these = among(txn.get_database_backend(), shop_order::Column::Id, ids)?;
    let orders = shop_order::Entity::find().filter(these).all(txn).await?;
    let orders: HashMap<OrderId, shop_order::Model> =
        orders.into_iter().map(|order| (order.id, order)).collect();
    for case in cases.iter_mut().filter(|case| done(case)) {
        case.answer = Some(placed_before(orders.get(&case.id), case.placing.cart_id));
    }
    Ok(())
}

fn order_of(result: &Value) -> Result<OrderId> {
    let id = result.get("orderId").and_then(Value::as_str);
    let id = id.and_then(|id| id.parse().ok());
    id.ok_or_else(|| Error::internal(anyhow::anyhow!("a remembered order has no id")))
}

fn placed_before(order: Option<&shop_order::Model>, cart: CartId) -> Result<Placed> {
    let order = order.ok_or_else(|| Error::internal(anyhow::anyhow!("a remembered order is gone")))?;
    let seed = order.guest_seed.as_deref();
    Ok(Placed {
        guest_token: seed.map(|seed| guest_token(seed, cart)).transpose()?,
        order: Arc::new(order.clone()),
    })
}

/// Makes an order of each cart, at the prices of today.
async fn draft(txn: &DatabaseTransaction, cases: &mut [Case<'_>]) -> Result<()> {
    let open = || cases.iter().filter(|case| case.answer.is_none());
    let wanted: Vec<(&Actor, CartId)> = open()
        .map(|case| (&case.placing.ctx.actor, case.placing.cart_id))
        .collect();
    if wanted.is_empty() {
        return Ok(());
    }
    let emails = own_emails(txn, open().map(|case| case.placing)).await?;
    let mut carts = lock_many_in_txn(txn, &wanted).await?;
    let lines = carts.values().flat_map(|(_, lines)| lines);
    let variants: BTreeSet<ProductVariantId> = lines.map(|line| line.variant_id).collect();
    let goods = goods::in_txn(txn, &variants.into_iter().collect::<Vec<_>>()).await?;
    for case in cases.iter_mut().filter(|case| case.answer.is_none()) {
        let cart = carts.remove(&case.placing.cart_id);
        match drafted(case.placing, case.id, cart, &goods, &emails) {
            Ok(draft) => case.draft = Some(draft),
            Err(error) => case.answer = Some(Err(error)),
        }
    }
    Ok(())
}

/// The addresses of customers who have given none with their order.
async fn own_emails<'a>(
    txn: &DatabaseTransaction,
    placings: impl Iterator<Item = &'a Placing>,
) -> Result<HashMap<UserId, String>> {
    let without = placings.filter(|placing| placing.email.is_none());
    let users: Vec<UserId> = without.filter_map(|placing| placing.ctx.actor.user()).collect();
    if users.is_empty() {
        return Ok(HashMap::new());
    }
    let these = among(txn.get_database_backend(), user_account::Column::Id, users)?;
    let users = user_account::Entity::find().filter(these).all(txn).await?;
    Ok(users.into_iter().map(|user| (user.id, user.email)).collect())
}

fn drafted(
    placing: &Placing,
    id: OrderId,
    cart: Option<CartInHand>,
    goods: &HashMap<ProductVariantId, Goods>,
    emails: &HashMap<UserId, String>,
) -> Result<Draft> {
    let ctx = &placing.ctx;
    let Some((cart, lines)) = cart else {
        let message = "there is no such cart, or it has been ordered already";
        return Err(Error::refused(ErrorCode::NotFound, "cartId", message));
    };
    let total = price(&cart, &lines, goods)?;
    check_total(placing.expected_total, total)?;
    let customer = ctx.actor.user();
    let seed = customer.is_none().then(secret::random).transpose()?;
    let guest_token = seed
        .as_ref()
        .map(|seed| guest_token(seed.expose_secret(), cart.id))
        .transpose()?;
    let own = || customer.and_then(|customer| emails.get(&customer).cloned());
    let row = shop_order::Model {
        id,
        number: String::new(),
        status: OrderStatus::PendingPayment,
        payment_status: PaymentProgress::Unpaid,
        fulfillment_status: FulfillmentProgress::Unfulfilled,
        user_id: customer,
        guest_token_hash: guest_token
            .as_ref()
            .map(|token| secret::digest(token.expose_secret())),
        guest_seed: seed.map(|seed| seed.expose_secret().to_owned()),
        email: placing.email.clone().or_else(own).ok_or(Error::Unauthenticated)?,
        shipping_address: placing.address.clone(),
        currency: cart.currency.clone(),
        subtotal: total.minor,
        shipping_total: 0,
        tax_total: 0,
        discount_total: 0,
        total: total.minor,
        paid: 0,
        refunded: 0,
        hold_expires_at: Some(ctx.now() + hold_of(ctx)),
        cancel_reason: None,
        last_seq: 0,
        placed_at: ctx.now(),
        updated_at: ctx.now(),
    };
    let order_lines = order_lines(id, &lines, goods)?;
    Ok(Draft {
        order: OrderInHand::draft(ctx, row, order_lines),
        cart: (cart, lines),
        guest_token,
    })
}

fn hold_of(ctx: &Context) -> TimeDelta {
    TimeDelta::from_std(ctx.platform.orders.hold).unwrap_or(TimeDelta::MAX)
}

/// Holds the stock of the drafts, and confirms those at once for which there is nothing to pay.
async fn hold(txn: &DatabaseTransaction, cases: &mut [Case<'_>]) -> Result<()> {
    let wish = |case: &Case<'_>| -> Option<(Quantities, Why)> {
        let lines = case.draft.as_ref()?.order.lines.iter();
        let wanted = lines.filter_map(|line| Some((line.variant_id?, line.quantity.into())));
        Some((wanted.collect(), why(&case.placing.ctx, case.id, "placed")))
    };
    let wishes: Vec<_> = cases.iter().filter_map(wish).collect();
    let held = reserve_many_in_txn(txn, &wishes).await?;
    let drafted = cases.iter_mut().filter(|case| case.draft.is_some());
    for (case, held) in drafted.zip(held) {
        let Some(mut draft) = case.draft.take() else {
            continue;
        };
        match held {
            Held::All(held) => {
                be_placed(&mut draft.order, &held)?;
                case.draft = Some(draft);
            }
            Held::TooFew(left) => {
                case.answer = Some(Err(too_few(&draft.cart.1, &draft.order.lines, &left)));
            }
        }
    }
    Ok(())
}

fn be_placed(order: &mut OrderInHand, held: &Quantities) -> Result<()> {
    for line in &mut order.lines {
        if line.variant_id.is_some_and(|variant| held.contains_key(&variant)) {
            line.held = line.quantity;
        }
    }
    order.row.payment_status = state::payment_progress(order.row.total, 0, 0, 0);
    let free = order.row.total == 0;
    order.happened(OrderEventType::Placed, "The order was placed.");
    if free {
        order.become_status(OrderStatus::Confirmed)?;
        order.happened(
            OrderEventType::Confirmed,
            "There is nothing to pay: the order is confirmed.",
        );
    }
    Ok(())
}

/// Writes all that nothing spoke against; how many.
async fn store(txn: &DatabaseTransaction, cases: &mut [Case<'_>]) -> Result<u64> {
    let (mut orders, mut carts, mut answers) = (Vec::new(), Vec::new(), Vec::new());
    for case in cases {
        if let Some(draft) = case.draft.take() {
            orders.push(draft.order);
            carts.push(draft.cart.0.id);
            answers.push((case, draft.guest_token));
        }
    }
    if orders.is_empty() {
        return Ok(0);
    }
    let saved = save_many(txn, orders).await?;
    delete_many_in_txn(txn, &carts).await?;
    let mut deeds = Vec::new();
    for ((case, guest_token), order) in answers.into_iter().zip(saved) {
        if case.placing.ctx.actor.role() >= Some(Role::Staff) {
            let total = json!({"number": order.number, "total": order.total, "currency": order.currency});
            deeds.push((&case.placing.ctx, Deed::created("orderPlace", order.id, total)));
        }
        let order = Arc::new(order);
        case.answer = Some(Ok(Placed { order, guest_token }));
    }
    record_many(txn, deeds).await?;
    Ok(u64::try_from(carts.len()).unwrap_or(u64::MAX))
}
