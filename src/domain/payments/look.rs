//! Asking gateways how payments stand that are under way. No lock is held meanwhile.

use chrono::{DateTime, TimeDelta, Utc};
use sea_orm::sea_query::{Expr, ExprTrait as _};
use sea_orm::{ColumnTrait as _, EntityTrait as _, QueryFilter as _};

use super::apply::apply;
use super::drive::{drive, logged, patiently};
use super::hand::{Case, transaction_of};
use super::operation::LEASE;
use crate::domain::context::Context;
use crate::domain::orders::change::commit;
use crate::entity::payment;
use crate::infra::gateways::{Fault, State, growing};
use crate::kernel::error::Result;
use crate::kernel::id::PaymentId;

/// How often a gateway is asked at most because somebody is back.
const AGAIN: TimeDelta = TimeDelta::seconds(2);

/// Asks how a payment stands that is under way, because its time has come.
pub(super) async fn look(ctx: &Context, row: payment::Model) -> Result<()> {
    if claim_look(ctx, &row, 1).await? {
        look_at(ctx, &row).await?;
    }
    Ok(())
}

/// The same because its buyer is back: who comes again and again does not have the gateway asked each time.
pub async fn look_again(ctx: &Context, id: PaymentId) {
    let asked = async {
        let row = payment::Entity::find_by_id(id).one(ctx.db().fresh()).await?;
        let due = row.filter(|row| {
            row.look_at.is_some() && row.looked_at.is_none_or(|last| last + AGAIN <= ctx.now())
        });
        match due {
            Some(row) if claim_look(ctx, &row, 0).await? => look_at(ctx, &row).await,
            Some(_) | None => Ok(()),
        }
    };
    logged(id, asked.await);
}

/// Of two who want to look only one does.
async fn claim_look(ctx: &Context, row: &payment::Model, counted: i32) -> Result<bool> {
    use payment::Column::{Id, LookAt, LookedAt, Looks};
    let txn = ctx.db().begin().await?;
    let claimed = payment::Entity::update_many()
        .col_expr(LookAt, Expr::val(ctx.now() + LEASE))
        .col_expr(LookedAt, Expr::val(ctx.now()))
        .col_expr(Looks, Expr::col(Looks).add(counted))
        .filter(Id.eq(row.id))
        .filter(LookAt.eq(row.look_at))
        .exec(&txn)
        .await?;
    txn.commit().await?;
    Ok(claimed.rows_affected == 1)
}

async fn look_at(ctx: &Context, row: &payment::Model) -> Result<()> {
    let asked_at = ctx.now();
    let told = match ctx.platform.gateways.get(row.gateway) {
        Some(gateway) => patiently(gateway.retrieve(&transaction_of(ctx, row).await?)).await,
        None => Err(Fault::Unknown("this gateway is not offered any more".to_owned())),
    };
    take_in(ctx, row.id, asked_at, told).await?;
    drive(ctx, &[row.id]).await;
    Ok(())
}

/// Applies what a gateway has answered about a payment.
pub(super) async fn take_in(
    ctx: &Context,
    id: PaymentId,
    asked_at: DateTime<Utc>,
    told: Result<Option<State>, Fault>,
) -> Result<()> {
    let txn = ctx.db().begin().await?;
    let Some(mut case) = Case::open(&txn, ctx, id).await? else {
        return Ok(());
    };
    if let Ok(Some(state)) = &told {
        apply(&txn, ctx, &mut case, state, asked_at).await?;
    } else {
        tracing::warn!(payment = %id, ?told, "a gateway does not say how a payment stands");
        let row = case.payments.change(id)?;
        let pause = growing(u32::try_from(row.looks).unwrap_or(u32::MAX));
        row.look_at = row.look_at.map(|_| ctx.now() + pause);
    }
    case.save(&txn, ctx.now()).await?;
    commit(ctx, txn).await
}
