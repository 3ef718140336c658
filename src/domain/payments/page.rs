//! The page of the TEST gateway, on which a buyer does what a payment requires of him.

use sea_orm::{ColumnTrait as _, EntityTrait as _, QueryFilter as _};

use super::apply::apply;
use super::drive::drive;
use super::hand::{Case, Journey, money, transaction};
use super::operation::pending;
use crate::domain::context::Context;
use crate::domain::orders::change::commit;
use crate::entity::payment::{self, PaymentGatewayName, PaymentStatus};
use crate::infra::gateways::test;
use crate::kernel::error::Result;
use crate::kernel::money::Money;

/// What the page shows.
#[derive(Clone, Debug)]
pub struct Page {
    pub amount: Money,
    /// Whether there is still something to do.
    pub is_open: bool,
    pub return_url: Option<String>,
}

impl Page {
    fn of(row: &payment::Model) -> Result<Self> {
        Ok(Self {
            amount: money(row, row.amount)?,
            is_open: row.status == PaymentStatus::RequiresAction,
            return_url: Journey::of(row)?.return_url,
        })
    }
}

/// The page that a payment's buyer was sent to. Whoever knows its token was.
pub async fn find(ctx: &Context, token: &str) -> Result<Option<Page>> {
    row(ctx, token).await?.as_ref().map(Page::of).transpose()
}

async fn row(ctx: &Context, token: &str) -> Result<Option<payment::Model>> {
    // No row has one, and PostgreSQL cannot even be asked for it.
    if token.contains('\0') {
        return Ok(None);
    }
    Ok(payment::Entity::find()
        .filter(payment::Column::Gateway.eq(PaymentGatewayName::Test))
        .filter(payment::Column::GatewayReference.eq(token))
        .one(ctx.db().fresh())
        .await?)
}

/// Pays, unless that has been done before or nobody waits for it any more. The page afterwards.
pub async fn complete(ctx: &Context, token: &str) -> Result<Option<Page>> {
    let Some(row) = row(ctx, token).await? else {
        return Ok(None);
    };
    let txn = ctx.db().begin().await?;
    let Some(mut case) = Case::open(&txn, ctx, row.id).await? else {
        return Ok(None);
    };
    let payment = case.payment()?;
    // What is about to be given up is not paid any more.
    let is_open = payment.status == PaymentStatus::RequiresAction && pending(&txn, row.id).await?.is_empty();
    if is_open {
        let state = test::completed(&transaction(ctx, payment, &case.order.row)?);
        apply(&txn, ctx, &mut case, &state, ctx.now()).await?;
    }
    let page = Page::of(case.payment()?)?;
    case.save(&txn, ctx.now()).await?;
    commit(ctx, txn).await?;
    drive(ctx, &[row.id]).await;
    Ok(Some(page))
}
