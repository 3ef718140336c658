//! Buyers who come back from a gateway's page: what has come of it is asked at once, and they are sent on.

use sea_orm::EntityTrait as _;

use super::hand::Journey;
use super::look::look_again;
use crate::domain::context::Context;
use crate::entity::payment;
use crate::infra::secret::equal;
use crate::kernel::error::Result;
use crate::kernel::id::PaymentId;

/// Where a buyer goes on.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Onward {
    /// None when he did not say where he came from.
    pub url: Option<String>,
}

/// Takes a buyer back who knows the payment's secret; None for everybody else. Whether he has paid or not, the gateway says
/// and not he.
pub async fn come_back(ctx: &Context, id: &str, secret: &str) -> Result<Option<Onward>> {
    let Ok(id) = id.parse::<PaymentId>() else {
        return Ok(None);
    };
    let row = payment::Entity::find_by_id(id).one(ctx.db().fresh()).await?;
    let Some(row) = row else { return Ok(None) };
    let journey = Journey::of(&row)?;
    if !equal(&journey.secret, secret) {
        return Ok(None);
    }
    look_again(ctx, id).await;
    Ok(Some(Onward {
        url: journey.return_url,
    }))
}
